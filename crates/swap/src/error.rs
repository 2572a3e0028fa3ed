//! Why a swap or an installation was not done.

use crate::journal::{JournalError, VersionNumber};
use crate::limits::{MODULES_MAX, PARTS_MAX};
use crate::mapping::MappingError;
use crate::module::ModuleId;
use crate::repository::RepositoryError;
use crate::security::Denied;
use crate::transaction::Abort;

/// A swap was not done: the old versions serve on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SwapError {
    /// Who asks may not do it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Nothing to do, too much, or one module twice.
    #[error("a swap is of 1 to {PARTS_MAX} different modules")]
    Parts,
    /// There is no such module.
    #[error("there is no module {0} to replace")]
    Unknown(ModuleId),
    /// Another module has that name.
    #[error("there is a module {0} already; replace it by a swap")]
    Exists(ModuleId),
    /// There is no room for another module.
    #[error("there are {MODULES_MAX} modules, and no more are allowed")]
    TooMany,
    /// A package can't be made a module of.
    #[error("{module}: {reason}")]
    Instantiate {
        /// Which.
        module: ModuleId,
        /// Why not.
        reason: String,
    },
    /// What a module needs would not be there.
    #[error("{module} needs {needs}; {found}")]
    Dependency {
        /// Which module.
        module: ModuleId,
        /// What it needs, and of which versions.
        needs: String,
        /// What would be there.
        found: String,
    },
    /// The state can't become one of the other version.
    #[error("{module}: {source}")]
    Mapping {
        /// Which module.
        module: ModuleId,
        /// Why not.
        source: Box<MappingError>,
    },
    /// There is no such earlier version.
    #[error("{module}: version {}.{} is not kept", version.0, version.1)]
    NoVersion {
        /// Which module.
        module: ModuleId,
        /// The version.
        version: VersionNumber,
    },
    /// No state of that version is kept.
    #[error("{module}: no state of version {}.{} is kept", version.0, version.1)]
    NoState {
        /// Which module.
        module: ModuleId,
        /// The version.
        version: VersionNumber,
    },
    /// The calling thread is inside of a module that would be replaced, and would wait for itself.
    #[error("a call of {0} can't replace it: put the request into the queue")]
    FromInside(ModuleId),
    /// The journal can't be read or written, so nothing was begun.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The repository can't be read.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The transaction was aborted.
    #[error("transaction {transaction} was aborted: {abort}")]
    Aborted {
        /// Its number.
        transaction: u64,
        /// Why.
        abort: Abort,
    },
}
