//! From readings of a counter to its rate: pure functions, no store needed.
//!
//! A rate is given only where it is known; everything else is a [`NoRate`] with its reason, never a zero and never a
//! guess. So a reboot shows as a gap and not as a spike. What RFC 2578 §7.1.6 and §7.1.10 say of counters leaves
//! four things to decide between two readings:
//!
//! 1. *Discontinuity.* If the later one is flagged [`SampleFlags::DISCONTINUITY`] there is no rate. The collector flags
//!    a reading when `sysUpTime` or `ifCounterDiscontinuityTime` says so (RFC 2863 §3.1.5). This is the only sure sign
//!    of a reset, so it comes first; the rules below are for agents that don't give it.
//! 2. *Reach.* How far can the counter have come? As far as `max_per_second` takes it in the time between the readings,
//!    and a tenth more, since agents may refresh their counters some seconds late. Without `max_per_second` a `Counter64`
//!    reaches 2^40 a second (8.8 Tbit/s, counted in octets), and a `Counter32` anything, see 4. Growth beyond the reach
//!    is no rate. But a `Counter64` that goes forward is believed up to 2^40 a second whatever `max_per_second` says: agents
//!    state wrong speeds for loopback, bridge and tunnel interfaces, and what they count is right all the same.
//! 3. *Going back.* It is a wrap if the growth over the wrap is within reach, else a reset, and no rate. A `Counter64`
//!    thus wraps only from just below 2^64. For a `Counter32` of unknown speed the growth must be at most a quarter of
//!    its range: enough for every link that doesn't wrap within four intervals, and a counter that begins anew from a
//!    random place is taken for a wrap at most one time in four.
//! 4. *Missed polls.* The rate is the mean over the gap, however long, as long as at most one wrap fits into it. A
//!    `Counter32` has no rate when its reach is 2^32 or more, or, if its speed is unknown, when the gap is longer than
//!    [`GAP_INTERVALS_MAX`] polling intervals. (A `Counter32` of octets on a gigabit link wraps every 34 seconds; polled once a
//!    minute it has no rate. That is what `ifHCInOctets` is for.)

use crate::sample::{Sample, SampleFlags};
use crate::series::SeriesKind;

/// Polling intervals over which a `Counter32` of unknown speed is believed to wrap at most once.
pub const GAP_INTERVALS_MAX: i64 = 3;

/// Speed assumed of a `Counter64` when none is known, per second.
const ASSUMED_MAX_PER_SECOND: f64 = (1u64 << 40) as f64;
/// Greatest growth over a wrap that is believed of a `Counter32` of unknown speed.
const WRAP_GROWTH_MAX: u64 = 1 << 30;
/// What is added to the reach for agents that refresh their counters late.
const SLACK: f64 = 1.1;

/// What is known of a counter besides its readings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateRules {
    /// How wide it is.
    pub width: CounterWidth,
    /// The interval at which it is polled, in milliseconds.
    pub interval_ms: i64,
    /// Its greatest possible rate, such as `ifHighSpeed` in octets a second; `None` if unknown.
    pub max_per_second: Option<f64>,
}

/// Where a counter wraps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterWidth {
    /// At 2^32.
    Bits32,
    /// At 2^64.
    Bits64,
}

/// Why there is no rate between two readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoRate {
    /// The device or the counter began anew, as the device itself says.
    #[error("the counter began anew")]
    Discontinuity,
    /// The counter went back by more than a wrap explains.
    #[error("the counter went back")]
    Reset,
    /// The counter grew by more than it can.
    #[error("the counter grew faster than it can")]
    TooFast,
    /// The readings are so far apart that the counter may have wrapped more than once.
    #[error("too long since the last reading")]
    Gap,
    /// The second reading is not later than the first.
    #[error("the reading is not later than the one before")]
    NotLater,
}

/// The rate at the time of a reading: the mean since the reading before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatePoint {
    /// Time of the later reading, in milliseconds of Unix time.
    pub time_ms: i64,
    /// The rate per second in the counter's own unit, or why there is none.
    pub per_second: Result<f64, NoRate>,
}

impl CounterWidth {
    /// The width of a kind of series, if it is a counter.
    pub const fn of(kind: SeriesKind) -> Option<Self> {
        match kind {
            SeriesKind::Counter32 => Some(Self::Bits32),
            SeriesKind::Counter64 => Some(Self::Bits64),
            SeriesKind::Gauge | SeriesKind::TimeTicks => None,
        }
    }
}

