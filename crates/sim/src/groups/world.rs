//! Processes with groups over a simulated engine, and a user in each who sends, keeps a state and merges those of others.
//!
//! The user's state is the set of all messages that he was given: it merges by union, so that members with the same
//! version must have the same set, whatever branches it came from.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hamsa_group::{EngineEvent, Event, GroupName, Groups, JoinOptions, Member, Options, Process, StateVersion};

use super::checkers::{Checkers, Violation};
use super::record::{Record, What};
use super::totem::{Anomalies, Totem};
use crate::noise::{self, Noise};

/// What is simulated.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// All chance comes from it.
    pub seed: u64,
    /// Nodes, from 1 on.
    pub nodes: u32,
    /// Groups; every other one has state.
    pub groups: u32,
    /// How long things happen.
    pub duration: Duration,
    /// How long nothing happens in between, at most.
    pub pause: Duration,
    /// Faults of the engine.
    pub anomalies: Anomalies,
}

/// What a run has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Things written down and judged.
    pub records: u64,
    /// Views of all groups.
    pub views: usize,
    /// Messages given.
    pub messages: u64,
    /// States of others that came.
    pub states: u64,
    /// Own messages that did not come back.
    pub undelivered: u64,
    /// Times that those who run at the end have left out members that were late.
    pub exclusions: u64,
}

/// All of it.
#[derive(Debug)]
pub struct World {
    plan: Plan,
    begun: Instant,
    now: Instant,
    noise: Noise,
    totem: Totem,
    nodes: BTreeMap<u32, Node>,
    checkers: Checkers,
    outcome: Outcome,
    next_content: u64,
}

#[derive(Debug, Default)]
struct Node {
    lives: u32,
    running: Option<Running>,
    /// What is on the disk.
    kept: BTreeMap<GroupName, User>,
    reconnect_at: Option<Instant>,
}

#[derive(Debug)]
struct Running {
    groups: Groups,
    process: Process,
    users: BTreeMap<GroupName, User>,
}

#[derive(Debug, Clone, Default)]
struct User {
    state: BTreeSet<u64>,
    version: Option<StateVersion>,
    has_view: bool,
}

impl World {
    /// All nodes running, in no group.
    pub fn new(begun: Instant, plan: Plan) -> Self {
        let mut world = World {
            begun,
            now: begun,
            noise: Noise::new(noise::at(plan.seed, 1)),
            totem: Totem::new(begun, noise::at(plan.seed, 2), plan.anomalies),
            nodes: (1..=plan.nodes).map(|node| (node, Node::default())).collect(),
            checkers: Checkers::new(),
            outcome: Outcome::default(),
            next_content: 0,
            plan,
        };
        (1..=plan.nodes).for_each(|node| world.start(node));
        world
    }

    /// Lets things happen, then lets them come to rest, and judges all of it.
    pub fn run(&mut self) -> Result<Outcome, Violation> {
        let end = self.begun + self.plan.duration;
        while self.now < end {
            let until = self.now + self.noise.up_to(self.plan.pause);
            self.advance(until)?;
            self.act()?;
        }
        self.rest()?;
        self.checkers.finish()?;
        for running in self.nodes.values().filter_map(|node| node.running.as_ref()) {
            let status = running.groups.status();
            self.outcome.exclusions += status.counters.exclusions;
        }
        self.outcome.records = self.checkers.records();
        self.outcome.views = self.checkers.views();
        Ok(self.outcome)
    }

    fn rest(&mut self) -> Result<(), Violation> {
        for node in 1..=self.plan.nodes {
            if self.noise.below(2) == 0 && self.nodes[&node].running.is_none() {
                self.start(node);
            }
        }
        self.totem.heal(self.now);
        self.advance(self.now + Duration::from_secs(300))?;
        for group in (0..self.plan.groups).map(group_name) {
            let mut side = BTreeSet::new();
            let mut users: Vec<(Member, &User)> = Vec::new();
            for running in self.nodes.values().filter_map(|node| node.running.as_ref()) {
                if let Some(user) = running.users.get(&group) {
                    side.insert(running.groups.me());
                    users.push((running.groups.me(), user));
                }
            }
            self.checkers.converged(&group, &[side])?;
            let Some((_, first)) = users.first() else { continue };
            for (member, user) in &users {
                if user.version != first.version || (user.version.is_some() && user.state != first.state) {
                    let what = format!("the last state is {:?}, elsewhere {:?}", user.version, first.version);
                    return Err(Violation { property: super::Property::Convergence, member: *member, group, what });
                }
            }
        }
        Ok(())
    }

