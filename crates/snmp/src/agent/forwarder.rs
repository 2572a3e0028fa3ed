//! The proxy forwarder (RFC 3413 §3.5): what is for another engine's context, and notifications from there, are passed
//! on to the targets that SNMP-PROXY-MIB names, and answers passed back, between any two versions (RFC 3584 §3, §4.2).
//! Sans-IO. What is under way is in [`Forwardings`], which outlives the forwarder.
//!
//! Left out: asking a v2 target again where a v1 requester's GETNEXT meets a `Counter64` (it is told `noSuchName`), and
//! `snmpTrapCommunity`, by which RFC 3584 §3.1 (4) would have a v1 trap's community told to others.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use crate::agent::mibs::{Proxy, ProxyTable, ProxyType, Target, TargetTable};
use crate::agent::outbox::{News, Outbox};
use crate::agent::peers::Peer;
use crate::agent::responder::first_misfit_for_v1;
use crate::ber::Writer;
use crate::engine::{Engine, EngineId, Envelope, Received, Statistic};
use crate::limits::{MAX_FORWARDED_INFORMS, MAX_MESSAGE_OCTETS};
use crate::manager::{Handled, RequestError, RequestKind, Transmit};
use crate::message::Version;
use crate::notification::{Acknowledgement, Notification};
use crate::pdu::{AnyPdu, ErrorStatus, Pdu, PduKind};
use crate::value::Value;
use crate::varbind::{VarBindBuf, VarBindList};

/// What is passed on, and where to.
#[derive(Clone, Copy)]
pub struct ProxyTables<'a> {
    /// SNMP-PROXY-MIB.
    pub proxies: &'a ProxyTable,
    /// SNMP-TARGET-MIB.
    pub targets: &'a TargetTable,
}

/// The way that a message came, by which its answer goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// Who sent it.
    pub from: SocketAddr,
    /// The local address that it was sent to, where that is known.
    pub local: Option<IpAddr>,
    /// The number of the socket, among those of the host.
    pub socket: usize,
}

/// An answer to whoever asked, at the end of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Where it goes.
    pub way: Way,
    /// Its octets.
    pub length: usize,
}

/// What a forwarder made of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarded {
    /// No row is about it: it is for somebody else.
    NotMine,
    /// It is passed on; for a request or inform, [`Forwardings::poll_answer`] will tell.
    Taken,
    /// It can't be passed on, and is counted. Who asks by SNMPv3 is told by the Report of so many octets at the end of
    /// the buffer.
    Dropped(Option<usize>),
}

/// Decides what is passed on, and what the answers mean to those who asked.
pub struct ProxyForwarder {
    engine: Arc<Engine>,
}

/// What is passed on and not answered yet.
pub struct Forwardings {
    outbox: Outbox,
    pending: HashMap<u64, Pending>,
    informs: HashMap<u64, Inform>,
    last_inform: u64,
    answers: VecDeque<(Way, Vec<u8>)>,
}

enum Pending {
    Request(Box<Asked>),
    /// One of the informs that an inform has become, by the number of the latter.
    Inform(u64),
}

/// Who asked, and what.
struct Asked {
    way: Way,
    envelope: Envelope,
    kind: PduKind,
    request_id: i32,
    varbinds: VarBindBuf,
    /// The version that the target speaks.
    version: Version,
}

/// An inform that was passed on. Whoever sent it hears when one of the targets has acknowledged it.
struct Inform {
    way: Way,
    acknowledgement: Acknowledgement,
    is_answered: bool,
    /// Targets that have not ended.
    left: usize,
}

impl Forwardings {
    /// None yet. `seed` makes identifiers.
    pub fn new(engine: Arc<Engine>, seed: [u8; 32]) -> Self {
        Forwardings {
            outbox: Outbox::new(engine, seed),
            pending: HashMap::new(),
            informs: HashMap::new(),
            last_inform: 0,
            answers: VecDeque::new(),
        }
    }

    /// The next answer to who asked; it is put at the end of `buffer`. Call until `None` after each other call.
    pub fn poll_answer(&mut self, buffer: &mut [u8]) -> Option<Answer> {
        while let Some((way, message)) = self.answers.pop_front() {
            if let Some(start) = buffer.len().checked_sub(message.len()) {
                buffer[start..].copy_from_slice(&message);
                return Some(Answer { way, length: message.len() });
            }
        }
        None
    }

