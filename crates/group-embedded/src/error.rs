//! What can go wrong, one enum an operation.

use std::io;
use std::path::PathBuf;

use hamsa_group::embedded::AttachError;

/// The engine can't be had now. Later it may be.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The lock can't be looked at.
    #[error("the lock {}: {source}; the socket's directory must exist, and this user must own what is in it", path.display())]
    Lock {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something else has the socket's name.
    #[error("{} is no socket: remove it, or name another socket", path.display())]
    InTheWay {
        /// Where.
        path: PathBuf,
    },
    /// This process is to be the hub, but can't listen.
    #[error("can't listen on the socket {}: {source} (a socket's path has 107 octets at most)", path.display())]
    Listen {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process is the hub, but does not answer: it has just ended, has just begun, or is stopped.
    #[error("the hub at {} does not answer: {source}", path.display())]
    Unreachable {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The hub is another user's.
    #[error("the hub at {} is run by user {uid}, not by this one: all nodes on one socket run as the same user", path.display())]
    ForeignUser {
        /// Where.
        path: PathBuf,
        /// Whose.
        uid: u32,
    },
    /// The hub does not let this process in.
    #[error("the hub at {} refuses this node: {reason}", path.display())]
    Refused {
        /// Where.
        path: PathBuf,
        /// Its words.
        reason: String,
    },
    /// This process is the hub and has no room for itself.
    #[error(transparent)]
    Attach(#[from] AttachError),
}

/// A fault was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The hub takes none.
    #[error("faults are not allowed here: set `allow_faults = true` in [group] of all nodes, and start them again")]
    NotAllowed,
    /// There is no hub now.
    #[error("there is no connection to the group engine")]
    NoEngine,
    /// Too many at once.
    #[error("the faults before have not been made yet: try again")]
    Busy,
}
