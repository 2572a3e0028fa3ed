//! SNMPv3 message processing (RFC 3412 §7.2): what is turned away before any security is looked at, and which
//! answers a request takes.

mod common;
mod forge;

use common::{Wire, name};
use forge::{Forge, Order, SYS_NAME, agent, order, receive, start};
use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::{EngineId, Envelope, ReceiveError, Statistic};
use hamsa_snmp::manager::{Handled, RequestError, RequestKind, TargetId};
use hamsa_snmp::message::SecurityLevel::{AuthNoPriv, AuthPriv, NoAuthNoPriv};
use hamsa_snmp::message::{CommunityMessage, V3Message, Version};
use hamsa_snmp::pdu::{Bulk, Pdu, PduKind};
use hamsa_snmp::value::tag;
use hamsa_snmp::{Value, VarBindBuf, VarBindList};

/// Replaces the one place in a message where these octets stand.
fn replaced(message: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let places: Vec<usize> = (0..message.len()).filter(|&at| message[at..].starts_with(from)).collect();
    let [place] = places[..] else { panic!("{from:x?} stands at {places:?}") };
    let mut message = message.to_vec();
    message[place..place + from.len()].copy_from_slice(to);
    message
}

#[test]
fn what_contradicts_itself_is_counted_and_dropped_without_a_report() {
    let now = start();
    let forge = Forge::new();
    let agent = agent(now);
    let good = order(&agent, now, "ops", AuthPriv);
    let message = forge.message(&good);
    let with = |change: fn(&mut Order)| {
        let mut order = good.clone();
        change(&mut order);
        forge.message(&order)
    };
    // msgMaxSize, then msgFlags: authentication, privacy, reportable.
    let header = [0, 0xff, 0xe3, 4, 1, 7, 2, 1, 3];
    let malformed = |error: &ReceiveError| matches!(error, ReceiveError::Malformed(_));
    let is_of_model = |error: &ReceiveError| matches!(error, ReceiveError::UnknownSecurityModel(_));
    let too_small = |error: &ReceiveError| matches!(error, ReceiveError::BadMaxSize(_));
    type Check = fn(&ReceiveError) -> bool;
    let cases: [(&str, Vec<u8>, Statistic, Check); 13] = [
        ("version 2", replaced(&message, &[2, 1, 3, 0x30], &[2, 1, 2, 0x30]), Statistic::InBadVersions, malformed),
        ("version -1", replaced(&message, &[2, 1, 3, 0x30], &[2, 1, 0xff, 0x30]), Statistic::InBadVersions, malformed),
        (
            "privacy alone",
            replaced(&message, &header, &[0, 0xff, 0xe3, 4, 1, 6, 2, 1, 3]),
            Statistic::InvalidMessages,
            malformed,
        ),
        (
            "two flags",
            replaced(&message, &header, &[0, 0xff, 4, 2, 7, 7, 2, 1, 3]),
            Statistic::InAsnParseErrors,
            malformed,
        ),
        (
            "negative msgID",
            replaced(&message, &[58, 222, 104, 177], &[0xff, 222, 104, 177]),
            Statistic::InAsnParseErrors,
            malformed,
        ),
        (
            "negative size",
            replaced(&message, &header, &[0x80, 0xff, 0xe3, 4, 1, 7, 2, 1, 3]),
            Statistic::InAsnParseErrors,
            malformed,
        ),
        ("size 483", with(|order| order.max_size = 483), Statistic::InvalidMessages, too_small),
        ("no model", with(|order| order.security_model = 0), Statistic::UnknownSecurityModels, is_of_model),
        ("v1's model", with(|order| order.security_model = 1), Statistic::UnknownSecurityModels, is_of_model),
        ("v2c's model", with(|order| order.security_model = 2), Statistic::UnknownSecurityModels, is_of_model),
        ("model 4", with(|order| order.security_model = 4), Statistic::UnknownSecurityModels, is_of_model),
        (
            "a large model",
            with(|order| order.security_model = i32::MAX as u32),
            Statistic::UnknownSecurityModels,
            is_of_model,
        ),
        ("cut off", message[..message.len() - 1].to_vec(), Statistic::InAsnParseErrors, malformed),
    ];
    for (what, message, statistic, is_expected) in cases {
        let stats = agent.responder.engine().stats();
        let before = stats.get(statistic);
        let (error, report) = receive(&agent, now, &message);
        let error = error.expect(what);
        assert!(is_expected(&error), "{what}: {error}");
        assert_eq!((stats.get(statistic), report), (before + 1, None), "{what}");
    }
    assert_eq!(receive(&agent, now, &with(|order| order.max_size = 484)).0, None, "the smallest size there is");
}

