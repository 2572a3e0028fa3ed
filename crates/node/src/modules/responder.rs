//! The command responder (RFC 3413 §3.2), an application.

use std::sync::Arc;
use std::time::Instant;

use hamsa_snmp::agent::CommandResponder;
use hamsa_snmp::engine::Received;
use hamsa_swap::{CallError, Candidate, Kind, ModuleId, Package, kind};

use super::{BuiltIn, version};

/// See [`CommandResponder`].
#[kind("application")]
pub trait CommandResponderModule {
    /// Answers a command; how many octets of answer lie at the end of `buffer`, `None` if none is due.
    #[typed_only]
    fn respond(&self, now: Instant, received: &Received<'_>, buffer: &mut [u8]) -> Result<Option<usize>, CallError>;
}

impl CommandResponderModule for BuiltIn<Arc<CommandResponder>> {
    fn respond(&self, now: Instant, received: &Received<'_>, buffer: &mut [u8]) -> Result<Option<usize>, CallError> {
        Ok(self.model.respond(now, received, buffer))
    }
}

/// A command responder over an engine, access control and MIB that outlive it.
pub fn responder_package(minor: u32, responder: impl Fn() -> CommandResponder + Send + Sync + 'static) -> Package {
    let id = ModuleId::new(<dyn CommandResponderModule>::NAME, "command responder");
    Package::built_in(id, version(minor), move || {
        let module = BuiltIn::new(Arc::new(responder()), minor, |_: &Arc<CommandResponder>| Ok(()));
        Ok(Candidate::new::<dyn CommandResponderModule, _>(module))
    })
}
