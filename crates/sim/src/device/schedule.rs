//! What befalls a device, and when: all of it follows from the schedule, so nothing has to be remembered.

use std::time::Duration;

use crate::limits::MIN_EVENT_PERIOD;
use crate::noise;

/// Events that recur. Times are since the start of the simulation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Recurring {
    /// It does not happen.
    #[default]
    Never,
    /// With this period; each device starts at a point of its own in the first one.
    Every(Duration),
    /// At these times, for every device alike.
    At(Vec<Duration>),
}

/// What befalls the devices of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// How long a device has been up when the simulation starts; chosen from the seed if `None`: up to 400 days.
    pub uptime_at_start: Option<Duration>,
    /// When devices go down and boot: counters and `sysUpTime` start again.
    pub reboots: Recurring,
    /// For how long a device is silent then.
    pub boot_time: Duration,
    /// When one interface of a device, its second, goes down.
    pub link_flaps: Recurring,
    /// For how long.
    pub link_down_for: Duration,
    /// When the counters of one interface, the third, start again without a reboot, as when a line card is
    /// replaced: `ifCounterDiscontinuityTime` tells.
    pub counter_resets: Recurring,
}

impl Default for Schedule {
    /// Nothing happens.
    fn default() -> Self {
        Schedule {
            uptime_at_start: None,
            reboots: Recurring::Never,
            boot_time: Duration::from_secs(20),
            link_flaps: Recurring::Never,
            link_down_for: Duration::from_secs(30),
            counter_resets: Recurring::Never,
        }
    }
}

impl Recurring {
    /// Where a device of this seed starts in the first period.
    fn phase(&self, seed: u64) -> Duration {
        match self {
            Recurring::Every(period) => {
                let nanos = period.as_nanos().max(1) as u64;
                Duration::from_nanos(1 + noise::at(seed, 0x7068) % nanos)
            }
            _ => Duration::ZERO,
        }
    }

    /// How often it has happened up to and at a time, and when it last did.
    pub(super) fn last(&self, seed: u64, at: Duration) -> Option<(u64, Duration)> {
        match self {
            Recurring::Never => None,
            Recurring::Every(period) => {
                let phase = self.phase(seed);
                let since_first = at.checked_sub(phase)?;
                let periods = since_first.as_nanos() / period.as_nanos().max(1);
                Some((periods as u64 + 1, phase + times(*period, periods)))
            }
            Recurring::At(list) => {
                let count = list.partition_point(|&when| when <= at);
                Some((count as u64, *list.get(count.checked_sub(1)?)?))
            }
        }
    }

    /// When it happens next, after a time.
    pub(super) fn next(&self, seed: u64, after: Duration) -> Option<Duration> {
        match self {
            Recurring::Never => None,
            Recurring::Every(period) => {
                let phase = self.phase(seed);
                let Some(since_first) = after.checked_sub(phase) else { return Some(phase) };
                Some(phase + times(*period, since_first.as_nanos() / period.as_nanos().max(1) + 1))
            }
            Recurring::At(list) => list.get(list.partition_point(|&when| when <= after)).copied(),
        }
    }

    /// For how much of the time up to `at` it was so, if each time it lasts for `each`.
    pub(super) fn total(&self, seed: u64, at: Duration, each: Duration) -> Duration {
        match self.last(seed, at) {
            None => Duration::ZERO,
            Some((count, last)) => times(each, u128::from(count - 1)) + each.min(at - last),
        }
    }

    /// Sorts, and leaves out what would happen while the last one, which takes `lasting`, still goes on.
    fn spaced(&self, lasting: Duration) -> Self {
        match self {
            Recurring::Never => Recurring::Never,
            Recurring::Every(period) => {
                Recurring::Every((*period).max(lasting.saturating_mul(2)).max(MIN_EVENT_PERIOD))
            }
            Recurring::At(list) => {
                let mut list = list.clone();
                list.sort_unstable();
                let mut kept: Vec<Duration> = Vec::with_capacity(list.len());
                for when in list {
                    if kept.last().is_none_or(|&last| when > last.saturating_add(lasting)) {
                        kept.push(when);
                    }
                }
                Recurring::At(kept)
            }
        }
    }
}

impl Schedule {
    /// The same in an order that leaves no doubt: times sorted, nothing starts before its like has ended.
    pub(crate) fn in_order(&self) -> Self {
        Schedule {
            reboots: self.reboots.spaced(self.boot_time),
            link_flaps: self.link_flaps.spaced(self.link_down_for),
            counter_resets: self.counter_resets.spaced(Duration::ZERO),
            ..self.clone()
        }
    }
}

fn times(duration: Duration, count: u128) -> Duration {
    let nanos = duration.as_nanos().saturating_mul(count);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn periods_have_a_phase_and_go_on() {
        let every = Recurring::Every(10 * S);
        let first = every.next(7, Duration::ZERO).unwrap();
        assert!(first > Duration::ZERO && first <= 10 * S);
        assert_ne!(first, every.next(8, Duration::ZERO).unwrap());
        assert_eq!(every.last(7, first - Duration::from_nanos(1)), None);
        assert_eq!(every.last(7, first), Some((1, first)));
        assert_eq!(every.next(7, first), Some(first + 10 * S));
        assert_eq!(every.last(7, first + 25 * S), Some((3, first + 20 * S)));
        assert_eq!(every.total(7, first + 21 * S, 3 * S), 7 * S);
        assert_eq!(every.total(7, first + 29 * S, 3 * S), 9 * S);
        assert_eq!(every.total(7, Duration::ZERO, 3 * S), Duration::ZERO);
    }

    #[test]
    fn listed_times_are_the_same_for_all() {
        let at = Recurring::At(vec![30 * S, 10 * S, 12 * S]).spaced(5 * S);
        assert_eq!(at, Recurring::At(vec![10 * S, 30 * S]));
        assert_eq!(at.next(1, 10 * S), Some(30 * S));
        assert_eq!(at.next(1, 30 * S), None);
        assert_eq!((at.last(1, 9 * S), at.last(2, 29 * S)), (None, Some((1, 10 * S))));
        assert_eq!(at.total(1, 31 * S, 5 * S), 6 * S);
    }

    #[test]
    fn odd_periods_are_made_sound() {
        assert_eq!(Recurring::Every(Duration::ZERO).spaced(Duration::ZERO), Recurring::Every(MIN_EVENT_PERIOD));
        assert_eq!(Recurring::Every(S).spaced(5 * S), Recurring::Every(10 * S));
        assert_eq!(Recurring::At(vec![]).last(1, S), None);
        assert!(Recurring::Every(Duration::MAX).next(1, Duration::MAX).is_some());
    }
}
