//! `hamsa events`: what has happened: notifications received, devices lost and found.

use clap::Args;
use serde_json::Value as Json;

use crate::limits::MAX_EVENTS;
use crate::records::{EventRow, EventsQuery, RowLayout, SourceOptions, Span, parse_time, plain, print_rows, time_cell};

/// Options that say which events.
#[derive(Debug, Clone, Args)]
pub struct EventOptions {
    /// Only of this device
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// Not before this time; as with `hamsa history`
    #[arg(long, value_name = "TIME", default_value = "-1d", value_parser = parse_time, allow_hyphen_values = true)]
    pub from: i64,
    /// Before this time
    #[arg(long, value_name = "TIME", default_value = "now", value_parser = parse_time, allow_hyphen_values = true)]
    pub to: i64,
    /// The newest so many
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=MAX_EVENTS as i64))]
    pub limit: u32,
    /// How rows are printed
    #[arg(short = 'o', long = "output", value_name = "LAYOUT", default_value = "table")]
    pub layout: RowLayout,
    #[command(flatten)]
    pub source: SourceOptions,
}

/// Show what has happened, the newest last: traps, informs, devices lost and found
#[derive(Debug, Args)]
pub struct Command {
    /// Only of this kind: trap, device, ...
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    #[command(flatten)]
    pub events: EventOptions,
}

/// The columns that are printed.
pub const HEADER: [&str; 4] = ["time", "kind", "device", "event"];

impl EventOptions {
    /// The query for events of a kind.
    pub fn query(&self, kind: Option<&str>) -> EventsQuery {
        EventsQuery {
            kind: kind.map(str::to_owned),
            device: self.device.clone(),
            span: Span { from_ms: self.from, to_ms: self.to },
            limit: self.limit as usize,
        }
    }
}

/// Runs it.
///
/// # Errors
/// The records can't be had.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let options = &command.events;
    let rows = options.source.open()?.events(&options.query(command.kind.as_deref()))?;
    print_rows(&rows, options.layout, &HEADER, cells)
}

/// The cells of an event.
pub fn cells(row: &EventRow, layout: RowLayout) -> Vec<String> {
    vec![time_cell(&row.time, layout), row.kind.clone(), row.device.clone(), summary(&row.payload)]
}

/// A payload in one line: a notification with its variables, anything else member by member.
fn summary(payload: &Json) -> String {
    let Some(trap) = payload["trap"].as_str() else {
        return match payload.as_object() {
            Some(members) => {
                members.iter().map(|(name, value)| format!("{name}: {}", plain(value))).collect::<Vec<_>>().join(", ")
            }
            None => plain(payload),
        };
    };
    let mut parts = vec![format!("{} {trap}", payload["kind"].as_str().unwrap_or("trap"))];
    parts.extend(payload["source"].as_str().map(|source| format!("from {source}")));
    let variables = payload["variables"].as_array().into_iter().flatten();
    parts.extend(variables.map(|variable| format!("{} = {}", plain(&variable["name"]), plain(&variable["value"]))));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn payloads_are_told_in_a_line() {
        let trap = json!({"trap": "IF-MIB::linkDown", "kind": "inform", "source": "192.0.2.1:5000",
                          "variables": [{"name": "IF-MIB::ifIndex.3", "value": "3"}]});
        assert_eq!(summary(&trap), "inform IF-MIB::linkDown, from 192.0.2.1:5000, IF-MIB::ifIndex.3 = 3");
        assert_eq!(summary(&json!({"state": "down", "was": "up"})), "state: down, was: up");
        assert_eq!(summary(&json!("text")), "text");
    }
}
