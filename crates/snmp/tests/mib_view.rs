//! Many MIB modules behind one view: who serves what, walks over all of them against the obvious answer, SETs that
//! are atomic whichever module fails in whichever phase, and modules that break the rules.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use hamsa_snmp::agent::mibs::{Capability, SystemIdentity, SystemMib};
use hamsa_snmp::agent::{
    Instrumentation, MibModule, MibView, RegisterError, Requester, SearchRange, SetBinding, SetError, SetId, SetRequest,
};
use hamsa_snmp::engine::{EngineStats, Name};
use hamsa_snmp::message::SecurityLevel;
use hamsa_snmp::pdu::ErrorStatus;
use hamsa_snmp::{Oid, OidRef, OwnedValue, Value, VarBindBuf};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// What a module does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Panics,
    Errs,
    /// It answers a walk with what was asked.
    StandsStill,
    /// It answers a walk from behind its range.
    RunsAway,
    /// It says that it answered, and did not.
    Silent,
    /// It answers a walk with more than was asked for.
    Overfills,
    /// It answers a walk backwards.
    TurnsBack,
    FailsTest,
    FailsCommit,
    PanicsInCommit,
    /// It neither commits nor undoes.
    FailsUndo,
}

type Variables = BTreeMap<Oid, OwnedValue>;

/// Variables in a map; every one may be set to any number.
struct Fake {
    name: String,
    subtrees: Vec<Oid>,
    variables: Mutex<Variables>,
    /// Before and after.
    pending: Mutex<Option<(Variables, Variables)>>,
    phases: Mutex<Vec<&'static str>>,
    fault: Fault,
}

fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}

fn fake(name: &str, subtrees: &[&str], variables: &[&str], fault: Fault) -> Arc<Fake> {
    let variables = variables.iter().map(|&name| (oid(name), OwnedValue::Integer(1))).collect();
    let subtrees = subtrees.iter().map(|&subtree| oid(subtree)).collect();
    let name = name.to_owned();
    Arc::new(Fake {
        name,
        subtrees,
        variables: Mutex::new(variables),
        pending: Mutex::default(),
        phases: Mutex::default(),
        fault,
    })
}

impl Fake {
    fn enter(&self, phase: &'static str) {
        self.phases.lock().unwrap().push(phase);
    }

    fn phases(&self) -> String {
        self.phases.lock().unwrap().join(" ")
    }

    fn value(&self, name: &str) -> Option<OwnedValue> {
        self.variables.lock().unwrap().get(&oid(name)).cloned()
    }
}

impl MibModule for Fake {
    fn name(&self) -> &str {
        &self.name
    }

    fn subtrees(&self) -> Vec<Oid> {
        self.subtrees.clone()
    }

    fn get(&self, _now: Instant, name: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        match self.fault {
            Fault::Panics => panic!("a broken module"),
            Fault::Errs => return Err(ErrorStatus::RESOURCE_UNAVAILABLE),
            Fault::Silent => return Ok(()),
            _ => {}
        }
        let variables = self.variables.lock().unwrap();
        to.push(name, variables.get(&name.to_owned()).map_or(Value::NoSuchInstance, OwnedValue::as_value));
        Ok(())
    }

    fn get_next(&self, _now: Instant, range: &SearchRange<'_>, to: &mut VarBindBuf) -> Result<bool, ErrorStatus> {
        match self.fault {
            Fault::Panics => panic!("a broken module"),
            Fault::Errs => return Err(ErrorStatus::RESOURCE_UNAVAILABLE),
            Fault::Silent => return Ok(true),
            Fault::StandsStill if !range.is_start_included => to.push(range.start, Value::Null),
            Fault::RunsAway => to.push(oid("2.999").as_oid(), Value::Null),
            _ => {
                let variables = self.variables.lock().unwrap();
                let Some((name, value)) = variables.iter().find(|(name, _)| range.contains(name.as_oid())) else {
                    return Ok(false);
                };
                to.push(name.as_oid(), value.as_value());
            }
        }
        Ok(true)
    }

