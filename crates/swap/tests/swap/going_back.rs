//! Earlier versions: by hand, by probation, and after panics.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hamsa_swap::{
    CallError, Cause, Happening, Installation, ModuleId, OnPanic, Probation, Proxy, RollBackState, SwapError,
    SwapManager, SwapOptions,
};

use super::fixtures::{Counter, CounterError, Switches, Traits, both_ways, install, manager, someone};

fn id() -> ModuleId {
    ModuleId::new("counter", "c")
}

/// The first commit among some events: why, and whose state was lost.
fn committed(said: &[Happening]) -> Option<(Cause, Vec<ModuleId>)> {
    said.iter().find_map(|what| match what {
        Happening::Committed { cause, state_lost, .. } => Some((cause.clone(), state_lost.clone())),
        _ => None,
    })
}

fn version(manager: &SwapManager) -> (u32, u32) {
    manager.modules()[0].version.number()
}

fn panicked(result: &Result<u64, CounterError>) -> bool {
    matches!(result, Err(CounterError::Call(CallError::Panicked { message, .. })) if message == "a test wants it")
}

/// A new version that can be made to panic and to fail.
fn swap_to_shaky(manager: &SwapManager, probation: Option<Probation>) -> Arc<Switches> {
    let switches: Arc<Switches> = Arc::default();
    let new = Traits { switches: Arc::clone(&switches), ..Traits::of(1, 1) };
    let options = SwapOptions { probation, ..SwapOptions::default() };
    manager.swap(&someone(), vec![new.package("c")], options).unwrap();
    switches
}

fn install_with(manager: &SwapManager, on_panic: OnPanic) -> Proxy<dyn Counter> {
    let how = Installation { on_panic, ..Installation::default() };
    manager.install(&someone(), Traits::of(1, 0).package("c"), how).unwrap()
}

#[test]
fn a_version_goes_back_at_any_time_with_the_present_state() {
    let manager = manager();
    let proxy = install(&manager, Traits { mappings: both_ways(), ..Traits::of(1, 0) }.package("c"));
    proxy.add(1).unwrap();
    for minor in 1..4 {
        let new = Traits { schema: 2, mappings: both_ways(), ..Traits::of(2, minor) };
        manager.swap(&someone(), vec![new.package("c")], SwapOptions::default()).unwrap();
        proxy.add(10).unwrap();
    }
    let options = SwapOptions::default();
    let report = manager.roll_back(&someone(), &[(id(), (1, 0))], RollBackState::Mapped, options).unwrap();
    assert_eq!((report.changes[0].from, report.changes[0].to), ((2, 3), (1, 0)));
    assert_eq!(proxy.add(0), Ok(31));
    assert_eq!(manager.modules()[0].versions[0], (1, 0));
    // And forward again.
    manager.roll_back(&someone(), &[(id(), (2, 2))], RollBackState::Mapped, options).unwrap();
    assert_eq!(proxy.add(0), Ok(31));
}

#[test]
fn without_a_way_back_it_is_refused_and_the_kept_state_is_another_request() {
    let manager = manager();
    let proxy = install(&manager, Traits::of(1, 0).package("c"));
    proxy.add(5).unwrap();
    let forward_only = both_ways()[..1].to_vec();
    let new = Traits { schema: 2, mappings: forward_only, ..Traits::of(2, 0) };
    manager.swap(&someone(), vec![new.package("c")], SwapOptions::default()).unwrap();
    proxy.add(100).unwrap();
    let back = |state| manager.roll_back(&someone(), &[(id(), (1, 0))], state, SwapOptions::default());
    let refused = back(RollBackState::Mapped).unwrap_err();
    assert!(matches!(refused, SwapError::Mapping { .. }), "{refused}");
    assert_eq!(
        refused.to_string(),
        "counter/c: no mapping leads from schema 2 to schema 1; give the newer version one"
    );
    assert_eq!(proxy.add(0), Ok(105));
    back(RollBackState::Kept).unwrap();
    assert_eq!(proxy.add(0), Ok(5));
    // What the newer version had is kept too.
    let kept = manager.kept_states(&id()).unwrap();
    assert_eq!(kept.iter().map(|kept| kept.version).collect::<Vec<_>>(), [(2, 0), (1, 0)]);
    let unknown = manager.roll_back(&someone(), &[(id(), (7, 7))], RollBackState::Kept, SwapOptions::default());
    assert_eq!(unknown, Err(SwapError::NoVersion { module: id(), version: (7, 7) }));
}

#[test]
fn a_version_on_probation_that_panics_is_taken_back_by_itself() {
    let manager = manager();
    let proxy = install(&manager, Traits::of(1, 0).package("c"));
    proxy.add(1).unwrap();
    let probation =
        Probation { lasts: Duration::from_secs(3600), panics_max: 1, error_rate_max: 1.0, calls_min: u64::MAX };
    let switches = swap_to_shaky(&manager, Some(probation));
    switches.panics.store(true, Ordering::Release);
    assert!(panicked(&proxy.add(1)));
    manager.attend();
    assert_eq!(version(&manager), (1, 1));
    assert!(panicked(&proxy.add(1)));
    let observer = manager.observe(100);
    manager.attend();
    assert_eq!(version(&manager), (1, 0));
    assert_eq!(proxy.add(1), Ok(2));
    let said: Vec<Happening> = std::iter::from_fn(|| observer.next_event()).map(|event| event.what).collect();
    assert!(said.iter().any(|what| matches!(what, Happening::TakenBack { .. })), "{said:?}");
    let reason = "2 panics, 1 are allowed".to_owned();
    assert_eq!(committed(&said), Some((Cause::TakenBack { reason }, vec![])), "the state could be mapped back");
}

