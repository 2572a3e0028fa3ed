//! `kill -9` on a process that uses the store, round after round on the same directory: what it had been told is stored
//! is there when the store is opened again, and no number is ever given out twice.
//!
//! This is its own program: called with `child` it is the process that gets killed. It works as fast as it can through
//! simulated time, so that it is killed while it appends, seals, makes files and removes them, and prints each answer
//! of the store. The parent kills it after some answers and some milliseconds, reads what else it had printed, opens the
//! store and looks.
#![allow(clippy::print_stdout)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use hamsa_store::{EventQuery, NewEvent, OpenError, Sample, Store, StoreOptions, limits};
use support::{DAY_MS, Random, START_MS, register};

const ROUNDS: u64 = 25;
const DEVICES: usize = 3;
const SERIES: usize = 30;
const STEP_MS: i64 = 300_000;
const RETENTION: Duration = Duration::from_secs(2 * 24 * 3600);

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("child") => child(Path::new(&arguments[2])),
        // What libtest is asked by those who list tests.
        Some("--list") => ExitCode::SUCCESS,
        _ => {
            for round_seed in [1, 2] {
                parent(round_seed);
            }
            println!("test kill ... ok");
            ExitCode::SUCCESS
        }
    }
}

fn options() -> StoreOptions {
    StoreOptions { sample_retention: RETENTION, event_retention: RETENTION, ..StoreOptions::default() }
}

/// The value that the series with this index has in this step.
fn value(step: i64, index: usize) -> u64 {
    Random((step as u64) << 32 | index as u64).next() >> 24
}

/// Goes on where the last one was killed: each step appends one sample of each series.
fn child(path: &Path) -> ExitCode {
    let store = Store::open(path, options()).expect("open");
    let series = register(&store, DEVICES, SERIES);
    let mut out = std::io::stdout();
    let mut say = |line: String| out.write_all(line.as_bytes()).and_then(|()| out.flush()).expect("parent");
    let mut step = match store.latest(series[0]).expect("latest") {
        Some(sample) => (sample.time_ms - START_MS) / STEP_MS + 1,
        None => 0,
    };
    say("ready\n".into());
    loop {
        let now_ms = START_MS + step * STEP_MS;
        let samples: Vec<_> =
            series.iter().enumerate().map(|(i, &s)| Sample::counter(s, now_ms, value(step, i))).collect();
        store.append(&samples, now_ms).expect("append");
        say(format!("step {step}\n"));
        let numbers = store.reserve("salt", 3).expect("reserve");
        say(format!("salt {} {}\n", numbers.start, numbers.end));
        if step % 5 == 0 {
            store.put_state("position", &step.to_be_bytes()).expect("state");
            say(format!("state {step}\n"));
            let event = NewEvent { time_ms: now_ms, kind: "step", device: "", payload: &step.to_be_bytes() };
            let id = store.append_event(event, now_ms).expect("event");
            say(format!("event {} {step}\n", id.0));
        }
        store.maintain(now_ms).expect("maintain");
        store.expire(now_ms).expect("expire");
        step += 1;
    }
}

/// What the child has been told, over all rounds.
#[derive(Default)]
struct Told {
    /// Steps that are stored: all up to here.
    steps: i64,
    state: i64,
    events: BTreeMap<u64, i64>,
    salts: BTreeSet<u64>,
}

/// Ends the child also when the parent fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn parent(seed: u64) {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path();
    let mut random = Random(seed);
    let mut told = Told::default();
    for round in 0..ROUNDS {
        let child = Command::new(std::env::current_exe().expect("own path"))
            .arg("child")
            .arg(path)
            .stdout(Stdio::piped())
            .spawn()
            .expect("child");
        let mut child = Killed(child);
        let mut lines = BufReader::new(child.0.stdout.take().expect("pipe")).lines();
        // In some rounds it is killed while it opens the store, in others after it got some way.
        if !random.one_in(4) {
            told.listen(&lines.next().expect("ready").expect("ready"));
            assert!(matches!(Store::open(path, options()), Err(OpenError::Locked { .. })), "two have it open");
            for _ in 0..random.below(400) {
                told.listen(&lines.next().expect("an answer").expect("an answer"));
            }
        }
        std::thread::sleep(Duration::from_millis(random.below(40)));
        child.0.kill().expect("SIGKILL");
        child.0.wait().expect("child");
        for line in lines {
            told.listen(&line.expect("a line"));
        }
        told.check(path, round);
    }
    assert!(told.steps > 100 && told.salts.len() > 100, "the child got nowhere: {} steps", told.steps);
    println!("seed {seed}: {ROUNDS} kills, {} steps, {} days", told.steps, told.steps * STEP_MS / DAY_MS);
}

impl Told {
    fn listen(&mut self, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        let number = |i: usize| words[i].parse::<i64>().expect("a number");
        match words[0] {
            "step" => {
                assert_eq!(number(1), self.steps, "a step was repeated or left out");
                self.steps += 1;
            }
            "salt" => {
                for salt in number(1)..number(2) {
                    assert!(self.salts.insert(salt as u64), "salt {salt} was given out twice");
                }
            }
            "state" => self.state = number(1),
            "event" => {
                let other = self.events.insert(number(1) as u64, number(2));
                assert_eq!(other, None, "event {} was given out twice", words[1]);
            }
            "ready" => {}
            _ => panic!("the child said {line:?}"),
        }
    }

    fn check(&mut self, path: &Path, round: u64) {
        let store = Store::open(path, options()).unwrap_or_else(|e| panic!("round {round}: {e}"));
        let series = register(&store, DEVICES, SERIES);
        let newest = self.steps - 1;
        let oldest_ms = (START_MS + self.steps * STEP_MS - RETENTION.as_millis() as i64).div_euclid(DAY_MS) * DAY_MS;
        let first = ((oldest_ms - START_MS) / STEP_MS).max(0);
        let mut steps_found = BTreeSet::new();
        for (index, &series) in series.iter().enumerate() {
            let samples: Vec<_> = store.range(series, oldest_ms, i64::MAX).expect("range").collect();
            let samples: Vec<_> = samples.into_iter().collect::<Result<_, _>>().expect("range");
            for (sample, step) in samples.iter().zip(first..) {
                assert_eq!(sample.time_ms, START_MS + step * STEP_MS, "round {round}");
                assert_eq!(sample.value, value(step, index), "round {round}");
            }
            steps_found.insert(first + samples.len() as i64);
        }
        // One more call may have been stored without the child living to tell; not half of it.
        assert_eq!(steps_found.len(), 1, "round {round}: half a call is there");
        let found = steps_found.into_iter().next().unwrap_or_default();
        assert!(found == self.steps || found == self.steps + 1, "round {round}: {found} of {} steps", self.steps);
        self.steps = found;

        let state = store
            .get_state("position")
            .expect("state")
            .map_or(0, |s| i64::from_be_bytes(s.try_into().expect("8 octets")));
        assert!(state >= self.state && state <= newest + 1, "round {round}: state {state}, told {}", self.state);
        let query = EventQuery { from_ms: oldest_ms, limit: limits::EVENT_PAGE_MAX, ..EventQuery::default() };
        let events = store.events(&query).expect("events").events;
        let found: BTreeMap<_, _> = events.iter().map(|e| (e.id.0, e.payload.clone())).collect();
        for (id, step) in &self.events {
            let kept = START_MS + step * STEP_MS >= oldest_ms;
            assert!(!kept || found.get(id) == Some(&step.to_be_bytes().to_vec()), "round {round}: event {id} is gone");
        }
    }
}