    fn act(&mut self) -> Result<(), Violation> {
        let node = 1 + self.noise.below(u64::from(self.plan.nodes)) as u32;
        match self.noise.below(100) {
            0..62 => self.send(node),
            62..70 => self.join_or_leave(node),
            70..74 => {
                let sides = (1..=self.plan.nodes).map(|node| (node, self.noise.below(2) as u32)).collect();
                self.totem.cut(self.now, sides);
                Ok(())
            }
            74..80 => {
                self.totem.cut(self.now, BTreeMap::new());
                Ok(())
            }
            80..84 => self.crash(node),
            84..90 => {
                if self.nodes[&node].running.is_none() {
                    self.start(node);
                }
                Ok(())
            }
            90..93 => self.lose_engine(node),
            93..96 => {
                self.totem.shake(self.now);
                (1..=self.plan.nodes).try_for_each(|node| self.send(node))
            }
            _ => {
                let slowness = self.noise.up_to(Duration::from_millis(4000));
                let slowness = if self.noise.below(2) == 0 { slowness } else { Duration::ZERO };
                if let Some(running) = &self.nodes[&node].running {
                    self.totem.slow(running.process, slowness);
                }
                Ok(())
            }
        }
    }

    fn start(&mut self, number: u32) {
        let Some(node) = self.nodes.get_mut(&number) else { return };
        node.lives += 1;
        let me = Member {
            node: number,
            incarnation: noise::at(self.plan.seed, u64::from(number) << 32 | u64::from(node.lives)),
        };
        let process = Process { node: number, process: node.lives };
        let Ok(groups) = Groups::new(self.now, Options::new(me, format!("node-{number}"), 1 << 20)) else { return };
        node.running = Some(Running { groups, process, users: BTreeMap::new() });
        node.reconnect_at = None;
        self.totem.start(self.now, process);
    }

    fn crash(&mut self, number: u32) -> Result<(), Violation> {
        let Some(node) = self.nodes.get_mut(&number) else { return Ok(()) };
        let Some(running) = node.running.take() else { return Ok(()) };
        node.reconnect_at = None;
        self.totem.stop(self.now, running.process);
        let keeps = self.noise.below(2) == 0;
        let me = running.groups.me();
        for (group, user) in running.users {
            self.record(me, &group, What::Crashed)?;
            if keeps {
                self.nodes.entry(number).or_default().kept.insert(group, user);
            }
        }
        Ok(())
    }

    fn lose_engine(&mut self, number: u32) -> Result<(), Violation> {
        let delay = self.noise.up_to(Duration::from_secs(8));
        let Some(node) = self.nodes.get_mut(&number) else { return Ok(()) };
        let Some(running) = node.running.as_mut().filter(|_| node.reconnect_at.is_none()) else { return Ok(()) };
        node.reconnect_at = Some(self.now + delay);
        self.totem.stop(self.now, running.process);
        running.groups.handle_engine(self.now, EngineEvent::Lost { reason: "simulated".into() });
        self.serve(number)
    }

    fn join_or_leave(&mut self, number: u32) -> Result<(), Violation> {
        let which = self.noise.below(u64::from(self.plan.groups)) as u32;
        let group = group_name(which);
        let (now, is_leaving) = (self.now, self.noise.below(4) == 0);
        let Some(node) = self.nodes.get_mut(&number) else { return Ok(()) };
        let Some(running) = &mut node.running else { return Ok(()) };
        let me = running.groups.me();
        if is_leaving {
            if running.groups.leave(now, &group) {
                running.users.remove(&group);
                self.record(me, &group, What::Left)?;
            }
        } else if !running.users.contains_key(&group) {
            let user = User { has_view: false, ..node.kept.remove(&group).unwrap_or_default() };
            let options = JoinOptions { has_state: which.is_multiple_of(2), version: user.version };
            running.users.insert(group.clone(), user);
            // Another life of the group may still be there to be told of.
            drop(running.groups.join(now, group.clone(), options));
            self.record(me, &group, What::Joined)?;
        }
        self.serve(number)
    }

    fn send(&mut self, number: u32) -> Result<(), Violation> {
        let group = group_name(self.noise.below(u64::from(self.plan.groups)) as u32);
        for _ in 0..=self.noise.below(12) {
            let length = if self.noise.below(8) == 0 { self.noise.below(100_000) as usize } else { 0 };
            self.next_content += 1;
            let content = self.next_content;
            let mut data = content.to_le_bytes().to_vec();
            data.resize(8 + length, content as u8);
            let now = self.now;
            let running = self.nodes.get_mut(&number).and_then(|node| node.running.as_mut());
            let Some(running) = running.filter(|running| running.users.contains_key(&group)) else { return Ok(()) };
            let me = running.groups.me();
            if let Ok(seq) = running.groups.send(now, &group, data.into()) {
                self.record(me, &group, What::Sent { seq, content })?;
            }
        }
        self.serve(number)
    }

    fn record(&mut self, member: Member, group: &GroupName, what: What) -> Result<(), Violation> {
        let at = self.now.saturating_duration_since(self.begun);
        self.checkers.record(Record { at, member, group: group.clone(), what })
    }

