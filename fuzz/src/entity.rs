//! A whole SNMP entity for targets to shake: an engine with real credentials, a command responder over a few
//! objects. Everything about it is fixed, so an input means the same in every run.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use hamsa_snmp::agent::{CommandResponder, Instrumentation, Requester, SetError};
use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::{
    Community, CommunityTable, Engine, EngineId, EngineStats, EngineTime, Name, Sending, Statistic, security_model,
};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::pdu::{AnyPdu, ErrorStatus};
use hamsa_snmp::usm::{
    AuthProtocolId, Key, PrivProtocolId, SaltSource, UserKey, Usm, UsmUser, UsmUsers, password_to_key,
};
use hamsa_snmp::vacm::{AccessEntry, ContextMatch, GroupMember, Vacm, VacmTables, ViewFamily};
use hamsa_snmp::{Oid, OidRef, OwnedValue, Value, VarBindBuf, VarBindList};

/// The engine of [`Entity::agent`].
pub const AGENT: [u8; 8] = *b"agent__1";
/// The engine of [`Entity::manager`].
pub const MANAGER: [u8; 8] = *b"manager1";
/// An engine that nobody has.
pub const STRANGER: [u8; 8] = *b"stranger";

/// Security names of the users that every entity knows, and how far each can secure a message. "twin" has the
/// user name of "full" and other keys.
pub const USERS: [(&str, SecurityLevel); 5] = [
    ("none", SecurityLevel::NoAuthNoPriv),
    ("auth", SecurityLevel::AuthNoPriv),
    ("full", SecurityLevel::AuthPriv),
    ("twin", SecurityLevel::AuthPriv),
    ("wide", SecurityLevel::AuthPriv),
];

/// The boots that every entity starts with.
pub const BOOTS: u32 = 5;

/// An engine and what it stands on.
pub struct Entity {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Its security model for v3.
    pub usm: Arc<Usm>,
    /// Its users and clocks.
    pub users: Arc<UsmUsers>,
    /// Answers what the engine receives.
    pub responder: CommandResponder,
    /// What the responder shows.
    pub objects: Arc<Objects>,
}

/// A name from a text that fits.
pub fn name(text: &str) -> Name {
    Name::new(text).expect("a short constant")
}

/// An OID from a text that is one.
pub fn oid(text: &str) -> Oid {
    text.parse().expect("a constant")
}

/// The instant that all times are counted from. It has a past to go back to.
pub fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(|| Instant::now() + Duration::from_secs(1_000_000))
}

/// The engine ID that ends with these octets.
pub fn engine_id(of: [u8; 8]) -> EngineId {
    EngineId::assigned(32473, of)
}

impl Entity {
    /// The entity that answers.
    pub fn agent() -> Self {
        Entity::new(engine_id(AGENT))
    }

    /// The entity that asks.
    pub fn manager() -> Self {
        Entity::new(engine_id(MANAGER))
    }

    /// An entity that signs messages for every other engine, with any time in them.
    pub fn forge() -> Self {
        Entity::new(engine_id(*b"forger_1"))
    }

    fn new(id: EngineId) -> Self {
        let stats = Arc::new(EngineStats::default());
        let communities = Arc::new(CommunityTable::new());
        communities.insert(Community::new(b"public", name("public")));
        communities.insert(Community::new(b"private", name("private")));
        let users = Arc::new(UsmUsers::new(id, EngineTime { boots: BOOTS, time: 1000 }, origin()));
        for user in all_users() {
            users.insert(user.clone()).expect("good users");
        }
        let salts = Arc::new(Salts(AtomicU64::new(u64::from(id.as_octets()[5]) << 48)));
        let usm = Arc::new(Usm::new(users.clone(), stats.clone(), salts));
        let engine = Arc::new(Engine::with_communities(id, stats, communities).with_v3(usm.clone()));
        let objects = Arc::new(Objects::default());
        let responder = CommandResponder::new(engine.clone(), Arc::new(access()), objects.clone());
        Entity { engine, usm, users, responder, objects }
    }

    /// The message that this entity sends; `None` where it can't be sent.
    pub fn send(&self, version: Version, sending: &Sending<'_>) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 65_507];
        let mut writer = Writer::new(&mut buffer);
        self.engine.send(version, sending, &mut writer).ok()?;
        Some(writer.finish().ok()?.to_vec())
    }

    /// What this entity answers to a message, if anything.
    pub fn answer(&self, now: Instant, message: &[u8]) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 65_507];
        let length = self.responder.handle(now, &mut message.to_vec(), &mut buffer)?;
        Some(buffer[buffer.len() - length..].to_vec())
    }

    /// All that a message may change without proving who it is from: nothing. Compare before and after (X1).
    pub fn memory(&self, now: Instant) -> Memory {
        let engines = [AGENT, MANAGER, STRANGER].map(engine_id);
        Memory {
            local: self.users.local_time(now),
            remote: engines.map(|engine| self.users.remote_time(now, &engine)),
            clocks: self.users.clock_count(),
            keys: self.users.key_count(),
        }
    }

    /// The sum of all counters of messages turned away.
    pub fn turned_away(&self) -> u64 {
        let stats = self.engine.stats();
        let counted = Statistic::ALL.into_iter().filter(|&s| s != Statistic::InPackets && s != Statistic::SilentDrops);
        counted.map(|statistic| u64::from(stats.get(statistic))).sum()
    }
}

/// What an entity remembers of engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    local: EngineTime,
    remote: [Option<EngineTime>; 3],
    clocks: usize,
    keys: usize,
}

