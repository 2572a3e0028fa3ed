//! A MIB module made of scalars and tables: a [`Scheme`] says what there is, [`Rules`] what is special about it, and
//! everything else is here: reading, walking, SETs in phases, `RowStatus`, storage.
//!
//! A change is made on a copy of the state, which shares all rows that stay as they are. Testing a SET makes the copy,
//! committing it exchanges one pointer, undoing it exchanges it back.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use crate::agent::index::{IndexValue, RowKey};
use crate::agent::module::{MibModule, SearchRange, SetBinding, SetId, SetRequest};
use crate::agent::responder::SetError;
use crate::agent::row_status::{Assignment, Outcome, Refused, RowStatus, apply};
use crate::agent::scheme::{Access, Scheme, Source, Syntax};
use crate::agent::state::{Keep, MibState, Row, StateError};
use crate::limits::MAX_NOT_READY;
use crate::oid::{Oid, OidRef};
use crate::pdu::ErrorStatus;
use crate::value::{OwnedValue, Value};
use crate::varbind::VarBindBuf;

/// What is special about one MIB module.
pub trait Rules: Send + Sync {
    /// The objects.
    fn scheme(&self) -> &'static Scheme;

    /// The value of a scalar that is computed, by its place in the scheme.
    fn computed(&self, now: Instant, scalar: usize) -> Option<OwnedValue> {
        let _ = (now, scalar);
        None
    }

    /// Looks at a changed row: may fill in columns that follow from others, and may refuse the change. Returns whether
    /// the row could be active, as far as more than missing columns tells.
    fn complete(&self, change: &mut RowChange<'_>) -> Result<bool, Refused> {
        let _ = change;
        Ok(true)
    }

    /// Puts a state into effect in the place of another.
    fn publish(&self, before: &MibState, after: &MibState) {
        let _ = (before, after);
    }
}

/// A row that a SET changes.
#[derive(Debug)]
pub struct RowChange<'a> {
    /// The SET.
    pub set: &'a SetRequest<'a>,
    /// Which table, by its place in the scheme.
    pub table: usize,
    /// The values of the row's index.
    pub index: &'a [IndexValue],
    /// The row as it was; `None`: it is new.
    pub before: Option<&'a Row>,
    /// The row with all assignments but those of key changes.
    pub row: &'a mut Row,
    /// All other rows, those included that the same SET has changed already.
    pub state: &'a MibState,
    assignments: &'a [Assignment],
}

impl RowChange<'_> {
    /// The value that the SET assigns to a column.
    pub fn assigned(&self, column: usize) -> Option<Value<'_>> {
        let assignment = self.assignments.iter().rev().find(|assignment| assignment.column == column)?;
        Some(assignment.value.as_value())
    }
}

