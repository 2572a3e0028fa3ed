//! What an application has on its way: traps that wait to be sent, and informs and requests until they are answered or
//! given up, with their identifiers and timers. None of it may be lost or repeat when the application is replaced.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use crate::agent::mibs::Target;
use crate::agent::peers::{Peer, Peers, is_consistent};
use crate::ber::Writer;
use crate::engine::{Engine, EngineId, Name, Sending};
use crate::limits::{MAX_MESSAGE_OCTETS, MAX_WAITING_TRAPS};
use crate::manager::{RequestKind, Transmit};
use crate::message::Version;
use crate::notification::Notification;
use crate::pdu::{AnyPdu, Pdu, PduKind, TrapV1};
use crate::value::Value;
use crate::varbind::VarBindBuf;

/// See the module's text.
pub(super) struct Outbox {
    engine: Arc<Engine>,
    next_id: i32,
    traps: VecDeque<(SocketAddr, Vec<u8>)>,
    pub(super) peers: Peers,
}

/// What targets are told, in both forms.
pub(super) struct News<'a> {
    pub(super) notification: &'a Notification,
    /// The variables of a v2 PDU.
    pub(super) varbinds: &'a VarBindBuf,
    pub(super) context_engine_id: EngineId,
    pub(super) context_name: &'a Name,
    /// `agent-addr` of a v1 trap where the notification has none.
    pub(super) agent_address: Ipv4Addr,
}

impl Outbox {
    /// `seed` makes its identifiers.
    pub(super) fn new(engine: Arc<Engine>, seed: [u8; 32]) -> Self {
        let next_id = i32::from_be_bytes([seed[0] & 0x7f, seed[1], seed[2], seed[3]]);
        Outbox { peers: Peers::new(engine.clone(), seed), engine, next_id, traps: VecDeque::new() }
    }

    /// The next datagram to send; it is put at the end of `buffer`.
    pub(super) fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        while let Some((address, message)) = self.traps.pop_front() {
            if let Some(start) = buffer.len().checked_sub(message.len()) {
                buffer[start..].copy_from_slice(&message);
                return Some(Transmit { address, length: message.len() });
            }
        }
        self.peers.manager.poll_transmit(now, buffer)
    }

    /// Tells a target without waiting for an answer; whether that can be.
    pub(super) fn trap(&mut self, now: Instant, target: &Target, news: &News<'_>) -> bool {
        if self.traps.len() >= MAX_WAITING_TRAPS || !is_consistent(target) {
            return false;
        }
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        let id = self.next_id;
        let notification = news.notification;
        let enterprise;
        let pdu = if target.params.version == Version::V1 {
            // RFC 3584 §3.2: what v1 can't say is not sent.
            if notification.varbinds.iter().any(|varbind| matches!(varbind.value, Value::Counter64(_))) {
                return false;
            }
            let (generic_trap, specific_trap);
            (enterprise, generic_trap, specific_trap) = notification.to_v1_identity();
            AnyPdu::TrapV1(TrapV1 {
                enterprise: enterprise.as_oid(),
                agent_addr: notification.agent_address.unwrap_or(news.agent_address),
                generic_trap,
                specific_trap,
                time_stamp: notification.uptime_ticks,
                varbinds: notification.varbinds.as_list(),
            })
        } else {
            AnyPdu::Pdu(Pdu::new(PduKind::TrapV2, id, news.varbinds.as_list()))
        };
        let sending = Sending {
            now,
            msg_id: id,
            engine_id: self.engine.id(),
            security_name: &target.params.security_name,
            level: target.params.level,
            time_hint: None,
            context_engine_id: news.context_engine_id,
            context_name: news.context_name,
            pdu,
        };
        let mut buffer = vec![0; MAX_MESSAGE_OCTETS];
        let mut writer = Writer::new(&mut buffer);
        let sent = self.engine.send(target.params.version, &sending, &mut writer);
        let Some(message) = sent.ok().and_then(|()| writer.finish().ok()) else { return false };
        self.traps.push_back((target.address, message.to_vec()));
        true
    }

    /// Tells a target that is to acknowledge it. The token; `None`: that can't be.
    pub(super) fn inform(&mut self, target: Target, news: &News<'_>) -> Option<u64> {
        let peer = Peer { target, context_engine_id: news.context_engine_id, context_name: news.context_name.clone() };
        self.peers.submit(peer, RequestKind::Inform, news.varbinds.clone())
    }
}
