//! The three ways in which a client meets a module after a swap (the paper's section 4.2).

use hamsa_swap::{CallError, DynType, DynValue, SwapError, SwapOptions};

use super::fixtures::{Counter, CounterError, Traits, both_ways, install, manager, someone};

#[test]
fn same_behaviour_the_proxy_serves_on_with_the_state() {
    let manager = manager();
    let proxy = install(&manager, Traits::of(1, 0).package("c"));
    assert_eq!(proxy.add(40), Ok(40));
    let report = manager.swap(&someone(), vec![Traits::of(1, 1).package("c")], SwapOptions::default()).unwrap();
    assert_eq!((report.changes[0].from, report.changes[0].to), ((1, 0), (1, 1)));
    assert_eq!(proxy.add(2), Ok(42));
    let mut out = "sum ".to_owned();
    assert_eq!(proxy.write("is ", &mut out), Ok(9));
    assert_eq!(out, "sum is 42");
    assert_eq!(manager.modules()[0].version.number(), (1, 1));
}

#[test]
fn the_state_is_mapped_to_the_schema_of_the_new_version() {
    let manager = manager();
    let proxy = install(&manager, Traits::of(1, 0).package("c"));
    proxy.add(7).unwrap();
    let new = Traits { schema: 2, mappings: both_ways(), ..Traits::of(2, 0) };
    manager.swap(&someone(), vec![new.package("c")], SwapOptions::default()).unwrap();
    assert_eq!(proxy.add(1), Ok(8));
    let no_way = Traits { schema: 9, ..Traits::of(3, 0) };
    let refused = manager.swap(&someone(), vec![no_way.package("c")], SwapOptions::default()).unwrap_err();
    assert!(matches!(refused, SwapError::Mapping { .. }), "{refused}");
    assert_eq!(proxy.add(1), Ok(9));
}

#[test]
fn a_removed_method_gets_to_does_not_understand() {
    let manager = manager();
    let proxy = install(&manager, Traits::of(1, 0).package("c"));
    assert_eq!(proxy.reset(), Ok(()));
    let new = Traits { lacks: &["reset", "write"], ..Traits::of(2, 0) };
    manager.swap(&someone(), vec![new.package("c")], SwapOptions::default()).unwrap();
    let not_understood = CallError::NotUnderstood { method: "reset".to_owned() };
    assert_eq!(proxy.reset(), Err(CounterError::Call(not_understood.clone())));
    assert_eq!(proxy.call_by_name("reset", vec![]), Err(not_understood));
    // The new version answers in its place.
    let mut out = "kept".to_owned();
    assert_eq!(proxy.write("x", &mut out), Ok(0));
    assert_eq!(out, "kept");
    let names: Vec<String> = proxy.signatures().unwrap().iter().map(|method| method.name.to_string()).collect();
    assert_eq!(names, ["add"]);
}

#[test]
fn a_new_method_is_called_by_name_with_its_reflected_signature() {
    let manager = manager();
    let proxy = install(&manager, Traits::of(1, 0).package("c"));
    proxy.add(10).unwrap();
    let arguments = || vec![DynValue::Unsigned(4)];
    let not_understood = Err(CallError::NotUnderstood { method: "subtract".to_owned() });
    assert_eq!(proxy.call_by_name("subtract", arguments()), not_understood);
    let new = Traits { has_extras: true, ..Traits::of(1, 1) };
    manager.swap(&someone(), vec![new.package("c")], SwapOptions::default()).unwrap();
    let signatures = proxy.signatures().unwrap();
    let subtract = signatures.iter().find(|method| method.name == "subtract").unwrap();
    assert_eq!((subtract.parameters[0].name.as_ref(), &subtract.parameters[0].of), ("by", &DynType::Unsigned(64)));
    assert_eq!(subtract.returns, DynType::Unsigned(64));
    assert_eq!(proxy.call_by_name("subtract", arguments()), Ok(DynValue::Unsigned(6)));
    let too_much = proxy.call_by_name("subtract", vec![DynValue::Unsigned(7)]);
    assert_eq!(too_much, Err(CallError::Application { message: "7 is too much".to_owned() }));
}

#[test]
fn methods_of_the_kind_can_be_called_by_name_too() {
    let manager = manager();
    let proxy = install(&manager, Traits::of(1, 0).package("c"));
    assert_eq!(proxy.call_by_name("add", vec![DynValue::Unsigned(3)]), Ok(DynValue::Unsigned(3)));
    let written = proxy.call_by_name("write", vec![DynValue::Text("a".to_owned()), DynValue::Text("b".to_owned())]);
    let expected = DynValue::List(vec![DynValue::Unsigned(3), DynValue::Text("ba3".to_owned())]);
    assert_eq!(written, Ok(expected));
    for wrong in [vec![], vec![DynValue::Bool(true)], vec![DynValue::Unsigned(1); 2]] {
        let refused = proxy.call_by_name("add", wrong);
        assert!(matches!(refused, Err(CallError::Arguments { .. })), "{refused:?}");
    }
    let nonsense = proxy.call_by_name("nonsense", vec![DynValue::Unit; 3]);
    assert_eq!(nonsense, Ok(DynValue::Text("3 arguments".to_owned())));
}
