//! A kind of module to measure, and a host for it. What is measured, the benches say.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hamsa_swap::{
    Abort, Action, Authority, CallError, Candidate, Change, Clock, Denied, Installation, MemoryJournal,
    MemoryRepository, Module, ModuleError, ModuleId, Package, Principal, Proxy, Resources, Services, StateSet,
    SwapError, SwapManager, SwapOptions, Version, kind,
};

/// Octets of the module's state, as issue and paper speak of a module of a management agent.
pub const STATE_OCTETS: usize = 64 << 10;

/// As little as a module can do, and a little more.
#[kind("work")]
pub trait Work {
    /// Next to nothing: what a call of it costs is the call.
    fn nothing(&self, value: u64) -> Result<u64, Unavailable>;
    /// Changes the state.
    fn touch(&self, value: u64) -> Result<u64, Unavailable>;
}

/// The module can't be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unavailable;

impl From<CallError> for Unavailable {
    fn from(_: CallError) -> Self {
        Unavailable
    }
}

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("unavailable")
    }
}

/// A module with [`STATE_OCTETS`] of state.
pub struct Worker {
    minor: u32,
    state: Mutex<Vec<u8>>,
}

impl Worker {
    /// Of version 1 and this minor one.
    pub fn new(minor: u32) -> Self {
        Worker { minor, state: Mutex::new(vec![0; STATE_OCTETS]) }
    }
}

impl Work for Worker {
    #[inline(never)]
    fn nothing(&self, value: u64) -> Result<u64, Unavailable> {
        Ok(value.wrapping_mul(3))
    }

    fn touch(&self, value: u64) -> Result<u64, Unavailable> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let at = value as usize % STATE_OCTETS;
        state[at] = state[at].wrapping_add(1);
        Ok(state[at].into())
    }
}

impl Module for Worker {
    fn version(&self) -> Version {
        Version::new(1, self.minor, "measured")
    }

    fn retrieve(&self) -> Result<StateSet, ModuleError> {
        let mut state = StateSet::new(1);
        let octets = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.commit([Change::put("work", &octets[..])]).map_err(ModuleError::new)?;
        Ok(state)
    }

    fn restore(&self, state: &StateSet, _: &Resources) -> Result<(), ModuleError> {
        let octets = state.blob("work").ok_or_else(|| ModuleError::new("no state"))?;
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = octets.to_vec();
        Ok(())
    }
}

/// The version 1 with this minor number.
pub fn package(minor: u32) -> Package {
    let id = ModuleId::new("work", "measured");
    Package::built_in(id, Version::new(1, minor, "measured"), move || {
        Ok(Candidate::new::<dyn Work, _>(Worker::new(minor)))
    })
}

/// Who asks for all that is measured.
pub fn operator() -> Principal {
    Principal("bench".to_owned())
}

/// A manager with one module.
///
/// # Errors
/// The module can't be installed.
pub fn host() -> Result<(SwapManager, Proxy<dyn Work>), SwapError> {
    let manager = SwapManager::new(Services {
        clock: Arc::new(RealTime),
        authority: Box::new(Everybody),
        journal: Box::new(MemoryJournal::default()),
        repository: Box::new(MemoryRepository::default()),
    })?;
    let proxy = manager.install(&operator(), package(0), Installation::default())?;
    Ok((manager, proxy))
}

/// Swaps; how long the gate was closed. A swap past its budget is taken back, which a machine with too much to do
/// brings about, and asked for once more: all of its time counts as closed, and `aborted` counts it.
///
/// # Errors
/// It fails for another reason, or more than [`ABORTS_MAX`] times.
pub fn swap(manager: &SwapManager, minor: u32, aborted: &AtomicU64) -> Result<Duration, SwapError> {
    let mut in_vain = Duration::ZERO;
    loop {
        let start = Instant::now();
        match manager.swap(&operator(), vec![package(minor)], SwapOptions::default()) {
            Err(SwapError::Aborted { abort: Abort::Budget { .. }, .. })
                if aborted.fetch_add(1, Ordering::Relaxed) < ABORTS_MAX =>
            {
                in_vain += start.elapsed();
            }
            done => return Ok(in_vain + done?.blackout),
        }
    }
}

/// Swaps of one run that may be taken back: of thousands these are few, whatever else the machine does.
pub const ABORTS_MAX: u64 = 100;

struct RealTime;

impl Clock for RealTime {
    fn now(&self) -> Instant {
        Instant::now()
    }
}

struct Everybody;

impl Authority for Everybody {
    fn authorise(&self, _: &Principal, _: Action<'_>) -> Result<(), Denied> {
        Ok(())
    }
}
