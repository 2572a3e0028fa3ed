//! Ours: two whole engines, with all that they check and count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use hamsa_snmp::VarBindBuf;
use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::{CommunityTable, Engine, EngineId, EngineStats, EngineTime, Envelope, Name, Sending};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::pdu::{AnyPdu, Bulk, Pdu, PduKind};
use hamsa_snmp::usm::{
    AuthProtocolId, Key, PrivProtocolId, SaltSource, UserKey, Usm, UsmUser, UsmUsers, password_to_key,
};

use super::{AUTH_PASSWORD, ENGINE_BOOTS, ENGINE_ID, ENGINE_TIME, MSG_ID, PRIVACY_PASSWORD, Secured, USER};
use crate::community::{Bindings, Reader};
use crate::workload::{BINDINGS, Binding, REQUEST_ID, Tally};

/// Larger than any message here.
const BUFFER_OCTETS: usize = 4096;

const AUTH: AuthProtocolId = AuthProtocolId::Sha256;
const PRIVACY: PrivProtocolId = PrivProtocolId::Aes128;

/// `hamsa-snmp`.
pub struct Ours {
    now: Instant,
    user: Name,
    agent: Engine,
    manager: Engine,
    /// Of the request that the agent answers.
    asked: Envelope,
    bindings: Bindings,
    varbinds: VarBindBuf,
    buffer: Vec<u8>,
    received: Vec<u8>,
    message: Vec<u8>,
    reader: Reader,
}

struct Counted(AtomicU64);

impl SaltSource for Counted {
    fn next_salt(&self) -> Result<u64, String> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

impl Ours {
    /// For these bindings.
    pub fn new(bindings: &[Binding]) -> Self {
        let now = Instant::now();
        let user = Name::new(USER).expect("a short name");
        let agent_id = EngineId::new(ENGINE_ID).expect("a valid engine ID");
        let agent_time = EngineTime { boots: ENGINE_BOOTS, time: ENGINE_TIME };
        let agent = engine(agent_id, agent_time, now, &user);
        let manager_id = EngineId::assigned(32_473, *b"manager.");
        let manager = engine(manager_id, EngineTime { boots: 1, time: 0 }, now, &user);

        let nothing = VarBindBuf::new();
        let bulk = Bulk { non_repeaters: 0, max_repetitions: BINDINGS };
        let request = Pdu::get_bulk(REQUEST_ID, bulk, nothing.as_list());
        let sending = Sending {
            now,
            msg_id: MSG_ID,
            engine_id: agent_id,
            security_name: &user,
            level: SecurityLevel::AuthPriv,
            time_hint: Some(agent_time),
            context_engine_id: agent_id,
            context_name: &Name::default(),
            pdu: AnyPdu::Pdu(request),
        };
        let mut buffer = vec![0; BUFFER_OCTETS];
        let mut writer = Writer::new(&mut buffer);
        manager.send(Version::V3, &sending, &mut writer).expect("a valid request");
        let asked = agent.receive(now, writer.finish().expect("a large buffer"), &mut Writer::new(&mut []));
        let asked = asked.expect("an authentic request").envelope;

        let mut ours = Ours {
            now,
            user,
            agent,
            manager,
            asked,
            bindings: Bindings::new(bindings),
            varbinds: VarBindBuf::new(),
            buffer: vec![0; BUFFER_OCTETS],
            received: vec![0; BUFFER_OCTETS],
            message: Vec::new(),
            reader: Reader::new(),
        };
        ours.message = ours.outgoing().to_vec();
        ours
    }

    fn receive(&mut self, length: usize) -> Tally {
        let received = &mut self.received[..length];
        let received =
            self.manager.receive(self.now, received, &mut Writer::new(&mut [])).expect("an authentic message");
        assert!(self.manager.may_answer(&self.user, &received.envelope));
        assert_eq!(received.envelope.msg_id, MSG_ID);
        let AnyPdu::Pdu(pdu) = received.pdu else { panic!("a response") };
        self.reader.tally(pdu.varbinds)
    }
}

impl Secured for Ours {
    fn outgoing(&mut self) -> &[u8] {
        self.bindings.put_into(&mut self.varbinds);
        let pdu = Pdu::new(PduKind::Response, REQUEST_ID, self.varbinds.as_list());
        let mut writer = Writer::new(&mut self.buffer);
        self.agent.respond(self.now, &self.asked, &pdu, &mut writer).expect("a valid response");
        writer.finish().expect("the buffer is large enough")
    }

    fn incoming(&mut self, message: &[u8]) -> Tally {
        self.received[..message.len()].copy_from_slice(message);
        self.receive(message.len())
    }

    fn incoming_again(&mut self) -> Tally {
        // It is decrypted in place, as a socket's buffer is.
        self.received[..self.message.len()].copy_from_slice(&self.message);
        self.receive(self.message.len())
    }
}

fn engine(id: EngineId, time: EngineTime, now: Instant, name: &Name) -> Engine {
    let stats = Arc::new(EngineStats::default());
    let users = UsmUsers::new(id, time, now);
    let master = |password| UserKey::Master(key(password));
    let user = UsmUser {
        security_name: name.clone(),
        user_name: name.clone(),
        engine_id: None,
        auth: Some((AUTH, master(AUTH_PASSWORD))),
        privacy: Some((PRIVACY, master(PRIVACY_PASSWORD))),
    };
    users.insert(user).expect("the only user");
    let usm = Usm::new(Arc::new(users), stats.clone(), Arc::new(Counted(AtomicU64::new(1))));
    Engine::with_communities(id, stats, Arc::new(CommunityTable::new())).with_v3(Arc::new(usm))
}

fn key(password: &[u8]) -> Key {
    password_to_key(&*AUTH.built_in(), password).expect("a long password")
}
