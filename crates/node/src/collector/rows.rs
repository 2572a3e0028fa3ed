//! Rows of tables and scalars become samples. Which of two columns a value is read from is decided row by
//! row; whether a counter goes on from before, by the agent's restarts and the row's discontinuity time.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use hamsa_snmp::mib::{Mib, ValueStyle};
use hamsa_snmp::{Oid, OidSuffix, Value};
use hamsa_store::{SampleFlags, SeriesKind, SeriesMeta, SeriesName};

use super::device::Device;
use super::run::{Cell, Raw, Read, Run};
use super::{Context, Labels};
use crate::limits::{MAX_LABEL_OCTETS, MAX_SERIES_PER_DEVICE};
use crate::profile::{Metric, PlanTable, ProfileObject, ScalarRole, Table};
use crate::writer::{PollWrite, Registration, SlotSample, Write};

/// A series that the writer knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Series {
    slot: u32,
    /// Of its meta data: when it changes, the series is registered again.
    fingerprint: u64,
}

/// The circumstances of a poll.
pub(super) struct Reading {
    pub(super) now: Instant,
    /// Whether counters may have begun anew since the last poll.
    pub(super) restarted: bool,
    /// When the device was last read.
    pub(super) last_read: Option<Instant>,
}

/// What a poll has shown of the device.
pub(super) struct Found {
    /// Series that got a sample.
    pub(super) series: usize,
    /// Whether there are rows whose names are not known.
    pub(super) has_new_rows: bool,
    /// The columns that a lean poll should read.
    pub(super) tables: Vec<PlanTable>,
    /// When to read names again.
    pub(super) refresh: Duration,
}

/// A value on its way to the store.
struct Observation<'a> {
    instance: Oid,
    object: &'a ProfileObject,
    index: String,
    raw: &'a Raw,
    read: Read,
    labels: Option<&'a Labels>,
    scale: i8,
    max_per_second: Option<f64>,
    flags: SampleFlags,
}

impl Device {
    pub(super) fn store_rows(
        &mut self,
        run: &Run,
        reading: &Reading,
        context: &mut Context,
        problems: &mut Vec<String>,
    ) -> Found {
        let mut write = PollWrite {
            device: self.spec.entry.clone(),
            polled_ms: (context.unix_ms)(reading.now),
            registrations: Vec::new(),
            samples: Vec::new(),
        };
        let mut found = Found { series: 0, has_new_rows: false, tables: Vec::new(), refresh: context.refresh };
        self.store_scalars(run, reading, context, &mut write, problems);
        let plan = self.plan.clone();
        let mut rest = run.cells.as_slice();
        for (t, plan_table) in plan.tables.iter().enumerate() {
            let end = rest.partition_point(|cell| usize::from(cell.table) <= t);
            let (cells, later) = rest.split_at(end);
            rest = later;
            let table = &plan.profiles[plan_table.profile].tables[plan_table.table];
            let mut use_of_columns = ColumnUse::new(table);
            for row in cells.chunk_by(|a, b| run.octets(&a.row) == run.octets(&b.row)) {
                let row = Row::new(table, plan_table, row);
                let index = run.row(row.first());
                use_of_columns.note(table, &row);
                let labels = plan.is_full.then(|| labels_of(&context.mib, run, table, &row, index));
                found.has_new_rows |=
                    self.store_row(run, reading, &row, labels.as_ref(), context, &mut write, problems);
            }
            found.tables.extend(use_of_columns.lean(plan_table, table));
        }
        found.series = write.samples.len();
        if !write.samples.is_empty() {
            context.writes.push(Write::Poll(write));
        }
        found
    }

    fn store_scalars(
        &mut self,
        run: &Run,
        reading: &Reading,
        context: &mut Context,
        write: &mut PollWrite,
        problems: &mut Vec<String>,
    ) {
        let plan = self.plan.clone();
        let restarted = if reading.restarted { SampleFlags::DISCONTINUITY } else { SampleFlags::NONE };
        for (index, raw, read) in &run.scalars {
            let is_uptime = plan.uptime == Some(*index);
            let object = match plan.scalars[*index] {
                ScalarRole::Value(..) => plan.scalar_object(*index),
                // Recorded whatever the profiles say: after a restart of this node it tells of the device's.
                _ if is_uptime => Some(&context.sys_uptime),
                _ => None,
            };
            let Some(object) = object.cloned() else { continue };
            let observation = Observation {
                instance: plan.poll.scalars[*index].clone(),
                object: &object,
                index: "0".to_owned(),
                raw,
                read: *read,
                labels: Some(&Labels::new()),
                scale: 0,
                max_per_second: None,
                flags: restarted,
            };
            self.observe(&observation, context, write, problems);
        }
    }

