//! redb over [`Files`]: how the store's files are made and opened, and what tables are in them.
//!
//! What the tables hold is said where it is written: `registry`, `state`, `event`, `head`, `seal`.

use std::io::{self, ErrorKind};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use redb::{Database, ReadTransaction, ReadableDatabase, StorageBackend, TableDefinition, WriteTransaction};

use crate::encoding::Malformed;
use crate::error::{At, StorageError};
use crate::files::{Files, StoreFile};

/// The file with the registry, the state objects and the numbers given out. A directory with it is a store.
pub(crate) const MAIN: &str = "main.redb";

/// Version of everything on disk, see [`META`].
pub(crate) const FORMAT: u64 = 1;

/// Main: `format`, and the next unused numbers.
pub(crate) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// Main: group to its device and how many of its slots are given out.
pub(crate) const GROUPS: TableDefinition<u32, (&str, u8)> = TableDefinition::new("groups");
/// Main: device to its newest group.
pub(crate) const DEVICES: TableDefinition<&str, u32> = TableDefinition::new("devices");
/// Main: device, object, instance to series.
pub(crate) const NAMES: TableDefinition<(&str, &str, &str), u32> = TableDefinition::new("names");
/// Main: series to its description in JSON.
pub(crate) const SERIES: TableDefinition<u32, &[u8]> = TableDefinition::new("series");
/// Main: name to contents.
pub(crate) const STATE: TableDefinition<&str, &[u8]> = TableDefinition::new("state");
/// Main: name to the next number to give out.
pub(crate) const COUNTERS: TableDefinition<&str, u64> = TableDefinition::new("counters");
/// Main: day to the samples and octets sealed in it.
pub(crate) const TOTALS: TableDefinition<i64, (u64, u64)> = TableDefinition::new("totals");

/// Head: row number to row.
pub(crate) const ROWS: TableDefinition<u32, &[u8]> = TableDefinition::new("rows");
/// Head: `window`, the window of time in which it was made.
pub(crate) const HEAD: TableDefinition<&str, i64> = TableDefinition::new("head");

/// Sample partition: piece of a block, see `seal`.
pub(crate) const PIECES: TableDefinition<&[u8; 16], &[u8]> = TableDefinition::new("pieces");
/// Sample partition: generation to its first window, last window, samples and octets.
pub(crate) const GENERATIONS: TableDefinition<u32, (u32, u32, u64, u64)> = TableDefinition::new("generations");

/// Event partition: time and identifier to kind, device and payload.
pub(crate) const EVENTS: TableDefinition<(i64, u64), (&str, &str, &[u8])> = TableDefinition::new("events");

/// How a file is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineOptions {
    /// Most memory for its pages.
    pub(crate) cache_bytes: usize,
    /// Read it whole and verify its checksums when it is opened.
    pub(crate) verify: bool,
    /// Save with each commit what makes opening after a crash instant. Costs a second sync; worth it in a large
    /// file that is seldom written.
    pub(crate) quick_repair: bool,
}

/// One file of the engine.
#[derive(Debug)]
pub(crate) struct EngineFile {
    name: String,
    database: Database,
    quick_repair: bool,
}

impl EngineFile {
    /// Makes a file with what `fill` puts into it: after a crash it is there as a whole or not at all.
    pub(crate) fn create(
        files: &dyn Files,
        name: &str,
        options: EngineOptions,
        fill: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<Self, StorageError> {
        let new = format!("{name}.new");
        let file = files.create(&new).map_err(|e| StorageError::io(&new, e))?;
        let database = options.builder().create_with_backend(Backend(file)).at(name)?;
        let created = Self { name: name.to_owned(), database, quick_repair: options.quick_repair };
        created.write(|transaction| fill(transaction).at(name))?;
        files.rename(&new, name).map_err(|e| StorageError::io(name, e))?;
        Ok(created)
    }

    /// Opens a file that exists.
    pub(crate) fn open(files: &dyn Files, name: &str, options: EngineOptions) -> Result<Self, StorageError> {
        let file = files.open(name).map_err(|e| StorageError::io(name, e))?;
        // An empty file would be taken for a new one.
        if file.is_empty().map_err(|e| StorageError::io(name, e))? {
            return Err(StorageError::damaged(name, "it is empty"));
        }
        let mut builder = options.builder();
        builder.set_check_integrity_on_open(options.verify);
        let database = contain(name, || match builder.create_with_backend(Backend(file)) {
            Err(redb::DatabaseError::Storage(redb::StorageError::Io(e))) if e.kind() == ErrorKind::InvalidData => {
                Err(StorageError::damaged(name, e))
            }
            other => other.at(name),
        })?;
        Ok(Self { name: name.to_owned(), database, quick_repair: options.quick_repair })
    }

    /// The file's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Looks at the file as it is now.
    pub(crate) fn read<T>(
        &self,
        look: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StorageError> {
        contain(&self.name, || {
            let transaction = self.database.begin_read().at(&self.name)?;
            look(&transaction).at(&self.name)
        })
    }

    /// Changes the file: all of what `change` does or, when it fails, nothing. On disk when this returns.
    pub(crate) fn write<T, E: From<StorageError>>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<T, E>,
    ) -> Result<T, E> {
        contain(&self.name, || {
            let mut transaction = self.database.begin_write().at(&self.name)?;
            transaction.set_quick_repair(self.quick_repair);
            let result = change(&transaction)?;
            transaction.commit().at(&self.name)?;
            Ok(result)
        })
    }
}

/// Runs what uses the engine. The engine verifies a file's checksums after a crash, and on opening if asked to, but
/// doesn't when it reads a page: one that a disk has spoilt makes it panic, which must not end more than this call.
/// What the call leaves half done is thrown away: `run` only reads, or changes the file in a transaction.
fn contain<T, E: From<StorageError>>(file: &str, run: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let result = std::panic::catch_unwind(AssertUnwindSafe(run));
    result.unwrap_or_else(|_| Err(StorageError::damaged(file, "the engine can't read it").into()))
}

impl From<Malformed> for redb::Error {
    fn from(malformed: Malformed) -> Self {
        Self::Corrupted(malformed.to_string())
    }
}

impl EngineOptions {
    fn builder(self) -> redb::Builder {
        let mut builder = Database::builder();
        builder.set_cache_size(self.cache_bytes);
        builder
    }
}

/// The files of a store, with the parts of its cache.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    pub(crate) files: Arc<dyn Files>,
    pub(crate) cache_bytes: usize,
}

impl Directory {
    /// For a file that should take `1 / part` of the cache.
    pub(crate) fn options(&self, part: usize, verify: bool, quick_repair: bool) -> EngineOptions {
        EngineOptions { cache_bytes: self.cache_bytes / part, verify, quick_repair }
    }
}

/// A [`StoreFile`] as the engine wants it. It has no locks of its own: the directory is locked as a whole.
#[derive(Debug)]
struct Backend(Box<dyn StoreFile>);

impl StorageBackend for Backend {
    fn len(&self) -> Result<u64, io::Error> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.0.read_at(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.0.write_at(offset, data)
    }
}
