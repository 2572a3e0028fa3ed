//! `hamsa history`: what was recorded of a series over time.

use clap::Args;
use serde_json::Number;

use crate::failure::{advised, usage};
use crate::records::{
    HistoryQuery, PointRow, RowLayout, SourceOptions, Span, Values, parse_duration, parse_time, print_rows, time_cell,
};

/// Show what was recorded over time: rates of counters, values of others
///
/// Where a rate is not known (a device restarted, polls were missed) the value is empty and the reason is told.
/// Times are 2026-01-31, 2026-01-31T12:00 (local), 2026-01-31T12:00:00Z, Unix seconds, or relative: -1h30m.
#[derive(Debug, Args)]
pub struct Command {
    /// The device's name
    pub device: String,
    /// The series: OBJECT for all instances (ifHCInOctets), or OBJECT.INSTANCE (ifHCInOctets.3)
    pub series: String,
    /// Not before this time
    #[arg(long, value_name = "TIME", default_value = "-1h", value_parser = parse_time, allow_hyphen_values = true)]
    pub from: i64,
    /// Before this time
    #[arg(long, value_name = "TIME", default_value = "now", value_parser = parse_time, allow_hyphen_values = true)]
    pub to: i64,
    /// One value, the mean, for each such time
    #[arg(long, value_name = "DURATION", value_parser = parse_step)]
    pub step: Option<i64>,
    /// Rates, and an error where the series is no counter
    #[arg(long, conflicts_with = "raw")]
    pub rate: bool,
    /// Values as they were read, also of counters
    #[arg(long)]
    pub raw: bool,
    /// How rows are printed
    #[arg(short = 'o', long = "output", value_name = "LAYOUT", default_value = "table")]
    pub layout: RowLayout,
    #[command(flatten)]
    pub source: SourceOptions,
}

/// Runs it.
///
/// # Errors
/// The records can't be had, or there are none.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let (object, instance) = match command.series.split_once('.') {
        Some((object, instance)) => (object, Some(instance.to_owned())),
        None => (command.series.as_str(), None),
    };
    if command.from >= command.to {
        return Err(usage("--from is not before --to"));
    }
    let query = HistoryQuery {
        device: command.device.clone(),
        object: object.to_owned(),
        instance,
        span: Span { from_ms: command.from, to_ms: command.to },
        step_ms: command.step,
        values: match (command.rate, command.raw) {
            (true, _) => Values::Rates,
            (_, true) => Values::Raw,
            _ => Values::Automatic,
        },
    };
    let rows = command.source.open()?.history(&query)?;
    if rows.is_empty() {
        return Err(advised(
            "nothing was recorded in this time",
            "--from and --to say from when to when; a rate needs two polls.",
        ));
    }
    print_rows(&rows, command.layout, &["time", "series", "value", "reason"], |row: &PointRow, layout| {
        let value = row.value.as_ref().map_or_else(String::new, |value| match layout {
            RowLayout::Table => shortened(value),
            RowLayout::Json | RowLayout::Csv => value.to_string(),
        });
        let series = format!("{}.{}", row.object, row.instance);
        vec![time_cell(&row.time, layout), series, value, row.reason.clone().unwrap_or_default()]
    })
}

/// To three places, where there are any; whole numbers stay exact.
fn shortened(value: &Number) -> String {
    let Some(real) = value.as_f64().filter(|_| value.is_f64()) else { return value.to_string() };
    let text = format!("{real:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn parse_step(text: &str) -> Result<i64, String> {
    parse_duration(text).and_then(|step_ms| if step_ms > 0 { Ok(step_ms) } else { Err("a step of no time".to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_short_for_people() {
        assert_eq!(
            [100.0, 0.1 + 0.2, -21.5, 0.0].map(|real| shortened(&Number::from_f64(real).unwrap())),
            ["100", "0.3", "-21.5", "0"]
        );
        assert_eq!(shortened(&Number::from(u64::MAX)), "18446744073709551615");
        parse_step("0s").unwrap_err();
        assert_eq!(parse_step("5m"), Ok(300_000));
    }
}
