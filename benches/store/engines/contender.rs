//! The contenders: two engines, two layouts. Blocks on redb are the store itself; the others are made here with the
//! store's own encoding, as one would if one chose them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fjall::{KeyspaceCreateOptions, PersistMode};
use hamsa_store::encoding::{block::Block, row};
use hamsa_store::{Sample, SeriesId, SeriesKind, SeriesMeta, SeriesName, Store, StoreOptions, limits};
use redb::{ReadableDatabase, TableDefinition};

use crate::workload::{DAY_MS, SERIES, START_MS};

/// Cache of each contender.
const CACHE_BYTES: usize = 64 << 20;

/// An engine with a layout.
pub(crate) trait Contender {
    /// Stores samples; on disk when it returns.
    fn append(&mut self, samples: &[Sample]);

    /// Stores a state object; on disk when it returns.
    fn put_state(&mut self, contents: &[u8]);

    /// Writes blocks and does not sync, as happens on the way of sealing; whether it can be told from appending.
    fn write_blocks(&mut self) -> bool {
        false
    }

    /// Does what is due at this time: sealing, for those that do.
    fn maintain(&mut self, now_ms: i64);

    /// Brings what is only in a journal yet to where it belongs, so that its size can be told.
    fn flush(&self) {}

    /// The samples of a series in a span of time.
    fn range(&self, series: SeriesId, from_ms: i64, to_ms: i64) -> Vec<Sample>;

    /// Removes all days before this one.
    fn expire(&mut self, day: i64);
}

pub(crate) const NAMES: [&str; 4] = ["rows/fjall", "rows/redb", "blocks/fjall", "blocks/redb"];

pub(crate) fn open(name: &str, path: &Path, devices: usize) -> Box<dyn Contender> {
    match name {
        "rows/fjall" => Box::new(RowsFjall { database: fjall_database(path) }),
        "rows/redb" => Box::new(RowsRedb::open(path)),
        "blocks/fjall" => Box::new(BlocksFjall::open(path)),
        "blocks/redb" => Box::new(BlocksRedb::open(path, devices)),
        _ => panic!("no contender {name}"),
    }
}

/// The chosen one.
pub(crate) fn open_store(path: &Path, devices: usize) -> BlocksRedb {
    BlocksRedb::open(path, devices)
}

fn day(time_ms: i64) -> i64 {
    time_ms.div_euclid(DAY_MS)
}

fn window(time_ms: i64) -> i64 {
    time_ms.div_euclid(limits::WINDOW_MS)
}

fn fjall_database(path: &Path) -> fjall::Database {
    fjall::Database::builder(path).cache_size(CACHE_BYTES as u64).open().expect("fjall")
}

fn keyspace(database: &fjall::Database, name: &str) -> fjall::Keyspace {
    database.keyspace(name, KeyspaceCreateOptions::default).expect("keyspace")
}

/// One row a sample, a keyspace a day.
struct RowsFjall {
    database: fjall::Database,
}

fn row_key(series: SeriesId, time_ms: i64) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&series.number().to_be_bytes());
    key[4..].copy_from_slice(&time_ms.to_be_bytes());
    key
}

fn row_sample(series: SeriesId, key: &[u8], value: &[u8]) -> Sample {
    let time_ms = i64::from_be_bytes(key[4..].try_into().expect("8 octets"));
    Sample::counter(series, time_ms, u64::from_be_bytes(value.try_into().expect("8 octets")))
}

impl Contender for RowsFjall {
    fn append(&mut self, samples: &[Sample]) {
        let mut batch = self.database.batch();
        for samples in samples.chunk_by(|a, b| day(a.time_ms) == day(b.time_ms)) {
            let keyspace = keyspace(&self.database, &format!("day-{}", day(samples[0].time_ms)));
            for sample in samples {
                batch.insert(&keyspace, row_key(sample.series, sample.time_ms), sample.value.to_be_bytes());
            }
        }
        batch.commit().expect("commit");
        self.database.persist(PersistMode::SyncData).expect("persist");
    }

