//! IF-MIB (RFC 2863) of this host: version 1.0 has the interfaces group and ifTable, from 1.1 on there is ifXTable too.
//! So an agent's MIB is extended by a swap while it runs. Of its objects ifLinkUpDownTrapEnable can be set, and is kept
//! by the interface's name: numbers change when a host starts again.
//!
//! Objects whose values the kernel does not tell (broadcast packets, unknown protocols) are left out rather than
//! shown as 0.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hamsa_snmp::agent::{Keep, MibModule, SearchRange, SetBinding, SetError, SetId, SetRequest, StateError};
use hamsa_snmp::pdu::ErrorStatus;
use hamsa_snmp::value::{OwnedValue, Value};
use hamsa_snmp::{Oid, OidRef, VarBindBuf};

use super::host_interfaces::{HostInterfaces, Interface, Snapshot};
use super::link_traps::LinkTraps;
use super::variables::{Variables, below, is_column};

const INTERFACES: &[u32] = &[1, 3, 6, 1, 2, 1, 2];
const IF_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1];
const IF_MIB: &[u32] = &[1, 3, 6, 1, 2, 1, 31];
const IF_X_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1];
const IF_X_OBJECTS: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1];
const IF_COLUMNS: [u32; 17] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 16, 17, 19, 20];
/// ifLinkUpDownTrapEnable.
const LINK_TRAPS: u32 = 14;
const IF_X_COLUMNS: [u32; 13] = [1, 2, 6, 7, 8, 10, 11, 14, 15, 16, 17, 18, 19];

/// IF-MIB of this host.
pub struct IfMib {
    host: Arc<HostInterfaces>,
    /// When `sysUpTime` was zero.
    started: Instant,
    has_extensions: bool,
    /// All variables of a snapshot, in order.
    table: Mutex<Option<Arc<Table>>>,
    link_traps: Mutex<LinkTraps>,
    sets: Mutex<HashMap<SetId, Set>>,
}

/// A SET between its phases.
struct Set {
    before: LinkTraps,
    after: LinkTraps,
}

struct Table {
    of: Arc<Snapshot>,
    variables: Variables,
}

impl IfMib {
    /// The module; `has_extensions`: with ifXTable.
    pub fn new(host: Arc<HostInterfaces>, started: Instant, has_extensions: bool) -> Self {
        IfMib {
            host,
            started,
            has_extensions,
            table: Mutex::default(),
            link_traps: Mutex::default(),
            sets: Mutex::default(),
        }
    }

    fn table(&self, now: Instant) -> Arc<Table> {
        let snapshot = self.host.snapshot(now);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = table.as_ref().filter(|table| Arc::ptr_eq(&table.of, &snapshot)) {
            return table.clone();
        }
        let variables = self.variables(&snapshot);
        let fresh = Arc::new(Table { of: snapshot, variables });
        *table = Some(fresh.clone());
        fresh
    }

    fn link_traps(&self) -> MutexGuard<'_, LinkTraps> {
        self.link_traps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sets(&self) -> MutexGuard<'_, HashMap<SetId, Set>> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_link_traps(&self, link_traps: LinkTraps) {
        *self.link_traps() = link_traps;
        *self.table.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The interface whose ifLinkUpDownTrapEnable a binding sets, and to what.
    fn wanted(&self, now: Instant, binding: &SetBinding<'_>) -> Result<(String, bool), ErrorStatus> {
        if !self.has_extensions || !is_column(binding.name, IF_X_ENTRY, &[LINK_TRAPS]) {
            return Err(ErrorStatus::NOT_WRITABLE);
        }
        let snapshot = self.host.snapshot(now);
        let is_meant = |interface: &&Interface| {
            below(IF_X_ENTRY, [LINK_TRAPS, interface.index]).is_some_and(|name| name.as_oid() == binding.name)
        };
        let interface = snapshot.interfaces.iter().find(is_meant).ok_or(ErrorStatus::NO_CREATION)?;
        match binding.value {
            Value::Integer(1) => Ok((interface.name.clone(), true)),
            Value::Integer(2) => Ok((interface.name.clone(), false)),
            Value::Integer(_) => Err(ErrorStatus::WRONG_VALUE),
            _ => Err(ErrorStatus::WRONG_TYPE),
        }
    }

