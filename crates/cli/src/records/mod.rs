//! What a node has recorded: from its HTTP API while it runs, or from its data directory while it does not.
//!
//! Both give the same rows, so that a command prints the same whichever it asks.

mod api;
mod stored;
mod time;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Number, Value as Json};

use crate::options::SecretArg;
use crate::print::{Column, Grid, line_out, write_record};
use crate::terminal::{self, in_one_line};
use api::Api;
use stored::Stored;

pub use time::{Span, local, parse_duration, parse_time, rfc3339};

/// Options that say where records are.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where the records are")]
pub struct SourceOptions {
    /// Ask the node whose HTTP API is here
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8161")]
    pub url: String,
    /// The node's token; better in --token-file or HAMSA_TOKEN
    #[arg(long, value_name = "TOKEN", value_parser = SecretArg::parser())]
    pub token: Option<SecretArg>,
    /// File that holds the node's token
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    pub token_file: Option<PathBuf>,
    /// Trust these certificates (PEM) and no others
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Read this data directory of a node that does not run
    #[arg(long, value_name = "DIR", conflicts_with_all = ["token", "token_file", "ca_file"])]
    pub data: Option<PathBuf>,
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum RowLayout {
    /// For people, with local times
    #[default]
    Table,
    /// One JSON object a line
    Json,
    /// Comma-separated values with a header
    Csv,
}

/// How rows are printed, as an option.
#[derive(Debug, Clone, Copy, Args)]
pub struct LayoutOption {
    /// How rows are printed
    #[arg(short = 'o', long = "output", value_name = "LAYOUT", default_value = "table")]
    pub layout: RowLayout,
}

/// Where records come from.
pub enum Source {
    /// A running node.
    Api(Box<Api>),
    /// A directory.
    Stored(Box<Stored>),
}

/// A device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceRow {
    pub name: String,
    /// `None` where no node tells it.
    pub state: Option<String>,
    pub address: Option<String>,
    pub credentials: Option<String>,
    pub last_poll: Option<String>,
    pub round_trip_ms: Option<f64>,
    pub series: Option<u64>,
    pub errors: Vec<String>,
}

/// A series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeriesRow {
    pub object: String,
    pub instance: String,
    pub kind: String,
    pub unit: String,
    /// Names and values that describe the instance.
    pub labels: Json,
}

/// A point of history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PointRow {
    pub time: String,
    pub object: String,
    pub instance: String,
    /// Scaled; a rate a second where rates were asked for. Nothing where it is not known.
    pub value: Option<Number>,
    /// Why it is not known.
    pub reason: Option<String>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventRow {
    pub id: u64,
    pub time: String,
    pub kind: String,
    /// Empty where it is of no device.
    pub device: String,
    /// What there is to say.
    pub payload: Json,
}

/// Which points of history.
#[derive(Debug, Clone)]
pub struct HistoryQuery {
    pub device: String,
    pub object: String,
    /// All instances, if `None`.
    pub instance: Option<String>,
    pub span: Span,
    /// One point for each so many milliseconds.
    pub step_ms: Option<i64>,
    pub values: Values,
}

/// What of a counter is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// Rates of counters, else values.
    Automatic,
    /// Rates.
    Rates,
    /// What was read.
    Raw,
}

/// Which events.
#[derive(Debug, Clone)]
pub struct EventsQuery {
    pub kind: Option<String>,
    pub device: Option<String>,
    pub span: Span,
    pub limit: usize,
}

impl SourceOptions {
    /// Opens the directory, or makes ready to ask the node.
    ///
    /// # Errors
    /// There is no store, or a node uses it; an option is wrong.
    pub fn open(&self) -> anyhow::Result<Source> {
        match &self.data {
            Some(directory) => Ok(Source::Stored(Box::new(Stored::open(directory)?))),
            None => Ok(Source::Api(Box::new(Api::new(self)?))),
        }
    }
}

