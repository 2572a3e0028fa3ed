//! The pair engine in a simulated network: seeded, with a virtual clock, its invariants checked at every event.
//!
//! A seed that fails is printed; `HAMSA_PAIR_SEED=<seed> cargo test -p hamsa-group --test pair` runs it alone, and
//! `HAMSA_PAIR_SEEDS=<number>` so many from the first.

mod cases;
mod judge;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use world::{Carrier, World};

/// Enough to meet each kind of fault some hundred times; a few seconds unoptimised.
const SEEDS: u64 = 400;

#[test]
#[expect(clippy::print_stdout, reason = "what has happened, for who runs more seeds")]
fn order_and_membership_hold_under_all_faults() {
    let number = |name: &str| {
        let text = std::env::var(name).ok()?;
        Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
    };
    if let Some(seed) = number("HAMSA_PAIR_SEED") {
        run(seed);
        return;
    }
    let seeds = number("HAMSA_PAIR_SEEDS").unwrap_or(SEEDS);
    let mut total = world::Tally::default();
    for seed in 0..seeds {
        match catch_unwind(AssertUnwindSafe(|| run(seed))) {
            Ok(tally) => total += tally,
            Err(panic) => {
                let message = panic.downcast_ref::<String>().map_or("(see above)", String::as_str);
                panic!("seed {seed}: {message}\nreplay: HAMSA_PAIR_SEED={seed} cargo test -p hamsa-group --test pair");
            }
        }
    }
    println!("{seeds} seeds: {total:?}");
    // A simulation in which little happens proves little.
    assert!(total.rings >= 3 * seeds && total.messages >= 50 * seeds, "{total:?}");
    assert!(
        total.dropped >= 10 * seeds && total.copied >= seeds && total.restarts >= seeds && total.full > 0,
        "{total:?}"
    );
}

fn run(seed: u64) -> world::Tally {
    let mut world = World::new(seed, Duration::from_millis(500));
    for _ in 0..60 {
        world.fault();
        let time = Duration::from_millis(world.random(20..1_500));
        world.run_for(time);
    }
    world.mend(Carrier::GOOD);
    // The longest pause is 16 leases, and those with much to send again need a while.
    let settled = world.run_until(Duration::from_secs(60), World::is_settled);
    assert!(settled, "did not settle: {}", world.describe());
    world.finish()
}
