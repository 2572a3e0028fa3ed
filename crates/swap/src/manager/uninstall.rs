//! Taking a module out: a transaction like a swap, at the end of which nobody serves. Calls under way end, the state is
//! kept, and callers that still hold the proxy are refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::plan::check_dependencies;
use super::{Installed, Part, SwapManager, SwapReport, Turn, settle_doubt};
use crate::error::SwapError;
use crate::event::{Cause, Happening};
use crate::listening::SwapOptions;
use crate::module::{Module, ModuleId};
use crate::security::{Action, Principal};
use crate::sync::lock;

impl SwapManager {
    /// Takes a module out. Its last state is in the repository ([`SwapManager::kept_states`]), so that it can be installed
    /// again with it.
    ///
    /// # Errors
    /// It serves on, and why: it may not be, there is none, another module needs it, calls did not end in time.
    pub fn uninstall(&self, who: &Principal, id: &ModuleId, options: SwapOptions) -> Result<SwapReport, SwapError> {
        let mut turn = lock(&self.turn);
        let installed = lock(&self.modules).get(id).cloned();
        let Installed { place, module, package, .. } = installed.ok_or_else(|| SwapError::Unknown(id.clone()))?;
        self.authorise(who, Action::Uninstall(&package))?;
        if place.is_inside() {
            return Err(SwapError::FromInside(id.clone()));
        }
        let mut resulting: BTreeMap<ModuleId, Arc<dyn Module>> = self.present();
        resulting.remove(id);
        check_dependencies(&resulting)?;
        settle_doubt(&mut turn)?;
        let part = Part {
            place,
            old: Arc::clone(&module),
            new: module,
            spare: None,
            is_replaced: false,
            path: Vec::new(),
            given: None,
            retrieved: None,
            is_state_lost: false,
            leaves: true,
        };
        self.transact(&mut turn, (vec![part], vec![package]), options, Cause::Uninstall)
    }

    /// Forgets a module that has been taken out, but not its versions and states.
    pub(super) fn take_out(&self, turn: &mut Turn, report: &SwapReport) {
        turn.watches.retain(|watch| !watch.is_of_any(&report.changes));
        for change in &report.changes {
            if let Some(gone) = lock(&self.modules).remove(&change.module) {
                self.tell(Happening::Uninstalled { module: change.module.clone(), version: gone.package.version });
            }
        }
    }
}
