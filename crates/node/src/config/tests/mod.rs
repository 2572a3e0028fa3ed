//! Tests of the whole: a directory with files in, a report out.

mod generated;
mod group;
mod mistakes;
mod robust;
mod valid;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Config, Report, Surroundings, check};

/// A directory with `hamsa.toml` and other files, in which nobody else may read.
struct Directory(TempDir);

impl Directory {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = Directory(TempDir::new().unwrap());
        for (name, text) in files {
            directory.write(name, text.as_bytes(), 0o600);
        }
        directory
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, octets: &[u8], mode: u32) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, octets).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn check(&self) -> Report {
        check(&self.path("hamsa.toml"), &surroundings())
    }

    /// The report's lines, without the directory.
    fn lines(&self) -> Vec<String> {
        let report = self.check();
        assert_eq!(report.config.is_some(), report.mistakes.is_empty());
        let directory = self.0.path().display().to_string();
        report
            .to_string()
            .replace(&format!("{directory}/"), "")
            .replace(&directory, "DIR")
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

/// Without what a program without Zenoh says of each `[enterprise]`.
fn but_for_zenoh(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().filter(|line| !line.contains("built without Zenoh")).collect()
}

/// Two profiles, and one more for each directory of profiles; two variables.
fn surroundings() -> Surroundings<'static> {
    fn profiles(directories: &[PathBuf]) -> Vec<String> {
        let named = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        ["if-mib".to_owned(), "system".to_owned()].into_iter().chain(directories.iter().filter_map(named)).collect()
    }
    fn environment(name: &str) -> Option<OsString> {
        match name {
            "HAMSA_COMMUNITY" => Some("from-environment".into()),
            "HAMSA_LONG" => Some("x".repeat(10_000).into()),
            _ => None,
        }
    }
    Surroundings { profiles: &profiles, environment: &environment, host_name: "host1".to_owned() }
}

/// The configuration of a file without mistakes or warnings.
#[track_caller]
fn valid(text: &str) -> Config {
    let report = Directory::new(&[("hamsa.toml", text)]).check();
    assert_eq!(report.to_string(), "");
    report.config.unwrap()
}

/// The repository's root.
fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
