//! The messages that members of groups send each other through an engine. Each begins with the version and the kind.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::engine::RingId;
use crate::error::WireError;
use crate::member::{GroupName, Member, StateVersion, Trace};

const VERSION: u8 = 1;
const CONTROL: u8 = 0;
const PACKET: u8 = 1;
const BATCH: u8 = 2;

/// Octets of a packet's header at most: what is kept free of a fragment for it.
pub(crate) const MAX_PACKET_HEADER: usize = 2 + 10 + 10 + 5 + 5 + 1;

/// Octets of the length of a packet in a batch at most.
pub(crate) const MAX_LENGTH: usize = 10;

/// Which exchange a message belongs to: that of a configuration, or a repetition of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct ExchangeKey {
    pub ring: RingId,
    /// A digest of the members: processes come and go within a ring.
    pub members: u64,
    pub round: u32,
}

impl ExchangeKey {
    pub(crate) fn is_later_round_of(&self, other: &ExchangeKey) -> bool {
        self.ring == other.ring && self.members == other.members && self.round > other.round
    }
}

/// What one member says of itself after each change of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub key: ExchangeKey,
    pub member: Member,
    pub name: String,
    pub groups: Vec<(GroupName, Claim)>,
}

/// What one member says of its part in one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Claim {
    /// The greatest epoch of a view that it has seen.
    pub epoch: u64,
    /// What it has been given in its view, if it has one.
    pub trace: Option<Trace>,
    /// How many members that view has.
    pub members: u32,
    /// The state that it has, if the group has state and it has any.
    pub state: Option<StateVersion>,
    /// What it does with messages of its view that come before the exchange has ended.
    pub standing: Standing,
}

/// What a member does with messages of its view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Standing {
    /// It has no view, or has missed something in it: it takes none.
    Out,
    /// It waits for states of others: it was given nothing in its view, and will not be.
    Waiting,
    /// They are given to the user.
    Settled,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Control {
    Hello(Hello),
    /// Whoever has not said hello when this comes is not waited for.
    Exclude(ExchangeKey),
    /// The exchange is to be done again: a member has missed something.
    Again(ExchangeKey),
    Join(GroupName),
    Leave(GroupName),
    /// An exchange within one group. `change` counts who joined and left since the configuration's exchange.
    Claim {
        key: ExchangeKey,
        change: u32,
        group: GroupName,
        claim: Claim,
    },
}

/// A message, or a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Packet {
    /// Of the group and the view.
    pub tag: u64,
    /// Of the message, among those of its sender in the view, from 1 on; a state, of which there is one, has a count of its own.
    pub seq: u64,
    pub fragment: u32,
    /// One less than there are.
    pub last_fragment: u32,
    pub is_state: bool,
}

/// A packet with its octets, to be sent.
#[derive(Debug)]
pub(crate) struct Part {
    header: [u8; MAX_PACKET_HEADER],
    header_length: usize,
    data: Bytes,
}

/// Packets that are sent in one message of the engine: it costs an engine the same whether there is one in it or a hundred small ones.
#[derive(Debug)]
pub(crate) struct Batch(BytesMut);

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Control(Control),
    Packet(Packet, Bytes),
    Batch(Vec<(Packet, Bytes)>),
}

impl Control {
    pub(crate) fn encode(&self) -> Bytes {
        let octets = vec![VERSION, CONTROL];
        Bytes::from(postcard::to_extend(self, octets).expect("memory takes any length, and all of it can be written"))
    }
}

impl Packet {
    pub(crate) fn with(&self, data: Bytes) -> Part {
        let mut header = [0; MAX_PACKET_HEADER];
        let header_length = postcard::to_slice(self, &mut header).expect("the header's greatest length is known").len();
        Part { header, header_length, data }
    }

    fn take(octets: &[u8]) -> Result<(Packet, &[u8]), WireError> {
        postcard::take_from_bytes(octets).map_err(WireError::Content)
    }
}

impl Part {
    /// Octets, without what says the version and the kind.
    pub(crate) fn len(&self) -> usize {
        self.header_length + self.data.len()
    }

    /// A message of its own.
    pub(crate) fn encode(&self) -> Bytes {
        let mut octets = BytesMut::with_capacity(2 + self.len());
        octets.put_slice(&[VERSION, PACKET]);
        self.put(&mut octets);
        octets.freeze()
    }

