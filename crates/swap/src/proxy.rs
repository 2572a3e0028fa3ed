//! The proxy: the only handle that clients of a module ever hold. It stays while modules come and go.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::call::{CallError, patience};
use crate::gate::{Closable, Gate, Quiet, Refused};
use crate::kind::{Holds, Kind, Signature};
use crate::limits::QUEUE_MAX;
use crate::module::{Module, ModuleId};
use crate::sync::lock;
use crate::value::DynValue;

/// Calls modules of kind `K`, a trait object type, and implements that trait itself. Clones lead to the same module.
pub struct Proxy<K: ?Sized> {
    inner: Arc<Inner<K>>,
}

struct Inner<K: ?Sized> {
    id: ModuleId,
    gate: Gate<Installed<K>>,
    panics: AtomicU64,
    last_panic: Mutex<Option<String>>,
    bars_on_panic: AtomicBool,
}

/// A module in its place.
pub(crate) struct Installed<K: ?Sized> {
    behaviour: Arc<K>,
    module: Arc<dyn Module>,
    /// Bit by bit, which of the kind's methods this version has.
    serves: u64,
}

/// A module that is ready to be put in place: made of whatever implements the kind's trait and [`Module`].
pub struct Candidate {
    kind: &'static str,
    module: Arc<dyn Module>,
    /// An `Installed<K>`.
    installed: Box<dyn Any + Send>,
}

/// What a call meets. For the code that [`kind`](crate::kind) makes.
#[doc(hidden)]
pub enum Target<'a, K: ?Sized> {
    /// The version has the method.
    Serves(&'a K),
    /// It does not.
    Lacks(&'a dyn Module),
}

/// What a proxy's module did since it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// Calls served.
    pub calls: u64,
    /// Those of them that the module answered with an error.
    pub errors: u64,
    /// Those that panicked.
    pub panics: u64,
    /// Callers that wait at its gate now.
    pub queued: usize,
}

/// A proxy of any kind, as the swap manager sees it.
pub(crate) trait Place: Any + Send + Sync {
    fn id(&self) -> &ModuleId;
    fn gate(&self) -> &dyn Closable;
    /// Whether it is a module for this place.
    fn fits(&self, candidate: &Candidate) -> bool;
    /// Puts a module that fits in place, and gives back the one that was there.
    fn replace(&self, quiet: &Quiet<'_>, candidate: Candidate) -> Candidate;
    /// Refuses calls until the module is replaced.
    fn bar(&self);
    /// Whether a panic is to do that.
    fn bar_on_panic(&self, does: bool);
    /// Whether the calling thread is inside of a call.
    fn is_inside(&self) -> bool;
    fn health(&self) -> Health;
    fn last_panic(&self) -> Option<String>;
    fn signatures(&self) -> Vec<Signature>;
}

impl Candidate {
    /// Of a module of kind `K`: `Candidate::new::<dyn Counter>(module)`.
    pub fn new<K: ?Sized + Holds<M>, M: Module>(module: M) -> Self {
        let module = Arc::new(module);
        let behaviour = K::hold(Arc::clone(&module));
        let lacks = module.lacks();
        let serves = K::signatures().iter().enumerate().filter(|(_, method)| !lacks.contains(&method.name.as_ref()));
        let serves = serves.fold(0, |serves, (index, _)| serves | 1 << index);
        let installed = Installed { behaviour, module: Arc::clone(&module) as Arc<dyn Module>, serves };
        Candidate { kind: K::NAME, module, installed: Box::new(installed) }
    }

    /// The module.
    pub fn module(&self) -> &Arc<dyn Module> {
        &self.module
    }

    /// The name of its kind.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    fn of<K: ?Sized + Kind>(installed: Installed<K>) -> Self {
        Candidate { kind: K::NAME, module: Arc::clone(&installed.module), installed: Box::new(installed) }
    }
}

impl<K: ?Sized + Kind> Proxy<K> {
    /// A proxy of a module that serves from now on; `None` if it is not of this kind.
    pub(crate) fn new(id: ModuleId, candidate: Candidate) -> Option<Self> {
        let installed = candidate.installed.downcast::<Installed<K>>().ok()?;
        let gate = Gate::new(*installed, QUEUE_MAX);
        let (panics, last_panic, bars_on_panic) = Default::default();
        let inner = Inner { id, gate, panics, last_panic, bars_on_panic };
        Some(Proxy { inner: Arc::new(inner) })
    }

    pub(crate) fn place(&self) -> Arc<dyn Place> {
        Arc::clone(&self.inner) as Arc<dyn Place>
    }

    pub(crate) fn of_place(place: Arc<dyn Place>) -> Option<Self> {
        let place: Arc<dyn Any + Send + Sync> = place;
        Some(Proxy { inner: place.downcast().ok()? })
    }

    /// Which module it leads to.
    pub fn id(&self) -> &ModuleId {
        &self.inner.id
    }

    /// The methods that the module has now: those of the kind that it serves, and its own.
    ///
    /// # Errors
    /// The module can't be asked.
    pub fn signatures(&self) -> Result<Vec<Signature>, CallError> {
        self.enter(|installed| Ok(installed.signatures()))
    }

