//! For each error counter: so many messages of exactly its class raise exactly that counter by exactly so many, read by
//! net-snmp's `snmpget`, with all modules replaced in the middle.

use hamsa_snmp::engine::{EngineId, EngineTime, Statistic};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::pdu::{AnyPdu, Bulk, Pdu, PduKind};
use hamsa_snmp::value::{Value, tag};
use hamsa_testkit::{NetSnmp, require, wait_until};

use super::forge::{
    CLERK, Counters, Forge, GUEST, OLD, OPERATOR, Order, STRANGER, Values, community_message, community_wrapped,
    scoped, spoil_digest, sys_name, tlv, trap_v1, users,
};
use crate::support::{Agent, CONTACT, SYS_CONTACT, community, swap_all};

/// How often each message is sent before all modules are replaced, and how often after.
const TIMES: usize = 5;

/// Messages of one class, and what counts them.
struct Class {
    counter: Statistic,
    messages: Vec<Vec<u8>>,
}

#[test]
fn every_counter_counts_its_own_class_to_the_message() {
    let tools = require!(NetSnmp::new());
    let agent = Agent::start(&users(&tools), "");
    let forge = Forge::discover(agent.address);
    let socket = super::forge::answers_socket(agent.address);
    let mut wrong = Vec::new();
    for Class { counter, messages } in classes(&forge) {
        let before = read_with_snmpget(&agent, &tools);
        for half in 0..2 {
            for message in (0..TIMES).flat_map(|_| &messages) {
                socket.send(message).unwrap();
            }
            if half == 0 {
                swap_all(&agent);
            }
        }
        let count = (2 * TIMES * messages.len()) as u32;
        let mut expected = before;
        expected[counter as usize] += count;
        // Those who look are counted too.
        expected[Statistic::InPackets as usize] += count;
        let own = Counters::of(agent.address);
        wait_until("all messages have come", || {
            expected[Statistic::InPackets as usize] += 1;
            let found = own.read()[Statistic::InPackets as usize];
            assert!(found <= expected[Statistic::InPackets as usize], "{found} messages have come");
            (found == expected[Statistic::InPackets as usize]).then_some(())
        });
        let after = read_settled(&agent, &tools, &mut expected);
        wrong.extend((after != expected).then(|| (counter, count, differences(&after, &expected))));
    }
    assert!(wrong.is_empty(), "class, messages, (counter, found, expected): {wrong:#?}");
    let said = agent.tool(&tools, "snmpget", &tools.user(OPERATOR).arguments(), &[SYS_CONTACT]).unwrap();
    assert!(said.contains(CONTACT), "{said}");
}

/// The counters. All messages came in, but another thread may be about to count why the last was turned away: where they
/// are not as expected, another look is taken.
fn read_settled(agent: &Agent, tools: &NetSnmp, expected: &mut Values) -> Values {
    let mut look = || {
        expected[Statistic::InPackets as usize] += 1;
        let found = read_with_snmpget(agent, tools);
        (found == *expected, found)
    };
    (0..20).map(|_| look()).find(|(is_right, _)| *is_right).unwrap_or_else(look).1
}

/// One message in.
fn read_with_snmpget(agent: &Agent, tools: &NetSnmp) -> Values {
    let names = Statistic::ALL.map(|counter| counter.instance().to_string());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let said = agent.tool(tools, "snmpget", &community("-v2c", "public"), &names).unwrap();
    let values = said.lines().zip(Statistic::ALL).map(|(line, counter)| {
        let value = line.strip_prefix(&format!(".{} = Counter32: ", counter.instance()));
        value.unwrap_or_else(|| panic!("{counter}: {line}")).parse().unwrap()
    });
    values.collect::<Vec<u32>>().try_into().unwrap()
}

fn differences(found: &Values, expected: &Values) -> Vec<(Statistic, u32, u32)> {
    let both = found.iter().zip(expected).zip(Statistic::ALL);
    both.filter(|((found, expected), _)| found != expected).map(|((&f, &e), counter)| (counter, f, e)).collect()
}

