//! A manager and a simulator on one virtual network: no socket, no clock.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hamsa_sim::clock::Epoch;
use hamsa_sim::recording::Library;
use hamsa_sim::{AgentAccess, AgentGroup, Rights, SimConfig, SimUser, Simulator, Source, Transmit};
use hamsa_snmp::engine::{Community, CommunityTable, Engine, EngineId, EngineStats, EngineTime, Name};
use hamsa_snmp::manager::{
    Handled, Manager, RequestError, RequestKind, TargetConfig, TargetId, Timing, Walk, WalkError, WalkItem,
};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::pdu::{ErrorStatus, Pdu, PduKind};
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId, SaltSource, UserKey, Usm, UsmUser, UsmUsers, password_to_key};
use hamsa_snmp::{Oid, OwnedValue, Value, VarBindBuf};

pub const MANAGER: &str = "127.0.0.1:40000";
pub const AUTH: (AuthProtocolId, &str) = (AuthProtocolId::Sha256, "authentic-1");
pub const PRIVACY: (PrivProtocolId, &str) = (PrivProtocolId::Aes128, "secret-999");

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The usual access, and a user `ops` who authenticates and encrypts.
pub fn access() -> AgentAccess {
    let users = vec![SimUser::with_privacy("ops", Rights::ReadWrite, AUTH, PRIVACY).unwrap()];
    AgentAccess { users, ..AgentAccess::default() }
}

pub fn group(source: Source, first: &str) -> AgentGroup {
    AgentGroup { access: access(), ..AgentGroup::new(source, address(first)) }
}

pub struct CountingSalts(AtomicU64);

impl SaltSource for CountingSalts {
    fn next_salt(&self) -> Result<u64, String> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// What an agent answered.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: ErrorStatus,
    pub index: i32,
    pub varbinds: VarBindBuf,
}

impl Response {
    pub fn values(&self) -> Vec<(Oid, OwnedValue)> {
        self.varbinds.iter().map(|varbind| (varbind.name.to_owned(), varbind.value.to_owned())).collect()
    }
}

pub type Answer = Result<Response, RequestError>;

/// How a walk went.
#[derive(Debug, Default)]
pub struct Walked {
    pub found: Vec<(Oid, OwnedValue)>,
    pub requests: u32,
    /// Why subtrees ended early.
    pub failures: Vec<WalkError>,
    /// Why the whole walk did.
    pub error: Option<RequestError>,
}

pub struct Net {
    pub start: Instant,
    pub now: Instant,
    pub simulator: Simulator,
    pub manager: Manager,
    pub communities: Arc<CommunityTable>,
    pub answers: HashMap<u64, Answer>,
    /// Datagrams that are no answers to this manager, notifications say, and where they came from.
    pub others: Vec<(Instant, SocketAddr, Vec<u8>)>,
    /// Every octet that the simulator has sent.
    pub trace: Vec<(SocketAddr, Vec<u8>)>,
    next_token: u64,
}

impl Net {
    pub fn new(groups: Vec<AgentGroup>, seed: u64) -> Self {
        Net::with_library(groups, &Library::new(), seed)
    }

    pub fn with_library(groups: Vec<AgentGroup>, library: &Library, seed: u64) -> Self {
        let start = Instant::now() + Duration::from_secs(1_000_000);
        let epoch = Epoch { instant: start, unix: Duration::from_secs(1_700_000_000) };
        let config = SimConfig { seed, boots_at_start: 5, groups };
        let simulator = Simulator::new(&config, library, epoch).unwrap();
        let id = EngineId::assigned(32473, *b"manager1");
        let stats = Arc::new(EngineStats::default());
        let communities = Arc::new(CommunityTable::new());
        for community in ["public", "private"] {
            communities.insert(Community::new(community.as_bytes(), name(community)));
        }
        let users = Arc::new(UsmUsers::new(id, EngineTime { boots: 1, time: 0 }, start));
        users.insert(ops()).unwrap();
        let salts = Arc::new(CountingSalts(AtomicU64::new(1 << 60)));
        let usm = Usm::new(users, stats.clone(), salts);
        let engine = Engine::with_communities(id, stats, communities.clone()).with_v3(Arc::new(usm));
        let manager = Manager::new(Arc::new(engine), [seed as u8; 32]);
        let (answers, others, trace) = (HashMap::new(), Vec::new(), Vec::new());
        Net { start, now: start, simulator, manager, communities, answers, others, trace, next_token: 0 }
    }

    /// A target of v1 or v2c by community, of v3 as `ops`.
    pub fn target(&mut self, to: &str, version: Version, who: &str) -> TargetId {
        self.target_in(to, version, who, "")
    }

    pub fn target_in(&mut self, to: &str, version: Version, who: &str, context: &str) -> TargetId {
        if version != Version::V3 {
            self.communities.insert(Community::new(who.as_bytes(), name(who)));
        }
        self.manager.add_target(TargetConfig {
            address: address(to),
            version,
            security_name: name(who),
            level: if version == Version::V3 { SecurityLevel::AuthPriv } else { SecurityLevel::NoAuthNoPriv },
            context_name: name(context),
            context_engine_id: None,
            engine_id: None,
            timing: Timing { retries: 2, ..Timing::default() },
            max_outstanding: 1,
        })
    }

