//! Distributions of durations, counted by one thread and read by others.
//!
//! The buckets are Prometheus's: each bound counts what is not above it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts of durations by size.
#[derive(Debug)]
pub struct Histogram {
    bounds_s: &'static [f64],
    /// By bucket, the last without a bound; not cumulative.
    counts: Box<[AtomicU64]>,
    sum_us: AtomicU64,
}

/// A histogram's state at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramCounts {
    /// Each upper bound in seconds, and how many durations are not above it. Grows.
    pub buckets: Vec<(f64, u64)>,
    /// All durations.
    pub count: u64,
    /// Their sum in seconds.
    pub sum_s: f64,
}

impl Histogram {
    /// An empty one with these upper bounds in seconds, which must grow.
    pub fn new(bounds_s: &'static [f64]) -> Self {
        let counts = (0..=bounds_s.len()).map(|_| AtomicU64::new(0)).collect();
        Histogram { bounds_s, counts, sum_us: AtomicU64::new(0) }
    }

    /// Counts one duration.
    pub fn observe(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = self.bounds_s.partition_point(|&bound| bound < seconds);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// What it has counted.
    pub fn counts(&self) -> HistogramCounts {
        let mut count = 0;
        let mut buckets = Vec::with_capacity(self.bounds_s.len());
        for (i, bucket) in self.counts.iter().enumerate() {
            count += bucket.load(Ordering::Relaxed);
            buckets.extend(self.bounds_s.get(i).map(|&bound| (bound, count)));
        }
        HistogramCounts { buckets, count, sum_s: self.sum_us.load(Ordering::Relaxed) as f64 / 1e6 }
    }
}

impl HistogramCounts {
    /// The bound below which this share of the durations lies; `None` without any, and infinity where they are
    /// above all bounds.
    pub fn quantile_bound_s(&self, share: f64) -> Option<f64> {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let bound = self.buckets.iter().find(|(_, count)| *count >= wanted).map(|(bound, _)| *bound);
        (self.count > 0).then(|| bound.unwrap_or(f64::INFINITY))
    }

    /// What has been counted since an earlier state of the same histogram.
    #[must_use]
    pub fn since(&self, earlier: &HistogramCounts) -> HistogramCounts {
        let before = |i: usize| earlier.buckets.get(i).map_or(0, |(_, count)| *count);
        let buckets = self.buckets.iter().enumerate();
        HistogramCounts {
            buckets: buckets.map(|(i, (bound, count))| (*bound, count.saturating_sub(before(i)))).collect(),
            count: self.count.saturating_sub(earlier.count),
            sum_s: (self.sum_s - earlier.sum_s).max(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(ms: &[u64]) -> HistogramCounts {
        let histogram = Histogram::new(&[0.01, 0.1, 1.0]);
        ms.iter().for_each(|&ms| histogram.observe(Duration::from_millis(ms)));
        histogram.counts()
    }

    #[test]
    fn a_bound_counts_what_is_not_above_it() {
        let counts = counted(&[0, 10, 11, 100, 5_000]);
        assert_eq!(counts.buckets, [(0.01, 2), (0.1, 4), (1.0, 4)]);
        assert_eq!((counts.count, counts.sum_s), (5, 5.121));
    }

    #[test]
    fn quantiles_are_bounds() {
        let counts = counted(&[1, 1, 1, 50, 5_000]);
        assert_eq!(counts.quantile_bound_s(0.5), Some(0.01));
        assert_eq!(counts.quantile_bound_s(0.8), Some(0.1));
        assert_eq!(counts.quantile_bound_s(0.99), Some(f64::INFINITY));
        assert_eq!(counted(&[]).quantile_bound_s(0.5), None);
    }

    #[test]
    fn a_difference_counts_what_came_in_between() {
        let since = counted(&[1, 50, 500]).since(&counted(&[1]));
        assert_eq!(since.buckets, [(0.01, 0), (0.1, 1), (1.0, 2)]);
        assert_eq!((since.count, since.sum_s), (2, 0.55));
    }

    #[test]
    fn the_longest_duration_is_counted() {
        let histogram = Histogram::new(&[1.0]);
        histogram.observe(Duration::MAX);
        assert_eq!(histogram.counts().count, 1);
    }
}
