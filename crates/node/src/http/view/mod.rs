//! What a device is like now, from its series and their last readings: the model behind its page and behind the
//! present values of the API. Text and markup are made elsewhere.

mod devices;
mod interfaces;
mod node;
mod sensors;
mod storage;
pub(crate) mod text;

use hamsa_store::rate::{self, CounterWidth, NoRate, RateRules};
use hamsa_store::{Series, SeriesKind, SeriesMeta, StorageError, Store};
use serde_json::Number;

use crate::fleet::DeviceEntry;
use crate::limits::HISTORY_GAP_INTERVALS;
use crate::readings::Reading;
pub(crate) use devices::{DeviceFilter, DeviceOrder, DeviceRow, STATES, StateCounts, sort};
pub(crate) use interfaces::{InOut, Interface, interfaces};
pub(crate) use node::NodeView;
pub(crate) use sensors::{Sensor, sensors};
pub(crate) use storage::{StorageArea, storage_areas};

/// A series with its last readings.
#[derive(Debug, Clone)]
pub(crate) struct Present {
    pub(crate) series: Series,
    pub(crate) reading: Reading,
    /// How often it is polled.
    interval_ms: i64,
}

impl Present {
    /// A series of a device; `None` if it has not been read since the node started.
    pub(crate) fn of(series: Series, device: &DeviceEntry) -> Option<Self> {
        let reading = device.readings().get(series.id)?;
        Some(Present { series, reading, interval_ms: interval_ms(device) })
    }

    /// The last value, in the unit of its meta data.
    pub(crate) fn value(&self) -> f64 {
        scaled(self.exact(), self.series.meta.scale)
    }

    /// The same as a number for JSON: exact where it is whole.
    pub(crate) fn number(&self) -> Option<Number> {
        json_number(self.exact(), self.series.meta.scale)
    }

    /// The rate a second between the last two readings, if it is a counter and has two.
    pub(crate) fn rate(&self) -> Option<Result<f64, NoRate>> {
        let rules = rules(&self.series.meta, self.interval_ms)?;
        let Reading { before, latest } = &self.reading;
        (before != latest)
            .then(|| rate::rate(before, latest, &rules).map(|rate| scaled_by(rate, self.series.meta.scale)))
    }

    /// Whether it was read in one of the last polls. Of what was not the device has no more, or does not answer.
    pub(crate) fn is_current(&self, now_ms: i64) -> bool {
        now_ms.saturating_sub(self.reading.latest.time_ms) <= self.interval_ms.saturating_mul(HISTORY_GAP_INTERVALS)
    }

    /// The object's name.
    pub(crate) fn object(&self) -> &str {
        &self.series.name.object
    }

    /// A label of the series, if it has it and it says something.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.series.meta.labels.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    fn exact(&self) -> i128 {
        exact(self.series.meta.kind, self.reading.latest.value)
    }
}

/// All series of a device that have been read since the node started.
pub(crate) fn present(store: &Store, device: &DeviceEntry) -> Result<Vec<Present>, StorageError> {
    let series = store.series_of(&device.name)?;
    Ok(series.into_iter().filter_map(|series| Present::of(series, device)).collect())
}

/// Whether a table of its own shows what belongs to an object.
pub(crate) fn is_shown_by_itself(object: &str) -> bool {
    interfaces::is_of_interfaces(object) || sensors::is_of_sensors(object) || storage::is_of_storage(object)
}

/// A device's polling interval.
pub(crate) fn interval_ms(device: &DeviceEntry) -> i64 {
    i64::try_from(device.interval.as_millis()).unwrap_or(i64::MAX)
}

/// How the rate of a series is reckoned; `None` if it is no counter.
pub(crate) fn rules(meta: &SeriesMeta, interval_ms: i64) -> Option<RateRules> {
    let width = CounterWidth::of(meta.kind)?;
    Some(RateRules { width, interval_ms, max_per_second: meta.max_per_second })
}

/// A sample's value as the number that it stands for.
pub(crate) fn exact(kind: SeriesKind, value: u64) -> i128 {
    match kind {
        SeriesKind::Gauge => i128::from(value.cast_signed()),
        SeriesKind::Counter32 | SeriesKind::Counter64 | SeriesKind::TimeTicks => i128::from(value),
    }
}

/// A number times a power of ten.
pub(crate) fn scaled(exact: i128, scale: i8) -> f64 {
    scaled_by(exact as f64, scale)
}

/// A number for JSON, whole where it can be.
pub(crate) fn json_number(exact: i128, scale: i8) -> Option<Number> {
    match scale {
        0 => u64::try_from(exact).map(Number::from).or_else(|_| i64::try_from(exact).map(Number::from)).ok(),
        _ => Number::from_f64(scaled(exact, scale)),
    }
}

/// Divided by a power of ten rather than multiplied by its inverse: 215 tenths are 21.5.
fn scaled_by(value: f64, scale: i8) -> f64 {
    if scale < 0 { value / 10_f64.powi(-i32::from(scale)) } else { value * 10_f64.powi(i32::from(scale)) }
}

/// A series of a test's, read twice a minute apart.
#[cfg(test)]
fn sample_series(object: &str, instance: &str, kind: SeriesKind, values: (u64, u64)) -> Present {
    use hamsa_store::{Sample, SeriesId, SeriesName};
    let id = SeriesId::from_number(1);
    let name = SeriesName { device: "d".into(), object: object.into(), instance: instance.into() };
    let meta = SeriesMeta { kind, unit: String::new(), scale: 0, max_per_second: None, labels: Default::default() };
    let reading = Reading { before: Sample::counter(id, 0, values.0), latest: Sample::counter(id, 60_000, values.1) };
    Present { series: Series { id, name, meta }, reading, interval_ms: 60_000 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_rates_are_in_the_unit() {
        let mut temperature = sample_series("entPhySensorValue", "1", SeriesKind::Gauge, (0, 215));
        temperature.series.meta.scale = -1;
        assert_eq!((temperature.value(), temperature.rate()), (21.5, None));
        assert_eq!(temperature.number().unwrap().to_string(), "21.5");
        let cold = sample_series("x", "1", SeriesKind::Gauge, (0, (-5_i64).cast_unsigned()));
        assert_eq!((cold.value(), cold.number().unwrap().to_string().as_str()), (-5.0, "-5"));
        let counter = sample_series("ifHCInOctets", "1", SeriesKind::Counter64, (u64::MAX - 5, 6_000 - 6));
        assert_eq!(counter.rate(), Some(Ok(100.0)));
        let huge = sample_series("ifHCInOctets", "1", SeriesKind::Counter64, (0, u64::MAX));
        assert_eq!(huge.number().unwrap().to_string(), u64::MAX.to_string());
        assert_eq!(huge.rate(), Some(Err(NoRate::TooFast)));
    }

    #[test]
    fn what_was_not_read_for_some_polls_is_not_current() {
        let series = sample_series("x", "1", SeriesKind::Gauge, (0, 0));
        assert!(series.is_current(60_000 + 180_000));
        assert!(!series.is_current(60_000 + 180_001));
    }

    #[test]
    fn one_reading_has_no_rate() {
        let mut counter = sample_series("ifHCInOctets", "1", SeriesKind::Counter64, (5, 5));
        counter.reading.before = counter.reading.latest;
        assert_eq!(counter.rate(), None);
    }
}
