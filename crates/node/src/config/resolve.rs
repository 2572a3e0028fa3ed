//! What keys have to do with each other, and the names that refer to other tables.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use hamsa_snmp::engine::Name;
use hamsa_snmp::message::{SecurityLevel, Version};

use super::keys::{
    CommunityKeys, DeviceKeys, HttpKeys, LogConfig, MibConfig, NodeKeys, PollConfig, ProfilesConfig, StoreConfig,
    TrapKeys, UserKeys, VersionKeys,
};
use super::quantity::format_duration;
use super::section::{Context, Field, Placed, TableReader};
use super::shape::not_known;
use super::source::{Place, quoted};
use super::{
    Config, Credentials, DeviceAddress, DeviceConfig, EnterpriseConfig, GroupConfig, HttpConfig, NodeConfig, Privacy,
    Security, TlsFiles, TrapConfig, UserAuthentication, UserCredentials,
};

/// The tables that only the main file has.
pub(super) struct Tables {
    pub(super) node: NodeConfig,
    pub(super) http: HttpConfig,
    pub(super) store: StoreConfig,
    pub(super) poll: PollConfig,
    /// The longest timeout that a device may have, if that is certain.
    pub(super) max_timeout: Option<Duration>,
    pub(super) traps: TrapKeys,
    pub(super) mib: MibConfig,
    pub(super) profiles: ProfilesConfig,
    /// Whether the directories of profiles are known, and so the profiles.
    pub(super) has_certain_profiles: bool,
    pub(super) log: LogConfig,
    /// `None` too where it has a mistake.
    pub(super) group: Option<GroupConfig>,
    pub(super) enterprise: Option<EnterpriseConfig>,
}

/// Credentials, and where they stand. Those with a mistake keep their name, so that it is known.
pub(super) type CredentialsByName = BTreeMap<String, (Place, Option<Arc<Credentials>>)>;

/// What all files together have.
#[derive(Default)]
pub(super) struct Inventory {
    pub(super) credentials: CredentialsByName,
    pub(super) devices: Vec<DeviceKeys>,
}

/// The whole configuration; `None`, or something that must not be used, after a mistake.
pub(super) fn config(tables: Tables, inventory: Inventory, context: &mut Context<'_>) -> Option<Config> {
    let Tables {
        node,
        http,
        store,
        poll,
        max_timeout,
        traps,
        mib,
        profiles,
        has_certain_profiles,
        log,
        group,
        enterprise,
    } = tables;
    let traps = TrapConfig { listen: traps.listen, accept: accepted(traps.accept, &inventory.credentials, context) };
    let known_profiles = has_certain_profiles.then(|| (context.surroundings.profiles)(&profiles.dirs));
    let known_profiles = known_profiles.map(HashSet::from_iter);
    let mut unique = Unique::default();
    let mut devices = Vec::with_capacity(inventory.devices.len());
    let profiles_by_name = known_profiles.as_ref();
    let references =
        References { poll: &poll, max_timeout, credentials: &inventory.credentials, profiles: profiles_by_name };
    for keys in inventory.devices {
        devices.extend(device(keys, &references, &mut unique, context));
    }
    let credentials =
        inventory.credentials.into_iter().filter_map(|(name, (_, credentials))| Some((name, credentials?))).collect();
    Some(Config { node, http, store, poll, traps, mib, profiles, log, group, enterprise, credentials, devices })
}

/// `[node]`.
pub(super) fn node(table: &mut TableReader<'_, '_>) -> NodeConfig {
    let NodeKeys { name, number, data_dir } = NodeKeys::read(table);
    let name = name.value().unwrap_or_else(|| table.context.surroundings.host_name.clone());
    NodeConfig { name, number: number.value(), data_dir }
}

/// `[http]`.
pub(super) fn http(table: &mut TableReader<'_, '_>) -> HttpConfig {
    let HttpKeys { listen, token, tls_cert, tls_key } = HttpKeys::read(table);
    let (has_token, has_tls) = (token.is_there(), tls_cert.is_there() || tls_key.is_there());
    match (tls_cert.is_there(), tls_key.is_there()) {
        (true, false) => {
            table.context.log.missing(&table.place_of("tls_cert"), "tls_key is missing; TLS needs both, or neither");
        }
        (false, true) => {
            table.context.log.missing(&table.place_of("tls_key"), "tls_cert is missing; TLS needs both, or neither");
        }
        _ => {}
    }
    let place = table.place_of("listen");
    if !listen.ip().to_canonical().is_loopback() {
        let log = &mut table.context.log;
        match (has_token, has_tls) {
            (false, false) => log.missing(
                &place,
                format!(
                    "{listen} is not a loopback address, so whoever reaches it could read all data; set token \
                     (or token_file, token_env), or tls_cert and tls_key, or listen on 127.0.0.1"
                ),
            ),
            (true, false) => log.warning(&place, "without TLS the token travels in clear"),
            (false, true) => log.warning(&place, "without a token whoever reaches this address can read all data"),
            (true, true) => {}
        }
    }
    let tls = tls_cert.value().zip(tls_key.value()).map(|(cert, key)| TlsFiles { cert, key });
    HttpConfig { listen, token: token.value(), tls }
}

