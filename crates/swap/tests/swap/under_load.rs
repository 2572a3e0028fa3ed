//! Swaps while many threads call: nobody gets a wrong answer, and no call is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use hamsa_swap::{Abort, CallError, Happening, SwapError, SwapOptions, Timing, with_patience};

use super::fixtures::{Counter, CounterError, Switches, Traits, both_ways, install, manager, someone};

/// Only a hang takes longer.
const LONG: Duration = Duration::from_secs(60);

fn patient() -> SwapOptions {
    SwapOptions { timing: Timing { ready_within: LONG, budget: LONG }, ..SwapOptions::default() }
}

#[test]
fn hundreds_of_swaps_lose_no_call_and_no_count() {
    let manager = manager();
    let proxy = install(&manager, Traits::of(1, 0).package("c"));
    let stop = AtomicBool::new(false);
    let served = thread::scope(|scope| {
        let callers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let (mut calls, mut last) = (0u64, 0);
                    while !stop.load(Ordering::Acquire) {
                        let sum = with_patience(LONG, || proxy.add(1)).unwrap();
                        assert!(sum > last, "{sum} after {last}");
                        last = sum;
                        calls += 1;
                    }
                    calls
                })
            })
            .collect();
        for minor in 1..=300 {
            // To and fro between schemas.
            let new = Traits { schema: 1 + minor % 2, mappings: both_ways(), ..Traits::of(1, minor) };
            let report = manager.swap(&someone(), vec![new.package("c")], patient()).unwrap();
            assert_eq!(report.changes[0].to, (1, minor));
        }
        stop.store(true, Ordering::Release);
        callers.into_iter().map(|caller| caller.join().unwrap()).sum::<u64>()
    });
    assert_eq!(proxy.add(0), Ok(served));
    assert_eq!(manager.history().len(), hamsa_swap::limits::HISTORY_MAX);
}

#[test]
fn modules_that_call_each_other_in_circles_are_swapped_together() {
    let manager = manager();
    let circle = |minor: u32, own: &Arc<Switches>| Traits { switches: Arc::clone(own), ..Traits::of(1, minor) };
    let switches: [Arc<Switches>; 2] = [Arc::default(), Arc::default()];
    let a = install(&manager, circle(0, &switches[0]).package("a"));
    let b = install(&manager, circle(0, &switches[1]).package("b"));
    // a calls b calls a, which then only counts.
    let depth = Arc::new(AtomicU64::new(0));
    for (own, other) in [(0, b.clone()), (1, a.clone())] {
        let depth = Arc::clone(&depth);
        let inside: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
            thread_local!(static DEPTH: std::cell::Cell<u32> = const { std::cell::Cell::new(0) });
            if DEPTH.get() < 2 {
                DEPTH.set(DEPTH.get() + 1);
                other.add(1).unwrap();
                DEPTH.set(DEPTH.get() - 1);
                depth.fetch_add(1, Ordering::Relaxed);
            }
        });
        *switches[own].inside.lock().unwrap() = Some(inside);
    }
    let stop = AtomicBool::new(false);
    let outer = thread::scope(|scope| {
        let callers = [&a, &b].map(|proxy| {
            let stop = &stop;
            scope.spawn(move || {
                let mut calls = 0u64;
                while !stop.load(Ordering::Acquire) {
                    proxy.add(1).unwrap();
                    calls += 1;
                }
                calls
            })
        });
        for minor in 1..=100 {
            let both = vec![circle(minor, &switches[0]).package("a"), circle(minor, &switches[1]).package("b")];
            manager.swap(&someone(), both, patient()).unwrap();
        }
        stop.store(true, Ordering::Release);
        callers.map(|caller| caller.join().unwrap()).iter().sum::<u64>()
    });
    for own in &switches {
        *own.inside.lock().unwrap() = None;
    }
    let inner = depth.load(Ordering::Relaxed);
    assert_eq!(inner, outer * 2);
    assert_eq!(a.add(0).unwrap() + b.add(0).unwrap(), outer + inner);
}

