//! Opening, the registry, events and state: what a caller sees.

mod support;

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use hamsa_store::{
    AppendError, DiskFiles, EventError, EventQuery, NewEvent, OpenError, RegisterError, Sample, SeriesId, SeriesKind,
    StateError, Store, StoreOptions, limits,
};
use support::{DAY_MS, Disk, START_MS, counter64, name, register};

fn open() -> Store {
    Disk::default().open(StoreOptions::default()).expect("open")
}

#[test]
fn a_store_is_locked_against_a_second_opener() {
    let directory = tempfile::tempdir().expect("directory");
    let store = Store::open(directory.path(), StoreOptions::default()).expect("open");
    let second = Store::open(directory.path(), StoreOptions::default());
    assert!(matches!(second, Err(OpenError::Locked { path }) if path == directory.path()));
    drop(store);
    Store::open(directory.path(), StoreOptions::default()).expect("open");
}

#[test]
fn what_is_no_store_is_left_alone() {
    let directory = tempfile::tempdir().expect("directory");
    let file = directory.path().join("notes.txt");
    std::fs::write(&file, "mine").expect("write");
    for path in [directory.path(), &file] {
        assert!(matches!(Store::open(path, StoreOptions::default()), Err(OpenError::NotAStore { .. })));
    }
    let names: Vec<_> =
        std::fs::read_dir(directory.path()).expect("list").map(|e| e.expect("entry").file_name()).collect();
    assert_eq!(names, ["notes.txt"]);

    let other = directory.path().join("other");
    std::fs::create_dir(&other).expect("directory");
    drop(redb::Database::create(other.join("main.redb")).expect("database"));
    assert!(matches!(Store::open(&other, StoreOptions::default()), Err(OpenError::NotAStore { .. })));
    std::fs::write(other.join("main.redb"), [7; 10_000]).expect("write");
    let error = Store::open(&other, StoreOptions::default()).expect_err("garbage");
    assert!(error.to_string().contains("main.redb is damaged"), "{error}");
    std::fs::write(other.join("main.redb"), []).expect("write");
    assert!(Store::open(&other, StoreOptions::default()).expect_err("empty").to_string().contains("is damaged"));
}

#[test]
fn a_store_of_a_newer_program_is_refused() {
    let directory = tempfile::tempdir().expect("directory");
    drop(Store::open(directory.path(), StoreOptions::default()).expect("open"));
    let database = redb::Database::open(directory.path().join("main.redb")).expect("database");
    let transaction = database.begin_write().expect("transaction");
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    transaction.open_table(meta).expect("table").insert("format", 2).expect("insert");
    transaction.commit().expect("commit");
    drop(database);
    let error = Store::open(directory.path(), StoreOptions::default()).expect_err("newer");
    assert!(matches!(error, OpenError::NewerFormat { found: 2, supported: 1, .. }), "{error}");
}

#[test]
fn a_directory_that_may_not_be_used_is_named() {
    // Below a file nothing can be made, whoever asks.
    let directory = tempfile::tempdir().expect("directory");
    let file = directory.path().join("file");
    std::fs::write(&file, "").expect("write");
    let error = Store::open(&file.join("store"), StoreOptions::default()).expect_err("below a file");
    assert!(error.to_string().contains("file/store"), "{error}");

    // A disk that says no, as it does to anybody but root.
    let disk = Disk::default();
    disk.fail_after(0, ErrorKind::PermissionDenied);
    let error = disk.open(StoreOptions::default()).expect_err("no permission");
    assert!(matches!(error, OpenError::Permission { .. }), "{error}");

    let locked = directory.path().join("locked");
    std::fs::create_dir(&locked).expect("directory");
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o500)).expect("chmod");
    match DiskFiles::open(&locked) {
        Err(OpenError::Permission { path, .. }) => assert_eq!(path, locked),
        Err(e) => panic!("{e}"),
        // Root may do anything; then it is a proper empty store directory.
        Ok(files) => drop(Store::open_on(Arc::new(files), &locked, StoreOptions::default()).expect("open")),
    }
}

