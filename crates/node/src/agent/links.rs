//! linkUp and linkDown (RFC 2863 §3.1.9): what has become of the host's interfaces from one look to the next.

use hamsa_snmp::notification::Notification;
use hamsa_snmp::value::Value;

use super::host_interfaces::{Interface, Snapshot};
use super::variables::below;

const LINK_DOWN: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 5, 3];
const LINK_UP: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 5, 4];
const IF_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1];

/// `ifOperStatus`.
const DOWN: i32 = 2;
const NOT_PRESENT: i32 = 6;

/// A link that has gone or come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LinkChange {
    /// The interface as it is now.
    pub(super) interface: Interface,
    /// linkUp, not linkDown.
    is_up: bool,
}

/// What changed between two looks. An interface that was not there before, or is gone, has not changed.
pub(super) fn link_changes(before: &Snapshot, after: &Snapshot) -> Vec<LinkChange> {
    let change = |interface: &Interface| {
        let is_same = |old: &&Interface| old.index == interface.index && old.name == interface.name;
        let old = before.interfaces.iter().find(is_same)?;
        let is_up = match (old.oper_status, interface.oper_status) {
            (before, after) if before == after => return None,
            (NOT_PRESENT, _) | (_, NOT_PRESENT) => return None,
            (_, DOWN) => false,
            (DOWN, _) => true,
            _ => return None,
        };
        Some(LinkChange { interface: interface.clone(), is_up })
    };
    after.interfaces.iter().filter_map(change).collect()
}

impl LinkChange {
    /// What is told of it.
    pub(super) fn notification(&self, uptime_ticks: u32) -> Notification {
        let Interface { index, is_enabled, oper_status, .. } = self.interface;
        let mut notification = Notification::of(if self.is_up { LINK_UP } else { LINK_DOWN }, uptime_ticks);
        // ifIndex, ifAdminStatus, ifOperStatus.
        for (column, value) in [(1, index.cast_signed()), (7, if is_enabled { 1 } else { 2 }), (8, oper_status)] {
            if let Some(name) = below(IF_ENTRY, [column, index]) {
                notification.varbinds.push(name.as_oid(), Value::Integer(value));
            }
        }
        notification
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn snapshot(states: &[(u32, i32)]) -> Snapshot {
        let interface = |&(index, oper_status)| Interface {
            index,
            name: format!("eth{index}"),
            oper_status,
            ..Interface::default()
        };
        Snapshot { taken: Instant::now(), interfaces: states.iter().map(interface).collect(), changed: None }
    }

    #[test]
    fn links_go_and_come_but_what_was_not_there_has_not_changed() {
        const UP: i32 = 1;
        const DORMANT: i32 = 5;
        let told = |before: &[(u32, i32)], after: &[(u32, i32)]| {
            let changes = link_changes(&snapshot(before), &snapshot(after));
            changes.iter().map(|change| (change.interface.index, change.is_up)).collect::<Vec<_>>()
        };
        assert_eq!(told(&[(1, UP), (2, UP), (3, DOWN)], &[(1, UP), (2, DOWN), (3, DORMANT)]), [(2, false), (3, true)]);
        assert_eq!(told(&[(1, DORMANT)], &[(1, UP)]), []);
        assert_eq!(told(&[(1, NOT_PRESENT), (2, DOWN)], &[(1, DOWN), (2, NOT_PRESENT)]), []);
        assert_eq!(told(&[], &[(1, DOWN)]), []);
        assert_eq!(told(&[(1, UP)], &[]), []);
    }

    #[test]
    fn a_notification_has_the_objects_of_the_rfc() {
        let changes = link_changes(&snapshot(&[(7, 1)]), &snapshot(&[(7, DOWN)]));
        let told = changes[0].notification(42);
        assert_eq!((told.trap_oid.to_string(), told.uptime_ticks), ("1.3.6.1.6.3.1.1.5.3".to_owned(), 42));
        let told: Vec<String> = told.varbinds.iter().map(|variable| variable.name.to_string()).collect();
        assert_eq!(told, ["1.3.6.1.2.1.2.2.1.1.7", "1.3.6.1.2.1.2.2.1.7.7", "1.3.6.1.2.1.2.2.1.8.7"]);
    }
}
