//! Which devices are polled: the configuration's, at the start and when it is reloaded.
//!
//! Devices with an address are polled at once; a thread looks up the names of the others for as long as it takes.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;
use std::{fmt, io};

use hamsa_snmp::engine::{CommunityTable, Name};
use hamsa_snmp::usm::UsmUsers;
use hamsa_store::SeriesName;

use crate::collector::{DeviceSpec, unix_ms};
use crate::config::{Credentials, DeviceAddress, DeviceConfig};
use crate::credentials::CredentialsError;
use crate::fleet::{DeviceEntry, DeviceIdentity, DeviceState};
use crate::io_loop::Command;
use crate::limits::RESOLVE_RETRY;
use crate::profile::Profile;
use crate::state::NodeState;

/// Why a new configuration was not taken on.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ReloadError {
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error("there is no thread to look up host names: {0}")]
    System(#[from] io::Error),
}

/// What a reload has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Devices that are polled now and were not before.
    pub added: usize,
    /// Devices that are polled in another way.
    pub changed: usize,
    /// Devices that are not polled any more.
    pub removed: usize,
    /// Tables of the configuration whose changes wait for a restart.
    pub after_restart: Vec<&'static str>,
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reloaded { added, changed, removed, after_restart } = self;
        write!(f, "devices: {added} added, {changed} changed, {removed} removed")?;
        match after_restart.as_slice() {
            [] => Ok(()),
            tables => write!(f, "; what has changed in {} waits for a restart", tables.join(", ")),
        }
    }
}

/// The devices and what the engine knows for their sake.
pub(crate) struct Inventory {
    state: Arc<NodeState>,
    communities: Arc<CommunityTable>,
    users: Arc<UsmUsers>,
    /// What is polled, by name.
    devices: HashMap<String, DeviceConfig>,
    resolver: Option<Resolver>,
}

/// The thread that looks up host names; it ends when `stop` is dropped.
struct Resolver {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Inventory {
    pub(crate) fn new(state: Arc<NodeState>, communities: Arc<CommunityTable>, users: Arc<UsmUsers>) -> Self {
        Inventory { state, communities, users, devices: HashMap::new(), resolver: None }
    }

    /// Makes new and changed credentials known; returns the names of those that are to be forgotten once no device
    /// uses them any more.
    ///
    /// # Errors
    /// The engine can't take one of them; those before it are known then.
    pub(crate) fn install(
        &self,
        old: &BTreeMap<String, Arc<Credentials>>,
        new: &BTreeMap<String, Arc<Credentials>>,
    ) -> Result<Vec<Name>, CredentialsError> {
        for (name, credentials) in new {
            match old.get(name) {
                Some(before) if before == credentials => continue,
                // A community may have become a user.
                Some(before) => self.forget(&[before.security_name()?]),
                None => {}
            }
            credentials.install(&self.communities, &self.users)?;
        }
        old.iter().filter(|(name, _)| !new.contains_key(*name)).map(|(_, gone)| gone.security_name()).collect()
    }

    /// Forgets credentials.
    pub(crate) fn forget(&self, names: &[Name]) {
        for name in names {
            self.communities.remove(name);
            self.users.remove(name);
        }
    }

    /// Polls these devices and no others. Those that are polled already, and alike, are left alone, unless `all_anew`.
    ///
    /// # Errors
    /// Nothing has changed then, but that names may not be looked up any more.
    pub(crate) fn replace(&mut self, devices: &[DeviceConfig], all_anew: bool) -> Result<Reloaded, ReloadError> {
        let wanted: HashMap<String, DeviceConfig> = devices
            .iter()
            .filter(|device| device.enabled)
            .map(|device| (device.name.clone(), device.clone()))
            .collect();
        let mut specs = Vec::new();
        let mut unresolved = Vec::new();
        let mut reloaded = Reloaded::default();
        // In the order of the files, which is the order of the first polls.
        for device in devices.iter().filter(|device| device.enabled) {
            let before = self.devices.get(&device.name);
            let is_same = before == Some(device) && !all_anew;
            match &device.address {
                DeviceAddress::Ip(_) if is_same => {}
                DeviceAddress::Host { .. } if is_same && self.is_found(&device.name) => {}
                DeviceAddress::Host { name, port } => unresolved.push((device.clone(), name.clone(), *port)),
                DeviceAddress::Ip(address) => specs.push(spec(&self.state, device, *address)?),
            }
            match before {
                None => reloaded.added += 1,
                Some(_) if !is_same => reloaded.changed += 1,
                Some(_) => {}
            }
        }
        // Before anything is added: it must not bring back what is gone.
        self.stop();
        self.resolver = Resolver::start(self.state.clone(), unresolved)?;
        for gone in self.devices.keys().filter(|name| !wanted.contains_key(*name)) {
            reloaded.removed += 1;
            self.state.fleet.remove(gone);
            self.state.snmp.send(Command::Remove(gone.clone()));
        }
        for spec in &specs {
            // Known at once, not only when the loop has heard of it.
            self.state.fleet.insert(spec.entry.clone());
        }
        self.state.snmp.send(Command::Add(specs));
        self.devices = wanted;
        Ok(reloaded)
    }

    /// Whether the device's host name was found.
    fn is_found(&self, name: &str) -> bool {
        self.state.fleet.get(name).is_some_and(|device| !device.address.ip().is_unspecified())
    }

    /// Looks no names up any more.
    pub(crate) fn stop(&mut self) {
        if let Some(Resolver { stop, thread }) = self.resolver.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

impl Resolver {
    fn start(state: Arc<NodeState>, mut unresolved: Vec<(DeviceConfig, String, u16)>) -> io::Result<Option<Self>> {
        if unresolved.is_empty() {
            return Ok(None);
        }
        let (stop, stopped) = channel();
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
}

/// Looks a host name up and starts polling it; whether that was possible.
fn resolve(state: &NodeState, device: &DeviceConfig, name: &str, port: u16) -> bool {
    let found = (name, port).to_socket_addrs().map(|mut addresses| addresses.next());
    let problem = match found {
        Ok(Some(address)) => match spec(state, device, address) {
            Ok(spec) => {
                state.fleet.insert(spec.entry.clone());
                return state.snmp.send(Command::Add(vec![spec]));
            }
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