/// `[poll]`, and the longest timeout that a device may have, if that is certain.
pub(super) fn poll(table: &mut TableReader<'_, '_>) -> (PollConfig, Option<Duration>) {
    let poll = PollConfig::read(table);
    let max_timeout = table.is_certain("max_timeout").then_some(poll.max_timeout);
    if table.is_certain("timeout") {
        let place = table.place_of(if table.has("timeout") { "timeout" } else { "max_timeout" });
        check_timeout(poll.timeout, max_timeout, &place, table.context);
    }
    (poll, max_timeout)
}

/// `[profiles]`, and whether its directories are certain.
pub(super) fn profiles(table: &mut TableReader<'_, '_>) -> (ProfilesConfig, bool) {
    (ProfilesConfig::read(table), table.is_certain("dirs"))
}

/// `[credentials.NAME]`.
pub(super) fn credentials(name: &str, table: &mut TableReader<'_, '_>) -> Option<Credentials> {
    let VersionKeys { version } = VersionKeys::read(table);
    let security = match version.value() {
        Some(Version::V3) => {
            let user = user(table).map(Security::V3);
            table.refuse_unknown(&[&VersionKeys::SECTION, &UserKeys::SECTION]);
            user
        }
        Some(version) => {
            let CommunityKeys { community } = CommunityKeys::read(table);
            if !community.is_there() {
                table.lacks(CommunityKeys::SECTION.key("community"));
            }
            table.refuse_unknown(&[&VersionKeys::SECTION, &CommunityKeys::SECTION]);
            let security = if version == Version::V1 { Security::V1 } else { Security::V2c };
            community.value().map(security)
        }
        None => {
            table.refuse_unknown(&[&VersionKeys::SECTION, &CommunityKeys::SECTION, &UserKeys::SECTION]);
            None
        }
    };
    Some(Credentials { name: name.to_owned(), security: security? })
}

fn user(table: &mut TableReader<'_, '_>) -> Option<UserCredentials> {
    let keys = UserKeys::read(table);
    let lacks_auth_password = keys.auth_protocol.is_there() && !keys.auth_password.is_there();
    let lacks_auth_protocol = !keys.auth_protocol.is_there() && keys.auth_password.is_there();
    let lacks_priv_password = keys.priv_protocol.is_there() && !keys.priv_password.is_there();
    let lacks_priv_protocol = !keys.priv_protocol.is_there() && keys.priv_password.is_there();
    let authenticates = keys.auth_protocol.is_there() || keys.auth_password.is_there();
    let encrypts = keys.priv_protocol.is_there() || keys.priv_password.is_there();
    for (lacks, name) in [
        (lacks_auth_password, "auth_password"),
        (lacks_auth_protocol, "auth_protocol"),
        (lacks_priv_password, "priv_password"),
        (lacks_priv_protocol, "priv_protocol"),
    ] {
        if lacks {
            table.lacks(UserKeys::SECTION.key(name));
        }
    }
    if encrypts && !authenticates {
        let place = table.place_of(if keys.priv_protocol.is_there() { "priv_protocol" } else { "priv_password" });
        let message =
            "there is no privacy without authentication (RFC 3411 §3.4.3); set auth_protocol and auth_password";
        table.context.log.missing(&place, message);
    }
    let highest = match (authenticates, encrypts) {
        (true, true) => SecurityLevel::AuthPriv,
        (true, false) => SecurityLevel::AuthNoPriv,
        (false, _) => SecurityLevel::NoAuthNoPriv,
    };
    if let Some(Placed { value: level, place }) = keys.level.placed()
        && *level > highest
        && (authenticates || !encrypts)
    {
        let needed = if authenticates { "priv_protocol and priv_password" } else { "auth_protocol and auth_password" };
        let message = format!("{} is more than the protocols allow, {}; set {needed}", level.name(), highest.name());
        table.context.log.missing(place, message);
    }
    let privacy = keys.priv_protocol.value().zip(keys.priv_password.value());
    let privacy = privacy.map(|(protocol, password)| Privacy { protocol, password });
    let authentication = keys.auth_protocol.value().zip(keys.auth_password.value());
    let authentication = authentication.map(|(protocol, password)| UserAuthentication { protocol, password, privacy });
    Some(UserCredentials {
        user: keys.user.value()?,
        level: keys.level.value().unwrap_or(highest),
        authentication,
        context: keys.context,
        engine_id: keys.engine_id.value(),
    })
}

/// What devices refer to.
struct References<'r> {
    poll: &'r PollConfig,
    max_timeout: Option<Duration>,
    credentials: &'r CredentialsByName,
    /// All there are, if that is known.
    profiles: Option<&'r HashSet<String>>,
}

/// What no two devices may share, and where it stands first.
#[derive(Default)]
struct Unique {
    names: HashMap<String, Place>,
    targets: HashMap<(DeviceAddress, String, Name), Place>,
}

