//! The inventory at a glance: which devices fit a filter, in an order that puts troubles first.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::fleet::{DeviceEntry, DeviceState, Fleet};

/// A device in a list.
#[derive(Debug, Clone)]
pub(crate) struct DeviceRow {
    pub(crate) entry: Arc<DeviceEntry>,
    pub(crate) state: DeviceState,
    pub(crate) state_since_ms: i64,
    pub(crate) last_poll_ms: Option<i64>,
    pub(crate) poll_duration_ms: u64,
    pub(crate) rtt_us: Option<u64>,
    pub(crate) series: usize,
    pub(crate) sys_name: String,
    /// What went wrong in the last poll, the first of it.
    pub(crate) error: Option<String>,
    /// How much more went wrong.
    pub(crate) more_errors: usize,
}

/// How many devices are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct StateCounts {
    pub(crate) up: usize,
    pub(crate) degraded: usize,
    pub(crate) down: usize,
    pub(crate) pending: usize,
}

/// Which devices to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DeviceFilter {
    /// Only in this state.
    pub(crate) state: Option<DeviceState>,
    /// Only those that have each of these words in their name, address, labels, system name or description.
    pub(crate) words: Vec<String>,
}

/// How to order them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum DeviceOrder {
    /// What is down comes first, then what is degraded, each by name.
    #[default]
    Trouble,
    /// By name.
    Name,
    /// The slowest to answer first.
    RoundTrip,
    /// The longest poll first.
    Duration,
}

impl DeviceOrder {
    pub(crate) const ALL: [DeviceOrder; 4] =
        [DeviceOrder::Trouble, DeviceOrder::Name, DeviceOrder::RoundTrip, DeviceOrder::Duration];

    /// Its name in a query.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            DeviceOrder::Trouble => "trouble",
            DeviceOrder::Name => "name",
            DeviceOrder::RoundTrip => "rtt",
            DeviceOrder::Duration => "duration",
        }
    }
}

/// All states, the worst first.
pub(crate) const STATES: [DeviceState; 4] =
    [DeviceState::Down, DeviceState::Degraded, DeviceState::Pending, DeviceState::Up];

impl StateCounts {
    /// Of all devices.
    pub(crate) fn of(fleet: &Fleet) -> Self {
        let mut counts = StateCounts::default();
        for device in fleet.all() {
            *counts.place(device.lock().state) += 1;
        }
        counts
    }

    /// How many are in one state.
    pub(crate) fn in_state(mut self, state: DeviceState) -> usize {
        *self.place(state)
    }

    /// All of them.
    pub(crate) fn total(self) -> usize {
        self.up + self.degraded + self.down + self.pending
    }

    fn place(&mut self, state: DeviceState) -> &mut usize {
        match state {
            DeviceState::Up => &mut self.up,
            DeviceState::Degraded => &mut self.degraded,
            DeviceState::Down => &mut self.down,
            DeviceState::Pending => &mut self.pending,
        }
    }
}

impl DeviceFilter {
    /// A filter by what somebody has typed.
    pub(crate) fn new(state: Option<DeviceState>, text: &str) -> Self {
        DeviceFilter { state, words: text.split_whitespace().map(str::to_lowercase).collect() }
    }

    /// The devices that fit, by name.
    pub(crate) fn apply(&self, fleet: &Fleet) -> Vec<DeviceRow> {
        fleet.all().into_iter().filter_map(|entry| self.row(entry)).collect()
    }

