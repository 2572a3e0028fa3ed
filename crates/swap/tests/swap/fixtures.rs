//! A kind with modules of several versions, and what a host provides.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use hamsa_swap::{
    Action, Authority, CallError, Candidate, Change, Clock, CriticalSections, Denied, Dependency, DynValue,
    Installation, Kind, Mapping, MemoryJournal, MemoryRepository, Module, ModuleError, ModuleId, Package, Phase,
    Principal, Proxy, Resources, Rule, Services, Side, Signature, StateSet, SwapManager, Version, kind,
};

/// Counts.
#[kind("counter")]
pub trait Counter {
    /// Adds, and says the sum.
    fn add(&self, by: u64) -> Result<u64, CounterError>;
    /// Begins again.
    #[removable]
    fn reset(&self) -> Result<(), CounterError>;
    /// Puts the sum behind the text, and says how long that is.
    fn write(&self, prefix: &str, out: &mut String) -> Result<usize, CounterError>;
}

/// What later versions of counters have besides.
#[kind("counter extras")]
pub trait CounterExtras {
    /// Subtracts, and says what is left.
    fn subtract(&self, by: u64) -> Result<u64, CounterError>;
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CounterError {
    #[error("{0} is too much")]
    TooMuch(u64),
    #[error(transparent)]
    Call(#[from] CallError),
}

/// What makes one version differ from another, and what a test wants it to do.
#[derive(Clone)]
pub struct Traits {
    pub version: (u32, u32),
    pub schema: u32,
    pub mappings: Vec<Mapping>,
    pub lacks: &'static [&'static str],
    pub has_extras: bool,
    pub dependencies: Vec<Dependency>,
    pub votes_no: bool,
    pub refuses_state: bool,
    pub switches: Arc<Switches>,
}

/// Turned by a test while the module runs.
#[derive(Default)]
pub struct Switches {
    pub panics: AtomicBool,
    pub fails: AtomicBool,
    pub cleaned_up: AtomicU64,
    pub aborted: AtomicU64,
    pub critical: CriticalSections,
    /// Called inside of `add`.
    pub inside: Mutex<Option<Arc<dyn Fn() + Send + Sync>>>,
}

pub struct Native {
    traits: Traits,
    sum: AtomicU64,
    adopted: Mutex<Resources>,
}

impl Traits {
    pub fn of(major: u32, minor: u32) -> Self {
        Traits {
            version: (major, minor),
            schema: 1,
            mappings: Vec::new(),
            lacks: &[],
            has_extras: false,
            dependencies: Vec::new(),
            votes_no: false,
            refuses_state: false,
            switches: Arc::default(),
        }
    }

