//! SNMP-VIEW-BASED-ACM-MIB (RFC 3415 §4): groups, rights and views over [`Vacm`], which decides by what is active here.

use std::sync::Arc;

use crate::agent::index::IndexValue;
use crate::agent::mibs::name;
use crate::agent::row_status::{RowStatus, StorageType};
use crate::agent::scheme::{Column, IndexPart, Initial, Scalar, Scheme, Source, Syntax, TableScheme};
use crate::agent::state::{MibState, Row};
use crate::agent::tabular::{PutRowError, Rules, Tabular};
use crate::engine::Name;
use crate::limits::MAX_TABLE_ROWS;
use crate::message::SecurityLevel;
use crate::oid::Oid;
use crate::vacm::{AccessEntry, ContextMatch, GroupMember, Vacm, VacmTables, ViewFamily};
use crate::value::OwnedValue;

/// The rules of SNMP-VIEW-BASED-ACM-MIB.
pub struct VacmRules(Arc<Vacm>);

/// SNMP-VIEW-BASED-ACM-MIB.
pub type VacmMib = Tabular<VacmRules>;

const CONTEXTS: usize = 0;
const GROUPS: usize = 1;
const ACCESS: usize = 2;
const FAMILIES: usize = 3;

const NAME: Initial = Initial::Octets(b"");

pub(super) static SCHEME: Scheme = Scheme {
    name: "SNMP-VIEW-BASED-ACM-MIB",
    version: 1,
    subtrees: &[&[1, 3, 6, 1, 6, 3, 16]],
    scalars: &[Scalar {
        oid: &[1, 3, 6, 1, 6, 3, 16, 1, 5, 1],
        syntax: Syntax::TestAndIncr,
        source: Source::Kept(Initial::Integer(0)),
    }],
    tables: &[
        TableScheme {
            entry: &[1, 3, 6, 1, 6, 3, 16, 1, 1, 1],
            index: &[IndexPart::Octets(0, 32)],
            columns: &[Column::new(1, Syntax::Utf8(0, 32)).read_only()],
            max_rows: MAX_TABLE_ROWS,
            is_stored: false,
        },
        TableScheme {
            entry: &[1, 3, 6, 1, 6, 3, 16, 1, 2, 1],
            index: &[IndexPart::Number(1, i32::MAX as u32), IndexPart::Octets(1, 32)],
            columns: &[Column::new(3, Syntax::Utf8(1, 32)), Column::storage(4), Column::status(5)],
            max_rows: MAX_TABLE_ROWS,
            is_stored: true,
        },
        TableScheme {
            entry: &[1, 3, 6, 1, 6, 3, 16, 1, 4, 1],
            index: &[
                IndexPart::Octets(1, 32),
                IndexPart::Octets(0, 32),
                IndexPart::Number(0, i32::MAX as u32),
                IndexPart::Number(1, 3),
            ],
            columns: &[
                Column::new(4, Syntax::Integer(1, 2)).or(Initial::Integer(1)),
                Column::new(5, Syntax::Utf8(0, 32)).or(NAME),
                Column::new(6, Syntax::Utf8(0, 32)).or(NAME),
                Column::new(7, Syntax::Utf8(0, 32)).or(NAME),
                Column::storage(8),
                Column::status(9),
            ],
            max_rows: MAX_TABLE_ROWS,
            is_stored: true,
        },
        TableScheme {
            entry: &[1, 3, 6, 1, 6, 3, 16, 1, 5, 2, 1],
            index: &[IndexPart::Octets(1, 32), IndexPart::Oid],
            columns: &[
                Column::new(3, Syntax::Octets(0, 16)).or(NAME),
                Column::new(4, Syntax::Integer(1, 2)).or(Initial::Integer(1)),
                Column::storage(5),
                Column::status(6),
            ],
            max_rows: MAX_TABLE_ROWS,
            is_stored: true,
        },
    ],
};

impl Rules for VacmRules {
    fn scheme(&self) -> &'static Scheme {
        &SCHEME
    }

    fn publish(&self, _before: &MibState, after: &MibState) {
        self.0.replace(tables(after));
    }
}

impl VacmMib {
    /// The module over an access control model, whose tables are those of the module from the first change or
    /// [restored](crate::agent::MibModule::restore) state on: a successor in the making takes nobody's rights away.
    pub fn of(vacm: Arc<Vacm>) -> Self {
        Tabular::new(VacmRules(vacm))
    }

