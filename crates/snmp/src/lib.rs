//! Sans-IO SNMP: codec, RFC 3411 engine, user-based security, manager, agent and MIB names.
//!
//! Nothing here opens a socket, reads a clock or draws a random number: time and randomness are
//! arguments, messages go in and out as octets. So the same code runs in the daemon, in simulations
//! and under a fuzzer.
//!
//! Read [`oid`], [`value`], [`ber`], [`varbind`], [`pdu`] and [`message`] for what is on the wire, [`engine`]
//! for how a message goes through its models, [`usm`] for what protects it, then [`manager`] or [`agent`];
//! [`mib`] for names, [`agentx`] for sub-agents.

pub mod agent;
pub mod agentx;
pub mod ber;
pub mod engine;
pub mod limits;
pub mod manager;
pub mod message;
pub mod mib;
pub mod notification;
pub mod oid;
pub mod pdu;
pub mod usm;
pub mod vacm;
pub mod value;
pub mod varbind;

pub use oid::{Oid, OidRef, OidSuffix};
pub use value::{OwnedValue, Value};
pub use varbind::{VarBind, VarBindBuf, VarBindList};
