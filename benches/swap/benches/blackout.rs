//! How long a swap of a module with 64 KiB of state keeps its gate closed while threads call it without a pause, and the
//! longest time that one of their calls took. Beside it what is the least that can be done: the module behind a `RwLock`, replaced under
//! the write lock with a copy of its state.
//!
//! Wall-clock time: what else runs on the machine is in it, for both.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use hamsa_bench_rounds::{Target, informs};
use hamsa_bench_swap::{Work, Worker, host, swap};
use hamsa_swap::{Module, Resources, SwapError};

const SWAPS: u32 = 2000;

/// Between two swaps, so that calls come to their usual pace.
const PAUSE: Duration = Duration::from_millis(1);

fn main() -> Result<(), SwapError> {
    for callers in [1, 2] {
        let ours = ours(callers)?;
        let peer = peer(callers)?;
        let what = |which: &str| format!("blackout of a swap, 64 KiB of state, {callers} calling: {which}");
        for (which, part, target) in [
            ("median, ms", 0.5, Target::Informs),
            ("p99, ms", 0.99, Target::AtMost(1.0)),
            ("longest, ms", 1.0, Target::Informs),
        ] {
            let (ours, peer) = (ours.at(part), peer.at(part));
            informs(&what(which), &format!("{ours:.3} ms"), &format!("{peer:.3} ms RwLock"), ours, target);
        }
        let aborted = ours.aborted as f64;
        informs(&what("swaps taken back"), &format!("{aborted} of {SWAPS}"), "-", aborted, Target::Informs);
        let (ours, peer) = (ours.longest_call, peer.longest_call);
        informs(
            &what("longest call, ms"),
            &format!("{ours:.3} ms"),
            &format!("{peer:.3} ms RwLock"),
            ours,
            Target::Informs,
        );
    }
    Ok(())
}

fn ours(callers: usize) -> Result<Measured, SwapError> {
    let (manager, proxy) = host()?;
    let aborted = AtomicU64::new(0);
    let measured = measure(callers, |value| proxy.touch(value).is_ok(), |minor| swap(&manager, minor, &aborted))?;
    Ok(Measured { aborted: aborted.into_inner(), ..measured })
}

fn peer(callers: usize) -> Result<Measured, SwapError> {
    let module = RwLock::new(Box::new(Worker::new(0)));
    measure(
        callers,
        |value| module.read().unwrap_or_else(PoisonError::into_inner).touch(value).is_ok(),
        |minor| {
            let new = Box::new(Worker::new(minor));
            let start = Instant::now();
            let mut module = module.write().unwrap_or_else(PoisonError::into_inner);
            if let Ok(state) = module.retrieve() {
                let _ = new.restore(&state, &Resources::default());
            }
            let old = std::mem::replace(&mut *module, new);
            drop(module);
            let blackout = start.elapsed();
            drop(old);
            Ok(blackout)
        },
    )
}

/// Times in milliseconds.
struct Measured {
    /// In order.
    blackouts: Vec<f64>,
    longest_call: f64,
    /// Swaps that were taken back, and made at another try.
    aborted: u64,
}

impl Measured {
    fn at(&self, part: f64) -> f64 {
        self.blackouts[((self.blackouts.len() - 1) as f64 * part) as usize]
    }
}

/// Swaps again and again while threads call. `call` says whether it was served, `swap` for how long nobody was.
fn measure(
    callers: usize,
    call: impl Fn(u64) -> bool + Sync,
    swap: impl Fn(u32) -> Result<Duration, SwapError>,
) -> Result<Measured, SwapError> {
    let (stop, failed) = (AtomicBool::new(false), AtomicU64::new(0));
    let measured = thread::scope(|scope| {
        let threads: Vec<_> = (0..callers)
            .map(|_| {
                scope.spawn(|| {
                    let (mut longest, mut made) = (Duration::ZERO, 0);
                    while !stop.load(Ordering::Relaxed) {
                        let start = Instant::now();
                        if !call(made) {
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                        longest = longest.max(start.elapsed());
                        made += 1;
                    }
                    longest
                })
            })
            .collect();
        let blackouts: Result<Vec<Duration>, SwapError> = (1..=SWAPS)
            .map(|minor| {
                thread::sleep(PAUSE);
                swap(minor)
            })
            .collect();
        stop.store(true, Ordering::Relaxed);
        let longest = threads.into_iter().filter_map(|thread| thread.join().ok()).max();
        blackouts.map(|blackouts| (blackouts, longest.unwrap_or_default()))
    });
    let (mut blackouts, longest) = measured?;
    assert_eq!(failed.into_inner(), 0, "calls were lost");
    blackouts.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    Ok(Measured { blackouts: blackouts.into_iter().map(ms).collect(), longest_call: ms(longest), aborted: 0 })
}