/// A row can't be put into a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum PutRowError {
    #[error("the index values don't fit the table {table} of {module}")]
    Index { module: &'static str, table: usize },
    #[error("column {column} in table {table} of {module}: {status}")]
    Column { module: &'static str, table: usize, column: usize, status: ErrorStatus },
    #[error("table {table} of {module} is full")]
    Full { module: &'static str, table: usize },
}

/// A MIB module over a scheme.
pub struct Tabular<R> {
    pub(super) rules: R,
    scheme: &'static Scheme,
    /// Sorted by OID.
    objects: Vec<Object>,
    state: RwLock<Arc<MibState>>,
    /// Held by whoever changes the state.
    pending: Mutex<Option<Pending>>,
    /// Since when rows are `notReady`.
    waiting: Mutex<HashMap<(usize, RowKey), Instant>>,
}

struct Object {
    oid: Oid,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Scalar(usize),
    Column(usize, usize),
}

/// A SET between its phases.
struct Pending {
    id: SetId,
    before: Arc<MibState>,
    after: Arc<MibState>,
    index: usize,
    is_committed: bool,
}

impl<R: Rules> Tabular<R> {
    /// The module with no rows.
    pub fn new(rules: R) -> Self {
        let scheme = rules.scheme();
        let oid = |arcs: &[u32]| Oid::from_arcs(arcs).expect("a scheme's OID");
        let scalars = scheme.scalars.iter().enumerate();
        let mut objects: Vec<Object> =
            scalars.map(|(i, scalar)| Object { oid: oid(scalar.oid), kind: Kind::Scalar(i) }).collect();
        for (t, table) in scheme.tables.iter().enumerate() {
            for (c, column) in table.columns.iter().enumerate().filter(|(_, c)| c.access != Access::Internal) {
                let entry = oid(column.augmenting.unwrap_or(table.entry));
                let oid = entry.child(column.number).expect("a scheme's OID");
                objects.push(Object { oid, kind: Kind::Column(t, c) });
            }
        }
        objects.sort_by(|a, b| a.oid.cmp(&b.oid));
        let state = RwLock::new(Arc::new(MibState::new(scheme)));
        Tabular { rules, scheme, objects, state, pending: Mutex::default(), waiting: Mutex::default() }
    }

    /// The state as it is now.
    pub fn current(&self) -> Arc<MibState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a row into a table, or in the place of the one with this index: for rows that come from a configuration and
    /// not from a manager. `cells` are values by columns' places in the scheme; others are as in any new row. The row
    /// is active unless `cells` say otherwise.
    pub fn put_row(
        &self,
        table: usize,
        index: &[IndexValue],
        cells: impl IntoIterator<Item = (usize, OwnedValue)>,
    ) -> Result<(), PutRowError> {
        let (module, scheme) = (self.scheme.name, &self.scheme.tables[table]);
        let key = RowKey::new(scheme.index, index).ok_or(PutRowError::Index { module, table })?;
        let mut row = Row::new(scheme);
        if let Some(status) = scheme.column_of(Syntax::RowStatus) {
            row.set(status, OwnedValue::Integer(RowStatus::Active as i32));
        }
        for (column, value) in cells {
            let fits = scheme.columns[column].syntax.check(&value.as_value());
            fits.map_err(|status| PutRowError::Column { module, table, column, status })?;
            row.set(column, value);
        }
        self.edit(|state| {
            let rows = state.rows_mut(table);
            if rows.len() >= scheme.max_rows && !rows.contains_key(&key) {
                return Err(PutRowError::Full { module, table });
            }
            rows.insert(key, Arc::new(row));
            Ok(())
        })
    }

    /// Removes a row, whatever its storage type; whether there was one.
    pub fn remove_row(&self, table: usize, index: &[IndexValue]) -> bool {
        let Some(key) = RowKey::new(self.scheme.tables[table].index, index) else { return false };
        self.edit(|state| state.rows_mut(table).remove(&key).ok_or(())).is_ok()
    }

    /// Removes the rows that have been `notReady` for too long, and returns how many. Happens before each SET too.
    pub fn expire(&self, now: Instant) -> usize {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.current();
        let mut still = HashMap::new();
        let mut overdue = Vec::new();
        for (t, table) in self.scheme.tables.iter().enumerate() {
            for (key, _) in state.rows(t).iter().filter(|(_, row)| row.status(table) == RowStatus::NotReady) {
                let place = (t, key.clone());
                let since = waiting.get(&place).copied().unwrap_or(now);
                if now.saturating_duration_since(since) >= MAX_NOT_READY {
                    overdue.push(place);
                } else {
                    still.insert(place, since);
                }
            }
        }
        *waiting = still;
        drop(waiting);
        if !overdue.is_empty() {
            let removed: Result<(), ()> = self.edit(|state| {
                for (table, key) in &overdue {
                    state.rows_mut(*table).remove(key);
                }
                Ok(())
            });
            debug_assert!(removed.is_ok());
        }
        overdue.len()
    }

    /// Changes the state, unless there is an error.
    pub(super) fn edit<T, E>(&self, change: impl FnOnce(&mut MibState) -> Result<T, E>) -> Result<T, E> {
        let guard = self.lock_pending();
        let before = self.current();
        let mut after = MibState::clone(&before);
        let done = change(&mut after)?;
        after.commits += 1;
        self.exchange(&before, Arc::new(after));
        drop(guard);
        Ok(done)
    }

    /// Where SETs and other changes queue.
    fn lock_pending(&self) -> MutexGuard<'_, Option<Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The caller holds the lock on pending SETs.
    fn exchange(&self, before: &MibState, after: Arc<MibState>) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = after.clone();
        self.rules.publish(before, &after);
    }

    /// The object that a name is an instance of.
    fn object(&self, name: OidRef<'_>) -> Option<&Object> {
        let behind = self.objects.partition_point(|object| object.oid.as_oid() <= name);
        let object = &self.objects[behind.checked_sub(1)?];
        name.starts_with(object.oid.as_oid()).then_some(object)
    }

    fn scalar_value(&self, now: Instant, state: &MibState, scalar: usize) -> Option<OwnedValue> {
        match self.scheme.scalars[scalar].source {
            Source::Computed => self.rules.computed(now, scalar),
            Source::Kept(_) => state.scalar(scalar).map(|value| value.to_owned()),
        }
    }

    /// Sorts the bindings by what they are about: scalars, and rows in the order in which they are first named.
    fn sort(&self, bindings: &[SetBinding<'_>]) -> Result<Sorted, SetError> {
        let mut sorted = Sorted { scalars: Vec::new(), rows: Vec::new() };
        let mut places: HashMap<(usize, RowKey), usize> = HashMap::new();
        for &SetBinding { index, name, value } in bindings {
            let failed = |status| SetError { status, index };
            let object = self.object(name).ok_or(failed(ErrorStatus::NOT_WRITABLE))?;
            let suffix = name.strip_prefix(object.oid.as_oid()).expect("an instance of it");
            match object.kind {
                Kind::Scalar(scalar) => {
                    let scheme = &self.scheme.scalars[scalar];
                    if scheme.source == Source::Computed {
                        return Err(failed(ErrorStatus::NOT_WRITABLE));
                    }
                    scheme.syntax.check(&value).map_err(failed)?;
                    if !suffix.arcs().eq([0]) {
                        return Err(failed(ErrorStatus::NO_CREATION));
                    }
                    sorted.scalars.push(Assignment { column: scalar, value: value.to_owned(), index });
                }
                Kind::Column(table, column) => {
                    let scheme = &self.scheme.tables[table].columns[column];
                    if scheme.access != Access::ReadCreate {
                        return Err(failed(ErrorStatus::NOT_WRITABLE));
                    }
                    scheme.syntax.check(&value).map_err(failed)?;
                    let key = RowKey::from_suffix(suffix);
                    let assignment = Assignment { column, value: value.to_owned(), index };
                    match places.entry((table, key.clone())) {
                        Entry::Occupied(place) => sorted.rows[*place.get()].assignments.push(assignment),
                        Entry::Vacant(place) => {
                            let values = key.values(self.scheme.tables[table].index);
                            let values = values.ok_or(failed(ErrorStatus::NO_CREATION))?;
                            place.insert(sorted.rows.len());
                            sorted.rows.push(RowAssignments { table, key, values, assignments: vec![assignment] });
                        }
                    }
                }
            }
        }
        Ok(sorted)
    }

    fn change_row(&self, set: &SetRequest<'_>, state: &mut MibState, asked: &RowAssignments) -> Result<(), Refused> {
        let &RowAssignments { table, ref key, ref values, ref assignments } = asked;
        let scheme = &self.scheme.tables[table];
        let before = state.rows(table).get(key).cloned();
        let mut changed = match apply(scheme, before.as_deref(), assignments)? {
            Outcome::Gone => {
                if before.is_some() {
                    state.rows_mut(table).remove(key);
                }
                return Ok(());
            }
            Outcome::Changed(changed) => changed,
        };
        if changed.is_new() && state.rows(table).len() >= scheme.max_rows {
            return Err(Refused::row(ErrorStatus::RESOURCE_UNAVAILABLE));
        }
        let before = before.as_deref();
        let row = &mut changed.row;
        let is_ready =
            self.rules.complete(&mut RowChange { set, table, index: values, before, row, state, assignments })?;
        let row = changed.settle(scheme, is_ready)?;
        state.rows_mut(table).insert(key.clone(), Arc::new(row));
        Ok(())
    }
}

/// The bindings of a SET, by what they are about.
struct Sorted {
    scalars: Vec<Assignment>,
    rows: Vec<RowAssignments>,
}

struct RowAssignments {
    table: usize,
    key: RowKey,
    values: Vec<IndexValue>,
    assignments: Vec<Assignment>,
}

impl RowAssignments {
    /// Where to point for a refusal.
    fn index_of(&self, refused: Refused, status_column: Option<usize>) -> usize {
        let column = refused.column.or(status_column);
        let at_fault = self.assignments.iter().rev().find(|assignment| Some(assignment.column) == column);
        at_fault.unwrap_or(&self.assignments[0]).index
    }
}

impl<R: Rules> MibModule for Tabular<R> {
    fn name(&self) -> &str {
        self.scheme.name
    }

    fn subtrees(&self) -> Vec<Oid> {
        self.scheme.subtrees.iter().map(|arcs| Oid::from_arcs(arcs).expect("a scheme's OID")).collect()
    }

    fn get(&self, now: Instant, name: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        let Some(object) = self.object(name) else {
            to.push(name, Value::NoSuchObject);
            return Ok(());
        };
        let suffix = name.strip_prefix(object.oid.as_oid()).expect("an instance of it");
        let state = self.current();
        match object.kind {
            Kind::Scalar(scalar) => {
                let value = suffix.arcs().eq([0]).then(|| self.scalar_value(now, &state, scalar)).flatten();
                to.push(name, value.as_ref().map_or(Value::NoSuchInstance, OwnedValue::as_value));
            }
            Kind::Column(table, column) => {
                let row = state.rows(table).get(&RowKey::from_suffix(suffix));
                to.push(name, row.and_then(|row| row.get(column)).unwrap_or(Value::NoSuchInstance));
            }
        }
        Ok(())
    }

    fn get_next(&self, now: Instant, range: &SearchRange<'_>, to: &mut VarBindBuf) -> Result<bool, ErrorStatus> {
        self.walk(now, range, 1, to).map(|found| found > 0)
    }

    fn walk(
        &self,
        now: Instant,
        range: &SearchRange<'_>,
        max: usize,
        to: &mut VarBindBuf,
    ) -> Result<usize, ErrorStatus> {
        let state = self.current();
        let mut found = 0;
        let behind = self.objects.partition_point(|object| object.oid.as_oid() <= range.start);
        for object in &self.objects[behind.saturating_sub(1)..] {
            if found == max {
                return Ok(found);
            }
            if range.end.is_some_and(|end| object.oid.as_oid() >= end) {
                return Ok(found);
            }
            match object.kind {
                Kind::Scalar(scalar) => {
                    let Ok(name) = object.oid.child(0) else { continue };
                    if range.contains(name.as_oid())
                        && let Some(value) = self.scalar_value(now, &state, scalar)
                    {
                        to.push(name.as_oid(), value.as_value());
                        found += 1;
                    }
                }
                Kind::Column(table, column) => {
                    let below = range.start.strip_prefix(object.oid.as_oid()).map(RowKey::from_suffix);
                    let from = match &below {
                        _ if below.is_none() && range.start > object.oid.as_oid() => continue,
                        None => Bound::Unbounded,
                        Some(key) if range.is_start_included => Bound::Included(key),
                        Some(key) => Bound::Excluded(key),
                    };
                    for (key, row) in state.rows(table).range((from, Bound::Unbounded)) {
                        let Some(value) = row.get(column) else { continue };
                        let Ok(name) = key.name_below(&object.oid) else { continue };
                        if !range.contains(name.as_oid()) {
                            return Ok(found);
                        }
                        to.push(name.as_oid(), value);
                        found += 1;
                        if found == max {
                            return Ok(found);
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    fn test_set(&self, set: &SetRequest<'_>, bindings: &[SetBinding<'_>]) -> Result<(), SetError> {
        let sorted = self.sort(bindings)?;
        self.expire(set.now);
        let mut pending = self.lock_pending();
        let before = self.current();
        let mut after = MibState::clone(&before);
        for Assignment { column: scalar, value, index } in sorted.scalars {
            if self.scheme.scalars[scalar].syntax != Syntax::TestAndIncr {
                after.set_scalar(scalar, value);
                continue;
            }
            let present = after.integer(scalar);
            if value != OwnedValue::Integer(present) {
                return Err(SetError { status: ErrorStatus::INCONSISTENT_VALUE, index });
            }
            after.set_scalar(scalar, OwnedValue::Integer(present.checked_add(1).unwrap_or(0)));
        }
        for row in &sorted.rows {
            self.change_row(set, &mut after, row).map_err(|refused| {
                let status_column = self.scheme.tables[row.table].column_of(Syntax::RowStatus);
                SetError { status: refused.status, index: row.index_of(refused, status_column) }
            })?;
        }
        after.commits += 1;
        let index = bindings.first().map_or(0, |binding| binding.index);
        *pending = Some(Pending { id: set.id, before, after: Arc::new(after), index, is_committed: false });
        Ok(())
    }

    fn commit_set(&self, set: SetId) -> Result<(), SetError> {
        let mut guard = self.lock_pending();
        let failed = |index| SetError { status: ErrorStatus::COMMIT_FAILED, index };
        let pending = guard.as_mut().filter(|pending| pending.id == set && !pending.is_committed).ok_or(failed(0))?;
        // Somebody else has changed the state since: a row from a configuration, or a SET through another view.
        if !Arc::ptr_eq(&self.current(), &pending.before) {
            return Err(failed(pending.index));
        }
        pending.is_committed = true;
        let (before, after) = (pending.before.clone(), pending.after.clone());
        self.exchange(&before, after);
        Ok(())
    }

    fn undo_set(&self, set: SetId) -> Result<(), ErrorStatus> {
        let mut guard = self.lock_pending();
        let Some(pending) = guard.as_mut().filter(|pending| pending.id == set) else { return Ok(()) };
        if !pending.is_committed {
            return Ok(());
        }
        if !Arc::ptr_eq(&self.current(), &pending.after) {
            return Err(ErrorStatus::UNDO_FAILED);
        }
        pending.is_committed = false;
        // The count goes on, so that what was saved in between is saved anew.
        let mut before = MibState::clone(&pending.before);
        before.commits = pending.after.commits + 1;
        let after = pending.after.clone();
        self.exchange(&after, Arc::new(before));
        Ok(())
    }

    fn cleanup_set(&self, set: SetId) {
        self.lock_pending().take_if(|pending| pending.id == set);
    }

    fn commits(&self) -> u64 {
        self.current().commits
    }

    fn save(&self, keep: Keep) -> Vec<u8> {
        self.current().encode(self.scheme, keep)
    }

    fn restore(&self, state: &[u8]) -> Result<(), StateError> {
        let state = MibState::decode(self.scheme, state)?;
        let guard = self.lock_pending();
        self.exchange(&self.current(), Arc::new(state));
        drop(guard);
        Ok(())
    }
}
