//! Power cuts and failing disks, put under the store through its own boundary: what was acknowledged is there
//! afterwards, what was not is there as a whole or not at all, and no number is given out twice.
//!
//! Each message tells the seed. `POWER_SEEDS=5..6 cargo test -p hamsa-store --test power` runs that one alone, and
//! `POWER_SEEDS=0..10000` many more than the few that run by default.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Write};
use std::time::Duration;

use hamsa_store::{EventQuery, NewEvent, OpenError, Sample, SeriesId, StorageError, Store, StoreOptions, limits};
use support::{DAY_MS, Disk, Random, START_MS, counter64, name, register};

const RETENTION: Duration = Duration::from_secs(2 * 24 * 3600);

fn options() -> StoreOptions {
    StoreOptions { sample_retention: RETENTION, event_retention: RETENTION, ..StoreOptions::default() }
}

/// What was asked of the store, and how far it answered.
#[derive(Default)]
struct History {
    now_ms: i64,
    series: Vec<SeriesId>,
    samples: BTreeMap<(SeriesId, i64), Sample>,
    /// The call that was cut short: its samples may all be there or none.
    open_call: Vec<Sample>,
    states: BTreeMap<String, Vec<u8>>,
    open_states: Vec<(String, Vec<u8>)>,
    reserved: BTreeSet<u64>,
    events: BTreeMap<u64, i64>,
    calls: u64,
}

impl History {
    /// Asks for things until one fails.
    fn go_on(&mut self, store: &Store, random: &mut Random, calls: usize) -> Result<(), String> {
        for _ in 0..calls {
            self.calls += 1;
            self.now_ms += random.below(limits::WINDOW_MS as u64 / 3) as i64;
            match random.below(12) {
                0 => {
                    let names: Vec<_> = (0..3).map(|_| random.below(400)).collect();
                    let names = names.iter().map(|n| (name(*n as usize / 40, *n as usize % 40), counter64()));
                    let ids = store.register(&names.collect::<Vec<_>>()).map_err(|e| e.to_string())?;
                    self.series.extend(ids);
                    self.series.sort_unstable();
                    self.series.dedup();
                }
                1 => {
                    // Some of many pages, that don't compress.
                    let octets = if random.one_in(2) { 8 } else { random.below(60_000) };
                    let contents: Vec<u8> = (0..octets).map(|_| random.next() as u8).collect();
                    let changes = ["a", "b"].map(|name| (name.to_owned(), contents.clone()));
                    self.open_states = changes.to_vec();
                    let borrowed: Vec<_> = changes.iter().map(|(n, v)| (n.as_str(), Some(v.as_slice()))).collect();
                    store.change_states(&borrowed).map_err(|e| e.to_string())?;
                    self.states.extend(self.open_states.drain(..));
                }
                2 => {
                    let numbers = store.reserve("salt", 1 + random.below(5)).map_err(|e| e.to_string())?;
                    for number in numbers {
                        assert!(self.reserved.insert(number), "{number} was given out twice");
                    }
                }
                3 => {
                    let payload = self.calls.to_be_bytes();
                    let event = NewEvent { time_ms: self.now_ms, kind: "trap", device: "device1", payload: &payload };
                    let id = store.append_event(event, self.now_ms).map_err(|e| e.to_string())?;
                    assert!(self.events.insert(id.0, self.now_ms).is_none(), "{id:?} was given out twice");
                }
                4 => drop(store.expire(self.now_ms).map_err(|e| e.to_string())?),
                5..8 => drop(store.maintain(self.now_ms).map_err(|e| e.to_string())?),
                _ => {
                    let samples = (0..200).map(|_| {
                        let series = self.series[random.below(self.series.len() as u64) as usize];
                        Sample::counter(series, self.now_ms - random.below(7_200_000) as i64, random.next() >> 20)
                    });
                    self.open_call = samples.collect();
                    store.append(&self.open_call, self.now_ms).map_err(|e| e.to_string())?;
                    for sample in self.open_call.drain(..) {
                        self.samples.entry((sample.series, sample.time_ms)).or_insert(sample);
                    }
                }
            }
        }
        Ok(())
    }

