//! libFuzzer on the target that `HAMSA_FUZZ_TARGET` names. One program for all, so that a new target needs
//! nothing here.
#![no_main]

use std::sync::OnceLock;

use hamsa_fuzz::{TARGETS, Target, mutate};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use rand::SeedableRng;
use rand::rngs::StdRng;

fn target() -> &'static Target {
    static CHOSEN: OnceLock<&Target> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        let name = std::env::var("HAMSA_FUZZ_TARGET").unwrap_or_default();
        hamsa_fuzz::target(&name).unwrap_or_else(|| {
            let known: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            panic!("HAMSA_FUZZ_TARGET={name:?} is not one of {}", known.join(", "))
        })
    })
}

fuzz_target!(|data: &[u8]| (target().run)(data));

// Half of the changes are libFuzzer's own, half know what the input is made of.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if seed & 1 == 0 {
        return fuzzer_mutate(data, size, max_size);
    }
    let changed = mutate(&mut StdRng::seed_from_u64(u64::from(seed)), target().format, &data[..size], &data[..size]);
    let length = changed.len().min(max_size);
    data[..length].copy_from_slice(&changed[..length]);
    length
});