    fn walk(
        &self,
        now: Instant,
        range: &SearchRange<'_>,
        max: usize,
        to: &mut VarBindBuf,
    ) -> Result<usize, ErrorStatus> {
        if matches!(self.fault, Fault::Panics | Fault::Errs | Fault::StandsStill | Fault::RunsAway | Fault::Silent) {
            return self.get_next(now, range, to).map(usize::from);
        }
        let variables = self.variables.lock().unwrap();
        let max = if self.fault == Fault::Overfills { usize::MAX } else { max };
        let mut found: Vec<_> = variables.iter().filter(|(name, _)| range.contains(name.as_oid())).take(max).collect();
        if self.fault == Fault::TurnsBack {
            found.reverse();
        }
        found.iter().for_each(|(name, value)| to.push(name.as_oid(), value.as_value()));
        Ok(found.len())
    }

    fn test_set(&self, _set: &SetRequest<'_>, bindings: &[SetBinding<'_>]) -> Result<(), SetError> {
        self.enter("test");
        if self.fault == Fault::FailsTest {
            let index = bindings.last().unwrap().index;
            return Err(SetError { status: ErrorStatus::INCONSISTENT_VALUE, index });
        }
        let before = self.variables.lock().unwrap().clone();
        let mut after = before.clone();
        after.extend(bindings.iter().map(|binding| (binding.name.to_owned(), binding.value.to_owned())));
        *self.pending.lock().unwrap() = Some((before, after));
        Ok(())
    }

    fn commit_set(&self, _set: SetId) -> Result<(), SetError> {
        self.enter("commit");
        match self.fault {
            Fault::FailsCommit | Fault::FailsUndo => Err(SetError { status: ErrorStatus::GEN_ERR, index: 0 }),
            Fault::PanicsInCommit => panic!("a broken module"),
            _ => {
                *self.variables.lock().unwrap() = self.pending.lock().unwrap().as_ref().unwrap().1.clone();
                Ok(())
            }
        }
    }

    fn undo_set(&self, _set: SetId) -> Result<(), ErrorStatus> {
        self.enter("undo");
        if self.fault == Fault::FailsUndo {
            return Err(ErrorStatus::GEN_ERR);
        }
        *self.variables.lock().unwrap() = self.pending.lock().unwrap().as_ref().unwrap().0.clone();
        Ok(())
    }

    fn cleanup_set(&self, _set: SetId) {
        self.enter("cleanup");
        *self.pending.lock().unwrap() = None;
    }
}

fn get(view: &MibView, name: &str) -> Result<OwnedValue, ErrorStatus> {
    let mut to = VarBindBuf::new();
    view.get(Instant::now(), oid(name).as_oid(), &mut to)?;
    assert_eq!(to.len(), 1);
    Ok(to.iter().next().unwrap().value.to_owned())
}

fn walk(view: &MibView) -> Result<Vec<String>, ErrorStatus> {
    walk_by(view, 1)
}

/// So many variables at a time.
fn walk_by(view: &MibView, max: usize) -> Result<Vec<String>, ErrorStatus> {
    let mut names = Vec::new();
    let mut cursor = oid("0.0");
    loop {
        let mut to = VarBindBuf::new();
        let found = view.walk(Instant::now(), cursor.as_oid(), max, &mut to)?;
        assert!(found <= max && to.len() == found.max(1));
        let last = to.iter().last().unwrap();
        if last.value == Value::EndOfMibView {
            assert!(found == 0 && last.name == cursor.as_oid());
            return Ok(names);
        }
        names.extend(to.iter().map(|variable| variable.name.to_string()));
        cursor = last.name.to_owned();
    }
}

fn set(view: &MibView, bindings: &[(&str, i32)]) -> Result<(), SetError> {
    let mut list = VarBindBuf::new();
    for &(name, number) in bindings {
        list.push(oid(name).as_oid(), Value::Integer(number));
    }
    let security_name = Name::new("somebody").unwrap();
    let requester = Requester { security_model: 3, security_name: &security_name, level: SecurityLevel::AuthPriv };
    view.set(Instant::now(), requester, list.as_list())
}

