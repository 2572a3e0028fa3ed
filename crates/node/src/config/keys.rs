//! Every table and key of the configuration, each defined once: its type, what may stand there, what it is
//! for, its default, an example, and when a change takes effect.
//!
//! Reading, the check for unknown keys, the sample and the reference all come from here. A text here is read by
//! users in `docs/config.md` as it stands.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use glob::Pattern;
use hamsa_group::GroupName;
use hamsa_group::pair::limits::{MAX_LEASE, MIN_LEASE};
use hamsa_group_corosync::Node;
use hamsa_group_zenoh::is_endpoint;
use hamsa_snmp::engine::{EngineId, Name};
use hamsa_snmp::limits::{MAX_MESSAGE_OCTETS, MAX_QUEUE_PER_TARGET, MIN_MAX_MESSAGE_OCTETS};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId};

use super::limits::{
    CACHE_OCTETS, GROUP_TIMES, GROUP_TOKENS, MAX_INTERVAL, MAX_NODE_NUMBER, MAX_REPETITIONS, MAX_RETENTION,
    MAX_RETRIES, MAX_TIMEOUT, MIN_INTERVAL, MIN_RETENTION, MIN_TIMEOUT, RECEIVE_BUFFER_OCTETS, SYNC_INTERVALS,
};
use super::section::{Effect, Field, Key, Placed, Presence, Section, TableReader, section};
use super::shape::{
    DurationIn, Flag, Kept, Labels, List, NumberIn, OneOf, PathTo, SecretKind, Shape, SizeIn, Text, listen_address,
    name, not_known, plain_name,
};
use super::{DeviceAddress, Secret};

/// All tables, in the order in which they are shown.
pub(super) const SECTIONS: [&Section; 15] = [
    &FileKeys::SECTION,
    &NodeKeys::SECTION,
    &HttpKeys::SECTION,
    &StoreConfig::SECTION,
    &PollConfig::SECTION,
    &TrapKeys::SECTION,
    &MibConfig::SECTION,
    &ProfilesConfig::SECTION,
    &LogConfig::SECTION,
    &GroupKeys::SECTION,
    &EnterpriseKeys::SECTION,
    &VersionKeys::SECTION,
    &CommunityKeys::SECTION,
    &UserKeys::SECTION,
    &DeviceKeys::SECTION,
];

/// Tables whose absence means something, so that the sample leaves them out.
pub(super) const CHOSEN: [&str; 2] = [GroupKeys::SECTION.title, EnterpriseKeys::SECTION.title];

/// What makes the name of an included file a pattern.
pub(super) const WILDCARDS: [char; 3] = ['*', '?', '['];

const LEVELS: [SecurityLevel; 3] = [SecurityLevel::NoAuthNoPriv, SecurityLevel::AuthNoPriv, SecurityLevel::AuthPriv];

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What carries messages between the nodes of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum GroupEngineKind {
    Embedded,
    Corosync,
}

impl GroupEngineKind {
    const ALL: [GroupEngineKind; 2] = [GroupEngineKind::Embedded, GroupEngineKind::Corosync];

    /// How it is written, here and as a feature of the build.
    pub const fn name(self) -> &'static str {
        match self {
            GroupEngineKind::Embedded => "embedded",
            GroupEngineKind::Corosync => "corosync",
        }
    }
}

impl LogLevel {
    const ALL: [LogLevel; 5] = [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];

    /// How it is written, here and in `tracing`.
    pub const fn name(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}

impl LogFormat {
    /// How it is written.
    pub const fn name(self) -> &'static str {
        match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        }
    }
}

section! {
    /// Further files.
    pub(super) struct FileKeys = "" {
        /// Files whose `[[device]]` and `[credentials.NAME]` tables are added, such as those that
        /// `hamsa discover` writes. File names may have `*`, `?` and `[...]`.
        reload include: Vec<Placed<PathBuf>> = List(Kept(pattern())), default([]), example(["devices.d/*.toml"]);
    }
}

