//! A node put together from its configuration: store, engine, loop, writer, HTTP. Everything that can fail
//! happens in [`Daemon::start`], before anything is polled.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Instant, SystemTime};

use hamsa_snmp::engine::{CommunityTable, Engine, EngineStats, EngineTime, Name};
use hamsa_snmp::manager::{Poller, TargetConfig, Timing, WalkOptions};
use hamsa_snmp::message::Version;
use hamsa_snmp::mib::{Mib, MibDiagnostic, MibPaths, ModuleChoice};
use hamsa_snmp::usm::{Usm, UsmUsers};
use hamsa_store::{OpenError, SeriesName, Store, StoreOptions};

use crate::collector::{Collector, CollectorStats, DeviceSpec, unix_ms};
use crate::config::{Config, Credentials, DeviceAddress, DeviceConfig, PollConfig, Security};
use crate::credentials::CredentialsError;
use crate::fleet::{DeviceEntry, DeviceIdentity, DeviceState, Fleet};
use crate::http::{HttpError, HttpServer};
use crate::identity::{self, IdentityError, StoredSalts};
use crate::io_loop::{Command, LoopHandle, LoopParts, PreparedLoop};
use crate::limits::RESOLVE_RETRY;
use crate::net::{BindError, BoundUdp, UdpOptions};
use crate::notifications::{AcceptedNames, NotificationReceiver, NotificationStats};
use crate::profile::{Profile, ProfileError, ProfileSet};
use crate::writer::{WriterConfig, WriterHandle, WriterStats};

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum StartError {
    #[error("the store can't be opened: {0}")]
    Store(#[from] OpenError),
    #[error("the engine has no identity: {0}")]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error("a profile that is shipped can't be used: {0}")]
    Profile(#[from] ProfileError),
    #[error("a thread or the random source can't be had: {0}")]
    System(#[from] std::io::Error),
}

/// What the parts of a node share, and HTTP shows.
pub struct NodeState {
    /// The node's name.
    pub name: String,
    /// When it was started.
    pub started: SystemTime,
    /// The devices.
    pub fleet: Arc<Fleet>,
    /// Samples, events and state.
    pub store: Arc<Store>,
    /// Object names.
    pub mib: Arc<Mib>,
    /// Device profiles.
    pub profiles: Arc<ProfileSet>,
    /// All credentials, by name.
    pub credentials: BTreeMap<String, Arc<Credentials>>,
    /// How to poll where nothing else is said.
    pub poll: PollConfig,
    /// Counters of polls.
    pub collector_stats: Arc<CollectorStats>,
    /// The SNMP engine's counters.
    pub engine_stats: Arc<EngineStats>,
    /// The writer's counters.
    pub writer_stats: Arc<WriterStats>,
    /// Counters of notifications.
    pub notification_stats: Arc<NotificationStats>,
    /// The loop that polls.
    pub snmp: LoopHandle,
    /// Where traps are received.
    pub trap_addresses: Vec<SocketAddr>,
    /// What was wrong with MIB files and profiles: they were left out.
    pub left_out: Vec<String>,
}

/// A running node.
pub struct Daemon {
    state: Arc<NodeState>,
    http: HttpServer,
    snmp_thread: JoinHandle<()>,
    resolver: Option<Resolver>,
}

/// The thread that looks up host names; it ends when `stop` is dropped.
struct Resolver {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Daemon {
    /// Starts a node.
    pub fn start(config: &Config) -> Result<Self, StartError> {
        let (mib, mib_diagnostics) = load_mib(config);
        let mut profiles = ProfileSet::shipped(&mib)?;
        let mut left_out: Vec<String> = mib_diagnostics.iter().map(ToString::to_string).collect();
        for dir in &config.profiles.dirs {
            left_out.extend(profiles.add_dir(dir, &mib).iter().map(ToString::to_string));
        }
        let profiles = Arc::new(profiles);
        for problem in &left_out {
            tracing::warn!("left out: {problem}");
        }
        let store = Arc::new(Store::open(
            &config.node.data_dir,
            StoreOptions {
                sample_retention: config.store.retention,
                event_retention: config.store.event_retention,
                cache_bytes: usize::try_from(config.store.cache_size).unwrap_or(usize::MAX),
            },
        )?);
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(std::io::Error::from)?;
        let engine_id = identity::engine_id(&store, random)?;
        let at_start = EngineTime { boots: identity::next_boots(&store)?, time: 0 };
        let engine_stats = Arc::new(EngineStats::default());
        let communities = Arc::new(CommunityTable::new());
        let users = Arc::new(UsmUsers::new(engine_id, at_start, Instant::now()));
        for credentials in config.credentials.values() {
            credentials.install(&communities, &users)?;
        }
        let salts = Arc::new(StoredSalts::new(store.clone(), engine_id));
        let usm = Usm::new(users, engine_stats.clone(), salts);
        let engine = Engine::with_communities(engine_id, engine_stats.clone(), communities).with_v3(Arc::new(usm));
        let engine = Arc::new(engine);

        let fleet = Arc::new(Fleet::default());
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(std::io::Error::from)?;
        let poller = Poller::new(engine.clone(), seed);
        let collector = Collector::new(mib.clone(), profiles.clone(), fleet.clone(), config.poll.refresh);
        let collector_stats = collector.stats();
        let accepted = accepted_names(config)?;
        let notifications = NotificationReceiver::new(engine, mib.clone(), fleet.clone(), accepted);
        let notification_stats = notifications.stats();
        let (poll_sockets, trap_sockets) = bind(config)?;
        let trap_addresses = trap_sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
        let prepared = PreparedLoop::new()?;
        let snmp = prepared.handle();
        let acknowledge_to = snmp.clone();
        let writer = WriterHandle::start(WriterConfig {
            store: store.clone(),
            fleet: fleet.clone(),
            sync_interval: config.store.sync_interval,
            acknowledge: Box::new(move |number| {
                // A loop that has ended has nobody to acknowledge to.
                acknowledge_to.send(Command::Acknowledge(number));
            }),
        })?;
        let state = Arc::new(NodeState {
            name: config.node.name.clone(),
            started: SystemTime::now(),
            fleet,
            store,
            mib,
            profiles,
            credentials: config.credentials.clone(),
            poll: config.poll.clone(),
            collector_stats,
            engine_stats,
            writer_stats: writer.stats().clone(),
            notification_stats,
            snmp,
            trap_addresses,
            left_out,
        });
        let http = HttpServer::start(&config.http, state.clone())?;
        let snmp_thread =
            prepared.start(LoopParts { poll_sockets, trap_sockets, poller, collector, notifications, writer })?;
        let resolver = add_devices(&state, config)?;
        Ok(Daemon { state, http, snmp_thread, resolver })
    }

    /// What its parts share.
    pub fn state(&self) -> &Arc<NodeState> {
        &self.state
    }

    /// Where HTTP is served.
    pub fn http_address(&self) -> SocketAddr {
        self.http.local_addr()
    }

    /// Ends polling, stores what was read, and returns when that is done.
    pub fn stop(self) {
        self.http.stop();
        if let Some(Resolver { stop, thread }) = self.resolver {
            drop(stop);
            let _ = thread.join();
        }
        self.state.snmp.send(Command::Stop);
        if self.snmp_thread.join().is_err() {
            tracing::error!("the SNMP thread has panicked");
        }
    }
}

impl NodeState {
    /// How to reach an agent that is not in the inventory, with some credentials.
    pub fn target(&self, address: SocketAddr, credentials: &Credentials) -> Result<TargetConfig, CredentialsError> {
        let (context_name, engine_id) = match &credentials.security {
            Security::V3(user) => (user.context.clone(), user.engine_id),
            Security::V1(_) | Security::V2c(_) => (Name::default(), None),
        };
        Ok(TargetConfig {
            address,
            version: credentials.security.version(),
            security_name: credentials.security_name()?,
            level: credentials.level(),
            context_name,
            context_engine_id: None,
            engine_id,
            timing: timing(&self.poll),
            max_outstanding: self.poll.max_outstanding,
        })
    }

    /// How to walk the tables of an agent of this version.
    pub fn walk(&self, version: Version) -> WalkOptions {
        walk_options(&self.poll, version)
    }
}

fn timing(poll: &PollConfig) -> Timing {
    Timing { initial: poll.timeout, max: poll.max_timeout, retries: poll.retries, ..Timing::default() }
}

fn walk_options(poll: &PollConfig, version: Version) -> WalkOptions {
    WalkOptions {
        // v1 knows no GETBULK.
        max_repetitions: if version == Version::V1 { 0 } else { poll.max_repetitions },
        max_response_octets: poll.max_response_octets,
        ..WalkOptions::default()
    }
}

fn load_mib(config: &Config) -> (Arc<Mib>, Vec<MibDiagnostic>) {
    let modules = config.mib.modules.clone();
    let choice = if modules.is_empty() { ModuleChoice::All } else { ModuleChoice::Named(modules) };
    Mib::load(&MibPaths { dirs: config.mib.dirs.clone(), files: Vec::new(), choice })
}

fn accepted_names(config: &Config) -> Result<AcceptedNames, CredentialsError> {
    config.traps.accept.iter().map(|credentials| Ok((credentials.security_name()?, credentials.level()))).collect()
}

fn bind(config: &Config) -> Result<(Vec<BoundUdp>, Vec<BoundUdp>), BindError> {
    let receive_buffer_bytes = usize::try_from(config.poll.receive_buffer).unwrap_or(usize::MAX);
    let for_polls = UdpOptions { receive_buffer_bytes, local_addresses: false };
    let for_traps = UdpOptions { receive_buffer_bytes, local_addresses: true };
    let mut poll_sockets = vec![BoundUdp::bind((Ipv4Addr::UNSPECIFIED, 0).into(), for_polls)?];
    // A host without IPv6 polls IPv4 devices all the same.
    poll_sockets.extend(BoundUdp::bind((Ipv6Addr::UNSPECIFIED, 0).into(), for_polls));
    let trap_sockets = config.traps.listen.iter().map(|&address| BoundUdp::bind(address, for_traps));
    Ok((poll_sockets, trap_sockets.collect::<Result<_, _>>()?))
}

/// Devices with an address are polled at once; a thread looks up the names of the others for as long as it takes.
fn add_devices(state: &Arc<NodeState>, config: &Config) -> Result<Option<Resolver>, StartError> {
    let mut ready = Vec::new();
    let mut unresolved = Vec::new();
    for device in config.devices.iter().filter(|device| device.enabled) {
        match &device.address {
            DeviceAddress::Ip(address) => ready.push(spec(state, device, *address)?),
            DeviceAddress::Host { name, port } => unresolved.push((device.clone(), name.clone(), *port)),
        }
    }
    state.snmp.send(Command::Add(ready));
    if unresolved.is_empty() {
        return Ok(None);
    }
    let (stop, stopped) = channel();
    let state = state.clone();
    let resolve_all = move || {
        while !unresolved.is_empty() {
            unresolved.retain(|(device, name, port)| !resolve(&state, device, name, *port));
            if unresolved.is_empty() || stopped.recv_timeout(RESOLVE_RETRY) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    };
    let thread = thread::Builder::new().name("resolver".into()).spawn(resolve_all)?;
    Ok(Some(Resolver { stop, thread }))
}

/// Looks a host name up and starts polling it; whether that was possible.
fn resolve(state: &NodeState, device: &DeviceConfig, name: &str, port: u16) -> bool {
    let found = (name, port).to_socket_addrs().map(|mut addresses| addresses.next());
    let problem = match found {
        Ok(Some(address)) => match spec(state, device, address) {
            Ok(spec) => return state.snmp.send(Command::Add(vec![spec])),
            Err(error) => error.to_string(),
        },
        Ok(None) => format!("host name {name} has no address"),
        Err(error) => format!("host name {name}: {error}"),
    };
    tracing::warn!(device = device.name, "{problem}");
    let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    let entry = DeviceEntry::new(identity_of(device, nowhere), now_ms());
    {
        let mut status = entry.lock();
        status.state = DeviceState::Down;
        status.errors = vec![problem];
    }
    state.fleet.insert(Arc::new(entry));
    false
}

fn spec(state: &NodeState, device: &DeviceConfig, address: SocketAddr) -> Result<DeviceSpec, CredentialsError> {
    let mut target = state.target(address, &device.credentials)?;
    target.timing.initial = device.timeout;
    target.timing.retries = device.retries;
    target.max_outstanding = device.max_outstanding;
    if !device.context.is_empty() {
        target.context_name = device.context.clone();
    }
    let named = |names: &Vec<String>| -> Vec<Arc<Profile>> {
        names.iter().filter_map(|name| state.profiles.get(name).cloned()).collect()
    };
    let uptime = SeriesName { device: device.name.clone(), object: "sysUpTime".to_owned(), instance: "0".to_owned() };
    // Without it the first sample after a restart of this node just can't tell whether the device has restarted.
    let last_uptime = state.store.lookup(&uptime).ok().flatten().and_then(|series| {
        let sample = state.store.latest(series.id).ok().flatten()?;
        Some((sample.time_ms, sample.value as u32))
    });
    Ok(DeviceSpec {
        entry: Arc::new(DeviceEntry::new(identity_of(device, address), now_ms())),
        walk: state.walk(target.version),
        target,
        profiles: device.profiles.as_ref().map(named),
        last_uptime,
    })
}

fn identity_of(device: &DeviceConfig, address: SocketAddr) -> DeviceIdentity {
    DeviceIdentity {
        name: device.name.clone(),
        address,
        credentials: device.credentials.name.clone(),
        version: device.credentials.security.version(),
        interval: device.interval,
        labels: device.labels.clone(),
    }
}

fn now_ms() -> i64 {
    let now = Instant::now();
    unix_ms(now, now)
}

/// The names of all profiles, for the configuration's check.
pub fn profile_names(dirs: &[PathBuf]) -> Vec<String> {
    let mib = Mib::standard();
    let Ok(mut profiles) = ProfileSet::shipped(&mib) else { return Vec::new() };
    for dir in dirs {
        profiles.add_dir(dir, &mib);
    }
    profiles.iter().flat_map(|profile| profile.also_known_as.iter().chain([&profile.name]).cloned()).collect()
}
