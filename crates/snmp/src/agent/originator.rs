//! The notification originator (RFC 3413 §3.3): from something that has happened, and the tables that say who wants to
//! know, to messages. Sans-IO, as
//! [`Manager`](crate::manager::Manager) is, which carries the informs.
//!
//! Messages go out of a socket of their own, as answers to informs come back to it. What is under way is in
//! [`Notifications`], which outlives the originator.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use crate::agent::mibs::{NotificationTable, Target, TargetTable};
use crate::agent::outbox::{News, Outbox};
use crate::engine::{AccessControl, AccessRequest, Engine, Name, ViewType};
use crate::manager::{Handled, RequestError, Transmit};
use crate::message::Version;
use crate::notification::Notification;

/// Who wants to know what, and may.
#[derive(Clone, Copy)]
pub struct NotificationTables<'a> {
    /// SNMP-TARGET-MIB.
    pub targets: &'a TargetTable,
    /// SNMP-NOTIFICATION-MIB.
    pub notifications: &'a NotificationTable,
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

/// Notifications on their way.
pub struct Notifications {
    outbox: Outbox,
    acknowledged: VecDeque<u64>,
}

/// Decides who is told what happens.
pub struct NotificationOriginator {
    engine: Arc<Engine>,
    /// `agent-addr` of v1 traps.
    agent_address: Ipv4Addr,
}

impl NotificationOriginator {
    /// An originator that speaks through an engine. `agent_address` is what v1 traps give as their origin.
    pub fn new(engine: Arc<Engine>, agent_address: Ipv4Addr) -> Self {
        NotificationOriginator { engine, agent_address }
    }

    /// Tells all who want to know and may, by trap or inform as `snmpNotifyType` says. A target that several rows
    /// select is told once for each, as RFC 3413 has it.
    pub fn notify(
        &self,
        now: Instant,
        under_way: &mut Notifications,
        tables: &NotificationTables<'_>,
        context: &Name,
        notification: &Notification,
    ) -> Notified {
        let varbinds = notification.to_v2_varbinds();
        // The context is ours, though an inform's receiver has the authoritative engine.
        let news = News {
            notification,
            varbinds: &varbinds,
            context_engine_id: self.engine.id(),
            context_name: context,
            agent_address: self.agent_address,
        };
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
                    let done = under_way.outbox.inform(target, &news).is_some();
                    *(if done { &mut notified.informs } else { &mut notified.failed }) += 1;
                } else {
                    let done = under_way.outbox.trap(now, &target, &news);
                    *(if done { &mut notified.traps } else { &mut notified.failed }) += 1;
                }
            }
        }
        notified
    }
}

impl Notifications {
    /// None yet. `seed` makes identifiers.
    pub fn new(engine: Arc<Engine>, seed: [u8; 32]) -> Self {
        Notifications { outbox: Outbox::new(engine, seed), acknowledged: VecDeque::new() }
    }

    /// The next datagram to send; it is put at the end of `buffer`. Call until `None` after each other call.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        self.outbox.poll_transmit(now, buffer)
    }

    /// Takes a datagram in: an acknowledgement, or what else engines say to each other.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        if let Handled::Completed(completion) = self.outbox.peers.manager.handle_datagram(now, from, datagram) {
            self.acknowledged.push_back(completion.token);
        }
    }

    /// When [`Notifications::handle_timeout`] wants to be called.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        self.outbox.peers.manager.poll_timeout()
    }

    /// Retransmits and gives up what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.outbox.peers.manager.handle_timeout(now);
    }

    /// The next inform that has ended. Call until `None` after each other call.
    pub fn poll_outcome(&mut self) -> Option<InformOutcome> {
        let peers = &mut self.outbox.peers;
        let (token, result) = match self.acknowledged.pop_front() {
            Some(token) => (token, Ok(())),
            None => peers.manager.poll_failure().map(|failure| (failure.token, Err(failure.error)))?,
        };
        Some(InformOutcome { target: peers.end(token)?.target.name, result })
    }

    /// Informs that are neither acknowledged nor given up.
    pub fn pending(&self) -> usize {
        self.outbox.peers.pending()
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
