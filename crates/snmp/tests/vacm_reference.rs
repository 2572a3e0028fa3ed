//! Access control compared with RFC 3415 written down the obvious way (§3.2, and the choice of rows that
//! `vacmAccessTable` and `vacmViewTreeFamilyTable` describe), over random tables.

mod common;

use common::name;
use hamsa_snmp::Oid;
use hamsa_snmp::engine::{AccessControl, AccessDenied, AccessRequest, Name, ViewType};
use hamsa_snmp::message::SecurityLevel;
use hamsa_snmp::vacm::{AccessEntry, ContextMatch, GroupMember, Vacm, VacmTables, ViewFamily};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

const NAMES: [&str; 3] = ["a", "b", "c"];
const CONTEXTS: [&str; 5] = ["", "v", "vr", "vrf", "w"];
const LEVELS: [SecurityLevel; 3] = [SecurityLevel::NoAuthNoPriv, SecurityLevel::AuthNoPriv, SecurityLevel::AuthPriv];
const VIEW_TYPES: [ViewType; 3] = [ViewType::Read, ViewType::Write, ViewType::Notify];

fn one<T: Clone>(rng: &mut StdRng, of: &[T]) -> T {
    of.choose(rng).expect("not empty").clone()
}

/// Names below 1.3, short and of few sub-identifiers, so that they meet often.
fn random_oid(rng: &mut StdRng) -> Oid {
    let mut arcs = vec![1, 3];
    for _ in 0..rng.random_range(0..10) {
        arcs.push(one(rng, &[1, 2, 200]));
    }
    Oid::from_arcs(&arcs).unwrap()
}

fn random_tables(rng: &mut StdRng) -> VacmTables {
    let mut tables = VacmTables::default();
    tables.contexts.extend(CONTEXTS.iter().filter(|_| rng.random_ratio(4, 5)).map(|context| name(context)));
    for security_name in NAMES {
        for security_model in 1..=3 {
            if rng.random_ratio(4, 5) {
                let group = name(one(rng, &NAMES));
                tables.members.push(GroupMember { security_model, security_name: name(security_name), group });
            }
        }
    }
    for _ in 0..rng.random_range(0..40) {
        let view = |rng: &mut StdRng| name(one(rng, &["", "a", "b", "c", "nowhere"]));
        let prefix = name(one(rng, &CONTEXTS));
        let is_exact = rng.random();
        let entry = AccessEntry {
            group: name(one(rng, &NAMES)),
            context: if is_exact { ContextMatch::Exact(prefix) } else { ContextMatch::Prefix(prefix) },
            security_model: rng.random_range(0..=3),
            level: one(rng, &LEVELS),
            read_view: view(rng),
            write_view: view(rng),
            notify_view: view(rng),
        };
        // The index of the table's rows: whether a prefix must match exactly is not part of it.
        let index = |e: &AccessEntry| (e.group.clone(), prefix_of(e).clone(), e.security_model, e.level);
        if tables.access.iter().all(|present| index(present) != index(&entry)) {
            tables.access.push(entry);
        }
    }
    for _ in 0..rng.random_range(0..15) {
        let (view, subtree) = (name(one(rng, &NAMES)), random_oid(rng));
        let mask = (0..rng.random_range(0..3)).map(|_| rng.random()).collect();
        if tables.families.iter().all(|present| (&present.view, &present.subtree) != (&view, &subtree)) {
            tables.families.push(ViewFamily { view, subtree, mask, included: rng.random() });
        }
    }
    tables
}

fn prefix_of(entry: &AccessEntry) -> &Name {
    match &entry.context {
        ContextMatch::Exact(prefix) | ContextMatch::Prefix(prefix) => prefix,
    }
}

