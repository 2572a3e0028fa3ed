//! The lasting state of a MIB module and its encoding: what a swap hands over, the disk keeps and groups replicate.
//!
//! The encoding has one form for each state: counts before items, rows in order, no octet left over. Reading is strict
//! and bounded; a state that names another module or a version that is not understood is refused whole. It holds the
//! secrets of the tables (keys, communities): whoever stores it must protect it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::agent::index::RowKey;
use crate::agent::row_status::{RowStatus, StorageType};
use crate::agent::scheme::{Column, Initial, Scheme, Source, Syntax, TableScheme};
use crate::limits::MAX_STATE_OCTETS;
use crate::oid::OidSuffix;
use crate::value::{OwnedValue, Value};

/// A row: one value for each column of its [`TableScheme`], where there is one.
#[derive(Clone, PartialEq, Eq)]
pub struct Row(Vec<Option<OwnedValue>>);

/// The rows of one table.
pub type Rows = BTreeMap<RowKey, Arc<Row>>;

/// All that a MIB module keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MibState {
    /// How often the state has changed since it was first made.
    pub commits: u64,
    scalars: Vec<Option<OwnedValue>>,
    tables: Vec<Arc<Rows>>,
}

/// The state that a MIB module has in effect: a host resource that each version of the module keeps up to date, and that
/// applications read whichever version serves.
#[derive(Debug)]
pub(super) struct InEffect(RwLock<Arc<MibState>>);

/// What of a state is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All of it, for a module that goes on from here.
    All,
    /// What outlives the agent: volatile rows are left out (RFC 2579 `StorageType`).
    Lasting,
}

/// Why octets are no state of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum StateError {
    #[error("the state ends too early: it was cut off")]
    Truncated,
    #[error("the state has octets after its end")]
    TrailingOctets,
    #[error("the state has more than {MAX_STATE_OCTETS} octets")]
    TooLong,
    #[error("the state is not that of {0}")]
    OtherModule(&'static str),
    #[error("the state of {module} has version {found}; this module reads {expected}")]
    OtherVersion { module: &'static str, found: u16, expected: u16 },
    #[error("the state of {module} holds what its objects may not: {what}")]
    Invalid { module: &'static str, what: &'static str },
}

const MAGIC: &[u8; 4] = b"HMS\x01";

impl Row {
    /// A row of default values.
    pub fn new(table: &TableScheme) -> Self {
        Row(table.columns.iter().map(|column| column.initial.value()).collect())
    }

    /// A column's value, by the column's place in the scheme.
    pub fn get(&self, column: usize) -> Option<Value<'_>> {
        self.0.get(column)?.as_ref().map(OwnedValue::as_value)
    }

    /// Sets a column.
    pub fn set(&mut self, column: usize, value: OwnedValue) {
        self.0[column] = Some(value);
    }

    /// Leaves a column without a value.
    pub fn unset(&mut self, column: usize) {
        self.0[column] = None;
    }

    /// The octets of a column; none where it has none.
    pub fn octets(&self, column: usize) -> &[u8] {
        if let Some(Value::OctetString(octets)) = self.get(column) { octets } else { &[] }
    }

    /// The number in a column; 0 where it has none.
    pub fn integer(&self, column: usize) -> i32 {
        if let Some(Value::Integer(n)) = self.get(column) { n } else { 0 }
    }

    /// The row's status.
    pub fn status(&self, table: &TableScheme) -> RowStatus {
        let column = table.column_of(Syntax::RowStatus);
        column.and_then(|column| RowStatus::from_number(self.integer(column))).unwrap_or(RowStatus::Active)
    }

    /// The row's storage type.
    pub fn storage(&self, table: &TableScheme) -> StorageType {
        let column = table.column_of(Syntax::StorageType);
        column.and_then(|column| StorageType::from_number(self.integer(column))).unwrap_or(StorageType::NonVolatile)
    }

    /// Whether every column that must be set is.
    pub(super) fn is_complete(&self, table: &TableScheme) -> bool {
        let is_needed = |column: &Column| column.initial == Initial::Required && column.syntax != Syntax::RowStatus;
        self.0.iter().zip(table.columns).all(|(cell, column)| cell.is_some() || !is_needed(column))
    }
}

impl fmt::Debug for Row {
    /// May hold keys and communities: never shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Row of {} columns", self.0.len())
    }
}

impl InEffect {
    /// Nothing yet.
    pub(super) fn new(scheme: &Scheme) -> Self {
        InEffect(RwLock::new(Arc::new(MibState::new(scheme))))
    }

    pub(super) fn get(&self) -> Arc<MibState> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Rows are shared: this costs some pointers.
    pub(super) fn put(&self, state: &MibState) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state.clone());
    }
}

impl MibState {
    /// No rows, and the scalars' first values.
    pub fn new(scheme: &Scheme) -> Self {
        let first = |source| if let Source::Kept(initial) = source { initial.value() } else { None };
        MibState {
            commits: 0,
            scalars: scheme.scalars.iter().map(|scalar| first(scalar.source)).collect(),
            tables: scheme.tables.iter().map(|_| Arc::default()).collect(),
        }
    }

