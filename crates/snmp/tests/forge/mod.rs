//! Messages of SNMPv3 as someone who holds the keys can make them, right or wrong in any field, and what an
//! agent answers.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::{EngineId, EngineStats, EngineTime, Header, Outgoing, ReceiveError, SecurityModel, Statistic};
use hamsa_snmp::message::{HeaderData, MsgData, MsgFlags, ScopedPdu, SecurityLevel, UsmParameters, V3Message};
use hamsa_snmp::pdu::{Pdu, PduKind};
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId, UserKey, Usm, UsmUser, UsmUsers, localize};
use hamsa_snmp::value::tag;
use hamsa_snmp::{Value, VarBindBuf};

use crate::common::{Agent, CountingSalts, name, oid, user};

pub const REQUEST_ID: i32 = 1234;
pub const MSG_ID: i32 = 987_654_321;
pub const BOOTS: u32 = 7;
pub const SYS_NAME: &str = "1.3.6.1.2.1.1.5.0";

/// Users of three kinds, and one who encrypts with a block cipher.
pub fn users() -> Vec<UsmUser> {
    let (auth, secret) = ((AuthProtocolId::Sha256, "authentic-1"), (PrivProtocolId::Aes128, "secret-99"));
    let named = |name_: &str, user: UsmUser| UsmUser { user_name: name(name_), ..user };
    vec![
        named("guest", user("guest", None, None)),
        named("clerk", user("clerk", Some(auth), None)),
        named("ops", user("ops", Some(auth), Some(secret))),
        named("old", user("old", Some((AuthProtocolId::Md5, "authentic-2")), Some((PrivProtocolId::Des, "secret-77")))),
    ]
}

/// An instant with a past.
pub fn start() -> Instant {
    Instant::now() + Duration::from_secs(1_000_000)
}

/// An agent that knows [`users`] and whose engine booted, for the [`BOOTS`]th time, an hour before `now`.
pub fn agent(now: Instant) -> Agent {
    let agent = Agent::new("192.0.2.1:161", BOOTS, now - Duration::from_secs(3600), users());
    agent.set(SYS_NAME, Value::OctetString(b"core1"));
    agent
}

/// Signs as any user, for any engine, with any time.
pub struct Forge(Usm);

/// What is signed.
#[derive(Debug, Clone)]
pub struct Order {
    pub security_name: &'static str,
    pub level: SecurityLevel,
    pub is_reportable: bool,
    pub engine_id: EngineId,
    pub time: EngineTime,
    pub max_size: u32,
    pub security_model: u32,
    pub scoped: Vec<u8>,
}

impl Forge {
    pub fn new() -> Self {
        let id = EngineId::assigned(32473, *b"forger_1");
        let known = UsmUsers::new(id, EngineTime { boots: 1, time: 0 }, start());
        users().into_iter().for_each(|user| known.insert(user).unwrap());
        Forge(Usm::new(Arc::new(known), Arc::new(EngineStats::default()), Arc::new(CountingSalts(AtomicU64::new(77)))))
    }

    pub fn with(usm: Usm) -> Self {
        Forge(usm)
    }

    pub fn message(&self, order: &Order) -> Vec<u8> {
        let flags = MsgFlags { level: order.level, reportable: order.is_reportable };
        let Order { max_size, security_model, level, engine_id, time, .. } = *order;
        let outgoing = Outgoing {
            now: start(),
            header: Header::V3(HeaderData { msg_id: MSG_ID, max_size, flags, security_model }),
            engine_id,
            security_name: &name(order.security_name),
            level,
            time_hint: Some(time),
        };
        let mut buffer = vec![0; 65_507];
        let mut writer = Writer::new(&mut buffer);
        writer.octets(&order.scoped);
        self.0.generate_request(&outgoing, &mut writer).unwrap();
        writer.finish().unwrap().to_vec()
    }
}

/// The message with this data (and, if given, these privacy parameters) in the place of its own, signed anew.
pub fn rebuilt(message: &[u8], security_name: &str, data: &[u8], privacy: Option<&[u8]>) -> Vec<u8> {
    let outer = V3Message::parse(message).unwrap();
    let (mut usm, _) = UsmParameters::parse(message, outer.security_parameters).unwrap();
    usm.privacy = privacy.unwrap_or(usm.privacy);
    let mut buffer = vec![0; 4096];
    let mut writer = Writer::new(&mut buffer);
    writer.octets(data);
    usm.encode(&mut writer);
    outer.header.encode(&mut writer);
    writer.wrap(tag::SEQUENCE, 0);
    let mut message = writer.finish().unwrap().to_vec();
    sign(&mut message, security_name);
    message
}

