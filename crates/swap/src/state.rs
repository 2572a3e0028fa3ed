//! The one state model: what swaps map, rollback restores, the store keeps and groups replicate.
//!
//! A [`StateSet`] is named objects, each a blob or an append log, with the number of the schema that gives them meaning
//! and a counter of commits. It changes by [`StateSet::commit`] only: some [`Change`]s, all or none, which makes
//! the counter one more and gives the [`Delta`] that does the same elsewhere. Contents are shared, so that a clone copies no octets:
//! a module can hand its state over in microseconds.

pub(crate) mod encoding;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::limits::{
    CHANGES_MAX, LOG_ENTRIES_MAX, STATE_NAME_OCTETS_MAX, STATE_OBJECT_OCTETS_MAX, STATE_OBJECTS_MAX, STATE_OCTETS_MAX,
};

pub use encoding::DecodeError;

/// Contents of a blob or of a log's entry.
pub type Octets = Arc<[u8]>;

/// The state of one module or component, as of its last commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateSet {
    schema: u32,
    commits: u64,
    objects: BTreeMap<String, Object>,
    /// Sum of what the objects hold.
    octets: usize,
}

/// One named object of a state set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// Replaced as a whole.
    Blob(Octets),
    /// Grows at its end and is trimmed at its start.
    Log(Log),
}

/// Entries in the order in which they came. Each keeps its index for ever; trimming moves the first index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Log {
    first: u64,
    entries: VecDeque<Octets>,
    octets: usize,
}

/// One change to a state set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Makes the blob `name`, or replaces it.
    Put {
        /// Which object.
        name: String,
        /// Its new contents.
        blob: Octets,
    },
    /// Appends to the log `name`, which is made if it is not there.
    Append {
        /// Which object.
        name: String,
        /// The entry.
        entry: Octets,
    },
    /// Removes the entries of the log `name` whose index is less than `before`.
    Trim {
        /// Which object.
        name: String,
        /// The first index that stays; at most the log's end.
        before: u64,
    },
    /// Removes the object `name`.
    Remove {
        /// Which object.
        name: String,
    },
}

impl Change {
    /// Makes or replaces a blob.
    pub fn put(name: impl Into<String>, blob: impl Into<Octets>) -> Self {
        Change::Put { name: name.into(), blob: blob.into() }
    }

    /// Appends to a log.
    pub fn append(name: impl Into<String>, entry: impl Into<Octets>) -> Self {
        Change::Append { name: name.into(), entry: entry.into() }
    }

    /// Trims a log.
    pub fn trim(name: impl Into<String>, before: u64) -> Self {
        Change::Trim { name: name.into(), before }
    }

    /// Removes an object.
    pub fn remove(name: impl Into<String>) -> Self {
        Change::Remove { name: name.into() }
    }

    /// The object that it changes.
    pub fn name(&self) -> &str {
        match self {
            Change::Put { name, .. }
            | Change::Append { name, .. }
            | Change::Trim { name, .. }
            | Change::Remove { name } => name,
        }
    }
}

/// One commit: applied to a state set at `base`, it makes that set what the committer's became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// The schema of the set.
    pub schema: u32,
    /// The commit counter before it; after it, one more.
    pub base: u64,
    /// What changes, in order.
    pub changes: Vec<Change>,
}

/// A commit or a delta can't be had. The state set is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The name is empty or too long.
    #[error("the name of a state object has {octets} octets, 1 to {STATE_NAME_OCTETS_MAX} are allowed")]
    Name {
        /// Its length.
        octets: usize,
    },
    /// A blob can't be appended to or trimmed, nor a log be put.
    #[error("state object {name} is a {is}: remove it before it can become something else")]
    WrongKind {
        /// Its name.
        name: String,
        /// `blob` or `log`.
        is: &'static str,
    },
    /// There is no such object.
    #[error("there is no state object {name}")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A log can't be trimmed past its end.
    #[error("log {name} ends at {end} and can't be trimmed to {before}")]
    TrimPastEnd {
        /// Its name.
        name: String,
        /// The index after its last entry.
        end: u64,
        /// What was asked for.
        before: u64,
    },
    /// Something is past its bound.
    #[error("{what} would be {size}, at most {max} are allowed (state object {name})")]
    TooMuch {
        /// What.
        what: &'static str,
        /// How much it would be.
        size: usize,
        /// The bound.
        max: usize,
        /// The object at fault.
        name: String,
    },
    /// The commit counter has no more numbers.
    #[error("the commit counter has no more numbers")]
    CounterExhausted,
    /// The delta is for another state.
    #[error(
        "a delta for schema {delta_schema} at commit {delta_base} does not fit a state of schema {schema} at {commits}"
    )]
    Base {
        /// The delta's schema.
        delta_schema: u32,
        /// The commit counter that it wants.
        delta_base: u64,
        /// The state's schema.
        schema: u32,
        /// The state's commit counter.
        commits: u64,
    },
}