#[test]
fn options_out_of_bounds_are_named() {
    let wrong = [
        (StoreOptions { sample_retention: Duration::ZERO, ..StoreOptions::default() }, "sample_retention"),
        (StoreOptions { event_retention: Duration::MAX, ..StoreOptions::default() }, "event_retention"),
        (StoreOptions { cache_bytes: 4096, ..StoreOptions::default() }, "cache_bytes"),
    ];
    for (options, wanted) in wrong {
        let error = Store::open_on(Arc::new(Disk::default()), Path::new("x"), options).expect_err("options");
        assert!(matches!(error, OpenError::Option { option, .. } if option == wanted), "{error}");
    }
}

#[test]
fn half_made_files_of_a_crash_go_away() {
    let directory = tempfile::tempdir().expect("directory");
    drop(Store::open(directory.path(), StoreOptions::default()).expect("open"));
    for name in ["head-7.redb.new", "samples-20000.redb.new"] {
        std::fs::write(directory.path().join(name), [0; 100]).expect("write");
    }
    drop(Store::open(directory.path(), StoreOptions::default()).expect("open"));
    let names: Vec<_> =
        std::fs::read_dir(directory.path()).expect("list").map(|e| e.expect("entry").file_name()).collect();
    assert!(names.iter().all(|n| !n.to_string_lossy().ends_with(".new")), "{names:?}");
}

#[test]
fn series_keep_their_numbers_and_take_new_meaning() {
    let disk = Disk::default();
    let store = disk.open(StoreOptions::default()).expect("open");
    // More than fit one group, registered by turns.
    let mut numbers = Vec::new();
    for index in 0..150 {
        for device in 0..2 {
            let ids = store.register(&[(name(device, index), counter64())]).expect("register");
            numbers.push((name(device, index), ids[0]));
        }
    }
    let unique: std::collections::BTreeSet<_> = numbers.iter().map(|(_, id)| *id).collect();
    assert_eq!(unique.len(), 300);
    for (name, id) in &numbers {
        let other = numbers.iter().filter(|(n, i)| n.device != name.device && i.group() == id.group()).count();
        assert_eq!(other, 0, "a group has series of two devices");
    }
    drop(store);

    let store = disk.open(StoreOptions::default()).expect("reopen");
    for (name, id) in &numbers {
        assert_eq!(store.lookup(name).expect("lookup").expect("there").id, *id);
    }
    let mut meta = counter64();
    meta.kind = SeriesKind::Gauge;
    meta.scale = -3;
    meta.labels.insert("ifName".into(), "eth0".into());
    let (changed, id) = &numbers[17];
    assert_eq!(store.register(&[(changed.clone(), meta.clone())]).expect("register"), [*id]);
    assert_eq!(store.series(*id).expect("series").expect("there").meta, meta);
    assert_eq!(store.devices().expect("devices"), ["device0", "device1"]);
    let of_device = store.series_of("device1").expect("series");
    assert_eq!(of_device.len(), 150);
    assert!(of_device.iter().all(|s| s.name.device == "device1"));
    assert!(of_device.is_sorted_by(|a, b| a.name < b.name));
    assert_eq!(store.series_of("device").expect("series"), []);
    assert_eq!(store.stats().expect("stats").series, 300);
    assert_eq!(store.lookup(&name(9, 9)).expect("lookup"), None);
}

#[test]
fn forgotten_series_get_new_numbers() {
    let store = open();
    let series = register(&store, 2, 3);
    store.append(&[Sample::counter(series[0], START_MS, 1)], START_MS).expect("append");
    store.forget(&series[..3]).expect("forget");
    assert_eq!(store.devices().expect("devices"), ["device1"]);
    assert_eq!(store.series_of("device0").expect("series"), []);
    assert_eq!(store.series(series[0]).expect("series"), None);
    assert_eq!(store.stats().expect("stats").series, 3);
    let again = register(&store, 2, 3);
    assert_eq!(again[3..], series[3..]);
    assert!(again[..3].iter().all(|id| !series.contains(id)));
    assert_eq!(store.latest(again[0]).expect("latest"), None);
    store.forget(&series[..3]).expect("nothing left to forget");
    assert_eq!(store.stats().expect("stats").series, 6);
}

