//! Records from the data directory of a node that does not run. Nothing is changed there.

use std::collections::BTreeMap;
use std::path::Path;

use hamsa_store::rate::{CounterWidth, RateRules, rates};
use hamsa_store::{EventQuery, OpenError, Sample, Series, SeriesKind, Store, StoreOptions};
use serde_json::{Number, Value as Json};

use super::{DeviceRow, EventRow, EventsQuery, HistoryQuery, PointRow, SeriesRow, Values, rfc3339};
use crate::failure::{advised, usage};

/// The polling interval that is assumed of a series with less than three samples.
const DEFAULT_INTERVAL_MS: i64 = 60_000;

/// A store that is open.
pub struct Stored {
    store: Store,
}

/// A value at a time, or why there is none.
type Point = (i64, Result<Number, String>);

impl Stored {
    /// Opens a store that is there; makes none.
    ///
    /// # Errors
    /// There is none, or a node has it open.
    pub fn open(directory: &Path) -> anyhow::Result<Self> {
        let shown = directory.display();
        let entries = std::fs::read_dir(directory).map_err(|error| advised(format!("{shown}: {error}"), ""))?;
        let is_store = |name: &str| name.ends_with(".redb");
        if !entries.filter_map(|entry| entry.ok()).any(|entry| entry.file_name().to_str().is_some_and(is_store)) {
            return Err(advised(
                format!("{shown} is no data directory of a node"),
                "`data_dir` in the node's configuration names it.",
            ));
        }
        match Store::open(directory, StoreOptions::default()) {
            Ok(store) => Ok(Stored { store }),
            Err(error @ OpenError::Locked { .. }) => {
                Err(advised(error.to_string(), "The node runs: leave --data out and ask it by --url."))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// All devices that have series.
    ///
    /// # Errors
    /// The store's.
    pub fn devices(&self) -> anyhow::Result<Vec<DeviceRow>> {
        let mut rows = Vec::new();
        for name in self.store.devices()? {
            let series = self.store.series_of(&name)?;
            let mut newest = None;
            for series in &series {
                newest = newest.max(self.store.latest(series.id)?.map(|sample| sample.time_ms));
            }
            rows.push(DeviceRow {
                name,
                state: None,
                address: None,
                credentials: None,
                last_poll: newest.map(rfc3339),
                round_trip_ms: None,
                series: Some(series.len() as u64),
                errors: Vec::new(),
            });
        }
        Ok(rows)
    }

    /// All series of a device.
    ///
    /// # Errors
    /// No such device; the store's.
    pub fn series(&self, device: &str) -> anyhow::Result<Vec<SeriesRow>> {
        let series = self.series_of(device)?;
        Ok(series
            .into_iter()
            .map(|series| SeriesRow {
                object: series.name.object,
                instance: series.name.instance,
                kind: kind_name(series.meta.kind).to_owned(),
                unit: series.meta.unit,
                labels: series.meta.labels.into_iter().map(|(name, value)| (name, Json::String(value))).collect(),
            })
            .collect())
    }

    /// History.
    ///
    /// # Errors
    /// No such device or series; the store's.
    pub fn history(&self, query: &HistoryQuery) -> anyhow::Result<Vec<PointRow>> {
        let HistoryQuery { device, object, instance, .. } = query;
        let mut all = self.series_of(device)?;
        all.retain(|series| {
            series.name.object == *object && instance.as_ref().is_none_or(|i| series.name.instance == *i)
        });
        if all.is_empty() {
            return Err(no_such_series(query));
        }
        let mut rows = Vec::new();
        for series in all {
            let points = self.points(&series, query)?;
            let points = match query.step_ms {
                Some(step_ms) => means(&points, step_ms),
                None => points,
            };
            rows.extend(points.into_iter().map(|(time_ms, value)| PointRow {
                time: rfc3339(time_ms),
                object: series.name.object.clone(),
                instance: series.name.instance.clone(),
                value: value.as_ref().ok().cloned(),
                reason: value.err(),
            }));
        }
        Ok(rows)
    }

    /// Events, newest first.
    ///
    /// # Errors
    /// The store's.
    pub fn events(&self, query: &EventsQuery) -> anyhow::Result<Vec<EventRow>> {
        let mut rows = Vec::new();
        let mut after = None;
        while rows.len() < query.limit {
            let page = self.store.events(&EventQuery {
                from_ms: query.span.from_ms,
                to_ms: query.span.to_ms,
                kind: query.kind.as_deref(),
                device: query.device.as_deref(),
                limit: query.limit - rows.len(),
                after,
            })?;
            rows.extend(page.events.into_iter().map(|event| {
                EventRow {
                    id: event.id.0,
                    time: rfc3339(event.time_ms),
                    kind: event.kind,
                    device: event.device,
                    payload: serde_json::from_slice(&event.payload)
                        .unwrap_or_else(|_| String::from_utf8_lossy(&event.payload).into_owned().into()),
                }
            }));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(rows)
    }

    fn series_of(&self, device: &str) -> anyhow::Result<Vec<Series>> {
        let series = self.store.series_of(device)?;
        if series.is_empty() {
            let known = self.store.devices()?;
            return Err(advised(
                format!("nothing is stored of a device {device:?}"),
                format!("`hamsa devices` lists all {}.", known.len()),
            ));
        }
        Ok(series)
    }

    fn points(&self, series: &Series, query: &HistoryQuery) -> anyhow::Result<Vec<Point>> {
        let samples = self.store.range(series.id, query.span.from_ms, query.span.to_ms)?;
        let samples: Vec<Sample> = samples.collect::<Result<_, _>>()?;
        let scale = series.meta.scale;
        let width = match query.values {
            Values::Raw => None,
            Values::Automatic => CounterWidth::of(series.meta.kind),
            Values::Rates => Some(CounterWidth::of(series.meta.kind).ok_or_else(|| {
                usage(format!("{} is a {}: only counters have rates", series.name.object, kind_name(series.meta.kind)))
            })?),
        };
        let Some(width) = width else {
            let value = |sample: &Sample| match (scale, series.meta.kind) {
                (0, SeriesKind::Gauge) => Ok(Number::from(sample.as_gauge())),
                (0, _) => Ok(Number::from(sample.value)),
                (_, SeriesKind::Gauge) => real(scaled(sample.as_gauge() as f64, scale)),
                (..) => real(scaled(sample.value as f64, scale)),
            };
            return Ok(samples.iter().map(|sample| (sample.time_ms, value(sample))).collect());
        };
        let rules =
            RateRules { width, interval_ms: usual_gap_ms(&samples), max_per_second: series.meta.max_per_second };
        let points = rates(samples, rules);
        Ok(points
            .map(|point| {
                let rate = point.per_second.map_err(|reason| reason.to_string());
                (point.time_ms, rate.and_then(|rate| real(scaled(rate, scale))))
            })
            .collect())
    }
}

fn no_such_series(query: &HistoryQuery) -> anyhow::Error {
    let HistoryQuery { device, object, instance, .. } = query;
    let name = instance.as_ref().map_or_else(|| object.clone(), |instance| format!("{object}.{instance}"));
    advised(format!("device {device:?} has no series {name}"), format!("`hamsa series {device}` lists all."))
}

/// The median of the times between samples.
fn usual_gap_ms(samples: &[Sample]) -> i64 {
    let mut gaps: Vec<i64> = samples.windows(2).map(|pair| pair[1].time_ms - pair[0].time_ms).collect();
    gaps.sort_unstable();
    if gaps.len() < 2 { DEFAULT_INTERVAL_MS } else { gaps[gaps.len() / 2] }
}

/// The mean of each step's known values, at the step's start; a step without any has the reason of its last point.
fn means(points: &[Point], step_ms: i64) -> Vec<Point> {
    let mut steps: BTreeMap<i64, (f64, u32, Option<&String>)> = BTreeMap::new();
    for (time_ms, value) in points {
        let step = steps.entry(time_ms.div_euclid(step_ms) * step_ms).or_default();
        match value {
            Ok(value) => (step.0, step.1) = (step.0 + value.as_f64().unwrap_or_default(), step.1 + 1),
            Err(reason) => step.2 = Some(reason),
        }
    }
    let mean = |(time_ms, (sum, count, reason)): (i64, (f64, u32, Option<&String>))| match count {
        0 => (time_ms, Err(reason.cloned().unwrap_or_default())),
        count => (time_ms, real(sum / f64::from(count))),
    };
    steps.into_iter().map(mean).collect()
}

fn scaled(value: f64, scale: i8) -> f64 {
    value * 10f64.powi(i32::from(scale))
}

fn real(value: f64) -> Result<Number, String> {
    Number::from_f64(value).ok_or_else(|| "too large to be shown".to_owned())
}

fn kind_name(kind: SeriesKind) -> &'static str {
    match kind {
        SeriesKind::Counter32 => "counter32",
        SeriesKind::Counter64 => "counter64",
        SeriesKind::Gauge => "gauge",
        SeriesKind::TimeTicks => "timeticks",
    }
}

#[cfg(test)]
mod tests {
    use hamsa_store::{NewEvent, SeriesMeta, SeriesName};

    use super::*;
    use crate::records::Span;

    const NOW_MS: i64 = 1_800_000_000_000;
    const EVER: Span = Span { from_ms: 0, to_ms: NOW_MS + 1 };

    fn meta(kind: SeriesKind, scale: i8) -> SeriesMeta {
        let labels = BTreeMap::from([("ifName".to_owned(), "eth0".to_owned())]);
        SeriesMeta { kind, unit: "octets".to_owned(), scale, max_per_second: None, labels }
    }

    fn name(object: &str, instance: &str) -> SeriesName {
        SeriesName { device: "core".to_owned(), object: object.to_owned(), instance: instance.to_owned() }
    }

    /// A store with a counter that grows by 100 a second and begins anew once, a gauge in tenths, and two events.
    fn store(directory: &Path) {
        let store = Store::open(directory, StoreOptions::default()).unwrap();
        let ids = store
            .register(&[
                (name("ifHCInOctets", "1"), meta(SeriesKind::Counter64, 0)),
                (name("ifHCInOctets", "2"), meta(SeriesKind::Counter64, 0)),
                (name("sensor", "0"), meta(SeriesKind::Gauge, -1)),
            ])
            .unwrap();
        let start = NOW_MS - 600_000;
        let mut samples = Vec::new();
        for (i, value) in (0..).zip([1000u64, 7000, 13_000, 500, 6500]) {
            samples.push(Sample::counter(ids[0], start + i * 60_000, value));
        }
        samples.push(Sample::counter(ids[1], start, 5));
        samples.push(Sample::gauge(ids[2], start, -215));
        store.append(&samples, NOW_MS).unwrap();
        for (kind, device) in [("trap", "core"), ("device", "edge")] {
            let payload = br#"{"trap":"IF-MIB::linkDown"}"#;
            store.append_event(NewEvent { time_ms: NOW_MS - 5, kind, device, payload }, NOW_MS).unwrap();
        }
    }

    fn query(object: &str, instance: Option<&str>) -> HistoryQuery {
        HistoryQuery {
            device: "core".to_owned(),
            object: object.to_owned(),
            instance: instance.map(str::to_owned),
            span: EVER,
            step_ms: None,
            values: Values::Automatic,
        }
    }

    fn value_of(row: &PointRow) -> Option<f64> {
        row.value.as_ref().and_then(Number::as_f64)
    }

    #[test]
    fn counters_are_rates_and_a_reset_is_a_gap() {
        let directory = tempfile::tempdir().unwrap();
        store(directory.path());
        let stored = Stored::open(directory.path()).unwrap();
        let rows = stored.history(&query("ifHCInOctets", Some("1"))).unwrap();
        let values: Vec<Option<f64>> = rows.iter().map(value_of).collect();
        assert_eq!(values, [Some(100.0), Some(100.0), None, Some(100.0)]);
        assert_eq!(rows[2].reason.as_deref(), Some("the counter went back"));

        let raw = HistoryQuery { values: Values::Raw, ..query("ifHCInOctets", None) };
        let rows = stored.history(&raw).unwrap();
        assert_eq!((rows.len(), rows[3].value.clone(), rows[5].instance.as_str()), (6, Some(500.into()), "2"));

        let steps = HistoryQuery { step_ms: Some(120_000), ..query("ifHCInOctets", Some("1")) };
        let rows = stored.history(&steps).unwrap();
        assert!(rows.len() < 4 && rows.iter().all(|row| value_of(row) == Some(100.0)), "{rows:?}");

        let rows = stored.history(&query("sensor", None)).unwrap();
        assert_eq!(value_of(&rows[0]), Some(-21.5));
        let rates = HistoryQuery { values: Values::Rates, ..query("sensor", None) };
        assert!(stored.history(&rates).unwrap_err().to_string().contains("only counters have rates"));
    }

    #[test]
    fn devices_series_and_events_are_listed() {
        let directory = tempfile::tempdir().unwrap();
        store(directory.path());
        let stored = Stored::open(directory.path()).unwrap();
        let devices = stored.devices().unwrap();
        assert_eq!((devices.len(), devices[0].name.as_str(), devices[0].series), (1, "core", Some(3)));
        assert_eq!(devices[0].last_poll.as_deref(), Some(rfc3339(NOW_MS - 360_000).as_str()));
        assert_eq!(stored.series("core").unwrap()[0].labels["ifName"], "eth0");
        let all = EventsQuery { kind: None, device: None, span: EVER, limit: 10 };
        assert_eq!(stored.events(&all).unwrap().len(), 2);
        let traps = stored.events(&EventsQuery { kind: Some("trap".to_owned()), ..all }).unwrap();
        assert_eq!((traps.len(), &traps[0].payload["trap"]), (1, &Json::from("IF-MIB::linkDown")));
    }

    #[test]
    fn what_is_not_there_is_said_and_not_made() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Stored::open(directory.path()).err().unwrap().to_string().contains("no data directory"));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        store(directory.path());
        let stored = Stored::open(directory.path()).unwrap();
        assert!(stored.series("edge").unwrap_err().to_string().contains("\"edge\""));
        assert!(stored.history(&query("ifHCInOctets", Some("9"))).unwrap_err().to_string().contains("ifHCInOctets.9"));
        let locked = Stored::open(directory.path()).err().unwrap().to_string();
        assert!(locked.contains("--url"), "{locked}");
    }
}
