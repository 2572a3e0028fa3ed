//! The swap manager: knows all modules and their proxies, and is the only one who closes gates (invariant S4). One swap
//! goes on at a time, on the thread that asks for it; calls go on meanwhile, and so does whoever looks at [`SwapManager::modules`].

mod attend;
mod participants;
mod plan;
mod roll_back;
mod uninstall;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::error::SwapError;
use crate::event::{Cause, Events, Happening, Observer};
use crate::gate::Round;
use crate::journal::{Change, Entry, Journal, JournalError, Recovered, VersionNumber, recover};
use crate::kind::{Kind, Signature};
use crate::limits::{HISTORY_MAX, MODULES_MAX, PARTS_MAX};
use crate::listening::{RequestQueue, SwapOptions};
use crate::module::{Dependency, Module, ModuleError, ModuleId, Phase, Resources, Version};
use crate::package::Package;
use crate::proxy::{Health, Place, Proxy};
use crate::repository::{KeptState, Packages, RepositoryStorage};
use crate::security::{Action, Authority, Principal};
use crate::state::StateSet;
use crate::sync::lock;
use crate::timing::Clock;
use crate::transaction::{Abort, End, Transaction, drive};

pub use attend::ATTEND_EVERY;
use attend::Watch;
use participants::{Part, Swap, guarded, map};
use plan::{check_dependencies, closing_order, instantiate, instantiate_for, path_of_states};

/// What the host provides.
pub struct Services {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Who may do what.
    pub authority: Box<dyn Authority>,
    /// Where transactions are written down.
    pub journal: Box<dyn Journal>,
    /// Where states are kept.
    pub repository: Box<dyn RepositoryStorage>,
}

/// What is done about a module that panicked. A single call's panic is its caller's error in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnPanic {
    /// It serves on.
    #[default]
    Keep,
    /// It serves no more, at once; callers are refused until it is replaced.
    Bar,
    /// The version before takes its place.
    RollBack,
    /// It is made again, with the last state that was kept of it.
    Restart,
}

/// How a module is installed.
#[derive(Debug, Clone, Default)]
pub struct Installation {
    /// What is done when it panics.
    pub on_panic: OnPanic,
    /// A state to begin with, of its schema or of one that its mappings lead from; without, it begins as it is made.
    pub state: Option<StateSet>,
    /// What it is lent, together with the state.
    pub resources: Resources,
}

/// What came of a swap that was done, or of a dry run that found nothing against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwapReport {
    /// The transaction's number.
    pub transaction: u64,
    /// Why.
    pub cause: Cause,
    /// What it changed. A module that was taken out comes from and to one version.
    pub changes: Vec<Change>,
    /// Modules that got a state that was kept earlier: what happened to them since is lost.
    pub state_lost: Vec<ModuleId>,
    /// How it ended.
    pub end: End,
    /// From the closing of the first gate to the opening of the last.
    pub blackout: Duration,
    /// How often gates were closed until all modules were where they may be replaced.
    pub attempts: u32,
    /// When it ended.
    pub at: Instant,
}

/// What there is to know about a module.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleInfo {
    /// Which.
    pub id: ModuleId,
    /// Its version.
    pub version: Version,
    /// Where the version comes from.
    pub origin: String,
    /// What it calls.
    pub dependencies: Vec<Dependency>,
    /// Where it is.
    pub phase: Phase,
    /// The schema of its state.
    pub schema: u32,
    /// Whether it panicked since it came.
    pub has_failed: bool,
    /// What is done when it panics.
    pub on_panic: OnPanic,
    /// What this version did since it came.
    pub health: Health,
    /// The versions that can be gone back to, the last one first; the present one among them.
    pub versions: Vec<VersionNumber>,
}

/// Replaces modules of a running program.
pub struct SwapManager {
    clock: Arc<dyn Clock>,
    authority: Box<dyn Authority>,
    events: Events,
    requests: RequestQueue,
    recovered: Recovered,
    /// Held for as long as a swap takes.
    turn: Mutex<Turn>,
    /// Held for moments only, never while a module is called.
    modules: Mutex<BTreeMap<ModuleId, Installed>>,
    history: Mutex<VecDeque<SwapReport>>,
}

