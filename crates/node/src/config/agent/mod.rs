//! The configuration of `hamsa agent`: one strict TOML file, read with the parts that read a node's.

mod keys;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hamsa_snmp::Oid;
use hamsa_snmp::engine::{EngineId, Name};
use hamsa_snmp::message::{SecurityLevel, Version};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::keys::LogConfig as Log;
use super::limits::MAX_CREDENTIALS;
use super::load::{FileReader, open, refuse_unknown_tables};
use super::reference::write_section;
use super::report;
use super::sample::{write_about, write_keys};
use super::section::{Context, Placed, Section, TableReader};
use super::shape::{Shape, not_known, plain_name, wrong_type};
use super::source::{Place, Source, quoted};
use super::syntax::{self, Parsed};
use super::{LogConfig, Privacy, Report, Secret, Surroundings, UserAuthentication};
use keys::{AgentKeys, AgentxKeys, CommunityKeys, ControlKeys, SECTIONS, SystemKeys, UserKeys, ViewKeys};

/// The view that is always there: everything.
pub const VIEW_ALL: &str = "all";

/// An agent's configuration. `Debug` shows no secret.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentConfig {
    /// Where to listen.
    pub listen: Vec<SocketAddr>,
    /// Where data is kept; may not be there yet.
    pub data_dir: PathBuf,
    /// Threads that answer.
    pub workers: u8,
    /// What each socket asks of the kernel, in octets.
    pub receive_buffer: u64,
    /// `sysContact`.
    pub contact: String,
    /// `sysName`.
    pub name: String,
    /// `sysLocation`.
    pub location: String,
    /// The AgentX master.
    pub agentx: AgentxConfig,
    /// HTTP for control, if it is wanted.
    pub control: Option<ControlConfig>,
    /// Users who may swap through SNMP.
    pub snmp_swappers: Vec<String>,
    /// The log.
    pub log: LogConfig,
    /// Views by name, [`VIEW_ALL`] among them.
    pub views: BTreeMap<String, ViewConfig>,
    /// Communities, by the names that they have as `securityName`.
    pub communities: BTreeMap<String, CommunityConfig>,
    /// Users by name.
    pub users: BTreeMap<String, UserConfig>,
}

/// The AgentX master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentxConfig {
    /// Whether it is installed at the start.
    pub install: bool,
    /// Where to listen besides the Unix socket: loopback.
    pub listen: Option<SocketAddr>,
}

/// HTTP for control.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlConfig {
    /// Where to listen: loopback.
    pub listen: SocketAddr,
    /// What every request must carry.
    pub token: Secret,
}

/// A part of the MIB.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewConfig {
    /// Subtrees in it.
    pub include: Vec<Oid>,
    /// Subtrees out of it.
    pub exclude: Vec<Oid>,
}

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Rights {
    ReadOnly,
    ReadWrite,
}

/// A community.
#[derive(Debug, Clone, PartialEq)]
pub struct CommunityConfig {
    /// The secret.
    pub community: Secret,
    /// v1, v2c, or both.
    pub versions: Vec<Version>,
    /// What may be done.
    pub access: Rights,
    /// To what.
    pub view: String,
}

/// A user.
#[derive(Debug, Clone, PartialEq)]
pub struct UserConfig {
    /// Its name, 1 to 32 octets.
    pub user: Name,
    /// The engine that knows it; `None`: the agent's own.
    pub engine_id: Option<EngineId>,
    /// How it authenticates, if it does.
    pub authentication: Option<UserAuthentication>,
    /// How far its messages must be secured.
    pub level: SecurityLevel,
    /// What may be done.
    pub access: Rights,
    /// To what.
    pub view: String,
}

impl Rights {
    const ALL: [Rights; 2] = [Rights::ReadOnly, Rights::ReadWrite];

    /// How it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Rights::ReadOnly => "read-only",
            Rights::ReadWrite => "read-write",
        }
    }
}

/// Reads an agent's configuration. Nothing is changed.
pub fn check(path: &Path, surroundings: &Surroundings<'_>) -> Report<AgentConfig> {
    let mut context = Context { surroundings, sections: &SECTIONS, log: report::Log::default() };
    let config = open(path, None, &mut context).and_then(|source| read(&source, &mut context));
    context.log.report(config)
}

/// A configuration file that explains every key and sets none; it takes no mistake to start from.
pub fn sample() -> String {
    let mut text =
        "# The configuration of a Hamsa agent. Nothing is set yet: a line that starts with # and a key shows that\n\
         # key's default, or an example. Relative paths start at the directory of this file.\n\
         # Without a community or a user nobody is answered.\n"
            .to_owned();
    for section in SECTIONS {
        let title = section.title.replace("NAME", "example");
        let written = write_about(&mut text, section).and_then(|()| {
            text.push_str(if section.is_repeated() { "#" } else { "" });
            text.push_str(&title);
            text.push('\n');
            write_keys(&mut text, section)
        });
        written.expect("writing to a String");
    }
    text
}

