//! Messages as someone who holds the keys can make them, right or wrong in any field, and what an agent makes of them.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::{Arrived, EngineId, EngineTime, Header, Name, Outgoing, Parts, SecurityModel, Statistic};
use hamsa_snmp::message::{
    CommunityMessage, HeaderData, MsgData, MsgFlags, ScopedPdu, SecurityLevel, UsmParameters, V3Message, Version,
};
use hamsa_snmp::pdu::{AnyPdu, Pdu, PduKind, TrapV1};
use hamsa_snmp::usm::{
    AuthProtocolId, PrivProtocolId, SaltSource, UserKey, Usm, UsmUser, UsmUsers, localize, password_to_key,
};
use hamsa_snmp::value::{Value, tag};
use hamsa_snmp::{Oid, VarBindBuf};
use hamsa_testkit::{NetSnmp, User, limits::LIVENESS};

use crate::support::SYS_NAME;

/// Users of three levels at the agent, and one more who encrypts with a block cipher.
pub const GUEST: &str = "none";
pub const CLERK: &str = "auth-SHA-256";
pub const OPERATOR: &str = "priv-SHA-256-AES";
pub const OLD: &str = "priv-MD5-DES";
/// Whom the agent does not know.
pub const STRANGER: &str = "stranger";

const MSG_ID: i32 = 987_654_321;
const MAX_DATAGRAM_OCTETS: usize = 65_507;

/// The users that the agent is to know.
pub fn users(tools: &NetSnmp) -> Vec<User> {
    [GUEST, CLERK, OPERATOR, OLD].map(|name| tools.user(name).clone()).to_vec()
}

/// Signs and encrypts as any user, for any engine, with any time; and reads what the agent answers.
pub struct Forge {
    usm: Usm,
    pub engine_id: EngineId,
    at_discovery: EngineTime,
    discovered: Instant,
}

/// What a message of SNMPv3 says.
#[derive(Debug, Clone)]
pub struct Order {
    pub user: &'static str,
    pub level: SecurityLevel,
    pub is_reportable: bool,
    pub engine_id: EngineId,
    pub time: EngineTime,
    pub max_size: u32,
    pub security_model: u32,
    pub scoped: Vec<u8>,
}

/// What the agent has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Response,
    Report(Statistic),
}

struct Salts(AtomicU64);

impl SaltSource for Salts {
    fn next_salt(&self) -> Result<u64, String> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

impl Forge {
    /// Learns the engine's ID and time of the agent, as any manager does: one message counted as of an unknown engine.
    pub fn discover(agent: SocketAddr) -> Self {
        let own = EngineId::assigned(32473, *b"forger_1");
        let known = UsmUsers::new(own, EngineTime { boots: 1, time: 0 }, Instant::now());
        for (name, has_privacy) in [(GUEST, false), (CLERK, true), (OPERATOR, true), (OLD, true), (STRANGER, true)] {
            known.insert(known_user(name, has_privacy)).unwrap();
        }
        let usm = Usm::new(Arc::new(known), Arc::default(), Arc::new(Salts(AtomicU64::new(1))));
        let at_discovery = EngineTime { boots: 0, time: 0 };
        let mut forge = Forge { usm, engine_id: EngineId::EMPTY, at_discovery, discovered: Instant::now() };
        let probe = forge.order(GUEST, SecurityLevel::NoAuthNoPriv);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(LIVENESS)).unwrap();
        socket.send_to(&forge.message(&probe), agent).unwrap();
        let mut report = vec![0; 4096];
        let length = socket.recv(&mut report).expect("a Report");
        let outer = V3Message::parse(&report[..length]).unwrap();
        let (usm, _) = UsmParameters::parse(&report[..length], outer.security_parameters).unwrap();
        forge.engine_id = EngineId::new(usm.engine_id).unwrap();
        forge.at_discovery = EngineTime { boots: usm.engine_boots, time: usm.engine_time };
        forge.discovered = Instant::now();
        forge
    }

    /// The agent's time.
    pub fn time(&self) -> EngineTime {
        let EngineTime { boots, time } = self.at_discovery;
        EngineTime { boots, time: time + self.discovered.elapsed().as_secs() as u32 }
    }

    /// A GET that the agent answers, if it knows the user and the level.
    pub fn order(&self, user: &'static str, level: SecurityLevel) -> Order {
        Order {
            user,
            level,
            is_reportable: true,
            engine_id: self.engine_id,
            time: self.time(),
            max_size: MAX_DATAGRAM_OCTETS as u32,
            security_model: 3,
            scoped: self.scoped(PduKind::GetRequest),
        }
    }

