//! What a bench and the members that it starts say to each other, a line each. `cpg_peer.c` speaks it, too.
//!
//! ```text
//! to a member:   run START WARM_UP MEASURED OCTETS PERIOD    sends messages; times in nanoseconds, PERIOD 0: as fast as it goes
//!                totals                                      asks how many there were since the run's start
//!                cut NODE | heal                             of the embedded engine, if it is the hub
//! from a member: view AT NODES                               who is there from now on
//!                window DELIVERED CPU P50 P99                of the run's measured part: messages given to it, its processor time,
//!                                                            from `send` to here
//!                totals SENT RECEIVED
//!                at AT                                       when it has cut or healed
//!                pid PROCESS, ended                          of the Corosync daemon that it owns
//!                failed WHAT
//! ```
//!
//! All times are of the monotonic clock, which the processes of a machine have in common, also those of several namespaces.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::time::{ClockId, clock_gettime};

/// What a member is to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// When it begins.
    pub start: Duration,
    /// What does not count.
    pub warm_up: Duration,
    /// What counts.
    pub measured: Duration,
    /// Of each message.
    pub octets: usize,
    /// From one message to the next; zero is as fast as it goes.
    pub period: Duration,
}

/// What a member saw in the part of a run that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// Messages that were given to it, of all senders.
    pub delivered: u64,
    /// Its own processor time.
    pub cpu: Duration,
    /// From a message's `send` to its being given to this member: the median of all messages.
    pub median: Duration,
    /// Of 100 messages 99 took no longer.
    pub p99: Duration,
}

/// The time now on the clock that all members have in common.
pub(crate) fn machine_time() -> Duration {
    of_clock(ClockId::Monotonic)
}

/// Processor time of this process so far.
pub(crate) fn own_cpu_time() -> Duration {
    of_clock(ClockId::ProcessCPUTime)
}

fn of_clock(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

impl Run {
    /// When the part that counts begins.
    pub(crate) fn window(&self) -> Duration {
        self.start + self.warm_up
    }

    /// The same, later.
    pub(crate) fn after(self, time: Duration) -> Self {
        Run { start: self.start + time, ..self }
    }

    /// When it ends, and nothing more is sent.
    pub(crate) fn end(&self) -> Duration {
        self.window() + self.measured
    }

    /// From what follows `run`.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let [start, warm_up, measured, octets, period] = numbers(text)?;
        let time = Duration::from_nanos;
        let octets = usize::try_from(octets)?;
        Ok(Run { start: time(start), warm_up: time(warm_up), measured: time(measured), octets, period: time(period) })
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [start, warm_up, measured, period] =
            [self.start, self.warm_up, self.measured, self.period].map(|time| time.as_nanos());
        write!(f, "run {start} {warm_up} {measured} {} {period}", self.octets)
    }
}

impl Window {
    /// From what follows `window`.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let [delivered, cpu, median, p99] = numbers(text)?;
        let time = Duration::from_nanos;
        Ok(Window { delivered, cpu: time(cpu), median: time(median), p99: time(p99) })
    }

    /// Of latencies in nanoseconds, in any order; nothing where there are none.
    pub(crate) fn new(delivered: u64, cpu: Duration, latencies: &mut [u64]) -> Self {
        latencies.sort_unstable();
        let of = |percent: usize| {
            let at = latencies.len().saturating_sub(1) * percent / 100;
            Duration::from_nanos(latencies.get(at).copied().unwrap_or_default())
        };
        Window { delivered, cpu, median: of(50), p99: of(99) }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [cpu, median, p99] = [self.cpu, self.median, self.p99].map(|time| time.as_nanos());
        write!(f, "window {} {cpu} {median} {p99}", self.delivered)
    }
}

/// Numbers with spaces between them, exactly so many.
pub(crate) fn numbers<const N: usize>(text: &str) -> anyhow::Result<[u64; N]> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut numbers = [0; N];
    if words.len() != N {
        bail!("`{text}` has {} words and not {N}", words.len());
    }
    for (number, word) in numbers.iter_mut().zip(words) {
        *number = word.parse().with_context(|| format!("`{word}` in `{text}`"))?;
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back() {
        let ms = Duration::from_millis;
        let run = Run { start: ms(7), warm_up: ms(1), measured: ms(2), octets: 64, period: Duration::ZERO };
        assert_eq!((run.window(), run.end()), (ms(8), ms(10)));
        assert_eq!(Run::parse(run.to_string().strip_prefix("run ").unwrap()).unwrap(), run);
        let window = Window::new(3, ms(4), &mut [5, 1, 9]);
        assert_eq!((window.median.as_nanos(), window.p99.as_nanos()), (5, 5));
        assert_eq!(Window::parse(window.to_string().strip_prefix("window ").unwrap()).unwrap(), window);
        assert_eq!(Window::new(0, ms(4), &mut []).p99, Duration::ZERO);
        assert!(numbers::<2>("1").is_err() && numbers::<1>("x").is_err());
    }
}
