//! When a simulation started, on the clock that only goes forward and on the calendar's.

use std::time::{Duration, Instant};

/// The start of a simulation. Both times are arguments: nothing here reads a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    /// By the clock that all `now` arguments are of.
    pub instant: Instant,
    /// Since 1970-01-01 00:00 UTC.
    pub unix: Duration,
}

impl Epoch {
    /// How long the simulation has run; nothing before its start.
    pub fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.instant)
    }

    /// The time since 1970-01-01 00:00 UTC.
    pub fn unix(&self, now: Instant) -> Duration {
        self.unix + self.elapsed(now)
    }
}
