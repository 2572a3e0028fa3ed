//! Rules about what stands in source files.

use super::allowed::{LONG_FILES, UNSAFE_FILES};
use super::rust_code::{code_only, has_word, lines_with, without_tests};
use super::{TextFile, Tree, Violation};

/// A longer file is looked at for a seam.
const MAX_LINES: usize = 600;

/// Written by people, so that their length and their notes are our business.
const SOURCE_EXTENSIONS: &[&str] = &["rs", "md", "toml", "html", "css", "js", "sh", "yml", "yaml", "wit"];

/// The packages of `crates/` that do input and output; the others get time, randomness and octets as arguments.
const INPUT_AND_OUTPUT: &[&str] = &["node", "cli", "group-corosync", "group-zenoh"];

/// What reaches outside, and how that is called.
const OUTSIDE: &[(&str, &str)] = &[
    ("UdpSocket", "a socket"),
    ("TcpListener", "a socket"),
    ("TcpStream", "a socket"),
    ("UnixDatagram", "a socket"),
    ("UnixListener", "a socket"),
    ("UnixStream", "a socket"),
    ("Instant::now", "the clock"),
    ("SystemTime::now", "the clock"),
    ("Timestamp::now", "the clock"),
    ("Zoned::now", "the clock"),
    ("Utc::now", "the clock"),
    (".elapsed()", "the clock"),
    ("thread::sleep", "the clock"),
    ("rand::rng", "randomness"),
    ("rand::random", "randomness"),
    ("thread_rng", "randomness"),
    ("OsRng", "randomness"),
    ("SysRng", "randomness"),
    ("getrandom", "randomness"),
];

/// Each Rust file opens by saying what it is for.
pub(super) fn heads(tree: &Tree) -> Vec<Violation> {
    let headless = rust_files(tree).filter(|file| !file.text.starts_with("//!"));
    headless
        .map(|file| at(file, 1, "a file opens with `//!`: what it is for, what it leaves out, its source"))
        .collect()
}

/// No source file is longer than [`MAX_LINES`].
pub(super) fn lengths(tree: &Tree) -> Vec<Violation> {
    lengths_except(tree, LONG_FILES)
}

fn lengths_except(tree: &Tree, allowed: &[(&str, &str)]) -> Vec<Violation> {
    let is_long = |file: &&TextFile| file.text.lines().count() > MAX_LINES;
    let long: Vec<&TextFile> = source_files(tree).filter(is_long).collect();
    let unnamed = long.iter().filter(|file| !names(allowed, &file.path));
    let message = format!("more than {MAX_LINES} lines: find its seam, or name it with a reason in tidy/allowed.rs");
    let mut violations: Vec<Violation> = unnamed.map(|file| at(file, 0, &message)).collect();
    violations.extend(stale(allowed, |path| long.iter().any(|file| file.path == path)));
    violations
}

/// Nothing is left for later without an issue that keeps it.
pub(super) fn unfinished(tree: &Tree) -> Vec<Violation> {
    // In pieces, so that this file does not find itself.
    let notes = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let macros = [concat!("to", "do!"), concat!("unimple", "mented!"), concat!("db", "g!")];
    let mut violations = Vec::new();
    for file in source_files(tree) {
        for (index, line) in file.text.lines().enumerate() {
            for note in notes.iter().filter(|note| has_word(line, note) && !has_issue(line, note)) {
                violations.push(at(
                    file,
                    index + 1,
                    &format!("{note} without an issue: say `{note}(#NUMBER)` or do it"),
                ));
            }
        }
    }
    for file in rust_files(tree) {
        let code = code_only(&file.text);
        for name in macros {
            violations.extend(lines_with(&code, name).into_iter().map(|line| at(file, line, &format!("`{name}`"))));
        }
    }
    violations
}

/// No test is switched off in the source; one that can't run here says so when it runs.
pub(super) fn ignored_tests(tree: &Tree) -> Vec<Violation> {
    let fence = concat!("```ig", "nore");
    let mut violations = Vec::new();
    for file in rust_files(tree) {
        let mut lines = lines_with(&code_only(&file.text), "#[ignore");
        let in_docs = file
            .text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.trim_start().starts_with("//") && line.contains(fence));
        lines.extend(in_docs.map(|(index, _)| index + 1));
        let message = "an ignored test: make it run, or let it skip itself with a reason (`hamsa_testkit::skip!`)";
        violations.extend(lines.into_iter().map(|line| at(file, line, message)));
    }
    violations
}

