//! The daemon: sockets, clock, collector, HTTP, console.