impl StateSet {
    /// An empty set of a schema.
    pub fn new(schema: u32) -> Self {
        StateSet { schema, commits: 0, objects: BTreeMap::new(), octets: 0 }
    }

    /// What gives the objects their meaning; a module's mapping rules lead from one schema to another.
    pub fn schema(&self) -> u32 {
        self.schema
    }

    /// How many commits led to it, over all schemas it went through.
    pub fn commits(&self) -> u64 {
        self.commits
    }

    /// Octets in all objects, without names and counters.
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// The contents of the blob `name`.
    pub fn blob(&self, name: &str) -> Option<&Octets> {
        match self.objects.get(name) {
            Some(Object::Blob(blob)) => Some(blob),
            _ => None,
        }
    }

    /// The log `name`.
    pub fn log(&self, name: &str) -> Option<&Log> {
        match self.objects.get(name) {
            Some(Object::Log(log)) => Some(log),
            _ => None,
        }
    }

    /// Object `name`, whatever it is.
    pub fn object(&self, name: &str) -> Option<&Object> {
        self.objects.get(name)
    }

    /// All objects in order of their names.
    pub fn objects(&self) -> impl Iterator<Item = (&str, &Object)> {
        self.objects.iter().map(|(name, object)| (name.as_str(), object))
    }

    /// Makes the changes, in order and all or none, and the delta that does so elsewhere.
    ///
    /// # Errors
    /// A change that does not fit what is there, or a bound.
    pub fn commit(&mut self, changes: impl Into<Vec<Change>>) -> Result<Delta, StateError> {
        let delta = Delta { schema: self.schema, base: self.commits, changes: changes.into() };
        self.apply(&delta)?;
        Ok(delta)
    }

    /// Does what `delta` did where it comes from.
    ///
    /// # Errors
    /// The delta is for another state, or not one that [`StateSet::commit`] makes.
    pub fn apply(&mut self, delta: &Delta) -> Result<(), StateError> {
        if (delta.schema, delta.base) != (self.schema, self.commits) {
            return Err(StateError::Base {
                delta_schema: delta.schema,
                delta_base: delta.base,
                schema: self.schema,
                commits: self.commits,
            });
        }
        let commits = self.commits.checked_add(1).ok_or(StateError::CounterExhausted)?;
        self.check(&delta.changes)?;
        for change in &delta.changes {
            self.change(change);
        }
        self.commits = commits;
        Ok(())
    }

    /// A set of another schema that goes on counting commits from `commits`.
    ///
    /// # Errors
    /// A name or a bound.
    pub(crate) fn from_objects(
        schema: u32,
        commits: u64,
        objects: BTreeMap<String, Object>,
    ) -> Result<Self, StateError> {
        let mut octets = 0usize;
        for (name, object) in &objects {
            check_name(name)?;
            check_object(name, object)?;
            octets = octets.saturating_add(object.octets());
            at_most("the octets of all objects", octets, STATE_OCTETS_MAX, name)?;
        }
        if let Some((name, _)) = objects.last_key_value() {
            at_most("the number of objects", objects.len(), STATE_OBJECTS_MAX, name)?;
        }
        Ok(StateSet { schema, commits, objects, octets })
    }

    /// Whether all of the changes can be made one after the other. What a trim frees counts from the next commit on.
    fn check(&self, changes: &[Change]) -> Result<(), StateError> {
        let mut shapes: BTreeMap<&str, Option<Shape>> = BTreeMap::new();
        let (mut count, mut octets) = (self.objects.len(), self.octets);
        if let Some(last) = changes.last() {
            at_most("the number of changes", changes.len(), CHANGES_MAX, last.name())?;
        }
        for change in changes {
            let name = change.name();
            check_name(name)?;
            let shape = shapes.entry(name).or_insert_with(|| self.objects.get(name).map(Object::shape));
            let before = *shape;
            let after = Shape::after(before, change)?;
            count = count + usize::from(after.is_some()) - usize::from(before.is_some());
            octets = octets + after.map_or(0, |shape| shape.octets()) - before.map_or(0, |shape| shape.octets());
            at_most("the number of objects", count, STATE_OBJECTS_MAX, name)?;
            at_most("the octets of all objects", octets, STATE_OCTETS_MAX, name)?;
            *shape = after;
        }
        Ok(())
    }

    /// Makes a change that was checked.
    fn change(&mut self, change: &Change) {
        let before = self.objects.get(change.name()).map_or(0, Object::octets);
        match change {
            Change::Put { name, blob } => {
                self.objects.insert(name.clone(), Object::Blob(blob.clone()));
            }
            Change::Append { name, entry } => {
                let object = self.objects.entry(name.clone()).or_insert_with(|| Object::Log(Log::default()));
                if let Object::Log(log) = object {
                    log.octets += entry.len();
                    log.entries.push_back(entry.clone());
                }
            }
            Change::Trim { name, before } => {
                if let Some(Object::Log(log)) = self.objects.get_mut(name) {
                    log.trim(*before);
                }
            }
            Change::Remove { name } => {
                self.objects.remove(name);
            }
        }
        let after = self.objects.get(change.name()).map_or(0, Object::octets);
        self.octets = self.octets - before + after;
    }
}

