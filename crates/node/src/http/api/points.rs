//! From samples to the points of an answer: rates of counters, values of all else, with a gap where nothing is known,
//! and thinned out to one point a step.

use hamsa_store::rate::{self, NoRate, RateRules};
use hamsa_store::{Sample, SeriesKind};

use crate::http::view::{exact, scaled};
use crate::limits::HISTORY_GAP_INTERVALS;

/// What is asked of a series' samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PointRules {
    pub(super) kind: SeriesKind,
    /// The power of ten of its values.
    pub(super) scale: i8,
    /// How to reckon rates; `None` for values as they are.
    pub(super) rate: Option<RateRules>,
    pub(super) interval_ms: i64,
    /// One point for each of these spans, if any.
    pub(super) step_ms: Option<i64>,
}

/// A point of time and what is known of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) time_ms: i64,
    pub(super) value: Result<Number, Gap>,
}

/// A number, exact as long as it can be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Whole(i128),
    Float(f64),
}

/// Why there is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Gap {
    /// A rate is not known.
    NoRate(NoRate),
    /// Polls were missed.
    NoSamples,
}

impl Number {
    fn of(sample: &Sample, rules: &PointRules) -> Self {
        let exact = exact(rules.kind, sample.value);
        if rules.scale == 0 { Number::Whole(exact) } else { Number::Float(scaled(exact, rules.scale)) }
    }

    fn as_f64(self) -> f64 {
        match self {
            Number::Whole(number) => number as f64,
            Number::Float(number) => number,
        }
    }
}

impl std::fmt::Display for Number {
    /// As JSON and CSV have it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Number::Whole(number) => write!(f, "{number}"),
            Number::Float(number) => write!(f, "{number}"),
        }
    }
}

impl Gap {
    /// The word for it in answers.
    pub(in crate::http) const fn word(self) -> &'static str {
        match self {
            Gap::NoRate(NoRate::Discontinuity) => "discontinuity",
            Gap::NoRate(NoRate::Reset) => "reset",
            Gap::NoRate(NoRate::TooFast) => "too_fast",
            Gap::NoRate(NoRate::Gap) => "too_long",
            Gap::NoRate(NoRate::NotLater) => "not_later",
            Gap::NoSamples => "no_samples",
        }
    }
}

/// Makes points of a series' samples, one after the other.
#[derive(Debug)]
pub(super) struct PointMaker {
    rules: PointRules,
    before: Option<Sample>,
    points: Vec<Point>,
    /// The step being gathered.
    step: Option<Step>,
}

/// The points of one span.
#[derive(Debug)]
struct Step {
    start_ms: i64,
    sum: f64,
    count: u32,
    last: Option<Number>,
    gap: Option<Gap>,
}

impl PointMaker {
    pub(super) fn new(rules: PointRules) -> Self {
        PointMaker { rules, before: None, points: Vec::new(), step: None }
    }

    /// Takes the next sample. Those before `from_ms` serve only for the rate of the one after.
    pub(super) fn add(&mut self, sample: Sample, from_ms: i64) {
        let before = self.before.replace(sample);
        if sample.time_ms < from_ms {
            return;
        }
        let value = match (&self.rules.rate, before) {
            (None, _) => Ok(Number::of(&sample, &self.rules)),
            // The first reading of all has no rate, and that is no gap.
            (Some(_), None) => return,
            (Some(rules), Some(before)) => {
                let scale = self.rules.scale;
                let rate = rate::rate(&before, &sample, rules).map_err(Gap::NoRate);
                rate.map(|rate| Number::Float(if scale == 0 { rate } else { rate * 10_f64.powi(i32::from(scale)) }))
            }
        };
        self.note(Point { time_ms: sample.time_ms, value });
    }

    /// How many points there are so far.
    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    /// All points, in order of time.
    pub(super) fn finish(mut self) -> Vec<Point> {
        self.finish_step();
        self.points
    }

    fn note(&mut self, point: Point) {
        let Some(step_ms) = self.rules.step_ms else { return self.push(point) };
        let start_ms = point.time_ms.div_euclid(step_ms) * step_ms;
        if self.step.as_ref().is_none_or(|step| step.start_ms != start_ms) {
            self.finish_step();
        }
        let step = self.step.get_or_insert(Step { start_ms, sum: 0.0, count: 0, last: None, gap: None });
        match point.value {
            Ok(number) => {
                step.sum += number.as_f64();
                step.count += 1;
                step.last = Some(number);
            }
            Err(gap) => step.gap = step.gap.or(Some(gap)),
        }
    }

    fn finish_step(&mut self) {
        let Some(Step { start_ms, sum, count, last, gap }) = self.step.take() else { return };
        // The mean of a counter's readings means nothing: the last one stands for them.
        let is_mean = self.rules.rate.is_some() || self.rules.kind == SeriesKind::Gauge;
        let value = match (last, gap) {
            (Some(_), _) if is_mean => Ok(Number::Float(sum / f64::from(count))),
            (Some(last), _) => Ok(last),
            (None, gap) => Err(gap.unwrap_or(Gap::NoSamples)),
        };
        self.push(Point { time_ms: start_ms, value });
    }