    /// A scoped PDU for the agent's default context that asks for `sysName`.
    pub fn scoped(&self, kind: PduKind) -> Vec<u8> {
        scoped(self.engine_id, "", kind)
    }

    /// The message, secured as it says.
    pub fn message(&self, order: &Order) -> Vec<u8> {
        let Order { level, is_reportable, engine_id, time, max_size, security_model, .. } = *order;
        let flags = MsgFlags { level, reportable: is_reportable };
        let outgoing = Outgoing {
            now: Instant::now(),
            header: Header::V3(HeaderData { msg_id: MSG_ID, max_size, flags, security_model }),
            engine_id,
            security_name: &Name::new(order.user).unwrap(),
            level,
            time_hint: Some(time),
        };
        written(|writer| {
            writer.octets(&order.scoped);
            self.usm.generate_request(&outgoing, writer).unwrap();
        })
    }

    /// The message with another salt, signed anew.
    pub fn with_salt(&self, order: &Order, salt: &[u8]) -> Vec<u8> {
        let message = self.message(order);
        let outer = V3Message::parse(&message).unwrap();
        let (mut usm, _) = UsmParameters::parse(&message, outer.security_parameters).unwrap();
        usm.privacy = salt;
        let MsgData::Encrypted(data) = outer.data else { panic!("it is not encrypted") };
        let mut message = written(|writer| {
            writer.octet_string(&message[data.clone()]);
            usm.encode(writer);
            outer.header.encode(writer);
            writer.wrap(tag::SEQUENCE, 0);
        });
        sign(&mut message, order.user);
        message
    }

    /// Checks and reads a message from the agent.
    #[track_caller]
    pub fn read(&self, message: &mut [u8]) -> Answer {
        let pdu = match Version::of(message).expect("the agent sends SNMP") {
            Version::V1 | Version::V2c => match CommunityMessage::parse(message).unwrap().pdu {
                AnyPdu::Pdu(pdu) => pdu,
                AnyPdu::TrapV1(trap) => panic!("not asked for: {trap:?}"),
            },
            Version::V3 => {
                let outer = V3Message::parse(message).unwrap();
                // Who is told that he is nobody gets no digest.
                let is_plain_report = match &outer.data {
                    MsgData::Plain(range) => {
                        ScopedPdu::parse(message, range.clone()).unwrap().pdu.kind == PduKind::Report
                    }
                    MsgData::Encrypted(_) => false,
                };
                let parts = Parts::V3 { message: outer, is_plain_report };
                let arrived = Arrived { now: Instant::now(), parts: &parts };
                let secured = self.usm.process_incoming(&arrived, message).expect("the agent's own message");
                ScopedPdu::parse(message, secured.data).unwrap().pdu
            }
        };
        match pdu.kind {
            PduKind::Response => Answer::Response,
            PduKind::Report => {
                let varbind = pdu.varbinds.first().expect("a counter");
                Answer::Report(Statistic::of_report(varbind.name).expect("a counter of ours"))
            }
            other => panic!("not asked for: {other:?}"),
        }
    }
}

/// What was written, which may be a datagram's most.
pub fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buffer = vec![0; MAX_DATAGRAM_OCTETS + 1024];
    let mut writer = Writer::new(&mut buffer);
    write(&mut writer);
    writer.finish().unwrap().to_vec()
}

/// Contents and the header before them.
pub fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    written(|writer| {
        writer.octets(contents);
        writer.wrap(tag, 0);
    })
}

/// A scoped PDU that asks for `sysName`.
pub fn scoped(context_engine_id: EngineId, context_name: &str, kind: PduKind) -> Vec<u8> {
    let (context_engine_id, context_name) = (context_engine_id.as_octets(), context_name.as_bytes());
    let varbinds = sys_name(Value::Null);
    let pdu = Pdu::new(kind, 1234, varbinds.as_list());
    written(|writer| ScopedPdu { context_engine_id, context_name, pdu }.encode(writer))
}

/// `sysName` with a value.
pub fn sys_name(value: Value<'_>) -> VarBindBuf {
    let mut varbinds = VarBindBuf::new();
    varbinds.push(SYS_NAME.parse::<Oid>().unwrap().as_oid(), value);
    varbinds
}

/// A message of v1 or v2c.
pub fn community_message(version: Version, community: &str, pdu: AnyPdu<'_>) -> Vec<u8> {
    let community = community.as_bytes();
    written(|writer| CommunityMessage { version, community, pdu }.encode(writer))
}

