//! What a pair tells of itself, for people.

use std::time::Duration;

/// What has been counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PairCounters {
    /// Datagrams given to the carrier.
    pub datagrams_sent: u64,
    /// Datagrams of the peer that were understood.
    pub datagrams_received: u64,
    /// Datagrams that were not the peer's, or not understood.
    pub datagrams_ignored: u64,
    /// Pieces that were sent again.
    pub chunks_retransmitted: u64,
    /// Rings of two that were installed.
    pub rings: u64,
}

/// A pair as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairStatus {
    /// The other node.
    pub peer: u32,
    /// Whether both are in one ring.
    pub is_together: bool,
    /// Whether it answers.
    pub is_peer_present: bool,
    /// There and back, smoothed.
    pub round_trip: Option<Duration>,
    /// Why the last ring has ended.
    pub last_parting: Option<&'static str>,
    /// Since the pair's start.
    pub counters: PairCounters,
}
