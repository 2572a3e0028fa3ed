//! What scrapes have brought, as metrics in the shape of snmp_exporter: named by MIB objects, a table's index and
//! the profile's labels as labels, strings as labels of a metric that is 1, TimeTicks in hundredths of a second.
//!
//! Counters of 64 bits come modulo 2^53, as snmp_exporter gives them: beyond that a float would be too coarse for
//! rates, and a counter that begins at 0 again is one that Prometheus understands.

use std::collections::BTreeMap;
use std::time::Duration;

use hamsa_snmp::manager::PollResult;
use hamsa_snmp::mib::{BaseType, Mib, Object};
use hamsa_snmp::{OidRef, OidSuffix, Value};

use super::device_text::{enumeration_text, index_text, value_text};
use super::exposition::{Exposition, MetricKind, WrittenLabels, metric_name};
use crate::collector::{Cell, Scraped};
use crate::limits::MIN_NAMED_ENUMERATION;
use crate::profile::{PlanTable, Table};

/// Where floats begin to leave whole numbers out.
const EXACT_FLOATS: u64 = 1 << 53;

/// One module's part of a scrape.
#[derive(Debug)]
pub(crate) struct ModuleScrape {
    /// The module as it was asked for.
    pub(crate) module: String,
    /// What it has brought.
    pub(crate) scraped: Scraped,
    /// How long reading the device took.
    pub(crate) duration: Duration,
}

/// Metrics of one device, gathered from its modules. Of two samples with the same name and labels the first stays.
#[derive(Debug, Default)]
pub(crate) struct DeviceMetrics {
    families: BTreeMap<String, DeviceFamily>,
}

#[derive(Debug)]
struct DeviceFamily {
    kind: MetricKind,
    help: String,
    samples: BTreeMap<WrittenLabels, f64>,
}

/// Labels while they are gathered, by their names.
type Labels = BTreeMap<String, String>;

impl DeviceMetrics {
    /// Adds what a module has brought, and how that went.
    pub(crate) fn add(&mut self, mib: &Mib, mut module: ModuleScrape) {
        module.scraped.run.sort();
        self.add_scalars(mib, &module.scraped);
        self.add_tables(mib, &module.scraped);
        self.add_scrape(&module);
    }

    /// All as text.
    pub(crate) fn into_text(self) -> String {
        let mut exposition = Exposition::default();
        for (name, family) in &self.families {
            let mut written = exposition.family(name, family.kind, &family.help);
            for (labels, value) in &family.samples {
                written.sample_with(labels, *value);
            }
        }
        exposition.into_text()
    }

    fn add_scalars(&mut self, mib: &Mib, scraped: &Scraped) {
        let Scraped { plan, run, .. } = scraped;
        for (index, raw, _) in &run.scalars {
            // What only the node's own bookkeeping asks for is left out, but for sysUpTime, which
            // snmp_exporter's if_mib has too.
            if plan.scalar_object(*index).is_none() && plan.uptime != Some(*index) {
                continue;
            }
            let Some(value) = run.value(raw) else { continue };
            if let Some((object, _)) = mib.object_of(plan.poll.scalars[*index].as_oid()) {
                self.add_value(mib, object, &value, &Labels::new());
            }
        }
    }

    fn add_tables(&mut self, mib: &Mib, scraped: &Scraped) {
        let Scraped { plan, run, .. } = scraped;
        let same_row = |a: &Cell, b: &Cell| a.table == b.table && run.octets(&a.row) == run.octets(&b.row);
        for cells in run.cells.chunk_by(same_row) {
            let plan_table: &PlanTable = &plan.tables[usize::from(cells[0].table)];
            let table = &plan.profiles[plan_table.profile].tables[plan_table.table];
            let column_of = |cell: &Cell| plan_table.columns[usize::from(cell.column)];
            let value_of = |column: usize| {
                let cell = cells.iter().find(|cell| column_of(cell) == column)?;
                run.value(&cell.value)
            };
            let labels = labels_of(mib, table, run.row(&cells[0]), value_of);
            for cell in cells {
                let column = column_of(cell);
                let is_label = table.labels.contains(&column);
                let Some(value) = run.value(&cell.value).filter(|_| !is_label) else { continue };
                let Some(object) = object_at(mib, table.columns[column].oid.as_oid()) else { continue };
                if table.info.contains(&column) && is_named_enumeration(object) {
                    self.add_name(object, &value, &labels);
                } else {
                    self.add_value(mib, object, &value, &labels);
                }
            }
        }
    }

    /// A number as it is, anything else as a label.
    fn add_value(&mut self, mib: &Mib, object: Object<'_>, value: &Value<'_>, labels: &Labels) {
        let name = metric_name(object.name()).into_owned();
        match number(value) {
            Some(number) => {
                let kind = match object.syntax().map(|syntax| syntax.base()) {
                    Some(BaseType::Counter32 | BaseType::Counter64) => MetricKind::Counter,
                    _ => MetricKind::Gauge,
                };
                self.put(name, kind, || help(object), labels, number);
            }
            None => {
                let mut labels = labels.clone();
                // An object that is in its own index is among the labels already.
                labels.entry(name.clone()).or_insert_with(|| value_text(mib, Some(object), value));
                self.put(name, MetricKind::Gauge, || help(object), &labels, 1.0);
            }
        }
    }

