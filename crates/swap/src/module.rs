//! What a module is to the kernel, whatever its kind: the paper's S-Module (its sections 3.2 and 4.1).

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::call::CallError;
use crate::kind::Signature;
use crate::mapping::Mapping;
use crate::state::StateSet;
use crate::value::DynValue;

/// Which module: it stays the same through all its versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleId {
    /// The kind's name.
    pub kind: String,
    /// Its own name among those of its kind.
    pub name: String,
}

impl ModuleId {
    /// The module `name` of kind `kind`.
    pub fn new(kind: impl Into<String>, name: impl Into<String>) -> Self {
        ModuleId { kind: kind.into(), name: name.into() }
    }
}

impl fmt::Display for ModuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// A version of a module.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Changes when clients or states of earlier versions no longer fit.
    pub major: u32,
    /// Changes with everything else.
    pub minor: u32,
    /// What changed since the version before, for people.
    pub note: String,
}

impl Version {
    /// A version with what changed in it.
    pub fn new(major: u32, minor: u32, note: impl Into<String>) -> Self {
        Version { major, minor, note: note.into() }
    }

    /// Without the note.
    pub fn number(&self) -> (u32, u32) {
        (self.major, self.minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A module that another one calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Which.
    pub on: ModuleId,
    /// Its major version.
    pub major: u32,
    /// Its least minor version.
    pub minor: u32,
}

impl Dependency {
    /// On `on`, of version `major` and at least `minor`.
    pub fn new(on: ModuleId, major: u32, minor: u32) -> Self {
        Dependency { on, major, minor }
    }

    /// Whether `version` of the module will do.
    pub fn is_met_by(&self, version: &Version) -> bool {
        version.major == self.major && version.minor >= self.minor
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}.{} or a later {}", self.on, self.major, self.minor, self.major)
    }
}

/// One of a module's finitely many states, as far as others need to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    /// For people.
    pub name: &'static str,
    /// Whether it may be replaced while in it.
    pub swappable: bool,
}

impl Phase {
    /// Nothing is going on that would be lost.
    pub const IDLE: Phase = Phase { name: "idle", swappable: true };
}

/// Stretches over several calls in which a module must not be replaced, as from the test to the commit of a SET.
/// A module keeps one of these and says [`CriticalSections::phase`] as its own phase.
#[derive(Debug, Clone, Default)]
pub struct CriticalSections(Arc<AtomicUsize>);

/// One such stretch; dropped, it is over.
#[derive(Debug)]
pub struct CriticalSection(Arc<AtomicUsize>);

impl CriticalSections {
    /// Begins one. To be called inside of a call: the gate then keeps it from beginning during a swap.
    pub fn enter(&self) -> CriticalSection {
        self.0.fetch_add(1, Ordering::AcqRel);
        CriticalSection(Arc::clone(&self.0))
    }

    /// Not swappable while one goes on.
    pub fn phase(&self) -> Phase {
        match self.0.load(Ordering::Acquire) {
            0 => Phase::IDLE,
            _ => Phase { name: "in a critical section", swappable: false },
        }
    }
}

impl Drop for CriticalSection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a module holds besides its state: sockets, timers, counters of the host. The old version lends them to the new one by
/// name; both hold them until the swap is decided, and the one that goes drops its part.
#[derive(Clone, Default)]
pub struct Resources(BTreeMap<String, Arc<dyn Any + Send + Sync>>);

impl Resources {
    /// Adds one, or replaces the one of that name.
    pub fn insert<T: Send + Sync + 'static>(&mut self, name: impl Into<String>, resource: Arc<T>) {
        self.0.insert(name.into(), resource);
    }

    /// The one of that name and type.
    pub fn get<T: Send + Sync + 'static>(&self, name: &str) -> Option<Arc<T>> {
        Arc::clone(self.0.get(name)?).downcast().ok()
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// Which side of a swap a module is asked to vote for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It serves, and would be replaced.
    Old,
    /// It would replace the other.
    New,
}

/// A module does not do what it was asked for, and why not. A swap is aborted by it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ModuleError(pub String);

impl ModuleError {
    /// For any error of the module's own.
    pub fn new(reason: impl fmt::Display) -> Self {
        ModuleError(reason.to_string())
    }
}

/// What every module does, besides what its kind does. It is called from many threads, and starts none that
/// outlive a call: what a thread of its own did while the gate is closed would be lost in the swap.
pub trait Module: Send + Sync + 'static {
    /// Which version of the module it is.
    fn version(&self) -> Version;

    /// Methods of its kind that this version does not have; callers get to [`Module::does_not_understand`].
    fn lacks(&self) -> &[&'static str] {
        &[]
    }

    /// The modules that it calls, which must be there before it serves.
    fn dependencies(&self) -> Vec<Dependency> {
        Vec::new()
    }

    /// Where it is among its finitely many states.
    fn phase(&self) -> Phase {
        Phase::IDLE
    }

    /// The schema of the states that it keeps and takes.
    fn schema(&self) -> u32 {
        1
    }

    /// How states of other schemas become ones of its own, and back. See [`Mapping`].
    fn mappings(&self) -> Vec<Mapping> {
        Vec::new()
    }

    /// Whether it agrees to a swap. Asked before any gate is closed, so it may take its time and get things ready.
    ///
    /// # Errors
    /// Why not.
    fn vote(&self, side: Side) -> Result<(), ModuleError> {
        let _ = side;
        Ok(())
    }

    /// Its state. In a swap no call is inside.
    ///
    /// # Errors
    /// Why it can't be had.
    fn retrieve(&self) -> Result<StateSet, ModuleError>;

    /// Takes over where another version left. It does not serve yet.
    ///
    /// # Errors
    /// What is wrong with the state.
    fn restore(&self, state: &StateSet, resources: &Resources) -> Result<(), ModuleError>;

    /// What it holds besides its state and lends to a version that replaces it.
    fn resources(&self) -> Resources {
        Resources::default()
    }

    /// The swap is committed, and it is the one that serves from now on.
    fn committed(&self) {}

    /// The swap that it agreed to will not be. The old version serves on, the new one is dropped.
    fn aborted(&self, side: Side) {
        let _ = side;
    }

    /// It was replaced: lets go of what it holds.
    fn cleanup(&self) {}

    /// A method was called that this version does not have.
    ///
    /// # Errors
    /// [`CallError::NotUnderstood`], unless the module knows better.
    fn does_not_understand(&self, method: &str, arguments: Vec<DynValue>) -> Result<DynValue, CallError> {
        let _ = arguments;
        Err(CallError::NotUnderstood { method: method.to_owned() })
    }

    /// The methods that this version has besides those of its kind.
    fn extra_signatures(&self) -> Vec<Signature> {
        Vec::new()
    }

    /// Calls one of [`Module::extra_signatures`]; `None` if it is none of them.
    fn call_extra(&self, method: &str, arguments: Vec<DynValue>) -> Option<Result<DynValue, CallError>> {
        let _ = (method, arguments);
        None
    }
}