/// Unsafe code stands in named files only.
pub(super) fn unsafe_code(tree: &Tree) -> Vec<Violation> {
    unsafe_code_except(tree, UNSAFE_FILES)
}

fn unsafe_code_except(tree: &Tree, allowed: &[(&str, &str)]) -> Vec<Violation> {
    let mut users = Vec::new();
    let mut violations = Vec::new();
    for file in rust_files(tree) {
        let lines = lines_with(&code_only(&file.text), "unsafe");
        if lines.is_empty() {
            continue;
        }
        users.push(&file.path);
        if !names(allowed, &file.path) {
            let message = "unsafe code: do without, or name the file with a reason in tidy/allowed.rs";
            violations.extend(lines.into_iter().map(|line| at(file, line, message)));
        }
    }
    violations.extend(stale(allowed, |path| users.iter().any(|user| *user == path)));
    violations
}

/// No path of one developer's machine.
pub(super) fn machine_paths(tree: &Tree) -> Vec<Violation> {
    let paths = [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/tmp/ba", "sh_jobs")];
    let mut violations = Vec::new();
    for file in tree.files.iter().filter(|file| !is_vendored(file)) {
        for (index, line) in file.text.lines().enumerate() {
            for path in paths {
                let stands_alone =
                    |start: usize| !line[..start].ends_with(|c: char| c.is_alphanumeric() || "._-*}".contains(c));
                if line.match_indices(path).any(|(start, _)| stands_alone(start)) {
                    violations.push(at(file, index + 1, &format!("`{path}` is a path of one machine")));
                }
            }
        }
    }
    violations
}

/// Sockets, clock and randomness are used at the edge only. Tests, benches and examples are at the edge.
pub(super) fn input_and_output(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in rust_files(tree) {
        let Some((package, path)) = file.path.strip_prefix("crates/").and_then(|path| path.split_once('/')) else {
            continue;
        };
        let is_test = path.split('/').any(|part| ["tests", "benches", "examples", "tests.rs"].contains(&part));
        if is_test || INPUT_AND_OUTPUT.contains(&package) {
            continue;
        }
        let code = without_tests(&code_only(&file.text));
        for (needle, what) in OUTSIDE {
            let message = format!("`{needle}` is {what}: `{package}` takes it as an argument");
            violations.extend(lines_with(&code, needle).into_iter().map(|line| at(file, line, &message)));
        }
    }
    violations
}

fn at(file: &TextFile, line: usize, message: &str) -> Violation {
    Violation { path: file.path.clone(), line, message: message.to_owned() }
}

/// Other people's files that we pass on as they are.
pub(super) fn is_vendored(file: &TextFile) -> bool {
    file.path.split('/').any(|part| part == "vendor")
}

fn source_files(tree: &Tree) -> impl Iterator<Item = &TextFile> {
    let is_source = |file: &&TextFile| {
        let extension = file.path.rsplit('.').next().unwrap_or_default();
        SOURCE_EXTENSIONS.contains(&extension) && !is_vendored(file)
    };
    tree.files.iter().filter(is_source)
}

fn rust_files(tree: &Tree) -> impl Iterator<Item = &TextFile> {
    source_files(tree).filter(|file| file.path.ends_with(".rs"))
}

fn names(list: &[(&str, &str)], path: &str) -> bool {
    list.iter().any(|(named, _)| *named == path)
}

/// The exceptions of `list` that nothing needs.
fn stale(list: &[(&str, &str)], is_needed: impl Fn(&str) -> bool) -> Vec<Violation> {
    let message = "tidy/allowed.rs names it as an exception that it no longer is".to_owned();
    let unneeded = list.iter().filter(|(path, _)| !is_needed(path));
    unneeded.map(|(path, _)| Violation { path: (*path).to_owned(), line: 0, message: message.clone() }).collect()
}

/// True where the note is followed by an issue's number.
fn has_issue(line: &str, note: &str) -> bool {
    line.split_once(note)
        .and_then(|(_, rest)| rest.strip_prefix("(#")?.split_once(')'))
        .is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|octet| octet.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    fn in_rust(path: &str, text: &str) -> Tree {
        Tree::of(&[(path, &format!("//! Head.\n{text}"))])
    }

    #[test]
    fn a_file_without_a_head_is_found() {
        let tree = Tree::of(&[("a.rs", "use std::fmt;\n"), ("b.rs", "//! For this.\n"), ("c.md", "text")]);
        assert_eq!(places(heads, &tree), ["a.rs:1"]);
    }

    #[test]
    fn a_long_file_is_found() {
        let (long, short) = ("//!\n".repeat(601), "//!\n".repeat(600));
        let tree =
            Tree::of(&[("long.rs", &long), ("short.rs", &short), ("web/vendor/chart.js", &long), ("data.tsv", &long)]);
        assert_eq!(places(|tree| lengths_except(tree, &[]), &tree), ["long.rs:0"]);
        assert!(places(|tree| lengths_except(tree, &[("long.rs", "one table")]), &tree).is_empty());
    }

    #[test]
    fn an_exception_that_nothing_needs_is_found() {
        let tree = in_rust("a.rs", "fn f() {}");
        assert_eq!(places(|tree| lengths_except(tree, &[("a.rs", "one table")]), &tree), ["a.rs:0"]);
        assert_eq!(places(|tree| unsafe_code_except(tree, &[("gone.rs", "a system call")]), &tree), ["gone.rs:0"]);
    }

    #[test]
    fn unfinished_work_is_found() {
        for text in
            ["// TO-DO: later", "//! FIX-ME", "fn f() { to-do!() }", "fn f() { unimple-mented!() }", "db-g!(x);"]
        {
            let text = text.replace('-', "");
            assert_eq!(places(unfinished, &in_rust("a.rs", &text)), ["a.rs:2"], "{text}");
        }
        for text in ["// TO-DO(#12): later", "// says `to-do!`", "\"db-g!(x)\"", "MASTO-DON"] {
            let text = text.replace('-', "");
            assert!(places(unfinished, &in_rust("a.rs", &text)).is_empty(), "{text}");
        }
        let document = format!("{}: write this", concat!("TO", "DO"));
        assert_eq!(places(unfinished, &Tree::of(&[("README.md", &document)])), ["README.md:1"]);
    }

    #[test]
    fn an_ignored_test_is_found() {
        for text in ["#[ignore]", "#[ignore = \"slow\"]", concat!("/// ```ig", "nore")] {
            assert_eq!(places(ignored_tests, &in_rust("a.rs", text)), ["a.rs:2"], "{text}");
        }
        assert!(places(ignored_tests, &in_rust("a.rs", "// no `#[ignore]` here")).is_empty());
    }

    #[test]
    fn unsafe_code_is_found() {
        let tree = in_rust("a.rs", "fn f() { unsafe { g() } }");
        assert_eq!(places(|tree| unsafe_code_except(tree, &[]), &tree), ["a.rs:2"]);
        assert!(places(|tree| unsafe_code_except(tree, &[("a.rs", "a system call")]), &tree).is_empty());
        let fine = in_rust("a.rs", "#![forbid(unsafe_code)] // no unsafe here\nlet s = \"unsafe\";");
        assert!(places(|tree| unsafe_code_except(tree, &[]), &fine).is_empty());
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        for text in ["see /wo-rk/notes", "x = \"/ho-me/ann/x\"", "/tmp/ba-sh_jobs.0"] {
            let text = text.replace('-', "");
            assert_eq!(places(machine_paths, &Tree::of(&[("run.txt", &text)])), ["run.txt:1"], "{text}");
        }
        let relative = ["net", concat!("/wo", "rk/"), "x"].concat();
        assert!(places(machine_paths, &Tree::of(&[("a.txt", &relative)])).is_empty());
    }

    #[test]
    fn input_and_output_below_the_edge_is_found() {
        let text = "fn f() -> Instant { Instant::now() }";
        assert_eq!(places(input_and_output, &in_rust("crates/snmp/src/a.rs", text)), ["crates/snmp/src/a.rs:2"]);
        for text in
            ["use std::net::UdpSocket;", "x.elapsed()", "let r = rand::rng();", "std::net::TcpListener::bind(a)"]
        {
            assert_eq!(places(input_and_output, &in_rust("crates/store/src/a.rs", text)), ["crates/store/src/a.rs:2"]);
        }
    }

    #[test]
    fn input_and_output_at_the_edge_is_fine() {
        let text = "fn f() -> Instant { Instant::now() }";
        for path in [
            "crates/node/src/a.rs",
            "crates/cli/src/a.rs",
            "tests/src/a.rs",
            "crates/snmp/tests/a.rs",
            "xtask/src/a.rs",
        ] {
            assert!(places(input_and_output, &in_rust(path, text)).is_empty(), "{path}");
        }
        let in_tests = "#[cfg(test)]\nmod tests { fn f() { Instant::now(); } }\n// Instant::now";
        assert!(places(input_and_output, &in_rust("crates/snmp/src/a.rs", in_tests)).is_empty());
    }
}
