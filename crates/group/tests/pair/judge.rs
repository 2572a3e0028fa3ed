//! What each run of each member was told, and whether that may be.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::{BufMut, Bytes, BytesMut};
use hamsa_group::{Configuration, EngineEvent, RingId};

use crate::world::process;

/// A run of a member.
type Run = (usize, u32);

#[derive(Debug, Default)]
pub struct Judge {
    runs: BTreeMap<Run, Log>,
    /// Who has installed a ring, and what it was told in it; the longer of the two is the order.
    rings: HashMap<RingId, Vec<(Run, Vec<Bytes>)>>,
    current: BTreeMap<usize, Run>,
}

/// Of one run.
#[derive(Debug, Default)]
struct Log {
    configuration: Option<Configuration>,
    /// Own messages that have not come back.
    awaited: VecDeque<Bytes>,
    /// The last message of each run that has come.
    heard: HashMap<Run, u64>,
    /// The same, since the last configuration.
    heard_in_ring: HashMap<Run, u64>,
}

impl Judge {
    pub fn message(member: usize, run: u32, number: u64, extra: usize, fill: u8) -> Bytes {
        let mut message = BytesMut::with_capacity(20 + extra);
        message.put_u64(member as u64);
        message.put_u32(run);
        message.put_u64(number);
        message.put_bytes(fill, extra);
        message.freeze()
    }

    pub fn starts(&mut self, member: usize, run: u32) {
        self.runs.insert((member, run), Log::default());
        self.current.insert(member, (member, run));
    }

    pub fn sends(&mut self, member: usize, run: u32, data: Bytes) {
        self.runs.get_mut(&(member, run)).expect("it runs").awaited.push_back(data);
    }

    pub fn told(&mut self, member: usize, run: u32, event: EngineEvent) {
        let log = self.runs.get_mut(&(member, run)).expect("it runs");
        match event {
            EngineEvent::Configuration(configuration) => {
                invariant_rings_are_sound(member, log.configuration.as_ref(), &configuration);
                log.heard_in_ring.clear();
                let of = self.rings.entry(configuration.ring).or_default();
                of.push(((member, run), Vec::new()));
                invariant_a_ring_has_its_members(&configuration, of);
                log.configuration = Some(configuration);
            }
            EngineEvent::Message { sender, data } => {
                let configuration = log.configuration.as_ref().expect("E1: a configuration is the first event");
                assert!(configuration.members.contains(&sender), "{sender} is not of {configuration:?}");
                invariant_messages_are_sound(member, run, log, &data);
                let of = self.rings.get_mut(&log.configuration.as_ref().expect("checked").ring).expect("installed");
                let (_, told) = of.iter_mut().find(|(of, _)| *of == (member, run)).expect("installed by this run");
                told.push(data);
                let at = told.len() - 1;
                invariant_order_is_agreed(of, at);
            }
            EngineEvent::Lost { reason } => panic!("a pair was lost: {reason}"),
        }
    }

    /// Both were told the same of their present ring, and all own messages have come back.
    pub fn is_settled(&self) -> bool {
        let mut configurations = self.current.values().map(|run| self.runs[run].configuration.as_ref());
        let (Some(Some(one)), Some(Some(other))) = (configurations.next(), configurations.next()) else {
            return false;
        };
        let has_all = self.current.values().all(|run| self.runs[run].awaited.is_empty());
        let is_same = one.ring == other.ring && {
            let of = &self.rings[&one.ring];
            of.len() == 2 && of[0].1 == of[1].1
        };
        has_all && is_same
    }

    /// How many configurations were told so far.
    pub fn installed(&self) -> usize {
        self.rings.values().map(Vec::len).sum()
    }

    pub fn configuration(&self, member: usize) -> Option<&Configuration> {
        self.runs[&self.current[&member]].configuration.as_ref()
    }
}

fn invariant_rings_are_sound(member: usize, before: Option<&Configuration>, now: &Configuration) {
    let me = process(member);
    assert_eq!(now.me, me);
    assert!(now.members.contains(&me), "self-inclusion: {now:?}");
    assert!(now.members.is_sorted() && now.members.len() <= 2, "{now:?}");
    if let Some(before) = before {
        assert!(before.ring.sequence < now.ring.sequence, "rings grow: {before:?} {now:?}");
        // From a ring of two to the next of two they would seem to have gone together (E3).
        assert!(before.members.len() == 1 || now.members.len() == 1, "{before:?} {now:?}");
    }
}

