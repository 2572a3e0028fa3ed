//! The embedded group engine for processes of one machine: [`LocalHub`] within one process, [`Embedded`] over a Unix socket.
//!
//! The process that has the lock beside the socket is the hub: it runs [`hamsa_group::embedded::Hub`] and serves the others.
//! When it ends, the kernel gives the lock free and ends the connections; the others see the engine lost, and the first of
//! them that takes the lock is the next hub. So there are never two, and a socket's file that was left behind is in nobody's way.
//!
//! A hub that is stopped, but has not ended, keeps the lock: the others go on alone until it runs again.
//!
//! Only processes of the same user, and of root, are let in: the kernel says who a peer is.

mod client;
mod engine;
mod error;
mod fault;
mod frame;
pub mod limits;
mod local;
mod serve;

pub use engine::{Embedded, EmbeddedOptions, Role};
pub use error::{ConnectError, FaultError};
pub use fault::Fault;
pub use local::LocalHub;