    fn put(&self, octets: &mut BytesMut) {
        octets.put_slice(&self.header[..self.header_length]);
        octets.put_slice(&self.data);
    }
}

impl Batch {
    pub(crate) fn new(max_bytes: usize) -> Self {
        let mut octets = BytesMut::with_capacity(max_bytes);
        octets.put_slice(&[VERSION, BATCH]);
        Batch(octets)
    }

    /// Octets so far.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn add(&mut self, part: &Part) {
        let mut length = [0; MAX_LENGTH];
        let length = postcard::to_slice(&part.len(), &mut length).expect("a length's greatest length is known");
        self.0.put_slice(length);
        part.put(&mut self.0);
    }

    pub(crate) fn encode(self) -> Bytes {
        self.0.freeze()
    }
}

impl Frame {
    pub(crate) fn decode(octets: &Bytes) -> Result<Frame, WireError> {
        let [version, kind, rest @ ..] = &octets[..] else { return Err(WireError::Short) };
        match (*version, *kind) {
            (VERSION, CONTROL) => postcard::from_bytes(rest).map(Frame::Control).map_err(WireError::Content),
            (VERSION, PACKET) => {
                let (packet, data) = Packet::take(rest)?;
                Ok(Frame::Packet(packet, octets.slice_ref(data)))
            }
            (VERSION, BATCH) => {
                let (mut packets, mut left) = (Vec::new(), rest);
                while !left.is_empty() {
                    let (length, rest): (usize, _) = postcard::take_from_bytes(left).map_err(WireError::Content)?;
                    let (part, rest) = rest.split_at_checked(length).ok_or(WireError::Short)?;
                    let (packet, data) = Packet::take(part)?;
                    packets.push((packet, octets.slice_ref(data)));
                    left = rest;
                }
                Ok(Frame::Batch(packets))
            }
            (VERSION, kind) => Err(WireError::Kind(kind)),
            (version, _) => Err(WireError::Version(version)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet() -> Packet {
        Packet { tag: u64::MAX, seq: u64::MAX, fragment: u32::MAX, last_fragment: u32::MAX, is_state: true }
    }

    #[test]
    fn the_longest_header_fits_where_room_is_kept_for_it() {
        let encoded = packet().with(Bytes::new()).encode();
        assert!(encoded.len() <= MAX_PACKET_HEADER, "{}", encoded.len());
        assert_eq!(Frame::decode(&encoded), Ok(Frame::Packet(packet(), Bytes::new())));
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        assert_eq!(Frame::decode(&Bytes::new()), Err(WireError::Short));
        assert_eq!(Frame::decode(&Bytes::from_static(&[9, 0])), Err(WireError::Version(9)));
        assert_eq!(Frame::decode(&Bytes::from_static(&[1, 7])), Err(WireError::Kind(7)));
        let long = GroupName::new("a".repeat(64)).unwrap();
        let mut octets = Control::Leave(long).encode().to_vec();
        octets[3] = 65;
        octets.push(b'a');
        assert!(matches!(Frame::decode(&octets.into()), Err(WireError::Content(_))));
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(Frame::decode(&octets.clone().into()));
            for kind in [CONTROL, PACKET, BATCH] {
                let octets: Vec<u8> = [VERSION, kind].into_iter().chain(octets.iter().copied()).collect();
                drop(Frame::decode(&octets.into()));
            }
        }

        #[test]
        fn packets_come_back(tag: u64, seq: u64, fragment: u32, is_state: bool, data: Vec<u8>) {
            let packet = Packet { tag, seq, fragment, last_fragment: fragment, is_state };
            let data = Bytes::from(data);
            prop_assert_eq!(Frame::decode(&packet.with(data.clone()).encode()), Ok(Frame::Packet(packet, data)));
        }

        #[test]
        fn batches_come_back(all: Vec<(u64, Vec<u8>)>) {
            let packet = |seq| Packet { tag: 7, seq, fragment: 0, last_fragment: 0, is_state: false };
            let all: Vec<(Packet, Bytes)> = all.into_iter().map(|(seq, data)| (packet(seq), data.into())).collect();
            let mut batch = Batch::new(64);
            for (packet, data) in &all {
                let (part, before) = (packet.with(data.clone()), batch.len());
                batch.add(&part);
                prop_assert!(batch.len() - before <= MAX_LENGTH + part.len());
            }
            prop_assert_eq!(Frame::decode(&batch.encode()), Ok(Frame::Batch(all)));
        }
    }
}
