//! A manager and its agents on one virtual wire: no socket, no clock.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hamsa_snmp::agent::{CommandResponder, Instrumentation, Requester, SetError};
use hamsa_snmp::engine::{Community, CommunityTable, Engine, EngineId, EngineStats, EngineTime, Name, security_model};
use hamsa_snmp::manager::{Failure, Handled, Manager, RequestError, RequestKind, TargetConfig, TargetId, Timing};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::pdu::{ErrorStatus, Pdu};
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId, SaltSource, UserKey, Usm, UsmUser, UsmUsers, password_to_key};
use hamsa_snmp::vacm::{AccessEntry, ContextMatch, GroupMember, Vacm, VacmTables, ViewFamily};
use hamsa_snmp::{Oid, OidRef, OwnedValue, Value, VarBindBuf, VarBindList};

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}

#[derive(Default)]
pub struct CountingSalts(pub AtomicU64);

impl SaltSource for CountingSalts {
    fn next_salt(&self) -> Result<u64, String> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// An agent's objects, in a map.
#[derive(Default)]
pub struct Objects(pub Mutex<BTreeMap<Oid, OwnedValue>>);

impl Instrumentation for Objects {
    fn get(&self, _now: Instant, name: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        let objects = self.0.lock().unwrap();
        to.push(name, objects.get(&name.to_owned()).map_or(Value::NoSuchInstance, OwnedValue::as_value));
        Ok(())
    }

    fn get_next(&self, _now: Instant, after: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        use std::ops::Bound::{Excluded, Unbounded};
        let objects = self.0.lock().unwrap();
        match objects.range((Excluded(after.to_owned()), Unbounded)).next() {
            Some((name, value)) => to.push(name.as_oid(), value.as_value()),
            None => to.push(after, Value::EndOfMibView),
        }
        Ok(())
    }

    fn set(&self, _now: Instant, _requester: Requester<'_>, varbinds: VarBindList<'_>) -> Result<(), SetError> {
        let mut objects = self.0.lock().unwrap();
        let known = |name: OidRef<'_>| objects.contains_key(&name.to_owned());
        if let Some(index) = varbinds.iter().position(|varbind| !known(varbind.name)) {
            return Err(SetError { status: ErrorStatus::NOT_WRITABLE, index });
        }
        for varbind in varbinds {
            objects.insert(varbind.name.to_owned(), varbind.value.to_owned());
        }
        Ok(())
    }
}

pub fn user(
    security_name: &str,
    auth: Option<(AuthProtocolId, &str)>,
    privacy: Option<(PrivProtocolId, &str)>,
) -> UsmUser {
    named_user(security_name, "ops", auth, privacy)
}

pub fn named_user(
    security_name: &str,
    user_name: &str,
    auth: Option<(AuthProtocolId, &str)>,
    privacy: Option<(PrivProtocolId, &str)>,
) -> UsmUser {
    let hash = auth.map_or(AuthProtocolId::Md5, |(id, _)| id).built_in();
    let key = |password: &str| UserKey::Master(password_to_key(&*hash, password.as_bytes()).unwrap());
    UsmUser {
        security_name: name(security_name),
        user_name: name(user_name),
        engine_id: None,
        auth: auth.map(|(id, password)| (id, key(password))),
        privacy: privacy.map(|(id, password)| (id, key(password))),
    }
}

/// Access control that lets these names do everything.
pub fn all_access(names: &[&str]) -> Vacm {
    let members = names.iter().flat_map(|security_name| {
        [security_model::V1, security_model::V2C, security_model::USM].map(|security_model| GroupMember {
            security_model,
            security_name: name(security_name),
            group: name("all"),
        })
    });
    let access = AccessEntry {
        group: name("all"),
        context: ContextMatch::Prefix(name("")),
        security_model: 0,
        level: SecurityLevel::NoAuthNoPriv,
        read_view: name("all"),
        write_view: name("all"),
        notify_view: name("all"),
    };
    Vacm::new(VacmTables {
        contexts: vec![name("")],
        members: members.collect(),
        access: vec![access],
        families: vec![ViewFamily::subtree(name("all"), oid("1.3"), true)],
    })
}

/// A host on the wire that answers SNMP.
pub struct Agent {
    pub address: SocketAddr,
    pub engine_id: EngineId,
    pub objects: Arc<Objects>,
    pub responder: CommandResponder,
    pub users: Arc<UsmUsers>,
}

impl Agent {
    pub fn new(address: &str, boots: u32, started: Instant, users: Vec<UsmUser>) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        let engine_id = EngineId::assigned(32473, u64::from(address.port()).to_be_bytes());
        Agent::with_engine(address, engine_id, boots, started, users)
    }

