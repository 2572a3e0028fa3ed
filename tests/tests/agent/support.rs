//! An agent with all MIB modules of SNMP, behind a socket on a loopback address.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hamsa_snmp::agent::mibs::{
    CommunityMib, FrameworkMib, MpdMib, NotificationMib, ProxyMib, SystemIdentity, SystemMib, TargetMib, UsmMib,
    VacmMib,
};
use hamsa_snmp::agent::{CommandResponder, Keep, MibModule, MibView, StorageType};
use hamsa_snmp::engine::{CommunityTable, Engine, EngineId, EngineStats, EngineTime, Name, security_model};
use hamsa_snmp::limits::MAX_MESSAGE_OCTETS;
use hamsa_snmp::message::SecurityLevel;
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId, SaltSource, UserKey, Usm, UsmUser, UsmUsers, password_to_key};
use hamsa_snmp::vacm::{AccessEntry, ContextMatch, GroupMember, Vacm, VacmTables, ViewFamily};
use hamsa_testkit::{NetSnmp, free_udp};

/// The user that may do everything.
pub const ADMIN: &str = "admin";

/// A password of [`ADMIN`], of 8 octets at least.
pub const PASSWORD: &str = "authentication-pass";

/// A running agent; it ends when dropped.
pub struct Agent {
    pub address: SocketAddr,
    pub engine: Arc<Engine>,
    pub users: Arc<UsmUsers>,
    pub access: Arc<Vacm>,
    pub usm: Arc<UsmMib>,
    vacm: Arc<VacmMib>,
    pub targets: Arc<TargetMib>,
    pub notifications: Arc<NotificationMib>,
    pub communities: Arc<CommunityMib>,
    view: Arc<MibView>,
    stop: Arc<AtomicBool>,
    serving: Option<JoinHandle<()>>,
}

/// Salts of one engine that lives once.
struct Salts(AtomicU64);

impl SaltSource for Salts {
    fn next_salt(&self) -> Result<u64, String> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A user with keys made of [`PASSWORD`].
pub fn user(user_name: &str, auth: AuthProtocolId, privacy: Option<PrivProtocolId>) -> UsmUser {
    let key = UserKey::Master(password_to_key(&*auth.built_in(), PASSWORD.as_bytes()).unwrap());
    UsmUser {
        security_name: name(user_name),
        user_name: name(user_name),
        engine_id: None,
        auth: Some((auth, key.clone())),
        privacy: privacy.map(|privacy| (privacy, key)),
    }
}

/// What [`ADMIN`] and the members of its group `admins` may do: everything, secured by a digest at least.
fn everything() -> VacmTables {
    let all = name("all");
    VacmTables {
        contexts: vec![Name::default()],
        members: vec![GroupMember {
            security_model: security_model::USM,
            security_name: name(ADMIN),
            group: name("admins"),
        }],
        access: vec![AccessEntry {
            group: name("admins"),
            context: ContextMatch::Exact(Name::default()),
            security_model: security_model::USM,
            level: SecurityLevel::AuthNoPriv,
            read_view: all.clone(),
            write_view: all.clone(),
            notify_view: all.clone(),
        }],
        families: vec![ViewFamily::subtree(all, "1.3".parse().unwrap(), true)],
    }
}

impl Agent {
    /// Starts an agent whose [`ADMIN`] has these protocols.
    pub fn start(auth: AuthProtocolId, privacy: PrivProtocolId) -> Self {
        Agent::start_from(3, |agent| {
            agent.usm.put_user(&user(ADMIN, auth, Some(privacy)), StorageType::NonVolatile).unwrap();
        })
    }

    /// Ends the agent and starts another with what each of its modules has saved, as a new process would.
    pub fn restart(self) -> Self {
        let saved: Vec<Vec<u8>> = self.view.modules().iter().map(|(_, module)| module.save(Keep::Lasting)).collect();
        drop(self);
        Agent::start_from(4, |agent| {
            for ((_, module), state) in agent.view.modules().iter().zip(&saved) {
                module.restore(state).unwrap();
            }
            // Contexts are what the agent has, and no configuration.
            let contexts = vec![Name::default()];
            agent.vacm.put(&VacmTables { contexts, ..VacmTables::default() }, StorageType::Volatile).unwrap();
        })
    }

