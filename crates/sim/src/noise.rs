//! Numbers that only look random: one seed always gives the same ones, on every machine and with every
//! version of every library. Nothing secret may be made of them.
//!
//! The generator is SplitMix64 (Steele, Lea and Flood, *Fast splittable pseudorandom number generators*,
//! OOPSLA 2014): eight octets of state, so that each of ten thousand devices has its own.

use std::time::Duration;

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A sequence of numbers.
#[derive(Debug, Clone)]
pub struct Noise(u64);

impl Noise {
    /// The sequence of a seed.
    pub const fn new(seed: u64) -> Self {
        Noise(seed)
    }

    /// The next number.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        finish(self.0)
    }

    /// A number from 0 to `bound` - 1; 0 if `bound` is 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next_u64() as u128 * bound as u128) >> 64) as u64
    }

    /// A time from nothing to `longest`.
    pub fn up_to(&mut self, longest: Duration) -> Duration {
        let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.below(nanos.saturating_add(1)))
    }
}

/// The number at a place of a seed's plane: the same arguments, the same number.
pub const fn at(seed: u64, place: u64) -> u64 {
    finish(finish(seed ^ GAMMA).wrapping_add(place.wrapping_mul(GAMMA)))
}

const fn finish(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        // The first three outputs for the seed 1234567, as other implementations of SplitMix64 test for.
        let mut noise = Noise::new(1_234_567);
        assert_eq!(noise.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(noise.next_u64(), 3_203_168_211_198_807_973);
        assert_eq!(noise.next_u64(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn bounds_are_kept_and_reached() {
        let mut noise = Noise::new(1);
        let mut seen = [false; 7];
        for _ in 0..1_000 {
            seen[noise.below(7) as usize] = true;
            assert!(noise.up_to(Duration::from_millis(3)) <= Duration::from_millis(3));
        }
        assert_eq!(seen, [true; 7]);
        assert_eq!(noise.below(0), 0);
        assert_eq!(noise.up_to(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn places_differ() {
        let mut found: Vec<u64> = (0..1_000).flat_map(|place| [at(1, place), at(2, place)]).collect();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), 2_000);
    }
}
