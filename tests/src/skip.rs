//! Skips that are told. To Rust's test harness a test that returns has passed; so one that can't run here says so on
//! standard error, past the harness's capture, and in the file that `HAMSA_SKIP_LOG` names, from which
//! `cargo xtask test` counts.

use std::fs::OpenOptions;
use std::io::Write;

/// Ends the calling test function as skipped, for a reason that formats like `println!`'s arguments.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)+) => {{
        $crate::record_skip(module_path!(), &format!($($reason)+));
        return;
    }};
}

/// The value of a `Result<_, Unavailable>`, or the end of the calling test function as skipped.
///
/// ```
/// use hamsa_testkit::{Snmpd, require};
///
/// // In a test:
/// fn answers() {
///     let snmpd = require!(Snmpd::start());
///     assert!(snmpd.address().ip().is_loopback());
/// }
/// ```
#[macro_export]
macro_rules! require {
    ($needed:expr) => {
        match $needed {
            Ok(value) => value,
            Err(unavailable) => {
                let unavailable: $crate::Unavailable = unavailable;
                $crate::skip!("{unavailable}")
            }
        }
    };
}

/// Tells that the calling test is skipped; [`skip!`] also ends it.
///
/// `module` is the caller's `module_path!()`. The test is named by its crate and the thread's name, which the
/// harness sets.
pub fn record_skip(module: &str, reason: &str) {
    let krate = module.split("::").next().unwrap_or_default();
    let thread = std::thread::current();
    let name = match thread.name() {
        Some(test) if test != "main" => format!("{krate}::{test}"),
        _ => module.to_owned(),
    };
    let reason = reason.replace(['\n', '\t'], " ");
    let mut message = std::io::stderr().lock();
    let _ = writeln!(message, "SKIPPED {name}: {reason}");
    if let Some(log) = std::env::var_os("HAMSA_SKIP_LOG") {
        // One write, so that the lines of concurrent tests don't mix.
        let line = format!("{name}\t{reason}\n");
        let written = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&log)
            .and_then(|mut file| file.write_all(line.as_bytes()));
        written.unwrap_or_else(|error| panic!("cannot write the skip log {}: {error}", log.display()));
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use tempfile::TempDir;

    use crate::limits::LIVENESS;
    use crate::{Process, program};

    /// Runs itself once more as the test that skips.
    #[test]
    fn a_skip_is_told_and_logged() {
        const ROLE: &str = "HAMSA_TESTKIT_SKIPPING";
        if std::env::var_os(ROLE).is_some() {
            let shell = require!(program("sh"));
            panic!("a quick run uses {}", shell.display());
        }
        let directory = TempDir::new().unwrap();
        let log = directory.path().join("skips");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "skip::tests::a_skip_is_told_and_logged"])
            .envs([(ROLE, "1"), ("HAMSA_QUICK", "1")])
            .env("HAMSA_SKIP_LOG", &log);
        let output = Process::spawn("skipping-test", &mut command).finish(LIVENESS).unwrap();
        assert!(output.status.success(), "{output:?}");
        let test = "hamsa_testkit::skip::tests::a_skip_is_told_and_logged";
        let reason = "a quick run does without `sh`";
        assert_eq!(output.stderr, format!("SKIPPED {test}: {reason}\n"));
        assert_eq!(std::fs::read_to_string(log).unwrap(), format!("{test}\t{reason}\n"));
    }
}