    /// A scalar's value, by its place in the scheme; `None` for those that are computed.
    pub fn scalar(&self, scalar: usize) -> Option<Value<'_>> {
        self.scalars.get(scalar)?.as_ref().map(OwnedValue::as_value)
    }

    /// The number in a scalar; 0 where it has none.
    pub fn integer(&self, scalar: usize) -> i32 {
        if let Some(Value::Integer(n)) = self.scalar(scalar) { n } else { 0 }
    }

    /// Sets a scalar.
    pub fn set_scalar(&mut self, scalar: usize, value: OwnedValue) {
        self.scalars[scalar] = Some(value);
    }

    /// A table's rows, by its place in the scheme.
    pub fn rows(&self, table: usize) -> &Rows {
        &self.tables[table]
    }

    /// A table's rows, to be changed.
    pub fn rows_mut(&mut self, table: usize) -> &mut Rows {
        Arc::make_mut(&mut self.tables[table])
    }

    /// Writes it down.
    pub fn encode(&self, scheme: &Scheme, keep: Keep) -> Vec<u8> {
        let mut to = Vec::new();
        to.extend_from_slice(MAGIC);
        put_octets(&mut to, scheme.name.as_bytes());
        to.extend_from_slice(&scheme.version.to_be_bytes());
        to.extend_from_slice(&self.commits.to_be_bytes());
        put_cells(&mut to, &self.scalars);
        for (table, rows) in scheme.tables.iter().zip(&self.tables) {
            let is_kept = |row: &Row| keep == Keep::All || (table.is_stored && row.storage(table).is_lasting());
            let kept: Vec<_> = rows.iter().filter(|(_, row)| is_kept(row)).collect();
            to.extend_from_slice(&(kept.len() as u32).to_be_bytes());
            for (key, row) in kept {
                put_octets(&mut to, key.as_suffix().as_ber());
                put_cells(&mut to, &row.0);
            }
        }
        to
    }

    /// Reads what [`MibState::encode`] wrote.
    pub fn decode(scheme: &Scheme, octets: &[u8]) -> Result<Self, StateError> {
        if octets.len() > MAX_STATE_OCTETS {
            return Err(StateError::TooLong);
        }
        let module = scheme.name;
        let invalid = |what| StateError::Invalid { module, what };
        let mut from = Octets(octets);
        if from.array::<4>()? != *MAGIC || from.counted()? != module.as_bytes() {
            return Err(StateError::OtherModule(module));
        }
        let found = u16::from_be_bytes(from.array()?);
        if found != scheme.version {
            return Err(StateError::OtherVersion { module, found, expected: scheme.version });
        }
        let mut state = MibState::new(scheme);
        state.commits = u64::from_be_bytes(from.array()?);
        for (scalar, object) in state.scalars.iter_mut().zip(scheme.scalars) {
            *scalar = from.cell(object.syntax).map_err(|error| error.unwrap_or(invalid("a scalar's value")))?;
            if scalar.is_some() != matches!(object.source, Source::Kept(_)) {
                return Err(invalid("a scalar that is not kept, or none that is"));
            }
        }
        for (rows, table) in state.tables.iter_mut().zip(scheme.tables) {
            let count = u32::from_be_bytes(from.array()?) as usize;
            if count > table.max_rows {
                return Err(invalid("too many rows"));
            }
            let rows = Arc::make_mut(rows);
            for _ in 0..count {
                let suffix = OidSuffix::from_ber(from.counted()?).map_err(|_| invalid("a row's index"))?;
                let key = RowKey::from_suffix(suffix);
                if key.values(table.index).is_none() {
                    return Err(invalid("a row's index"));
                }
                if rows.last_key_value().is_some_and(|(last, _)| *last >= key) {
                    return Err(invalid("rows out of order"));
                }
                let mut row = Vec::with_capacity(table.columns.len());
                for column in table.columns {
                    row.push(from.cell(column.syntax).map_err(|error| error.unwrap_or(invalid("a column's value")))?);
                }
                let row = Row(row);
                let status = table.column_of(Syntax::RowStatus).map(|column| row.integer(column));
                if status.is_some_and(|number| RowStatus::from_number(number).is_none()) {
                    return Err(invalid("a row's status"));
                }
                if row.status(table) == RowStatus::Active && !row.is_complete(table) {
                    return Err(invalid("an active row without a value that it needs"));
                }
                rows.insert(key, Arc::new(row));
            }
        }
        if from.0.is_empty() { Ok(state) } else { Err(StateError::TrailingOctets) }
    }
}

fn put_octets(to: &mut Vec<u8>, octets: &[u8]) {
    to.extend_from_slice(&(octets.len() as u32).to_be_bytes());
    to.extend_from_slice(octets);
}

/// The tag 0 stands for no value.
fn put_cells(to: &mut Vec<u8>, cells: &[Option<OwnedValue>]) {
    for cell in cells {
        let Some(value) = cell else {
            to.push(0);
            continue;
        };
        let mut number = [0; 9];
        let value = value.as_value();
        let (tag, content) = value.to_ber(&mut number);
        to.push(tag);
        put_octets(to, content);
    }
}

/// Octets yet to be read.
struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], StateError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(StateError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        Ok(self.take(N)?.try_into().expect("so many were taken"))
    }

    fn counted(&mut self) -> Result<&'a [u8], StateError> {
        let count = u32::from_be_bytes(self.array()?) as usize;
        self.take(count)
    }

    /// A value of this syntax, or none. The error is `None` for a value that its syntax does not allow.
    fn cell(&mut self, syntax: Syntax) -> Result<Option<OwnedValue>, Option<StateError>> {
        let [tag] = self.array().map_err(Some)?;
        if tag == 0 {
            return Ok(None);
        }
        let content = self.counted().map_err(Some)?;
        let value = Value::from_ber(tag, content);
        let mut number = [0; 9];
        // One form for each state: padded numbers are none of ours.
        let is_canonical = value.to_ber(&mut number) == (tag, content);
        if !is_canonical || syntax.check(&value).is_err() {
            return Err(None);
        }
        Ok(Some(value.to_owned()))
    }
}
