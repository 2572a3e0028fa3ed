//! What a checked configuration is. All of it is valid: nobody checks again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hamsa_group::GroupName;
use hamsa_group_corosync::Ring;
use hamsa_group_zenoh::ZenohOptions;
use hamsa_snmp::engine::{EngineId, Name};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId};

use super::{DeviceAddress, LogConfig, MibConfig, PollConfig, ProfilesConfig, Secret, StoreConfig};

/// A node's configuration. `Debug` shows no secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// This node.
    pub node: NodeConfig,
    /// Console, API and Prometheus endpoints.
    pub http: HttpConfig,
    /// How long data is kept, and how safely.
    pub store: StoreConfig,
    /// How devices are polled, where they say nothing else.
    pub poll: PollConfig,
    /// Notifications.
    pub traps: TrapConfig,
    /// Further MIB modules.
    pub mib: MibConfig,
    /// Further device profiles.
    pub profiles: ProfilesConfig,
    /// The log.
    pub log: LogConfig,
    /// The cluster of nodes that this one belongs to, if any.
    pub group: Option<GroupConfig>,
    /// The enterprise that it belongs to, if any.
    pub enterprise: Option<EnterpriseConfig>,
    /// All credentials, by name.
    pub credentials: BTreeMap<String, Arc<Credentials>>,
    /// All devices, in the order of the files. Names are unique.
    pub devices: Vec<DeviceConfig>,
}

/// This node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeConfig {
    /// Its name in logs and metrics.
    pub name: String,
    /// Its number in its cluster and its enterprise, 1 or greater.
    pub number: Option<u32>,
    /// Where it keeps its data; may not be there yet.
    pub data_dir: PathBuf,
}

/// The cluster of nodes that a node belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupConfig {
    /// What carries messages, with its own options.
    pub engine: GroupEngineConfig,
    /// The node's number, 1 or greater.
    pub node: u32,
    /// The cluster's name.
    pub cluster: String,
    /// See [`hamsa_group::Options`].
    pub exchange_patience: Duration,
    /// See [`hamsa_group::Options`].
    pub alone_after: Duration,
    /// Further groups to join.
    pub groups: Vec<GroupName>,
}

/// A group engine that this program was built with, and its options.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupEngineConfig {
    /// The embedded one.
    Embedded {
        /// Its socket.
        socket: PathBuf,
        /// Whether faults may be asked for.
        allow_faults: bool,
    },
    /// Corosync.
    Corosync {
        /// The daemon to write for and to run; `None`: one runs already.
        daemon: Option<CorosyncConfig>,
    },
}

/// The enterprise that a node belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct EnterpriseConfig {
    /// What its engine is told, apart from what only a running node knows.
    pub options: ZenohOptions,
    /// Nodes that it makes groups of two with.
    pub pairs: BTreeSet<u32>,
    /// Nodes that are told of the enterprise besides them.
    pub neighbours: BTreeSet<u32>,
}

/// A Corosync daemon of the node's own.
#[derive(Debug, Clone, PartialEq)]
pub struct CorosyncConfig {
    /// All nodes.
    pub ring: Ring,
    /// The key of the ring.
    pub key: PathBuf,
    /// Where its files are.
    pub directory: PathBuf,
}

/// Console, API and Prometheus endpoints.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpConfig {
    /// Where to listen. Loopback, or there is a token or TLS.
    pub listen: SocketAddr,
    /// The bearer token that every request must carry (RFC 6750).
    pub token: Option<Secret>,
    /// TLS, if it is wanted.
    pub tls: Option<TlsFiles>,
}

/// Files of a TLS server, both PEM.
#[derive(Debug, Clone, PartialEq)]
pub struct TlsFiles {
    /// The certificate chain.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Notifications.
#[derive(Debug, Clone, PartialEq)]
pub struct TrapConfig {
    /// Where to listen.
    pub listen: Vec<SocketAddr>,
    /// Whose notifications are taken.
    pub accept: Vec<Arc<Credentials>>,
}

/// Credentials towards an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Credentials {
    /// By which name the configuration knows them; unique. It serves as `securityName`.
    pub name: String,
    /// What they are.
    pub security: Security,
}

/// How messages are secured, and in whose name.
#[derive(Debug, Clone, PartialEq)]
pub enum Security {
    /// SNMPv1, by a community.
    V1(Secret),
    /// SNMPv2c, by a community.
    V2c(Secret),
    /// SNMPv3, by a user.
    V3(UserCredentials),
}

impl Security {
    /// The version of SNMP.
    pub fn version(&self) -> Version {
        match self {
            Security::V1(_) => Version::V1,
            Security::V2c(_) => Version::V2c,
            Security::V3(_) => Version::V3,
        }
    }
}

/// A user of the user-based security model (RFC 3414).
#[derive(Debug, Clone, PartialEq)]
pub struct UserCredentials {
    /// The user's name at the agent, 1 to 32 octets.
    pub user: Name,
    /// How far messages are secured; never more than what follows allows.
    pub level: SecurityLevel,
    /// How the user authenticates, if it does.
    pub authentication: Option<UserAuthentication>,
    /// The context to ask for where a device names none.
    pub context: Name,
    /// The only engine that knows the user; any, if `None`.
    pub engine_id: Option<EngineId>,
}

/// How a user authenticates, and encrypts if it does: there is no privacy without authentication
/// (RFC 3411 §3.4.3).
#[derive(Debug, Clone, PartialEq)]
pub struct UserAuthentication {
    /// The protocol.
    pub protocol: AuthProtocolId,
    /// Its password, 8 octets or more.
    pub password: Secret,
    /// How the user encrypts, if it does.
    pub privacy: Option<Privacy>,
}

/// How a user encrypts.
#[derive(Debug, Clone, PartialEq)]
pub struct Privacy {
    /// The protocol.
    pub protocol: PrivProtocolId,
    /// Its password, 8 octets or more.
    pub password: Secret,
}

/// A device to poll, with what it takes from `[poll]`.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceConfig {
    /// Its name, unique.
    pub name: String,
    /// Where its agent listens.
    pub address: DeviceAddress,
    /// The credentials to use.
    pub credentials: Arc<Credentials>,
    /// The profiles to poll; those that fit its sysObjectID, if `None`.
    pub profiles: Option<Vec<String>>,
    /// The time from one poll to the next.
    pub interval: Duration,
    /// The wait for a first answer.
    pub timeout: Duration,
    /// Retransmissions after the first try.
    pub retries: u8,
    /// Requests that may be out at a time.
    pub max_outstanding: u8,
    /// The SNMPv3 context to ask for; empty in other versions.
    pub context: Name,
    /// Labels on all of its series.
    pub labels: BTreeMap<String, String>,
    /// Whether it is polled.
    pub enabled: bool,
}
