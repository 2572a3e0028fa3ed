//! How much is asked, how often, and how long anything may take.

use std::time::Duration;

/// Requests under way at once.
pub(crate) const OUTSTANDING: u8 = 32;

/// Requests of one round. Each agent gets as many as make its processor time worth reading.
pub(crate) const OUR_REQUESTS: u32 = 30_000;

/// The same of the peer, which takes longer for each.
pub(crate) const PEER_REQUESTS: u32 = 5_000;

/// With one request at a time a round has a fraction of the requests.
pub(crate) const ONE_BY_ONE_PART: u32 = 3;

/// Rounds that count.
pub(crate) const ROUNDS: usize = 9;

/// `max-repetitions`.
pub(crate) const REPETITIONS: u32 = 25;

/// For an agent to answer, before it is asked again.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

/// How often it is asked again.
pub(crate) const RETRIES: u8 = 3;

/// For one round of one agent. A usual one takes a second or two.
pub(crate) const ROUND_LIMIT: Duration = Duration::from_secs(120);

/// Linux grants what it has.
pub(crate) const RECEIVE_BUFFER_OCTETS: usize = 4 << 20;

/// Larger than any message here.
pub(crate) const BUFFER_OCTETS: usize = 8192;
