//! What is written down about transactions, so that a crash at any step comes back on one side: the new versions where a
//! [`Entry::Commit`] was written, the old ones everywhere else.
//!
//! ```text
//! entry = 1 transaction count { kind name from-major from-minor to-major to-minor }   (begin)
//!       | 2 transaction (commit)  |  3 transaction reason (abort)  |  4 transaction (done)
//! ```
//! Integers and texts are as in the encoding of states.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::{JOURNAL_ENTRIES_MAX, PARTS_MAX, REASON_OCTETS_MAX};
use crate::module::ModuleId;
use crate::state::DecodeError;
use crate::state::encoding::{Reader, number, octets};

/// A major and a minor version.
pub type VersionNumber = (u32, u32);

/// What a transaction would do to one module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub module: ModuleId,
    /// The version that serves.
    pub from: VersionNumber,
    /// The version that would serve.
    pub to: VersionNumber,
}

/// One step of a transaction that must be remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// It began.
    Begin {
        /// Which.
        transaction: u64,
        /// What it is about.
        changes: Vec<Change>,
    },
    /// It is decided: the new versions.
    Commit {
        /// Which.
        transaction: u64,
    },
    /// It is decided: the old versions.
    Abort {
        /// Which.
        transaction: u64,
        /// Why.
        reason: String,
    },
    /// The new versions serve and the old ones are gone.
    Done {
        /// Which.
        transaction: u64,
    },
}

/// The journal can't be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("journal of swaps: {0}")]
pub struct JournalError(pub String);

/// Where entries are kept, in the order in which they come.
pub trait Journal: Send {
    /// Adds an entry. When it returns, the entry survives the end of the process. It is called with gates closed: quickly.
    ///
    /// # Errors
    /// It may or may not have been added.
    fn append(&mut self, entry: &Entry) -> Result<(), JournalError>;

    /// When it returns, the entries survive a loss of power. It is never called with gates closed.
    ///
    /// # Errors
    /// They may or may not.
    fn sync(&mut self) -> Result<(), JournalError>;

    /// All entries that still matter, the oldest first.
    ///
    /// # Errors
    /// They can't be read.
    fn entries(&mut self) -> Result<Vec<Entry>, JournalError>;
}

impl Entry {
    /// Its transaction.
    pub fn transaction(&self) -> u64 {
        match self {
            Entry::Begin { transaction, .. }
            | Entry::Commit { transaction }
            | Entry::Abort { transaction, .. }
            | Entry::Done { transaction } => *transaction,
        }
    }

    /// The entry in octets.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Entry::Begin { transaction, changes } => {
                out.push(1);
                number(&mut out, *transaction);
                number(&mut out, changes.len() as u64);
                for Change { module, from, to } in changes {
                    octets(&mut out, module.kind.as_bytes());
                    octets(&mut out, module.name.as_bytes());
                    [from.0, from.1, to.0, to.1].into_iter().for_each(|part| number(&mut out, part.into()));
                }
            }
            Entry::Commit { transaction } => {
                out.push(2);
                number(&mut out, *transaction);
            }
            Entry::Abort { transaction, reason } => {
                out.push(3);
                number(&mut out, *transaction);
                octets(&mut out, &reason.as_bytes()[..reason.floor_char_boundary(REASON_OCTETS_MAX)]);
            }
            Entry::Done { transaction } => {
                out.push(4);
                number(&mut out, *transaction);
            }
        }
        out
    }

    /// The entry that these octets are.
    ///
    /// # Errors
    /// They are not what [`Entry::encode`] writes.
    pub fn decode(input: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(input);
        let tag = input.octet("kind of entry")?;
        let transaction = input.number("transaction")?;
        let entry = match tag {
            1 => {
                let count = input.count("number of changes", PARTS_MAX)?;
                let mut changes = Vec::new();
                for _ in 0..count {
                    let module = ModuleId::new(input.name()?, input.name()?);
                    let from = (input.short("version")?, input.short("version")?);
                    let to = (input.short("version")?, input.short("version")?);
                    changes.push(Change { module, from, to });
                }
                Entry::Begin { transaction, changes }
            }
            2 => Entry::Commit { transaction },
            3 => Entry::Abort { transaction, reason: input.text("reason", REASON_OCTETS_MAX)? },
            4 => Entry::Done { transaction },
            _ => return Err(DecodeError::Malformed { what: "kind of entry", at: 0 }),
        };
        input.end()?;
        Ok(entry)
    }
}

/// What a journal says when the program starts again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    /// The version of each module that committed swaps brought last. A module that is not here was never swapped.
    pub versions: BTreeMap<ModuleId, VersionNumber>,
    /// Transactions that had begun and were not decided: their old versions are the ones to start.
    pub undecided: Vec<u64>,
    /// The largest number of a transaction, 0 if there was none.
    pub last_transaction: u64,
}

