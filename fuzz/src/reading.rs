//! Targets for what reads many objects: walks and GETs of many instances, over an agent that answers whatever
//! a script says. Each comes to an end, hands out only what belongs to what was asked, and accounts for all of it.

use hamsa_snmp::manager::{GetMany, RequestKind, Walk, WalkItem, WalkOptions};
use hamsa_snmp::pdu::{ErrorStatus, Pdu, PduKind};
use hamsa_snmp::{Oid, Value, VarBindBuf};

use crate::script::Script;
use crate::world::some_name;

/// Requests after a script's end within which reading must have ended: each must halve something or end a part.
const MAX_REQUESTS_TO_THE_END: usize = 1000;

/// Rows after which a subtree is given up.
const MAX_ROWS: u32 = 40;

/// What an agent makes of a request, as a script has it: the truth, or some of it, or something else.
fn response(script: &mut Script<'_>, kind: RequestKind, asked: &VarBindBuf) -> (i32, i32, VarBindBuf) {
    let mut varbinds = VarBindBuf::new();
    let way = script.below(8);
    if way == 0 {
        let statuses = [ErrorStatus::TOO_BIG, ErrorStatus::GEN_ERR, ErrorStatus::NO_SUCH_NAME, ErrorStatus(77)];
        return (script.one_of(&statuses).0, i32::from(script.octet()) - 2, varbinds);
    }
    let repetitions = match kind {
        RequestKind::GetBulk(bulk) => 1 + bulk.max_repetitions as usize % 8,
        _ => 1,
    };
    let mut names: Vec<Oid> = asked.iter().map(|varbind| varbind.name.to_owned()).collect();
    for _ in 0..repetitions {
        for name in &mut names {
            match if way < 4 { 7 } else { script.below(12) } {
                0 => return (0, 0, varbinds),
                1 => varbinds.push(name.as_oid(), Value::EndOfMibView),
                2 => varbinds.push(name.as_oid(), Value::Null),
                3 => varbinds.push(some_name(script).as_oid(), Value::Integer(1)),
                4 => varbinds.push(name.as_oid(), Value::NoSuchInstance),
                5 => {}
                _ => {
                    let next = name.child(u32::from(script.octet()) % 4);
                    *name = next.unwrap_or_else(|_| name.clone());
                    varbinds.push(name.as_oid(), Value::Integer(7));
                }
            }
        }
    }
    (0, 0, varbinds)
}

