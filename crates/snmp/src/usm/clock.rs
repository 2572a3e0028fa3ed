//! Boots and time of engines, and the window in which a message counts as new (RFC 3414 §2.2, §2.3, §3.2 (7)).

use std::time::Instant;

use crate::engine::EngineTime;
use crate::limits::TIME_WINDOW_S;

/// Boots at which an engine must be given new keys, and time at which its boots grow (RFC 3414 §2.2.2).
const MAX: u32 = i32::MAX as u32;

/// The clock of the local, authoritative engine.
#[derive(Debug, Clone, Copy)]
pub(super) struct LocalClock {
    boots: u32,
    started: Instant,
    time_at_start: u32,
}

impl LocalClock {
    /// The clock says `at_start` when it is `started`.
    pub(super) fn new(at_start: EngineTime, started: Instant) -> Self {
        LocalClock { boots: at_start.boots, started, time_at_start: at_start.time }
    }

    pub(super) fn now(&self, now: Instant) -> EngineTime {
        let time = u64::from(self.time_at_start) + now.saturating_duration_since(self.started).as_secs();
        let wraps = time / (u64::from(MAX) + 1);
        let boots = (u64::from(self.boots) + wraps).min(u64::from(MAX)) as u32;
        EngineTime { boots, time: (time % (u64::from(MAX) + 1)) as u32 }
    }

    /// Whether an authentic message that states `stated` is timely (RFC 3414 §3.2 (7a)).
    pub(super) fn admits(&self, now: Instant, stated: EngineTime) -> bool {
        let local = self.now(now);
        local.boots != MAX && stated.boots == local.boots && stated.time.abs_diff(local.time) <= TIME_WINDOW_S
    }
}

/// The local notion of a remote engine's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct RemoteClock {
    boots: u32,
    latest_received: u32,
    received_at: Instant,
}

impl RemoteClock {
    /// From a first authentic message.
    pub(super) fn new(now: Instant, stated: EngineTime) -> Self {
        RemoteClock { boots: stated.boots, latest_received: stated.time, received_at: now }
    }

    pub(super) fn now(&self, now: Instant) -> EngineTime {
        let elapsed = now.saturating_duration_since(self.received_at).as_secs();
        let time = u64::from(self.latest_received).saturating_add(elapsed).min(u64::from(MAX)) as u32;
        EngineTime { boots: self.boots, time }
    }

    /// Takes the time that an authentic message states; whether the message is timely (RFC 3414 §3.2 (7b)).
    pub(super) fn admit(&mut self, now: Instant, stated: EngineTime) -> bool {
        if stated.boots > self.boots || (stated.boots == self.boots && stated.time > self.latest_received) {
            *self = RemoteClock::new(now, stated);
        }
        let local = self.now(now);
        local.boots != MAX && stated.boots == local.boots && stated.time.saturating_add(TIME_WINDOW_S) >= local.time
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(boots: u32, time: u32) -> EngineTime {
        EngineTime { boots, time }
    }

    #[test]
    fn the_local_window_is_150_seconds_either_way() {
        let start = Instant::now();
        let clock = LocalClock::new(at(7, 0), start);
        let now = start + Duration::from_secs(1000);
        assert_eq!(clock.now(now), at(7, 1000));
        for (stated, timely) in [
            (at(7, 1000), true),
            (at(7, 1150), true),
            (at(7, 850), true),
            (at(7, 1151), false),
            (at(7, 849), false),
            (at(6, 1000), false),
            (at(8, 1000), false),
        ] {
            assert_eq!(clock.admits(now, stated), timely, "{stated:?}");
        }
        assert!(!LocalClock::new(at(MAX, 0), start).admits(start, at(MAX, 0)));
    }

    #[test]
    fn the_local_time_wraps_into_boots() {
        let start = Instant::now();
        let clock = LocalClock::new(at(7, MAX), start);
        assert_eq!(clock.now(start + Duration::from_secs(3)), at(8, 2));
    }

    #[test]
    fn a_remote_clock_only_goes_forward() {
        let start = Instant::now();
        let mut clock = RemoteClock::new(start, at(3, 500));
        let now = start + Duration::from_secs(100);
        assert_eq!(clock.now(now), at(3, 600));
        assert!(clock.admit(now, at(3, 450)), "old, but within the window");
        assert!(!clock.admit(now, at(3, 449)));
        assert!(!clock.admit(now, at(2, 9999)), "a replay from before the reboot");
        assert!(clock.admit(now, at(3, 700)), "the remote clock runs fast");
        assert_eq!(clock.now(now), at(3, 700));
        assert!(clock.admit(now, at(4, 1)), "a reboot");
        assert_eq!(clock.now(now), at(4, 1));
        assert!(!clock.admit(now, at(3, 700)));
    }
}
