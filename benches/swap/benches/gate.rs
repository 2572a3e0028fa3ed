//! Processor time of a call through an open gate, over that of the same call through a plain `dyn` pointer; and whether it
//! stays so when another thread calls the same module.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::thread;
use std::time::Duration;

use hamsa_bench_rounds::{Repeat, Target, claim, informs, take_turns};
use hamsa_bench_swap::{Work, Worker, host};

const ROUNDS: usize = 101;

/// What one contender takes of a round.
const FIGURE: Duration = Duration::from_millis(5);

fn main() -> Result<(), hamsa_swap::SwapError> {
    let (_manager, proxy) = host()?;
    let direct: Arc<dyn Work> = black_box(Arc::new(Worker::new(0)));
    let locked: RwLock<Arc<dyn Work>> = RwLock::new(Arc::clone(&direct));
    let call_proxy = || {
        let _ = black_box(proxy.nothing(black_box(1)));
    };
    let call_locked = || {
        if let Ok(module) = locked.read() {
            let _ = black_box(module.nothing(black_box(1)));
        }
    };
    measure("a call through an open gate", &*direct, &call_proxy, &call_locked);
    // The same while another thread does nothing but call the module, through what is measured.
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for call in [&call_proxy as &(dyn Fn() + Sync), &call_locked] {
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    call();
                }
            });
        }
        measure("a call through an open gate, another thread calling too", &*direct, &call_proxy, &call_locked);
        stop.store(true, Ordering::Relaxed);
    });
    Ok(())
}

fn measure(what: &str, direct: &dyn Work, proxy: &dyn Fn(), locked: &dyn Fn()) {
    let mut plain = Repeat::new(FIGURE, || {
        let _ = black_box(direct.nothing(black_box(1)));
    });
    let mut gated = Repeat::new(FIGURE, proxy);
    let mut behind_lock = Repeat::new(FIGURE, locked);
    let Ok(figures) = take_turns::<Infallible>(
        ROUNDS,
        &mut [&mut || Ok(plain.figure_ns()), &mut || Ok(gated.figure_ns()), &mut || Ok(behind_lock.figure_ns())],
    );
    let (plain, gated) = (figures[0].median(), figures[1].median());
    let ours = format!("{gated:.1} ns");
    informs(
        &format!("{what}: ns over a direct dyn call"),
        &ours,
        &format!("{plain:.1} ns direct"),
        gated - plain,
        Target::AtMost(10.0),
    );
    claim(what, "through a RwLock", &figures[1].against(&figures[2]), Target::Informs);
}
