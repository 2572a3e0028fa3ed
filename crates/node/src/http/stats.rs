//! What the HTTP server counts.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::histogram::Histogram;
use crate::limits::POLL_DURATION_BOUNDS_S;

/// Parts of the server that requests are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Console,
    Api,
    Metrics,
    Snmp,
    Assets,
    Probe,
}

impl Endpoint {
    pub(crate) const ALL: [Endpoint; 6] =
        [Endpoint::Console, Endpoint::Api, Endpoint::Metrics, Endpoint::Snmp, Endpoint::Assets, Endpoint::Probe];

    /// The part that a path belongs to.
    pub(crate) fn of(path: &str) -> Self {
        match path {
            "/metrics" => Endpoint::Metrics,
            "/snmp" => Endpoint::Snmp,
            _ if path.starts_with("/api/") => Endpoint::Api,
            _ if path.starts_with("/assets/") => Endpoint::Assets,
            _ if path.starts_with("/-/") => Endpoint::Probe,
            _ => Endpoint::Console,
        }
    }

    /// Its name in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Endpoint::Console => "console",
            Endpoint::Api => "api",
            Endpoint::Metrics => "metrics",
            Endpoint::Snmp => "snmp",
            Endpoint::Assets => "assets",
            Endpoint::Probe => "probe",
        }
    }
}

/// Classes of statuses, by their first digit.
pub(crate) const STATUS_CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// The server's counters.
#[derive(Debug)]
pub(crate) struct HttpStats {
    requests: [[AtomicU64; STATUS_CLASSES.len()]; Endpoint::ALL.len()],
    /// Connections that are open.
    pub(crate) connections: AtomicUsize,
    /// Clients of `/api/v1/stream`.
    pub(crate) stream_clients: AtomicUsize,
    /// Scrapes under way.
    pub(crate) scrapes_running: AtomicUsize,
    /// Scrapes that brought everything.
    pub(crate) scrapes_complete: AtomicU64,
    /// Scrapes that lacked some objects.
    pub(crate) scrapes_partial: AtomicU64,
    /// Scrapes that brought nothing.
    pub(crate) scrapes_failed: AtomicU64,
    /// How long scrapes took.
    pub(crate) scrape_duration: Histogram,
}

impl Default for HttpStats {
    fn default() -> Self {
        HttpStats {
            requests: Default::default(),
            connections: AtomicUsize::new(0),
            stream_clients: AtomicUsize::new(0),
            scrapes_running: AtomicUsize::new(0),
            scrapes_complete: AtomicU64::new(0),
            scrapes_partial: AtomicU64::new(0),
            scrapes_failed: AtomicU64::new(0),
            scrape_duration: Histogram::new(&POLL_DURATION_BOUNDS_S),
        }
    }
}

impl HttpStats {
    /// Counts an answer.
    pub(crate) fn note(&self, endpoint: Endpoint, status: u16) {
        let class = usize::from(status / 100).clamp(2, 5) - 2;
        self.requests[endpoint as usize][class].fetch_add(1, Ordering::Relaxed);
    }

    /// Answers of an endpoint, by [`STATUS_CLASSES`].
    pub(crate) fn requests(&self, endpoint: Endpoint) -> [u64; STATUS_CLASSES.len()] {
        self.requests[endpoint as usize].each_ref().map(|count| count.load(Ordering::Relaxed))
    }
}

/// Counts something while it lasts.
pub(crate) struct Gauge<'s>(&'s AtomicUsize);

impl<'s> Gauge<'s> {
    /// One more, until it is dropped.
    pub(crate) fn raise(gauge: &'s AtomicUsize) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Gauge(gauge)
    }
}

impl Drop for Gauge<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_endpoint_and_class() {
        let stats = HttpStats::default();
        for (path, status) in [("/metrics", 200), ("/api/v1/devices", 404), ("/devices/a", 200), ("/", 500), ("/", 101)]
        {
            stats.note(Endpoint::of(path), status);
        }
        assert_eq!(stats.requests(Endpoint::Metrics), [1, 0, 0, 0]);
        assert_eq!(stats.requests(Endpoint::Api), [0, 0, 1, 0]);
        assert_eq!(stats.requests(Endpoint::Console), [2, 0, 0, 1]);
        assert_eq!(Endpoint::of("/assets/hamsa.css"), Endpoint::Assets);
        assert_eq!(Endpoint::of("/-/healthy"), Endpoint::Probe);
    }

    #[test]
    fn a_gauge_falls_when_it_is_dropped() {
        let count = AtomicUsize::new(0);
        let raised = Gauge::raise(&count);
        assert_eq!(count.load(Ordering::Relaxed), 1);
        drop(raised);
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }
}
