//! Random messages of every kind, from a seed, in a form that belongs to no codec; and our codec's way to and
//! from that form. What the oracles make of it is in `oracles`.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::net::Ipv4Addr;

use hamsa_snmp::ber::{DecodeError, Writer};
use hamsa_snmp::message::{
    CommunityMessage, HeaderData, MsgData, MsgFlags, ScopedPdu, SecurityLevel, UsmParameters, V3Message, Version,
};
use hamsa_snmp::pdu::{AnyPdu, Pdu, PduKind, TrapV1};
use hamsa_snmp::value::tag;
use hamsa_snmp::{Oid, OwnedValue, Value, VarBindBuf, VarBindList};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};

/// Names with values.
pub type Bindings = Vec<(Oid, OwnedValue)>;

/// A message, whatever codec it came through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnyMessage {
    Community(Version, Vec<u8>, Body),
    V3(Box<V3>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    Pdu(PduBody),
    TrapV1(TrapBody),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PduBody {
    pub kind: PduKind,
    pub request_id: i32,
    pub field1: i32,
    pub field2: i32,
    pub bindings: Bindings,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrapBody {
    pub enterprise: Oid,
    pub agent_addr: [u8; 4],
    pub generic_trap: i32,
    pub specific_trap: i32,
    pub time_stamp: u32,
    pub bindings: Bindings,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct V3 {
    pub msg_id: i32,
    pub max_size: u32,
    pub level: SecurityLevel,
    pub is_reportable: bool,
    pub security_model: u32,
    pub engine_id: Vec<u8>,
    pub boots: u32,
    pub time: u32,
    pub user_name: Vec<u8>,
    pub auth: Vec<u8>,
    pub privacy: Vec<u8>,
    pub data: Data,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    Plain(Vec<u8>, Vec<u8>, PduBody),
    Encrypted(Vec<u8>),
}

/// A message that every RFC allows; the same for the same seed.
pub fn message(seed: u64) -> AnyMessage {
    let mut rng = StdRng::seed_from_u64(seed);
    match rng.random_range(0..5) {
        0 => AnyMessage::Community(Version::V1, octets(&mut rng, 0, 40), Body::Pdu(pdu(&mut rng, Version::V1))),
        1 => AnyMessage::Community(Version::V1, octets(&mut rng, 0, 40), Body::TrapV1(trap(&mut rng))),
        2 => AnyMessage::Community(Version::V2c, octets(&mut rng, 0, 200), Body::Pdu(pdu(&mut rng, Version::V2c))),
        _ => AnyMessage::V3(Box::new(v3(&mut rng))),
    }
}

fn octets(rng: &mut StdRng, least: usize, most: usize) -> Vec<u8> {
    let mut octets = vec![0; rng.random_range(least..=most)];
    rng.fill_bytes(&mut octets);
    octets
}

fn one<T: Copy>(rng: &mut StdRng, of: &[T]) -> T {
    *of.choose(rng).expect("not empty")
}

/// Numbers at the edges of their encodings, and any others.
fn signed(rng: &mut StdRng) -> i32 {
    match rng.random_range(0..3) {
        0 => one(rng, &[0, 1, -1, 127, 128, -128, -129, 255, 256, 32_767, 32_768, i32::MAX, i32::MIN]),
        1 => rng.random::<i32>() >> rng.random_range(0..32),
        _ => rng.random(),
    }
}

fn unsigned(rng: &mut StdRng) -> u64 {
    match rng.random_range(0..2) {
        0 => one(rng, &[0, 127, 128, 255, 256, 1 << 31, u64::from(u32::MAX), 1 << 32, 1 << 63, u64::MAX]),
        _ => rng.random::<u64>() >> rng.random_range(0..64),
    }
}

fn non_negative(rng: &mut StdRng) -> i32 {
    signed(rng) & i32::MAX
}

pub fn random_oid(rng: &mut StdRng) -> Oid {
    let root = rng.random_range(0..3);
    // rasn keeps both root sub-identifiers in 32 bits; beyond that only our own tests go.
    let second = if root == 2 { (unsigned(rng) as u32).min(u32::MAX - 80) } else { rng.random_range(0..40) };
    let mut arcs = vec![root, second];
    let more = if rng.random_ratio(1, 30) { 126 } else { rng.random_range(0..20) };
    arcs.extend((0..more).map(|_| unsigned(rng) as u32));
    Oid::from_arcs(&arcs).unwrap()
}

fn value(rng: &mut StdRng, version: Version, kind: Option<PduKind>) -> OwnedValue {
    let is_request = matches!(kind, Some(PduKind::GetRequest | PduKind::GetNextRequest | PduKind::GetBulkRequest));
    if is_request && rng.random_ratio(3, 4) {
        return OwnedValue::Null;
    }
    let types = if version == Version::V1 { 8 } else { 9 };
    match rng.random_range(0..types) {
        0 => OwnedValue::Integer(signed(rng)),
        1 => OwnedValue::OctetString(octets(rng, 0, 300).into()),
        2 => OwnedValue::ObjectIdentifier(random_oid(rng)),
        3 => OwnedValue::IpAddress(rng.random::<u32>().into()),
        4 => OwnedValue::Counter32(unsigned(rng) as u32),
        5 => OwnedValue::Gauge32(unsigned(rng) as u32),
        6 => OwnedValue::TimeTicks(unsigned(rng) as u32),
        7 => OwnedValue::Opaque(octets(rng, 0, 20).into()),
        _ if kind == Some(PduKind::Response) && rng.random_ratio(1, 2) => {
            [OwnedValue::NoSuchObject, OwnedValue::NoSuchInstance, OwnedValue::EndOfMibView][rng.random_range(0..3)]
                .clone()
        }
        _ => OwnedValue::Counter64(unsigned(rng)),
    }
}

fn bindings(rng: &mut StdRng, version: Version, kind: Option<PduKind>) -> Bindings {
    (0..rng.random_range(0..8)).map(|_| (random_oid(rng), value(rng, version, kind))).collect()
}

fn pdu(rng: &mut StdRng, version: Version) -> PduBody {
    use PduKind::{GetBulkRequest, GetNextRequest, GetRequest, InformRequest, Report, Response, SetRequest, TrapV2};
    let kinds = [GetRequest, GetNextRequest, Response, SetRequest, GetBulkRequest, InformRequest, TrapV2, Report];
    let known = match version {
        Version::V1 => 4,
        Version::V2c => 7,
        Version::V3 => 8,
    };
    let kind = one(rng, &kinds[..known]);
    let mut bindings = bindings(rng, version, Some(kind));
    match kind {
        InformRequest | TrapV2 => {
            let uptime = ("1.3.6.1.2.1.1.3.0".parse().unwrap(), OwnedValue::TimeTicks(unsigned(rng) as u32));
            let trap_oid = OwnedValue::ObjectIdentifier(random_oid(rng));
            bindings.splice(0..0, [uptime, ("1.3.6.1.6.3.1.1.4.1.0".parse().unwrap(), trap_oid)]);
        }
        Report => bindings = vec![(random_oid(rng), OwnedValue::Counter32(unsigned(rng) as u32))],
        _ => {}
    }
    let (field1, field2) = match kind {
        GetBulkRequest => (non_negative(rng), non_negative(rng)),
        // noError needs no index; the others that v1 has need one.
        Response if !bindings.is_empty() && rng.random() => {
            (one(rng, &[2, 3, 4, 5]), rng.random_range(1..=bindings.len() as i32))
        }
        _ => (0, 0),
    };
    PduBody { kind, request_id: signed(rng), field1, field2, bindings }
}

fn trap(rng: &mut StdRng) -> TrapBody {
    TrapBody {
        enterprise: random_oid(rng),
        agent_addr: rng.random(),
        generic_trap: rng.random_range(0..=6),
        specific_trap: signed(rng),
        time_stamp: unsigned(rng) as u32,
        bindings: bindings(rng, Version::V1, None),
    }
}

fn v3(rng: &mut StdRng) -> V3 {
    let level = one(rng, &[SecurityLevel::NoAuthNoPriv, SecurityLevel::AuthNoPriv, SecurityLevel::AuthPriv]);
    let mac = one(rng, &[12, 16, 24, 32, 48]);
    let data = match level {
        SecurityLevel::AuthPriv => Data::Encrypted(octets(rng, 1, 400)),
        _ => Data::Plain(octets(rng, 0, 32), octets(rng, 0, 32), pdu(rng, Version::V3)),
    };
    V3 {
        msg_id: non_negative(rng),
        max_size: rng.random_range(484..=i32::MAX as u32),
        level,
        is_reportable: rng.random(),
        security_model: 3,
        engine_id: octets(rng, 5, 32),
        boots: non_negative(rng).unsigned_abs(),
        time: non_negative(rng).unsigned_abs(),
        user_name: octets(rng, 0, 32),
        auth: if level.is_authenticated() { octets(rng, mac, mac) } else { Vec::new() },
        privacy: if level.is_private() { octets(rng, 8, 8) } else { Vec::new() },
        data,
    }
}

/// Our encoding of a message.
pub fn encode(message: &AnyMessage) -> Vec<u8> {
    let mut buffer = vec![0; 65_507];
    let mut writer = Writer::new(&mut buffer);
    match message {
        AnyMessage::Community(version, community, Body::Pdu(body)) => {
            let varbinds = list(&body.bindings);
            let pdu = AnyPdu::Pdu(pdu_of(body, varbinds.as_list()));
            CommunityMessage { version: *version, community, pdu }.encode(&mut writer);
        }
        AnyMessage::Community(version, community, Body::TrapV1(body)) => {
            let varbinds = list(&body.bindings);
            let pdu = AnyPdu::TrapV1(TrapV1 {
                enterprise: body.enterprise.as_oid(),
                agent_addr: body.agent_addr.into(),
                generic_trap: body.generic_trap,
                specific_trap: body.specific_trap,
                time_stamp: body.time_stamp,
                varbinds: varbinds.as_list(),
            });
            CommunityMessage { version: *version, community, pdu }.encode(&mut writer);
        }
        AnyMessage::V3(v3) => encode_v3(v3, &mut writer),
    }
    writer.finish().unwrap().to_vec()
}

fn encode_v3(v3: &V3, writer: &mut Writer<'_>) {
    match &v3.data {
        Data::Plain(context_engine_id, context_name, body) => {
            let varbinds = list(&body.bindings);
            let pdu = pdu_of(body, varbinds.as_list());
            ScopedPdu { context_engine_id, context_name, pdu }.encode(writer);
        }
        Data::Encrypted(data) => writer.octet_string(data),
    }
    let usm = UsmParameters {
        engine_id: &v3.engine_id,
        engine_boots: v3.boots,
        engine_time: v3.time,
        user_name: &v3.user_name,
        auth: &v3.auth,
        privacy: &v3.privacy,
    };
    usm.encode(writer);
    let flags = MsgFlags { level: v3.level, reportable: v3.is_reportable };
    let &V3 { msg_id, max_size, security_model, .. } = v3;
    HeaderData { msg_id, max_size, flags, security_model }.encode(writer);
    writer.wrap(tag::SEQUENCE, 0);
}

fn list(bindings: &Bindings) -> VarBindBuf {
    let mut list = VarBindBuf::new();
    bindings.iter().for_each(|(name, value)| list.push(name.as_oid(), value.as_value()));
    list
}

fn pdu_of<'a>(body: &PduBody, varbinds: VarBindList<'a>) -> Pdu<'a> {
    Pdu { kind: body.kind, request_id: body.request_id, field1: body.field1, field2: body.field2, varbinds }
}

/// What our decoder makes of octets. A v3 message is read as far as without keys; security is not looked at.
pub fn decode(octets: &[u8]) -> Result<AnyMessage, DecodeError> {
    if Version::of(octets)? != Version::V3 {
        let message = CommunityMessage::parse(octets)?;
        let body = match message.pdu {
            AnyPdu::Pdu(pdu) => Body::Pdu(body_of(&pdu)),
            AnyPdu::TrapV1(trap) => Body::TrapV1(TrapBody {
                enterprise: trap.enterprise.to_owned(),
                agent_addr: trap.agent_addr.octets(),
                generic_trap: trap.generic_trap,
                specific_trap: trap.specific_trap,
                time_stamp: trap.time_stamp,
                bindings: owned(trap.varbinds),
            }),
        };
        return Ok(AnyMessage::Community(message.version, message.community.to_vec(), body));
    }
    let outer = V3Message::parse(octets)?;
    let (usm, _) = UsmParameters::parse(octets, outer.security_parameters)?;
    let data = match outer.data {
        MsgData::Plain(range) => {
            let scoped = ScopedPdu::parse(octets, range)?;
            Data::Plain(scoped.context_engine_id.to_vec(), scoped.context_name.to_vec(), body_of(&scoped.pdu))
        }
        MsgData::Encrypted(range) => Data::Encrypted(octets[range].to_vec()),
    };
    Ok(AnyMessage::V3(Box::new(V3 {
        msg_id: outer.header.msg_id,
        max_size: outer.header.max_size,
        level: outer.header.flags.level,
        is_reportable: outer.header.flags.reportable,
        security_model: outer.header.security_model,
        engine_id: usm.engine_id.to_vec(),
        boots: usm.engine_boots,
        time: usm.engine_time,
        user_name: usm.user_name.to_vec(),
        auth: usm.auth.to_vec(),
        privacy: usm.privacy.to_vec(),
        data,
    })))
}

fn body_of(pdu: &Pdu<'_>) -> PduBody {
    let &Pdu { kind, request_id, field1, field2, varbinds } = pdu;
    PduBody { kind, request_id, field1, field2, bindings: owned(varbinds) }
}

fn owned(varbinds: VarBindList<'_>) -> Bindings {
    varbinds.iter().map(|varbind| (varbind.name.to_owned(), varbind.value.to_owned())).collect()
}

/// The bindings of a message, if it is not encrypted.
pub fn bindings_of(message: &AnyMessage) -> &[(Oid, OwnedValue)] {
    match message {
        AnyMessage::Community(_, _, Body::Pdu(body)) => &body.bindings,
        AnyMessage::Community(_, _, Body::TrapV1(body)) => &body.bindings,
        AnyMessage::V3(v3) => match &v3.data {
            Data::Plain(_, _, body) => &body.bindings,
            Data::Encrypted(_) => &[],
        },
    }
}

/// The same, to be changed.
pub fn bindings_of_mut(message: &mut AnyMessage) -> &mut [(Oid, OwnedValue)] {
    match message {
        AnyMessage::Community(_, _, Body::Pdu(body)) => &mut body.bindings,
        AnyMessage::Community(_, _, Body::TrapV1(body)) => &mut body.bindings,
        AnyMessage::V3(v3) => match &mut v3.data {
            Data::Plain(_, _, body) => &mut body.bindings,
            Data::Encrypted(_) => &mut [],
        },
    }
}

/// Whether a value is one that its type does not allow.
pub fn is_odd(value: &OwnedValue) -> bool {
    matches!(value.as_value(), Value::Invalid { .. })
}

/// An address from its octets.
pub fn address(octets: [u8; 4]) -> OwnedValue {
    OwnedValue::IpAddress(Ipv4Addr::from(octets))
}
