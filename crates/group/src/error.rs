//! What can go wrong, one enum an operation.

use crate::limits::{MAX_GROUP_NAME, MAX_GROUPS, MAX_MEMBER_NAME, MAX_MESSAGE_BYTES, MIN_ENGINE_MESSAGE_BYTES};
use crate::member::GroupName;

/// A text is no group's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupNameError {
    /// It has no characters.
    #[error("a group's name is empty")]
    Empty,
    /// Longer than [`MAX_GROUP_NAME`].
    #[error("a group's name has {length} octets: {MAX_GROUP_NAME} are the most")]
    TooLong {
        /// Its octets.
        length: usize,
    },
    /// A character that is not allowed.
    #[error("the group's name `{name}` has a character at octet {at} that is none of: letters, digits, . _ - / @ :")]
    Character {
        /// Where.
        at: usize,
        /// The name.
        name: String,
    },
}

/// The groups of a process can't be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetUpError {
    /// The member's name is empty or too long.
    #[error("a member's name has 1 to {MAX_MEMBER_NAME} octets, not {length}")]
    Name {
        /// Its octets.
        length: usize,
    },
    /// Nodes are numbered from 1.
    #[error("node numbers begin with 1")]
    NodeZero,
    /// The engine takes no message of a sufficient length.
    #[error("the group engine takes messages of {max} octets at most: {MIN_ENGINE_MESSAGE_BYTES} are needed")]
    EngineMessage {
        /// Octets of its longest message.
        max: usize,
    },
}

/// A group can't be joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// This process has joined it.
    #[error("this process is in group `{0}` already")]
    Twice(GroupName),
    /// Too many groups.
    #[error("this process is in {MAX_GROUPS} groups, the most that one may be in: leave one first")]
    TooMany,
}

/// A message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Not now: the view is about to change, or has changed and `poll_event` has not told so yet; the state has not come; or too
    /// much waits. `Event::Writable` tells when to try again.
    #[error("group `{0}` takes no message at the moment")]
    WouldBlock(GroupName),
    /// This process has no view of the group yet.
    #[error("there is no view of group `{0}` to send in")]
    NotInView(GroupName),
    /// This process has not joined it.
    #[error("this process is not in group `{0}`: join it first")]
    NotJoined(GroupName),
    /// Longer than [`MAX_MESSAGE_BYTES`].
    #[error("a message has {length} octets: {MAX_MESSAGE_BYTES} are the most")]
    TooLong {
        /// Its octets.
        length: usize,
    },
}

/// A state was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProvideError {
    /// It was not asked for, or another view has come since.
    #[error("no state is wanted of this process in group `{0}`")]
    NotWanted(GroupName),
    /// Longer than [`MAX_MESSAGE_BYTES`].
    #[error("a state has {length} octets: {MAX_MESSAGE_BYTES} are the most")]
    TooLong {
        /// Its octets.
        length: usize,
    },
}

/// A message of the engine's is none of ours, or damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// Too short for its kind.
    #[error("cut short")]
    Short,
    /// A version that this program does not know.
    #[error("version {0} of the groups' messages is not known here")]
    Version(u8),
    /// A kind that this version has not.
    #[error("kind {0} of message is not known here")]
    Kind(u8),
    /// What it says can't be read.
    #[error("unreadable: {0}")]
    Content(postcard::Error),
}
