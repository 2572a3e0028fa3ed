//! Inputs to start from: real messages of every kind, and the parts of them.

use std::net::Ipv4Addr;

use hamsa_snmp::engine::Name;
use hamsa_snmp::message::{CommunityParts, MsgData, V3Message, Version};
use hamsa_snmp::pdu::{AnyPdu, Bulk, Pdu, PduKind, TrapV1};
use hamsa_snmp::{Value, VarBind, VarBindBuf};

use crate::engine::SIGNED_HEADER_OCTETS;
use crate::entity::{AGENT, Entity, USERS, name, oid, sending};
use crate::script::STEP_OCTETS;

const KINDS: [PduKind; 7] = [
    PduKind::GetRequest,
    PduKind::GetNextRequest,
    PduKind::Response,
    PduKind::SetRequest,
    PduKind::InformRequest,
    PduKind::TrapV2,
    PduKind::Report,
];

/// Bindings that a request, a response and a trap have.
fn binding_lists() -> Vec<VarBindBuf> {
    let (long, enterprise) = ([b'x'; 200], oid("1.3.6.1.4.1.32473.1"));
    let values = [
        Value::Integer(-5),
        Value::OctetString(b"eth0"),
        Value::OctetString(&long),
        Value::Null,
        Value::ObjectIdentifier(enterprise.as_oid()),
        Value::IpAddress(Ipv4Addr::new(192, 0, 2, 1)),
        Value::Counter32(u32::MAX),
        Value::Gauge32(0),
        Value::TimeTicks(1 << 31),
        Value::Opaque(&[0x9f, 0x78, 4, 0x3f, 0x80, 0, 0]),
        Value::Counter64(u64::MAX),
        Value::NoSuchObject,
        Value::NoSuchInstance,
        Value::EndOfMibView,
        Value::Invalid { tag: 0x45, content: &[1, 2] },
    ];
    let everything = values.iter().map(|&value| VarBind { name: enterprise.as_oid(), value }).collect();
    let asked = ["1.3.6.1.2.1.1.3.0", "1.3.6.1.4.1.32473.1.2.4294967295", "0.0", "2.999.3"].map(oid);
    let mut trap = VarBindBuf::new();
    trap.push(oid("1.3.6.1.2.1.1.3.0").as_oid(), Value::TimeTicks(77));
    trap.push(oid("1.3.6.1.6.3.1.1.4.1.0").as_oid(), Value::ObjectIdentifier(oid("1.3.6.1.6.3.1.1.5.3").as_oid()));
    trap.push(oid("1.3.6.1.6.3.1.1.4.3.0").as_oid(), Value::ObjectIdentifier(enterprise.as_oid()));
    trap.push(oid("1.3.6.1.6.3.18.1.3.0").as_oid(), Value::IpAddress(Ipv4Addr::LOCALHOST));
    trap.push(oid("1.3.6.1.6.3.18.1.4.0").as_oid(), Value::OctetString(b"public"));
    let names = VarBindBuf::of_names(asked.iter().map(|name| name.as_oid()));
    vec![VarBindBuf::new(), names, trap, everything]
}

/// Messages of every version, PDU and security level, to the agent's engine.
pub fn messages() -> Vec<Vec<u8>> {
    let (entity, lists, enterprise) = (Entity::manager(), binding_lists(), oid("1.3.6.1.4.1.32473"));
    let mut all = Vec::new();
    let mut add = |version, security_name: &str, level, pdu| {
        let (security_name, context) = (name(security_name), Name::default());
        all.extend(entity.send(version, &sending(&security_name, level, AGENT, &context, pdu)));
    };
    let level = USERS[0].1;
    let mut pdus: Vec<Pdu<'_>> = KINDS.iter().map(|&kind| Pdu::new(kind, 4711, lists[1].as_list())).collect();
    pdus.push(Pdu::get_bulk(4711, Bulk { non_repeaters: 1, max_repetitions: 5 }, lists[1].as_list()));
    pdus.extend(lists.iter().map(|list| Pdu::new(PduKind::Response, -1, list.as_list())));
    pdus.push(Pdu::new(PduKind::TrapV2, 4711, lists[2].as_list()));
    pdus.push(Pdu::new(PduKind::InformRequest, 4711, lists[2].as_list()));
    for pdu in &pdus {
        for version in [Version::V1, Version::V2c] {
            add(version, "public", level, AnyPdu::Pdu(*pdu));
        }
        for (security_name, level) in USERS {
            add(Version::V3, security_name, level, AnyPdu::Pdu(*pdu));
        }
    }
    for generic_trap in [0, 6] {
        let trap = TrapV1 {
            enterprise: enterprise.as_oid(),
            agent_addr: Ipv4Addr::new(192, 0, 2, 1),
            generic_trap,
            specific_trap: 17,
            time_stamp: u32::MAX,
            varbinds: lists[3].as_list(),
        };
        add(Version::V1, "public", level, AnyPdu::TrapV1(trap));
    }
    let (nobody, context) = (Name::default(), Name::default());
    let probe = AnyPdu::Pdu(Pdu::new(PduKind::GetRequest, 1, lists[0].as_list()));
    let mut discovery = sending(&nobody, level, AGENT, &context, probe);
    discovery.engine_id = hamsa_snmp::engine::EngineId::EMPTY;
    all.extend(entity.send(Version::V3, &discovery));
    all
}

