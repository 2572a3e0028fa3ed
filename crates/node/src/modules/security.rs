//! Security models (RFC 3411 §4.4): by community (RFC 3584) and by user (RFC 3414).

use std::sync::Arc;
use std::time::Instant;

use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::{
    Arrived, CommunitySecurity, CommunityTable, EngineStats, Header, IncomingError, Name, Outgoing, OutgoingError,
    Secured, SecurityModel, SecurityState, security_model,
};
use hamsa_snmp::message::Version;
use hamsa_snmp::usm::{SaltSource, Usm, UsmUsers};
use hamsa_swap::{CallError, Candidate, Kind, ModuleId, Package, Proxy, kind};

use super::{BuiltIn, SwappableAuth, SwappablePrivacy, unavailable, version};

/// See [`SecurityModel`].
#[kind("security model")]
pub trait SecurityModelModule {
    /// `generateRequestMsg`.
    #[typed_only]
    fn generate_request(
        &self,
        outgoing: &Outgoing<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<Result<(), OutgoingError>, CallError>;

    /// `generateResponseMsg`.
    #[typed_only]
    fn generate_response(
        &self,
        now: Instant,
        header: Header,
        state: &SecurityState,
        writer: &mut Writer<'_>,
    ) -> Result<Result<(), OutgoingError>, CallError>;

    /// `processIncomingMsg`.
    #[typed_only]
    fn process_incoming(
        &self,
        arrived: &Arrived<'_>,
        message: &mut [u8],
    ) -> Result<Result<Secured, IncomingError>, CallError>;

    /// See [`SecurityModel::may_answer`].
    #[typed_only]
    fn may_answer(&self, security_name: &Name, state: &SecurityState) -> Result<bool, CallError>;
}

impl SecurityModelModule for BuiltIn<Box<dyn SecurityModel>> {
    fn generate_request(
        &self,
        outgoing: &Outgoing<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<Result<(), OutgoingError>, CallError> {
        Ok(self.model.generate_request(outgoing, writer))
    }

    fn generate_response(
        &self,
        now: Instant,
        header: Header,
        state: &SecurityState,
        writer: &mut Writer<'_>,
    ) -> Result<Result<(), OutgoingError>, CallError> {
        Ok(self.model.generate_response(now, header, state, writer))
    }

    fn process_incoming(
        &self,
        arrived: &Arrived<'_>,
        message: &mut [u8],
    ) -> Result<Result<Secured, IncomingError>, CallError> {
        Ok(self.model.process_incoming(arrived, message))
    }

    fn may_answer(&self, security_name: &Name, state: &SecurityState) -> Result<bool, CallError> {
        Ok(self.model.may_answer(security_name, state))
    }
}

/// A security model that is a module.
pub struct SwappableSecurity {
    number: u32,
    proxy: Proxy<dyn SecurityModelModule>,
}

impl SwappableSecurity {
    /// The model of this `SnmpSecurityModel` number.
    pub fn new(number: u32, proxy: Proxy<dyn SecurityModelModule>) -> Self {
        SwappableSecurity { number, proxy }
    }
}

impl SecurityModel for SwappableSecurity {
    fn number(&self) -> u32 {
        self.number
    }

    fn generate_request(&self, outgoing: &Outgoing<'_>, writer: &mut Writer<'_>) -> Result<(), OutgoingError> {
        let served = self.proxy.generate_request(outgoing, writer);
        served.unwrap_or_else(|error| Err(unavailable(&error).into()))
    }

    fn generate_response(
        &self,
        now: Instant,
        header: Header,
        state: &SecurityState,
        writer: &mut Writer<'_>,
    ) -> Result<(), OutgoingError> {
        let served = self.proxy.generate_response(now, header, state, writer);
        served.unwrap_or_else(|error| Err(unavailable(&error).into()))
    }

    fn process_incoming(&self, arrived: &Arrived<'_>, message: &mut [u8]) -> Result<Secured, IncomingError> {
        let served = self.proxy.process_incoming(arrived, message);
        served.unwrap_or_else(|error| Err(unavailable(&error).into()))
    }

    fn may_answer(&self, security_name: &Name, state: &SecurityState) -> bool {
        // An answer that nobody vouches for is none.
        self.proxy.may_answer(security_name, state).unwrap_or(false)
    }
}

/// One of the two community-based models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommunityModel {
    /// For SNMPv1.
    V1,
    /// For SNMPv2c.
    V2c,
}

impl CommunityModel {
    /// Its `SnmpSecurityModel` number.
    pub const fn number(self) -> u32 {
        match self {
            CommunityModel::V1 => security_model::V1,
            CommunityModel::V2c => security_model::V2C,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            CommunityModel::V1 => Version::V1.name(),
            CommunityModel::V2c => Version::V2c.name(),
        }
    }
}

/// A community-based model over a table that outlives it.
pub fn community_package(
    of: CommunityModel,
    minor: u32,
    communities: &Arc<CommunityTable>,
    stats: &Arc<EngineStats>,
) -> Package {
    let (communities, stats) = (communities.clone(), stats.clone());
    let id = ModuleId::new(<dyn SecurityModelModule>::NAME, of.name());
    Package::built_in(id, version(minor), move || {
        let (communities, stats) = (communities.clone(), stats.clone());
        let model: Box<dyn SecurityModel> = Box::new(match of {
            CommunityModel::V1 => CommunitySecurity::v1(communities, stats),
            CommunityModel::V2c => CommunitySecurity::v2c(communities, stats),
        });
        Ok(Candidate::new::<dyn SecurityModelModule, _>(BuiltIn::new(model, minor, |_| Ok(()))))
    })
}

/// What the user-based model works with: all of it outlives the model.
#[derive(Clone)]
pub struct UsmParts {
    /// Users, keys and clocks.
    pub users: Arc<UsmUsers>,
    /// The engine's counters.
    pub stats: Arc<EngineStats>,
    /// Salts.
    pub salts: Arc<dyn SaltSource>,
    /// Authentication protocols.
    pub auth: Vec<Arc<SwappableAuth>>,
    /// Privacy protocols.
    pub privacy: Vec<Arc<SwappablePrivacy>>,
}

/// The user-based model.
pub fn usm_package(minor: u32, parts: &UsmParts) -> Package {
    let parts = parts.clone();
    let id = ModuleId::new(<dyn SecurityModelModule>::NAME, "USM");
    Package::built_in(id, version(minor), move || {
        let UsmParts { users, stats, salts, auth, privacy } = parts.clone();
        let mut usm = Usm::without_protocols(users, stats, salts);
        auth.into_iter().for_each(|protocol| usm.install_auth(protocol));
        privacy.into_iter().for_each(|protocol| usm.install_privacy(protocol));
        let model: Box<dyn SecurityModel> = Box::new(usm);
        Ok(Candidate::new::<dyn SecurityModelModule, _>(BuiltIn::new(model, minor, |_| Ok(()))))
    })
}
