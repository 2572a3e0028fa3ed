//! The bench: each contender does the same in a process of its own, which is killed at times; this one looks at what
//! is left and prints the tables. README.md says what they mean.
#![allow(clippy::print_stdout)]

mod contender;
mod cut;
mod measure;
mod workload;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use hamsa_bench_rounds::{Target, informs};
use hamsa_store::Sample;
use hamsa_store::encoding::{block, row};

use contender::{Contender, NAMES};
use measure::{Usage, disk_octets, peak_memory_octets};
use workload::{DAY_MS, MINUTE_MS, Network, Random, SERIES, START_MS, series};

/// Many devices for a few minutes: how appending goes at full size.
const WIDE_DEVICES: usize = 10_000;
const WIDE_MINUTES: i64 = 2;
/// A few devices for many days: how reading and retention go.
const DEEP_DEVICES: usize = 20;
const DEEP_DAYS: i64 = 8;
/// Retention leaves these, a quarter.
const KEPT_DAYS: i64 = 2;
/// Power cuts of each contender and kind.
const CUTS: usize = 50;
const CUT_ROWS: [(&str, InFlight); 3] =
    [("cut samples", InFlight::Samples), ("cut blocks", InFlight::Blocks), ("cut state", InFlight::State)];
/// A state object of some size.
const STATE_OCTETS: usize = 20_000;

/// What a child reports.
type Report = BTreeMap<String, f64>;

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|a| a == "child") {
        let [phase, name, path] = &arguments[at + 1..at + 4] else { panic!("child phase contender directory") };
        return child(phase, name, Path::new(path));
    }
    if arguments.iter().any(|a| a == "full") {
        return full();
    }
    println!(
        "{WIDE_DEVICES} devices x {SERIES} series x {WIDE_MINUTES} min, and {DEEP_DEVICES} x {SERIES} x {DEEP_DAYS} days"
    );
    encodings();
    let started = Instant::now();
    let mut reports: BTreeMap<&str, Report> = BTreeMap::new();
    for name in NAMES {
        let report = reports.entry(name).or_default();
        let directory = tempfile::tempdir().expect("directory");
        let mut wide = Running::start("wide", name, directory.path());
        report.extend(wide.report());
        wide.kill();
        report.extend(Running::start("reopen", name, directory.path()).report());
        drop(directory);
        let directory = tempfile::tempdir().expect("directory");
        report.extend(Running::start("deep", name, directory.path()).report());
        report.insert("disk".into(), data_octets(directory.path()) / deep_samples());
        report.extend(Running::start("read", name, directory.path()).report());
        report.insert("kept disk".into(), data_octets(directory.path()) / deep_samples());
        for (key, in_flight) in CUT_ROWS {
            report.extend(power_cuts(name, in_flight).map(|survived| (key.to_owned(), survived)));
        }
    }
    table(&reports);
    println!("took {:.0} s", started.elapsed().as_secs_f64());
}

fn deep_samples() -> f64 {
    (DEEP_DEVICES * SERIES) as f64 * (DEEP_DAYS * 1440) as f64
}

/// What a contender's files take without journals: those are as large for ten devices as for ten thousand.
fn data_octets(directory: &Path) -> f64 {
    let journals = std::fs::read_dir(directory)
        .expect("list")
        .flatten()
        .filter(|e| e.path().extension().is_some_and(|x| x == "jnl"));
    let journals: u64 =
        journals.map(|e| std::os::unix::fs::MetadataExt::blocks(&e.metadata().expect("file")) * 512).sum();
    (disk_octets(directory) - journals) as f64
}