#[test]
fn the_longest_subtree_has_a_name() {
    let view = MibView::new();
    let outer = fake("outer", &["1.3.6"], &["1.3.6.1", "1.3.6.5.1", "1.3.6.5.2.9", "1.3.6.9"], Fault::None);
    let inner = fake("inner", &["1.3.6.5", "1.3.6.5.2.9.7"], &["1.3.6.5.2.0", "1.3.6.5.2.9.7"], Fault::None);
    view.add(outer).unwrap();
    let id = view.add(inner).unwrap();
    assert_eq!(get(&view, "1.3.6.5.1"), Ok(OwnedValue::NoSuchInstance), "the inner one hides the outer's");
    assert_eq!(get(&view, "1.3.7"), Ok(OwnedValue::NoSuchObject));
    assert_eq!(walk(&view).unwrap(), ["1.3.6.1", "1.3.6.5.2.0", "1.3.6.5.2.9.7", "1.3.6.9"]);
    let middle = fake("middle", &["1.3.6.5.2"], &["1.3.6.5.2", "1.3.6.5.2.9", "1.3.6.5.2.9.8"], Fault::None);
    view.add(middle).unwrap();
    // The root of a subtree may be an instance; 1.3.6.5.2.9.7 stays the inner one's.
    let expected = ["1.3.6.1", "1.3.6.5.2", "1.3.6.5.2.9", "1.3.6.5.2.9.7", "1.3.6.5.2.9.8", "1.3.6.9"];
    assert_eq!(walk(&view).unwrap(), expected);
    view.remove(id).unwrap();
    assert_eq!(walk(&view).unwrap(), ["1.3.6.1", "1.3.6.5.1", "1.3.6.5.2", "1.3.6.5.2.9", "1.3.6.5.2.9.8", "1.3.6.9"]);
    assert!(matches!(view.remove(id), Err(RegisterError::NoSuchModule)));
}

#[test]
fn registrations_that_can_not_be_are_refused_and_change_nothing() {
    let view = MibView::new();
    let id = view.add(fake("one", &["1.3.6"], &["1.3.6.1"], Fault::None)).unwrap();
    let twin = || fake("twin", &["1.4", "1.3.6"], &["1.4.1"], Fault::None);
    let by = RegisterError::Duplicate { subtree: oid("1.3.6"), by: "one".into() };
    assert_eq!(view.add(twin()), Err(by));
    assert_eq!(view.add(fake("none", &[], &[], Fault::None)), Err(RegisterError::NoSubtree("none".into())));
    assert_eq!(walk(&view).unwrap(), ["1.3.6.1"]);
    // In the place of the one that has it, it may.
    assert_eq!(view.replace(id, twin()).unwrap().name(), "one");
    assert_eq!(walk(&view).unwrap(), ["1.4.1"]);
    assert_eq!(view.modules().len(), 1);
}

