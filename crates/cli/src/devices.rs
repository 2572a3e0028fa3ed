//! `hamsa devices`: the devices of a node and how they are.

use clap::Args;

use crate::records::{DeviceRow, RowLayout, SourceOptions, print_rows, time_cell};

/// List the devices of a node: state, address, last poll, round trip
#[derive(Debug, Args)]
pub struct Command {
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
    let rows = command.source.open()?.devices()?;
    let header = ["name", "state", "address", "credentials", "last_poll", "round_trip_ms", "series", "errors"];
    print_rows(&rows, command.layout, &header, |row: &DeviceRow, layout| {
        let optional = |text: &Option<String>| text.clone().unwrap_or_default();
        vec![
            row.name.clone(),
            optional(&row.state),
            optional(&row.address),
            optional(&row.credentials),
            time_cell(&optional(&row.last_poll), layout),
            row.round_trip_ms.map_or_else(String::new, |ms| format!("{ms:.1}")),
            row.series.map_or_else(String::new, |series| series.to_string()),
            row.errors.join("; "),
        ]
    })
}
