//! The node's configuration: one strict TOML file, and those that it includes.
//!
//! [`check`] reads it. Every mistake is told in one run, with its file, line, column and key, and with what is
//! allowed; an unknown key is a mistake. What it returns needs no further check: [`Config`] holds only what is
//! valid, with defaults filled in and names looked up. [`sample()`] and [`reference()`] are written from the same
//! definitions that reading follows. [`to_toml`] writes discovered devices as a file to include.
//!
//! [`agent`] is the configuration of an agent, made of the same parts.
//!
//! Not here: resolving host names, loading MIBs and profiles, binding sockets.
//!
//! Read `keys.rs` for the keys, `section.rs` for how a table is read by its definition, `load.rs` for how files
//! become one configuration, and `resolve.rs` for what keys have to do with each other.

mod address;
pub mod agent;
mod clusters;
mod discovered;
mod keys;
mod limits;
mod load;
mod nearest;
mod quantity;
mod reference;
mod report;
mod resolve;
mod sample;
mod secret;
mod section;
mod shape;
mod source;
mod syntax;
mod types;

#[cfg(test)]
mod tests;

#[cfg(feature = "zenoh")]
pub(crate) use clusters::PROCESS;

pub use address::{AddressError, DeviceAddress, SNMP_PORT};
pub use discovered::{DiscoveredDevice, to_toml};
pub use keys::{
    GroupEngineKind, LogConfig, LogFormat, LogLevel, MibConfig, PollConfig, ProfilesConfig, RingNode, StoreConfig,
};
pub use load::{Surroundings, check, check_text};
pub use reference::reference;
pub use report::{Mistake, Report};
pub use sample::sample;
pub use secret::Secret;
pub use types::{
    Config, CorosyncConfig, Credentials, DeviceConfig, EnterpriseConfig, GroupConfig, GroupEngineConfig, HttpConfig,
    NodeConfig, Privacy, Security, TlsFiles, TrapConfig, UserAuthentication, UserCredentials,
};
