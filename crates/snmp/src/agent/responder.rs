//! The command responder (RFC 3413 §3.2, RFC 3416 §4.2), with the mappings that v1 needs (RFC 3584 §4.2).
//!
//! A PDU for another engine's context, or for a context that does not exist, or that nobody takes, gets no response: its
//! sender is told by a Report (RFC 3412 §4.2.2.1, RFC 3413 §3.2 (5)), which v1 and v2c do not have.

use std::sync::Arc;
use std::time::Instant;

use crate::ber::Writer;
use crate::engine::{
    AccessControl, AccessDenied, AccessRequest, Engine, Envelope, Name, OutgoingError, Received, Statistic, ViewType,
};
use crate::limits::{MAX_BULK_REPETITIONS, MAX_HIDDEN_SUCCESSORS, MAX_WALK, RESPONSE_HEADERS_OCTETS};
use crate::message::{SecurityLevel, Version};
use crate::oid::{Oid, OidRef};
use crate::pdu::{AnyPdu, ErrorStatus, Pdu, PduKind};
use crate::value::Value;
use crate::varbind::{VarBindBuf, VarBindList};

/// Why a SET failed: nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetError {
    /// What is wrong.
    pub status: ErrorStatus,
    /// With which variable; the first is 0. Of no meaning for `undoFailed`, which is about all.
    pub index: usize,
}

/// In whose name something is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Requester<'a> {
    /// The number of the security model that vouches for it.
    pub security_model: u32,
    /// Who it is.
    pub security_name: &'a Name,
    /// How far its message was secured.
    pub level: SecurityLevel,
}

