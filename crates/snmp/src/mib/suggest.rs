//! Names to suggest for one that nobody knows.

use crate::limits::MAX_SUGGESTIONS;

/// The few names that are most like a name: by edit distance, else those that it starts.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Vec<String> {
    let wanted = name.to_lowercase();
    let length = wanted.chars().count();
    let limit = (length / 4 + 1).min(3);
    let mut found: Vec<(usize, &str)> = Vec::new();
    for candidate in known {
        if candidate.len().abs_diff(name.len()) > limit && !has_prefix(candidate, &wanted) {
            continue;
        }
        let distance = strsim::osa_distance(&wanted, &candidate.to_lowercase());
        if distance <= limit {
            found.push((distance, candidate));
        } else if length >= 3 && has_prefix(candidate, &wanted) {
            found.push((limit + distance, candidate));
        }
    }
    found.sort_unstable();
    found.dedup();
    // Only the case is wrong.
    if let Some((0, _)) = found.first() {
        found.retain(|(distance, _)| *distance == 0);
    }
    found.truncate(MAX_SUGGESTIONS);
    found.into_iter().map(|(_, name)| name.to_owned()).collect()
}

fn has_prefix(candidate: &str, lower_prefix: &str) -> bool {
    candidate.get(..lower_prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(lower_prefix))
}

pub(super) fn did_you_mean(near: &[String]) -> String {
    match near {
        [] => String::new(),
        near => format!("; did you mean {}?", one_of(near)),
    }
}

pub(super) fn one_of(names: &[String]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        names => names.concat(),
    }
}
