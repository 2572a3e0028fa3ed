//! What users of [`Manager`](super::Manager) say and hear: targets, requests, answers, failures, counts.

use std::net::SocketAddr;
use std::time::Duration;

use crate::engine::{EngineId, Name, OutgoingError, ReceiveError, Received, Statistic};
use crate::limits::{MAX_QUEUE_PER_TARGET, MAX_REQUESTS};
use crate::manager::timing::Timing;
use crate::message::{SecurityLevel, Version};
use crate::pdu::{Bulk, Pdu};
use crate::varbind::VarBindBuf;

/// What to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum RequestKind {
    Get,
    GetNext,
    GetBulk(Bulk),
    Set,
    Inform,
}

/// Whom to ask, and how.
#[derive(Debug, Clone)]
pub struct TargetConfig {
    /// Where its agent listens.
    pub address: SocketAddr,
    /// Which version it speaks.
    pub version: Version,
    /// The credentials, by the name under which the security model knows them.
    pub security_name: Name,
    /// How far to secure v3 messages.
    pub level: SecurityLevel,
    /// `contextName` of v3 messages.
    pub context_name: Name,
    /// `contextEngineID` of v3 messages; the agent's own engine where it is `None`.
    pub context_engine_id: Option<EngineId>,
    /// The agent's engine, where it is known already; else it is discovered.
    pub engine_id: Option<EngineId>,
    /// Waits and retries.
    pub timing: Timing,
    /// How many requests may be out at once.
    pub max_outstanding: u8,
}

/// A target of a [`Manager`](super::Manager). Not valid any more after it is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TargetId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// A request under way, to take it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId {
    pub(super) slot: u32,
    pub(super) serial: u32,
}

/// Why a request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The target has [`MAX_QUEUE_PER_TARGET`] requests waiting.
    #[error("{MAX_QUEUE_PER_TARGET} requests already wait for this target")]
    TargetQueueFull,
    /// The manager has [`MAX_REQUESTS`] requests.
    #[error("{MAX_REQUESTS} requests are already under way")]
    TooManyRequests,
    /// The target was removed.
    #[error("no such target")]
    NoSuchTarget,
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No usable answer in time.
    #[error("no answer after {attempts} tries{}", Because(last_problem))]
    Timeout {
        /// How often the request was sent.
        attempts: u8,
        /// The last thing that did come, if anything.
        last_problem: Option<Problem>,
    },
    /// The agent's engine answered with a Report.
    #[error("the agent reports {name}: {what}", name = .0.object_name(), what = .0.description())]
    Report(Statistic),
    /// The agent's engine keeps contradicting itself about its identity or time.
    #[error("the agent's engine could not be synchronised with: it keeps reporting {0}")]
    NotSynchronised(Statistic),
    /// The request could not be put into a message.
    #[error(transparent)]
    Send(#[from] OutgoingError),
}

/// Something that came instead of a usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The engine turned the message away.
    #[error("an answer was dropped: {0}")]
    Rejected(ReceiveError),
    /// It came in another name, or less secured, than asked.
    #[error("an answer was dropped: its security does not match the request's")]
    WrongSecurity,
    /// It is about another context than asked.
    #[error("an answer was dropped: it is of another context than asked")]
    WrongContext,
    /// Its PDU is not a response to this request.
    #[error("an answer was dropped: it holds another request's PDU")]
    WrongPdu,
    /// A Report that holds no known counter.
    #[error("the agent sent a report of unknown meaning")]
    UnknownReport,
    /// The agent's engine did not even answer the discovery.
    #[error("its SNMPv3 engine did not answer discovery")]
    NoDiscovery,
}

struct Because<'p>(&'p Option<Problem>);

impl std::fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_ref().map_or(Ok(()), |problem| write!(f, " ({problem})"))
    }
}

/// An answered request.
#[derive(Debug)]
pub struct Completion<'m> {
    /// What [`Manager::submit`](super::Manager::submit) was given.
    pub token: u64,
    /// Whom it was sent to.
    pub target: TargetId,
    /// The answer, whatever its error-status.
    pub response: Pdu<'m>,
    /// From sending, at the try that was answered, to now.
    pub rtt: Duration,
    /// How often the request was sent.
    pub attempts: u8,
    /// The request's variables, to be used again.
    pub varbinds: VarBindBuf,
}

/// A request that failed.
#[derive(Debug)]
pub struct Failure {
    /// What [`Manager::submit`](super::Manager::submit) was given.
    pub token: u64,
    /// Whom it was sent to.
    pub target: TargetId,
    /// Why.
    pub error: RequestError,
    /// How often the request was sent.
    pub attempts: u8,
    /// The request's variables, to be used again.
    pub varbinds: VarBindBuf,
}

/// What a datagram was.
#[derive(Debug)]
pub enum Handled<'m> {
    /// It ends a request.
    Completed(Completion<'m>),
    /// It moved a request on (discovery, synchronisation), or was counted and dropped.
    Nothing,
    /// It holds something else than a response: a notification, say.
    Other(Received<'m>),
}

/// A datagram to be sent; it lies at the end of the buffer that [`Manager::poll_transmit`](super::Manager::poll_transmit) was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub address: SocketAddr,
    /// How many octets.
    pub length: usize,
}

/// Counts since the manager was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ManagerStats {
    /// Messages sent, retransmissions and discovery included.
    pub sent: u64,
    /// Messages that were sent again after silence.
    pub retransmitted: u64,
    /// Requests that were answered.
    pub completed: u64,
    /// Requests that failed for want of an answer.
    pub timed_out: u64,
    /// Requests that failed otherwise.
    pub failed: u64,
    /// Datagrams under no identifier in use: late, duplicated or made up.
    pub unmatched: u64,
    /// Datagrams from another address than the request went to.
    pub wrong_source: u64,
    /// Datagrams that the engine turned away or whose security or PDU does not fit the request.
    pub rejected: u64,
    /// Engines discovered.
    pub discoveries: u64,
    /// Reports received.
    pub reports: u64,
}
