//! All or none, whatever speaks against it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hamsa_swap::journal::Entry;
use hamsa_swap::{
    Abort, Change, Dependency, End, Happening, Installation, Journal, JournalError, ModuleId, Package, Principal,
    Proxy, Request, Resources, Services, StateSet, SwapError, SwapManager, SwapOptions, Timing,
};

use super::fixtures::{Counter, Switches, Traits, install, manager, services, someone};

fn counter(name: &str) -> ModuleId {
    ModuleId::new("counter", name)
}

fn calls(name: &str, major: u32) -> Vec<Dependency> {
    vec![Dependency::new(counter(name), major, 0)]
}

fn versions(manager: &SwapManager) -> Vec<(u32, u32)> {
    manager.modules().iter().map(|module| module.version.number()).collect()
}

/// Three modules: a calls b, b calls c, c calls a when `circle`.
fn three(manager: &SwapManager) -> [Proxy<dyn Counter>; 3] {
    let c = install(manager, Traits::of(1, 0).package("c"));
    let b = install(manager, Traits { dependencies: calls("c", 1), ..Traits::of(1, 0) }.package("b"));
    let a = install(manager, Traits { dependencies: calls("b", 1), ..Traits::of(1, 0) }.package("a"));
    [a, b, c]
}

fn swap(manager: &SwapManager, packages: Vec<Package>) -> Result<(), SwapError> {
    manager.swap(&someone(), packages, SwapOptions::default()).map(|_| ())
}

#[test]
fn if_one_says_no_none_is_replaced_and_all_keep_their_state() {
    let good = |name: &str| Traits::of(1, 1).package(name);
    let bad = [
        Traits { votes_no: true, ..Traits::of(1, 1) },
        Traits { refuses_state: true, ..Traits::of(1, 1) },
        Traits { dependencies: calls("nobody", 1), ..Traits::of(1, 1) },
        Traits { schema: 5, ..Traits::of(1, 1) },
    ];
    for bad in bad {
        for position in ["a", "b", "c"] {
            let manager = manager();
            let proxies = three(&manager);
            proxies.iter().for_each(|proxy| assert_eq!(proxy.add(5), Ok(5)));
            let new = ["a", "b", "c"].map(|name| if name == position { bad.clone().package(name) } else { good(name) });
            let refused = swap(&manager, new.to_vec()).unwrap_err();
            assert!(refused.to_string().contains(position), "{refused}");
            assert_eq!(versions(&manager), [(1, 0); 3]);
            proxies.iter().for_each(|proxy| assert_eq!(proxy.add(1), Ok(6)));
            assert!(swap(&manager, ["a", "b", "c"].map(good).to_vec()).is_ok());
            assert_eq!(versions(&manager), [(1, 1); 3]);
            proxies.iter().for_each(|proxy| assert_eq!(proxy.add(1), Ok(7)));
        }
    }
}

#[test]
fn what_others_need_of_a_module_its_new_version_must_be() {
    let manager = manager();
    three(&manager);
    let new_c = || Traits::of(2, 0).package("c");
    let refused = swap(&manager, vec![new_c()]).unwrap_err();
    assert!(matches!(&refused, SwapError::Dependency { module, .. } if *module == counter("b")), "{refused}");
    let new_b = Traits { dependencies: calls("c", 2), ..Traits::of(1, 1) }.package("b");
    swap(&manager, vec![new_c(), new_b]).unwrap();
    assert_eq!(versions(&manager), [(1, 0), (1, 1), (2, 0)]);
}

#[test]
fn modules_that_need_each_other_go_together() {
    let manager = manager();
    three(&manager);
    let circle = [("a", "b"), ("b", "c"), ("c", "a")];
    let new = circle.map(|(name, on)| Traits { dependencies: calls(on, 2), ..Traits::of(2, 0) }.package(name));
    for missing in 0..3 {
        let mut new = new.to_vec();
        new.remove(missing);
        assert!(matches!(swap(&manager, new), Err(SwapError::Dependency { .. })));
    }
    swap(&manager, new.to_vec()).unwrap();
    assert_eq!(versions(&manager), [(2, 0); 3]);
}

#[test]
fn a_critical_section_is_waited_for_and_no_longer_than_agreed() {
    let manager = manager();
    let switches: Arc<Switches> = Arc::default();
    let proxy = install(&manager, Traits { switches: Arc::clone(&switches), ..Traits::of(1, 0) }.package("c"));
    let section = switches.critical.enter();
    let timing = Timing { ready_within: Duration::from_millis(30), ..Timing::default() };
    let options = SwapOptions { timing, ..SwapOptions::default() };
    let aborted = manager.swap(&someone(), vec![Traits::of(1, 1).package("c")], options).unwrap_err();
    assert!(matches!(aborted, SwapError::Aborted { abort: Abort::NotReady { .. }, .. }), "{aborted}");
    let observer = manager.observe(1000);
    let timing = Timing { ready_within: Duration::from_secs(60), ..Timing::default() };
    let options = SwapOptions { timing, ..SwapOptions::default() };
    std::thread::scope(|scope| {
        let swap = scope.spawn(|| manager.swap(&someone(), vec![Traits::of(1, 1).package("c")], options));
        while !matches!(observer.next_event(), Some(event) if matches!(event.what, Happening::Waiting { .. })) {
            std::thread::yield_now();
        }
        // Calls go on meanwhile.
        assert_eq!(proxy.add(1), Ok(1));
        drop(section);
        assert_eq!(swap.join().unwrap().unwrap().end, End::Committed);
    });
    assert_eq!(proxy.add(1), Ok(2));
}

