//! Sans-IO SNMP: codec, RFC 3411 engine, user-based security, manager, agent and MIB names.
//!
//! Nothing here opens a socket, reads a clock or draws a random number: time and randomness are
//! arguments, messages go in and out as octets. So the same code runs in the daemon, in simulations
//! and under a fuzzer.
//!
//! Read [`oid`], [`value`], [`ber`], [`varbind`], [`pdu`] and [`message`] for what is on the wire, and
//! [`mib`] for names.

pub mod ber;
pub mod limits;
pub mod message;
pub mod mib;
pub mod oid;
pub mod pdu;
pub mod value;
pub mod varbind;

pub use oid::{Oid, OidRef, OidSuffix};
pub use value::{OwnedValue, Value};
pub use varbind::{VarBind, VarBindBuf, VarBindList};
