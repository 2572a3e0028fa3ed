//! The daemon: sockets, clock, collector, HTTP, console.

pub mod config;