section! {
    /// This node.
    pub(super) struct NodeKeys = "[node]" {
        /// The node's name in logs and metrics.
        restart name: Field<String> = name(), optional("the host's name"), example("hamsa1");
        /// The node's number in its cluster and its enterprise. No other node has it.
        restart number: Field<u32> = NumberIn { min: 1, max: MAX_NODE_NUMBER }, optional("none; [group] and [enterprise] need one"),
            example(1);
        /// Where samples, events, SNMPv3 engine boots and salts are kept. Only one node may use it.
        restart data_dir: PathBuf = PathTo::DirectoryToCreate, default("hamsa-data");
    }
}

section! {
    /// The console, the API and the Prometheus endpoints.
    pub(super) struct HttpKeys = "[http]" {
        /// Where to listen. An address that is not loopback needs a token or TLS. Port 0 takes any free port.
        restart listen: SocketAddr = listen_address(), default("127.0.0.1:8161");
        /// The bearer token that every request must carry.
        restart token: Field<Secret> = SecretKind::TOKEN, secret("none is asked for"),
            example("replace-this-by-32-random-characters");
        /// The certificate chain that TLS shows, in PEM. It goes with `tls_key`.
        restart tls_cert: Field<PathBuf> = PathTo::File, optional("no TLS"), example("tls/cert.pem");
        /// The certificate's private key, in PEM.
        restart tls_key: Field<PathBuf> = PathTo::SecretFile, optional("no TLS"), example("tls/key.pem");
    }
}

section! {
    /// How long data is kept, and how safely.
    #[derive(Debug, Clone, PartialEq)]
    pub struct StoreConfig = "[store]" {
        /// How long samples are kept, to a day.
        restart retention: Duration = DurationIn { min: MIN_RETENTION, max: MAX_RETENTION }, default("30d");
        /// How long events (notifications received, devices lost and found) are kept, to a day.
        restart event_retention: Duration = DurationIn { min: MIN_RETENTION, max: MAX_RETENTION }, default("90d");
        /// How often data is synced to the disk: what a power cut may cost. A killed process costs nothing.
        restart sync_interval: Duration = DurationIn { min: SYNC_INTERVALS.0, max: SYNC_INTERVALS.1 }, default("1s");
        /// Memory for the store's pages.
        restart cache_size: u64 = SizeIn { min: CACHE_OCTETS.0, max: CACHE_OCTETS.1 }, default("64MiB");
    }
}

section! {
    /// How devices are polled. A `[[device]]` may have its own `interval`, `timeout`, `retries` and
    /// `max_outstanding`.
    #[derive(Debug, Clone, PartialEq)]
    pub struct PollConfig = "[poll]" {
        /// The time from one poll of a device to the next.
        reload interval: Duration = DurationIn { min: MIN_INTERVAL, max: MAX_INTERVAL }, default("60s");
        /// The wait for a device that has not answered yet. Later waits follow the round-trip times measured.
        reload timeout: Duration = DurationIn { min: MIN_TIMEOUT, max: MAX_TIMEOUT }, default("1s");
        /// The longest wait for an answer. Waits double with each retransmission up to this.
        reload max_timeout: Duration = DurationIn { min: MIN_TIMEOUT, max: MAX_TIMEOUT }, default("5s");
        /// How often a request is sent again when no answer comes.
        reload retries: u8 = NumberIn { min: 0, max: MAX_RETRIES }, default(3);
        /// Requests that one device has to answer at a time.
        reload max_outstanding: u8 = NumberIn { min: 1, max: MAX_QUEUE_PER_TARGET as u8 }, default(2);
        /// The most rows that one GETBULK asks for (`max-repetitions`); 0 walks by GETNEXT.
        reload max_repetitions: u16 = NumberIn { min: 0, max: MAX_REPETITIONS }, default(25);
        /// Responses are asked to stay below this many octets, so that they travel in one frame.
        reload max_response_octets: u32 =
            NumberIn { min: MIN_MAX_MESSAGE_OCTETS, max: MAX_MESSAGE_OCTETS as u32 }, default(1400);
        /// How often a device's identity, the profiles that fit it and the names of its rows are read again.
        restart refresh: Duration = DurationIn { min: Duration::from_secs(1), max: MAX_INTERVAL }, default("10m");
        /// What each socket asks of the kernel as receive buffer. Too small a one drops answers.
        restart receive_buffer: u64 =
            SizeIn { min: RECEIVE_BUFFER_OCTETS.0, max: RECEIVE_BUFFER_OCTETS.1 }, default("4MiB");
    }
}

