//! Walks over honest and dishonest agents: an honest one is read completely, and every walk ends.

mod common;

use std::collections::BTreeMap;

use common::oid;
use hamsa_snmp::manager::{RequestKind, Walk, WalkError, WalkItem, WalkOptions};
use hamsa_snmp::pdu::{ErrorStatus, Pdu, PduKind};
use hamsa_snmp::{Oid, Value, VarBindBuf};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

type Rows = BTreeMap<Oid, i32>;

/// What an honest agent answers, with room for so many variables.
fn answer(rows: &Rows, kind: RequestKind, asked: &VarBindBuf, room: usize) -> VarBindBuf {
    use std::ops::Bound::{Excluded, Unbounded};
    let (fixed, repetitions) = match kind {
        RequestKind::GetBulk(bulk) => (bulk.non_repeaters as usize, bulk.max_repetitions as usize),
        _ => (asked.len(), 0),
    };
    let mut response = VarBindBuf::new();
    let push = |after: &mut Oid, response: &mut VarBindBuf| {
        if response.len() == room {
            return;
        }
        match rows.range((Excluded(after.clone()), Unbounded)).next() {
            Some((name, value)) => {
                response.push(name.as_oid(), Value::Integer(*value));
                *after = name.clone();
            }
            None => response.push(after.as_oid(), Value::EndOfMibView),
        }
    };
    let mut cursors: Vec<Oid> = asked.iter().map(|varbind| varbind.name.to_owned()).collect();
    for cursor in &mut cursors[..fixed] {
        push(cursor, &mut response);
    }
    for _ in 0..repetitions {
        for cursor in &mut cursors[fixed..] {
            push(cursor, &mut response);
        }
    }
    response
}

fn table(columns: u32, rows: u32, rng: &mut StdRng) -> (Rows, Vec<Oid>) {
    let mut all = Rows::new();
    all.insert(oid("1.3.6.1.2.1.1.3.0"), 1);
    let roots: Vec<Oid> = (1..=columns).map(|c| oid(&format!("1.3.6.1.4.1.32473.1.1.{c}"))).collect();
    for root in &roots {
        for row in 1..=rows {
            // Tables have holes.
            if rng.random_ratio(4, 5) {
                all.insert(root.child(row * 37).unwrap(), rng.random());
            }
        }
    }
    all.insert(oid("1.3.6.1.4.1.32473.2.0"), 2);
    (all, roots)
}

fn response(varbinds: &VarBindBuf) -> Pdu<'_> {
    Pdu::new(PduKind::Response, 1, varbinds.as_list())
}

#[test]
fn an_honest_agent_is_read_completely_however_little_it_answers_at_once() {
    for seed in 0..300 {
        let mut rng = StdRng::seed_from_u64(seed);
        let (columns, rows) = (rng.random_range(1..30), rng.random_range(0..60));
        let (all, roots) = table(columns, rows, &mut rng);
        let max_repetitions = if rng.random_ratio(1, 5) { 0 } else { rng.random_range(1..100) };
        let room = rng.random_range(2..80);
        let options = WalkOptions { max_repetitions, ..WalkOptions::default() };
        let mut walk = Walk::new(vec![oid("1.3.6.1.2.1.1.3")], roots.clone(), options);
        let mut found = Rows::new();
        let mut buffer = VarBindBuf::new();
        let mut requests = 0;
        while let Some((kind, asked)) = walk.next_request(std::mem::take(&mut buffer)) {
            requests += 1;
            assert!(requests < 10_000, "seed {seed}");
            // One variable is the non-repeater's: an agent that has room for it alone says nothing.
            let varbinds = answer(&all, kind, &asked, room.max(2));
            walk.handle_response(&response(&varbinds), |item, varbind| {
                if let WalkItem::Subtree(column) = item {
                    assert!(varbind.name.starts_with(roots[column].as_oid()));
                    let value = varbind.value.as_i64().unwrap() as i32;
                    assert_eq!(found.insert(varbind.name.to_owned(), value), None, "seed {seed}: twice");
                }
            });
            buffer = asked;
        }
        assert_eq!(walk.failures().count(), 0, "seed {seed}");
        let expected: Rows =
            all.into_iter().filter(|(name, _)| roots.iter().any(|r| name.as_oid().starts_with(r.as_oid()))).collect();
        assert_eq!(found, expected, "seed {seed}");
    }
}

#[test]
fn a_second_walk_needs_one_request_for_a_small_table() {
    let mut rng = StdRng::seed_from_u64(1);
    let (all, roots) = table(4, 12, &mut rng);
    let mut learned = None;
    let mut requests = [0, 0];
    for count in &mut requests {
        let mut walk = Walk::new(Vec::new(), roots.clone(), WalkOptions::default());
        if let Some(learned) = learned {
            walk.expect(learned);
        }
        while let Some((kind, asked)) = walk.next_request(VarBindBuf::new()) {
            *count += 1;
            let varbinds = answer(&all, kind, &asked, 1000);
            walk.handle_response(&response(&varbinds), |_, _| {});
        }
        learned = Some(walk.learned());
    }
    assert_eq!(requests[1], 1, "{requests:?}");
}

