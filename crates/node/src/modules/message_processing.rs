//! Message processing models (RFC 3411 §4.2): v1, v2c, v3.

use std::sync::Arc;
use std::time::Instant;

use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::{
    CommunityProcessing, Envelope, MessageProcessing, OutgoingError, ReceiveError, Received, Rejected, Sending,
    Subsystems, V3Processing,
};
use hamsa_snmp::message::Version;
use hamsa_snmp::pdu::Pdu;
use hamsa_swap::{CallError, Candidate, ModuleId, Package, Proxy, kind};

use super::{BuiltIn, unavailable, version};

/// See [`MessageProcessing`].
#[kind("message processing")]
pub trait MessageProcessingModule {
    /// `prepareOutgoingMessage`.
    #[typed_only]
    fn prepare_outgoing(
        &self,
        engine: Subsystems<'_>,
        sending: &Sending<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<Result<(), OutgoingError>, CallError>;

    /// `prepareResponseMessage`.
    #[typed_only]
    fn prepare_response(
        &self,
        engine: Subsystems<'_>,
        now: Instant,
        to: &Envelope,
        pdu: &Pdu<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<Result<(), OutgoingError>, CallError>;

    /// `prepareDataElements`.
    #[typed_only]
    fn prepare_data_elements<'m>(
        &self,
        engine: Subsystems<'_>,
        now: Instant,
        message: &'m mut [u8],
        report: &mut Writer<'_>,
    ) -> Result<Result<Received<'m>, Rejected>, CallError>;
}

impl MessageProcessingModule for BuiltIn<Arc<dyn MessageProcessing>> {
    fn prepare_outgoing(
        &self,
        engine: Subsystems<'_>,
        sending: &Sending<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<Result<(), OutgoingError>, CallError> {
        Ok(self.model.prepare_outgoing(engine, sending, writer))
    }

    fn prepare_response(
        &self,
        engine: Subsystems<'_>,
        now: Instant,
        to: &Envelope,
        pdu: &Pdu<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<Result<(), OutgoingError>, CallError> {
        Ok(self.model.prepare_response(engine, now, to, pdu, writer))
    }

    fn prepare_data_elements<'m>(
        &self,
        engine: Subsystems<'_>,
        now: Instant,
        message: &'m mut [u8],
        report: &mut Writer<'_>,
    ) -> Result<Result<Received<'m>, Rejected>, CallError> {
        Ok(self.model.prepare_data_elements(engine, now, message, report))
    }
}

/// A message processing model that is a module.
pub struct SwappableProcessing {
    version: Version,
    proxy: Proxy<dyn MessageProcessingModule>,
}

impl SwappableProcessing {
    /// The model of a version.
    pub fn new(version: Version, proxy: Proxy<dyn MessageProcessingModule>) -> Self {
        SwappableProcessing { version, proxy }
    }
}

impl MessageProcessing for SwappableProcessing {
    fn version(&self) -> Version {
        self.version
    }

    fn prepare_outgoing(
        &self,
        engine: Subsystems<'_>,
        sending: &Sending<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<(), OutgoingError> {
        let served = self.proxy.prepare_outgoing(engine, sending, writer);
        served.unwrap_or_else(|error| Err(unavailable(&error).into()))
    }

    fn prepare_response(
        &self,
        engine: Subsystems<'_>,
        now: Instant,
        to: &Envelope,
        pdu: &Pdu<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<(), OutgoingError> {
        let served = self.proxy.prepare_response(engine, now, to, pdu, writer);
        served.unwrap_or_else(|error| Err(unavailable(&error).into()))
    }

    fn prepare_data_elements<'m>(
        &self,
        engine: Subsystems<'_>,
        now: Instant,
        message: &'m mut [u8],
        report: &mut Writer<'_>,
    ) -> Result<Received<'m>, Rejected> {
        let served = self.proxy.prepare_data_elements(engine, now, message, report);
        served.unwrap_or_else(|error| {
            let error = ReceiveError::Unavailable(unavailable(&error));
            Err(Rejected { error, has_report: false })
        })
    }
}

/// The built-in model of a version of SNMP.
pub fn processing_package(of: Version, minor: u32) -> Package {
    let id = ModuleId::new(<dyn MessageProcessingModule as hamsa_swap::Kind>::NAME, of.name());
    Package::built_in(id, version(minor), move || {
        let model: Arc<dyn MessageProcessing> = match of {
            Version::V1 => Arc::new(CommunityProcessing::V1),
            Version::V2c => Arc::new(CommunityProcessing::V2C),
            Version::V3 => Arc::new(V3Processing),
        };
        // It has no answers of its own: those of its engine are tested with it.
        Ok(Candidate::new::<dyn MessageProcessingModule, _>(BuiltIn::new(model, minor, |_| Ok(()))))
    })
}
