//! The notification originator (RFC 3413 §3.3): from something that has happened, and the tables that say who wants to
//! know, to messages. Sans-IO, as
//! [`Manager`](crate::manager::Manager) is, which carries the informs.
//!
//! Messages go out of a socket of their own, as answers to informs come back to it. Informs under way are working
//! memory: they end with the originator.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use crate::agent::mibs::{NotificationMib, Target, TargetMib};
use crate::agent::peers::{Peer, Peers, is_consistent};
use crate::ber::Writer;
use crate::engine::{AccessControl, AccessRequest, Engine, Name, Sending, ViewType};
use crate::limits::{MAX_MESSAGE_OCTETS, MAX_WAITING_TRAPS};
use crate::manager::{Handled, RequestError, RequestKind, Transmit};
use crate::message::Version;
use crate::notification::Notification;
use crate::pdu::{AnyPdu, Pdu, PduKind, TrapV1};
use crate::value::Value;

/// Who wants to know what, and may.
#[derive(Clone, Copy)]
pub struct NotificationTables<'a> {
    /// SNMP-TARGET-MIB.
    pub targets: &'a TargetMib,
    /// SNMP-NOTIFICATION-MIB.
    pub notifications: &'a NotificationMib,
    /// Access control.
    pub access: &'a dyn AccessControl,
}

/// What became of a notification: how many targets it was for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Notified {
    /// A trap is on its way.
    pub traps: usize,
    /// An inform is.
    pub informs: usize,
    /// Its filter lets it not pass.
    pub filtered: usize,
    /// It may not see it.
    pub denied: usize,
    /// It can't be told: its credentials or version don't fit, or there is no room.
    pub failed: usize,
}

/// How an inform ended.
#[derive(Debug)]
pub struct InformOutcome {
    /// The target's name.
    pub target: Name,
    /// Whether it was acknowledged, or why not.
    pub result: Result<(), RequestError>,
}

/// Tells what happens.
pub struct NotificationOriginator {
    engine: Arc<Engine>,
    /// `agent-addr` of v1 traps.
    agent_address: Ipv4Addr,
    next_id: i32,
    traps: VecDeque<(SocketAddr, Vec<u8>)>,
    receivers: Peers,
    acknowledged: VecDeque<u64>,
}

impl NotificationOriginator {
    /// An originator that speaks through an engine. `seed` makes its identifiers; `agent_address` is what v1 traps give
    /// as their origin.
    pub fn new(engine: Arc<Engine>, seed: [u8; 32], agent_address: Ipv4Addr) -> Self {
        let first_id = i32::from_be_bytes([seed[0] & 0x7f, seed[1], seed[2], seed[3]]);
        NotificationOriginator {
            receivers: Peers::new(engine.clone(), seed),
            engine,
            agent_address,
            next_id: first_id,
            traps: VecDeque::new(),
            acknowledged: VecDeque::new(),
        }
    }

    /// Tells all who want to know and may, by trap or inform as `snmpNotifyType` says. A target that several rows
    /// select is told once for each, as RFC 3413 has it.
    pub fn notify(
        &mut self,
        now: Instant,
        tables: &NotificationTables<'_>,
        context: &Name,
        notification: &Notification,
    ) -> Notified {
        let mut notified = Notified::default();
        for notify in tables.notifications.notifies() {
            for target in tables.targets.tagged(&notify.tag) {
                let names = notification.varbinds.iter().map(|varbind| varbind.name);
                let trap_oid = notification.trap_oid.as_oid();
                if !tables.notifications.passes(&target.params.name, trap_oid, names) {
                    notified.filtered += 1;
                } else if !is_allowed(tables.access, &target, context, notification) {
                    notified.denied += 1;
                } else if notify.is_inform && target.params.version != Version::V1 {
                    let done = self.inform(target, context, notification);
                    *(if done { &mut notified.informs } else { &mut notified.failed }) += 1;
                } else {
                    let done = self.trap(now, &target, context, notification);
                    *(if done { &mut notified.traps } else { &mut notified.failed }) += 1;
                }
            }
        }
        notified
    }

