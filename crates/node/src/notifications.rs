//! Traps and informs (RFC 3413 §3.4): let in by the engine and the operator's policy, told to the store, and
//! only then acknowledged. An inform that is repeated because its acknowledgement was lost is stored once.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::{Engine, Envelope, Name, Received};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::mib::{Mib, OidFormat, ValueStyle};
use hamsa_snmp::notification::{Acknowledgement, Notification};
use hamsa_snmp::{OidRef, Value};
use serde_json::json;

use crate::collector::unix_ms;
use crate::fleet::Fleet;
use crate::limits::{INFORM_MEMORY, MAX_PENDING_INFORMS, MAX_TRAP_VARIABLES};
use crate::writer::EventWrite;

/// What is counted of notifications.
#[derive(Debug, Default)]
pub struct NotificationStats {
    /// Traps let in.
    pub traps: AtomicU64,
    /// Informs let in.
    pub informs: AtomicU64,
    /// Informs that had come before.
    pub repeated: AtomicU64,
    /// Acknowledgements sent.
    pub acknowledged: AtomicU64,
    /// Messages that the engine or the policy turned away.
    pub rejected: AtomicU64,
}

/// Who may notify: credentials by name, each with the least security level that is believed.
pub type AcceptedNames = HashMap<Name, SecurityLevel>;

/// An answer to be sent from where the message had been sent to.
pub(crate) struct Reply {
    pub(crate) socket: usize,
    pub(crate) to: SocketAddr,
    pub(crate) from: Option<IpAddr>,
    /// How many octets lie at the end of the buffer.
    pub(crate) length: usize,
}

/// What becomes of a message.
pub(crate) enum Outcome {
    /// It is to be stored.
    Store(EventWrite),
    /// It is answered at once: a Report, or the acknowledgement of an inform that is stored already.
    Reply(Reply),
    /// It is counted and dropped.
    Dropped,
}

struct PendingInform {
    acknowledgement: Acknowledgement,
    socket: usize,
    to: SocketAddr,
    from: Option<IpAddr>,
}

/// Receives notifications.
pub(crate) struct NotificationReceiver {
    engine: Arc<Engine>,
    mib: Arc<Mib>,
    fleet: Arc<Fleet>,
    accepted: AcceptedNames,
    stats: Arc<NotificationStats>,
    pending: HashMap<u64, PendingInform>,
    next_number: u64,
    /// Informs of late, by sender and request-id, and whether they are stored.
    recent: HashMap<(SocketAddr, i32), bool>,
    recent_order: VecDeque<(Instant, (SocketAddr, i32))>,
}

/// A datagram at a trap socket.
pub(crate) struct Incoming<'m> {
    pub(crate) now: Instant,
    pub(crate) socket: usize,
    pub(crate) from: SocketAddr,
    pub(crate) to: Option<IpAddr>,
    pub(crate) datagram: &'m mut [u8],
}

impl NotificationReceiver {
    pub(crate) fn new(engine: Arc<Engine>, mib: Arc<Mib>, fleet: Arc<Fleet>, accepted: AcceptedNames) -> Self {
        NotificationReceiver {
            engine,
            mib,
            fleet,
            accepted,
            stats: Arc::default(),
            pending: HashMap::new(),
            next_number: 0,
            recent: HashMap::new(),
            recent_order: VecDeque::new(),
        }
    }

    /// Takes notifications in these names from now on.
    pub(crate) fn accept(&mut self, names: AcceptedNames) {
        self.accepted = names;
    }

    pub(crate) fn stats(&self) -> Arc<NotificationStats> {
        self.stats.clone()
    }

    /// Takes a datagram; an answer that is due at once lies at the end of `buffer`.
    pub(crate) fn handle(&mut self, incoming: Incoming<'_>, buffer: &mut [u8]) -> Outcome {
        let Incoming { now, socket, from, to, datagram } = incoming;
        let engine = self.engine.clone();
        let mut report = Writer::new(buffer);
        let received = match engine.receive(now, datagram, &mut report) {
            Ok(received) => received,
            Err(rejected) => {
                let length = report.finish().map_or(0, |report| report.len());
                tracing::debug!(%from, error = %rejected.error, "a notification was turned away");
                self.count(&self.stats.rejected);
                // Being discovered is no offence, but no notification either.
                return if rejected.has_report && length > 0 {
                    Outcome::Reply(Reply { socket, to: from, from: to, length })
                } else {
                    Outcome::Dropped
                };
            }
        };
        let notification = match Notification::from_received(&received) {
            Ok(notification) if self.is_accepted(&received.envelope) => notification,
            Ok(_) => {
                let Envelope { security_name, level, .. } = &received.envelope;
                tracing::debug!(%from, %security_name, level = level.name(), "a notification is not accepted");
                self.count(&self.stats.rejected);
                return Outcome::Dropped;
            }
            Err(error) => {
                tracing::debug!(%from, %error, "not a notification");
                self.count(&self.stats.rejected);
                return Outcome::Dropped;
            }
        };
        let acknowledgement = match Acknowledgement::of(&received) {
            None => {
                self.count(&self.stats.traps);
                None
            }
            Some(acknowledgement) => {
                let pending = PendingInform { acknowledgement, socket, to: from, from: to };
                match self.note_inform(now, pending, buffer) {
                    Ok(number) => Some(number),
                    Err(outcome) => return outcome,
                }
            }
        };
        let (device, payload) = self.describe(from, &received, &notification);
        Outcome::Store(EventWrite { time_ms: unix_ms(now, now), kind: "trap", device, payload, acknowledgement })
    }

