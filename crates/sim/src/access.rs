//! Who may ask an agent for what: communities, SNMPv3 users and the views that follow. Made once for a group
//! of agents and shared by them.

use std::fmt;
use std::sync::Arc;

use hamsa_snmp::Oid;
use hamsa_snmp::engine::{
    AccessControl, Community, CommunityTable, EngineId, EngineStats, EngineTime, Name, NameTooLong, security_model,
};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::usm::{
    AuthProtocol, AuthProtocolId, KeyError, PrivProtocol, PrivProtocolId, SaltSource, UserKey, Usm, UsmUser, UsmUsers,
    password_to_key,
};
use hamsa_snmp::vacm::{AccessEntry, ContextMatch, GroupMember, Vacm, VacmTables, ViewFamily};

/// Whether a principal may only read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rights {
    /// GET, GETNEXT and GETBULK.
    ReadOnly,
    /// SET as well.
    ReadWrite,
}

impl Rights {
    const fn name(self) -> &'static str {
        match self {
            Rights::ReadOnly => "read",
            Rights::ReadWrite => "write",
        }
    }
}

/// A community of v1 and v2c.
#[derive(Clone, PartialEq, Eq)]
pub struct SimCommunity {
    /// The secret on the wire.
    pub name: String,
    /// The context that it is for; the empty one is the default.
    pub context: String,
    /// What it may do.
    pub rights: Rights,
}

impl SimCommunity {
    /// A community for the default context.
    pub fn new(name: impl Into<String>, rights: Rights) -> Self {
        SimCommunity { name: name.into(), context: String::new(), rights }
    }
}

impl fmt::Debug for SimCommunity {
    /// Never shows the community.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimCommunity to {:?} {:?}", self.rights, self.context)
    }
}

/// A user of SNMPv3, with keys that become an agent's own when they are first used there.
#[derive(Debug, Clone)]
pub struct SimUser {
    user: Arc<UsmUser>,
    rights: Rights,
}

/// A user can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimUserError {
    /// The name is too long.
    #[error(transparent)]
    Name(#[from] NameTooLong),
    /// A password makes no key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl SimUser {
    /// A user who neither authenticates nor encrypts. Costs nothing.
    pub fn without_keys(name: &str, rights: Rights) -> Result<Self, SimUserError> {
        Ok(SimUser { user: Arc::new(user(name, None, None)?), rights })
    }

    /// A user who authenticates. Each password costs some milliseconds.
    pub fn with_auth(name: &str, rights: Rights, auth: (AuthProtocolId, &str)) -> Result<Self, SimUserError> {
        let auth = (auth.0, master_key(auth.0, auth.1)?);
        Ok(SimUser { user: Arc::new(user(name, Some(auth), None)?), rights })
    }

    /// A user who authenticates and encrypts.
    pub fn with_privacy(
        name: &str,
        rights: Rights,
        auth: (AuthProtocolId, &str),
        privacy: (PrivProtocolId, &str),
    ) -> Result<Self, SimUserError> {
        // The privacy key is made with the authentication protocol's hash (RFC 3414 §2.6).
        let (auth_key, priv_key) = (master_key(auth.0, auth.1)?, master_key(auth.0, privacy.1)?);
        let user = user(name, Some((auth.0, auth_key)), Some((privacy.0, priv_key)))?;
        Ok(SimUser { user: Arc::new(user), rights })
    }

    /// Its name, which is also its security name.
    pub fn name(&self) -> &Name {
        &self.user.security_name
    }

    /// The level that its messages must have: the most that it can do.
    pub fn level(&self) -> SecurityLevel {
        self.user.max_level()
    }
}

fn user(
    name: &str,
    auth: Option<(AuthProtocolId, UserKey)>,
    privacy: Option<(PrivProtocolId, UserKey)>,
) -> Result<UsmUser, NameTooLong> {
    let name = Name::new(name)?;
    Ok(UsmUser { security_name: name.clone(), user_name: name, engine_id: None, auth, privacy })
}

fn master_key(hash: AuthProtocolId, password: &str) -> Result<UserKey, KeyError> {
    password_to_key(&*hash.built_in(), password.as_bytes()).map(UserKey::Master)
}

/// Which versions an agent speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Versions {
    pub v1: bool,
    pub v2c: bool,
    pub v3: bool,
}

impl Versions {
    /// All three.
    pub const ALL: Versions = Versions { v1: true, v2c: true, v3: true };

    pub(crate) const fn has(self, version: Version) -> bool {
        match version {
            Version::V1 => self.v1,
            Version::V2c => self.v2c,
            Version::V3 => self.v3,
        }
    }
}

/// Who may ask the agents of a group.
#[derive(Debug, Clone)]
pub struct AgentAccess {
    /// The versions.
    pub versions: Versions,
    /// The communities. Of equal ones the first counts.
    pub communities: Vec<SimCommunity>,
    /// The users.
    pub users: Vec<SimUser>,
}