    /// Adds a point, and a gap before it if polls were missed.
    fn push(&mut self, point: Point) {
        let usual_ms = self.rules.step_ms.unwrap_or(0).max(self.rules.interval_ms);
        if let Some(last) = self.points.last()
            && point.time_ms.saturating_sub(last.time_ms) > usual_ms.saturating_mul(HISTORY_GAP_INTERVALS)
        {
            let time_ms = last.time_ms.saturating_add(usual_ms);
            self.points.push(Point { time_ms, value: Err(Gap::NoSamples) });
        }
        self.points.push(point);
    }
}

#[cfg(test)]
mod tests {
    use hamsa_store::rate::CounterWidth;
    use hamsa_store::{SampleFlags, SeriesId};

    use super::*;

    const MINUTE_MS: i64 = 60_000;
    const GAUGE: PointRules =
        PointRules { kind: SeriesKind::Gauge, scale: 0, rate: None, interval_ms: MINUTE_MS, step_ms: None };

    fn rates(step_ms: Option<i64>) -> PointRules {
        let rules = RateRules { width: CounterWidth::Bits64, interval_ms: MINUTE_MS, max_per_second: None };
        PointRules { kind: SeriesKind::Counter64, rate: Some(rules), step_ms, ..GAUGE }
    }

    fn points(rules: PointRules, from_minute: i64, samples: &[(i64, u64)]) -> Vec<(i64, Result<String, &'static str>)> {
        let mut maker = PointMaker::new(rules);
        for &(minute, value) in samples {
            let sample = Sample::counter(SeriesId::from_number(1), minute * MINUTE_MS, value);
            // 666 marks a sample after a restart.
            let flags = if value == 666 { SampleFlags::DISCONTINUITY } else { SampleFlags::NONE };
            maker.add(sample.with_flags(flags), from_minute * MINUTE_MS);
        }
        let text = |point: &Point| point.value.map(|number| number.to_string()).map_err(Gap::word);
        maker.finish().iter().map(|point| (point.time_ms / MINUTE_MS, text(point))).collect()
    }

    fn ok(text: &str) -> Result<String, &'static str> {
        Ok(text.to_owned())
    }

    #[test]
    fn values_are_exact_and_scaled() {
        let exact = PointRules { kind: SeriesKind::Counter64, ..GAUGE };
        assert_eq!(points(exact, 0, &[(1, u64::MAX)]), [(1, ok("18446744073709551615"))]);
        assert_eq!(points(GAUGE, 0, &[(1, (-3_i64).cast_unsigned())]), [(1, ok("-3"))]);
        assert_eq!(points(PointRules { scale: -1, ..GAUGE }, 0, &[(1, 215)]), [(1, ok("21.5"))]);
    }

    #[test]
    fn rates_begin_with_the_sample_before_and_tell_why_they_are_missing() {
        let samples = [(1, 0), (2, 6_000), (3, 666), (4, 60_666), (5, 10)];
        let expected = [(2, ok("100")), (3, Err("discontinuity")), (4, ok("1000")), (5, Err("reset"))];
        assert_eq!(points(rates(None), 2, &samples), expected);
        assert_eq!(points(rates(None), 1, &samples), expected);
    }

    #[test]
    fn missed_polls_leave_a_gap() {
        assert_eq!(points(GAUGE, 0, &[(1, 5), (4, 6)]), [(1, ok("5")), (4, ok("6"))]);
        assert_eq!(points(GAUGE, 0, &[(1, 5), (5, 6)]), [(1, ok("5")), (2, Err("no_samples")), (5, ok("6"))]);
    }

    #[test]
    fn a_step_holds_the_mean_or_a_counters_last() {
        let step_ms = Some(5 * MINUTE_MS);
        let samples = [(0, 10), (1, 20), (4, 30), (5, 40)];
        assert_eq!(points(PointRules { step_ms, ..GAUGE }, 0, &samples), [(0, ok("20")), (5, ok("40"))]);
        let counter = PointRules { kind: SeriesKind::Counter64, step_ms, ..GAUGE };
        assert_eq!(points(counter, 0, &samples), [(0, ok("30")), (5, ok("40"))]);
        let samples = [(0, 0), (1, 6_000), (2, 18_000), (5, 666), (6, 6_666)];
        assert_eq!(points(rates(step_ms), 0, &samples), [(0, ok("150")), (5, ok("100"))]);
        let samples = [(0, 0), (1, 6_000), (5, 666)];
        assert_eq!(points(rates(step_ms), 0, &samples), [(0, ok("100")), (5, Err("discontinuity"))]);
    }

    #[test]
    fn steps_without_samples_are_a_gap() {
        let rules = PointRules { step_ms: Some(5 * MINUTE_MS), ..GAUGE };
        assert_eq!(points(rules, 0, &[(0, 1), (20, 2)]), [(0, ok("1")), (5, Err("no_samples")), (20, ok("2"))]);
    }
}
