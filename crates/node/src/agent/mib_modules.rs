//! The agent's MIB modules: in which versions they are there, where they are registered, and how their states are kept.
//!
//! A swap may change what a module serves: then it is registered anew. What managers have set is in the store before
//! they get their answer.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Instant;

use hamsa_snmp::Oid;
use hamsa_snmp::agent::mibs::{
    Capability, CommunityMib, FrameworkMib, MpdMib, NotificationMib, NotificationTable, ProxyMib, ProxyTable,
    SystemIdentity, SystemMib, TargetMib, TargetTable, UsmMib, VacmMib,
};
use hamsa_snmp::agent::{Keep, MibModule, MibView, ModuleId};
use hamsa_snmp::engine::{CommunityTable, EngineStats};
use hamsa_snmp::usm::UsmUsers;
use hamsa_snmp::vacm::Vacm;
use hamsa_store::Store;
use hamsa_swap::{Kind, Package, Proxy, StateSet, SwapError, SwapOptions, SwapReport, Version};

use super::agentx::{self, AgentxServer, Listeners, ServerOptions, Subagents, Transport};
use super::capabilities::{self, Capabilities, SysOrTable};
use super::host_interfaces::HostInterfaces;
use super::if_mib::IfMib;
use super::notifier::Teller;
use super::swap_mib::{SwapDesk, SwapMib};
use super::{AgentError, first_state};
use crate::config::agent::AgentConfig;
use crate::limits::ENTERPRISE;
use crate::modules::{MibModuleModule, SwappableMib, mib_package, mib_state};
use crate::swapping::{Asker, SwapHost};

/// The name of the AgentX socket in the data directory.
const AGENTX_SOCKET: &str = "agentx.sock";

/// What MIB modules borrow.
pub(super) struct MibResources {
    pub(super) started: Instant,
    pub(super) stats: Arc<EngineStats>,
    pub(super) users: Arc<UsmUsers>,
    pub(super) communities: Arc<CommunityTable>,
    pub(super) vacm: Arc<Vacm>,
    pub(super) targets: Arc<TargetTable>,
    pub(super) notifications: Arc<NotificationTable>,
    pub(super) proxies: Arc<ProxyTable>,
    pub(super) interfaces: Arc<HostInterfaces>,
    pub(super) host: Weak<SwapHost>,
    /// For what sub-agents tell.
    pub(super) teller: Teller,
}

/// The agent's MIB modules.
pub(super) struct MibModules {
    store: Arc<Store>,
    view: Arc<MibView>,
    modules: RwLock<Vec<Arc<Registered>>>,
    /// Held by whoever writes to the store or registers.
    turn: Mutex<()>,
    started: Instant,
    agentx_options: AgentxOptions,
    capabilities: Arc<Capabilities>,
    teller: Teller,
    /// Once the AgentX master is installed.
    agentx: Mutex<Option<AgentxServer>>,
}

/// Where sub-agents connect.
struct AgentxOptions {
    path: PathBuf,
    listen: Option<SocketAddr>,
}

/// The state object that says that the AgentX master is to be there after a restart.
const AGENTX_INSTALLED: &str = "agent/installed/AgentX";

struct Registered {
    name: String,
    proxy: Proxy<dyn MibModuleModule>,
    /// The connections of its sub-agents, if it has some.
    subagents: Option<Arc<Transport>>,
    /// Where it is registered, for which subtrees, and how many commits are in the store.
    place: Mutex<Place>,
}

struct Place {
    /// `None`: it serves nothing at present.
    id: Option<ModuleId>,
    subtrees: Vec<Oid>,
    kept_commits: u64,
}

/// A module in all its versions.
struct Versions {
    name: &'static str,
    packages: Vec<Package>,
    state: Option<StateSet>,
}