    pub fn request(&mut self, target: TargetId, kind: RequestKind, varbinds: VarBindBuf) -> Answer {
        self.next_token += 1;
        let token = self.next_token;
        self.manager.submit(target, kind, varbinds, token).unwrap();
        // Far more turns than any request needs.
        for _ in 0..10_000 {
            if let Some(answer) = self.answers.remove(&token) {
                return answer;
            }
            self.step();
        }
        panic!("a request pends for ever");
    }

    pub fn get(&mut self, target: TargetId, names: &[&str]) -> Answer {
        let names: Vec<Oid> = names.iter().map(|text| oid(text)).collect();
        self.request(target, RequestKind::Get, VarBindBuf::of_names(names.iter().map(Oid::as_oid)))
    }

    pub fn set(&mut self, target: TargetId, name: &str, value: Value<'_>) -> Result<ErrorStatus, RequestError> {
        let mut varbinds = VarBindBuf::new();
        varbinds.push(oid(name).as_oid(), value);
        Ok(self.request(target, RequestKind::Set, varbinds)?.status)
    }

    /// The only value that one GET of one name gives.
    pub fn value(&mut self, target: TargetId, name: &str) -> OwnedValue {
        let response = self.get(target, &[name]).unwrap();
        assert_eq!(response.status, ErrorStatus::NO_ERROR, "{name}");
        response.values().remove(0).1
    }

    /// Walks to the end, whatever that is.
    pub fn walk(&mut self, target: TargetId, mut walk: Walk) -> Walked {
        let mut walked = Walked::default();
        while let Some((kind, varbinds)) = walk.next_request(VarBindBuf::new()) {
            walked.requests += 1;
            assert!(walked.requests < 20_000, "a walk without end");
            match self.request(target, kind, varbinds) {
                Ok(Response { status, index, varbinds }) => {
                    let mut pdu = Pdu::new(PduKind::Response, 1, varbinds.as_list());
                    (pdu.field1, pdu.field2) = (status.0, index);
                    walk.handle_response(&pdu, |item, varbind| {
                        if matches!(item, WalkItem::Subtree(_)) {
                            walked.found.push((varbind.name.to_owned(), varbind.value.to_owned()));
                        }
                    });
                }
                Err(RequestError::Timeout { .. }) if walk.handle_timeout() => {}
                Err(error) => {
                    walked.error = Some(error);
                    break;
                }
            }
        }
        walked.failures = walk.failures().map(|(_, _, error)| error.clone()).collect();
        walked
    }

    /// Lets time pass until then; what the simulator sends of itself arrives.
    pub fn run_until(&mut self, time: Instant) {
        loop {
            self.exchange();
            match self.next_time() {
                Some(next) if next <= time => self.now = next,
                _ => break,
            }
        }
        self.now = time;
        self.exchange();
    }

    fn next_time(&mut self) -> Option<Instant> {
        let next = [self.manager.poll_timeout(), self.simulator.poll_timeout()].into_iter().flatten().min()?;
        Some(next.max(self.now))
    }

    /// Carries what is ready, or moves time to when something is.
    fn step(&mut self) {
        if !self.exchange() {
            self.now = self.next_time().expect("something is pending");
            self.exchange();
        }
    }

    /// Carries what is ready in either direction; whether anything was.
    fn exchange(&mut self) -> bool {
        self.manager.handle_timeout(self.now);
        let mut busy = false;
        let mut buffer = vec![0; 65_536];
        while let Some(transmit) = self.manager.poll_transmit(self.now, &mut buffer) {
            busy = true;
            let start = buffer.len() - transmit.length;
            self.simulator.handle_datagram(self.now, transmit.address, address(MANAGER), &mut buffer[start..]);
        }
        while let Some(Transmit { from, to, mut datagram, due }) = self.simulator.poll_transmit(self.now) {
            busy = true;
            assert!(due <= self.now);
            self.trace.push((from, datagram.clone()));
            if to != address(MANAGER) {
                self.others.push((due, from, datagram));
                continue;
            }
            let now = self.now;
            if let Handled::Completed(done) = self.manager.handle_datagram(now, from, &mut datagram) {
                let response = Response {
                    status: done.response.error_status(),
                    index: done.response.error_index(),
                    varbinds: done.response.varbinds.to_buf(),
                };
                assert!(self.answers.insert(done.token, Ok(response)).is_none(), "answered twice");
            }
        }
        while let Some(failure) = self.manager.poll_failure() {
            busy = true;
            assert!(self.answers.insert(failure.token, Err(failure.error)).is_none(), "ended twice");
        }
        busy
    }
}

/// The manager's side of the user `ops`.
fn ops() -> UsmUser {
    let hash = AUTH.0.built_in();
    let key = |password: &str| UserKey::Master(password_to_key(&*hash, password.as_bytes()).unwrap());
    UsmUser {
        security_name: name("ops"),
        user_name: name("ops"),
        engine_id: None,
        auth: Some((AUTH.0, key(AUTH.1))),
        privacy: Some((PRIVACY.0, key(PRIVACY.1))),
    }
}
