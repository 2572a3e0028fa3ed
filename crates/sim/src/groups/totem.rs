//! A group engine of many processes, all simulated: rings as Totem makes them, with what it lets happen and what it should not.
//!
//! Processes that reach each other form a ring, in which messages get one order. When a cut, an end or a newcomer is noticed, the
//! ring ends: those who stay together are given the same messages of it, though perhaps not all that were sent by
//! those who are gone, and then the next configuration. What had no place in the order yet gets one in the next ring.
//!
//! [`Anomalies`] are faults of real engines: ghosts that stay listed, rings that change for no reason, and members that have
//! missed messages without anybody being told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hamsa_group::{Configuration, EngineEvent, EngineSendError, Process, RingId};

use crate::noise::Noise;

/// Messages of one process that wait for their place in the order.
const PENDING_MAX: usize = 16;

/// How long the token takes around the ring, and how many messages of one process it takes along.
const ROUND: Duration = Duration::from_millis(2);
const MESSAGES_A_ROUND: u64 = 4;

/// Which faults of real engines are there, each with a chance in a hundred whenever it could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Anomalies {
    /// A process that has ended stays in the next configuration.
    pub ghosts: u64,
    /// A member of a new ring has missed the end of the old one.
    pub hidden_departures: u64,
}

/// The engine of all processes.
#[derive(Debug)]
pub struct Totem {
    noise: Noise,
    anomalies: Anomalies,
    processes: BTreeMap<Process, Connected>,
    rings: BTreeMap<u64, Ring>,
    next_ring: u64,
    /// Which side each node is on; nodes that are not named are on side 0.
    sides: BTreeMap<u32, u32>,
    ended: BTreeSet<Process>,
    /// Away without anybody's having noticed, until the next change.
    astray: BTreeSet<Process>,
    is_shaken: bool,
    /// When the next change is noticed.
    reform_at: Option<Instant>,
    next_token: Instant,
}

#[derive(Debug)]
struct Connected {
    ring: Option<u64>,
    pending: VecDeque<Bytes>,
    inbox: VecDeque<Entry>,
    /// Of its ring, the place of the last message that it has taken.
    taken: u64,
    slowness: Duration,
}

#[derive(Debug)]
struct Entry {
    due: Instant,
    ring: u64,
    /// Of messages.
    place: Option<(u64, Process)>,
    event: EngineEvent,
}

#[derive(Debug)]
struct Ring {
    members: BTreeSet<Process>,
    places: u64,
}

impl Totem {
    /// Without processes.
    pub fn new(now: Instant, seed: u64, anomalies: Anomalies) -> Self {
        Totem {
            noise: Noise::new(seed),
            anomalies,
            processes: BTreeMap::new(),
            rings: BTreeMap::new(),
            next_ring: 1,
            sides: BTreeMap::new(),
            ended: BTreeSet::new(),
            astray: BTreeSet::new(),
            is_shaken: false,
            reform_at: None,
            next_token: now,
        }
    }

    /// From now on there are no faults.
    pub fn heal(&mut self, now: Instant) {
        self.anomalies = Anomalies::default();
        self.sides.clear();
        self.ended.clear();
        self.processes.values_mut().for_each(|connected| connected.slowness = Duration::ZERO);
        self.shake(now);
    }

    /// A process connects.
    pub fn start(&mut self, now: Instant, process: Process) {
        self.ended.remove(&process);
        let connected = Connected {
            ring: None,
            pending: VecDeque::new(),
            inbox: VecDeque::new(),
            taken: 0,
            slowness: Duration::ZERO,
        };
        self.processes.insert(process, connected);
        self.notice(now, Duration::from_millis(50));
    }

    /// A process ends, or its connection does: what it has not taken is gone.
    pub fn stop(&mut self, now: Instant, process: Process) {
        self.processes.remove(&process);
        self.ended.insert(process);
        self.notice(now, Duration::from_millis(1200));
    }

