//! What a member is told and tells, as lines of JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;

use hamsa_group::{GroupName, StateVersion};
use hamsa_group_embedded::Fault;
use serde::{Deserialize, Serialize};

/// What a member does from its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberPlan {
    /// What it reaches others through.
    pub engine: EnginePlan,
    /// Its node's number.
    pub node: u32,
    /// The groups that it joins at once.
    pub groups: Vec<GroupPlan>,
    /// Of each group, at most: where it would block, nothing is sent.
    pub messages_per_s: u32,
    /// Octets of such a message, at least 16 of which name it. Some are longer, so that they take several of the engine's.
    pub message_bytes: usize,
    /// Octets of a state besides its contents.
    pub state_bytes: usize,
    /// Where records are written.
    pub log: PathBuf,
    /// Where states are kept by [`Command::Save`], and found by the next life.
    pub kept: PathBuf,
}

/// A group to join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupPlan {
    /// Its name.
    pub name: GroupName,
    /// Whether members give each other their states; the same at all of them.
    pub has_state: bool,
}

/// An engine and its options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum EnginePlan {
    /// The embedded engine, over a Unix socket.
    Embedded {
        /// Its socket.
        socket: PathBuf,
    },
    /// Corosync, with a daemon of the member's own.
    Corosync {
        /// The daemon's.
        directory: PathBuf,
        /// The ring's key.
        key: PathBuf,
        /// The token timeout.
        token_ms: u32,
        /// The ring's nodes by their numbers.
        nodes: BTreeMap<u32, IpAddr>,
    },
    /// A pair over Zenoh, with TLS (feature `zenoh`).
    Zenoh {
        /// Where the hub listens, `host:port`.
        hub: String,
        /// Whether this member is the hub.
        is_hub: bool,
        /// The other member's node.
        peer: u32,
        /// The authority's certificate, in PEM.
        authority: PathBuf,
        /// That of both members.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
}

/// What a member can be told while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Join a group.
    Join(GroupPlan),
    /// Leave a group.
    Leave(GroupName),
    /// Send from now on so many messages a second in each group.
    Rate(u32),
    /// Send messages as fast as they are taken; [`Notice::Sent`] tells when the last one was.
    Send {
        /// Where.
        group: GroupName,
        /// How many.
        count: u32,
        /// Octets of each.
        bytes: usize,
    },
    /// Take so many milliseconds for each message that comes.
    Slow(u64),
    /// Keep the states on the disk as they are now; answered by [`Notice::Saved`].
    Save,
    /// Tell [`Notice::Counted`].
    Count,
    /// Have the embedded engine make a fault.
    Fault(Fault),
}

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notice {
    /// Its daemon runs.
    Daemon {
        /// The process.
        pid: u32,
    },
    /// Something is wrong with its engine.
    Problem(String),
    /// All of a [`Command::Send`] was taken.
    Sent {
        /// How often a message was not taken at first, since the beginning.
        would_block: u64,
    },
    /// The states are on the disk.
    Saved,
    /// What its groups have met since it began.
    Counted {
        /// Times that a member was left out that the engine listed and that said nothing.
        exclusions: u64,
        /// Times that a packet was missing.
        missed: u64,
    },
}

/// The states of a member as they are on the disk.
pub type Kept = BTreeMap<GroupName, KeptState>;

/// The state of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptState {
    /// By which the group knows it.
    pub version: Option<StateVersion>,
    /// What names the messages that are in it.
    pub contents: BTreeSet<u64>,
}
