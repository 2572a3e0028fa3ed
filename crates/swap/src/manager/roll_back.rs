//! Going back to an earlier version, at any later time: a swap like any other, with the state mapped backwards or, if
//! that is asked for, as it was kept.

use super::{Installed, SwapManager, SwapReport, Turn, Wanted};
use crate::error::SwapError;
use crate::event::Cause;
use crate::journal::VersionNumber;
use crate::listening::{RollBackState, SwapOptions};
use crate::module::ModuleId;
use crate::package::Package;
use crate::security::{Action, Principal};
use crate::state::StateSet;
use crate::sync::lock;

use super::plan::{instantiate_for, path_of_states};

impl SwapManager {
    /// Goes back to earlier versions of modules, all or none.
    ///
    /// # Errors
    /// The present versions serve on, and why: a version that is not kept, a state that can't be mapped backwards.
    pub fn roll_back(
        &self,
        who: &Principal,
        to: &[(ModuleId, VersionNumber)],
        state: RollBackState,
        options: SwapOptions,
    ) -> Result<SwapReport, SwapError> {
        let mut turn = lock(&self.turn);
        for (id, version) in to {
            self.authorise(who, Action::RollBack(&package_of(&turn, id, *version)?))?;
        }
        self.go_back(&mut turn, to, state, (options, Cause::RollBack))
    }

    pub(super) fn go_back(
        &self,
        turn: &mut Turn,
        to: &[(ModuleId, VersionNumber)],
        state: RollBackState,
        (options, cause): (SwapOptions, Cause),
    ) -> Result<SwapReport, SwapError> {
        let mut wanted = Vec::new();
        for (id, version) in to {
            let package = package_of(turn, id, *version)?;
            let state = match state {
                RollBackState::Mapped => None,
                RollBackState::Kept => Some(kept_of(turn, id, *version)?),
                RollBackState::MappedOrKept if self.can_map_back(&package)? => None,
                RollBackState::MappedOrKept => Some(kept_of(turn, id, *version)?),
            };
            wanted.push(Wanted { package, state });
        }
        self.replace(turn, wanted, options, cause)
    }

    fn can_map_back(&self, package: &Package) -> Result<bool, SwapError> {
        let installed = lock(&self.modules).get(&package.id).cloned();
        let Installed { place, module, .. } = installed.ok_or_else(|| SwapError::Unknown(package.id.clone()))?;
        let candidate = instantiate_for(package, &*place)?;
        Ok(path_of_states(&package.id, &*module, &**candidate.module(), module.schema()).is_ok())
    }
}

fn package_of(turn: &Turn, id: &ModuleId, version: VersionNumber) -> Result<Package, SwapError> {
    let package = turn.packages.of(id).iter().find(|package| package.version.number() == version);
    package.cloned().ok_or_else(|| SwapError::NoVersion { module: id.clone(), version })
}

fn kept_of(turn: &Turn, id: &ModuleId, version: VersionNumber) -> Result<StateSet, SwapError> {
    let kept = turn.repository.get(id)?.into_iter().find(|kept| kept.version == version);
    kept.map(|kept| kept.state).ok_or_else(|| SwapError::NoState { module: id.clone(), version })
}
