//! The Access Control Subsystem's interface (RFC 3411 §4.3).

use crate::engine::types::Name;
use crate::message::SecurityLevel;
use crate::oid::OidRef;
use crate::varbind::VarBindList;

/// Which of a group's views decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum ViewType {
    Read,
    Write,
    Notify,
}

/// Who asks for what; [`AccessControl::is_access_allowed`] adds the variable.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct AccessRequest<'a> {
    pub security_model: u32,
    pub security_name: &'a Name,
    pub level: SecurityLevel,
    pub context_name: &'a Name,
    pub view_type: ViewType,
}

/// Why access is refused (RFC 3415 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AccessDenied {
    /// `noSuchContext`.
    #[error("no such context")]
    NoSuchContext,
    /// `noGroupName`: the principal belongs to no group.
    #[error("the principal belongs to no group")]
    NoGroupName,
    /// `noAccessEntry`: the group has no rights in this context at this security level.
    #[error("the group has no access in this context at this security level")]
    NoAccessEntry,
    /// `noSuchView`: the view that the rights name does not exist.
    #[error("the group has no such view")]
    NoSuchView,
    /// `notInView`: the variable is outside.
    #[error("the variable is not in the view")]
    NotInView,
    /// The access control model does not serve, see [`super::Unavailable`]: nothing is shown or changed.
    #[error("access control does not serve")]
    Unavailable,
}

/// An access control model.
pub trait AccessControl: Send + Sync {
    /// `isAccessAllowed`.
    fn is_access_allowed(&self, request: &AccessRequest<'_>, variable: OidRef<'_>) -> Result<(), AccessDenied>;

    /// `isAccessAllowed` for one variable after the other: how many of them are allowed until one is not in the view.
    ///
    /// # Errors
    /// What refuses all variables alike, so never `notInView`.
    fn count_allowed(&self, request: &AccessRequest<'_>, variables: VarBindList<'_>) -> Result<usize, AccessDenied> {
        for (i, variable) in variables.iter().enumerate() {
            match self.is_access_allowed(request, variable.name) {
                Ok(()) => {}
                Err(AccessDenied::NotInView) => return Ok(i),
                Err(denied) => return Err(denied),
            }
        }
        Ok(variables.len())
    }
}
