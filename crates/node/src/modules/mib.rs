//! MIB modules (RFC 3411 §3.1.3.5's instrumentation): what an agent shows, in parts that can be replaced and extended.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hamsa_snmp::agent::{Keep, MibModule, SearchRange, SetBinding, SetError, SetId, SetRequest, StateError};
use hamsa_snmp::pdu::ErrorStatus;
use hamsa_snmp::{Oid, OidRef, VarBindBuf};
use hamsa_swap::{
    CallError, Candidate, Change, CriticalSection, CriticalSections, Kind, Module, ModuleError, ModuleId, Package,
    Phase, Proxy, Resources, Side, StateSet, Version, kind,
};

/// The name of the state's only object: what [`MibModule::save`] writes.
const STATE: &str = "objects";

/// Variables that a self-test reads at most: without rows no module has as many.
const SELF_TEST_VARIABLES_MAX: usize = 10_000;

/// See [`MibModule`].
#[kind("MIB module")]
pub trait MibModuleModule {
    /// The subtrees that it serves.
    #[typed_only]
    fn subtrees(&self) -> Result<Vec<Oid>, CallError>;

    /// Appends the variable of this name.
    #[typed_only]
    fn get(&self, now: Instant, name: OidRef<'_>, to: &mut VarBindBuf) -> Result<Result<(), ErrorStatus>, CallError>;

    /// Appends the first variable of a range.
    #[typed_only]
    fn get_next(
        &self,
        now: Instant,
        range: &SearchRange<'_>,
        to: &mut VarBindBuf,
    ) -> Result<Result<bool, ErrorStatus>, CallError>;

    /// Appends the first variables of a range, at most so many.
    #[typed_only]
    fn walk(
        &self,
        now: Instant,
        range: &SearchRange<'_>,
        max: usize,
        to: &mut VarBindBuf,
    ) -> Result<Result<usize, ErrorStatus>, CallError>;

    /// Tests its part of a SET and reserves what the commit needs.
    #[typed_only]
    fn test_set(&self, set: &SetRequest<'_>, bindings: &[SetBinding<'_>]) -> Result<Result<(), SetError>, CallError>;

    /// Makes what was tested take effect.
    #[typed_only]
    fn commit_set(&self, set: SetId) -> Result<Result<(), SetError>, CallError>;

    /// Takes a commit back.
    #[typed_only]
    fn undo_set(&self, set: SetId) -> Result<Result<(), ErrorStatus>, CallError>;

    /// Ends a SET.
    #[typed_only]
    fn cleanup_set(&self, set: SetId) -> Result<(), CallError>;

    /// How often the lasting state has changed.
    fn commits(&self) -> Result<u64, CallError>;

    /// Writes its state down.
    #[typed_only]
    fn save(&self, keep: Keep) -> Result<Vec<u8>, CallError>;

    /// Takes the place of an instance that saved this.
    #[typed_only]
    fn restore_state(&self, state: &[u8]) -> Result<Result<(), StateError>, CallError>;
}

/// A module with its version. From the test of a SET to its end it is not replaced.
struct Native {
    module: Arc<dyn MibModule>,
    version: Version,
    critical: CriticalSections,
    setting: Mutex<HashMap<SetId, CriticalSection>>,
}

impl Native {
    fn self_test(&self) -> Result<(), String> {
        for subtree in self.module.subtrees() {
            let mut at = subtree.clone();
            for _ in 0..SELF_TEST_VARIABLES_MAX {
                let start = at.as_oid();
                let range = SearchRange { start, is_start_included: start == subtree.as_oid(), end: None };
                let mut found = VarBindBuf::new();
                match self.module.get_next(Instant::now(), &range, &mut found) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(status) => return Err(format!("a walk of {subtree} ends with {status}")),
                }
                match found.as_list().iter().next().map(|found| found.name.to_owned()) {
                    Some(next) if next > at => at = next,
                    _ => return Err(format!("a walk of {subtree} does not get beyond {at}")),
                }
            }
        }
        Ok(())
    }

    fn setting(&self) -> MutexGuard<'_, HashMap<SetId, CriticalSection>> {
        self.setting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MibModuleModule for Native {
    fn subtrees(&self) -> Result<Vec<Oid>, CallError> {
        Ok(self.module.subtrees())
    }

    fn get(&self, now: Instant, name: OidRef<'_>, to: &mut VarBindBuf) -> Result<Result<(), ErrorStatus>, CallError> {
        Ok(self.module.get(now, name, to))
    }

    fn get_next(
        &self,
        now: Instant,
        range: &SearchRange<'_>,
        to: &mut VarBindBuf,
    ) -> Result<Result<bool, ErrorStatus>, CallError> {
        Ok(self.module.get_next(now, range, to))
    }

    fn walk(
        &self,
        now: Instant,
        range: &SearchRange<'_>,
        max: usize,
        to: &mut VarBindBuf,
    ) -> Result<Result<usize, ErrorStatus>, CallError> {
        Ok(self.module.walk(now, range, max, to))
    }

    fn test_set(&self, set: &SetRequest<'_>, bindings: &[SetBinding<'_>]) -> Result<Result<(), SetError>, CallError> {
        self.setting().insert(set.id, self.critical.enter());
        Ok(self.module.test_set(set, bindings))
    }

    fn commit_set(&self, set: SetId) -> Result<Result<(), SetError>, CallError> {
        Ok(self.module.commit_set(set))
    }

    fn undo_set(&self, set: SetId) -> Result<Result<(), ErrorStatus>, CallError> {
        Ok(self.module.undo_set(set))
    }

    fn cleanup_set(&self, set: SetId) -> Result<(), CallError> {
        self.module.cleanup_set(set);
        self.setting().remove(&set);
        Ok(())
    }

    fn commits(&self) -> Result<u64, CallError> {
        Ok(self.module.commits())
    }

    fn save(&self, keep: Keep) -> Result<Vec<u8>, CallError> {
        Ok(self.module.save(keep))
    }

    fn restore_state(&self, state: &[u8]) -> Result<Result<(), StateError>, CallError> {
        Ok(self.module.restore(state))
    }
}

