//! All groups of one process over one engine: the exchange after each change of the configuration, and joins and leaves
//! between.
//!
//! # The exchange
//! After every [`Configuration`] each member says hello: who it is, and what it has been given in each of its groups. Nobody
//! sends anything else before all hellos have come. Engines give all the same order, and whatever a member sent before its
//! hello comes before it: so when the last hello is there, everything sent in the old views is there too, and
//! all members have the same hellos from which to make the new views ([`crate::light`]).
//!
//! A member that is listed but silent is not waited for longer than [`Options::exchange_patience`]: then somebody says who
//! is left out, which comes to all at the same place of the order. If the late hello comes after all, or a member finds that it
//! has missed something, everyone begins another round at that place, in which there is twice the time.
//!
//! # Joins and leaves
//! Between configurations they too come to all at the same place. From there on the members of that one group exchange
//! claims as in a hello, and the other groups go on.
//!
//! # Without an engine
//! A process that has lost its engine, or never had one, goes on alone after [`Options::alone_after`]: what it sends
//! comes back to it at once, until there is an engine again.

mod exchange;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::engine::{Configuration, EngineEvent, Process, RingId};
use crate::error::{JoinError, ProvideError, SendError, SetUpError};
use crate::event::Event;
use crate::light::{Light, Taken, Trigger};
use crate::limits::{
    ALONE_AFTER, EXCHANGE_PATIENCE, MAX_BATCH_BYTES, MAX_FRAGMENT_BYTES, MAX_GROUPS, MAX_MEMBER_NAME,
    MAX_PATIENCE_DOUBLINGS, MIN_ENGINE_MESSAGE_BYTES,
};
use crate::member::{GroupName, Member, StateVersion, ViewId};
use crate::status::{Aside, LinkCounters, LinkStatus, Status};
use crate::wire::{Batch, Claim, Control, ExchangeKey, Frame, Hello, MAX_LENGTH, MAX_PACKET_HEADER, Packet, Part};

/// What the groups of a process need to know.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Options {
    /// This process: its node's number, and a number drawn at random.
    pub me: Member,
    /// For people: the host's name.
    pub name: String,
    /// Octets of the engine's longest message.
    pub max_message_bytes: usize,
    /// How long a member may take to say what it has seen, in the first round of an exchange.
    pub exchange_patience: Duration,
    /// How long there may be no engine before this process goes on alone.
    pub alone_after: Duration,
}

impl Options {
    /// With the usual times.
    pub fn new(me: Member, name: impl Into<String>, max_message_bytes: usize) -> Self {
        Options {
            me,
            name: name.into(),
            max_message_bytes,
            exchange_patience: EXCHANGE_PATIENCE,
            alone_after: ALONE_AFTER,
        }
    }
}

/// What a process brings into a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JoinOptions {
    /// Whether members give each other their states. The same at all of them.
    pub has_state: bool,
    /// Which state this process has of it already, from an earlier life.
    pub version: Option<StateVersion>,
}

/// The groups of one process. It has no clock, no sockets and no randomness: engine events and times go in, frames for the engine
/// and events for the user come out. Those that are equal behave alike, whatever they have counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Groups {
    options: Options,
    link: Link,
    since: Instant,
    /// Whether what we send comes back by itself, as there is no engine.
    is_alone: bool,
    alone_rings: u64,
    /// Those whose hello has come in the last exchange.
    peers: BTreeMap<Process, Peer>,
    /// All groups of those peers.
    directory: BTreeMap<GroupName, Listed>,
    lights: BTreeMap<GroupName, Light>,
    /// Those of them that have something to send.
    ready: BTreeSet<GroupName>,
    exchanges: BTreeMap<GroupName, LightExchange>,
    tags: BTreeMap<u64, GroupName>,
    /// The greatest epoch of any group that was left: who comes back into one must not use an epoch again.
    left_epoch: u64,
    control: VecDeque<Bytes>,
    /// Taken out to be sent, but not sent yet.
    pending: Option<Bytes>,
    /// The group whose turn to send was last.
    turn: Option<GroupName>,
    events: VecDeque<Event>,
    counters: Aside<LinkCounters>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Link {
    Down { alone_at: Instant },
    Exchanging(Exchange),
    Settled { configuration: Configuration, key: ExchangeKey },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Exchange {
    configuration: Configuration,
    key: ExchangeKey,
    heard: BTreeMap<Process, Hello>,
    /// Groups that our own hello tells of, and that we have not left since.
    told: BTreeSet<GroupName>,
    /// When those who have not said hello are left out. `None`: we are left out ourselves.
    deadline: Option<Instant>,
    begun: Instant,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Peer {
    member: Member,
    name: String,
}

/// A group as every member of the configuration knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Listed {
    members: BTreeSet<Process>,
    /// How many joins and leaves there were since the exchange.
    change: u32,
}

/// The exchange within one group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct LightExchange {
    change: u32,
    trigger: Trigger,
    heard: BTreeMap<Process, Claim>,
    deadline: Instant,
    begun: Instant,
}

