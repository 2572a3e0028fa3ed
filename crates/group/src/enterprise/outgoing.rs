//! What waits to be sent to one neighbour: bounded, and of what comes again and again only the latest.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::limits::{MAX_DATAGRAM_BYTES, MAX_OUTGOING_BYTES};
use super::wire::Datagram;

/// A datagram that takes the place of the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    Beat,
    Relay,
    Buckets,
}

#[derive(Debug, Default)]
pub(super) struct Outgoing {
    slots: BTreeMap<Slot, Bytes>,
    queue: VecDeque<Bytes>,
    bytes: usize,
}

impl Outgoing {
    pub(super) fn set(&mut self, slot: Slot, octets: Bytes) {
        self.slots.insert(slot, octets);
    }

    /// Dropped when there is no room: the next comparison finds what is missing.
    pub(super) fn push(&mut self, octets: Bytes) {
        if self.bytes + octets.len() <= MAX_OUTGOING_BYTES {
            self.bytes += octets.len();
            self.queue.push_back(octets);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        if let Some((_, octets)) = self.slots.pop_first() {
            return Some(octets);
        }
        let octets = self.queue.pop_front()?;
        self.bytes -= octets.len();
        Some(octets)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.queue.is_empty()
    }
}

/// As few datagrams as hold all of them; each alone fits one.
pub(super) fn split<T: Clone>(items: Vec<T>, datagram: impl Fn(Vec<T>) -> Datagram) -> Vec<Bytes> {
    if items.is_empty() {
        return Vec::new();
    }
    let octets = datagram(items.clone()).encode();
    if octets.len() <= MAX_DATAGRAM_BYTES || items.len() == 1 {
        return vec![octets];
    }
    let mut first = items;
    let second = first.split_off(first.len() / 2);
    let mut datagrams = split(first, &datagram as &dyn Fn(Vec<T>) -> Datagram);
    datagrams.extend(split(second, &datagram as &dyn Fn(Vec<T>) -> Datagram));
    datagrams
}
