//! Every run of two or three members up to a bound: each order in which their messages can be placed, each place at which a change comes, each
//! pace at which members take what they are given. No member is ever told anything that breaks a promise, and where
//! nothing is left to come all have one view.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hamsa_group::{
    Configuration, EngineEvent, Event, GroupName, Groups, JoinOptions, Member, Options, Process, RingId,
};
use hamsa_sim::groups::{Checkers, Record, Violation, What};
use stateright::{Checker, Model, Property};

/// What may happen, besides the pace of everything.
#[derive(Clone)]
struct Bounds {
    begun: Instant,
    nodes: u32,
    has_state: bool,
    /// Which nodes are together: one after the other, each whenever it likes, and the last for good.
    changes: Vec<Vec<Vec<u32>>>,
    /// Who sends, each whenever it may.
    senders: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    nodes: Vec<Node>,
    ring: u64,
    changes: usize,
    has_sent: BTreeSet<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Node {
    groups: Groups,
    ring: u64,
    /// The nodes of its ring.
    side: Vec<u32>,
    inbox: VecDeque<(u64, EngineEvent)>,
    /// Given to the engine, without a place in the order yet.
    unplaced: VecDeque<Bytes>,
    told: Vec<Told>,
}

/// `What` in a form that can be hashed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Told {
    Sent(u64),
    Event(Event),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Step {
    /// The engine gives the node's next message a place, after all others of its ring.
    Place(u32),
    Take(u32),
    Send(u32),
    /// The next change; messages of those who are gone that nobody who stays has taken are lost, or not.
    Change {
        loses: bool,
    },
}

fn group() -> GroupName {
    GroupName::new("g").unwrap()
}

fn process(node: u32) -> Process {
    Process { node, process: 1 }
}

fn member(node: u32) -> Member {
    Member { node, incarnation: u64::from(node) }
}

impl Node {
    /// Takes what the groups have for the user and for the engine.
    fn drain(&mut self, now: Instant) {
        while let Some(event) = self.groups.poll_event() {
            if let Event::StateWanted { group, view } = &event {
                let state: Vec<u8> = contents(&self.told).into_iter().collect();
                self.groups.provide_state(now, group, *view, state.into()).unwrap();
            } else {
                self.told.push(Told::Event(event));
            }
        }
        while let Some(data) = self.groups.poll_transmit() {
            self.unplaced.push_back(data);
            self.groups.transmitted();
        }
    }
}

/// The user's state: the first octets of all messages that he was given, or others were whose state he was given.
fn contents(told: &[Told]) -> BTreeSet<u8> {
    let mut contents = BTreeSet::new();
    for told in told {
        match told {
            Told::Event(Event::Message { data, .. }) => contents.extend(data.first()),
            Told::Event(Event::State { state, .. }) => contents.extend(state.iter()),
            _ => {}
        }
    }
    contents
}

fn judge(state: &State) -> Result<Checkers, Violation> {
    let mut checkers = Checkers::new();
    let mut record =
        |node: u32, what| checkers.record(Record { at: Duration::ZERO, member: member(node), group: group(), what });
    let mut left: Vec<(u32, &[Told])> = (1..).zip(state.nodes.iter().map(|node| &node.told[..])).collect();
    left.iter().try_for_each(|(node, _)| record(*node, What::Joined))?;
    let mut is_sent = BTreeSet::new();
    // What a node was told, as far as the messages in it were sent already.
    loop {
        let mut has_moved = false;
        for (node, told) in &mut left {
            while let Some((first, rest)) = told.split_first() {
                let view = |told: &[Told]| {
                    told.iter().rev().find_map(|told| {
                        if let Told::Event(Event::View { view, .. }) = told { Some(view.id) } else { None }
                    })
                };
                let all = &state.nodes[*node as usize - 1].told;
                let current = view(&all[..all.len() - rest.len()]);
                let what = match first {
                    Told::Sent(seq) => {
                        is_sent.insert((current, member(*node), *seq));
                        Some(What::Sent { seq: *seq, content: u64::from(*node) })
                    }
                    Told::Event(Event::Message { sender, seq, .. }) if !is_sent.contains(&(current, *sender, *seq)) => {
                        break;
                    }
                    Told::Event(Event::Message { sender, seq, data, .. }) => {
                        Some(What::Delivered { sender: *sender, seq: *seq, content: u64::from(data[0]) })
                    }
                    Told::Event(Event::View { view, .. }) => Some(What::View(view.clone())),
                    Told::Event(Event::Undelivered { view, first_seq, last_seq, .. }) => {
                        Some(What::Undelivered { view: *view, first_seq: *first_seq, last_seq: *last_seq })
                    }
                    Told::Event(Event::Synchronised { version, .. }) => {
                        let content = contents(&all[..all.len() - rest.len()])
                            .into_iter()
                            .fold(1, |sum, content| sum * 10 + u64::from(content));
                        Some(What::State { version: *version, content })
                    }
                    Told::Event(_) => None,
                };
                *told = rest;
                has_moved = true;
                what.map_or(Ok(()), |what| record(*node, what))?;
            }
        }
        if !has_moved {
            break;
        }
    }
    // A message that nobody has sent stays: let the checkers say so.
    for (node, told) in left {
        if let Some(Told::Event(Event::Message { sender, seq, .. })) = told.first() {
            record(node, What::Delivered { sender: *sender, seq: *seq, content: 0 })?;
        }
    }
    checkers.finish()?;
    Ok(checkers)
}

impl Bounds {
    fn change(&self, state: &mut State, loses: bool) {
        for side in &self.changes[state.changes] {
            if loses {
                self.lose(state, side);
            }
            state.ring += 1;
            let ring = RingId { sequence: state.ring, representative: side[0] };
            for node in side {
                let members = side.iter().copied().map(process).collect();
                let configuration = EngineEvent::Configuration(Configuration { ring, me: process(*node), members });
                let node = &mut state.nodes[*node as usize - 1];
                node.side = side.clone();
                node.ring = ring.sequence;
                node.inbox.push_back((ring.sequence, configuration));
            }
        }
        state.changes += 1;
    }

