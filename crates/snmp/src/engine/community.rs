//! The community-based security models (RFC 3584 §5): who a community stands for, and what it may see.

use std::fmt;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use smallvec::SmallVec;

use crate::ber::Writer;
use crate::engine::security::{
    Arrived, Header, IncomingError, Outgoing, OutgoingError, Parts, Secured, SecurityModel, SecurityState,
};
use crate::engine::stats::{EngineStats, Statistic};
use crate::engine::types::{EngineId, Name, security_model};
use crate::message::{SecurityLevel, Version};
use crate::value::tag;

/// A row of `snmpCommunityTable` (RFC 3584 §6).
#[derive(Clone)]
pub struct Community {
    /// The secret on the wire.
    pub name: SmallVec<[u8; 24]>,
    /// Who it stands for.
    pub security_name: Name,
    /// The context that it gives access to.
    pub context_name: Name,
    /// The engine of that context; empty for our own.
    pub context_engine_id: EngineId,
}

impl Community {
    /// A community for the default context.
    pub fn new(name: &[u8], security_name: Name) -> Self {
        let context_name = Name::default();
        Community { name: SmallVec::from_slice(name), security_name, context_name, context_engine_id: EngineId::EMPTY }
    }
}

impl fmt::Debug for Community {
    /// Never shows the community.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Community for {:?}", self.security_name)
    }
}

/// The communities that an engine knows. It outlives the models that use it.
#[derive(Debug, Default)]
pub struct CommunityTable(RwLock<Rows>);

#[derive(Debug, Default)]
struct Rows {
    /// Sorted by community; equal communities in the order of their arrival.
    rows: Vec<Community>,
    by_security_name: std::collections::HashMap<Name, SmallVec<[u8; 24]>>,
}

impl CommunityTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a community, or replaces the one of the same security name.
    pub fn insert(&self, community: Community) {
        let mut table = self.0.write().expect("no panic under this lock");
        table.rows.retain(|row| row.security_name != community.security_name);
        table.by_security_name.insert(community.security_name.clone(), community.name.clone());
        let at = table.rows.partition_point(|row| row.name <= community.name);
        table.rows.insert(at, community);
    }

    /// Removes the community of a security name.
    pub fn remove(&self, security_name: &Name) {
        let mut table = self.0.write().expect("no panic under this lock");
        table.rows.retain(|row| row.security_name != *security_name);
        table.by_security_name.remove(security_name);
    }

    /// Exchanges all communities. Several may have one security name; the first is the one to send with.
    pub fn replace(&self, communities: impl IntoIterator<Item = Community>) {
        let mut rows: Vec<Community> = communities.into_iter().collect();
        let mut by_security_name = std::collections::HashMap::new();
        for row in &rows {
            by_security_name.entry(row.security_name.clone()).or_insert_with(|| row.name.clone());
        }
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        *self.0.write().expect("no panic under this lock") = Rows { rows, by_security_name };
    }

    fn community_of(&self, security_name: &Name) -> Option<SmallVec<[u8; 24]>> {
        self.0.read().expect("no panic under this lock").by_security_name.get(security_name).cloned()
    }

    /// The first row of a community.
    fn find(&self, community: &[u8]) -> Option<Community> {
        let table = self.0.read().expect("no panic under this lock");
        let at = table.rows.partition_point(|row| row.name.as_slice() < community);
        table.rows.get(at).filter(|row| row.name.as_slice() == community).cloned()
    }
}

/// The community-based security model of one version.
#[derive(Debug)]
pub struct CommunitySecurity {
    version: Version,
    communities: Arc<CommunityTable>,
    stats: Arc<EngineStats>,
}

impl CommunitySecurity {
    /// The model for v1 (number 1).
    pub fn v1(communities: Arc<CommunityTable>, stats: Arc<EngineStats>) -> Self {
        CommunitySecurity { version: Version::V1, communities, stats }
    }

    /// The model for v2c (number 2).
    pub fn v2c(communities: Arc<CommunityTable>, stats: Arc<EngineStats>) -> Self {
        CommunitySecurity { version: Version::V2c, communities, stats }
    }

    fn write(&self, header: Header, community: &[u8], writer: &mut Writer<'_>) -> Result<(), OutgoingError> {
        let Header::Community(version) = header else {
            return Err(OutgoingError::WrongVersion { version: Version::V3 });
        };
        writer.octet_string(community);
        writer.integer(version as i32);
        writer.wrap(tag::SEQUENCE, 0);
        Ok(())
    }
}

impl SecurityModel for CommunitySecurity {
    fn number(&self) -> u32 {
        if self.version == Version::V1 { security_model::V1 } else { security_model::V2C }
    }

    fn generate_request(&self, outgoing: &Outgoing<'_>, writer: &mut Writer<'_>) -> Result<(), OutgoingError> {
        let community = self
            .communities
            .community_of(outgoing.security_name)
            .ok_or_else(|| OutgoingError::UnknownSecurityName(outgoing.security_name.clone()))?;
        self.write(outgoing.header, &community, writer)
    }

    fn generate_response(
        &self,
        _now: Instant,
        header: Header,
        state: &SecurityState,
        writer: &mut Writer<'_>,
    ) -> Result<(), OutgoingError> {
        self.write(header, &state.0, writer)
    }

    fn process_incoming(&self, arrived: &Arrived<'_>, message: &mut [u8]) -> Result<Secured, IncomingError> {
        let Parts::Community(parts) = arrived.parts else { return Err(IncomingError::UnknownCommunity) };
        let community = &message[parts.community.clone()];
        let Some(row) = self.communities.find(community) else {
            self.stats.increment(Statistic::InBadCommunityNames);
            return Err(IncomingError::UnknownCommunity);
        };
        Ok(Secured {
            security_name: row.security_name,
            engine_id: EngineId::EMPTY,
            level: SecurityLevel::NoAuthNoPriv,
            data: parts.pdu.clone(),
            context: Some((row.context_engine_id, row.context_name)),
            state: SecurityState(SmallVec::from_slice(community)),
            engine_time: None,
        })
    }

    fn may_answer(&self, security_name: &Name, state: &SecurityState) -> bool {
        self.communities.community_of(security_name).is_some_and(|community| community[..] == state.0[..])
    }
}
