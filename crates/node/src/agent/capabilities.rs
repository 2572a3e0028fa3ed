//! sysORTable and sysORLastChange (RFC 3418): what the agent implements, and what its sub-agents say that they do.
//!
//! A MIB module of its own, within what SNMPv2-MIB serves: its rows come and go with sub-agents. The list outlives versions of
//! the module, which is lent it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hamsa_snmp::agent::mibs::Capability;
use hamsa_snmp::agent::{MibModule, SearchRange};
use hamsa_snmp::pdu::ErrorStatus;
use hamsa_snmp::value::OwnedValue;
use hamsa_snmp::{Oid, OidRef, VarBindBuf};

use super::variables::{Variables, below, is_column};

/// The module's name.
pub(super) const NAME: &str = "sysORTable";

const SYSTEM: &[u32] = &[1, 3, 6, 1, 2, 1, 1];
/// sysORLastChange.
const LAST_CHANGE: u32 = 8;
const ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 9, 1];
/// sysORID, sysORDescr, sysORUpTime.
const COLUMNS: [u32; 3] = [2, 3, 4];

/// What is implemented.
pub(super) struct Capabilities {
    /// When `sysUpTime` was zero.
    started: Instant,
    list: Mutex<List>,
}

struct List {
    rows: Vec<Row>,
    /// The index of the row that was added last; none is used again.
    last_index: u32,
    changed_ticks: u32,
    variables: Arc<Variables>,
}

struct Row {
    index: u32,
    capability: Capability,
    since_ticks: u32,
    is_own: bool,
}

impl Capabilities {
    /// Those of the agent itself.
    pub(super) fn new(started: Instant, own: Vec<Capability>) -> Self {
        let row = |(index, capability)| Row { index, capability, since_ticks: 0, is_own: true };
        let rows: Vec<Row> = (1..).zip(own).map(row).collect();
        let last_index = rows.len() as u32;
        let mut list = List { rows, last_index, changed_ticks: 0, variables: Arc::default() };
        list.variables = Arc::new(list.shown());
        Capabilities { started, list: Mutex::new(list) }
    }

    /// Those of all sub-agents from now on. What stays keeps its row.
    pub(super) fn set_of_subagents(&self, now: Instant, mut capabilities: Vec<Capability>) {
        let ticks = (now.saturating_duration_since(self.started).as_millis() / 10) as u32;
        let mut list = self.list();
        let before = list.rows.len();
        list.rows.retain(|row| {
            let place = capabilities.iter().position(|capability| *capability == row.capability);
            row.is_own || place.map(|place| capabilities.remove(place)).is_some()
        });
        if list.rows.len() == before && capabilities.is_empty() {
            return;
        }
        for capability in capabilities {
            list.last_index += 1;
            let index = list.last_index;
            list.rows.push(Row { index, capability, since_ticks: ticks, is_own: false });
        }
        list.changed_ticks = ticks;
        list.variables = Arc::new(list.shown());
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    fn shown(&self) -> Variables {
        let mut variables = Vec::new();
        let mut put = |name: Option<Oid>, value| variables.extend(name.map(|name| (name, value)));
        put(below(SYSTEM, [LAST_CHANGE, 0]), OwnedValue::TimeTicks(self.changed_ticks));
        for Row { index, capability, since_ticks, .. } in &self.rows {
            let [id, description, since] = COLUMNS.map(|column| below(ENTRY, [column, *index]));
            put(id, OwnedValue::ObjectIdentifier(capability.id.clone()));
            put(description, OwnedValue::OctetString(capability.description.as_bytes().into()));
            put(since, OwnedValue::TimeTicks(*since_ticks));
        }
        Variables::new(variables)
    }
}

/// The module.
pub(super) struct SysOrTable(Arc<Capabilities>);

impl SysOrTable {
    /// Of this list.
    pub(super) fn new(capabilities: Arc<Capabilities>) -> Self {
        SysOrTable(capabilities)
    }

    fn variables(&self) -> Arc<Variables> {
        self.0.list().variables.clone()
    }
}

impl MibModule for SysOrTable {
    fn name(&self) -> &str {
        NAME
    }

    fn subtrees(&self) -> Vec<Oid> {
        [LAST_CHANGE, LAST_CHANGE + 1].into_iter().filter_map(|last| below(SYSTEM, [last])).collect()
    }

    fn get(&self, _: Instant, name: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        let is_object = |name: OidRef<'_>| is_column(name, ENTRY, &COLUMNS) || is_column(name, SYSTEM, &[LAST_CHANGE]);
        self.variables().get(name, is_object, to);
        Ok(())
    }

    fn get_next(&self, _: Instant, range: &SearchRange<'_>, to: &mut VarBindBuf) -> Result<bool, ErrorStatus> {
        Ok(self.variables().get_next(range, to))
    }

    fn walk(&self, _: Instant, range: &SearchRange<'_>, max: usize, to: &mut VarBindBuf) -> Result<usize, ErrorStatus> {
        Ok(self.variables().walk(range, max, to))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn capability(last: u32) -> Capability {
        Capability { id: below(&[1, 3, 6, 1, 6, 3], [last]).unwrap(), description: format!("number {last}") }
    }

    #[test]
    fn what_stays_keeps_its_row_and_no_index_is_used_again() {
        let started = Instant::now();
        let capabilities = Capabilities::new(started, vec![capability(1)]);
        let rows = || {
            let list = capabilities.list();
            let row = |row: &Row| (row.index, row.capability.clone(), row.since_ticks);
            (list.rows.iter().map(row).collect::<Vec<_>>(), list.changed_ticks)
        };
        let second = |seconds| started + Duration::from_secs(seconds);
        capabilities.set_of_subagents(second(1), vec![capability(2), capability(2), capability(3)]);
        capabilities.set_of_subagents(second(2), vec![capability(3), capability(2)]);
        let stay = vec![(1, capability(1), 0), (2, capability(2), 100), (4, capability(3), 100)];
        assert_eq!(rows(), (stay.clone(), 200));
        capabilities.set_of_subagents(second(3), vec![capability(2), capability(3)]);
        assert_eq!(rows(), (stay, 200), "nothing has changed");
        capabilities.set_of_subagents(second(4), vec![capability(1)]);
        assert_eq!(rows(), (vec![(1, capability(1), 0), (5, capability(1), 400)], 400));
    }
}
