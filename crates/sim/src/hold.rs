//! How long the objects that a request touches want its answer held back. Instrumentation has no other way
//! to tell: what it returns is a value.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Shared by all instrumentation of one agent, which answers one request at a time.
#[derive(Debug, Default)]
pub(crate) struct Hold(AtomicU64);

const FOR_EVER: u64 = u64::MAX;

impl Hold {
    /// Starts a request anew.
    pub(crate) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Holds the answer back longer.
    pub(crate) fn add(&self, wait: Duration) {
        self.change(|held| held.saturating_add(micros(wait)));
    }

    /// Holds the answer back so long, if it isn't anyway.
    pub(crate) fn at_least(&self, wait: Duration) {
        self.change(|held| held.max(micros(wait)));
    }

    /// There will be no answer.
    pub(crate) fn for_ever(&self) {
        self.0.store(FOR_EVER, Ordering::Relaxed);
    }

    /// How long; `None`: there is no answer.
    pub(crate) fn get(&self) -> Option<Duration> {
        Some(self.0.load(Ordering::Relaxed)).filter(|&held| held != FOR_EVER).map(Duration::from_micros)
    }

    fn change(&self, change: impl Fn(u64) -> u64) {
        let held = self.0.load(Ordering::Relaxed);
        if held != FOR_EVER {
            self.0.store(change(held).min(FOR_EVER - 1), Ordering::Relaxed);
        }
    }
}

fn micros(wait: Duration) -> u64 {
    u64::try_from(wait.as_micros()).unwrap_or(FOR_EVER - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_add_up_until_there_is_no_answer() {
        let (hold, second) = (Hold::default(), Duration::from_secs(1));
        hold.add(second);
        hold.add(second);
        hold.at_least(second);
        assert_eq!(hold.get(), Some(2 * second));
        hold.at_least(3 * second);
        assert_eq!(hold.get(), Some(3 * second));
        hold.add(Duration::MAX);
        assert!(hold.get().is_some());
        hold.for_ever();
        hold.add(second);
        assert_eq!(hold.get(), None);
        hold.reset();
        assert_eq!(hold.get(), Some(Duration::ZERO));
    }
}
