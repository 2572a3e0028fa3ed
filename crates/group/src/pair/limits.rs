//! The bounds of a pair, each with its reason.

use std::time::Duration;

/// Shortest lease: beats go out five times in it, and a busy machine's scheduler may hold a process for 20 ms.
pub const MIN_LEASE: Duration = Duration::from_millis(100);
/// Longest lease: whoever waits longer for a member that is gone has no high availability.
pub const MAX_LEASE: Duration = Duration::from_secs(60);
/// Beats in a lease: four may be lost in a row.
pub(crate) const BEATS_PER_LEASE: u32 = 5;

/// Fewest octets of a datagram: the header at its longest, and as much again for data.
pub const MIN_DATAGRAM_BYTES: usize = 1_024;
/// Most octets of a datagram: one batch of Zenoh, whose length field has 16 bits, with room for Zenoh's header.
pub const MAX_DATAGRAM_BYTES: usize = 60_000;
/// Octets of a datagram unless told otherwise: few enough that a beat behind one on 1 Mbit/s waits 130 ms.
pub const DEFAULT_DATAGRAM_BYTES: usize = 16_384;
/// Most octets that a datagram has besides its chunks' data and what [`CHUNK_HEADER_BYTES`] counts.
pub(crate) const HEADER_BYTES: usize = 384;
/// Most octets of a chunk besides its data: sequence, part, length.
pub(crate) const CHUNK_HEADER_BYTES: usize = 16;
/// Ranges in an acknowledgement: more holes than these are told later, when the first are filled.
pub(crate) const MAX_RANGES: usize = 8;

/// Octets of the longest message: the layer above splits what is longer.
pub const MAX_MESSAGE_BYTES: usize = 65_536;
/// What the two ends of a ring may have under way to each other, each way: 2.5 MB/s at 100 ms there and back.
pub(crate) const WINDOW_COST: u64 = 262_144;
/// What a chunk costs besides its data, so that at most 1,024 are under way and no scan over them is long.
pub(crate) const CHUNK_COST: u64 = 256;
/// Most chunks under way; what follows from the two above, told anew to judge what comes from outside.
pub(crate) const MAX_WINDOW_CHUNKS: u64 = WINDOW_COST / CHUNK_COST;
/// What may be under way before anything is known of the carrier.
pub(crate) const FIRST_CONGESTION_COST: u64 = 32_768;

/// Messages that wait to be ordered, or to be taken by the user: with hundreds of pairs each must stay small.
pub(crate) const MAX_QUEUED_MESSAGES: usize = 256;
/// Octets of these.
pub(crate) const MAX_QUEUED_BYTES: usize = 524_288;

/// Shortest time until something counts as lost: below it a scheduler's pause looks like a loss.
pub(crate) const MIN_RETRANSMISSION: Duration = Duration::from_millis(20);
/// Longest time until something counts as lost, also after many losses in a row.
pub(crate) const MAX_RETRANSMISSION: Duration = Duration::from_secs(1);
/// The same before the first measurement: RFC 6298 has a second; here a lease may be shorter.
pub(crate) const FIRST_RETRANSMISSION: Duration = Duration::from_millis(200);
/// A round trip that seems longer is a clock's or a peer's error.
pub(crate) const MAX_ROUND_TRIP: Duration = Duration::from_secs(60);
/// Datagrams that overtake another before it counts as lost: RFC 9002, section 6.1.1.
pub(crate) const REORDERING: u64 = 3;

/// A ring that lasted so many leases was a good one: the next may form at once.
pub(crate) const STABLE_LEASES: u32 = 8;
/// Doublings of the pause before a ring is tried again: 16 leases at most, so that a link that comes and goes every
/// second does not take the members along, and a healed one waits seconds, not minutes.
pub(crate) const MAX_PAUSE_DOUBLINGS: u32 = 4;
/// No honest peer gets here by counting; beyond it sequences would run out.
pub(crate) const MAX_RING: u64 = u64::MAX / 2;
