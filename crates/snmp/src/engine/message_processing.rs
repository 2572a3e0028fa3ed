//! The Message Processing Subsystem's interface (RFC 3411 §4.2) and its three standard models: v1 and v2c
//! (RFC 3584 §5) and v3 (RFC 3412 §7).
//!
//! A model has no state: what correlates a response with its request is the application's, what an answer
//! needs travels in the [`Envelope`]. So a model may be replaced between any two messages.

use std::sync::Arc;
use std::time::Instant;

use crate::ber::{DecodeError, DecodeErrorKind, Reader, Writer};
use crate::engine::security::{
    Arrived, EngineTime, Header, IncomingError, Outgoing, OutgoingError, Parts, SecurityModel, SecurityState,
};
use crate::engine::stats::{EngineStats, Statistic};
use crate::engine::types::{EngineId, Name, Unavailable, security_model};
use crate::limits::MIN_MAX_MESSAGE_OCTETS;
use crate::message::{CommunityParts, HeaderData, MsgData, MsgFlags, ScopedPdu, SecurityLevel, V3Message, Version};
use crate::pdu::{AnyPdu, Pdu, PduKind};
use crate::value::Value;
use crate::varbind::VarBindBuf;

/// A message to be sent on an application's behalf.
#[derive(Clone, Copy)]
pub struct Sending<'a> {
    /// Now.
    pub now: Instant,
    /// `msgID` of an SNMPv3 message.
    pub msg_id: i32,
    /// The authoritative engine: the target's for a confirmed PDU, ours for others.
    pub engine_id: EngineId,
    /// In whose name.
    pub security_name: &'a Name,
    /// How far to secure it.
    pub level: SecurityLevel,
    /// See [`Outgoing::time_hint`].
    pub time_hint: Option<EngineTime>,
    /// `contextEngineID`.
    pub context_engine_id: EngineId,
    /// `contextName`.
    pub context_name: &'a Name,
    /// What to send.
    pub pdu: AnyPdu<'a>,
}

/// What came with a PDU, and all that an answer to it needs.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The message's version.
    pub version: Version,
    /// The security model's number.
    pub security_model: u32,
    /// Who sent it.
    pub security_name: Name,
    /// How far the message was secured.
    pub level: SecurityLevel,
    /// The authoritative engine that the message names; empty in community-based messages.
    pub engine_id: EngineId,
    /// The time that the message states for that engine.
    pub engine_time: Option<EngineTime>,
    /// `contextEngineID`.
    pub context_engine_id: EngineId,
    /// `contextName`.
    pub context_name: Name,
    /// `msgID`; zero in community-based messages.
    pub msg_id: i32,
    /// The largest answer, in octets, that the sender takes.
    pub max_size: usize,
    /// The security model's own.
    pub state: SecurityState,
}

/// A message that was let in.
#[derive(Debug)]
pub struct Received<'m> {
    /// Where it is from and how to answer.
    pub envelope: Envelope,
    /// What it says.
    pub pdu: AnyPdu<'m>,
}

/// A message that was not.
#[derive(Debug)]
pub struct Rejected {
    /// Why.
    pub error: ReceiveError,
    /// Whether a Report was written that ought to be sent back.
    pub has_report: bool,
}

/// Why a message was not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ReceiveError {
    #[error("malformed message: {0}")]
    Malformed(#[from] DecodeError),
    #[error("no message processing model for {} is installed", .0.name())]
    NoMessageProcessing(Version),
    #[error("security model {0} is not installed")]
    UnknownSecurityModel(u32),
    #[error("msgMaxSize {0} is below {MIN_MAX_MESSAGE_OCTETS} (RFC 3412 §6.3)")]
    BadMaxSize(u32),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error(transparent)]
    Security(IncomingError),
}

/// What a message processing model may use of its engine.
#[derive(Clone, Copy)]
pub struct Subsystems<'a> {
    /// The security models that are installed.
    pub security: &'a [Arc<dyn SecurityModel>],
    /// The engine's counters.
    pub stats: &'a EngineStats,
    /// The engine's own ID.
    pub engine_id: EngineId,
    /// The largest message, in octets, that the engine takes.
    pub max_size: usize,
}

impl<'a> Subsystems<'a> {
    fn security_model(&self, number: u32) -> Option<&'a dyn SecurityModel> {
        self.security.iter().find(|model| model.number() == number).map(|model| &**model)
    }
}

/// A message processing model (RFC 3411 §4.2).
pub trait MessageProcessing: Send + Sync {
    /// The version that it serves.
    fn version(&self) -> Version;

