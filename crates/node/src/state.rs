//! What the parts of a node share: HTTP shows it, the inventory changes it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use hamsa_snmp::engine::{EngineStats, Name};
use hamsa_snmp::manager::{TargetConfig, Timing, WalkOptions};
use hamsa_snmp::message::Version;
use hamsa_snmp::mib::Mib;
use hamsa_store::Store;

use crate::collector::CollectorStats;
use crate::config::{Config, Credentials, PollConfig, Security};
use crate::credentials::CredentialsError;
use crate::enterprise::EnterpriseHandle;
use crate::fleet::Fleet;
use crate::group::GroupsHandle;
use crate::io_loop::LoopHandle;
use crate::notifications::NotificationStats;
use crate::profile::ProfileSet;
use crate::writer::WriterStats;

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
    /// What a reload of the configuration replaces.
    pub(crate) settings: RwLock<Arc<Settings>>,
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
    /// The groups of its cluster; `None`: it is in none.
    pub groups: Option<GroupsHandle>,
    /// The enterprise that it is in, if any.
    pub enterprise: Option<EnterpriseHandle>,
}

/// What of the configuration is read while the node runs.
#[derive(Debug)]
pub struct Settings {
    /// All credentials, by name.
    pub credentials: BTreeMap<String, Arc<Credentials>>,
    /// How to poll where nothing else is said.
    pub poll: PollConfig,
}

impl Settings {
    pub(crate) fn of(config: &Config) -> Self {
        Settings { credentials: config.credentials.clone(), poll: config.poll.clone() }
    }
}

impl NodeState {
    /// The settings as they are now.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How to reach an agent that is not in the inventory, with some credentials.
    pub fn target(&self, address: SocketAddr, credentials: &Credentials) -> Result<TargetConfig, CredentialsError> {
        let poll = &self.settings().poll;
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
            timing: Timing { initial: poll.timeout, max: poll.max_timeout, retries: poll.retries, ..Timing::default() },
            max_outstanding: poll.max_outstanding,
        })
    }

    /// How to walk the tables of an agent of this version.
    pub fn walk(&self, version: Version) -> WalkOptions {
        let poll = &self.settings().poll;
        WalkOptions {
            // v1 knows no GETBULK.
            max_repetitions: if version == Version::V1 { 0 } else { poll.max_repetitions },
            max_response_octets: poll.max_response_octets,
            ..WalkOptions::default()
        }
    }
}