impl MibModules {
    /// Installs and registers all of them.
    pub(super) fn install(
        host: &SwapHost,
        config: &AgentConfig,
        resources: MibResources,
        store: Arc<Store>,
        view: Arc<MibView>,
    ) -> Result<Self, AgentError> {
        let mut modules = Vec::new();
        let implemented = Arc::new(Capabilities::new(resources.started, capabilities()));
        let table = {
            let implemented = implemented.clone();
            Versions::of(capabilities::NAME, None, move |_| Arc::new(SysOrTable::new(implemented.clone())))
        };
        for Versions { name, packages, state } in all(config, &resources, &store)?.into_iter().chain([table]) {
            let proxy = host.install::<dyn MibModuleModule>(packages, state)?;
            let failed = |reason: String| AgentError::State { module: name, reason };
            let module = SwappableMib::new(name, proxy.clone()).map_err(|error| failed(error.to_string()))?;
            let (subtrees, kept_commits) = (module.subtrees(), module.commits());
            let id = Some(view.add(Arc::new(module)).map_err(|error| failed(error.to_string()))?);
            let place = Mutex::new(Place { id, subtrees, kept_commits });
            modules.push(Arc::new(Registered { name: name.to_owned(), proxy, subagents: None, place }));
        }
        let path = config.data_dir.join(AGENTX_SOCKET);
        Ok(MibModules {
            store,
            view,
            modules: RwLock::new(modules),
            turn: Mutex::default(),
            started: resources.started,
            agentx_options: AgentxOptions { path, listen: config.agentx.listen },
            capabilities: implemented,
            teller: resources.teller,
            agentx: Mutex::default(),
        })
    }

    /// Whether the AgentX master was installed by somebody, and is to be so after a restart.
    pub(super) fn was_agentx_installed(&self) -> Result<bool, AgentError> {
        Ok(self.store.get_state(AGENTX_INSTALLED)?.is_some())
    }

