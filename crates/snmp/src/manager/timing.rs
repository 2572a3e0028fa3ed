//! When to give up waiting for an answer: RFC 6298's estimator, for each target on its own.
//!
//! Each retransmission carries an identifier of its own, so every answer gives a round-trip time without
//! the ambiguity that Karn's algorithm is about.

use std::time::Duration;

use crate::limits::MAX_WAIT;

/// How long to wait and how often to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// The wait for a target that has not answered yet.
    pub initial: Duration,
    /// The shortest wait, however fast the target answers.
    pub min: Duration,
    /// The longest wait.
    pub max: Duration,
    /// Retransmissions after the first try.
    pub retries: u8,
    /// Whether waits follow the measured round-trip times and double with each try. If not, each is `initial`.
    pub adaptive: bool,
}

impl Default for Timing {
    /// One second at first, then from 200 ms to 5 s as measured; three retransmissions.
    fn default() -> Self {
        Timing {
            initial: Duration::from_secs(1),
            min: Duration::from_millis(200),
            max: Duration::from_secs(5),
            retries: 3,
            adaptive: true,
        }
    }
}

impl Timing {
    /// The same wait at each try, as net-snmp's `-t` and `-r` mean it.
    pub fn fixed(wait: Duration, retries: u8) -> Self {
        Timing { initial: wait, min: wait, max: wait, retries, adaptive: false }
    }
}

/// A target's smoothed round-trip time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RttEstimator {
    smoothed_us: u32,
    variation_us: u32,
}

impl RttEstimator {
    /// Takes a measured round-trip time.
    pub fn sample(&mut self, rtt: Duration) {
        let rtt = u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX).max(1);
        if self.smoothed_us == 0 {
            (self.smoothed_us, self.variation_us) = (rtt, rtt / 2);
            return;
        }
        let deviation = self.smoothed_us.abs_diff(rtt);
        self.variation_us = weigh(self.variation_us, deviation, 4);
        self.smoothed_us = weigh(self.smoothed_us, rtt, 8).max(1);
    }

    /// The smoothed round-trip time; `None` before the first answer.
    pub fn smoothed(&self) -> Option<Duration> {
        (self.smoothed_us > 0).then(|| Duration::from_micros(u64::from(self.smoothed_us)))
    }

    /// How long to wait after this try; the first is 0.
    pub fn wait(&self, timing: &Timing, attempt: u8) -> Duration {
        if !timing.adaptive {
            return timing.initial.min(MAX_WAIT);
        }
        let base = self
            .smoothed()
            .map_or(timing.initial, |smoothed| smoothed + 4 * Duration::from_micros(u64::from(self.variation_us)));
        let doubled = base.max(timing.min).saturating_mul(1 << attempt.min(16));
        doubled.min(timing.max).min(MAX_WAIT)
    }
}

/// Moves `old` towards `new` by one part in `weight`.
fn weigh(old: u32, new: u32, weight: u64) -> u32 {
    ((u64::from(old) * (weight - 1) + u64::from(new)) / weight) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_fast_target_is_retried_at_the_minimum_and_backs_off() {
        let timing = Timing::default();
        let mut rtt = RttEstimator::default();
        assert_eq!(rtt.wait(&timing, 0), timing.initial);
        for _ in 0..50 {
            rtt.sample(2 * MS);
        }
        assert_eq!(rtt.wait(&timing, 0), 200 * MS);
        assert_eq!(rtt.wait(&timing, 1), 400 * MS);
        assert_eq!(rtt.wait(&timing, 30), 5000 * MS);
    }

    #[test]
    fn a_slow_target_is_waited_for() {
        let timing = Timing::default();
        let mut rtt = RttEstimator::default();
        for i in 0..50 {
            rtt.sample(if i % 2 == 0 { 900 * MS } else { 1100 * MS });
        }
        let wait = rtt.wait(&timing, 0);
        assert!(wait > 1100 * MS && wait < 2000 * MS, "{wait:?}");
    }

    #[test]
    fn extreme_samples_do_not_overflow() {
        let mut rtt = RttEstimator::default();
        rtt.sample(Duration::MAX);
        rtt.sample(Duration::ZERO);
        rtt.sample(Duration::MAX);
        assert!(rtt.wait(&Timing::default(), 255) <= Timing::default().max);
    }
}
