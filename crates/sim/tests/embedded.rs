//! Groups over the embedded engine, whose faults come from a seed: cuts, delays, ends, and members that are slow to take.
//!
//! `HAMSA_SEED=17` runs one seed, `HAMSA_SEEDS=1000` so many. The engine keeps what it owes, so nothing is ever missed here.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use hamsa_group::embedded::Hub;
use hamsa_group::{EngineEvent, Event, GroupName, Groups, JoinOptions, Member, Options, Process};
use hamsa_sim::groups::{Checkers, Record, Violation, What};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const SEEDS: u64 = 30;
const NODES: u32 = 4;
const STEPS: u32 = 300;
/// Between two steps, at most.
const PAUSE_MS: u64 = 400;

#[derive(Default)]
struct Outcome {
    views: u64,
    messages: u64,
    undelivered: u64,
    losses: u64,
}

struct Node {
    groups: Groups,
    process: Option<Process>,
    /// Takes nothing before then.
    is_idle_until: Instant,
    seen_ring: u64,
    is_in_ring: bool,
    /// Of what came in that ring.
    digest: DefaultHasher,
}

struct World {
    random: StdRng,
    begun: Instant,
    now: Instant,
    group: GroupName,
    hub: Hub,
    nodes: BTreeMap<u32, Node>,
    checkers: Checkers,
    /// What was given to those who went from one ring to another.
    passages: BTreeMap<(u64, u64), u64>,
    lives: u64,
    contents: u64,
    outcome: Outcome,
}

impl World {
    fn new(seed: u64) -> Self {
        let now = Instant::now();
        World {
            random: StdRng::seed_from_u64(seed),
            begun: now,
            now,
            group: GroupName::new("g").unwrap(),
            hub: Hub::new(),
            nodes: BTreeMap::new(),
            checkers: Checkers::new(),
            passages: BTreeMap::new(),
            lives: 0,
            contents: 0,
            outcome: Outcome::default(),
        }
    }

    fn run(mut self) -> Result<Outcome, Violation> {
        for node in 1..=NODES {
            self.start(node)?;
        }
        for _ in 0..STEPS {
            self.act()?;
            let pause = Duration::from_millis(self.random.random_range(0..PAUSE_MS));
            self.advance(self.now + pause)?;
        }
        self.hub.heal(self.now);
        for node in 1..=NODES {
            self.start(node)?;
            self.nodes.get_mut(&node).unwrap().is_idle_until = self.now;
        }
        self.advance(self.now + Duration::from_secs(120))?;
        let side: BTreeSet<Member> = self.nodes.values().map(|node| node.groups.me()).collect();
        self.checkers.converged(&self.group, &[side])?;
        self.checkers.finish()?;
        for node in self.nodes.values() {
            assert_eq!(node.groups.status().groups[0].counters.missed, 0, "the engine keeps what it owes");
        }
        Ok(self.outcome)
    }

    fn act(&mut self) -> Result<(), Violation> {
        let number = self.random.random_range(1..=NODES);
        match self.random.random_range(0..100) {
            0..70 => self.send(number),
            70..78 => {
                let sides = (1..=NODES).map(|node| (node, self.random.random_range(0..2))).collect();
                self.hub.cut(self.now, sides);
                Ok(())
            }
            78..84 => {
                self.hub.heal(self.now);
                Ok(())
            }
            84..88 => {
                let delay = Duration::from_millis(self.random.random_range(0..600));
                self.hub.delay(number, delay);
                Ok(())
            }
            88..91 => {
                let process = self.nodes.get(&number).and_then(|node| node.process);
                if let Some(process) = process {
                    self.hub.drop_process(self.now, process);
                }
                Ok(())
            }
            91..94 => self.crash(number),
            94..98 => self.start(number),
            _ => {
                let idle = Duration::from_millis(self.random.random_range(0..15_000));
                let until = self.now + idle;
                self.nodes.get_mut(&number).into_iter().for_each(|node| node.is_idle_until = until);
                Ok(())
            }
        }
    }

    fn record(&mut self, member: Member, what: What) -> Result<(), Violation> {
        let at = self.now.saturating_duration_since(self.begun);
        self.checkers.record(Record { at, member, group: self.group.clone(), what })
    }

    fn start(&mut self, number: u32) -> Result<(), Violation> {
        if self.nodes.contains_key(&number) {
            return Ok(());
        }
        self.lives += 1;
        let me = Member { node: number, incarnation: self.lives };
        let options = Options::new(me, format!("node-{number}"), Hub::capabilities().max_message_bytes);
        let mut groups = Groups::new(self.now, options).unwrap();
        groups.join(self.now, self.group.clone(), JoinOptions::default()).unwrap();
        let node = Node {
            groups,
            process: None,
            is_idle_until: self.now,
            seen_ring: 0,
            is_in_ring: false,
            digest: DefaultHasher::new(),
        };
        self.nodes.insert(number, node);
        self.record(me, What::Joined)
    }

    fn crash(&mut self, number: u32) -> Result<(), Violation> {
        let Some(node) = self.nodes.remove(&number) else { return Ok(()) };
        node.process.into_iter().for_each(|process| self.hub.detach(self.now, process));
        self.record(node.groups.me(), What::Crashed)
    }

