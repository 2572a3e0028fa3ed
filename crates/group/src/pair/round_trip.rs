//! How long it takes there and back, and when something not acknowledged counts as lost: RFC 6298 with bounds.

use std::time::Duration;

use super::limits::{FIRST_RETRANSMISSION, MAX_RETRANSMISSION, MAX_ROUND_TRIP, MIN_RETRANSMISSION};

#[derive(Debug, Clone, Default)]
pub(super) struct RoundTrip {
    smoothed: Option<(Duration, Duration)>,
}

impl RoundTrip {
    pub(super) fn measured(&mut self, sample: Duration) {
        if sample > MAX_ROUND_TRIP {
            return;
        }
        self.smoothed = Some(match self.smoothed {
            None => (sample, sample / 2),
            Some((mean, deviation)) => ((mean * 7 + sample) / 8, (deviation * 3 + mean.abs_diff(sample)) / 4),
        });
    }

    pub(super) fn mean(&self) -> Option<Duration> {
        self.smoothed.map(|(mean, _)| mean)
    }

    /// After so many timeouts in a row.
    pub(super) fn retransmission(&self, timeouts: u32) -> Duration {
        let base = self.smoothed.map_or(FIRST_RETRANSMISSION, |(mean, deviation)| mean + deviation * 4);
        let base = base.clamp(MIN_RETRANSMISSION, MAX_RETRANSMISSION);
        base.saturating_mul(1 << timeouts.min(8)).min(MAX_RETRANSMISSION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn estimates_follow_and_stay_in_bounds() {
        let mut trip = RoundTrip::default();
        assert_eq!(trip.retransmission(0), FIRST_RETRANSMISSION);
        for _ in 0..100 {
            trip.measured(ms(80));
        }
        assert_eq!(trip.mean(), Some(ms(80)));
        assert!(trip.retransmission(0) >= ms(80) && trip.retransmission(0) < ms(100));
        assert_eq!(trip.retransmission(30), MAX_RETRANSMISSION);
        trip.measured(Duration::from_secs(3600));
        assert_eq!(trip.mean(), Some(ms(80)));
        for _ in 0..200 {
            trip.measured(Duration::ZERO);
        }
        assert_eq!(trip.retransmission(0), MIN_RETRANSMISSION);
    }
}