    /// Compares the store with what was answered, and settles what was open.
    fn check(&mut self, store: &Store) {
        let oldest_ms = (self.now_ms - RETENTION.as_millis() as i64).div_euclid(DAY_MS) * DAY_MS;
        self.samples.retain(|(_, time_ms), _| *time_ms >= oldest_ms);
        self.events.retain(|_, time_ms| *time_ms >= oldest_ms);
        let mut found = BTreeMap::new();
        for &series in &self.series {
            for sample in store.range(series, oldest_ms, i64::MAX).expect("range") {
                let sample = sample.expect("range");
                found.insert((series, sample.time_ms), sample);
            }
        }
        let mut with_open = self.samples.clone();
        for sample in self.open_call.drain(..).filter(|s| s.time_ms >= oldest_ms) {
            with_open.entry((sample.series, sample.time_ms)).or_insert(sample);
        }
        assert!(
            found == self.samples || found == with_open,
            "acknowledged samples are missing, or half a call is there"
        );
        self.samples = found;

        let state = |name: &str| store.get_state(name).expect("state");
        if self.states.iter().any(|(name, contents)| state(name).as_ref() != Some(contents)) {
            for (name, contents) in &self.open_states {
                assert_eq!(state(name).as_ref(), Some(contents), "half a call is there");
            }
            self.states.extend(self.open_states.drain(..));
        }
        self.open_states.clear();

        let query = EventQuery { from_ms: oldest_ms, limit: limits::EVENT_PAGE_MAX, ..EventQuery::default() };
        let events = store.events(&query).expect("events").events;
        let ids: BTreeSet<_> = events.iter().map(|e| e.id.0).collect();
        assert_eq!(ids.len(), events.len());
        assert!(self.events.keys().all(|id| ids.contains(id)), "acknowledged events are missing");
        self.events.extend(events.iter().map(|e| (e.id.0, e.time_ms)));
    }
}

fn run(seed: u64, kind: ErrorKind, power_cut: bool) {
    let _told = Told(seed);
    let mut random = Random(seed);
    let mut disk = Disk::default();
    let store = disk.open(options()).expect("open");
    let mut history = History { now_ms: START_MS, series: register(&store, 4, 40), ..History::default() };
    drop(store);
    let mut cuts = 0;
    while cuts < 6 {
        // Sometimes while opening, mostly while working.
        let operations = if random.one_in(4) { random.below(10) } else { random.below(600) };
        disk.fail_after(operations, kind);
        match disk.open(options()) {
            Ok(store) => {
                let calls = 5 + random.below(60) as usize;
                let result = history.go_on(&store, &mut random, calls);
                assert!(result.is_ok() || disk.failed(), "{result:?} without a fault");
            }
            Err(e) => assert!(disk.failed(), "{e} without a fault"),
        }
        cuts += 1;
        if power_cut {
            disk = disk.cut_power(&mut random);
        } else {
            disk.heal();
        }
        let store = disk.open(options()).unwrap_or_else(|e| panic!("seed {seed}, cut {cuts}: {e}"));
        history.check(&store);
        if random.one_in(2) {
            history.go_on(&store, &mut random, 20).expect("no fault");
            history.check(&store);
        }
    }
    assert!(history.calls > 0);
    // In the end everything can be sealed and read from blocks.
    let store = disk.open(options()).expect("open");
    history.now_ms += limits::WINDOW_MS;
    for _ in 0..4 {
        while store.maintain(history.now_ms).expect("maintain") {}
    }
    assert_eq!(store.stats().expect("stats").head_samples, 0);
    history.check(&store);
}

/// Tells the seed when a test fails.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "this was seed {}", self.0);
        }
    }
}

