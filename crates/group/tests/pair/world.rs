//! Two members, the carrier between them, and what befalls them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::{AddAssign, Range};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hamsa_group::pair::limits::MAX_MESSAGE_BYTES;
use hamsa_group::pair::{Pair, PairOptions};
use hamsa_group::{EngineEvent, EngineSendError, Process};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use crate::judge::Judge;

/// What one direction does to datagrams.
#[derive(Debug, Clone, Copy)]
pub struct Carrier {
    pub is_up: bool,
    pub loss: f64,
    pub copies: f64,
    pub delay_ms: (u64, u64),
}

impl Carrier {
    pub const GOOD: Self = Self { is_up: true, loss: 0.01, copies: 0.01, delay_ms: (1, 30) };
    pub const DOWN: Self = Self { is_up: false, ..Self::GOOD };
}

/// What has happened, so that a quiet simulation is noticed.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    pub rings: u64,
    pub configurations: u64,
    pub messages: u64,
    pub dropped: u64,
    pub copied: u64,
    pub restarts: u64,
    pub full: u64,
    pub retransmitted: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.rings += other.rings;
        self.configurations += other.configurations;
        self.messages += other.messages;
        self.dropped += other.dropped;
        self.copied += other.copied;
        self.restarts += other.restarts;
        self.full += other.full;
        self.retransmitted += other.retransmitted;
    }
}

pub struct Member {
    pub pair: Option<Pair>,
    /// Counts its runs.
    pub run: u32,
    /// Of its own messages, in this run.
    pub sent: u64,
    /// Takes no events.
    pub is_slow: bool,
    /// Is not scheduled, as by SIGSTOP; its datagrams wait.
    pub is_stopped: bool,
    waiting: Vec<Bytes>,
    /// The last datagrams that it has given to the carrier, for those who bring them again.
    pub said: VecDeque<Bytes>,
}

pub struct World {
    pub start: Instant,
    pub now: Instant,
    pub members: [Member; 2],
    /// From member 0 to 1, and back.
    pub carriers: [Carrier; 2],
    pub judge: Judge,
    pub tally: Tally,
    pub lease: Duration,
    max_datagram_bytes: usize,
    under_way: BinaryHeap<Reverse<(Instant, u64, usize, Bytes)>>,
    posted: u64,
    rng: StdRng,
}

pub fn process(member: usize) -> Process {
    Process { node: [3, 7][member], process: 1 }
}