/// The rate per second between two readings of a counter.
///
/// # Errors
/// When it is not known; see the rules in the module's documentation.
pub fn rate(before: &Sample, after: &Sample, rules: &RateRules) -> Result<f64, NoRate> {
    if after.flags.contains(SampleFlags::DISCONTINUITY) {
        return Err(NoRate::Discontinuity);
    }
    let elapsed_ms = after.time_ms.saturating_sub(before.time_ms);
    if elapsed_ms <= 0 {
        return Err(NoRate::NotLater);
    }
    let seconds = elapsed_ms as f64 / 1000.0;
    let growth = match rules.width {
        CounterWidth::Bits32 => growth32(before.value, after.value, elapsed_ms, rules)?,
        CounterWidth::Bits64 => growth64(before.value, after.value, elapsed_ms, rules)?,
    };
    Ok(growth as f64 / seconds)
}

/// The rates between successive readings of a counter, which are in order of time.
pub fn rates(samples: impl IntoIterator<Item = Sample>, rules: RateRules) -> impl Iterator<Item = RatePoint> {
    let mut before: Option<Sample> = None;
    samples.into_iter().filter_map(move |after| {
        let before = before.replace(after)?;
        Some(RatePoint { time_ms: after.time_ms, per_second: rate(&before, &after, &rules) })
    })
}

fn growth64(before: u64, after: u64, elapsed_ms: i64, rules: &RateRules) -> Result<u64, NoRate> {
    let growth = after.wrapping_sub(before);
    let wraps = after < before;
    let known = rules.max_per_second.filter(|_| wraps);
    let reach = reach(known.unwrap_or(ASSUMED_MAX_PER_SECOND), elapsed_ms);
    match (growth as f64 <= reach, wraps) {
        (true, _) => Ok(growth),
        (false, true) => Err(NoRate::Reset),
        (false, false) => Err(NoRate::TooFast),
    }
}

fn growth32(before: u64, after: u64, elapsed_ms: i64, rules: &RateRules) -> Result<u64, NoRate> {
    const RANGE: u64 = 1 << 32;
    if before >= RANGE || after >= RANGE {
        return Err(NoRate::TooFast);
    }
    let wraps = after < before;
    let growth = if wraps { RANGE - before + after } else { after - before };
    let within_reach = match rules.max_per_second {
        Some(max_per_second) => {
            let reach = reach(max_per_second, elapsed_ms);
            // A speed that is no number is no evidence either.
            if reach.is_nan() || reach >= RANGE as f64 {
                return Err(NoRate::Gap);
            }
            growth as f64 <= reach
        }
        None => {
            if elapsed_ms > rules.interval_ms.max(1).saturating_mul(GAP_INTERVALS_MAX) {
                return Err(NoRate::Gap);
            }
            !wraps || growth <= WRAP_GROWTH_MAX
        }
    };
    match (within_reach, wraps) {
        (true, _) => Ok(growth),
        (false, true) => Err(NoRate::Reset),
        (false, false) => Err(NoRate::TooFast),
    }
}