    /// Starts an agent that has booted so often, and that is configured before it serves.
    fn start_from(boots: u32, configure: impl FnOnce(&Agent)) -> Self {
        let address = free_udp();
        let engine_id = EngineId::assigned(32473, *b"hamsatst");
        let started = Instant::now();
        let stats = Arc::new(EngineStats::default());
        let users = Arc::new(UsmUsers::new(engine_id, EngineTime { boots, time: 0 }, started));
        let salts = Arc::new(Salts(AtomicU64::new(u64::from(boots) << 32)));
        let usm = Usm::new(users.clone(), stats.clone(), salts);
        let communities = Arc::new(CommunityTable::new());
        let engine = Engine::with_communities(engine_id, stats.clone(), communities.clone()).with_v3(Arc::new(usm));
        let engine = Arc::new(engine);
        let access = Arc::new(Vacm::default());

        let identity = SystemIdentity {
            description: "an agent under test".into(),
            object_id: "1.3.6.1.4.1.32473.1".parse().unwrap(),
            services: 72,
            started,
        };
        let usm = Arc::new(UsmMib::of(users.clone(), stats.clone()));
        let vacm = Arc::new(VacmMib::of(access.clone()));
        vacm.put(&everything(), StorageType::NonVolatile).unwrap();
        let targets = Arc::new(TargetMib::of(stats.clone(), Arc::default()));
        let notifications = Arc::new(NotificationMib::of(Arc::default()));
        let communities = Arc::new(CommunityMib::of(communities, engine_id));
        let modules: [Arc<dyn MibModule>; 9] = [
            Arc::new(SystemMib::of(identity, stats.clone())),
            Arc::new(FrameworkMib::of(users.clone())),
            Arc::new(MpdMib::of(stats)),
            usm.clone(),
            vacm.clone(),
            targets.clone(),
            notifications.clone(),
            communities.clone(),
            Arc::new(ProxyMib::of(Arc::default())),
        ];
        let view = Arc::new(MibView::new());
        for module in modules {
            view.add(module).unwrap();
        }
        let stop = Arc::new(AtomicBool::new(false));
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut agent = Agent {
            address,
            engine: engine.clone(),
            users,
            access: access.clone(),
            usm,
            vacm,
            targets,
            notifications,
            communities,
            view: view.clone(),
            stop: stop.clone(),
            serving: None,
        };
        configure(&agent);
        let responder = CommandResponder::new(engine, access, view);
        agent.serving = Some(std::thread::spawn(move || {
            let mut message = vec![0; MAX_MESSAGE_OCTETS];
            let mut buffer = vec![0; MAX_MESSAGE_OCTETS];
            while !stop.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut message) else { continue };
                if let Some(answer) = responder.handle(Instant::now(), &mut message[..length], &mut buffer) {
                    let start = buffer.len() - answer;
                    let _ = socket.send_to(&buffer[start..], from);
                }
            }
        }));
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let Some(serving) = self.serving.take() else { return };
        assert!(serving.join().is_ok() || std::thread::panicking(), "the agent panicked");
    }
}

/// A manager: credentials and an agent.
pub struct Manager<'a> {
    pub tools: &'a NetSnmp,
    pub agent: &'a Agent,
    pub credentials: Vec<String>,
}

impl<'a> Manager<'a> {
    /// A user with these protocols and passwords, in net-snmp's spelling.
    pub fn new(
        tools: &'a NetSnmp,
        agent: &'a Agent,
        user_name: &str,
        auth: (&str, &str),
        privacy: Option<(&str, &str)>,
    ) -> Self {
        let level = if privacy.is_some() { "authPriv" } else { "authNoPriv" };
        let mut credentials = vec!["-v3", "-l", level, "-u", user_name, "-a", auth.0, "-A", auth.1];
        if let Some((protocol, password)) = privacy {
            credentials.extend(["-x", protocol, "-X", password]);
        }
        let credentials = credentials.into_iter().map(str::to_owned).collect();
        Manager { tools, agent, credentials }
    }

    /// Runs a tool; what it says, or why not.
    pub fn try_run(&self, tool: &str, options: &[&str], arguments: &[&str]) -> Result<String, String> {
        let address = self.agent.address.to_string();
        let common = ["-t", "5", "-r", "1", "-On"].map(str::to_owned);
        let own = [options, &[&address], arguments].concat();
        let all = self.credentials.iter().cloned().chain(common).chain(own.iter().map(|&text| text.to_owned()));
        self.tools.run(tool, all).map_err(|error| error.to_string())
    }

    #[track_caller]
    pub fn run(&self, tool: &str, options: &[&str], arguments: &[&str]) -> String {
        self.try_run(tool, options, arguments).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Without `Timeout`, which would say that the agent did not even answer.
    #[track_caller]
    pub fn refused(&self, tool: &str, options: &[&str], arguments: &[&str]) -> String {
        let error = self.try_run(tool, options, arguments).expect_err("it was done");
        assert!(!error.contains("Timeout"), "{error}");
        error
    }
}