/// Puts the right digest into a message that was changed.
pub fn sign(message: &mut [u8], security_name: &str) {
    let user = users().into_iter().find(|user| user.security_name == name(security_name)).unwrap();
    let Some((auth, UserKey::Master(key))) = user.auth else { panic!("{security_name} does not sign") };
    let outer = V3Message::parse(message).unwrap();
    let (usm, digest) = UsmParameters::parse(message, outer.security_parameters).unwrap();
    let auth = auth.built_in();
    let key = localize(&*auth, &key, usm.engine_id).unwrap();
    message[digest.clone()].fill(0);
    let mac = auth.mac(key.as_octets(), &[message]).unwrap();
    message[digest].copy_from_slice(mac.as_octets());
}

/// A GET that the agent would answer.
pub fn order(agent: &Agent, now: Instant, security_name: &'static str, level: SecurityLevel) -> Order {
    Order {
        security_name,
        level,
        is_reportable: true,
        engine_id: agent.engine_id,
        time: agent.users.local_time(now),
        max_size: 65_507,
        security_model: 3,
        scoped: scoped(agent.engine_id, PduKind::GetRequest),
    }
}

pub fn scoped(context_engine_id: EngineId, kind: PduKind) -> Vec<u8> {
    let varbinds = VarBindBuf::of_names([oid(SYS_NAME).as_oid()]);
    let pdu = Pdu::new(kind, REQUEST_ID, varbinds.as_list());
    let mut buffer = [0; 256];
    let mut writer = Writer::new(&mut buffer);
    ScopedPdu { context_engine_id: context_engine_id.as_octets(), context_name: b"", pdu }.encode(&mut writer);
    writer.finish().unwrap().to_vec()
}

/// What an engine makes of a message: its error, and the Report that it wants sent.
pub fn receive(agent: &Agent, now: Instant, message: &[u8]) -> (Option<ReceiveError>, Option<Vec<u8>>) {
    let mut buffer = vec![0; 1024];
    let mut report = Writer::new(&mut buffer);
    match agent.responder.engine().receive(now, &mut message.to_vec(), &mut report) {
        Ok(_) => (None, None),
        Err(rejected) => {
            let report = rejected.has_report.then(|| report.finish().unwrap().to_vec());
            (Some(rejected.error), report)
        }
    }
}

/// A Report, read without checking its digest.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    pub level: SecurityLevel,
    pub is_reportable: bool,
    pub msg_id: i32,
    pub engine_id: Vec<u8>,
    pub time: EngineTime,
    pub user_name: Vec<u8>,
    pub context_engine_id: Vec<u8>,
    pub request_id: i32,
    pub statistic: Statistic,
    pub value: u32,
}

pub fn read_report(message: &[u8]) -> Report {
    let outer = V3Message::parse(message).unwrap();
    let (usm, _) = UsmParameters::parse(message, outer.security_parameters).unwrap();
    let MsgData::Plain(range) = outer.data else { panic!("a Report is not encrypted") };
    let scoped = ScopedPdu::parse(message, range).unwrap();
    let pdu = scoped.pdu;
    assert_eq!((pdu.kind, pdu.field1, pdu.field2, pdu.varbinds.len()), (PduKind::Report, 0, 0, 1));
    let varbind = pdu.varbinds.first().unwrap();
    let Value::Counter32(value) = varbind.value else { panic!("a counter") };
    let statistic = Statistic::of_report(varbind.name).unwrap();
    assert_eq!(varbind.name, statistic.instance().as_oid(), "the instance, not the object");
    Report {
        level: outer.header.flags.level,
        is_reportable: outer.header.flags.reportable,
        msg_id: outer.header.msg_id,
        engine_id: usm.engine_id.to_vec(),
        time: EngineTime { boots: usm.engine_boots, time: usm.engine_time },
        user_name: usm.user_name.to_vec(),
        context_engine_id: scoped.context_engine_id.to_vec(),
        request_id: pdu.request_id,
        statistic,
        value,
    }
}