    /// Installs the AgentX master; from then on it is there after a restart too.
    pub(super) fn install_agentx(self: &Arc<Self>, host: &SwapHost) -> Result<(), AgentError> {
        let failed = |reason: String| AgentError::State { module: agentx::NAME, reason };
        let mut server = self.agentx.lock().unwrap_or_else(PoisonError::into_inner);
        let AgentxOptions { path, listen } = &self.agentx_options;
        let bound = Listeners::bind(path, *listen);
        let listeners = bound.map_err(|error| failed(format!("{}: {error}", path.display())))?;
        let (transport, events) = Transport::new();
        // What was there when it was taken out last, if it ever was.
        let left = host.manager().kept_states(&agentx_id())?.into_iter().next();
        let state = match left {
            Some(left) => agentx::resumed_state(self.started, &left.state),
            None => agentx::first_state(self.started),
        };
        let state = state.map_err(|error| failed(error.0))?;
        let resources = agentx::first_resources(&transport);
        let packages = agentx::agentx_packages(self.started);
        let proxy = host.install_lent::<dyn MibModuleModule>(packages, Some(state), resources)?;
        let place = Mutex::new(Place { id: None, subtrees: Vec::new(), kept_commits: 0 });
        let subagents = Some(transport.clone());
        let module = Registered { name: agentx::NAME.to_owned(), proxy: proxy.clone(), subagents, place };
        self.modules.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(module));
        // It is to know what the agent serves itself before the first sub-agent connects.
        self.settle();
        let settled = Arc::downgrade(self);
        let settle = Box::new(move || {
            if let Some(mibs) = settled.upgrade() {
                mibs.settle();
            }
        });
        let (teller, started) = (self.teller.clone(), self.started);
        let subagents = Subagents(proxy);
        let options = ServerOptions { listeners, transport, events, subagents, settle, teller, started };
        *server = Some(AgentxServer::start(options)?);
        if let Err(error) = self.store.put_state(AGENTX_INSTALLED, b"") {
            tracing::error!(%error, "AgentX will not be installed after a restart");
        }
        Ok(())
    }

    /// Takes the AgentX master out: its sub-agents are told to go, and after a restart it is not there.
    pub(super) fn uninstall_agentx(&self, host: &SwapHost) -> Result<SwapReport, SwapError> {
        let mut server = self.agentx.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.modules().into_iter().find(|module| module.name == agentx::NAME);
        let module = found.ok_or_else(|| SwapError::Unknown(agentx_id()))?;
        let farewells = Subagents(module.proxy.clone()).farewells().unwrap_or_default();
        self.unregister(&module);
        let done = host.manager().uninstall(&Asker::Host.principal(), &agentx_id(), SwapOptions::default());
        if done.is_err() {
            // It serves on.
            self.settle();
            return done;
        }
        self.modules.write().unwrap_or_else(PoisonError::into_inner).retain(|other| other.name != module.name);
        // A sub-agent may have had it registered once more in between.
        self.unregister(&module);
        for (connection, farewell) in farewells {
            if let Some(transport) = &module.subagents {
                // Who does not hear it sees the connection end.
                let _ = transport.send(connection, &farewell);
            }
        }
        drop(server.take());
        self.capabilities.set_of_subagents(Instant::now(), Vec::new());
        if let Err(error) = self.store.change_states(&[(AGENTX_INSTALLED, None)]) {
            tracing::error!(%error, "AgentX will be there again after a restart");
        }
        done
    }

    fn unregister(&self, module: &Registered) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut place = module.place();
        place.subtrees.clear();
        if let Some(id) = place.id.take()
            && let Err(error) = self.view.remove(id)
        {
            tracing::error!(module = module.name, %error, "a module can't be taken out of the view");
        }
    }

    /// Ends the threads of the AgentX master.
    pub(super) fn stop_agentx(&self) {
        let server = self.agentx.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(server);
    }

    fn modules(&self) -> Vec<Arc<Registered>> {
        self.modules.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// After a swap, or when sub-agents come and go: registers modules that serve other subtrees than before, and keeps
    /// what has changed.
    pub(super) fn settle(&self) {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let (theirs, own): (Vec<_>, Vec<_>) = self.modules().into_iter().partition(|module| module.subagents.is_some());
        let mut own_subtrees = Vec::new();
        let mut found = Vec::new();
        for module in own {
            match SwappableMib::new(&module.name, module.proxy.clone()) {
                Ok(now) => {
                    own_subtrees.extend(now.subtrees());
                    found.push((module, now));
                }
                Err(_) => own_subtrees.extend(module.place().subtrees.clone()),
            }
        }
        // First sub-agents let go of what the agent now serves itself.
        for module in theirs {
            if let Some(transport) = &module.subagents {
                transport.reserve(own_subtrees.clone());
            }
            if let Ok(now) = SwappableMib::new(&module.name, module.proxy.clone()) {
                self.register(&module, now.without(&own_subtrees));
            }
            match Subagents(module.proxy.clone()).capabilities() {
                Ok(capabilities) => self.capabilities.set_of_subagents(Instant::now(), capabilities),
                Err(error) => tracing::warn!(%error, "what sub-agents implement is not known"),
            }
        }
        for (module, now) in found {
            self.register(&module, now);
        }
        drop(turn);
        self.keep();
    }

    /// Registers a module anew if it serves other subtrees than before.
    fn register(&self, module: &Registered, now: SwappableMib) {
        let mut place = module.place();
        let subtrees = now.subtrees();
        if subtrees == place.subtrees {
            return;
        }
        let done = match place.id {
            Some(id) if subtrees.is_empty() => self.view.remove(id).map(|_| None),
            Some(id) => self.view.replace(id, Arc::new(now)).map(|_| Some(id)),
            None => self.view.add(Arc::new(now)).map(Some),
        };
        match done {
            Ok(id) => (place.id, place.subtrees) = (id, subtrees),
            Err(error) => tracing::error!(module = module.name, %error, "a module can't be registered anew"),
        }
    }

    /// Writes the states that have changed to the store, in one go. What can't be written is tried again next time.
    pub(super) fn keep(&self) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Vec::new();
        for module in self.modules() {
            let kept = module.place().kept_commits;
            // A module that does not answer is barred: what is kept of it stays as it is.
            if let Ok(commits) = module.proxy.commits()
                && commits != kept
                && let Ok(state) = module.proxy.save(Keep::Lasting)
            {
                let name = state_name(&module.name);
                changed.push((module, name, commits, state));
            }
        }
        if changed.is_empty() {
            return;
        }
        let changes: Vec<(&str, Option<&[u8]>)> =
            changed.iter().map(|(_, name, _, state)| (name.as_str(), Some(state.as_slice()))).collect();
        match self.store.change_states(&changes) {
            Ok(()) => {
                for (module, _, commits, _) in changed {
                    module.place().kept_commits = commits;
                }
            }
            Err(error) => tracing::error!(%error, "what a manager has set is not kept on disk"),
        }
    }
}

