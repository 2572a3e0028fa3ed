//! `hamsa man`: manual pages and the reference, made from the definitions of the options.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_mangen::Man;

use crate::args::Cli;
use crate::print::line_out;
use crate::reference::reference;
use crate::terminal::tell;

/// Write manual pages, one for each command
#[derive(Debug, Args)]
pub struct Command {
    /// The directory to write them to; without it hamsa(1) goes to standard output
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Print all commands as one Markdown document instead
    #[arg(long, conflicts_with = "dir")]
    pub markdown: bool,
}

/// Runs it.
///
/// # Errors
/// The directory can't be written.
pub fn run(command: &Command) -> anyhow::Result<()> {
    if command.markdown {
        return line_out(reference(Cli::command()).trim_end());
    }
    let Some(dir) = &command.dir else {
        let mut page = Vec::new();
        Man::new(Cli::command()).render(&mut page)?;
        io::stdout().lock().write_all(&page)?;
        return Ok(());
    };
    std::fs::create_dir_all(dir).with_context(|| format!("can't make {}", dir.display()))?;
    clap_mangen::generate_to(Cli::command(), dir).with_context(|| format!("can't write to {}", dir.display()))?;
    tell(&format!("manual pages are in {0}; `man -l {0}/hamsa.1` shows the first", dir.display()));
    Ok(())
}
