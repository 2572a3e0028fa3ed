//! `hamsa init`: writes the commented sample of a configuration.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use hamsa_node::config;

use crate::failure::{advised, usage};
use crate::print::line_out;
use crate::terminal::tell;

/// Write a configuration file in which every key is explained and none is set
#[derive(Debug, Args)]
pub struct Command {
    /// The file to write; - is standard output
    #[arg(value_name = "FILE", default_value = "hamsa.toml")]
    pub file: PathBuf,
    /// Overwrite a file that is there
    #[arg(long)]
    pub force: bool,
}

/// Runs it.
///
/// # Errors
/// The file is there already, or can't be written.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let Command { file, force } = command;
    let shown = file.display();
    let next = [
        &*format!("Next: add a [credentials.NAME] and a [[device]], then `hamsa check {shown}` and"),
        &*format!("`hamsa node --config {shown}`. `hamsa discover` finds devices."),
    ];
    write_sample(file, *force, &config::sample(), &next)
}

/// Writes a sample to a new file, or to standard output, and says what is next.
///
/// # Errors
/// The file is there already, or can't be written.
pub fn write_sample(file: &Path, force: bool, sample: &str, next: &[&str]) -> anyhow::Result<()> {
    if file == Path::new("-") {
        return line_out(sample.trim_end());
    }
    if file.as_os_str().is_empty() {
        return Err(usage("the name of the file is empty"));
    }
    let shown = file.display();
    let mut options = OpenOptions::new();
    // Secrets will stand in it: for its owner alone.
    options.write(true).mode(0o600);
    let opened = if force { options.create(true).truncate(true) } else { options.create_new(true) }.open(file);
    let mut opened = opened.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            advised(format!("{shown} is there already"), "--force overwrites it, another name keeps it.")
        }
        _ => anyhow::Error::new(error).context(format!("can't write {shown}")),
    })?;
    opened.write_all(sample.as_bytes()).with_context(|| format!("can't write {shown}"))?;
    let [first, rest @ ..] = next else { return Ok(()) };
    tell(&format!("{shown} is written. {first}"));
    rest.iter().for_each(|line| tell(line));
    Ok(())
}