    /// The next datagram to send; it is put at the end of `buffer`. Call until `None` after each other call.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        while let Some((address, message)) = self.traps.pop_front() {
            if let Some(start) = buffer.len().checked_sub(message.len()) {
                buffer[start..].copy_from_slice(&message);
                return Some(Transmit { address, length: message.len() });
            }
        }
        self.receivers.manager.poll_transmit(now, buffer)
    }

    /// Takes a datagram in: an acknowledgement, or what else engines say to each other.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        if let Handled::Completed(completion) = self.receivers.manager.handle_datagram(now, from, datagram) {
            self.acknowledged.push_back(completion.token);
        }
    }

    /// When [`NotificationOriginator::handle_timeout`] wants to be called.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        self.receivers.manager.poll_timeout()
    }

    /// Retransmits and gives up what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.receivers.manager.handle_timeout(now);
    }

    /// The next inform that has ended. Call until `None` after each other call.
    pub fn poll_outcome(&mut self) -> Option<InformOutcome> {
        let (token, result) = match self.acknowledged.pop_front() {
            Some(token) => (token, Ok(())),
            None => self.receivers.manager.poll_failure().map(|failure| (failure.token, Err(failure.error)))?,
        };
        Some(InformOutcome { target: self.receivers.end(token)?.target.name, result })
    }

    /// Informs that are neither acknowledged nor given up.
    pub fn pending(&self) -> usize {
        self.receivers.pending()
    }

    fn trap(&mut self, now: Instant, target: &Target, context: &Name, notification: &Notification) -> bool {
        if self.traps.len() >= MAX_WAITING_TRAPS || !is_consistent(target) {
            return false;
        }
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        let id = self.next_id;
        let (varbinds, enterprise);
        let pdu = if target.params.version == Version::V1 {
            // RFC 3584 §3.2: what v1 can't say is not sent.
            if notification.varbinds.iter().any(|varbind| matches!(varbind.value, Value::Counter64(_))) {
                return false;
            }
            let (generic_trap, specific_trap);
            (enterprise, generic_trap, specific_trap) = notification.to_v1_identity();
            AnyPdu::TrapV1(TrapV1 {
                enterprise: enterprise.as_oid(),
                agent_addr: notification.agent_address.unwrap_or(self.agent_address),
                generic_trap,
                specific_trap,
                time_stamp: notification.uptime_ticks,
                varbinds: notification.varbinds.as_list(),
            })
        } else {
            varbinds = notification.to_v2_varbinds();
            AnyPdu::Pdu(Pdu::new(PduKind::TrapV2, id, varbinds.as_list()))
        };
        let engine_id = self.engine.id();
        let sending = Sending {
            now,
            msg_id: id,
            engine_id,
            security_name: &target.params.security_name,
            level: target.params.level,
            time_hint: None,
            context_engine_id: engine_id,
            context_name: context,
            pdu,
        };
        let mut buffer = vec![0; MAX_MESSAGE_OCTETS];
        let mut writer = Writer::new(&mut buffer);
        let sent = self.engine.send(target.params.version, &sending, &mut writer);
        let Some(message) = sent.ok().and_then(|()| writer.finish().ok()) else { return false };
        self.traps.push_back((target.address, message.to_vec()));
        true
    }

    fn inform(&mut self, target: Target, context: &Name, notification: &Notification) -> bool {
        // The context is ours, though the receiver's engine is the authoritative one.
        let peer = Peer { target, context_engine_id: self.engine.id(), context_name: context.clone() };
        self.receivers.submit(peer, RequestKind::Inform, notification.to_v2_varbinds()).is_some()
    }
}

/// RFC 3413 §3.3: the notification's type and all its variables must be in the target's notify view.
fn is_allowed(access: &dyn AccessControl, target: &Target, context: &Name, notification: &Notification) -> bool {
    let request = AccessRequest {
        security_model: target.params.security_model,
        security_name: &target.params.security_name,
        level: target.params.level,
        context_name: context,
        view_type: ViewType::Notify,
    };
    let names = notification.varbinds.iter().map(|varbind| varbind.name);
    std::iter::once(notification.trap_oid.as_oid())
        .chain(names)
        .all(|name| access.is_access_allowed(&request, name).is_ok())
}
