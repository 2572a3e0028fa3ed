//! What `RowStatus` and `StorageType` (RFC 2579 §2) make of a change to one row. Pure: it decides, others store.

use crate::agent::scheme::{Syntax, TableScheme};
use crate::agent::state::Row;
use crate::pdu::ErrorStatus;
use crate::value::{OwnedValue, Value};

/// The states that a row can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum RowStatus {
    Active = 1,
    NotInService = 2,
    NotReady = 3,
}

/// What a manager may ask a status column for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Active,
    NotInService,
    CreateAndGo,
    CreateAndWait,
    Destroy,
}

/// How a row is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum StorageType {
    Other = 1,
    Volatile = 2,
    NonVolatile = 3,
    /// Kept, and never to be destroyed.
    Permanent = 4,
    /// Kept, and never to be changed or destroyed.
    ReadOnly = 5,
}

/// A value for a column, by the column's place in the scheme.
#[derive(Debug, Clone)]
pub(super) struct Assignment {
    pub(super) column: usize,
    pub(super) value: OwnedValue,
    /// The variable binding that holds it.
    pub(super) index: usize,
}

/// Why a row can't be changed so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The column at fault, by its place in the scheme; `None`: whatever asks for a change of the row's status.
    pub column: Option<usize>,
    /// What to answer.
    pub status: ErrorStatus,
}

/// A row after a change, before its status is settled.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) row: Row,
    action: Option<Action>,
    before: Option<RowStatus>,
}

/// What is to become of a row.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is to be destroyed, or stay away.
    Gone,
    /// It has changed, and [`Changed::settle`] tells its status.
    Changed(Changed),
}

impl RowStatus {
    /// The state with this number.
    pub fn from_number(number: i32) -> Option<Self> {
        Some(match number {
            1 => RowStatus::Active,
            2 => RowStatus::NotInService,
            3 => RowStatus::NotReady,
            _ => return None,
        })
    }
}

impl StorageType {
    /// The type with this number.
    pub fn from_number(number: i32) -> Option<Self> {
        Some(match number {
            1 => StorageType::Other,
            2 => StorageType::Volatile,
            3 => StorageType::NonVolatile,
            4 => StorageType::Permanent,
            5 => StorageType::ReadOnly,
            _ => return None,
        })
    }

    /// Whether rows of this type are in the stored state.
    pub fn is_lasting(self) -> bool {
        !matches!(self, StorageType::Other | StorageType::Volatile)
    }

    /// Whether this type may become that one: between those that a manager may destroy and the others there is no
    /// way (RFC 2579 `StorageType`).
    fn may_become(self, other: StorageType) -> bool {
        let is_changeable = |storage| matches!(storage, StorageType::Volatile | StorageType::NonVolatile);
        self == other || (is_changeable(self) && is_changeable(other))
    }
}

impl Refused {
    /// A column holds what it may not.
    pub const fn column(column: usize, status: ErrorStatus) -> Self {
        Refused { column: Some(column), status }
    }

    /// The row can't get the status that is asked for.
    pub const fn row(status: ErrorStatus) -> Self {
        Refused { column: None, status }
    }
}

