//! What is asked of whom, what is answered, and what a requester does with an answer. The same for all contenders;
//! `netsnmp_poller.c` has it in C.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use anyhow::{bail, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::limits::{MAX_FAILURES, OUTSTANDING, RUN_LIMIT, TARGETS, WARM_UP};

/// `ifXEntry`.
pub(crate) const ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1];

/// `ifHCInOctets`, the column that is asked for.
pub(crate) const COLUMN: u32 = 6;

/// Interfaces of each target. The GETBULK asks for one more, and gets the first of the next column.
pub(crate) const ROWS: u32 = 24;

/// `max-repetitions`.
pub(crate) const REPETITIONS: u32 = ROWS + 1;

pub(crate) const COMMUNITY: &str = "public";

pub(crate) const USER: &str = "measured";
pub(crate) const AUTH_PASSWORD: &str = "authentication password";
pub(crate) const PRIVACY_PASSWORD: &str = "privacy password";

/// How requests are secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// SNMPv2c.
    V2c,
    /// SNMPv3, SHA-256 and AES-128.
    V3,
}

impl Security {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Security::V2c => "v2c",
            Security::V3 => "v3",
        }
    }

    pub(crate) fn parse(name: &str) -> anyhow::Result<Self> {
        match name {
            "v2c" => Ok(Security::V2c),
            "v3" => Ok(Security::V3),
            _ => bail!("`{name}` is neither v2c nor v3"),
        }
    }
}

/// One run of one contender.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    /// Where all targets listen.
    pub(crate) port: u16,
    /// Answers to count.
    pub(crate) requests: u64,
    pub(crate) security: Security,
}

impl Job {
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        let port = self.port;
        (1..=TARGETS).map(move |target| {
            let [.., high, low] = target.to_be_bytes();
            (Ipv4Addr::new(127, 1, high, low), port).into()
        })
    }
}

/// The columns and rows of the answer with their values: 25 counters.
pub(crate) fn answer() -> impl Iterator<Item = (u32, u32, u64)> {
    let rows = (1..=ROWS).map(|row| (COLUMN, row));
    rows.chain([(COLUMN + 1, 1)]).map(|(column, row)| (column, row, 123_456_789_012 + u64::from(row)))
}

/// What a requester adds up for a variable: nobody can do so without reading it.
pub(crate) fn share(column: u32, row: u32, value: u64) -> u64 {
    value.wrapping_add(u64::from(column)).wrapping_add(u64::from(row))
}

/// What one answer adds up to. A poll of the table leaves out what is not in the column.
pub(crate) fn sum_of_answer(only_column: bool) -> u64 {
    let variables = answer().filter(|(column, ..)| !only_column || *column == COLUMN);
    variables.fold(0, |sum, (column, row, value)| sum.wrapping_add(share(column, row, value)))
}

/// Who is asked next: the target that has waited longest.
pub(crate) struct Rotation<T>(VecDeque<T>);

impl<T> Rotation<T> {
    /// Of all targets; the first requests are for those that [`Rotation::first`] gives.
    pub(crate) fn new(all: impl IntoIterator<Item = T>) -> Self {
        Rotation(all.into_iter().collect())
    }

    pub(crate) fn first(&mut self) -> Vec<T> {
        self.0.drain(..OUTSTANDING.min(self.0.len())).collect()
    }

    /// The one to ask in the place of one that has answered.
    pub(crate) fn after(&mut self, answered: T) -> T {
        self.0.push_back(answered);
        self.0.pop_front().expect("one was just put in")
    }
}

/// Counts answers, and the time they take once the warm-up is over.
pub(crate) struct Meter {
    requests: u64,
    answers: u64,
    failures: u64,
    sum: u64,
    begun: Instant,
    start: Option<Clocks>,
    taken: Option<Taken>,
}

/// Both clocks at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Clocks {
    wall: Instant,
    /// Microseconds of user and system time that this process has spent.
    pub(crate) cpu_us: i64,
}

/// What a run has measured; a child's last line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Taken {
    /// Answers, those of the warm-up included, until the end.
    pub(crate) answers: u64,
    /// What they add up to.
    pub(crate) sum: u64,
    /// Requests that failed.
    pub(crate) failures: u64,
    /// User and system time for each counted answer.
    pub(crate) cpu_ns: f64,
    /// The wall clock's time for each.
    pub(crate) wall_ns: f64,
}

impl Clocks {
    pub(crate) fn now() -> anyhow::Result<Self> {
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        let cpu_us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Ok(Clocks { wall: Instant::now(), cpu_us })
    }
}

impl Meter {
    pub(crate) fn new(requests: u64) -> Self {
        Meter { requests, answers: 0, failures: 0, sum: 0, begun: Instant::now(), start: None, taken: None }
    }

