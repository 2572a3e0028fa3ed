//! Who is there: each node counts beats, its neighbours hear them and pass the counts on. A node is there as long as
//! its count grows within a lease, by whatever way it comes; so nobody who only tells of it can keep it alive.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::limits::{FORGET_NODES_AFTER, MAX_ADDRESSES, MAX_NODES, MAX_TEXT_BYTES};
use super::version::Run;

/// What a node tells of itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NodeRecord {
    /// Its number and when it began.
    pub run: Run,
    /// Its name, for people.
    pub name: String,
    /// Which Hamsa it runs.
    pub version: String,
    /// Where it can be reached, as endpoints or host names.
    pub addresses: Vec<String>,
}

/// What is known of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// What it told last.
    pub record: NodeRecord,
    /// Whether it is there.
    pub is_present: bool,
    /// Since when it is there, or away, as far as this node has seen.
    pub since: Instant,
}

/// A count beyond all others: it has said good-bye.
pub(super) const GONE: u64 = u64::MAX;

/// How far a run has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Beat {
    pub(super) run: Run,
    pub(super) count: u64,
}

#[derive(Debug)]
pub(super) struct Presence {
    me: u32,
    lease: Duration,
    nodes: BTreeMap<u32, Known>,
}

#[derive(Debug)]
struct Known {
    status: NodeStatus,
    count: u64,
    grown_at: Instant,
}

/// What a beat or record has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    None,
    /// A run of which nothing is known: ask for its record.
    Unknown,
    Came,
    /// It has begun anew, maybe with another record.
    BeganAnew,
    Went,
}

impl NodeRecord {
    /// Whether its texts and addresses keep to the limits.
    pub(super) fn is_sound(&self) -> bool {
        let texts = [&self.name, &self.version].into_iter().chain(&self.addresses);
        self.addresses.len() <= MAX_ADDRESSES && texts.into_iter().all(|text| text.len() <= MAX_TEXT_BYTES)
    }
}

impl Presence {
    /// The node itself is always there.
    pub(super) fn new(now: Instant, record: NodeRecord, lease: Duration) -> Self {
        let me = record.run.node;
        let own = Known { status: NodeStatus { record, is_present: true, since: now }, count: 0, grown_at: now };
        Self { me, lease, nodes: BTreeMap::from([(me, own)]) }
    }

    /// Counts an own beat.
    pub(super) fn beat(&mut self, now: Instant) {
        if let Some(own) = self.nodes.get_mut(&self.me) {
            own.count += 1;
            own.grown_at = now;
        }
    }

    /// Takes in how far another node has counted.
    pub(super) fn heard(&mut self, now: Instant, beat: Beat) -> News {
        if beat.run.node == self.me {
            return News::None;
        }
        let Some(known) = self.nodes.get_mut(&beat.run.node).filter(|known| known.status.record.run >= beat.run) else {
            // Good-bye of a run that was never there.
            return if beat.count == GONE { News::None } else { News::Unknown };
        };
        if known.status.record.run != beat.run || beat.count <= known.count {
            return News::None;
        }
        (known.count, known.grown_at) = (beat.count, now);
        match (known.status.is_present, beat.count == GONE) {
            (true, true) => known.turn(now, false),
            (false, false) => known.turn(now, true),
            _ => return News::None,
        }
        if beat.count == GONE { News::Went } else { News::Came }
    }

    /// Takes in what a node tells of itself, whoever brings it. The run counts as there only with its next beat.
    pub(super) fn learned(&mut self, now: Instant, record: NodeRecord) -> News {
        let node = record.run.node;
        if node == self.me || !record.is_sound() {
            return News::None;
        }
        let count = 0;
        let Some(known) = self.nodes.get_mut(&node) else {
            if self.nodes.len() >= MAX_NODES && !self.forget_one() {
                return News::None;
            }
            let status = NodeStatus { record, is_present: false, since: now };
            self.nodes.insert(node, Known { status, count, grown_at: now });
            return News::None;
        };
        if known.status.record.run >= record.run {
            return News::None;
        }
        let was_present = known.status.is_present;
        let since = if was_present { now } else { known.status.since };
        known.status = NodeStatus { record, is_present: was_present, since };
        (known.count, known.grown_at) = (count, now);
        if was_present { News::BeganAnew } else { News::None }
    }

    /// Nodes whose count has not grown for a lease. Forgets those that were away for very long.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<u32> {
        let (me, lease) = (self.me, self.lease);
        self.nodes.retain(|_, known| {
            known.status.is_present || now.saturating_duration_since(known.status.since) < FORGET_NODES_AFTER
        });
        let mut gone = Vec::new();
        for (node, known) in &mut self.nodes {
            if *node != me && known.status.is_present && now >= known.grown_at + lease {
                known.turn(now, false);
                gone.push(*node);
            }
        }
        gone
    }

    /// When [`Self::expire`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let others = self.nodes.iter().filter(|(node, known)| **node != self.me && known.status.is_present);
        others.map(|(_, known)| known.grown_at + self.lease).min()
    }

    /// How far all have counted who are there, or have said good-bye.
    pub(super) fn beats(&self) -> Vec<Beat> {
        let told = self.nodes.values().filter(|known| known.status.is_present || known.count == GONE);
        told.map(|known| Beat { run: known.status.record.run, count: known.count }).collect()
    }

    /// The node's own.
    pub(super) fn own_beat(&self) -> Beat {
        let own = &self.nodes[&self.me];
        Beat { run: own.status.record.run, count: own.count }
    }

    pub(super) fn get(&self, node: u32) -> Option<&NodeStatus> {
        self.nodes.get(&node).map(|known| &known.status)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &NodeStatus> {
        self.nodes.values().map(|known| &known.status)
    }

    fn forget_one(&mut self) -> bool {
        let away = self.nodes.iter().filter(|(_, known)| !known.status.is_present);
        let oldest = away.min_by_key(|(_, known)| known.status.since).map(|(node, _)| *node);
        oldest.is_some_and(|node| self.nodes.remove(&node).is_some())
    }
}

impl Known {
    fn turn(&mut self, now: Instant, is_present: bool) {
        self.status.is_present = is_present;
        self.status.since = now;
    }
}
