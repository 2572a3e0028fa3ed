//! The hot-swap kernel: replaces modules of a running program, one or many in one transaction, with their state, and
//! loses no call. After *Software hot-swapping* (its S-Modules, S-Proxies and Swap Manager); where that paper ends, this goes on.
//!
//! It leaves out: transport of packages and requests (the host puts [`Request`]s into a queue), signatures of packages
//! (the host checks them before it makes a [`Package`]), disks (the host gives a [`Journal`] and a [`RepositoryStorage`]), clocks
//! and threads (the host's).
//!
//! # Words
//! - A *kind* is a trait with the attribute [`kind`]. It says how modules of that kind behave.
//! - A *module* is a value of a type that implements the kind's trait and [`Module`]: its version, its state, its votes.
//! - A *proxy*, [`Proxy<dyn Kind>`](Proxy), is what clients hold. It implements the kind's trait too, and stays for ever.
//! - A *package* is a version that can be made ([`Package`]); a [`Candidate`] is one that was made and does not serve yet.
//! - The [`SwapManager`] installs modules, swaps them, and takes versions back.
//!
//! # A kind, a module, a swap
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU64, Ordering};
//! use hamsa_swap::*;
//!
//! #[kind("counter")]
//! pub trait Counter {
//!     fn add(&self, by: u64) -> Result<u64, CallError>;
//! }
//!
//! struct Native { minor: u32, sum: AtomicU64 }
//!
//! impl Counter for Native {
//!     fn add(&self, by: u64) -> Result<u64, CallError> {
//!         Ok(self.sum.fetch_add(by, Ordering::AcqRel) + by)
//!     }
//! }
//!
//! impl Module for Native {
//!     fn version(&self) -> Version {
//!         Version::new(1, self.minor, "counts")
//!     }
//!     fn retrieve(&self) -> Result<StateSet, ModuleError> {
//!         let mut state = StateSet::new(1);
//!         let sum = self.sum.load(Ordering::Acquire).to_be_bytes();
//!         state.commit([Change::put("sum", sum)]).map_err(ModuleError::new)?;
//!         Ok(state)
//!     }
//!     fn restore(&self, state: &StateSet, _: &Resources) -> Result<(), ModuleError> {
//!         let sum = state.blob("sum").and_then(|sum| (&**sum).try_into().ok());
//!         let sum = sum.ok_or_else(|| ModuleError::new("a sum has 8 octets"))?;
//!         self.sum.store(u64::from_be_bytes(sum), Ordering::Release);
//!         Ok(())
//!     }
//! }
//!
//! fn package(minor: u32) -> Package {
//!     Package::built_in(ModuleId::new("counter", "requests"), Version::new(1, minor, "counts"), move || {
//!         Ok(Candidate::new::<dyn Counter, _>(Native { minor, sum: AtomicU64::new(0) }))
//!     })
//! }
//!
//! # struct RealTime;
//! # impl Clock for RealTime { fn now(&self) -> std::time::Instant { std::time::Instant::now() } }
//! # struct Everybody;
//! # impl Authority for Everybody { fn authorise(&self, _: &Principal, _: Action<'_>) -> Result<(), Denied> { Ok(()) } }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = SwapManager::new(Services {
//!     clock: Arc::new(RealTime),
//!     authority: Box::new(Everybody),
//!     journal: Box::new(MemoryJournal::default()),
//!     repository: Box::new(MemoryRepository::default()),
//! })?;
//! let me = Principal("operator".to_owned());
//! let counter: Proxy<dyn Counter> = manager.install(&me, package(0), Installation::default())?;
//! counter.add(40)?;
//! let report = manager.swap(&me, vec![package(1)], SwapOptions::default())?;
//! assert_eq!(counter.add(2)?, 42);
//! println!("nobody was served for {:?}", report.blackout);
//! # Ok(())
//! # }
//! ```
//!
//! # A call
//! It enters through the module's gate, runs on one version, and leaves. An open gate costs a fence and two stores into a
//! slot of the thread's own. At a closed gate the caller waits in order, no longer than [`with_patience`] says. A panic inside becomes
//! [`CallError::Panicked`], which is why each method of a kind returns a `Result` whose error is `From<CallError>`.
//! After a swap a caller meets one of three cases: the same method; a method that the new version
//! [lacks](Module::lacks), whose arguments then get to [`Module::does_not_understand`]; a method that only the new version has, which is called by name
//! ([`Proxy::call_by_name`]) as [`Proxy::signatures`] describe it.
//!
//! A call may call other modules, and those call back. While a set of modules is being replaced, a thread that is inside of one of
//! them passes the gates of all of them: so calls in circles come to their end. What can't be seen is a call that waits for
//! *another* thread which calls one of them; that swap is aborted when its budget is over, and no call is lost.
//!
//! # A swap
//! [`transaction`] has the steps as a state machine, without threads, clock and modules; the manager does them to real modules, the
//! simulation in `tests/simulation` to a model of them.
//!
//! 1. The authority is asked, the new versions are made, dependencies and paths of mappings are looked up. The gates are open.
//! 2. The journal gets `Begin`. Old and new versions vote; they may take time. Modules in a critical section are waited for.
//! 3. The gates close, callers before those whom they call. Running calls leave.
//! 4. The states are retrieved, mapped, and given to the new versions, with the resources lent.
//! 5. The journal gets `Commit`: the point of no return. From 3 to here the budget holds; past it, or if anything fails, the
//!    gates open to the old versions.
//! 6. The new modules are put in place, the gates open. Then the old ones clean up, their states are kept, and the journal gets `Done`.
//!
//! # Failures
//! | what | what follows |
//! |---|---|
//! | a no-vote, a state that does not map, a slow drain, a full journal | abort; the old versions serve on; the modules hear it |
//! | the process dies before `Commit` was written | [`SwapManager::recovered`] has the old versions |
//! | it dies later | it has the new versions, of all modules of the transaction |
//! | a call panics | its caller gets an error; [`OnPanic`] says whether the module serves on, is barred, goes back, or is made again |
//! | a new version panics or errs too often on [probation](Probation) | all modules of its transaction go back, by themselves |
//! | a module panics while it votes, gives or takes state, or cleans up | as if it had returned an error |
//!
//! # State
//! [`StateSet`] is the one form of state: what swaps map ([`Mapping`]), rollback restores, the store keeps and groups
//! replicate. What must not exist twice (sockets, salts, timers) is no state but a resource of the host's that modules are [lent](Resources).
//!
//! # Invariants
//! - S1 A call is served wholly by one version, and none is lost, doubled, or reordered for its caller.
//! - S2 A transaction is done to all of its modules or to none; after any failure the old versions serve on.
//! - S3 While gates are closed there is only draining, retrieving and mapping, within the budget.
//! - S4 Only the manager closes gates, and it makes only what the authority lets pass.
//! - S5 State survives: mapped from any earlier version that rules lead from, kept for going back.

