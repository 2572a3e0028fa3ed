//! The daemon: sockets, clock, collector, HTTP API, console and metrics around the sans-IO crates.

pub mod config;
pub mod limits;
pub mod net;
