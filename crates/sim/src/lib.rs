//! Simulated devices, recordings and faults.

mod access;
mod agent;
pub mod clock;
mod config;
pub mod device;
mod fault;
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