fn table(reports: &BTreeMap<&str, Report>) {
    let rows = [
        ("append, samples a second", "append", 1.0),
        ("append, processor s per million samples", "append cpu", 1.0),
        ("append, octets written a sample", "append written", 1.0),
        ("  with sealing: processor s per million", "deep cpu", 1.0),
        ("  with sealing: octets written a sample", "deep written", 1.0),
        ("peak memory, MiB", "memory", 1.0 / (1 << 20) as f64),
        ("reopen after kill -9, ms", "reopen", 1000.0),
        ("read a series over a day, ms", "day", 1000.0),
        ("read a series over a week, ms", "week", 1000.0),
        ("read a device over an hour, ms", "hour", 1000.0),
        ("disk, octets a sample", "disk", 1.0),
        ("disk after 3/4 expired, of that", "kept disk", 1.0),
        ("expire, ms", "expire", 1000.0),
        ("power cuts survived, of 50: samples", "cut samples", 1.0),
        ("  blocks", "cut blocks", 1.0),
        ("  a state object of 20,000 octets", "cut state", 1.0),
    ];
    print!("\n{:42}", "");
    NAMES.iter().for_each(|name| print!("{name:>14}"));
    println!("   best other : blocks/redb");
    for (title, key, factor) in rows {
        print!("{title:42}");
        let values = NAMES.map(|name| reports[name].get(key).map(|value| value * factor));
        for value in values {
            let text =
                value.map_or("-".to_owned(), |v| if v >= 1000.0 { format!("{v:.0}") } else { format!("{v:.2}") });
            print!("{text:>14}");
        }
        let more_is_better = key == "append" || key.starts_with("cut");
        match (best(&values[..3], more_is_better), values[3]) {
            (Some(best), Some(ours)) => println!("{:>14.2}", if more_is_better { ours / best } else { best / ours }),
            _ => println!(),
        }
    }
    println!();
    for (what, key, unit, factor) in [
        ("store, append: processor time a sample", "append cpu", "µs", 1.0),
        ("store, append and seal: octets written a sample", "deep written", "B", 1.0),
        ("store, a series over a day", "day", "ms", 1000.0),
        ("store, octets of disk a sample", "disk", "B", 1.0),
    ] {
        let values = NAMES.map(|name| reports[name].get(key).map(|value| value * factor));
        let (Some(best), Some(ours)) = (best(&values[..3], false), values[3]) else { continue };
        let others = NAMES.iter().zip(values).take(3);
        let others: Vec<_> = others.filter_map(|(name, value)| Some(format!("{:.2} {name}", value?))).collect();
        informs(what, &format!("{ours:.2} {unit}"), &others.join(", "), best / ours, Target::Informs);
    }
}

fn best(values: &[Option<f64>], more_is_better: bool) -> Option<f64> {
    values.iter().flatten().copied().reduce(if more_is_better { f64::max } else { f64::min })
}

/// The chosen one at full size: a whole window of 10,000 devices, sealed while the next one goes on.
fn full() {
    let directory = tempfile::tempdir().expect("directory");
    let mut running = Running::start("window", "blocks/redb", directory.path());
    let report = running.report();
    running.kill();
    println!("{WIDE_DEVICES} devices x {SERIES} series x 120 min, then sealing with 5 min more");
    report.iter().for_each(|(key, value)| println!("{key:42}{value:>14.2}"));
    let report = Running::start("reopen window", "blocks/redb", directory.path()).report();
    report.iter().for_each(|(key, value)| println!("{key:42}{value:>14.2}"));
}

