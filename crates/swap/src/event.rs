//! The event service: what happens in swaps, for observers. Each has a bounded queue of its own: one that does not read
//! loses the oldest events, and hears how many, but holds nobody up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use crate::module::{ModuleId, Version};
use crate::sync::lock;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Instant,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happening {
    /// A module was put where there was none.
    Installed {
        /// Which.
        module: ModuleId,
        /// Its version.
        version: Version,
    },
    /// Something was asked for that the asker may not do.
    Denied {
        /// Who asked.
        who: String,
        /// What for, and why not.
        reason: String,
    },
    /// A swap was refused before it became a transaction.
    Refused {
        /// Why.
        reason: String,
    },
    /// A transaction began.
    Began {
        /// Its number.
        transaction: u64,
        /// Its modules with their new versions.
        modules: Vec<(ModuleId, Version)>,
    },
    /// A transaction waits for its modules to come to where they may be replaced.
    Waiting {
        /// Its number.
        transaction: u64,
        /// For what.
        what: String,
    },
    /// All its gates are closed.
    Closed {
        /// Its number.
        transaction: u64,
    },
    /// All calls have left.
    Drained {
        /// Its number.
        transaction: u64,
    },
    /// The new versions serve.
    Committed {
        /// Its number.
        transaction: u64,
        /// From the closing of the first gate to the opening of the last.
        blackout: Duration,
        /// Why.
        cause: Cause,
        /// Modules that have a state that was kept earlier: what happened to them since is lost.
        state_lost: Vec<ModuleId>,
    },
    /// The old versions serve on.
    Aborted {
        /// Its number.
        transaction: u64,
        /// Why.
        reason: String,
    },
    /// A module was taken out.
    Uninstalled {
        /// Which.
        module: ModuleId,
        /// Its version.
        version: Version,
    },
    /// A module panicked. What its policy says is done.
    Panicked {
        /// Which.
        module: ModuleId,
        /// What it said.
        message: String,
    },
    /// A new version has come through its time on probation.
    Proved {
        /// Which.
        module: ModuleId,
    },
    /// A version is being taken back by itself.
    TakenBack {
        /// Which.
        module: ModuleId,
        /// Why.
        reason: String,
    },
    /// Something around a swap went wrong that does not change its end: a clean-up, a state that was not kept, a remedy not had.
    Trouble {
        /// Which module.
        module: ModuleId,
        /// Why.
        reason: String,
    },
}

/// Why modules are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Somebody asked for other versions.
    Swap,
    /// Somebody asked for earlier versions.
    RollBack,
    /// A version did not stand its probation, or panicked: the version before takes its place.
    TakenBack {
        /// What it did.
        reason: String,
    },
    /// A version panicked, and is made again.
    Restart {
        /// What it did.
        reason: String,
    },
    /// Somebody asked for a module to be taken out.
    Uninstall,
}

/// Reads events.
#[derive(Debug)]
pub struct Observer {
    queue: Arc<Mutex<Queue>>,
}

#[derive(Debug)]
struct Queue {
    events: VecDeque<Event>,
    capacity: usize,
    missed: u64,
}

impl Observer {
    /// The oldest event that was not read yet.
    pub fn next_event(&self) -> Option<Event> {
        lock(&self.queue).events.pop_front()
    }

    /// How many events were lost since it was last asked.
    pub fn take_missed(&self) -> u64 {
        std::mem::take(&mut lock(&self.queue).missed)
    }
}

/// Passes events to observers until those are dropped.
#[derive(Debug, Default)]
pub(crate) struct Events {
    queues: Mutex<Vec<Weak<Mutex<Queue>>>>,
}

impl Events {
    pub(crate) fn observe(&self, capacity: usize) -> Observer {
        let capacity = capacity.max(1);
        let queue =
            Arc::new(Mutex::new(Queue { events: VecDeque::with_capacity(capacity.min(64)), capacity, missed: 0 }));
        let mut queues = lock(&self.queues);
        queues.retain(|queue| queue.strong_count() > 0);
        queues.push(Arc::downgrade(&queue));
        Observer { queue }
    }

    pub(crate) fn tell(&self, at: Instant, what: Happening) {
        for queue in lock(&self.queues).iter().filter_map(Weak::upgrade) {
            let mut queue = lock(&queue);
            if queue.events.len() == queue.capacity {
                queue.events.pop_front();
                queue.missed += 1;
            }
            queue.events.push_back(Event { at, what: what.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observer_that_does_not_read_loses_the_oldest_and_hears_how_many() {
        let events = Events::default();
        let (slow, quick) = (events.observe(2), events.observe(10));
        let now = Instant::now();
        for transaction in 1..=5 {
            events.tell(now, Happening::Closed { transaction });
        }
        assert_eq!(slow.take_missed(), 3);
        assert_eq!(slow.take_missed(), 0);
        assert_eq!(slow.next_event().unwrap().what, Happening::Closed { transaction: 4 });
        assert_eq!(std::iter::from_fn(|| quick.next_event()).count(), 5);
        assert_eq!(quick.take_missed(), 0);
        drop(slow);
        events.tell(now, Happening::Closed { transaction: 6 });
        assert!(quick.next_event().is_some());
    }
}
