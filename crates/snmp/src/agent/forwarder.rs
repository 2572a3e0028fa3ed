//! The proxy forwarder for requests (RFC 3413 §3.5.1): what is for another engine's context is passed on to a target
//! that SNMP-PROXY-MIB names, and its answer passed back, between any two versions (RFC 3584 §4.2). Sans-IO.
//!
//! Left out: forwarding of notifications (§3.5.2), and asking a v2 target again where a v1 requester's GETNEXT meets a
//! `Counter64`: it is told `noSuchName`.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::agent::mibs::{Proxy, ProxyMib, ProxyType, Target, TargetMib};
use crate::agent::peers::{Peer, Peers};
use crate::agent::responder::first_misfit_for_v1;
use crate::ber::Writer;
use crate::engine::{Engine, Envelope, Received, Statistic};
use crate::limits::MAX_MESSAGE_OCTETS;
use crate::manager::{Handled, RequestError, RequestKind, Transmit};
use crate::message::Version;
use crate::pdu::{AnyPdu, ErrorStatus, Pdu, PduKind};
use crate::value::Value;
use crate::varbind::{VarBindBuf, VarBindList};

/// What is passed on, and where to.
#[derive(Clone, Copy)]
pub struct ProxyTables<'a> {
    /// SNMP-PROXY-MIB.
    pub proxies: &'a ProxyMib,
    /// SNMP-TARGET-MIB.
    pub targets: &'a TargetMib,
}

/// What a forwarder made of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarded {
    /// No row is about it: it is for somebody else.
    NotMine,
    /// It is passed on; [`ProxyForwarder::poll_answer`] will tell.
    Taken,
    /// It can't be passed on, and is counted. Who asks by SNMPv3 is told by the Report of so many octets at the end of
    /// the buffer.
    Dropped(Option<usize>),
}

/// Passes requests on.
pub struct ProxyForwarder {
    engine: Arc<Engine>,
    peers: Peers,
    pending: HashMap<u64, Asked>,
    answers: VecDeque<Transmit>,
    messages: VecDeque<Vec<u8>>,
}

/// Who asked, and what.
struct Asked {
    from: SocketAddr,
    envelope: Envelope,
    kind: PduKind,
    request_id: i32,
    varbinds: VarBindBuf,
    /// The version that the target speaks.
    version: Version,
}

impl ProxyForwarder {
    /// A forwarder that speaks through an engine. `seed` makes its identifiers.
    pub fn new(engine: Arc<Engine>, seed: [u8; 32]) -> Self {
        let peers = Peers::new(engine.clone(), seed);
        ProxyForwarder { engine, peers, pending: HashMap::new(), answers: VecDeque::new(), messages: VecDeque::new() }
    }

    /// Takes a request that came from `from`. A Report, if one is due, is put at the end of `buffer`.
    pub fn forward(
        &mut self,
        now: Instant,
        tables: &ProxyTables<'_>,
        from: SocketAddr,
        received: &Received<'_>,
        buffer: &mut [u8],
    ) -> Forwarded {
        let Received { envelope, pdu: AnyPdu::Pdu(pdu) } = received else { return Forwarded::NotMine };
        let is_own = envelope.context_engine_id.is_empty() || envelope.context_engine_id == self.engine.id();
        if !pdu.kind.is_command() || is_own {
            return Forwarded::NotMine;
        }
        let Some(proxy) = find(tables, envelope, pdu.kind) else { return Forwarded::NotMine };
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
        let Some(token) = self.peers.submit(peer, kind, pdu.varbinds.to_buf()) else {
            return Forwarded::Dropped(self.drop_request(now, envelope, pdu, buffer));
        };
        let asked = Asked {
            from,
            envelope: envelope.clone(),
            kind: pdu.kind,
            request_id: pdu.request_id,
            varbinds: pdu.varbinds.to_buf(),
            version,
        };
        self.pending.insert(token, asked);
        Forwarded::Taken
    }

    /// The next datagram to a target; it is put at the end of `buffer`. Call until `None` after each other call.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        let transmit = self.peers.manager.poll_transmit(now, buffer);
        self.drop_failed();
        transmit
    }

    /// Takes in a datagram from a target.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        let Handled::Completed(completion) = self.peers.manager.handle_datagram(now, from, datagram) else { return };
        self.peers.end(completion.token);
        let Some(asked) = self.pending.remove(&completion.token) else { return };
        let response = completion.response;
        let mut message = vec![0; asked.envelope.max_size.min(MAX_MESSAGE_OCTETS)];
        let length = answer(&self.engine, now, &asked, &response, &mut message).or_else(|| {
            let mut too_big = Pdu::new(PduKind::Response, asked.request_id, VarBindList::default());
            too_big.field1 = ErrorStatus::TOO_BIG.0;
            if asked.envelope.version == Version::V1 {
                too_big.varbinds = asked.varbinds.as_list();
            }
            write(&self.engine, now, &asked.envelope, &too_big, &mut message)
        });
        match length {
            Some(length) => {
                self.answers.push_back(Transmit { address: asked.from, length });
                self.messages.push_back(message.split_off(message.len() - length));
            }
            None => {
                self.engine.stats().increment(Statistic::SilentDrops);
            }
        }
    }

    /// The next answer to who asked; it is put at the end of `buffer`. Call until `None` after each other call.
    pub fn poll_answer(&mut self, buffer: &mut [u8]) -> Option<Transmit> {
        while let (Some(transmit), Some(message)) = (self.answers.pop_front(), self.messages.pop_front()) {
            if let Some(start) = buffer.len().checked_sub(message.len()) {
                buffer[start..].copy_from_slice(&message);
                return Some(transmit);
            }
        }
        None
    }

    /// When [`ProxyForwarder::handle_timeout`] wants to be called.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        self.peers.manager.poll_timeout()
    }

    /// Retransmits and gives up what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.peers.manager.handle_timeout(now);
        self.drop_failed();
    }

    /// Requests that are passed on and not answered yet.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Who asks hears nothing, and tries again or not, as if there were no proxy in between. All failures but time-outs
    /// are counted (RFC 3418 `snmpProxyDrops`).
    fn drop_failed(&mut self) {
        while let Some(failure) = self.peers.manager.poll_failure() {
            self.peers.end(failure.token);
            self.pending.remove(&failure.token);
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
}

fn peer_of(envelope: &Envelope, target: Target) -> Peer {
    Peer { target, context_engine_id: envelope.context_engine_id, context_name: envelope.context_name.clone() }
}

/// The first row that is about a request (RFC 3413 §3.5.1.1 (1), §7.1).
fn find(tables: &ProxyTables<'_>, envelope: &Envelope, kind: PduKind) -> Option<Proxy> {
    let needed = if kind == PduKind::SetRequest { ProxyType::Write } else { ProxyType::Read };
    tables.proxies.proxies().into_iter().find(|proxy| {
        proxy.kind == needed
            && proxy.context_engine_id == envelope.context_engine_id
            && proxy.context_name == envelope.context_name
            && tables.targets.params(&proxy.params_in).is_some_and(|params| {
                (params.version, params.security_model, params.level)
                    == (envelope.version, envelope.security_model, envelope.level)
                    && params.security_name == envelope.security_name
            })
    })
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