impl Source {
    /// All devices, by name.
    ///
    /// # Errors
    /// The source's.
    pub fn devices(&self) -> anyhow::Result<Vec<DeviceRow>> {
        match self {
            Source::Api(api) => api.devices(),
            Source::Stored(stored) => stored.devices(),
        }
    }

    /// All series of a device.
    ///
    /// # Errors
    /// The source's.
    pub fn series(&self, device: &str) -> anyhow::Result<Vec<SeriesRow>> {
        match self {
            Source::Api(api) => api.series(device),
            Source::Stored(stored) => stored.series(device),
        }
    }

    /// History, instance by instance, each in order of time.
    ///
    /// # Errors
    /// The source's.
    pub fn history(&self, query: &HistoryQuery) -> anyhow::Result<Vec<PointRow>> {
        match self {
            Source::Api(api) => api.history(query),
            Source::Stored(stored) => stored.history(query),
        }
    }

    /// The newest events, in order of time.
    ///
    /// # Errors
    /// The source's.
    pub fn events(&self, query: &EventsQuery) -> anyhow::Result<Vec<EventRow>> {
        let mut events = match self {
            Source::Api(api) => api.events(query)?,
            Source::Stored(stored) => stored.events(query)?,
        };
        events.reverse();
        Ok(events)
    }
}

/// Prints rows: as a table and as CSV by their cells, as JSON as they are.
///
/// # Errors
/// Standard output is closed or full.
pub fn print_rows<R: Serialize>(
    rows: &[R],
    layout: RowLayout,
    header: &[&str],
    cells: impl Fn(&R, RowLayout) -> Vec<String>,
) -> anyhow::Result<()> {
    let mut out = Vec::new();
    match layout {
        RowLayout::Json => {
            for row in rows {
                serde_json::to_writer(&mut out, row)?;
                out.push(b'\n');
            }
        }
        RowLayout::Csv => {
            write_record(&mut out, header.iter().copied())?;
            for row in rows {
                write_record(&mut out, cells(row, layout).iter().map(String::as_str))?;
            }
        }
        RowLayout::Table => {
            let columns = header.iter().map(|name| Column::automatic(&name.to_uppercase().replace('_', " ")));
            let mut grid = Grid::new(columns.collect());
            for row in rows {
                grid.push(cells(row, layout).iter().map(|cell| in_one_line(cell)).collect());
            }
            grid.write(&mut out, terminal::width(), 1)?;
        }
    }
    if out.is_empty() { Ok(()) } else { line_out(String::from_utf8_lossy(&out).trim_end_matches('\n')) }
}

/// A time as the layout has it: local for people, RFC 3339 in UTC for programs.
pub fn time_cell(time: &str, layout: RowLayout) -> String {
    match layout {
        RowLayout::Table => local(time),
        RowLayout::Json | RowLayout::Csv => time.to_owned(),
    }
}

/// Prints the objects of a list, each as a row with these members of it; those of a member that is a list with a separator
/// between.
///
/// # Errors
/// Standard output is closed or full.
pub fn print_records(found: &Json, layout: RowLayout, header: &[&str], separator: &str) -> anyhow::Result<()> {
    print_rows(found.as_array().map_or(&[][..], Vec::as_slice), layout, header, |row, layout| {
        let cell = |name: &&str| match &row[name] {
            Json::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(separator),
            Json::Bool(is_so) => if *is_so { "yes" } else { "no" }.to_owned(),
            Json::Number(number) if name.ends_with("_ms") => format!("{:.1}", number.as_f64().unwrap_or_default()),
            other if matches!(*name, "since" | "time") => time_cell(&plain(other), layout),
            other => plain(other),
        };
        header.iter().map(cell).collect()
    })
}

/// Labels as `name=value, ...`.
pub fn labels_text(labels: &Json) -> String {
    let members = labels.as_object().into_iter().flatten();
    members.map(|(name, value)| format!("{name}={}", plain(value))).collect::<Vec<_>>().join(", ")
}

/// A JSON value without quotes.
pub fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}