    /// `prepareOutgoingMessage`.
    fn prepare_outgoing(
        &self,
        engine: Subsystems<'_>,
        sending: &Sending<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<(), OutgoingError>;

    /// `prepareResponseMessage`.
    fn prepare_response(
        &self,
        engine: Subsystems<'_>,
        now: Instant,
        to: &Envelope,
        pdu: &Pdu<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<(), OutgoingError>;

    /// `prepareDataElements`. Where the sender is owed a Report, it is written to `report`.
    fn prepare_data_elements<'m>(
        &self,
        engine: Subsystems<'_>,
        now: Instant,
        message: &'m mut [u8],
        report: &mut Writer<'_>,
    ) -> Result<Received<'m>, Rejected>;
}

/// v1 and v2c.
#[derive(Debug, Clone, Copy)]
pub struct CommunityProcessing(Version);

impl CommunityProcessing {
    /// The model for v1.
    pub const V1: CommunityProcessing = CommunityProcessing(Version::V1);
    /// The model for v2c.
    pub const V2C: CommunityProcessing = CommunityProcessing(Version::V2c);

    const fn security_model(self) -> u32 {
        if matches!(self.0, Version::V1) { security_model::V1 } else { security_model::V2C }
    }

    fn security<'e>(self, engine: Subsystems<'e>) -> Result<&'e dyn SecurityModel, OutgoingError> {
        engine.security_model(self.security_model()).ok_or(OutgoingError::WrongVersion { version: self.0 })
    }
}

impl MessageProcessing for CommunityProcessing {
    fn version(&self) -> Version {
        self.0
    }

    fn prepare_outgoing(
        &self,
        engine: Subsystems<'_>,
        sending: &Sending<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<(), OutgoingError> {
        if !sending.pdu.is_of(self.0) {
            return Err(OutgoingError::WrongPdu { version: self.0 });
        }
        match &sending.pdu {
            AnyPdu::Pdu(pdu) => pdu.encode(writer),
            AnyPdu::TrapV1(trap) => trap.encode(writer),
        }
        let outgoing = Outgoing {
            now: sending.now,
            header: Header::Community(self.0),
            engine_id: sending.engine_id,
            security_name: sending.security_name,
            level: SecurityLevel::NoAuthNoPriv,
            time_hint: None,
        };
        self.security(engine)?.generate_request(&outgoing, writer)
    }

    fn prepare_response(
        &self,
        engine: Subsystems<'_>,
        now: Instant,
        to: &Envelope,
        pdu: &Pdu<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<(), OutgoingError> {
        pdu.encode(writer);
        self.security(engine)?.generate_response(now, Header::Community(self.0), &to.state, writer)
    }

    fn prepare_data_elements<'m>(
        &self,
        engine: Subsystems<'_>,
        now: Instant,
        message: &'m mut [u8],
        _report: &mut Writer<'_>,
    ) -> Result<Received<'m>, Rejected> {
        let parts = CommunityParts::parse(message).map_err(|e| malformed(engine, e))?;
        let number = self.security_model();
        let model = engine.security_model(number).ok_or_else(|| reject(ReceiveError::UnknownSecurityModel(number)))?;
        let secured = model
            .process_incoming(&Arrived { now, parts: &Parts::Community(parts) }, message)
            .map_err(|e| reject(ReceiveError::Security(e)))?;
        let message: &'m [u8] = message;
        let pdu = AnyPdu::parse_of(self.0, &mut Reader::within(message, secured.data.start, secured.data.end))
            .map_err(|e| malformed(engine, e))?;
        let (context_engine_id, context_name) = secured.context.unwrap_or((engine.engine_id, Name::default()));
        let envelope = Envelope {
            version: self.0,
            security_model: number,
            security_name: secured.security_name,
            level: secured.level,
            engine_id: EngineId::EMPTY,
            engine_time: None,
            context_engine_id,
            context_name,
            msg_id: 0,
            max_size: engine.max_size,
            state: secured.state,
        };
        Ok(Received { envelope, pdu })
    }
}

/// v3.
#[derive(Debug, Clone, Copy)]
pub struct V3Processing;

impl MessageProcessing for V3Processing {
    fn version(&self) -> Version {
        Version::V3
    }