    pub fn with_engine(
        address: SocketAddr,
        engine_id: EngineId,
        boots: u32,
        started: Instant,
        users: Vec<UsmUser>,
    ) -> Self {
        let stats = Arc::new(EngineStats::default());
        let communities = Arc::new(CommunityTable::new());
        communities.insert(Community::new(b"public", name("public")));
        let known = Arc::new(UsmUsers::new(engine_id, EngineTime { boots, time: 0 }, started));
        let mut names = vec!["public".to_owned()];
        for user in users {
            names.push(user.security_name.to_string());
            known.insert(user).unwrap();
        }
        let usm = Usm::new(known.clone(), stats.clone(), Arc::new(CountingSalts::default()));
        let engine = Engine::with_communities(engine_id, stats, communities).with_v3(Arc::new(usm));
        let objects = Arc::new(Objects::default());
        let access = all_access(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let responder = CommandResponder::new(Arc::new(engine), Arc::new(access), objects.clone());
        Agent { address, engine_id, objects, responder, users: known }
    }

    pub fn set(&self, name: &str, value: Value<'_>) {
        self.objects.0.lock().unwrap().insert(oid(name), value.to_owned());
    }
}

/// What became of a request.
pub type Outcome = Result<(ErrorStatus, Vec<(Oid, OwnedValue)>), RequestError>;

pub struct Wire {
    pub now: Instant,
    pub manager: Manager,
    pub users: Arc<UsmUsers>,
    pub communities: Arc<CommunityTable>,
    pub agents: Vec<Agent>,
    pub outcomes: Vec<(u64, Outcome)>,
    /// Datagrams on their way to the manager.
    pub inbound: VecDeque<(SocketAddr, Vec<u8>)>,
    pub sent: u64,
}

impl Wire {
    pub fn new() -> Self {
        let now = Instant::now() + Duration::from_secs(1_000_000);
        let id = EngineId::assigned(32473, *b"manager1");
        let stats = Arc::new(EngineStats::default());
        let communities = Arc::new(CommunityTable::new());
        communities.insert(Community::new(b"public", name("public")));
        communities.insert(Community::new(b"wrong", name("wrong")));
        let users = Arc::new(UsmUsers::new(id, EngineTime { boots: 1, time: 0 }, now));
        let usm = Usm::new(users.clone(), stats.clone(), Arc::new(CountingSalts(AtomicU64::new(1 << 48))));
        let engine = Engine::with_communities(id, stats, communities.clone()).with_v3(Arc::new(usm));
        let manager = Manager::new(Arc::new(engine), [7; 32]);
        let (agents, outcomes, inbound) = (Vec::new(), Vec::new(), VecDeque::new());
        Wire { now, manager, users, communities, agents, outcomes, inbound, sent: 0 }
    }

    pub fn target(&mut self, agent: usize, version: Version, security_name: &str, level: SecurityLevel) -> TargetId {
        let config = TargetConfig {
            address: self.agents[agent].address,
            version,
            security_name: name(security_name),
            level,
            context_name: name(""),
            context_engine_id: None,
            engine_id: None,
            timing: Timing::default(),
            max_outstanding: 2,
        };
        self.manager.add_target(config)
    }

    pub fn ask(&mut self, target: TargetId, kind: RequestKind, names: &[&str], token: u64) {
        let names: Vec<Oid> = names.iter().map(|text| oid(text)).collect();
        let varbinds = VarBindBuf::of_names(names.iter().map(Oid::as_oid));
        self.manager.submit(target, kind, varbinds, token).unwrap();
    }

    /// Sends all that is ready through `tamper`, which may change or drop (`None`) a request.
    pub fn send_all(&mut self, tamper: &mut dyn FnMut(Vec<u8>) -> Option<Vec<u8>>) {
        let mut buffer = vec![0; 2048];
        while let Some(transmit) = self.manager.poll_transmit(self.now, &mut buffer) {
            self.sent += 1;
            let Some(mut request) = tamper(buffer[buffer.len() - transmit.length..].to_vec()) else { continue };
            let Some(agent) = self.agents.iter().find(|agent| agent.address == transmit.address) else { continue };
            let mut answer = vec![0; 65_536];
            if let Some(length) = agent.responder.handle(self.now, &mut request, &mut answer) {
                self.inbound.push_back((agent.address, answer[answer.len() - length..].to_vec()));
            }
        }
    }

    pub fn deliver_all(&mut self) {
        while let Some((from, mut datagram)) = self.inbound.pop_front() {
            if let Handled::Completed(done) = self.manager.handle_datagram(self.now, from, &mut datagram) {
                let outcome = (done.response.error_status(), owned(&done.response));
                self.outcomes.push((done.token, Ok(outcome)));
            }
        }
        while let Some(Failure { token, error, .. }) = self.manager.poll_failure() {
            self.outcomes.push((token, Err(error)));
        }
    }

    /// Runs until nothing is pending, moving time to each timeout.
    pub fn run(&mut self) {
        self.run_with(&mut Some);
    }

    pub fn run_with(&mut self, tamper: &mut dyn FnMut(Vec<u8>) -> Option<Vec<u8>>) {
        for _ in 0..100_000 {
            self.send_all(tamper);
            self.deliver_all();
            if self.manager.pending() == 0 {
                return;
            }
            if self.inbound.is_empty() && self.manager.poll_timeout().is_some_and(|at| at > self.now) {
                self.now = self.manager.poll_timeout().unwrap();
            }
            self.manager.handle_timeout(self.now);
        }
        panic!("requests pend for ever");
    }

    /// The outcome of the request with this token.
    pub fn outcome(&self, token: u64) -> &Outcome {
        let mut found = self.outcomes.iter().filter(|(t, _)| *t == token);
        let outcome = &found.next().expect("ended").1;
        assert!(found.next().is_none(), "request {token} ended twice");
        outcome
    }

    pub fn value(&self, token: u64) -> OwnedValue {
        let (status, varbinds) = self.outcome(token).as_ref().expect("answered");
        assert_eq!(*status, ErrorStatus::NO_ERROR);
        varbinds[0].1.clone()
    }
}

pub fn owned(pdu: &Pdu<'_>) -> Vec<(Oid, OwnedValue)> {
    pdu.varbinds.iter().map(|varbind| (varbind.name.to_owned(), varbind.value.to_owned())).collect()
}