fn reach(max_per_second: f64, elapsed_ms: i64) -> f64 {
    max_per_second * SLACK * (elapsed_ms as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample::SeriesId;

    const SERIES: SeriesId = SeriesId::from_number(1);
    const MINUTE: RateRules = RateRules { width: CounterWidth::Bits32, interval_ms: 60_000, max_per_second: None };
    const WIDE: RateRules = RateRules { width: CounterWidth::Bits64, ..MINUTE };

    fn between(before: u64, after: u64, elapsed_ms: i64, rules: &RateRules) -> Result<f64, NoRate> {
        let (before, after) = (Sample::counter(SERIES, 0, before), Sample::counter(SERIES, elapsed_ms, after));
        rate(&before, &after, rules)
    }

    #[test]
    fn growth_over_time() {
        assert_eq!(between(1_000, 7_000, 60_000, &MINUTE), Ok(100.0));
        assert_eq!(between(5, 5, 60_000, &WIDE), Ok(0.0));
        assert_eq!(between(5, 6, 0, &WIDE), Err(NoRate::NotLater));
        assert_eq!(between(5, 6, -1, &WIDE), Err(NoRate::NotLater));
    }

    #[test]
    fn a_wrap_is_no_reset() {
        assert_eq!(between(u64::from(u32::MAX) - 2_999, 3_000, 60_000, &MINUTE), Ok(100.0));
        assert_eq!(between(u64::MAX - 2_999, 3_000, 60_000, &WIDE), Ok(100.0));
    }

    #[test]
    fn a_reset_is_no_wrap() {
        assert_eq!(between(2_000_000_000, 3_000, 60_000, &MINUTE), Err(NoRate::Reset));
        assert_eq!(between(1 << 60, 3_000, 60_000, &WIDE), Err(NoRate::Reset));
        let slow = RateRules { max_per_second: Some(1_000.0), ..MINUTE };
        assert_eq!(between(4_294_000_000, 3_000, 60_000, &slow), Err(NoRate::Reset));
        assert_eq!(between(4_294_900_000, 3_000, 60_000, &slow), Err(NoRate::Reset));
        assert_eq!(between(4_294_960_000, 3_000, 60_000, &slow), Ok(10_296.0 / 60.0));
    }

    #[test]
    fn nothing_is_faster_than_it_can_be() {
        let slow = RateRules { max_per_second: Some(1_000.0), ..MINUTE };
        assert_eq!(between(0, 66_000, 60_000, &slow), Ok(1_100.0));
        assert_eq!(between(0, 66_001, 60_000, &slow), Err(NoRate::TooFast));
        assert_eq!(between(0, 1 << 63, 60_000, &WIDE), Err(NoRate::TooFast));
        assert_eq!(between(0, 1 << 32, 60_000, &MINUTE), Err(NoRate::TooFast));
    }

    #[test]
    fn a_wide_counter_that_goes_forward_is_believed_over_the_speed_that_is_stated() {
        let stated = RateRules { max_per_second: Some(1_250_000.0), ..WIDE };
        assert_eq!(between(0, 60_000_000_000, 60_000, &stated), Ok(1e9));
        // Over a wrap the speed counts.
        assert_eq!(between(u64::MAX, 60_000_000_000, 60_000, &stated), Err(NoRate::Reset));
    }

    #[test]
    fn missed_polls_leave_a_mean_unless_more_than_one_wrap_fits() {
        assert_eq!(between(0, 300_000, 180_000, &MINUTE), Ok(300_000.0 / 180.0));
        assert_eq!(between(0, 300_000, 180_001, &MINUTE), Err(NoRate::Gap));
        assert_eq!(between(0, 300_000, 86_400_000, &WIDE), Ok(300_000.0 / 86_400.0));
        let gigabit = RateRules { max_per_second: Some(125e6), ..MINUTE };
        assert_eq!(between(0, 300_000, 30_000, &gigabit), Ok(10_000.0));
        assert_eq!(between(0, 300_000, 60_000, &gigabit), Err(NoRate::Gap));
        let unknown = RateRules { max_per_second: Some(f64::NAN), ..MINUTE };
        assert_eq!(between(0, 300_000, 60_000, &unknown), Err(NoRate::Gap));
    }

    #[test]
    fn a_flag_overrules_all() {
        let before = Sample::counter(SERIES, 0, 1_000);
        let after = Sample::counter(SERIES, 60_000, 2_000);
        assert!(rate(&before, &after, &WIDE).is_ok());
        assert_eq!(rate(&before, &after.with_flags(SampleFlags::DISCONTINUITY), &WIDE), Err(NoRate::Discontinuity));
        // The flag is about the time before the flagged reading, not after it.
        assert!(rate(&before.with_flags(SampleFlags::DISCONTINUITY), &after, &WIDE).is_ok());
    }

    /// What happens to a counter between two polls.
    #[derive(Debug, Clone)]
    struct Step {
        elapsed_ms: i64,
        /// How busy, as a part of the greatest rate.
        load: f64,
        /// The device restarts at this part of the step, and its counter begins at this value.
        reboot: Option<(f64, u32)>,
        polled: bool,
    }

    /// A true counter, and what a poller that misses polls sees of it.
    struct Simulated {
        rules: RateRules,
        /// The true greatest rate, known to the rules or not.
        max_per_second: f64,
        /// Readings, the growth since the reading before, and whether there was a reboot in between.
        readings: Vec<(Sample, f64, bool)>,
    }

    fn simulated(flag_reboots: bool) -> impl Strategy<Value = Simulated> {
        let step = (50_000..70_000i64, 0.0..=1.0f64, proptest::option::weighted(0.1, (0.0..1.0f64, any::<u32>())))
            .prop_flat_map(|(elapsed_ms, load, reboot)| {
                proptest::bool::weighted(0.8).prop_map(move |polled| Step { elapsed_ms, load, reboot, polled })
            });
        let counter = prop_oneof![
            // Slow enough not to wrap twice within the gap that is allowed when the speed is unknown.
            (0.0..2e7f64).prop_map(|max| (CounterWidth::Bits32, max)),
            (0.0..4e11f64).prop_map(|max| (CounterWidth::Bits64, max)),
        ];
        let start = prop_oneof![any::<u64>(), (0..1u64 << 36).prop_map(|below| u64::MAX - below)];
        (counter, start, any::<bool>(), proptest::collection::vec(step, 1..60)).prop_map(
            move |((width, max_per_second), start, known, steps)| {
                let mask = if width == CounterWidth::Bits32 { u64::from(u32::MAX) } else { u64::MAX };
                let rules = RateRules { width, interval_ms: 60_000, max_per_second: known.then_some(max_per_second) };
                let (mut time_ms, mut value, mut growth, mut rebooted) = (0, start & mask, 0u64, true);
                let mut readings = Vec::new();
                for step in steps {
                    time_ms += step.elapsed_ms;
                    let grown = (step.load * max_per_second * step.elapsed_ms as f64 / 1000.0) as u64;
                    growth += grown;
                    value = value.wrapping_add(grown) & mask;
                    if let Some((part, begins_at)) = step.reboot {
                        value = u64::from(begins_at).wrapping_add((grown as f64 * (1.0 - part)) as u64) & mask;
                        rebooted = true;
                    }
                    if step.polled {
                        let flags =
                            if rebooted && flag_reboots { SampleFlags::DISCONTINUITY } else { SampleFlags::NONE };
                        let sample = Sample::counter(SERIES, time_ms, value).with_flags(flags);
                        readings.push((sample, growth as f64, rebooted));
                        (growth, rebooted) = (0, false);
                    }
                }
                Simulated { rules, max_per_second, readings }
            },
        )
    }

    impl std::fmt::Debug for Simulated {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Simulated").field("rules", &self.rules).field("readings", &self.readings).finish()
        }
    }

    proptest! {
        #[test]
        fn a_rate_is_the_truth_or_absent(counter in simulated(true)) {
            for pair in counter.readings.windows(2) {
                let ((before, ..), (after, growth, rebooted)) = (pair[0], pair[1]);
                let seconds = (after.time_ms - before.time_ms) as f64 / 1000.0;
                let truth = growth / seconds;
                match rate(&before, &after, &counter.rules) {
                    Ok(found) => {
                        prop_assert!(!rebooted);
                        prop_assert!((found - truth).abs() <= truth * 1e-9, "{found} for {truth}");
                        prop_assert!(found >= 0.0 && found <= counter.max_per_second * (1.0 + 1e-9));
                    }
                    // A 64-bit counter that did not restart always has a rate, also over gaps and wraps.
                    Err(reason) => prop_assert!(
                        rebooted || counter.rules.width == CounterWidth::Bits32,
                        "{reason} although it ran on"
                    ),
                }
            }
        }

        #[test]
        fn a_reboot_that_nobody_noticed_makes_no_spike(counter in simulated(false)) {
            let samples = counter.readings.iter().map(|(sample, ..)| *sample);
            for point in rates(samples, counter.rules) {
                let Ok(found) = point.per_second else { continue };
                prop_assert!(found >= 0.0);
                if let Some(max) = counter.rules.max_per_second {
                    prop_assert!(found <= max * SLACK * (1.0 + 1e-9), "{found} of {max}");
                }
            }
        }

        #[test]
        fn a_wide_counter_that_falls_has_no_rate(before in any::<u32>(), after in any::<u32>(), seconds in 1..86_400i64) {
            prop_assume!(after < before);
            let fallen = between(u64::from(before), u64::from(after), seconds * 1000, &WIDE);
            prop_assert_eq!(fallen, Err(NoRate::Reset));
        }
    }
}
