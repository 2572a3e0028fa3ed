//! How a command ends: its exit status, and what it says when it fails.
//!
//! 0: done. 1: an agent, the network or the system did not do what was asked. 2: the command line is wrong.
//! 130: interrupted.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// The status after an interruption: 128 and the number of SIGINT, as shells have it.
const INTERRUPTED: u8 = 130;

/// The arguments are wrong: nothing was tried.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// The user has interrupted the command; what it had is printed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Interrupted(pub String);

/// The command has said all there is to say, and failed.
#[derive(Debug, thiserror::Error)]
#[error("failed")]
pub struct Told;

/// An error with what can be done about it.
#[derive(Debug)]
pub struct Advised {
    /// What failed, and why.
    pub problem: String,
    /// What to do.
    pub advice: String,
}

impl fmt::Display for Advised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)?;
        self.advice.lines().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl std::error::Error for Advised {}

/// An error of the command line.
pub fn usage(message: impl Into<String>) -> anyhow::Error {
    Usage(message.into()).into()
}

/// An error with advice.
pub fn advised(problem: impl Into<String>, advice: impl Into<String>) -> anyhow::Error {
    Advised { problem: problem.into(), advice: advice.into() }.into()
}

/// Tells an error on standard error and turns it into an exit status.
pub fn exit_code(command: &str, result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if is_broken_pipe(&error) {
        // Whoever read our output has had enough: `hamsa walk ... | head`.
        return ExitCode::SUCCESS;
    }
    if !error.is::<Told>() {
        crate::terminal::tell(&format!("hamsa {command}: {error:#}"));
    }
    if error.is::<Usage>() {
        crate::terminal::tell(&format!("  `hamsa {command} --help` explains the arguments."));
        return ExitCode::from(2);
    }
    if error.is::<Interrupted>() { ExitCode::from(INTERRUPTED) } else { ExitCode::FAILURE }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}