    /// Stores a row's values; whether it is one whose names are not known.
    #[allow(clippy::too_many_arguments, reason = "one call, of the loop above")]
    fn store_row(
        &mut self,
        run: &Run,
        reading: &Reading,
        row: &Row<'_>,
        labels: Option<&Labels>,
        context: &mut Context,
        write: &mut PollWrite,
        problems: &mut Vec<String>,
    ) -> bool {
        let index = run.row(row.first());
        let flags =
            if reading.restarted || row.began_anew(reading) { SampleFlags::DISCONTINUITY } else { SampleFlags::NONE };
        let mut is_new = false;
        for metric in &row.table.values {
            let Some((column, cell)) = row.choose(metric) else { continue };
            let object = &row.table.columns[column];
            let mut instance = object.oid.clone();
            if instance.extend(index).is_err() {
                continue;
            }
            let observation = Observation {
                instance,
                object,
                index: index.to_string(),
                raw: &cell.value,
                read: cell.read,
                labels,
                scale: row.scale(metric),
                max_per_second: row.ceiling(metric),
                flags,
            };
            is_new |= self.observe(&observation, context, write, problems);
        }
        is_new
    }

    /// Puts one value into the write; whether it is of a series whose names are not known.
    fn observe(
        &mut self,
        observation: &Observation<'_>,
        context: &mut Context,
        write: &mut PollWrite,
        problems: &mut Vec<String>,
    ) -> bool {
        let Observation { object, raw, read, .. } = observation;
        let Some(value) = raw.number() else {
            if let Raw::Other(type_name) = raw {
                problems.push(format!("{}.{}: a value of type {type_name}", object.name, observation.index));
            } else if !matches!(raw, Raw::Missing) {
                problems.push(format!("{}.{}: a text where a number should be", object.name, observation.index));
            }
            return false;
        };
        let known = self.series.get(&observation.instance).copied();
        let is_new = known.is_none() && observation.labels.is_none();
        let slot = match (known, observation.labels) {
            (Some(series), None) => series.slot,
            (known, labels) => {
                if known.is_none() && self.series.len() >= MAX_SERIES_PER_DEVICE {
                    problems.push(format!("more than {MAX_SERIES_PER_DEVICE} series: the rest is not recorded"));
                    problems.dedup();
                    return false;
                }
                let meta = observation.meta(labels);
                let fingerprint = fingerprint(&meta);
                let slot = known.map_or_else(|| context.new_slot(), |series| series.slot);
                if known.is_none_or(|series| series.fingerprint != fingerprint) {
                    let name = SeriesName {
                        device: self.spec.entry.name.clone(),
                        object: object.name.clone(),
                        instance: observation.index.clone(),
                    };
                    write.registrations.push(Registration { slot, name, meta });
                    self.series.insert(observation.instance.clone(), Series { slot, fingerprint });
                }
                slot
            }
        };
        let time_ms = (context.unix_ms)(read.at);
        write.samples.push(SlotSample { slot, time_ms, value, flags: observation.flags });
        is_new
    }
}

impl Observation<'_> {
    fn meta(&self, labels: Option<&Labels>) -> SeriesMeta {
        let kind = match self.raw {
            Raw::Counter32(_) => SeriesKind::Counter32,
            Raw::Counter64(_) => SeriesKind::Counter64,
            Raw::TimeTicks(_) => SeriesKind::TimeTicks,
            _ => SeriesKind::Gauge,
        };
        SeriesMeta {
            kind,
            unit: self.object.unit.clone().unwrap_or_default(),
            scale: self.scale,
            max_per_second: self.max_per_second,
            labels: labels.cloned().unwrap_or_default(),
        }
    }
}

/// A table's row in one poll.
struct Row<'r> {
    table: &'r Table,
    /// Cells by the table's columns.
    cells: Vec<Option<&'r Cell>>,
    first: &'r Cell,
}

impl<'r> Row<'r> {
    fn new(table: &'r Table, plan: &PlanTable, found: &'r [Cell]) -> Self {
        let mut cells = vec![None; table.columns.len()];
        for cell in found {
            cells[plan.columns[usize::from(cell.column)]] = Some(cell);
        }
        Row { table, cells, first: &found[0] }
    }

