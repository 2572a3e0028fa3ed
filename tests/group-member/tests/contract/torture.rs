//! Everything at once, for as long as there is time: chance comes from a seed that is printed. Real engines take their own time,
//! so that a seed gives the same faults, and not the same run.
//!
//! `HAMSA_SEED=17` takes this seed, `HAMSA_TORTURE_SECONDS=3600` so long.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use hamsa_group_member::Command;
use hamsa_testkit::require;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::cluster::{Cluster, Kind, Load, plain, with_state};

/// Members, where the engine has room for them.
const MEMBERS: u32 = 5;

/// Between two faults, at most: shorter than an engine takes to come to rest, and longer.
const PAUSE: Duration = Duration::from_millis(2000);

/// A stop, at most: shorter than detection, and longer.
const LONGEST_STOP: Duration = Duration::from_secs(5);

#[test]
fn corosync_is_tortured() {
    torture(Kind::Corosync, 10, Duration::from_secs(45));
}

#[test]
fn zenoh_is_tortured() {
    torture(Kind::Zenoh, 20, Duration::from_secs(20));
}

#[test]
fn the_embedded_engine_is_tortured() {
    torture(Kind::Embedded, 20, Duration::from_secs(20));
}

/// What was done, how often.
type Deeds = BTreeMap<&'static str, u32>;

#[allow(clippy::print_stderr, reason = "the seed is to be seen with the test that panicked")]
fn torture(kind: Kind, messages_per_s: u32, usual: Duration) {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seed = number("HAMSA_SEED").unwrap_or(u64::from(now.subsec_nanos()));
    let duration = number("HAMSA_TORTURE_SECONDS").map_or(usual, Duration::from_secs);
    eprintln!("the seed is {seed}; again: HAMSA_SEED={seed}");
    let load = Load { messages_per_s, state_bytes: 100_000, ..Load::default() };
    let mut cluster = require!(Cluster::start(kind, kind.members(MEMBERS), load));
    let all = cluster.all();
    cluster.together(&all);
    let mut tormentor =
        Tormentor { chance: StdRng::seed_from_u64(seed), cluster, resume_at: BTreeMap::new(), deeds: Deeds::new() };
    let end = Instant::now() + duration;
    while Instant::now() < end {
        while !tormentor.acts() {}
        let pause = tormentor.chance.random_range(Duration::ZERO..PAUSE);
        tormentor.pass(pause);
    }
    let Tormentor { mut cluster, deeds, .. } = tormentor;
    all.iter().for_each(|number| {
        cluster.resume(*number);
        cluster.set_carrier(*number, true);
    });
    for number in &all {
        if !cluster.running().contains(number) {
            cluster.start_member(*number);
        }
    }
    for number in &all {
        for group in [with_state(), plain()] {
            if !cluster.is_in(*number, &group) {
                cluster.join(*number, &group);
            }
        }
    }
    cluster.heal();
    let healed = Instant::now();
    cluster.together(&all);
    let met = healed.elapsed();
    cluster.go_on(&all, 10);
    let (records, views) = cluster.rest();
    let (exclusions, missed, torn) = cluster.anomalies();
    eprintln!(
        "{deeds:?}: {records} records, {views} views; all were together {met:?} after the last fault. {exclusions} silent \
         members were left out, {missed} packets missing; {torn} times members of one view had not been given the same in \
         it, or had lost their engine"
    );
    assert!(views > 10 && records > 1000, "too little has happened: {records} records, {views} views");
}

struct Tormentor {
    chance: StdRng,
    cluster: Cluster,
    /// Those who are stopped, and until when.
    resume_at: BTreeMap<u32, Instant>,
    deeds: Deeds,
}

impl Tormentor {
    /// Lets time pass, and those who are stopped go on when it is theirs.
    fn pass(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            let now = Instant::now();
            let due: Vec<u32> =
                self.resume_at.iter().filter(|(_, at)| **at <= now).map(|(number, _)| *number).collect();
            for number in due {
                self.resume_at.remove(&number);
                self.cluster.resume(number);
            }
            if now >= end {
                return;
            }
            let next = self.resume_at.values().min().map_or(end, |at| end.min(*at));
            std::thread::sleep(next.saturating_duration_since(now));
        }
    }

    /// Does something, if what chance says can be done now.
    fn acts(&mut self) -> bool {
        let members = self.cluster.kind().members(MEMBERS);
        let number = self.chance.random_range(1..=members);
        let is_awake = self.cluster.running().contains(&number) && !self.resume_at.contains_key(&number);
        let deed = match self.chance.random_range(0..100) {
            0..20 => {
                let (mut one, mut other) = (Vec::new(), Vec::new());
                for member in self.cluster.all() {
                    if self.chance.random() { one.push(member) } else { other.push(member) }
                }
                self.cluster.cut(&[&one, &other]);
                "cut"
            }
            20..28 if self.cluster.kind() != Kind::Embedded => {
                let mut another = || self.chance.random_range(1..=members);
                let pairs: Vec<(u32, u32)> = (0..3).map(|_| (another(), another())).collect();
                self.cluster.cut_directed(&pairs);
                "asymmetric cut"
            }
            28..42 => {
                self.cluster.heal();
                for member in self.cluster.all() {
                    self.cluster.set_carrier(member, true);
                }
                "heal"
            }
            42..50 if self.cluster.kind() != Kind::Embedded => {
                self.cluster.set_carrier(number, false);
                "carrier"
            }
            50..84 if !self.cluster.running().contains(&number) => {
                self.cluster.start_member(number);
                "start"
            }
            50..60 => {
                if is_awake && self.chance.random() {
                    self.cluster.tell(number, &Command::Save);
                }
                self.resume_at.remove(&number);
                self.cluster.kill(number);
                "kill"
            }
            60..68 if is_awake => {
                self.cluster.kill_daemon(number);
                "kill the daemon"
            }
            68..84 if is_awake => {
                self.cluster.pause(number);
                self.resume_at.insert(number, Instant::now() + self.chance.random_range(Duration::ZERO..LONGEST_STOP));
                "stop"
            }
            84..94 if is_awake => {
                let group = if self.chance.random() { plain() } else { with_state() };
                if self.cluster.is_in(number, &group) {
                    self.cluster.leave(number, &group);
                } else {
                    self.cluster.join(number, &group);
                }
                "join or leave"
            }
            94.. if is_awake => {
                let send = Command::Send { group: with_state(), count: 200, bytes: 2000 };
                self.cluster.tell(number, &send);
                "burst"
            }
            _ => return false,
        };
        *self.deeds.entry(deed).or_default() += 1;
        true
    }
}