fn classes(forge: &Forge) -> Vec<Class> {
    use SecurityLevel::{AuthNoPriv, AuthPriv, NoAuthNoPriv};
    let class = |counter, messages: Vec<Vec<u8>>| Class { counter, messages };
    let signed = |order: Order| forge.message(&order);
    let operators = |change: fn(&mut Order)| {
        let mut order = forge.order(OPERATOR, AuthPriv);
        change(&mut order);
        forge.message(&order)
    };
    let of_kind = |kind| signed(Order { scoped: forge.scoped(kind), ..forge.order(OPERATOR, AuthPriv) });
    let get = sys_name(Value::Null);
    let get = Pdu::new(PduKind::GetRequest, 1, get.as_list());
    let with_kind = |version, kind| community_message(version, "public", AnyPdu::Pdu(Pdu { kind, ..get }));
    let value = sys_name(Value::OctetString(b"of a stranger"));
    let set = Pdu::new(PduKind::SetRequest, 1, value.as_list());
    let another = EngineId::assigned(32473, *b"another1");
    let EngineTime { boots, time } = forge.time();
    let at = |boots, time| signed(Order { time: EngineTime { boots, time }, ..forge.order(OPERATOR, AuthPriv) });
    let spoilt = |user, level| {
        let mut message = forge.message(&forge.order(user, level));
        spoil_digest(&mut message);
        message
    };
    let with_data = |scoped: &[u8]| signed(Order { scoped: scoped.to_vec(), ..forge.order(OPERATOR, AuthPriv) });
    let salted = |user, salt| forge.with_salt(&forge.order(user, AuthPriv), salt);

    vec![
        class(
            Statistic::InBadVersions,
            [2, 4, -1, i32::MAX].map(|version| community_wrapped(version, "public", &[5, 0])).to_vec(),
        ),
        class(
            Statistic::InBadCommunityNames,
            [Version::V1, Version::V2c]
                .iter()
                .flat_map(|&version| ["publi", "publicc", "", "PUBLIC"].map(|name| (version, name)))
                .map(|(version, name)| community_message(version, name, AnyPdu::Pdu(get)))
                .collect(),
        ),
        class(
            Statistic::InBadCommunityUses,
            [Version::V1, Version::V2c].map(|version| community_message(version, "public", AnyPdu::Pdu(set))).to_vec(),
        ),
        class(Statistic::InAsnParseErrors, no_messages(forge, &with_data)),
        class(
            Statistic::UnknownSecurityModels,
            [0, 1, 2, 4, 0x7fff_ffff]
                .map(|security_model| signed(Order { security_model, ..forge.order(OPERATOR, AuthPriv) }))
                .to_vec(),
        ),
        class(
            Statistic::InvalidMessages,
            vec![
                operators(|order| order.max_size = 483),
                operators(|order| order.max_size = 0),
                private_without_digest(&forge.message(&forge.order(OPERATOR, AuthPriv))),
            ],
        ),
        class(
            Statistic::UnknownPduHandlers,
            vec![
                signed(Order { scoped: scoped(another, "", PduKind::GetRequest), ..forge.order(OPERATOR, AuthPriv) }),
                signed(Order { scoped: scoped(another, "", PduKind::GetRequest), ..forge.order(GUEST, NoAuthNoPriv) }),
                of_kind(PduKind::InformRequest),
                of_kind(PduKind::TrapV2),
                of_kind(PduKind::Response),
                of_kind(PduKind::Report),
                with_kind(Version::V2c, PduKind::InformRequest),
                with_kind(Version::V2c, PduKind::TrapV2),
                with_kind(Version::V2c, PduKind::Response),
                with_kind(Version::V1, PduKind::Response),
                trap_v1(),
            ],
        ),
        class(
            Statistic::UnknownContexts,
            vec![
                signed(Order {
                    scoped: scoped(forge.engine_id, "elsewhere", PduKind::GetRequest),
                    ..forge.order(OPERATOR, AuthPriv)
                }),
                signed(Order {
                    scoped: scoped(forge.engine_id, &"x".repeat(255), PduKind::SetRequest),
                    ..forge.order(CLERK, AuthNoPriv)
                }),
            ],
        ),
        class(Statistic::UnsupportedSecurityLevels, vec![signed(forge.order(CLERK, AuthPriv)), private_guest(forge)]),
        class(
            Statistic::NotInTimeWindows,
            vec![at(boots, time + 1000), at(boots + 1, time), at(boots - 1, time), at(0, 0), at(0x7fff_ffff, time)],
        ),
        class(
            Statistic::UnknownUserNames,
            [NoAuthNoPriv, AuthNoPriv, AuthPriv].map(|level| signed(forge.order(STRANGER, level))).to_vec(),
        ),
        class(
            Statistic::UnknownEngineIds,
            vec![
                signed(Order { engine_id: another, ..forge.order(OPERATOR, AuthPriv) }),
                signed(Order { engine_id: EngineId::new(&[0xff; 32]).unwrap(), ..forge.order(CLERK, AuthNoPriv) }),
                signed(Order { engine_id: EngineId::EMPTY, ..forge.order(GUEST, NoAuthNoPriv) }),
            ],
        ),
        class(
            Statistic::WrongDigests,
            vec![spoilt(CLERK, AuthNoPriv), spoilt(OPERATOR, AuthPriv), spoilt(OLD, AuthPriv), without_digest(forge)],
        ),
        class(
            Statistic::DecryptionErrors,
            vec![salted(OPERATOR, &[1; 7]), salted(OPERATOR, &[1; 9]), salted(OPERATOR, &[]), salted(OLD, &[1; 7])],
        ),
    ]
}

