//! What two members of a pair tell each other: one form of datagram, of which a beat is one without chunks.
//!
//! It starts with an octet for the version; the rest is postcard. It has no protection of its own: the carrier has
//! checked who sends it (TLS), and what does not fit is ignored.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::limits::{MAX_DATAGRAM_BYTES, MAX_RANGES, MAX_RING};
use crate::engine::Process;

/// The first octet.
const VERSION: u8 = 1;

/// All that is told at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Datagram {
    pub(super) from: Process,
    pub(super) to: Process,
    /// The sender's run.
    pub(super) session: u64,
    /// Grows with each datagram of a session, so that an older one that comes late is known as such.
    pub(super) number: u64,
    /// How long the sender may be silent.
    pub(super) lease_ms: u32,
    /// The sender's clock, in microseconds of its own, wrapping.
    pub(super) stamp_us: u32,
    pub(super) echo: Option<Echo>,
    /// Which run of the receiver the sender hears, and knows not to be the past.
    pub(super) hears: Option<Heard>,
    /// Which run of the receiver the sender has heard of lately and asks to answer.
    pub(super) asks: Option<Heard>,
    pub(super) phase: Phase,
}

/// The receiver's last stamp, and how long the sender has held it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Echo {
    pub(super) stamp_us: u32,
    pub(super) held_us: u32,
}

/// A run of the receiver, and the greatest number heard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Heard {
    pub(super) session: u64,
    pub(super) number: u64,
}

/// Where the sender stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// In a ring of its own; `highest` is the greatest ring sequence that it knows.
    Alone { highest: u64 },
    /// In a ring of its own, and offers one of two.
    Offer { ring: u64 },
    /// In a ring of two.
    Together { ring: u64, ack: Ack, chunks: Vec<Chunk> },
    /// Its last word.
    Leaving,
}

/// What has come of the receiver's stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ack {
    /// All before it.
    pub(super) next: u64,
    /// What has come after it: firsts and lengths, ascending, at most [`MAX_RANGES`].
    pub(super) ranges: Vec<(u64, u64)>,
    /// How far the stream may go, in costs since its beginning.
    pub(super) credit: u64,
}

/// One piece of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chunk {
    /// From 0, without gaps.
    pub(super) sequence: u64,
    pub(super) part: Part,
    pub(super) data: Bytes,
}

/// What of a message a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Part {
    Whole,
    First,
    Middle,
    Last,
    /// The sequencer says that the receiver's own next message stands here.
    Yours,
}

impl Datagram {
    pub(super) fn encode(&self) -> Bytes {
        let octets = postcard::to_extend(self, vec![VERSION]);
        // Plain structures into memory: there is nothing that could fail.
        octets.expect("a datagram can be written").into()
    }

    /// `None` for what no honest member sends.
    pub(super) fn decode(octets: &[u8]) -> Option<Self> {
        if octets.len() > MAX_DATAGRAM_BYTES {
            return None;
        }
        let (VERSION, rest) = octets.split_first().map(|(version, rest)| (*version, rest))? else { return None };
        let (datagram, trailing) = postcard::take_from_bytes::<Self>(rest).ok()?;
        let is_sound = match &datagram.phase {
            Phase::Alone { highest: ring } | Phase::Offer { ring } => *ring <= MAX_RING,
            Phase::Together { ring, ack, .. } => *ring <= MAX_RING && ack.ranges.len() <= MAX_RANGES,
            Phase::Leaving => true,
        };
        (is_sound && trailing.is_empty()).then_some(datagram)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::limits::{CHUNK_HEADER_BYTES, HEADER_BYTES};
    use super::*;

    fn longest(chunks: Vec<Chunk>) -> Datagram {
        let process = Process { node: u32::MAX, process: u32::MAX };
        let heard = Some(Heard { session: u64::MAX, number: u64::MAX });
        Datagram {
            from: process,
            to: process,
            session: u64::MAX,
            number: u64::MAX,
            lease_ms: u32::MAX,
            stamp_us: u32::MAX,
            echo: Some(Echo { stamp_us: u32::MAX, held_us: u32::MAX }),
            hears: heard,
            asks: heard,
            phase: Phase::Together {
                ring: MAX_RING,
                ack: Ack { next: u64::MAX, ranges: vec![(u64::MAX, u64::MAX); MAX_RANGES], credit: u64::MAX },
                chunks,
            },
        }
    }

    #[test]
    fn the_bounds_of_headers_hold() {
        assert!(longest(Vec::new()).encode().len() <= HEADER_BYTES);
        let chunk = Chunk { sequence: u64::MAX, part: Part::Yours, data: Bytes::from(vec![0; 60_000]) };
        let with = longest(vec![chunk; 2]).encode().len();
        assert!(with <= HEADER_BYTES + 2 * (60_000 + CHUNK_HEADER_BYTES));
    }

    #[test]
    fn what_was_written_is_read() {
        let datagram = longest(vec![Chunk { sequence: 3, part: Part::Whole, data: Bytes::from_static(b"abc") }]);
        let octets = datagram.encode();
        assert_eq!(Datagram::decode(&octets), Some(datagram));
        assert_eq!(Datagram::decode(&octets[..octets.len() - 1]), None);
        assert_eq!(Datagram::decode(&[&octets[..], &[0]].concat()), None);
        assert_eq!(Datagram::decode(&[&[VERSION + 1], &octets[1..]].concat()), None);
        assert_eq!(Datagram::decode(&[]), None);
    }

    proptest! {
        #[test]
        fn nothing_from_outside_panics(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            let versioned = [&[VERSION], &octets[..]].concat();
            if let Some(datagram) = Datagram::decode(&versioned) {
                // Not octet by octet: a number has longer forms than its shortest.
                prop_assert_eq!(Datagram::decode(&datagram.encode()), Some(datagram));
            }
        }
    }
}