#[test]
fn a_call_that_does_not_end_aborts_the_swap_and_those_who_wait_are_served_by_the_old_version() {
    let manager = manager();
    let switches: Arc<Switches> = Arc::default();
    let old = Traits { switches: Arc::clone(&switches), ..Traits::of(1, 0) };
    let proxy = install(&manager, old.package("c"));
    let (is_inside, may_leave) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (entered, leave) = (Arc::clone(&is_inside), Arc::clone(&may_leave));
    *switches.inside.lock().unwrap() = Some(Arc::new(move || {
        entered.store(true, Ordering::Release);
        while !leave.load(Ordering::Acquire) {
            thread::yield_now();
        }
    }));
    thread::scope(|scope| {
        let stuck = scope.spawn(|| proxy.add(1));
        wait_for(|| is_inside.load(Ordering::Acquire));
        *switches.inside.lock().unwrap() = None;
        let observer = manager.observe(16);
        let proxy = &proxy;
        let waiting = scope.spawn(move || {
            wait_for(|| matches!(observer.next_event(), Some(event) if matches!(event.what, Happening::Closed { .. })));
            let impatient = with_patience(Duration::from_millis(1), || proxy.add(1));
            assert!(matches!(impatient, Err(CounterError::Call(CallError::Waited { .. }))), "{impatient:?}");
            with_patience(LONG, || proxy.add(1))
        });
        let timing = Timing { ready_within: LONG, budget: Duration::from_millis(300) };
        let options = SwapOptions { timing, ..SwapOptions::default() };
        let aborted = manager.swap(&someone(), vec![Traits::of(1, 1).package("c")], options).unwrap_err();
        assert!(matches!(aborted, SwapError::Aborted { abort: Abort::Budget { .. }, .. }), "{aborted}");
        assert_eq!(waiting.join().unwrap(), Ok(1));
        may_leave.store(true, Ordering::Release);
        assert_eq!(stuck.join().unwrap(), Ok(2));
    });
    assert_eq!(manager.modules()[0].version.number(), (1, 0));
    assert_eq!(switches.aborted.load(Ordering::Acquire), 1);
    // And it goes on: nothing is left of it.
    manager.swap(&someone(), vec![Traits::of(1, 1).package("c")], patient()).unwrap();
    assert_eq!(proxy.add(1), Ok(3));
}

#[test]
fn those_who_wait_go_in_in_the_order_in_which_they_came() {
    const WAITING: usize = 8;
    thread_local!(static PLACE: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });
    let manager = Arc::new(manager());
    let old: Arc<Switches> = Arc::default();
    let new: Arc<Switches> = Arc::default();
    let proxy = install(&manager, Traits { switches: Arc::clone(&old), ..Traits::of(1, 0) }.package("c"));
    let (is_inside, may_leave) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (entered, leave) = (Arc::clone(&is_inside), Arc::clone(&may_leave));
    *old.inside.lock().unwrap() = Some(Arc::new(move || {
        entered.store(true, Ordering::Release);
        wait_for(|| leave.load(Ordering::Acquire));
    }));
    // Who is inside of the new version sees who still waits: only those who came later may.
    let (looking, served) = (Arc::clone(&manager), Arc::new(AtomicU64::new(0)));
    let count = Arc::clone(&served);
    *new.inside.lock().unwrap() = Some(Arc::new(move || {
        let queued = looking.modules()[0].health.queued;
        let later = WAITING - PLACE.get();
        assert!(queued <= later, "{queued} wait when number {} is inside", PLACE.get());
        count.fetch_add(1, Ordering::Relaxed);
    }));
    thread::scope(|scope| {
        let stuck = scope.spawn(|| proxy.add(1));
        wait_for(|| is_inside.load(Ordering::Acquire));
        let observer = manager.observe(16);
        let package = Traits { switches: Arc::clone(&new), ..Traits::of(1, 1) }.package("c");
        let swap = scope.spawn(|| manager.swap(&someone(), vec![package], patient()));
        wait_for(|| matches!(observer.next_event(), Some(event) if matches!(event.what, Happening::Closed { .. })));
        let waiting: Vec<_> = (1..=WAITING)
            .map(|place| {
                let proxy = &proxy;
                let caller = scope.spawn(move || {
                    PLACE.set(place);
                    with_patience(LONG, || proxy.add(1))
                });
                wait_for(|| manager.modules()[0].health.queued == place);
                caller
            })
            .collect();
        may_leave.store(true, Ordering::Release);
        assert_eq!(stuck.join().unwrap(), Ok(1));
        swap.join().unwrap().unwrap();
        for caller in waiting {
            assert!(caller.join().unwrap().is_ok(), "a call found others before it that came later");
        }
    });
    *new.inside.lock().unwrap() = None;
    assert_eq!(served.load(Ordering::Relaxed), WAITING as u64);
    assert_eq!(proxy.add(0), Ok(WAITING as u64 + 1));
}

#[test]
fn a_call_can_look_at_the_manager_but_not_replace_its_own_module() {
    let manager = Arc::new(manager());
    let switches: Arc<Switches> = Arc::default();
    let proxy = install(&manager, Traits { switches: Arc::clone(&switches), ..Traits::of(1, 0) }.package("c"));
    let inner = Arc::clone(&manager);
    *switches.inside.lock().unwrap() = Some(Arc::new(move || {
        assert_eq!(inner.modules().len(), 1);
        let refused = inner.swap(&someone(), vec![Traits::of(1, 1).package("c")], SwapOptions::default());
        assert!(matches!(refused, Err(SwapError::FromInside(_))), "{refused:?}");
    }));
    assert_eq!(proxy.add(1), Ok(1));
}

fn wait_for(condition: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG, "it never happens");
        thread::sleep(Duration::from_millis(1));
    }
}
