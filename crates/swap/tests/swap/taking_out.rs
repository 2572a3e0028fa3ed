//! Modules that are taken out, and come back with what they had.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::time::Duration;

use hamsa_swap::{
    Abort, CallError, Cause, Dependency, End, Installation, ModuleId, Principal, SwapError, SwapOptions, Timing,
};

use super::fixtures::{Counter, CounterError, Switches, Traits, install, manager, someone};

fn id() -> ModuleId {
    ModuleId::new("counter", "c")
}

#[test]
fn a_module_that_is_taken_out_refuses_calls_and_comes_back_with_its_state() {
    let manager = manager();
    let switches: Arc<Switches> = Arc::default();
    let module = Traits { switches: Arc::clone(&switches), ..Traits::of(1, 0) };
    let proxy = install(&manager, module.package("c"));
    proxy.add(5).unwrap();
    let denied = manager.uninstall(&Principal("nobody".to_owned()), &id(), SwapOptions::default());
    assert!(matches!(denied, Err(SwapError::Denied(_))), "{denied:?}");
    let dry = SwapOptions { dry_run: true, ..SwapOptions::default() };
    assert_eq!(manager.uninstall(&someone(), &id(), dry).unwrap().end, End::Aborted(Abort::DryRun));
    assert_eq!(proxy.add(1), Ok(6));

    let report = manager.uninstall(&someone(), &id(), SwapOptions::default()).unwrap();
    assert_eq!((report.end, report.cause), (End::Committed, Cause::Uninstall));
    assert_eq!(proxy.add(1), Err(CounterError::Call(CallError::Failed { module: id() })));
    assert_eq!((manager.modules().len(), switches.cleaned_up.load(Ordering::Acquire)), (0, 1));
    assert_eq!(manager.uninstall(&someone(), &id(), SwapOptions::default()), Err(SwapError::Unknown(id())));

    let state = manager.kept_states(&id()).unwrap()[0].state.clone();
    let how = Installation { state: Some(state), ..Installation::default() };
    let again = manager.install::<dyn Counter>(&someone(), Traits::of(1, 0).package("c"), how).unwrap();
    assert_eq!(again.add(1), Ok(7));
}

#[test]
fn what_others_need_stays_and_so_does_what_is_busy() {
    let manager = manager();
    let switches: Arc<Switches> = Arc::default();
    let module = Traits { switches: Arc::clone(&switches), ..Traits::of(1, 0) };
    let proxy = install(&manager, module.package("c"));
    let needs = Traits { dependencies: vec![Dependency::new(id(), 1, 0)], ..Traits::of(1, 0) };
    install(&manager, needs.package("other"));
    let refused = manager.uninstall(&someone(), &id(), SwapOptions::default()).unwrap_err();
    assert!(matches!(refused, SwapError::Dependency { .. }), "{refused}");
    manager.uninstall(&someone(), &ModuleId::new("counter", "other"), SwapOptions::default()).unwrap();

    // A call that does not end in time, then one that does.
    let (entered, inside) = channel();
    let (leave, left) = channel::<()>();
    let (entered, left) = (std::sync::Mutex::new(entered), std::sync::Mutex::new(left));
    *switches.inside.lock().unwrap() = Some(Arc::new(move || {
        entered.lock().unwrap().send(()).unwrap();
        // It may have been let go already.
        let _ = left.lock().unwrap().recv();
    }));
    let caller = proxy.clone();
    let call = std::thread::spawn(move || caller.add(3));
    inside.recv().unwrap();
    let timing = Timing { budget: Duration::from_millis(20), ..Timing::default() };
    let options = SwapOptions { timing, ..SwapOptions::default() };
    let refused = manager.uninstall(&someone(), &id(), options).unwrap_err();
    assert!(matches!(refused, SwapError::Aborted { abort: Abort::Budget { .. }, .. }), "{refused}");
    *switches.inside.lock().unwrap() = None;
    assert_eq!(proxy.add(0), Ok(0), "it serves on");
    leave.send(()).unwrap();
    assert_eq!(call.join().unwrap(), Ok(3));
    manager.uninstall(&someone(), &id(), SwapOptions::default()).unwrap();
}
