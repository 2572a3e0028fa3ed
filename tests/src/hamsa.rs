//! Our own binary.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::limits::BUILD;
use crate::process::Process;

/// The `hamsa` binary, of the code as it is: cargo is asked once per test process, builds what is not up to date, and
/// says where it is. It has the test's own profile, and all that a binary can have: Zenoh too.
///
/// # Panics
/// It does not build; the compiler's messages are in the panic.
pub fn hamsa() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(build)
}

fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let mut command = Command::new(cargo);
    command.args(["build", "--package", "hamsa-cli", "--bin", "hamsa", "--features", "zenoh"]);
    command.args(["--message-format", "json-render-diagnostics"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    // What cargo tells a test or bench of its package would look like a change to build scripts that watch these
    // variables (ring's does), and half of the workspace would be built anew.
    let is_about_this_package = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_about_this_package(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    let output = Process::spawn("cargo-build", &mut command).finish(BUILD);
    let output = output.unwrap_or_else(|| panic!("hamsa did not build in {} minutes", BUILD.as_secs() / 60));
    assert!(output.status.success(), "hamsa does not build:\n{}", output.stderr);
    let messages = output.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let executables = messages.filter(|message| message["target"]["name"] == "hamsa");
    let path = executables.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back();
    path.expect("cargo names the binary that it built")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::LIVENESS;

    #[test]
    fn it_is_there_and_runs() {
        let output = Process::spawn("hamsa", Command::new(hamsa()).arg("--version")).finish(LIVENESS).unwrap();
        assert!(output.status.code().is_some(), "{output:?}");
    }
}
