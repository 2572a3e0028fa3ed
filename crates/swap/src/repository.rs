//! The repository service: the states that modules had when they were replaced, and the versions that can be gone
//! back to.

use std::collections::BTreeMap;

use crate::journal::VersionNumber;
use crate::limits::VERSIONS_KEPT_MAX;
use crate::module::ModuleId;
use crate::package::Package;
use crate::state::StateSet;

/// A state that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptState {
    /// The version whose state it is.
    pub version: VersionNumber,
    /// The state.
    pub state: StateSet,
}

/// States can't be kept or had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("repository of states: {0}")]
pub struct RepositoryError(pub String);

/// Where states are kept: the last one of each version of each module. It forgets the oldest as it needs to.
pub trait RepositoryStorage: Send {
    /// Keeps a state, in place of the one of the same version. It is never called with gates closed.
    ///
    /// # Errors
    /// It is not kept.
    fn put(&mut self, module: &ModuleId, kept: KeptState) -> Result<(), RepositoryError>;

    /// What is kept of a module, the last one put first.
    ///
    /// # Errors
    /// It can't be read.
    fn get(&self, module: &ModuleId) -> Result<Vec<KeptState>, RepositoryError>;
}

/// Keeps states for as long as the process lasts, [`VERSIONS_KEPT_MAX`] of each module.
#[derive(Debug, Default)]
pub struct MemoryRepository(BTreeMap<ModuleId, Vec<KeptState>>);

impl RepositoryStorage for MemoryRepository {
    fn put(&mut self, module: &ModuleId, kept: KeptState) -> Result<(), RepositoryError> {
        let states = self.0.entry(module.clone()).or_default();
        states.retain(|other| other.version != kept.version);
        states.insert(0, kept);
        states.truncate(VERSIONS_KEPT_MAX);
        Ok(())
    }

    fn get(&self, module: &ModuleId) -> Result<Vec<KeptState>, RepositoryError> {
        Ok(self.0.get(module).cloned().unwrap_or_default())
    }
}

/// Versions that can be made, the one that came last first.
#[derive(Debug, Default)]
pub(crate) struct Packages(BTreeMap<ModuleId, Vec<Package>>);

impl Packages {
    pub(crate) fn put(&mut self, package: Package) {
        let packages = self.0.entry(package.id.clone()).or_default();
        packages.retain(|other| other.version.number() != package.version.number());
        packages.insert(0, package);
        packages.truncate(VERSIONS_KEPT_MAX);
    }

    /// Adds a version behind those that came before.
    pub(crate) fn put_last(&mut self, package: Package) {
        let packages = self.0.entry(package.id.clone()).or_default();
        if packages.len() < VERSIONS_KEPT_MAX
            && packages.iter().all(|other| other.version.number() != package.version.number())
        {
            packages.push(package);
        }
    }

    pub(crate) fn versions_of(&self, module: &ModuleId) -> Vec<VersionNumber> {
        self.of(module).iter().map(|package| package.version.number()).collect()
    }

    pub(crate) fn of(&self, module: &ModuleId) -> &[Package] {
        self.0.get(module).map_or(&[], Vec::as_slice)
    }
}