    /// An inform is stored; its acknowledgement lies at the end of `buffer`.
    pub(crate) fn acknowledge(&mut self, now: Instant, number: u64, buffer: &mut [u8]) -> Option<Reply> {
        let pending = self.pending.remove(&number)?;
        // One that took long to store may be forgotten, and then nothing would ever forget it again.
        if let Some(is_stored) = self.recent.get_mut(&(pending.to, pending.acknowledgement.request_id())) {
            *is_stored = true;
        }
        self.reply(now, &pending, buffer)
    }

    fn reply(&self, now: Instant, pending: &PendingInform, buffer: &mut [u8]) -> Option<Reply> {
        let mut writer = Writer::new(buffer);
        let encoded = pending.acknowledgement.encode(&self.engine, now, &mut writer);
        let length = match encoded.and_then(|()| Ok(writer.finish()?.len())) {
            Ok(length) => length,
            Err(error) => {
                tracing::warn!(to = %pending.to, %error, "an inform can't be acknowledged");
                return None;
            }
        };
        self.count(&self.stats.acknowledged);
        Some(Reply { socket: pending.socket, to: pending.to, from: pending.from, length })
    }

    /// Gives an inform a number to be acknowledged by; one that has come before is not stored again.
    fn note_inform(&mut self, now: Instant, pending: PendingInform, buffer: &mut [u8]) -> Result<u64, Outcome> {
        self.forget_old(now);
        let key = (pending.to, pending.acknowledgement.request_id());
        match self.recent.get(&key) {
            Some(true) => {
                self.count(&self.stats.repeated);
                return Err(self.reply(now, &pending, buffer).map_or(Outcome::Dropped, Outcome::Reply));
            }
            Some(false) => {
                self.count(&self.stats.repeated);
                return Err(Outcome::Dropped);
            }
            None => {}
        }
        if self.pending.len() >= MAX_PENDING_INFORMS {
            // Its sender will try again, when the store has caught up.
            self.count(&self.stats.rejected);
            return Err(Outcome::Dropped);
        }
        self.count(&self.stats.informs);
        self.recent.insert(key, false);
        self.recent_order.push_back((now, key));
        self.next_number += 1;
        self.pending.insert(self.next_number, pending);
        Ok(self.next_number)
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some(&(at, key)) = self.recent_order.front() {
            let too_many = self.recent_order.len() > MAX_PENDING_INFORMS;
            if !too_many && now.saturating_duration_since(at) < INFORM_MEMORY {
                return;
            }
            self.recent_order.pop_front();
            self.recent.remove(&key);
        }
    }

    fn is_accepted(&self, envelope: &Envelope) -> bool {
        self.accepted.get(&envelope.security_name).is_some_and(|least| envelope.level >= *least)
    }

    /// The device that a notification is of, and what it says as JSON. Communities are not in it.
    fn describe(&self, from: SocketAddr, received: &Received<'_>, notification: &Notification) -> (String, Arc<str>) {
        let origin = notification.agent_address.map_or(from.ip(), IpAddr::V4);
        let device = self.fleet.at(origin).or_else(|| self.fleet.at(from.ip()));
        let name = |oid: OidRef<'_>| self.mib.format_oid(oid, OidFormat::Module);
        let variables: Vec<_> = notification
            .varbinds
            .iter()
            .take(MAX_TRAP_VARIABLES)
            .map(|varbind| {
                let object = self.mib.object_of(varbind.name).map(|(object, _)| object);
                json!({
                    "oid": varbind.name.to_string(),
                    "name": name(varbind.name),
                    "type": varbind.value.type_name(),
                    "value": self.mib.format_value(object, &varbind.value, ValueStyle::Plain),
                    "number": number(&varbind.value),
                })
            })
            .collect();
        let envelope = &received.envelope;
        let is_v3 = envelope.version == Version::V3;
        let payload = json!({
            "trap": name(notification.trap_oid.as_oid()),
            "trap_oid": notification.trap_oid.to_string(),
            "kind": if notification.is_inform { "inform" } else { "trap" },
            "source": from.to_string(),
            "agent_address": notification.agent_address.map(|address| address.to_string()),
            "version": envelope.version.name(),
            "credentials": envelope.security_name.to_string(),
            "security_level": is_v3.then(|| envelope.level.name()),
            "engine_id": is_v3.then(|| envelope.engine_id.to_string()),
            "context": (!envelope.context_name.is_empty()).then(|| envelope.context_name.to_string()),
            "enterprise": notification.enterprise.as_ref().map(|oid| name(oid.as_oid())),
            "uptime_s": f64::from(notification.uptime_ticks) / 100.0,
            "variables": variables,
        });
        (device.map_or_else(String::new, |device| device.name.clone()), payload.to_string().into())
    }

    fn count(&self, counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

fn number(value: &Value<'_>) -> Option<serde_json::Number> {
    value.as_i64().map(Into::into).or_else(|| value.as_u64().map(Into::into))
}