    fn first(&self) -> &'r Cell {
        self.first
    }

    /// The first of a metric's columns that the row has.
    fn choose(&self, metric: &Metric) -> Option<(usize, &'r Cell)> {
        metric.columns.iter().find_map(|&column| Some((column, self.cells[column]?)))
    }

    fn number(&self, column: usize) -> Option<i64> {
        self.cells[column]?.value.number().map(u64::cast_signed)
    }

    /// Whether the row's counters began after the device was last read (RFC 2863 §3.1.5): its discontinuity
    /// time is a sysUpTime.
    fn began_anew(&self, reading: &Reading) -> bool {
        let Some(cell) = self.table.discontinuity.and_then(|column| self.cells[column]) else { return false };
        let (Raw::TimeTicks(began), Some(uptime), Some(last_read)) =
            (&cell.value, cell.read.uptime_ticks, reading.last_read)
        else {
            return false;
        };
        // Zero says: not since the agent started.
        let age = Duration::from_millis(u64::from(uptime.wrapping_sub(*began)) * 10);
        *began != 0 && age <= cell.read.at.saturating_duration_since(last_read) + DISCONTINUITY_SLACK
    }

    fn ceiling(&self, metric: &Metric) -> Option<f64> {
        let (column, times) = metric.ceiling?;
        self.number(column).filter(|&speed| speed > 0).map(|speed| speed as f64 * times)
    }

    fn scale(&self, metric: &Metric) -> i8 {
        let Some((prefix, precision)) = metric.scale else { return 0 };
        let (Some(prefix), Some(precision)) = (self.number(prefix), self.number(precision)) else { return 0 };
        let exponent = sensor_exponent(prefix) - precision.clamp(-8, 9);
        exponent as i8
    }
}

/// Agents keep the discontinuity time in whole seconds or refresh it late.
const DISCONTINUITY_SLACK: Duration = Duration::from_secs(1);

/// The power of ten of an `EntitySensorDataScale` (RFC 3433).
fn sensor_exponent(scale: i64) -> i64 {
    if (1..=17).contains(&scale) { (scale - 9) * 3 } else { 0 }
}

/// Which columns of a table a device has.
struct ColumnUse {
    /// For each column, whether some row has it and needs it.
    needed: Vec<bool>,
    rows: usize,
}

impl ColumnUse {
    fn new(table: &Table) -> Self {
        ColumnUse { needed: vec![false; table.columns.len()], rows: 0 }
    }

    fn note(&mut self, table: &Table, row: &Row<'_>) {
        self.rows += 1;
        for metric in &table.values {
            if let Some((column, _)) = row.choose(metric) {
                self.needed[column] = true;
            }
        }
        if let Some(column) = table.discontinuity.filter(|&column| row.cells[column].is_some()) {
            self.needed[column] = true;
        }
    }

    /// What a lean poll reads; nothing of a table without rows.
    fn lean(&self, plan: &PlanTable, table: &Table) -> Option<PlanTable> {
        let columns: Vec<usize> = (0..table.columns.len()).filter(|&column| self.needed[column]).collect();
        (self.rows > 0 && !columns.is_empty()).then(|| PlanTable { columns, ..plan.clone() })
    }
}

/// What names a row: its index, part by part, and its label columns.
pub(crate) fn labels_of_row(
    mib: &Mib,
    table: &Table,
    index: OidSuffix<'_>,
    text: impl Fn(usize) -> Option<String>,
) -> Labels {
    let mut labels = Labels::new();
    if let Some(object) = table.columns.first().and_then(|column| mib.node_at(column.oid.as_oid())?.object()) {
        match object.decode_index(index) {
            Ok(fields) => labels.extend(fields.iter().map(|field| (field.name().to_owned(), field.text()))),
            // Agents that break the rules of their index are read all the same.
            Err(_) => drop(labels.insert("index".to_owned(), index.to_string())),
        }
    }
    for &column in &table.labels {
        if let Some(text) = text(column) {
            labels.insert(table.columns[column].name.clone(), text);
        }
    }
    for text in labels.values_mut() {
        let mut end = text.len().min(MAX_LABEL_OCTETS);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    labels
}

fn labels_of(mib: &Mib, run: &Run, table: &Table, row: &Row<'_>, index: OidSuffix<'_>) -> Labels {
    labels_of_row(mib, table, index, |column| {
        let value = run.value(&row.cells[column]?.value)?;
        Some(text_of(mib, &table.columns[column], &value))
    })
}

/// A value as people read it.
pub(crate) fn text_of(mib: &Mib, object: &ProfileObject, value: &Value<'_>) -> String {
    let object = mib.object_of(object.oid.as_oid()).map(|(object, _)| object);
    mib.format_value(object, value, ValueStyle::Plain)
}

fn fingerprint(meta: &SeriesMeta) -> u64 {
    let mut hasher = DefaultHasher::new();
    meta.kind.hash(&mut hasher);
    meta.scale.hash(&mut hasher);
    meta.max_per_second.map(f64::to_bits).hash(&mut hasher);
    meta.labels.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensor_scales_are_rfc_3433s() {
        assert_eq!([8, 9, 10, 1, 17, 0, 99].map(sensor_exponent), [-3, 0, 3, -24, 24, 0, 0]);
    }
}
