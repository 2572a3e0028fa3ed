//! An agent put together from its configuration: an SNMP entity (RFC 3411 §3.1) every part of which is a module that
//! can be replaced while it answers.
//!
//! What must outlive modules is held here and lent to them: users, communities, clocks, salts, views, counters, sockets.
//! Read [`Agent::start`] from top to bottom; `mib_modules` has which MIB modules there are and how they are kept,
//! `first_state` what they begin with, `serve` the loop that answers, `notifier` the one that tells.

mod agentx;
mod capabilities;
mod first_state;
mod forwarding;
mod host_interfaces;
mod if_mib;
mod link_traps;
mod links;
mod mib_modules;
mod notifier;
mod outward;
mod serve;
mod swap_mib;
mod swap_notifications;
mod variables;

use std::fs::DirBuilder;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hamsa_snmp::agent::mibs::{NotificationTable, ProxyTable, TargetTable};
use hamsa_snmp::agent::{CommandResponder, Forwardings, MibView, Notifications};
use hamsa_snmp::engine::{EngineId, Name, NameTooLong};
use hamsa_snmp::usm::KeyError;
use hamsa_snmp::vacm::Vacm;
use hamsa_store::{OpenError, StorageError, Store, StoreOptions};
use hamsa_swap::{Kind, ModuleId, SwapError};

use crate::config::agent::AgentConfig;
use crate::control::{ControlHttp, ControlHttpError, ControlSocket, ControlSocketError, Controlled};
use crate::identity::IdentityError;
use crate::modules::{
    AccessControlModule, CommandResponderModule, EngineResources, ForwarderParts, MibModuleModule,
    NotificationOriginatorModule, OriginatorParts, ProxyForwarderModule, SwappableAccess, forwarder_package,
    modular_engine, originator_package, responder_package, vacm_package, versions,
};
use crate::net::{BindError, BoundUdp, UdpOptions};
use crate::swapping::{Attendant, HostError, HostOptions, Offer, Permissions, SwapHost};
use forwarding::{Forwarding, ForwardingThread};
use mib_modules::{MibModules, MibResources};
use notifier::{NotifierParts, NotifierThread, Teller};
use serve::{Entity, Workers};

pub use host_interfaces::HostInterfaces;
pub use if_mib::IfMib;
pub use notifier::NotifierError;

