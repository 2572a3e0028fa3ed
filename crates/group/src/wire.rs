//! The messages that members of groups send each other through an engine. Each begins with the version and the kind.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::engine::RingId;
use crate::error::WireError;
use crate::member::{GroupName, Member, StateVersion, Trace};

const VERSION: u8 = 1;
const CONTROL: u8 = 0;
const PACKET: u8 = 1;

/// Octets of a packet's header at most: what is kept free of a fragment for it.
pub(crate) const MAX_PACKET_HEADER: usize = 2 + 10 + 10 + 5 + 5 + 1;

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

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Control(Control),
    Packet(Packet, Bytes),
}

impl Control {
    pub(crate) fn encode(&self) -> Bytes {
        let octets = vec![VERSION, CONTROL];
        Bytes::from(postcard::to_extend(self, octets).expect("memory takes any length, and all of it can be written"))
    }
}

impl Packet {
    pub(crate) fn encode(&self, data: &[u8]) -> Bytes {
        let mut header = [0; MAX_PACKET_HEADER];
        let header = postcard::to_slice(self, &mut header).expect("the header's greatest length is known");
        let mut octets = BytesMut::with_capacity(2 + header.len() + data.len());
        octets.put_slice(&[VERSION, PACKET]);
        octets.put_slice(header);
        octets.put_slice(data);
        octets.freeze()
    }
}

impl Frame {
    pub(crate) fn decode(octets: &Bytes) -> Result<Frame, WireError> {
        let [version, kind, rest @ ..] = &octets[..] else { return Err(WireError::Short) };
        match (*version, *kind) {
            (VERSION, CONTROL) => postcard::from_bytes(rest).map(Frame::Control).map_err(WireError::Content),
            (VERSION, PACKET) => {
                let (packet, data): (Packet, _) = postcard::take_from_bytes(rest).map_err(WireError::Content)?;
                Ok(Frame::Packet(packet, octets.slice(octets.len() - data.len()..)))
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
        let encoded = packet().encode(b"");
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
            for kind in [CONTROL, PACKET] {
                let octets: Vec<u8> = [VERSION, kind].into_iter().chain(octets.iter().copied()).collect();
                drop(Frame::decode(&octets.into()));
            }
        }

        #[test]
        fn packets_come_back(tag: u64, seq: u64, fragment: u32, is_state: bool, data: Vec<u8>) {
            let packet = Packet { tag, seq, fragment, last_fragment: fragment, is_state };
            prop_assert_eq!(Frame::decode(&packet.encode(&data)), Ok(Frame::Packet(packet, data.into())));
        }
    }
}
