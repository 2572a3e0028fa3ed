//! SNMP-COMMUNITY-MIB (RFC 3584 §6): communities over [`CommunityTable`], which knows those that are active here.
//!
//! Its `snmpTargetAddrExtTable` is with the table that it augments, in SNMP-TARGET-MIB. `snmpCommunityTransportTag`,
//! which says where a community may come from, can't be set: security models are not told where a message came
//! from, and a restriction that nobody keeps would be worse than none.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::agent::index::IndexValue;
use crate::agent::mibs::name;
use crate::agent::row_status::{Refused, RowStatus, StorageType};
use crate::agent::scheme::{Column, IndexPart, Initial, Scheme, Syntax, TableScheme};
use crate::agent::state::MibState;
use crate::agent::tabular::{PutRowError, RowChange, Rules, Tabular};
use crate::engine::{Community, CommunityTable, EngineId, Name};
use crate::limits::MAX_TABLE_ROWS;
use crate::pdu::ErrorStatus;
use crate::value::OwnedValue;

/// The rules of SNMP-COMMUNITY-MIB.
pub struct CommunityRules {
    communities: Arc<CommunityTable>,
    engine_id: EngineId,
}

/// SNMP-COMMUNITY-MIB.
pub type CommunityMib = Tabular<CommunityRules>;

const COMMUNITIES: usize = 0;

const COMMUNITY: usize = 0;
const SECURITY_NAME: usize = 1;
const CONTEXT_ENGINE_ID: usize = 2;
const CONTEXT_NAME: usize = 3;
const TRANSPORT_TAG: usize = 4;
const STORAGE: usize = 5;

pub(super) static SCHEME: Scheme = Scheme {
    name: "SNMP-COMMUNITY-MIB",
    version: 1,
    subtrees: &[&[1, 3, 6, 1, 6, 3, 18]],
    scalars: &[],
    tables: &[TableScheme {
        entry: &[1, 3, 6, 1, 6, 3, 18, 1, 1, 1],
        index: &[IndexPart::ImpliedOctets(1, 32)],
        columns: &[
            Column::new(2, Syntax::Octets(0, 255)),
            Column::new(3, Syntax::Utf8(1, 32)),
            Column::new(4, Syntax::Octets(5, 32)).or(Initial::Absent),
            Column::new(5, Syntax::Utf8(0, 32)).or(Initial::Octets(b"")),
            Column::new(6, Syntax::Tag).or(Initial::Octets(b"")),
            Column::storage(7),
            Column::status(8),
        ],
        max_rows: MAX_TABLE_ROWS,
        is_stored: true,
    }],
};

impl Rules for CommunityRules {
    fn scheme(&self) -> &'static Scheme {
        &SCHEME
    }

    fn complete(&self, change: &mut RowChange<'_>) -> Result<bool, Refused> {
        if change.row.get(CONTEXT_ENGINE_ID).is_none() {
            change.row.set(CONTEXT_ENGINE_ID, OwnedValue::OctetString(self.engine_id.as_octets().into()));
        }
        if !change.row.octets(TRANSPORT_TAG).is_empty() {
            return Err(Refused::column(TRANSPORT_TAG, ErrorStatus::INCONSISTENT_VALUE));
        }
        Ok(true)
    }

    fn publish(&self, _before: &MibState, after: &MibState) {
        let active =
            after.rows(COMMUNITIES).values().filter(|row| row.status(&SCHEME.tables[COMMUNITIES]) == RowStatus::Active);
        let communities = active.filter_map(|row| {
            Some(Community {
                name: SmallVec::from_slice(row.octets(COMMUNITY)),
                security_name: name(row.octets(SECURITY_NAME)),
                context_name: name(row.octets(CONTEXT_NAME)),
                context_engine_id: EngineId::new(row.octets(CONTEXT_ENGINE_ID)).ok()?,
            })
        });
        self.communities.replace(communities);
    }
}

impl CommunityMib {
    /// The module of an engine over its communities, of which it is the only source from the first change or
    /// [restored](crate::agent::MibModule::restore) state on.
    pub fn of(communities: Arc<CommunityTable>, engine_id: EngineId) -> Self {
        Tabular::new(CommunityRules { communities, engine_id })
    }

    /// Adds a community from a configuration, or replaces the one of this index.
    pub fn put_community(&self, index: &Name, community: &Community, storage: StorageType) -> Result<(), PutRowError> {
        let text = |octets: &[u8]| OwnedValue::OctetString(octets.into());
        let engine_id = &community.context_engine_id;
        let engine_id = if engine_id.is_empty() { &self.rules.engine_id } else { engine_id };
        let cells = [
            (COMMUNITY, text(&community.name)),
            (SECURITY_NAME, text(community.security_name.as_octets())),
            (CONTEXT_ENGINE_ID, text(engine_id.as_octets())),
            (CONTEXT_NAME, text(community.context_name.as_octets())),
            (STORAGE, OwnedValue::Integer(storage as i32)),
        ];
        self.put_row(COMMUNITIES, &[IndexValue::octets(index.as_octets())], cells)
    }
}
