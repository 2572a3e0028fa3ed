//! Groups on a bus that gives every message to all at once, step by step: what a user is told, in order.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hamsa_group::limits::{MAX_BATCH_BYTES, MAX_FRAGMENT_BYTES, MAX_OUTGOING_MESSAGES, MIN_ENGINE_MESSAGE_BYTES};
use hamsa_group::{
    Cause, Configuration, EngineEvent, Event, GroupName, Groups, JoinError, JoinOptions, LinkStatus, Member, Options,
    Process, ProvideError, RingId, SendError, SetUpError, StateVersion, View,
};

const STATE: JoinOptions = JoinOptions { has_state: true, version: None };
const NO_STATE: JoinOptions = JoinOptions { has_state: false, version: None };

/// The processes, by their nodes' numbers, and the sides of the bus.
struct Bus {
    now: Instant,
    groups: BTreeMap<u32, Groups>,
    told: BTreeMap<u32, Vec<Event>>,
    sides: BTreeMap<u32, Vec<u32>>,
    ring: u64,
    /// A node that is given no packets of others, but their controls.
    lossy: Option<u32>,
}

fn name(name: &str) -> GroupName {
    GroupName::new(name).unwrap()
}

fn member(node: u32) -> Member {
    Member { node, incarnation: u64::from(node) * 1000 }
}

fn process(node: u32) -> Process {
    Process { node, process: 7 }
}

fn members(nodes: &[u32]) -> Vec<Member> {
    nodes.iter().copied().map(member).collect()
}

fn options(node: u32) -> Options {
    Options::new(member(node), format!("host-{node}"), MIN_ENGINE_MESSAGE_BYTES)
}

impl Bus {
    fn new(nodes: &[u32]) -> Self {
        let now = Instant::now();
        Bus {
            now,
            groups: nodes.iter().map(|node| (*node, Groups::new(now, options(*node)).unwrap())).collect(),
            told: BTreeMap::new(),
            sides: BTreeMap::new(),
            ring: 0,
            lossy: None,
        }
    }

    /// All on one side, in group `g`.
    fn together(nodes: &[u32], options: JoinOptions) -> Self {
        let mut bus = Bus::new(nodes);
        nodes.iter().for_each(|node| bus.join(*node, "g", options));
        bus.connect(&[nodes]);
        bus
    }

    fn of(&mut self, node: u32) -> &mut Groups {
        self.groups.get_mut(&node).unwrap()
    }

    fn join(&mut self, node: u32, group: &str, options: JoinOptions) {
        let now = self.now;
        self.of(node).join(now, name(group), options).unwrap();
    }

    /// New rings of these, and all that follows.
    fn connect(&mut self, sides: &[&[u32]]) {
        sides.iter().for_each(|side| self.configure(side, side));
        self.run();
    }

    fn configure(&mut self, side: &[u32], listed: &[u32]) {
        self.ring += 1;
        let ring = RingId { sequence: self.ring, representative: side[0] };
        for node in side {
            self.sides.insert(*node, side.to_vec());
            let members = listed.iter().copied().map(process).collect();
            let configuration = Configuration { ring, me: process(*node), members };
            self.give(*node, EngineEvent::Configuration(configuration));
        }
    }

    fn give(&mut self, node: u32, event: EngineEvent) {
        let now = self.now;
        self.of(node).handle_engine(now, event);
    }

    /// Carries messages until there are none.
    fn run(&mut self) {
        while self.step() {}
    }

    fn step(&mut self) -> bool {
        let nodes: Vec<u32> = self.groups.keys().copied().collect();
        let mut has_moved = false;
        for from in nodes {
            let Some(data) = self.of(from).poll_transmit() else { continue };
            self.of(from).transmitted();
            has_moved = true;
            for to in self.sides.get(&from).cloned().unwrap_or_default() {
                let is_packet = data[1] != 0;
                if self.lossy != Some(to) || from == to || !is_packet {
                    self.give(to, EngineEvent::Message { sender: process(from), data: data.clone() });
                }
            }
        }
        self.collect();
        has_moved
    }

