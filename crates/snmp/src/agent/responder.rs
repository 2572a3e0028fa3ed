//! The command responder (RFC 3413 §3.2, RFC 3416 §4.2), with the mappings that v1 needs (RFC 3584 §4.2).

use std::sync::Arc;
use std::time::Instant;

use crate::ber::Writer;
use crate::engine::{
    AccessControl, AccessDenied, AccessRequest, Engine, Envelope, OutgoingError, Received, Statistic, ViewType,
};
use crate::limits::{MAX_BULK_REPETITIONS, MAX_HIDDEN_SUCCESSORS, RESPONSE_HEADERS_OCTETS};
use crate::message::Version;
use crate::oid::{Oid, OidRef};
use crate::pdu::{AnyPdu, ErrorStatus, Pdu, PduKind};
use crate::value::Value;
use crate::varbind::{VarBindBuf, VarBindList};

/// Why a SET failed: nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetError {
    /// What is wrong.
    pub status: ErrorStatus,
    /// With which variable; the first is 0.
    pub index: usize,
}

/// The managed objects of one context. Methods may be called from several threads.
pub trait Instrumentation: Send + Sync {
    /// Appends the variable of this name: its value, `noSuchObject` or `noSuchInstance`.
    fn get(&self, now: Instant, name: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus>;

    /// Appends the first variable after this name, or this name with `endOfMibView`.
    fn get_next(&self, now: Instant, after: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus>;

    /// Sets all variables, or none (RFC 3416 §4.2.5).
    fn set(&self, now: Instant, varbinds: VarBindList<'_>) -> Result<(), SetError>;
}

/// Answers Read and Write Class PDUs.
pub struct CommandResponder {
    engine: Arc<Engine>,
    access: Arc<dyn AccessControl>,
    instrumentation: Arc<dyn Instrumentation>,
}

impl CommandResponder {
    /// A responder for what an engine receives.
    pub fn new(engine: Arc<Engine>, access: Arc<dyn AccessControl>, instrumentation: Arc<dyn Instrumentation>) -> Self {
        CommandResponder { engine, access, instrumentation }
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Takes a message in; how many octets of answer, a response or a Report, lie at the end of `buffer`.
    /// `None`: none is due.
    pub fn handle(&self, now: Instant, message: &mut [u8], buffer: &mut [u8]) -> Option<usize> {
        let mut report = Writer::new(buffer);
        match self.engine.receive(now, message, &mut report) {
            Ok(received) => self.respond(now, &received, buffer),
            Err(rejected) if rejected.has_report => Some(report.finish().ok()?.len()),
            Err(_) => None,
        }
    }

    /// Answers a command; how many octets of response lie at the end of `buffer`. `None`: none is due.
    pub fn respond(&self, now: Instant, received: &Received<'_>, buffer: &mut [u8]) -> Option<usize> {
        let Received { envelope, pdu: AnyPdu::Pdu(pdu) } = received else { return None };
        if !pdu.kind.is_command() {
            return None;
        }
        let asked = Asked { now, envelope, limit: envelope.max_size.min(buffer.len()) };
        let mut varbinds = VarBindBuf::new();
        let mut outcome = match pdu.kind {
            PduKind::GetNextRequest => self.get_next(&asked, pdu, &mut varbinds),
            PduKind::GetBulkRequest => self.get_bulk(&asked, pdu, &mut varbinds),
            PduKind::SetRequest => self.set(&asked, pdu),
            _ => self.get(&asked, pdu, &mut varbinds),
        };
        if outcome.is_ok() && envelope.version == Version::V1 {
            outcome = fit_for_v1(pdu.kind, varbinds.as_list());
        }
        let mut response = Pdu::new(PduKind::Response, pdu.request_id, pdu.varbinds);
        match outcome {
            Ok(()) if pdu.kind != PduKind::SetRequest => response.varbinds = varbinds.as_list(),
            Ok(()) => {}
            Err(Failed { status, index }) => {
                response.field1 = if envelope.version == Version::V1 { status.to_v1().0 } else { status.0 };
                response.field2 = i32::try_from(index).unwrap_or(i32::MAX);
            }
        }
        match self.write(now, envelope, &response, buffer) {
            Ok(length) if length <= envelope.max_size => return Some(length),
            Err(OutgoingError::TooBig(_)) | Ok(_) => {}
            Err(_) => return None,
        }
        // RFC 3416 §4.2: an alternate response with nothing but the error, or none at all.
        let mut too_big = Pdu::new(PduKind::Response, pdu.request_id, VarBindList::default());
        if envelope.version == Version::V1 {
            too_big.varbinds = pdu.varbinds;
        }
        too_big.field1 = ErrorStatus::TOO_BIG.0;
        let written = self.write(now, envelope, &too_big, buffer).ok().filter(|&length| length <= envelope.max_size);
        if written.is_none() {
            self.engine.stats().increment(Statistic::SilentDrops);
        }
        written
    }

    fn write(&self, now: Instant, to: &Envelope, pdu: &Pdu<'_>, buffer: &mut [u8]) -> Result<usize, OutgoingError> {
        let mut writer = Writer::new(buffer);
        self.engine.respond(now, to, pdu, &mut writer)?;
        Ok(writer.finish()?.len())
    }

    fn get(&self, asked: &Asked<'_>, pdu: &Pdu<'_>, varbinds: &mut VarBindBuf) -> Result<(), Failed> {
        for (i, varbind) in pdu.varbinds.iter().enumerate() {
            let fail = |status| Failed { status, index: i + 1 };
            match self.allowed(asked, ViewType::Read, varbind.name) {
                Ok(()) => self.instrumentation.get(asked.now, varbind.name, varbinds).map_err(fail)?,
                Err(AccessDenied::NotInView) => varbinds.push(varbind.name, Value::NoSuchObject),
                Err(_) => return Err(fail(ErrorStatus::AUTHORIZATION_ERROR)),
            }
        }
        Ok(())
    }

    fn get_next(&self, asked: &Asked<'_>, pdu: &Pdu<'_>, varbinds: &mut VarBindBuf) -> Result<(), Failed> {
        for (i, varbind) in pdu.varbinds.iter().enumerate() {
            self.successor(asked, varbind.name, varbinds).map_err(|status| Failed { status, index: i + 1 })?;
        }
        Ok(())
    }

    /// RFC 3416 §4.2.3. Stops where the response is full or every variable has reached the end.
    fn get_bulk(&self, asked: &Asked<'_>, pdu: &Pdu<'_>, varbinds: &mut VarBindBuf) -> Result<(), Failed> {
        let bulk = pdu.bulk();
        let fixed = (bulk.non_repeaters as usize).min(pdu.varbinds.len());
        let mut cursors: Vec<Oid> = Vec::with_capacity(pdu.varbinds.len() - fixed);
        let room = asked.limit.saturating_sub(asked.overhead());
        for (i, varbind) in pdu.varbinds.iter().enumerate() {
            if i >= fixed {
                cursors.push(varbind.name.to_owned());
                continue;
            }
            let (octets, count) = (varbinds.octets(), varbinds.len());
            let failed = |status| Failed { status, index: i + 1 };
            self.successor(asked, varbind.name, varbinds).map_err(failed)?;
            if varbinds.octets() > room {
                varbinds.truncate(octets, count);
                return Ok(());
            }
        }
        for _ in 0..bulk.max_repetitions.min(MAX_BULK_REPETITIONS) {
            let mut all_at_end = true;
            for (i, cursor) in cursors.iter_mut().enumerate() {
                let (octets, count) = (varbinds.octets(), varbinds.len());
                let failed = |status| Failed { status, index: fixed + i + 1 };
                let at_end = self.successor(asked, cursor.as_oid(), varbinds).map_err(failed)?;
                if varbinds.octets() > room {
                    varbinds.truncate(octets, count);
                    return Ok(());
                }
                if !at_end {
                    all_at_end = false;
                    *cursor = varbinds.last_from(octets).name.to_owned();
                }
            }
            if all_at_end {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Appends the next variable that the principal may see and whose value its version can say (v1 has no
    /// `Counter64`, RFC 3584 §4.2.2.1); whether that is the end of its view.
    fn successor(&self, asked: &Asked<'_>, after: OidRef<'_>, to: &mut VarBindBuf) -> Result<bool, ErrorStatus> {
        let (octets, count) = (to.octets(), to.len());
        let mut hidden: Oid;
        let mut cursor = after;
        for _ in 0..MAX_HIDDEN_SUCCESSORS {
            self.instrumentation.get_next(asked.now, cursor, to)?;
            let found = to.last_from(octets);
            if found.value == Value::EndOfMibView {
                to.truncate(octets, count);
                to.push(after, Value::EndOfMibView);
                return Ok(true);
            }
            let is_sayable = asked.envelope.version != Version::V1 || !matches!(found.value, Value::Counter64(_));
            match self.allowed(asked, ViewType::Read, found.name) {
                Ok(()) if is_sayable => return Ok(false),
                Ok(()) | Err(AccessDenied::NotInView) => hidden = found.name.to_owned(),
                Err(_) => return Err(ErrorStatus::AUTHORIZATION_ERROR),
            }
            to.truncate(octets, count);
            cursor = hidden.as_oid();
        }
        Err(ErrorStatus::GEN_ERR)
    }

    fn set(&self, asked: &Asked<'_>, pdu: &Pdu<'_>) -> Result<(), Failed> {
        for (i, varbind) in pdu.varbinds.iter().enumerate() {
            let failed = |status| Failed { status, index: i + 1 };
            match self.allowed(asked, ViewType::Write, varbind.name) {
                Ok(()) => {}
                Err(AccessDenied::NotInView) => return Err(failed(ErrorStatus::NO_ACCESS)),
                Err(_) => return Err(failed(ErrorStatus::AUTHORIZATION_ERROR)),
            }
        }
        let failed = |SetError { status, index }| Failed { status, index: index + 1 };
        self.instrumentation.set(asked.now, pdu.varbinds).map_err(failed)
    }

    fn allowed(&self, asked: &Asked<'_>, view_type: ViewType, variable: OidRef<'_>) -> Result<(), AccessDenied> {
        let Envelope { security_model, security_name, level, context_name, .. } = asked.envelope;
        let request =
            AccessRequest { security_model: *security_model, security_name, level: *level, context_name, view_type };
        self.access.is_access_allowed(&request, variable)
    }
}

/// Who asks, when, and how long the answer may be.
struct Asked<'r> {
    now: Instant,
    envelope: &'r Envelope,
    limit: usize,
}

impl Asked<'_> {
    /// What the response needs besides its variables, at most.
    fn overhead(&self) -> usize {
        let Envelope { state, context_name, context_engine_id, .. } = self.envelope;
        let names = state.0.len() + context_name.as_octets().len() + context_engine_id.as_octets().len();
        RESPONSE_HEADERS_OCTETS + names
    }
}

/// A status and, from 1, the variable that it is about; 0: none.
struct Failed {
    status: ErrorStatus,
    index: usize,
}

/// v1 has neither exceptions nor `Counter64` (RFC 3584 §4.2.2).
fn fit_for_v1(kind: PduKind, varbinds: VarBindList<'_>) -> Result<(), Failed> {
    let misfit = |value: &Value<'_>| value.is_exception() || matches!(value, Value::Counter64(_));
    match varbinds.iter().position(|varbind| misfit(&varbind.value)) {
        Some(i) if kind != PduKind::SetRequest => Err(Failed { status: ErrorStatus::NO_SUCH_NAME, index: i + 1 }),
        _ => Ok(()),
    }
}