/// Reads from entries which version of each module is to serve. Of each transaction all modules are on one side.
pub fn recover(entries: &[Entry]) -> Recovered {
    let mut recovered = Recovered::default();
    let mut begun: BTreeMap<u64, &[Change]> = BTreeMap::new();
    let mut aborted: BTreeSet<u64> = BTreeSet::new();
    for entry in entries {
        if let Entry::Abort { transaction, .. } = entry {
            aborted.insert(*transaction);
        }
    }
    for entry in entries {
        recovered.last_transaction = recovered.last_transaction.max(entry.transaction());
        match entry {
            Entry::Begin { transaction, changes } => {
                begun.insert(*transaction, changes);
            }
            // After a commit that could not be written for certain comes an abort, and holds.
            Entry::Commit { transaction } if !aborted.contains(transaction) => {
                for change in begun.remove(transaction).unwrap_or_default() {
                    recovered.versions.insert(change.module.clone(), change.to);
                }
            }
            Entry::Commit { .. } | Entry::Done { .. } => {}
            Entry::Abort { transaction, .. } => {
                begun.remove(transaction);
            }
        }
    }
    recovered.undecided = begun.into_keys().collect();
    recovered
}

/// The entries that [`recover`] needs: those of transactions that brought a module its version, and of undecided ones.
pub fn compact(entries: &[Entry]) -> Vec<Entry> {
    let recovered = recover(entries);
    let mut wanted: BTreeSet<u64> = recovered.undecided.iter().copied().collect();
    wanted.insert(recovered.last_transaction);
    let mut found: BTreeSet<&ModuleId> = BTreeSet::new();
    let is_committed = |number: u64| {
        let of = |entry: &&Entry| entry.transaction() == number;
        entries.iter().filter(of).any(|entry| matches!(entry, Entry::Commit { .. }))
            && !entries.iter().filter(of).any(|entry| matches!(entry, Entry::Abort { .. }))
    };
    for entry in entries.iter().rev() {
        if let Entry::Begin { transaction, changes } = entry
            && is_committed(*transaction)
        {
            let new = changes.iter().filter(|change| found.insert(&change.module)).count();
            if new > 0 {
                wanted.insert(*transaction);
            }
        }
    }
    entries.iter().filter(|entry| wanted.contains(&entry.transaction())).cloned().collect()
}

/// A journal that lasts as long as the process.
#[derive(Debug, Default)]
pub struct MemoryJournal(Vec<Entry>);

impl Journal for MemoryJournal {
    fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        self.0.push(entry.clone());
        Ok(())
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        if self.0.len() > JOURNAL_ENTRIES_MAX {
            self.0 = compact(&self.0);
        }
        Ok(())
    }

    fn entries(&mut self) -> Result<Vec<Entry>, JournalError> {
        Ok(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(transaction: u64, modules: &[(&str, u32)]) -> Entry {
        let change =
            |(name, to): &(&str, u32)| Change { module: ModuleId::new("k", *name), from: (*to - 1, 0), to: (*to, 0) };
        Entry::Begin { transaction, changes: modules.iter().map(change).collect() }
    }

    fn versions(entries: &[Entry]) -> Vec<(String, u32)> {
        recover(entries).versions.into_iter().map(|(id, version)| (id.name, version.0)).collect()
    }

    #[test]
    fn a_transaction_is_on_one_side_after_each_entry() {
        let both = [("a".to_owned(), 2), ("b".to_owned(), 2)];
        let entries =
            [begin(1, &[("a", 2), ("b", 2)]), Entry::Commit { transaction: 1 }, Entry::Done { transaction: 1 }];
        assert!(versions(&entries[..1]).is_empty());
        assert_eq!(recover(&entries[..1]).undecided, [1]);
        assert_eq!(versions(&entries[..2]), both);
        assert_eq!(versions(&entries), both);
        assert!(recover(&entries).undecided.is_empty());
    }

    #[test]
    fn an_abort_holds_against_a_commit_that_may_have_been_written() {
        let abort = Entry::Abort { transaction: 1, reason: "disk full".to_owned() };
        let entries = [begin(1, &[("a", 2)]), Entry::Commit { transaction: 1 }, abort];
        assert!(versions(&entries).is_empty());
        assert!(recover(&entries).undecided.is_empty());
    }

    #[test]
    fn compacting_changes_nothing_that_is_recovered() {
        let mut entries = Vec::new();
        for number in 1..50u64 {
            entries.push(begin(number, &[(if number % 3 == 0 { "a" } else { "b" }, number as u32 + 1)]));
            entries.push(match number % 4 {
                0 => Entry::Abort { transaction: number, reason: "no".to_owned() },
                _ => Entry::Commit { transaction: number },
            });
        }
        entries.push(begin(50, &[("c", 2)]));
        let compacted = compact(&entries);
        assert_eq!(recover(&compacted), recover(&entries));
        assert!(compacted.len() < 8, "{compacted:?}");
    }

    #[test]
    fn entries_go_there_and_back_and_no_octets_are_left_over() {
        let abort = Entry::Abort { transaction: 300, reason: "überfällig".to_owned() };
        for entry in [begin(1, &[("a", 2), ("b", 7)]), Entry::Commit { transaction: u64::MAX }, abort] {
            let octets = entry.encode();
            assert_eq!(Entry::decode(&octets).unwrap(), entry);
            for end in 0..octets.len() {
                assert!(Entry::decode(&octets[..end]).is_err());
            }
            assert!(Entry::decode(&[&octets[..], b"x"].concat()).is_err());
        }
    }
}
