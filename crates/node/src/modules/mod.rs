//! The subsystems of the SNMP engine (RFC 3411 §3.1) as kinds of modules that can be replaced while they serve:
//! message processing, security, authentication, privacy, access control, and the applications.
//!
//! Each file has a kind, its built-in modules, and what stands in the engine in a module's place: a type with the
//! engine's own trait, which goes through the module's proxy. The engine knows nothing of all this.
//!
//! A call that no module serves (the gate stays closed for too long, the module has failed) makes the message
//! [`Unavailable`]: it is dropped, and its sender tries again. What a module answers, a refusal included, is inside of
//! `Ok`: a hostile packet is no error of the module's, and must not take a new version back.
//!
//! Users, keys, clocks, salts and counters are the host's, which lends them: no swap touches them (X1, X2).

mod access;
mod authentication;
mod engine;
mod forwarder;
mod message_processing;
mod mib;
mod originator;
mod privacy;
mod responder;
mod security;

use hamsa_snmp::engine::Unavailable;
use hamsa_swap::{CallError, Module, ModuleError, Resources, Side, StateSet, Version};

pub use access::{AccessControlModule, SwappableAccess, vacm_package};
pub use authentication::{AuthProtocolModule, SwappableAuth, auth_package};
pub use engine::{EngineResources, modular_engine, versions};
pub use forwarder::{ForwarderParts, ProxyForwarderModule, forwarder_package};
pub use message_processing::{MessageProcessingModule, SwappableProcessing, processing_package};
pub use mib::{MibModuleModule, SwappableMib, mib_package, mib_state};
pub use originator::{NotificationOriginatorModule, OriginatorParts, originator_package};
pub use privacy::{PrivProtocolModule, SwappablePrivacy, priv_package};
pub use responder::{CommandResponderModule, responder_package};
pub use security::{CommunityModel, SecurityModelModule, SwappableSecurity, UsmParts, community_package, usm_package};

/// The versions of every built-in module.
pub const VERSIONS: [(u32, u32); 2] = [(1, 0), (1, 1)];

/// A module that is an implementation of the engine's own trait and keeps no state of its own.
pub struct BuiltIn<T> {
    model: T,
    version: Version,
    /// Known answers, which a version from 1.1 on must give before it is let in.
    self_test: fn(&T) -> Result<(), String>,
}

impl<T> BuiltIn<T> {
    fn new(model: T, minor: u32, self_test: fn(&T) -> Result<(), String>) -> Self {
        BuiltIn { model, version: version(minor), self_test }
    }
}

/// A version of a built-in module.
fn version(minor: u32) -> Version {
    Version::new(1, minor, if minor == 0 { "first" } else { "tests itself before it serves" })
}

impl<T: Send + Sync + 'static> Module for BuiltIn<T> {
    fn version(&self) -> Version {
        self.version.clone()
    }

    fn vote(&self, side: Side) -> Result<(), ModuleError> {
        match side {
            Side::New if self.version.minor > 0 => (self.self_test)(&self.model).map_err(ModuleError::new),
            _ => Ok(()),
        }
    }

    fn retrieve(&self) -> Result<StateSet, ModuleError> {
        Ok(StateSet::new(1))
    }

    fn restore(&self, _: &StateSet, _: &Resources) -> Result<(), ModuleError> {
        Ok(())
    }
}

fn unavailable(error: &CallError) -> Unavailable {
    Unavailable(error.to_string())
}
