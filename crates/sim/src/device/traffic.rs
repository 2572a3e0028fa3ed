//! How much an interface has carried by a time: an integral that is computed, never added up, so that a
//! counter may be read at any time in any order and a test knows the true rate between two reads.
//!
//! Two shapes are laid over each other. The *day curve* lets traffic time run slow at night and fast in the
//! afternoon, on average as fast as real time. *Bursts* share out the volume of each 8,192 seconds of traffic
//! time by halving it eight times, each time with a share for the first half that only depends on the seed
//! and the place. Everything is in whole octets and milliseconds: exact, and never falling.

use crate::noise;

/// The traffic of one direction of one interface.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traffic {
    pub(super) seed: u64,
    /// The mean over days.
    pub(super) octets_per_s: u64,
}

/// By how many sixteenths of real time traffic time goes forward, for each two hours of the day.
const DAY_CURVE: [u64; 12] = [6, 5, 4, 5, 10, 18, 24, 25, 26, 27, 24, 18];
const STEP_MS: u64 = 2 * 3_600_000;
const DAY_MS: u64 = 12 * STEP_MS;

/// Milliseconds of traffic time, in sixteenths, whose volume is fixed; and how often it is halved.
const ERA: u64 = 8_192 * 1_000 * 16;
/// The share that goes to the first half is one half, give or take so many 65,536ths.
const SPREAD: [u64; 8] = [6_554, 6_554, 9_830, 9_830, 13_107, 13_107, 13_107, 13_107];

/// The peak is so many times the mean, at most: 27/16 for the day curve, and for the halvings a factor of
/// 1.2 * 1.2 * 1.3 * 1.3 * 1.4^4.
pub(super) const PEAK_TO_MEAN: u64 = 16;

/// Traffic time in sixteenths of milliseconds, for a time in milliseconds.
const fn traffic_time(time_ms: u64) -> u64 {
    let (days, in_day) = (time_ms / DAY_MS, time_ms % DAY_MS);
    let mut passed = days * DAY_MS * 16;
    let (steps, in_step) = (in_day / STEP_MS, in_day % STEP_MS);
    let mut step = 0;
    while step < steps {
        passed += DAY_CURVE[step as usize] * STEP_MS;
        step += 1;
    }
    passed + DAY_CURVE[steps as usize] * in_step
}

impl Traffic {
    /// Octets carried between two times in milliseconds; both count from one origin far in the past.
    pub(super) fn between(&self, from_ms: u64, to_ms: u64) -> u64 {
        self.until(to_ms).saturating_sub(self.until(from_ms)) as u64
    }

    fn until(&self, time_ms: u64) -> u128 {
        let passed = traffic_time(time_ms);
        let (era, mut offset) = (passed / ERA, passed % ERA);
        // An era is as long as 8,192 s of mean traffic.
        let mut volume = self.octets_per_s * 8_192;
        let mut carried = u128::from(volume) * u128::from(era);
        let (mut length, mut node) = (ERA, 1);
        for spread in SPREAD {
            let tilt = noise::at(self.seed, era * 512 + node) % (2 * spread + 1);
            let first = ((u128::from(volume) * u128::from(32_768 + tilt - spread)) >> 16) as u64;
            length /= 2;
            if offset < length {
                volume = first;
                node *= 2;
            } else {
                carried += u128::from(first);
                volume -= first;
                offset -= length;
                node = node * 2 + 1;
            }
        }
        // At 100 Gbit/s the last halving leaves some 2^38 octets and 2^19 sixteenths: no overflow.
        carried + u128::from(volume * offset / length)
    }
}

/// A number that wanders between bounds without jumps: straight lines between random points, one each
/// `step_s` seconds.
pub(super) fn wander(seed: u64, time_ms: u64, step_s: u64, bounds: std::ops::RangeInclusive<u64>) -> u64 {
    let (low, span) = (*bounds.start(), bounds.end() - bounds.start());
    let (step, within) = (time_ms / (step_s * 1_000), time_ms % (step_s * 1_000));
    let point = |step| noise::at(seed, step) % (span + 1);
    let (from, to) = (point(step), point(step + 1));
    low + (from * (step_s * 1_000 - within) + to * within) / (step_s * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Noise;

    const GIGABIT: u64 = 125_000_000;

    #[test]
    fn traffic_time_keeps_pace_over_days() {
        assert_eq!(DAY_CURVE.iter().sum::<u64>(), 16 * 12);
        assert_eq!(traffic_time(DAY_MS), 16 * DAY_MS);
        assert_eq!(traffic_time(3 * DAY_MS + STEP_MS), 48 * DAY_MS + 6 * STEP_MS);
        let mut last = 0;
        for time_ms in (0..2 * DAY_MS).step_by(60_000) {
            let time = traffic_time(time_ms);
            assert!(time >= last);
            last = time;
        }
    }

    #[test]
    fn volumes_add_up_and_never_fall_and_stay_below_the_peak() {
        for seed in 0..20 {
            let traffic = Traffic { seed, octets_per_s: GIGABIT / PEAK_TO_MEAN };
            let start = 1_000 * DAY_MS + seed * 12_345_678;
            let mut rng = Noise::new(seed);
            let (mut time, mut sum) = (start, 0);
            for _ in 0..2_000 {
                let next = time + 1 + rng.below(100_000);
                let carried = traffic.between(time, next);
                assert!(carried <= GIGABIT * (next - time) / 1_000 + 1, "seed {seed}");
                sum += carried;
                time = next;
            }
            assert_eq!(sum, traffic.between(start, time));
        }
    }

    #[test]
    fn the_mean_is_as_stated_and_there_are_bursts() {
        let traffic = Traffic { seed: 3, octets_per_s: 1_000_000 };
        let days = traffic.between(500 * DAY_MS, 530 * DAY_MS);
        assert!(days.abs_diff(30 * 86_400 * 1_000_000) < 8_192 * 1_000_000, "{days}");
        let minutes = (0..120).map(|m| traffic.between(DAY_MS + m * 60_000, DAY_MS + (m + 1) * 60_000));
        let (low, high) = minutes.fold((u64::MAX, 0), |(low, high), n| (low.min(n), high.max(n)));
        assert!(high > 2 * low, "{low} to {high}");
    }

    #[test]
    fn what_wanders_stays_within_bounds_and_does_not_jump() {
        let mut last = wander(9, 0, 60, 180..=450);
        for time_ms in (0..86_400_000).step_by(1_000) {
            let value = wander(9, time_ms, 60, 180..=450);
            assert!((180..=450).contains(&value) && value.abs_diff(last) <= 270 / 60 + 2);
            last = value;
        }
        assert_eq!(wander(1, 5, 60, 7..=7), 7);
    }
}
