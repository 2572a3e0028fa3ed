//! The proxy forwarder (RFC 3413 §3.5), an application.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hamsa_snmp::agent::mibs::{ProxyTable, TargetTable};
use hamsa_snmp::agent::{Forwarded, Forwardings, ProxyForwarder, ProxyTables, Way};
use hamsa_snmp::engine::{Engine, Received};
use hamsa_snmp::manager::Transmit;
use hamsa_swap::{CallError, Candidate, Kind, ModuleId, Package, kind};

use super::{BuiltIn, version};

/// See [`ProxyForwarder`].
#[kind("application")]
pub trait ProxyForwarderModule {
    /// Takes a message that came by `way`.
    #[typed_only]
    fn forward(
        &self,
        now: Instant,
        way: Way,
        received: &Received<'_>,
        buffer: &mut [u8],
    ) -> Result<Forwarded, CallError>;

    /// The next datagram to a target.
    #[typed_only]
    fn poll_transmit(&self, now: Instant, buffer: &mut [u8]) -> Result<Option<Transmit>, CallError>;

    /// Takes in a datagram from a target.
    #[typed_only]
    fn handle_datagram(&self, now: Instant, from: SocketAddr, datagram: &mut [u8]) -> Result<(), CallError>;

    /// Retransmits and gives up what is due.
    #[typed_only]
    fn handle_timeout(&self, now: Instant) -> Result<(), CallError>;
}

/// What a forwarder works with: all of it outlives the forwarder.
#[derive(Clone)]
pub struct ForwarderParts {
    /// What it speaks through.
    pub engine: Arc<Engine>,
    /// SNMP-PROXY-MIB.
    pub proxies: Arc<ProxyTable>,
    /// SNMP-TARGET-MIB.
    pub targets: Arc<TargetTable>,
    /// What is passed on and not answered yet.
    pub under_way: Arc<Mutex<Forwardings>>,
}

struct Forwarder {
    parts: ForwarderParts,
    forwarder: ProxyForwarder,
}

impl Forwarder {
    fn under_way(&self) -> MutexGuard<'_, Forwardings> {
        self.parts.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProxyForwarderModule for BuiltIn<Forwarder> {
    fn forward(
        &self,
        now: Instant,
        way: Way,
        received: &Received<'_>,
        buffer: &mut [u8],
    ) -> Result<Forwarded, CallError> {
        let Forwarder { parts, forwarder } = &self.model;
        let tables = ProxyTables { proxies: &parts.proxies, targets: &parts.targets };
        Ok(forwarder.forward(now, &mut self.model.under_way(), &tables, (way, received), buffer))
    }

    fn poll_transmit(&self, now: Instant, buffer: &mut [u8]) -> Result<Option<Transmit>, CallError> {
        Ok(self.model.forwarder.poll_transmit(now, &mut self.model.under_way(), buffer))
    }

    fn handle_datagram(&self, now: Instant, from: SocketAddr, datagram: &mut [u8]) -> Result<(), CallError> {
        self.model.forwarder.handle_datagram(now, &mut self.model.under_way(), from, datagram);
        Ok(())
    }

    fn handle_timeout(&self, now: Instant) -> Result<(), CallError> {
        self.model.forwarder.handle_timeout(now, &mut self.model.under_way());
        Ok(())
    }
}

/// A proxy forwarder over parts that outlive it.
pub fn forwarder_package(minor: u32, parts: &ForwarderParts) -> Package {
    let parts = parts.clone();
    let id = ModuleId::new(<dyn ProxyForwarderModule>::NAME, "proxy forwarder");
    Package::built_in(id, version(minor), move || {
        let forwarder = ProxyForwarder::new(parts.engine.clone());
        let model = Forwarder { parts: parts.clone(), forwarder };
        Ok(Candidate::new::<dyn ProxyForwarderModule, _>(BuiltIn::new(model, minor, |_| Ok(()))))
    })
}