    fn send(&mut self, number: u32) -> Result<(), Violation> {
        for _ in 0..self.random.random_range(1..20) {
            self.contents += 1;
            let content = self.contents;
            let length = if self.random.random_range(0..8) == 0 { self.random.random_range(0..100_000) } else { 0 };
            let mut data = content.to_le_bytes().to_vec();
            data.resize(8 + length, 0);
            let Some(node) = self.nodes.get_mut(&number) else { return Ok(()) };
            if let Ok(seq) = node.groups.send(self.now, &self.group, data.into()) {
                let me = node.groups.me();
                self.record(me, What::Sent { seq, content })?;
            }
        }
        self.serve(number)
    }

    fn advance(&mut self, until: Instant) -> Result<(), Violation> {
        loop {
            for number in 1..=NODES {
                self.step(number)?;
            }
            let of_nodes = self.nodes.values().flat_map(|node| {
                let due = node.process.and_then(|process| self.hub.due(process));
                let due = due.map(|due| due.max(node.is_idle_until));
                due.into_iter().chain(node.groups.poll_timeout())
            });
            let next = of_nodes.chain(self.hub.poll_timeout()).min().filter(|next| *next <= until);
            let Some(next) = next else {
                self.now = until;
                return Ok(());
            };
            self.now = next.max(self.now);
            self.hub.handle_timeout(self.now);
        }
    }

    fn step(&mut self, number: u32) -> Result<(), Violation> {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&number) else { return Ok(()) };
        if node.process.is_none() {
            node.process = self.hub.attach(now, number, node.seen_ring).ok();
        }
        if node.groups.poll_timeout().is_some_and(|at| at <= now) {
            node.groups.handle_timeout(now);
        }
        self.serve(number)?;
        while let Some(node) = self.nodes.get_mut(&number).filter(|node| node.is_idle_until <= now)
            && let Some(process) = node.process
            && let Some(event) = self.hub.poll_event(now, process)
        {
            match &event {
                EngineEvent::Lost { .. } => {
                    node.process = None;
                    node.is_in_ring = false;
                    node.digest = DefaultHasher::new();
                    self.outcome.losses += 1;
                }
                EngineEvent::Configuration(configuration) => {
                    let (before, ring) = (node.seen_ring, configuration.ring.sequence);
                    assert!(ring > before, "rings grow");
                    assert!(configuration.members.contains(&process), "E1");
                    let digest = std::mem::take(&mut node.digest).finish();
                    if node.is_in_ring {
                        let others = *self.passages.entry((before, ring)).or_insert(digest);
                        assert_eq!(digest, others, "E3: from ring {before} to {ring}");
                    }
                    (node.seen_ring, node.is_in_ring) = (ring, true);
                }
                EngineEvent::Message { sender, data } => (sender, data).hash(&mut node.digest),
            }
            node.groups.handle_engine(now, event);
            self.serve(number)?;
        }
        Ok(())
    }

    fn serve(&mut self, number: u32) -> Result<(), Violation> {
        while let Some(node) = self.nodes.get_mut(&number)
            && let Some(event) = node.groups.poll_event()
        {
            let me = node.groups.me();
            let what = match event {
                Event::View { view, .. } => {
                    self.outcome.views += 1;
                    What::View(view)
                }
                Event::Message { sender, seq, data, .. } => {
                    self.outcome.messages += 1;
                    What::Delivered { sender, seq, content: u64::from_le_bytes(*data.first_chunk().unwrap()) }
                }
                Event::Undelivered { view, first_seq, last_seq, .. } => {
                    self.outcome.undelivered += last_seq + 1 - first_seq;
                    What::Undelivered { view, first_seq, last_seq }
                }
                _ => continue,
            };
            self.record(me, what)?;
        }
        let Some(node) = self.nodes.get_mut(&number) else { return Ok(()) };
        while let Some(process) = node.process
            && let Some(data) = node.groups.poll_transmit()
            && self.hub.send(self.now, process, data).is_ok()
        {
            node.groups.transmitted();
        }
        Ok(())
    }
}

#[test]
fn what_groups_promise_holds_over_the_embedded_engine() {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match number("HAMSA_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HAMSA_SEEDS").unwrap_or(SEEDS),
    };
    let is_sample = seeds.end - seeds.start >= SEEDS;
    let mut sum = Outcome::default();
    for seed in seeds {
        let outcome = match World::new(seed).run() {
            Ok(outcome) => outcome,
            Err(violation) => panic!("{violation}\nagain: HAMSA_SEED={seed} cargo test -p hamsa-sim --test embedded"),
        };
        sum.views += outcome.views;
        sum.messages += outcome.messages;
        sum.undelivered += outcome.undelivered;
        sum.losses += outcome.losses;
    }
    if is_sample {
        let Outcome { views, messages, undelivered, losses } = sum;
        let seen = format!("{views} views, {messages} messages, {undelivered} undelivered, {losses} losses");
        // All of it has happened, or the seeds try less than they should.
        assert!(views > 1_000 && messages > 40_000 && undelivered > 500 && losses > 80, "{seen}");
    }
}
