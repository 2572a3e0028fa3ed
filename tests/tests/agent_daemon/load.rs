//! Managers that ask without end, each over a relay that notes the salts of all answers, and without retransmissions: a
//! request that is lost, or whose answer is wrong, is a failure.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hamsa_node::client::{Client, ClientOptions};
use hamsa_snmp::engine::{CommunityTable, Engine, EngineId, EngineStats, EngineTime, Name};
use hamsa_snmp::manager::{RequestKind, TargetConfig, TargetId, Timing};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::pdu::{Bulk, ErrorStatus};
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId, SaltSource, UserKey, Usm, UsmUser, UsmUsers, password_to_key};
use hamsa_snmp::value::OwnedValue;
use hamsa_snmp::{Oid, VarBindBuf};
use hamsa_testkit::{User, limits::LIVENESS, wait_until};

use crate::relay::Relay;
use crate::support::{CONTACT, LOCATION, SYS_CONTACT, SYS_LOCATION, SYS_NAME};

/// Managers that ask until they are told to end.
pub struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    managers: Vec<JoinHandle<Result<(), String>>>,
    relays: Vec<Relay>,
}

/// What came of it.
pub struct Outcome {
    pub answered: u64,
    /// `msgPrivacyParameters` of the agent's messages.
    pub salts: Vec<Vec<u8>>,
}

impl Load {
    /// Starts a manager for each user; the first one writes too. All have spoken with the agent when this returns.
    pub fn start(agent: SocketAddr, users: &[User]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicU64::new(0));
        let mut load = Load { stop, answered, managers: Vec::new(), relays: Vec::new() };
        let ready = Arc::new(AtomicU64::new(0));
        for (number, user) in users.iter().cloned().enumerate() {
            let relay = Relay::start(agent);
            let address = relay.address;
            load.relays.push(relay);
            let (stop, answered, ready) = (load.stop.clone(), load.answered.clone(), ready.clone());
            load.managers.push(std::thread::spawn(move || {
                let mut manager = Asker::new(address, &user, number == 0);
                manager.ask_all()?;
                ready.fetch_add(1, Ordering::Relaxed);
                while !stop.load(Ordering::Relaxed) {
                    manager.ask_all()?;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            }));
        }
        wait_until("all managers are answered", || (ready.load(Ordering::Relaxed) == users.len() as u64).then_some(()));
        load
    }