    fn collect(&mut self) {
        for (node, groups) in &mut self.groups {
            self.told.entry(*node).or_default().extend(std::iter::from_fn(|| groups.poll_event()));
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        let now = self.now;
        for groups in self.groups.values_mut() {
            if groups.poll_timeout().is_some_and(|at| at <= now) {
                groups.handle_timeout(now);
            }
        }
        self.run();
    }

    fn told(&mut self, node: u32) -> Vec<Event> {
        self.collect();
        std::mem::take(self.told.entry(node).or_default())
    }

    fn forget(&mut self) {
        self.collect();
        self.told.clear();
    }

    fn put(&mut self, node: u32, group: &str, data: impl Into<Bytes>) -> Result<u64, SendError> {
        let now = self.now;
        self.of(node).send(now, &name(group), data.into())
    }

    fn send(&mut self, node: u32, data: &'static str) -> Result<u64, SendError> {
        let sent = self.put(node, "g", data);
        self.run();
        sent
    }

    /// Answers as a user would whose state is this text.
    fn provide(&mut self, node: u32, text: &'static str) {
        let view = self.view(node).unwrap().id;
        let now = self.now;
        self.of(node).provide_state(now, &name("g"), view, Bytes::from(text)).unwrap();
        self.run();
    }

    fn view_of(&self, node: u32, group: &str) -> Option<View> {
        self.groups[&node].status().groups.into_iter().find(|status| status.group == name(group))?.view
    }

    fn view(&self, node: u32) -> Option<View> {
        self.view_of(node, "g")
    }
}

fn only_view(events: &[Event]) -> &View {
    let mut views =
        events.iter().filter_map(|event| if let Event::View { view, .. } = event { Some(view) } else { None });
    let (Some(view), None) = (views.next(), views.next()) else { panic!("one view was expected: {events:?}") };
    view
}

fn texts(events: &[Event]) -> Vec<String> {
    let text = |event: &Event| match event {
        Event::Message { sender, data, .. } => Some(format!("{}:{}", sender.node, String::from_utf8_lossy(data))),
        Event::State { from, state, .. } => Some(format!("state of {}:{}", from.node, String::from_utf8_lossy(state))),
        Event::Synchronised { .. } => Some("synchronised".into()),
        _ => None,
    };
    events.iter().filter_map(text).collect()
}

#[test]
fn a_group_of_three_has_one_view_and_one_order() {
    let mut bus = Bus::together(&[1, 2, 3], NO_STATE);
    for node in [1, 2, 3] {
        let told = bus.told(node);
        let view = only_view(&told);
        assert_eq!(view.members, members(&[1, 2, 3]));
        assert_eq!((view.cause, view.previous, &view.came_with), (Cause::First, None, &members(&[node])));
    }
    for (node, text) in [(1, "a"), (2, "b"), (3, "c"), (1, "d")] {
        bus.put(node, "g", text).unwrap();
    }
    bus.run();
    for node in [1, 2, 3] {
        assert_eq!(texts(&bus.told(node)), ["1:a", "1:d", "2:b", "3:c"]);
    }
}

#[test]
fn members_that_stay_together_are_told_so_after_a_cut_and_a_heal() {
    let mut bus = Bus::together(&[1, 2, 3], NO_STATE);
    bus.forget();
    bus.connect(&[&[1], &[2, 3]]);
    let told = bus.told(2);
    let view = only_view(&told);
    assert_eq!((view.cause, &view.members, &view.came_with), (Cause::Cut, &members(&[2, 3]), &members(&[2, 3])));
    bus.send(1, "alone").unwrap();
    bus.send(3, "two").unwrap();
    bus.forget();
    bus.connect(&[&[1, 2, 3]]);
    for (node, came_with) in [(1, &[1][..]), (2, &[2, 3]), (3, &[2, 3])] {
        let told = bus.told(node);
        let view = only_view(&told);
        assert_eq!((view.cause, &view.came_with), (Cause::Reached, &members(came_with)));
    }
}

#[test]
fn a_change_that_touches_no_member_of_the_group_leaves_its_view() {
    let mut bus = Bus::new(&[1, 2, 3]);
    bus.join(1, "g", STATE);
    bus.join(2, "g", STATE);
    bus.connect(&[&[1, 2, 3]]);
    let before = bus.view(1).unwrap();
    bus.forget();
    bus.connect(&[&[1, 2], &[3]]);
    bus.send(1, "on").unwrap();
    bus.connect(&[&[1, 2, 3]]);
    assert_eq!(bus.view(1).unwrap(), before);
    assert_eq!(texts(&bus.told(2)), ["1:on"]);
}

#[test]
fn a_newcomer_holds_messages_back_until_it_has_the_state() {
    let mut bus = Bus::new(&[1, 2, 3]);
    bus.join(1, "g", STATE);
    bus.join(2, "g", STATE);
    bus.connect(&[&[1, 2, 3]]);
    bus.send(1, "a").unwrap();
    bus.forget();
    bus.join(3, "g", STATE);
    bus.run();
    let told = bus.told(1);
    let view = only_view(&told);
    assert_eq!((view.cause, &view.came_with), (Cause::Joined, &members(&[1, 2])));
    assert!(told.iter().any(|event| matches!(event, Event::StateWanted { .. })), "{told:?}");
    // The old members go on meanwhile, and the newcomer can't send.
    bus.send(2, "b").unwrap();
    assert_eq!(texts(&bus.told(2)), ["synchronised", "2:b"]);
    assert_eq!(bus.send(3, "early"), Err(SendError::WouldBlock(name("g"))));
    assert_eq!(texts(&bus.told(3)), Vec::<String>::new());
    bus.provide(1, "a");
    let told = bus.told(3);
    assert_eq!(texts(&told), ["state of 1:a", "synchronised", "2:b"]);
    assert!(told.contains(&Event::Writable { group: name("g") }), "{told:?}");
    let versions: Vec<_> = bus.groups.values().map(|groups| groups.status().groups[0].version).collect();
    assert!(versions.iter().all(|version| version.is_some() && *version == versions[0]), "{versions:?}");
}

#[test]
fn branches_give_each_other_their_states_after_a_split() {
    let mut bus = Bus::together(&[1, 2, 3, 4], STATE);
    bus.connect(&[&[1, 2], &[3, 4]]);
    bus.send(1, "left").unwrap();
    bus.send(4, "right").unwrap();
    bus.forget();
    bus.connect(&[&[1, 2, 3, 4]]);
    let view = bus.view(2).unwrap();
    let mut branches: Vec<_> = view.branches.iter().map(|branch| branch.members.clone()).collect();
    branches.sort();
    assert_eq!(branches, [members(&[1, 2]), members(&[3, 4])]);
    bus.provide(1, "left");
    assert_eq!(bus.send(1, "not yet"), Err(SendError::WouldBlock(name("g"))));
    bus.provide(3, "right");
    let (left, right) = ("state of 1:left", "state of 3:right");
    for (node, state) in [(1, right), (2, right), (3, left), (4, left)] {
        assert_eq!(texts(&bus.told(node)), [state, "synchronised"]);
    }
}

#[test]
fn a_restarted_member_with_an_old_state_is_a_branch_of_its_own() {
    let mut bus = Bus::together(&[1, 2], STATE);
    bus.send(1, "a").unwrap();
    let kept = bus.of(2).status().groups[0].version;
    bus.connect(&[&[1]]);
    bus.send(1, "b").unwrap();
    let options = Options { me: Member { node: 2, incarnation: 9 }, ..options(2) };
    let mut again = Groups::new(bus.now, options).unwrap();
    again.join(bus.now, name("g"), JoinOptions { has_state: true, version: kept }).unwrap();
    bus.groups.insert(2, again);
    bus.connect(&[&[1, 2]]);
    let branches = bus.view(1).unwrap().branches;
    let versions: Vec<Option<StateVersion>> = branches.iter().map(|branch| branch.version).collect();
    assert_eq!(versions.len(), 2);
    assert!(versions.contains(&kept), "{versions:?}");
}

#[test]
fn a_message_that_does_not_make_it_into_its_view_is_told_of() {
    let mut bus = Bus::together(&[1, 2], NO_STATE);
    bus.forget();
    assert_eq!(bus.put(1, "g", "one"), Ok(1));
    assert_eq!(bus.put(1, "g", vec![0; 300_000]), Ok(2));
    // The first goes out, and a part of the second.
    bus.step();
    bus.step();
    bus.connect(&[&[1], &[2]]);
    let told = bus.told(1);
    let lost = told.iter().position(|event| matches!(event, Event::Undelivered { first_seq: 2, last_seq: 2, .. }));
    let view = told.iter().position(|event| matches!(event, Event::View { .. }));
    assert!(lost.is_some() && lost < view, "{told:?}");
    assert_eq!(texts(&bus.told(2)), ["1:one"]);
}

#[test]
fn long_messages_come_whole_and_let_others_through() {
    let mut bus = Bus::together(&[1, 2], NO_STATE);
    bus.join(1, "h", NO_STATE);
    bus.join(2, "h", NO_STATE);
    bus.run();
    bus.forget();
    let long: Vec<u8> = (0..30_000_000_u32).map(|at| (at / 7) as u8).collect();
    bus.put(1, "g", long.clone()).unwrap();
    bus.put(1, "h", "short").unwrap();
    bus.run();
    let told = bus.told(2);
    let data = |event: &Event| if let Event::Message { data, .. } = event { Some(data.clone()) } else { None };
    let contents: Vec<Bytes> = told.iter().filter_map(data).collect();
    assert_eq!(contents.len(), 2);
    assert_eq!(contents[0], "short");
    assert!(contents[1] == long, "the long message was changed");
}

#[test]
fn small_messages_that_wait_go_together_and_long_ones_alone() {
    let mut bus = Bus::together(&[1, 2], NO_STATE);
    for node in [1, 2] {
        bus.join(node, "h", NO_STATE);
    }
    bus.run();
    bus.forget();
    let (now, long) = (bus.now, MAX_FRAGMENT_BYTES);
    let lengths: Vec<usize> = (0..300).map(|number| if number % 100 == 50 { long } else { number % 100 }).collect();
    for length in &lengths {
        for group in ["g", "h"] {
            bus.of(1).send(now, &name(group), vec![b'x'; *length].into()).unwrap();
        }
    }
    let mut frames = Vec::new();
    while let Some(frame) = bus.of(1).poll_transmit() {
        assert_eq!(bus.of(1).poll_transmit(), Some(frame.clone()), "the same until it is taken");
        bus.of(1).transmitted();
        frames.push(frame);
    }
    // Some 15,000 octets a group, and three long ones.
    assert!(frames.len() < 20, "{} frames", frames.len());
    assert!(frames.iter().all(|frame| frame.len() <= MAX_BATCH_BYTES || frame.len() >= long));
    for frame in frames {
        bus.give(2, EngineEvent::Message { sender: process(1), data: frame });
    }
    let mut came: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for event in bus.told(2) {
        let Event::Message { group, seq, data, .. } = event else { panic!("{event:?}") };
        let of_group = came.entry(group.to_string()).or_default();
        of_group.push(data.len());
        assert_eq!(seq, of_group.len() as u64);
    }
    assert_eq!(came, BTreeMap::from([("g".to_owned(), lengths.clone()), ("h".to_owned(), lengths)]));
}

#[test]
fn send_blocks_when_too_much_waits_and_tells_when_there_is_room() {
    let mut bus = Bus::together(&[1, 2], NO_STATE);
    bus.forget();
    for _ in 0..MAX_OUTGOING_MESSAGES {
        bus.put(1, "g", "x").unwrap();
    }
    assert_eq!(bus.put(1, "g", "y"), Err(SendError::WouldBlock(name("g"))));
    bus.run();
    let writable = Event::Writable { group: name("g") };
    assert_eq!(bus.told(1).iter().filter(|event| **event == writable).count(), 1);
    assert_eq!(texts(&bus.told(2)).len(), MAX_OUTGOING_MESSAGES);
}

#[test]
fn a_member_that_has_missed_a_message_is_not_said_to_have_come_along() {
    let mut bus = Bus::together(&[1, 2, 3], STATE);
    bus.forget();
    bus.lossy = Some(3);
    bus.send(1, "lost").unwrap();
    bus.lossy = None;
    assert_eq!(texts(&bus.told(3)), Vec::<String>::new());
    // It finds out with the next, and all make a new view, in which it is given the state.
    bus.send(1, "found").unwrap();
    let view = bus.view(3).unwrap();
    assert_eq!((view.cause, &view.came_with), (Cause::Repaired, &members(&[3])));
    assert_eq!(bus.view(1).unwrap().came_with, members(&[1, 2]));
    bus.provide(1, "lost, found");
    bus.provide(3, "");
    assert_eq!(texts(&bus.told(3)), ["state of 1:lost, found", "synchronised"]);
    assert_eq!(bus.of(3).status().groups[0].counters.missed, 1);
}

/// Found by seed 302 of the simulation over the embedded engine.
#[test]
fn what_a_slow_member_has_sent_while_one_was_away_is_not_missed() {
    let mut bus = Bus::together(&[1, 2, 3], NO_STATE);
    let tell = |bus: &mut Bus, node: u32, sequence: u64, listed: &[u32]| {
        let ring = RingId { sequence, representative: 1 };
        let members = listed.iter().copied().map(process).collect();
        bus.give(node, EngineEvent::Configuration(Configuration { ring, me: process(node), members }));
    };
    let say = |bus: &mut Bus, text: &'static str, to: &[u32]| {
        bus.put(2, "g", text).unwrap();
        let data = bus.of(2).poll_transmit().unwrap();
        bus.of(2).transmitted();
        for node in to {
            bus.give(*node, EngineEvent::Message { sender: process(2), data: data.clone() });
        }
    };
    // 3 is cut off, and comes back; 2 reads nothing of it all.
    tell(&mut bus, 1, 10, &[1, 2]);
    say(&mut bus, "while 3 is away", &[1]);
    tell(&mut bus, 1, 11, &[1, 2, 3]);
    tell(&mut bus, 3, 11, &[1, 2, 3]);
    say(&mut bus, "when it is back", &[1, 3]);
    let missed = |bus: &mut Bus, node| bus.of(node).status().groups[0].counters.missed;
    assert_eq!((missed(&mut bus, 1), missed(&mut bus, 3)), (0, 0));
    assert_eq!(texts(&bus.told(3)), [""; 0]);
}

