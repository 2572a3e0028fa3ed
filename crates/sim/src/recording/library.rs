//! Recordings by name. Their files are read elsewhere; the names are snmpsim's: the path below the data
//! directory without its suffix, so that `foo/bar.snmprec` is for community and context `foo/bar`.

use std::collections::BTreeMap;
use std::sync::Arc;

use hamsa_snmp::Oid;

use super::variation::{Multiplex, SubtreeRule};
use super::{Format, Recording};

/// What a file's path below the data directory tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingFile {
    /// The recording's name.
    pub name: String,
    /// How it is written.
    pub format: Format,
    /// Whether the file is compressed by bzip2.
    pub is_compressed: bool,
}

impl RecordingFile {
    /// Reads a path with slashes, such as `UPS/apc-8932.snmprec`; `None` for what is no recording. `self`,
    /// alone or as the first directory, is the empty name (snmpsim's documentation, "Addressing SNMP agents").
    pub fn of_path(path: &str) -> Option<Self> {
        let (path, is_compressed) = match path.strip_suffix(".bz2") {
            Some(path) => (path, true),
            None => (path, false),
        };
        let (name, format) = match (path.strip_suffix(".snmprec"), path.strip_suffix(".snmpwalk")) {
            (Some(name), _) => (name, Format::Snmprec),
            (_, Some(name)) => (name, Format::Snmpwalk),
            _ => return None,
        };
        let name = if name == "self" { "" } else { name.strip_prefix("self/").unwrap_or(name) };
        Some(RecordingFile { name: name.to_owned(), format, is_compressed })
    }
}

/// Recordings by name, shared by all that play them.
#[derive(Debug, Default)]
pub struct Library {
    recordings: BTreeMap<String, Arc<Recording>>,
}

/// A `multiplex` line names a directory without snapshots: its subtree will be empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "recording {recording:?}: {subtree} is served from {directory:?}, which has no recordings with numbers as names"
)]
pub struct MissingSnapshots {
    /// The recording with the line.
    pub recording: String,
    /// The line's subtree.
    pub subtree: Oid,
    /// The directory.
    pub directory: String,
}

impl Library {
    /// No recordings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a recording, or replaces the one of this name.
    pub fn insert(&mut self, name: impl Into<String>, recording: Recording) {
        self.recordings.insert(name.into(), Arc::new(recording));
    }

    /// The recording of a name.
    pub fn get(&self, name: &str) -> Option<&Arc<Recording>> {
        self.recordings.get(name)
    }

    /// All recordings in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Arc<Recording>)> {
        self.recordings.iter().map(|(name, recording)| (name.as_str(), recording))
    }

    /// How many recordings.
    pub fn len(&self) -> usize {
        self.recordings.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.recordings.is_empty()
    }

    /// The `multiplex` lines that have nothing to serve.
    pub fn missing_snapshots(&self) -> Vec<MissingSnapshots> {
        let rules = self.recordings.iter().flat_map(|(name, recording)| {
            recording.subtrees.iter().filter_map(move |(subtree, rule)| match rule {
                SubtreeRule::Multiplex(multiplex) => Some((name, subtree, multiplex)),
                _ => None,
            })
        });
        rules
            .filter(|(_, _, multiplex)| self.snapshots(multiplex).is_empty())
            .map(|(name, subtree, multiplex)| MissingSnapshots {
                recording: name.clone(),
                subtree: subtree.clone(),
                directory: multiplex.directory.to_string(),
            })
            .collect()
    }

    /// The recordings that a rule chooses from, in the order of their numbers.
    pub(super) fn snapshots(&self, multiplex: &Multiplex) -> Vec<Arc<Recording>> {
        let directory = format!("{}/", multiplex.directory);
        let below = self.recordings.range(directory.clone()..).take_while(|(name, _)| name.starts_with(&directory));
        let numbered =
            below.filter_map(|(name, recording)| Some((name[directory.len()..].parse::<u64>().ok()?, recording)));
        let mut numbered: Vec<(u64, &Arc<Recording>)> = numbered.collect();
        numbered.sort_by_key(|(number, _)| *number);
        numbered.into_iter().map(|(_, recording)| recording.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_snmpsims() {
        let name = |path| RecordingFile::of_path(path).map(|file| (file.name, file.format, file.is_compressed));
        assert_eq!(name("public.snmprec"), Some(("public".into(), Format::Snmprec, false)));
        assert_eq!(name("foo/bar.snmprec.bz2"), Some(("foo/bar".into(), Format::Snmprec, true)));
        assert_eq!(name("linux.snmpwalk"), Some(("linux".into(), Format::Snmpwalk, false)));
        assert_eq!(name("self.snmprec").unwrap().0, "");
        assert_eq!(name("self/public.snmprec").unwrap().0, "public");
        assert_eq!(name("README.txt"), None);
    }

    #[test]
    fn snapshots_are_the_numbered_recordings_of_a_directory() {
        let mut library = Library::new();
        let text = b"1.3.6.1.2|:multiplex|dir=shots\n1.3.6.1.3|:multiplex|dir=none\n";
        let (recording, diagnostics) = Recording::read(&text[..], Format::Snmprec).unwrap();
        assert_eq!(diagnostics.total(), 0);
        library.insert("main", recording);
        for name in ["shots/00010", "shots/9", "shots/readme", "shots2/1", "shots/sub/1"] {
            library.insert(name, Recording::default());
        }
        let SubtreeRule::Multiplex(rule) = &library.get("main").unwrap().subtrees[0].1 else { panic!("a rule") };
        let found = library.snapshots(rule);
        assert_eq!(found.len(), 2);
        assert!(Arc::ptr_eq(&found[0], library.get("shots/9").unwrap()));
        let missing = library.missing_snapshots();
        assert_eq!((missing.len(), missing[0].directory.as_str()), (1, "none"));
    }
}