    /// When [`ProxyForwarder::handle_timeout`] wants to be called.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        self.outbox.peers.manager.poll_timeout()
    }

    /// Messages that are passed on and not answered yet.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// One of the targets of an inform has acknowledged it or not. The inform, if its sender is to hear now.
    fn end_inform(&mut self, number: u64, is_acknowledged: bool) -> Option<(Way, Acknowledgement)> {
        let inform = self.informs.get_mut(&number)?;
        inform.left = inform.left.saturating_sub(1);
        let is_due = is_acknowledged && !inform.is_answered;
        inform.is_answered |= is_acknowledged;
        let told = is_due.then(|| (inform.way, inform.acknowledgement.clone()));
        if inform.left == 0 {
            self.informs.remove(&number);
        }
        told
    }
}

impl ProxyForwarder {
    /// A forwarder that speaks through an engine.
    pub fn new(engine: Arc<Engine>) -> Self {
        ProxyForwarder { engine }
    }

    /// Takes a message that came by `way`. A Report, if one is due, is put at the end of `buffer`.
    pub fn forward(
        &self,
        now: Instant,
        under_way: &mut Forwardings,
        tables: &ProxyTables<'_>,
        (way, received): (Way, &Received<'_>),
        buffer: &mut [u8],
    ) -> Forwarded {
        match &received.pdu {
            AnyPdu::Pdu(pdu) if pdu.kind.is_command() => {
                self.forward_request(now, under_way, tables, (way, &received.envelope, pdu), buffer)
            }
            _ => self.forward_notification(now, under_way, tables, way, received),
        }
    }

    fn forward_request(
        &self,
        now: Instant,
        under_way: &mut Forwardings,
        tables: &ProxyTables<'_>,
        (way, envelope, pdu): (Way, &Envelope, &Pdu<'_>),
        buffer: &mut [u8],
    ) -> Forwarded {
        if envelope.context_engine_id.is_empty() || envelope.context_engine_id == self.engine.id() {
            return Forwarded::NotMine;
        }
        let needed = if pdu.kind == PduKind::SetRequest { ProxyType::Write } else { ProxyType::Read };
        let Some(proxy) = self.find(tables, envelope, needed).next() else { return Forwarded::NotMine };
        let Some(target) = tables.targets.target(&proxy.single_target) else {
            return Forwarded::Dropped(self.drop_request(now, envelope, pdu, buffer));
        };
        let version = target.params.version;
        let kind = match pdu.kind {
            // RFC 3584 §4.2.1: v1 has none, and the requester goes on from what it gets.
            PduKind::GetBulkRequest if version == Version::V1 => RequestKind::GetNext,
            PduKind::GetBulkRequest => RequestKind::GetBulk(pdu.bulk()),
            PduKind::GetNextRequest => RequestKind::GetNext,
            PduKind::SetRequest => RequestKind::Set,
            _ => RequestKind::Get,
        };
        let peer = peer_of(envelope, target);
        let Some(token) = under_way.outbox.peers.submit(peer, kind, pdu.varbinds.to_buf()) else {
            return Forwarded::Dropped(self.drop_request(now, envelope, pdu, buffer));
        };
        let asked = Asked {
            way,
            envelope: envelope.clone(),
            kind: pdu.kind,
            request_id: pdu.request_id,
            varbinds: pdu.varbinds.to_buf(),
            version,
        };
        under_way.pending.insert(token, Pending::Request(Box::new(asked)));
        Forwarded::Taken
    }

    /// RFC 3413 §3.5.2: every row that is about it counts, and every target that a row's tag selects.
    fn forward_notification(
        &self,
        now: Instant,
        under_way: &mut Forwardings,
        tables: &ProxyTables<'_>,
        way: Way,
        received: &Received<'_>,
    ) -> Forwarded {
        let Ok(notification) = Notification::from_received(received) else { return Forwarded::NotMine };
        let envelope = &received.envelope;
        let acknowledgement = Acknowledgement::of(received);
        let needed = if acknowledgement.is_some() { ProxyType::Inform } else { ProxyType::Trap };
        let mut rows = self.find(tables, envelope, needed).peekable();
        if rows.peek().is_none() {
            return Forwarded::NotMine;
        }
        if let Some(acknowledgement) = &acknowledgement {
            let request_id = acknowledgement.request_id();
            let is_same = |inform: &Inform| inform.way == way && inform.acknowledgement.request_id() == request_id;
            // It is repeated because nobody has acknowledged it yet.
            if under_way.informs.values().any(|inform| is_same(inform) && !inform.is_answered) {
                return Forwarded::Taken;
            }
            if under_way.informs.len() >= MAX_FORWARDED_INFORMS {
                self.engine.stats().increment(Statistic::ProxyDrops);
                return Forwarded::Dropped(None);
            }
        }
        let varbinds = match &received.pdu {
            AnyPdu::Pdu(pdu) => pdu.varbinds.to_buf(),
            AnyPdu::TrapV1(trap) => notification.to_v2_varbinds_of_proxy(trap.agent_addr),
        };
        let news = News {
            notification: &notification,
            varbinds: &varbinds,
            context_engine_id: self.context_engine_of(envelope),
            context_name: &envelope.context_name,
            // RFC 3584 §3.2 (1): a proxy does not know better.
            agent_address: Ipv4Addr::UNSPECIFIED,
        };
        under_way.last_inform += 1;
        let number = under_way.last_inform;
        let mut count = 0;
        for target in rows.flat_map(|row| tables.targets.tagged(&row.multiple_targets)) {
            if acknowledgement.is_none() {
                count += usize::from(under_way.outbox.trap(now, &target, &news));
            } else if target.params.version != Version::V1
                && let Some(token) = under_way.outbox.inform(target, &news)
            {
                under_way.pending.insert(token, Pending::Inform(number));
                count += 1;
            }
        }
        if count == 0 {
            self.engine.stats().increment(Statistic::ProxyDrops);
            return Forwarded::Dropped(None);
        }
        if let Some(acknowledgement) = acknowledgement {
            under_way.informs.insert(number, Inform { way, acknowledgement, is_answered: false, left: count });
        }
        Forwarded::Taken
    }

    /// The next datagram to a target; it is put at the end of `buffer`. Call until `None` after each other call.
    pub fn poll_transmit(&self, now: Instant, under_way: &mut Forwardings, buffer: &mut [u8]) -> Option<Transmit> {
        let transmit = under_way.outbox.poll_transmit(now, buffer);
        self.drop_failed(under_way);
        transmit
    }

    /// Takes in a datagram from a target.
    pub fn handle_datagram(&self, now: Instant, under_way: &mut Forwardings, from: SocketAddr, datagram: &mut [u8]) {
        let handled = under_way.outbox.peers.manager.handle_datagram(now, from, datagram);
        let Handled::Completed(completion) = handled else { return };
        let (token, response) = (completion.token, completion.response);
        under_way.outbox.peers.end(token);
        let (way, message) = match under_way.pending.remove(&token) {
            Some(Pending::Request(asked)) => (asked.way, self.answer(now, &asked, &response)),
            Some(Pending::Inform(number)) => {
                // An error in it says that it was not taken.
                let is_acknowledged = response.error_status() == ErrorStatus::NO_ERROR;
                let Some((way, due)) = under_way.end_inform(number, is_acknowledged) else { return };
                let mut message = vec![0; MAX_MESSAGE_OCTETS];
                let mut writer = Writer::new(&mut message);
                let written = due.encode(&self.engine, now, &mut writer).is_ok();
                (way, writer.finish().ok().filter(|_| written).map(|message| message.to_vec()))
            }
            None => return,
        };
        match message {
            Some(message) => under_way.answers.push_back((way, message)),
            None => {
                self.engine.stats().increment(Statistic::SilentDrops);
            }
        }
    }

    /// Retransmits and gives up what is due.
    pub fn handle_timeout(&self, now: Instant, under_way: &mut Forwardings) {
        under_way.outbox.peers.manager.handle_timeout(now);
        self.drop_failed(under_way);
    }

    /// Who asks hears nothing, and tries again or not, as if there were no proxy in between. All failures but time-outs
    /// are counted (RFC 3418 `snmpProxyDrops`).
    fn drop_failed(&self, under_way: &mut Forwardings) {
        while let Some(failure) = under_way.outbox.peers.manager.poll_failure() {
            under_way.outbox.peers.end(failure.token);
            if let Some(Pending::Inform(number)) = under_way.pending.remove(&failure.token) {
                under_way.end_inform(number, false);
            }
            if !matches!(failure.error, RequestError::Timeout { .. }) {
                self.engine.stats().increment(Statistic::ProxyDrops);
            }
        }
    }

    fn drop_request(&self, now: Instant, envelope: &Envelope, pdu: &Pdu<'_>, buffer: &mut [u8]) -> Option<usize> {
        let count = self.engine.stats().increment(Statistic::ProxyDrops);
        if envelope.version != Version::V3 {
            return None;
        }
        let mut varbinds = VarBindBuf::new();
        varbinds.push(Statistic::ProxyDrops.instance().as_oid(), Value::Counter32(count));
        write(&self.engine, now, envelope, &Pdu::new(PduKind::Report, pdu.request_id, varbinds.as_list()), buffer)
    }

    /// The message that a target's response is to who asked.
    fn answer(&self, now: Instant, asked: &Asked, response: &Pdu<'_>) -> Option<Vec<u8>> {
        let mut message = vec![0; asked.envelope.max_size.min(MAX_MESSAGE_OCTETS)];
        let length = answer(&self.engine, now, asked, response, &mut message).or_else(|| {
            let mut too_big = Pdu::new(PduKind::Response, asked.request_id, VarBindList::default());
            too_big.field1 = ErrorStatus::TOO_BIG.0;
            if asked.envelope.version == Version::V1 {
                too_big.varbinds = asked.varbinds.as_list();
            }
            write(&self.engine, now, &asked.envelope, &too_big, &mut message)
        })?;
        Some(message.split_off(message.len() - length))
    }

    /// An empty ID, which a community of the default context has, is ours.
    fn context_engine_of(&self, envelope: &Envelope) -> EngineId {
        if envelope.context_engine_id.is_empty() { self.engine.id() } else { envelope.context_engine_id }
    }

    /// The rows that are about a message (RFC 3413 §3.5.1.1 (1), §3.5.2 (1), §7).
    fn find<'t>(
        &self,
        tables: &'t ProxyTables<'_>,
        envelope: &'t Envelope,
        needed: ProxyType,
    ) -> impl Iterator<Item = Proxy> + 't {
        let context_engine_id = self.context_engine_of(envelope);
        tables.proxies.proxies().into_iter().filter(move |proxy| {
            proxy.kind == needed
                && proxy.context_engine_id == context_engine_id
                && proxy.context_name == envelope.context_name
                && tables.targets.params(&proxy.params_in).is_some_and(|params| {
                    (params.version, params.security_model, params.level)
                        == (envelope.version, envelope.security_model, envelope.level)
                        && params.security_name == envelope.security_name
                })
        })
    }
}

