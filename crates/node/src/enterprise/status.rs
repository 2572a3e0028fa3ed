//! How a node stands in its enterprise.

use hamsa_group::enterprise::{NodeStatus, WriteError};
use hamsa_group::pair::PairStatus;

/// How a node stands in its enterprise; at most a second old.
#[derive(Debug, Clone, Default)]
pub struct EnterpriseStatus {
    /// Its name.
    pub name: String,
    /// Where the node listens.
    pub listens: Vec<String>,
    /// Whom it dials.
    pub dials: Vec<String>,
    /// Why there is no engine; `None` while there is one.
    pub error: Option<String>,
    /// What keeps it from those that it dials.
    pub problem: Option<String>,
    /// All nodes that are known, by number, this one among them.
    pub nodes: Vec<NodeStatus>,
    /// Names in the directory.
    pub names: usize,
    /// Those of them with values of changes that did not know of each other.
    pub conflicts: usize,
    /// Its pairs.
    pub pairs: Vec<PairStatus>,
}

/// The directory can't be read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The engine has not started yet.
    #[error("the enterprise's engine has not started: {0}")]
    NoEngine(String),
    /// The change is refused.
    #[error(transparent)]
    Write(#[from] WriteError),
}
