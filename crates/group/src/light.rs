//! One group as one of its members has it: its view, what was given in it, what waits to be sent, whose state is missing.
//!
//! # Life
//! A group that was joined has no view before its first exchange. From then on it always has one, though nothing may be sent
//! while an exchange runs. An exchange ends in [`Light::install`], which is given what each member claims and does
//! the same at each: it leaves the view as it is where all have seen the same and nobody came or went, or makes the next.
//!
//! # State
//! Members that come with the same version are a branch. The first of each gives the branch's state to those of other
//! branches, and who waits for states holds messages back until it has them. What it held is lost to it when the next exchange
//! begins, so there it claims to have been given nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::error::{ProvideError, SendError};
use crate::event::Event;
use crate::groups::JoinOptions;
use crate::limits::{MAX_HELD_BYTES, MAX_HISTORY, MAX_MESSAGE_BYTES, MAX_OUTGOING_BYTES, MAX_OUTGOING_MESSAGES};
use crate::member::{Branch, Cause, GroupName, Member, StateVersion, Trace, View, ViewId, extend_digest};
use crate::status::{Aside, GroupCounters, GroupStatus, PastView};
use crate::wire::{Claim, MAX_PACKET_HEADER, Packet, Part, Standing};

/// One group of ours.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Light {
    name: GroupName,
    me: Member,
    has_state: bool,
    /// The greatest of a view that was seen.
    epoch: u64,
    /// The state that this member came with, while it waits for those of others.
    state: Option<StateVersion>,
    current: Option<Current>,
    has_refused: bool,
    /// The user has not been told of the view yet, and would send in it without knowing.
    is_untold: bool,
    history: Aside<VecDeque<PastView>>,
    counters: Aside<GroupCounters>,
}

/// Everything that lasts as long as a view.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Current {
    view: View,
    tag: u64,
    trace: Trace,
    /// Given to the user.
    messages: u64,
    /// Which they were.
    digest: u64,
    /// Given to `send`.
    last_seq: u64,
    /// Of those, come back.
    last_seq_back: u64,
    outgoing: VecDeque<Outgoing>,
    /// Of those, what is not sent yet.
    outgoing_bytes: usize,
    outgoing_state: Option<Outgoing>,
    was_state_last: bool,
    is_state_wanted: bool,
    incoming: BTreeMap<(Member, bool), Incoming>,
    waiting: Option<Waiting>,
    /// A packet was missed, or the engine was lost: nothing more is taken or sent before the next view.
    is_broken: bool,
}

/// For states of others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Waiting {
    missing: BTreeSet<Member>,
    /// Those that have come. They are given all at once, so that the user's state is at no time between two versions.
    states: Vec<Event>,
    held: VecDeque<Held>,
    held_bytes: usize,
    /// Another exchange has begun: it was told that this member waits, so it goes on waiting.
    is_over: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Held {
    sender: Member,
    seq: u64,
    data: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Outgoing {
    seq: u64,
    data: Bytes,
    at: usize,
    fragment: u32,
}

/// The message of one sender that has come in part.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Incoming {
    seq: u64,
    fragment: u32,
    octets: BytesMut,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Fine,
    /// One before it has not come, so not all members are given the same: another exchange must find out.
    Missed,
    /// More is held back than may be: the group must be left and joined anew.
    TooMuchHeld,
}

