//! Simulated devices, recordings of real ones, and faults. Sans-IO: the time and the seed are arguments, so one
//! seed always gives the same octets.
//!
//! [`Simulator`] is the whole: put together from a [`SimConfig`], it takes datagrams in
//! ([`Simulator::handle_datagram`]) and gives datagrams out when they are due ([`Simulator::poll_transmit`],
//! [`Simulator::poll_timeout`]). Behind each address it has a [`SimAgent`]: an SNMP engine of its own, with its
//! communities, users and clock, in front of a generated [`device`] or of [`recording`]s. [`Faults`] say what
//! the links do to datagrams and which agents lie, and how.
//!
//! `recording` reads, keeps and plays; `device` computes; `agent` puts an engine before either; `lie` and
//! `link` spoil it; `simulator` carries it all. What is left out: sockets and files, which the daemon and the
//! command own, and informs.

mod access;
mod agent;
pub mod clock;
mod config;
pub mod device;
mod fault;
pub mod groups;
mod hold;
mod lie;
pub mod limits;
mod link;
mod noise;
mod notification;
pub mod recording;
mod simulator;

pub use access::{AgentAccess, Rights, SimCommunity, SimUser, SimUserError, Versions};
pub use agent::SimAgent;
pub use config::{AgentGroup, BuildError, SimConfig, Source, Spread};
pub use fault::{Fault, Faults, Share, UnknownFault};
pub use notification::{NotificationSender, NotificationTarget};
pub use simulator::{SimStats, Simulator, Transmit};
