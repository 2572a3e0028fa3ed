//! How much is sent, how often, and how long anything may take.

use std::time::Duration;

/// Latencies of one run that are kept (`cpg_peer.c` has it, too): those of a run at a fixed rate, and the first of one without.
pub(crate) const MAX_LATENCIES: usize = 1 << 20;

/// Events of the engine that a member handles before it sends.
pub(crate) const BATCH_EVENTS: usize = 256;

/// Lines that wait for a member.
pub(crate) const COMMANDS: usize = 16;

/// Between two attempts to have the embedded engine.
pub(crate) const RETRY: Duration = Duration::from_millis(50);

/// From the command to a run's start: all members have read it by then.
pub(crate) const LEAD: Duration = Duration::from_millis(500);

/// Of a run: what does not count.
pub(crate) const WARM_UP: Duration = Duration::from_millis(500);

/// Of a run: what counts.
pub(crate) const MEASURED: Duration = Duration::from_secs(2);

/// For `cc` to compile one file.
pub(crate) const COMPILE_LIMIT: Duration = Duration::from_secs(120);

/// Rounds that count, where contenders take turns.
pub(crate) const ROUNDS: usize = 5;

/// Rounds of faults, each with all kinds of them.
pub(crate) const FAULTS: usize = 10;

/// After a fault and after what mends it: nothing of it is under way any more.
pub(crate) const QUIET: Duration = Duration::from_millis(300);

/// How long the traffic of members that say nothing is counted.
pub(crate) const IDLE: Duration = Duration::from_secs(3);

/// Past the end of any bench: a run that begins then does not.
pub(crate) const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// For 200 connections to be made and pairs to be formed.
#[cfg(feature = "zenoh")]
pub(crate) const PAIRS_PATIENCE: Duration = Duration::from_secs(180);

/// Between two looks at that.
#[cfg(feature = "zenoh")]
pub(crate) const LOOK: Duration = Duration::from_millis(100);

/// After they are formed, before anything is measured.
#[cfg(feature = "zenoh")]
pub(crate) const PAIRS_QUIET: Duration = Duration::from_secs(3);

/// From one message of an end of a pair to its next.
#[cfg(feature = "zenoh")]
pub(crate) const PAIRS_PERIOD: Duration = Duration::from_millis(500);

/// How long pairs are looked at, at rest and talking.
#[cfg(feature = "zenoh")]
pub(crate) const PAIRS_MEASURED: Duration = Duration::from_secs(10);