fn invariant_a_ring_has_its_members(configuration: &Configuration, of: &[(Run, Vec<Bytes>)]) {
    let mut installed: Vec<usize> = of.iter().map(|((member, _), _)| *member).collect();
    installed.sort_unstable();
    installed.dedup();
    assert_eq!(installed.len(), of.len(), "two runs of one member have a ring: {configuration:?}");
    let named = |member: &usize| configuration.members.contains(&process(*member));
    assert!(installed.iter().all(named), "a ring with other members elsewhere: {configuration:?} of {installed:?}");
    assert!(configuration.members.len() == 2 || of.len() == 1, "{configuration:?}");
}

fn invariant_messages_are_sound(member: usize, run: u32, log: &mut Log, data: &Bytes) {
    let number = |range: std::ops::Range<usize>| data[range].iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet));
    let (of, number) = ((number(0..8) as usize, number(8..12) as u32), number(12..20));
    if of == (member, run) {
        // E4, integrity, self-delivery, FIFO: each comes back once, as it was, none missing before it.
        assert_eq!(log.awaited.pop_front().as_ref(), Some(data), "an own message: {of:?} {number}");
    }
    let before = log.heard.insert(of, number).unwrap_or(0);
    assert!(before < number, "{of:?} {number} after {before}: once and in its order");
    if let Some(before) = log.heard_in_ring.insert(of, number) {
        assert_eq!(before + 1, number, "a gap within a ring: {of:?}");
    }
}

fn invariant_order_is_agreed(of: &[(Run, Vec<Bytes>)], at: usize) {
    let told: Vec<&Bytes> = of.iter().filter_map(|(_, told)| told.get(at)).collect();
    assert!(told.windows(2).all(|two| two[0] == two[1]), "E2: message {at} differs: {told:?}");
}

/// Each invariant sees what it is for.
mod planted {
    use super::*;

    const fn ring(sequence: u64, representative: u32) -> RingId {
        RingId { sequence, representative }
    }

    fn configuration(member: usize, ring: RingId, members: &[usize]) -> EngineEvent {
        let members = members.iter().map(|member| process(*member)).collect();
        EngineEvent::Configuration(Configuration { ring, me: process(member), members })
    }

    fn message(member: usize, number: u64) -> EngineEvent {
        EngineEvent::Message { sender: process(member), data: Judge::message(member, 1, number, 0, 0) }
    }

    /// Both in a ring of two, and member 0 has sent three messages.
    fn judge() -> Judge {
        let mut judge = Judge::default();
        for member in 0..2 {
            judge.starts(member, 1);
            judge.told(member, 1, configuration(member, ring(1, process(member).node), &[member]));
            judge.told(member, 1, configuration(member, ring(2, 3), &[0, 1]));
        }
        for number in 1..4 {
            judge.sends(0, 1, Judge::message(0, 1, number, 0, 0));
        }
        judge
    }

    fn is_caught(told: &[(usize, EngineEvent)], why: &str) {
        let (last, before) = told.split_last().expect("something is told");
        let mut judge = judge();
        for (member, event) in before {
            judge.told(*member, 1, event.clone());
        }
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| judge.told(last.0, 1, last.1.clone())));
        let panic = caught.expect_err(why);
        let text = panic.downcast_ref::<String>().expect("an assertion with words");
        assert!(text.contains(why), "{text}");
    }

    #[test]
    fn bugs_are_caught() {
        is_caught(&[(1, configuration(1, ring(3, 7), &[0]))], "self-inclusion");
        is_caught(&[(1, configuration(1, ring(2, 7), &[1]))], "rings grow");
        is_caught(&[(1, configuration(1, ring(3, 3), &[0, 1]))], "members");
        is_caught(&[(0, configuration(0, ring(3, 3), &[0])), (1, configuration(1, ring(3, 3), &[1]))], "other members");
        is_caught(&[(0, message(0, 2))], "an own message");
        is_caught(&[(1, message(0, 1)), (1, message(0, 1))], "once and in its order");
        is_caught(&[(1, message(0, 1)), (1, message(0, 3))], "a gap within a ring");
        is_caught(&[(1, message(0, 2)), (0, message(0, 1))], "differs");
        is_caught(&[(1, configuration(1, ring(3, 7), &[1])), (1, message(0, 1))], "is not of");
    }
}
