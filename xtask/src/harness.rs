//! Counts what Rust's test harness prints, and reads the skip log that tests write beside it
//! (`hamsa_testkit::skip!`). To the harness a skipped test is a passed one; here it isn't.

use std::collections::BTreeMap;

/// Names that are kept of each sort; a run with more has other troubles.
const MAX_NAMES: usize = 100;

/// The sums over all test binaries of one run.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Passed, those that skipped themselves included.
    pub(crate) passed: usize,
    /// Failed.
    pub(crate) failed: usize,
    /// Names of those that failed, at most [`MAX_NAMES`].
    pub(crate) failed_names: Vec<String>,
    /// Names of those that the source marks as ignored, at most [`MAX_NAMES`].
    pub(crate) ignored_names: Vec<String>,
}

impl Counts {
    /// Reads one line of the output.
    pub(crate) fn read_line(&mut self, line: &str) {
        if let Some(sums) = line.strip_prefix("test result: ") {
            // test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
            for part in sums.split([';', '.']) {
                let mut words = part.split_whitespace();
                if let (Some(number), Some(what), None) = (words.next(), words.next(), words.next())
                    && let Ok(number) = number.parse::<usize>()
                {
                    match what {
                        "passed" => self.passed += number,
                        "failed" => self.failed += number,
                        _ => {}
                    }
                }
            }
        } else if let Some((name, result)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... ")) {
            let names = match result.split(',').next() {
                Some("FAILED") => &mut self.failed_names,
                Some("ignored") => &mut self.ignored_names,
                _ => return,
            };
            if names.len() < MAX_NAMES {
                names.push(name.to_owned());
            }
        }
    }
}

/// The tests named in a skip log with their reasons. A line is the test's name, a tab and the reason; a test that
/// skipped twice counts once.
pub(crate) fn read_skip_log(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter(|line| !line.is_empty())
        .map(|line| line.split_once('\t').unwrap_or((line, "no reason given")))
        .map(|(name, reason)| (name.to_owned(), reason.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_of_several_binaries_are_added() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test a::b ... ok",
            "test a::c ... FAILED",
            "test a::d ... ignored, for a reason",
            "test src/lib.rs - Oid (line 7) ... ok",
            "test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 5 filtered out; finished in 0.01s",
            "test result: ok. 40 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 12.5s",
        ] {
            counts.read_line(line);
        }
        let (failed_names, ignored_names) = (vec!["a::c".to_owned()], vec!["a::d".to_owned()]);
        assert_eq!(counts, Counts { passed: 42, failed: 1, failed_names, ignored_names });
    }

    #[test]
    fn a_test_that_skips_twice_counts_once() {
        let skips = read_skip_log("a::b\tno snmpd\n\na::b\tno snmpd\nodd line\n");
        assert_eq!(skips.len(), 2);
        assert_eq!(skips["a::b"], "no snmpd");
        assert_eq!(skips["odd line"], "no reason given");
    }
}
