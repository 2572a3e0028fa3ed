//! The last two samples of each series of a device, as stored: what is shown as its present values and rates.
//!
//! The store could be asked for them, but a poll's samples lie there by group and time, so that the present state
//! of a switch with a thousand interfaces would cost seconds. This is 48 octets a series.

use hamsa_store::{Sample, SeriesId};

/// The last samples of one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The last one.
    pub latest: Sample,
    /// The one before; the same while there is only one.
    pub before: Sample,
}

/// A device's readings.
#[derive(Debug, Clone, Default)]
pub struct Readings {
    /// By series.
    readings: Vec<Reading>,
}

impl Readings {
    /// Takes a sample; one that is not later than the last of its series is left out, as the store does.
    pub fn put(&mut self, sample: Sample) {
        match self.readings.binary_search_by_key(&sample.series, |reading| reading.latest.series) {
            Ok(at) => {
                let reading = &mut self.readings[at];
                if sample.time_ms > reading.latest.time_ms {
                    *reading = Reading { latest: sample, before: reading.latest };
                }
            }
            Err(at) => self.readings.insert(at, Reading { latest: sample, before: sample }),
        }
    }

    /// The last samples of a series.
    pub fn get(&self, series: SeriesId) -> Option<Reading> {
        let at = self.readings.binary_search_by_key(&series, |reading| reading.latest.series).ok()?;
        Some(self.readings[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn sample(series: u32, time_ms: i64, value: u64) -> Sample {
        Sample::counter(SeriesId::from_number(series), time_ms, value)
    }

    #[test]
    fn the_last_two_samples_are_kept() {
        let mut readings = Readings::default();
        for (series, time_ms) in [(7, 10), (3, 10), (7, 20), (9, 10), (7, 30), (3, 20)] {
            readings.put(sample(series, time_ms, time_ms as u64));
        }
        let times = |series| readings.get(SeriesId::from_number(series)).map(|r| (r.before.time_ms, r.latest.time_ms));
        assert_eq!([times(3), times(7), times(9), times(4)], [Some((10, 20)), Some((20, 30)), Some((10, 10)), None]);
    }

    #[test]
    fn a_sample_that_is_not_later_is_left_out() {
        let mut readings = Readings::default();
        for (time_ms, value) in [(10, 1), (20, 2), (20, 3), (5, 4)] {
            readings.put(sample(1, time_ms, value));
        }
        let reading = readings.get(SeriesId::from_number(1)).unwrap();
        assert_eq!((reading.before.value, reading.latest.value), (1, 2));
    }
}
