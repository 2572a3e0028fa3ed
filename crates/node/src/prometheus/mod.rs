//! Prometheus's side: `/metrics` tells of Hamsa itself, `/snmp` reads any device on demand and answers in the
//! shape of snmp_exporter (<https://github.com/prometheus/snmp_exporter>).
//!
//! `catalogue` and `group_metrics` define Hamsa's metrics and `reference` writes their documentation; `snapshot` and `process` read
//! what they tell. `device_metrics` turns what a scrape has brought into metrics named by the MIB, `device_text` its
//! values into text. `exposition` writes the format. The HTTP side of both stands in [`crate::http`].

mod catalogue;
mod device_metrics;
mod device_text;
mod exposition;
mod group_metrics;
mod process;
mod reference;
mod snapshot;

pub(crate) use catalogue::expose;
pub(crate) use device_metrics::{DeviceMetrics, ModuleScrape};
pub(crate) use exposition::CONTENT_TYPE;
pub(crate) use process::ProcessFigures;
pub use reference::metrics_reference;
pub(crate) use snapshot::Snapshot;