impl Object {
    /// Octets of its contents.
    pub fn octets(&self) -> usize {
        match self {
            Object::Blob(blob) => blob.len(),
            Object::Log(log) => log.octets,
        }
    }

    fn shape(&self) -> Shape {
        match self {
            Object::Blob(blob) => Shape::Blob { octets: blob.len() },
            Object::Log(log) => Shape::Log { first: log.first, end: log.end(), octets: log.octets },
        }
    }
}

impl Log {
    /// A log of these entries, the first of which has index `first`.
    pub fn new(first: u64, entries: impl IntoIterator<Item = Octets>) -> Self {
        let entries: VecDeque<Octets> = entries.into_iter().collect();
        let octets = entries.iter().map(|entry| entry.len()).sum();
        Log { first, entries, octets }
    }

    /// The index of the first entry that is still there, or of the next one if none is.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The index that the next entry will have.
    pub fn end(&self) -> u64 {
        self.first.saturating_add(self.entries.len() as u64)
    }

    /// The entries that are still there, in order.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Octets> {
        self.entries.iter()
    }

    fn trim(&mut self, before: u64) {
        while self.first < before {
            let Some(entry) = self.entries.pop_front() else { break };
            self.octets -= entry.len();
            self.first += 1;
        }
    }
}

/// What has to be known of an object to tell whether a change fits.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Blob { octets: usize },
    Log { first: u64, end: u64, octets: usize },
}

impl Shape {
    fn octets(self) -> usize {
        match self {
            Shape::Blob { octets } | Shape::Log { octets, .. } => octets,
        }
    }

    fn after(before: Option<Shape>, change: &Change) -> Result<Option<Shape>, StateError> {
        let name = change.name().to_owned();
        match (before, change) {
            (None | Some(Shape::Blob { .. }), Change::Put { blob, .. }) => {
                at_most("the octets of a blob", blob.len(), STATE_OBJECT_OCTETS_MAX, &name)?;
                Ok(Some(Shape::Blob { octets: blob.len() }))
            }
            (None | Some(Shape::Log { .. }), Change::Append { entry, .. }) => {
                let (first, end, octets) = match before {
                    Some(Shape::Log { first, end, octets }) => (first, end, octets),
                    _ => (0, 0, 0),
                };
                at_most("the octets of an entry", entry.len(), STATE_OBJECT_OCTETS_MAX, &name)?;
                let end = end.checked_add(1).ok_or(StateError::CounterExhausted)?;
                at_most("the entries of a log", (end - first) as usize, LOG_ENTRIES_MAX, &name)?;
                Ok(Some(Shape::Log { first, end, octets: octets.saturating_add(entry.len()) }))
            }
            (Some(Shape::Log { first, end, octets }), Change::Trim { before, .. }) => {
                if *before > end {
                    return Err(StateError::TrimPastEnd { name, end, before: *before });
                }
                Ok(Some(Shape::Log { first: first.max(*before), end, octets }))
            }
            (Some(_), Change::Remove { .. }) => Ok(None),
            (Some(Shape::Log { .. }), Change::Put { .. }) => Err(StateError::WrongKind { name, is: "log" }),
            (Some(Shape::Blob { .. }), Change::Append { .. } | Change::Trim { .. }) => {
                Err(StateError::WrongKind { name, is: "blob" })
            }
            (None, Change::Trim { .. } | Change::Remove { .. }) => Err(StateError::Missing { name }),
        }
    }
}

fn check_name(name: &str) -> Result<(), StateError> {
    match name.len() {
        1..=STATE_NAME_OCTETS_MAX => Ok(()),
        octets => Err(StateError::Name { octets }),
    }
}

fn check_object(name: &str, object: &Object) -> Result<(), StateError> {
    match object {
        Object::Blob(blob) => at_most("the octets of a blob", blob.len(), STATE_OBJECT_OCTETS_MAX, name),
        Object::Log(log) => {
            at_most("the entries of a log", log.entries.len(), LOG_ENTRIES_MAX, name)?;
            log.first.checked_add(log.entries.len() as u64).ok_or(StateError::CounterExhausted)?;
            let longest = log.entries.iter().map(|entry| entry.len()).max().unwrap_or(0);
            at_most("the octets of an entry", longest, STATE_OBJECT_OCTETS_MAX, name)
        }
    }
}

fn at_most(what: &'static str, size: usize, max: usize, name: &str) -> Result<(), StateError> {
    if size <= max { Ok(()) } else { Err(StateError::TooMuch { what, size, max, name: name.to_owned() }) }
}
