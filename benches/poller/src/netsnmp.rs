//! net-snmp's C library: `netsnmp_poller.c`, compiled here with the system's compiler. Where either is missing the
//! comparison is skipped, and the reason told.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use tempfile::TempDir;

use crate::children::Running;
use crate::limits::COMPILE_LIMIT;

const SOURCE: &str = include_str!("../netsnmp_poller.c");

/// The compiled program; it is removed when this is dropped.
pub(crate) struct Program {
    directory: TempDir,
}

/// How the program waits for answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// By `epoll`, and each session that has an answer is read.
    Epoll,
    /// By the library's own sets of descriptors and `select`, and all sessions are read.
    Select,
}

impl Waiting {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Waiting::Epoll => "epoll",
            Waiting::Select => "select",
        }
    }
}

/// Compiles the program.
///
/// # Errors
/// The compiler or the library is missing, or what is there does not fit.
pub(crate) fn compile() -> anyhow::Result<Program> {
    let libraries = Command::new("net-snmp-config").arg("--libs").output();
    let libraries = libraries.context("net-snmp-config can't be run (Debian: libsnmp-dev)")?;
    anyhow::ensure!(libraries.status.success(), "net-snmp-config --libs: {}", libraries.status);
    let libraries = String::from_utf8(libraries.stdout).context("net-snmp-config")?;
    let directory = TempDir::with_prefix("hamsa-bench-")?;
    let source = directory.path().join("netsnmp_poller.c");
    std::fs::write(&source, SOURCE)?;
    let mut command = Command::new("cc");
    command.args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(program(directory.path())).arg(&source);
    command.args(libraries.split_whitespace());
    let compiler = Running::start(&mut command).context("Debian: gcc")?;
    compiler.finish(COMPILE_LIMIT).context("cc netsnmp_poller.c")?;
    Ok(Program { directory })
}

impl Program {
    /// The command without its arguments.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(program(self.directory.path()));
        // Neither the machine's configuration nor its MIB files are read.
        command.env("SNMPCONFPATH", self.directory.path()).env("MIBS", "");
        command.env("SNMP_PERSISTENT_DIR", self.directory.path());
        command
    }
}

fn program(directory: &Path) -> PathBuf {
    directory.join("netsnmp_poller")
}