fn peer_of(envelope: &Envelope, target: Target) -> Peer {
    Peer { target, context_engine_id: envelope.context_engine_id, context_name: envelope.context_name.clone() }
}

/// Writes the answer that a target's response is to who asked.
fn answer(engine: &Engine, now: Instant, asked: &Asked, response: &Pdu<'_>, buffer: &mut [u8]) -> Option<usize> {
    let mut pdu = Pdu::new(PduKind::Response, asked.request_id, response.varbinds);
    (pdu.field1, pdu.field2) = (response.field1, response.field2);
    if asked.envelope.version == Version::V1 && asked.version != Version::V1 {
        pdu.field1 = response.error_status().to_v1().0;
        if asked.kind != PduKind::SetRequest
            && let Some(misfit) = first_misfit_for_v1(response.varbinds)
        {
            (pdu.field1, pdu.field2) = (ErrorStatus::NO_SUCH_NAME.0, i32::try_from(misfit + 1).ok()?);
        }
        // RFC 1157 §4.1: an error comes with the request's variables.
        if pdu.field1 != 0 {
            pdu.varbinds = asked.varbinds.as_list();
        }
    }
    write(engine, now, &asked.envelope, &pdu, buffer)
}

fn write(engine: &Engine, now: Instant, to: &Envelope, pdu: &Pdu<'_>, buffer: &mut [u8]) -> Option<usize> {
    let mut writer = Writer::new(buffer);
    engine.respond(now, to, pdu, &mut writer).ok()?;
    writer.finish().ok().map(|message| message.len()).filter(|&length| length <= to.max_size)
}