/// A v1 trap.
pub fn trap_v1() -> Vec<u8> {
    let enterprise: Oid = "1.3.6.1.4.1.32473".parse().unwrap();
    let varbinds = sys_name(Value::OctetString(b"a trap"));
    let trap = TrapV1 {
        enterprise: enterprise.as_oid(),
        agent_addr: Ipv4Addr::LOCALHOST,
        generic_trap: 6,
        specific_trap: 1,
        time_stamp: 0,
        varbinds: varbinds.as_list(),
    };
    community_message(Version::V1, "public", AnyPdu::TrapV1(trap))
}

/// A message of v1 or v2c around any octets.
pub fn community_wrapped(version: i32, community: &str, pdu: &[u8]) -> Vec<u8> {
    written(|writer| {
        writer.octets(pdu);
        writer.octet_string(community.as_bytes());
        writer.integer(version);
        writer.wrap(tag::SEQUENCE, 0);
    })
}

/// Puts the right digest into a message that was changed.
pub fn sign(message: &mut [u8], user: &str) {
    let Some((auth, UserKey::Master(key))) = known_user(user, true).auth else { panic!("{user} does not sign") };
    let outer = V3Message::parse(message).unwrap();
    let (usm, digest) = UsmParameters::parse(message, outer.security_parameters).unwrap();
    let auth = auth.built_in();
    let key = localize(&*auth, &key, usm.engine_id).unwrap();
    message[digest.clone()].fill(0);
    let mac = auth.mac(key.as_octets(), &[message]).unwrap();
    message[digest].copy_from_slice(mac.as_octets());
}

/// Changes one bit of the digest, where what was signed is a message at all.
pub fn spoil_digest(message: &mut [u8]) {
    let Ok(outer) = V3Message::parse(message) else { return };
    let (_, digest) = UsmParameters::parse(message, outer.security_parameters).unwrap();
    message[digest.start] ^= 1;
}

/// A user with the test kit's passwords.
fn known_user(name: &str, has_privacy: bool) -> UsmUser {
    let auth = if name == OLD { AuthProtocolId::Md5 } else { AuthProtocolId::Sha256 };
    let privacy = if name == OLD { PrivProtocolId::Des } else { PrivProtocolId::Aes128 };
    let key = |password: &str| UserKey::Master(password_to_key(&*auth.built_in(), password.as_bytes()).unwrap());
    let name = Name::new(name).unwrap();
    let is_guest = name.as_octets() == GUEST.as_bytes();
    UsmUser {
        security_name: name.clone(),
        user_name: name,
        engine_id: None,
        auth: (!is_guest).then(|| (auth, key("authentication-pass"))),
        privacy: (!is_guest && has_privacy).then(|| (privacy, key("privacy-pass"))),
    }
}

/// An agent's error counters, read as any manager may.
pub struct Counters {
    socket: UdpSocket,
    request: Vec<u8>,
}

/// The values in the order of [`Statistic::ALL`].
pub type Values = [u32; Statistic::ALL.len()];

impl Counters {
    pub fn of(agent: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(agent).unwrap();
        socket.set_read_timeout(Some(LIVENESS)).unwrap();
        let names = Statistic::ALL.map(Statistic::instance);
        let names = VarBindBuf::of_names(names.iter().map(|name| name.as_oid()));
        let pdu = Pdu::new(PduKind::GetRequest, 1, names.as_list());
        Counters { socket, request: community_message(Version::V2c, "public", AnyPdu::Pdu(pdu)) }
    }

    /// The present values. Costs one message in, and one response.
    #[track_caller]
    pub fn read(&self) -> Values {
        self.socket.send(&self.request).unwrap();
        let mut answer = vec![0; 4096];
        let length = self.socket.recv(&mut answer).expect("the agent answers");
        let message = CommunityMessage::parse(&answer[..length]);
        let message = message.unwrap_or_else(|error| panic!("{error}: {:02x?}", &answer[..length]));
        let AnyPdu::Pdu(pdu) = message.pdu else { panic!("no response") };
        let values: Vec<u32> = pdu
            .varbinds
            .iter()
            .map(|varbind| match varbind.value {
                Value::Counter32(value) => value,
                other => panic!("{} is {other:?}", varbind.name),
            })
            .collect();
        values.try_into().unwrap()
    }
}

/// A socket to send from, which does not wait for answers.
pub fn answers_socket(agent: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(agent).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    socket
}