impl Groups {
    /// In no group, and without an engine.
    pub fn new(now: Instant, options: Options) -> Result<Self, SetUpError> {
        let length = options.name.len();
        if !(1..=MAX_MEMBER_NAME).contains(&length) {
            return Err(SetUpError::Name { length });
        }
        if options.me.node == 0 {
            return Err(SetUpError::NodeZero);
        }
        if options.max_message_bytes < MIN_ENGINE_MESSAGE_BYTES {
            return Err(SetUpError::EngineMessage { max: options.max_message_bytes });
        }
        Ok(Groups {
            link: Link::Down { alone_at: now + options.alone_after },
            since: now,
            options,
            is_alone: false,
            alone_rings: 0,
            peers: BTreeMap::new(),
            directory: BTreeMap::new(),
            lights: BTreeMap::new(),
            ready: BTreeSet::new(),
            exchanges: BTreeMap::new(),
            tags: BTreeMap::new(),
            left_epoch: 0,
            control: VecDeque::new(),
            pending: None,
            turn: None,
            events: VecDeque::new(),
            counters: Aside::default(),
        })
    }

    /// This process.
    pub fn me(&self) -> Member {
        self.options.me
    }

    /// Joins a group. A view comes when all that can be reached know of it.
    pub fn join(&mut self, now: Instant, group: GroupName, options: JoinOptions) -> Result<(), JoinError> {
        if self.lights.contains_key(&group) {
            return Err(JoinError::Twice(group));
        }
        if self.lights.len() >= MAX_GROUPS {
            return Err(JoinError::TooMany);
        }
        let light = Light::new(group.clone(), self.options.me, options, self.left_epoch);
        self.lights.insert(group.clone(), light);
        // An exchange that runs tells of it when it has ended.
        if let Link::Settled { .. } = &self.link {
            self.control.push_back(Control::Join(group).encode());
        }
        self.loop_back(now);
        Ok(())
    }

    /// Leaves a group; whether this process was in it. What waits to be sent in it is not sent.
    pub fn leave(&mut self, now: Instant, group: &GroupName) -> bool {
        let Some(light) = self.lights.remove(group) else { return false };
        self.left_epoch = self.left_epoch.max(light.epoch());
        self.exchanges.remove(group);
        self.ready.remove(group);
        if let Some(tag) = light.tag() {
            self.tags.remove(&tag);
        }
        match &mut self.link {
            Link::Down { .. } => {}
            Link::Settled { .. } => self.control.push_back(Control::Leave(group.clone()).encode()),
            Link::Exchanging(exchange) => {
                exchange.told.remove(group);
            }
        }
        self.loop_back(now);
        true
    }

    /// Sends a message to all members of the group's view, this one among them; its number, from 1 on in each view.
    pub fn send(&mut self, now: Instant, group: &GroupName, data: Bytes) -> Result<u64, SendError> {
        let is_blocked = self.is_blocked(group);
        let Some(light) = self.lights.get_mut(group) else { return Err(SendError::NotJoined(group.clone())) };
        let seq = light.send(data, is_blocked)?;
        self.ready.insert(group.clone());
        self.loop_back(now);
        Ok(seq)
    }

    /// Answers [`Event::StateWanted`].
    pub fn provide_state(
        &mut self,
        now: Instant,
        group: &GroupName,
        view: ViewId,
        state: Bytes,
    ) -> Result<(), ProvideError> {
        let Some(light) = self.lights.get_mut(group) else { return Err(ProvideError::NotWanted(group.clone())) };
        light.provide_state(view, state)?;
        self.ready.insert(group.clone());
        self.loop_back(now);
        Ok(())
    }

    /// What the engine tells.
    pub fn handle_engine(&mut self, now: Instant, event: EngineEvent) {
        match event {
            EngineEvent::Configuration(configuration) if !configuration.members.contains(&configuration.me) => {
                self.handle_loss(now, format!("its configuration {} lacks this process", configuration.ring));
            }
            EngineEvent::Configuration(mut configuration) => {
                configuration.members.sort_unstable();
                configuration.members.dedup();
                self.is_alone = false;
                self.begin(now, configuration);
            }
            EngineEvent::Message { sender, data } => {
                if !self.is_alone {
                    self.handle_message(now, sender, &data);
                }
            }
            EngineEvent::Lost { reason } => self.handle_loss(now, reason),
        }
        self.loop_back(now);
    }

