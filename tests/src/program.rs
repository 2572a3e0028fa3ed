//! Programs that come from packages.

use std::path::PathBuf;

/// Something that a test needs is not on this machine, or is not to be used in this run. Its text says what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    reason: String,
}

impl Unavailable {
    /// With the reason that the skip will tell.
    pub fn new(reason: impl Into<String>) -> Self {
        Unavailable { reason: reason.into() }
    }
}

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Unavailable {}

/// The path of an installed program: on `PATH`, or where Debian keeps daemons.
///
/// # Errors
/// It is not installed, or `HAMSA_QUICK=1` keeps this run from using packages.
pub fn program(name: &str) -> Result<PathBuf, Unavailable> {
    if std::env::var_os("HAMSA_QUICK").is_some_and(|value| value == "1") {
        return Err(Unavailable::new(format!("a quick run does without `{name}`")));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = directories.map(|directory| directory.join(name)).find(|candidate| candidate.is_file());
    found.ok_or_else(|| Unavailable::new(format!("`{name}` is not installed; `cargo xtask test` can install it")))
}
