//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Datagrams in one system call. More gain little: at 64 the call itself costs a few per cent.
pub const BATCH_DATAGRAMS: usize = 64;

/// The largest datagram, an IPv4 packet less its headers, rounded up.
pub const DATAGRAM_OCTETS: usize = 65_536;

/// How long a full send buffer is waited for; then the datagram is dropped, and sent again by its requester.
pub const MAX_SEND_WAIT: Duration = Duration::from_millis(100);

/// Octets of one profile's file. The largest shipped one has 2 KB.
pub const MAX_PROFILE_OCTETS: usize = 1 << 20;

/// Scalars and facts of one profile.
pub const MAX_PROFILE_SCALARS: usize = 1_000;

/// Tables of one profile.
pub const MAX_PROFILE_TABLES: usize = 64;

/// Columns of one table of a profile.
pub const MAX_PROFILE_COLUMNS: usize = 256;

/// By how much an agent's sysUpTime may differ from what it should be: agents that refresh it every few
/// seconds are common.
pub const UPTIME_TOLERANCE: Duration = Duration::from_secs(8);

/// Cells of one poll of one device. A switch with 1,000 interfaces has 20,000; more than this is a table
/// that no profile should read.
pub const MAX_RUN_CELLS: usize = 500_000;

/// Series of one device: a large switch has some 20,000.
pub const MAX_SERIES_PER_DEVICE: usize = 100_000;

/// Octets of one label's value; interface descriptions may be long, but nobody reads more.
pub const MAX_LABEL_OCTETS: usize = 256;

/// Errors of one poll that its status shows.
pub const MAX_ERRORS_SHOWN: usize = 10;

/// Notices that a slow watcher may lag behind.
pub const MAX_NOTICES: usize = 4_096;

/// Polls and events that wait for the writer. At 10,000 devices a minute that is more than a minute of them.
pub const MAX_QUEUED_WRITES: usize = 16_384;

/// Samples that are committed at once.
pub const MAX_BATCH_SAMPLES: usize = 100_000;

/// How often old data are looked for.
pub const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(60);

/// How long a failed store is left alone.
pub const STORE_RETRY: Duration = Duration::from_secs(5);

/// Informs that wait to be stored, and that are remembered so that repetitions are known.
pub const MAX_PENDING_INFORMS: usize = 10_000;

/// How long an inform is remembered: its sender gives up before.
pub const INFORM_MEMORY: Duration = Duration::from_secs(120);

/// Variables of one notification that are kept.
pub const MAX_TRAP_VARIABLES: usize = 256;

/// Commands that the loop takes before it looks at its sockets again.
pub const MAX_COMMANDS_PER_TURN: usize = 1_000;

/// How often the loop publishes its counts.
pub const STATS_INTERVAL: Duration = Duration::from_secs(1);

/// Time between the first polls of two devices that are added together: 500 a second.
pub const FIRST_POLL_SPACING: Duration = Duration::from_millis(2);

/// The enterprise number in our engine IDs: documentation's (RFC 5612), until one is registered.
pub const ENTERPRISE: u32 = 32_473;

/// Salts that are reserved at a time: one disk write for a million messages, and a million lost with a crash.
pub const SALT_BLOCK: u64 = 1 << 20;

/// How often host names that did not resolve are tried again.
pub const RESOLVE_RETRY: Duration = Duration::from_secs(30);

/// The longest that a [`crate::client::Client`] waits before it looks whether it is to stop.
pub const MAX_CLIENT_WAIT: Duration = Duration::from_millis(200);