mod call;
mod error;
mod event;
mod gate;
pub mod journal;
mod kind;
pub mod limits;
mod listening;
mod manager;
pub mod mapping;
mod module;
mod package;
mod proxy;
mod repository;
mod security;
pub mod state;
mod sync;
mod timing;
pub mod transaction;
mod value;

pub use call::{CallError, with_patience};
pub use error::SwapError;
pub use event::{Cause, Event, Happening, Observer};
pub use hamsa_swap_macros::kind;
pub use journal::{Journal, JournalError, MemoryJournal, VersionNumber};
pub use kind::{Holds, Kind, Parameter, Signature};
pub use listening::{Answer, Probation, QueueIsFull, Request, RequestQueue, RollBackState, SwapOptions, Ticket};
pub use manager::{ATTEND_EVERY, Installation, ModuleInfo, OnPanic, Services, SwapManager, SwapReport};
pub use mapping::{Mapping, MappingError, Rule};
pub use module::{
    CriticalSection, CriticalSections, Dependency, Module, ModuleError, ModuleId, Phase, Resources, Side, Version,
};
pub use package::{Make, Package};
pub use proxy::{Candidate, Health, Proxy};
pub use repository::{KeptState, MemoryRepository, RepositoryError, RepositoryStorage};
pub use security::{Action, Authority, Denied, KERNEL, Principal};
pub use state::{Change, DecodeError, Delta, Log, Object, StateError, StateSet};
pub use timing::{Clock, Timing};
pub use transaction::{Abort, End};
pub use value::{DynType, DynValue, Dynamic};

#[doc(hidden)]
pub use kind::{Arguments, answer, rarely};
#[doc(hidden)]
pub use proxy::Target;