section! {
    /// Notifications: traps and informs.
    pub(super) struct TrapKeys = "[traps]" {
        /// Where to listen. Port 162 needs a privilege (`CAP_NET_BIND_SERVICE`). `[]` receives none.
        restart listen: Vec<SocketAddr> = List(listen_address()), default(["127.0.0.1:9162"]);
        /// The credentials whose notifications are taken. Others are counted and dropped.
        reload accept: Field<Vec<Placed<String>>> = List(Kept(plain_name())), optional("all that are configured"),
            example(["campus"]);
    }
}

section! {
    /// Further MIB modules, over those that Hamsa knows already.
    #[derive(Debug, Clone, PartialEq)]
    pub struct MibConfig = "[mib]" {
        /// Directories with MIB files. A broken file is reported and skipped.
        restart dirs: Vec<PathBuf> = List(PathTo::Directory), default([]), example(["mibs"]);
        /// The modules to load from there, by name; all, if the list is empty.
        restart modules: Vec<String> = List(plain_name()), default([]), example(["ACME-ROUTER-MIB"]);
    }
}

section! {
    /// Device profiles (what to poll of which device), over those that come with Hamsa.
    #[derive(Debug, Clone, PartialEq)]
    pub struct ProfilesConfig = "[profiles]" {
        /// Directories with profiles. One of the same name replaces the one that comes with Hamsa.
        restart dirs: Vec<PathBuf> = List(PathTo::Directory), default([]), example(["profiles"]);
    }
}

section! {
    /// The log, on standard error.
    #[derive(Debug, Clone, PartialEq)]
    pub struct LogConfig = "[log]" {
        /// The least important messages that are shown.
        restart level: LogLevel = OneOf(&LogLevel::ALL, LogLevel::name), default("info");
        /// Lines for people, or one JSON object a line.
        restart format: LogFormat = OneOf(&[LogFormat::Text, LogFormat::Json], LogFormat::name), default("text");
    }
}

