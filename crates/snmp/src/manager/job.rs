//! What users of [`Poller`](super::Poller) say and hear: plans, jobs, findings, outcomes, counts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::manager::get::GetError;
use crate::manager::request::{RequestError, SubmitError};
use crate::manager::walk::{WalkError, WalkOptions};
use crate::oid::{Oid, OidSuffix};
use crate::value::Value;

/// What a job reads from its device. Many devices share one.
#[derive(Debug, Clone, Default)]
pub struct PollPlan {
    /// Instances, read by GET.
    pub scalars: Vec<Oid>,
    /// Tables, each the OIDs of the columns to read.
    pub tables: Vec<Vec<Oid>>,
    /// An object whose first instance is read along with every piece of a table, to date it: `sysUpTime`.
    pub dated_by: Option<Oid>,
    /// How to walk the tables.
    pub walk: WalkOptions,
    /// Scalars in one request at most; 0 is 20.
    pub scalars_per_request: u16,
}

/// A plan and how often to carry it out.
#[derive(Debug, Clone)]
pub struct Job {
    /// What to read.
    pub plan: Arc<PollPlan>,
    /// How often; from [`MIN_POLL_INTERVAL`](crate::limits::MIN_POLL_INTERVAL) to [`MAX_POLL_INTERVAL`](crate::limits::MAX_POLL_INTERVAL).
    pub interval: Duration,
}

/// A device of a [`Poller`](super::Poller). Not valid any more after it is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceId {
    pub(super) index: u32,
    pub(super) serial: u32,
}

/// Which poll something belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollRef {
    /// What the device was added under.
    pub owner: u64,
    /// The index of its job.
    pub job: usize,
}

/// When a value was read.
#[derive(Debug, Clone, Copy)]
pub struct SampleTime {
    /// When the response arrived.
    pub received: Instant,
    /// How long after the request. The agent read the value in between.
    pub rtt: Duration,
    /// The value that dates this response ([`PollPlan::dated_by`]), where it came along.
    pub uptime_ticks: Option<u32>,
}

/// What a poll hands its findings to.
pub trait PollSink {
    /// The scalar of this index: its value, or an exception.
    fn scalar(&mut self, poll: PollRef, index: usize, value: Value<'_>, time: SampleTime);

    /// A cell of a table: the table's and column's indexes, the row, the value.
    fn cell(&mut self, poll: PollRef, at: (usize, usize), row: OidSuffix<'_>, value: Value<'_>, time: SampleTime);

    /// The poll has ended.
    fn finished(&mut self, poll: PollRef, outcome: PollOutcome);

    /// The job was due while its last poll still ran.
    fn missed(&mut self, poll: PollRef);
}

/// How a poll went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollOutcome {
    /// When it should have started.
    pub due: Instant,
    /// When it did.
    pub started: Instant,
    /// When it ended.
    pub finished: Instant,
    /// Requests that were answered or given up.
    pub requests: u32,
    /// Messages that were sent again.
    pub retransmissions: u32,
    /// Variables found.
    pub variables: u32,
    /// The device's smoothed round-trip time.
    pub rtt: Option<Duration>,
    /// What was achieved.
    pub result: PollResult,
}

/// What a poll achieved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PollResult {
    /// All that was planned.
    Complete,
    /// Some of it.
    Partial(Vec<PollError>),
    /// Nothing: the device could not be asked.
    Failed(RequestError),
}

/// Why something was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PollError {
    /// A scalar.
    #[error("{name}: {error}")]
    Scalar {
        /// The instance.
        name: Oid,
        /// Why.
        error: GetError,
    },
    /// A table's column.
    #[error("column {column}: {error}")]
    Column {
        /// The column.
        column: Oid,
        /// Why.
        error: WalkError,
    },
    /// The scalars or a table, in the middle.
    #[error(transparent)]
    Request(RequestError),
    /// The same, before anything was sent.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

/// Counts since the poller was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PollerStats {
    /// Polls that started.
    pub started: u64,
    /// Polls that read all they should.
    pub complete: u64,
    /// Polls that read some.
    pub partial: u64,
    /// Polls that read nothing.
    pub failed: u64,
    /// Turns missed because the poll before still ran.
    pub missed: u64,
}
