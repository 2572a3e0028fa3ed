//! `hamsa completions`: what a shell needs to complete our command lines.

use std::io::{self, Write};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::args::Cli;

/// Print what a shell needs to complete command lines
///
/// bash: `hamsa completions bash > ~/.local/share/bash-completion/completions/hamsa`;
/// zsh: `hamsa completions zsh > DIRECTORY_OF_FPATH/_hamsa`;
/// fish: `hamsa completions fish > ~/.config/fish/completions/hamsa.fish`.
#[derive(Debug, Args)]
pub struct Command {
    /// The shell
    pub shell: Shell,
}

/// Runs it.
///
/// # Errors
/// Standard output is closed or full.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut Cli::command(), "hamsa", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(())
}