/// What belongs to whoever is swapping.
struct Turn {
    journal: Box<dyn Journal>,
    repository: Box<dyn RepositoryStorage>,
    packages: Packages,
    last_transaction: u64,
    /// A transaction that was aborted although its commit may be in the journal.
    in_doubt: Option<(u64, String)>,
    watches: Vec<Watch>,
}

#[derive(Clone)]
struct Installed {
    place: Arc<dyn Place>,
    module: Arc<dyn Module>,
    package: Package,
    on_panic: OnPanic,
    versions: Vec<VersionNumber>,
    /// When this version came.
    baseline: Health,
    /// Panics that were attended to.
    panics_seen: u64,
    restarts: u32,
}

/// A version that is to take a module's place.
struct Wanted {
    package: Package,
    /// Instead of the present state.
    state: Option<StateSet>,
}

impl SwapManager {
    /// A manager without modules.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn new(services: Services) -> Result<Self, JournalError> {
        let Services { clock, authority, mut journal, repository } = services;
        let recovered = recover(&journal.entries()?);
        let turn = Turn {
            journal,
            repository,
            packages: Packages::default(),
            last_transaction: recovered.last_transaction,
            in_doubt: None,
            watches: Vec::new(),
        };
        Ok(SwapManager {
            clock,
            authority,
            events: Events::default(),
            requests: RequestQueue::default(),
            recovered,
            turn: Mutex::new(turn),
            modules: Mutex::default(),
            history: Mutex::default(),
        })
    }

    /// What the journal said: which version of each module is to be installed.
    pub fn recovered(&self) -> &Recovered {
        &self.recovered
    }

    /// Where requests are put that [`SwapManager::attend`] takes.
    pub fn requests(&self) -> RequestQueue {
        self.requests.clone()
    }

    /// Hears of what happens from now on. Of events not read, the last `capacity` are there.
    pub fn observe(&self, capacity: usize) -> Observer {
        self.events.observe(capacity)
    }

    /// Puts a module where there is none, and lets it serve.
    ///
    /// # Errors
    /// It may not be, is not what the package says, lacks what it needs, or does not take the state.
    pub fn install<K: ?Sized + Kind>(
        &self,
        who: &Principal,
        package: Package,
        how: Installation,
    ) -> Result<Proxy<K>, SwapError> {
        let mut turn = lock(&self.turn);
        self.authorise(who, Action::Install(&package))?;
        let id = package.id.clone();
        let mut modules = self.present();
        match modules.len() {
            _ if modules.contains_key(&id) => return Err(SwapError::Exists(id)),
            MODULES_MAX.. => return Err(SwapError::TooMany),
            _ => {}
        }
        let failed = |error: ModuleError| SwapError::Instantiate { module: id.clone(), reason: error.0 };
        let candidate = instantiate(&package)?;
        let module = Arc::clone(candidate.module());
        modules.insert(id.clone(), Arc::clone(&module));
        check_dependencies(&modules)?;
        if let Some(state) = how.state {
            let path = path_of_states(&id, &*module, &*module, state.schema())?;
            let state = map(&path, state).map_err(failed)?;
            guarded(|| module.restore(&state, &how.resources)).map_err(failed)?;
        }
        let proxy = Proxy::<K>::new(id.clone(), candidate);
        let proxy =
            proxy.ok_or_else(|| failed(ModuleError("the package makes a module of another kind".to_owned())))?;
        guarded(|| {
            module.committed();
            Ok(())
        })
        .map_err(failed)?;
        let place = proxy.place();
        place.bar_on_panic(how.on_panic == OnPanic::Bar);
        turn.packages.put(package.clone());
        let version = package.version.clone();
        let installed = Installed {
            place,
            module,
            package,
            on_panic: how.on_panic,
            versions: turn.packages.versions_of(&id),
            baseline: Health::default(),
            panics_seen: 0,
            restarts: 0,
        };
        lock(&self.modules).insert(id.clone(), installed);
        self.tell(Happening::Installed { module: id, version });
        Ok(proxy)
    }

    /// Makes a version known that can be gone back to, as those are after a restart that served before it.
    ///
    /// # Errors
    /// It may not be.
    pub fn register(&self, who: &Principal, package: Package) -> Result<(), SwapError> {
        self.authorise(who, Action::Install(&package))?;
        let mut turn = lock(&self.turn);
        let id = package.id.clone();
        turn.packages.put_last(package);
        let versions = turn.packages.versions_of(&id);
        if let Some(installed) = lock(&self.modules).get_mut(&id) {
            installed.versions = versions;
        }
        Ok(())
    }

    /// The proxy of a module; `None` if there is none of that name and kind.
    pub fn proxy<K: ?Sized + Kind>(&self, name: &str) -> Option<Proxy<K>> {
        let modules = lock(&self.modules);
        Proxy::of_place(Arc::clone(&modules.get(&ModuleId::new(K::NAME, name))?.place))
    }

    /// Replaces modules by the versions of these packages, all or none.
    ///
    /// # Errors
    /// The old versions serve on, and why.
    pub fn swap(&self, who: &Principal, packages: Vec<Package>, options: SwapOptions) -> Result<SwapReport, SwapError> {
        let mut turn = lock(&self.turn);
        packages.iter().try_for_each(|package| self.authorise(who, Action::Swap(package)))?;
        let wanted = packages.into_iter().map(|package| Wanted { package, state: None }).collect();
        self.replace(&mut turn, wanted, options, Cause::Swap)
    }

    /// The version that served last, of a module that is or was installed.
    pub fn last_version(&self, id: &ModuleId) -> Option<VersionNumber> {
        lock(&self.turn).packages.versions_of(id).first().copied()
    }

    /// All modules, in order of their names.
    pub fn modules(&self) -> Vec<ModuleInfo> {
        let modules: Vec<(ModuleId, Installed)> =
            lock(&self.modules).iter().map(|(id, installed)| (id.clone(), installed.clone())).collect();
        modules.into_iter().map(|(id, installed)| installed.info(id)).collect()
    }

    /// The methods that a module has now.
    pub fn signatures(&self, id: &ModuleId) -> Option<Vec<Signature>> {
        let place = Arc::clone(&lock(&self.modules).get(id)?.place);
        Some(place.signatures())
    }

    /// What swaps came to, the last one first.
    pub fn history(&self) -> Vec<SwapReport> {
        lock(&self.history).iter().cloned().collect()
    }

    /// The states that are kept of a module's versions, the last one first.
    ///
    /// # Errors
    /// The repository can't be read.
    pub fn kept_states(&self, id: &ModuleId) -> Result<Vec<KeptState>, SwapError> {
        Ok(lock(&self.turn).repository.get(id)?)
    }

    /// Keeps the present state of a module, for a restart. The module must be able to say it while it is called.
    ///
    /// # Errors
    /// There is no such module, or its state can't be retrieved or kept.
    pub fn keep_state(&self, id: &ModuleId) -> Result<StateSet, SwapError> {
        let mut turn = lock(&self.turn);
        let module = lock(&self.modules).get(id).map(|installed| Arc::clone(&installed.module));
        let module = module.ok_or_else(|| SwapError::Unknown(id.clone()))?;
        let retrieved = guarded(|| Ok((module.version().number(), module.retrieve()?)));
        let (version, state) =
            retrieved.map_err(|error| SwapError::Instantiate { module: id.clone(), reason: error.0 })?;
        turn.repository.put(id, KeptState { version, state: state.clone() })?;
        Ok(state)
    }

    /// Plans a swap and does it.
    fn replace(
        &self,
        turn: &mut Turn,
        wanted: Vec<Wanted>,
        options: SwapOptions,
        cause: Cause,
    ) -> Result<SwapReport, SwapError> {
        let result = self.plan(turn, wanted).and_then(|plan| self.transact(turn, plan, options, cause));
        if let Err(error) = &result
            && !matches!(error, SwapError::Aborted { .. })
        {
            self.tell(Happening::Refused { reason: error.to_string() });
        }
        result
    }

    /// Instantiates the new versions, sees whether they fit, and brings them into the order in which gates close.
    fn plan(&self, turn: &mut Turn, wanted: Vec<Wanted>) -> Result<(Vec<Part>, Vec<Package>), SwapError> {
        let mut parts = BTreeMap::new();
        let mut resulting = self.present();
        let count = wanted.len();
        for Wanted { package, state } in wanted {
            let id = package.id.clone();
            let installed = lock(&self.modules).get(&id).cloned();
            let Installed { place, module: old, .. } = installed.ok_or_else(|| SwapError::Unknown(id.clone()))?;
            if place.is_inside() {
                return Err(SwapError::FromInside(id));
            }
            let candidate = instantiate_for(&package, &*place)?;
            let new = Arc::clone(candidate.module());
            let from = match &state {
                Some(state) => state.schema(),
                None => old.schema(),
            };
            let path = path_of_states(&id, &*old, &*new, from)?;
            resulting.insert(id.clone(), Arc::clone(&new));
            let part = Part {
                place,
                old,
                new,
                spare: Some(candidate),
                is_replaced: false,
                path,
                given: state,
                retrieved: None,
                is_state_lost: false,
                leaves: false,
            };
            parts.insert(id, (part, package));
        }
        if parts.len() != count || !(1..=PARTS_MAX).contains(&count) {
            return Err(SwapError::Parts);
        }
        check_dependencies(&resulting)?;
        settle_doubt(turn)?;
        let calls = |part: &Part| {
            let dependencies = part.old.dependencies().into_iter().chain(part.new.dependencies());
            dependencies.map(|dependency| dependency.on).collect::<Vec<_>>()
        };
        let order = closing_order(&parts.iter().map(|(id, (part, _))| (id.clone(), calls(part))).collect());
        Ok(order.iter().filter_map(|id| parts.remove(id)).unzip())
    }

    fn transact(
        &self,
        turn: &mut Turn,
        (parts, packages): (Vec<Part>, Vec<Package>),
        options: SwapOptions,
        cause: Cause,
    ) -> Result<SwapReport, SwapError> {
        turn.last_transaction += 1;
        let number = turn.last_transaction;
        let change = |part: &Part| Change {
            module: part.place.id().clone(),
            from: part.old.version().number(),
            to: part.new.version().number(),
        };
        let changes: Vec<Change> = parts.iter().map(change).collect();
        let versions = packages.iter().map(|package| (package.id.clone(), package.version.clone())).collect();
        self.tell(Happening::Began { transaction: number, modules: versions });
        let places: Vec<Arc<dyn Place>> = parts.iter().map(|part| Arc::clone(&part.place)).collect();
        let modules: Vec<Arc<dyn Module>> = parts.iter().map(|part| Arc::clone(&part.new)).collect();
        let mut transaction = Transaction::new(self.clock.now(), number, changes, options.timing, options.dry_run);
        let mut swap = Swap {
            transaction: number,
            parts,
            round: Round::new(places.iter().map(|place| place.gate()).collect()),
            journal: &mut *turn.journal,
            repository: &mut *turn.repository,
            events: &self.events,
            clock: &*self.clock,
            looks: 0,
            in_doubt: false,
        };
        let end = drive(&mut transaction, &mut swap, &*self.clock);
        let in_doubt = swap.in_doubt;
        let lost = swap.parts.iter().filter(|part| part.is_state_lost && end == End::Committed);
        let state_lost: Vec<ModuleId> = lost.map(|part| part.place.id().clone()).collect();
        drop(swap);
        let report = SwapReport {
            transaction: number,
            cause: cause.clone(),
            state_lost: state_lost.clone(),
            changes: transaction.changes().to_vec(),
            end: end.clone(),
            blackout: transaction.blackout(),
            attempts: transaction.attempts(),
            at: self.clock.now(),
        };
        self.remember(report.clone());
        match end {
            End::Committed => {
                if cause == Cause::Uninstall {
                    self.take_out(turn, &report);
                } else {
                    self.take_over(turn, modules, packages, &report, options);
                }
                let blackout = report.blackout;
                self.tell(Happening::Committed { transaction: number, blackout, cause, state_lost });
                Ok(report)
            }
            End::Aborted(abort) => {
                if in_doubt {
                    turn.in_doubt = Some((number, abort.to_string()));
                }
                self.tell(Happening::Aborted { transaction: number, reason: abort.to_string() });
                if abort == Abort::DryRun { Ok(report) } else { Err(SwapError::Aborted { transaction: number, abort }) }
            }
        }
    }

    /// Notes which modules serve now.
    fn take_over(
        &self,
        turn: &mut Turn,
        new: Vec<Arc<dyn Module>>,
        packages: Vec<Package>,
        report: &SwapReport,
        options: SwapOptions,
    ) {
        turn.watches.retain(|watch| !watch.is_of_any(&report.changes));
        let mut baselines = Vec::new();
        for (package, module) in packages.into_iter().zip(new) {
            turn.packages.put(package.clone());
            let versions = turn.packages.versions_of(&package.id);
            if let Some(installed) = lock(&self.modules).get_mut(&package.id) {
                let baseline = installed.place.health();
                if installed.package.version.number() != package.version.number() {
                    installed.restarts = 0;
                }
                installed.module = module;
                installed.package = package;
                installed.versions = versions;
                installed.baseline = baseline;
                installed.panics_seen = baseline.panics;
                baselines.push(baseline);
            }
        }
        if let Some(probation) = options.probation {
            turn.watches.push(Watch::new(report, probation, baselines));
        }
    }

    fn remember(&self, report: SwapReport) {
        let mut history = lock(&self.history);
        history.push_front(report);
        history.truncate(HISTORY_MAX);
    }

    fn present(&self) -> BTreeMap<ModuleId, Arc<dyn Module>> {
        let modules = lock(&self.modules);
        modules.iter().map(|(id, installed)| (id.clone(), Arc::clone(&installed.module))).collect()
    }

    fn authorise(&self, who: &Principal, action: Action<'_>) -> Result<(), SwapError> {
        self.authority.authorise(who, action).map_err(|denied| {
            self.tell(Happening::Denied { who: who.0.clone(), reason: format!("{action:?}: {denied}") });
            SwapError::Denied(denied)
        })
    }

    fn tell(&self, what: Happening) {
        self.events.tell(self.clock.now(), what);
    }
}

