//! Corosync as a group engine: an extended-virtual-synchrony daemon (Totem) on each host of a site, and its closed
//! process groups (CPG) as what [`hamsa_group`] stands on.
//!
//! - [`Ring`] says who is in the ring, and becomes the text of `corosync.conf`.
//! - [`Daemon`] starts the daemon, watches it, restarts it, and says what is wrong with it in words.

mod config;
mod diagnosis;
mod key;
pub mod limits;
mod supervisor;

pub use config::{Node, Placement, Ring, RingError, RingOptions};
pub use diagnosis::Problem;
pub use key::{KeyError, create_key};
pub use supervisor::{Daemon, DaemonError, DaemonEvent, DaemonOptions};
