//! The groups of a node: for each engine the task that owns it and its groups, and the handle that the rest of the daemon has.
//!
//! ```text
//!   GroupsHandle  --join, leave, send, provide_state-->  Groups (behind a lock)  <--events--  engine port
//!   GroupEvents   <--bounded queues--  the task in `ring`                        --frames-->
//! ```
//!
//! [`GroupRuntime`] has those of the cluster, the pairs of [`crate::enterprise`] have theirs. In each a node joins the group
//! in which all are that can be reached that way ([`Link::own_group`]), and those of the configuration. An engine that is lost is had
//! again, with a bounded back-off (`engine`).
//!
//! # Users that don't take their events
//! Each group's user has a bounded queue ([`crate::limits::GROUP_QUEUE_KIB`]). When one is full, all groups of the node wait
//! for its user, for [`crate::limits::GROUP_USER_PATIENCE`] at most: that is what holds the senders up. Then the node leaves that
//! group, its user's events end, and the others go on. So it does when a user is asked for its state and does not give it for
//! [`crate::limits::GROUP_STATE_PATIENCE`]: newcomers would wait for ever.

mod answers;
mod engine;
mod handle;
mod link;
mod ring;
mod runtime;
#[cfg(test)]
mod tests;
mod users;

pub use answers::{AllGroups, answer};
#[cfg(feature = "zenoh")]
pub(crate) use engine::{NodeEngine, PairEngine};
#[cfg(feature = "zenoh")]
pub(crate) use ring::{Ring, RingOptions};

pub use engine::{AddNodeError, EngineInfo};
pub use hamsa_group_corosync::create_key;
pub use hamsa_group_embedded::Fault;
pub use handle::{GroupsHandle, GroupsStatus};
pub use link::Link;
pub use runtime::{GroupRuntime, GroupStartError};
pub use users::GroupEvents;