#[test]
fn names_that_can_not_be_are_refused() {
    let store = open();
    let good = (name(0, 0), counter64());
    type Change = fn(&mut (hamsa_store::SeriesName, hamsa_store::SeriesMeta));
    let changes: [Change; 5] = [
        |(name, _)| name.device.clear(),
        |(name, _)| name.object.clear(),
        |(name, _)| name.instance = "9.".repeat(limits::NAME_OCTETS_MAX),
        |(_, meta)| meta.unit = "x".repeat(limits::NAME_OCTETS_MAX + 1),
        |(_, meta)| drop(meta.labels.insert(String::new(), "x".into())),
    ];
    for change in changes {
        let mut bad = good.clone();
        change(&mut bad);
        let error = store.register(&[good.clone(), bad]).expect_err("bad name");
        assert!(matches!(error, RegisterError::Name { .. }), "{error}");
    }
    let mut bad = good.clone();
    bad.1.labels = (0..=limits::LABELS_MAX).map(|i| (i.to_string(), String::new())).collect();
    assert!(matches!(store.register(&[bad]), Err(RegisterError::Labels { .. })));
    // Nothing of those calls is there.
    assert_eq!(store.devices().expect("devices"), Vec::<String>::new());
    // Characters that separate elsewhere mean nothing here.
    let mut odd = good;
    odd.0.device = "a\0b/c:\u{1f9a2}".into();
    odd.0.instance = String::new();
    store.register(&[odd.clone()]).expect("register");
    assert_eq!(store.lookup(&odd.0).expect("lookup").expect("there").name, odd.0);
}

#[test]
fn what_was_never_registered_is_refused() {
    let store = open();
    let series = register(&store, 1, 2);
    for number in [series[1].number() + 1, 64, u32::MAX] {
        let samples = [series[0], SeriesId::from_number(number)].map(|s| Sample::counter(s, START_MS, 1));
        let error = store.append(&samples, START_MS).expect_err("unknown");
        assert!(matches!(error, AppendError::UnknownSeries(s) if s.number() == number), "{error}");
        assert_eq!(store.range(SeriesId::from_number(number), 0, i64::MAX).expect("range").count(), 0);
    }
    assert_eq!(store.latest(series[0]).expect("latest"), None, "nothing of those calls is there");
    let many = vec![Sample::counter(series[0], START_MS, 1); limits::APPEND_SAMPLES_MAX + 1];
    assert!(matches!(store.append(&many, START_MS), Err(AppendError::TooMany { .. })));
}

