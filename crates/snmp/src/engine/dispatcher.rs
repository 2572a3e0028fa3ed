//! The dispatcher (RFC 3411 §3.1.1, RFC 3412 §4): one SNMP engine, put together from its modules.

use std::sync::Arc;
use std::time::Instant;

use crate::ber::{DecodeErrorKind, Writer};
use crate::engine::community::{CommunitySecurity, CommunityTable};
use crate::engine::message_processing::{
    CommunityProcessing, Envelope, MessageProcessing, ReceiveError, Received, Rejected, Sending, Subsystems,
    V3Processing,
};
use crate::engine::security::{OutgoingError, SecurityModel};
use crate::engine::stats::{EngineStats, Statistic};
use crate::engine::types::EngineId;
use crate::limits::MAX_MESSAGE_OCTETS;
use crate::message::Version;
use crate::pdu::Pdu;

/// An SNMP engine: chooses the modules that each message goes through. It has no socket and no clock.
pub struct Engine {
    id: EngineId,
    stats: Arc<EngineStats>,
    message_processing: Vec<Arc<dyn MessageProcessing>>,
    security: Vec<Arc<dyn SecurityModel>>,
}

impl Engine {
    /// An engine without modules.
    pub fn new(id: EngineId, stats: Arc<EngineStats>) -> Self {
        Engine { id, stats, message_processing: Vec::new(), security: Vec::new() }
    }

    /// An engine that speaks v1 and v2c with these communities.
    pub fn with_communities(id: EngineId, stats: Arc<EngineStats>, communities: Arc<CommunityTable>) -> Self {
        let mut engine = Engine::new(id, stats.clone());
        engine.install_message_processing(Arc::new(CommunityProcessing::V1));
        engine.install_message_processing(Arc::new(CommunityProcessing::V2C));
        engine.install_security(Arc::new(CommunitySecurity::v1(communities.clone(), stats.clone())));
        engine.install_security(Arc::new(CommunitySecurity::v2c(communities, stats)));
        engine
    }

    /// The same with v3 under a security model.
    pub fn with_v3(mut self, model: Arc<dyn SecurityModel>) -> Self {
        self.install_message_processing(Arc::new(V3Processing));
        self.install_security(model);
        self
    }

    /// Installs a message processing model in the place of the one for its version, if there is one.
    pub fn install_message_processing(&mut self, model: Arc<dyn MessageProcessing>) {
        self.message_processing.retain(|installed| installed.version() != model.version());
        self.message_processing.push(model);
    }

    /// Installs a security model in the place of the one of its number, if there is one.
    pub fn install_security(&mut self, model: Arc<dyn SecurityModel>) {
        self.security.retain(|installed| installed.number() != model.number());
        self.security.push(model);
    }

    /// `snmpEngineID`.
    pub fn id(&self) -> EngineId {
        self.id
    }

    /// The counters.
    pub fn stats(&self) -> &Arc<EngineStats> {
        &self.stats
    }

    /// Writes the message that carries a request, trap or inform (`sendPdu`, RFC 3412 §4.1.1).
    pub fn send(&self, version: Version, sending: &Sending<'_>, writer: &mut Writer<'_>) -> Result<(), OutgoingError> {
        let model = self.model(version).ok_or(OutgoingError::WrongVersion { version })?;
        model.prepare_outgoing(self.subsystems(), sending, writer)
    }

    /// Writes the message that answers another (`returnResponsePdu`, RFC 3412 §4.1.2).
    pub fn respond(
        &self,
        now: Instant,
        to: &Envelope,
        pdu: &Pdu<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<(), OutgoingError> {
        let model = self.model(to.version).ok_or(OutgoingError::WrongVersion { version: to.version })?;
        model.prepare_response(self.subsystems(), now, to, pdu, writer)
    }

    /// Takes a message in (RFC 3412 §4.2), decrypting it in place. Where it is turned away and its sender is
    /// owed a Report, `report` holds that afterwards.
    pub fn receive<'m>(
        &self,
        now: Instant,
        message: &'m mut [u8],
        report: &mut Writer<'_>,
    ) -> Result<Received<'m>, Rejected> {
        self.stats.increment(Statistic::InPackets);
        let version = Version::of(message).map_err(|error| {
            self.stats.increment(match error.kind {
                DecodeErrorKind::UnknownVersion(_) => Statistic::InBadVersions,
                _ => Statistic::InAsnParseErrors,
            });
            Rejected { error: error.into(), has_report: false }
        })?;
        let Some(model) = self.model(version) else {
            self.stats.increment(Statistic::InBadVersions);
            return Err(Rejected { error: ReceiveError::NoMessageProcessing(version), has_report: false });
        };
        model.prepare_data_elements(self.subsystems(), now, message, report)
    }

    /// Whether the sender of a message may answer a request sent in this name.
    pub fn may_answer(&self, security_name: &crate::engine::Name, envelope: &Envelope) -> bool {
        let model = self.security.iter().find(|model| model.number() == envelope.security_model);
        model.is_some_and(|model| model.may_answer(security_name, &envelope.state))
    }

    fn model(&self, version: Version) -> Option<&dyn MessageProcessing> {
        self.message_processing.iter().find(|model| model.version() == version).map(|model| &**model)
    }

    fn subsystems(&self) -> Subsystems<'_> {
        Subsystems { security: &self.security, stats: &self.stats, engine_id: self.id, max_size: MAX_MESSAGE_OCTETS }
    }
}