section! {
    /// The cluster of nodes that this one belongs to, on one machine or inside a site (docs/group.md). Without this table it is in none.
    pub(super) struct GroupKeys = "[group]" {
        /// What carries messages between nodes: the embedded engine reaches nodes of the same machine, Corosync those of one
        /// site.
        restart engine: GroupEngineKind = OneOf(&GroupEngineKind::ALL, GroupEngineKind::name), default("embedded");
        /// The cluster's name, the same at all nodes. Nodes of others are not let in.
        restart cluster: String = name(), default("hamsa");
        /// The socket of the embedded engine, the same for all nodes. Beside it is a file with `.lock` at its end.
        restart socket: PathBuf = PathTo::SocketToCreate, default("hamsa-group.sock");
        /// Corosync: all nodes of the ring with their addresses, one for each network that joins them; the same at all nodes. Without
        /// any, a Corosync that runs on this host already is used, whoever has configured it.
        restart nodes: Field<Vec<RingNode>> = List(ring_node()), optional("Corosync as it runs on this host"),
            example(["1=192.0.2.1", "2=192.0.2.2"]);
        /// Corosync: the key of the ring, the same at all nodes. `hamsa group key FILE` makes one.
        restart key: Field<PathBuf> = PathTo::SecretFile, optional("none; needed with nodes"), example("hamsa-group.key");
        /// Corosync: how long its token may stay away. A host's end is noticed after about 2.2 times as long.
        restart token: Duration = DurationIn { min: GROUP_TOKENS.0, max: GROUP_TOKENS.1 }, default("1s");
        /// Corosync: the UDP port of the nodes' first addresses; the second ones have the next, and so on.
        restart port: u16 = NumberIn { min: 1024, max: u16::MAX }, default(5405);
        /// Corosync: where its configuration, its state and its log are.
        restart directory: PathBuf = PathTo::DirectoryToCreate, default("hamsa-corosync");
        /// How long a node may take, after each change, to say what it has seen. Then the others go on without it.
        restart exchange_patience: Duration = DurationIn { min: GROUP_TIMES.0, max: GROUP_TIMES.1 }, default("2s");
        /// How long a node that has lost its engine waits for it before it goes on alone.
        restart alone_after: Duration = DurationIn { min: GROUP_TIMES.0, max: GROUP_TIMES.1 }, default("5s");
        /// Further groups that the node joins, for trying things out. It is in `cluster` always.
        restart groups: Vec<GroupName> = List(group_name()), default([]), example(["lab"]);
        /// Whether `hamsa group cut` and `heal` may make faults, for trying out what splits do. The embedded engine only.
        restart allow_faults: bool = Flag, default(false);
    }
}

section! {
    /// The enterprise: nodes of all sites, which know of each other and keep a directory together, and groups of two that this
    /// node has with some of them, over Zenoh (docs/enterprise.md). Without this table it is in none.
    pub(super) struct EnterpriseKeys = "[enterprise]" {
        /// Its name, the same at all nodes.
        restart name: String = plain_name(), default("hamsa");
        /// Where this node listens for others. Of each two nodes that are to be linked one listens and the other dials, never both.
        restart listen: Vec<String> = List(endpoint()), default([]), example(["0.0.0.0:7447"]);
        /// The nodes that this one dials, again and again until they answer.
        restart dial: Vec<String> = List(endpoint()), default([]), example(["hub.example.net:7447"]);
        /// The authority that has signed the certificates of all nodes, in PEM.
        restart tls_authority: Field<PathBuf> = PathTo::File, optional("none; needed unless allow_plain is set"), example("authority.pem");
        /// This node's certificate, in PEM. Where it listens it must have the names by which it is dialled.
        restart tls_cert: Field<PathBuf> = PathTo::File, optional("none; needed unless allow_plain is set"), example("node-1.pem");
        /// The certificate's private key, in PEM.
        restart tls_key: Field<PathBuf> = PathTo::SecretFile, optional("none; needed unless allow_plain is set"), example("node-1.key");
        /// Whether to go without TLS: whoever reaches the port is then a member. Only inside tunnels that are protected.
        restart allow_plain: bool = Flag, default(false);
        /// How long a node of a pair may be silent before the other goes on without it: its end is noticed after so long.
        restart lease: Duration = DurationIn { min: MIN_LEASE, max: MAX_LEASE }, default("1s");
        /// The numbers of the nodes that this one makes a group of two with; they have this one's in theirs.
        reload pairs: Vec<u32> = List(NumberIn { min: 1, max: MAX_NODE_NUMBER }), default([]), example([11, 12]);
        /// Further nodes that this one tells directly what it knows of the enterprise, though it has no group with them: a second
        /// hub, for instance. They have this one's number in theirs.
        reload neighbours: Vec<u32> = List(NumberIn { min: 1, max: MAX_NODE_NUMBER }), default([]), example([2]);
    }
}

section! {
    /// Credentials, by names that devices refer to. The version says which other keys there are.
    pub(super) struct VersionKeys = "[credentials.NAME]" {
        /// The version of SNMP.
        reload version: Field<Version> = OneOf(&[Version::V1, Version::V2c, Version::V3], Version::name), required(),
            example("v3");
    }
}

