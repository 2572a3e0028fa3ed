//! The receiving end of a ring's stream: puts chunks into their order, and them together to messages.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};

use super::limits::{MAX_MESSAGE_BYTES, MAX_RANGES, MAX_WINDOW_CHUNKS, WINDOW_COST};
use super::outbound::cost;
use super::wire::{Ack, Chunk, Part};

#[derive(Debug, Default)]
pub(super) struct Inbound {
    /// The sequence of the first chunk that has not come.
    next: u64,
    /// In order, not taken yet.
    ready: VecDeque<Chunk>,
    /// What has come after a gap, by sequence.
    early: BTreeMap<u64, Chunk>,
    /// The cost of what was taken, and of what is in `ready` and `early`.
    taken: u64,
    held: u64,
    /// The credit told last.
    credit_told: u64,
    /// The message whose last part has not come.
    partial: Option<BytesMut>,
}

/// What stands next in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    Message(Bytes),
    Yours,
}

/// The other end does not speak as this one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the peer's stream makes no sense: it runs another version, or is not what it says")]
pub(super) struct Violation;

impl Inbound {
    /// Takes a chunk in, unless it has come already or has no room.
    pub(super) fn insert(&mut self, chunk: Chunk) {
        let is_new = chunk.sequence >= self.next && !self.early.contains_key(&chunk.sequence);
        let in_window = chunk.sequence.saturating_sub(self.next) < MAX_WINDOW_CHUNKS;
        // An honest peer keeps to its credit, which is never more than this.
        let has_room = self.held + cost(&chunk) <= WINDOW_COST;
        if !is_new || !in_window || !has_room {
            return;
        }
        self.held += cost(&chunk);
        self.early.insert(chunk.sequence, chunk);
        while let Some(chunk) = self.early.remove(&self.next) {
            self.next += 1;
            self.ready.push_back(chunk);
        }
    }

    /// The next message or place of one, when all of it is there.
    pub(super) fn take(&mut self) -> Result<Option<Item>, Violation> {
        while let Some(chunk) = self.ready.pop_front() {
            self.taken += cost(&chunk);
            self.held -= cost(&chunk);
            match (chunk.part, &mut self.partial) {
                (Part::Yours, None) => return Ok(Some(Item::Yours)),
                (Part::Whole, None) if chunk.data.len() <= MAX_MESSAGE_BYTES => {
                    return Ok(Some(Item::Message(chunk.data)));
                }
                (Part::First, none @ None) => *none = Some(BytesMut::from(&chunk.data[..])),
                (Part::Middle, Some(partial)) => partial.extend_from_slice(&chunk.data),
                (Part::Last, Some(partial)) => {
                    partial.extend_from_slice(&chunk.data);
                    if partial.len() <= MAX_MESSAGE_BYTES {
                        return Ok(self.partial.take().map(|partial| Item::Message(partial.freeze())));
                    }
                }
                _ => return Err(Violation),
            }
            if self.partial.as_ref().is_some_and(|partial| partial.len() > MAX_MESSAGE_BYTES) {
                return Err(Violation);
            }
        }
        Ok(None)
    }

    /// What has come, and how much more may.
    pub(super) fn ack(&mut self) -> Ack {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for sequence in self.early.keys() {
            if let Some((first, length)) = ranges.last_mut()
                && *first + *length == *sequence
            {
                *length += 1;
            } else if ranges.len() < MAX_RANGES {
                ranges.push((*sequence, 1));
            } else {
                break;
            }
        }
        self.credit_told = self.taken + WINDOW_COST;
        Ack { next: self.next, ranges, credit: self.credit_told }
    }

    /// Whether the other end should be told of its credit before the next beat.
    pub(super) fn has_credit_to_tell(&self) -> bool {
        self.taken + WINDOW_COST >= self.credit_told + WINDOW_COST / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(sequence: u64, part: Part, length: usize) -> Chunk {
        Chunk { sequence, part, data: Bytes::from(vec![sequence as u8; length]) }
    }

    #[test]
    fn chunks_come_in_any_order_and_more_than_once() {
        let mut inbound = Inbound::default();
        for sequence in [2, 0, 2, 4, 0] {
            let part = [Part::First, Part::Middle, Part::Last, Part::Yours, Part::Whole][sequence as usize];
            inbound.insert(chunk(sequence, part, if part == Part::Yours { 0 } else { 2 }));
        }
        assert_eq!(inbound.take(), Ok(None));
        let ack = inbound.ack();
        assert_eq!((ack.next, &ack.ranges[..]), (1, &[(2, 1), (4, 1)][..]));
        inbound.insert(chunk(1, Part::Middle, 1));
        inbound.insert(chunk(3, Part::Yours, 0));
        assert_eq!(inbound.take(), Ok(Some(Item::Message(Bytes::from_static(&[0, 0, 1, 2, 2])))));
        assert_eq!(inbound.take(), Ok(Some(Item::Yours)));
        assert_eq!(inbound.take(), Ok(Some(Item::Message(Bytes::from_static(&[4, 4])))));
        assert_eq!(inbound.take(), Ok(None));
        assert_eq!(inbound.ack().next, 5);
    }

    #[test]
    fn a_peer_that_breaks_the_rules_is_found_out() {
        for parts in [&[Part::Middle][..], &[Part::Last], &[Part::First, Part::Whole], &[Part::First, Part::Yours]] {
            let mut inbound = Inbound::default();
            for (sequence, part) in parts.iter().enumerate() {
                inbound.insert(chunk(sequence as u64, *part, 1));
            }
            assert_eq!(inbound.take(), Err(Violation), "{parts:?}");
        }
        let mut inbound = Inbound::default();
        inbound.insert(chunk(0, Part::First, MAX_MESSAGE_BYTES));
        inbound.insert(chunk(1, Part::Middle, 1));
        assert_eq!(inbound.take(), Err(Violation));
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut inbound = Inbound::default();
        for sequence in 0..1_000 {
            inbound.insert(chunk(sequence, Part::Whole, 1_000));
        }
        assert!(inbound.held <= WINDOW_COST);
        inbound.insert(chunk(u64::MAX, Part::Whole, 1));
        assert!(inbound.early.is_empty());
        assert!(!inbound.has_credit_to_tell() || inbound.ack().credit == WINDOW_COST);
        while let Ok(Some(_)) = inbound.take() {}
        assert!(inbound.has_credit_to_tell());
    }
}