    fn prepare_outgoing(
        &self,
        engine: Subsystems<'_>,
        sending: &Sending<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<(), OutgoingError> {
        let wrong_version = OutgoingError::WrongVersion { version: Version::V3 };
        // A v1 Trap-PDU has no place in a scoped PDU.
        let AnyPdu::Pdu(pdu) = sending.pdu else { return Err(OutgoingError::WrongPdu { version: Version::V3 }) };
        let model = engine.security_model(security_model::USM).ok_or(wrong_version)?;
        let context_engine_id = sending.context_engine_id.as_octets();
        ScopedPdu { context_engine_id, context_name: sending.context_name.as_octets(), pdu }.encode(writer);
        let flags = MsgFlags { level: sending.level, reportable: pdu.kind.is_confirmed() };
        let outgoing = Outgoing {
            now: sending.now,
            header: v3_header(engine, sending.msg_id, flags, model.number()),
            engine_id: sending.engine_id,
            security_name: sending.security_name,
            level: sending.level,
            time_hint: sending.time_hint,
        };
        model.generate_request(&outgoing, writer)
    }

    fn prepare_response(
        &self,
        engine: Subsystems<'_>,
        now: Instant,
        to: &Envelope,
        pdu: &Pdu<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<(), OutgoingError> {
        let wrong_version = OutgoingError::WrongVersion { version: Version::V3 };
        let model = engine.security_model(to.security_model).ok_or(wrong_version)?;
        let context_engine_id = to.context_engine_id.as_octets();
        ScopedPdu { context_engine_id, context_name: to.context_name.as_octets(), pdu: *pdu }.encode(writer);
        let flags = MsgFlags { level: to.level, reportable: false };
        model.generate_response(now, v3_header(engine, to.msg_id, flags, model.number()), &to.state, writer)
    }

    fn prepare_data_elements<'m>(
        &self,
        engine: Subsystems<'_>,
        now: Instant,
        message: &'m mut [u8],
        report: &mut Writer<'_>,
    ) -> Result<Received<'m>, Rejected> {
        let outer = V3Message::parse(message).map_err(|e| malformed(engine, e))?;
        let header = outer.header;
        if header.max_size < MIN_MAX_MESSAGE_OCTETS {
            engine.stats.increment(Statistic::InvalidMessages);
            return Err(reject(ReceiveError::BadMaxSize(header.max_size)));
        }
        // The community-based models have numbers too (RFC 3411 §5), but no place in SNMPv3.
        let number = Some(header.security_model).filter(|&number| number > security_model::V2C);
        let Some(model) = number.and_then(|number| engine.security_model(number)) else {
            engine.stats.increment(Statistic::UnknownSecurityModels);
            return Err(reject(ReceiveError::UnknownSecurityModel(header.security_model)));
        };
        let plain_pdu = match &outer.data {
            MsgData::Plain(range) => {
                ScopedPdu::parse(message, range.clone()).ok().map(|s| (s.pdu.kind, s.pdu.request_id))
            }
            MsgData::Encrypted(_) => None,
        };
        let is_plain_report = matches!(plain_pdu, Some((PduKind::Report, _)));
        let parts = Parts::V3 { message: outer, is_plain_report };
        let secured = match model.process_incoming(&Arrived { now, parts: &parts }, message) {
            Ok(secured) => secured,
            Err(error) => {
                // RFC 3412 §7.1 (3): only who can use a Report is told. Where it can be seen that nobody waits
                // for an answer the flag is not believed (§6.4), so that no two engines report to each other.
                let reported = header.flags.reportable && plain_pdu.is_none_or(|(kind, _)| kind.is_confirmed());
                let request_id = plain_pdu.map_or(0, |(_, request_id)| request_id);
                let cause = ReportCause { msg_id: header.msg_id, request_id, error: &error };
                let has_report = reported && cause.write(engine, model, now, report);
                return Err(Rejected { error: ReceiveError::Security(error), has_report });
            }
        };
        let message: &'m [u8] = message;
        let scoped = ScopedPdu::parse(message, secured.data.clone()).map_err(|e| malformed(engine, e))?;
        let envelope = Envelope {
            version: Version::V3,
            security_model: header.security_model,
            security_name: secured.security_name,
            level: secured.level,
            engine_id: secured.engine_id,
            engine_time: secured.engine_time,
            context_engine_id: EngineId::new(scoped.context_engine_id).expect("the decoder checks the length"),
            context_name: Name::within_limits(scoped.context_name),
            msg_id: header.msg_id,
            max_size: (header.max_size as usize).min(engine.max_size),
            state: secured.state,
        };
        Ok(Received { envelope, pdu: AnyPdu::Pdu(scoped.pdu) })
    }
}

fn v3_header(engine: Subsystems<'_>, msg_id: i32, flags: MsgFlags, security_model: u32) -> Header {
    Header::V3(HeaderData { msg_id, max_size: engine.max_size as u32, flags, security_model })
}

/// What a Report answers.
struct ReportCause<'e> {
    msg_id: i32,
    request_id: i32,
    error: &'e IncomingError,
}

impl ReportCause<'_> {
    /// Writes the Report that tells the sender (RFC 3412 §7.1 (3)); `false` where there is none to tell.
    fn write(&self, engine: Subsystems<'_>, model: &dyn SecurityModel, now: Instant, report: &mut Writer<'_>) -> bool {
        let IncomingError::Reported { statistic, value, level, state } = self.error else { return false };
        let mut varbinds = VarBindBuf::new();
        varbinds.push(statistic.instance().as_oid(), Value::Counter32(*value));
        let pdu = Pdu::new(PduKind::Report, self.request_id, varbinds.as_list());
        ScopedPdu { context_engine_id: engine.engine_id.as_octets(), context_name: b"", pdu }.encode(report);
        let flags = MsgFlags { level: *level, reportable: false };
        model.generate_response(now, v3_header(engine, self.msg_id, flags, model.number()), state, report).is_ok()
    }
}

fn malformed(engine: Subsystems<'_>, error: DecodeError) -> Rejected {
    engine.stats.increment(match error.kind {
        DecodeErrorKind::BadFlags(_) => Statistic::InvalidMessages,
        DecodeErrorKind::UnknownVersion(_) => Statistic::InBadVersions,
        _ => Statistic::InAsnParseErrors,
    });
    reject(ReceiveError::Malformed(error))
}

fn reject(error: ReceiveError) -> Rejected {
    Rejected { error, has_report: false }
}