#[test]
fn events_come_newest_first_page_by_page() {
    let disk = Disk::default();
    let store = disk.open(StoreOptions::default()).expect("open");
    let mut all = Vec::new();
    for i in 0..300i64 {
        // Over four days, out of order, several at one time.
        let time_ms = START_MS + (i * 7 % 60) * DAY_MS / 15;
        let (kind, device) = (["trap", "inform", "state"][i as usize % 3], format!("device{}", i % 4));
        let payload = vec![i as u8; i as usize];
        let event = NewEvent { time_ms, kind, device: &device, payload: &payload };
        let id = store.append_event(event, START_MS + 4 * DAY_MS).expect("event");
        all.push((time_ms, id, kind, device, payload));
    }
    drop(store);
    let store = disk.open(StoreOptions::default()).expect("reopen");
    let now_ms = START_MS + 4 * DAY_MS;
    let event = NewEvent { time_ms: now_ms, kind: "last", device: "", payload: b"" };
    let ids = store.append_events(&[event, event], now_ms).expect("events");
    assert!(ids[0] < ids[1] && all.iter().all(|(_, id, ..)| *id < ids[0]));
    all.sort_by_key(|(time_ms, id, ..)| std::cmp::Reverse((*time_ms, *id)));

    for (kind, device) in
        [(None, None), (Some("trap"), None), (None, Some("device2")), (Some("inform"), Some("device3"))]
    {
        let mut query = EventQuery { kind, device, limit: 7, to_ms: now_ms, ..EventQuery::default() };
        let mut found = Vec::new();
        loop {
            let page = store.events(&query).expect("events");
            assert!(page.events.len() <= 7);
            found.extend(page.events);
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        let wanted: Vec<_> = all
            .iter()
            .filter(|(_, _, k, d, _)| kind.is_none_or(|kind| kind == *k) && device.is_none_or(|device| device == d))
            .collect();
        assert_eq!(found.len(), wanted.len());
        for (event, (time_ms, id, kind, device, payload)) in found.iter().zip(wanted) {
            assert_eq!((event.time_ms, event.id, event.kind.as_str()), (*time_ms, *id, *kind));
            assert_eq!((&event.device, &event.payload), (device, payload));
        }
    }
    let span =
        EventQuery { from_ms: START_MS + DAY_MS, to_ms: START_MS + 2 * DAY_MS, limit: 1000, ..EventQuery::default() };
    let in_span = all.iter().filter(|(time_ms, ..)| (span.from_ms..span.to_ms).contains(time_ms)).count();
    assert_eq!(store.events(&span).expect("events").events.len(), in_span);
    let empty = EventQuery { from_ms: 5, to_ms: 5, ..EventQuery::default() };
    assert!(store.events(&empty).expect("events").events.is_empty());
    let backward = EventQuery { from_ms: now_ms, to_ms: START_MS, ..EventQuery::default() };
    assert!(store.events(&backward).expect("events").events.is_empty());
}

#[test]
fn events_expire_by_the_day() {
    let options = StoreOptions { event_retention: Duration::from_secs(2 * 86_400), ..StoreOptions::default() };
    let store = Disk::default().open(options).expect("open");
    for day in 0..6 {
        let now_ms = START_MS + day * DAY_MS;
        store.append_event(NewEvent { time_ms: now_ms, kind: "k", device: "d", payload: b"" }, now_ms).expect("event");
    }
    assert!(!store.expire(START_MS + 5 * DAY_MS).expect("expire"));
    assert_eq!(store.stats().expect("stats").event_partitions, 3);
    let page = store.events(&EventQuery::default()).expect("events");
    assert_eq!(page.events.last().expect("some").time_ms, START_MS + 3 * DAY_MS);
}

#[test]
fn events_out_of_bounds_are_refused() {
    let store = open();
    let good = NewEvent { time_ms: START_MS, kind: "trap", device: "d", payload: b"x" };
    let long = "x".repeat(limits::EVENT_PAYLOAD_OCTETS_MAX + 1);
    for bad in [
        NewEvent { kind: &long, ..good },
        NewEvent { device: &long, ..good },
        NewEvent { payload: long.as_bytes(), ..good },
    ] {
        let error = store.append_events(&[good, bad], START_MS).expect_err("too long");
        assert!(matches!(error, EventError::TooLong { index: 1, .. }), "{error}");
    }
    for time_ms in [i64::MIN, -1, START_MS - 91 * DAY_MS, START_MS + 2 * DAY_MS, i64::MAX] {
        let error = store.append_events(&[NewEvent { time_ms, ..good }], START_MS).expect_err("out of time");
        assert!(matches!(error, EventError::Time { index: 0, .. }), "{error}");
    }
    let many = vec![good; limits::APPEND_EVENTS_MAX + 1];
    assert!(matches!(store.append_events(&many, START_MS), Err(EventError::TooMany { .. })));
    assert!(store.events(&EventQuery::default()).expect("events").events.is_empty());
    assert!(store.append_events(&many[1..], START_MS).is_ok());
    assert_eq!(store.append_events(&[], START_MS).expect("none"), []);
}

#[test]
fn states_change_together() {
    let disk = Disk::default();
    let store = disk.open(StoreOptions::default()).expect("open");
    store.change_states(&[("usm/boots", Some(b"1")), ("usm/engine", Some(b"e")), ("usmx", Some(b""))]).expect("state");
    store.change_states(&[("usm/boots", Some(b"2")), ("usm/engine", None), ("none", None)]).expect("state");
    drop(store);
    let store = disk.open(StoreOptions::default()).expect("reopen");
    assert_eq!(store.get_state("usm/boots").expect("state").as_deref(), Some(&b"2"[..]));
    assert_eq!(store.get_state("usm/engine").expect("state"), None);
    assert_eq!(store.list_state("usm").expect("list"), ["usm/boots", "usmx"]);
    assert_eq!(store.list_state("usm/").expect("list"), ["usm/boots"]);
    assert_eq!(store.list_state("").expect("list").len(), 2);

    let large = vec![0; limits::STATE_OCTETS_MAX + 1];
    let long = "x".repeat(limits::STATE_NAME_OCTETS_MAX + 1);
    let error = store.change_states(&[("a", Some(b"1")), ("b", Some(&large))]).expect_err("too large");
    assert!(matches!(error, StateError::TooLarge { .. }), "{error}");
    assert_eq!(store.get_state("a").expect("state"), None);
    store.put_state("large", &large[1..]).expect("state");
    assert!(matches!(store.put_state("", b""), Err(StateError::Name { octets: 0 })));
    assert!(matches!(store.put_state(&long, b""), Err(StateError::Name { .. })));
    let many = vec![("a", None); limits::STATE_CHANGES_MAX + 1];
    assert!(matches!(store.change_states(&many), Err(StateError::TooMany { .. })));
}

#[test]
fn numbers_are_given_once() {
    let disk = Disk::default();
    let store = disk.open(StoreOptions::default()).expect("open");
    assert_eq!(store.reserve("salt", 10).expect("reserve"), 0..10);
    assert_eq!(store.reserve("other", 1).expect("reserve"), 0..1);
    drop(store);
    let store = disk.open(StoreOptions::default()).expect("reopen");
    assert_eq!(store.reserve("salt", 1).expect("reserve"), 10..11);
    assert!(matches!(store.reserve("salt", u64::MAX), Err(StateError::Exhausted { .. })));
    assert_eq!(store.reserve("salt", u64::MAX - 11).expect("reserve"), 11..u64::MAX);
    assert!(matches!(store.reserve("salt", 1), Err(StateError::Exhausted { .. })));

    // From many threads too.
    let store = &store;
    let taken = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| (0..20).flat_map(|_| store.reserve("shared", 3).expect("reserve")).collect::<Vec<_>>())
            })
            .collect();
        threads.into_iter().flat_map(|t| t.join().expect("thread")).collect::<Vec<_>>()
    });
    let unique: std::collections::BTreeSet<_> = taken.iter().collect();
    assert_eq!((taken.len(), unique.len()), (240, 240));
}

