//! Named state: small blobs that must be there after a crash (engine boots, positions, a component's objects),
//! and counters that never give a number twice (salts, identifiers).
//!
//! All of it is in the main file and on disk before a call returns.

use std::ops::Range;

use redb::ReadableTable;

use crate::engine::{COUNTERS, EngineFile, STATE};
use crate::error::{At, StorageError};
use crate::limits::{STATE_CHANGES_MAX, STATE_NAME_OCTETS_MAX, STATE_OCTETS_MAX};

/// A state object can't be changed. Nothing of the call was.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The name is empty or too long.
    #[error("the name of a state object has {octets} octets, 1 to {STATE_NAME_OCTETS_MAX} are allowed")]
    Name {
        /// Its length.
        octets: usize,
    },
    /// The contents are too long.
    #[error("state object {name}: {octets} octets, at most {STATE_OCTETS_MAX} are allowed")]
    TooLarge {
        /// Its name.
        name: String,
        /// Its length.
        octets: usize,
    },
    /// Too many changes at once.
    #[error("{changes} state changes in one call, at most {STATE_CHANGES_MAX} are allowed; split them")]
    TooMany {
        /// How many.
        changes: usize,
    },
    /// A counter has no more numbers.
    #[error("counter {name} has fewer than {count} numbers left")]
    Exhausted {
        /// Its name.
        name: String,
        /// How many were asked for.
        count: u64,
    },
    /// The file system or the engine failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Puts (`Some`) and removes (`None`) state objects, all or none.
pub(crate) fn change(main: &EngineFile, changes: &[(&str, Option<&[u8]>)]) -> Result<(), StateError> {
    if changes.len() > STATE_CHANGES_MAX {
        return Err(StateError::TooMany { changes: changes.len() });
    }
    for (name, contents) in changes {
        check_name(name)?;
        let octets = contents.map_or(0, <[u8]>::len);
        if octets > STATE_OCTETS_MAX {
            return Err(StateError::TooLarge { name: (*name).to_owned(), octets });
        }
    }
    main.write(|transaction| {
        let mut table = transaction.open_table(STATE).at(main.name())?;
        for &(name, contents) in changes {
            match contents {
                Some(contents) => table.insert(name, contents).at(main.name())?,
                None => table.remove(name).at(main.name())?,
            };
        }
        Ok(())
    })
}

pub(crate) fn get(main: &EngineFile, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
    main.read(|transaction| {
        let table = transaction.open_table(STATE)?;
        Ok(table.get(name)?.map(|contents| contents.value().to_vec()))
    })
}

pub(crate) fn list(main: &EngineFile, prefix: &str) -> Result<Vec<String>, StorageError> {
    main.read(|transaction| {
        let mut names = Vec::new();
        for entry in transaction.open_table(STATE)?.range(prefix..)? {
            let (name, _) = entry?;
            if !name.value().starts_with(prefix) {
                break;
            }
            names.push(name.value().to_owned());
        }
        Ok(names)
    })
}

pub(crate) fn reserve(main: &EngineFile, name: &str, count: u64) -> Result<Range<u64>, StateError> {
    check_name(name)?;
    main.write(|transaction| {
        let mut table = transaction.open_table(COUNTERS).at(main.name())?;
        let start = table.get(name).at(main.name())?.map_or(0, |next| next.value());
        let end = start.checked_add(count).ok_or_else(|| StateError::Exhausted { name: name.to_owned(), count })?;
        table.insert(name, end).at(main.name())?;
        Ok(start..end)
    })
}

fn check_name(name: &str) -> Result<(), StateError> {
    if name.is_empty() || name.len() > STATE_NAME_OCTETS_MAX {
        return Err(StateError::Name { octets: name.len() });
    }
    Ok(())
}