impl Light {
    /// A group that is being joined, in epochs after this one.
    pub(crate) fn new(name: GroupName, me: Member, options: JoinOptions, epoch: u64) -> Self {
        let JoinOptions { has_state, version } = options;
        let state = version.filter(|_| has_state);
        Light {
            name,
            me,
            has_state,
            epoch: state.map_or(epoch, |state| state.view.epoch.max(epoch)),
            state,
            current: None,
            has_refused: false,
            is_untold: false,
            history: Aside::default(),
            counters: Aside::default(),
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn tag(&self) -> Option<u64> {
        self.current.as_ref().map(|current| current.tag)
    }

    /// Whether anything waits to be sent.
    pub(crate) fn has_outgoing(&self) -> bool {
        let may_send = self.current.as_ref().filter(|current| !current.is_broken);
        may_send.is_some_and(|current| !current.outgoing.is_empty() || current.outgoing_state.is_some())
    }

    pub(crate) fn has_state(&self) -> bool {
        self.has_state
    }

    /// The version of the state that this member has: also while it waits for those of others.
    pub(crate) fn version(&self) -> Option<StateVersion> {
        match &self.current {
            Some(current) if self.has_state && current.waiting.is_none() => Some(current.version()),
            _ => self.state,
        }
    }

    /// What the others are told when an exchange begins.
    pub(crate) fn claim(&mut self) -> Claim {
        if let Some(waiting) = self.current.as_mut().and_then(|current| current.waiting.as_mut()) {
            waiting.is_over = true;
        }
        let current = self.current.as_ref();
        let trace = current.map(|current| match current.waiting {
            Some(_) => Trace::new(current.view.id),
            None => current.trace,
        });
        Claim {
            epoch: self.epoch,
            trace,
            members: current.map_or(0, |current| current.view.members.len() as u32),
            state: self.version(),
            standing: current.map_or(Standing::Out, Current::standing),
        }
    }

    /// Ends an exchange. All that are given the same claims come to the same view.
    pub(crate) fn install(
        &mut self,
        claims: &BTreeMap<Member, Claim>,
        how: Installation,
        events: &mut VecDeque<Event>,
    ) {
        let Some(own) = claims.get(&self.me) else { return };
        let is_unchanged = own.trace.is_some()
            && claims.values().all(|claim| {
                claim.standing == Standing::Settled
                    && claim.trace == own.trace
                    && claim.members as usize == claims.len()
            });
        if is_unchanged {
            self.counters.views_kept += 1;
            return self.tell_writable(events);
        }
        let members: Vec<Member> = claims.keys().copied().collect();
        let epoch = claims.values().map(|claim| claim.epoch).max().unwrap_or(0).max(self.epoch) + 1;
        let id = ViewId::new(epoch, &members);
        // What comes between the claims and the view is given to all who are settled, and to nobody else.
        let came_with = match own.standing {
            Standing::Out => vec![self.me],
            standing => of_same(claims, |claim| claim.trace == own.trace && claim.standing == standing),
        };
        self.state = self.version();
        let before = self.current.take();
        self.epoch = epoch;
        if let Some(before) = &before
            && before.last_seq > before.last_seq_back
        {
            let (first_seq, last_seq) = (before.last_seq_back + 1, before.last_seq);
            self.counters.undelivered += last_seq - before.last_seq_back;
            events.push_back(Event::Undelivered {
                group: self.name.clone(),
                view: before.view.id,
                first_seq,
                last_seq,
            });
        }
        let view = View {
            id,
            previous: before.as_ref().map(|before| before.view.id),
            cause: cause(before.as_ref().map(|before| &before.view.members[..]), &members, how),
            branches: if self.has_state { branches(claims) } else { Vec::new() },
            members,
            came_with,
        };
        self.remember(&view, how);
        self.is_untold = true;
        events.push_back(Event::View { group: self.name.clone(), view: view.clone() });
        let mut missing = BTreeSet::new();
        let mut is_state_wanted = false;
        for Branch { version, members } in &view.branches {
            if version.is_none() {
                continue;
            }
            if !members.contains(&self.me) {
                missing.insert(members[0]);
            } else if members[0] == self.me && view.branches.len() > 1 {
                is_state_wanted = true;
            }
        }
        self.current = Some(Current {
            tag: id.tag(&self.name),
            trace: Trace::new(id),
            messages: 0,
            digest: 0,
            last_seq: 0,
            last_seq_back: 0,
            outgoing: VecDeque::new(),
            outgoing_bytes: 0,
            outgoing_state: None,
            was_state_last: false,
            is_state_wanted,
            incoming: BTreeMap::new(),
            waiting: (!missing.is_empty()).then(|| Waiting { missing, ..Waiting::default() }),
            is_broken: false,
            view,
        });
        if is_state_wanted {
            events.push_back(Event::StateWanted { group: self.name.clone(), view: id });
        }
        self.synchronise(events);
    }

    /// Takes a packet of the current view, from one of its members.
    pub(crate) fn packet(
        &mut self,
        sender: Member,
        packet: &Packet,
        data: Bytes,
        events: &mut VecDeque<Event>,
    ) -> Taken {
        let Some(current) = &mut self.current else { return Taken::Fine };
        if current.is_broken || !current.view.members.contains(&sender) {
            self.counters.ignored += 1;
            return Taken::Fine;
        }
        let incoming = current.incoming.entry((sender, packet.is_state)).or_insert_with(Incoming::new);
        let is_next = packet.seq == incoming.seq && packet.fragment == incoming.fragment;
        let is_possible = packet.fragment <= packet.last_fragment
            && (!packet.is_state || packet.seq == 1)
            && incoming.octets.len() + data.len() <= MAX_MESSAGE_BYTES;
        if !is_next || !is_possible {
            current.is_broken = true;
            return Taken::Missed;
        }
        current.trace.add(sender, packet.seq, packet.fragment);
        let is_whole = packet.fragment == packet.last_fragment;
        if !is_whole {
            incoming.fragment += 1;
            incoming.octets.extend_from_slice(&data);
            return Taken::Fine;
        }
        let data = if packet.fragment == 0 { data } else { incoming.whole(&data) };
        incoming.seq += 1;
        incoming.fragment = 0;
        if packet.is_state {
            self.state_of(sender, data, events);
            return Taken::Fine;
        }
        if sender == self.me {
            current.last_seq_back = packet.seq;
        }
        let held = Held { sender, seq: packet.seq, data };
        match &mut current.waiting {
            Some(waiting) => {
                waiting.held_bytes += held.data.len();
                waiting.held.push_back(held);
                if waiting.held_bytes > MAX_HELD_BYTES {
                    return Taken::TooMuchHeld;
                }
            }
            None => self.deliver(held, events),
        }
        Taken::Fine
    }

    /// Something is missing, though the engine has told of no change.
    pub(crate) fn count_missed(&mut self) {
        self.counters.missed += 1;
    }

    /// Nothing that was sent may come back any more, and nothing is sent in this view.
    pub(crate) fn engine_lost(&mut self) {
        if let Some(current) = &mut self.current {
            current.is_broken = true;
        }
    }

    /// Takes a message; its number.
    pub(crate) fn send(&mut self, data: Bytes, is_blocked: bool) -> Result<u64, SendError> {
        if data.len() > MAX_MESSAGE_BYTES {
            return Err(SendError::TooLong { length: data.len() });
        }
        let Some(current) = &mut self.current else { return Err(SendError::NotInView(self.name.clone())) };
        let is_full = current.outgoing.len() >= MAX_OUTGOING_MESSAGES
            || (!current.outgoing.is_empty() && current.outgoing_bytes + data.len() > MAX_OUTGOING_BYTES);
        if is_blocked || is_full || self.is_untold || current.is_broken || current.waiting.is_some() {
            self.has_refused = true;
            self.counters.would_block += 1;
            return Err(SendError::WouldBlock(self.name.clone()));
        }
        current.last_seq += 1;
        current.outgoing_bytes += data.len();
        current.outgoing.push_back(Outgoing::new(current.last_seq, data));
        Ok(current.last_seq)
    }

    /// The user was told of a view.
    pub(crate) fn told(&mut self, view: ViewId, events: &mut VecDeque<Event>) {
        if self.current.as_ref().is_some_and(|current| current.view.id == view) {
            self.is_untold = false;
            self.tell_writable(events);
        }
    }

    /// Takes the state that was wanted.
    pub(crate) fn provide_state(&mut self, view: ViewId, state: Bytes) -> Result<(), ProvideError> {
        if state.len() > MAX_MESSAGE_BYTES {
            return Err(ProvideError::TooLong { length: state.len() });
        }
        match (&mut self.current, &self.state) {
            (Some(current), Some(version)) if current.view.id == view && current.is_state_wanted => {
                current.is_state_wanted = false;
                let version = postcard::to_stdvec(version).expect("memory takes any length");
                current.outgoing_state = Some(Outgoing::new(1, [version, state.to_vec()].concat().into()));
                Ok(())
            }
            _ => Err(ProvideError::NotWanted(self.name.clone())),
        }
    }

    /// The octets that the next packet has at most; 0 when there is none.
    pub(crate) fn next_bytes(&self, max_bytes: usize) -> usize {
        let Some(current) = self.current.as_ref().filter(|current| !current.is_broken) else { return 0 };
        let next = current.outgoing_state.iter().chain(current.outgoing.front());
        next.map(|next| MAX_PACKET_HEADER + max_bytes.min(next.data.len() - next.at)).max().unwrap_or(0)
    }

    /// The next packet to be sent, with at most so many octets of a message.
    pub(crate) fn next_packet(&mut self, max_bytes: usize) -> Option<Part> {
        let current = self.current.as_mut().filter(|current| !current.is_broken)?;
        // In turns, so that neither a long state nor many messages hold the other up.
        let is_state = current.outgoing_state.is_some() && (current.outgoing.is_empty() || !current.was_state_last);
        current.was_state_last = is_state;
        let next = if is_state { current.outgoing_state.as_mut()? } else { current.outgoing.front_mut()? };
        let length = max_bytes.min(next.data.len() - next.at);
        let fragments_left = (next.data.len() - next.at).div_ceil(max_bytes).max(1) as u32;
        let last_fragment = next.fragment + fragments_left - 1;
        let packet = Packet { tag: current.tag, seq: next.seq, fragment: next.fragment, last_fragment, is_state };
        let part = packet.with(next.data.slice(next.at..next.at + length));
        next.at += length;
        next.fragment += 1;
        if !is_state {
            current.outgoing_bytes -= length;
        }
        if fragments_left == 1 {
            if is_state {
                current.outgoing_state = None;
            } else {
                current.outgoing.pop_front();
                self.counters.sent += 1;
            }
        }
        self.counters.sent_bytes += part.len() as u64;
        Some(part)
    }

    /// Tells a user who was refused that the group takes messages again, if it does.
    pub(crate) fn tell_writable(&mut self, events: &mut VecDeque<Event>) {
        let Some(current) = &self.current else { return };
        let has_room = current.outgoing.len() <= MAX_OUTGOING_MESSAGES / 2
            && current.outgoing_bytes <= MAX_OUTGOING_BYTES / 2
            && current.waiting.is_none()
            && !current.is_broken
            && !self.is_untold;
        if has_room && std::mem::take(&mut self.has_refused) {
            events.push_back(Event::Writable { group: self.name.clone() });
        }
    }

    pub(crate) fn status(&self) -> GroupStatus {
        let current = self.current.as_ref();
        GroupStatus {
            group: self.name.clone(),
            view: current.map(|current| current.view.clone()),
            version: self.version(),
            waits_for: current
                .and_then(|current| current.waiting.as_ref())
                .map(|waiting| waiting.missing.iter().copied().collect())
                .unwrap_or_default(),
            outgoing: current.map_or(0, |current| current.outgoing.len()),
            outgoing_bytes: current.map_or(0, |current| current.outgoing_bytes),
            history: self.history.iter().cloned().collect(),
            counters: *self.counters,
        }
    }

    fn state_of(&mut self, sender: Member, state: Bytes, events: &mut VecDeque<Event>) {
        let Some(waiting) = self.current.as_mut().and_then(|current| current.waiting.as_mut()) else { return };
        if waiting.is_over || !waiting.missing.remove(&sender) {
            return;
        }
        let Ok((version, rest)) = postcard::take_from_bytes(&state) else { return self.engine_lost() };
        let state = state.slice(state.len() - rest.len()..);
        self.counters.states_received += 1;
        waiting.states.push(Event::State { group: self.name.clone(), from: sender, version, state });
        self.synchronise(events);
    }

    /// If no state is missing any more, gives what was held back.
    fn synchronise(&mut self, events: &mut VecDeque<Event>) {
        let Some(current) = &mut self.current else { return };
        if current.waiting.as_ref().is_some_and(|waiting| !waiting.missing.is_empty()) {
            return;
        }
        let Waiting { held, states, .. } = current.waiting.take().unwrap_or_default();
        events.extend(states);
        if self.has_state {
            let version = StateVersion { view: current.view.id, epoch: 0, digest: 0 };
            events.push_back(Event::Synchronised { group: self.name.clone(), version });
        }
        held.into_iter().for_each(|held| self.deliver(held, events));
        self.tell_writable(events);
    }

    fn deliver(&mut self, held: Held, events: &mut VecDeque<Event>) {
        let Some(current) = &mut self.current else { return };
        let Held { sender, seq, data } = held;
        current.messages += 1;
        current.digest = extend_digest(current.digest, sender, seq, 0);
        self.counters.received += 1;
        self.counters.received_bytes += data.len() as u64;
        let version = current.version();
        events.push_back(Event::Message { group: self.name.clone(), sender, seq, data, version });
    }

    fn remember(&mut self, view: &View, how: Installation) {
        self.counters.views += 1;
        if self.history.len() == MAX_HISTORY {
            self.history.pop_front();
        }
        let (id, cause, members) = (view.id, view.cause, view.members.clone());
        self.history.push_back(PastView { id, cause, members, at: how.now, blocked: how.blocked });
    }
}

impl Current {
    fn standing(&self) -> Standing {
        match &self.waiting {
            _ if self.is_broken => Standing::Out,
            Some(_) => Standing::Waiting,
            None => Standing::Settled,
        }
    }

    fn version(&self) -> StateVersion {
        StateVersion { view: self.view.id, epoch: self.messages, digest: self.digest }
    }
}

impl Outgoing {
    fn new(seq: u64, data: Bytes) -> Self {
        Outgoing { seq, data, at: 0, fragment: 0 }
    }
}

impl Incoming {
    fn new() -> Self {
        Incoming { seq: 1, fragment: 0, octets: BytesMut::new() }
    }

    fn whole(&mut self, last: &[u8]) -> Bytes {
        self.octets.extend_from_slice(last);
        std::mem::take(&mut self.octets).freeze()
    }
}

/// How an exchange came and went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Installation {
    pub now: Instant,
    /// What began it; joins and leaves are told apart from changes of the configuration.
    pub trigger: Trigger,
    /// How long nothing could be sent.
    pub blocked: Duration,
    /// The engine is lost: what it may have given others is not known.
    pub is_alone: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Trigger {
    Configuration,
    Join,
    Leave,
}

fn of_same(claims: &BTreeMap<Member, Claim>, is_same: impl Fn(&Claim) -> bool) -> Vec<Member> {
    claims.iter().filter(|(_, claim)| is_same(claim)).map(|(member, _)| *member).collect()
}

fn branches(claims: &BTreeMap<Member, Claim>) -> Vec<Branch> {
    // Who is settled is given more until the view comes, so equal versions are not enough.
    let key = |claim: &Claim| (claim.state, claim.trace.filter(|_| claim.standing == Standing::Settled));
    let mut branches: BTreeMap<_, Vec<Member>> = BTreeMap::new();
    for (member, claim) in claims {
        branches.entry(key(claim)).or_default().push(*member);
    }
    branches.into_iter().map(|((version, _), members)| Branch { version, members }).collect()
}

fn cause(before: Option<&[Member]>, now: &[Member], how: Installation) -> Cause {
    let Some(before) = before else { return Cause::First };
    let has_lost = before.iter().any(|member| !now.contains(member));
    let has_gained = now.iter().any(|member| !before.contains(member));
    match (how.trigger, has_lost, has_gained) {
        _ if how.is_alone => Cause::EngineLost,
        (Trigger::Join, false, true) => Cause::Joined,
        (Trigger::Leave, true, false) => Cause::Left,
        (_, true, false) => Cause::Cut,
        (_, false, true) => Cause::Reached,
        (_, true, true) => Cause::Changed,
        (_, false, false) => Cause::Repaired,
    }
}