/// What is no message of any version, or whose PDU is none.
fn no_messages(forge: &Forge, with_data: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<Vec<u8>> {
    let get = sys_name(Value::Null);
    let get = Pdu::new(PduKind::GetRequest, 1, get.as_list());
    let good = community_message(Version::V2c, "public", AnyPdu::Pdu(get));
    let secured = forge.message(&forge.order(OPERATOR, SecurityLevel::AuthPriv));
    let bulk = Pdu::get_bulk(1, Bulk { non_repeaters: 0, max_repetitions: 10 }, get.varbinds);
    let pdu_of = |kind: u8, fields: &[&[u8]]| tlv(kind, &fields.concat());
    let integer = |content: &[u8]| tlv(tag::INTEGER, content);
    let named = |oid: &[u8]| {
        let varbind = tlv(tag::SEQUENCE, &[tlv(tag::OBJECT_IDENTIFIER, oid), vec![5, 0]].concat());
        tlv(tag::SEQUENCE, &varbind)
    };
    let none = tlv(tag::SEQUENCE, &[]);
    let mut nested = Vec::new();
    for _ in 0..2000 {
        nested = tlv(tag::SEQUENCE, &nested);
    }
    let public = |pdu: Vec<u8>| community_wrapped(1, "public", &pdu);
    let mut lengthened = good.clone();
    lengthened[1] += 1;
    let mut endless = good.clone();
    endless.splice(1..2, [0x84, 0xff, 0xff, 0xff, 0xff]);
    let mut indefinite = good.clone();
    indefinite[1] = 0x80;
    let zero = integer(&[0]);
    vec![
        Vec::new(),
        vec![0x30],
        vec![0xff; 1400],
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        good[..good.len() - 1].to_vec(),
        lengthened,
        endless,
        indefinite,
        nested.clone(),
        public(nested.clone()),
        // Sub-identifiers of more than 32 bits, and more of them than there may be.
        public(pdu_of(0xa0, &[&zero, &zero, &zero, &named(&[0x2b, 0x90, 0x80, 0x80, 0x80, 0])])),
        public(pdu_of(0xa0, &[&zero, &zero, &zero, &named(&[0x2b; 5000])])),
        public(pdu_of(0xa0, &[&zero, &zero, &zero, &named(&[0x2b, 0x86])])),
        // A request-id of 33 bits, an empty one, and no list.
        public(pdu_of(0xa0, &[&integer(&[1, 0, 0, 0, 0]), &zero, &zero, &none])),
        public(pdu_of(0xa0, &[&integer(&[]), &zero, &zero, &none])),
        public(pdu_of(0xa0, &[&zero, &zero, &zero])),
        // PDUs that there are not: of no version, and of v1.
        public(pdu_of(0xa9, &[&zero, &zero, &zero, &none])),
        community_message(Version::V1, "public", AnyPdu::Pdu(bulk)),
        community_wrapped(3, "public", &pdu_of(0xa0, &[&zero, &zero, &zero, &none])),
        secured[..secured.len() - 3].to_vec(),
        with_data(b"not a scoped PDU"),
        with_data(&tlv(tag::SEQUENCE, &[5, 0])),
        with_data(&tlv(tag::SEQUENCE, &nested)),
    ]
}

/// `msgFlags` that ask for encryption without a digest.
fn private_without_digest(message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    // The only octet string of one octet: authPriv, reportable.
    let at = message.windows(3).position(|octets| octets == [tag::OCTET_STRING, 1, 7]).unwrap();
    message[at + 2] = 6;
    message
}

/// The guest's message, said to be encrypted.
fn private_guest(forge: &Forge) -> Vec<u8> {
    let mut message = forge.message(&forge.order(GUEST, SecurityLevel::NoAuthNoPriv));
    let at = message.windows(3).position(|octets| octets == [tag::OCTET_STRING, 1, 4]).unwrap();
    message[at + 2] = 7;
    message
}

/// A user's message without any digest, which says that there is one.
fn without_digest(forge: &Forge) -> Vec<u8> {
    let mut message = forge.message(&forge.order(CLERK, SecurityLevel::NoAuthNoPriv));
    let at = message.windows(3).position(|octets| octets == [tag::OCTET_STRING, 1, 4]).unwrap();
    message[at + 2] = 5;
    message
}