    fn put_state(&mut self, contents: &[u8]) {
        put_state_fjall(&self.database, contents);
    }

    fn maintain(&mut self, _now_ms: i64) {}

    fn flush(&self) {
        flush_fjall(&self.database);
    }

    fn range(&self, series: SeriesId, from_ms: i64, to_ms: i64) -> Vec<Sample> {
        let mut found = Vec::new();
        for day in day(from_ms)..=day(to_ms - 1) {
            let name = format!("day-{day}");
            if !self.database.keyspace_exists(&name) {
                continue;
            }
            for entry in keyspace(&self.database, &name).range(row_key(series, from_ms)..row_key(series, to_ms)) {
                let (key, value) = entry.into_inner().expect("entry");
                found.push(row_sample(series, &key, &value));
            }
        }
        found
    }

    fn expire(&mut self, day: i64) {
        expire_fjall(&self.database, day);
    }
}

fn put_state_fjall(database: &fjall::Database, contents: &[u8]) {
    keyspace(database, "state").insert("state", contents).expect("insert");
    database.persist(PersistMode::SyncData).expect("persist");
}

fn flush_fjall(database: &fjall::Database) {
    for name in database.list_keyspace_names() {
        keyspace(database, &name).rotate_memtable_and_wait().expect("flush");
    }
}

fn expire_fjall(database: &fjall::Database, before: i64) {
    for name in database.list_keyspace_names() {
        let day: Option<i64> = name.strip_prefix("day-").and_then(|d| d.parse().ok());
        if day.is_some_and(|day| day < before) {
            let keyspace = keyspace(database, &name);
            database.delete_keyspace(keyspace).expect("delete");
        }
    }
}

const ROWS: TableDefinition<(u32, i64), u64> = TableDefinition::new("rows");
const STATE: TableDefinition<&str, &[u8]> = TableDefinition::new("state");

/// One row a sample, a file a day.
struct RowsRedb {
    path: PathBuf,
    days: BTreeMap<i64, redb::Database>,
}

impl RowsRedb {
    fn open(path: &Path) -> Self {
        let mut new = Self { path: path.to_owned(), days: BTreeMap::new() };
        for entry in std::fs::read_dir(path).expect("list") {
            let name = entry.expect("entry").file_name().into_string().expect("name");
            new.day(name.parse().expect("a day"));
        }
        new
    }

    fn day(&mut self, day: i64) -> &redb::Database {
        let path = self.path.join(day.to_string());
        self.days
            .entry(day)
            .or_insert_with(|| redb::Database::builder().set_cache_size(CACHE_BYTES / 2).create(path).expect("redb"))
    }
}

impl Contender for RowsRedb {
    fn append(&mut self, samples: &[Sample]) {
        for samples in samples.chunk_by(|a, b| day(a.time_ms) == day(b.time_ms)) {
            let transaction = self.day(day(samples[0].time_ms)).begin_write().expect("transaction");
            let mut table = transaction.open_table(ROWS).expect("table");
            for sample in samples {
                table.insert((sample.series.number(), sample.time_ms), sample.value).expect("insert");
            }
            drop(table);
            transaction.commit().expect("commit");
        }
    }

    fn put_state(&mut self, contents: &[u8]) {
        let transaction = self.day(0).begin_write().expect("transaction");
        transaction.open_table(STATE).expect("table").insert("state", contents).expect("insert");
        transaction.commit().expect("commit");
    }

    fn maintain(&mut self, _now_ms: i64) {}

    fn range(&self, series: SeriesId, from_ms: i64, to_ms: i64) -> Vec<Sample> {
        let mut found = Vec::new();
        for (_, database) in self.days.range(day(from_ms)..=day(to_ms - 1)) {
            let table = database.begin_read().expect("read").open_table(ROWS).expect("table");
            let number = series.number();
            for entry in table.range((number, from_ms)..(number, to_ms)).expect("range") {
                let (key, value) = entry.expect("entry");
                found.push(Sample::counter(series, key.value().1, value.value()));
            }
        }
        found
    }

