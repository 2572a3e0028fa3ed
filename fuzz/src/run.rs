//! Runs a target on its corpus and on a bounded number of seeded mutations: what the ordinary tests do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::mutate::{Format, mutate};

/// Something that takes octets from outside.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name; also that of its folder in the corpus.
    pub name: &'static str,
    /// Takes an input and panics if anything is wrong.
    pub run: fn(&[u8]),
    /// What inputs look like.
    pub format: Format,
    /// Inputs to start from, besides the corpus.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How many times as long a run takes as that of the cheapest target.
    pub cost: u64,
}

/// How many mutations a target of cost 1 is run on where `HAMSA_FUZZ_ITERATIONS` does not say.
const DEFAULT_ITERATIONS: u64 = 20_000;

/// Runs a target on its seeds, its corpus and mutations of both. Panics, naming the seed and the command
/// that replays it, on the first input that breaks the target.
///
/// `HAMSA_FUZZ_ITERATIONS` is the number of mutations of a target of cost 1; `HAMSA_FUZZ_SEED` runs the one
/// mutation of that seed only.
pub fn bounded(target: &Target) {
    let known = known_inputs(target);
    if let Some(seed) = number_from_env("HAMSA_FUZZ_SEED") {
        return try_one(target, &format!("seed {seed}"), &input_of(target, &known, seed));
    }
    for (origin, input) in &known {
        try_one(target, origin, input);
    }
    let iterations = number_from_env("HAMSA_FUZZ_ITERATIONS").unwrap_or(DEFAULT_ITERATIONS);
    for seed in 0..iterations.div_ceil(target.cost.max(1)) {
        try_one(target, &format!("seed {seed}"), &input_of(target, &known, seed));
    }
}

/// A target's folder in the corpus.
pub fn corpus_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

fn number_from_env(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// Seeds and corpus, each with what it is called. The corpus is sorted, so that seeds mean the same everywhere.
fn known_inputs(target: &Target) -> Vec<(String, Vec<u8>)> {
    let seeds = (target.seeds)().into_iter().enumerate();
    let mut known: Vec<_> = seeds.map(|(i, input)| (format!("built-in input {i}"), input)).collect();
    let folder = corpus_of(target.name);
    if folder.is_dir() {
        let entries = std::fs::read_dir(&folder).expect("the corpus can be read");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("the corpus can be read").path()).collect();
        paths.sort();
        known.extend(paths.into_iter().map(|path| {
            let input = std::fs::read(&path).expect("the corpus can be read");
            (format!("corpus file {}", path.display()), input)
        }));
    }
    known
}

fn input_of(target: &Target, known: &[(String, Vec<u8>)], seed: u64) -> Vec<u8> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut one = || known.choose(&mut rng).map_or(&[][..], |(_, input)| input);
    let (base, other) = (one(), one());
    // Now and then nothing is kept.
    if rng.random_ratio(1, 64) {
        return mutate(&mut rng, Format::Octets, &[], other);
    }
    mutate(&mut rng, target.format, base, other)
}

fn try_one(target: &Target, origin: &str, input: &[u8]) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(input))) else { return };
    let cause = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    let replay = match origin.strip_prefix("seed ") {
        Some(seed) => format!("HAMSA_FUZZ_SEED={seed} cargo test -p hamsa-fuzz --test bounded {}", target.name),
        None => format!("cargo test -p hamsa-fuzz --test bounded {}", target.name),
    };
    panic!(
        "{name} fails on {origin}: {cause}\nreplay it with: {replay}\nkeep it as: fuzz/corpus/{name}/, these {length} octets: {hex}",
        name = target.name,
        cause = cause.unwrap_or("a panic without a message"),
        length = input.len(),
        hex = input.iter().map(|octet| format!("{octet:02x}")).collect::<String>(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaks_on_a_long_integer(input: &[u8]) {
        assert!(!input.windows(2).any(|pair| pair == [2, 5]), "found");
    }

    fn target(run: fn(&[u8])) -> Target {
        let seeds = || vec![vec![0x30, 3, 2, 1, 7]];
        Target { name: "planted", run, format: Format::Ber { skip: 0 }, seeds, cost: 1 }
    }

    #[test]
    fn a_planted_mistake_is_found_and_named() {
        let found = catch_unwind(|| bounded(&target(breaks_on_a_long_integer))).unwrap_err();
        let text = found.downcast_ref::<String>().unwrap();
        assert!(text.starts_with("planted fails on seed "), "{text}");
        assert!(text.contains("replay it with: HAMSA_FUZZ_SEED="), "{text}");
        let seed: u64 = text["planted fails on seed ".len()..].split(':').next().unwrap().parse().unwrap();
        let target = target(breaks_on_a_long_integer);
        let input = input_of(&target, &known_inputs(&target), seed);
        assert!(catch_unwind(|| (target.run)(&input)).is_err(), "the seed leads back to the input");
    }

    #[test]
    fn a_target_that_holds_passes() {
        bounded(&target(|_| {}));
    }
}
