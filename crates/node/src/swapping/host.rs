//! Modules, installed in the versions that they had when the process ended last, and the way to replace them.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use hamsa_store::Store;
use hamsa_swap::{
    Clock, Installation, JournalError, Kind, ModuleId, OnPanic, Package, Proxy, QueueIsFull, Request, Resources,
    Services, StateSet, SwapError, SwapManager, SwapReport, Ticket,
};

use super::catalogue::{is_named, shown};
use super::{Asker, Catalogue, FileJournal, Permissions, StoreRepository};

/// The kernel can't be hosted.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum HostError {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What a host needs.
pub struct HostOptions<'a> {
    /// Where the journal stands.
    pub data_dir: &'a Path,
    /// Where states are kept.
    pub store: Arc<Store>,
    /// Who may do what.
    pub permissions: Permissions,
}

type Hook = Box<dyn Fn() + Send + Sync>;

/// A module that can be installed while the process runs, and taken out again.
#[derive(Clone)]
pub struct Offer {
    /// Which.
    pub module: ModuleId,
    /// Installs it; what it says is why not.
    pub install: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// Takes it out by [`SwapManager::uninstall`]; what it says is why not.
    pub uninstall: Arc<dyn Fn() -> Result<SwapReport, String> + Send + Sync>,
}

/// The swap manager with all that it needs.
pub struct SwapHost {
    manager: SwapManager,
    catalogue: Catalogue,
    permissions: Permissions,
    /// Instants of reports become times of day by these.
    started: (Instant, SystemTime),
    waker: Mutex<Option<SyncSender<()>>>,
    hooks: Mutex<Vec<Hook>>,
    /// Modules that can be installed while the process runs.
    offers: Mutex<Vec<Offer>>,
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }
}

impl SwapHost {
    /// A host without modules, which knows from its journal which versions to install.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn open(options: HostOptions<'_>) -> Result<Self, HostError> {
        let HostOptions { data_dir, store, permissions } = options;
        let path = data_dir.join("swap.journal");
        let journal = FileJournal::open(&path).map_err(|source| HostError::File { path, source })?;
        let manager = SwapManager::new(Services {
            clock: Arc::new(SystemClock),
            authority: Box::new(permissions.clone()),
            journal: Box::new(journal),
            repository: Box::new(StoreRepository::new(store)),
        })?;
        Ok(SwapHost {
            manager,
            catalogue: Catalogue::default(),
            permissions,
            started: (Instant::now(), SystemTime::now()),
            waker: Mutex::default(),
            hooks: Mutex::default(),
            offers: Mutex::default(),
        })
    }

    /// Installs a module in the version that the last committed swap brought, else in the newest; the other versions
    /// can be swapped to.
    ///
    /// # Errors
    /// See [`SwapManager::install`].
    pub fn install<K: ?Sized + Kind>(
        &self,
        packages: Vec<Package>,
        state: Option<StateSet>,
    ) -> Result<Proxy<K>, SwapError> {
        self.install_lent(packages, state, Resources::default())
    }

    /// As [`SwapHost::install`], with something lent together with the state.
    ///
    /// # Errors
    /// See [`SwapManager::install`].
    pub fn install_lent<K: ?Sized + Kind>(
        &self,
        mut packages: Vec<Package>,
        state: Option<StateSet>,
        resources: Resources,
    ) -> Result<Proxy<K>, SwapError> {
        packages.sort_by_key(|package| package.version.number());
        packages.iter().for_each(|package| self.catalogue.add(package.clone()));
        let newest = packages.pop().ok_or(SwapError::Parts)?;
        // One that was taken out comes back as it went.
        let wanted = self.manager.last_version(&newest.id);
        let wanted = wanted.or_else(|| self.manager.recovered().versions.get(&newest.id).copied());
        let place = packages.iter().position(|package| Some(package.version.number()) == wanted);
        if let (Some(wanted), None) = (wanted, place)
            && wanted != newest.version.number()
        {
            let version = format!("{}.{}", wanted.0, wanted.1);
            tracing::warn!(module = %newest.id, version, "this version is there no more; the newest serves instead");
        }
        let first = match place {
            Some(place) => std::mem::replace(&mut packages[place], newest),
            None => newest,
        };
        let who = Asker::Host.principal();
        // A hostile message that makes a module panic must not take the module away from everybody.
        let how = Installation { on_panic: OnPanic::Keep, state, resources };
        let proxy = self.manager.install(&who, first, how)?;
        packages.into_iter().rev().try_for_each(|package| self.manager.register(&who, package))?;
        Ok(proxy)
    }

    /// Offers a module that is not installed yet.
    pub fn offer(&self, offer: Offer) {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner).push(offer);
    }

    /// Installs a module that is offered. To be called from outside of modules only.
    ///
    /// # Errors
    /// None of that name is offered, it is installed already, or it can't be installed.
    pub fn install_offered(&self, named: &str) -> Result<ModuleId, String> {
        let Offer { module, install, .. } = self.offered(named, "install")?;
        if self.manager.modules().iter().any(|other| other.id == module) {
            return Err(format!("{} is installed already", shown(&module)));
        }
        install().map(|()| module)
    }

    /// Takes a module out that was offered and installed. To be called from outside of modules only.
    ///
    /// # Errors
    /// None of that name is offered, it is not installed, or it serves on.
    pub fn uninstall_offered(&self, named: &str) -> Result<SwapReport, String> {
        let Offer { module, uninstall, .. } = self.offered(named, "take out")?;
        if !self.manager.modules().iter().any(|other| other.id == module) {
            return Err(format!("{} is not installed", shown(&module)));
        }
        uninstall()
    }

    fn offered(&self, named: &str, what_for: &str) -> Result<Offer, String> {
        let offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
        let found = offers.iter().find(|offer| is_named(&offer.module, named)).cloned();
        found.ok_or_else(|| {
            let names: Vec<String> = offers.iter().map(|offer| shown(&offer.module)).collect();
            format!("there is no module {named:?} to {what_for}; there are: {}", names.join(", "))
        })
    }

    /// The manager.
    pub fn manager(&self) -> &SwapManager {
        &self.manager
    }

    /// All versions that there are.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Who may do what.
    pub fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// The time of day at an instant.
    pub fn time_of_day(&self, at: Instant) -> SystemTime {
        let (instant, time) = self.started;
        time + at.saturating_duration_since(instant)
    }

    /// Asks for a swap, which the [`Attendant`](super::Attendant) does at once.
    ///
    /// # Errors
    /// Too many wait already.
    pub fn submit(&self, request: Request) -> Result<Ticket, QueueIsFull> {
        let ticket = self.manager.requests().submit(request)?;
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        // One wake-up is enough for all that wait; without an attendant the request waits for one.
        if let Some(Err(TrySendError::Disconnected(()))) = waker.as_ref().map(|waker| waker.try_send(())) {
            tracing::debug!("nobody attends to swaps any more");
        }
        Ok(ticket)
    }

    /// Has something done after each swap, and whenever [`SwapHost::settle`] is called.
    pub fn after_swaps(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(hook));
    }

    /// Brings what depends on versions up to date. To be called from outside of modules only.
    pub fn settle(&self) {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|hook| hook());
    }

    pub(super) fn wake_by(&self, waker: SyncSender<()>) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker);
    }
}
