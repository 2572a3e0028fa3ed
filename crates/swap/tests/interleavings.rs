//! The gate on loom: every interleaving of callers with closing, draining, replacing and opening, and every value that each
//! load may see. loom itself fails a model in which a read of the module meets its replacement, or in which all threads wait.

#[path = "../src/gate.rs"]
#[expect(dead_code, reason = "health and limits of the gate are not what is tried here")]
mod gate;

mod sync {
    //! What `src/sync.rs` has, of loom's making.

    use std::cell::Cell;
    use std::time::Duration;

    use loom::sync::atomic::fence;

    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};

    /// As many as the largest model has threads that call.
    pub(crate) const INLINE_SLOTS: usize = 2;

    /// A fence on every core at once does for each caller what its own would: loom has those.
    #[derive(Clone, Copy)]
    pub(crate) struct Fences;

    impl Fences {
        pub(crate) fn of_this_process() -> Self {
            Fences
        }

        pub(crate) fn store_before_loads(self, slot: &AtomicUsize, value: usize) {
            slot.store(value, Ordering::Relaxed);
            fence(Ordering::SeqCst);
        }

        pub(crate) fn pass_everywhere(self) -> bool {
            fence(Ordering::SeqCst);
            true
        }
    }

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap()
    }

    /// Nobody's patience ends here: it would hide a wake-up that is missing.
    pub(crate) fn wait_while<'a, T>(
        condvar: &Condvar,
        mut guard: MutexGuard<'a, T>,
        _: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> (MutexGuard<'a, T>, bool) {
        while condition(&mut guard) {
            guard = condvar.wait(guard).unwrap();
        }
        (guard, false)
    }

    loom::thread_local! {
        static NUMBER: Cell<Option<usize>> = Cell::new(None);
    }

    pub(crate) fn number_this_thread(number: usize) {
        NUMBER.with(|own| own.set(Some(number)));
    }

    pub(crate) fn thread_number() -> Option<usize> {
        NUMBER.with(Cell::get)
    }
}

use std::sync::Arc;
use std::time::Duration;

use loom::thread;

use gate::{Closable, Gate, Refused, Round};

type Gates = Arc<[Gate<u32>]>;

fn gates(count: usize) -> Gates {
    (0..count).map(|_| Gate::new(1, 8)).collect()
}

fn call<R>(gate: &Gate<u32>, inside: impl FnOnce(u32) -> R) -> R {
    gate.call(|| Duration::ZERO, |version| inside(*version)).unwrap()
}

fn round(gates: &Gates) -> Round<'_> {
    Round::new(gates.iter().map(|gate| gate as &dyn Closable).collect())
}

/// Closes all gates, waits until all calls have left, replaces all, and opens them, the last one first.
fn swap(gates: &Gates, version: u32) {
    let mut round = round(gates);
    (0..gates.len()).for_each(|index| round.close(index));
    loop {
        if let Ok(quiet) = round.quiet() {
            for gate in gates.iter() {
                assert_eq!(gate.replace(&quiet, version), version - 1);
            }
            break;
        }
        thread::yield_now();
    }
    (0..gates.len()).rev().for_each(|index| round.open(index, true));
}

fn spawn(number: usize, gates: &Gates, calls: impl FnOnce(&Gates) + 'static) -> thread::JoinHandle<()> {
    let gates = Arc::clone(gates);
    thread::spawn(move || {
        sync::number_this_thread(number);
        calls(&gates);
    })
}

/// Without a bound, all of them; with one, all in which no thread is interrupted more often than that. The larger models
/// would take minutes without.
fn explore(preemption_bound: Option<usize>, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemption_bound;
    builder.check(model);
}

#[test]
fn a_call_meets_one_version_and_versions_do_not_go_back() {
    explore(None, || {
        let gates = gates(1);
        let caller = spawn(0, &gates, |gates| {
            let first = call(&gates[0], |version| version);
            let second = call(&gates[0], |version| version);
            assert!(first <= second, "{first}, then {second}");
        });
        swap(&gates, 2);
        caller.join().unwrap();
        sync::number_this_thread(1);
        assert_eq!(call(&gates[0], |version| version), 2);
    });
}

#[test]
fn a_call_inside_of_a_call_comes_to_its_end_on_the_same_side() {
    explore(Some(3), || {
        let gates = gates(2);
        let caller = spawn(0, &gates, |gates| {
            let (outer, inner) = call(&gates[0], |outer| (outer, call(&gates[1], |inner| inner)));
            assert_eq!(outer, inner);
        });
        swap(&gates, 2);
        caller.join().unwrap();
    });
}

#[test]
fn calls_in_a_circle_come_to_their_end() {
    explore(Some(1), || {
        let gates = gates(2);
        let callers = [0, 1].map(|number| {
            spawn(number, &gates, move |gates| {
                let (here, there) = (&gates[number], &gates[1 - number]);
                let inside = call(here, |first| call(there, |second| [first, second, call(here, |third| third)]));
                // Opened first, the second module can be called before the first is open; it then waits for it.
                assert!(inside.windows(2).all(|pair| pair[0] == pair[1]), "{inside:?}");
            })
        });
        swap(&gates, 2);
        callers.into_iter().for_each(|caller| caller.join().unwrap());
    });
}

#[test]
fn who_waits_gets_in_whatever_becomes_of_the_swap() {
    explore(Some(3), || {
        let gates = gates(1);
        let callers =
            [0, 1].map(|number| spawn(number, &gates, |gates| assert_eq!(call(&gates[0], |version| version), 1)));
        // Aborted: whether or not somebody is inside.
        let mut round = round(&gates);
        round.close(0);
        round.open(0, false);
        callers.into_iter().for_each(|caller| caller.join().unwrap());
    });
}

#[test]
fn a_second_round_waits_for_calls_that_the_first_let_pass() {
    explore(Some(3), || {
        let gates = gates(2);
        let caller = spawn(0, &gates, |gates| {
            let (outer, inner) = call(&gates[0], |outer| (outer, call(&gates[1], |inner| inner)));
            assert!(outer <= inner, "{outer}, {inner}");
        });
        // The first round is aborted, the second is of the inner module only.
        let mut first = round(&gates);
        first.close(0);
        first.close(1);
        first.open(1, false);
        first.open(0, false);
        let mut second = Round::new(vec![&gates[1]]);
        second.close(0);
        while second.quiet().map(|quiet| gates[1].replace(&quiet, 2)).is_err() {
            thread::yield_now();
        }
        drop(second);
        caller.join().unwrap();
    });
}

#[test]
fn a_barred_gate_refuses_those_who_wait_too() {
    explore(None, || {
        let gates = gates(1);
        gates[0].bar();
        let caller = spawn(0, &gates, |gates| {
            let refused = gates[0].call(|| Duration::ZERO, |version| *version);
            assert_eq!(refused, Err(Refused::Barred));
        });
        let mut round = round(&gates);
        round.close(0);
        round.open(0, false);
        caller.join().unwrap();
    });
}
