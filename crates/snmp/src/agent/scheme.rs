//! How a MIB module's objects are written down (RFC 2578 §7): scalars, tables, columns, their syntax, access and
//! default values. Schemes are constants; [`Tabular`](super::Tabular) works by them.
//!
//! Only what an agent needs to check a SET and to answer a GET stands here: no names of enumerations, no texts.

use crate::oid::OidRef;
use crate::pdu::ErrorStatus;
use crate::value::{OwnedValue, Value};

/// All objects of one MIB module.
#[derive(Debug)]
pub struct Scheme {
    /// The MIB module's name.
    pub name: &'static str,
    /// The version of the stored state: grows when scalars, tables or columns are added or change their meaning.
    pub version: u16,
    /// The subtrees to be registered.
    pub subtrees: &'static [&'static [u32]],
    /// The scalars.
    pub scalars: &'static [Scalar],
    /// The tables.
    pub tables: &'static [TableScheme],
}

/// A scalar object; its only instance is `.0` below it.
#[derive(Debug)]
pub struct Scalar {
    /// Its OID.
    pub oid: &'static [u32],
    /// What it may hold.
    pub syntax: Syntax,
    /// Where its value is.
    pub source: Source,
}

/// Where a scalar's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Read-only: [`Rules::computed`](super::Rules::computed) tells it.
    Computed,
    /// Read-write: kept in the state, and this at first.
    Kept(Initial),
}

/// A conceptual table.
#[derive(Debug)]
pub struct TableScheme {
    /// The OID of its entry.
    pub entry: &'static [u32],
    /// The INDEX clause.
    pub index: &'static [IndexPart],
    /// The columns that are kept, in any order.
    pub columns: &'static [Column],
    /// How many rows there may be.
    pub max_rows: usize,
    /// Whether rows are kept in the stored state; those of a table that only describes the running agent are not.
    pub is_stored: bool,
}

/// A part of an INDEX clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexPart {
    /// One sub-identifier within these bounds.
    Number(u32, u32),
    /// Octets, this few to this many: their number goes before.
    Octets(usize, usize),
    /// The same without the number, as the last part.
    ImpliedOctets(usize, usize),
    /// An OBJECT IDENTIFIER: the number of sub-identifiers goes before.
    Oid,
    /// The same without the number, as the last part.
    ImpliedOid,
}

/// A column of a table.
#[derive(Debug)]
pub struct Column {
    /// Its number below the entry.
    pub number: u32,
    /// What it may hold.
    pub syntax: Syntax,
    /// Who may see and change it.
    pub access: Access,
    /// What it holds in a new row.
    pub initial: Initial,
    /// Whether it can't be changed while the row is active.
    pub is_frozen: bool,
    /// The entry that it is below, where that is not its table's: a column of a table that AUGMENTS this one.
    pub augmenting: Option<&'static [u32]>,
}

/// Who may see and change a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone may read and change it.
    ReadCreate,
    /// Anyone may read it; [`Rules`](super::Rules) set it.
    ReadOnly,
    /// It is no object of the MIB, but part of the state only. Never shown: keys are kept so.
    Internal,
}

/// The value of a new instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Initial {
    /// None: the row is `notReady` until somebody sets it.
    Required,
    /// None, and none is needed: [`Rules`](super::Rules) may set it.
    Absent,
    Integer(i32),
    Octets(&'static [u8]),
    /// BER content octets.
    Oid(&'static [u8]),
}

/// What an object may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// `INTEGER` within bounds.
    Integer(i32, i32),
    /// `Gauge32` or `Unsigned32`.
    Gauge32,
    /// `Counter32`.
    Counter32,
    /// `TimeTicks`.
    TimeTicks,
    /// Any octets, this few to this many.
    Octets(usize, usize),
    /// UTF-8, this few octets to this many (`SnmpAdminString`).
    Utf8(usize, usize),
    /// ASCII, this few octets to this many (`DisplayString`).
    Ascii(usize, usize),
    /// `SnmpTagValue` (RFC 3413 §4.1.1): no delimiters.
    Tag,
    /// `SnmpTagList` (RFC 3413 §4.1.1): tags with one delimiter between two.
    TagList,
    /// `OBJECT IDENTIFIER`.
    Oid,
    /// `KeyChange` (RFC 3414 §5): reads as an empty string.
    KeyChange,
    /// `RowStatus` (RFC 2579).
    RowStatus,
    /// `StorageType` (RFC 2579).
    StorageType,
    /// `TestAndIncr` (RFC 2579).
    TestAndIncr,
}