    fn row(&self, entry: Arc<DeviceEntry>) -> Option<DeviceRow> {
        let status = entry.lock();
        if self.state.is_some_and(|state| state != status.state) {
            return None;
        }
        let fact = |name: &str| status.facts.get(name).map(String::as_str).unwrap_or_default();
        if !self.words.is_empty() {
            let address = entry.address.to_string();
            let labels = entry.labels.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
            let own = [entry.name.as_str(), &address, fact("sysName"), fact("sysDescr"), fact("sysLocation")];
            let text: String = own.into_iter().chain(labels).flat_map(|text| [text, "\n"]).collect();
            let text = text.to_lowercase();
            if !self.words.iter().all(|word| text.contains(word)) {
                return None;
            }
        }
        let row = DeviceRow {
            state: status.state,
            state_since_ms: status.state_since_ms,
            last_poll_ms: status.last_poll_ms,
            poll_duration_ms: status.poll_duration_ms,
            rtt_us: status.rtt_us,
            series: status.series,
            sys_name: fact("sysName").to_owned(),
            error: status.errors.first().cloned(),
            more_errors: status.errors.len().saturating_sub(1),
            entry: entry.clone(),
        };
        drop(status);
        Some(row)
    }
}

/// Puts devices that are ordered by name into another order.
pub(crate) fn sort(rows: &mut [DeviceRow], order: DeviceOrder) {
    let trouble = |state| STATES.iter().position(|other| *other == state);
    match order {
        DeviceOrder::Trouble => rows.sort_by_key(|row| trouble(row.state)),
        DeviceOrder::Name => {}
        DeviceOrder::RoundTrip => rows.sort_by_key(|row| Reverse(row.rtt_us)),
        DeviceOrder::Duration => rows.sort_by_key(|row| Reverse(row.poll_duration_ms)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use hamsa_snmp::message::Version;

    use super::*;
    use crate::fleet::DeviceIdentity;

    fn fleet() -> Fleet {
        let fleet = Fleet::default();
        let states = [DeviceState::Up, DeviceState::Down, DeviceState::Up, DeviceState::Degraded, DeviceState::Pending];
        for (i, (name, state)) in ["core1", "core2", "edge1", "edge2", "edge3"].into_iter().zip(states).enumerate() {
            let entry = DeviceEntry::new(
                DeviceIdentity {
                    name: name.to_owned(),
                    address: format!("192.0.2.{}:161", i + 1).parse().unwrap(),
                    credentials: "campus".to_owned(),
                    version: Version::V2c,
                    interval: Duration::from_secs(60),
                    labels: BTreeMap::from([("site".to_owned(), if i < 2 { "Berlin" } else { "Kyoto" }.to_owned())]),
                },
                0,
            );
            {
                let mut status = entry.lock();
                status.state = state;
                status.rtt_us = Some(1_000 * i as u64);
                status.facts.insert("sysDescr".to_owned(), format!("Router OS {i}"));
            }
            fleet.insert(Arc::new(entry));
        }
        fleet
    }

    fn names(rows: &[DeviceRow]) -> Vec<&str> {
        rows.iter().map(|row| row.entry.name.as_str()).collect()
    }

    #[test]
    fn every_word_must_be_somewhere() {
        let fleet = fleet();
        let found = |state, text: &str| names(&DeviceFilter::new(state, text).apply(&fleet)).join(" ");
        assert_eq!(found(None, ""), "core1 core2 edge1 edge2 edge3");
        assert_eq!(found(None, "  kyoto 192.0.2.4"), "edge2");
        assert_eq!(found(None, "ROUTER berlin os"), "core1 core2");
        assert_eq!(found(Some(DeviceState::Up), "edge"), "edge1");
        assert_eq!(found(None, "nowhere"), "");
    }

    #[test]
    fn troubles_come_first() {
        let fleet = fleet();
        let mut rows = DeviceFilter::default().apply(&fleet);
        sort(&mut rows, DeviceOrder::Trouble);
        assert_eq!(names(&rows), ["core2", "edge2", "edge3", "core1", "edge1"]);
        sort(&mut rows, DeviceOrder::RoundTrip);
        assert_eq!(names(&rows), ["edge3", "edge2", "edge1", "core2", "core1"]);
    }

    #[test]
    fn states_are_counted() {
        let counts = StateCounts::of(&fleet());
        assert_eq!(counts, StateCounts { up: 2, degraded: 1, down: 1, pending: 1 });
        assert_eq!((counts.total(), counts.in_state(DeviceState::Up)), (5, 2));
    }
}