#[test]
fn a_ghost_is_not_waited_for_and_may_come_late() {
    let mut bus = Bus::new(&[1, 2, 3]);
    [1, 2, 3].iter().for_each(|node| bus.join(*node, "g", NO_STATE));
    // The engine lists 3, but nothing comes of it.
    bus.configure(&[1, 2], &[1, 2, 3]);
    bus.run();
    assert_eq!(bus.view(1), None);
    bus.wait(Duration::from_secs(3));
    assert_eq!(bus.view(1).unwrap().members, members(&[1, 2]));
    assert!(matches!(bus.of(1).status().link, LinkStatus::Settled { .. }));
    // Now it wakes up: it was in that ring all the time.
    let ring = RingId { sequence: bus.ring, representative: 1 };
    [1, 2, 3].iter().for_each(|node| drop(bus.sides.insert(*node, vec![1, 2, 3])));
    let members_now = [1, 2, 3].map(process).to_vec();
    bus.give(3, EngineEvent::Configuration(Configuration { ring, me: process(3), members: members_now }));
    bus.run();
    for node in [1, 2, 3] {
        assert_eq!(bus.view(node).unwrap().members, members(&[1, 2, 3]), "at {node}");
    }
}

#[test]
fn a_process_without_an_engine_goes_on_alone_and_comes_back() {
    let mut bus = Bus::together(&[1, 2], STATE);
    bus.forget();
    bus.give(1, EngineEvent::Lost { reason: "killed".into() });
    assert_eq!(bus.send(1, "x"), Err(SendError::WouldBlock(name("g"))));
    assert!(matches!(&bus.told(1)[..], [Event::EngineLost { .. }]));
    bus.connect(&[&[2]]);
    bus.wait(Duration::from_secs(6));
    let told = bus.told(1);
    let view = only_view(&told);
    assert_eq!((view.cause, &view.members), (Cause::EngineLost, &members(&[1])));
    assert_eq!(bus.send(1, "alone"), Ok(1));
    assert_eq!(texts(&bus.told(1)), ["1:alone"]);
    assert!(matches!(bus.of(1).status().link, LinkStatus::Alone { .. }));
    bus.connect(&[&[1, 2]]);
    let view = bus.view(1).unwrap();
    assert_eq!((view.cause, view.branches.len(), &view.members), (Cause::Reached, 2, &members(&[1, 2])));
}

