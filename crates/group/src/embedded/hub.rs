//! The sequencer: everyone attached has a bounded queue, and a message gets its place in all queues of its sender's side at once.
//!
//! That gives E1 to E4 of [`crate::engine`] by construction: who shares a side is given the same until the side changes, and then
//! all of it are told at one place. A queue that is full takes no more, so the slowest holds the senders up; who takes
//! nothing for [`EMBEDDED_TAKE_PATIENCE`] is dropped, so that it does not hold them up for ever.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::engine::{Capabilities, Configuration, EngineEvent, EngineSendError, Process, RingId};
use crate::limits::{
    EMBEDDED_MAX_MESSAGE_BYTES, EMBEDDED_MAX_PROCESSES, EMBEDDED_QUEUE_BYTES, EMBEDDED_QUEUE_MESSAGES,
    EMBEDDED_TAKE_PATIENCE,
};

/// A process can't be attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttachError {
    /// Nodes are numbered from 1.
    #[error("node numbers begin with 1")]
    NodeZero,
    /// Too many are.
    #[error("{EMBEDDED_MAX_PROCESSES} processes are attached, the most that the embedded engine has room for")]
    Full,
}

/// The engine of all processes that are attached to it.
#[derive(Debug, Default)]
pub struct Hub {
    last_sequence: u64,
    last_process: u32,
    attached: BTreeMap<Process, Attached>,
    /// As they were last told.
    rings: BTreeMap<u64, BTreeSet<Process>>,
    /// Which side each node is on; nodes that are not named are on side 0.
    sides: BTreeMap<u32, u32>,
    delays: BTreeMap<u32, Duration>,
}

#[derive(Debug)]
struct Attached {
    /// The sequence number of its ring; `None`: it was dropped, and only has to be told so.
    ring: Option<u64>,
    queue: VecDeque<Queued>,
    bytes: usize,
    /// When it last took something.
    taken_at: Instant,
}

#[derive(Debug)]
struct Queued {
    due: Instant,
    event: EngineEvent,
}

impl Hub {
    /// With nobody attached.
    pub fn new() -> Self {
        Hub::default()
    }

    /// What every engine of this kind can do.
    pub const fn capabilities() -> Capabilities {
        Capabilities {
            engine: "embedded",
            max_message_bytes: EMBEDDED_MAX_MESSAGE_BYTES,
            max_nodes: EMBEDDED_MAX_PROCESSES,
            is_wide_area: false,
        }
    }

    /// Attaches a process of a node: its name until it is detached. `seen` is the sequence number of the last ring that it was in,
    /// of another hub perhaps: rings to come have greater ones.
    pub fn attach(&mut self, now: Instant, node: u32, seen: u64) -> Result<Process, AttachError> {
        if node == 0 {
            return Err(AttachError::NodeZero);
        }
        if self.attached.len() >= EMBEDDED_MAX_PROCESSES {
            return Err(AttachError::Full);
        }
        self.last_sequence = self.last_sequence.max(seen);
        self.last_process = self.last_process.wrapping_add(1);
        let process = Process { node, process: self.last_process };
        let attached = Attached { ring: Some(0), queue: VecDeque::new(), bytes: 0, taken_at: now };
        self.attached.insert(process, attached);
        self.reform(now);
        Ok(process)
    }

    /// A process has gone by itself, and is told nothing more.
    pub fn detach(&mut self, now: Instant, process: Process) {
        self.attached.remove(&process);
        self.reform(now);
    }

    /// Ends a process's attachment as a fault would: the engine is lost to it. Whether it was attached.
    pub fn drop_process(&mut self, now: Instant, process: Process) -> bool {
        self.lose(now, process, "it was dropped on purpose")
    }

    /// Nodes reach those on the same side only, until [`Hub::heal`] or the next cut. Nodes that are not named are on side 0.
    pub fn cut(&mut self, now: Instant, sides: BTreeMap<u32, u32>) {
        self.sides = sides;
        self.reform(now);
    }

    /// All nodes reach each other, without delay.
    pub fn heal(&mut self, now: Instant) {
        self.delays.clear();
        self.cut(now, BTreeMap::new());
    }

    /// A node is given what comes from now on so late.
    pub fn delay(&mut self, node: u32, delay: Duration) {
        if delay.is_zero() {
            self.delays.remove(&node);
        } else {
            self.delays.insert(node, delay);
        }
    }

    /// Who is attached.
    pub fn processes(&self) -> impl Iterator<Item = Process> {
        self.attached.iter().filter(|(_, attached)| attached.ring.is_some()).map(|(process, _)| *process)
    }