    /// Those of the side that were in one ring lose what others sent and none of them has taken.
    fn lose(&self, state: &mut State, side: &[u32]) {
        let rings: BTreeSet<u64> =
            state.nodes.iter().flat_map(|node| node.inbox.iter().map(|(ring, _)| *ring)).collect();
        for ring in rings {
            let kept = |node: u32| {
                state.nodes[node as usize - 1]
                    .inbox
                    .iter()
                    .filter(|(of, event)| *of == ring && matches!(event, EngineEvent::Message { .. }))
                    .count()
            };
            let together: Vec<u32> = side
                .iter()
                .copied()
                .filter(|node| state.nodes[*node as usize - 1].side == state.nodes[side[0] as usize - 1].side)
                .collect();
            let Some(fewest) = together.iter().map(|node| kept(*node)).min() else { continue };
            for node in &together {
                let inbox = &mut state.nodes[*node as usize - 1].inbox;
                let all = inbox
                    .iter()
                    .filter(|(of, event)| *of == ring && matches!(event, EngineEvent::Message { .. }))
                    .count();
                let mut at = 0;
                inbox.retain(|(of, event)| match event {
                    EngineEvent::Message { sender, .. } if *of == ring => {
                        at += 1;
                        at <= all - fewest || side.contains(&sender.node)
                    }
                    _ => true,
                });
            }
        }
    }
}

impl Model for Bounds {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let node = |node: u32| {
            let mut groups = Groups::new(self.begun, Options::new(member(node), "n", 1 << 20)).unwrap();
            groups.join(self.begun, group(), JoinOptions { has_state: self.has_state, version: None }).unwrap();
            Node {
                groups,
                ring: 0,
                side: Vec::new(),
                inbox: VecDeque::new(),
                unplaced: VecDeque::new(),
                told: Vec::new(),
            }
        };
        let mut state =
            State { nodes: (1..=self.nodes).map(node).collect(), ring: 0, changes: 0, has_sent: BTreeSet::new() };
        self.change(&mut state, false);
        // The first ring forms in one way only: what can go wrong in forming, later changes show.
        while let Some(node) = state.nodes.iter().position(|node| !node.inbox.is_empty() || !node.unplaced.is_empty()) {
            let step = if state.nodes[node].inbox.is_empty() {
                Step::Place(node as u32 + 1)
            } else {
                Step::Take(node as u32 + 1)
            };
            state = self.next_state(&state, step).unwrap();
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        for (number, node) in (1..).zip(&state.nodes) {
            if !node.inbox.is_empty() {
                actions.push(Step::Take(number));
            }
            if !node.unplaced.is_empty() {
                actions.push(Step::Place(number));
            }
            if self.senders.contains(&number) && !state.has_sent.contains(&number) {
                actions.push(Step::Send(number));
            }
        }
        if state.changes < self.changes.len() {
            actions.extend([Step::Change { loses: false }, Step::Change { loses: true }]);
        }
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut state = state.clone();
        match step {
            Step::Place(number) => {
                let node = &mut state.nodes[number as usize - 1];
                let data = node.unplaced.pop_front()?;
                let ring = node.ring;
                for to in node.side.clone() {
                    let event = EngineEvent::Message { sender: process(number), data: data.clone() };
                    let to = &mut state.nodes[to as usize - 1];
                    to.inbox.push_back((ring, event));
                }
            }
            Step::Take(number) => {
                let node = &mut state.nodes[number as usize - 1];
                let (_, event) = node.inbox.pop_front()?;
                node.groups.handle_engine(self.begun, event);
                node.drain(self.begun);
            }
            Step::Send(number) => {
                let node = &mut state.nodes[number as usize - 1];
                // Not now: then it is another run in which it sends later.
                let seq = node.groups.send(self.begun, &group(), Bytes::from(vec![number as u8])).ok()?;
                state.has_sent.insert(number);
                node.told.push(Told::Sent(seq));
                node.drain(self.begun);
            }
            Step::Change { loses } => self.change(&mut state, loses),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("what was told breaks no promise", |_, state: &State| {
                judge(state).inspect_err(tell).is_ok()
            }),
            Property::always("where nothing is left to come all have one view", |bounds: &Bounds, state: &State| {
                let is_over = state.changes == bounds.changes.len()
                    && state.nodes.iter().all(|node| node.inbox.is_empty() && node.unplaced.is_empty());
                let sides: Vec<BTreeSet<Member>> = bounds.changes[bounds.changes.len() - 1]
                    .iter()
                    .map(|side| side.iter().copied().map(member).collect())
                    .collect();
                !is_over || judge(state).is_ok_and(|checkers| checkers.converged(&group(), &sides).is_ok())
            }),
        ]
    }
}

/// stateright tells which property does not hold and how to get there, but not what was seen.
#[expect(clippy::print_stderr, reason = "it says why the test is about to fail")]
fn tell(violation: &Violation) {
    eprintln!("{violation}");
}

/// All runs, or the first so many steps of all of them; how many states there are.
fn explore(bounds: Bounds, depth: Option<usize>) -> usize {
    let builder = bounds.checker().threads(2);
    let builder = match depth {
        Some(depth) => builder.target_max_depth(depth),
        None => builder,
    };
    let checker = builder.spawn_bfs().join();
    checker.assert_no_discovery("what was told breaks no promise");
    checker.assert_no_discovery("where nothing is left to come all have one view");
    checker.unique_state_count()
}

fn bounds(nodes: u32, has_state: bool, changes: &[&[&[u32]]], senders: &[u32]) -> Bounds {
    let all: Vec<u32> = (1..=nodes).collect();
    let changes = changes.iter().map(|sides| sides.iter().map(|side| side.to_vec()).collect());
    Bounds {
        begun: Instant::now(),
        nodes,
        has_state,
        changes: std::iter::once(vec![all]).chain(changes).collect(),
        senders: senders.to_vec(),
    }
}

#[test]
fn two_members_that_are_parted_and_come_together_while_both_send() {
    // All runs: 8,635 states.
    let states = explore(bounds(2, true, &[&[&[1], &[2]], &[&[1, 2]]], &[1, 2]), None);
    assert!(states > 1_000, "{states}");
}

#[test]
fn three_members_of_whom_one_is_cut_off_while_it_sends() {
    // All runs: 46,496 states.
    let states = explore(bounds(3, false, &[&[&[1, 2], &[3]]], &[1, 3]), None);
    assert!(states > 1_000, "{states}");
}

#[test]
fn three_members_that_are_parted_and_come_together() {
    // The first so many steps. `HAMSA_DEPTH=1000` takes all runs: 729,038 states, in 20 s of a release build and 2 GB.
    let depth = std::env::var("HAMSA_DEPTH").ok().and_then(|depth| depth.parse().ok()).unwrap_or(14);
    let states = explore(bounds(3, true, &[&[&[1, 2], &[3]], &[&[1, 2, 3]]], &[3]), Some(depth));
    assert!(states > 1_000, "{states}");
}