/// A request under way, and the envelope that an answer to it has.
fn asked(wire: &mut Wire, target: TargetId) -> (Envelope, i32) {
    wire.ask(target, RequestKind::Get, &[SYS_NAME], 1);
    let mut buffer = vec![0; 2048];
    let transmit = wire.manager.poll_transmit(wire.now, &mut buffer).expect("a request");
    let mut request = buffer[buffer.len() - transmit.length..].to_vec();
    envelope(&wire.agents[0], wire.now, &mut request)
}

fn envelope(agent: &common::Agent, now: std::time::Instant, request: &mut [u8]) -> (Envelope, i32) {
    let received = agent.responder.engine().receive(now, request, &mut Writer::new(&mut [])).expect("a good request");
    let hamsa_snmp::pdu::AnyPdu::Pdu(pdu) = received.pdu else { panic!("a request") };
    (received.envelope, pdu.request_id)
}

fn answer(agent: &common::Agent, now: std::time::Instant, to: &Envelope, pdu: &Pdu<'_>) -> Vec<u8> {
    let mut buffer = vec![0; 2048];
    let mut writer = Writer::new(&mut buffer);
    agent.responder.engine().respond(now, to, pdu, &mut writer).unwrap();
    writer.finish().unwrap().to_vec()
}

fn synchronised_wire() -> (Wire, TargetId) {
    let mut wire = Wire::new();
    wire.agents.push(agent(wire.now));
    forge::users().into_iter().for_each(|user| wire.users.insert(user).unwrap());
    let target = wire.target(0, Version::V3, "ops", AuthPriv);
    wire.ask(target, RequestKind::Get, &[SYS_NAME], 0);
    wire.run();
    assert!(wire.outcome(0).is_ok());
    (wire, target)
}

/// RFC 3412 §7.2 (12): the answer must be of the engine, in the name, at the level and for the context that
/// was asked.
#[test]
fn an_answer_that_differs_from_what_was_asked_is_dropped() {
    type Change = fn(&Forge, &mut Wire, &mut Envelope, &mut i32);
    let cases: [(&str, Change); 8] = [
        ("less secured", |_, _, envelope, _| envelope.level = AuthNoPriv),
        ("not secured", |_, _, envelope, _| envelope.level = NoAuthNoPriv),
        ("another context", |_, _, envelope, _| envelope.context_name = name("vrf1")),
        ("another context engine", |_, _, envelope, _| {
            envelope.context_engine_id = EngineId::assigned(32473, *b"anotherr");
        }),
        ("another msgID", |_, _, envelope, _| envelope.msg_id ^= 1),
        ("another request-id", |_, _, _, request_id| *request_id ^= 1),
        ("another user", |forge, wire, asked, _| {
            let order = order(&wire.agents[0], wire.now, "old", AuthPriv);
            let (other, _) = envelope(&wire.agents[0], wire.now, &mut forge.message(&order));
            asked.state = other.state;
        }),
        ("another engine", |forge, wire, asked, _| {
            let elsewhere = EngineId::assigned(32473, *b"anotherr");
            let address = wire.agents[0].address;
            let users = forge::users();
            wire.agents[0] = common::Agent::with_engine(address, elsewhere, 1, wire.now, users);
            let order = order(&wire.agents[0], wire.now, "ops", AuthPriv);
            let (other, _) = envelope(&wire.agents[0], wire.now, &mut forge.message(&order));
            asked.state = other.state;
        }),
    ];
    let forge = Forge::new();
    for (what, change) in cases {
        let (mut wire, target) = synchronised_wire();
        let (envelope, request_id) = asked(&mut wire, target);
        let mut varbinds = VarBindBuf::new();
        varbinds.push(common::oid(SYS_NAME).as_oid(), Value::OctetString(b"false"));
        let right =
            answer(&wire.agents[0], wire.now, &envelope, &Pdu::new(PduKind::Response, request_id, varbinds.as_list()));
        let (mut wrong_envelope, mut wrong_id) = (envelope.clone(), request_id);
        change(&forge, &mut wire, &mut wrong_envelope, &mut wrong_id);
        let pdu = Pdu::new(PduKind::Response, wrong_id, varbinds.as_list());
        let mut wrong = answer(&wire.agents[0], wire.now, &wrong_envelope, &pdu);
        let from = wire.agents[0].address;
        let handled = wire.manager.handle_datagram(wire.now, from, &mut wrong);
        assert!(matches!(handled, Handled::Nothing), "{what}: {handled:?}");
        assert_eq!(wire.manager.pending(), 1, "{what}: the right answer may still come");
        let mut right = right;
        let handled = wire.manager.handle_datagram(wire.now, from, &mut right);
        assert!(matches!(handled, Handled::Completed(_)), "{what}: {handled:?}");
    }
}

