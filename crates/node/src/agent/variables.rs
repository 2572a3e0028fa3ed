//! What a read-only MIB module shows: variables in order, made anew every now and then.

use hamsa_snmp::agent::SearchRange;
use hamsa_snmp::value::{OwnedValue, Value};
use hamsa_snmp::{Oid, OidRef, VarBindBuf};

/// Variables in the order of their names.
#[derive(Debug, Default)]
pub(super) struct Variables(Vec<(Oid, OwnedValue)>);

impl Variables {
    /// Sorts them.
    pub(super) fn new(mut variables: Vec<(Oid, OwnedValue)>) -> Self {
        variables.sort_by(|a, b| a.0.cmp(&b.0));
        Variables(variables)
    }

    /// Appends the variable of this name: its value, `noSuchObject` or `noSuchInstance`. `objects` are those that are
    /// there even without an instance.
    pub(super) fn get(&self, name: OidRef<'_>, is_object: impl Fn(OidRef<'_>) -> bool, to: &mut VarBindBuf) {
        match self.0.binary_search_by(|(known, _)| known.as_oid().cmp(&name)) {
            Ok(at) => to.push(name, self.0[at].1.as_value()),
            Err(_) => to.push(name, if is_object(name) { Value::NoSuchInstance } else { Value::NoSuchObject }),
        }
    }

    /// Appends the first variable of a range; whether there is one.
    pub(super) fn get_next(&self, range: &SearchRange<'_>, to: &mut VarBindBuf) -> bool {
        self.walk(range, 1, to) > 0
    }

    /// Appends the first variables of a range, `max` at most; how many.
    pub(super) fn walk(&self, range: &SearchRange<'_>, max: usize, to: &mut VarBindBuf) -> usize {
        let at = self.0.partition_point(|(known, _)| match range.is_start_included {
            true => known.as_oid() < range.start,
            false => known.as_oid() <= range.start,
        });
        let before = to.len();
        for (name, value) in self.0[at..].iter().take(max).take_while(|(known, _)| range.contains(known.as_oid())) {
            to.push(name.as_oid(), value.as_value());
        }
        to.len() - before
    }
}

/// The OID `base` and more arcs; `None` where that is too long.
pub(super) fn below(base: &[u32], more: impl IntoIterator<Item = u32>) -> Option<Oid> {
    let arcs: Vec<u32> = base.iter().copied().chain(more).collect();
    Oid::from_arcs(&arcs).ok()
}

/// Whether a name is below `base` by one of these columns.
pub(super) fn is_column(name: OidRef<'_>, base: &[u32], columns: &[u32]) -> bool {
    let mut arcs = name.arcs();
    base.iter().all(|arc| arcs.next() == Some(*arc)) && arcs.next().is_some_and(|column| columns.contains(&column))
}