impl World {
    pub fn new(seed: u64, lease: Duration) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let now = Instant::now();
        let max_datagram_bytes = [1_024, 1_400, 16_384][rng.random_range(0..3)];
        let member = || Member {
            pair: None,
            run: 0,
            sent: 0,
            is_slow: false,
            is_stopped: false,
            waiting: Vec::new(),
            said: VecDeque::new(),
        };
        let mut world = Self {
            start: now,
            now,
            members: [member(), member()],
            carriers: [Carrier::GOOD; 2],
            judge: Judge::default(),
            tally: Tally::default(),
            lease,
            max_datagram_bytes,
            under_way: BinaryHeap::new(),
            posted: 0,
            rng,
        };
        world.start_member(0);
        world.start_member(1);
        world
    }

    pub fn random(&mut self, range: Range<u64>) -> u64 {
        self.rng.random_range(range)
    }

    pub fn start_member(&mut self, member: usize) {
        let mut options = PairOptions::new(process(member), process(1 - member), self.rng.next_u64());
        options.lease = self.lease;
        options.max_datagram_bytes = self.max_datagram_bytes;
        // A restart in the same millisecond is the simulation's own.
        options.ring_floor = (self.now - self.start).as_millis() as u64 * 100 + u64::from(self.members[member].run);
        let it = &mut self.members[member];
        it.run += 1;
        it.sent = 0;
        it.waiting.clear();
        (it.is_slow, it.is_stopped) = (false, false);
        it.pair = Some(Pair::new(self.now, options).expect("the options are valid"));
        self.judge.starts(member, it.run);
        self.settle(member);
    }

    pub fn crash(&mut self, member: usize) {
        self.count(member);
        self.members[member].pair = None;
    }

    fn count(&mut self, member: usize) {
        if let Some(pair) = &self.members[member].pair {
            self.tally.rings += pair.counters().rings;
            self.tally.retransmitted += pair.counters().chunks_retransmitted;
        }
    }

    /// One thing that befalls them.
    pub fn fault(&mut self) {
        let member = self.rng.random_range(0..2);
        match self.rng.random_range(0..100) {
            0..12 => self.carriers = [Carrier::DOWN; 2],
            12..22 => self.carriers[member].is_up = false,
            22..30 => self.carriers[member].is_up = true,
            30..45 => self.mend(Carrier::GOOD),
            45..55 => {
                let loss = self.rng.random_range(0.0..0.6);
                let copies = self.rng.random_range(0.0..0.5);
                let shortest = self.rng.random_range(0..200);
                // Now and then longer than it takes to part and to join again.
                let spread = if self.rng.random_bool(0.2) { 4_000 } else { 600 };
                let longest = shortest + self.rng.random_range(0..spread);
                self.carriers[member] = Carrier { is_up: true, loss, copies, delay_ms: (shortest, longest) };
            }
            55..60 => {
                if self.members[member].pair.is_some() {
                    self.crash(member);
                } else {
                    self.tally.restarts += 1;
                    self.start_member(member);
                }
            }
            60..65 => {
                self.tally.restarts += 1;
                self.crash(member);
                self.start_member(member);
            }
            65..68 => {
                if let Some(pair) = &mut self.members[member].pair {
                    pair.leave();
                    self.settle(member);
                    self.crash(member);
                }
            }
            68..72 => self.members[member].is_slow ^= true,
            72..76 => {
                let stops = !self.members[member].is_stopped;
                self.stop(member, stops);
            }
            _ => {
                let messages = if self.rng.random_bool(0.05) { 1_000 } else { self.rng.random_range(1..120) };
                for _ in 0..messages {
                    self.send(member);
                }
            }
        }
    }

    pub fn stop(&mut self, member: usize, stops: bool) {
        self.members[member].is_stopped = stops;
        if !stops {
            for octets in std::mem::take(&mut self.members[member].waiting) {
                self.receive(member, &octets);
            }
            self.settle(member);
        }
    }

    /// Gives a message of any length to a member that runs.
    pub fn send(&mut self, member: usize) {
        let extra = match self.rng.random_range(0..60) {
            0 => MAX_MESSAGE_BYTES - 24,
            1..5 => self.rng.random_range(0..5_000),
            _ => self.rng.random_range(0..100),
        };
        let fill = self.rng.random::<u8>();
        let it = &mut self.members[member];
        if it.is_stopped {
            return;
        }
        let Some(pair) = &mut it.pair else { return };
        let data = Judge::message(member, it.run, it.sent + 1, extra, fill);
        match pair.send(self.now, data.clone()) {
            Ok(()) => {
                it.sent += 1;
                self.judge.sends(member, it.run, data);
            }
            Err(EngineSendError::Full) => self.tally.full += 1,
            Err(error) => panic!("{error}"),
        }
        self.settle(member);
    }

    /// Everything is well again, and everyone runs.
    pub fn mend(&mut self, carrier: Carrier) {
        self.carriers = [carrier; 2];
        for member in 0..2 {
            if self.members[member].pair.is_none() {
                self.start_member(member);
            }
            self.members[member].is_slow = false;
            if self.members[member].is_stopped {
                self.stop(member, false);
            }
            self.settle(member);
        }
    }

    pub fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Runs until something holds, at most so long. Whether it does.
    pub fn run_until(&mut self, time: Duration, mut holds: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + time;
        loop {
            if holds(self) {
                return true;
            }
            let arrival = self.under_way.peek().map(|Reverse((at, ..))| *at);
            let timeout = (0..2).filter_map(|member| self.timeout(member)).min();
            let Some(next) = arrival.into_iter().chain(timeout).min().filter(|next| *next <= end) else {
                self.now = end;
                return holds(self);
            };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                let Reverse((_, _, to, octets)) = self.under_way.pop().expect("it was peeked at");
                self.receive(to, &octets);
                self.settle(to);
            } else {
                for member in 0..2 {
                    if self.timeout(member).is_some_and(|timeout| timeout <= self.now) {
                        self.members[member].pair.as_mut().expect("it has a timeout").handle_timeout(self.now);
                        self.settle(member);
                        let later = self.timeout(member);
                        assert!(later.is_none_or(|later| later > self.now), "a timeout that does not go on");
                    }
                }
            }
        }
    }

    fn timeout(&self, member: usize) -> Option<Instant> {
        let it = &self.members[member];
        it.pair.as_ref().filter(|_| !it.is_stopped)?.poll_timeout()
    }

    fn receive(&mut self, member: usize, octets: &Bytes) {
        let it = &mut self.members[member];
        let Some(pair) = &mut it.pair else { return };
        if it.is_stopped {
            it.waiting.push(octets.clone());
        } else {
            pair.handle_datagram(self.now, octets);
        }
    }

    /// Takes all that a member has to say.
    fn settle(&mut self, member: usize) {
        let it = &mut self.members[member];
        if it.is_stopped {
            return;
        }
        let Some(pair) = &mut it.pair else { return };
        if !it.is_slow {
            while let Some(event) = pair.poll_event(self.now) {
                match &event {
                    EngineEvent::Configuration(_) => self.tally.configurations += 1,
                    EngineEvent::Message { .. } => self.tally.messages += 1,
                    EngineEvent::Lost { .. } => {}
                }
                self.judge.told(member, it.run, event);
            }
        }
        while let Some(octets) = pair.poll_transmit(self.now) {
            assert!(octets.len() <= self.max_datagram_bytes, "a datagram of {} octets", octets.len());
            it.said.push_back(octets.clone());
            if it.said.len() > 50 {
                it.said.pop_front();
            }
            let carrier = self.carriers[member];
            if !carrier.is_up || self.rng.random_bool(carrier.loss) {
                self.tally.dropped += 1;
                continue;
            }
            let copies = if self.rng.random_bool(carrier.copies) { 2 } else { 1 };
            self.tally.copied += copies - 1;
            for _ in 0..copies {
                let (shortest, longest) = carrier.delay_ms;
                let delay = Duration::from_millis(self.rng.random_range(shortest..=longest));
                self.posted += 1;
                self.under_way.push(Reverse((self.now + delay, self.posted, 1 - member, octets.clone())));
            }
        }
    }

    /// Both in one ring, and all that was sent has come everywhere.
    pub fn is_settled(&self) -> bool {
        let are_together = self.members.iter().all(|member| member.pair.as_ref().is_some_and(Pair::is_together));
        are_together && self.judge.is_settled()
    }

    pub fn describe(&self) -> String {
        let pairs: Vec<_> = self.members.iter().map(|member| &member.pair).collect();
        let text = format!("{pairs:?}");
        text.chars().take(4_000).collect()
    }

    pub fn finish(mut self) -> Tally {
        self.count(0);
        self.count(1);
        self.tally
    }
}
