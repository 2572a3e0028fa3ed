//! An SNMP engine all of whose subsystems are modules: what a node polls with, and what an agent answers with.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use hamsa_snmp::engine::{CommunityTable, Engine, EngineId, EngineStats, EngineTime, security_model};
use hamsa_snmp::message::Version;
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId, SaltSource, UsmUsers};
use hamsa_store::Store;
use hamsa_swap::{Package, SwapError};

use super::{
    AuthProtocolModule, CommunityModel, MessageProcessingModule, PrivProtocolModule, SecurityModelModule,
    SwappableAuth, SwappablePrivacy, SwappableProcessing, SwappableSecurity, UsmParts, VERSIONS, auth_package,
    community_package, priv_package, processing_package, usm_package,
};
use crate::identity::{self, IdentityError, StoredSalts};
use crate::swapping::SwapHost;

/// What the engine's modules borrow and what outlives all of them.
#[derive(Clone)]
pub struct EngineResources {
    /// `snmpEngineID`.
    pub id: EngineId,
    /// Counters.
    pub stats: Arc<EngineStats>,
    /// Communities.
    pub communities: Arc<CommunityTable>,
    /// Users, keys and clocks.
    pub users: Arc<UsmUsers>,
    /// Salts.
    pub salts: Arc<dyn SaltSource>,
}

impl EngineResources {
    /// Those of the engine whose identity the store keeps: it boots once more, at `now`, and knows nobody yet. Its
    /// `snmpEngineBoots` comes with them.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn booted(store: &Arc<Store>, now: Instant) -> Result<(Self, u32), IdentityError> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::from)?;
        let id = identity::engine_id(store, random)?;
        let boots = identity::next_boots(store)?;
        let resources = EngineResources {
            id,
            stats: Arc::default(),
            communities: Arc::default(),
            users: Arc::new(UsmUsers::new(id, EngineTime { boots, time: 0 }, now)),
            salts: Arc::new(StoredSalts::new(store.clone(), id)),
        };
        Ok((resources, boots))
    }
}

/// Installs the modules of an engine: message processing, security models, authentication and privacy protocols.
///
/// # Errors
/// A module can't be installed.
pub fn modular_engine(host: &SwapHost, resources: &EngineResources) -> Result<Engine, SwapError> {
    let EngineResources { id, stats, communities, users, salts } = resources.clone();
    let auth = AuthProtocolId::ALL.into_iter().map(|id| {
        let proxy = host.install::<dyn AuthProtocolModule>(versions(|minor| auth_package(id, minor)), None)?;
        Ok(Arc::new(SwappableAuth::new(id, proxy)))
    });
    let auth = auth.collect::<Result<Vec<_>, SwapError>>()?;
    let privacy = PrivProtocolId::ALL.into_iter().map(|id| {
        let proxy = host.install::<dyn PrivProtocolModule>(versions(|minor| priv_package(id, minor)), None)?;
        Ok(Arc::new(SwappablePrivacy::new(id, proxy)))
    });
    let privacy = privacy.collect::<Result<Vec<_>, SwapError>>()?;

    let mut engine = Engine::new(id, stats.clone());
    for model in [CommunityModel::V1, CommunityModel::V2c] {
        let packages = versions(|minor| community_package(model, minor, &communities, &stats));
        let proxy = host.install::<dyn SecurityModelModule>(packages, None)?;
        engine.install_security(Arc::new(SwappableSecurity::new(model.number(), proxy)));
    }
    let parts = UsmParts { users, stats, salts, auth, privacy };
    let proxy = host.install::<dyn SecurityModelModule>(versions(|minor| usm_package(minor, &parts)), None)?;
    engine.install_security(Arc::new(SwappableSecurity::new(security_model::USM, proxy)));
    for version in [Version::V1, Version::V2c, Version::V3] {
        let packages = versions(|minor| processing_package(version, minor));
        let proxy = host.install::<dyn MessageProcessingModule>(packages, None)?;
        engine.install_message_processing(Arc::new(SwappableProcessing::new(version, proxy)));
    }
    Ok(engine)
}

/// All versions of a built-in module.
pub fn versions(package: impl Fn(u32) -> Package) -> Vec<Package> {
    VERSIONS.into_iter().map(|(_, minor)| package(minor)).collect()
}