/// Applies assignments, whose values fit their columns' syntax, to a row or to none.
pub(super) fn apply(table: &TableScheme, before: Option<&Row>, assignments: &[Assignment]) -> Result<Outcome, Refused> {
    let status_column = table.column_of(Syntax::RowStatus);
    let action = action_of(status_column, assignments)?;
    match (action, before) {
        (Some(Action::Destroy), None) => return Ok(Outcome::Gone),
        (Some(Action::Destroy), Some(row)) => {
            let stays = matches!(row.storage(table), StorageType::Permanent | StorageType::ReadOnly);
            return if stays { Err(Refused::row(ErrorStatus::INCONSISTENT_VALUE)) } else { Ok(Outcome::Gone) };
        }
        (Some(Action::CreateAndGo | Action::CreateAndWait), Some(_))
        | (Some(Action::Active | Action::NotInService), None) => {
            return Err(Refused::row(ErrorStatus::INCONSISTENT_VALUE));
        }
        (None, None) => {
            let column = assignments.first().map(|assignment| assignment.column);
            return Err(Refused { column, status: ErrorStatus::INCONSISTENT_NAME });
        }
        _ => {}
    }
    let mut row = before.cloned().unwrap_or_else(|| Row::new(table));
    let status_before = before.map(|row| row.status(table));
    let stays_active = status_before == Some(RowStatus::Active) && action != Some(Action::NotInService);
    for Assignment { column, value, .. } in assignments.iter().filter(|a| Some(a.column) != status_column) {
        let scheme = &table.columns[*column];
        if before.is_some_and(|row| row.storage(table) == StorageType::ReadOnly) {
            return Err(Refused::column(*column, ErrorStatus::NOT_WRITABLE));
        }
        if scheme.is_frozen && stays_active && row.get(*column) != Some(value.as_value()) {
            return Err(Refused::column(*column, ErrorStatus::INCONSISTENT_VALUE));
        }
        if scheme.syntax == Syntax::StorageType {
            let asked = StorageType::from_number(number(value)).unwrap_or(StorageType::Other);
            if !row.storage(table).may_become(asked) {
                return Err(Refused::column(*column, ErrorStatus::INCONSISTENT_VALUE));
            }
        }
        // A key change is worked out by the rules, and reads as nothing.
        if scheme.syntax != Syntax::KeyChange {
            row.set(*column, value.clone());
        }
    }
    if action == Some(Action::NotInService)
        && before.is_some_and(|row| row.storage(table) == StorageType::ReadOnly)
        && status_before == Some(RowStatus::Active)
    {
        return Err(Refused::row(ErrorStatus::NOT_WRITABLE));
    }
    Ok(Outcome::Changed(Changed { row, action, before: status_before }))
}

impl Changed {
    /// Whether the row comes into being.
    pub(super) fn is_new(&self) -> bool {
        self.before.is_none()
    }

    /// Gives the row its status. `is_ready`: whether nothing but missing columns stands in its way.
    pub(super) fn settle(mut self, table: &TableScheme, is_ready: bool) -> Result<Row, Refused> {
        let Some(column) = table.column_of(Syntax::RowStatus) else { return Ok(self.row) };
        let is_ready = is_ready && self.row.is_complete(table);
        let refused = Err(Refused::row(ErrorStatus::INCONSISTENT_VALUE));
        let status = match (self.action, self.before) {
            (Some(Action::CreateAndGo | Action::Active), _) if is_ready => RowStatus::Active,
            (Some(Action::CreateAndGo | Action::Active), _) => return refused,
            (Some(Action::CreateAndWait), _) if is_ready => RowStatus::NotInService,
            (Some(Action::CreateAndWait), _) => RowStatus::NotReady,
            (Some(Action::NotInService), _) if is_ready => RowStatus::NotInService,
            (Some(Action::NotInService), _) => return refused,
            // What an active row needs can't be taken from it.
            (None, Some(RowStatus::Active)) if !is_ready => return refused,
            (None, Some(RowStatus::Active)) => RowStatus::Active,
            (None, _) if is_ready => RowStatus::NotInService,
            (None | Some(Action::Destroy), _) => RowStatus::NotReady,
        };
        self.row.set(column, OwnedValue::Integer(status as i32));
        Ok(self.row)
    }
}

/// What is asked of the status column; of several requests the last counts.
fn action_of(status_column: Option<usize>, assignments: &[Assignment]) -> Result<Option<Action>, Refused> {
    let asked = assignments.iter().rev().find(|assignment| Some(assignment.column) == status_column);
    let Some(Assignment { value, .. }) = asked else { return Ok(None) };
    Ok(Some(match number(value) {
        1 => Action::Active,
        2 => Action::NotInService,
        4 => Action::CreateAndGo,
        5 => Action::CreateAndWait,
        6 => Action::Destroy,
        // notReady is for the agent alone to say.
        _ => return Err(Refused::row(ErrorStatus::WRONG_VALUE)),
    }))
}

fn number(value: &OwnedValue) -> i32 {
    if let Value::Integer(n) = value.as_value() { n } else { 0 }
}
