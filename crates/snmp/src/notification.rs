//! Notifications (RFC 3413 §3.3, §3.4): what a trap or inform says, whatever version it came in, and how one
//! is put together. Versions are mapped as RFC 3584 §3 has it.

use std::net::Ipv4Addr;
use std::time::Instant;

use crate::ber::Writer;
use crate::engine::{Engine, Envelope, OutgoingError, Received};
use crate::oid::{Oid, OidRef};
use crate::pdu::{AnyPdu, Pdu, PduKind, TrapV1};
use crate::value::Value;
use crate::varbind::{VarBind, VarBindBuf, VarBindList};

/// `sysUpTime.0`, the first variable of a v2 notification.
const SYS_UPTIME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 3, 0];
/// `snmpTrapOID.0`, the second.
const SNMP_TRAP_OID: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];
/// `snmpTrapEnterprise.0`, where a v1 trap has passed a proxy.
const SNMP_TRAP_ENTERPRISE: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 4, 3, 0];
/// `snmpTrapAddress.0`, likewise.
const SNMP_TRAP_ADDRESS: &[u32] = &[1, 3, 6, 1, 6, 3, 18, 1, 3, 0];
/// `snmpTrapCommunity.0`, likewise: a secret that must not be shown.
const SNMP_TRAP_COMMUNITY: &[u32] = &[1, 3, 6, 1, 6, 3, 18, 1, 4, 0];
/// `snmpTraps`: the parent of the six generic traps.
const SNMP_TRAPS: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 5];

/// A trap or inform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// What happened: the value of `snmpTrapOID.0`.
    pub trap_oid: Oid,
    /// The sender's `sysUpTime`, hundredths of a second.
    pub uptime_ticks: u32,
    /// The device that a proxy or a v1 trap names as its origin.
    pub agent_address: Option<Ipv4Addr>,
    /// `snmpTrapEnterprise`, where the sender tells it.
    pub enterprise: Option<Oid>,
    /// The other variables; never a community.
    pub varbinds: VarBindBuf,
    /// Whether the sender waits for an acknowledgement.
    pub is_inform: bool,
}

/// Why a message holds no notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotificationError {
    /// It is a request or response.
    #[error("the message holds no trap or inform")]
    OtherPdu,
    /// RFC 3416 §4.2.6 demands sysUpTime.0 and snmpTrapOID.0 first.
    #[error("the notification does not start with sysUpTime.0 and snmpTrapOID.0 (RFC 3416 §4.2.6)")]
    NoTrapOid,
}

impl Notification {
    /// Something that happened, without variables yet.
    ///
    /// # Panics
    /// `trap_oid` is no OID.
    pub fn of(trap_oid: &[u32], uptime_ticks: u32) -> Self {
        Notification {
            trap_oid: Oid::from_arcs(trap_oid).expect("an OID"),
            uptime_ticks,
            agent_address: None,
            enterprise: None,
            varbinds: VarBindBuf::new(),
            is_inform: false,
        }
    }

    /// What a received message says.
    pub fn from_received(received: &Received<'_>) -> Result<Self, NotificationError> {
        match &received.pdu {
            AnyPdu::TrapV1(trap) => Ok(Notification::from_v1(trap)),
            AnyPdu::Pdu(pdu) if matches!(pdu.kind, PduKind::TrapV2 | PduKind::InformRequest) => {
                Notification::from_v2(pdu)
            }
            AnyPdu::Pdu(_) => Err(NotificationError::OtherPdu),
        }
    }

    fn from_v1(trap: &TrapV1<'_>) -> Self {
        Notification {
            trap_oid: trap.trap_oid(),
            uptime_ticks: trap.time_stamp,
            agent_address: Some(trap.agent_addr).filter(|address| !address.is_unspecified()),
            enterprise: Some(trap.enterprise.to_owned()),
            varbinds: trap.varbinds.to_buf(),
            is_inform: false,
        }
    }

    fn from_v2(pdu: &Pdu<'_>) -> Result<Self, NotificationError> {
        let is_first_uptime = pdu.varbinds.iter().next().is_some_and(|first| is(first.name, SYS_UPTIME));
        let mut notification = Notification::from_variables(pdu.varbinds, 0)?;
        notification.is_inform = pdu.kind == PduKind::InformRequest;
        if is_first_uptime { Ok(notification) } else { Err(NotificationError::NoTrapOid) }
    }