section! {
    /// SNMPv1 and SNMPv2c: a community.
    pub(super) struct CommunityKeys = "[credentials.NAME] of version \"v1\" or \"v2c\"" {
        /// The community. It travels in clear.
        reload community: Field<Secret> = SecretKind::COMMUNITY, secret("not allowed"), example("public");
    }
}

section! {
    /// SNMPv3: a user of the user-based security model (RFC 3414).
    pub(super) struct UserKeys = "[credentials.NAME] of version \"v3\"" {
        /// The user's name at the agent.
        reload user: Field<Name> = user_name(), required(), example("monitor");
        /// How far messages are secured.
        reload level: Field<SecurityLevel> = OneOf(&LEVELS, SecurityLevel::name),
            optional("the highest that the protocols allow"), example("authPriv");
        /// The authentication protocol.
        reload auth_protocol: Field<AuthProtocolId> = auth_protocol(), optional("no authentication"),
            example("SHA-256");
        /// The password for authentication.
        reload auth_password: Field<Secret> = SecretKind::PASSWORD, secret("no authentication"),
            example("replace this password");
        /// The privacy (encryption) protocol. AES-192-C and AES-256-C are Cisco's way to make the key.
        reload priv_protocol: Field<PrivProtocolId> = priv_protocol(), optional("no encryption"), example("AES-128");
        /// The password for privacy.
        reload priv_password: Field<Secret> = SecretKind::PASSWORD, secret("no encryption"),
            example("replace this one too");
        /// The context to ask for (RFC 3411 §3.3.1).
        reload context: Name = context_name(), default("");
        /// The only SNMP engine that knows this user, in hexadecimal. Agents' engines are discovered without it.
        reload engine_id: Field<EngineId> = engine_id(), optional("any"), example("80001f8880c0ffee01");
    }
}

section! {
    /// A device to poll.
    pub(super) struct DeviceKeys = "[[device]]" {
        /// The device's name, unique.
        reload name: Field<String> = name(), optional("its address"), example("core1");
        /// Where its agent listens: an IP address or a host name, with a port if it is not 161.
        reload address: Field<DeviceAddress> = device_address(), required(), example("192.0.2.1");
        /// The credentials to use, by name.
        reload credentials: Field<String> = plain_name(), required(), example("campus");
        /// The profiles to poll, by name.
        reload profiles: Field<Vec<Placed<String>>> = List(Kept(plain_name())),
            optional("those that fit its sysObjectID"), example(["if-mib"]);
        /// The time from one poll to the next.
        reload interval: Field<Duration> = DurationIn { min: MIN_INTERVAL, max: MAX_INTERVAL },
            optional("that of [poll]"), example("30s");
        /// The wait for a first answer.
        reload timeout: Field<Duration> = DurationIn { min: MIN_TIMEOUT, max: MAX_TIMEOUT },
            optional("that of [poll]"), example("2s");
        /// How often a request is sent again.
        reload retries: Field<u8> = NumberIn { min: 0, max: MAX_RETRIES }, optional("that of [poll]"), example(5);
        /// Requests that it has to answer at a time.
        reload max_outstanding: Field<u8> = NumberIn { min: 1, max: MAX_QUEUE_PER_TARGET as u8 },
            optional("that of [poll]"), example(1);
        /// The SNMPv3 context to ask for.
        reload context: Field<Name> = context_name(), optional("that of the credentials"), example("vrf-a");
        /// Labels on all of its series.
        reload labels: BTreeMap<String, String> = Labels, default({}), example({ site = "berlin" });
        /// Whether it is polled.
        reload enabled: bool = Flag, default(true);
    }
}

