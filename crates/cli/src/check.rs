//! `hamsa check`: tells every mistake in a configuration.

use std::path::PathBuf;

use clap::Args;
use hamsa_node::config::{self, Surroundings};

use crate::failure::Told;
use crate::print::line_out;
use crate::terminal::{counted, tell};

/// Check a node's configuration and the files that it includes: all mistakes, and what is not wise
#[derive(Debug, Args)]
pub struct Command {
    /// The configuration
    #[arg(value_name = "FILE", default_value = "hamsa.toml")]
    pub file: PathBuf,
}

/// Runs it.
///
/// # Errors
/// There are mistakes.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let profiles = |dirs: &[PathBuf]| hamsa_node::daemon::profile_names(dirs);
    let report = config::check(&command.file, &Surroundings::of_process(&profiles));
    let text = report.to_string();
    if !text.is_empty() {
        tell(text.trim_end());
    }
    let Some(config) = report.config else {
        tell(&format!("{}: {}", command.file.display(), counted(report.mistakes.len(), "mistake")));
        return Err(Told.into());
    };
    let devices = counted(config.devices.len(), "device");
    line_out(&format!("{}: fine; {devices}, {} credentials", command.file.display(), config.credentials.len()))
}