    /// Gives a message its place, for all on the sender's side.
    ///
    /// # Errors
    /// `Full` while one of them has no room for it.
    pub fn send(&mut self, now: Instant, process: Process, data: Bytes) -> Result<(), EngineSendError> {
        let length = data.len();
        if length > EMBEDDED_MAX_MESSAGE_BYTES {
            return Err(EngineSendError::TooLong { length, max: EMBEDDED_MAX_MESSAGE_BYTES });
        }
        let ring = self.attached.get(&process).and_then(|sender| sender.ring).ok_or(EngineSendError::Lost)?;
        let mut receivers = self.attached.values().filter(|other| other.ring == Some(ring));
        if !receivers.all(|receiver| receiver.has_room_for(length)) {
            return Err(EngineSendError::Full);
        }
        for (receiver, attached) in self.attached.iter_mut().filter(|(_, other)| other.ring == Some(ring)) {
            let delay = self.delays.get(&receiver.node).copied().unwrap_or_default();
            attached.put(now + delay, now, EngineEvent::Message { sender: process, data: data.clone() });
        }
        Ok(())
    }

    /// What a process is given now.
    pub fn poll_event(&mut self, now: Instant, process: Process) -> Option<EngineEvent> {
        let attached = self.attached.get_mut(&process)?;
        if attached.queue.front()?.due > now {
            return None;
        }
        let Queued { event, .. } = attached.queue.pop_front()?;
        attached.bytes -= length(&event);
        attached.taken_at = now;
        if matches!(event, EngineEvent::Lost { .. }) {
            self.attached.remove(&process);
        }
        Some(event)
    }

    /// When [`Hub::poll_event`] has something for a process; `None` while its queue is empty.
    pub fn due(&self, process: Process) -> Option<Instant> {
        self.attached.get(&process)?.queue.front().map(|queued| queued.due)
    }

    /// When [`Hub::handle_timeout`] has something to do, if nobody takes anything until then.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.attached.values().filter_map(Attached::patience_ends).min()
    }

    /// Drops those who have taken nothing for too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        let is_late = |attached: &Attached| attached.patience_ends().is_some_and(|end| end <= now);
        let late: Vec<Process> =
            self.attached.iter().filter(|(_, attached)| is_late(attached)).map(|(process, _)| *process).collect();
        for process in late {
            self.lose(now, process, "it took nothing for too long");
        }
    }

    fn lose(&mut self, now: Instant, process: Process, reason: &str) -> bool {
        let Some(attached) = self.attached.get_mut(&process).filter(|attached| attached.ring.is_some()) else {
            return false;
        };
        attached.ring = None;
        attached.queue.clear();
        attached.bytes = 0;
        attached.put(now, now, EngineEvent::Lost { reason: reason.into() });
        self.reform(now);
        true
    }

    /// Tells each side whose members have changed.
    fn reform(&mut self, now: Instant) {
        let mut sides: BTreeMap<u32, BTreeSet<Process>> = BTreeMap::new();
        for (process, _) in self.attached.iter().filter(|(_, attached)| attached.ring.is_some()) {
            let side = self.sides.get(&process.node).copied().unwrap_or(0);
            sides.entry(side).or_default().insert(*process);
        }
        let before = std::mem::take(&mut self.rings);
        for members in sides.into_values() {
            if let Some((sequence, _)) = before.iter().find(|(_, others)| **others == members) {
                self.rings.insert(*sequence, members);
                continue;
            }
            self.last_sequence += 1;
            let sequence = self.last_sequence;
            let ring = RingId { sequence, representative: members.first().map_or(0, |first| first.node) };
            for me in &members {
                let delay = self.delays.get(&me.node).copied().unwrap_or_default();
                let Some(attached) = self.attached.get_mut(me) else { continue };
                attached.ring = Some(sequence);
                let configuration = Configuration { ring, me: *me, members: members.iter().copied().collect() };
                attached.put(now + delay, now, EngineEvent::Configuration(configuration));
            }
            self.rings.insert(sequence, members);
        }
    }
}

impl Attached {
    fn has_room_for(&self, bytes: usize) -> bool {
        let is_within = self.queue.len() < EMBEDDED_QUEUE_MESSAGES && self.bytes + bytes <= EMBEDDED_QUEUE_BYTES;
        is_within || self.queue.is_empty()
    }

    fn put(&mut self, due: Instant, now: Instant, event: EngineEvent) {
        let is_change = matches!(event, EngineEvent::Configuration(_));
        match self.queue.back_mut() {
            // Nothing was said in that configuration, so nobody misses it; and the queue stays bounded, whatever changes.
            Some(Queued { event: last @ EngineEvent::Configuration(_), .. }) if is_change => *last = event,
            last => {
                // A delay that was shortened overtakes nothing.
                let due = last.map_or(due, |last| due.max(last.due));
                if self.queue.is_empty() {
                    self.taken_at = now;
                }
                self.bytes += length(&event);
                self.queue.push_back(Queued { due, event });
            }
        }
    }