    /// When [`Groups::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let link = match &self.link {
            Link::Down { alone_at } => Some(*alone_at),
            Link::Exchanging(exchange) => exchange.deadline,
            Link::Settled { .. } => None,
        };
        link.into_iter().chain(self.exchanges.values().map(|exchange| exchange.deadline)).min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.link {
            Link::Down { alone_at } if *alone_at <= now => self.go_on_alone(now),
            Link::Exchanging(exchange) if exchange.deadline.is_some_and(|deadline| deadline <= now) => {
                exchange.deadline = Some(now + patience(&self.options, exchange.key.round));
                self.counters.exclusions += 1;
                self.control.push_back(Control::Exclude(exchange.key).encode());
            }
            Link::Settled { key, .. } => {
                // Where somebody is silent, the exchange of the configuration knows what to do about it.
                let is_late = |exchange: &&mut LightExchange| exchange.deadline <= now;
                let mut is_needed = false;
                for late in self.exchanges.values_mut().filter(is_late) {
                    late.deadline = now + patience(&self.options, MAX_PATIENCE_DOUBLINGS);
                    is_needed = true;
                }
                if is_needed {
                    self.control.push_back(Control::Again(*key).encode());
                }
            }
            _ => {}
        }
        self.loop_back(now);
    }

    /// The next message for the engine: the same until [`Groups::transmitted`].
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        if self.is_alone || matches!(self.link, Link::Down { .. }) {
            return None;
        }
        if self.pending.is_none() {
            self.pending = self.next_frame();
        }
        self.pending.clone()
    }

    /// The engine has taken the message.
    pub fn transmitted(&mut self) {
        self.pending = None;
    }

    /// What the user is to know next.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        if let Event::View { group, view } = &event
            && let Some(light) = self.lights.get_mut(group)
        {
            light.told(view.id, &mut self.events);
        }
        Some(event)
    }

    /// How things stand.
    pub fn status(&self) -> Status {
        let since = self.since;
        let link = match &self.link {
            Link::Down { .. } => LinkStatus::Down { since },
            _ if self.is_alone => LinkStatus::Alone { since },
            Link::Exchanging(exchange) => {
                LinkStatus::Exchanging { ring: exchange.configuration.ring, since: exchange.begun }
            }
            Link::Settled { configuration, .. } => LinkStatus::Settled { ring: configuration.ring, since },
        };
        Status {
            me: self.options.me,
            link,
            reachable: self.peers.iter().map(|(process, peer)| (*process, peer.member, peer.name.clone())).collect(),
            groups: self.lights.values().map(Light::status).collect(),
            counters: *self.counters,
        }
    }

    fn key(&self) -> Option<ExchangeKey> {
        match &self.link {
            Link::Down { .. } => None,
            Link::Exchanging(exchange) => Some(exchange.key),
            Link::Settled { key, .. } => Some(*key),
        }
    }

    fn is_blocked(&self, group: &GroupName) -> bool {
        !matches!(self.link, Link::Settled { .. }) || self.exchanges.contains_key(group)
    }

    fn handle_loss(&mut self, now: Instant, reason: String) {
        self.counters.engine_losses += 1;
        self.events.push_back(Event::EngineLost { reason });
        self.lights.values_mut().for_each(Light::engine_lost);
        self.forget_configuration();
        self.link = Link::Down { alone_at: now + self.options.alone_after };
        self.since = now;
        self.is_alone = false;
    }

    fn go_on_alone(&mut self, now: Instant) {
        self.is_alone = true;
        self.alone_rings += 1;
        let node = self.options.me.node;
        let me = Process { node, process: 0 };
        let ring = RingId { sequence: self.alone_rings, representative: node };
        self.begin(now, Configuration { ring, me, members: vec![me] });
        self.since = now;
    }

    fn forget_configuration(&mut self) {
        self.pending = None;
        self.control.clear();
        self.exchanges.clear();
        self.directory.clear();
        self.peers.clear();
    }

    fn handle_message(&mut self, now: Instant, sender: Process, data: &Bytes) {
        match Frame::decode(data) {
            Ok(Frame::Packet(packet, data)) => self.handle_packet(now, sender, &packet, data),
            Ok(Frame::Batch(packets)) => {
                for (packet, data) in packets {
                    self.handle_packet(now, sender, &packet, data);
                }
            }
            Ok(Frame::Control(Control::Hello(hello))) => self.handle_hello(now, sender, hello),
            Ok(Frame::Control(Control::Exclude(key))) => self.handle_exclude(now, key),
            Ok(Frame::Control(Control::Again(key))) => {
                if self.key() == Some(key) {
                    self.begin_again(now, key.round.saturating_add(1));
                }
            }
            Ok(Frame::Control(Control::Join(group))) => self.handle_change(now, sender, group, Trigger::Join),
            Ok(Frame::Control(Control::Leave(group))) => self.handle_change(now, sender, group, Trigger::Leave),
            Ok(Frame::Control(Control::Claim { key, change, group, claim })) => {
                self.handle_claim(now, sender, (key, change), group, claim);
            }
            Err(_) => self.counters.unreadable += 1,
        }
    }

    fn handle_packet(&mut self, now: Instant, sender: Process, packet: &Packet, data: Bytes) {
        let Some(group) = self.tags.get(&packet.tag) else {
            self.counters.of_other_views += 1;
            return;
        };
        let (Some(peer), Some(light)) = (self.peers.get(&sender), self.lights.get_mut(group)) else { return };
        match light.packet(peer.member, packet, data, &mut self.events) {
            Taken::Fine => {}
            Taken::Missed => {
                // In an exchange it is no news: who was cut off lacks what a slow member has sent meanwhile.
                if let Link::Settled { key, .. } = &self.link {
                    light.count_missed();
                    self.control.push_back(Control::Again(*key).encode());
                }
            }
            Taken::TooMuchHeld => {
                let group = group.clone();
                let options = JoinOptions { has_state: light.has_state(), version: light.version() };
                self.leave(now, &group);
                // It was just left, so there is room for it.
                drop(self.join(now, group, options));
            }
        }
    }

    /// A control message, or a packet, or several small ones that wait: an engine's message costs the same for each.
    fn next_frame(&mut self) -> Option<Bytes> {
        if let Some(frame) = self.control.pop_front() {
            return Some(frame);
        }
        if !matches!(self.link, Link::Settled { .. }) {
            return None;
        }
        let first = self.next_part()?;
        let has_room = |length: usize, next: usize| next > 0 && length + MAX_LENGTH + next <= MAX_BATCH_BYTES;
        if !has_room(MAX_LENGTH + first.len(), self.next_bytes()) {
            return Some(first.encode());
        }
        let mut batch = Batch::new(MAX_BATCH_BYTES);
        batch.add(&first);
        while has_room(batch.len(), self.next_bytes())
            && let Some(part) = self.next_part()
        {
            batch.add(&part);
        }
        Some(batch.encode())
    }

    fn max_part_bytes(&self) -> usize {
        MAX_FRAGMENT_BYTES.min(self.options.max_message_bytes - MAX_PACKET_HEADER)
    }

    /// The group whose turn it is to send.
    fn next_ready(&self) -> Option<&GroupName> {
        let (from, to) = match &self.turn {
            Some(turn) => (Bound::Excluded(turn), Bound::Included(turn)),
            None => (Bound::Unbounded, Bound::Unbounded),
        };
        let later = self.ready.range((from, Bound::Unbounded));
        let again = self.ready.range((Bound::Unbounded, to));
        later.chain(again).find(|group| !self.exchanges.contains_key(*group))
    }

    /// The octets that the next packet has at most; 0 when there is none, or its group only turns out to have none.
    fn next_bytes(&self) -> usize {
        let next = self.next_ready().and_then(|group| self.lights.get(group));
        next.map_or(0, |light| light.next_bytes(self.max_part_bytes()))
    }

    /// The next packet, of the groups in turn.
    fn next_part(&mut self) -> Option<Part> {
        let max_bytes = self.max_part_bytes();
        loop {
            let next = self.next_ready()?.clone();
            let part = self.lights.get_mut(&next).and_then(|light| {
                let part = light.next_packet(max_bytes);
                light.tell_writable(&mut self.events);
                part
            });
            if self.lights.get(&next).is_none_or(|light| !light.has_outgoing()) {
                self.ready.remove(&next);
            }
            self.turn = Some(next);
            if part.is_some() {
                return part;
            }
        }
    }

    /// Without an engine, what would be sent comes back.
    fn loop_back(&mut self, now: Instant) {
        let (Link::Exchanging(Exchange { configuration, .. }) | Link::Settled { configuration, .. }) = &self.link
        else {
            return;
        };
        let me = configuration.me;
        while self.is_alone
            && let Some(frame) = self.next_frame()
        {
            self.handle_message(now, me, &frame);
        }
    }
}

fn patience(options: &Options, round: u32) -> Duration {
    options.exchange_patience * (1 << round.min(MAX_PATIENCE_DOUBLINGS))
}
