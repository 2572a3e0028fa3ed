//! A disk in memory that can lose power, fill up and fail, put under the store through [`Files`], and what else
//! the tests share.
#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use hamsa_store::{
    FileInfo, Files, OpenError, SeriesId, SeriesKind, SeriesMeta, SeriesName, Store, StoreFile, StoreOptions,
};

/// What a disk writes as a whole.
const SECTOR: usize = 512;

pub const DAY_MS: i64 = 86_400_000;
/// 2026-01-01, the start of a window and of a day.
pub const START_MS: i64 = 20_454 * DAY_MS;

/// Small numbers that look random (splitmix64), the same for the same seed.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A disk in memory. What is written is read back at once; what was synced survives [`Disk::cut_power`].
#[derive(Debug, Clone, Default)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Arc<Mutex<Contents>>>,
    /// Removed, but the removal has not reached the disk.
    removed: BTreeMap<String, Arc<Mutex<Contents>>>,
    /// Operations that still succeed, and what the next ones say.
    fault: Option<(u64, io::ErrorKind)>,
    operations: u64,
}

#[derive(Debug, Default)]
struct Contents {
    live: Vec<u8>,
    synced: Vec<u8>,
    /// Sectors that differ from `synced`, by number.
    unsynced: std::collections::BTreeSet<usize>,
}

impl Disk {
    /// After this many more operations that change something, all of them fail in this way.
    pub fn fail_after(&self, operations: u64, kind: io::ErrorKind) {
        self.lock().fault = Some((operations, kind));
    }

    /// No operation fails any more.
    pub fn heal(&self) {
        self.lock().fault = None;
    }

    /// Whether a fault was met.
    pub fn failed(&self) -> bool {
        matches!(self.lock().fault, Some((0, _)))
    }

    /// Operations so far that change something.
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// The disk as it is found after the power was cut now: of each file what was synced, and of what was written since
    /// any sectors and not others. Handles to the old disk don't reach it.
    pub fn cut_power(&self, random: &mut Random) -> Disk {
        let state = self.lock();
        let mut files = BTreeMap::new();
        let undone: Vec<_> = state.removed.iter().filter(|_| random.one_in(2)).collect();
        for (name, contents) in state.files.iter().chain(undone) {
            let contents = contents.lock().expect("test lock");
            let found = contents.after_power_cut(random);
            let found = Contents { live: found.clone(), synced: found, unsynced: Default::default() };
            files.entry(name.clone()).or_insert_with(|| Arc::new(Mutex::new(found)));
        }
        Disk(Arc::new(Mutex::new(State { files, ..State::default() })))
    }

    pub fn open(&self, options: StoreOptions) -> Result<Store, OpenError> {
        Store::open_on(Arc::new(self.clone()), Path::new("disk"), options)
    }

    pub fn names(&self) -> Vec<String> {
        self.lock().files.keys().cloned().collect()
    }

    /// Changes a file's octets in place, as a failing disk might.
    pub fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let file = Arc::clone(&self.lock().files[name]);
        let mut contents = file.lock().expect("test lock");
        change(&mut contents.live);
        contents.synced = contents.live.clone();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("test lock")
    }

    fn operation(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        match &mut state.fault {
            Some((0, kind)) => return Err((*kind).into()),
            Some((left, _)) => *left -= 1,
            None => {}
        }
        state.operations += 1;
        Ok(state)
    }
}

impl Contents {
    fn after_power_cut(&self, random: &mut Random) -> Vec<u8> {
        // Most power cuts spare either nearly all or nearly nothing, some are in between.
        let spared = random.below(5);
        let len = if random.below(4) < spared { self.live.len() } else { self.synced.len() };
        let mut found = self.synced.clone();
        found.resize(len, 0);
        for &sector in &self.unsynced {
            let start = (sector * SECTOR).min(len);
            let end = (start + SECTOR).min(len).min(self.live.len());
            if start < end && random.below(4) < spared {
                found[start..end].copy_from_slice(&self.live[start..end]);
            }
        }
        found
    }
}

impl Files for Disk {
    fn list(&self) -> io::Result<Vec<FileInfo>> {
        let size = |c: &Arc<Mutex<Contents>>| c.lock().expect("test lock").live.len() as u64;
        Ok(self.lock().files.iter().map(|(n, c)| FileInfo { name: n.clone(), size_bytes: size(c) }).collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StoreFile>> {
        let contents = self.lock().files.get(name).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(DiskFile { disk: self.clone(), contents }))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StoreFile>> {
        let mut state = self.operation()?;
        let contents = Arc::<Mutex<Contents>>::default();
        state.files.insert(name.to_owned(), Arc::clone(&contents));
        Ok(Box::new(DiskFile { disk: self.clone(), contents }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.operation()?;
        let contents = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), contents);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.operation()?;
        let contents = state.files.remove(name).ok_or(io::ErrorKind::NotFound)?;
        state.removed.insert(name.to_owned(), contents);
        Ok(())
    }
}

#[derive(Debug)]
struct DiskFile {
    disk: Disk,
    contents: Arc<Mutex<Contents>>,
}

impl DiskFile {
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().expect("test lock")
    }
}

impl StoreFile for DiskFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().live.len() as u64)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let contents = self.lock();
        let start = offset as usize;
        let octets = contents.live.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(octets);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        drop(self.disk.operation()?);
        let mut contents = self.lock();
        let (start, end) = (offset as usize, offset as usize + data.len());
        if contents.live.len() < end {
            contents.live.resize(end, 0);
        }
        contents.live[start..end].copy_from_slice(data);
        contents.unsynced.extend(start / SECTOR..end.div_ceil(SECTOR));
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        drop(self.disk.operation()?);
        let mut contents = self.lock();
        let old = contents.live.len();
        contents.live.resize(len as usize, 0);
        // Cut off and lengthened again, it reads as zeros.
        contents.unsynced.extend((len as usize).min(old) / SECTOR..(len as usize).max(old).div_ceil(SECTOR));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        drop(self.disk.operation()?);
        let mut contents = self.lock();
        let Contents { live, synced, unsynced } = &mut *contents;
        synced.resize(live.len(), 0);
        for &sector in &*unsynced {
            let start = (sector * SECTOR).min(live.len());
            let end = (start + SECTOR).min(live.len());
            synced[start..end].copy_from_slice(&live[start..end]);
        }
        unsynced.clear();
        Ok(())
    }
}

pub fn name(device: usize, index: usize) -> SeriesName {
    SeriesName { device: format!("device{device}"), object: "ifHCInOctets".into(), instance: index.to_string() }
}

pub fn counter64() -> SeriesMeta {
    SeriesMeta {
        kind: SeriesKind::Counter64,
        unit: "octets".into(),
        scale: 0,
        max_per_second: None,
        labels: BTreeMap::new(),
    }
}

/// Registers `series` series of each of `devices` devices.
pub fn register(store: &Store, devices: usize, series: usize) -> Vec<SeriesId> {
    let names = (0..devices).flat_map(|d| (0..series).map(move |s| (name(d, s), counter64())));
    store.register(&names.collect::<Vec<_>>()).expect("register")
}
