//! The enterprise: nodes of all sites, who is there of them, the directory that they keep together, and the groups of two
//! that this node has with some of them, all over one Zenoh engine.
//!
//! [`EnterpriseRuntime`] starts the engine, and tries again where it can't be had; it puts the directory back that was kept
//! from the node's last life, keeps it again whenever it has changed, and runs the groups of each pair ([`crate::group`]).
//!
//! Without the feature `zenoh` there is no such runtime, and a configuration that wants one is refused.

#[cfg(not(feature = "zenoh"))]
mod absent;
mod answers;
mod certificates;
#[cfg(feature = "zenoh")]
mod handle;
#[cfg(feature = "zenoh")]
mod kept;
#[cfg(feature = "zenoh")]
mod runtime;
mod status;

#[cfg(not(feature = "zenoh"))]
pub use absent::{EnterpriseHandle, EnterpriseRuntime};
pub use answers::answer;
pub use certificates::{CertificateError, CertificateFiles, create_authority, create_certificate};
#[cfg(feature = "zenoh")]
pub use handle::EnterpriseHandle;
#[cfg(feature = "zenoh")]
pub use runtime::EnterpriseRuntime;
pub use status::{DirectoryError, EnterpriseStatus};

use crate::group::GroupStartError;

/// The enterprise can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum EnterpriseStartError {
    /// The groups of a pair.
    #[error(transparent)]
    Group(#[from] GroupStartError),
    /// There are no threads to be had.
    #[error("threads can't be had: {0}")]
    System(#[from] std::io::Error),
    /// The configuration's check refuses it before.
    #[error("this program was built without Zenoh")]
    NotBuilt,
}
