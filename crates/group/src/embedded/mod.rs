//! The embedded engine: a sequencer in one process that gives the messages of all who are attached one order. It is what
//! runs on one machine, in the demo and in tests; cuts, delays and ends are asked of it as any other thing is.
//!
//! [`Hub`] is without clock and sockets. The crate `group-embedded` serves one to processes of the same machine.

mod hub;

pub use hub::{AttachError, Hub};
