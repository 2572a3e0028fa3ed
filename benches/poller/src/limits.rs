//! How much is asked, how often, and how long anything may take.

use std::time::Duration;

/// Addresses of `127.1.0.0/16` that are asked.
pub(crate) const TARGETS: u32 = 1_000;

/// Requests under way at once, one a target at most.
pub(crate) const OUTSTANDING: usize = 500;

/// Answers before anything is counted: every target has been asked several times, so engines are discovered, keys
/// made, sockets open and buffers grown.
pub(crate) const WARM_UP: u64 = 5_000;

/// Answers that are counted, each round.
pub(crate) const REQUESTS: u64 = 100_000;

/// The same with SNMPv3, where each costs the responder several times as much.
pub(crate) const V3_REQUESTS: u64 = 30_000;

/// Rounds that count.
pub(crate) const ROUNDS: usize = 7;

/// The same with SNMPv3, which only informs.
pub(crate) const V3_ROUNDS: usize = 3;

/// For a target to answer, before it is asked again.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);

/// How often a target is asked again.
pub(crate) const RETRIES: u8 = 3;

/// Requests of one run that may fail: a busy machine loses a few, a broken contender all.
pub(crate) const MAX_FAILURES: u64 = 100;

/// For one run of one contender. A usual one takes seconds.
pub(crate) const RUN_LIMIT: Duration = Duration::from_secs(180);

/// For a process to start and to say where it listens.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(30);

/// For `cc` to compile one file.
pub(crate) const COMPILE_LIMIT: Duration = Duration::from_secs(120);

/// The largest receive buffer that Linux grants without being told otherwise is smaller: it gives what it has.
pub(crate) const RECEIVE_BUFFER_OCTETS: usize = 8 << 20;

/// Larger than any message here.
pub(crate) const BUFFER_OCTETS: usize = 4096;
