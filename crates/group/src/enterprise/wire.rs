//! What two nodes of an enterprise tell each other. Each datagram stands for itself: any may be lost, copied or late.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::directory::{Head, is_sound_name};
use super::entry::Entry;
use super::limits::{BUCKETS, MAX_DATAGRAM_BYTES, MAX_HEADS, MAX_NODES};
use super::presence::{Beat, NodeRecord};
use super::version::Run;

/// The first octet, also of what is kept on a disk.
pub(super) const VERSION: u8 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Datagram {
    /// The sender is there. `root`: the digest of its directory.
    Beat {
        beat: Beat,
        root: u64,
    },
    /// What the sender has heard of others.
    Relay {
        beats: Vec<Beat>,
    },
    /// Tell me who these are.
    AskRecords {
        runs: Vec<Run>,
    },
    Records {
        records: Vec<NodeRecord>,
    },
    /// The sender's digests, since its root differs.
    Buckets {
        buckets: Vec<u64>,
    },
    /// All names that the sender has in a range of hashes.
    Heads {
        first: u64,
        last: u64,
        heads: Vec<Head>,
    },
    /// Send me these.
    Ask {
        keys: Vec<u64>,
    },
    Entries {
        entries: Vec<(String, Entry)>,
    },
}

impl Datagram {
    pub(super) fn encode(&self) -> Bytes {
        // Plain structures into memory: there is nothing that could fail.
        postcard::to_extend(self, vec![VERSION]).expect("a datagram can be written").into()
    }

    /// `None` for what no honest node sends.
    pub(super) fn decode(octets: &[u8]) -> Option<Self> {
        if octets.len() > MAX_DATAGRAM_BYTES {
            return None;
        }
        let (VERSION, rest) = octets.split_first().map(|(version, rest)| (*version, rest))? else { return None };
        let datagram = postcard::from_bytes::<Self>(rest).ok()?;
        let is_sound = match &datagram {
            Self::Beat { .. } => true,
            Self::Relay { beats } => beats.len() <= MAX_NODES,
            Self::AskRecords { runs } => runs.len() <= MAX_NODES,
            Self::Records { records } => records.iter().all(NodeRecord::is_sound),
            Self::Buckets { buckets } => buckets.len() == BUCKETS,
            Self::Heads { heads, .. } => heads.len() <= MAX_HEADS,
            Self::Ask { keys } => keys.len() <= MAX_HEADS,
            Self::Entries { entries } => entries.iter().all(|(name, entry)| is_sound_name(name) && entry.is_sound()),
        };
        is_sound.then_some(datagram)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::entry::Value;
    use super::super::limits::{MAX_CONTEXT, MAX_NAME_BYTES, MAX_VALUE_BYTES, MAX_VALUES};
    use super::super::version::Seen;
    use super::*;

    #[test]
    fn the_longest_of_each_fits() {
        let run = |node: u32| Run { began_ms: u64::MAX, node: u32::MAX - node };
        let mut entry = Entry::default();
        for node in 0..(MAX_CONTEXT + MAX_VALUES) as u32 {
            let seen = if node < MAX_CONTEXT as u32 { entry.seen().clone() } else { Seen::default() };
            entry.write(run(node), Value::Set(Bytes::from(vec![node as u8; MAX_VALUE_BYTES])), &seen);
        }
        assert!(entry.is_sound() && entry.values().len() == MAX_VALUES);
        let beat = Beat { run: run(0), count: u64::MAX };
        let longest = [
            Datagram::Relay { beats: vec![beat; MAX_NODES] },
            Datagram::AskRecords { runs: vec![run(0); MAX_NODES] },
            Datagram::Buckets { buckets: vec![u64::MAX; BUCKETS] },
            Datagram::Heads { first: u64::MAX, last: u64::MAX, heads: vec![(u64::MAX, u64::MAX); MAX_HEADS] },
            Datagram::Ask { keys: vec![u64::MAX; MAX_HEADS] },
            Datagram::Entries { entries: vec![("n".repeat(MAX_NAME_BYTES), entry)] },
        ];
        for datagram in longest {
            let octets = datagram.encode();
            assert!(octets.len() <= MAX_DATAGRAM_BYTES, "{} octets", octets.len());
            assert_eq!(Datagram::decode(&octets), Some(datagram));
        }
    }

    proptest! {
        #[test]
        fn nothing_from_outside_panics(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            let versioned = [&[VERSION], &octets[..]].concat();
            if let Some(datagram) = Datagram::decode(&versioned) {
                prop_assert_eq!(Datagram::decode(&datagram.encode()), Some(datagram));
            }
        }
    }
}
