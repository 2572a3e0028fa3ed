//! Beside Erlang/OTP's `sys:change_code`: the same state of 64 KiB, the same callers, versions exchanged again and again.
//! Compared is what a caller notices, the longest time between two of its answers around a change, and how long the
//! module is closed. `benches/README.md` says what OTP is given in its favour.
//!
//! Wall-clock time: what else runs on the machine is in it, for both. They take turns.
#![allow(clippy::print_stdout, reason = "what a bench says, it says on its standard output")]

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hamsa_bench_rounds::{Target, informs, skipped};
use hamsa_bench_swap::{Work, host, swap};
use hamsa_testkit::{Process, program};

/// Runs of each, in turns.
const TURNS: usize = 5;

/// Changes of one run.
const CHANGES: u32 = 200;

/// Between two changes, so that calls come to their usual pace.
const PAUSE: Duration = Duration::from_millis(1);

/// For one run of OTP, or of its compiler. A usual one takes seconds.
const LIMIT: Duration = Duration::from_secs(180);

const CALLERS: [usize; 2] = [1, 2];

fn main() -> anyhow::Result<()> {
    let directory = tempfile::TempDir::with_prefix("hamsa-bench-otp-")?;
    if let Err(why) = program("erl").and_then(|_| program("erlc")) {
        for (what, _) in CALLERS.iter().flat_map(|&callers| names(callers)) {
            skipped(&what, "Erlang/OTP", &why.to_string(), Target::Informs);
        }
        return Ok(());
    }
    compile(directory.path())?;
    for callers in CALLERS {
        let (mut ours, mut peer) = (Measured::default(), Measured::default());
        for _ in 0..TURNS {
            ours.add(run_ours(callers)?);
            peer.add(run_otp(directory.path(), callers)?);
        }
        ours.claim_against(&peer, callers);
    }
    Ok(())
}

/// What is compared, and which part of the changes is better.
fn names(callers: usize) -> [(String, f64); 4] {
    let what = |what: &str| format!("beside sys:change_code, 64 KiB of state, {callers} calling: {what}, ms");
    [
        (what("longest wait for an answer, median"), 0.5),
        (what("longest wait for an answer, p99"), 0.99),
        (what("closed, median"), 0.5),
        (what("closed, p99"), 0.99),
    ]
}

/// Of each change, in nanoseconds.
#[derive(Default)]
struct Measured {
    closed: Vec<u64>,
    gaps: Vec<u64>,
}

impl Measured {
    fn add(&mut self, more: Measured) {
        self.closed.extend(more.closed);
        self.gaps.extend(more.gaps);
    }

    fn claim_against(&mut self, peer: &Measured, callers: usize) {
        let at = |times: &[u64], part: f64| {
            let mut times = times.to_vec();
            times.sort_unstable();
            times[((times.len() - 1) as f64 * part) as usize] as f64 / 1e6
        };
        for (i, (what, part)) in names(callers).into_iter().enumerate() {
            let of = |measured: &Measured| at(if i < 2 { &measured.gaps } else { &measured.closed }, part);
            let (ours, peer) = (of(self), of(peer));
            informs(&what, &format!("{ours:.3} ms"), &format!("{peer:.3} ms Erlang/OTP"), peer / ours, Target::Informs);
        }
    }
}

fn run_ours(callers: usize) -> anyhow::Result<Measured> {
    let (manager, proxy) = host()?;
    let slots: Vec<Slot> = (0..callers).map(|_| Slot::default()).collect();
    let (stop, aborted) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for slot in &slots {
            let (stop, proxy) = (&stop, &proxy);
            scope.spawn(move || {
                let (mut last, mut value) = (Instant::now(), 0);
                while !stop.load(Ordering::Relaxed) {
                    if proxy.touch(value).is_err() {
                        slot.failed.fetch_add(1, Ordering::Relaxed);
                    }
                    let now = Instant::now();
                    slot.longest_ns.fetch_max((now - last).as_nanos() as u64, Ordering::Relaxed);
                    slot.answers.fetch_add(1, Ordering::Release);
                    (last, value) = (now, value + 1);
                }
            });
        }
        let mut measured = Measured::default();
        let changed = (1..=CHANGES).try_for_each(|minor| {
            thread::sleep(PAUSE);
            slots.iter().for_each(|slot| slot.longest_ns.store(0, Ordering::Relaxed));
            let closed = swap(&manager, minor, &aborted)?;
            wait_for_answers(&slots, 2)?;
            measured.closed.push(closed.as_nanos() as u64);
            measured.gaps.push(slots.iter().map(|slot| slot.longest_ns.load(Ordering::Relaxed)).max().unwrap_or(0));
            Ok(())
        });
        stop.store(true, Ordering::Relaxed);
        let failed: u64 = slots.iter().map(|slot| slot.failed.load(Ordering::Relaxed)).sum();
        ensure!(failed == 0, "{failed} calls were lost");
        let aborted = aborted.load(Ordering::Relaxed);
        println!("{callers} calling: {aborted} of {CHANGES} swaps were taken back, and made at another try");
        changed.map(|()| measured)
    })
}

/// What a caller has seen.
#[derive(Default)]
struct Slot {
    longest_ns: AtomicU64,
    answers: AtomicU64,
    failed: AtomicU64,
}

/// Until each caller has had so many answers more.
fn wait_for_answers(slots: &[Slot], more: u64) -> anyhow::Result<()> {
    let end = Instant::now() + LIMIT;
    let answers = |slot: &Slot| slot.answers.load(Ordering::Acquire);
    let before: Vec<u64> = slots.iter().map(answers).collect();
    while slots.iter().zip(&before).any(|(slot, before)| answers(slot) < before + more) {
        ensure!(Instant::now() < end, "a caller gets no answer");
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Both versions of the module in directories of their own, and what drives them.
fn compile(directory: &Path) -> anyhow::Result<()> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("erlang");
    for (file, place, options) in
        [("work.erl", "0", &["-DMINOR=0"][..]), ("work.erl", "1", &["-DMINOR=1"]), ("drive.erl", "driver", &[])]
    {
        let place = directory.join(place);
        std::fs::create_dir(&place)?;
        let mut command = Command::new("erlc");
        command.args(options).arg("-o").arg(place).arg(sources.join(file)).env("HOME", directory);
        let output = Process::spawn("erlc", &mut command).finish(LIMIT).context("erlc takes too long")?;
        ensure!(output.status.success(), "erlc {file}:\n{}{}", output.stdout, output.stderr);
    }
    Ok(())
}

fn run_otp(directory: &Path, callers: usize) -> anyhow::Result<Measured> {
    let mut command = Command::new("erl");
    // Without a name it is no node: nothing listens, and no epmd is started.
    command.args(["-noshell", "-noinput", "-pa", "driver", "-run", "drive", "main", "0", "1"]);
    command.args([CHANGES.to_string(), callers.to_string()]).current_dir(directory).env("HOME", directory);
    let output = Process::spawn("erl", &mut command).finish(LIMIT).context("OTP takes too long")?;
    let mut measured = Measured::default();
    for line in output.stdout.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        if let ["CHANGE", closed, gap] = fields[..] {
            measured.closed.push(closed.parse()?);
            measured.gaps.push(gap.parse()?);
        }
    }
    let changes = measured.closed.len();
    ensure!(changes == CHANGES as usize, "OTP made {changes} changes:\n{}{}", output.stdout, output.stderr);
    Ok(measured)
}