/// The managed objects of one context. Methods may be called from several threads.
pub trait Instrumentation: Send + Sync {
    /// Appends the variable of this name: its value, `noSuchObject` or `noSuchInstance`.
    fn get(&self, now: Instant, name: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus>;

    /// Appends the first variable after this name, or this name with `endOfMibView`.
    fn get_next(&self, now: Instant, after: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus>;

    /// Appends the first variables after this name in their order, at most `max`, which is 1 or more; how many. It may
    /// stop sooner, after one at least: 0 says that there is none, and this name with `endOfMibView` is appended.
    fn walk(&self, now: Instant, after: OidRef<'_>, max: usize, to: &mut VarBindBuf) -> Result<usize, ErrorStatus> {
        let _ = max;
        let octets = to.octets();
        self.get_next(now, after, to)?;
        Ok(usize::from(to.last_from(octets).value != Value::EndOfMibView))
    }

    /// Sets all variables, or none (RFC 3416 §4.2.5).
    fn set(&self, now: Instant, requester: Requester<'_>, varbinds: VarBindList<'_>) -> Result<(), SetError>;
}

/// Answers Read and Write Class PDUs.
pub struct CommandResponder {
    engine: Arc<Engine>,
    access: Arc<dyn AccessControl>,
    /// Sorted by name.
    contexts: Vec<(Name, Arc<dyn Instrumentation>)>,
}

impl CommandResponder {
    /// A responder for what an engine receives. `instrumentation` is the default context's, whose name is empty.
    pub fn new(engine: Arc<Engine>, access: Arc<dyn AccessControl>, instrumentation: Arc<dyn Instrumentation>) -> Self {
        CommandResponder::without_contexts(engine, access).with_context(Name::default(), instrumentation)
    }

    /// A responder that knows no context yet.
    pub fn without_contexts(engine: Arc<Engine>, access: Arc<dyn AccessControl>) -> Self {
        CommandResponder { engine, access, contexts: Vec::new() }
    }

    /// Adds a context, or replaces the one of this name.
    pub fn with_context(mut self, name: Name, instrumentation: Arc<dyn Instrumentation>) -> Self {
        match self.contexts.binary_search_by(|(known, _)| known.cmp(&name)) {
            Ok(at) => self.contexts[at].1 = instrumentation,
            Err(at) => self.contexts.insert(at, (name, instrumentation)),
        }
        self
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

    /// Answers a command; how many octets of response, or of Report, lie at the end of `buffer`. `None`: none
    /// is due. It is the last application that is asked: what is no command, nobody takes, and is counted as that
    /// (RFC 3412 §4.2.2).
    pub fn respond(&self, now: Instant, received: &Received<'_>, buffer: &mut [u8]) -> Option<usize> {
        let Received { envelope, pdu: AnyPdu::Pdu(pdu) } = received else {
            self.engine.stats().increment(Statistic::UnknownPduHandlers);
            return None;
        };
        if !pdu.kind.is_command() {
            return self.report(now, envelope, pdu, Statistic::UnknownPduHandlers, buffer);
        }
        let instrumentation = match self.context(envelope) {
            Ok(instrumentation) => instrumentation,
            Err(statistic) => return self.report(now, envelope, pdu, statistic, buffer),
        };
        let asked = Asked { now, envelope, instrumentation, limit: envelope.max_size.min(buffer.len()) };
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
            Err(Failed { reason: Reason::UnknownContext, .. }) => {
                return self.report(now, envelope, pdu, Statistic::UnknownContexts, buffer);
            }
            Err(Failed { reason: Reason::Status(status), index }) => {
                if status == ErrorStatus::AUTHORIZATION_ERROR && envelope.version != Version::V3 {
                    self.engine.stats().increment(Statistic::InBadCommunityUses);
                }
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

    /// The context that a PDU is for; else what counts such PDUs.
    fn context(&self, envelope: &Envelope) -> Result<&dyn Instrumentation, Statistic> {
        // An empty ID, which a community of the default context has, is ours.
        let engine_id = envelope.context_engine_id;
        if !engine_id.is_empty() && engine_id != self.engine.id() {
            return Err(Statistic::UnknownPduHandlers);
        }
        match self.contexts.binary_search_by(|(name, _)| name.cmp(&envelope.context_name)) {
            Ok(at) => Ok(&*self.contexts[at].1),
            Err(_) => Err(Statistic::UnknownContexts),
        }
    }

    /// Tells the sender by a Report why its PDU was not processed (RFC 3412 §7.1 (3)), where there is one.
    fn report(
        &self,
        now: Instant,
        envelope: &Envelope,
        pdu: &Pdu<'_>,
        statistic: Statistic,
        buffer: &mut [u8],
    ) -> Option<usize> {
        let count = self.engine.stats().increment(statistic);
        if envelope.version != Version::V3 || !pdu.kind.is_confirmed() {
            return None;
        }
        let mut varbinds = VarBindBuf::new();
        varbinds.push(statistic.instance().as_oid(), Value::Counter32(count));
        let report = Pdu::new(PduKind::Report, pdu.request_id, varbinds.as_list());
        self.write(now, envelope, &report, buffer).ok().filter(|&length| length <= envelope.max_size)
    }

    fn write(&self, now: Instant, to: &Envelope, pdu: &Pdu<'_>, buffer: &mut [u8]) -> Result<usize, OutgoingError> {
        let mut writer = Writer::new(buffer);
        self.engine.respond(now, to, pdu, &mut writer)?;
        Ok(writer.finish()?.len())
    }

    fn get(&self, asked: &Asked<'_>, pdu: &Pdu<'_>, varbinds: &mut VarBindBuf) -> Result<(), Failed> {
        for (i, varbind) in pdu.varbinds.iter().enumerate() {
            match self.allowed(asked, ViewType::Read, varbind.name) {
                Ok(()) => asked
                    .instrumentation
                    .get(asked.now, varbind.name, varbinds)
                    .map_err(|status| Reason::Status(status).at(i + 1))?,
                Err(AccessDenied::NotInView) => varbinds.push(varbind.name, Value::NoSuchObject),
                Err(denied) => return Err(Reason::from(denied).at(i + 1)),
            }
        }
        Ok(())
    }

    fn get_next(&self, asked: &Asked<'_>, pdu: &Pdu<'_>, varbinds: &mut VarBindBuf) -> Result<(), Failed> {
        for (i, varbind) in pdu.varbinds.iter().enumerate() {
            self.successor(asked, varbind.name, varbinds).map_err(|reason| reason.at(i + 1))?;
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
            self.successor(asked, varbind.name, varbinds).map_err(|reason| reason.at(i + 1))?;
            if varbinds.octets() > room {
                varbinds.truncate(octets, count);
                return Ok(());
            }
        }
        let repetitions = bulk.max_repetitions.min(MAX_BULK_REPETITIONS);
        if let ([_], true) = (&cursors[..], asked.envelope.version != Version::V1) {
            let column = cursors.remove(0);
            return self.repeat(asked, column, repetitions, room, varbinds).map_err(|reason| reason.at(fixed + 1));
        }
        for _ in 0..repetitions {
            let mut all_at_end = true;
            for (i, cursor) in cursors.iter_mut().enumerate() {
                let (octets, count) = (varbinds.octets(), varbinds.len());
                let at_end =
                    self.successor(asked, cursor.as_oid(), varbinds).map_err(|reason| reason.at(fixed + i + 1))?;
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

    /// The repetitions of a GETBULK's only repeater, many variables at a time.
    fn repeat(
        &self,
        asked: &Asked<'_>,
        mut cursor: Oid,
        repetitions: u32,
        room: usize,
        varbinds: &mut VarBindBuf,
    ) -> Result<(), Reason> {
        let mut left = repetitions as usize;
        while left > 0 {
            let before = (varbinds.octets(), varbinds.len());
            let max = left.min(MAX_WALK);
            let found =
                asked.instrumentation.walk(asked.now, cursor.as_oid(), max, varbinds).map_err(Reason::Status)?;
            let pushed = varbinds.since(before.0, before.1);
            let allowed = if found == 0 {
                // `endOfMibView`, which nobody is denied.
                pushed.len()
            } else {
                self.access.count_allowed(&asked.access_request(ViewType::Read), pushed)?
            };
            let kept = varbinds.cut(before, allowed, room);
            if kept < allowed || found == 0 {
                return Ok(());
            }
            left -= kept;
            if let Some(last) = varbinds.since(before.0, before.1).iter().last() {
                cursor = last.name.to_owned();
            }
            if allowed < found && left > 0 {
                let (octets, count) = (varbinds.octets(), varbinds.len());
                let at_end = self.successor(asked, cursor.as_oid(), varbinds)?;
                if varbinds.octets() > room {
                    varbinds.truncate(octets, count);
                    return Ok(());
                }
                if at_end {
                    return Ok(());
                }
                cursor = varbinds.last_from(octets).name.to_owned();
                left -= 1;
            }
        }
        Ok(())
    }

    /// Appends the next variable that the principal may see and whose value its version can say (v1 has no
    /// `Counter64`, RFC 3584 §4.2.2.1); whether that is the end of its view.
    fn successor(&self, asked: &Asked<'_>, after: OidRef<'_>, to: &mut VarBindBuf) -> Result<bool, Reason> {
        let (octets, count) = (to.octets(), to.len());
        let mut hidden: Oid;
        let mut cursor = after;
        for _ in 0..MAX_HIDDEN_SUCCESSORS {
            asked.instrumentation.get_next(asked.now, cursor, to).map_err(Reason::Status)?;
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
                Err(denied) => return Err(denied.into()),
            }
            to.truncate(octets, count);
            cursor = hidden.as_oid();
        }
        Err(Reason::Status(ErrorStatus::GEN_ERR))
    }

    fn set(&self, asked: &Asked<'_>, pdu: &Pdu<'_>) -> Result<(), Failed> {
        for (i, varbind) in pdu.varbinds.iter().enumerate() {
            match self.allowed(asked, ViewType::Write, varbind.name) {
                Ok(()) => {}
                Err(AccessDenied::NotInView) => return Err(Reason::Status(ErrorStatus::NO_ACCESS).at(i + 1)),
                Err(denied) => return Err(Reason::from(denied).at(i + 1)),
            }
        }
        // RFC 3416 §4.2.5: after a failed undo no variable is to blame.
        let failed = |SetError { status, index }| {
            Reason::Status(status).at(if status == ErrorStatus::UNDO_FAILED { 0 } else { index + 1 })
        };
        let &Envelope { security_model, ref security_name, level, .. } = asked.envelope;
        let requester = Requester { security_model, security_name, level };
        asked.instrumentation.set(asked.now, requester, pdu.varbinds).map_err(failed)
    }

    fn allowed(&self, asked: &Asked<'_>, view_type: ViewType, variable: OidRef<'_>) -> Result<(), AccessDenied> {
        self.access.is_access_allowed(&asked.access_request(view_type), variable)
    }
}

/// Who asks, when, and how long the answer may be.
struct Asked<'r> {
    now: Instant,
    envelope: &'r Envelope,
    instrumentation: &'r dyn Instrumentation,
    limit: usize,
}

impl Asked<'_> {
    /// What the response needs besides its variables, at most.
    fn overhead(&self) -> usize {
        let Envelope { state, context_name, context_engine_id, .. } = self.envelope;
        let names = state.0.len() + context_name.as_octets().len() + context_engine_id.as_octets().len();
        RESPONSE_HEADERS_OCTETS + names
    }

    fn access_request(&self, view_type: ViewType) -> AccessRequest<'_> {
        let &Envelope { security_model, ref security_name, level, ref context_name, .. } = self.envelope;
        AccessRequest { security_model, security_name, level, context_name, view_type }
    }
}

/// Why a command was not carried out and, from 1, the variable that it is about; 0: none.
struct Failed {
    reason: Reason,
    index: usize,
}

enum Reason {
    /// Access control does not know the context: a Report says so.
    UnknownContext,
    /// A response says so.
    Status(ErrorStatus),
}

impl Reason {
    fn at(self, index: usize) -> Failed {
        Failed { reason: self, index }
    }
}

impl From<AccessDenied> for Reason {
    /// RFC 3413 §3.2 (5); what is merely not in view each command treats in its own way.
    fn from(denied: AccessDenied) -> Self {
        match denied {
            AccessDenied::NoSuchContext => Reason::UnknownContext,
            AccessDenied::Unavailable => Reason::Status(ErrorStatus::GEN_ERR),
            _ => Reason::Status(ErrorStatus::AUTHORIZATION_ERROR),
        }
    }
}

/// v1 has neither exceptions nor `Counter64` (RFC 3584 §4.2.2).
fn fit_for_v1(kind: PduKind, varbinds: VarBindList<'_>) -> Result<(), Failed> {
    match first_misfit_for_v1(varbinds) {
        Some(i) if kind != PduKind::SetRequest => Err(Reason::Status(ErrorStatus::NO_SUCH_NAME).at(i + 1)),
        _ => Ok(()),
    }
}

/// The first variable whose value v1 can't say.
pub(super) fn first_misfit_for_v1(varbinds: VarBindList<'_>) -> Option<usize> {
    let misfit = |value: &Value<'_>| value.is_exception() || matches!(value, Value::Counter64(_));
    varbinds.iter().position(|varbind| misfit(&varbind.value))
}