impl Default for AgentAccess {
    /// Every version; `public` reads, `private` reads and writes, no users.
    fn default() -> Self {
        let communities =
            vec![SimCommunity::new("public", Rights::ReadOnly), SimCommunity::new("private", Rights::ReadWrite)];
        AgentAccess { versions: Versions::ALL, communities, users: Vec::new() }
    }
}

/// [`AgentAccess`] made ready: what all agents of a group share.
pub(crate) struct SharedAccess {
    pub(crate) versions: Versions,
    pub(crate) communities: Arc<CommunityTable>,
    pub(crate) control: Arc<dyn AccessControl>,
    users: Vec<Arc<UsmUser>>,
    auth: Vec<Arc<dyn AuthProtocol>>,
    privacy: Vec<Arc<dyn PrivProtocol>>,
}

impl SharedAccess {
    /// `contexts` are all that exist.
    pub(crate) fn new(access: &AgentAccess, contexts: impl IntoIterator<Item = Name>) -> Result<Self, NameTooLong> {
        let table = CommunityTable::new();
        let mut members = Vec::new();
        let mut groups = Vec::new();
        let mut group = |rights: Rights, level| {
            if !groups.contains(&(rights, level)) {
                groups.push((rights, level));
            }
            group_name(rights, level)
        };
        for community in &access.communities {
            let name = Name::new(&community.name)?;
            let mut row = Community::new(community.name.as_bytes(), name.clone());
            row.context_name = Name::new(&community.context)?;
            // Equal names are equal security names, so the last would replace the first.
            if members.iter().any(|member: &GroupMember| member.security_name == name) {
                continue;
            }
            table.insert(row);
            let group = group(community.rights, SecurityLevel::NoAuthNoPriv);
            members.extend([security_model::V1, security_model::V2C].map(|security_model| GroupMember {
                security_model,
                security_name: name.clone(),
                group: group.clone(),
            }));
        }
        for SimUser { user, rights } in &access.users {
            members.push(GroupMember {
                security_model: security_model::USM,
                security_name: user.security_name.clone(),
                group: group(*rights, user.max_level()),
            });
        }
        let tables = VacmTables {
            contexts: contexts.into_iter().collect(),
            members,
            access: groups.into_iter().map(|(rights, level)| access_entry(rights, level)).collect(),
            // The mask lets both root sub-identifiers be anything.
            families: vec![ViewFamily {
                view: everything(),
                subtree: Oid::from_arcs(&[0, 0]).expect("a constant"),
                mask: vec![0],
                included: true,
            }],
        };
        let mut auth: Vec<AuthProtocolId> = Vec::new();
        let mut privacy: Vec<PrivProtocolId> = Vec::new();
        for SimUser { user, .. } in &access.users {
            auth.extend(user.auth.as_ref().map(|(id, _)| *id).filter(|id| !auth.contains(id)));
            privacy.extend(user.privacy.as_ref().map(|(id, _)| *id).filter(|id| !privacy.contains(id)));
        }
        Ok(SharedAccess {
            versions: access.versions,
            communities: Arc::new(table),
            control: Arc::new(Vacm::new(tables)),
            users: access.users.iter().map(|user| user.user.clone()).collect(),
            auth: auth.into_iter().map(AuthProtocolId::built_in).collect(),
            privacy: privacy.into_iter().map(PrivProtocolId::built_in).collect(),
        })
    }

    /// The security model of one engine, whose clock is told.
    pub(crate) fn usm(
        &self,
        engine: EngineId,
        clock: StartedClock,
        stats: Arc<EngineStats>,
        salts: Arc<dyn SaltSource>,
    ) -> Usm {
        let users = UsmUsers::new(engine, clock.time, clock.started);
        for user in &self.users {
            users.insert(user.clone()).expect("made with authentication before privacy, and without an engine");
        }
        let mut usm = Usm::without_protocols(Arc::new(users), stats, salts);
        self.auth.iter().for_each(|protocol| usm.install_auth(protocol.clone()));
        self.privacy.iter().for_each(|protocol| usm.install_privacy(protocol.clone()));
        usm
    }
}

/// What an engine's clock says, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StartedClock {
    pub(crate) time: EngineTime,
    pub(crate) started: std::time::Instant,
}

fn everything() -> Name {
    Name::new("everything").expect("a short name")
}

fn group_name(rights: Rights, level: SecurityLevel) -> Name {
    Name::new(format!("{} at {}", rights.name(), level.name())).expect("a short name")
}

fn access_entry(rights: Rights, level: SecurityLevel) -> AccessEntry {
    AccessEntry {
        group: group_name(rights, level),
        context: ContextMatch::Prefix(Name::default()),
        security_model: 0,
        level,
        read_view: everything(),
        write_view: if rights == Rights::ReadWrite { everything() } else { Name::default() },
        notify_view: everything(),
    }
}