/// What rows and blocks cost, whatever the engine.
fn encodings() {
    let days = 2;
    let mut network = Network::new(DEEP_DEVICES);
    let mut devices = vec![Vec::new(); DEEP_DEVICES];
    let (mut samples, mut rows) = (0, Vec::new());
    for minute in 0..days * 1440 {
        for (device, all) in devices.iter_mut().enumerate() {
            let mut poll = Vec::new();
            network.poll(device, minute, &mut poll);
            row::encode(device as u32, &poll, &mut rows);
            samples += poll.len();
            all.extend(poll);
        }
    }
    println!("\nencoding, octets a sample (key and engine not counted)");
    println!("{:42}{:>14.2}", "series, time and value as integers", 20.0);
    println!("{:42}{:>14.2}", "rows (one poll of one device)", rows.len() as f64 / samples as f64);
    let started = Instant::now();
    let mut encoded = 0;
    let mut measure = |title: &str, hours: i64, by_series: bool, slots: std::ops::Range<u8>| {
        let (mut octets, mut counted) = (Vec::new(), 0);
        for all in &devices {
            let mut some: Vec<_> = all.iter().filter(|s| slots.contains(&s.series.slot())).copied().collect();
            let window = |s: &Sample| s.time_ms.div_euclid(hours * 60 * MINUTE_MS);
            some.sort_by_key(|s| (window(s), s.series, s.time_ms));
            for samples in some.chunk_by(|a, b| window(a) == window(b) && (!by_series || a.series == b.series)) {
                block::encode(samples, &mut octets);
            }
            counted += some.len();
        }
        encoded += counted;
        println!("{title:42}{:>14.2}", octets.len() as f64 / counted as f64);
    };
    measure("block of one series, 2 h", 2, true, 0..64);
    measure("block of a device, 1 h", 1, false, 0..64);
    measure("block of a device, 2 h", 2, false, 0..64);
    measure("block of a device, 4 h", 4, false, 0..64);
    measure("  counters of the busy uplink only, 2 h", 2, false, 0..4);
    measure("  counters of the office port only, 2 h", 2, false, 8..12);
    measure("  gauges only, 2 h", 2, false, 32..40);
    let seconds = started.elapsed().as_secs_f64();
    println!("{:42}{:>14.2}", "processor s per million samples", seconds * 1e6 / encoded as f64);
}

/// A child; killed when dropped.
struct Running {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Running {
    fn start(phase: &str, name: &str, path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("own path"))
            .args(["child", phase, name])
            .arg(path)
            .stdout(Stdio::piped())
            .spawn()
            .expect("child");
        let output = BufReader::new(child.stdout.take().expect("pipe"));
        Self { child, output }
    }

    /// Reads what the child measured, up to its word that it is done or its end.
    fn report(&mut self) -> Report {
        let mut report = Report::new();
        for line in self.output.by_ref().lines() {
            let line = line.expect("a line");
            let Some((key, value)) = line.split_once(": ") else { break };
            report.insert(key.to_owned(), value.parse().expect("a number"));
        }
        report
    }

    fn kill(&mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("child");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A child that is done ends by itself and closes its files.
        let _ = self.child.wait();
    }
}

fn child(phase: &str, name: &str, path: &Path) {
    match phase {
        "wide" => wide(name, path),
        "reopen" => reopen(name, path),
        "deep" => deep(name, path),
        "read" => read(name, path),
        "check" => check(name, path),
        "window" => window(path),
        "reopen window" => reopen_window(path),
        _ => panic!("no phase {phase}"),
    }
}

fn say(key: &str, value: f64) {
    println!("{key}: {value}");
}

/// Appends as a node does: what a second brings is one call.
fn wide(name: &str, path: &Path) {
    let mut contender = contender::open(name, path, WIDE_DEVICES);
    let mut network = Network::new(WIDE_DEVICES);
    // Made before the clock starts: the network is not what is measured.
    let mut batches = Vec::new();
    for minute in 0..WIDE_MINUTES {
        for second in 0..60 {
            let mut batch = Vec::new();
            for device in (second..network.devices()).step_by(60) {
                network.poll(device, minute, &mut batch);
            }
            batches.push(batch);
        }
    }
    let samples: usize = batches.iter().map(Vec::len).sum();
    let usage = Usage::start();
    for batch in &batches {
        contender.append(batch);
    }
    let (seconds, cpu, written) = usage.since();
    say("append", samples as f64 / seconds);
    say("append cpu", cpu * 1e6 / samples as f64);
    say("append written", written / samples as f64);
    println!("done");
    std::io::stdout().flush().expect("parent");
    loop {
        std::thread::park();
    }
}

fn reopen(name: &str, path: &Path) {
    // Without registering: what is measured is opening.
    let started = Instant::now();
    let contender = contender::open(name, path, 0);
    say("reopen", started.elapsed().as_secs_f64());
    for device in [0, WIDE_DEVICES / 2, WIDE_DEVICES - 1] {
        let found = contender.range(series(device, 17), START_MS, START_MS + DAY_MS);
        assert_eq!(found.len() as i64, WIDE_MINUTES, "{name} lost samples");
    }
}

