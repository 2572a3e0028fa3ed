//! A node put together from its configuration: store, engine, loop, writer, HTTP. Everything that can fail
//! happens in [`Daemon::start`], before anything is polled.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime};

use hamsa_group_zenoh::ZenohOptions;
use hamsa_snmp::manager::Poller;
use hamsa_snmp::mib::{Mib, MibDiagnostic, MibPaths, ModuleChoice};
use hamsa_store::{OpenError, Store, StoreOptions};
use hamsa_swap::SwapError;

use crate::collector::{Collector, CollectorConfig, system_clock};
use crate::config::Config;
use crate::control::{ControlSocket, Controlled};
use crate::credentials::CredentialsError;
use crate::enterprise::{EnterpriseRuntime, EnterpriseStartError};
use crate::fleet::Fleet;
use crate::group::{GroupRuntime, GroupStartError};
use crate::http::{HttpError, HttpServer};
use crate::identity::IdentityError;
use crate::inventory::{Inventory, ReloadError, Reloaded};
use crate::io_loop::{Command, LoopParts, PreparedLoop};
use crate::modules::{EngineResources, modular_engine};
use crate::net::{BindError, BoundUdp, UdpOptions};
use crate::notifications::{AcceptedNames, NotificationReceiver};
use crate::profile::{ProfileError, ProfileSet};
use crate::state::{NodeState, Settings};
use crate::swapping::{Attendant, HostError, HostOptions, Permissions, SwapHost};
use crate::writer::{WriterConfig, WriterHandle};

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
    #[error(transparent)]
    Inventory(#[from] ReloadError),
    #[error("swaps can't be hosted: {0}")]
    Swapping(#[from] HostError),
    #[error("a module can't be installed: {0}")]
    Install(#[from] SwapError),
    #[error("the groups can't be set up: {0}")]
    Group(#[from] GroupStartError),
    #[error("the enterprise can't be set up: {0}")]
    Enterprise(#[from] EnterpriseStartError),
    #[error("a thread or the random source can't be had: {0}")]
    System(#[from] std::io::Error),
}

/// A running node.
pub struct Daemon {
    state: Arc<NodeState>,
    http: HttpServer,
    snmp_thread: JoinHandle<()>,
    inventory: Inventory,
    /// Where its modules are controlled, if the socket could be had.
    control: Option<ControlSocket>,
    attendant: Attendant,
    /// `None`: it is in no cluster.
    groups: Option<GroupRuntime>,
    /// `None`: it is in no enterprise.
    enterprise: Option<EnterpriseRuntime>,
    /// What is in force.
    config: Config,
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
        let (resources, _) = EngineResources::booted(&store, Instant::now())?;
        let EngineResources { stats: engine_stats, communities, users, .. } = resources.clone();
        for credentials in config.credentials.values() {
            credentials.install(&communities, &users)?;
        }
        let permissions = Permissions::new([]);
        let options = HostOptions { data_dir: &config.node.data_dir, store: store.clone(), permissions };
        let host = Arc::new(SwapHost::open(options)?);
        let engine = Arc::new(modular_engine(&host, &resources)?);

        let fleet = Arc::new(Fleet::default());
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(std::io::Error::from)?;
        let poller = Poller::new(engine.clone(), seed);
        let collector = Collector::new(CollectorConfig {
            mib: mib.clone(),
            profiles: profiles.clone(),
            fleet: fleet.clone(),
            refresh: config.poll.refresh,
            unix_ms: system_clock(),
        });
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
        let groups = config.group.as_ref().map(|group| GroupRuntime::start(group, &config.node.name)).transpose()?;
        let enterprise = config.enterprise.as_ref();
        let enterprise =
            enterprise.map(|config_of| EnterpriseRuntime::start(config_of, &config.node.data_dir)).transpose()?;
        let enterprise_handle = enterprise.as_ref().map(|enterprise| enterprise.handle().clone());
        let groups_handle = groups.as_ref().map(|groups| groups.handle().clone());
        let state = Arc::new(NodeState {
            name: config.node.name.clone(),
            started: SystemTime::now(),
            fleet,
            store,
            mib,
            profiles,
            settings: RwLock::new(Arc::new(Settings::of(config))),
            collector_stats,
            engine_stats,
            writer_stats: writer.stats().clone(),
            notification_stats,
            snmp,
            trap_addresses,
            left_out,
            groups: groups_handle.clone(),
            enterprise: enterprise_handle.clone(),
        });
        // Devices wait in the loop's queue until it runs: whoever asks by HTTP finds them from the first moment on.
        let mut inventory = Inventory::new(state.clone(), communities, users);
        inventory.replace(&config.devices, false)?;
        let http = HttpServer::start(&config.http, state.clone())?;
        let attendant = Attendant::start(host.clone())?;
        // A node polls without it too.
        let controlled = Controlled { host, groups: groups_handle, enterprise: enterprise_handle };
        let control = ControlSocket::start(&config.node.data_dir, controlled)
            .inspect_err(|error| tracing::warn!(%error, "modules can't be replaced while the node runs"))
            .ok();
        let snmp_thread =
            prepared.start(LoopParts { poll_sockets, trap_sockets, poller, collector, notifications, writer })?;
        Ok(Daemon {
            state,
            http,
            snmp_thread,
            inventory,
            control,
            attendant,
            groups,
            enterprise,
            config: config.clone(),
        })
    }

    /// What its parts share.
    pub fn state(&self) -> &Arc<NodeState> {
        &self.state
    }

    /// Where HTTP is served.
    pub fn http_address(&self) -> SocketAddr {
        self.http.local_addr()
    }

    /// Takes on a new configuration, as far as that can be done while the node runs: credentials, devices, how they
    /// are polled, and whose notifications are taken. Devices that stay the same don't notice.
    ///
    /// # Errors
    /// See [`ReloadError`]. Devices are polled as before then.
    pub fn reload(&mut self, config: &Config) -> Result<Reloaded, ReloadError> {
        let accepted = accepted_names(config)?;
        let old = &self.config;
        let gone = self.inventory.install(&old.credentials, &config.credentials)?;
        *self.state.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Settings::of(config));
        self.state.snmp.send(Command::Accept(accepted));
        let mut reloaded = self.inventory.replace(&config.devices, old.poll != config.poll)?;
        self.inventory.forget(&gone);
        reloaded.after_restart = after_restart(old, config);
        if let (Some(runtime), Some(enterprise)) = (&self.enterprise, &config.enterprise) {
            runtime.apply(enterprise);
        }
        self.config = config.clone();
        Ok(reloaded)
    }

    /// Ends polling, stores what was read, and returns when that is done.
    pub fn stop(mut self) {
        drop(self.control);
        drop(self.attendant);
        // The others see it go at once.
        drop(self.groups);
        if let Some(enterprise) = self.enterprise {
            enterprise.stop();
        }
        self.http.stop();
        self.inventory.stop();
        self.state.snmp.send(Command::Stop);
        if self.snmp_thread.join().is_err() {
            tracing::error!("the SNMP thread has panicked");
        }
    }
}

/// Tables in which something has changed that is read at the start only.
fn after_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let has_changed = [
        ("[node]", old.node != new.node),
        ("[http]", old.http != new.http),
        ("[store]", old.store != new.store),
        ("[poll]", (old.poll.refresh, old.poll.receive_buffer) != (new.poll.refresh, new.poll.receive_buffer)),
        ("[traps]", old.traps.listen != new.traps.listen),
        ("[mib]", old.mib != new.mib),
        ("[profiles]", old.profiles != new.profiles),
        ("[log]", old.log != new.log),
        ("[group]", old.group != new.group),
        ("[enterprise]", enterprise_options(old) != enterprise_options(new)),
    ];
    has_changed.into_iter().filter(|(_, changed)| *changed).map(|(table, _)| table).collect()
}

/// What of the enterprise is read at the start only.
fn enterprise_options(config: &Config) -> Option<&ZenohOptions> {
    config.enterprise.as_ref().map(|enterprise| &enterprise.options)
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

/// The names of all profiles, for the configuration's check.
pub fn profile_names(dirs: &[PathBuf]) -> Vec<String> {
    let mib = Mib::standard();
    let Ok(mut profiles) = ProfileSet::shipped(&mib) else { return Vec::new() };
    for dir in dirs {
        profiles.add_dir(dir, &mib);
    }
    profiles.iter().flat_map(|profile| profile.also_known_as.iter().chain([&profile.name]).cloned()).collect()
}