    pub fn package(self, name: &str) -> Package {
        let version = Version::new(self.version.0, self.version.1, "a test's");
        Package::built_in(ModuleId::new("counter", name), version, move || {
            let module = Native { adopted: Mutex::default(), traits: self.clone(), sum: AtomicU64::new(0) };
            Ok(Candidate::new::<dyn Counter, _>(module))
        })
    }
}

impl Module for Native {
    fn version(&self) -> Version {
        Version::new(self.traits.version.0, self.traits.version.1, "a test's")
    }
    fn lacks(&self) -> &[&'static str] {
        self.traits.lacks
    }
    fn dependencies(&self) -> Vec<Dependency> {
        self.traits.dependencies.clone()
    }
    fn phase(&self) -> Phase {
        self.traits.switches.critical.phase()
    }
    fn schema(&self) -> u32 {
        self.traits.schema
    }
    fn mappings(&self) -> Vec<Mapping> {
        self.traits.mappings.clone()
    }
    fn vote(&self, side: Side) -> Result<(), ModuleError> {
        match side {
            Side::New if self.traits.votes_no => Err(ModuleError::new("not today")),
            _ => Ok(()),
        }
    }
    fn retrieve(&self) -> Result<StateSet, ModuleError> {
        let mut state = StateSet::new(self.traits.schema);
        let name = if self.traits.schema == 1 { "sum" } else { "total" };
        let sum = self.sum.load(Ordering::Acquire).to_be_bytes();
        state.commit([Change::put(name, sum)]).map_err(ModuleError::new)?;
        Ok(state)
    }
    fn restore(&self, state: &StateSet, resources: &Resources) -> Result<(), ModuleError> {
        if self.traits.refuses_state {
            return Err(ModuleError::new("no taste for it"));
        }
        let name = if self.traits.schema == 1 { "sum" } else { "total" };
        let sum = state.blob(name).and_then(|sum| (&**sum).try_into().ok());
        let sum = sum.ok_or_else(|| ModuleError::new("a sum has 8 octets"))?;
        self.sum.store(u64::from_be_bytes(sum), Ordering::Release);
        *self.adopted.lock().unwrap() = resources.clone();
        Ok(())
    }
    fn resources(&self) -> Resources {
        self.adopted.lock().unwrap().clone()
    }
    fn aborted(&self, _: Side) {
        self.traits.switches.aborted.fetch_add(1, Ordering::AcqRel);
    }
    fn cleanup(&self) {
        self.traits.switches.cleaned_up.fetch_add(1, Ordering::AcqRel);
    }
    fn does_not_understand(&self, method: &str, arguments: Vec<DynValue>) -> Result<DynValue, CallError> {
        match method {
            // What was `write` is done with nothing now.
            "write" => Ok(DynValue::List(vec![DynValue::Unsigned(0), arguments[1].clone()])),
            "nonsense" => Ok(DynValue::Text(format!("{} arguments", arguments.len()))),
            _ => Err(CallError::NotUnderstood { method: method.to_owned() }),
        }
    }
    fn extra_signatures(&self) -> Vec<Signature> {
        if self.traits.has_extras { <dyn CounterExtras>::signatures().to_vec() } else { Vec::new() }
    }
    fn call_extra(&self, method: &str, arguments: Vec<DynValue>) -> Option<Result<DynValue, CallError>> {
        (self as &dyn CounterExtras).dispatch_named(method, arguments)
    }
}

impl Counter for Native {
    fn add(&self, by: u64) -> Result<u64, CounterError> {
        let switches = &self.traits.switches;
        let inside = switches.inside.lock().unwrap().clone();
        if let Some(inside) = inside {
            inside();
        }
        assert!(!switches.panics.load(Ordering::Acquire), "a test wants it");
        if switches.fails.load(Ordering::Acquire) {
            return Err(CounterError::TooMuch(by));
        }
        Ok(self.sum.fetch_add(by, Ordering::AcqRel) + by)
    }
    fn reset(&self) -> Result<(), CounterError> {
        self.sum.store(0, Ordering::Release);
        Ok(())
    }
    fn write(&self, prefix: &str, out: &mut String) -> Result<usize, CounterError> {
        out.push_str(&format!("{prefix}{}", self.sum.load(Ordering::Acquire)));
        Ok(out.len())
    }
}

impl CounterExtras for Native {
    fn subtract(&self, by: u64) -> Result<u64, CounterError> {
        let less = |sum: u64| sum.checked_sub(by);
        let before = self.sum.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        before.map(|before| before - by).map_err(|_| CounterError::TooMuch(by))
    }
}

/// From schema 1 to 2 and back: the sum has another name.
pub fn both_ways() -> Vec<Mapping> {
    vec![
        Mapping::rules(1, 2, [Rule::rename("sum", "total"), Rule::default("note", *b"new in 2")]),
        Mapping::rules(2, 1, [Rule::rename("total", "sum"), Rule::drop("note")]),
    ]
}

pub struct RealTime;

impl Clock for RealTime {
    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// Lets everybody do everything, but for `nobody`.
pub struct AllButNobody;

impl Authority for AllButNobody {
    fn authorise(&self, who: &Principal, _: Action<'_>) -> Result<(), Denied> {
        if who.0 == "nobody" { Err(Denied("nobody may do nothing".to_owned())) } else { Ok(()) }
    }
}

pub fn services() -> Services {
    Services {
        clock: Arc::new(RealTime),
        authority: Box::new(AllButNobody),
        journal: Box::new(MemoryJournal::default()),
        repository: Box::new(MemoryRepository::default()),
    }
}

pub fn manager() -> SwapManager {
    SwapManager::new(services()).unwrap()
}

pub fn someone() -> Principal {
    Principal("someone".to_owned())
}

pub fn install(manager: &SwapManager, package: Package) -> Proxy<dyn Counter> {
    manager.install(&someone(), package, Installation::default()).unwrap()
}
