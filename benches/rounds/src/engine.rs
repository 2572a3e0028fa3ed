//! Engines of ours for contenders that are ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use hamsa_snmp::engine::{Community, CommunityTable, Engine, EngineId, EngineStats, EngineTime, Name};
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId, SaltSource, UserKey, Usm, UsmUser, UsmUsers, password_to_key};

/// No engine can be made of a principal.
pub type EngineError = Box<dyn std::error::Error + Send + Sync>;

/// Who asks, in whatever version. Messages of SNMPv3 are secured by SHA-256 and AES-128.
#[derive(Debug, Clone, Copy)]
pub struct Principal<'a> {
    /// `securityName` of the user and of the community.
    pub name: &'a str,
    /// The community of v1 and v2c.
    pub community: &'a str,
    /// For authentication.
    pub auth_password: &'a str,
    /// For privacy.
    pub priv_password: &'a str,
}

impl Principal<'_> {
    /// An engine that knows it, with the engine ID and the time at `now` that its own messages tell.
    ///
    /// # Errors
    /// The name is too long, or a password too short.
    pub fn engine(&self, id: EngineId, time: EngineTime, now: Instant) -> Result<Engine, EngineError> {
        let stats = Arc::new(EngineStats::default());
        let name = Name::new(self.name)?;
        let communities = Arc::new(CommunityTable::new());
        communities.insert(Community::new(self.community.as_bytes(), name.clone()));
        let users = UsmUsers::new(id, time, now);
        let sha256 = AuthProtocolId::Sha256.built_in();
        let key = |password: &str| password_to_key(&*sha256, password.as_bytes()).map(UserKey::Master);
        users.insert(UsmUser {
            security_name: name.clone(),
            user_name: name,
            engine_id: None,
            auth: Some((AuthProtocolId::Sha256, key(self.auth_password)?)),
            privacy: Some((PrivProtocolId::Aes128, key(self.priv_password)?)),
        })?;
        let usm = Usm::new(Arc::new(users), stats.clone(), Arc::new(Counted(AtomicU64::new(1))));
        Ok(Engine::with_communities(id, stats, communities).with_v3(Arc::new(usm)))
    }
}

/// Salts for a process that lives for a minute, with keys that protect nothing.
struct Counted(AtomicU64);

impl SaltSource for Counted {
    fn next_salt(&self) -> Result<u64, String> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed))
    }
}