impl Registered {
    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn agentx_id() -> hamsa_swap::ModuleId {
    hamsa_swap::ModuleId::new(<dyn MibModuleModule>::NAME, agentx::NAME)
}

fn state_name(module: &str) -> String {
    format!("agent/mib/{module}")
}

fn all(config: &AgentConfig, resources: &MibResources, store: &Store) -> Result<Vec<Versions>, AgentError> {
    let kept = |name: &str| store.get_state(&state_name(name));
    let state = |octets: Vec<u8>, module: &'static str| {
        mib_state(octets).map(Some).map_err(|error| AgentError::State { module, reason: error.0 })
    };
    let MibResources {
        started,
        stats,
        users,
        communities,
        vacm,
        targets,
        notifications,
        proxies,
        interfaces,
        host,
        ..
    } = resources;
    let started = *started;

    let identity = identity(started);
    let system = {
        let (identity, stats) = (identity, stats.clone());
        move || SystemMib::of(identity.clone(), stats.clone())
    };
    let first = system();
    first_state::system(config, &first, kept("SNMPv2-MIB")?.as_deref())?;
    let system_state = state(first.save(Keep::All), "SNMPv2-MIB")?;
    let user_octets = first_state::users(config, users.local_engine(), kept("SNMP-USER-BASED-SM-MIB")?.as_deref())?;
    let user_state = state(user_octets, "SNMP-USER-BASED-SM-MIB")?;
    let right_octets = first_state::rights(config, kept("SNMP-VIEW-BASED-ACM-MIB")?.as_deref())?;
    let right_state = state(right_octets, "SNMP-VIEW-BASED-ACM-MIB")?;

    let community_octets =
        first_state::communities(config, users.local_engine(), kept("SNMP-COMMUNITY-MIB")?.as_deref())?;
    let community_state = state(community_octets, "SNMP-COMMUNITY-MIB")?;
    let kept_state = |name: &'static str| match kept(name)? {
        Some(octets) => state(octets, name),
        None => Ok(None),
    };

    let mut modules = vec![
        Versions::of("SNMPv2-MIB", system_state, move |_| Arc::new(system())),
        Versions::of("SNMP-FRAMEWORK-MIB", None, {
            let users = users.clone();
            move |_| Arc::new(FrameworkMib::of(users.clone()))
        }),
        Versions::of("SNMP-MPD-MIB", None, {
            let stats = stats.clone();
            move |_| Arc::new(MpdMib::of(stats.clone()))
        }),
        Versions::of("SNMP-USER-BASED-SM-MIB", user_state, {
            let (users, stats) = (users.clone(), stats.clone());
            move |_| Arc::new(UsmMib::of(users.clone(), stats.clone()))
        }),
        Versions::of("SNMP-VIEW-BASED-ACM-MIB", right_state, {
            let vacm = vacm.clone();
            move |_| Arc::new(VacmMib::of(vacm.clone()))
        }),
    ];
    modules.extend([
        Versions::of("SNMP-COMMUNITY-MIB", community_state, {
            let (communities, engine_id) = (communities.clone(), users.local_engine());
            move |_| Arc::new(CommunityMib::of(communities.clone(), engine_id))
        }),
        Versions::of("SNMP-TARGET-MIB", kept_state("SNMP-TARGET-MIB")?, {
            let (stats, targets) = (stats.clone(), targets.clone());
            move |_| Arc::new(TargetMib::of(stats.clone(), targets.clone()))
        }),
        Versions::of("SNMP-NOTIFICATION-MIB", kept_state("SNMP-NOTIFICATION-MIB")?, {
            let notifications = notifications.clone();
            move |_| Arc::new(NotificationMib::of(notifications.clone()))
        }),
        Versions::of("SNMP-PROXY-MIB", kept_state("SNMP-PROXY-MIB")?, {
            let proxies = proxies.clone();
            move |_| Arc::new(ProxyMib::of(proxies.clone()))
        }),
        Versions::of("HAMSA-SWAP-MIB", None, {
            let desk = Arc::new(SwapDesk::new(host.clone(), started));
            move |_| Arc::new(SwapMib::new(desk.clone()))
        }),
        Versions::of("IF-MIB", kept_state("IF-MIB")?, {
            let interfaces = interfaces.clone();
            move |minor| Arc::new(IfMib::new(interfaces.clone(), started, minor > 0))
        }),
    ]);
    Ok(modules)
}

