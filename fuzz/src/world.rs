//! A network for scripts to play with: two agents, datagrams on their way, and a clock. Nothing in it is random
//! and nothing of it is real.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::Statistic;
use hamsa_snmp::manager::{TargetConfig, Timing};
use hamsa_snmp::message::{
    CommunityParts, HeaderData, MsgFlags, ScopedPdu, SecurityLevel, UsmParameters, V3Message, Version,
};
use hamsa_snmp::pdu::{Pdu, PduKind};
use hamsa_snmp::value::tag;
use hamsa_snmp::{Value, VarBindBuf};

use crate::entity::{AGENT, Entity, MANAGER, STRANGER, engine_id, name, oid, origin};
use crate::script::Script;

/// Datagrams that are kept on their way at most.
const MAX_ON_THE_WAY: usize = 32;

/// Whom targets are at, and one address where nobody is.
const ADDRESSES: [&str; 3] = ["192.0.2.1:161", "192.0.2.2:161", "192.0.2.66:161"];

/// A datagram that waits to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Where it seems to come from.
    pub from: SocketAddr,
    /// What it holds.
    pub octets: Vec<u8>,
    /// Whether an agent wrote it so, wherever it comes from.
    pub is_genuine: bool,
}

/// The network.
pub struct World {
    /// Now.
    pub now: Instant,
    agents: [Entity; 2],
    requests: Vec<(SocketAddr, Vec<u8>)>,
    answers: Vec<Datagram>,
}

/// An address by its number.
pub fn address(number: usize) -> SocketAddr {
    ADDRESSES[number % ADDRESSES.len()].parse().expect("a constant")
}

impl Default for World {
    /// A network where nothing has happened yet.
    fn default() -> Self {
        World { now: origin(), agents: [Entity::agent(), Entity::forge()], requests: Vec::new(), answers: Vec::new() }
    }
}

impl World {
    /// How a script wants a target to be asked.
    pub fn target(script: &mut Script<'_>) -> TargetConfig {
        let none = SecurityLevel::NoAuthNoPriv;
        let (version, security_name, level) = script.one_of(&[
            (Version::V2c, "public", none),
            (Version::V1, "public", none),
            (Version::V3, "none", none),
            (Version::V3, "auth", SecurityLevel::AuthNoPriv),
            (Version::V3, "full", SecurityLevel::AuthPriv),
            (Version::V3, "wide", SecurityLevel::AuthPriv),
            // These can't be asked: the first has no key, the second is not known.
            (Version::V3, "auth", SecurityLevel::AuthPriv),
            (Version::V2c, "nobody", none),
        ]);
        let waits = [Duration::from_secs(1), Duration::ZERO, Duration::from_millis(20), Duration::MAX];
        let (initial, min, max) = (script.one_of(&waits), script.one_of(&waits), script.one_of(&waits));
        TargetConfig {
            address: address(script.below(3)),
            version,
            security_name: name(security_name),
            level,
            context_name: name(script.one_of(&["", "", "", "vrf1", "nowhere"])),
            context_engine_id: script.one_of(&[None, None, Some(engine_id(AGENT)), Some(engine_id(STRANGER))]),
            engine_id: script.one_of(&[None, None, Some(engine_id(AGENT)), Some(engine_id(STRANGER))]),
            timing: Timing {
                initial,
                min,
                max,
                retries: script.one_of(&[1, 0, 3, u8::MAX]),
                adaptive: script.octet() & 1 == 0,
            },
            max_outstanding: script.one_of(&[2, 0, 1, u8::MAX]),
        }
    }

    /// Takes a datagram that was sent.
    pub fn sent(&mut self, to: SocketAddr, octets: Vec<u8>) {
        if self.requests.len() == MAX_ON_THE_WAY {
            self.requests.remove(0);
        }
        self.requests.push((to, octets));
    }

    /// Lets one request arrive at its agent, if anyone is there.
    pub fn answer_one(&mut self, script: &mut Script<'_>) {
        if self.requests.is_empty() {
            return;
        }
        let (to, request) = self.requests.remove(script.below(self.requests.len().min(256)));
        let Some(agent) = (0..2).find(|&agent| address(agent) == to).map(|agent| &self.agents[agent]) else { return };
        if let Some(octets) = agent.answer(self.now, &request) {
            self.answers.push(Datagram { from: to, octets, is_genuine: true });
        }
        self.answers.truncate(MAX_ON_THE_WAY);
    }

    /// A datagram that arrives: an answer, perhaps late, twice, changed or from elsewhere, or something made up.
    pub fn arrival(&mut self, script: &mut Script<'_>) -> Option<Datagram> {
        let way = script.below(8);
        if way == 7 {
            return self.invention(script);
        }
        if self.answers.is_empty() {
            return None;
        }
        let index = script.below(self.answers.len().min(256));
        let mut datagram = if way == 3 { self.answers[index].clone() } else { self.answers.remove(index) };
        let original = datagram.octets.clone();
        match way {
            4 => {
                let place = usize::from(u16::from_be_bytes([script.octet(), script.octet()])) % datagram.octets.len();
                datagram.octets[place] ^= script.octet();
            }
            5 => datagram.from = address(script.below(3)),
            6 => {
                let place = script.below(256) % datagram.octets.len();
                datagram.octets.splice(place.., script.octets(8).iter().copied());
            }
            _ => {}
        }
        datagram.is_genuine = datagram.octets == original;
        Some(datagram)
    }

