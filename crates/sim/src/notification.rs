//! Notifications that simulated devices send (RFC 3413 §3.3): traps of v2c and v3 with the standard contents
//! (RFC 3418 §2, RFC 2863 §6). Informs, which wait for an answer, are not sent.

use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::{Engine, Name, OutgoingError, Sending};
use hamsa_snmp::message::{CommunityMessage, SecurityLevel, Version};
use hamsa_snmp::pdu::{AnyPdu, Pdu, PduKind};
use hamsa_snmp::{Oid, OwnedValue, Value, VarBindBuf};

/// Where the agents of a group send their notifications.
#[derive(Debug, Clone)]
pub struct NotificationTarget {
    /// The receiver.
    pub address: SocketAddr,
    /// How.
    pub sender: NotificationSender,
}

/// In whose name a notification is sent.
#[derive(Clone)]
pub enum NotificationSender {
    /// A v2c trap with this community.
    Community(String),
    /// An SNMPv3 trap of this user, one of the group's, secured as far as the user can.
    User(String),
}

impl fmt::Debug for NotificationSender {
    /// Never shows the community.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotificationSender::Community(_) => f.write_str("Community"),
            NotificationSender::User(name) => write!(f, "User({name:?})"),
        }
    }
}

/// [`NotificationSender`] made ready.
#[derive(Clone)]
pub(crate) enum Sender {
    Community(Box<[u8]>),
    User(Name, SecurityLevel),
}

/// What happened, by the last sub-identifier below `snmpTraps`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrapKind {
    ColdStart = 1,
    LinkDown = 3,
    LinkUp = 4,
    AuthenticationFailure = 5,
}

/// A notification to be written.
pub(crate) struct Trap<'t> {
    pub(crate) kind: TrapKind,
    pub(crate) uptime_ticks: u32,
    pub(crate) variables: &'t [(Oid, OwnedValue)],
    /// `request-id` and `msgID`.
    pub(crate) id: i32,
}

const SNMP_TRAPS: [u32; 9] = [1, 3, 6, 1, 6, 3, 1, 1, 5];
const SYS_UP_TIME: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 3, 0];
const SNMP_TRAP_OID: [u32; 11] = [1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];

impl Trap<'_> {
    /// Writes the message.
    pub(crate) fn write(
        &self,
        now: Instant,
        engine: &Engine,
        sender: &Sender,
        writer: &mut Writer<'_>,
    ) -> Result<(), OutgoingError> {
        let oid = |arcs: &[u32]| Oid::from_arcs(arcs).expect("a constant");
        let trap_oid = oid(&SNMP_TRAPS).child(self.kind as u32).expect("a short name");
        let mut varbinds = VarBindBuf::new();
        varbinds.push(oid(&SYS_UP_TIME).as_oid(), Value::TimeTicks(self.uptime_ticks));
        varbinds.push(oid(&SNMP_TRAP_OID).as_oid(), Value::ObjectIdentifier(trap_oid.as_oid()));
        for (name, value) in self.variables {
            varbinds.push(name.as_oid(), value.as_value());
        }
        let pdu = AnyPdu::Pdu(Pdu::new(PduKind::TrapV2, self.id, varbinds.as_list()));
        match sender {
            Sender::Community(community) => {
                CommunityMessage { version: Version::V2c, community, pdu }.encode(writer);
                Ok(())
            }
            Sender::User(name, level) => {
                let sending = Sending {
                    now,
                    msg_id: self.id,
                    engine_id: engine.id(),
                    security_name: name,
                    level: *level,
                    time_hint: None,
                    context_engine_id: engine.id(),
                    context_name: &Name::default(),
                    pdu,
                };
                engine.send(Version::V3, &sending, writer)
            }
        }
    }
}
