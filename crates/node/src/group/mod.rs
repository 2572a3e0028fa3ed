//! The groups of a node: the task that owns them and their engine, and the handle that the rest of the daemon has.
//!
//! ```text
//!   GroupsHandle  --join, leave, send, provide_state-->  Groups (behind a lock)  <--events--  engine port
//!   GroupEvents   <--bounded queues--  the task in `runtime`                     --frames-->
//! ```
//!
//! [`GroupRuntime`] joins the group `enterprise`, in which all nodes of a cluster are, and those of the configuration. An engine
//! that is lost is had again, with a bounded back-off (`engine`).
//!
//! # Users that don't take their events
//! Each group's user has a bounded queue ([`crate::limits::GROUP_QUEUE_KIB`]). When one is full, all groups of the node wait
//! for its user, for [`crate::limits::GROUP_USER_PATIENCE`] at most: that is what holds the senders up. Then the node leaves that
//! group, its user's events end, and the others go on.

mod answers;
mod engine;
mod handle;
mod runtime;
#[cfg(test)]
mod tests;
mod users;

pub use answers::answer;
pub use engine::EngineInfo;
pub use hamsa_group_embedded::Fault;
pub use handle::{GroupsHandle, GroupsStatus};
pub use runtime::{GroupRuntime, GroupStartError};
pub use users::GroupEvents;

/// The group that all nodes of a cluster are in.
pub const ENTERPRISE: &str = "enterprise";
