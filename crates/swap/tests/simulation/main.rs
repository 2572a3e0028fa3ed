//! The transaction's state machine in a model of the world: modules, gates, callers and a journal, with time-outs, no-votes, failures
//! and crashes at every step, from seeds. After each step the invariants S1 to S5 are checked. A seed that fails is printed;
//! `HAMSA_SWAP_SEED=n` runs that one only.

mod world;

use std::time::{Duration, Instant};

use hamsa_swap::journal::{Entry, recover};
use hamsa_swap::transaction::{Next, Participants, Transaction};
use hamsa_swap::{End, Timing};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use world::{Faults, World};

const SEEDS: u64 = 4000;

/// Steps of one transaction, waits included. No seed comes near it.
const STEPS_MAX: usize = 20_000;

#[test]
fn any_seed_keeps_the_invariants() {
    let only = std::env::var("HAMSA_SWAP_SEED").ok().map(|seed| seed.parse().expect("a seed is a number"));
    let mut ends = [0usize; 3];
    for seed in only.map_or(0..SEEDS, |seed: u64| seed..seed + 1) {
        let run = std::panic::catch_unwind(|| run(seed, Faults::of_seed(seed), None));
        match run {
            Ok(Ran { end: Some(End::Committed), .. }) => ends[0] += 1,
            Ok(Ran { end: Some(End::Aborted(_)), .. }) => ends[1] += 1,
            Ok(Ran { end: None, .. }) => ends[2] += 1,
            Err(_) => panic!("seed {seed}: HAMSA_SWAP_SEED={seed} runs it again"),
        }
    }
    assert!(only.is_some() || ends.iter().all(|count| *count > SEEDS as usize / 20), "{ends:?}: a kind of end is rare");
}

#[test]
fn a_crash_at_each_step_comes_back_on_one_side() {
    let mut tried = 0;
    for seed in 0..40 {
        let whole = run(seed, Faults::NONE, None);
        // Calls may take longer than this seed's budget, without any fault.
        if whole.end != Some(End::Committed) {
            continue;
        }
        tried += 1;
        let mut was_committed = false;
        for step in 0..whole.steps {
            let crashed = run(seed, Faults::NONE, Some(step));
            assert!(crashed.end.is_none());
            assert!(
                crashed.is_new_side || !was_committed,
                "seed {seed}, step {step}: what was committed is not any more"
            );
            was_committed = crashed.is_new_side;
        }
        assert!(was_committed, "seed {seed}: the last steps are after the commit");
    }
    assert!(tried > 20, "{tried} of 40 seeds commit");
}

#[test]
fn each_fault_alone_aborts_or_is_survived() {
    for seed in 0..200 {
        for faults in Faults::each_alone() {
            run(seed, faults, None);
        }
    }
}

struct Ran {
    /// `None` after a crash.
    end: Option<End>,
    steps: usize,
    /// Whether the new versions serve at the end, or after the recovery.
    is_new_side: bool,
}

fn run(seed: u64, faults: Faults, crash_at: Option<usize>) -> Ran {
    let mut random = StdRng::seed_from_u64(seed);
    let start = Instant::now();
    let modules = random.random_range(1..=4);
    let timing = Timing {
        ready_within: Duration::from_millis(random.random_range(20..200)),
        budget: Duration::from_millis(random.random_range(2..30)),
    };
    let mut world = World::new(start, modules, timing, faults, random);
    world.let_time_pass();
    let number = 1;
    let mut transaction = Transaction::new(world.now(), number, world.changes(), timing, false);
    for step in 0..STEPS_MAX {
        let next = match transaction.poll() {
            Next::Ended(end) => {
                let end = end.clone();
                world.let_time_pass();
                world.finish_calls();
                world.invariant_s2_all_on_the_side_of(end == End::Committed);
                world.invariant_s4_no_gate_is_left_closed();
                world.invariants();
                assert_eq!(recover(&world.journal).versions.is_empty(), end != End::Committed, "{:?}", world.journal);
                return Ran { is_new_side: end == End::Committed, end: Some(end), steps: step };
            }
            Next::Step(next) => next,
        };
        // Asked in any case, so that a seed draws the same numbers with and without.
        if world.crashes() || crash_at == Some(step) {
            let is_new_side = crash(world, &transaction);
            return Ran { end: None, steps: step, is_new_side };
        }
        world.invariant_s3_only_what_may_be(&next);
        let outcome = world.perform(&next);
        world.let_time_pass();
        transaction.handle_outcome(world.now(), outcome);
        world.invariants();
    }
    panic!("no end after {STEPS_MAX} steps");
}

/// Nothing is left but the journal, the last entry of which may be torn off.
fn crash(mut world: World, transaction: &Transaction) -> bool {
    let octets: Vec<Vec<u8>> = world.journal.iter().map(Entry::encode).collect();
    let entries: Vec<Entry> = octets.iter().map(|entry| Entry::decode(entry).expect("what was written")).collect();
    assert_eq!(entries, world.journal);
    let recovered = recover(&entries);
    let is_new_side = !recovered.versions.is_empty();
    if is_new_side {
        for change in transaction.changes() {
            assert_eq!(recovered.versions.get(&change.module), Some(&change.to), "S2: one of them did not come along");
        }
    }
    let agree = is_new_side == transaction.is_committed();
    assert!(agree || transaction.is_in_doubt(), "S2: the journal and the machine do not agree");
    assert!(!is_new_side || recovered.undecided.is_empty());
    world.come_back(is_new_side);
    world.finish_calls();
    world.invariant_s2_all_on_the_side_of(is_new_side);
    world.invariants();
    is_new_side
}