    /// Waits until some more rounds of questions were answered, so that swaps meet calls.
    pub fn go_on(&self, rounds: u64) {
        let until = self.answered.load(Ordering::Relaxed) + rounds;
        let deadline = Instant::now() + LIVENESS;
        while self.answered.load(Ordering::Relaxed) < until && self.managers.iter().all(|one| !one.is_finished()) {
            assert!(Instant::now() < deadline, "the managers get no answers");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends it. Panics with what was lost or wrong.
    pub fn end(mut self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        for manager in self.managers.drain(..) {
            if let Err(error) = manager.join().expect("no panic") {
                panic!("a manager: {error}");
            }
        }
        let salts = self.relays.drain(..).flat_map(Relay::end).collect();
        Outcome { answered: self.answered.load(Ordering::Relaxed), salts }
    }
}

/// A manager with one request under way at a time.
struct Asker {
    client: Client,
    target: TargetId,
    writes: bool,
    round: u64,
}

struct Salts(AtomicU64);

impl SaltSource for Salts {
    fn next_salt(&self) -> Result<u64, String> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

impl Asker {
    fn new(agent: SocketAddr, user: &User, writes: bool) -> Self {
        let id = EngineId::assigned(32473, *b"hamsatst");
        let stats = Arc::new(EngineStats::default());
        let users = Arc::new(UsmUsers::new(id, EngineTime { boots: 1, time: 0 }, Instant::now()));
        let name = Name::new(&user.name).unwrap();
        let (auth, auth_password) = user.auth.unwrap();
        let (privacy, priv_password) = user.privacy.unwrap();
        let auth: AuthProtocolId = auth.parse().unwrap();
        let privacy: PrivProtocolId = privacy.parse().unwrap();
        let key = |password: &str| UserKey::Master(password_to_key(&*auth.built_in(), password.as_bytes()).unwrap());
        let known = UsmUser {
            security_name: name.clone(),
            user_name: name.clone(),
            engine_id: None,
            auth: Some((auth, key(auth_password))),
            privacy: Some((privacy, key(priv_password))),
        };
        users.insert(known).unwrap();
        let usm = Usm::new(users, stats.clone(), Arc::new(Salts(AtomicU64::new(1))));
        let engine = Engine::with_communities(id, stats, Arc::new(CommunityTable::new())).with_v3(Arc::new(usm));
        let options = ClientOptions { seed: [7; 32], receive_buffer_bytes: 1 << 19, stop: Arc::default() };
        let mut client = Client::new(Arc::new(engine), options);
        let config = TargetConfig {
            address: agent,
            version: Version::V3,
            security_name: name,
            level: SecurityLevel::AuthPriv,
            context_name: Name::default(),
            context_engine_id: None,
            engine_id: None,
            // Nothing is sent twice.
            timing: Timing::fixed(LIVENESS, 0),
            max_outstanding: 1,
        };
        let target = client.add_target(config).unwrap();
        Asker { client, target, writes, round: 0 }
    }

    /// A round: what must be right whatever modules serve.
    fn ask_all(&mut self) -> Result<(), String> {
        self.round += 1;
        let text = |text: &str| OwnedValue::OctetString(text.as_bytes().into());
        self.expect(
            RequestKind::Get,
            &[SYS_CONTACT, SYS_LOCATION, "1.3.6.1.2.1.2.2.1.2.1"],
            &[(SYS_CONTACT, text(CONTACT)), (SYS_LOCATION, text(LOCATION)), ("1.3.6.1.2.1.2.2.1.2.1", text("lo"))],
        )?;
        let first_service = OwnedValue::Integer(72);
        self.expect(RequestKind::GetNext, &["1.3.6.1.2.1.1.7"], &[("1.3.6.1.2.1.1.7.0", first_service)])?;
        // One column, which is read many variables at a time, and two, with a variable that is not repeated before them.
        let (location, services) = ((SYS_LOCATION, text(LOCATION)), ("1.3.6.1.2.1.1.7.0", OwnedValue::Integer(72)));
        let bulk = |non_repeaters, max_repetitions| RequestKind::GetBulk(Bulk { non_repeaters, max_repetitions });
        self.expect(bulk(0, 2), &[SYS_NAME], &[location.clone(), services.clone()])?;
        let contact = (SYS_CONTACT, text(CONTACT));
        let columns = ["1.3.6.1.2.1.1.3.0", SYS_NAME, SYS_LOCATION];
        self.expect(bulk(1, 1), &columns, &[contact, location, services])?;
        if self.writes {
            let name = format!("round {}", self.round);
            let mut varbinds = VarBindBuf::new();
            varbinds.push(oid(SYS_NAME).as_oid(), text(&name).as_value());
            self.exchange(RequestKind::Set, varbinds, &[(SYS_NAME, text(&name))])?;
            self.expect(RequestKind::Get, &[SYS_NAME], &[(SYS_NAME, text(&name))])?;
        }
        Ok(())
    }

    fn expect(&mut self, kind: RequestKind, names: &[&str], expected: &[(&str, OwnedValue)]) -> Result<(), String> {
        let mut varbinds = VarBindBuf::new();
        for name in names {
            varbinds.push(oid(name).as_oid(), hamsa_snmp::value::Value::Null);
        }
        self.exchange(kind, varbinds, expected)
    }

    fn exchange(
        &mut self,
        kind: RequestKind,
        varbinds: VarBindBuf,
        expected: &[(&str, OwnedValue)],
    ) -> Result<(), String> {
        let round = self.round;
        let asked = self.client.ask(self.target, kind, varbinds, |pdu| {
            let found: Vec<(String, OwnedValue)> =
                pdu.varbinds.iter().map(|varbind| (varbind.name.to_string(), varbind.value.to_owned())).collect();
            let is_right = pdu.error_status() == ErrorStatus::NO_ERROR
                && found.iter().map(|(name, value)| (name.as_str(), value)).eq(expected.iter().map(|(n, v)| (*n, v)));
            is_right.then_some(()).ok_or_else(|| format!("round {round}: {} {found:?}", pdu.error_status()))
        });
        let (checked, _) = asked.map_err(|error| format!("round {round} was lost: {error}"))?;
        checked
    }
}

fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}