/// A message of another version can neither answer a request nor end it with a Report, even under its
/// identifier and with a community that is known.
#[test]
fn another_version_ends_nothing() {
    let unknown_user = Statistic::UnknownUserNames.instance();
    let mut report = VarBindBuf::new();
    report.push(unknown_user.as_oid(), Value::Counter32(1));
    for asked_in in [Version::V2c, Version::V3] {
        for (kind, varbinds) in [(PduKind::Response, VarBindList::default()), (PduKind::Report, report.as_list())] {
            for version in [Version::V1, Version::V2c] {
                if version == asked_in && kind == PduKind::Response {
                    continue;
                }
                let (mut wire, v3) = synchronised_wire();
                let v2c = wire.target(0, Version::V2c, "public", NoAuthNoPriv);
                let (_, request_id) = asked(&mut wire, if asked_in == Version::V3 { v3 } else { v2c });
                let mut buffer = vec![0; 256];
                let mut writer = Writer::new(&mut buffer);
                Pdu::new(kind, request_id, varbinds).encode(&mut writer);
                writer.octet_string(b"public");
                writer.integer(version as i32);
                writer.wrap(tag::SEQUENCE, 0);
                let from = wire.agents[0].address;
                let handled = wire.manager.handle_datagram(wire.now, from, writer.finish().unwrap());
                assert!(matches!(handled, Handled::Nothing), "{kind:?} of {version:?} to {asked_in:?}");
                assert!(wire.manager.poll_failure().is_none(), "{kind:?} of {version:?} to {asked_in:?}");
                assert_eq!(wire.manager.pending(), 1);
            }
        }
    }
}

/// A Report about one's own message comes from the engine that was asked. Only `usmStatsUnknownEngineIDs` tells
/// that another engine sits there.
#[test]
fn a_report_of_another_engine_ends_nothing() {
    let statistics = [
        Statistic::UnsupportedSecurityLevels,
        Statistic::NotInTimeWindows,
        Statistic::UnknownUserNames,
        Statistic::WrongDigests,
        Statistic::DecryptionErrors,
    ];
    for statistic in statistics {
        for is_stranger in [true, false] {
            let (mut wire, target) = synchronised_wire();
            let (envelope_asked, _) = asked(&mut wire, target);
            let reporter = match is_stranger {
                true => EngineId::assigned(32473, *b"anotherr"),
                false => wire.agents[0].engine_id,
            };
            let mut message = report(reporter, envelope_asked.msg_id, statistic);
            let from = wire.agents[0].address;
            assert!(matches!(wire.manager.handle_datagram(wire.now, from, &mut message), Handled::Nothing));
            let is_ended = wire.manager.poll_failure().is_some();
            let is_final = statistic != Statistic::NotInTimeWindows;
            assert_eq!(is_ended, is_final && !is_stranger, "{statistic}, a stranger: {is_stranger}");
            assert_eq!(wire.manager.engine_of(target).is_none(), !is_final && !is_stranger);
        }
    }
}

/// A plain Report, as anyone can write it.
fn report(engine_id: EngineId, msg_id: i32, statistic: Statistic) -> Vec<u8> {
    use hamsa_snmp::message::{HeaderData, MsgFlags, ScopedPdu, UsmParameters};
    let mut varbinds = VarBindBuf::new();
    varbinds.push(statistic.instance().as_oid(), Value::Counter32(1));
    let pdu = Pdu::new(PduKind::Report, 0, varbinds.as_list());
    let flags = MsgFlags { level: NoAuthNoPriv, reportable: false };
    let mut buffer = vec![0; 512];
    let mut writer = Writer::new(&mut buffer);
    ScopedPdu { context_engine_id: engine_id.as_octets(), context_name: b"", pdu }.encode(&mut writer);
    let usm = UsmParameters {
        engine_id: engine_id.as_octets(),
        engine_boots: 99,
        engine_time: 99,
        user_name: b"ops",
        auth: &[],
        privacy: &[],
    };
    usm.encode(&mut writer);
    HeaderData { msg_id, max_size: 65_507, flags, security_model: 3 }.encode(&mut writer);
    writer.wrap(tag::SEQUENCE, 0);
    let message = writer.finish().unwrap().to_vec();
    assert!(V3Message::parse(&message).is_ok());
    message
}