fn run_all(default: std::ops::Range<u64>, kind: ErrorKind, power_cut: bool) {
    let seeds = match std::env::var("POWER_SEEDS") {
        Ok(chosen) => {
            let (from, to) = chosen.split_once("..").expect("POWER_SEEDS is like 0..100");
            from.parse().expect("a number")..to.parse().expect("a number")
        }
        Err(_) => default,
    };
    for seed in seeds {
        run(seed, kind, power_cut);
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_is_cut() {
    run_all(0..12, ErrorKind::Other, true);
}

#[test]
fn nothing_acknowledged_is_lost_when_the_disk_is_full() {
    run_all(100..106, ErrorKind::StorageFull, false);
}

#[test]
fn a_full_disk_is_called_that() {
    let disk = Disk::default();
    let store = disk.open(options()).expect("open");
    let series = register(&store, 1, 1)[0];
    disk.fail_after(0, ErrorKind::StorageFull);
    let sample = Sample::counter(series, START_MS, 1);
    let error = store.append(&[sample], START_MS).expect_err("full");
    assert!(matches!(error, hamsa_store::AppendError::Storage(StorageError::Full { .. })), "{error:?}");
    assert!(matches!(store.put_state("a", b""), Err(hamsa_store::StateError::Storage(_))));
    drop(store);
    assert!(matches!(disk.open(options()), Err(OpenError::Storage { source: StorageError::Full { .. }, .. })));
    disk.heal();
    let store = disk.open(options()).expect("open");
    store.append(&[sample], START_MS).expect("append");
    assert_eq!(store.latest(series).expect("latest"), Some(sample));
}

/// A store with samples in blocks and in rows, closed properly.
fn closed_store(random: &mut Random) -> (Disk, Vec<SeriesId>, Vec<Sample>) {
    let disk = Disk::default();
    let store = disk.open(options()).expect("open");
    let series = register(&store, 8, 40);
    let mut all = Vec::new();
    for minute in [0, 1, 2, 120] {
        let now_ms = START_MS + minute * 60_000;
        while store.maintain(now_ms).expect("maintain") {}
        let samples: Vec<_> = series.iter().map(|&s| Sample::counter(s, now_ms, random.next())).collect();
        store.append(&samples, now_ms).expect("append");
        all.extend(samples);
    }
    store.put_state("a", &[7; 5_000]).expect("state");
    let event = NewEvent { time_ms: START_MS, kind: "k", device: "d", payload: &[7; 5_000] };
    store.append_event(event, START_MS).expect("event");
    (disk, series, all)
}

/// Spoils a file in a way that disks do: a bit, or a page.
fn spoil(disk: &Disk, prefix: &str, random: &mut Random) -> String {
    let name = disk.names().into_iter().find(|n| n.starts_with(prefix)).expect("such a file");
    disk.damage(&name, |octets| {
        let used: Vec<_> = (0..octets.len()).filter(|i| octets[*i] != 0).collect();
        let at = used[random.below(used.len() as u64) as usize];
        if random.one_in(2) {
            octets[at] ^= 1 << random.below(8);
        } else {
            let page = at / 4096 * 4096;
            octets[page..page + 4096].fill_with(|| random.next() as u8);
        }
    });
    name
}

#[test]
fn a_damaged_main_file_or_head_is_reported() {
    for seed in 0..80 {
        let _told = Told(seed);
        let mut random = Random(seed);
        let (disk, series, all) = closed_store(&mut random);
        let name = spoil(&disk, ["main", "head"][seed as usize % 2], &mut random);
        match disk.open(options()) {
            Ok(store) => {
                // It hit what nobody needs, or the copy of the header that is not in use.
                assert_eq!(store.series_of("device0").expect("registry").len(), 40);
                assert_eq!(store.latest(series[3]).expect("latest"), Some(all[3 * series.len() + 3]));
                assert_eq!(store.get_state("a").expect("state"), Some(vec![7; 5_000]));
            }
            Err(OpenError::Storage { source: StorageError::Damaged { file, .. }, .. }) => assert_eq!(file, name),
            Err(OpenError::NotAStore { .. }) => assert_eq!(name, "main.redb"),
            Err(e) => panic!("{e}"),
        }
    }
}

/// Partitions are not verified as a whole. What is wrong in them is found when it is read: it may be an error or be
/// missing, but a value that is given is true, and the rest of the store works on.
#[test]
fn a_damaged_partition_gives_errors_and_no_wrong_values() {
    let mut errors = 0;
    for seed in 0..80 {
        let _told = Told(seed);
        let mut random = Random(seed);
        let (disk, series, all) = closed_store(&mut random);
        let name = spoil(&disk, ["samples", "events"][seed as usize % 2], &mut random);
        let store = disk.open(options()).expect("open");
        let is_of_file = |e: StorageError| match e {
            StorageError::Damaged { file, .. } | StorageError::Closed { file } => assert_eq!(file, name),
            e => panic!("{e}"),
        };
        for &series in &series {
            let samples = store.range(series, 0, i64::MAX).expect("rows");
            for sample in samples {
                match sample {
                    Ok(sample) => assert!(all.contains(&sample)),
                    Err(e) => {
                        errors += 1;
                        is_of_file(e);
                    }
                }
            }
        }
        let _ = store.events(&EventQuery::default()).map_err(is_of_file);
        let (next_ms, state) = (START_MS + DAY_MS, store.get_state("a").expect("state"));
        assert_eq!(state, Some(vec![7; 5_000]));
        store.append(&[Sample::counter(series[0], next_ms, 1)], next_ms).expect("append");
        assert_eq!(store.range(series[0], next_ms, i64::MAX).expect("range").count(), 1);
    }
    assert!(errors > 0, "nothing was damaged");
}
