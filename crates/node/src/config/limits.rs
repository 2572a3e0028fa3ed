//! Every bound of the configuration, with its reason. What SNMP itself bounds is in [`hamsa_snmp::limits`].

use std::time::Duration;

/// Octets of one configuration file: some 80,000 devices. While it is read it takes some forty times that memory,
/// and a file of nothing but signs five times more.
pub(super) const MAX_FILE_OCTETS: u64 = 8 << 20;

/// Files that `include` adds. One a device is a habit of those who generate them.
pub(super) const MAX_INCLUDED_FILES: usize = 20_000;

/// Devices of one node: ten times what one core polls at the default interval.
pub(super) const MAX_DEVICES: usize = 100_000;

/// Credentials of one node. One for each device is the most that anyone has.
pub(super) const MAX_CREDENTIALS: usize = 100_000;

/// Mistakes (and as many warnings) that are told one by one; nobody reads more in one sitting.
pub(super) const MAX_MISTAKES: usize = 1_000;

/// Octets of a text that a message quotes, so that a file without line ends can't flood a terminal.
pub(super) const MAX_QUOTED_OCTETS: usize = 80;

/// Elements of one list in the configuration.
pub(super) const MAX_LIST: usize = 1_000;

/// Octets of a secret: ten times the longest that people type, and what a mistaken path rarely has.
pub(super) const MAX_SECRET_OCTETS: usize = 4_096;

/// Octets of a bearer token at least: 96 bits where each is a base-64 digit, beyond guessing over a network.
pub(super) const MIN_TOKEN_OCTETS: usize = 16;

/// Octets of a community. RFC 3584 states no bound; this is `SnmpAdminString`'s.
pub(super) const MAX_COMMUNITY_OCTETS: usize = 255;

/// Octets of the name of a node, a device, a profile or a MIB module. They stand in labels, paths and tables.
pub(super) const MAX_NAME_OCTETS: usize = 128;

/// Octets of a host name (RFC 1035 §2.3.4, less the root's length octet and dot).
pub(super) const MAX_HOST_OCTETS: usize = 253;

/// Octets between two dots of a host name (RFC 1035 §2.3.4).
pub(super) const MAX_HOST_LABEL_OCTETS: usize = 63;

/// Labels of one device. Every one of its series carries them.
pub(super) const MAX_LABELS: usize = 32;

/// Octets of a label's value.
pub(super) const MAX_LABEL_VALUE_OCTETS: usize = 256;

/// The shortest interval between two polls of a device: shorter ones measure the agent's own caching.
pub(super) const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// The longest interval between two polls of a device. A 32-bit counter of a 100 Mbit/s line wraps 240 times
/// in that time: longer ones tell nothing.
pub(super) const MAX_INTERVAL: Duration = Duration::from_hours(24);

/// The shortest wait for an answer: below it the timer is what is measured.
pub(super) const MIN_TIMEOUT: Duration = Duration::from_millis(10);

/// The longest wait for an answer. Satellite links need two seconds, slow agents some ten.
pub(super) const MAX_TIMEOUT: Duration = Duration::from_mins(1);

/// Retransmissions of one request: more only keep a dead device's queue full.
pub(super) const MAX_RETRIES: u8 = 10;

/// `max-repetitions` of GETBULK at most: no datagram holds more.
pub(super) const MAX_REPETITIONS: u16 = 1_000;

/// Retention: the store drops whole days.
pub(super) const MIN_RETENTION: Duration = Duration::from_hours(24);

/// Retention at most: dates stay far from any overflow.
pub(super) const MAX_RETENTION: Duration = Duration::from_hours(10 * 365 * 24);

/// How often the store syncs: faster than a disk can, and so long that a power cut loses a whole poll.
pub(super) const SYNC_INTERVALS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_mins(1));

/// The store's cache, octets.
pub(super) const CACHE_OCTETS: (u64, u64) = (1 << 20, 64 << 30);

/// Numbers of nodes: all engines can tell so many apart.
pub(super) const MAX_NODE_NUMBER: u32 = 65_535;

/// How long nodes wait for each other: no network answers faster, and nobody wants to wait longer.
pub(super) const GROUP_TIMES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_mins(1));

/// Octets of a Unix socket's path (unix(7), less the octet 0 at its end).
pub(super) const MAX_SOCKET_PATH_OCTETS: usize = 107;

/// Receive buffer of a socket, octets: one datagram of the largest size, and what Linux grants root at most.
pub(super) const RECEIVE_BUFFER_OCTETS: (u64, u64) = (64 << 10, 1 << 30);

/// A token that stays away for less is away on any busy host, and one for longer lets a dead host go unnoticed for minutes.
pub(super) const GROUP_TOKENS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_mins(1));