    fn expire(&mut self, day: i64) {
        let kept = self.days.split_off(&day);
        for (day, database) in std::mem::replace(&mut self.days, kept) {
            drop(database);
            std::fs::remove_file(self.path.join(day.to_string())).expect("remove");
        }
    }
}

/// The store's layout with the head in key order, as an LSM tree can bear it: rows by group and number in a keyspace a
/// window, blocks by group and window in a keyspace a day.
struct BlocksFjall {
    database: fjall::Database,
    next_row: u64,
}

impl BlocksFjall {
    fn open(path: &Path) -> Self {
        Self { database: fjall_database(path), next_row: 0 }
    }

    fn heads(&self) -> Vec<i64> {
        let names = self.database.list_keyspace_names();
        let mut windows: Vec<i64> = names.iter().filter_map(|n| n.strip_prefix("head-")?.parse().ok()).collect();
        windows.sort_unstable();
        windows
    }

    fn seal(&self, window: i64) {
        self.write_window(window);
        self.database.persist(PersistMode::SyncData).expect("persist");
        let head = keyspace(&self.database, &format!("head-{window}"));
        self.database.delete_keyspace(head).expect("delete");
    }

    fn write_window(&self, window: i64) {
        let head = keyspace(&self.database, &format!("head-{window}"));
        let mut samples: Vec<Sample> = Vec::new();
        let mut blocks = Vec::new();
        let mut finish = |samples: &mut Vec<Sample>| {
            let Some(first) = samples.first() else { return };
            let group = first.series.group();
            samples.sort_by_key(|s| (s.series, s.time_ms));
            let mut octets = Vec::new();
            hamsa_store::encoding::block::encode(samples, &mut octets);
            blocks.push((block_key(group, window), octets));
            samples.clear();
        };
        for entry in head.iter() {
            let (_, octets) = entry.into_inner().expect("entry");
            let row = row::Row::parse(&octets).expect("row");
            if samples.first().is_some_and(|s| s.series.group() != row.group()) {
                finish(&mut samples);
            }
            samples.extend(row.map(|s| s.expect("sample")));
        }
        finish(&mut samples);
        let day = keyspace(&self.database, &format!("day-{}", window * limits::WINDOW_MS / DAY_MS));
        for blocks in blocks.chunks(128) {
            let mut batch = self.database.batch();
            for (key, octets) in blocks {
                batch.insert(&day, *key, octets.as_slice());
            }
            batch.commit().expect("commit");
        }
    }
}

fn block_key(group: u32, window: i64) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&group.to_be_bytes());
    key[4..].copy_from_slice(&window.to_be_bytes());
    key
}

impl Contender for BlocksFjall {
    fn append(&mut self, samples: &[Sample]) {
        let mut batch = self.database.batch();
        for samples in
            samples.chunk_by(|a, b| (a.series.group(), window(a.time_ms)) == (b.series.group(), window(b.time_ms)))
        {
            let group = samples[0].series.group();
            let head = keyspace(&self.database, &format!("head-{}", window(samples[0].time_ms)));
            let mut octets = Vec::new();
            row::encode(group, samples, &mut octets);
            batch.insert(&head, block_key(group, self.next_row as i64), octets);
            self.next_row += 1;
        }
        batch.commit().expect("commit");
        self.database.persist(PersistMode::SyncData).expect("persist");
    }

    fn put_state(&mut self, contents: &[u8]) {
        put_state_fjall(&self.database, contents);
    }

    fn write_blocks(&mut self) -> bool {
        // Made and synced before: only the blocks are to be in the air.
        keyspace(&self.database, &format!("day-{}", START_MS / DAY_MS));
        self.heads().into_iter().for_each(|head| self.write_window(head));
        true
    }

