//! What is known of the devices now: written by the collector, read by the console, the API and /metrics.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use hamsa_snmp::message::Version;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::limits::MAX_NOTICES;
use crate::readings::Readings;

/// How a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceState {
    /// It has not been polled yet.
    Pending,
    /// Its last poll brought everything.
    Up,
    /// Its last poll brought some things.
    Degraded,
    /// Its last poll brought nothing.
    Down,
}

impl DeviceState {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            DeviceState::Pending => "pending",
            DeviceState::Up => "up",
            DeviceState::Degraded => "degraded",
            DeviceState::Down => "down",
        }
    }
}

/// A device's condition. Times are milliseconds of Unix time.
#[derive(Debug, Clone, Serialize)]
pub struct DeviceStatus {
    /// How it is.
    pub state: DeviceState,
    /// Since when.
    pub state_since_ms: i64,
    /// When the last poll ended.
    pub last_poll_ms: Option<i64>,
    /// When the last poll ended that brought anything.
    pub last_success_ms: Option<i64>,
    /// When its last samples were stored: they survive a crash.
    pub last_stored_ms: Option<i64>,
    /// How long the last poll took.
    pub poll_duration_ms: u64,
    /// By how much it started late.
    pub poll_lateness_ms: u64,
    /// Smoothed round-trip time.
    pub rtt_us: Option<u64>,
    /// Requests of the last poll.
    pub requests: u32,
    /// Messages that it had to send again.
    pub retransmissions: u32,
    /// Variables that it found.
    pub variables: u32,
    /// Series of the device.
    pub series: usize,
    /// How often its agent has started since this node did.
    pub restarts: u32,
    /// What went wrong in the last poll.
    pub errors: Vec<String>,
    /// sysDescr, sysName and so on.
    pub facts: BTreeMap<String, String>,
    /// The profiles it is read by.
    pub profiles: Vec<String>,
}

impl DeviceStatus {
    fn new(now_ms: i64) -> Self {
        DeviceStatus {
            state: DeviceState::Pending,
            state_since_ms: now_ms,
            last_poll_ms: None,
            last_success_ms: None,
            last_stored_ms: None,
            poll_duration_ms: 0,
            poll_lateness_ms: 0,
            rtt_us: None,
            requests: 0,
            retransmissions: 0,
            variables: 0,
            series: 0,
            restarts: 0,
            errors: Vec::new(),
            facts: BTreeMap::new(),
            profiles: Vec::new(),
        }
    }
}

/// A device of the inventory.
#[derive(Debug)]
pub struct DeviceEntry {
    /// Its name, unique.
    pub name: String,
    /// Where its agent listens.
    pub address: SocketAddr,
    /// The name of the credentials it is asked with.
    pub credentials: String,
    /// The version it is asked in.
    pub version: Version,
    /// How often it is polled.
    pub interval: Duration,
    /// The operator's labels.
    pub labels: BTreeMap<String, String>,
    status: Mutex<DeviceStatus>,
    readings: Mutex<Readings>,
}

/// What an entry is made from.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct DeviceIdentity {
    pub name: String,
    pub address: SocketAddr,
    pub credentials: String,
    pub version: Version,
    pub interval: Duration,
    pub labels: BTreeMap<String, String>,
}

impl DeviceEntry {
    /// A device that has not been polled yet.
    pub fn new(identity: DeviceIdentity, now_ms: i64) -> Self {
        let DeviceIdentity { name, address, credentials, version, interval, labels } = identity;
        let status = Mutex::new(DeviceStatus::new(now_ms));
        DeviceEntry { name, address, credentials, version, interval, labels, status, readings: Mutex::default() }
    }

    /// Its condition now.
    pub fn status(&self) -> DeviceStatus {
        self.lock().clone()
    }

    /// The last samples that are stored of it.
    pub fn readings(&self) -> MutexGuard<'_, Readings> {
        // A reading is replaced whole.
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, DeviceStatus> {
        // A status is whole after every statement: a reader that panicked has not spoilt it.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that a watcher of the node wants to hear of.
#[derive(Debug, Clone)]
pub enum Notice {
    /// A device was polled and its samples are stored.
    Polled(Arc<DeviceEntry>),
    /// An event was stored: its kind, device and JSON payload.
    Event {
        /// Its number in the store.
        id: u64,
        /// Milliseconds of Unix time.
        time_ms: i64,
        /// `trap`, `device`, ...
        kind: &'static str,
        /// The device's name, or nothing.
        device: String,
        /// JSON.
        payload: Arc<str>,
    },
}

/// All devices.
#[derive(Debug)]
pub struct Fleet {
    devices: RwLock<BTreeMap<String, Arc<DeviceEntry>>>,
    notices: broadcast::Sender<Notice>,
}

impl Default for Fleet {
    fn default() -> Self {
        Fleet { devices: RwLock::default(), notices: broadcast::channel(MAX_NOTICES).0 }
    }
}

impl Fleet {
    /// The device of this name.
    pub fn get(&self, name: &str) -> Option<Arc<DeviceEntry>> {
        self.devices.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// All devices, by name.
    pub fn all(&self) -> Vec<Arc<DeviceEntry>> {
        self.devices.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The device whose agent has this address, for notifications.
    pub fn at(&self, address: std::net::IpAddr) -> Option<Arc<DeviceEntry>> {
        let devices = self.devices.read().unwrap_or_else(PoisonError::into_inner);
        devices.values().find(|device| device.address.ip() == address).cloned()
    }

    /// Hears of what happens from now on. A watcher that is too slow misses the oldest notices.
    pub fn watch(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    pub(crate) fn insert(&self, device: Arc<DeviceEntry>) {
        self.devices.write().unwrap_or_else(PoisonError::into_inner).insert(device.name.clone(), device);
    }

    pub(crate) fn remove(&self, name: &str) {
        self.devices.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    pub(crate) fn tell(&self, notice: Notice) {
        // Nobody watching is no failure.
        let _ = self.notices.send(notice);
    }
}