/// Why an agent does not start.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum AgentError {
    #[error("{}: {source}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("the store can't be opened: {0}")]
    Store(#[from] OpenError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the engine has no identity: {0}")]
    Identity(#[from] IdentityError),
    #[error("swaps can't be hosted: {0}")]
    Host(#[from] HostError),
    #[error("a module can't be installed: {0}")]
    Install(#[from] SwapError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    ControlSocket(#[from] ControlSocketError),
    #[error(transparent)]
    ControlHttp(#[from] ControlHttpError),
    #[error("user {user}: {source}")]
    Key { user: String, source: KeyError },
    #[error(transparent)]
    Name(#[from] NameTooLong),
    #[error("{module}: {reason}")]
    State { module: &'static str, reason: String },
    #[error(transparent)]
    Notifier(#[from] NotifierError),
    #[error("a thread or the random source can't be had: {0}")]
    System(#[from] io::Error),
}

/// A running agent. It ends when it is told to or dropped.
pub struct Agent {
    socket: ControlSocket,
    http: Option<ControlHttp>,
    workers: Workers,
    notifier: NotifierThread,
    proxy: ForwardingThread,
    attendant: Attendant,
    host: Arc<SwapHost>,
    mibs: Arc<MibModules>,
    engine_id: EngineId,
    boots: u32,
    addresses: Vec<SocketAddr>,
}

/// An agent stores little: the cache is for its state only.
const STORE_CACHE_BYTES: usize = 8 << 20;

impl Agent {
    /// Starts an agent. Everything that can fail happens before it answers anybody.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub fn start(config: &AgentConfig) -> Result<Self, AgentError> {
        let started = Instant::now();
        make_private_directory(&config.data_dir)?;
        let options = StoreOptions { cache_bytes: STORE_CACHE_BYTES, ..StoreOptions::default() };
        let store = Arc::new(Store::open(&config.data_dir, options)?);
        let (resources, boots) = EngineResources::booted(&store, started)?;
        let EngineResources { id: engine_id, stats, communities, users, .. } = resources.clone();
        let vacm = Arc::new(Vacm::default());

        let permissions = Permissions::new(config.snmp_swappers.iter().cloned());
        let options = HostOptions { data_dir: &config.data_dir, store: store.clone(), permissions };
        let host = Arc::new(SwapHost::open(options)?);
        let engine = Arc::new(modular_engine(&host, &resources)?);
        let view = Arc::new(MibView::new());
        let (targets, notifications) = (Arc::<TargetTable>::default(), Arc::<NotificationTable>::default());
        let proxies = Arc::<ProxyTable>::default();
        let interfaces = Arc::new(HostInterfaces::new());
        let (teller, waiting) = Teller::new();
        let resources = MibResources {
            started,
            stats: stats.clone(),
            users,
            communities,
            vacm: vacm.clone(),
            targets: targets.clone(),
            notifications: notifications.clone(),
            proxies: proxies.clone(),
            interfaces: interfaces.clone(),
            host: Arc::downgrade(&host),
            teller,
        };
        let mibs = Arc::new(MibModules::install(&host, config, resources, store, view.clone())?);
        let tables: Arc<dyn hamsa_snmp::engine::AccessControl> = vacm;
        let access = host.install::<dyn AccessControlModule>(versions(|minor| vacm_package(minor, &tables)), None)?;
        let access = Arc::new(SwappableAccess::new(access));
        let responder = {
            let (engine, access, view) = (engine.clone(), access.clone(), view.clone());
            let make = move || CommandResponder::new(engine.clone(), access.clone(), view.clone());
            let packages = versions(|minor| responder_package(minor, make.clone()));
            host.install::<dyn CommandResponderModule>(packages, None)?
        };
        let forwarding = {
            let under_way = Arc::new(Mutex::new(Forwardings::new(engine.clone(), seed()?)));
            let (engine, targets) = (engine.clone(), targets.clone());
            let parts = ForwarderParts { engine, proxies, targets, under_way: under_way.clone() };
            let packages = versions(|minor| forwarder_package(minor, &parts));
            let forwarder = host.install::<dyn ProxyForwarderModule>(packages, None)?;
            Arc::new(Forwarding::new(engine_id, forwarder, under_way)?)
        };
        let under_way = Arc::new(Mutex::new(Notifications::new(engine.clone(), seed()?)));
        let agent_address = agent_address(&config.listen);
        let parts =
            OriginatorParts { engine: engine.clone(), targets, notifications, access, under_way, agent_address };
        let originator = host
            .install::<dyn NotificationOriginatorModule>(versions(|minor| originator_package(minor, &parts)), None)?;
        let settled = Arc::downgrade(&mibs);
        host.after_swaps(move || {
            if let Some(mibs) = settled.upgrade() {
                mibs.settle();
            }
        });

        let (offered, lending) = (Arc::downgrade(&mibs), Arc::downgrade(&host));
        let parts_of_agent = move || {
            let ended = || "the agent ends".to_owned();
            Ok::<_, String>((offered.upgrade().ok_or_else(ended)?, lending.upgrade().ok_or_else(ended)?))
        };
        let lent = parts_of_agent.clone();
        host.offer(Offer {
            module: ModuleId::new(<dyn MibModuleModule>::NAME, agentx::NAME),
            install: Arc::new(move || {
                let (mibs, host) = lent()?;
                mibs.install_agentx(&host).map_err(|error| error.to_string())
            }),
            uninstall: Arc::new(move || {
                let (mibs, host) = parts_of_agent()?;
                mibs.uninstall_agentx(&host).map_err(|error| error.to_string())
            }),
        });
        if config.agentx.install || mibs.was_agentx_installed()? {
            mibs.install_agentx(&host)?;
        }

        let receive_buffer_bytes = usize::try_from(config.receive_buffer).unwrap_or(usize::MAX);
        let options = UdpOptions { receive_buffer_bytes, local_addresses: true };
        let sockets = config.listen.iter().map(|&address| BoundUdp::bind(address, options));
        let sockets = sockets.collect::<Result<Vec<_>, _>>()?;
        let addresses = sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
        let attendant = Attendant::start(host.clone())?;
        let under_way = parts.under_way;
        let parts = NotifierParts { started, originator, under_way, view, stats, interfaces, host: host.clone() };
        let notifier = NotifierThread::start(parts, waiting)?;
        let proxy = ForwardingThread::start(forwarding.clone(), &sockets)?;
        let entity = Entity { engine, responder, mibs: mibs.clone(), forwarding };
        let workers = Workers::start(&Arc::new(entity), &sockets, config.workers)?;
        let controlled = Controlled { host: host.clone(), groups: None, enterprise: None };
        let socket = ControlSocket::start(&config.data_dir, controlled.clone())?;
        let http = config.control.as_ref().map(|control| ControlHttp::start(control, controlled)).transpose()?;
        Ok(Agent { socket, http, workers, notifier, proxy, attendant, host, mibs, engine_id, boots, addresses })
    }

    /// Its modules, and the way to replace them.
    pub fn host(&self) -> &Arc<SwapHost> {
        &self.host
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where modules are controlled on this host.
    pub fn control_socket(&self) -> &Path {
        self.socket.path()
    }

    /// Where modules are controlled over HTTP.
    pub fn control_address(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(ControlHttp::local_addr)
    }

    /// `snmpEngineID`.
    pub fn engine_id(&self) -> EngineId {
        self.engine_id
    }

    /// `snmpEngineBoots`.
    pub fn boots(&self) -> u32 {
        self.boots
    }

    /// Answers no more, lets a swap under way end, and keeps what is to be kept.
    pub fn stop(self) {
        let Agent { socket, http, workers, notifier, proxy, attendant, mibs, .. } = self;
        drop((socket, http));
        drop(attendant);
        drop(workers);
        drop((notifier, proxy));
        mibs.stop_agentx();
        mibs.keep();
    }
}

/// What it holds (keys, communities) is for its owner alone.
fn make_private_directory(path: &Path) -> Result<(), AgentError> {
    let failed = |source| AgentError::Directory { path: path.to_owned(), source };
    if let Ok(found) = path.metadata()
        && found.is_dir()
    {
        if found.permissions().mode() & 0o077 != 0 {
            tracing::warn!("others may look into {}, where keys are: chmod 700 it", path.display());
        }
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)
}

/// `agent-addr` of v1 traps: where the agent listens, if it does so at one address; else `0.0.0.0` (RFC 3584 §3.2 (1)).
fn agent_address(listen: &[SocketAddr]) -> Ipv4Addr {
    let v4 = listen.iter().find_map(|address| match address.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    });
    v4.unwrap_or(Ipv4Addr::UNSPECIFIED)
}

/// What identifiers of messages begin with.
fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::from)?;
    Ok(seed)
}

/// How often a thread that waits looks whether it is to end.
const LOOK: Duration = Duration::from_millis(100);

fn name(text: &str) -> Result<Name, NameTooLong> {
    Name::new(text)
}