    fn maintain(&mut self, now_ms: i64) {
        for head in self.heads().into_iter().filter(|&head| head < window(now_ms)) {
            self.seal(head);
        }
    }

    fn flush(&self) {
        flush_fjall(&self.database);
    }

    fn range(&self, series: SeriesId, from_ms: i64, to_ms: i64) -> Vec<Sample> {
        let mut found = Vec::new();
        let group = series.group();
        for day in day(from_ms)..=day(to_ms - 1) {
            let name = format!("day-{day}");
            if !self.database.keyspace_exists(&name) {
                continue;
            }
            let keys = block_key(group, window(from_ms))..=block_key(group, window(to_ms - 1));
            for entry in keyspace(&self.database, &name).range(keys) {
                let block = entry.value().expect("entry");
                Block::parse(&block).expect("block").read(series, &mut found).expect("block");
            }
        }
        for head in self.heads() {
            let head = keyspace(&self.database, &format!("head-{head}"));
            for entry in head.prefix(group.to_be_bytes()) {
                let octets = entry.value().expect("entry");
                let row = row::Row::parse(&octets).expect("row");
                found.extend(row.map(|s| s.expect("sample")).filter(|s| s.series == series));
            }
        }
        found.retain(|s| (from_ms..to_ms).contains(&s.time_ms));
        found.sort_by_key(|s| s.time_ms);
        found
    }

    fn expire(&mut self, day: i64) {
        expire_fjall(&self.database, day);
    }
}

/// The store itself.
pub(crate) struct BlocksRedb {
    store: Store,
}

impl BlocksRedb {
    fn open(path: &Path, devices: usize) -> Self {
        let retention = std::time::Duration::from_secs(86_400 * 400);
        let options = StoreOptions { sample_retention: retention, cache_bytes: CACHE_BYTES, ..StoreOptions::default() };
        let store = Store::open(path, options).expect("store");
        let meta = SeriesMeta {
            kind: SeriesKind::Counter64,
            unit: "octets".into(),
            scale: 0,
            max_per_second: None,
            labels: BTreeMap::new(),
        };
        // In batches, as a node does that starts with many devices. Each device gets a group, as the workload has it.
        for devices in (0..devices).collect::<Vec<_>>().chunks(500) {
            let names: Vec<_> = devices
                .iter()
                .flat_map(|device| (0..SERIES).map(move |slot| (device, slot)))
                .map(|(device, slot)| {
                    let object = format!("object{}", slot % 8);
                    let name =
                        SeriesName { device: format!("device{device:06}"), object, instance: (slot / 8).to_string() };
                    (name, meta.clone())
                })
                .collect();
            store.register(&names).expect("register");
        }
        Self { store }
    }
}

impl BlocksRedb {
    /// One step of what is due.
    pub(crate) fn maintain_once(&mut self, now_ms: i64) {
        self.store.maintain(now_ms).expect("maintain");
    }
}

impl Contender for BlocksRedb {
    fn append(&mut self, samples: &[Sample]) {
        let now_ms = samples[0].time_ms;
        let ack = self.store.append(samples, now_ms).expect("append");
        assert_eq!(ack.accepted, samples.len());
    }

    fn put_state(&mut self, contents: &[u8]) {
        self.store.put_state("state", contents).expect("state");
    }

    fn maintain(&mut self, now_ms: i64) {
        while self.store.maintain(now_ms).expect("maintain") {}
    }

    fn range(&self, series: SeriesId, from_ms: i64, to_ms: i64) -> Vec<Sample> {
        self.store.range(series, from_ms, to_ms).expect("range").collect::<Result<_, _>>().expect("range")
    }

    fn expire(&mut self, day: i64) {
        let now_ms = day * DAY_MS + 400 * DAY_MS;
        while self.store.expire(now_ms).expect("expire") {}
    }
}