    /// One answer more.
    pub(crate) fn answered(&mut self, sum: u64) -> anyhow::Result<()> {
        if self.is_done() {
            return Ok(());
        }
        self.answers += 1;
        self.sum = self.sum.wrapping_add(sum);
        if self.answers == WARM_UP {
            self.start = Some(Clocks::now()?);
        }
        if let Some(start) = self.start.filter(|_| self.answers == WARM_UP + self.requests) {
            let end = Clocks::now()?;
            let each = |total: f64| total / self.requests as f64;
            self.taken = Some(Taken {
                answers: self.answers,
                sum: self.sum,
                failures: self.failures,
                cpu_ns: each((end.cpu_us - start.cpu_us) as f64 * 1e3),
                wall_ns: each((end.wall - start.wall).as_secs_f64() * 1e9),
            });
        }
        Ok(())
    }

    /// One request has failed.
    pub(crate) fn failed(&mut self, why: impl std::fmt::Display) -> anyhow::Result<()> {
        self.failures += 1;
        ensure!(self.failures <= MAX_FAILURES, "more than {MAX_FAILURES} requests failed, this one last: {why}");
        Ok(())
    }

    /// Whether all that was to be counted is.
    pub(crate) fn is_done(&self) -> bool {
        self.taken.is_some()
    }

    /// Fails when the run takes too long.
    pub(crate) fn check_time(&self, now: Instant) -> anyhow::Result<()> {
        let limit = RUN_LIMIT.as_secs();
        ensure!(now.saturating_duration_since(self.begun) < RUN_LIMIT, "{} answers in {limit} s", self.answers);
        Ok(())
    }

    /// What was measured.
    pub(crate) fn taken(&self) -> anyhow::Result<Taken> {
        self.taken.ok_or_else(|| anyhow::anyhow!("only {} answers came", self.answers))
    }
}

impl Taken {
    const MARKER: &'static str = "TAKEN";

    pub(crate) fn line(&self) -> String {
        let Taken { answers, sum, failures, cpu_ns, wall_ns } = self;
        format!("{} {answers} {sum} {failures} {cpu_ns} {wall_ns}", Self::MARKER)
    }

    /// `None` for a line that is something else.
    pub(crate) fn parse(line: &str) -> Option<anyhow::Result<Self>> {
        let fields: Vec<&str> = line.strip_prefix(Self::MARKER)?.split_whitespace().collect();
        let [answers, sum, failures, cpu_ns, wall_ns] = fields[..] else {
            return Some(Err(anyhow::anyhow!("`{line}` has {} fields, 5 are needed", fields.len())));
        };
        let parsed = || -> anyhow::Result<Self> {
            let (answers, sum, failures) = (answers.parse()?, sum.parse()?, failures.parse()?);
            Ok(Taken { answers, sum, failures, cpu_ns: cpu_ns.parse()?, wall_ns: wall_ns.parse()? })
        };
        Some(parsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: Job = Job { port: 161, requests: 10, security: Security::V2c };

    #[test]
    fn targets_are_loopback_addresses_and_differ() {
        let all: std::collections::HashSet<SocketAddr> = JOB.addresses().collect();
        assert_eq!(all.len(), TARGETS as usize);
        assert!(all.iter().all(|address| address.ip().is_loopback()));
    }

    #[test]
    fn nobody_is_asked_twice_at_once_and_all_have_their_turn() {
        let mut rotation = Rotation::new(0..TARGETS);
        let mut asked: VecDeque<u32> = rotation.first().into();
        let mut turns = vec![0; TARGETS as usize];
        for _ in 0..10 * TARGETS {
            let answered = asked.pop_front().unwrap();
            turns[answered as usize] += 1;
            let next = rotation.after(answered);
            assert!(!asked.contains(&next));
            asked.push_back(next);
        }
        assert!(turns.iter().all(|&turns| turns == 10));
    }

    #[test]
    fn the_warm_up_does_not_count() {
        let mut meter = Meter::new(10);
        for i in 1..=WARM_UP + 20 {
            assert_eq!(meter.is_done(), i > WARM_UP + 10);
            meter.answered(3).unwrap();
        }
        let taken = meter.taken().unwrap();
        assert_eq!((taken.answers, taken.sum), (WARM_UP + 10, 3 * (WARM_UP + 10)));
        assert!(taken.cpu_ns >= 0.0 && taken.wall_ns > 0.0);
    }

    #[test]
    fn failures_end_a_run() {
        let mut meter = Meter::new(10);
        (0..MAX_FAILURES).for_each(|_| meter.failed("lost").unwrap());
        assert!(meter.failed("gone").unwrap_err().to_string().contains("gone"));
        assert!(meter.taken().is_err());
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let taken = Taken { answers: 7, sum: u64::MAX, failures: 1, cpu_ns: 1234.5, wall_ns: 0.25 };
        assert_eq!(Taken::parse(&taken.line()).unwrap().unwrap(), taken);
        assert!(Taken::parse("READY 1").is_none());
        assert!(Taken::parse("TAKEN 1 2").unwrap().is_err());
        assert!(Taken::parse("TAKEN 1 2 3 4 x").unwrap().is_err());
    }
}
