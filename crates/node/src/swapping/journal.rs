//! The journal of swaps in a file: one record after another, so that a write that was cut short is found and left out.
//!
//! ```text
//! record = length (4 octets, big-endian) checksum (CRC-32 of the entry, 4 octets) entry
//! ```

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hamsa_swap::journal::{Entry, Journal, JournalError, compact};
use hamsa_swap::limits::JOURNAL_ENTRIES_MAX;

use crate::limits::MAX_JOURNAL_OCTETS;
use crate::replace::replace_file;

const HEAD_OCTETS: usize = 8;

/// The journal of swaps in a file.
#[derive(Debug)]
pub struct FileJournal {
    path: PathBuf,
    file: File,
    entries: Vec<Entry>,
    /// Octets of whole records.
    length: u64,
    /// What is behind the last whole record could not be cut off.
    is_broken: bool,
}

impl FileJournal {
    /// Opens a journal, or begins one that only its owner may read. A record that was cut short is cut off.
    ///
    /// # Errors
    /// The file can't be read or written, or is no journal.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).mode(0o600).open(path)?;
        let mut octets = Vec::new();
        (&mut file).take(MAX_JOURNAL_OCTETS + 1).read_to_end(&mut octets)?;
        if octets.len() as u64 > MAX_JOURNAL_OCTETS {
            let problem = format!("{} is longer than {MAX_JOURNAL_OCTETS} octets: no journal of swaps", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        let mut entries = Vec::new();
        let mut rest = &octets[..];
        while let Some((entry, behind)) = record(rest) {
            entries.push(entry);
            rest = behind;
        }
        let length = (octets.len() - rest.len()) as u64;
        if !rest.is_empty() {
            tracing::warn!(file = %path.display(), octets = rest.len(), "a record of the journal was cut short");
            file.set_len(length)?;
        }
        Ok(FileJournal { path: path.to_owned(), file, entries, length, is_broken: false })
    }

    /// Forgets entries that no longer matter.
    fn rewrite(&mut self) -> io::Result<()> {
        let entries = compact(&self.entries);
        let octets: Vec<u8> = entries.iter().flat_map(written).collect();
        replace_file(&self.path, &octets)?;
        self.file = OpenOptions::new().read(true).append(true).open(&self.path)?;
        self.length = octets.len() as u64;
        self.entries = entries;
        Ok(())
    }
}

impl Journal for FileJournal {
    fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        if self.is_broken {
            return Err(JournalError(format!("{} has a part of a record at its end", self.path.display())));
        }
        let octets = written(entry);
        if let Err(error) = self.file.write_all(&octets) {
            // Half a record would hide all that come after it.
            self.is_broken = self.file.set_len(self.length).is_err();
            return Err(failed(&error));
        }
        self.length += octets.len() as u64;
        self.entries.push(entry.clone());
        Ok(())
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        self.file.sync_data().map_err(|error| failed(&error))?;
        if self.entries.len() > JOURNAL_ENTRIES_MAX {
            self.rewrite().map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    fn entries(&mut self) -> Result<Vec<Entry>, JournalError> {
        Ok(self.entries.clone())
    }
}

fn written(entry: &Entry) -> Vec<u8> {
    let entry = entry.encode();
    let length = u32::try_from(entry.len()).unwrap_or(u32::MAX);
    let mut octets = Vec::with_capacity(HEAD_OCTETS + entry.len());
    octets.extend_from_slice(&length.to_be_bytes());
    octets.extend_from_slice(&crc32fast::hash(&entry).to_be_bytes());
    octets.extend_from_slice(&entry);
    octets
}

/// The first whole record, and what is behind it.
fn record(octets: &[u8]) -> Option<(Entry, &[u8])> {
    let (head, rest) = octets.split_at_checked(HEAD_OCTETS)?;
    let (length, checksum) = head.split_at(4);
    let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
    let (entry, rest) = rest.split_at_checked(length)?;
    (crc32fast::hash(entry).to_be_bytes() == checksum).then_some(())?;
    Some((Entry::decode(entry).ok()?, rest))
}

fn failed(error: &io::Error) -> JournalError {
    JournalError(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use hamsa_swap::ModuleId;
    use hamsa_swap::journal::{Change, recover};

    use super::*;

    fn begin(transaction: u64, to: u32) -> Entry {
        let change = Change { module: ModuleId::new("kind", "name"), from: (1, 0), to: (1, to) };
        Entry::Begin { transaction, changes: vec![change] }
    }

    #[test]
    fn entries_are_there_again_and_half_a_record_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let mut journal = FileJournal::open(&path).unwrap();
        let entries = [begin(1, 7), Entry::Commit { transaction: 1 }, Entry::Done { transaction: 1 }, begin(2, 8)];
        entries.iter().for_each(|entry| journal.append(entry).unwrap());
        journal.sync().unwrap();
        drop(journal);
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let mut journal = FileJournal::open(&path).unwrap();
            let found = journal.entries().unwrap();
            assert_eq!(found, entries[..found.len()], "cut at {cut}");
            journal.append(&Entry::Abort { transaction: 9, reason: "a test".into() }).unwrap();
            drop(journal);
            assert_eq!(FileJournal::open(&path).unwrap().entries().unwrap().len(), found.len() + 1, "cut at {cut}");
        }
        fs::write(&path, &whole).unwrap();
        let recovered = recover(&FileJournal::open(&path).unwrap().entries().unwrap());
        assert_eq!(recovered.versions[&ModuleId::new("kind", "name")], (1, 7));
        assert_eq!(recovered.undecided, [2]);
    }

    #[test]
    fn a_long_journal_forgets_what_no_longer_matters() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let mut journal = FileJournal::open(&path).unwrap();
        for transaction in 1..=(JOURNAL_ENTRIES_MAX as u64 / 2 + 1) {
            journal.append(&begin(transaction, transaction as u32)).unwrap();
            journal.append(&Entry::Commit { transaction }).unwrap();
        }
        let before = recover(&journal.entries().unwrap());
        journal.sync().unwrap();
        assert!(journal.entries().unwrap().len() < 10);
        journal.append(&Entry::Done { transaction: before.last_transaction }).unwrap();
        drop(journal);
        assert_eq!(recover(&FileJournal::open(&path).unwrap().entries().unwrap()), before);
    }
}
