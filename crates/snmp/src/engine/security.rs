//! The Security Subsystem's interface (RFC 3411 §4.4): what a security model does for message processing.
//!
//! A model never keeps what a later call needs inside a borrowed object: what it must remember between a
//! request and its response goes out as octets ([`SecurityState`]), so a model may be replaced in between.

use std::fmt;
use std::ops::Range;
use std::time::Instant;

use smallvec::SmallVec;

use crate::ber::{DecodeError, TooBig, Writer};
use crate::engine::stats::Statistic;
use crate::engine::types::{EngineId, Name, Unavailable};
use crate::message::{CommunityParts, HeaderData, SecurityLevel, V3Message, Version};

/// What stands before the security parameters in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// Only a version: community-based messages.
    Community(Version),
    /// `msgGlobalData`.
    V3(HeaderData),
}

/// A message to be secured; the scoped PDU (the PDU, in community-based messages) is written already.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Now.
    pub now: Instant,
    /// The header to write.
    pub header: Header,
    /// `securityEngineID`: the authoritative engine of a request's target; ours in responses, reports and traps.
    pub engine_id: EngineId,
    /// In whose name.
    pub security_name: &'a Name,
    /// `securityLevel`.
    pub level: SecurityLevel,
    /// Boots and time of a foreign engine that is not synchronised yet, as an unauthenticated Report told
    /// them. They go into this message and nowhere else.
    pub time_hint: Option<EngineTime>,
}

/// `snmpEngineBoots` and `snmpEngineTime` (RFC 3414 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineTime {
    /// How often the engine has booted.
    pub boots: u32,
    /// Seconds since it last did.
    pub time: u32,
}

/// An incoming message whose outer part is read.
#[derive(Debug, Clone)]
pub struct Arrived<'a> {
    /// Now.
    pub now: Instant,
    /// Its parts.
    pub parts: &'a Parts,
}

/// The outer part of an incoming message, as ranges of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parts {
    /// v1 or v2c.
    Community(CommunityParts),
    /// SNMPv3.
    V3 {
        /// The outer part.
        message: V3Message,
        /// Whether the data is plain and holds a Report, which discovery must see before any user is known.
        is_plain_report: bool,
    },
}

/// What a security model found in a message that it lets pass.
#[derive(Debug, Clone)]
pub struct Secured {
    /// Who sent it.
    pub security_name: Name,
    /// The authoritative engine that the message names.
    pub engine_id: EngineId,
    /// How far it is secured.
    pub level: SecurityLevel,
    /// Where the plain scoped PDU (the PDU) now lies in the message.
    pub data: Range<usize>,
    /// The context, where the security parameters and not the scoped PDU tell it (RFC 3584 §5.2).
    pub context: Option<(EngineId, Name)>,
    /// What an answer needs.
    pub state: SecurityState,
    /// The time that the message states for its engine, authentic where `level` is.
    pub engine_time: Option<EngineTime>,
}

/// `securityStateReference` (RFC 3411 §4.4): octets that only the model that made them reads.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SecurityState(pub SmallVec<[u8; 64]>);

impl fmt::Debug for SecurityState {
    /// May hold a community: never shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecurityState")
    }
}

/// Why a message can't be secured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum OutgoingError {
    #[error(transparent)]
    TooBig(#[from] TooBig),
    #[error("no credentials are named {0}")]
    UnknownSecurityName(Name),
    #[error("credentials {name} have no {missing}, which {} needs", level.name())]
    UnsupportedLevel { name: Name, level: SecurityLevel, missing: &'static str },
    #[error("{version} messages need another security model", version = version.name())]
    WrongVersion { version: Version },
    #[error("{version} messages have no such PDU: GETBULK and informs need v2c or v3, Trap-PDUs v1", version = version.name())]
    WrongPdu { version: Version },
    #[error("no salt to encrypt with: {0}")]
    NoSalt(String),
    #[error("the message can't be encrypted: {0}")]
    Privacy(String),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error("authentication protocol {0} is not installed")]
    UnknownAuthProtocol(String),
    #[error("privacy protocol {0} is not installed")]
    UnknownPrivProtocol(String),
}

/// Why a message was turned away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum IncomingError {
    #[error("malformed message: {0}")]
    Malformed(#[from] DecodeError),
    #[error("unknown community")]
    UnknownCommunity,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// One of the errors that a Report can tell the sender.
    #[error("{}", statistic.description())]
    Reported {
        statistic: Statistic,
        /// The counter's value, this message counted.
        value: u32,
        /// How the Report must be secured: authenticated if the message was.
        level: SecurityLevel,
        /// What securing the Report needs.
        state: SecurityState,
    },
}

/// A security model (RFC 3411 §4.4): authenticates, encrypts, and knows who may speak.
pub trait SecurityModel: Send + Sync {
    /// Its `SnmpSecurityModel` number.
    fn number(&self) -> u32;

    /// `generateRequestMsg`: puts security parameters and header around the data that `writer` holds, and
    /// so completes the message.
    fn generate_request(&self, outgoing: &Outgoing<'_>, writer: &mut Writer<'_>) -> Result<(), OutgoingError>;

    /// `generateResponseMsg`: the same for an answer to the message that gave `state`.
    fn generate_response(
        &self,
        now: Instant,
        header: Header,
        state: &SecurityState,
        writer: &mut Writer<'_>,
    ) -> Result<(), OutgoingError>;

    /// `processIncomingMsg`: authenticates, checks timeliness and decrypts in place.
    fn process_incoming(&self, arrived: &Arrived<'_>, message: &mut [u8]) -> Result<Secured, IncomingError>;

    /// Whether the sender of the message that gave `state` may answer a request sent in this name.
    fn may_answer(&self, security_name: &Name, state: &SecurityState) -> bool;
}