    /// When it has had something to take for too long.
    fn patience_ends(&self) -> Option<Instant> {
        let first = self.queue.front().filter(|_| self.ring.is_some())?;
        Some(first.due.max(self.taken_at) + EMBEDDED_TAKE_PATIENCE)
    }
}

fn length(event: &EngineEvent) -> usize {
    match event {
        EngineEvent::Message { data, .. } => data.len(),
        EngineEvent::Configuration(_) | EngineEvent::Lost { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Setting {
        hub: Hub,
        now: Instant,
        processes: Vec<Process>,
    }

    impl Setting {
        /// Nodes 1 to `nodes`, of which all have taken what came first.
        fn of(nodes: u32) -> Self {
            let (mut hub, now) = (Hub::new(), Instant::now());
            let processes = (1..=nodes).map(|node| hub.attach(now, node, 0).unwrap()).collect();
            let mut setting = Setting { hub, now, processes };
            (0..nodes as usize).for_each(|at| drop(setting.take(at)));
            setting
        }

        fn take(&mut self, at: usize) -> Vec<EngineEvent> {
            std::iter::from_fn(|| self.hub.poll_event(self.now, self.processes[at])).collect()
        }

        fn send(&mut self, at: usize, data: &'static [u8]) -> Result<(), EngineSendError> {
            self.hub.send(self.now, self.processes[at], Bytes::from_static(data))
        }

        fn message(&self, at: usize, data: &'static [u8]) -> EngineEvent {
            EngineEvent::Message { sender: self.processes[at], data: Bytes::from_static(data) }
        }

        fn configuration(&self, sequence: u64, me: usize, members: &[usize]) -> EngineEvent {
            let members: Vec<Process> = members.iter().map(|at| self.processes[*at]).collect();
            let ring = RingId { sequence, representative: members[0].node };
            EngineEvent::Configuration(Configuration { ring, me: self.processes[me], members })
        }
    }

    #[test]
    fn all_are_given_the_same_in_one_order() {
        let mut setting = Setting::of(3);
        for (at, data) in [(0, b"a"), (2, b"b"), (0, b"c"), (1, b"d")] {
            setting.send(at, data).unwrap();
        }
        let expected: Vec<_> = [(0, b"a"), (2, b"b"), (0, b"c"), (1, b"d")]
            .into_iter()
            .map(|(at, data)| setting.message(at, data))
            .collect();
        for at in 0..3 {
            assert_eq!(setting.take(at), expected);
        }
    }

    #[test]
    fn the_first_event_is_a_configuration_with_oneself_and_changes_are_told_at_one_place() {
        let (mut hub, now) = (Hub::new(), Instant::now());
        let first = hub.attach(now, 7, 41).unwrap();
        let Some(EngineEvent::Configuration(configuration)) = hub.poll_event(now, first) else { panic!("none") };
        assert_eq!((configuration.me, configuration.members), (first, vec![first]));
        assert_eq!(configuration.ring, RingId { sequence: 42, representative: 7 });
        hub.send(now, first, Bytes::from_static(b"alone")).unwrap();
        let second = hub.attach(now, 3, 0).unwrap();
        hub.send(now, second, Bytes::from_static(b"together")).unwrap();
        let names = |event| match event {
            EngineEvent::Configuration(configuration) => configuration.ring.to_string(),
            EngineEvent::Message { data, .. } => String::from_utf8(data.to_vec()).unwrap(),
            EngineEvent::Lost { reason } => reason,
        };
        let told: Vec<String> = std::iter::from_fn(|| hub.poll_event(now, first)).map(names).collect();
        assert_eq!(told, ["alone", "43@3", "together"]);
        let told: Vec<String> = std::iter::from_fn(|| hub.poll_event(now, second)).map(names).collect();
        assert_eq!(told, ["43@3", "together"]);
        assert_eq!(hub.attach(now, 0, 0), Err(AttachError::NodeZero));
    }

    #[test]
    fn sides_of_a_cut_go_on_apart_and_a_side_that_stays_the_same_is_told_nothing() {
        let mut setting = Setting::of(3);
        setting.hub.cut(setting.now, BTreeMap::from([(3, 1)]));
        setting.send(0, b"here").unwrap();
        setting.send(2, b"there").unwrap();
        let here = [setting.configuration(4, 0, &[0, 1]), setting.message(0, b"here")];
        assert_eq!(setting.take(0), here);
        assert_eq!(setting.take(1)[1], here[1]);
        assert_eq!(setting.take(2), [setting.configuration(5, 2, &[2]), setting.message(2, b"there")]);
        setting.hub.cut(setting.now, BTreeMap::from([(3, 9)]));
        assert_eq!(setting.hub.due(setting.processes[0]), None);
        setting.hub.heal(setting.now);
        assert_eq!(setting.take(1), [setting.configuration(6, 1, &[0, 1, 2])]);
    }

    #[test]
    fn who_leaves_or_is_dropped_is_in_no_ring_any_more() {
        let mut setting = Setting::of(3);
        setting.hub.detach(setting.now, setting.processes[0]);
        assert_eq!(setting.send(0, b"x"), Err(EngineSendError::Lost));
        assert_eq!(setting.take(1), [setting.configuration(4, 1, &[1, 2])]);
        assert!(setting.hub.drop_process(setting.now, setting.processes[2]));
        assert!(!setting.hub.drop_process(setting.now, setting.processes[2]));
        assert_eq!(setting.send(2, b"x"), Err(EngineSendError::Lost));
        assert!(matches!(setting.take(2)[..], [EngineEvent::Lost { .. }]));
        assert_eq!(setting.take(1), [setting.configuration(5, 1, &[1])]);
        assert_eq!(setting.hub.processes().collect::<Vec<_>>(), [setting.processes[1]]);
    }

    #[test]
    fn the_slow_hold_the_senders_up_and_who_takes_nothing_is_dropped() {
        let mut setting = Setting::of(2);
        for _ in 0..EMBEDDED_QUEUE_MESSAGES {
            setting.send(0, b"x").unwrap();
            setting.take(0);
        }
        assert_eq!(setting.send(0, b"x"), Err(EngineSendError::Full));
        setting.hub.poll_event(setting.now, setting.processes[1]).unwrap();
        setting.send(0, b"x").unwrap();
        setting.take(0);
        let end = setting.hub.poll_timeout().unwrap();
        assert_eq!(end, setting.now + EMBEDDED_TAKE_PATIENCE);
        setting.hub.handle_timeout(end - Duration::from_millis(1));
        assert_eq!(setting.send(0, b"x"), Err(EngineSendError::Full));
        setting.now = end;
        setting.hub.handle_timeout(end);
        assert_eq!(setting.take(0), [setting.configuration(3, 0, &[0])]);
        setting.send(0, b"x").unwrap();
        assert!(matches!(setting.take(1)[..], [EngineEvent::Lost { .. }]));
    }

    #[test]
    fn queues_are_bounded_by_octets_too_and_by_nothing_that_changes() {
        let mut setting = Setting::of(2);
        let long = Bytes::from(vec![0; EMBEDDED_MAX_MESSAGE_BYTES]);
        let mut taken = 0;
        while setting.hub.send(setting.now, setting.processes[0], long.clone()).is_ok() {
            taken += 1;
        }
        assert_eq!(taken, EMBEDDED_QUEUE_BYTES / EMBEDDED_MAX_MESSAGE_BYTES);
        for side in 0..1000 {
            setting.hub.cut(setting.now, BTreeMap::from([(2, side % 2)]));
        }
        assert_eq!(setting.take(1).len(), taken + 1);
        let too_long = Bytes::from(vec![0; EMBEDDED_MAX_MESSAGE_BYTES + 1]);
        let refused = setting.hub.send(setting.now, setting.processes[0], too_long);
        assert!(matches!(refused, Err(EngineSendError::TooLong { .. })));
    }

    #[test]
    fn delays_hold_back_and_keep_the_order() {
        let mut setting = Setting::of(2);
        setting.hub.delay(2, Duration::from_millis(200));
        setting.send(0, b"late").unwrap();
        setting.hub.delay(2, Duration::ZERO);
        setting.send(0, b"prompt").unwrap();
        assert_eq!(setting.take(0).len(), 2);
        assert_eq!(setting.take(1), []);
        assert_eq!(setting.hub.due(setting.processes[1]), Some(setting.now + Duration::from_millis(200)));
        setting.now += Duration::from_millis(200);
        assert_eq!(setting.take(1), [setting.message(0, b"late"), setting.message(0, b"prompt")]);
    }

    #[test]
    fn there_is_a_last_place() {
        let (mut hub, now) = (Hub::new(), Instant::now());
        for node in 1..=EMBEDDED_MAX_PROCESSES as u32 {
            hub.attach(now, node, 0).unwrap();
        }
        assert_eq!(hub.attach(now, 1, 0), Err(AttachError::Full));
    }
}