/// A message of [`Entity::send`] with the usual values.
pub fn sending<'a>(
    security_name: &'a Name,
    level: SecurityLevel,
    engine: [u8; 8],
    context_name: &'a Name,
    pdu: AnyPdu<'a>,
) -> Sending<'a> {
    Sending {
        now: origin(),
        msg_id: 4711,
        engine_id: engine_id(engine),
        security_name,
        level,
        time_hint: None,
        context_engine_id: engine_id(engine),
        context_name,
        pdu,
    }
}

struct Salts(AtomicU64);

impl SaltSource for Salts {
    fn next_salt(&self) -> Result<u64, String> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Passwords take a megabyte of hashing each: once for all runs.
fn all_users() -> &'static [UsmUser] {
    static ALL: OnceLock<Vec<UsmUser>> = OnceLock::new();
    ALL.get_or_init(|| {
        let user = |security_name, user_name, auth: Option<AuthProtocolId>, privacy, password: &str| {
            let key = auth.map(|id| master_key(id, password));
            UsmUser {
                security_name: name(security_name),
                user_name: name(user_name),
                engine_id: None,
                auth: auth.zip(key.clone()),
                privacy: Option::zip(privacy, key),
            }
        };
        vec![
            user("none", "guest", None, None, ""),
            user("auth", "clerk", Some(AuthProtocolId::Sha1), None, "authentic-1"),
            user("full", "ops", Some(AuthProtocolId::Sha256), Some(PrivProtocolId::Aes128), "authentic-2"),
            user("twin", "ops", Some(AuthProtocolId::Md5), Some(PrivProtocolId::Des), "authentic-3"),
            user("wide", "wide", Some(AuthProtocolId::Sha512), Some(PrivProtocolId::Aes256C), "authentic-4"),
        ]
    })
}

fn master_key(auth: AuthProtocolId, password: &str) -> UserKey {
    let key: Key = password_to_key(&*auth.built_in(), password.as_bytes()).expect("long enough");
    UserKey::Master(key)
}

fn access() -> Vacm {
    let names = USERS.map(|(security_name, _)| security_name).into_iter().chain(["public", "private"]);
    let models = [security_model::V1, security_model::V2C, security_model::USM];
    let member = |security_name: &str, security_model| GroupMember {
        security_model,
        security_name: name(security_name),
        group: name("all"),
    };
    let entry = |level, read_view: &str| AccessEntry {
        group: name("all"),
        context: ContextMatch::Prefix(name("")),
        security_model: 0,
        level,
        read_view: name(read_view),
        write_view: name(read_view),
        notify_view: name(""),
    };
    let family = |view, subtree, included| ViewFamily::subtree(name(view), oid(subtree), included);
    Vacm::new(VacmTables {
        contexts: vec![name(""), name("vrf1")],
        members: names.flat_map(|security_name| models.map(|model| member(security_name, model))).collect(),
        access: vec![entry(SecurityLevel::NoAuthNoPriv, "most"), entry(SecurityLevel::AuthNoPriv, "all")],
        families: vec![
            family("all", "1.3", true),
            family("most", "1.3", true),
            family("most", "1.3.6.1.4.1.32473.1.3", false),
        ],
    })
}

/// A few objects, one of every type, in a map.
pub struct Objects(Mutex<BTreeMap<Oid, OwnedValue>>);

impl Default for Objects {
    fn default() -> Self {
        let long = [b'x'; 300];
        let enterprise = oid("1.3.6.1.4.1.32473");
        let values = [
            Value::Integer(-1),
            Value::OctetString(&long),
            Value::ObjectIdentifier(enterprise.as_oid()),
            Value::IpAddress([192, 0, 2, 1].into()),
            Value::Counter32(u32::MAX),
            Value::Gauge32(0),
            Value::TimeTicks(1 << 31),
            Value::Opaque(&[0x9f, 0x78, 4, 0x3f, 0x80, 0, 0]),
            Value::Counter64(u64::MAX),
        ];
        let mut all = BTreeMap::from([
            (oid("1.3.6.1.2.1.1.3.0"), OwnedValue::TimeTicks(4711)),
            (oid("1.3.6.1.2.1.1.5.0"), OwnedValue::OctetString(b"core1".as_slice().into())),
        ]);
        for (column, value) in values.iter().enumerate() {
            for row in [1, 2, 130, u32::MAX] {
                all.insert(oid(&format!("{enterprise}.1.{column}.{row}")), value.to_owned());
            }
        }
        Objects(Mutex::new(all))
    }
}

impl Objects {
    /// How many objects there are.
    pub fn count(&self) -> usize {
        self.0.lock().expect("no panic under this lock").len()
    }
}

impl Instrumentation for Objects {
    fn get(&self, _now: Instant, name: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        let objects = self.0.lock().expect("no panic under this lock");
        to.push(name, objects.get(&name.to_owned()).map_or(Value::NoSuchInstance, OwnedValue::as_value));
        Ok(())
    }

    fn get_next(&self, _now: Instant, after: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        let objects = self.0.lock().expect("no panic under this lock");
        match objects.range((Excluded(after.to_owned()), Unbounded)).next() {
            Some((name, value)) => to.push(name.as_oid(), value.as_value()),
            None => to.push(after, Value::EndOfMibView),
        }
        Ok(())
    }

    fn set(&self, _now: Instant, _requester: Requester<'_>, varbinds: VarBindList<'_>) -> Result<(), SetError> {
        let objects = self.0.lock().expect("no panic under this lock");
        let unknown = varbinds.iter().position(|varbind| !objects.contains_key(&varbind.name.to_owned()));
        unknown.map_or(Ok(()), |index| Err(SetError { status: ErrorStatus::NOT_WRITABLE, index }))
    }
}