#[test]
fn nobody_sends_in_a_view_that_he_has_not_been_told_of() {
    let mut bus = Bus::together(&[1, 2], NO_STATE);
    bus.forget();
    bus.configure(&[1], &[1]);
    while let Some(data) = bus.of(1).poll_transmit() {
        bus.of(1).transmitted();
        bus.give(1, EngineEvent::Message { sender: process(1), data });
    }
    // The view is there, but its event has not been taken.
    assert_eq!(bus.put(1, "g", "too early"), Err(SendError::WouldBlock(name("g"))));
    let told = bus.told(1);
    assert_eq!(only_view(&told).members, members(&[1]));
    assert_eq!(told.last(), Some(&Event::Writable { group: name("g") }));
    assert_eq!(bus.put(1, "g", "in it"), Ok(1));
}

#[test]
fn who_leaves_is_in_no_view_and_its_epochs_are_not_used_again() {
    let mut bus = Bus::together(&[1, 2], NO_STATE);
    bus.forget();
    let now = bus.now;
    assert!(bus.of(2).leave(now, &name("g")));
    assert!(!bus.of(2).leave(now, &name("g")));
    bus.run();
    let told = bus.told(1);
    let view = only_view(&told);
    assert_eq!((view.cause, &view.members), (Cause::Left, &members(&[1])));
    let epoch = view.id.epoch;
    assert_eq!(bus.send(2, "x"), Err(SendError::NotJoined(name("g"))));
    bus.join(2, "g", NO_STATE);
    assert_eq!(bus.of(2).join(now, name("g"), NO_STATE), Err(JoinError::Twice(name("g"))));
    bus.run();
    assert!(bus.view(2).unwrap().id.epoch > epoch);
}

