//! Which objects a device has, in the order of their names, and how a name is found among them. Every table
//! here has a single number as its index.

use std::sync::LazyLock;

use hamsa_snmp::{Oid, OidRef};

/// A scalar group or a table. The objects of one share a parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// `system` (RFC 3418 §2).
    System,
    /// `interfaces`: `ifNumber` (RFC 2863 §6).
    Interfaces,
    /// `ifTable`.
    If,
    /// `hrSystem` (RFC 2790 §5).
    HrSystem,
    /// `hrStorage`: `hrMemorySize`.
    HrStorage,
    /// `hrStorageTable`.
    HrStorageTable,
    /// `hrDeviceTable`.
    HrDevice,
    /// `hrProcessorTable`.
    HrProcessor,
    /// `ifXTable`.
    IfX,
    /// `ifMIBObjects`: `ifTableLastChange`.
    IfMib,
    /// `entPhysicalTable` (RFC 4133 §3).
    EntPhysical,
    /// `entPhySensorTable` (RFC 3433 §4).
    EntSensor,
}

/// The parents, and the last sub-identifiers of the objects below each.
const GROUPS: [(Group, &[u32], &[u8]); 12] = [
    (Group::System, &[1, 3, 6, 1, 2, 1, 1], &[1, 2, 3, 4, 5, 6, 7]),
    (Group::Interfaces, &[1, 3, 6, 1, 2, 1, 2], &[1]),
    (Group::If, &[1, 3, 6, 1, 2, 1, 2, 2, 1], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 19, 20]),
    (Group::HrSystem, &[1, 3, 6, 1, 2, 1, 25, 1], &[1, 2, 3, 4, 5, 6, 7]),
    (Group::HrStorage, &[1, 3, 6, 1, 2, 1, 25, 2], &[2]),
    (Group::HrStorageTable, &[1, 3, 6, 1, 2, 1, 25, 2, 3, 1], &[1, 2, 3, 4, 5, 6, 7]),
    (Group::HrDevice, &[1, 3, 6, 1, 2, 1, 25, 3, 2, 1], &[1, 2, 3, 4, 5, 6]),
    (Group::HrProcessor, &[1, 3, 6, 1, 2, 1, 25, 3, 3, 1], &[1, 2]),
    (
        Group::IfX,
        &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1],
        &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
    ),
    (Group::IfMib, &[1, 3, 6, 1, 2, 1, 31, 1], &[5]),
    (Group::EntPhysical, &[1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1], &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]),
    (Group::EntSensor, &[1, 3, 6, 1, 2, 1, 99, 1, 1, 1], &[1, 2, 3, 4, 5, 6, 7, 8]),
];

/// A scalar object or a column.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) oid: Oid,
    pub(super) group: Group,
    /// The last sub-identifier of `oid`.
    pub(super) arc: u8,
}

static OBJECTS: LazyLock<Vec<Object>> = LazyLock::new(|| {
    let objects = GROUPS.iter().flat_map(|&(group, parent, arcs)| {
        let parent = Oid::from_arcs(parent).expect("a constant");
        arcs.iter().map(move |&arc| Object { oid: parent.child(arc.into()).expect("a constant"), group, arc })
    });
    let mut objects: Vec<Object> = objects.collect();
    objects.sort_by(|a, b| a.oid.cmp(&b.oid));
    objects
});

/// How many rows a device has in each table, and their indexes.
pub(super) trait Rows {
    /// How many. A scalar group has one, or none if the device lacks it.
    fn count(&self, group: Group) -> u32;

    /// The index of a row, which grows from row to row; 0 for scalars.
    fn index(&self, group: Group, row: u32) -> u32;
}

/// An instance of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instance {
    pub(super) object: &'static Object,
    pub(super) row: u32,
}

/// Why a name is not an instance (RFC 3416 §4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Object,
    Instance,
}

/// The instance of a name.
pub(super) fn find(rows: &dyn Rows, name: OidRef<'_>) -> Result<Instance, Missing> {
    let at = OBJECTS.partition_point(|object| object.oid.as_oid() <= name);
    let object = at.checked_sub(1).map(|at| &OBJECTS[at]).ok_or(Missing::Object)?;
    let suffix = name.strip_prefix(object.oid.as_oid()).ok_or(Missing::Object)?;
    let count = rows.count(object.group);
    if count == 0 {
        return Err(Missing::Object);
    }
    let mut arcs = suffix.arcs();
    let (Some(index), None) = (arcs.next(), arcs.next()) else { return Err(Missing::Instance) };
    let row = first_row(rows, object.group, |found| found < index);
    if row < count && rows.index(object.group, row) == index {
        return Ok(Instance { object, row });
    }
    Err(Missing::Instance)
}