fn pattern() -> Text<PathBuf> {
    fn parse(text: &str) -> Result<PathBuf, String> {
        let path = Path::new(text);
        let Some(file) = path.file_name().and_then(OsStr::to_str).filter(|_| !text.contains(char::is_control)) else {
            return Err("not the path of a file".to_owned());
        };
        if path.parent().and_then(Path::to_str).is_some_and(|directory| directory.contains(WILDCARDS)) {
            return Err("wildcards stand in the directory".to_owned());
        }
        Pattern::new(file).map_err(|error| error.msg.to_owned())?;
        Ok(path.to_owned())
    }
    Text { allowed: "the path of a file, with or without wildcards in the file's name".into(), parse }
}

fn group_name() -> Text<GroupName> {
    fn parse(text: &str) -> Result<GroupName, String> {
        GroupName::new(text).map_err(|error| error.to_string())
    }
    Text { allowed: "a name of 1 to 64 letters, digits and . _ - / @ :".into(), parse }
}

/// A node of a ring: its number and its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingNode {
    /// Its number.
    pub number: u32,
    /// One for each network.
    pub addresses: Vec<IpAddr>,
}

impl FromStr for RingNode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, addresses) = text.split_once('=').ok_or("there is no =")?;
        let number = number.parse().map_err(|_| format!("{number:?} is no node number"))?;
        let addresses =
            addresses.split(',').map(|address| address.parse().map_err(|_| format!("{address:?} is no address")));
        Ok(RingNode { number, addresses: addresses.collect::<Result<_, String>>()? })
    }
}

impl From<RingNode> for Node {
    fn from(RingNode { number, addresses }: RingNode) -> Self {
        Node { number, name: format!("node-{number}"), addresses }
    }
}

/// The engine looks at the rest.
fn endpoint() -> Text<String> {
    fn parse(text: &str) -> Result<String, String> {
        is_endpoint(text).then(|| text.to_owned()).ok_or_else(|| format!("{text:?} is not"))
    }
    Text { allowed: "host:port".into(), parse }
}

fn ring_node() -> Text<RingNode> {
    fn parse(text: &str) -> Result<RingNode, String> {
        text.parse()
    }
    Text { allowed: "NUMBER=ADDRESS, or NUMBER=ADDRESS,ADDRESS for two networks".into(), parse }
}

fn device_address() -> Text<DeviceAddress> {
    Text { allowed: "an IP address or host name, with or without a port".into(), parse: parsed }
}

fn context_name() -> Text<Name> {
    Text { allowed: "a text of at most 255 octets (RFC 3411 SnmpAdminString)".into(), parse: parsed_name }
}

fn user_name() -> Text<Name> {
    fn parse(text: &str) -> Result<Name, String> {
        let length = text.len();
        if (1..=32).contains(&length) { parsed_name(text) } else { Err(format!("{length} octets")) }
    }
    Text { allowed: "a text of 1 to 32 octets (RFC 3414 §2.4)".into(), parse }
}

fn engine_id() -> Text<EngineId> {
    fn parse(text: &str) -> Result<EngineId, String> {
        let id: EngineId = parsed(text)?;
        if id.is_empty() { Err("no digits".to_owned()) } else { Ok(id) }
    }
    Text { allowed: "1 to 32 octets as hexadecimal digits".into(), parse }
}

pub(super) fn auth_protocol() -> Text<AuthProtocolId> {
    fn parse(text: &str) -> Result<AuthProtocolId, String> {
        text.parse().map_err(|_| not_known(text, AuthProtocolId::ALL.map(AuthProtocolId::name)))
    }
    Text { allowed: AuthProtocolId::ALL.map(AuthProtocolId::name).join(", ").into(), parse }
}

pub(super) fn priv_protocol() -> Text<PrivProtocolId> {
    fn parse(text: &str) -> Result<PrivProtocolId, String> {
        text.parse().map_err(|_| not_known(text, PrivProtocolId::ALL.map(PrivProtocolId::name)))
    }
    Text { allowed: PrivProtocolId::ALL.map(PrivProtocolId::name).join(", ").into(), parse }
}

fn parsed_name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|error| error.to_string())
}

fn parsed<T: FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}