/// A walk over some subtrees.
pub fn walk(data: &[u8]) {
    let mut script = Script::new(data);
    let mut header = script.step();
    let options = WalkOptions {
        max_repetitions: header.one_of(&[10, 0, 1, u16::MAX]),
        max_response_octets: header.one_of(&[1400, 0, 60, u32::MAX]),
        max_rows: MAX_ROWS,
        max_columns: header.one_of(&[20, 0, 1, 3]),
        check_order: header.octet() & 3 != 3,
    };
    let non_repeaters: Vec<Oid> = (0..header.below(3)).map(|_| some_name(&mut header)).collect();
    let roots: Vec<Oid> = (0..header.below(5)).map(|_| some_name(&mut header)).collect();
    let mut walk = Walk::new(non_repeaters.clone(), roots.clone(), options);
    let mut rows = vec![0; roots.len()];
    let mut last: Vec<Option<Oid>> = vec![None; roots.len()];
    let mut requests_left = MAX_REQUESTS_TO_THE_END;
    let mut buffer = VarBindBuf::new();
    while let Some((kind, asked)) = walk.next_request(std::mem::take(&mut buffer)) {
        if script.is_over() {
            requests_left -= 1;
            assert!(requests_left > 0, "the walk does not end");
        }
        check_request(&options, &non_repeaters, kind, &asked);
        let mut step = script.step();
        if step.below(16) == 15 {
            walk.handle_timeout();
            buffer = asked;
            continue;
        }
        let (status, index, varbinds) = response(&mut step, kind, &asked);
        let mut pdu = Pdu::new(PduKind::Response, 1, varbinds.as_list());
        (pdu.field1, pdu.field2) = (status, index);
        let mut found_non_repeaters = Vec::new();
        walk.handle_response(&pdu, |item, varbind| match item {
            WalkItem::NonRepeater(i) => found_non_repeaters.push(i),
            WalkItem::Subtree(i) => {
                assert!(varbind.name.starts_with(roots[i].as_oid()) && !varbind.value.is_exception());
                let is_later = last[i].as_ref().is_none_or(|last| varbind.name > last.as_oid());
                assert!(is_later || !options.check_order);
                last[i] = Some(varbind.name.to_owned());
                rows[i] += 1;
            }
        });
        let expected = asked.iter().zip(&found_non_repeaters);
        expected.for_each(|(asked, &i)| assert_eq!(asked.name, non_repeaters[i].as_oid()));
        buffer = asked;
    }
    assert!(walk.next_request(VarBindBuf::new()).is_none(), "an ended walk stays so");
    assert!((0..roots.len()).all(|i| walk.rows(i) == rows[i] && rows[i] <= MAX_ROWS));
    assert!(walk.failures().all(|(i, root, error)| *root == roots[i] && !error.to_string().is_empty()));
    let mut next = Walk::new(non_repeaters, roots, options);
    next.expect(walk.learned());
    if let Some((kind, asked)) = next.next_request(VarBindBuf::new()) {
        check_request(&options, &[], kind, &asked);
    }
}

fn check_request(options: &WalkOptions, non_repeaters: &[Oid], kind: RequestKind, asked: &VarBindBuf) {
    match kind {
        RequestKind::GetNext => assert_eq!(options.max_repetitions, 0),
        RequestKind::GetBulk(bulk) => {
            assert!((1..=u32::from(options.max_repetitions)).contains(&bulk.max_repetitions));
            assert!(asked.len() > bulk.non_repeaters as usize, "something is asked for");
        }
        other => panic!("a walk does not ask {other:?}"),
    }
    assert!(asked.len() <= non_repeaters.len().max(2) + usize::from(options.max_columns.max(1)));
    assert!(asked.iter().all(|varbind| varbind.value == Value::Null));
}

/// GETs of many instances.
pub fn get_many(data: &[u8]) {
    let mut script = Script::new(data);
    let mut header = script.step();
    let per_request = header.one_of(&[4, 0, 1, 100]);
    let names: Vec<Oid> = (0..header.below(11)).map(|_| some_name(&mut header)).collect();
    let mut get = GetMany::new(names.clone(), per_request);
    let mut found = vec![0; names.len()];
    let mut requests = 0;
    while let Some((kind, asked)) = get.next_request(VarBindBuf::new()) {
        requests += 1;
        assert!(requests < MAX_REQUESTS_TO_THE_END, "it does not end");
        assert_eq!(kind, RequestKind::Get);
        assert!((1..=per_request.max(1)).contains(&asked.len()));
        let mut step = script.step();
        let (status, index, mut varbinds) = response(&mut step, kind, &asked);
        if step.octet() & 1 == 0 {
            varbinds =
                asked.iter().map(|varbind| hamsa_snmp::VarBind { value: Value::Integer(7), ..varbind }).collect();
        }
        let mut pdu = Pdu::new(PduKind::Response, 1, varbinds.as_list());
        (pdu.field1, pdu.field2) = (status, index);
        get.handle_response(&pdu, |i, varbind| {
            assert_eq!(varbind.name, names[i].as_oid());
            found[i] += 1;
        });
    }
    for (i, name, _) in get.failures() {
        assert_eq!(*name, names[i]);
        found[i] += 1;
    }
    assert!(found.iter().all(|&count| count == 1), "each is found or fails, once: {found:?}");
}