    /// Adds rows that come from a configuration. Contexts are not stored; the other rows are kept as `storage` says.
    /// Rows of the same index are replaced. At an error the rows before it are in place.
    pub fn put(&self, tables: &VacmTables, storage: StorageType) -> Result<(), PutRowError> {
        let text = |name: &Name| OwnedValue::OctetString(name.as_octets().into());
        let octets = |name: &Name| IndexValue::octets(name.as_octets());
        let number = |n: i32| OwnedValue::Integer(n);
        let storage = number(storage as i32);
        for context in &tables.contexts {
            self.put_row(CONTEXTS, &[octets(context)], [(0, text(context))])?;
        }
        for GroupMember { security_model, security_name, group } in &tables.members {
            let index = [IndexValue::Number(*security_model), octets(security_name)];
            self.put_row(GROUPS, &index, [(0, text(group)), (1, storage.clone())])?;
        }
        for entry in &tables.access {
            let (prefix, kind) = match &entry.context {
                ContextMatch::Exact(name) => (name, 1),
                ContextMatch::Prefix(name) => (name, 2),
            };
            let level = IndexValue::Number(entry.level as u32 + 1);
            let index = [octets(&entry.group), octets(prefix), IndexValue::Number(entry.security_model), level];
            let views = [&entry.read_view, &entry.write_view, &entry.notify_view].map(text);
            let [read, write, notify] = views;
            let cells = [(0, number(kind)), (1, read), (2, write), (3, notify), (4, storage.clone())];
            self.put_row(ACCESS, &index, cells)?;
        }
        for ViewFamily { view, subtree, mask, included } in &tables.families {
            let index = [octets(view), IndexValue::Oid(subtree.as_oid().arcs().collect())];
            let mask = OwnedValue::OctetString(mask.as_slice().into());
            let cells = [(0, mask), (1, number(if *included { 1 } else { 2 })), (2, storage.clone())];
            self.put_row(FAMILIES, &index, cells)?;
        }
        Ok(())
    }
}

/// The tables that the active rows are.
fn tables(state: &MibState) -> VacmTables {
    let rows = |table: usize| {
        let scheme = &SCHEME.tables[table];
        let active = state.rows(table).iter().filter(|(_, row)| row.status(scheme) == RowStatus::Active);
        active.filter_map(|(key, row)| Some((key.values(scheme.index)?, &**row)))
    };
    let name_in = |row: &Row, column| name(row.octets(column));
    let contexts = rows(CONTEXTS).map(|(index, _)| name(index[0].as_octets())).collect();
    let members = rows(GROUPS).map(|(index, row)| GroupMember {
        security_model: index[0].as_number(),
        security_name: name(index[1].as_octets()),
        group: name_in(row, 0),
    });
    let access = rows(ACCESS).map(|(index, row)| {
        let prefix = name(index[1].as_octets());
        AccessEntry {
            group: name(index[0].as_octets()),
            context: if row.integer(0) == 1 { ContextMatch::Exact(prefix) } else { ContextMatch::Prefix(prefix) },
            security_model: index[2].as_number(),
            level: match index[3].as_number() {
                1 => SecurityLevel::NoAuthNoPriv,
                2 => SecurityLevel::AuthNoPriv,
                _ => SecurityLevel::AuthPriv,
            },
            read_view: name_in(row, 1),
            write_view: name_in(row, 2),
            notify_view: name_in(row, 3),
        }
    });
    let families = rows(FAMILIES).filter_map(|(index, row)| {
        let [_, IndexValue::Oid(arcs)] = &index[..] else { return None };
        let (subtree, mask) = subtree(arcs, row.octets(0))?;
        Some(ViewFamily { view: name(index[0].as_octets()), subtree, mask, included: row.integer(1) == 1 })
    });
    VacmTables { contexts, members: members.collect(), access: access.collect(), families: families.collect() }
}

/// A subtree and mask for sub-identifiers that may be fewer than the two that every name has: those that lack may be
/// anything. `None` where no name can start so.
fn subtree(arcs: &[u32], mask: &[u8]) -> Option<(Oid, Vec<u8>)> {
    let missing = 2_usize.saturating_sub(arcs.len());
    if missing == 0 {
        return Some((Oid::from_arcs(arcs).ok()?, mask.to_vec()));
    }
    let mut whole = arcs.to_vec();
    whole.resize(2, 0);
    let first = mask.first().copied().unwrap_or(0xff);
    Some((Oid::from_arcs(&whole).ok()?, vec![if arcs.is_empty() { 0 } else { first & 0x80 }]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtrees_of_less_than_two_sub_identifiers_hold_all_below() {
        let root = |arcs: &[u32], mask: &[u8]| subtree(arcs, mask).unwrap();
        assert_eq!(root(&[1], &[]), ("1.0".parse().unwrap(), vec![0x80]));
        assert_eq!(root(&[1], &[0x00]), ("1.0".parse().unwrap(), vec![0]));
        assert_eq!(root(&[], &[]), ("0.0".parse().unwrap(), vec![0]));
        assert_eq!(root(&[1, 3], &[0x80]), ("1.3".parse().unwrap(), vec![0x80]));
        assert_eq!(subtree(&[3], &[]), None);
    }
}
