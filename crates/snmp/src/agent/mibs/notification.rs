//! SNMP-NOTIFICATION-MIB (RFC 3413 §4.2): which targets hear of what.

use std::sync::Arc;

use crate::agent::index::{IndexValue, RowKey};
use crate::agent::mibs::name;
use crate::agent::row_status::{RowStatus, StorageType};
use crate::agent::scheme::{Column, IndexPart, Initial, Scheme, Syntax, TableScheme};
use crate::agent::state::{InEffect, MibState, Row};
use crate::agent::tabular::{PutRowError, Rules, Tabular};
use crate::engine::Name;
use crate::limits::MAX_TABLE_ROWS;
use crate::oid::OidRef;
use crate::value::OwnedValue;

/// Who is told of what: what SNMP-NOTIFICATION-MIB has in effect.
#[derive(Debug)]
pub struct NotificationTable(InEffect);

/// The rules of SNMP-NOTIFICATION-MIB.
pub struct NotificationRules(Arc<NotificationTable>);

/// SNMP-NOTIFICATION-MIB.
pub type NotificationMib = Tabular<NotificationRules>;

/// An active row of `snmpNotifyTable`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// `snmpNotifyName`.
    pub name: Name,
    /// The tag of the targets that are told.
    pub tag: Vec<u8>,
    /// Whether they must acknowledge it.
    pub is_inform: bool,
}

const NOTIFY: usize = 0;
const PROFILES: usize = 1;
const FILTERS: usize = 2;

pub(super) static SCHEME: Scheme = Scheme {
    name: "SNMP-NOTIFICATION-MIB",
    version: 1,
    subtrees: &[&[1, 3, 6, 1, 6, 3, 13]],
    scalars: &[],
    tables: &[
        TableScheme {
            entry: &[1, 3, 6, 1, 6, 3, 13, 1, 1, 1],
            index: &[IndexPart::ImpliedOctets(1, 32)],
            columns: &[
                Column::new(2, Syntax::Tag).or(Initial::Octets(b"")),
                Column::new(3, Syntax::Integer(1, 2)).or(Initial::Integer(1)),
                Column::storage(4),
                Column::status(5),
            ],
            max_rows: MAX_TABLE_ROWS,
            is_stored: true,
        },
        TableScheme {
            entry: &[1, 3, 6, 1, 6, 3, 13, 1, 2, 1],
            index: &[IndexPart::ImpliedOctets(1, 32)],
            columns: &[Column::new(1, Syntax::Utf8(1, 32)), Column::storage(2), Column::status(3)],
            max_rows: MAX_TABLE_ROWS,
            is_stored: true,
        },
        TableScheme {
            entry: &[1, 3, 6, 1, 6, 3, 13, 1, 3, 1],
            index: &[IndexPart::Octets(1, 32), IndexPart::ImpliedOid],
            columns: &[
                Column::new(2, Syntax::Octets(0, 16)).or(Initial::Octets(b"")),
                Column::new(3, Syntax::Integer(1, 2)).or(Initial::Integer(1)),
                Column::storage(4),
                Column::status(5),
            ],
            max_rows: MAX_TABLE_ROWS,
            is_stored: true,
        },
    ],
};

impl Rules for NotificationRules {
    fn scheme(&self) -> &'static Scheme {
        &SCHEME
    }

    fn publish(&self, _: &MibState, after: &MibState) {
        self.0.0.put(after);
    }
}

impl NotificationMib {
    /// The module that puts its rows into this table.
    pub fn of(table: Arc<NotificationTable>) -> Self {
        Tabular::new(NotificationRules(table))
    }

    /// What it has put into effect.
    pub fn table(&self) -> &Arc<NotificationTable> {
        &self.rules.0
    }

    /// Adds a row of `snmpNotifyTable` from a configuration, or replaces it.
    pub fn put_notify(&self, notify: &Notify, storage: StorageType) -> Result<(), PutRowError> {
        let cells = [
            (0, OwnedValue::OctetString(notify.tag.as_slice().into())),
            (1, OwnedValue::Integer(if notify.is_inform { 2 } else { 1 })),
            (2, OwnedValue::Integer(storage as i32)),
        ];
        self.put_row(NOTIFY, &[IndexValue::octets(notify.name.as_octets())], cells)
    }
}

impl Default for NotificationTable {
    fn default() -> Self {
        NotificationTable(InEffect::new(&SCHEME))
    }
}

impl NotificationTable {
    /// The active rows of `snmpNotifyTable` that name a tag, in the order of their names.
    pub fn notifies(&self) -> Vec<Notify> {
        let state = self.0.get();
        let scheme = &SCHEME.tables[NOTIFY];
        let active = state.rows(NOTIFY).iter().filter(|(_, row)| row.status(scheme) == RowStatus::Active);
        active
            .filter(|(_, row)| !row.octets(0).is_empty())
            .filter_map(|(key, row)| {
                Some(Notify {
                    name: name(key.values(scheme.index)?[0].as_octets()),
                    tag: row.octets(0).to_vec(),
                    is_inform: row.integer(1) == 2,
                })
            })
            .collect()
    }

    /// Whether a notification passes the filter of a target's parameters (RFC 3413 §6): its type must be included,
    /// and none of its variables be excluded. Parameters without an active profile let all pass.
    pub fn passes<'n>(
        &self,
        params: &Name,
        trap_oid: OidRef<'_>,
        variables: impl IntoIterator<Item = OidRef<'n>>,
    ) -> bool {
        let state = self.0.get();
        let key = RowKey::new(SCHEME.tables[PROFILES].index, &[IndexValue::octets(params.as_octets())]);
        let Some(profile) = key.and_then(|key| state.rows(PROFILES).get(&key).cloned()) else { return true };
        if profile.status(&SCHEME.tables[PROFILES]) != RowStatus::Active {
            return true;
        }
        let filters = filters(&state, profile.octets(0));
        let decision = |name: OidRef<'_>| {
            let arcs: Vec<u32> = name.arcs().collect();
            // They come in order: of equally long ones the last is the greatest.
            let deciding = filters.iter().filter(|filter| filter.has(&arcs)).max_by_key(|filter| filter.subtree.len());
            deciding.map(|filter| filter.is_included)
        };
        decision(trap_oid) == Some(true) && variables.into_iter().all(|name| decision(name) != Some(false))
    }
}

/// An active row of `snmpNotifyFilterTable`.
struct Filter<'s> {
    subtree: Vec<u32>,
    mask: &'s [u8],
    is_included: bool,
}

impl Filter<'_> {
    fn has(&self, arcs: &[u32]) -> bool {
        let fixed = |i: usize| self.mask.get(i / 8).is_none_or(|octet| octet & (0x80 >> (i % 8)) != 0);
        arcs.len() >= self.subtree.len()
            && self.subtree.iter().zip(arcs).enumerate().all(|(i, (own, arc))| own == arc || !fixed(i))
    }
}

fn filters<'s>(state: &'s MibState, profile: &[u8]) -> Vec<Filter<'s>> {
    let scheme = &SCHEME.tables[FILTERS];
    let filter = |(key, row): (&RowKey, &'s Arc<Row>)| {
        let index = key.values(scheme.index)?;
        let [IndexValue::Octets(own), IndexValue::Oid(subtree)] = &index[..] else { return None };
        let is_meant = own == profile && row.status(scheme) == RowStatus::Active;
        let (subtree, mask) = (subtree.clone(), row.octets(0));
        is_meant.then(|| Filter { subtree, mask, is_included: row.integer(1) == 1 })
    };
    state.rows(FILTERS).iter().filter_map(filter).collect()
}
