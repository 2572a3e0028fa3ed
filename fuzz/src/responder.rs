//! Targets for the command responder: whatever is asked, the answer is one that RFC 3416 §4.2 (RFC 1157 for v1)
//! allows, fits where it must fit, and goes to nobody who waits for none.

use hamsa_snmp::Value;
use hamsa_snmp::ber::{Reader, Writer};
use hamsa_snmp::engine::Statistic;
use hamsa_snmp::message::{CommunityMessage, MsgData, ScopedPdu, V3Message, Version};
use hamsa_snmp::pdu::{AnyPdu, ErrorStatus, Pdu, PduKind};

use crate::engine::Signed;
use crate::entity::{AGENT, Entity, USERS, engine_id, origin};

/// Room for an answer: more than enough, a frame, or whatever else.
fn room_of(choice: u8) -> Vec<u8> {
    vec![
        0;
        match choice {
            0 => 65_507,
            1 => 1472,
            other => usize::from(other) * 3,
        }
    ]
}

thread_local! {
    static AGENT_ENTITY: &'static Entity = Box::leak(Box::new(Entity::agent()));
    static MANAGER_ENTITY: &'static Entity = Box::leak(Box::new(Entity::manager()));
}

/// Any message: the first octet says how much room there is for an answer.
pub fn responder(data: &[u8]) {
    let Some((&room, message)) = data.split_first() else { return };
    let agent = AGENT_ENTITY.with(|agent| *agent);
    let mut room = room_of(room);
    let mut copy = message.to_vec();
    let Some(length) = agent.responder.handle(origin(), &mut copy, &mut room) else { return };
    let start = room.len().checked_sub(length).expect("the answer is in the room");
    check(message, &mut room[start..]);
}

/// A scoped PDU, well signed by one of the users that the first octet tells; the second one is the room.
pub fn responder_signed(data: &[u8]) {
    let Some((&[who, room], scoped)) = data.split_first_chunk() else { return };
    let agent = AGENT_ENTITY.with(|agent| *agent);
    let user = usize::from(who) % USERS.len();
    let signed = Signed {
        user,
        level: USERS[user].1,
        engine: engine_id(AGENT),
        time: agent.users.local_time(origin()),
        is_reportable: true,
    };
    let Some(mut message) = signed.message(scoped) else { return };
    let scoped = &signed.as_decrypted(scoped)[..];
    let mut room = room_of(room);
    let dropped = agent.engine.stats().get(Statistic::SilentDrops);
    let answered = agent.responder.handle(origin(), &mut message, &mut room);
    let asked = ScopedPdu::parse(scoped, 0..scoped.len());
    // The agent serves the default context, of its own engine or of none that is named.
    let is_served = asked.as_ref().is_ok_and(|asked| {
        let engine = asked.context_engine_id;
        asked.context_name.is_empty() && (engine.is_empty() || engine == engine_id(AGENT).as_octets())
    });
    let asked = asked.map(|scoped| scoped.pdu);
    let is_whole = Reader::new(scoped).tlv().is_ok_and(|(_, content)| content.end() == scoped.len());
    match (answered, asked) {
        (Some(length), Ok(asked)) => {
            let start = room.len() - length;
            let answer = &mut room[start..];
            let outer = V3Message::parse(answer).expect("an answer is a message");
            assert_eq!(outer.header.flags.level, signed.level, "it is secured as the question was");
            let manager = MANAGER_ENTITY.with(|manager| *manager);
            let received = manager.engine.receive(origin(), answer, &mut Writer::new(&mut []));
            let AnyPdu::Pdu(pdu) = received.expect("whoever asked can read it").pdu else { panic!("a Response") };
            match is_served {
                true => check_pdu(Version::V3, &asked, &pdu),
                false => assert_eq!((pdu.kind, pdu.request_id), (PduKind::Report, asked.request_id)),
            }
        }
        (None, Ok(asked)) if is_served && asked.kind.is_command() && (is_whole || signed.level.is_private()) => {
            // Only for want of room may a command go unanswered, and then it is counted.
            assert_eq!(agent.engine.stats().get(Statistic::SilentDrops), dropped + 1);
            assert!(room.len() < 1472 || scoped.len() > 1000);
        }
        (None, _) => {}
        (Some(length), Err(_)) => {
            let answer = &room[room.len() - length..];
            let MsgData::Plain(range) = V3Message::parse(answer).expect("a message").data else {
                panic!("what is no PDU is not worth a secret")
            };
            let kind = ScopedPdu::parse(answer, range).expect("a scoped PDU").pdu.kind;
            assert_eq!(kind, PduKind::Report, "what is no PDU has no Response");
        }
    }
}