    fn variables(&self, snapshot: &Snapshot) -> Variables {
        let link_traps = self.link_traps().clone();
        let mut variables = Vec::new();
        let mut put = |base: &[u32], last: [u32; 2], value| {
            variables.extend(below(base, last).map(|name| (name, value)));
        };
        let count = i32::try_from(snapshot.interfaces.len()).unwrap_or(i32::MAX);
        put(INTERFACES, [1, 0], OwnedValue::Integer(count));
        for interface in &snapshot.interfaces {
            for (column, value) in self.if_entry(interface) {
                put(IF_ENTRY, [column, interface.index], value);
            }
        }
        if self.has_extensions {
            for interface in &snapshot.interfaces {
                let has_traps = link_traps.is_enabled(interface);
                for (column, value) in if_x_entry(interface, has_traps) {
                    put(IF_X_ENTRY, [column, interface.index], value);
                }
            }
            // ifTableLastChange.
            put(IF_X_OBJECTS, [5, 0], OwnedValue::TimeTicks(self.ticks(snapshot.changed)));
        }
        Variables::new(variables)
    }

    /// `sysUpTime` at an instant; 0 for what was so from the start.
    fn ticks(&self, at: Option<Instant>) -> u32 {
        at.map_or(0, |at| (at.saturating_duration_since(self.started).as_millis() / 10) as u32)
    }

    fn if_entry(&self, interface: &Interface) -> Vec<(u32, OwnedValue)> {
        let Interface { received, sent, .. } = interface;
        let text = |text: &str| OwnedValue::OctetString(text.as_bytes().into());
        // These counters are 32 bits of longer ones (RFC 2863 §3.1.6).
        let counter = |count: u64| OwnedValue::Counter32(count as u32);
        let speed = u64::from(interface.speed_mbit.unwrap_or(0)) * 1_000_000;
        vec![
            (1, OwnedValue::Integer(interface.index as i32)),
            (2, text(&interface.name)),
            (3, OwnedValue::Integer(if_type(interface.hardware_type))),
            (4, OwnedValue::Integer(interface.mtu.min(i32::MAX as u32) as i32)),
            (5, OwnedValue::Gauge32(u32::try_from(speed).unwrap_or(u32::MAX))),
            (6, OwnedValue::OctetString(interface.address.as_slice().into())),
            (7, OwnedValue::Integer(if interface.is_enabled { 1 } else { 2 })),
            (8, OwnedValue::Integer(interface.oper_status)),
            (9, OwnedValue::TimeTicks(self.ticks(interface.changed))),
            (10, counter(received.octets)),
            (11, counter(received.packets.saturating_sub(received.multicast))),
            (13, counter(received.dropped)),
            (14, counter(received.errors)),
            (16, counter(sent.octets)),
            (17, counter(sent.packets)),
            (19, counter(sent.dropped)),
            (20, counter(sent.errors)),
        ]
    }
}

fn if_x_entry(interface: &Interface, has_traps: bool) -> Vec<(u32, OwnedValue)> {
    let Interface { received, sent, .. } = interface;
    let text = |text: &str| OwnedValue::OctetString(text.as_bytes().into());
    let truth = |is_true| OwnedValue::Integer(if is_true { 1 } else { 2 });
    vec![
        (1, text(&interface.name)),
        (2, OwnedValue::Counter32(received.multicast as u32)),
        (6, OwnedValue::Counter64(received.octets)),
        (7, OwnedValue::Counter64(received.packets.saturating_sub(received.multicast))),
        (8, OwnedValue::Counter64(received.multicast)),
        (10, OwnedValue::Counter64(sent.octets)),
        (11, OwnedValue::Counter64(sent.packets)),
        (LINK_TRAPS, truth(has_traps)),
        (15, OwnedValue::Gauge32(interface.speed_mbit.unwrap_or(0))),
        (16, truth(interface.is_promiscuous)),
        (17, truth(interface.has_connector)),
        (18, text(&interface.alias)),
        (19, OwnedValue::TimeTicks(0)),
    ]
}

/// `IANAifType` of the kernel's hardware types (if_arp.h).
fn if_type(hardware_type: u32) -> i32 {
    match hardware_type {
        1 => 6,
        512 => 23,
        768 | 769 | 776 | 778 => 131,
        772 => 24,
        801..=803 => 71,
        32 => 199,
        _ => 1,
    }
}

impl MibModule for IfMib {
    fn name(&self) -> &str {
        "IF-MIB"
    }

    fn subtrees(&self) -> Vec<Oid> {
        let subtrees: &[&[u32]] = if self.has_extensions { &[INTERFACES, IF_MIB] } else { &[INTERFACES] };
        subtrees.iter().filter_map(|arcs| Oid::from_arcs(arcs).ok()).collect()
    }

