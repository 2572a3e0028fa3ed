//! The agent's side of SNMP: the command responder (RFC 3413 §3.2) over some instrumentation.
//!
//! What an agent instruments is behind [`Instrumentation`]; who may see it is access control's. Both are
//! trait objects, as every other part of the engine is.

mod responder;

pub use responder::{CommandResponder, Instrumentation, SetError};