/// X1: engines that only unauthenticated Reports speak of leave nothing behind.
#[test]
fn a_liar_fills_no_table() {
    let (mut wire, _) = synchronised_wire();
    let (keys, clocks) = (wire.users.key_count(), wire.users.clock_count());
    assert_eq!((keys, clocks), (1, 1), "those of the one agent that has answered");
    let from = "192.0.2.66:161".parse().unwrap();
    wire.agents[0].address = from;
    let target = wire.target(0, Version::V3, "ops", AuthPriv);
    for token in 0..20 {
        wire.ask(target, RequestKind::Get, &[SYS_NAME], 100 + token);
        let mut buffer = vec![0; 2048];
        while let Some(transmit) = wire.manager.poll_transmit(wire.now, &mut buffer) {
            let asked = V3Message::parse(&buffer[buffer.len() - transmit.length..]).unwrap();
            let invented = EngineId::assigned(32473, u64::from(asked.header.msg_id.unsigned_abs()).to_be_bytes());
            let mut lie = report(invented, asked.header.msg_id, Statistic::UnknownEngineIds);
            wire.manager.handle_datagram(wire.now, from, &mut lie);
        }
        let failure = wire.manager.poll_failure().expect("given up").error;
        assert_eq!(failure, RequestError::NotSynchronised(Statistic::UnknownEngineIds));
    }
    assert_eq!((wire.users.key_count(), wire.users.clock_count()), (keys, clocks));
}

/// Each version has PDUs of its own (RFC 1157 §4.1, RFC 3416 §3): others are neither read, nor sent.
#[test]
fn a_version_has_no_pdus_of_another() {
    use Version::{V1, V2c};
    let bare = |tag, version: Version| {
        let mut buffer = [0; 64];
        let mut writer = Writer::new(&mut buffer);
        writer.header(tag::SEQUENCE, 0);
        if tag == 0xa4 {
            writer.octets(&[6, 1, 0x2b, 0x40, 4, 1, 2, 3, 4, 2, 1, 0, 2, 1, 0, 0x43, 1, 0]);
        } else {
            writer.octets(&[2, 1, 0, 2, 1, 0, 2, 1, 0]);
        }
        writer.wrap(tag, 0);
        writer.octet_string(b"public");
        writer.integer(version as i32);
        writer.wrap(tag::SEQUENCE, 0);
        writer.finish().unwrap().to_vec()
    };
    let now = start();
    for (tag, versions) in [
        (0xa0, &[V1, V2c][..]),
        (0xa1, &[V1, V2c]),
        (0xa2, &[V1, V2c]),
        (0xa3, &[V1, V2c]),
        (0xa4, &[V1]),
        (0xa5, &[V2c]),
        (0xa6, &[V2c]),
        (0xa7, &[V2c]),
        (0xa8, &[V2c]),
        (0xa9, &[]),
    ] {
        for version in [V1, V2c] {
            let message = bare(tag, version);
            let is_expected = versions.contains(&version);
            assert_eq!(CommunityMessage::parse(&message).is_ok(), is_expected, "{tag:#x} {version:?}");
            assert_eq!(receive(&agent(now), now, &message).0.is_none(), is_expected, "{tag:#x} {version:?}");
        }
    }
    let mut wire = Wire::new();
    wire.agents.push(agent(wire.now));
    let target = wire.target(0, V1, "public", NoAuthNoPriv);
    wire.ask(target, RequestKind::GetBulk(Bulk { non_repeaters: 0, max_repetitions: 5 }), &[SYS_NAME], 1);
    wire.run();
    let error = wire.outcome(1).as_ref().unwrap_err().to_string();
    assert_eq!(error, "v1 messages have no such PDU: GETBULK and informs need v2c or v3, Trap-PDUs v1");
    assert_eq!(wire.sent, 0);
}
