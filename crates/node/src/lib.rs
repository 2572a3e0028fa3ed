//! The daemon: sockets, clock, collector, HTTP API, console and metrics around the sans-IO crates.
//!
//! One thread talks SNMP ([`io_loop`]), one stores ([`writer`]), a few serve HTTP. The [`collector`] stands
//! between the first two; [`fleet`] is what the third look at.

pub mod agent;
pub mod client;
pub mod collector;
pub mod config;
pub mod control;
pub mod credentials;
pub mod daemon;
pub mod enterprise;
pub mod fleet;
pub mod group;
pub mod histogram;
pub mod http;
pub mod identity;
pub mod inventory;
pub mod io_loop;
pub mod limits;
pub mod modules;
pub mod net;
pub mod notifications;
pub mod profile;
pub mod prometheus;
pub mod readings;
mod replace;
pub mod state;
pub mod swapping;
pub mod writer;
