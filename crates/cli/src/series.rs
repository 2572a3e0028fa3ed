//! `hamsa series`: what is recorded of a device.

use clap::Args;

use crate::records::{RowLayout, SeriesRow, SourceOptions, labels_text, print_rows};

/// List the series that are recorded of a device
#[derive(Debug, Args)]
pub struct Command {
    /// The device's name
    pub device: String,
    /// How rows are printed
    #[arg(short = 'o', long = "output", value_name = "LAYOUT", default_value = "table")]
    pub layout: RowLayout,
    #[command(flatten)]
    pub source: SourceOptions,
}

/// Runs it.
///
/// # Errors
/// The records can't be had.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let rows = command.source.open()?.series(&command.device)?;
    print_rows(&rows, command.layout, &["series", "kind", "unit", "labels"], |row: &SeriesRow, _| {
        vec![format!("{}.{}", row.object, row.instance), row.kind.clone(), row.unit.clone(), labels_text(&row.labels)]
    })
}