/// Lets the readers end also when the writer fails.
struct Ended<'a>(&'a AtomicI64);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(i64::MAX, Ordering::Release);
    }
}

/// Readers see every sample that was acknowledged before they began, while samples are appended, sealed and expired.
#[test]
fn readers_miss_nothing_while_the_writer_works() {
    let store = &Disk::default().open(StoreOptions::default()).expect("open");
    let series = register(store, 2, 3);
    let acknowledged = AtomicI64::new(0);
    let (series, acknowledged) = (&series, &acknowledged);
    let steps = 400;
    std::thread::scope(|scope| {
        for reader in 0..2 {
            scope.spawn(move || {
                loop {
                    let before = acknowledged.load(Ordering::Acquire);
                    if before >= steps {
                        break;
                    }
                    let series = series[(before as usize + reader) % series.len()];
                    let samples = store.range(series, 0, i64::MAX).expect("range");
                    let samples = samples.collect::<Result<Vec<_>, _>>().expect("range");
                    assert!(samples.len() as i64 >= before, "{} of {before}", samples.len());
                    assert!(samples.iter().zip(0..).all(|(s, i)| s.time_ms == START_MS + i * 600_000));
                }
            });
        }
        let _ended = Ended(acknowledged);
        for step in 0..steps {
            let now_ms = START_MS + step * 600_000;
            let samples: Vec<_> = series.iter().map(|&s| Sample::counter(s, now_ms, step as u64)).collect();
            store.append(&samples, now_ms).expect("append");
            acknowledged.store(step + 1, Ordering::Release);
            store.maintain(now_ms).expect("maintain");
            store.expire(now_ms).expect("expire");
        }
    });
}
