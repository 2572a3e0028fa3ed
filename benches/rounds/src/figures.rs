//! Figures, one a round, and what they say.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What one contender measured, one figure a round. The smaller the better.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures(Vec<f64>);

/// Ours against one peer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Our median.
    pub ours: f64,
    /// The peer's median.
    pub peer: f64,
    /// The peer's median over ours: how many times better we are.
    pub ratio: f64,
    /// The smallest ratio of one round.
    pub lowest: f64,
    /// The largest ratio of one round.
    pub highest: f64,
}

/// Lets each contender run once a round, in their order, and collects its figures. The first round warms caches
/// up and does not count.
///
/// # Errors
/// The first contender's that fails.
pub fn take_turns<E>(rounds: usize, contenders: &mut [&mut dyn FnMut() -> Result<f64, E>]) -> Result<Vec<Figures>, E> {
    let mut all = vec![Figures::default(); contenders.len()];
    for round in 0..=rounds {
        for (figures, contender) in all.iter_mut().zip(contenders.iter_mut()) {
            let figure = contender()?;
            if round > 0 {
                figures.0.push(figure);
            }
        }
    }
    Ok(all)
}

/// Runs a piece of code so often that one figure takes some milliseconds.
pub struct Repeat<F> {
    code: F,
    times: u32,
}

impl<F: FnMut()> Repeat<F> {
    /// For code to be measured for about `figure` each time.
    pub fn new(figure: Duration, mut code: F) -> Self {
        let mut times = 1;
        loop {
            let taken = cpu_time_of(&mut code, times);
            if taken * 4 >= figure || times > u32::MAX / 4 {
                let needed = f64::from(times) * figure.as_secs_f64() / taken.as_secs_f64();
                return Repeat { code, times: (needed as u32).max(1) };
            }
            times *= 2;
        }
    }

    /// Nanoseconds of this thread's processor time for one run of the code.
    pub fn figure_ns(&mut self) -> f64 {
        cpu_time_of(&mut self.code, self.times).as_secs_f64() * 1e9 / f64::from(self.times)
    }
}

fn cpu_time_of(code: &mut impl FnMut(), times: u32) -> Duration {
    let start = thread_cpu_time();
    (0..times).for_each(|_| code());
    thread_cpu_time().saturating_sub(start)
}

/// The processor time of the calling thread: unlike the wall clock it stands still while others run.
fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

impl FromIterator<f64> for Figures {
    fn from_iter<T: IntoIterator<Item = f64>>(figures: T) -> Self {
        Figures(figures.into_iter().collect())
    }
}

impl Figures {
    /// The median; `NaN` without figures.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => f64::NAN,
            length if length % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }

    /// These as ours against a peer's of the same rounds.
    pub fn against(&self, peer: &Figures) -> Comparison {
        let ratios = || self.0.iter().zip(&peer.0).map(|(ours, peer)| peer / ours);
        Comparison {
            ours: self.median(),
            peer: peer.median(),
            ratio: peer.median() / self.median(),
            lowest: ratios().fold(f64::INFINITY, f64::min),
            highest: ratios().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn contenders_take_turns_and_the_first_round_does_not_count() {
        let order = std::cell::RefCell::new(Vec::new());
        let mut next = [100.0, 10.0];
        let [first, second] = &mut next;
        let mut run = |name: &'static str, value: &mut f64| {
            order.borrow_mut().push(name);
            *value += 1.0;
            *value
        };
        let run = std::cell::RefCell::new(&mut run);
        let all = take_turns::<Infallible>(
            2,
            &mut [&mut || Ok((run.borrow_mut())("first", first)), &mut || Ok((run.borrow_mut())("second", second))],
        )
        .unwrap();
        assert_eq!(all, [Figures(vec![102.0, 103.0]), Figures(vec![12.0, 13.0])]);
        assert_eq!(*order.borrow(), ["first", "second", "first", "second", "first", "second"]);
    }

    #[test]
    fn a_failure_ends_the_rounds() {
        assert_eq!(take_turns(3, &mut [&mut || Ok(1.0), &mut || Err("gone")]), Err("gone"));
    }

    #[test]
    fn medians_are_compared_and_rounds_give_the_range() {
        let ours = Figures(vec![1.0, 2.0, 100.0]);
        let peer = Figures(vec![4.0, 6.0, 150.0]);
        let compared = Comparison { ours: 2.0, peer: 6.0, ratio: 3.0, lowest: 1.5, highest: 4.0 };
        assert_eq!(ours.against(&peer), compared);
        assert_eq!(Figures(vec![1.0, 4.0, 2.0, 3.0]).median(), 2.5);
        assert!(Figures::default().median().is_nan());
    }

    #[test]
    fn code_is_repeated_until_it_can_be_measured() {
        let mut runs = 0u64;
        let mut repeat = Repeat::new(Duration::from_millis(1), || runs = std::hint::black_box(runs + 1));
        let times = repeat.times;
        assert!(times > 1 && repeat.figure_ns() > 0.0);
        assert!(runs > u64::from(times));
    }
}
