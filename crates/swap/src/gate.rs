//! The gate: what lets calls into a module, keeps count of those inside, and lets it be replaced when there are none.
//!
//! # Open
//! Each thread has a slot of its own in each gate, with the number of its calls inside. To enter, a thread
//! raises that number, passes a fence, and looks whether the gate is open; to leave, it lowers the number.
//! Nobody else writes the slot, so raising and lowering are plain stores.
//!
//! # Closed
//! Whoever closes sets the state, passes a fence too, and adds the slots up. Of two fences one is first: either the
//! caller sees the gate closed and takes itself back, or the closer sees the caller. Those who come wait
//! in a queue, each no longer than its patience, and go in one after the other when the gate opens.
//!
//! # Fences
//! Callers are many and closers are rare. So, where the system can do that, the closer has it pass a fence on every core that
//! runs one of our threads, and the callers' own fence is for the compiler alone ([`Fences`]).
//!
//! # Calls inside of calls
//! Gates close together, as a [`Round`]. A thread that is inside one gate of the round passes the others, and runs on
//! the old module: it must, since the round waits for its outermost call to end. A thread that was outside of all of
//! them once they were closed stays outside. So one look at all slots of all gates that finds only zeros says that there is nobody, and
//! that there will be nobody until a gate opens: that is [`Quiet`].
//!
//! # Why there is unsafe code, and why it is sound
//! What the gate holds is read with plain loads, in [`Gate::call`] only, between entering and leaving. It is
//! written in [`Gate::replace`] only, which wants a [`Quiet`] of the round that this gate is closed by. Leaving
//! is a store with release, which the look at the slots acquires: all reads are over before the write. Opening is a
//! store with release, which entering acquires: no later read is before the write. `tests/interleavings.rs` runs this file
//! on loom, which tries every interleaving and every value a load may see, and fails on any read that meets a write.
#![allow(unsafe_code, reason = "see above; the safe ways cost two locked instructions a call, which now has none")]

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crossbeam_utils::CachePadded;

use crate::sync::{
    AtomicU64, AtomicUsize, Condvar, Fences, INLINE_SLOTS, Mutex, Ordering, UnsafeCell, lock, thread_number, wait_while,
};

const OPEN: usize = 0;
const SHUT: usize = 1;

/// Further slots come in segments, each twice as long as the one before.
const SEGMENTS: usize = 11;

/// Why a call did not get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The gate stayed closed for longer than the caller's patience.
    Waited,
    /// Too many wait already.
    QueueFull,
    /// The gate is barred: what it leads to does not serve.
    Barred,
    /// The thread is being taken down, or there are too many.
    NoSlot,
}

/// Leads to a value of type `T`. What is public here may be called by the swap manager only.
pub(crate) struct Gate<T> {
    door: CachePadded<Door>,
    slots: Arc<Slots>,
    value: UnsafeCell<T>,
    shut: Mutex<Shut>,
    queue_max: usize,
}

/// What each call looks at.
struct Door {
    state: AtomicUsize,
    fences: Fences,
}

// SAFETY: `value` is shared as by `&T` while calls run and owned while it is replaced, never both (see the head).
unsafe impl<T: Send + Sync> Sync for Gate<T> {}
// SAFETY: a gate owns its value.
unsafe impl<T: Send + Sync> Send for Gate<T> {}

/// What a thread needs when the gate is not open.
struct Shut {
    why: Why,
    queue: VecDeque<(u64, Arc<Condvar>)>,
    next_ticket: u64,
}

enum Why {
    Open,
    Closed(Members),
    Barred,
}

/// What gates that are closed together have in common.
type Members = Arc<Group>;

pub(crate) struct Group {
    /// Of each gate.
    slots: Vec<Arc<Slots>>,
    left: Mutex<()>,
    /// Notified when a call has left.
    has_left: Condvar,
}

/// Who is inside of one gate.
pub(crate) struct Slots {
    first: [CachePadded<Slot>; INLINE_SLOTS],
    more: [OnceLock<Box<[CachePadded<Slot>]>>; SEGMENTS],
    errors: AtomicU64,
}