    /// What the variables of a notification say; where `sysUpTime.0` is not the first of them, as an AgentX sub-agent may
    /// have it (RFC 2741 §7.1.11), it is `uptime_ticks`.
    ///
    /// # Errors
    /// They do not name what happened.
    pub fn from_variables(variables: VarBindList<'_>, uptime_ticks: u32) -> Result<Self, NotificationError> {
        let mut varbinds = variables.iter().peekable();
        let uptime_ticks = match varbinds.peek() {
            Some(VarBind { name, value: Value::TimeTicks(ticks) }) if is(*name, SYS_UPTIME) => {
                let ticks = *ticks;
                varbinds.next();
                ticks
            }
            _ => uptime_ticks,
        };
        let trap_oid = match varbinds.next() {
            Some(VarBind { name, value: Value::ObjectIdentifier(trap_oid) }) if is(name, SNMP_TRAP_OID) => trap_oid,
            _ => return Err(NotificationError::NoTrapOid),
        };
        let mut notification = Notification {
            trap_oid: trap_oid.to_owned(),
            uptime_ticks,
            agent_address: None,
            enterprise: None,
            varbinds: VarBindBuf::new(),
            is_inform: false,
        };
        for varbind in varbinds {
            match varbind.value {
                Value::ObjectIdentifier(enterprise) if is(varbind.name, SNMP_TRAP_ENTERPRISE) => {
                    notification.enterprise = Some(enterprise.to_owned());
                }
                Value::IpAddress(address) if is(varbind.name, SNMP_TRAP_ADDRESS) => {
                    notification.agent_address = Some(address);
                }
                _ if is(varbind.name, SNMP_TRAP_COMMUNITY) => {}
                value => notification.varbinds.push(varbind.name, value),
            }
        }
        Ok(notification)
    }

    /// The variables of the v2 PDU that says this.
    pub fn to_v2_varbinds(&self) -> VarBindBuf {
        let oid = |arcs| Oid::from_arcs(arcs).expect("a constant");
        let mut list = VarBindBuf::new();
        list.push(oid(SYS_UPTIME).as_oid(), Value::TimeTicks(self.uptime_ticks));
        list.push(oid(SNMP_TRAP_OID).as_oid(), Value::ObjectIdentifier(self.trap_oid.as_oid()));
        for varbind in self.varbinds.iter() {
            list.push(varbind.name, varbind.value);
        }
        if let Some(enterprise) = &self.enterprise {
            list.push(oid(SNMP_TRAP_ENTERPRISE).as_oid(), Value::ObjectIdentifier(enterprise.as_oid()));
        }
        list
    }

    /// The same where a proxy passes a v1 trap on: with the address that the trap names as its origin (RFC 3584 §3.1 (4)).
    pub fn to_v2_varbinds_of_proxy(&self, agent_address: Ipv4Addr) -> VarBindBuf {
        let mut list = self.to_v2_varbinds();
        let address = Oid::from_arcs(SNMP_TRAP_ADDRESS).expect("a constant");
        list.push(address.as_oid(), Value::IpAddress(agent_address));
        list
    }

    /// `enterprise`, `generic-trap` and `specific-trap` of the v1 Trap-PDU that says this (RFC 3584 §3.2).
    pub fn to_v1_identity(&self) -> (Oid, i32, i32) {
        let snmp_traps = Oid::from_arcs(SNMP_TRAPS).expect("a constant");
        let trap = self.trap_oid.as_oid();
        let last = trap.arcs().last().unwrap_or(0);
        let parent = self.trap_oid.parent().unwrap_or_else(|| self.trap_oid.clone());
        if parent == snmp_traps && (1..=6).contains(&last) {
            let enterprise = self.enterprise.clone().unwrap_or(snmp_traps);
            return (enterprise, last as i32 - 1, 0);
        }
        // A trap that stems from v1 has a zero before its number.
        let has_zero = parent.as_oid().arcs().last() == Some(0);
        let enterprise = if has_zero { parent.parent().unwrap_or(parent) } else { parent };
        (enterprise, TrapV1::ENTERPRISE_SPECIFIC, last.cast_signed())
    }
}

/// The acknowledgement that an inform's sender waits for. It is due only when the inform is safe.
#[derive(Debug, Clone)]
pub struct Acknowledgement {
    envelope: Envelope,
    request_id: i32,
    varbinds: VarBindBuf,
}

