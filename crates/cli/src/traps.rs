//! `hamsa traps`: notifications that a node has received, and, with `--follow`, those that it receives.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;

use crate::events::{EventOptions, HEADER, cells};
use crate::failure::usage;
use crate::limits::{FOLLOW_INTERVAL, MAX_EVENTS, MAX_FOLLOWED, STOP_LOOK};
use crate::print::line_out;
use crate::records::{EventRow, EventsQuery, RowLayout, Source, Span, parse_time, print_rows};
use crate::terminal::{self, in_one_line, tell};

/// The kind of events that notifications are.
const TRAP: &str = "trap";

/// How far back each look goes while following: events are stored, and told, a moment after they have happened.
const OVERLAP: Duration = Duration::from_secs(60);

/// Show the traps and informs that a node has received, the newest last
#[derive(Debug, Args)]
pub struct Command {
    /// Go on as they come, until Ctrl-C
    #[arg(short = 'f', long)]
    pub follow: bool,
    #[command(flatten)]
    pub events: EventOptions,
}

/// Runs it.
///
/// # Errors
/// The records can't be had.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let options = &command.events;
    let source = options.source.open()?;
    let rows = source.events(&options.query(Some(TRAP)))?;
    if !command.follow {
        return print_rows(&rows, options.layout, &HEADER, cells);
    }
    if matches!(source, Source::Stored(_)) {
        return Err(usage("--follow needs a running node: leave --data out"));
    }
    follow(options, &source, &rows)
}

/// Prints what is there and what comes. A node that is away for a while is waited for.
fn follow(options: &EventOptions, source: &Source, first: &[EventRow]) -> anyhow::Result<()> {
    let stop = terminal::stop_flag()?;
    let mut seen = Seen::default();
    let mut trouble = None;
    if options.layout == RowLayout::Csv {
        line_out(&HEADER.join(","))?;
    }
    first.iter().filter(|row| seen.is_new(row.id)).try_for_each(|row| print(row, options.layout))?;
    while !stop.load(Ordering::Relaxed) {
        let next = Instant::now() + FOLLOW_INTERVAL;
        while Instant::now() < next && !stop.load(Ordering::Relaxed) {
            sleep(STOP_LOOK);
        }
        let now_ms = parse_time("now").unwrap_or(i64::MAX);
        let span =
            Span { from_ms: now_ms.saturating_sub(OVERLAP.as_millis() as i64), to_ms: now_ms.saturating_add(1000) };
        let query = EventsQuery { span, limit: MAX_EVENTS.min(MAX_FOLLOWED), ..options.query(Some(TRAP)) };
        match source.events(&query) {
            Ok(rows) => {
                trouble = None;
                rows.iter().filter(|row| seen.is_new(row.id)).try_for_each(|row| print(row, options.layout))?;
            }
            Err(error) => {
                // Told once, not every second.
                let text = error.to_string();
                if trouble.as_ref() != Some(&text) {
                    tell(&format!("hamsa traps: {text}; trying on"));
                }
                trouble = Some(text);
            }
        }
    }
    Ok(())
}

fn print(row: &EventRow, layout: RowLayout) -> anyhow::Result<()> {
    match layout {
        RowLayout::Json => line_out(&serde_json::to_string(row)?),
        RowLayout::Csv => {
            let mut line = Vec::new();
            crate::print::write_record(&mut line, cells(row, layout).iter().map(String::as_str))?;
            line_out(String::from_utf8_lossy(&line).trim_end_matches('\n'))
        }
        RowLayout::Table => line_out(&in_one_line(&cells(row, layout).join("  "))),
    }
}

/// The events that were shown, as far as they can come again.
#[derive(Debug, Default)]
struct Seen {
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Seen {
    fn is_new(&mut self, id: u64) -> bool {
        if !self.known.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > 2 * MAX_FOLLOWED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_shown_once_and_memory_is_bounded() {
        let mut seen = Seen::default();
        assert!(seen.is_new(7) && !seen.is_new(7));
        (100..100 + 3 * MAX_FOLLOWED as u64).for_each(|id| assert!(seen.is_new(id)));
        assert_eq!((seen.known.len(), seen.order.len()), (2 * MAX_FOLLOWED, 2 * MAX_FOLLOWED));
    }
}
