//! The bounds of the Zenoh engine, each with its reason.

use std::time::Duration;

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
pub(crate) const QUEUE_BATCHES: usize = 4;
/// How long a connection may take to open: TCP, TLS and Zenoh are six times there and back.
pub(crate) const OPEN_TIMEOUT: Duration = Duration::from_secs(4);
/// First and longest pause before the next attempt to connect.
pub(crate) const RETRY_PERIODS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// How long a diagnosis waits for the network, and for a refusal that comes after the handshake (TLS 1.3).
pub(crate) const DIAGNOSIS_TIMEOUT: Duration = Duration::from_secs(4);
/// A neighbour is silent that was not heard for so long: three beats of an enterprise.
pub const SILENT_AFTER: Duration = Duration::from_secs(3);
/// Between two looks for silent neighbours, and so between questions why.
pub const DIAGNOSIS_PERIOD: Duration = Duration::from_secs(5);