    fn get(&self, now: Instant, name: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        let is_object = |name: OidRef<'_>| {
            let has_extensions = self.has_extensions;
            is_column(name, IF_ENTRY, &IF_COLUMNS)
                || is_column(name, INTERFACES, &[1])
                || (has_extensions
                    && (is_column(name, IF_X_ENTRY, &IF_X_COLUMNS) || is_column(name, IF_X_OBJECTS, &[5])))
        };
        self.table(now).variables.get(name, is_object, to);
        Ok(())
    }

    fn get_next(&self, now: Instant, range: &SearchRange<'_>, to: &mut VarBindBuf) -> Result<bool, ErrorStatus> {
        Ok(self.walk(now, range, 1, to)? > 0)
    }

    fn walk(
        &self,
        now: Instant,
        range: &SearchRange<'_>,
        max: usize,
        to: &mut VarBindBuf,
    ) -> Result<usize, ErrorStatus> {
        Ok(self.table(now).variables.walk(range, max, to))
    }

    fn test_set(&self, set: &SetRequest<'_>, bindings: &[SetBinding<'_>]) -> Result<(), SetError> {
        let before = self.link_traps().clone();
        let mut after = before.clone();
        for binding in bindings {
            let put = self.wanted(set.now, binding).and_then(|(name, is_enabled)| after.put(name, is_enabled));
            put.map_err(|status| SetError { status, index: binding.index })?;
        }
        self.sets().insert(set.id, Set { before, after });
        Ok(())
    }

    fn commit_set(&self, set: SetId) -> Result<(), SetError> {
        let after = self.sets().get(&set).map(|set| set.after.clone());
        let after = after.ok_or(SetError { status: ErrorStatus::COMMIT_FAILED, index: 0 })?;
        self.put_link_traps(after);
        Ok(())
    }

    fn undo_set(&self, set: SetId) -> Result<(), ErrorStatus> {
        let before = self.sets().get(&set).map(|set| set.before.clone()).ok_or(ErrorStatus::UNDO_FAILED)?;
        self.put_link_traps(before);
        Ok(())
    }

    fn cleanup_set(&self, set: SetId) {
        self.sets().remove(&set);
    }

    fn commits(&self) -> u64 {
        self.link_traps().commits()
    }

    fn save(&self, _: Keep) -> Vec<u8> {
        self.link_traps().encode()
    }

    fn restore(&self, state: &[u8]) -> Result<(), StateError> {
        self.put_link_traps(LinkTraps::decode(state)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many variables at a time.
    fn walk(module: &IfMib, from: &str, max: usize) -> Vec<String> {
        let mut names = Vec::new();
        let mut at: Oid = from.parse().unwrap();
        loop {
            let range = SearchRange { start: at.as_oid(), is_start_included: false, end: None };
            let mut found = VarBindBuf::new();
            if module.walk(Instant::now(), &range, max, &mut found).unwrap() == 0 {
                return names;
            }
            names.extend(found.iter().map(|variable| variable.name.to_string()));
            at = found.iter().last().unwrap().name.to_owned();
        }
    }

    #[test]
    fn the_second_version_adds_the_extension_table_to_the_first() {
        let host = Arc::new(HostInterfaces::new());
        let now = Instant::now();
        let (plain, extended) = (IfMib::new(host.clone(), now, false), IfMib::new(host, now, true));
        let (few, many) = (walk(&plain, "1.3", 1), walk(&extended, "1.3", 1));
        assert_eq!(walk(&extended, "1.3", 32), many);
        assert_eq!(few[0], "1.3.6.1.2.1.2.1.0");
        // Every Linux has its loopback, the first interface.
        assert!(few.contains(&"1.3.6.1.2.1.2.2.1.2.1".to_owned()), "{few:?}");
        assert_eq!(many[..few.len()], few);
        assert!(many.contains(&"1.3.6.1.2.1.31.1.1.1.6.1".to_owned()), "{many:?}");
        assert_eq!(many.last().unwrap(), "1.3.6.1.2.1.31.1.5.0");
        assert_eq!((plain.subtrees().len(), extended.subtrees().len()), (1, 2));

        let answer = |name: &str| {
            let mut found = VarBindBuf::new();
            extended.get(now, name.parse::<Oid>().unwrap().as_oid(), &mut found).unwrap();
            let value = found.as_list().iter().next().unwrap().value;
            value.to_owned()
        };
        assert_eq!(answer("1.3.6.1.2.1.2.2.1.2.1"), OwnedValue::OctetString(b"lo".as_slice().into()));
        assert_eq!(answer("1.3.6.1.2.1.2.2.1.2.999999").as_value(), Value::NoSuchInstance);
        assert_eq!(answer("1.3.6.1.2.1.2.2.1.12.1").as_value(), Value::NoSuchObject);
    }
}
