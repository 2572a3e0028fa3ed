//! The MIB of an agent: any number of [`MibModule`]s behind one [`Instrumentation`].
//!
//! Modules come and go while requests run. The longest registered subtree has a name (RFC 2741 §7.1.4.1 without its
//! priorities: two modules can't register the same). A module that panics, or breaks the rules of a walk, costs the
//! request `genErr`, and no other module anything.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use crate::agent::module::{MibModule, SearchRange, SetBinding, SetId, SetRequest};
use crate::agent::responder::{Instrumentation, Requester, SetError};
use crate::agent::segments::Segments;
use crate::limits::{MAX_MODULE_SUBTREES, MAX_VIEW_MODULES};
use crate::oid::{Oid, OidRef};
use crate::pdu::ErrorStatus;
use crate::value::Value;
use crate::varbind::{VarBindBuf, VarBindList};

/// Modules and who serves what.
#[derive(Default)]
pub struct MibView {
    registry: RwLock<Arc<Registry>>,
    /// Held during a SET and while modules are exchanged, so that none goes between test and cleanup. Counts SETs.
    setting: Mutex<u64>,
}

/// A module of a [`MibView`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModuleId(u64);

/// A module can't be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum RegisterError {
    #[error("subtree {subtree} is registered by {by} already")]
    Duplicate { subtree: Oid, by: String },
    #[error("module {0} registers no subtree")]
    NoSubtree(String),
    #[error("module {name} registers more than {MAX_MODULE_SUBTREES} subtrees")]
    TooManySubtrees { name: String },
    #[error("{MAX_VIEW_MODULES} modules are registered already")]
    TooManyModules,
    #[error("no such module")]
    NoSuchModule,
}

#[derive(Clone, Default)]
struct Registry {
    modules: Vec<Registered>,
    next_id: u64,
    segments: Segments,
}

#[derive(Clone)]
struct Registered {
    id: ModuleId,
    module: Arc<dyn MibModule>,
    subtrees: Vec<Oid>,
}

impl MibView {
    /// A view without modules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a module.
    pub fn add(&self, module: Arc<dyn MibModule>) -> Result<ModuleId, RegisterError> {
        self.change(|registry| {
            if registry.modules.len() >= MAX_VIEW_MODULES {
                return Err(RegisterError::TooManyModules);
            }
            let id = ModuleId(registry.next_id);
            registry.next_id += 1;
            registry.modules.push(registered(id, module)?);
            Ok(id)
        })
    }

    /// Puts a module in the place of another, whose subtrees it may serve or not; returns the old one. Requests that
    /// the old one has begun to answer end there.
    pub fn replace(&self, id: ModuleId, module: Arc<dyn MibModule>) -> Result<Arc<dyn MibModule>, RegisterError> {
        self.change(|registry| {
            let place = registry.modules.iter_mut().find(|module| module.id == id);
            let place = place.ok_or(RegisterError::NoSuchModule)?;
            Ok(std::mem::replace(place, registered(id, module)?).module)
        })
    }

    /// Removes a module.
    pub fn remove(&self, id: ModuleId) -> Result<Arc<dyn MibModule>, RegisterError> {
        self.change(|registry| {
            let place = registry.modules.iter().position(|module| module.id == id);
            Ok(registry.modules.remove(place.ok_or(RegisterError::NoSuchModule)?).module)
        })
    }

    /// The modules, in the order in which they were added.
    pub fn modules(&self) -> Vec<(ModuleId, Arc<dyn MibModule>)> {
        self.registry().modules.iter().map(|registered| (registered.id, registered.module.clone())).collect()
    }

    fn registry(&self) -> Arc<Registry> {
        self.registry.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Registry) -> Result<T, RegisterError>) -> Result<T, RegisterError> {
        let setting = self.setting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut registry = Registry::clone(&self.registry());
        let changed = change(&mut registry)?;
        registry.segments = registry.cut()?;
        *self.registry.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(registry);
        drop(setting);
        Ok(changed)
    }
}

fn registered(id: ModuleId, module: Arc<dyn MibModule>) -> Result<Registered, RegisterError> {
    let subtrees = module.subtrees();
    match subtrees.len() {
        0 => Err(RegisterError::NoSubtree(module.name().to_owned())),
        count if count > MAX_MODULE_SUBTREES => Err(RegisterError::TooManySubtrees { name: module.name().to_owned() }),
        _ => Ok(Registered { id, module, subtrees }),
    }
}

impl Registry {
    /// Who serves what: within a subtree, the subtrees below it are somebody else's.
    fn cut(&self) -> Result<Segments, RegisterError> {
        let of_module = |(i, module): (usize, &Registered)| {
            module.subtrees.iter().map(move |subtree| (subtree.clone(), i)).collect::<Vec<_>>()
        };
        let mut subtrees: Vec<(Oid, usize)> = self.modules.iter().enumerate().flat_map(of_module).collect();
        subtrees.sort();
        if let Some(pair) = subtrees.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let by = self.modules[pair[0].1].module.name().to_owned();
            return Err(RegisterError::Duplicate { subtree: pair[0].0.clone(), by });
        }
        Ok(Segments::cut(subtrees))
    }
}

