//! Rules about documents.

use super::sources::is_vendored;
use super::{Tree, Violation};

/// The directories that a path cited in a document begins with. Other words with a slash are no paths of ours.
const TOP_DIRECTORIES: &[&str] =
    &[".ci", ".cargo", "benches", "crates", "docs", "examples", "fuzz", "guests", "tests", "web", "wit", "xtask"];

/// Tells of times when the files were others.
const HISTORY: &str = "CHANGELOG.md";

/// Every path that a document cites exists: the targets of its links, and words that begin with one of our
/// directories. `{a,b}` and `*` are understood.
pub(super) fn cited_paths(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    let documents = tree.files.iter().filter(|file| file.path.ends_with(".md"));
    for file in documents.filter(|file| file.path != HISTORY && !is_vendored(file)) {
        for (index, line) in file.text.lines().enumerate() {
            let links = link_targets(line).map(|target| from_root(&file.path, target));
            for path in links.chain(path_words(line)) {
                if !alternatives(&path).iter().all(|path| exists(tree, path)) {
                    let message = format!("`{path}` does not exist");
                    violations.push(Violation { path: file.path.clone(), line: index + 1, message });
                }
            }
        }
    }
    violations.dedup();
    violations
}

/// What the Markdown links of `line` point to inside the repository.
fn link_targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', ' ', '#']).next()?;
        (!target.is_empty() && !target.contains("://") && !target.starts_with("mailto:")).then_some(target)
    })
}

/// `target`, which is relative to `document`, from the root.
fn from_root(document: &str, target: &str) -> String {
    let directory = match target.starts_with('/') {
        true => "",
        false => document.rsplit_once('/').map_or("", |(directory, _)| directory),
    };
    let mut parts = Vec::new();
    for part in directory.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            // One above the root stays, and exists nowhere.
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The words of `line` that begin with one of our directories.
fn path_words(line: &str) -> impl Iterator<Item = String> {
    let mut in_braces = false;
    let words = line.split(move |c: char| {
        match c {
            '{' => in_braces = true,
            '}' => in_braces = false,
            _ => {}
        }
        let belongs = c.is_ascii_alphanumeric() || "_-./*{}".contains(c) || (in_braces && c == ',');
        !belongs
    });
    words.filter_map(|word| {
        let word = word.strip_prefix("./").unwrap_or(word).trim_end_matches(['.', '/']);
        let first = word.split('/').next().unwrap_or_default();
        (word.contains('/') && TOP_DIRECTORIES.contains(&first)).then(|| word.to_owned())
    })
}

/// `a{b,c}d` as `abd` and `acd`.
fn alternatives(path: &str) -> Vec<String> {
    let braces = path.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    match braces {
        None => vec![path.to_owned()],
        Some((before, (choices, after))) => {
            let tails = alternatives(after);
            let joined =
                choices.split(',').flat_map(|choice| tails.iter().map(move |tail| format!("{before}{choice}{tail}")));
            joined.collect()
        }
    }
}

fn exists(tree: &Tree, path: &str) -> bool {
    if path.contains('*') { tree.paths.iter().any(|known| matches(known, path)) } else { tree.paths.contains(path) }
}

/// True where `path` is what `pattern` means; a `*` stands for any characters but `/`.
fn matches(path: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => path == pattern,
        Some((before, after)) => path.strip_prefix(before).is_some_and(|rest| {
            let reach = rest.find('/').unwrap_or(rest.len());
            (0..=reach).filter(|&end| rest.is_char_boundary(end)).any(|end| matches(&rest[end..], after))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    fn found(document: &str, text: &str) -> Vec<String> {
        let tree = Tree::of(&[
            (document, text),
            ("crates/snmp/src/oid.rs", ""),
            ("crates/snmp/src/ber.rs", ""),
            ("LICENSE", ""),
        ]);
        places(cited_paths, &tree)
    }

    #[test]
    fn a_path_that_is_not_there_is_found() {
        for text in [
            "see crates/snmp/src/gone.rs",
            "`crates/gone/`",
            "`crates/snmp/src/{oid,gone}.rs`",
            "`crates/*/lib.rs`",
            "[the licence](LICENCE)",
            "[up](../LICENSE)",
            "crates/snmp/src/gone.rs:12: text",
        ] {
            assert_eq!(found("README.md", text), ["README.md:1"], "{text}");
        }
        assert_eq!(found("docs/a.md", "\n[the licence](LICENSE)"), ["docs/a.md:2"]);
    }

    #[test]
    fn paths_that_are_there_and_other_words_are_fine() {
        for text in [
            "see crates/snmp/src/oid.rs.",
            "(`crates/snmp/`, crates/snmp/src/oid.rs:12)",
            "`crates/snmp/src/{oid,ber}.rs`, `./crates/snmp`",
            "`crates/*/src/*.rs`",
            "[the licence](LICENSE#terms) [web](https://example.org/crates/x) [here](#head)",
            "https://example.org/crates/gone and/or /metrics, target/debug/hamsa",
        ] {
            assert!(found("README.md", text).is_empty(), "{text}");
        }
        assert!(found("docs/a.md", "[the licence](../LICENSE)").is_empty());
        assert!(found("CHANGELOG.md", "crates/gone went").is_empty());
    }
}