/// The first instance after a name.
pub(super) fn successor(rows: &dyn Rows, after: OidRef<'_>) -> Option<Instance> {
    let at = OBJECTS.partition_point(|object| object.oid.as_oid() <= after);
    if let Some(object) = at.checked_sub(1).map(|at| &OBJECTS[at])
        && let Some(suffix) = after.strip_prefix(object.oid.as_oid())
    {
        // What is longer than an index comes after the row of that index, too.
        let row = suffix.arcs().next().map_or(0, |index| first_row(rows, object.group, |found| found <= index));
        if row < rows.count(object.group) {
            return Some(Instance { object, row });
        }
    }
    let object = OBJECTS[at..].iter().find(|object| rows.count(object.group) > 0)?;
    Some(Instance { object, row: 0 })
}

/// The first row whose index is not `before`; the number of rows if all are.
fn first_row(rows: &dyn Rows, group: Group, before: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (0, rows.count(group));
    while low < high {
        let middle = low.midpoint(high);
        if before(rows.index(group, middle)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two interfaces with a gap between their indexes, `system`, and nothing else.
    struct Small;

    impl Rows for Small {
        fn count(&self, group: Group) -> u32 {
            match group {
                Group::System => 1,
                Group::If => 2,
                _ => 0,
            }
        }

        fn index(&self, group: Group, row: u32) -> u32 {
            if group == Group::If { 10 + 490 * row } else { 0 }
        }
    }

    fn name(instance: Instance) -> String {
        format!("{}.{}", instance.object.oid, Small.index(instance.object.group, instance.row))
    }

    fn next(after: &str) -> Option<String> {
        successor(&Small, after.parse::<Oid>().unwrap().as_oid()).map(name)
    }

    fn get(text: &str) -> Result<String, Missing> {
        find(&Small, text.parse::<Oid>().unwrap().as_oid()).map(name)
    }

    #[test]
    fn a_walk_finds_every_instance_in_order() {
        let (mut cursor, mut count) = ("0.0".to_owned(), 0);
        while let Some(found) = next(&cursor) {
            assert!(found.parse::<Oid>().unwrap() > cursor.parse::<Oid>().unwrap(), "{found} after {cursor}");
            assert_eq!(get(&found), Ok(found.clone()));
            cursor = found;
            count += 1;
        }
        assert_eq!(count, 7 + 2 * 18);
    }

    #[test]
    fn names_between_instances_lead_to_the_next() {
        for (after, expected) in [
            ("1.3.6.1.2.1.1", "1.3.6.1.2.1.1.1.0"),
            ("1.3.6.1.2.1.1.1", "1.3.6.1.2.1.1.1.0"),
            ("1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0"),
            ("1.3.6.1.2.1.1.7.0.5", "1.3.6.1.2.1.2.2.1.1.10"),
            ("1.3.6.1.2.1.2.2.1.2", "1.3.6.1.2.1.2.2.1.2.10"),
            ("1.3.6.1.2.1.2.2.1.2.9", "1.3.6.1.2.1.2.2.1.2.10"),
            ("1.3.6.1.2.1.2.2.1.2.10", "1.3.6.1.2.1.2.2.1.2.500"),
            ("1.3.6.1.2.1.2.2.1.2.10.3", "1.3.6.1.2.1.2.2.1.2.500"),
            ("1.3.6.1.2.1.2.2.1.2.500", "1.3.6.1.2.1.2.2.1.3.10"),
            ("1.3.6.1.2.1.2.2.1.12", "1.3.6.1.2.1.2.2.1.13.10"),
        ] {
            assert_eq!(next(after).as_deref(), Some(expected), "{after}");
        }
        assert_eq!(next("1.3.6.1.2.1.2.2.1.20.500"), None);
        assert_eq!(next("2.0"), None);
    }

    #[test]
    fn what_is_missing_is_told_apart() {
        assert_eq!(get("1.3.6.1.2.1.1.1.0").as_deref(), Ok("1.3.6.1.2.1.1.1.0"));
        for (text, missing) in [
            ("0.0", Missing::Object),
            ("1.3.6.1.2.1.1.8.0", Missing::Object),
            ("1.3.6.1.2.1.1.1", Missing::Instance),
            ("1.3.6.1.2.1.1.1.1", Missing::Instance),
            ("1.3.6.1.2.1.1.1.0.0", Missing::Instance),
            ("1.3.6.1.2.1.2.2.1.2.11", Missing::Instance),
            ("1.3.6.1.2.1.2.2.1.12.10", Missing::Object),
            ("1.3.6.1.2.1.31.1.1.1.6.10", Missing::Object),
        ] {
            assert_eq!(get(text), Err(missing), "{text}");
        }
    }
}
