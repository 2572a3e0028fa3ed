//! SNMP-PROXY-MIB (RFC 3413 §4.3): what is to be passed on, and where to.

use std::sync::Arc;

use crate::agent::index::IndexValue;
use crate::agent::mibs::name;
use crate::agent::row_status::{RowStatus, StorageType};
use crate::agent::scheme::{Column, IndexPart, Initial, Scheme, Syntax, TableScheme};
use crate::agent::state::{InEffect, MibState};
use crate::agent::tabular::{PutRowError, Rules, Tabular};
use crate::engine::{EngineId, Name};
use crate::limits::MAX_TABLE_ROWS;
use crate::value::OwnedValue;

/// What is passed on: what SNMP-PROXY-MIB has in effect.
#[derive(Debug)]
pub struct ProxyTable(InEffect);

/// The rules of SNMP-PROXY-MIB.
pub struct ProxyRules(Arc<ProxyTable>);

/// SNMP-PROXY-MIB.
pub type ProxyMib = Tabular<ProxyRules>;

/// What a row of `snmpProxyTable` passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum ProxyType {
    Read = 1,
    Write = 2,
    Trap = 3,
    Inform = 4,
}

/// An active row of `snmpProxyTable`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// `snmpProxyName`.
    pub name: Name,
    /// What is passed on.
    pub kind: ProxyType,
    /// The context's engine.
    pub context_engine_id: EngineId,
    /// The context.
    pub context_name: Name,
    /// The parameters (`snmpTargetParamsName`) that a message must have come with.
    pub params_in: Name,
    /// The target (`snmpTargetAddrName`) that requests are passed on to.
    pub single_target: Name,
    /// The tag of the targets that notifications are passed on to.
    pub multiple_targets: Vec<u8>,
}

const PROXIES: usize = 0;

pub(super) static SCHEME: Scheme = Scheme {
    name: "SNMP-PROXY-MIB",
    version: 1,
    subtrees: &[&[1, 3, 6, 1, 6, 3, 14]],
    scalars: &[],
    tables: &[TableScheme {
        entry: &[1, 3, 6, 1, 6, 3, 14, 1, 2, 1],
        index: &[IndexPart::ImpliedOctets(1, 32)],
        columns: &[
            Column::new(2, Syntax::Integer(1, 4)).frozen(),
            Column::new(3, Syntax::Octets(5, 32)).frozen(),
            Column::new(4, Syntax::Utf8(0, 255)).or(Initial::Octets(b"")).frozen(),
            Column::new(5, Syntax::Utf8(0, 255)).frozen(),
            // Which of the two counts depends on the type; the other need not be set.
            Column::new(6, Syntax::Utf8(0, 255)).or(Initial::Octets(b"")).frozen(),
            Column::new(7, Syntax::Tag).or(Initial::Octets(b"")).frozen(),
            Column::storage(8),
            Column::status(9),
        ],
        max_rows: MAX_TABLE_ROWS,
        is_stored: true,
    }],
};

impl Rules for ProxyRules {
    fn scheme(&self) -> &'static Scheme {
        &SCHEME
    }

    fn publish(&self, _: &MibState, after: &MibState) {
        self.0.0.put(after);
    }
}

impl ProxyMib {
    /// The module that puts its rows into this table.
    pub fn of(table: Arc<ProxyTable>) -> Self {
        Tabular::new(ProxyRules(table))
    }

    /// What it has put into effect.
    pub fn table(&self) -> &Arc<ProxyTable> {
        &self.rules.0
    }

    /// Adds a row from a configuration, or replaces it.
    pub fn put_proxy(&self, proxy: &Proxy, storage: StorageType) -> Result<(), PutRowError> {
        let text = |octets: &[u8]| OwnedValue::OctetString(octets.into());
        let cells = [
            (0, OwnedValue::Integer(proxy.kind as i32)),
            (1, text(proxy.context_engine_id.as_octets())),
            (2, text(proxy.context_name.as_octets())),
            (3, text(proxy.params_in.as_octets())),
            (4, text(proxy.single_target.as_octets())),
            (5, text(&proxy.multiple_targets)),
            (6, OwnedValue::Integer(storage as i32)),
        ];
        self.put_row(PROXIES, &[IndexValue::octets(proxy.name.as_octets())], cells)
    }
}

impl Default for ProxyTable {
    fn default() -> Self {
        ProxyTable(InEffect::new(&SCHEME))
    }
}

impl ProxyTable {
    /// The active rows, in the order of their names.
    pub fn proxies(&self) -> Vec<Proxy> {
        let state = self.0.get();
        let scheme = &SCHEME.tables[PROXIES];
        let active = state.rows(PROXIES).iter().filter(|(_, row)| row.status(scheme) == RowStatus::Active);
        active
            .filter_map(|(key, row)| {
                Some(Proxy {
                    name: name(key.values(scheme.index)?[0].as_octets()),
                    kind: match row.integer(0) {
                        1 => ProxyType::Read,
                        2 => ProxyType::Write,
                        3 => ProxyType::Trap,
                        _ => ProxyType::Inform,
                    },
                    context_engine_id: EngineId::new(row.octets(1)).ok()?,
                    context_name: name(row.octets(2)),
                    params_in: name(row.octets(3)),
                    single_target: name(row.octets(4)),
                    multiple_targets: row.octets(5).to_vec(),
                })
            })
            .collect()
    }
}
