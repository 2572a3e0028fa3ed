//! Engines of ours for the responder and for the contenders that are ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use hamsa_snmp::engine::{Community, CommunityTable, Engine, EngineId, EngineStats, EngineTime, Name};
use hamsa_snmp::usm::{
    AuthProtocolId, Key, PrivProtocolId, SaltSource, UserKey, Usm, UsmUser, UsmUsers, password_to_key,
};

use crate::workload::{AUTH_PASSWORD, COMMUNITY, PRIVACY_PASSWORD, USER};

/// The name of all credentials.
pub(crate) fn security_name() -> anyhow::Result<Name> {
    Ok(Name::new(USER)?)
}

/// Both keys of the user.
pub(crate) struct Credentials {
    auth: Key,
    privacy: Key,
}

/// Makes the keys.
pub(crate) fn credentials() -> anyhow::Result<Credentials> {
    let sha256 = AuthProtocolId::Sha256.built_in();
    let key = |password: &str| password_to_key(&*sha256, password.as_bytes());
    Ok(Credentials { auth: key(AUTH_PASSWORD)?, privacy: key(PRIVACY_PASSWORD)? })
}

/// An engine that knows the community and the user.
pub(crate) fn engine(id: EngineId, time: EngineTime, credentials: &Credentials) -> anyhow::Result<Arc<Engine>> {
    let stats = Arc::new(EngineStats::default());
    let communities = Arc::new(CommunityTable::new());
    communities.insert(Community::new(COMMUNITY.as_bytes(), security_name()?));
    let users = UsmUsers::new(id, time, Instant::now());
    users.insert(UsmUser {
        security_name: security_name()?,
        user_name: security_name()?,
        engine_id: None,
        auth: Some((AuthProtocolId::Sha256, UserKey::Master(credentials.auth.clone()))),
        privacy: Some((PrivProtocolId::Aes128, UserKey::Master(credentials.privacy.clone()))),
    })?;
    let salts = Arc::new(Counted(AtomicU64::new(1)));
    let usm = Usm::new(Arc::new(users), stats.clone(), salts);
    Ok(Arc::new(Engine::with_communities(id, stats, communities).with_v3(Arc::new(usm))))
}

/// Salts for a process that lives for seconds, with keys that protect nothing.
struct Counted(AtomicU64);

impl SaltSource for Counted {
    fn next_salt(&self) -> Result<u64, String> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed))
    }
}
