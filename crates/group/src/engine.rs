//! The boundary to what carries messages: a group engine, as Corosync's CPG, Zenoh or the embedded one are behind their adapters.
//!
//! # What an engine owes
//! - **E1** The first event is a configuration. Each has the receiver itself.
//! - **E2** Processes that share a configuration are given its messages in one order, each process's own among them,
//!   and those of one process in the order in which it sent them.
//! - **E3** Processes that go together from one configuration to the next were given the same messages before it.
//! - **E4** What was given to `send` comes back, or the engine is lost, or a configuration comes.
//!
//! # What an engine need not do
//! It may give a message in a later configuration than the one it was sent in. It may list a process that is gone
//! already, and change a ring without a change of its members. It may break E3 where it does not notice that a process
//! was away: the layer above compares what members have received, and finds out ([`crate::Trace`]).
//! It need not limit who joins, split messages, or say why a configuration has changed.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// How an engine names one process of one host. The name may come again after the process's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Process {
    /// The host's number, 1 or greater; of the configuration.
    pub node: u32,
    /// Which of the host's processes.
    pub process: u32,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.node, self.process)
    }
}

/// How an engine names a period in which nobody came or went: Totem's ring identifier, or what stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RingId {
    /// Grows at each process.
    pub sequence: u64,
    /// The node that has made the ring: two sides of a split may take the same sequence number.
    pub representative: u32,
}

impl fmt::Display for RingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.sequence, self.representative)
    }
}

/// Who can be reached from now on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Configuration {
    /// Its ring. Processes may come and go within one.
    pub ring: RingId,
    /// The process that is told. It may have another name than in the configuration before.
    pub me: Process,
    /// Sorted, each once.
    pub members: Vec<Process>,
}

/// What an engine tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EngineEvent {
    /// Who can be reached has changed, or may have.
    Configuration(Configuration),
    /// A message in the agreed order, as it was given to `send`.
    Message {
        /// Who has sent it.
        sender: Process,
        /// Its octets.
        data: Bytes,
    },
    /// The connection to the engine has ended. Nothing comes before the next configuration, which begins anew.
    Lost {
        /// In words, for people.
        reason: String,
    },
}

/// What an engine can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Its name, as in the configuration file.
    pub engine: &'static str,
    /// Octets of the longest message.
    pub max_message_bytes: usize,
    /// Nodes at most in one group.
    pub max_nodes: usize,
    /// Whether it reaches beyond one site.
    pub is_wide_area: bool,
}

/// Why an engine takes no message now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineSendError {
    /// Its queue is full: the same message may be given again later.
    #[error("the group engine's queue is full")]
    Full,
    /// Longer than [`Capabilities::max_message_bytes`].
    #[error("a message of {length} octets is longer than the {max} that the group engine takes")]
    TooLong {
        /// Its octets.
        length: usize,
        /// Octets of the longest.
        max: usize,
    },
    /// The connection to it has ended.
    #[error("the connection to the group engine has ended")]
    Lost,
}

/// What an adapter has.
pub trait GroupEngine {
    /// What it can do; always the same.
    fn capabilities(&self) -> Capabilities;

    /// Sends a message to all members of the configuration, itself among them.
    fn send(&mut self, data: Bytes) -> Result<(), EngineSendError>;

    /// The next event that is there already.
    fn poll_event(&mut self) -> Option<EngineEvent>;
}
