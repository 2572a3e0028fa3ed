//! What `cargo xtask test` says at its end: each step, what failed, what was skipped and why, and one line of
//! counts for machines.

use std::fmt::Write;
use std::time::Duration;

/// How one step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It found nothing wrong.
    Passed,
    /// What is wrong.
    Failed(String),
    /// Why it was not done.
    Skipped(String),
    /// Tests failed, and are in the summary one by one.
    TestsFailed,
}

impl Outcome {
    /// In a word.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Outcome::Passed => "ok",
            Outcome::Failed(_) | Outcome::TestsFailed => "FAILED",
            Outcome::Skipped(_) => "skipped",
        }
    }
}

/// All that the summary tells. Tests are counted one by one; a step other than the tests counts only where it
/// failed or was skipped, so that `passed` is a number of tests.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    steps: Vec<(&'static str, Outcome, Duration)>,
    tests_passed: usize,
    failed: Vec<(String, String)>,
    failed_unnamed: usize,
    skipped: Vec<(String, String)>,
}

impl Summary {
    /// Adds a step and what it costs in time. A failed or skipped one counts as one failure or skip.
    pub(crate) fn step(&mut self, name: &'static str, outcome: Outcome, took: Duration) {
        match &outcome {
            Outcome::Passed | Outcome::TestsFailed => {}
            Outcome::Failed(reason) => self.failed.push((name.to_owned(), reason.clone())),
            Outcome::Skipped(reason) => self.skipped.push((name.to_owned(), reason.clone())),
        }
        self.steps.push((name, outcome, took));
    }

    /// Adds passed tests.
    pub(crate) fn tests_passed(&mut self, count: usize) {
        self.tests_passed += count;
    }

    /// Adds a failed test by its name.
    pub(crate) fn test_failed(&mut self, name: String) {
        self.failed.push((name, "test failed; its output is above".to_owned()));
    }

    /// Adds failures whose names are not known.
    pub(crate) fn tests_failed_unnamed(&mut self, count: usize) {
        self.failed_unnamed += count;
    }

    /// Adds a skipped test.
    pub(crate) fn test_skipped(&mut self, name: String, reason: String) {
        self.skipped.push((name, reason));
    }

    /// Failures of tests and steps.
    pub(crate) fn failures(&self) -> usize {
        self.failed.len() + self.failed_unnamed
    }

    /// The text, ending with the line `N passed, N failed, N skipped`.
    pub(crate) fn render(&self) -> String {
        let mut text = String::from("== summary\n");
        for (name, outcome, took) in &self.steps {
            let _ = writeln!(text, "{name:<16} {:<8} {:>8.1} s", outcome.word(), took.as_secs_f64());
        }
        for (title, entries) in [("skipped", &self.skipped), ("FAILED", &self.failed)] {
            if !entries.is_empty() {
                let _ = writeln!(text, "\n{title}:");
            }
            for (name, reason) in entries {
                let _ = writeln!(text, "  {name}: {reason}");
            }
        }
        let _ = write!(
            text,
            "\n{} passed, {} failed, {} skipped\n",
            self.tests_passed,
            self.failures(),
            self.skipped.len()
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_tests_and_bad_steps() {
        let mut summary = Summary::default();
        summary.step("format", Outcome::Passed, Duration::from_millis(1500));
        summary.step("licences", Outcome::Skipped("cargo-deny is not installed".into()), Duration::ZERO);
        summary.step("tidy", Outcome::Failed("2 violations".into()), Duration::ZERO);
        summary.tests_passed(40);
        summary.test_failed("a::b".into());
        summary.tests_failed_unnamed(1);
        summary.test_skipped("c::d".into(), "no snmpd".into());
        let text = summary.render();
        assert_eq!(text.lines().last(), Some("40 passed, 3 failed, 2 skipped"));
        for told in ["format", "1.5 s", "c::d: no snmpd", "licences: cargo-deny is not installed", "tidy: 2 violations"]
        {
            assert!(text.contains(told), "{told} is missing in\n{text}");
        }
    }
}