/// One thread's; only that thread writes it.
struct Slot {
    depth: AtomicUsize,
    calls: AtomicU64,
}

/// A gate, whatever it leads to, as its round sees it.
pub(crate) trait Closable {
    fn slots(&self) -> &Arc<Slots>;
    /// From now on who comes waits, but for threads inside of one of `members`. Whether the gate was barred.
    fn close(&self, members: &Members, key: Key) -> bool;
    /// Those who wait go in, the longest waiting first; or they, and who comes later, are refused.
    fn open(&self, is_barred: bool, key: Key);
}

/// Only a [`Round`] has one, so that only a round closes and opens gates.
#[derive(Clone, Copy)]
pub(crate) struct Key(());

/// Gates that are closed together. Dropped, it opens those that it closed.
pub(crate) struct Round<'a> {
    gates: Vec<&'a dyn Closable>,
    members: Members,
    /// Of each gate, if it is closed by us, whether it was barred before.
    closed: Vec<Option<bool>>,
    /// All callers see what was closed, and we see all that they did before.
    is_seen: bool,
}

/// Proof that nobody is inside of any gate of a round, nor can be before one opens.
pub(crate) struct Quiet<'a> {
    members: &'a Members,
}

impl<T> Gate<T> {
    pub(crate) fn new(value: T, queue_max: usize) -> Self {
        Gate {
            door: CachePadded::new(Door { state: AtomicUsize::new(OPEN), fences: Fences::of_this_process() }),
            slots: Arc::new(Slots::new()),
            value: UnsafeCell::new(value),
            shut: Mutex::new(Shut { why: Why::Open, queue: VecDeque::new(), next_ticket: 0 }),
            queue_max,
        }
    }

    /// Runs `call` on the value. At a closed gate it waits for no longer than `patience` says.
    #[inline]
    pub(crate) fn call<R>(&self, patience: fn() -> Duration, call: impl FnOnce(&T) -> R) -> Result<R, Refused> {
        let slot = self.slots.of_this_thread().ok_or(Refused::NoSlot)?;
        let inside = self.enter(slot);
        let inside = if self.door.state.load(Ordering::SeqCst) == OPEN { inside } else { self.wait(inside, patience)? };
        // SAFETY: this thread is inside, so nobody replaces the value before `inside` is dropped.
        let result = self.value.with(|value| call(unsafe { &*value }));
        inside.slot.count_call();
        drop(inside);
        // This may come too early to see the gate close: then who drains finds out by himself, a little later.
        if self.door.state.load(Ordering::Relaxed) != OPEN {
            self.say_left();
        }
        Ok(result)
    }

    /// Puts another value in place of the one there, which it gives back.
    ///
    /// # Panics
    /// The gate is not closed by the round that is quiet: only a fault in this crate can do that.
    pub(crate) fn replace(&self, quiet: &Quiet<'_>, value: T) -> T {
        let shut = lock(&self.shut);
        let is_of_round = matches!(&shut.why, Why::Closed(members) if Arc::ptr_eq(members, quiet.members));
        assert!(is_of_round, "a gate is replaced by another round than the one that closed it");
        // SAFETY: the round that closed this gate found nobody inside, and `quiet` borrows it, so it has not opened since.
        self.value.with_mut(|old| std::mem::replace(unsafe { &mut *old }, value))
    }

    /// How many calls were let in, as far as this thread knows.
    pub(crate) fn calls(&self) -> u64 {
        self.slots.each().map(|slot| slot.calls.load(Ordering::Relaxed)).sum()
    }

    /// How many calls ended in an error.
    pub(crate) fn errors(&self) -> u64 {
        self.slots.errors.load(Ordering::Relaxed)
    }