    /// An answer that is made up by someone who has seen the request.
    fn invention(&mut self, script: &mut Script<'_>) -> Option<Datagram> {
        let (from, request) = self.requests.get(script.below(MAX_ON_THE_WAY))?;
        let octets = match V3Message::parse(request) {
            Ok(seen) => invented_v3(seen.header.msg_id, script),
            Err(_) => invented_v2c(request, script)?,
        };
        Some(Datagram { from: *from, octets, is_genuine: false })
    }

    /// Lets some time pass: a little, a lot, or until `next`.
    pub fn pass_time(&mut self, script: &mut Script<'_>, next: Option<Instant>) {
        match script.octet() {
            0..=99 => self.now = self.now.max(next.unwrap_or(self.now)),
            by @ 100..=199 => self.now += Duration::from_millis(u64::from(by - 100).pow(2)),
            by => self.now += Duration::from_secs(u64::from(by - 200).pow(2)),
        }
    }
}

/// One of the names that there may be something about.
pub fn some_name(script: &mut Script<'_>) -> hamsa_snmp::Oid {
    oid(script.one_of(&[
        "1.3.6.1.2.1.1.3.0",
        "1.3.6.1.2.1.1.5.0",
        "1.3.6.1.2.1.1",
        "1.3.6.1.4.1.32473.1",
        "1.3.6.1.4.1.32473.1.8",
        "1.3.6.1.4.1.32473.1.3.1",
        "1.3.6.1.4.1.32473.9",
        "0.0",
    ]))
}

fn some_statistic(script: &mut Script<'_>) -> Statistic {
    script.one_of(&Statistic::ALL)
}

fn invented_v3(msg_id: i32, script: &mut Script<'_>) -> Vec<u8> {
    let mut varbinds = VarBindBuf::new();
    varbinds.push(some_statistic(script).instance().as_oid(), Value::Counter32(1));
    let kind = script.one_of(&[PduKind::Report, PduKind::Report, PduKind::Response, PduKind::TrapV2]);
    let mut pdu = Pdu::new(kind, msg_id, varbinds.as_list());
    pdu.field1 = i32::from(script.octet()) % 20;
    let engine = engine_id(script.one_of(&[AGENT, STRANGER, MANAGER]));
    let engine = if script.octet() & 7 == 7 { hamsa_snmp::engine::EngineId::EMPTY } else { engine };
    let flags = MsgFlags { level: SecurityLevel::NoAuthNoPriv, reportable: script.octet() & 1 == 1 };
    let usm = UsmParameters {
        engine_id: engine.as_octets(),
        engine_boots: u32::from(script.octet()),
        engine_time: u32::from(script.octet()) << 16,
        user_name: script.one_of(&[&b"guest"[..], b"ops", b""]),
        auth: &[],
        privacy: &[],
    };
    crate::codec::written(|writer: &mut Writer<'_>| {
        ScopedPdu { context_engine_id: engine.as_octets(), context_name: b"", pdu }.encode(writer);
        usm.encode(writer);
        HeaderData { msg_id, max_size: 65_507, flags, security_model: 3 }.encode(writer);
        writer.wrap(tag::SEQUENCE, 0);
    })
}

fn invented_v2c(request: &[u8], script: &mut Script<'_>) -> Option<Vec<u8>> {
    let parts = CommunityParts::parse(request).ok()?;
    let mut fields = hamsa_snmp::ber::Reader::new(&request[parts.pdu]);
    let request_id = fields.tlv().ok()?.1.integer().ok()?;
    let mut varbinds = VarBindBuf::new();
    for _ in 0..script.below(4) {
        let value = script.one_of(&[Value::Integer(1), Value::EndOfMibView, Value::TimeTicks(9), Value::Null]);
        varbinds.push(some_name(script).as_oid(), value);
    }
    let kind = script.one_of(&[PduKind::Response, PduKind::Response, PduKind::Report, PduKind::GetRequest]);
    let mut pdu = Pdu::new(kind, request_id, varbinds.as_list());
    (pdu.field1, pdu.field2) = (i32::from(script.octet()) % 20, i32::from(script.octet()) - 3);
    let version = script.one_of(&[parts.version, Version::V1, Version::V2c]);
    Some(crate::codec::written(|writer: &mut Writer<'_>| {
        pdu.encode(writer);
        writer.octet_string(script.one_of(&[&b"public"[..], b"private", b"x"]));
        writer.integer(version as i32);
        writer.wrap(tag::SEQUENCE, 0);
    }))
}
