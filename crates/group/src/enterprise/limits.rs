//! The bounds of what an enterprise's nodes know of each other, each with its reason.

use std::time::Duration;

/// Nodes known at a time, present or not: several times the largest enterprise that this is made for; the beats of
/// all fit a datagram.
pub const MAX_NODES: usize = 1_536;
/// Nodes that one talks to directly: a hub with all its sites.
pub const MAX_NEIGHBOURS: usize = 1_024;
/// Addresses that a node tells of itself, and octets of each, of its name and of its version: one datagram holds
/// some ten nodes at their longest.
pub const MAX_ADDRESSES: usize = 8;
/// Octets of a node's name, version and each address.
pub const MAX_TEXT_BYTES: usize = 255;
/// Nodes that were away for so long are forgotten: a week's holiday of a site is told when it ends.
pub const FORGET_NODES_AFTER: Duration = Duration::from_secs(14 * 24 * 3600);

/// Names in the directory that are not deleted: ten components each in a thousand HA-MLMs and room for more.
pub const MAX_ENTRIES: usize = 16_384;
/// Deleted names that are remembered: as many as there may be names.
pub const MAX_TOMBSTONES: usize = 16_384;
/// Deleted names are remembered so long. A node that was away for longer may bring one back.
pub const TOMBSTONES_LAST: Duration = Duration::from_secs(7 * 24 * 3600);
/// Octets of a name.
pub const MAX_NAME_BYTES: usize = 255;
/// Octets of a value: with [`MAX_VALUES`] of them an entry still fits one datagram.
pub const MAX_VALUE_BYTES: usize = 2_048;
/// Values that one name may have by concurrent changes. Of more the latest stay, and it is told.
pub const MAX_VALUES: usize = 16;
/// Runs of nodes that an entry remembers to have changed it. An older one's value may show up as concurrent once
/// more, from a node that was away; nothing is lost by it.
pub const MAX_CONTEXT: usize = 32;

/// Octets of a datagram at most: the longest entry, and Zenoh's one batch.
pub const MAX_DATAGRAM_BYTES: usize = 49_152;
/// Octets that wait to be sent to one neighbour; what is more is dropped, and comes with a later comparison.
pub(crate) const MAX_OUTGOING_BYTES: usize = 4 * MAX_DATAGRAM_BYTES;
/// Digests that two nodes compare first. The names of one of them, when all are there, fit a datagram.
pub(crate) const BUCKETS: usize = 256;
/// Names compared, or asked for, in one datagram: 16 octets each, about half a datagram.
pub(crate) const MAX_HEADS: usize = 1_024;
/// Events that wait to be taken. Of more only the fact is told.
pub(crate) const MAX_EVENTS: usize = 1_024;

/// Beats between two of which a node passes on what it has heard of all others.
pub(crate) const BEATS_PER_RELAY: u64 = 3;
/// Shortest lease in beats: a relayed beat of a node two steps away takes seven, and one may be lost.
pub(crate) const MIN_LEASE_BEATS: u32 = 10;