    /// Nodes reach those on the same side only.
    pub fn cut(&mut self, now: Instant, sides: BTreeMap<u32, u32>) {
        self.sides = sides;
        self.notice(now, Duration::from_millis(1200));
    }

    /// A process takes what comes so late.
    pub fn slow(&mut self, process: Process, slowness: Duration) {
        if let Some(connected) = self.processes.get_mut(&process) {
            connected.slowness = slowness;
        }
    }

    /// All rings end for no reason that anybody could see; a member may be given nothing more of its own, but for what it sends.
    pub fn shake(&mut self, now: Instant) {
        self.is_shaken = true;
        for process in self.processes.keys() {
            if self.noise.below(100) < self.anomalies.hidden_departures {
                self.astray.insert(*process);
            }
        }
        self.notice(now, Duration::from_millis(300));
    }

    /// Takes a message.
    pub fn send(&mut self, process: Process, data: Bytes) -> Result<(), EngineSendError> {
        let connected = self.processes.get_mut(&process).ok_or(EngineSendError::Lost)?;
        if connected.pending.len() >= PENDING_MAX {
            return Err(EngineSendError::Full);
        }
        connected.pending.push_back(data);
        Ok(())
    }

    /// When something happens next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let has_pending =
            self.processes.values().any(|connected| !connected.pending.is_empty() && connected.ring.is_some());
        let token = has_pending.then_some(self.next_token);
        let inboxes = self.processes.values().filter_map(|connected| connected.inbox.front()).map(|entry| entry.due);
        inboxes.chain(self.reform_at).chain(token).min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.reform_at.is_some_and(|at| at <= now) {
            self.reform_at = None;
            self.reform(now);
        }
        if self.next_token <= now {
            self.next_token = now + ROUND;
            self.pass_token(now);
        }
    }

    /// What a process is given now.
    pub fn poll_event(&mut self, now: Instant, process: Process) -> Option<EngineEvent> {
        let connected = self.processes.get_mut(&process)?;
        if connected.inbox.front()?.due > now {
            return None;
        }
        let entry = connected.inbox.pop_front()?;
        connected.taken = entry.place.map_or(0, |(place, _)| place);
        Some(entry.event)
    }

    fn notice(&mut self, now: Instant, within: Duration) {
        let at = now + Duration::from_millis(5) + self.noise.up_to(within);
        self.reform_at = Some(self.reform_at.map_or(at, |before| before.min(at)));
    }

    fn side(&self, process: Process) -> u32 {
        self.sides.get(&process.node).copied().unwrap_or(0)
    }

    /// Whether all members of a ring are there and reach each other: otherwise the token is lost.
    fn is_whole(&self, ring: &Ring) -> bool {
        let mut sides: BTreeSet<u32> = BTreeSet::new();
        ring.members.iter().all(|member| {
            sides.insert(self.side(*member));
            self.processes.contains_key(member) || self.ended.contains(member)
        }) && sides.len() == 1
    }

    fn pass_token(&mut self, now: Instant) {
        let rings: Vec<u64> = self.rings.iter().filter(|(_, ring)| self.is_whole(ring)).map(|(id, _)| *id).collect();
        for id in rings {
            let Some(ring) = self.rings.get_mut(&id) else { continue };
            for sender in ring.members.clone() {
                for _ in 0..self.noise.below(MESSAGES_A_ROUND + 1) {
                    let Some(data) = self.processes.get_mut(&sender).and_then(|sender| sender.pending.pop_front())
                    else {
                        break;
                    };
                    ring.places += 1;
                    for member in &ring.members {
                        if self.astray.contains(member) && *member != sender {
                            continue;
                        }
                        let Some(member) = self.processes.get_mut(member) else { continue };
                        let event = EngineEvent::Message { sender, data: data.clone() };
                        member.put(now, &mut self.noise, id, Some((ring.places, sender)), event);
                    }
                }
            }
        }
    }

    /// Makes rings of those who reach each other.
    fn reform(&mut self, now: Instant) {
        let mut sides: BTreeMap<u32, BTreeSet<Process>> = BTreeMap::new();
        for process in self.processes.keys() {
            sides.entry(self.side(*process)).or_default().insert(*process);
        }
        let is_shaken = std::mem::take(&mut self.is_shaken);
        for side in sides.into_values() {
            let is_as_before = |ring: &Ring| ring.members == side;
            if is_shaken || !self.rings.values().any(is_as_before) {
                self.form(now, side);
            }
        }
        self.astray.clear();
        let in_use: BTreeSet<u64> = self.processes.values().filter_map(|connected| connected.ring).collect();
        self.rings.retain(|id, _| in_use.contains(id));
    }

    fn form(&mut self, now: Instant, members: BTreeSet<Process>) {
        let mut from: BTreeMap<u64, Vec<Process>> = BTreeMap::new();
        for member in &members {
            if let Some(ring) = self.processes[member].ring {
                from.entry(ring).or_default().push(*member);
            }
        }
        for (ring, together) in from {
            self.recover(ring, &together);
        }
        let ghosts = self
            .ended
            .iter()
            .copied()
            .filter(|ghost| self.side(*ghost) == self.side(*members.first().unwrap_or(ghost)));
        let ghosts: Vec<Process> = ghosts.collect();
        let mut listed = members.clone();
        listed.extend(ghosts.into_iter().filter(|_| self.noise.below(100) < self.anomalies.ghosts));
        self.ended.retain(|ended| !listed.contains(ended));
        let sequence = self.next_ring;
        self.next_ring += 1;
        let representative = members.first().map_or(0, |first| first.node);
        let ring = RingId { sequence, representative };
        for me in &members {
            let Some(connected) = self.processes.get_mut(me) else { continue };
            connected.ring = Some(sequence);
            let configuration = Configuration { ring, me: *me, members: listed.iter().copied().collect() };
            connected.put(now, &mut self.noise, sequence, None, EngineEvent::Configuration(configuration));
        }
        self.rings.insert(sequence, Ring { members, places: 0 });
    }

    /// What of a ring those who stay together are given yet: all that one of them has taken, all of their own, and
    /// what others sent up to some place.
    fn recover(&mut self, ring: u64, together: &[Process]) {
        let entries = |connected: &Connected| {
            let places = connected.inbox.iter().filter(|entry| entry.ring == ring).filter_map(|entry| entry.place);
            places.map(|(place, _)| place).collect::<Vec<_>>()
        };
        let mut taken = 0;
        let mut last = 0;
        for member in together {
            let connected = &self.processes[member];
            let has_begun = !connected.inbox.iter().any(|entry| entry.ring == ring && entry.place.is_none());
            let places = entries(connected);
            if has_begun {
                let taken_here =
                    if places.is_empty() { self.rings.get(&ring).map_or(0, |ring| ring.places) } else { places[0] - 1 };
                taken = taken.max(taken_here);
            }
            last = last.max(places.last().copied().unwrap_or(0));
        }
        let until = taken + self.noise.below(last.saturating_sub(taken) + 1);
        for member in together {
            let Some(connected) = self.processes.get_mut(member) else { continue };
            connected.inbox.retain(|entry| match entry.place {
                Some((place, sender)) if entry.ring == ring => place <= until || together.contains(&sender),
                _ => true,
            });
        }
    }
}

impl Connected {
    fn put(&mut self, now: Instant, noise: &mut Noise, ring: u64, place: Option<(u64, Process)>, event: EngineEvent) {
        let due = now + Duration::from_micros(100) + noise.up_to(Duration::from_millis(1)) + noise.up_to(self.slowness);
        let due = self.inbox.back().map_or(due, |last| due.max(last.due));
        self.inbox.push_back(Entry { due, ring, place, event });
    }
}
