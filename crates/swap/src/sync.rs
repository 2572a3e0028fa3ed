//! What the gate is made of, in one place: the test that tries every interleaving compiles the gate on loom's
//! implementations of the same names.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::sync::atomic::{compiler_fence, fence};
use std::time::Duration;

pub(crate) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

use rustix::thread::{MembarrierCommand, membarrier};

use crate::limits::THREADS_MAX;

/// How many slots a gate has from the start: threads of a usual program.
pub(crate) const INLINE_SLOTS: usize = 16;

/// `std::cell::UnsafeCell` as loom has it, where the time of each access is known.
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// How a caller and a closer, of whom each stores first and then loads what the other has stored, can't both miss
/// the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fences {
    /// Both pass a fence.
    OfBoth,
    /// The closer alone, who has the system pass it for the callers: on each core that runs a thread of this process,
    /// and one that runs none passes one before it does (membarrier(2), `PRIVATE_EXPEDITED`; Linux 4.14).
    OfTheCloser,
}

impl Fences {
    pub(crate) fn of_this_process() -> Self {
        static GRANTED: LazyLock<bool> =
            LazyLock::new(|| membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok());
        if *GRANTED { Fences::OfTheCloser } else { Fences::OfBoth }
    }

    /// The caller's half: stores, and lets no later sequentially consistent load come before.
    #[inline(always)]
    pub(crate) fn store_before_loads(self, slot: &AtomicUsize, value: usize) {
        match self {
            // One instruction, where the store and a fence would be two.
            Fences::OfBoth => slot.store(value, Ordering::SeqCst),
            Fences::OfTheCloser => {
                slot.store(value, Ordering::Relaxed);
                compiler_fence(Ordering::SeqCst);
            }
        }
    }

    /// The closer's half, between what it stored and what it will load. False where the system refuses.
    pub(crate) fn pass_everywhere(self) -> bool {
        fence(Ordering::SeqCst);
        self == Fences::OfBoth || membarrier(MembarrierCommand::PrivateExpedited).is_ok()
    }
}

/// Locks, also after a panic elsewhere: what the gate keeps under its locks is whole between any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Waits on `condvar` while `condition` holds, no longer than `patience`; whether it still held then.
pub(crate) fn wait_while<'a, T>(
    condvar: &Condvar,
    guard: MutexGuard<'a, T>,
    patience: Duration,
    condition: impl FnMut(&mut T) -> bool,
) -> (MutexGuard<'a, T>, bool) {
    let waited = condvar.wait_timeout_while(guard, patience, condition);
    let (guard, result) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
    (guard, result.timed_out())
}

/// The calling thread's number: no other thread that lives has it, and it is given out again after the thread's end.
/// `None` while the thread is being taken down, and past [`THREADS_MAX`] threads.
#[inline(always)]
pub(crate) fn thread_number() -> Option<usize> {
    match NUMBER.get() {
        Some(number) => Some(number),
        None => take_number(),
    }
}

thread_local! {
    static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
    static LEASE: RefCell<Option<Lease>> = const { RefCell::new(None) };
}

static FREE: Mutex<Numbers> = Mutex::new(Numbers { next: 0, returned: BTreeSet::new() });

struct Numbers {
    next: usize,
    returned: BTreeSet<usize>,
}

/// Returns the number at the thread's end.
struct Lease(usize);

impl Drop for Lease {
    fn drop(&mut self) {
        NUMBER.set(None);
        lock(&FREE).returned.insert(self.0);
    }
}

#[cold]
fn take_number() -> Option<usize> {
    LEASE
        .try_with(|lease| {
            // Still borrowed: the lease is being dropped, and the thread with it.
            let mut lease = lease.try_borrow_mut().ok()?;
            let number = {
                let mut numbers = lock(&FREE);
                match numbers.returned.pop_first() {
                    Some(number) => number,
                    None if numbers.next < THREADS_MAX => {
                        numbers.next += 1;
                        numbers.next - 1
                    }
                    None => return None,
                }
            };
            NUMBER.set(Some(number));
            *lease = Some(Lease(number));
            Some(number)
        })
        .ok()
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_live_have_numbers_of_their_own() {
        let mine = thread_number().unwrap();
        assert_eq!(thread_number(), Some(mine));
        let barrier = std::sync::Barrier::new(8);
        let others: Vec<usize> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let number = thread_number().unwrap();
                        barrier.wait();
                        number
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let different: BTreeSet<usize> = others.iter().copied().chain([mine]).collect();
        assert_eq!(different.len(), 9);
    }
}
