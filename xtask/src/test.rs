//! `cargo xtask test`: the whole check, in an order that finds the cheap mistakes first. Every step is done even
//! where an earlier one failed, so that one run tells all.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::harness::{Counts, read_skip_log};
use crate::packages::{self, find_program};
use crate::run::{End, cargo, run as run_command, run_with_lines, shown};
use crate::summary::{Outcome, Summary};
use crate::{generated, tidy};

/// For one command of the steps other than the tests: a cold build of all dependencies on two slow, shared cores.
const COMMAND_LIMIT: Duration = Duration::from_secs(30 * 60);

/// For all tests together, their cold build included. A usual run takes less than half of it.
const TESTS_LIMIT: Duration = Duration::from_secs(60 * 60);

/// For the advisory database, a few megabytes.
const FETCH_LIMIT: Duration = Duration::from_secs(3 * 60);

/// After this, what interrupted tests had started has ended (`tests/src/process.rs`: the watchdog takes two seconds).
const FIXTURES_END: Duration = Duration::from_secs(3);

/// What is off by default since it takes minutes to build: the Zenoh engine, in the contract of all engines and in our own binary.
const FEATURES: &str = "hamsa-bench-group/zenoh,hamsa-cli/zenoh,hamsa-group-member/zenoh";

struct Step {
    name: &'static str,
    /// Done with `--quick` as well.
    quick: bool,
    run: fn(&mut Run) -> anyhow::Result<Outcome>,
}

const STEPS: &[Step] = &[
    Step { name: "packages", quick: false, run: |_| packages::install_missing() },
    Step { name: "format", quick: true, run: |_| check(cargo(&["fmt", "--all", "--check"])) },
    Step {
        name: "lints",
        quick: true,
        run: |_| check(cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])),
    },
    Step {
        name: "lints of all features",
        quick: false,
        run: |_| {
            let features =
                ["clippy", "--workspace", "--all-targets", "--features", FEATURES, "--", "--deny", "warnings"];
            check(cargo(&features))
        },
    },
    Step { name: "tidy", quick: true, run: |_| check_tidy() },
    Step { name: "dependencies", quick: true, run: |_| check_dependencies() },
    Step { name: "advisories", quick: true, run: |_| check_advisories() },
    Step { name: "tests", quick: true, run: run_tests },
    Step { name: "documents", quick: true, run: |_| build_documents() },
    Step { name: "generated files", quick: true, run: |_| check_generated() },
];

/// What the steps of one run share.
struct Run {
    quick: bool,
    summary: Summary,
}

/// Runs all steps and prints the summary.
///
/// # Errors
/// Unknown arguments, an interruption, or anything that failed.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let quick = match arguments {
        [] => false,
        [flag] if flag == "--quick" => true,
        _ => bail!("usage: cargo xtask test [--quick]"),
    };
    let mut run = Run { quick, summary: Summary::default() };
    let steps: Vec<&Step> = STEPS.iter().filter(|step| step.quick || !quick).collect();
    for (index, step) in steps.iter().enumerate() {
        println!("\n== {} ({}/{})", step.name, index + 1, steps.len());
        let started = Instant::now();
        let outcome = (step.run)(&mut run)?;
        let took = started.elapsed();
        println!("== {}: {} in {:.1} s", step.name, outcome.word(), took.as_secs_f64());
        run.summary.step(step.name, outcome, took);
    }
    print!("\n{}", run.summary.render());
    match run.summary.failures() {
        0 => Ok(()),
        failures => bail!("{failures} failed"),
    }
}

/// A step that is one command.
fn check(command: Command) -> anyhow::Result<Outcome> {
    let line = shown(&command);
    println!("{line}");
    let end = run_command(command, COMMAND_LIMIT)?;
    Ok(if end.success() { Outcome::Passed } else { Outcome::Failed(format!("`{line}`: {end}")) })
}

fn check_tidy() -> anyhow::Result<Outcome> {
    let violations = tidy::check(crate::root())?;
    for violation in &violations {
        println!("{violation}");
    }
    Ok(match violations.len() {
        0 => Outcome::Passed,
        count => Outcome::Failed(format!("{count} found; `cargo xtask tidy` lists them")),
    })
}

/// cargo-deny takes minutes to build, so a check of the tree never builds it.
const NO_CARGO_DENY: &str = "cargo-deny is not installed; `cargo install cargo-deny --locked` makes this step work";

fn check_dependencies() -> anyhow::Result<Outcome> {
    if !has_cargo_deny() {
        println!("SKIPPED: {NO_CARGO_DENY}");
        return Ok(Outcome::Skipped(NO_CARGO_DENY.to_owned()));
    }
    check(cargo(&["deny", "check", "licenses", "bans", "sources"]))
}

fn check_advisories() -> anyhow::Result<Outcome> {
    if !has_cargo_deny() {
        println!("SKIPPED: {NO_CARGO_DENY}");
        return Ok(Outcome::Skipped(NO_CARGO_DENY.to_owned()));
    }
    let fetch = cargo(&["deny", "fetch", "db"]);
    println!("{}", shown(&fetch));
    let end = run_command(fetch, FETCH_LIMIT)?;
    if !end.success() {
        let reason = format!("the advisory database can't be fetched ({end})");
        println!("SKIPPED: {reason}");
        return Ok(Outcome::Skipped(reason));
    }
    check(cargo(&["deny", "check", "advisories"]))
}