#[test]
fn joins_and_leaves_during_an_exchange_are_not_forgotten() {
    let mut bus = Bus::together(&[1, 2], NO_STATE);
    let now = bus.now;
    bus.configure(&[1, 2], &[1, 2]);
    bus.of(1).leave(now, &name("g"));
    bus.join(1, "h", NO_STATE);
    bus.join(2, "h", NO_STATE);
    bus.run();
    assert_eq!(bus.view(2).unwrap().members, members(&[2]));
    assert_eq!(bus.view_of(1, "h").unwrap().members, members(&[1, 2]));
    assert_eq!(bus.view_of(2, "h").unwrap().members, members(&[1, 2]));
}

#[test]
fn what_is_wrong_with_arguments_is_said() {
    let now = Instant::now();
    let refused = |options| Groups::new(now, options).map(drop).unwrap_err();
    assert_eq!(refused(Options { me: member(0), ..options(1) }), SetUpError::NodeZero);
    assert_eq!(refused(Options { name: String::new(), ..options(1) }), SetUpError::Name { length: 0 });
    assert_eq!(refused(Options { max_message_bytes: 10, ..options(1) }), SetUpError::EngineMessage { max: 10 });
    let error = GroupName::new("a b").unwrap_err().to_string();
    assert!(error.contains("`a b`") && error.contains("octet 1"), "{error}");
    let mut bus = Bus::together(&[1], STATE);
    let id = bus.view(1).unwrap().id;
    let provided = bus.of(1).provide_state(now, &name("g"), id, Bytes::new());
    assert_eq!(provided, Err(ProvideError::NotWanted(name("g"))));
}

#[test]
fn hostile_frames_are_counted_and_change_nothing() {
    let mut bus = Bus::together(&[1, 2], STATE);
    let before = bus.view(1).unwrap();
    let frames = [&b""[..], b"\x01", b"\x02\x00", b"\x01\x09", b"\x01\x00\xff\xff\xff", b"\x01\x01\xff"];
    for data in frames {
        bus.give(1, EngineEvent::Message { sender: process(2), data: Bytes::from_static(data) });
    }
    bus.run();
    assert_eq!(bus.of(1).status().counters.unreadable, 6);
    assert_eq!(bus.view(1).unwrap(), before);
}