fn deep(name: &str, path: &Path) {
    let mut contender = contender::open(name, path, DEEP_DEVICES);
    let mut network = Network::new(DEEP_DEVICES);
    let usage = Usage::start();
    let mut batch = Vec::new();
    for minute in 0..DEEP_DAYS * 1440 {
        for device in 0..DEEP_DEVICES {
            network.poll(device, minute, &mut batch);
        }
        // About as many samples a call as in the wide phase, within a day.
        if minute % 8 == 7 {
            batch.sort_by_key(|s| s.time_ms.div_euclid(DAY_MS));
            contender.append(&batch);
            contender.maintain(START_MS + minute * MINUTE_MS);
            batch.clear();
        }
    }
    for _ in 0..2 {
        contender.maintain(START_MS + DEEP_DAYS * DAY_MS + 4 * 60 * MINUTE_MS);
    }
    contender.flush();
    let (_, cpu, written) = usage.since();
    say("deep cpu", cpu * 1e6 / deep_samples());
    say("deep written", written / deep_samples());
    say("memory", peak_memory_octets() as f64);
}

/// Reads from files that were closed: the engine's cache is cold, the operating system's is warm.
fn read(name: &str, path: &Path) {
    let mut contender = contender::open(name, path, DEEP_DEVICES);
    let mut random = Random(3);
    let days = DEEP_DAYS as u64;
    let mut timed = |key: &str, span_ms: i64, read: &mut dyn FnMut(&mut Random, &dyn Contender, i64) -> usize| {
        let started = Instant::now();
        let rounds = 30;
        for _ in 0..rounds {
            let from_ms = START_MS + random.below(days * DAY_MS as u64 - span_ms as u64) as i64;
            let found = read(&mut random, &*contender, from_ms) as i64;
            assert!((found - span_ms / MINUTE_MS).abs() <= 1, "{name} {key}: {found} samples");
        }
        say(key, started.elapsed().as_secs_f64() / f64::from(rounds));
    };
    let one = |random: &mut Random, contender: &dyn Contender, from_ms: i64, span_ms: i64| {
        let series = series(random.below(DEEP_DEVICES as u64) as usize, random.below(SERIES as u64) as usize);
        contender.range(series, from_ms, from_ms + span_ms).len()
    };
    timed("day", DAY_MS, &mut |random, contender, from_ms| one(random, contender, from_ms, DAY_MS));
    timed("week", 7 * DAY_MS, &mut |random, contender, from_ms| one(random, contender, from_ms, 7 * DAY_MS));
    let hour_ms = 60 * MINUTE_MS;
    timed("hour", hour_ms, &mut |random, contender, from_ms| {
        let device = random.below(DEEP_DEVICES as u64) as usize;
        (0..SERIES)
            .map(|slot| contender.range(series(device, slot), from_ms, from_ms + hour_ms).len())
            .max()
            .unwrap_or(0)
    });
    let started = Instant::now();
    contender.expire(START_MS / DAY_MS + DEEP_DAYS - KEPT_DAYS);
    say("expire", started.elapsed().as_secs_f64());
}

/// Fills a window and half seals it.
fn window(path: &Path) {
    let mut contender = contender::open_store(path, WIDE_DEVICES);
    let mut network = Network::new(WIDE_DEVICES);
    let (mut cpu, mut samples, mut sealed, mut longest, mut batch) = (0.0, 0, 0.0, 0f64, Vec::new());
    for minute in 0..125 {
        for second in 0..60 {
            batch.clear();
            for device in (second..network.devices()).step_by(60) {
                network.poll(device, minute, &mut batch);
            }
            let usage = Usage::start();
            contender.append(&batch);
            cpu += usage.since().1;
            samples += batch.len();
            if minute >= 120 {
                // A second's worth of what is due. The one before the last is not finished, so that the head stays.
                let usage = Usage::start();
                if minute < 122 {
                    contender.maintain_once(START_MS + minute * MINUTE_MS);
                }
                let (seconds, cpu, _) = usage.since();
                sealed += cpu;
                longest = longest.max(seconds);
            }
        }
        if minute == 119 {
            say("rows on disk, MiB", disk_octets(path) as f64 / f64::from(1 << 20));
        }
    }
    say("appending, processor s per million samples", cpu * 1e6 / samples as f64);
    say("sealing, processor s in all", sealed);
    say("sealing, longest step in ms", longest * 1000.0);
    say("peak memory, MiB", peak_memory_octets() as f64 / f64::from(1 << 20));
    println!("done");
    std::io::stdout().flush().expect("parent");
    loop {
        std::thread::park();
    }
}

