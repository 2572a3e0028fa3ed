//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Hosts of one ring. The token visits all of them in turn: with more, a message takes longer and a lost token is
/// noticed later. 24 daemons were tried; Corosync's makers support 16 to 32.
pub const RING_NODES: usize = 24;

/// Addresses of one node: Kronosnet's links (`KNET_MAX_LINK`).
pub const NODE_ADDRESSES: usize = 8;

/// Octets of a cluster's or node's name: a DNS label's, which is what hosts are called by.
pub const NAME_BYTES: usize = 63;

/// Octets of a path in `corosync.conf`: Corosync reads lines of at most 510, the key before it included.
pub const PATH_BYTES: usize = 400;

/// The shortest token timeout. Corosync itself refuses less than 126 ms, since it sends the token again after a 4.2th of
/// it, which has to be 30 ms; but below this a busy host is taken for a dead one.
pub const TOKEN_MIN_MS: u32 = 250;

/// The longest token timeout: a host's death is noticed after twice as long, and nobody waits for that.
pub const TOKEN_MAX_MS: u32 = 60_000;

/// The longest consensus timeout, likewise.
pub const CONSENSUS_MAX_MS: u32 = 120_000;

/// Octets of a ring's key that we make: with 128, Corosync's own tool makes as many bits as it asks for at least.
pub const KEY_BYTES: usize = 256;

/// Octets of a key that Corosync takes (`TOTEM_PRIVATE_KEY_LEN_MIN` and `_MAX`).
pub const KEY_FILE_BYTES: std::ops::RangeInclusive<u64> = 128..=4096;

/// Before the daemon is started again, and before it is connected to again, at first.
pub const RETRY_FIRST: Duration = Duration::from_millis(250);

/// Likewise, after many failures: an operator who repairs something sees it within this.
pub const RETRY_MOST: Duration = Duration::from_secs(15);

/// A daemon that ran so long starts a new series of retries.
pub const RUNS_WELL: Duration = Duration::from_secs(60);

/// From SIGTERM to SIGKILL. It tells its peers and unloads its services, which takes a second on a busy host.
pub const DAEMON_TERMINATION: Duration = Duration::from_secs(10);

/// Between two looks at a process that is about to end.
pub const COLLECT_INTERVAL: Duration = Duration::from_millis(10);

/// Octets of one line of the daemon's log that are looked at; the rest of a longer line comes as one of its own.
pub const LOG_LINE_BYTES: u64 = 4096;

/// Lines that wait for the supervisor; the daemon waits when there are more.
pub const LOG_QUEUE_LINES: usize = 256;

/// Lines that are passed on in each [`LOG_PERIOD`]: a wrong key gives 32 in a second, for ever.
pub const LOG_LINES_PER_PERIOD: u32 = 200;

/// See [`LOG_LINES_PER_PERIOD`].
pub const LOG_PERIOD: Duration = Duration::from_secs(60);

/// A reload of the configuration, asked of all daemons of the ring.
pub const RELOAD: Duration = Duration::from_secs(30);

/// Octets of a message. Corosync takes 1,047,552 in one piece (`cpg_max_atomic_msgsize_get`) in all versions since 2.
pub const MESSAGE_BYTES: usize = 1_000_000;

/// Messages to be sent that the engine's port queues.
pub const PORT_MESSAGES: usize = 1024;

/// Batches of events that it queues, each of what was taken in one turn: some tens of megabytes.
pub const PORT_BATCHES: usize = 16;

/// Events taken from the library in one turn, before messages are sent.
pub const DISPATCHED_EVENTS: usize = 256;

/// Octets of messages after which a turn ends.
pub const DISPATCHED_BYTES: usize = 1024 * 1024;

/// Messages given to the daemon that have not come back. It holds 4 MiB for all its clients, and what waits in its
/// queue rather than in ours is sent into whatever configuration comes. With 2048, short messages went through half as fast.
pub const OUTSTANDING_MESSAGES: usize = 256;

/// Octets of them, but for a single message that is longer.
pub const OUTSTANDING_BYTES: usize = 2 * 1024 * 1024;

/// Between two tries to send when the daemon takes nothing: it looks at its own queues every millisecond.
pub const SEND_RETRY: Duration = Duration::from_millis(1);

/// Between two tries to join: a process that has left is forgotten within a turn of the token.
pub const JOIN_RETRY: Duration = Duration::from_millis(50);

/// Tries to join before the connection is given up: a ring that forms takes some token timeouts.
pub const JOIN_TRIES: u32 = 600;

/// From joining to the first configuration: as above, with a ring that is formed several times meanwhile.
pub const FIRST_CONFIGURATION: Duration = Duration::from_secs(60);

/// Stack of the thread that talks to the library, whose dispatcher keeps a buffer of 1 MiB on it.
pub const STACK_BYTES: usize = 4 * 1024 * 1024;
