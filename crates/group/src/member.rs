//! Who is in a group, and what a group has been through: members, views, traces, versions of state.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::error::GroupNameError;
use crate::limits::MAX_GROUP_NAME;

/// A group's name: letters, digits and `. _ - / @ :`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GroupName(Arc<str>);

impl GroupName {
    /// Of 1 to [`MAX_GROUP_NAME`] octets.
    pub fn new(name: impl Into<String>) -> Result<Self, GroupNameError> {
        let name = name.into();
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-/@:".contains(c);
        match name.find(|c| !is_allowed(c)) {
            _ if name.is_empty() => Err(GroupNameError::Empty),
            _ if name.len() > MAX_GROUP_NAME => Err(GroupNameError::TooLong { length: name.len() }),
            Some(at) => Err(GroupNameError::Character { at, name }),
            None => Ok(GroupName(name.into())),
        }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for GroupName {
    type Error = GroupNameError;

    fn try_from(name: String) -> Result<Self, GroupNameError> {
        GroupName::new(name)
    }
}

impl From<GroupName> for String {
    fn from(name: GroupName) -> String {
        name.0.as_ref().into()
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One life of a process on a node: no two ever are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Member {
    /// The node's number, of the configuration.
    pub node: u32,
    /// Drawn at random when the process began.
    pub incarnation: u64,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:04x}", self.node, self.incarnation & 0xffff)
    }
}

/// Names a view. Whoever installs it has installed none of this epoch or a greater one before.
///
/// Epoch and coordinator alone are no name: members may have installed a view that its coordinator, cut off from them in that
/// moment, has not, and then it makes another of this epoch. But a second view of the same members is made from what they have seen,
/// so its epoch is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ViewId {
    /// One more than the greatest that any of its members has seen in the group.
    pub epoch: u64,
    /// The first of its members: two sides of a split may be in the same epoch.
    pub coordinator: Member,
    /// A digest of its members.
    pub members: u32,
}

impl fmt::Display for ViewId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.epoch, self.coordinator)
    }
}

impl ViewId {
    /// Of these members, sorted, of which there is one at least.
    pub(crate) fn new(epoch: u64, members: &[Member]) -> Self {
        let mut hash = Xxh3::new();
        for member in members {
            hash.update(&member.node.to_le_bytes());
            hash.update(&member.incarnation.to_le_bytes());
        }
        ViewId { epoch, coordinator: members[0], members: hash.digest() as u32 }
    }

    /// What marks messages of this view of this group.
    pub(crate) fn tag(&self, group: &GroupName) -> u64 {
        let mut hash = Xxh3::new();
        hash.update(&self.epoch.to_le_bytes());
        hash.update(&self.coordinator.node.to_le_bytes());
        hash.update(&self.coordinator.incarnation.to_le_bytes());
        hash.update(&self.members.to_le_bytes());
        hash.update(group.0.as_bytes());
        hash.digest()
    }
}

/// What a member has been given in a view: two members with equal traces have been given the same, in the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Trace {
    /// The view.
    pub view: ViewId,
    /// How many packets.
    pub packets: u64,
    /// Which, in their order.
    pub digest: u64,
}

impl Trace {
    pub(crate) fn new(view: ViewId) -> Self {
        Trace { view, packets: 0, digest: 0 }
    }

    pub(crate) fn add(&mut self, sender: Member, seq: u64, fragment: u32) {
        self.digest = extend_digest(self.digest, sender, seq, fragment);
        self.packets += 1;
    }
}

/// The digest of what was given so far, and one thing more.
pub(crate) fn extend_digest(digest: u64, sender: Member, seq: u64, fragment: u32) -> u64 {
    let mut octets = [0; 32];
    octets[..8].copy_from_slice(&digest.to_le_bytes());
    octets[8..16].copy_from_slice(&sender.incarnation.to_le_bytes());
    octets[16..20].copy_from_slice(&sender.node.to_le_bytes());
    octets[20..28].copy_from_slice(&seq.to_le_bytes());
    octets[28..].copy_from_slice(&fragment.to_le_bytes());
    xxh3_64(&octets)
}

/// Which state a member has: that after the first so many messages of a view. Members with equal versions have the same state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StateVersion {
    /// The view in which it was last changed, or begun.
    pub view: ViewId,
    /// Messages of that view that are in it: the paper's `<view>:<epoch>`.
    pub epoch: u64,
    /// Which they were: see [`Trace`].
    pub digest: u64,
}

impl fmt::Display for StateVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.view, self.epoch)
    }
}

/// Members that come into a view with the same state.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Branch {
    /// Their state when the exchange began; `None`: they have none.
    pub version: Option<StateVersion>,
    /// Who they are, sorted. The first gives the state to those who have another.
    pub members: Vec<Member>,
}

/// Why a view came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// It is this member's first.
    First,
    /// Somebody has joined the group.
    Joined,
    /// Somebody has left the group.
    Left,
    /// Members are out of reach: their process or host has ended, or the network is cut.
    Cut,
    /// Members that were out of reach, or are new, can be reached.
    Reached,
    /// Some are out of reach, and others can be reached.
    Changed,
    /// The members are the same, but not all have seen the same: one was away for a moment.
    Repaired,
    /// This process has lost its engine and goes on alone.
    EngineLost,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::First => "first",
            Cause::Joined => "joined",
            Cause::Left => "left",
            Cause::Cut => "cut",
            Cause::Reached => "reached",
            Cause::Changed => "changed",
            Cause::Repaired => "repaired",
            Cause::EngineLost => "engine lost",
        })
    }
}

/// What a member is told when its group changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct View {
    /// Its name.
    pub id: ViewId,
    /// The view of this member before, if it had one since it joined.
    pub previous: Option<ViewId>,
    /// Sorted.
    pub members: Vec<Member>,
    /// Those, this member among them, that were in the previous view too and have been given the same messages in it.
    pub came_with: Vec<Member>,
    /// The states that members come with, where the group has state.
    pub branches: Vec<Branch>,
    /// Why it came.
    pub cause: Cause,
}