impl Column {
    /// A read-create column that must be set.
    pub const fn new(number: u32, syntax: Syntax) -> Self {
        let (access, initial) = (Access::ReadCreate, Initial::Required);
        Column { number, syntax, access, initial, is_frozen: false, augmenting: None }
    }

    /// The `StorageType` column; `nonVolatile` at first, the value 3.
    pub const fn storage(number: u32) -> Self {
        Column::new(number, Syntax::StorageType).or(Initial::Integer(3))
    }

    /// The `RowStatus` column.
    pub const fn status(number: u32) -> Self {
        Column::new(number, Syntax::RowStatus)
    }

    /// With a default value.
    pub const fn or(mut self, initial: Initial) -> Self {
        self.initial = initial;
        self
    }

    /// Read-only.
    pub const fn read_only(mut self) -> Self {
        self.access = Access::ReadOnly;
        self.initial = Initial::Absent;
        self
    }

    /// Part of the state only.
    pub const fn internal(syntax: Syntax) -> Self {
        let (access, initial) = (Access::Internal, Initial::Absent);
        Column { number: 0, syntax, access, initial, is_frozen: false, augmenting: None }
    }

    /// Not to be changed while the row is active.
    pub const fn frozen(mut self) -> Self {
        self.is_frozen = true;
        self
    }

    /// A column of the table with this entry, which AUGMENTS the one that it stands in.
    pub const fn augmenting(mut self, entry: &'static [u32]) -> Self {
        self.augmenting = Some(entry);
        self
    }
}

impl TableScheme {
    /// Which column has the syntax, if one does.
    pub fn column_of(&self, syntax: Syntax) -> Option<usize> {
        self.columns.iter().position(|column| column.syntax == syntax)
    }
}

impl Initial {
    /// The value; `None` where there is none.
    pub fn value(self) -> Option<OwnedValue> {
        match self {
            Initial::Required | Initial::Absent => None,
            Initial::Integer(n) => Some(OwnedValue::Integer(n)),
            Initial::Octets(octets) => Some(OwnedValue::OctetString(octets.into())),
            Initial::Oid(content) => Some(OwnedValue::ObjectIdentifier(OidRef::from_checked(content).to_owned())),
        }
    }
}

impl Syntax {
    /// Whether a value may be assigned as far as its type, length and range tell (RFC 3416 §4.2.5 (3) to (6)).
    pub fn check(self, value: &Value<'_>) -> Result<(), ErrorStatus> {
        if matches!(value, Value::Invalid { .. }) {
            return Err(ErrorStatus::WRONG_ENCODING);
        }
        match (self, *value) {
            (Syntax::Integer(min, max), Value::Integer(n)) => within(n, min, max),
            (Syntax::RowStatus, Value::Integer(n)) => within(n, 1, 6),
            (Syntax::StorageType, Value::Integer(n)) => within(n, 1, 5),
            (Syntax::TestAndIncr, Value::Integer(n)) => within(n, 0, i32::MAX),
            (Syntax::Gauge32, Value::Gauge32(_))
            | (Syntax::Counter32, Value::Counter32(_))
            | (Syntax::TimeTicks, Value::TimeTicks(_))
            | (Syntax::Oid, Value::ObjectIdentifier(_))
            | (Syntax::KeyChange, Value::OctetString(_)) => Ok(()),
            (Syntax::Octets(min, max), Value::OctetString(octets)) => sized(octets, min, max),
            (Syntax::Utf8(min, max), Value::OctetString(octets)) => {
                sized(octets, min, max).and(valid(std::str::from_utf8(octets).is_ok()))
            }
            (Syntax::Ascii(min, max), Value::OctetString(octets)) => {
                sized(octets, min, max).and(valid(octets.is_ascii()))
            }
            (Syntax::Tag, Value::OctetString(octets)) => {
                sized(octets, 0, 255).and(valid(!octets.iter().any(is_delimiter)))
            }
            (Syntax::TagList, Value::OctetString(octets)) => sized(octets, 0, 255).and(valid(is_tag_list(octets))),
            _ => Err(ErrorStatus::WRONG_TYPE),
        }
    }
}