fn reopen_window(path: &Path) {
    let started = Instant::now();
    let mut contender = contender::open_store(path, 0);
    say("reopen after kill -9, ms", started.elapsed().as_secs_f64() * 1000.0);
    let started = Instant::now();
    contender.maintain(START_MS + 125 * MINUTE_MS);
    say("sealing all that was left, s", started.elapsed().as_secs_f64());
    say("all on disk, MiB", disk_octets(path) as f64 / f64::from(1 << 20));
    let started = Instant::now();
    for device in (0..WIDE_DEVICES).step_by(100) {
        assert_eq!(contender.range(series(device, 17), START_MS, START_MS + DAY_MS).len(), 125);
    }
    say("read a series, ms", started.elapsed().as_secs_f64() * 1000.0 / 100.0);
}

/// Opens and reads what a power cut left; its end says whether all that was synced is there.
fn check(name: &str, path: &Path) {
    let contender = contender::open(name, path, 0);
    let found = contender.range(series(0, 0), START_MS, START_MS + DAY_MS);
    assert!(found.len() >= 60, "synced samples are missing");
}

/// What is being written when the power is cut.
#[derive(Debug, Clone, Copy, PartialEq)]
enum InFlight {
    Samples,
    Blocks,
    State,
}

/// Cuts the power again and again while something is being written, and says which part of the cuts left all
/// readable that was synced before; `None` if this contender never writes such a thing before a sync.
fn power_cuts(name: &str, in_flight: InFlight) -> Option<f64> {
    let directory = tempfile::tempdir().expect("directory");
    let mut contender = contender::open(name, directory.path(), DEEP_DEVICES);
    let mut network = Network::new(DEEP_DEVICES);
    let mut random = Random(5);
    let mut polls = |minutes: std::ops::Range<i64>| {
        let mut batch = Vec::new();
        for minute in minutes {
            (0..DEEP_DEVICES).for_each(|device| network.poll(device, minute, &mut batch));
        }
        batch
    };
    // Octets that don't compress, as of a component that compresses its state.
    let mut state = || (0..STATE_OCTETS).map(|_| random.next() as u8).collect::<Vec<_>>();
    contender.put_state(&state());
    contender.append(&polls(0..60));
    contender.append(&polls(60..119));
    let mut before = cut::image(directory.path());
    match in_flight {
        InFlight::Samples => contender.append(&polls(119..120)),
        InFlight::State => contender.put_state(&state()),
        InFlight::Blocks => {
            if !contender.write_blocks() {
                return None;
            }
            // What it made besides the journal is synced by then.
            let made = cut::image(directory.path()).into_iter().filter(|(name, _)| !name.ends_with(".jnl"));
            before.extend(made);
        }
    }
    let after = cut::image(directory.path());
    // More than one would mean a sync in between, of which a power cut leaves less choice.
    let changed: Vec<_> = after.iter().filter(|(file, contents)| before.get(*file) != Some(contents)).collect();
    assert_eq!(changed.len(), 1, "{name} changed {:?}", changed.iter().map(|(file, _)| file).collect::<Vec<_>>());
    drop(contender);
    let survived = |_: &usize| {
        let torn = tempfile::tempdir().expect("directory");
        cut::write_torn(&before, &after, torn.path(), &mut random);
        let mut command = Command::new(std::env::current_exe().expect("own path"));
        command.args(["child", "check", name]).arg(torn.path()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().expect("child").success()
    };
    Some((0..CUTS).filter(survived).count() as f64)
}
