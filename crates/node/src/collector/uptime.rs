//! Whether the agent that answers now is the one that answered before: by its sysUpTime, which wraps every
//! 497 days without a reboot (RFC 3418), and which some agents refresh only every few seconds.

use std::time::{Duration, Instant};

use crate::limits::{UPTIME_SETBACK, UPTIME_TOLERANCE};

/// What a sysUpTime tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uptime {
    /// There is nothing to compare it with.
    First,
    /// The agent has run since the last reading.
    Continuous,
    /// The agent has started since: its counters may have begun anew.
    Restarted,
    /// The agent claims to run for longer than before: another one answers, or its clock was set.
    Jumped,
}

/// Follows one agent's sysUpTime.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct UptimeTracker(Option<(Instant, u32)>);

impl UptimeTracker {
    /// Starts from a reading of an earlier run of this program.
    pub(crate) fn resume(at: Instant, ticks: u32) -> Self {
        UptimeTracker(Some((at, ticks)))
    }

    /// Takes a reading.
    pub(crate) fn observe(&mut self, at: Instant, ticks: u32) -> Uptime {
        let Some((before, old_ticks)) = self.0.replace((at, ticks)) else { return Uptime::First };
        let elapsed = at.saturating_duration_since(before);
        // It never goes back by itself, however young the agent is.
        if old_ticks.wrapping_sub(ticks).cast_signed() > to_ticks(UPTIME_SETBACK).cast_signed() {
            return Uptime::Restarted;
        }
        let expected = old_ticks.wrapping_add(to_ticks(elapsed));
        let ahead = ticks.wrapping_sub(expected).cast_signed();
        // Clocks drift: two per cent of what has passed is nobody's reboot.
        let tolerance = to_ticks(UPTIME_TOLERANCE + elapsed / 50);
        if ahead.unsigned_abs() <= tolerance {
            Uptime::Continuous
        } else if ahead < 0 {
            Uptime::Restarted
        } else {
            Uptime::Jumped
        }
    }

    /// When the last reading was.
    pub(crate) fn last_read(&self) -> Option<Instant> {
        self.0.map(|(at, _)| at)
    }
}

/// Hundredths of a second, modulo 2^32 as TimeTicks are.
fn to_ticks(duration: Duration) -> u32 {
    (duration.as_millis() / 10) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observe(first: u32, elapsed_s: u64, second: u32) -> Uptime {
        let start = Instant::now();
        let mut tracker = UptimeTracker::default();
        assert_eq!(tracker.observe(start, first), Uptime::First);
        tracker.observe(start + Duration::from_secs(elapsed_s), second)
    }

    #[test]
    fn a_steady_agent_is_continuous() {
        assert_eq!(observe(1_000, 60, 7_000), Uptime::Continuous);
        assert_eq!(observe(1_000, 60, 6_600), Uptime::Continuous, "refreshed late");
        assert_eq!(observe(1_000, 86_400, 1_000 + 8_640_000 - 100_000), Uptime::Continuous, "a slow clock");
    }

    #[test]
    fn a_wrap_after_497_days_is_no_reboot() {
        assert_eq!(observe(u32::MAX - 2_999, 60, 3_000), Uptime::Continuous);
    }

    #[test]
    fn a_reboot_is_one_even_if_the_uptime_has_grown_past_the_old_one() {
        assert_eq!(observe(500_000, 60, 1_500), Uptime::Restarted);
        // Up for 100 s; unreachable for an hour, rebooted in between, up for half an hour.
        assert_eq!(observe(10_000, 3_600, 180_000), Uptime::Restarted);
        // Just before the wrap.
        assert_eq!(observe(u32::MAX - 1_000, 60, 100), Uptime::Restarted);
    }

    #[test]
    fn an_agent_that_starts_again_just_after_its_start_has_restarted() {
        assert_eq!(observe(500, 2, 100), Uptime::Restarted);
        assert_eq!(observe(500, 1, 480), Uptime::Continuous, "its clock was corrected");
    }

    #[test]
    fn another_agent_with_a_longer_uptime_is_noticed() {
        assert_eq!(observe(1_000, 60, 900_000), Uptime::Jumped);
    }
}
