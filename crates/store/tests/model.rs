//! The store against a model: whatever is appended in whatever order, sealed, expired and reopened, reads give what
//! a map would.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use hamsa_store::{Ack, Sample, SampleFlags, SeriesId, Store, StoreOptions, limits};
use support::{DAY_MS, Disk, Random, START_MS, register};

type Model = BTreeMap<(SeriesId, i64), Sample>;

fn options(days: u32) -> StoreOptions {
    let sample_retention = Duration::from_secs(24 * 3600) * days;
    StoreOptions { sample_retention, ..StoreOptions::default() }
}

fn in_model(model: &Model, series: SeriesId, from_ms: i64, to_ms: i64) -> Vec<Sample> {
    if from_ms >= to_ms {
        return Vec::new();
    }
    model.range((series, from_ms)..(series, to_ms)).map(|(_, s)| *s).collect()
}

fn in_store(store: &Store, series: SeriesId, from_ms: i64, to_ms: i64) -> Vec<Sample> {
    store.range(series, from_ms, to_ms).expect("range").collect::<Result<_, _>>().expect("range")
}

fn check(store: &Store, model: &Model, series: &[SeriesId], random: &mut Random, now_ms: i64) {
    for &series in series {
        assert_eq!(in_store(store, series, i64::MIN, i64::MAX), in_model(model, series, i64::MIN, i64::MAX));
        let from_ms = now_ms - random.below(4 * DAY_MS as u64) as i64;
        let to_ms = from_ms + random.below(2 * DAY_MS as u64) as i64;
        assert_eq!(in_store(store, series, from_ms, to_ms), in_model(model, series, from_ms, to_ms));
        let latest = model.range((series, i64::MIN)..=(series, i64::MAX)).next_back().map(|(_, s)| *s);
        assert_eq!(store.latest(series).expect("latest"), latest);
    }
}

/// Any order, any lateness, duplicates, several windows at once; sealing goes on between appends.
fn run(seed: u64) {
    let mut random = Random(seed);
    let disk = Disk::default();
    let mut store = disk.open(options(3)).expect("open");
    let series = register(&store, 3, 70);
    let mut model = Model::new();
    let mut now_ms = START_MS;
    for _ in 0..60 {
        now_ms += random.below(1 + limits::WINDOW_MS as u64) as i64 / 2;
        let mut samples = Vec::new();
        for _ in 0..random.below(400) {
            let age_ms = match random.below(4) {
                0 => random.below(3 * DAY_MS as u64) as i64,
                1 => -(random.below(DAY_MS as u64) as i64),
                _ => random.below(60_000) as i64,
            };
            samples.push(Sample {
                series: series[random.below(series.len() as u64) as usize],
                time_ms: (now_ms - age_ms) / 1000 * 1000,
                value: random.next() >> random.below(64),
                flags: SampleFlags::from_bits(if random.one_in(10) { random.next() as u8 } else { 0 }),
            });
        }
        if random.one_in(3) {
            samples.extend_from_within(..samples.len() / 2);
        }
        let ack = store.append(&samples, now_ms).expect("append");
        assert_eq!(ack, Ack { accepted: samples.len(), ..Ack::default() });
        for sample in samples {
            model.entry((sample.series, sample.time_ms)).or_insert(sample);
        }
        match random.below(6) {
            0 => while store.maintain(now_ms).expect("maintain") {},
            1 | 2 => drop(store.maintain(now_ms).expect("maintain")),
            3 => {
                store.expire(now_ms).expect("expire");
                // Idempotent.
                assert!(!store.expire(now_ms).expect("expire"));
            }
            4 => {
                drop(store);
                store = disk.open(options(3)).expect("reopen");
            }
            _ => {}
        }
        // What retention has passed may be there or not; from here on it is of no interest.
        let oldest_ms = (now_ms - 3 * DAY_MS).div_euclid(DAY_MS) * DAY_MS;
        model.retain(|(_, time_ms), _| *time_ms >= oldest_ms);
        if random.one_in(8) {
            store.expire(now_ms).expect("expire");
            while store.maintain(now_ms).expect("maintain") {}
            let some: Vec<_> = (0..6).map(|_| series[random.below(series.len() as u64) as usize]).collect();
            let kept: Vec<_> = some.iter().map(|&s| (s, in_store(&store, s, oldest_ms, i64::MAX))).collect();
            for (series, samples) in kept {
                assert_eq!(samples, in_model(&model, series, oldest_ms, i64::MAX), "seed {seed}");
            }
        }
    }
    // Everything into blocks: nothing too old is left anywhere.
    now_ms += limits::WINDOW_MS;
    store.append(&[Sample::counter(series[0], now_ms, 1)], now_ms).expect("append");
    model.entry((series[0], now_ms)).or_insert(Sample::counter(series[0], now_ms, 1));
    now_ms += limits::WINDOW_MS;
    while store.maintain(now_ms).expect("maintain") {}
    while store.maintain(now_ms).expect("maintain") {}
    store.expire(now_ms).expect("expire");
    let oldest_ms = (now_ms - 3 * DAY_MS).div_euclid(DAY_MS) * DAY_MS;
    model.retain(|(_, time_ms), _| *time_ms >= oldest_ms);
    let stats = store.stats().expect("stats");
    assert_eq!(stats.head_samples, 0, "seed {seed}");
    assert!(stats.sealed_samples >= model.len() as u64);
    check(&store, &model, &series, &mut random, now_ms);
    drop(store);
    let store = disk.open(options(3)).expect("reopen");
    check(&store, &model, &series, &mut random, now_ms);
    assert_eq!(store.stats().expect("stats").sealed_samples, stats.sealed_samples);
}