impl Acknowledgement {
    /// The acknowledgement of a received inform; `None` for anything else.
    pub fn of(received: &Received<'_>) -> Option<Self> {
        let AnyPdu::Pdu(pdu) = &received.pdu else { return None };
        let envelope = received.envelope.clone();
        (pdu.kind == PduKind::InformRequest).then(|| Acknowledgement {
            envelope,
            request_id: pdu.request_id,
            varbinds: pdu.varbinds.to_buf(),
        })
    }

    /// `request-id` of the inform; a sender that hears nothing repeats it.
    pub fn request_id(&self) -> i32 {
        self.request_id
    }

    /// Writes the message (RFC 3413 §3.4, RFC 3416 §4.2.7).
    pub fn encode(&self, engine: &Engine, now: Instant, writer: &mut Writer<'_>) -> Result<(), OutgoingError> {
        let pdu = Pdu::new(PduKind::Response, self.request_id, self.varbinds.as_list());
        engine.respond(now, &self.envelope, &pdu, writer)
    }
}

fn is(name: OidRef<'_>, arcs: &[u32]) -> bool {
    name.arcs().eq(arcs.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oid(text: &str) -> Oid {
        text.parse().unwrap()
    }

    fn notification(trap_oid: &str, enterprise: Option<&str>) -> Notification {
        let mut varbinds = VarBindBuf::new();
        varbinds.push(oid("1.3.6.1.2.1.2.2.1.1.3").as_oid(), Value::Integer(3));
        Notification {
            trap_oid: oid(trap_oid),
            uptime_ticks: 77,
            agent_address: None,
            enterprise: enterprise.map(oid),
            varbinds,
            is_inform: true,
        }
    }

    #[test]
    fn v2_variables_say_all() {
        let sent = notification("1.3.6.1.6.3.1.1.5.3", Some("1.3.6.1.4.1.9"));
        let varbinds = sent.to_v2_varbinds();
        let pdu = Pdu::new(PduKind::InformRequest, 1, varbinds.as_list());
        assert_eq!(Notification::from_v2(&pdu), Ok(sent));
    }

    #[test]
    fn a_community_on_the_way_is_not_kept() {
        let mut varbinds = notification("1.3.6.1.6.3.1.1.5.3", None).to_v2_varbinds();
        varbinds.push(Oid::from_arcs(SNMP_TRAP_COMMUNITY).unwrap().as_oid(), Value::OctetString(b"secret"));
        varbinds.push(Oid::from_arcs(SNMP_TRAP_ADDRESS).unwrap().as_oid(), Value::IpAddress([192, 0, 2, 9].into()));
        let pdu = Pdu::new(PduKind::TrapV2, 1, varbinds.as_list());
        let read = Notification::from_v2(&pdu).unwrap();
        assert_eq!(read.varbinds.len(), 1);
        assert_eq!(read.agent_address, Some([192, 0, 2, 9].into()));
    }

    #[test]
    fn v1_and_v2_identities_map_both_ways() {
        for (trap_oid, enterprise, identity) in [
            ("1.3.6.1.6.3.1.1.5.3", None, ("1.3.6.1.6.3.1.1.5", 2, 0)),
            ("1.3.6.1.6.3.1.1.5.4", Some("1.3.6.1.4.1.9"), ("1.3.6.1.4.1.9", 3, 0)),
            ("1.3.6.1.4.1.9.0.17", None, ("1.3.6.1.4.1.9", 6, 17)),
            ("1.3.6.1.4.1.9.5.17", None, ("1.3.6.1.4.1.9.5", 6, 17)),
        ] {
            let (enterprise, generic_trap, specific_trap) = {
                let (e, g, s) = notification(trap_oid, enterprise).to_v1_identity();
                assert_eq!((e.to_string().as_str(), g, s), identity);
                (e, g, s)
            };
            let trap = TrapV1 {
                enterprise: enterprise.as_oid(),
                agent_addr: [192, 0, 2, 1].into(),
                generic_trap,
                specific_trap,
                time_stamp: 5,
                varbinds: Default::default(),
            };
            let back = Notification::from_v1(&trap);
            let lossy = trap_oid == "1.3.6.1.4.1.9.5.17";
            assert_eq!(back.trap_oid.to_string(), if lossy { "1.3.6.1.4.1.9.5.0.17" } else { trap_oid });
        }
    }

    #[test]
    fn what_does_not_start_as_it_must_is_refused() {
        let varbinds = VarBindBuf::of_names([oid("1.3.6.1").as_oid()]);
        let pdu = Pdu::new(PduKind::TrapV2, 1, varbinds.as_list());
        assert_eq!(Notification::from_v2(&pdu), Err(NotificationError::NoTrapOid));
    }
}