/// PDUs.
pub fn pdus() -> Vec<Vec<u8>> {
    parts(|message| Some(message[CommunityParts::parse(message).ok()?.pdu].to_vec()))
}

/// The contents of variable binding lists.
pub fn varbinds() -> Vec<Vec<u8>> {
    binding_lists().iter().map(|list| list.as_list().as_ber().to_vec()).collect()
}

/// USM parameters.
pub fn usm_parameters() -> Vec<Vec<u8>> {
    parts(|message| Some(message[V3Message::parse(message).ok()?.security_parameters].to_vec()))
}

/// Scoped PDUs.
pub fn scoped_pdus() -> Vec<Vec<u8>> {
    parts(|message| match V3Message::parse(message).ok()?.data {
        MsgData::Plain(range) => Some(message[range].to_vec()),
        MsgData::Encrypted(_) => None,
    })
}

/// Circumstances of signed messages, each with a scoped PDU.
pub fn signed() -> Vec<Vec<u8>> {
    let headers: [[u8; SIGNED_HEADER_OCTETS]; 4] = [
        [0, 2, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [2, 1, 4, 0, 0, 0x22, 0x85, 0, 6, 3, 0x88, 0, 10],
        [2, 2, 9, 0, 0, 0x13, 9, 4, 12, 0x84, 10, 0, 11],
        [1, 4, 10, 13, 13, 0x54, 10, 0, 0, 0, 0, 0, 0],
    ];
    scoped_pdus().iter().zip(headers.iter().cycle()).map(|(scoped, header)| [header, &scoped[..]].concat()).collect()
}

/// Changes to good messages.
pub fn tampering() -> Vec<Vec<u8>> {
    (0..16).map(|who| vec![who, 0, who * 7, 1, 0, 60 + who, 0x80]).chain([vec![3]]).collect()
}

/// Ways to travel, each with a PDU.
pub fn notifications() -> Vec<Vec<u8>> {
    let all = pdus();
    let is_notification = |pdu: &&Vec<u8>| matches!(pdu.first(), Some(0xa4 | 0xa6 | 0xa7));
    let all = all.iter().filter(is_notification);
    all.flat_map(|pdu| (0..3).map(move |way| [&[way], &pdu[..]].concat())).collect()
}

/// Plays of a manager: ask, send, let the agent answer, deliver, in every version; then the same with losses.
pub fn manager_scripts() -> Vec<Vec<u8>> {
    let exchange: [&[u8]; 3] = [&[4], &[6], &[8]];
    let exchanges = [exchange; 3].concat();
    (0..8u8)
        .flat_map(|version| {
            let exchanges = exchanges.clone();
            (0..5u8).map(move |kind| {
                let (target, ask, wait) = ([version, 0, 0, 0, 0], [0, 0, 1, 5, kind, 2, 0, 1], [11, 0]);
                let first: [&[u8]; 4] = [&target, &ask, &ask, &ask];
                let then: [&[u8]; 8] = [&ask, &[4], &wait, &[4], &[6], &[8, 3], &[8], &ask];
                let last: [&[u8]; 5] = [&[4], &[13, 4], &[11, 120], &[8, 7], &wait];
                steps(first.into_iter().chain(exchanges.clone()).chain(then).chain(exchanges.clone()).chain(last))
            })
        })
        .collect()
}

/// Agents that tell the truth for a while, and then do not.
pub fn reading_scripts() -> Vec<Vec<u8>> {
    let headers: [&[u8]; 4] =
        [&[0, 0, 0, 0, 1, 0, 2, 3, 5], &[1, 0, 0, 0, 2, 0, 1, 1, 4], &[0, 2, 3, 0, 0, 4, 3, 3, 4, 5], &[0; 9]];
    let answers: [&[u8]; 6] =
        [&[0, 1, 1, 1, 1], &[0, 2, 0, 1, 2, 3], &[0, 5, 9, 9, 9], &[0, 0, 0], &[0, 6, 1, 9, 2], &[15]];
    headers
        .iter()
        .flat_map(|&header| {
            (1..6).map(move |n| steps([header].into_iter().chain(answers.into_iter().cycle().take(4 * n))))
        })
        .collect()
}

/// Plays of a poller: a device, and exchanges until its poll is complete.
pub fn poller_scripts() -> Vec<Vec<u8>> {
    let plans: [&[u8]; 5] = [&[0, 3], &[0, 0x14], &[1, 0x1f, 0, 1, 2, 3, 4, 1, 0, 0, 1], &[0, 0x4b, 2, 1], &[0, 0]];
    let exchange: [&[u8]; 6] = [&[0], &[2], &[2], &[5], &[5], &[8]];
    (0..6u8)
        .flat_map(|version| {
            plans.into_iter().flat_map(move |plan| {
                [0, 1].map(|once| {
                    let (add, target, again) = ([10, once], [version], [8, 0]);
                    let start: [&[u8]; 4] = [&add, &target, plan, &again];
                    let middle: [&[u8]; 4] = [&[12], &[13], &[8, 210], &[5, 7]];
                    steps(
                        start
                            .into_iter()
                            .chain([exchange; 6].concat())
                            .chain(middle)
                            .chain(start)
                            .chain([exchange; 2].concat()),
                    )
                })
            })
        })
        .collect()
}

/// Steps of a script, each filled up with zeros.
fn steps<'a>(of: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let fill = |step: &[u8]| (0..STEP_OCTETS).map(|i| step.get(i).copied().unwrap_or(0)).collect::<Vec<u8>>();
    of.into_iter().flat_map(fill).collect()
}