/// Takes a commit back that may be in the journal although its transaction was aborted.
fn settle_doubt(turn: &mut Turn) -> Result<(), JournalError> {
    if let Some((transaction, reason)) = turn.in_doubt.clone() {
        turn.journal.append(&Entry::Abort { transaction, reason })?;
        turn.in_doubt = None;
    }
    Ok(())
}

impl Installed {
    /// What this version did since it came.
    fn health(&self) -> Health {
        let now = self.place.health();
        Health {
            calls: now.calls.saturating_sub(self.baseline.calls),
            errors: now.errors.saturating_sub(self.baseline.errors),
            panics: now.panics.saturating_sub(self.baseline.panics),
            queued: now.queued,
        }
    }

    fn info(self, id: ModuleId) -> ModuleInfo {
        let health = self.health();
        let Installed { module, package, on_panic, versions, .. } = self;
        let said = guarded(|| Ok((module.dependencies(), module.phase(), module.schema())));
        let broken = Phase { name: "broken", swappable: false };
        let (dependencies, phase, schema) = said.unwrap_or((Vec::new(), broken, 0));
        ModuleInfo {
            id,
            version: package.version,
            origin: package.origin,
            dependencies,
            phase,
            schema,
            has_failed: health.panics > 0,
            on_panic,
            health,
            versions,
        }
    }
}

impl std::fmt::Debug for SwapManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SwapManager").field("modules", &self.modules().len()).finish_non_exhaustive()
    }
}