impl Instrumentation for MibView {
    fn get(&self, now: Instant, name: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        let registry = self.registry();
        let Some(module) = registry.segments.owner(name) else {
            to.push(name, Value::NoSuchObject);
            return Ok(());
        };
        let (octets, count) = (to.octets(), to.len());
        let module = &registry.modules[module].module;
        let done = contained(|| module.get(now, name, to)).unwrap_or(Err(ErrorStatus::GEN_ERR));
        if done.is_ok() && (to.len() != count + 1 || to.last_from(octets).name != name) {
            return Err(ErrorStatus::GEN_ERR);
        }
        done.map_err(|_| ErrorStatus::GEN_ERR)
    }

    fn get_next(&self, now: Instant, after: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        self.walk(now, after, 1, to).map(drop)
    }

    fn walk(&self, now: Instant, after: OidRef<'_>, max: usize, to: &mut VarBindBuf) -> Result<usize, ErrorStatus> {
        let registry = self.registry();
        let (octets, count) = (to.octets(), to.len());
        for segment in registry.segments.from(after) {
            let start = segment.start.as_oid();
            let is_start_included = after < start;
            let start = if is_start_included { start } else { after };
            let range = SearchRange { start, is_start_included, end: segment.end.as_ref().map(Oid::as_oid) };
            let module = &registry.modules[segment.owner].module;
            match contained(|| module.walk(now, &range, max, to)) {
                Some(Ok(0)) if to.len() == count => {}
                Some(Ok(found))
                    if found <= max && to.len() == count + found && is_walk(&range, to.since(octets, count)) =>
                {
                    return Ok(found);
                }
                _ => return Err(ErrorStatus::GEN_ERR),
            }
        }
        to.push(after, Value::EndOfMibView);
        Ok(0)
    }

    fn set(&self, now: Instant, requester: Requester<'_>, varbinds: VarBindList<'_>) -> Result<(), SetError> {
        let mut counter = self.setting.lock().unwrap_or_else(PoisonError::into_inner);
        *counter += 1;
        let set = SetRequest { id: SetId(*counter), now, requester };
        let registry = self.registry();
        let mut parts: Vec<(usize, Vec<SetBinding<'_>>)> = Vec::new();
        let mut first_error: Option<SetError> = None;
        for (index, varbind) in varbinds.iter().enumerate() {
            let Some(module) = registry.segments.owner(varbind.name) else {
                first_error.get_or_insert(SetError { status: ErrorStatus::NOT_WRITABLE, index });
                continue;
            };
            let binding = SetBinding { index, name: varbind.name, value: varbind.value };
            match parts.iter_mut().find(|(known, _)| *known == module) {
                Some((_, bindings)) => bindings.push(binding),
                None => parts.push((module, vec![binding])),
            }
        }
        let modules: Vec<(&dyn MibModule, Vec<SetBinding<'_>>)> =
            parts.into_iter().map(|(module, bindings)| (&*registry.modules[module].module, bindings)).collect();
        let done = run(&set, &modules, first_error);
        for (module, _) in &modules {
            // A module that fails here has nothing left to lose.
            let _ = contained(|| module.cleanup_set(set.id));
        }
        drop(counter);
        done
    }
}

/// Whether all names are in the range, and each is behind the one before.
fn is_walk(range: &SearchRange<'_>, found: VarBindList<'_>) -> bool {
    let mut names = found.iter().map(|varbind| varbind.name);
    let Some(first) = names.next().filter(|&first| range.contains(first)) else { return false };
    let mut last = first;
    names.all(|name| std::mem::replace(&mut last, name) < name) && range.end.is_none_or(|end| last < end)
}

/// Tests, then commits or undoes.
fn run(
    set: &SetRequest<'_>,
    modules: &[(&dyn MibModule, Vec<SetBinding<'_>>)],
    mut first_error: Option<SetError>,
) -> Result<(), SetError> {
    for (module, bindings) in modules {
        let panicked = SetError { status: ErrorStatus::GEN_ERR, index: bindings[0].index };
        let tested = contained(|| module.test_set(set, bindings)).unwrap_or(Err(panicked));
        // The error of the first variable counts (RFC 3416 §4.2.5), and all modules have theirs.
        if let Err(error) = tested
            && first_error.is_none_or(|first| error.index < first.index)
        {
            first_error = Some(error);
        }
    }
    if let Some(error) = first_error {
        return Err(error);
    }
    for (at, (module, bindings)) in modules.iter().enumerate() {
        if let Some(Ok(())) = contained(|| module.commit_set(set.id)) {
            continue;
        }
        // The one that failed may have got half-way.
        for (module, _) in modules[..=at].iter().rev() {
            if contained(|| module.undo_set(set.id)) != Some(Ok(())) {
                first_error = Some(SetError { status: ErrorStatus::UNDO_FAILED, index: 0 });
            }
        }
        return Err(first_error.unwrap_or(SetError { status: ErrorStatus::COMMIT_FAILED, index: bindings[0].index }));
    }
    Ok(())
}

/// Runs what a module does; `None` where it panics. Modules keep their locks usable after a panic, or fail again.
fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}