    #[cold]
    pub(crate) fn count_error(&self) {
        self.slots.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the calling thread is inside of a call.
    pub(crate) fn is_inside(&self) -> bool {
        self.slots.is_inside()
    }

    /// How many callers wait.
    pub(crate) fn queued(&self) -> usize {
        lock(&self.shut).queue.len()
    }

    #[cold]
    fn say_left(&self) {
        if let Why::Closed(members) = &lock(&self.shut).why {
            members.say_left();
        }
    }

    #[inline(always)]
    fn enter<'a>(&self, slot: &'a Slot) -> Inside<'a> {
        let depth = slot.depth.load(Ordering::Relaxed);
        self.door.fences.store_before_loads(&slot.depth, depth + 1);
        Inside { slot, depth, here: PhantomData }
    }

    /// For a thread that entered and found the gate shut.
    #[cold]
    fn wait<'a>(&self, inside: Inside<'a>, patience: fn() -> Duration) -> Result<Inside<'a>, Refused> {
        let mut shut = lock(&self.shut);
        let slot = inside.slot;
        // Out again, so that only calls further out count below.
        drop(inside);
        if let Why::Closed(members) = &shut.why {
            members.say_left();
        }
        match &shut.why {
            // Nobody can close it as long as we have the lock; whoever does so later sees us inside.
            Why::Open => return Ok(self.enter(slot)),
            // The round waits for that call, so it can't have found all gates empty.
            Why::Closed(members) if members.slots.iter().any(|slots| slots.is_inside()) => {
                return Ok(self.enter(slot));
            }
            Why::Barred => return Err(Refused::Barred),
            Why::Closed(_) => {}
        }
        if shut.queue.len() >= self.queue_max {
            return Err(Refused::QueueFull);
        }
        let ticket = shut.next_ticket;
        shut.next_ticket += 1;
        let turn = Arc::new(Condvar::new());
        shut.queue.push_back((ticket, Arc::clone(&turn)));
        let (mut shut, timed_out) = wait_while(&turn, shut, patience(), |shut| {
            matches!(shut.why, Why::Closed(_)) || shut.queue.front().is_none_or(|(first, _)| *first != ticket)
        });
        shut.queue.retain(|(other, _)| *other != ticket);
        let result = match shut.why {
            _ if timed_out => Err(Refused::Waited),
            Why::Barred => Err(Refused::Barred),
            _ => Ok(self.enter(slot)),
        };
        if !matches!(shut.why, Why::Closed(_)) {
            shut.let_next_try();
        }
        result
    }

    /// Refuses who comes from now on, until a round opens the gate again. A closed gate is left to its round.
    pub(crate) fn bar(&self) {
        let mut shut = lock(&self.shut);
        if matches!(shut.why, Why::Open) {
            self.set(&mut shut, Why::Barred);
        }
    }

    fn set(&self, shut: &mut Shut, why: Why) {
        let state = if matches!(why, Why::Open) { OPEN } else { SHUT };
        shut.why = why;
        self.door.state.store(state, Ordering::Release);
        shut.let_next_try();
    }
}

impl<T> Closable for Gate<T> {
    fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }

    fn close(&self, members: &Members, _: Key) -> bool {
        let mut shut = lock(&self.shut);
        assert!(!matches!(shut.why, Why::Closed(_)), "a gate is closed by two rounds");
        let was_barred = matches!(shut.why, Why::Barred);
        self.set(&mut shut, Why::Closed(Arc::clone(members)));
        was_barred
    }

    fn open(&self, is_barred: bool, _: Key) {
        self.set(&mut lock(&self.shut), if is_barred { Why::Barred } else { Why::Open });
    }
}

impl<'a> Round<'a> {
    /// Of gates that are not closed.
    pub(crate) fn new(gates: Vec<&'a dyn Closable>) -> Self {
        let slots = gates.iter().map(|gate| Arc::clone(gate.slots())).collect();
        let members = Arc::new(Group { slots, left: Mutex::new(()), has_left: Condvar::new() });
        Round { closed: vec![None; gates.len()], gates, members, is_seen: false }
    }

    /// Closes one of the gates.
    pub(crate) fn close(&mut self, index: usize) {
        if self.closed[index].is_none() {
            self.closed[index] = Some(self.gates[index].close(&self.members, Key(())));
            self.is_seen = false;
        }
    }