#[test]
fn every_walk_ends_whatever_the_agent_says() {
    for seed in 0..2_000 {
        let mut rng = StdRng::seed_from_u64(seed);
        let (all, roots) = table(rng.random_range(1..6), rng.random_range(1..20), &mut rng);
        let options = WalkOptions {
            max_repetitions: if rng.random_ratio(1, 4) { 0 } else { 20 },
            max_rows: 200,
            check_order: rng.random_ratio(3, 4),
            ..WalkOptions::default()
        };
        let mut walk = Walk::new(vec![oid("1.3.6.1.2.1.1.3")], roots, options);
        let mut rounds = 0;
        while let Some((kind, asked)) = walk.next_request(VarBindBuf::new()) {
            rounds += 1;
            assert!(rounds < 5_000, "seed {seed} does not end");
            let honest = answer(&all, kind, &asked, 40);
            let mut varbinds = VarBindBuf::new();
            for varbind in &honest.as_list().into_iter().collect::<Vec<_>>() {
                match rng.random_range(0..12) {
                    0 => varbinds.push(asked.iter().next().unwrap().name, Value::Integer(0)),
                    1 => varbinds.push(varbind.name, Value::NoSuchObject),
                    2 => {}
                    3 => varbinds.push(oid("2.999").as_oid(), varbind.value),
                    4 => varbinds.push(varbind.name.to_owned().child(rng.random()).unwrap().as_oid(), Value::Null),
                    _ => varbinds.push(varbind.name, varbind.value),
                }
            }
            if rng.random_ratio(1, 10) {
                varbinds.clear();
            }
            let mut pdu = response(&varbinds);
            if rng.random_ratio(1, 8) {
                let statuses = [ErrorStatus::TOO_BIG, ErrorStatus::GEN_ERR, ErrorStatus::NO_SUCH_NAME, ErrorStatus(77)];
                pdu.field1 = statuses[rng.random_range(0..4)].0;
                pdu.field2 = rng.random_range(-2..30);
            }
            if rng.random_ratio(1, 20) {
                walk.handle_timeout();
            }
            walk.handle_response(&pdu, |_, _| {});
        }
    }
}

#[test]
fn an_agent_that_goes_in_circles_is_named() {
    let root = oid("1.3.6.1.2.1.2.2.1.1");
    let mut walk = Walk::new(Vec::new(), [root.clone()], WalkOptions::default());
    let mut varbinds = VarBindBuf::new();
    for row in [1, 2, 1] {
        varbinds.push(root.child(row).unwrap().as_oid(), Value::Integer(0));
    }
    walk.next_request(VarBindBuf::new()).unwrap();
    walk.handle_response(&response(&varbinds), |_, _| {});
    assert!(walk.next_request(VarBindBuf::new()).is_none());
    let (_, _, error) = walk.failures().next().unwrap();
    assert_eq!(
        error.to_string(),
        "the agent's names do not increase: 1.3.6.1.2.1.2.2.1.1.1 came after 1.3.6.1.2.1.2.2.1.1.2"
    );
}

#[test]
fn an_endless_table_is_left_after_the_limit() {
    let root = oid("1.3.6.1.2.1.2.2.1.1");
    let options = WalkOptions { max_rows: 1_000, ..WalkOptions::default() };
    let mut walk = Walk::new(Vec::new(), [root.clone()], options);
    let mut next = 0;
    while let Some((kind, asked)) = walk.next_request(VarBindBuf::new()) {
        let RequestKind::GetBulk(bulk) = kind else { panic!("bulk was asked for") };
        let mut varbinds = asked;
        varbinds.clear();
        for _ in 0..bulk.max_repetitions {
            next += 1;
            varbinds.push(root.child(next).unwrap().as_oid(), Value::Integer(0));
        }
        walk.handle_response(&response(&varbinds), |_, _| {});
    }
    assert_eq!(walk.failures().next().unwrap().2, &WalkError::TooManyRows { limit: 1_000 });
    assert!(next < 1_100);
}

#[test]
fn too_big_is_answered_by_smaller_requests_until_it_fits() {
    let mut rng = StdRng::seed_from_u64(3);
    let (all, roots) = table(12, 30, &mut rng);
    let expected = all.len() - 2;
    let mut walk = Walk::new(Vec::new(), roots, WalkOptions::default());
    let mut found = 0;
    while let Some((kind, asked)) = walk.next_request(VarBindBuf::new()) {
        let varbinds = answer(&all, kind, &asked, 10_000);
        let mut pdu = response(&varbinds);
        if varbinds.len() > 5 {
            pdu = response(&asked);
            pdu.field1 = ErrorStatus::TOO_BIG.0;
        }
        walk.handle_response(&pdu, |_, _| found += 1);
    }
    assert_eq!(walk.failures().count(), 0);
    assert_eq!(found, expected);
}

/// v1 says noSuchName about the first non-repeater: the second one is still the second.
#[test]
fn a_non_repeater_keeps_its_index() {
    let non_repeaters = vec![oid("1.3.6.1.9.9"), oid("1.3.6.1.2.1.1.3")];
    let options = WalkOptions { max_repetitions: 0, ..WalkOptions::default() };
    let mut walk = Walk::new(non_repeaters, [oid("1.3.6.1.2.1.2.2.1.1")], options);
    let (_, asked) = walk.next_request(VarBindBuf::new()).unwrap();
    let mut refused = response(&asked);
    (refused.field1, refused.field2) = (ErrorStatus::NO_SUCH_NAME.0, 1);
    walk.handle_response(&refused, |_, _| panic!("nothing is found in an error"));
    let (_, asked) = walk.next_request(asked).unwrap();
    assert_eq!(asked.len(), 2);
    let mut items = Vec::new();
    walk.handle_response(&response(&asked), |item, _| items.push(item));
    assert_eq!(items[0], WalkItem::NonRepeater(1));
}
