//! The bounds of the Zenoh engine, each with its reason.

use std::time::Duration;

use hamsa_group::pair::limits::MAX_LEASE;

/// Messages in each queue between a pair and its user.
pub const PORT_MESSAGES: usize = 256;
/// Pairs of one engine: a hub with all its sites.
pub const MAX_PAIRS: usize = 1_024;
/// Transports that Zenoh takes: some sites may have two while one that broke is timed out.
pub(crate) const MAX_SESSIONS: usize = 2 * MAX_PAIRS;
/// Octets of an enterprise's name, a part of each key.
pub const MAX_ENTERPRISE_BYTES: usize = 64;
/// Latest beginning of a run that is believed, in milliseconds since 1970: the end of the year 9999. A later one was
/// damaged where it was kept, and rings, which are counted from there, would come to an end.
pub(crate) const MAX_BEGAN_MS: u64 = 253_402_300_799_999;
/// Octets of a certificate or key file: a chain of ten is a tenth of it.
pub(crate) const MAX_FILE_BYTES: u64 = 256 * 1024;

/// Datagrams of one peer that wait to be handled: what its flow control allows at the usual size, and acknowledgements.
pub const MAX_INBOX_DATAGRAMS: usize = 64;
/// Datagrams handled before those touched by them are driven on: some acknowledgements then become one.
pub const BATCH_DATAGRAMS: usize = 64;
/// Messages taken of one user before others have their turn.
pub const BATCH_MESSAGES: usize = 32;

/// Batches of 64 KiB that wait for one link, made when they are needed: half a window of a pair.
pub const QUEUE_BATCHES: usize = 4;
/// How long a connection may take to open: TCP, TLS and Zenoh are six times there and back.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(4);
/// First and longest pause before the next attempt to connect.
pub const RETRY_PERIODS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// TLS handshakes under way at one endpoint: all sites of a hub may come at once. One more ends the oldest of them: who
/// says nothing makes room for who does.
pub const MAX_HANDSHAKES: usize = MAX_PAIRS;
/// How long a handshake may take: three times there and back.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(4);
/// How long TCP and TLS to a hub may take: less than Zenoh waits, so that its next attempt does not meet this one.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(3);
/// Connections to one hub: Zenoh has one, and some may be closing.
pub const MAX_DIALS: usize = 4;
/// Links of one endpoint: those that Zenoh has, and those that it opens.
pub const MAX_LINKS: usize = MAX_SESSIONS + MAX_PAIRS;
/// Octets that are copied at a time, each way of a link: one record of TLS.
pub const COPY_BYTES: usize = 16 * 1024;
/// Octets that wait in the kernel for a link's turn: one batch of Zenoh, so that a slow peer is soon seen as slow.
pub const UNSENT_BYTES: u32 = 64 * 1024;
/// How long one end of a link may take nothing. No link that Zenoh keeps ends by it: Zenoh waits for a lease.
pub const STALL_TIMEOUT: Duration = MAX_LEASE;
/// How long the second half of a link may take to end after the first, and all of them when the engine stops.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a link lasts before it is said to work: a hub that has no place for a site says so at once.
pub const SETTLED_AFTER: Duration = Duration::from_secs(1);
/// How often the clock is looked at for the end of a certificate: the system's time may be set meanwhile.
pub const EXPIRY_PERIOD: Duration = Duration::from_secs(30);
/// Certificates of a chain, of which each may be the first to expire.
pub const MAX_CHAIN: usize = 16;
/// Pause after the system has no place for a connection.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Pause between lines of the log about links that fail; those in between are counted.
pub const LOG_PERIOD: Duration = Duration::from_secs(10);

/// Octets of a Unix socket's path, with the zero at its end (`sockaddr_un`).
pub const MAX_SOCKET_PATH_BYTES: usize = 108;
/// Entries of the temporary directory that are looked at for what an earlier life has left.
pub const MAX_LEFTOVERS_SEEN: usize = 10_000;
/// How long an empty directory of sockets may be one that an engine has just made: that takes some microseconds.
pub const EMPTY_FOR: Duration = Duration::from_secs(3_600);