#[test]
fn a_dry_run_asks_everybody_and_closes_nothing() {
    let manager = manager();
    let proxy = install(&manager, Traits::of(1, 0).package("c"));
    let dry = SwapOptions { dry_run: true, ..SwapOptions::default() };
    let report = manager.swap(&someone(), vec![Traits::of(1, 1).package("c")], dry).unwrap();
    assert_eq!((report.end, report.attempts), (End::Aborted(Abort::DryRun), 0));
    let no = Traits { votes_no: true, ..Traits::of(1, 1) };
    assert!(manager.swap(&someone(), vec![no.package("c")], dry).is_err());
    assert_eq!(versions(&manager), [(1, 0)]);
    assert_eq!(proxy.add(1), Ok(1));
}

#[test]
fn who_may_not_does_not_and_nothing_is_made() {
    let manager = manager();
    install(&manager, Traits::of(1, 0).package("c"));
    let observer = manager.observe(10);
    let never = Package { make: Arc::new(|| panic!("it must not be made")), ..Traits::of(1, 1).package("c") };
    let nobody = Principal("nobody".to_owned());
    let denied = manager.swap(&nobody, vec![never.clone()], SwapOptions::default()).unwrap_err();
    assert!(matches!(denied, SwapError::Denied(_)), "{denied}");
    assert!(matches!(observer.next_event().unwrap().what, Happening::Denied { who, .. } if who == "nobody"));
    let ticket = manager
        .requests()
        .submit(Request::Swap { who: nobody, packages: vec![never.clone()], options: SwapOptions::default() })
        .unwrap();
    assert_eq!(ticket.answer(), None);
    manager.attend();
    assert!(matches!(ticket.wait(Duration::from_secs(60)), Some(Err(SwapError::Denied(_)))));
    // Who may gets the panic as an error.
    let panicked = swap(&manager, vec![never]).unwrap_err();
    assert!(panicked.to_string().contains("it must not be made"), "{panicked}");
}

#[test]
fn odd_requests_are_refused() {
    let manager = manager();
    install(&manager, Traits::of(1, 0).package("c"));
    let package = || Traits::of(1, 1).package("c");
    assert_eq!(swap(&manager, vec![]), Err(SwapError::Parts));
    assert_eq!(swap(&manager, vec![package(), package()]), Err(SwapError::Parts));
    assert_eq!(swap(&manager, vec![Traits::of(1, 1).package("x")]), Err(SwapError::Unknown(counter("x"))));
    let mut liar = package();
    liar.version.minor = 7;
    assert!(matches!(swap(&manager, vec![liar]), Err(SwapError::Instantiate { .. })));
    let again = manager.install::<dyn Counter>(&someone(), package(), Default::default());
    assert!(matches!(again, Err(SwapError::Exists(_))));
    assert_eq!(versions(&manager), [(1, 0)]);
}

#[test]
fn resources_pass_over_and_the_old_version_lets_go() {
    let manager = manager();
    let switches: Arc<Switches> = Arc::default();
    let socket = Arc::new("a socket".to_owned());
    let mut resources = Resources::default();
    resources.insert("socket", Arc::clone(&socket));
    // It comes from the host, and the package does not hold it.
    let old = Traits { switches: Arc::clone(&switches), ..Traits::of(1, 0) };
    let mut state = StateSet::new(1);
    state.commit([Change::put("sum", [0; 8])]).unwrap();
    let how = Installation { state: Some(state), resources, ..Installation::default() };
    manager.install::<dyn Counter>(&someone(), old.package("c"), how).unwrap();
    for minor in 1..4 {
        assert_eq!(Arc::strong_count(&socket), 2, "we and the present version");
        swap(&manager, vec![Traits::of(1, minor).package("c")]).unwrap();
        assert_eq!(switches.cleaned_up.load(Ordering::Acquire), 1);
    }
    assert!(swap(&manager, vec![Traits { refuses_state: true, ..Traits::of(1, 9) }.package("c")]).is_err());
    assert_eq!(Arc::strong_count(&socket), 2);
}

/// Fails at one append, after it was written or before.
struct BadJournal {
    entries: Vec<Entry>,
    fails_at: usize,
    is_written: bool,
    appends: usize,
}

impl Journal for BadJournal {
    fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        self.appends += 1;
        let fails = self.appends == self.fails_at;
        if !fails || self.is_written {
            self.entries.push(entry.clone());
        }
        if fails { Err(JournalError("disk full".to_owned())) } else { Ok(()) }
    }
    fn sync(&mut self) -> Result<(), JournalError> {
        Ok(())
    }
    fn entries(&mut self) -> Result<Vec<Entry>, JournalError> {
        Ok(self.entries.clone())
    }
}

#[test]
fn a_journal_that_fails_aborts_before_the_decision_and_not_after() {
    for (fails_at, is_written) in [(1, false), (1, true), (2, false), (2, true), (3, false), (3, true)] {
        let journal = Box::new(BadJournal { entries: vec![], fails_at, is_written, appends: 0 });
        let manager = SwapManager::new(Services { journal, ..services() }).unwrap();
        let proxy = install(&manager, Traits::of(1, 0).package("c"));
        proxy.add(1).unwrap();
        let swapped = swap(&manager, vec![Traits::of(1, 1).package("c")]);
        // The third entry says that it is done.
        assert_eq!(swapped.is_ok(), fails_at == 3);
        assert_eq!(versions(&manager), [(1, u32::from(fails_at == 3))]);
        assert_eq!(proxy.add(1), Ok(2));
        swap(&manager, vec![Traits::of(1, 2).package("c")]).unwrap();
        assert_eq!(proxy.add(1), Ok(3));
    }
}