/// RFC 3415 §3.2, step by step.
fn reference(tables: &VacmTables, request: &AccessRequest<'_>, variable: &Oid) -> Result<(), AccessDenied> {
    if !tables.contexts.contains(request.context_name) {
        return Err(AccessDenied::NoSuchContext);
    }
    let group = tables
        .members
        .iter()
        .find(|m| (m.security_model, &m.security_name) == (request.security_model, request.security_name))
        .map(|m| &m.group)
        .ok_or(AccessDenied::NoGroupName)?;
    let entry = reference_entry(tables, request, group).ok_or(AccessDenied::NoAccessEntry)?;
    let view = match request.view_type {
        ViewType::Read => &entry.read_view,
        ViewType::Write => &entry.write_view,
        ViewType::Notify => &entry.notify_view,
    };
    let families: Vec<&ViewFamily> = tables.families.iter().filter(|family| family.view == *view).collect();
    if view.is_empty() || families.is_empty() {
        return Err(AccessDenied::NoSuchView);
    }
    if reference_view(&families, variable) { Ok(()) } else { Err(AccessDenied::NotInView) }
}

/// The description of `vacmAccessTable`: the set of candidates, then (a) to (d).
fn reference_entry<'t>(tables: &'t VacmTables, request: &AccessRequest<'_>, group: &Name) -> Option<&'t AccessEntry> {
    let context = request.context_name.as_octets();
    let mut set: Vec<&AccessEntry> = tables.access.iter().filter(|entry| entry.group == *group).collect();
    set.retain(|entry| match &entry.context {
        ContextMatch::Exact(name) => name.as_octets() == context,
        ContextMatch::Prefix(prefix) => context.starts_with(prefix.as_octets()),
    });
    set.retain(|entry| entry.security_model == request.security_model || entry.security_model == 0);
    set.retain(|entry| entry.level <= request.level);
    keep_unless_empty(&mut set, |entry| entry.security_model == request.security_model);
    keep_unless_empty(&mut set, |entry| prefix_of(entry).as_octets() == context);
    let longest = set.iter().map(|entry| prefix_of(entry).as_octets().len()).max()?;
    set.retain(|entry| prefix_of(entry).as_octets().len() == longest);
    set.into_iter().max_by_key(|entry| entry.level)
}

fn keep_unless_empty<T>(set: &mut Vec<T>, keep: impl Fn(&T) -> bool) {
    if set.iter().any(&keep) {
        set.retain(keep);
    }
}

/// The description of `vacmViewTreeFamilyTable`.
fn reference_view(families: &[&ViewFamily], variable: &Oid) -> bool {
    let variable: Vec<u32> = variable.as_oid().arcs().collect();
    let mut deciding: Option<(Vec<u32>, bool)> = None;
    for family in families {
        let subtree: Vec<u32> = family.subtree.as_oid().arcs().collect();
        let bits: Vec<bool> =
            family.mask.iter().flat_map(|octet| (0..8).map(move |bit| octet >> (7 - bit) & 1 == 1)).collect();
        let is_wild = |i: usize| bits.get(i) == Some(&false);
        let matches =
            variable.len() >= subtree.len() && (0..subtree.len()).all(|i| is_wild(i) || subtree[i] == variable[i]);
        let is_better = |(other, _): &(Vec<u32>, bool)| (subtree.len(), &subtree) > (other.len(), other);
        if matches && deciding.as_ref().is_none_or(is_better) {
            deciding = Some((subtree, family.included));
        }
    }
    deciding.is_some_and(|(_, included)| included)
}

#[test]
fn every_decision_is_that_of_the_rfc() {
    let mut outcomes = std::collections::HashMap::new();
    for seed in 0..400 {
        let mut rng = StdRng::seed_from_u64(seed);
        let tables = random_tables(&mut rng);
        let vacm = Vacm::new(tables.clone());
        for _ in 0..100 {
            let (security_name, context_name) = (name(one(&mut rng, &NAMES)), name(one(&mut rng, &CONTEXTS)));
            let request = AccessRequest {
                security_model: rng.random_range(1..=3),
                security_name: &security_name,
                level: one(&mut rng, &LEVELS),
                context_name: &context_name,
                view_type: one(&mut rng, &VIEW_TYPES),
            };
            let variable = random_oid(&mut rng);
            let expected = reference(&tables, &request, &variable);
            let decided = vacm.is_access_allowed(&request, variable.as_oid());
            assert_eq!(decided, expected, "seed {seed}: {request:?} {variable}\n{tables:#?}");
            *outcomes.entry(decided).or_insert(0) += 1;
        }
    }
    assert_eq!(outcomes.len(), 6, "every outcome was met: {outcomes:?}");
    assert!(outcomes.values().all(|&count| count > 500), "{outcomes:?}");
}