#[test]
fn reads_give_what_a_map_would() {
    for seed in 0..8 {
        run(seed);
    }
}

#[test]
fn of_two_samples_with_one_time_the_first_is_kept() {
    let disk = Disk::default();
    let store = disk.open(options(3)).expect("open");
    let series = register(&store, 1, 2);
    let first = Sample::counter(series[0], START_MS, 1);
    let second = Sample::counter(series[0], START_MS, 2);
    store.append(&[first, second], START_MS).expect("append");
    store.append(&[second], START_MS).expect("append");
    assert_eq!(in_store(&store, series[0], 0, i64::MAX), [first]);
    // Also when the first is sealed long before the second comes.
    let later_ms = START_MS + limits::WINDOW_MS;
    while store.maintain(later_ms).expect("maintain") {}
    store.append(&[second], later_ms).expect("append");
    assert_eq!(in_store(&store, series[0], 0, i64::MAX), [first]);
    assert_eq!(store.latest(series[0]).expect("latest"), Some(first));
    let latest_ms = later_ms + limits::WINDOW_MS;
    while store.maintain(latest_ms).expect("maintain") {}
    assert_eq!(store.stats().expect("stats").head_samples, 0);
    assert_eq!(in_store(&store, series[0], 0, i64::MAX), [first]);
    assert_eq!(in_store(&store, series[1], 0, i64::MAX), []);
}

#[test]
fn gauges_keep_their_sign() {
    let disk = Disk::default();
    let store = disk.open(options(3)).expect("open");
    let series = register(&store, 1, 1)[0];
    for (i, value) in [i64::MIN, -40, 0, 7, i64::MAX].into_iter().enumerate() {
        store.append(&[Sample::gauge(series, START_MS + i as i64, value)], START_MS).expect("append");
    }
    while store.maintain(START_MS + limits::WINDOW_MS).expect("maintain") {}
    let values: Vec<_> = in_store(&store, series, 0, i64::MAX).iter().map(Sample::as_gauge).collect();
    assert_eq!(values, [i64::MIN, -40, 0, 7, i64::MAX]);
}

#[test]
fn what_is_out_of_time_is_counted_and_left_out() {
    let disk = Disk::default();
    let store = disk.open(options(3)).expect("open");
    let series = register(&store, 1, 1)[0];
    let at = |time_ms| Sample::counter(series, time_ms, 1);
    let oldest_ms = START_MS - 3 * DAY_MS;
    let newest_ms = START_MS + limits::AHEAD_MS_MAX;
    let samples = [at(oldest_ms - 1), at(oldest_ms), at(newest_ms), at(newest_ms + 1), at(i64::MAX), at(i64::MIN)];
    let ack = store.append(&samples, START_MS).expect("append");
    assert_eq!(ack, Ack { accepted: 2, too_old: 2, too_new: 2 });
    assert_eq!(in_store(&store, series, i64::MIN, i64::MAX), [at(oldest_ms), at(newest_ms)]);
    // A clock before 1970 stores nothing and breaks nothing.
    let ack = store.append(&[at(-5), at(i64::MIN)], -1).expect("append");
    assert_eq!(ack, Ack { accepted: 0, too_old: 2, too_new: 0 });
    assert_eq!(store.append(&[], i64::MAX).expect("append"), Ack::default());
}

#[test]
fn a_device_polled_a_thousand_times_a_second_takes_many_parts() {
    let disk = Disk::default();
    let store = disk.open(options(3)).expect("open");
    let series = register(&store, 1, 1)[0];
    let samples: Vec<_> = (0..700_000).map(|i| Sample::counter(series, START_MS + i, i as u64)).collect();
    store.append(&samples, START_MS).expect("append");
    // Some of them again, so that they are in two parts.
    store.append(&samples[..1_000], START_MS).expect("append");
    while store.maintain(START_MS + limits::WINDOW_MS).expect("maintain") {}
    assert_eq!(store.stats().expect("stats").head_samples, 0);
    assert!(in_store(&store, series, 0, i64::MAX) == samples);
}

#[test]
fn retention_frees_the_disk() {
    let directory = tempfile::tempdir().expect("directory");
    let store = Store::open(directory.path(), options(3)).expect("open");
    let series = register(&store, 20, 40);
    let mut random = Random(1);
    let mut filled = 0;
    for day in 0..12 {
        for hour in 0..24 {
            let now_ms = START_MS + day * DAY_MS + hour * 3_600_000;
            let samples: Vec<_> = series.iter().map(|&s| Sample::counter(s, now_ms, random.next())).collect();
            store.append(&samples, now_ms).expect("append");
            while store.maintain(now_ms).expect("maintain") {}
        }
        let now_ms = START_MS + day * DAY_MS + DAY_MS - 1;
        if day == 11 {
            filled = store.stats().expect("stats").disk_octets;
        }
        if !(4..11).contains(&day) {
            while store.expire(now_ms).expect("expire") {}
        }
    }
    let stats = store.stats().expect("stats");
    assert_eq!(stats.sample_partitions, 4);
    assert_eq!(stats.oldest_ms, Some(START_MS + 8 * DAY_MS));
    assert!(stats.disk_octets * 2 < filled, "{} of {filled}", stats.disk_octets);
    assert!(stats.sealed_samples <= 4 * 24 * 800);
    // Reads don't mind that a part of their span is gone.
    assert_eq!(in_store(&store, series[0], 0, i64::MAX).len(), 4 * 24);
}