fn check(message: &[u8], answer: &mut [u8]) {
    let version = Version::of(message).expect("only a message is answered");
    assert_eq!(Version::of(answer), Ok(version));
    if version == Version::V3 {
        let (asked, sent) = (V3Message::parse(message).expect("v3"), V3Message::parse(answer).expect("v3"));
        assert_eq!(asked.header.msg_id, sent.header.msg_id);
        assert!(answer.len() <= asked.header.max_size as usize);
        let (MsgData::Plain(asked), MsgData::Plain(sent)) = (asked.data, sent.data) else { return };
        let Ok(asked) = ScopedPdu::parse(message, asked) else { return };
        let sent = ScopedPdu::parse(answer, sent).expect("a scoped PDU");
        if sent.pdu.kind == PduKind::Report {
            assert!(asked.pdu.kind.is_confirmed());
            assert_eq!(sent.pdu.request_id, asked.pdu.request_id);
        } else {
            check_pdu(version, &asked.pdu, &sent.pdu);
        }
        return;
    }
    let asked = CommunityMessage::parse(message).expect("only a message is answered");
    let sent = CommunityMessage::parse(answer).expect("a message");
    assert_eq!(asked.community, sent.community);
    let (AnyPdu::Pdu(asked), AnyPdu::Pdu(sent)) = (asked.pdu, sent.pdu) else { panic!("traps are not answered") };
    check_pdu(version, &asked, &sent);
}

fn check_pdu(version: Version, asked: &Pdu<'_>, sent: &Pdu<'_>) {
    assert!(asked.kind.is_command(), "{:?} is not answered", asked.kind);
    assert_eq!((sent.kind, sent.request_id), (PduKind::Response, asked.request_id));
    let (count, status) = (asked.varbinds.len(), sent.error_status());
    assert!(status.name().is_some());
    let names = || sent.varbinds.iter().map(|varbind| varbind.name);
    let asked_names = || asked.varbinds.iter().map(|varbind| varbind.name);
    if status != ErrorStatus::NO_ERROR {
        assert!((0..=count as i32).contains(&sent.error_index()));
        let is_empty = status == ErrorStatus::TOO_BIG && version != Version::V1;
        assert!(if is_empty { sent.varbinds.is_empty() } else { sent.varbinds == asked.varbinds });
        assert!(version != Version::V1 || status.0 <= ErrorStatus::GEN_ERR.0);
        return;
    }
    assert_eq!(sent.error_index(), 0);
    match asked.kind {
        PduKind::GetRequest => assert!(names().eq(asked_names())),
        PduKind::SetRequest => assert_eq!(sent.varbinds, asked.varbinds),
        PduKind::GetNextRequest => {
            assert_eq!(sent.varbinds.len(), count);
            sent.varbinds.iter().zip(asked_names()).for_each(|(found, after)| check_successor(&found, after));
        }
        _ => {
            let bulk = asked.bulk();
            let fixed = count.min(bulk.non_repeaters as usize);
            let most = fixed as u64 + u64::from(bulk.max_repetitions) * (count - fixed) as u64;
            assert!(sent.varbinds.len() as u64 <= most);
            let mut after: Vec<_> = asked_names().collect();
            for (i, found) in sent.varbinds.iter().enumerate() {
                let of = if i < fixed { i } else { fixed + (i - fixed) % (count - fixed) };
                check_successor(&found, after[of]);
                after[of] = found.name;
            }
        }
    }
    let is_sayable = |value: &Value<'_>| !value.is_exception() && !matches!(value, Value::Counter64(_));
    assert!(
        version != Version::V1
            || sent.varbinds.iter().all(|v| asked.kind == PduKind::SetRequest || is_sayable(&v.value))
    );
}

fn check_successor(found: &hamsa_snmp::VarBind<'_>, after: hamsa_snmp::OidRef<'_>) {
    match found.value {
        Value::EndOfMibView => assert_eq!(found.name, after),
        _ => assert!(found.name > after, "{} does not come after {after}", found.name),
    }
}