    /// An enumeration by its name: snmp_exporter's `EnumAsInfo`.
    fn add_name(&mut self, object: Object<'_>, value: &Value<'_>, labels: &Labels) {
        let name = metric_name(object.name()).into_owned();
        let text = enumeration_text(Some(object), value).or_else(|| number(value).map(|number| number.to_string()));
        let Some(text) = text else { return };
        let mut labels = labels.clone();
        labels.entry(name.clone()).or_insert(text);
        self.put(name + "_info", MetricKind::Gauge, || help(object), &labels, 1.0);
    }

    fn add_scrape(&mut self, module: &ModuleScrape) {
        let ModuleScrape { module, scraped, duration } = module;
        let outcome = &scraped.outcome;
        let errors = match &outcome.result {
            PollResult::Partial(errors) => errors.len(),
            PollResult::Complete | PollResult::Failed(_) => 0,
        };
        let messages = f64::from(outcome.requests) + f64::from(outcome.retransmissions);
        let total = duration.as_secs_f64();
        for (name, help, value) in [
            ("snmp_scrape_walk_duration_seconds", "How long reading the device took.", total),
            ("snmp_scrape_duration_seconds", "How long the scrape took, with all that belongs to it.", total),
            ("snmp_scrape_packets_sent", "Messages sent, those sent again included.", messages),
            ("snmp_scrape_packets_retried", "Messages sent again.", f64::from(outcome.retransmissions)),
            ("snmp_scrape_pdus_returned", "Variables that the device returned.", f64::from(outcome.variables)),
            ("hamsa_scrape_errors", "Objects that could not be read because the device broke a rule.", errors as f64),
        ] {
            let labels = Labels::from([("module".to_owned(), module.clone())]);
            self.put(name.to_owned(), MetricKind::Gauge, || help.to_owned(), &labels, value);
        }
    }

    fn put(&mut self, name: String, kind: MetricKind, help: impl FnOnce() -> String, labels: &Labels, value: f64) {
        let new = || DeviceFamily { kind, help: help(), samples: BTreeMap::new() };
        let family = self.families.entry(name).or_insert_with(new);
        let written = WrittenLabels::new(labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        family.samples.entry(written).or_insert(value);
    }
}

/// What names a row: its index, part by part, and the profile's label columns; empty where the row lacks one, so
/// that all rows have the same labels.
fn labels_of<'v>(
    mib: &Mib,
    table: &Table,
    index: OidSuffix<'_>,
    value_of: impl Fn(usize) -> Option<Value<'v>>,
) -> Labels {
    let mut labels = Labels::new();
    let object = table.columns.first().and_then(|column| object_at(mib, column.oid.as_oid()));
    match object.map(|object| object.decode_index(index)) {
        Some(Ok(fields)) => {
            labels.extend(fields.iter().map(|field| (metric_name(field.name()).into_owned(), index_text(field))));
        }
        // An agent that breaks the rules of its index is read all the same.
        Some(Err(_)) | None => drop(labels.insert("index".to_owned(), index.to_string())),
    }
    for &column in &table.labels {
        let object = object_at(mib, table.columns[column].oid.as_oid());
        let text =
            |value: Value<'_>| enumeration_text(object, &value).unwrap_or_else(|| value_text(mib, object, &value));
        let text = value_of(column).map(text).unwrap_or_default();
        labels.insert(metric_name(&table.columns[column].name).into_owned(), text);
    }
    labels
}

fn object_at<'m>(mib: &'m Mib, oid: OidRef<'_>) -> Option<Object<'m>> {
    mib.node_at(oid)?.object()
}

/// Whether nobody knows the enumeration's numbers by heart.
fn is_named_enumeration(object: Object<'_>) -> bool {
    object.syntax().is_some_and(|syntax| {
        syntax.base() == BaseType::Integer32 && syntax.labels().nth(MIN_NAMED_ENUMERATION - 1).is_some()
    })
}

fn number(value: &Value<'_>) -> Option<f64> {
    match *value {
        Value::Integer(n) => Some(f64::from(n)),
        Value::Counter32(n) | Value::Gauge32(n) | Value::TimeTicks(n) => Some(f64::from(n)),
        Value::Counter64(n) => Some((n % EXACT_FLOATS) as f64),
        _ => None,
    }
}

/// What there is to say of an object without its description, which is its module's author's.
fn help(object: Object<'_>) -> String {
    let syntax = object.syntax().map_or("", |syntax| syntax.name());
    let units = object.units().map(|units| format!(", {units}")).unwrap_or_default();
    format!("{}::{} ({syntax}{units}) - {}", object.module(), object.name(), object.oid())
}