impl Versions {
    /// Versions 1.0 and 1.1; the latter tests itself before it serves.
    fn of(
        name: &'static str,
        state: Option<StateSet>,
        make: impl Fn(u32) -> Arc<dyn MibModule> + Clone + Send + Sync + 'static,
    ) -> Self {
        let package = |minor: u32| {
            let note = match (name, minor) {
                (_, 0) => "first",
                ("IF-MIB", _) => "with ifXTable; tests itself before it serves",
                _ => "tests itself before it serves",
            };
            let make = make.clone();
            mib_package(name, Version::new(1, minor, note), move || make(minor))
        };
        Versions { name, packages: vec![package(0), package(1)], state }
    }
}

fn identity(started: Instant) -> SystemIdentity {
    let release = nix::sys::utsname::uname();
    let (system, release, machine) = match &release {
        Ok(name) => (name.sysname(), name.release(), name.machine()),
        Err(_) => ("Linux".as_ref(), "".as_ref(), "".as_ref()),
    };
    let text = [system, release, machine].map(|text| text.to_string_lossy().into_owned()).join(" ");
    let description = format!("Hamsa {} on {text}", env!("CARGO_PKG_VERSION"));
    let description = description.chars().filter(char::is_ascii).take(255).collect();
    // 72: a host with applications (RFC 3418 sysServices).
    SystemIdentity { description, object_id: product(), services: 72, started }
}

/// `sysObjectID`: hamsaAgent, { enterprises 32473 1 1 }.
fn product() -> Oid {
    Oid::from_arcs(&[1, 3, 6, 1, 4, 1, ENTERPRISE, 1, 1]).expect("an OID")
}

/// What `sysORTable` lists.
fn capabilities() -> Vec<Capability> {
    [
        (&[1, 3, 6, 1, 6, 3, 1][..], "The MIB module for SNMP entities"),
        (&[1, 3, 6, 1, 6, 3, 10, 3, 1, 1], "The SNMP management architecture"),
        (&[1, 3, 6, 1, 6, 3, 11, 3, 1, 1], "Message processing and dispatching"),
        (&[1, 3, 6, 1, 6, 3, 15, 2, 1, 1], "The user-based security model"),
        (&[1, 3, 6, 1, 6, 3, 16, 2, 2, 1], "View-based access control"),
        (&[1, 3, 6, 1, 6, 3, 18], "Communities"),
        (&[1, 3, 6, 1, 6, 3, 12], "Targets of notifications"),
        (&[1, 3, 6, 1, 6, 3, 13], "Notifications and filters"),
        (&[1, 3, 6, 1, 6, 3, 14], "The proxy forwarder"),
        (&[1, 3, 6, 1, 2, 1, 31], "Network interfaces"),
    ]
    .into_iter()
    .filter_map(|(arcs, text)| Some(Capability { id: Oid::from_arcs(arcs).ok()?, description: text.to_owned() }))
    .collect()
}