    /// Until this instant.
    fn advance(&mut self, until: Instant) -> Result<(), Violation> {
        loop {
            let timers = self.nodes.values().flat_map(|node| {
                let groups = node.running.as_ref().and_then(|running| running.groups.poll_timeout());
                groups.into_iter().chain(node.reconnect_at)
            });
            let Some(next) = timers.chain(self.totem.poll_timeout()).min().filter(|next| *next <= until) else {
                self.now = until;
                return Ok(());
            };
            self.now = next.max(self.now);
            self.totem.handle_timeout(self.now);
            for number in 1..=self.plan.nodes {
                self.step(number)?;
            }
        }
    }

    fn step(&mut self, number: u32) -> Result<(), Violation> {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&number) else { return Ok(()) };
        let Some(running) = &mut node.running else { return Ok(()) };
        if node.reconnect_at.is_some_and(|at| at <= now) {
            node.reconnect_at = None;
            self.totem.start(now, running.process);
        }
        if running.groups.poll_timeout().is_some_and(|at| at <= now) {
            running.groups.handle_timeout(now);
            self.serve(number)?;
        }
        loop {
            let Some(running) = self.nodes.get_mut(&number).and_then(|node| node.running.as_mut()) else {
                return Ok(());
            };
            let Some(event) = self.totem.poll_event(now, running.process) else { break };
            running.groups.handle_engine(now, event);
            self.serve(number)?;
        }
        self.serve(number)
    }

    /// Gives the user what came, and the engine what goes out.
    fn serve(&mut self, number: u32) -> Result<(), Violation> {
        loop {
            let Some(running) = self.nodes.get_mut(&number).and_then(|node| node.running.as_mut()) else {
                return Ok(());
            };
            let Some(event) = running.groups.poll_event() else { break };
            self.tell(number, event)?;
        }
        let Some(running) = self.nodes.get_mut(&number).and_then(|node| node.running.as_mut()) else { return Ok(()) };
        while let Some(data) = running.groups.poll_transmit() {
            if self.totem.send(running.process, data).is_err() {
                break;
            }
            running.groups.transmitted();
        }
        Ok(())
    }

    fn tell(&mut self, number: u32, event: Event) -> Result<(), Violation> {
        let now = self.now;
        let Some(running) = self.nodes.get_mut(&number).and_then(|node| node.running.as_mut()) else { return Ok(()) };
        let me = running.groups.me();
        let mut records = Vec::new();
        let group = match event {
            Event::View { group, view } => {
                // Of a life of the group that has ended before it was told.
                let Some(user) = running.users.get_mut(&group) else { return Ok(()) };
                user.has_view = true;
                records.push(What::View(view));
                group
            }
            Event::Message { group, sender, seq, data, version } => {
                let Some(user) = running.users.get_mut(&group) else { return Ok(()) };
                let content = data.first_chunk().map_or(0, |octets| u64::from_le_bytes(*octets));
                user.state.insert(content);
                records.push(What::Delivered { sender, seq, content });
                self.outcome.messages += 1;
                if user.version.is_some() {
                    user.version = Some(version);
                    records.push(What::State { version, content: stand_in(&user.state) });
                }
                group
            }
            Event::Undelivered { group, view, first_seq, last_seq } => {
                self.outcome.undelivered += last_seq + 1 - first_seq;
                records.push(What::Undelivered { view, first_seq, last_seq });
                group
            }
            Event::StateWanted { group, view } => {
                let Some(user) = running.users.get(&group) else { return Ok(()) };
                let state: Vec<u8> = user.state.iter().flat_map(|content| content.to_le_bytes()).collect();
                // Refused where another view has come since: then it is wanted again.
                drop(running.groups.provide_state(now, &group, view, Bytes::from(state)));
                return Ok(());
            }
            Event::State { group, state, .. } => {
                let Some(user) = running.users.get_mut(&group) else { return Ok(()) };
                let contents = state.as_chunks().0.iter().map(|octets| u64::from_le_bytes(*octets));
                user.state.extend(contents);
                self.outcome.states += 1;
                return Ok(());
            }
            Event::Synchronised { group, version } => {
                let Some(user) = running.users.get_mut(&group) else { return Ok(()) };
                user.version = Some(version);
                records.push(What::State { version, content: stand_in(&user.state) });
                group
            }
            Event::Writable { .. } | Event::EngineLost { .. } => return Ok(()),
        };
        records.into_iter().try_for_each(|what| self.record(me, &group, what))
    }
}

fn group_name(number: u32) -> GroupName {
    GroupName::new(format!("group-{number}")).expect("letters, a hyphen and digits make a name")
}

fn stand_in(state: &BTreeSet<u64>) -> u64 {
    state.iter().fold(0, |sum, content| noise::at(sum, *content))
}