#[test]
fn where_no_way_leads_back_from_probation_it_is_said_that_state_is_lost() {
    let manager = manager();
    let proxy = install(&manager, Traits::of(1, 0).package("c"));
    proxy.add(1).unwrap();
    let switches: Arc<Switches> = Arc::default();
    let forward_only = both_ways()[..1].to_vec();
    let new = Traits { schema: 2, mappings: forward_only, switches: Arc::clone(&switches), ..Traits::of(2, 0) };
    let probation =
        Probation { lasts: Duration::from_secs(3600), panics_max: 0, error_rate_max: 1.0, calls_min: u64::MAX };
    let options = SwapOptions { probation: Some(probation), ..SwapOptions::default() };
    assert_eq!(manager.swap(&someone(), vec![new.package("c")], options).unwrap().state_lost, []);
    proxy.add(10).unwrap();
    switches.panics.store(true, Ordering::Release);
    assert!(panicked(&proxy.add(1)));
    let observer = manager.observe(100);
    manager.attend();
    assert_eq!(proxy.add(0), Ok(1));
    let said: Vec<Happening> = std::iter::from_fn(|| observer.next_event()).map(|event| event.what).collect();
    let (cause, lost) = committed(&said).unwrap();
    assert!(matches!(cause, Cause::TakenBack { .. }), "{cause:?}");
    assert_eq!((lost, manager.history()[0].state_lost.clone()), (vec![id()], vec![id()]));
}

#[test]
fn a_version_on_probation_that_errs_too_often_is_taken_back_by_itself() {
    let manager = manager();
    let proxy = install(&manager, Traits::of(1, 0).package("c"));
    let probation = Probation { lasts: Duration::from_secs(3600), panics_max: 0, error_rate_max: 0.5, calls_min: 10 };
    let switches = swap_to_shaky(&manager, Some(probation));
    (0..5).for_each(|_| assert!(proxy.add(1).is_ok()));
    switches.fails.store(true, Ordering::Release);
    (0..5).for_each(|_| assert!(proxy.add(1).is_err()));
    manager.attend();
    assert_eq!(version(&manager), (1, 1), "half of them may fail");
    assert!(proxy.add(1).is_err());
    manager.attend();
    assert_eq!(version(&manager), (1, 0));
    assert_eq!(proxy.add(0), Ok(5));
}

#[test]
fn a_version_that_stands_its_probation_stays() {
    let manager = manager();
    install(&manager, Traits::of(1, 0).package("c"));
    let observer = manager.observe(100);
    let probation = Probation { lasts: Duration::ZERO, panics_max: 0, error_rate_max: 0.0, calls_min: 1 };
    swap_to_shaky(&manager, Some(probation));
    assert_eq!(manager.attend(), None);
    assert_eq!(version(&manager), (1, 1));
    assert!(std::iter::from_fn(|| observer.next_event()).any(|event| matches!(event.what, Happening::Proved { .. })));
}

#[test]
fn a_panic_is_the_callers_error_and_the_policy_decides() {
    for on_panic in [OnPanic::Keep, OnPanic::Bar, OnPanic::RollBack, OnPanic::Restart] {
        let manager = manager();
        let proxy = install_with(&manager, on_panic);
        proxy.add(3).unwrap();
        let switches = swap_to_shaky(&manager, None);
        manager.keep_state(&id()).unwrap();
        proxy.add(4).unwrap();
        switches.panics.store(true, Ordering::Release);
        assert!(panicked(&proxy.add(1)));
        switches.panics.store(false, Ordering::Release);
        assert!(manager.modules()[0].has_failed);
        let at_once = proxy.add(0);
        manager.attend();
        let later = proxy.add(0);
        let barred = Err(CounterError::Call(CallError::Failed { module: id() }));
        let (expected, expected_version) = match on_panic {
            OnPanic::Keep => ((Ok(7), Ok(7)), (1, 1)),
            OnPanic::Bar => ((barred.clone(), barred), (1, 1)),
            OnPanic::RollBack => ((Ok(7), Ok(7)), (1, 0)),
            OnPanic::Restart => ((Ok(7), Ok(3)), (1, 1)),
        };
        assert_eq!((at_once, later), expected, "{on_panic:?}");
        assert_eq!(version(&manager), expected_version, "{on_panic:?}");
        // A swap brings it back in any case.
        manager.swap(&someone(), vec![Traits::of(1, 2).package("c")], SwapOptions::default()).unwrap();
        assert!(proxy.add(0).is_ok());
        assert!(!manager.modules()[0].has_failed);
    }
}

#[test]
fn restarts_have_an_end() {
    let manager = manager();
    let switches: Arc<Switches> = Arc::default();
    let how = Installation { on_panic: OnPanic::Restart, ..Installation::default() };
    let module = Traits { switches: Arc::clone(&switches), ..Traits::of(1, 0) };
    let proxy: Proxy<dyn Counter> = manager.install(&someone(), module.package("c"), how).unwrap();
    switches.panics.store(true, Ordering::Release);
    for _ in 0..hamsa_swap::limits::RESTARTS_MAX {
        assert!(panicked(&proxy.add(1)));
        manager.attend();
    }
    assert!(panicked(&proxy.add(1)));
    manager.attend();
    assert!(matches!(proxy.add(1), Err(CounterError::Call(CallError::Failed { .. }))));
}