    /// Opens one of the gates: it serves, or as it did before.
    pub(crate) fn open(&mut self, index: usize, serves: bool) {
        if let Some(was_barred) = self.closed[index].take() {
            self.gates[index].open(was_barred && !serves, Key(()));
        }
    }

    /// Opens one of the gates to nobody: who waits and who comes is refused.
    pub(crate) fn bar(&mut self, index: usize) {
        if self.closed[index].take().is_some() {
            self.gates[index].open(true, Key(()));
        }
    }

    /// Proof that nobody is inside; or how many calls are, or gates still open. Where the system refuses the fence, which it
    /// had granted when the gates were made, there is no proof.
    pub(crate) fn quiet(&mut self) -> Result<Quiet<'_>, usize> {
        let open = self.closed.iter().filter(|closed| closed.is_none()).count();
        self.is_seen = self.is_seen || Fences::of_this_process().pass_everywhere();
        if !self.is_seen {
            return Err(open.max(1));
        }
        let inside = self.members.inside();
        if open + inside == 0 { Ok(Quiet { members: &self.members }) } else { Err(open + inside) }
    }
}

impl Round<'_> {
    /// Waits until nobody is inside, no longer than `patience`.
    pub(crate) fn wait_for_leavers(&self, patience: Duration) {
        let Group { left, has_left, .. } = &*self.members;
        // Who leaves says so under the lock: after this look, or before it and then it sees that.
        drop(wait_while(has_left, lock(left), patience, |()| self.members.inside() > 0));
    }
}

impl Group {
    fn inside(&self) -> usize {
        self.slots.iter().map(|slots| slots.inside()).sum()
    }

    fn say_left(&self) {
        let _left = lock(&self.left);
        self.has_left.notify_one();
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        (0..self.gates.len()).for_each(|index| self.open(index, false));
    }
}

impl Shut {
    fn let_next_try(&self) {
        if let Some((_, turn)) = self.queue.front() {
            turn.notify_one();
        }
    }
}

/// A call inside of a gate, on the thread that made it.
struct Inside<'a> {
    slot: &'a Slot,
    /// How many calls of this thread are outside of this one, in the same gate.
    depth: usize,
    here: PhantomData<*const ()>,
}

impl Drop for Inside<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.slot.depth.store(self.depth, Ordering::Release);
    }
}

impl Slots {
    fn new() -> Self {
        Slots {
            first: std::array::from_fn(|_| CachePadded::new(Slot::new())),
            more: std::array::from_fn(|_| OnceLock::new()),
            errors: AtomicU64::new(0),
        }
    }

    #[inline(always)]
    fn of_this_thread(&self) -> Option<&Slot> {
        let number = thread_number()?;
        match self.first.get(number) {
            Some(slot) => Some(slot),
            None => self.of_number(number),
        }
    }

    #[cold]
    fn of_number(&self, number: usize) -> Option<&Slot> {
        // Segment k starts at INLINE_SLOTS * 2^k and is as long as all before it.
        let segment = (number / INLINE_SLOTS).ilog2();
        let length = INLINE_SLOTS << segment;
        let make = || (0..length).map(|_| CachePadded::new(Slot::new())).collect();
        Some(&self.more.get(segment as usize)?.get_or_init(make)[number - length])
    }

    /// Whether this thread is: only it writes its slot.
    fn is_inside(&self) -> bool {
        self.of_this_thread().is_some_and(|slot| slot.depth.load(Ordering::Relaxed) > 0)
    }

    fn each(&self) -> impl Iterator<Item = &CachePadded<Slot>> {
        self.first.iter().chain(self.more.iter().filter_map(OnceLock::get).flatten())
    }

    fn inside(&self) -> usize {
        self.each().map(|slot| slot.depth.load(Ordering::Acquire)).sum()
    }
}

impl Slot {
    fn new() -> Self {
        Slot { depth: AtomicUsize::new(0), calls: AtomicU64::new(0) }
    }

    #[inline(always)]
    fn count_call(&self) {
        self.calls.store(self.calls.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}
