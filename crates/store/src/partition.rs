//! Partitions: one file a day and kind. What is too old goes with its file, so retention costs an unlink.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use redb::WriteTransaction;

use crate::engine::{Directory, EngineFile};
use crate::error::StorageError;
use crate::limits::{OPEN_PARTITIONS_MAX, PARTITION_MS};
use crate::locks::lock;

/// A kind of partitions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// How the file names begin; a dash and the day follow.
    pub(crate) prefix: &'static str,
    /// Makes the tables of a new file.
    pub(crate) fill: fn(&WriteTransaction) -> Result<(), redb::Error>,
}

/// The partitions of one kind.
#[derive(Debug)]
pub(crate) struct Partitions {
    kind: Kind,
    directory: Directory,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    days: BTreeSet<i64>,
    /// Least recently used first.
    open: Vec<(i64, Arc<EngineFile>)>,
}

/// Days since 1970-01-01 (UTC).
pub(crate) const fn day(time_ms: i64) -> i64 {
    time_ms.div_euclid(PARTITION_MS)
}

/// The oldest day of which anything is kept.
pub(crate) const fn oldest_day(now_ms: i64, retention_ms: i64) -> i64 {
    day(now_ms.saturating_sub(retention_ms))
}

impl Partitions {
    pub(crate) fn new(kind: Kind, directory: Directory, names: &[String]) -> Self {
        let day = |name: &String| {
            let day = name.strip_prefix(kind.prefix)?.strip_prefix('-')?.strip_suffix(".redb")?;
            day.parse().ok()
        };
        let days = names.iter().filter_map(day).collect();
        Self { kind, directory, table: Mutex::new(Table { days, open: Vec::new() }) }
    }

    /// The days there are, oldest first.
    pub(crate) fn days(&self) -> Vec<i64> {
        lock(&self.table).days.iter().copied().collect()
    }

    /// A day's file, if there is one.
    pub(crate) fn get(&self, day: i64) -> Result<Option<Arc<EngineFile>>, StorageError> {
        let mut table = lock(&self.table);
        if !table.days.contains(&day) {
            return Ok(None);
        }
        self.open(&mut table, day, false).map(Some)
    }

    /// A day's file, made if there is none.
    pub(crate) fn get_or_create(&self, day: i64) -> Result<Arc<EngineFile>, StorageError> {
        let mut table = lock(&self.table);
        let create = !table.days.contains(&day);
        self.open(&mut table, day, create)
    }

    /// Removes a day's file. Who reads from it can go on.
    pub(crate) fn remove(&self, day: i64) -> Result<(), StorageError> {
        let mut table = lock(&self.table);
        let name = self.name(day);
        match self.directory.files.remove(&name) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(StorageError::io(&name, e)),
            _ => {}
        }
        table.days.remove(&day);
        table.open.retain(|(d, _)| *d != day);
        Ok(())
    }

    fn open(&self, table: &mut Table, day: i64, create: bool) -> Result<Arc<EngineFile>, StorageError> {
        if let Some(at) = table.open.iter().position(|(d, _)| *d == day) {
            let entry = table.open.remove(at);
            let file = Arc::clone(&entry.1);
            table.open.push(entry);
            return Ok(file);
        }
        // One that is in use elsewhere can't be closed here: it would still be open when it is wanted again.
        while table.open.len() >= OPEN_PARTITIONS_MAX {
            let Some(at) = table.open.iter().position(|(_, file)| Arc::strong_count(file) == 1) else { break };
            table.open.remove(at);
        }
        let name = self.name(day);
        let options = self.directory.options(4 * OPEN_PARTITIONS_MAX, false, true);
        let file = if create {
            EngineFile::create(&*self.directory.files, &name, options, self.kind.fill)?
        } else {
            EngineFile::open(&*self.directory.files, &name, options)?
        };
        let file = Arc::new(file);
        table.days.insert(day);
        table.open.push((day, Arc::clone(&file)));
        Ok(file)
    }

    fn name(&self, day: i64) -> String {
        format!("{}-{day}.redb", self.kind.prefix)
    }
}