/// `[[device]]`.
fn device(
    keys: DeviceKeys,
    references: &References<'_>,
    unique: &mut Unique,
    context: &mut Context<'_>,
) -> Option<DeviceConfig> {
    let References { poll, max_timeout, .. } = references;
    if let Some(Placed { value: timeout, place }) = keys.timeout.placed() {
        check_timeout(*timeout, *max_timeout, place, context);
    }
    let credentials = keys.credentials.placed().and_then(|name| find(name, references.credentials, context));
    let own_context = keys.context.placed().cloned();
    let snmp_context = match credentials.as_deref().map(|credentials| &credentials.security) {
        Some(Security::V3(user)) => own_context.map_or_else(|| user.context.clone(), |placed| placed.value),
        Some(security) => {
            if let Some(Placed { place, .. }) = &own_context {
                let version = security.version().name();
                context.log.mistake(place, format!("only SNMPv3 has contexts; these credentials are {version}"));
            }
            Name::default()
        }
        None => Name::default(),
    };
    check_profiles(&keys.profiles, references.profiles, context);
    let profiles = keys.profiles.value();
    let address_place = keys.address.placed().map(|placed| placed.place.clone());
    let address = keys.address.value();
    let name_place = keys.name.placed().map(|placed| placed.place.clone());
    let name = keys.name.value().or_else(|| address.as_ref().map(DeviceAddress::to_string));
    if let (Some(name), Some(place)) = (&name, name_place.or_else(|| address_place.clone())) {
        unique.name(name, place, context);
    }
    let (address, credentials) = (address?, credentials?);
    unique.target((address.clone(), credentials.name.clone(), snmp_context.clone()), address_place?, context);
    Some(DeviceConfig {
        name: name?,
        address,
        credentials,
        profiles: profiles.map(|names| names.into_iter().map(|placed| placed.value).collect()),
        interval: keys.interval.value().unwrap_or(poll.interval),
        timeout: keys.timeout.value().unwrap_or(poll.timeout),
        retries: keys.retries.value().unwrap_or(poll.retries),
        max_outstanding: keys.max_outstanding.value().unwrap_or(poll.max_outstanding),
        context: snmp_context,
        labels: keys.labels,
        enabled: keys.enabled,
    })
}

impl Unique {
    fn name(&mut self, name: &str, place: Place, context: &mut Context<'_>) {
        match self.names.entry(name.to_owned()) {
            Entry::Occupied(first) => {
                context
                    .log
                    .mistake(&place, format!("{} is the name of the device at {} already", quoted(name), first.get()));
            }
            Entry::Vacant(entry) => _ = entry.insert(place),
        }
    }

    fn target(&mut self, target: (DeviceAddress, String, Name), place: Place, context: &mut Context<'_>) {
        match self.targets.entry(target) {
            Entry::Occupied(first) => {
                let message =
                    format!("the device at {} has this address, credentials and context already", first.get());
                context.log.mistake(&place, message);
            }
            Entry::Vacant(entry) => _ = entry.insert(place),
        }
    }
}

fn check_profiles(profiles: &Field<Vec<Placed<String>>>, known: Option<&HashSet<String>>, context: &mut Context<'_>) {
    let Some(Placed { value: names, place }) = profiles.placed() else { return };
    if names.is_empty() {
        context.log.mistake(place, "no profile: nothing is polled; without this key those that fit the device are");
    }
    let Some(known) = known else { return };
    for Placed { value, place } in names.iter().filter(|name| !known.contains(&name.value)) {
        let hint = not_known(value, known.iter().map(String::as_str));
        context.log.unresolved(place, format!("the profile {} is {hint}", quoted(value)));
    }
}

fn accepted(
    accept: Field<Vec<Placed<String>>>,
    known: &CredentialsByName,
    context: &mut Context<'_>,
) -> Vec<Arc<Credentials>> {
    match accept {
        Field::Absent => known.values().filter_map(|(_, credentials)| credentials.clone()).collect(),
        Field::Bad => Vec::new(),
        Field::Given(Placed { value: names, .. }) => {
            names.iter().filter_map(|name| find(name, known, context)).collect()
        }
    }
}

/// Credentials by their name. If they have a mistake, that has been told.
fn find(name: &Placed<String>, known: &CredentialsByName, context: &mut Context<'_>) -> Option<Arc<Credentials>> {
    let Some((_, credentials)) = known.get(&name.value) else {
        let hint = not_known(&name.value, known.keys().map(String::as_str));
        let table = Place { key: "credentials".to_owned(), ..name.place.clone() }.child(&name.value, 0).key;
        let message = format!("the credentials {} are {hint}; expected a table [{table}]", quoted(&name.value));
        context.log.unresolved(&name.place, message);
        return None;
    };
    credentials.clone()
}

fn check_timeout(timeout: Duration, max: Option<Duration>, place: &Place, context: &mut Context<'_>) {
    if let Some(max) = max.filter(|max| timeout > *max) {
        let (timeout, max) = (format_duration(timeout), format_duration(max));
        context.log.mistake(place, format!("a timeout of {timeout} is longer than the max_timeout of [poll], {max}"));
    }
}
