//! "Did you mean": the known name that is most like a mistyped one.

/// Octets of the longest word that is compared, since comparing takes time by the square.
const MAX_WORD_OCTETS: usize = 64;

/// Candidates that are compared.
const MAX_CANDIDATES: usize = 1_000;

/// The candidate that differs from `word` in the fewest letters, and in a third of them at most; the first of
/// several.
pub(super) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if word.len() > MAX_WORD_OCTETS {
        return None;
    }
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .take(MAX_CANDIDATES)
        .filter(|candidate| candidate.len() <= MAX_WORD_OCTETS)
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= word.len().max(candidate.len()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood_and_another_word_is_not() {
        let keys = ["interval", "timeout", "max_timeout", "retries"];
        assert_eq!(nearest("intervall", keys), Some("interval"));
        assert_eq!(nearest("Timeuot", keys), Some("timeout"));
        assert_eq!(nearest("retry", keys), Some("retries"));
        assert_eq!(nearest("community", keys), None);
        assert_eq!(nearest(&"interval".repeat(1000), keys), None);
    }
}