/// Messages, each with some room for its answer.
pub fn questions() -> Vec<Vec<u8>> {
    messages()
        .into_iter()
        .zip([0, 1, 20, 30, 60, 255].into_iter().cycle())
        .map(|(message, room)| [vec![room], message].concat())
        .collect()
}

/// Scoped PDUs, each with a user and some room for the answer.
pub fn signed_questions() -> Vec<Vec<u8>> {
    let ways = (0..5).flat_map(|who| [0, 1, 20, 30, 60, 255].map(|room| vec![who, room]));
    let all: Vec<_> = scoped_pdus();
    all.iter().cycle().zip(ways).map(|(scoped, way)| [&way[..], scoped].concat()).collect()
}

/// Tags with contents.
pub fn values() -> Vec<Vec<u8>> {
    let tags = [2, 4, 5, 6, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x80, 0x81, 0x82];
    let contents =
        [&[][..], &[0x7f], &[0x80], &[1, 2, 3, 4], &[0, 0xff, 0xff, 0xff, 0xff], &[0, 1, 2, 3, 4, 5, 6, 7, 8]];
    tags.iter().flat_map(|&tag| contents.map(|content| [&[tag], content].concat())).collect()
}

/// Pairs of OIDs.
pub fn oids() -> Vec<Vec<u8>> {
    let texts = ["0.0", "1.3", "1.3.6.1.2.1.2.2.1.10.1", "1.3.6.1.4.1.4294967295", "2.4294967295.128", "2.999"];
    let all: Vec<_> = texts.map(oid).into_iter().chain([oid(&format!("1.3{}", ".300".repeat(126)))]).collect();
    let pair = |a: &hamsa_snmp::Oid, b: &hamsa_snmp::Oid| {
        let (a, b) = (a.as_oid().as_ber(), b.as_oid().as_ber());
        [&[a.len() as u8], a, b].concat()
    };
    all.iter().flat_map(|a| all.iter().map(move |b| pair(a, b))).collect()
}

/// Names of every kind, as people type them.
pub fn names() -> Vec<Vec<u8>> {
    ["1.3.6.1.2.1", ".1.3.6.1.4.1.4294967295", "2.999", "0x80001f8880abcdef", "SHA-256", "sha", "AES-192-C", "3des"]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
}

fn parts(part: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<Vec<u8>> {
    messages().iter().filter_map(|message| part(message)).collect()
}
