//! Groups under a simulated engine at its worst: hundreds of seeds, each with its own cuts, crashes and faults.
//!
//! `HAMSA_SEED=17` runs one seed, `HAMSA_SEEDS=10000` so many.

mod exhaustive;
mod planted;

use std::time::{Duration, Instant};

use hamsa_sim::groups::{Anomalies, Outcome, Plan, World};

const SEEDS: u64 = 300;

fn plan(seed: u64) -> Plan {
    let anomalies = match seed % 3 {
        0 => Anomalies::default(),
        1 => Anomalies { ghosts: 30, hidden_departures: 0 },
        _ => Anomalies { ghosts: 10, hidden_departures: 30 },
    };
    let nodes = 2 + (seed / 3 % 5) as u32;
    // From a storm to changes that have time to settle.
    let pause = Duration::from_millis([100, 400, 1600][(seed / 15 % 3) as usize]);
    Plan { seed, nodes, groups: 3, duration: Duration::from_secs(40), pause, anomalies }
}

#[test]
fn what_groups_promise_holds_whatever_happens() {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match number("HAMSA_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HAMSA_SEEDS").unwrap_or(SEEDS),
    };
    let is_sample = seeds.end - seeds.start >= SEEDS;
    let mut sum = Outcome::default();
    for seed in seeds {
        let outcome = match World::new(Instant::now(), plan(seed)).run() {
            Ok(outcome) => outcome,
            Err(violation) => panic!("{violation}\nagain: HAMSA_SEED={seed} cargo test -p hamsa-sim --test groups"),
        };
        sum.records += outcome.records;
        sum.views += outcome.views;
        sum.messages += outcome.messages;
        sum.states += outcome.states;
        sum.undelivered += outcome.undelivered;
        sum.exclusions += outcome.exclusions;
    }
    if is_sample {
        // All of it has happened, or the seeds try less than they should.
        assert!(sum.views > 3_000 && sum.messages > 30_000 && sum.states > 500, "{sum:?}");
        assert!(sum.undelivered > 50 && sum.exclusions > 50, "{sum:?}");
    }
}