/// The tags of an `SnmpTagList`.
pub fn tags(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(is_delimiter).filter(|tag| !tag.is_empty())
}

/// Space, tab, carriage return or line feed (RFC 3413 §4.1.1 `SnmpTagValue`).
fn is_delimiter(octet: &u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// No delimiter at either end, and never two of them together.
fn is_tag_list(octets: &[u8]) -> bool {
    octets.is_empty() || octets.split(is_delimiter).all(|tag| !tag.is_empty())
}

fn within(n: i32, min: i32, max: i32) -> Result<(), ErrorStatus> {
    valid((min..=max).contains(&n))
}

fn valid(is_valid: bool) -> Result<(), ErrorStatus> {
    if is_valid { Ok(()) } else { Err(ErrorStatus::WRONG_VALUE) }
}

fn sized(octets: &[u8], min: usize, max: usize) -> Result<(), ErrorStatus> {
    if (min..=max).contains(&octets.len()) { Ok(()) } else { Err(ErrorStatus::WRONG_LENGTH) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_type_length_and_value_that_is_wrong_is_told() {
        let text = |octets: &'static [u8]| Value::OctetString(octets);
        for (syntax, value, expected) in [
            (Syntax::Utf8(1, 4), Value::Integer(1), Err(ErrorStatus::WRONG_TYPE)),
            (Syntax::Utf8(1, 4), text(b""), Err(ErrorStatus::WRONG_LENGTH)),
            (Syntax::Utf8(1, 4), text(b"\xff\xff"), Err(ErrorStatus::WRONG_VALUE)),
            (Syntax::Utf8(1, 4), text("é".as_bytes()), Ok(())),
            (Syntax::Ascii(0, 4), text("é".as_bytes()), Err(ErrorStatus::WRONG_VALUE)),
            (Syntax::Integer(0, 255), Value::Integer(256), Err(ErrorStatus::WRONG_VALUE)),
            (Syntax::Integer(0, 255), Value::Gauge32(1), Err(ErrorStatus::WRONG_TYPE)),
            (Syntax::RowStatus, Value::Integer(7), Err(ErrorStatus::WRONG_VALUE)),
            (Syntax::Tag, text(b"a b"), Err(ErrorStatus::WRONG_VALUE)),
            (Syntax::TagList, text(b"a b"), Ok(())),
            (Syntax::TagList, text(b"a  b"), Err(ErrorStatus::WRONG_VALUE)),
            (Syntax::TagList, text(b" a"), Err(ErrorStatus::WRONG_VALUE)),
            (Syntax::TagList, text(b""), Ok(())),
            (Syntax::Octets(0, 9), Value::Invalid { tag: 4, content: &[] }, Err(ErrorStatus::WRONG_ENCODING)),
        ] {
            assert_eq!(syntax.check(&value), expected, "{syntax:?} {value:?}");
        }
        assert!(tags(b"a b\tc").eq([&b"a"[..], b"b", b"c"]));
    }
}