/// `docs/agent-config.md`: every key.
pub fn reference() -> String {
    let mut text = "\
# Configuration of an agent

<!-- Written by `HAMSA_UPDATE=1 cargo test -p hamsa-node config`, from crates/node/src/config/agent/. -->

`hamsa agent --init FILE` writes a sample in which every key is explained. Format, durations, sizes, paths and secrets are
those of [a node's configuration](config.md). The agent refuses a file with mistakes and tells all of them; a key that is not
known is a mistake.
"
    .to_owned();
    SECTIONS.iter().try_for_each(|section| write_section(&mut text, section)).expect("writing to a String");
    text
}

fn read(source: &Arc<Source>, context: &mut Context<'_>) -> Option<AgentConfig> {
    context.log.open(&source.path);
    let place = Place::start(source);
    let mut spare = Zeroizing::default();
    let Parsed { root, has_broken_header } = syntax::parse(&place, &mut spare, &mut context.log);
    if !has_broken_header {
        refuse_unknown_tables(&root, &place, context);
    }
    let mut file = FileReader { root: &root, file: place.clone(), context };
    let agent = file.table(&AgentKeys::SECTION, |table| {
        let keys = AgentKeys::read(table);
        if keys.listen.is_empty() {
            table.context.log.missing(&table.place_of("listen"), "no address: nobody could ask the agent");
        }
        keys
    });
    let system = file.table(&SystemKeys::SECTION, SystemKeys::read);
    let agentx = file.table(&AgentxKeys::SECTION, agentx);
    let (control, snmp_users) = file.table(&ControlKeys::SECTION, control);
    let log = file.table(&Log::SECTION, Log::read);
    let mut views = named(&mut file, &ViewKeys::SECTION, |_, table| {
        let ViewKeys { include, exclude } = ViewKeys::read(table);
        Some(ViewConfig { include, exclude })
    });
    let everything = ViewConfig { include: vec![Oid::from_arcs(&[1, 3]).ok()?], exclude: Vec::new() };
    views.entry(VIEW_ALL.to_owned()).or_insert(Some(everything));
    let communities = named(&mut file, &CommunityKeys::SECTION, |_, table| community(table, &views));
    let users = named(&mut file, &UserKeys::SECTION, |name, table| user(name, table, &views));
    for name in communities.keys().filter(|name| users.contains_key(*name)) {
        // Both would be one securityName, and one could change the other's rights.
        let place = file.file.child("communities", 0).child(name, 0);
        file.context.log.mistake(&place, format!("{} is the name of a user too", quoted(name)));
    }
    for Placed { value, place } in snmp_users.iter().filter(|user| !users.contains_key(&user.value)) {
        let hint = not_known(value, users.keys().map(String::as_str));
        file.context.log.unresolved(place, format!("the user {} is {hint}", quoted(value)));
    }
    let host_name = &file.context.surroundings.host_name;
    let own_name: String = host_name.chars().filter(|c| c.is_ascii() && !c.is_control()).take(255).collect();
    let all = |entries: BTreeMap<String, Option<CommunityConfig>>| {
        entries.into_iter().map(|(name, entry)| Some((name, entry?))).collect::<Option<BTreeMap<_, _>>>()
    };
    Some(AgentConfig {
        listen: agent.listen,
        data_dir: agent.data_dir,
        workers: agent.workers,
        receive_buffer: agent.receive_buffer,
        contact: system.contact,
        name: system.name.value().unwrap_or(own_name),
        location: system.location,
        agentx,
        control,
        snmp_swappers: snmp_users.into_iter().map(|user| user.value).collect(),
        log,
        views: views.into_iter().filter_map(|(name, view)| Some((name, view?))).collect(),
        communities: all(communities)?,
        users: users.into_iter().map(|(name, user)| Some((name, user?))).collect::<Option<_>>()?,
    })
}

/// `[agentx]`.
fn agentx(table: &mut TableReader<'_, '_>) -> AgentxConfig {
    let AgentxKeys { install, listen } = AgentxKeys::read(table);
    if let Some(Placed { value, place }) = listen.placed()
        && !value.ip().to_canonical().is_loopback()
    {
        let message = format!("{value} is not a loopback address: AgentX has no security of its own (RFC 2741 §9)");
        table.context.log.mistake(place, message);
    }
    AgentxConfig { install, listen: listen.value() }
}

/// `[control]`.
fn control(table: &mut TableReader<'_, '_>) -> (Option<ControlConfig>, Vec<Placed<String>>) {
    let ControlKeys { listen, token, snmp_users } = ControlKeys::read(table);
    let place = table.place_of("listen");
    if let Some(Placed { value, place }) = listen.placed()
        && !value.ip().to_canonical().is_loopback()
    {
        let message = format!("{value} is not a loopback address: control is not for the network; use ssh, or SNMPv3");
        table.context.log.mistake(place, message);
    }
    if listen.is_there() && !token.is_there() {
        table.context.log.missing(&place, "token (or token_file, token_env) is missing: without it there is no HTTP");
    }
    if token.is_there() && !listen.is_there() {
        table.context.log.missing(&table.place_of("token"), "listen is missing: a token is for HTTP");
    }
    let control = listen.value().zip(token.value()).map(|(listen, token)| ControlConfig { listen, token });
    (control, snmp_users)
}

/// `[communities.NAME]`.
fn community(table: &mut TableReader<'_, '_>, views: &Views) -> Option<CommunityConfig> {
    let CommunityKeys { community, versions, access, view } = CommunityKeys::read(table);
    if !community.is_there() {
        table.lacks(CommunityKeys::SECTION.key("community"));
    }
    let view = find_view(view, views, table.context)?;
    Some(CommunityConfig { community: community.value()?, versions, access, view })
}

/// `[users.NAME]`.
fn user(name: &str, table: &mut TableReader<'_, '_>, views: &Views) -> Option<UserConfig> {
    let keys = UserKeys::read(table);
    if name.len() > 32 {
        let place = table.place.clone();
        table.context.log.mistake(&place, "a user's name has at most 32 octets (RFC 3414 §2.4)");
    }
    let (auth, auth_password) = (keys.auth_protocol.is_there(), keys.auth_password.is_there());
    let (privacy, priv_password) = (keys.priv_protocol.is_there(), keys.priv_password.is_there());
    for (lacks, key) in [
        (auth && !auth_password, "auth_password"),
        (!auth && auth_password, "auth_protocol"),
        (privacy && !priv_password, "priv_password"),
        (!privacy && priv_password, "priv_protocol"),
    ] {
        if lacks {
            table.lacks(UserKeys::SECTION.key(key));
        }
    }
    if privacy && !auth {
        let place = table.place_of("priv_protocol");
        let message =
            "there is no privacy without authentication (RFC 3411 §3.4.3); set auth_protocol and auth_password";
        table.context.log.missing(&place, message);
    }
    let highest = match (auth, privacy) {
        (true, true) => SecurityLevel::AuthPriv,
        (true, false) => SecurityLevel::AuthNoPriv,
        (false, _) => SecurityLevel::NoAuthNoPriv,
    };
    if let Some(Placed { value: level, place }) = keys.level.placed()
        && *level > highest
    {
        let message = format!("{} is more than the protocols allow, {}", level.name(), highest.name());
        table.context.log.missing(place, message);
    }
    let view = find_view(keys.view, views, table.context)?;
    let privacy = keys.priv_protocol.value().zip(keys.priv_password.value());
    let privacy = privacy.map(|(protocol, password)| Privacy { protocol, password });
    let authentication = keys.auth_protocol.value().zip(keys.auth_password.value());
    let authentication = authentication.map(|(protocol, password)| UserAuthentication { protocol, password, privacy });
    let level = keys.level.value().unwrap_or(highest);
    let engine_id = keys.engine_id.value();
    Some(UserConfig { user: Name::new(name).ok()?, engine_id, authentication, level, access: keys.access, view })
}

type Views = BTreeMap<String, Option<ViewConfig>>;

fn find_view(name: Placed<String>, views: &Views, context: &mut Context<'_>) -> Option<String> {
    if views.contains_key(&name.value) {
        return Some(name.value);
    }
    let hint = not_known(&name.value, views.keys().map(String::as_str));
    let message = format!("the view {} is {hint}; expected a table [views.{}]", quoted(&name.value), name.value);
    context.log.unresolved(&name.place, message);
    None
}

/// Tables under names that are the user's. One with a mistake keeps its name, so that it is known.
fn named<T>(
    file: &mut FileReader<'_, '_>,
    section: &Section,
    mut read: impl FnMut(&str, &mut TableReader<'_, '_>) -> Option<T>,
) -> BTreeMap<String, Option<T>> {
    let mut found = BTreeMap::new();
    let table_name = section.table_name();
    let root: &DeTable<'_> = file.root;
    let Some(value) = root.get(table_name) else { return found };
    let place = file.file.child(table_name, value.span().start);
    let DeValue::Table(tables) = value.get_ref() else {
        let expected = format!("tables: {}", section.title);
        file.context.log.mistake(&place, wrong_type(value.get_ref(), &expected));
        return found;
    };
    for (name, value) in tables {
        let (name, value): (&str, &Spanned<DeValue<'_>>) = (name.get_ref(), value);
        let place = place.child(name, value.span().start);
        let kind = plain_name();
        if (kind.parse)(name).is_err() {
            file.context.log.mistake(&place, format!("not a name; expected {}", kind.allowed()));
            continue;
        }
        if found.len() == MAX_CREDENTIALS {
            file.context.log.mistake(&place, format!("more than {MAX_CREDENTIALS} of them"));
            break;
        }
        let entry = match value.get_ref() {
            DeValue::Table(table) => {
                let mut reader = TableReader::new(table, place, file.context);
                let entry = read(name, &mut reader);
                reader.refuse_unknown(&[section]);
                entry
            }
            other => {
                file.context.log.mistake(&place, wrong_type(other, &format!("a table: {}", section.title)));
                None
            }
        };
        found.insert(name.to_owned(), entry);
    }
    found
}
