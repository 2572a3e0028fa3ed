//! AgentX (RFC 2741), the master's side: sub-agents bring parts of an agent's MIB from processes of their own.
//!
//! Sans-IO: [`Packet`] is what is on the wire, [`Master`] knows the sessions and what they have registered. Who holds
//! the connections asks it where a name is to be asked for, sends what [`Master::request`] makes, and hands it what
//! sub-agents send on their own accord.
//!
//! Only the default context is served: a registration in any other is answered `unsupportedContext`.

mod codec;
mod indexes;
mod master;
mod packet;
mod registration;
mod saved;

pub use codec::{ByteOrder, DecodeError};
pub use master::{Handled, Master, Span};
pub use packet::{Body, HEADER_OCTETS, Header, Packet, Range, Response, Variable, close_reason, frame_octets, status};
pub use registration::{Registration, RegistrationError};
pub use saved::RestoreError;