fn has_cargo_deny() -> bool {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    find_program("cargo-deny").is_some() || home.is_some_and(|home| home.join("bin/cargo-deny").is_file())
}

fn run_tests(run: &mut Run) -> anyhow::Result<Outcome> {
    let directory = TempDir::with_prefix("hamsa-test-").context("cannot make a directory for temporary files")?;
    let skip_log = directory.path().join("skips");
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.env("HAMSA_SKIP_LOG", &skip_log).env("TMPDIR", directory.path());
    if run.quick {
        command.env("HAMSA_QUICK", "1");
    } else {
        // In the same build as all others, so that nothing is compiled for it twice.
        command.args(["--features", FEATURES]);
    }
    println!("{}", shown(&command));
    let mut counts = Counts::default();
    let end = run_with_lines(command, TESTS_LIMIT, |line| counts.read_line(line));
    let skips = match std::fs::read_to_string(&skip_log) {
        // Nothing was skipped.
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        read => read.with_context(|| format!("cannot read the skip log {}", skip_log.display()))?,
    };
    if !matches!(end, Ok(End::Exited(_))) {
        // What the tests had started is about to end, and may still write.
        sleep(FIXTURES_END);
    }
    if let Err(error) = directory.close() {
        println!("cannot remove all temporary files: {error}");
    }
    Ok(tests_outcome(&mut run.summary, end?, counts, &skips))
}

/// Enters all tests into the summary and judges the step.
fn tests_outcome(summary: &mut Summary, end: End, counts: Counts, skips: &str) -> Outcome {
    let skips = read_skip_log(skips);
    summary.tests_passed(counts.passed.saturating_sub(skips.len()));
    for (name, reason) in skips {
        summary.test_skipped(name, reason);
    }
    for name in counts.ignored_names {
        summary.test_skipped(name, "marked as ignored in the source".to_owned());
    }
    summary.tests_failed_unnamed(counts.failed.saturating_sub(counts.failed_names.len()));
    for name in counts.failed_names {
        summary.test_failed(name);
    }
    match end {
        End::Exited(status) if status.success() && counts.passed + counts.failed == 0 => {
            Outcome::Failed("no test ran".to_owned())
        }
        End::Exited(status) if status.success() && counts.failed == 0 => Outcome::Passed,
        End::Exited(_) if counts.failed > 0 => Outcome::TestsFailed,
        End::Exited(status) => {
            Outcome::Failed(format!("{status} without a failed test: it did not build, or a test program crashed"))
        }
        End::TimedOut(_) => Outcome::Failed(end.to_string()),
    }
}

fn build_documents() -> anyhow::Result<Outcome> {
    let mut command = cargo(&["doc", "--workspace", "--no-deps"]);
    command.env("RUSTDOCFLAGS", "--deny warnings");
    check(command)
}

fn check_generated() -> anyhow::Result<Outcome> {
    for arguments in generated::CHECKS {
        // Through cargo, since the tests may have replaced the program that runs this.
        let mut command = cargo(&["xtask"]);
        command.args(*arguments);
        if let failed @ Outcome::Failed(_) = check(command)? {
            return Ok(failed);
        }
    }
    println!("{} checked", generated::CHECKS.len());
    Ok(Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn exited(code: i32) -> End {
        End::Exited(ExitStatus::from_raw(code << 8))
    }

    fn counts(lines: &[&str]) -> Counts {
        let mut counts = Counts::default();
        lines.iter().for_each(|line| counts.read_line(line));
        counts
    }

    fn last_line(summary: &Summary) -> String {
        summary.render().lines().last().unwrap_or_default().to_owned()
    }

    #[test]
    fn skipped_tests_are_not_passed_ones() {
        let mut summary = Summary::default();
        let counts = counts(&["test a ... ignored", "test result: ok. 5 passed; 0 failed; 1 ignored"]);
        assert_eq!(tests_outcome(&mut summary, exited(0), counts, "b\tno snmpd\n"), Outcome::Passed);
        assert_eq!(last_line(&summary), "4 passed, 0 failed, 2 skipped");
    }

    #[test]
    fn failed_tests_are_counted_once() {
        let mut summary = Summary::default();
        let counts = counts(&["test a ... FAILED", "test result: FAILED. 5 passed; 2 failed; 0 ignored"]);
        let outcome = tests_outcome(&mut summary, exited(101), counts, "");
        assert_eq!(outcome, Outcome::TestsFailed);
        summary.step("tests", outcome, Duration::ZERO);
        assert_eq!(last_line(&summary), "5 passed, 2 failed, 0 skipped");
    }

    #[test]
    fn a_crash_a_hang_and_an_empty_run_are_failures() {
        for (end, lines) in [
            (exited(101), &["test result: ok. 5 passed; 0 failed; 0 ignored"][..]),
            (End::TimedOut(TESTS_LIMIT), &["test result: ok. 5 passed; 0 failed; 0 ignored"]),
            (exited(0), &["test result: ok. 0 passed; 0 failed; 0 ignored"]),
        ] {
            let mut summary = Summary::default();
            let outcome = tests_outcome(&mut summary, end, counts(lines), "");
            summary.step("tests", outcome, Duration::ZERO);
            assert_eq!(summary.failures(), 1, "{end}");
        }
    }
}
