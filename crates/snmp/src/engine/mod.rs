//! An SNMP engine, cut as RFC 3411 §3 cuts it: a dispatcher, message processing models, security models and
//! access control, each behind a trait object, so that each can be replaced in a running engine.
//!
//! Modules keep no state that their successor would miss: counters ([`EngineStats`]), communities
//! ([`CommunityTable`]) and the USM's users and times are host resources that they borrow, and what an
//! answer needs travels as octets in the [`Envelope`].

mod access;
mod community;
mod dispatcher;
mod message_processing;
mod security;
mod stats;
mod types;

pub use access::{AccessControl, AccessDenied, AccessRequest, ViewType};
pub use community::{Community, CommunitySecurity, CommunityTable};
pub use dispatcher::Engine;
pub use message_processing::{
    CommunityProcessing, Envelope, MessageProcessing, ReceiveError, Received, Rejected, Sending, Subsystems,
    V3Processing,
};
pub use security::{
    Arrived, EngineTime, Header, IncomingError, Outgoing, OutgoingError, Parts, Secured, SecurityModel, SecurityState,
};
pub use stats::{EngineStats, Statistic};
pub use types::{EngineId, EngineIdError, Name, NameTooLong, Unavailable, security_model};