#[test]
fn walks_are_those_of_the_obvious_answer() {
    for seed in 0..300 {
        let mut rng = StdRng::seed_from_u64(seed);
        let name = |from: &mut StdRng| {
            let arcs: Vec<String> =
                (0..from.random_range(0..4)).map(|_| from.random_range(0..3_u32).to_string()).collect();
            format!("1.3.{}{}", from.random_range(0..3), arcs.iter().map(|arc| format!(".{arc}")).collect::<String>())
        };
        let view = MibView::new();
        let mut all: Vec<(Oid, usize)> = Vec::new();
        let mut modules = Vec::new();
        for m in 0..rng.random_range(1..6) {
            let subtrees: Vec<String> = (0..rng.random_range(1..4)).map(|_| name(&mut rng)).collect();
            let variables: Vec<String> = (0..rng.random_range(0..30)).map(|_| name(&mut rng)).collect();
            let as_refs = |texts: &[String]| -> Vec<Oid> { texts.iter().map(|text| oid(text)).collect() };
            let mut own = as_refs(&subtrees);
            own.sort();
            own.dedup();
            let module = Arc::new(Fake {
                name: format!("module {m}"),
                subtrees: own.clone(),
                variables: Mutex::new(as_refs(&variables).into_iter().map(|v| (v, OwnedValue::Integer(m))).collect()),
                pending: Mutex::default(),
                phases: Mutex::default(),
                fault: Fault::None,
            });
            if view.add(module.clone()).is_ok() {
                all.extend(own.into_iter().map(|subtree| (subtree, modules.len())));
                modules.push(module);
            }
        }
        let owner = |variable: &Oid| {
            let having = all.iter().filter(|(subtree, _)| variable.as_oid().starts_with(subtree.as_oid()));
            having.max_by_key(|(subtree, _)| subtree.as_oid().arc_count()).map(|&(_, module)| module)
        };
        let mut expected: Vec<Oid> = Vec::new();
        for (m, module) in modules.iter().enumerate() {
            expected.extend(module.variables.lock().unwrap().keys().filter(|v| owner(v) == Some(m)).cloned());
        }
        expected.sort();
        let expected: Vec<String> = expected.iter().map(Oid::to_string).collect();
        for max in [1, 2, 7, 100] {
            assert_eq!(walk_by(&view, max).unwrap(), expected, "seed {seed}: {all:?}");
        }
    }
}

#[test]
fn a_broken_module_costs_gen_err_and_no_more() {
    for fault in [Fault::Panics, Fault::Errs, Fault::StandsStill, Fault::RunsAway, Fault::Silent] {
        let view = MibView::new();
        view.add(fake("good", &["1.3.1", "1.3.3"], &["1.3.1.1", "1.3.3.1"], Fault::None)).unwrap();
        let id = view.add(fake("broken", &["1.3.2"], &["1.3.2.1"], fault)).unwrap();
        let walks = matches!(fault, Fault::StandsStill | Fault::RunsAway);
        assert_eq!(get(&view, "1.3.2.1").is_ok(), walks, "{fault:?}");
        assert_eq!(walk(&view), Err(ErrorStatus::GEN_ERR), "{fault:?}");
        assert_eq!(get(&view, "1.3.1.1"), Ok(OwnedValue::Integer(1)));
        let mut to = VarBindBuf::new();
        view.get_next(Instant::now(), oid("1.3.3").as_oid(), &mut to).unwrap();
        assert_eq!(to.iter().next().unwrap().name, oid("1.3.3.1").as_oid());
        view.replace(id, fake("mended", &["1.3.2"], &["1.3.2.1"], Fault::None)).unwrap();
        assert_eq!(walk(&view).unwrap(), ["1.3.1.1", "1.3.2.1", "1.3.3.1"]);
    }
}

#[test]
fn a_walk_that_is_none_costs_gen_err() {
    let names = ["1.3.2.1", "1.3.2.2", "1.3.2.3"];
    for fault in [Fault::Overfills, Fault::TurnsBack] {
        let view = MibView::new();
        view.add(fake("broken", &["1.3.2"], &names, fault)).unwrap();
        assert_eq!(walk_by(&view, 2), Err(ErrorStatus::GEN_ERR), "{fault:?}");
    }
}

#[test]
fn tables_are_walked_by_many_as_by_one() {
    let view = MibView::new();
    let now = Instant::now();
    let identity =
        SystemIdentity { description: "d".into(), object_id: oid("1.3.6.1.4.1.32473.1"), services: 72, started: now };
    let system = SystemMib::of(identity, Arc::new(EngineStats::default()));
    let capability = |n: u32| Capability { id: oid(&format!("1.3.6.1.4.1.32473.{n}")), description: n.to_string() };
    system.set_capabilities(now, &(1..9).map(capability).collect::<Vec<_>>()).unwrap();
    view.add(Arc::new(system)).unwrap();
    let by_one = walk(&view).unwrap();
    // Three columns of sysORTable, and the scalars around it.
    assert!(by_one.len() > 3 * 8 + 7, "{by_one:?}");
    for max in [2, 3, 7, 32] {
        assert_eq!(walk_by(&view, max).unwrap(), by_one, "{max}");
    }
}