    /// Calls a method by its name: one of the kind, or one that only the version that serves now has. What
    /// neither is gets to the module's `does_not_understand`.
    ///
    /// # Errors
    /// The module can't be called, the arguments don't fit, or what the method answers.
    pub fn call_by_name(&self, method: &str, arguments: Vec<DynValue>) -> Result<DynValue, CallError> {
        self.enter(|installed| {
            let index = K::signatures().iter().position(|signature| signature.name == method);
            match index {
                Some(index) if installed.serves & 1 << index != 0 => installed.behaviour.dispatch(index, arguments),
                Some(_) => installed.module.does_not_understand(method, arguments),
                None => {
                    let is_extra = installed.module.extra_signatures().iter().any(|extra| extra.name == method);
                    if !is_extra {
                        return installed.module.does_not_understand(method, arguments);
                    }
                    let missing = || Err(CallError::NotUnderstood { method: method.to_owned() });
                    installed.module.call_extra(method, arguments).unwrap_or_else(missing)
                }
            }
        })
    }

    /// Calls method `index` of the kind. For the code that [`kind`](crate::kind) makes.
    ///
    /// # Errors
    /// What the method answers, or a [`CallError`].
    #[doc(hidden)]
    #[inline]
    pub fn call<R, E: From<CallError>>(
        &self,
        index: usize,
        call: impl FnOnce(Target<'_, K>) -> Result<R, E>,
    ) -> Result<R, E> {
        self.enter(|installed| {
            if installed.serves & 1 << index != 0 {
                call(Target::Serves(&installed.behaviour))
            } else {
                call(Target::Lacks(&*installed.module))
            }
        })
    }

    #[inline]
    fn enter<R, E: From<CallError>>(&self, call: impl FnOnce(&Installed<K>) -> Result<R, E>) -> Result<R, E> {
        let inner = &*self.inner;
        match inner.gate.call(patience, |installed| catch_unwind(AssertUnwindSafe(|| call(installed)))) {
            Ok(Ok(Ok(result))) => Ok(result),
            Ok(Ok(Err(error))) => {
                inner.gate.count_error();
                Err(error)
            }
            Ok(Err(panic)) => Err(inner.panicked(&*panic).into()),
            Err(refused) => Err(inner.refused(refused).into()),
        }
    }
}

impl<K: ?Sized> Installed<K>
where
    K: Kind,
{
    fn signatures(&self) -> Vec<Signature> {
        let served = K::signatures().iter().enumerate().filter(|(index, _)| self.serves & 1 << index != 0);
        served.map(|(_, signature)| signature.clone()).chain(self.module.extra_signatures()).collect()
    }
}

impl<K: ?Sized> Inner<K> {
    #[cold]
    fn panicked(&self, panic: &(dyn Any + Send)) -> CallError {
        let message = message_of(panic);
        *lock(&self.last_panic) = Some(message.clone());
        self.panics.fetch_add(1, Ordering::Release);
        if self.bars_on_panic.load(Ordering::Acquire) {
            self.gate.bar();
        }
        CallError::Panicked { module: self.id.clone(), message }
    }

    #[cold]
    fn refused(&self, refused: Refused) -> CallError {
        let module = self.id.clone();
        match refused {
            Refused::Waited => CallError::Waited { module },
            Refused::QueueFull => CallError::QueueFull { module },
            Refused::Barred => CallError::Failed { module },
            Refused::NoSlot => CallError::Thread { module },
        }
    }
}

impl<K: ?Sized + Kind> Place for Inner<K> {
    fn id(&self) -> &ModuleId {
        &self.id
    }

    fn gate(&self) -> &dyn Closable {
        &self.gate
    }

    fn fits(&self, candidate: &Candidate) -> bool {
        candidate.installed.is::<Installed<K>>()
    }

    fn replace(&self, quiet: &Quiet<'_>, candidate: Candidate) -> Candidate {
        match candidate.installed.downcast::<Installed<K>>() {
            Ok(installed) => Candidate::of(self.gate.replace(quiet, *installed)),
            Err(_) => unreachable!("the swap manager asks whether a module fits before it closes a gate"),
        }
    }

    fn bar(&self) {
        self.gate.bar();
    }

    fn bar_on_panic(&self, does: bool) {
        self.bars_on_panic.store(does, Ordering::Release);
    }

    fn is_inside(&self) -> bool {
        self.gate.is_inside()
    }

    fn health(&self) -> Health {
        Health {
            calls: self.gate.calls(),
            errors: self.gate.errors(),
            panics: self.panics.load(Ordering::Acquire),
            queued: self.gate.queued(),
        }
    }

    fn last_panic(&self) -> Option<String> {
        lock(&self.last_panic).clone()
    }

    fn signatures(&self) -> Vec<Signature> {
        let ask = |installed: &Installed<K>| catch_unwind(AssertUnwindSafe(|| installed.signatures()));
        self.gate.call(patience, ask).ok().and_then(Result::ok).unwrap_or_default()
    }
}

impl<K: ?Sized> Clone for Proxy<K> {
    fn clone(&self) -> Self {
        Proxy { inner: Arc::clone(&self.inner) }
    }
}

impl<K: ?Sized> fmt::Debug for Proxy<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({})", self.inner.id)
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Candidate({} {})", self.kind, self.module.version())
    }
}

/// What a panic said.
pub(crate) fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without words").to_owned()
}
