//! Bare CPG: `cpg_peer.c`, compiled here with the system's compiler. Where that or the library is missing, the comparison is
//! skipped, and the reason told.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use hamsa_testkit::Process;
use tempfile::TempDir;

use crate::limits::COMPILE_LIMIT;

const SOURCE: &str = include_str!("../cpg_peer.c");
const HEADER: &str = "/usr/include/corosync/cpg.h";

/// The compiled program; it is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    directory: TempDir,
}

impl Program {
    /// Compiles it.
    ///
    /// # Errors
    /// The compiler or the library is missing, or what is there does not fit.
    pub(crate) fn compile() -> anyhow::Result<Self> {
        ensure!(Path::new(HEADER).exists(), "no {HEADER} (Debian: libcpg-dev)");
        let compiler = hamsa_testkit::program("cc").context("Debian: gcc")?;
        let program = Program { directory: TempDir::with_prefix("hamsa-bench-")? };
        let source = program.directory.path().join("cpg_peer.c");
        std::fs::write(&source, SOURCE)?;
        let mut command = Command::new(compiler);
        command.args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(program.path()).arg(&source).arg("-lcpg");
        match Process::spawn("cc", &mut command).finish(COMPILE_LIMIT) {
            Some(output) if output.status.success() => Ok(program),
            Some(output) => bail!("cc cpg_peer.c: {}", output.stderr),
            None => bail!("cc cpg_peer.c takes too long"),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("cpg_peer")
    }
}