#[test]
fn a_set_over_several_modules_is_done_by_all_or_by_none() {
    let failed = |status, index| Err(SetError { status, index });
    for (fault, expected, good_phases) in [
        (Fault::None, Ok(()), "test commit cleanup"),
        (Fault::FailsTest, failed(ErrorStatus::INCONSISTENT_VALUE, 2), "test cleanup"),
        (Fault::FailsCommit, failed(ErrorStatus::COMMIT_FAILED, 1), "test commit undo cleanup"),
        (Fault::PanicsInCommit, failed(ErrorStatus::COMMIT_FAILED, 1), "test commit undo cleanup"),
        (Fault::FailsUndo, failed(ErrorStatus::UNDO_FAILED, 0), "test commit undo cleanup"),
    ] {
        let view = MibView::new();
        let first = fake("first", &["1.3.1"], &["1.3.1.1", "1.3.1.2"], Fault::None);
        let second = fake("second", &["1.3.2"], &["1.3.2.1", "1.3.2.2"], fault);
        view.add(first.clone()).unwrap();
        view.add(second.clone()).unwrap();
        let done = set(&view, &[("1.3.1.1", 7), ("1.3.2.1", 7), ("1.3.2.2", 7), ("1.3.1.2", 7)]);
        assert_eq!(done, expected, "{fault:?}");
        let value = OwnedValue::Integer(if done.is_ok() { 7 } else { 1 });
        for (module, name) in [(&first, "1.3.1.1"), (&first, "1.3.1.2"), (&second, "1.3.2.1"), (&second, "1.3.2.2")] {
            assert_eq!(module.value(name), Some(value.clone()), "{fault:?} {name}");
        }
        assert_eq!(first.phases(), good_phases, "{fault:?}");
        assert!(second.phases().ends_with("cleanup"), "{fault:?}");
    }
}

#[test]
fn the_first_variable_at_fault_is_told() {
    let view = MibView::new();
    view.add(fake("first", &["1.3.1"], &["1.3.1.1"], Fault::FailsTest)).unwrap();
    view.add(fake("second", &["1.3.2"], &["1.3.2.1"], Fault::FailsTest)).unwrap();
    let status = ErrorStatus::INCONSISTENT_VALUE;
    // The first module finds fault with its last variable, which is behind the second module's.
    let bindings = [("1.3.1.1", 7), ("1.3.2.1", 7), ("1.3.1.2", 7)];
    assert_eq!(set(&view, &bindings), Err(SetError { status, index: 1 }));
    let bindings = [("1.3.9", 7), ("1.3.2.1", 7)];
    assert_eq!(set(&view, &bindings), Err(SetError { status: ErrorStatus::NOT_WRITABLE, index: 0 }));
}

#[test]
fn requests_go_on_while_modules_are_exchanged() {
    let view = Arc::new(MibView::new());
    view.add(fake("steady", &["1.3.1"], &["1.3.1.1"], Fault::None)).unwrap();
    let id = view.add(fake("changing", &["1.3.2"], &["1.3.2.1", "1.3.2.2"], Fault::None)).unwrap();
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let view = view.clone();
            std::thread::spawn(move || {
                for _ in 0..2_000 {
                    assert_eq!(walk(&view).unwrap(), ["1.3.1.1", "1.3.2.1", "1.3.2.2"]);
                    set(&view, &[("1.3.1.1", 5), ("1.3.2.2", 5)]).unwrap();
                }
            })
        })
        .collect();
    while readers.iter().any(|reader| !reader.is_finished()) {
        view.replace(id, fake("changing", &["1.3.2"], &["1.3.2.1", "1.3.2.2"], Fault::None)).unwrap();
    }
    readers.into_iter().for_each(|reader| reader.join().unwrap());
}
