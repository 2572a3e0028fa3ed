//! Access control (RFC 3411 §4.3): the view-based model (RFC 3415).

use std::sync::Arc;

use hamsa_snmp::engine::{AccessControl, AccessDenied, AccessRequest};
use hamsa_snmp::{OidRef, VarBindList};
use hamsa_swap::{CallError, Candidate, Kind, ModuleId, Package, Proxy, kind};

use super::{BuiltIn, version};

/// See [`AccessControl`].
#[kind("access control")]
pub trait AccessControlModule {
    /// `isAccessAllowed`.
    #[typed_only]
    fn is_access_allowed(
        &self,
        request: &AccessRequest<'_>,
        variable: OidRef<'_>,
    ) -> Result<Result<(), AccessDenied>, CallError>;

    /// How many of the variables are allowed until one is not in the view.
    #[typed_only]
    fn count_allowed(
        &self,
        request: &AccessRequest<'_>,
        variables: VarBindList<'_>,
    ) -> Result<Result<usize, AccessDenied>, CallError>;
}

impl AccessControlModule for BuiltIn<Arc<dyn AccessControl>> {
    fn is_access_allowed(
        &self,
        request: &AccessRequest<'_>,
        variable: OidRef<'_>,
    ) -> Result<Result<(), AccessDenied>, CallError> {
        Ok(self.model.is_access_allowed(request, variable))
    }

    fn count_allowed(
        &self,
        request: &AccessRequest<'_>,
        variables: VarBindList<'_>,
    ) -> Result<Result<usize, AccessDenied>, CallError> {
        Ok(self.model.count_allowed(request, variables))
    }
}

/// Access control that is a module.
pub struct SwappableAccess(Proxy<dyn AccessControlModule>);

impl SwappableAccess {
    /// Access control through a proxy.
    pub fn new(proxy: Proxy<dyn AccessControlModule>) -> Self {
        SwappableAccess(proxy)
    }
}

impl AccessControl for SwappableAccess {
    fn is_access_allowed(&self, request: &AccessRequest<'_>, variable: OidRef<'_>) -> Result<(), AccessDenied> {
        // Nothing is shown to whom nobody vouches for.
        self.0.is_access_allowed(request, variable).unwrap_or(Err(AccessDenied::Unavailable))
    }

    fn count_allowed(&self, request: &AccessRequest<'_>, variables: VarBindList<'_>) -> Result<usize, AccessDenied> {
        self.0.count_allowed(request, variables).unwrap_or(Err(AccessDenied::Unavailable))
    }
}

/// The view-based model over tables that outlive it.
pub fn vacm_package(minor: u32, tables: &Arc<dyn AccessControl>) -> Package {
    let tables = tables.clone();
    let id = ModuleId::new(<dyn AccessControlModule>::NAME, "VACM");
    Package::built_in(id, version(minor), move || {
        Ok(Candidate::new::<dyn AccessControlModule, _>(BuiltIn::new(tables.clone(), minor, |_| Ok(()))))
    })
}
