//! Corosync as a group engine: an extended-virtual-synchrony daemon (Totem) on each host of a site, and its closed
//! process groups (CPG) as what [`hamsa_group`] stands on.
//!
//! - [`Ring`] says who is in the ring, and becomes the text of `corosync.conf`.
//! - [`Daemon`] starts the daemon, watches it, restarts it, and says what is wrong with it in words.
//! - `CorosyncEngine` (feature `corosync`) joins a group and gives the port. A daemon that someone else runs serves as
//!   well: then there is no [`Daemon`].
//!
//! The client library is loaded when it is needed, so that one binary runs with and without Corosync.

mod config;
mod diagnosis;
mod key;
pub mod limits;
mod supervisor;

#[cfg(feature = "corosync")]
mod configurations;
#[cfg(feature = "corosync")]
mod cpg;
#[cfg(feature = "corosync")]
mod engine;

pub use config::{Node, Placement, Ring, RingError, RingOptions};
pub use diagnosis::Problem;
pub use key::{KeyError, create_key};
pub use supervisor::{Daemon, DaemonError, DaemonEvent, DaemonOptions};

#[cfg(feature = "corosync")]
pub use cpg::{ConnectError, GroupName, GroupNameError};
#[cfg(feature = "corosync")]
pub use engine::{CAPABILITIES, CorosyncEngine, EngineOptions};