impl Module for Native {
    fn version(&self) -> Version {
        self.version.clone()
    }

    fn phase(&self) -> Phase {
        self.critical.phase()
    }

    fn vote(&self, side: Side) -> Result<(), ModuleError> {
        match side {
            Side::New if self.version.minor > 0 => self.self_test().map_err(ModuleError::new),
            _ => Ok(()),
        }
    }

    fn retrieve(&self) -> Result<StateSet, ModuleError> {
        mib_state(self.module.save(Keep::All))
    }

    fn restore(&self, state: &StateSet, _: &Resources) -> Result<(), ModuleError> {
        let octets = state.blob(STATE).ok_or_else(|| ModuleError::new("the state has no objects"))?;
        self.module.restore(octets).map_err(ModuleError::new)
    }
}

/// A MIB module that can be replaced.
pub struct SwappableMib {
    name: String,
    subtrees: Vec<Oid>,
    proxy: Proxy<dyn MibModuleModule>,
}

impl SwappableMib {
    /// The module of this name. Its subtrees are those that its version serves now; after a swap that changes them it
    /// is registered anew.
    ///
    /// # Errors
    /// It does not serve.
    pub fn new(name: &str, proxy: Proxy<dyn MibModuleModule>) -> Result<Self, CallError> {
        Ok(SwappableMib { name: name.to_owned(), subtrees: proxy.subtrees()?, proxy })
    }

    /// The same, but for subtrees within these, which others serve.
    #[must_use]
    pub fn without(mut self, others: &[Oid]) -> Self {
        self.subtrees.retain(|subtree| !others.iter().any(|other| subtree.as_oid().starts_with(other.as_oid())));
        self
    }

    /// The way to it.
    pub fn proxy(&self) -> &Proxy<dyn MibModuleModule> {
        &self.proxy
    }
}

impl MibModule for SwappableMib {
    fn name(&self) -> &str {
        &self.name
    }

    fn subtrees(&self) -> Vec<Oid> {
        self.subtrees.clone()
    }

    fn get(&self, now: Instant, name: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        self.proxy.get(now, name, to).unwrap_or(Err(ErrorStatus::GEN_ERR))
    }

    fn get_next(&self, now: Instant, range: &SearchRange<'_>, to: &mut VarBindBuf) -> Result<bool, ErrorStatus> {
        self.proxy.get_next(now, range, to).unwrap_or(Err(ErrorStatus::GEN_ERR))
    }

    fn walk(
        &self,
        now: Instant,
        range: &SearchRange<'_>,
        max: usize,
        to: &mut VarBindBuf,
    ) -> Result<usize, ErrorStatus> {
        self.proxy.walk(now, range, max, to).unwrap_or(Err(ErrorStatus::GEN_ERR))
    }

    fn test_set(&self, set: &SetRequest<'_>, bindings: &[SetBinding<'_>]) -> Result<(), SetError> {
        let index = bindings.first().map_or(0, |binding| binding.index);
        let failed = SetError { status: ErrorStatus::RESOURCE_UNAVAILABLE, index };
        self.proxy.test_set(set, bindings).unwrap_or(Err(failed))
    }

    fn commit_set(&self, set: SetId) -> Result<(), SetError> {
        let failed = SetError { status: ErrorStatus::COMMIT_FAILED, index: 0 };
        self.proxy.commit_set(set).unwrap_or(Err(failed))
    }

    fn undo_set(&self, set: SetId) -> Result<(), ErrorStatus> {
        self.proxy.undo_set(set).unwrap_or(Err(ErrorStatus::UNDO_FAILED))
    }

    fn cleanup_set(&self, set: SetId) {
        // One that has failed holds nothing any more.
        let _ = self.proxy.cleanup_set(set);
    }

    fn commits(&self) -> u64 {
        self.proxy.commits().unwrap_or(0)
    }

    fn save(&self, keep: Keep) -> Vec<u8> {
        self.proxy.save(keep).unwrap_or_default()
    }

    fn restore(&self, state: &[u8]) -> Result<(), StateError> {
        self.proxy.restore_state(state).unwrap_or(Err(StateError::Truncated))
    }
}

/// What a MIB module has [saved](MibModule::save), as a state that it can be installed with.
///
/// # Errors
/// It is too long.
pub fn mib_state(saved: Vec<u8>) -> Result<StateSet, ModuleError> {
    let mut state = StateSet::new(1);
    state.commit([Change::put(STATE, saved)]).map_err(ModuleError::new)?;
    Ok(state)
}

/// A MIB module's version. From minor version 1 on it tests itself before it is let in: each of its subtrees must be
/// walked to the end.
pub fn mib_package(
    name: &str,
    version: Version,
    make: impl Fn() -> Arc<dyn MibModule> + Send + Sync + 'static,
) -> Package {
    let id = ModuleId::new(<dyn MibModuleModule>::NAME, name);
    Package::built_in(id, version.clone(), move || {
        let native = Native {
            module: make(),
            version: version.clone(),
            critical: CriticalSections::default(),
            setting: Mutex::default(),
        };
        Ok(Candidate::new::<dyn MibModuleModule, _>(native))
    })
}
