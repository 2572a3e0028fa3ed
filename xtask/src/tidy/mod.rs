//! `cargo xtask tidy`: the rules of the house that neither rustc nor clippy knows. Each rule is a function over
//! the [`Tree`], so that its test can plant a violation in a tree made of strings.

mod allowed;
mod documents;
mod layers;
mod rust_code;
mod sources;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};

use layers::Package;

/// What a rule found, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    path: String,
    /// From one; 0 is the whole file.
    line: usize,
    message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// A text file of the repository.
struct TextFile {
    /// From the root, with `/`.
    path: String,
    text: String,
}

/// What the rules look at.
struct Tree {
    files: Vec<TextFile>,
    /// Every file, also those that hold no text, and every directory, from the root.
    paths: BTreeSet<String>,
    packages: Vec<Package>,
}

type Rule = fn(&Tree) -> Vec<Violation>;

const RULES: &[Rule] = &[
    layers::dependencies_point_down,
    layers::every_package_takes_the_lints,
    layers::oracles_stay_in_tests,
    sources::heads,
    sources::lengths,
    sources::unfinished,
    sources::ignored_tests,
    sources::unsafe_code,
    sources::machine_paths,
    sources::input_and_output,
    documents::cited_paths,
];

/// Prints what the rules find.
///
/// # Errors
/// The tree can't be read, or a rule found something.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    ensure!(arguments.is_empty(), "usage: cargo xtask tidy");
    let violations = check(crate::root())?;
    for violation in &violations {
        println!("{violation}");
    }
    match violations.len() {
        0 => Ok(()),
        count => bail!("{count} found"),
    }
}

/// What the rules find in the checkout at `root`, by path and line.
///
/// # Errors
/// The tree can't be read: it is not a git checkout, or its workspace is broken.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<Violation>> {
    let tree = Tree::read(root)?;
    let mut violations: Vec<Violation> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    violations.sort();
    Ok(violations)
}

impl Tree {
    /// Reads what git tracks, or would if it were added.
    fn read(root: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new("git");
        command.args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let output = command.current_dir(root).output().context("cannot start git, which lists the files")?;
        ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim());
        let listed = String::from_utf8(output.stdout).context("a file's name is not UTF-8")?;
        let mut tree = Tree { files: Vec::new(), paths: BTreeSet::new(), packages: layers::read_packages(root)? };
        for path in listed.split('\0').filter(|path| !path.is_empty()) {
            let file = root.join(path);
            if !file.is_file() {
                // Deleted, and not yet committed.
                continue;
            }
            let mut prefix = path;
            while let Some((directory, _)) = prefix.rsplit_once('/') {
                tree.paths.insert(directory.to_owned());
                prefix = directory;
            }
            tree.paths.insert(path.to_owned());
            let octets = std::fs::read(&file).with_context(|| format!("cannot read {path}"))?;
            if let Ok(text) = String::from_utf8(octets) {
                tree.files.push(TextFile { path: path.to_owned(), text });
            }
        }
        Ok(tree)
    }
}

#[cfg(test)]
impl Tree {
    /// A tree of text files without packages.
    fn of(files: &[(&str, &str)]) -> Self {
        let file = |&(path, text): &(&str, &str)| TextFile { path: path.to_owned(), text: text.to_owned() };
        let paths = files.iter().flat_map(|(path, _)| {
            let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
            ends.map(|end| path[..end].to_owned())
        });
        Tree { files: files.iter().map(file).collect(), paths: paths.collect(), packages: Vec::new() }
    }
}

/// The places where a rule finds something, as `path:line`.
#[cfg(test)]
fn places(rule: Rule, tree: &Tree) -> Vec<String> {
    rule(tree).iter().map(|found| format!("{}:{}", found.path, found.line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_holds_what_git_and_cargo_know() {
        let tree = Tree::read(crate::root()).unwrap();
        assert!(tree.paths.contains("xtask/src/tidy") && tree.paths.contains("xtask/src/tidy/mod.rs"));
        assert!(tree.files.iter().any(|file| file.path == "xtask/src/main.rs" && file.text.starts_with("//!")));
        let xtask = tree.packages.iter().find(|package| package.manifest == "xtask/Cargo.toml").unwrap();
        assert!(xtask.dependencies.iter().any(|dependency| dependency.name == "anyhow" && !dependency.dev));
        assert!(!tree.paths.iter().any(|path| path.starts_with("target/")));
    }
}
