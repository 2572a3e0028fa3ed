//! Modules, installed in the versions that they had when the process ended last, and the way to replace them.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use hamsa_store::Store;
use hamsa_swap::{
    Clock, Installation, JournalError, Kind, OnPanic, Package, Proxy, QueueIsFull, Request, Services, StateSet,
    SwapError, SwapManager, Ticket,
};

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

/// The swap manager with all that it needs.
pub struct SwapHost {
    manager: SwapManager,
    catalogue: Catalogue,
    permissions: Permissions,
    /// Instants of reports become times of day by these.
    started: (Instant, SystemTime),
    waker: Mutex<Option<SyncSender<()>>>,
    hooks: Mutex<Vec<Hook>>,
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
        })
    }

    /// Installs a module in the version that the last committed swap brought, else in the newest; the other versions
    /// can be swapped to.
    ///
    /// # Errors
    /// See [`SwapManager::install`].
    pub fn install<K: ?Sized + Kind>(
        &self,
        mut packages: Vec<Package>,
        state: Option<StateSet>,
    ) -> Result<Proxy<K>, SwapError> {
        packages.sort_by_key(|package| package.version.number());
        packages.iter().for_each(|package| self.catalogue.add(package.clone()));
        let newest = packages.pop().ok_or(SwapError::Parts)?;
        let wanted = self.manager.recovered().versions.get(&newest.id);
        let place = packages.iter().position(|package| Some(&package.version.number()) == wanted);
        if let (Some(wanted), None) = (wanted, place)
            && *wanted != newest.version.number()
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
        let how = Installation { on_panic: OnPanic::Keep, state, ..Installation::default() };
        let proxy = self.manager.install(&who, first, how)?;
        packages.into_iter().rev().try_for_each(|package| self.manager.register(&who, package))?;
        Ok(proxy)
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
