//! Many agents behind one state machine: datagrams in, datagrams out at their time. Whoever drives it owns
//! the sockets and the clock.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hamsa_snmp::engine::Name;
use hamsa_snmp::limits::{MAX_MESSAGE_OCTETS, MIN_MAX_MESSAGE_OCTETS};

use crate::access::{AgentAccess, Rights, SharedAccess, SimCommunity};
use crate::agent::{Event, Group, SimAgent, World};
use crate::clock::Epoch;
use crate::config::{AgentGroup, BuildError, SimConfig, Source};
use crate::device::{Device, DeviceOptions};
use crate::fault::Fault;
use crate::hold::Hold;
use crate::limits::{MAX_AGENTS, MAX_DELAY, MAX_EVENT_AGE, MAX_QUEUED_DATAGRAMS, MAX_QUEUED_OCTETS};
use crate::link::Link;
use crate::noise;
use crate::notification::{NotificationSender, Sender};
use crate::recording::{Library, RecordedAgent};

/// A datagram to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// The source address and port that it has to have. With [`Fault::WrongSourceAddress`] and
    /// [`Fault::WrongSourcePort`] no agent listens there; a driver that can't send from there drops it.
    pub from: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    /// Its contents.
    pub datagram: Vec<u8>,
    /// When it was due.
    pub due: Instant,
}

/// Counts since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SimStats {
    /// Datagrams received.
    pub received: u64,
    /// Of those, for addresses where no agent listens.
    pub unknown_address: u64,
    /// Of those, lost by a fault.
    pub lost: u64,
    /// Answers that agents gave, before anything happened to them.
    pub answered: u64,
    /// Datagrams given out to be sent.
    pub sent: u64,
    /// Datagrams that were dropped because too many wait.
    pub queue_full: u64,
    /// Notifications made.
    pub notifications: u64,
}

/// A datagram that waits for its time.
struct Queued {
    due: Instant,
    /// Those due at one time leave in the order in which they came.
    serial: u64,
    transmit: Transmit,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.due, self.serial).cmp(&(other.due, other.serial))
    }
}

/// Any number of simulated agents.
pub struct Simulator {
    epoch: Epoch,
    agents: Vec<SimAgent>,
    by_address: HashMap<SocketAddr, u32>,
    queue: BinaryHeap<Reverse<Queued>>,
    queued_octets: usize,
    serial: u64,
    /// When the next event of an agent is due.
    events: BinaryHeap<Reverse<(Instant, u32)>>,
    buffer: Box<[u8]>,
    stats: SimStats,
}

impl Simulator {
    /// Puts a simulation together. Nothing is sent before the first call of [`Simulator::poll_transmit`].
    pub fn new(config: &SimConfig, library: &Library, epoch: Epoch) -> Result<Self, BuildError> {
        let mut simulator = Simulator {
            epoch,
            agents: Vec::new(),
            by_address: HashMap::new(),
            queue: BinaryHeap::new(),
            queued_octets: 0,
            serial: 0,
            events: BinaryHeap::new(),
            buffer: vec![0; MAX_MESSAGE_OCTETS].into_boxed_slice(),
            stats: SimStats::default(),
        };
        for (index, group) in config.groups.iter().enumerate() {
            simulator.add_group(config, index as u64, group, library)?;
        }
        Ok(simulator)
    }

    fn add_group(
        &mut self,
        config: &SimConfig,
        index: u64,
        group: &AgentGroup,
        library: &Library,
    ) -> Result<(), BuildError> {
        let plays_recordings = !matches!(group.source, Source::Device(_));
        if plays_recordings && library.is_empty() {
            return Err(BuildError::NoRecordings(group.first));
        }
        if self.agents.len() + group.count as usize > MAX_AGENTS {
            return Err(BuildError::TooManyAgents);
        }
        let shared = Arc::new(share(config, group, library, self.epoch)?);
        let schedule = Arc::new(group.schedule.in_order());
        let seed_of_group = noise::at(config.seed, index);
        for (number, address) in group.addresses()?.into_iter().enumerate() {
            let seed = noise::at(seed_of_group, number as u64);
            let record = |recording, hold: &Arc<Hold>| {
                Arc::new(RecordedAgent::new(recording, library, self.epoch, seed, hold.clone()))
            };
            let world = match &group.source {
                Source::Device(model) => World::Device(Arc::new(Device::new(DeviceOptions {
                    model: *model,
                    number: number as u32 + 1,
                    seed,
                    epoch: self.epoch,
                    schedule: schedule.clone(),
                }))),
                Source::AllRecordings => {
                    let hold = Arc::new(Hold::default());
                    let contexts = library
                        .iter()
                        .map(|(name, recording)| Ok((Name::new(name)?, record(recording.clone(), &hold))))
                        .collect::<Result<_, BuildError>>()?;
                    World::Recordings { contexts, hold }
                }
                Source::RecordingEach => {
                    let hold = Arc::new(Hold::default());
                    let (_, recording) = library.iter().nth(number % library.len()).expect("within the library");
                    let contexts = vec![(Name::default(), record(recording.clone(), &hold))];
                    World::Recordings { contexts, hold }
                }
            };
            let slot = self.agents.len() as u32;
            if self.by_address.insert(address, slot).is_some() {
                return Err(BuildError::AddressTaken(address));
            }
            self.agents.push(SimAgent::new(address, seed, shared.clone(), world));
            self.schedule_events(slot, Duration::ZERO);
        }
        Ok(())
    }

    /// The agents, in the order of their groups.
    pub fn agents(&self) -> &[SimAgent] {
        &self.agents
    }

    /// The agent that listens at an address.
    pub fn agent(&self, address: SocketAddr) -> Option<&SimAgent> {
        self.slot_of(address).map(|slot| &self.agents[slot as usize])
    }

    /// Counts so far.
    pub fn stats(&self) -> SimStats {
        self.stats
    }

    fn slot_of(&self, address: SocketAddr) -> Option<u32> {
        let anywhere: IpAddr = match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        let known = |address| self.by_address.get(&address).copied();
        known(address).or_else(|| known(SocketAddr::new(anywhere, address.port())))
    }

    /// Takes in a datagram that came to a local address from somewhere. It is decrypted, and damaged by
    /// faults, in place.
    pub fn handle_datagram(&mut self, now: Instant, to: SocketAddr, from: SocketAddr, datagram: &mut [u8]) {
        self.stats.received += 1;
        let Some(slot) = self.slot_of(to) else {
            self.stats.unknown_address += 1;
            return;
        };
        let agent = &mut self.agents[slot as usize];
        let link = agent.group().link;
        let Some(length) = link.request(datagram, &mut agent.noise) else {
            self.stats.lost += 1;
            return;
        };
        let failures = agent.authentication_failures();
        let buffer = &mut self.buffer[..agent.group().max_message_octets];
        let answer = agent.handle(now, &mut datagram[..length], buffer);
        let failed = agent.authentication_failures() > failures;
        if let Some(answer) = answer {
            self.stats.answered += 1;
            let source = source_of(agent, to);
            let start = buffer.len() - answer.length;
            let mut copies = Vec::new();
            link.answer(&buffer[start..], &mut agent.noise, |copy| copies.push(copy));
            if copies.is_empty() {
                self.stats.lost += 1;
            }
            for copy in copies {
                let due = now + (answer.after + copy.after).min(MAX_DELAY);
                self.enqueue(Transmit { from: source, to: from, datagram: copy.datagram, due });
            }
        }
        if failed && self.agents[slot as usize].may_tell_failure(now) {
            self.notify(now, slot, Event::AuthenticationFailure);
        }
    }

    /// The next datagram that is due. Call until `None` after each [`Simulator::handle_datagram`] and at the
    /// time that [`Simulator::poll_timeout`] tells.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        while let Some(&Reverse((due, slot))) = self.events.peek()
            && due <= now
        {
            self.events.pop();
            self.happen(now, due, slot);
        }
        if self.queue.peek()?.0.due > now {
            return None;
        }
        let Reverse(Queued { transmit, .. }) = self.queue.pop()?;
        self.queued_octets -= transmit.datagram.len();
        self.stats.sent += 1;
        Some(transmit)
    }

    /// When [`Simulator::poll_transmit`] will have something.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let queued = self.queue.peek().map(|Reverse(queued)| queued.due);
        let event = self.events.peek().map(|Reverse((due, _))| *due);
        [queued, event].into_iter().flatten().min()
    }

    fn enqueue(&mut self, transmit: Transmit) {
        let octets = transmit.datagram.len();
        if self.queue.len() >= MAX_QUEUED_DATAGRAMS || self.queued_octets + octets > MAX_QUEUED_OCTETS {
            self.stats.queue_full += 1;
            return;
        }
        self.queued_octets += octets;
        self.serial += 1;
        self.queue.push(Reverse(Queued { due: transmit.due, serial: self.serial, transmit }));
    }

    /// Lets happen what is due for an agent, and finds out when the next thing is.
    fn happen(&mut self, now: Instant, due: Instant, slot: u32) {
        let at = self.epoch.elapsed(due);
        let elapsed = self.epoch.elapsed(now);
        let agent = &self.agents[slot as usize];
        let before = at.saturating_sub(Duration::from_nanos(1));
        let is_fresh = elapsed - at <= MAX_EVENT_AGE;
        if is_fresh && let Some((_, events)) = agent.device().and_then(|device| device.next_events(before)) {
            // Told as of its time: the uptime, and the state of the link.
            for event in events {
                if self.agents[slot as usize].is_up(due) {
                    self.notify(due, slot, Event::Device(event));
                }
            }
        }
        self.schedule_events(slot, if is_fresh { at } else { elapsed });
    }

    fn schedule_events(&mut self, slot: u32, after: Duration) {
        let agent = &self.agents[slot as usize];
        if agent.group().receivers.is_empty() {
            return;
        }
        let next = agent.device().and_then(|device| device.next_events(after));
        if let Some(due) = next.and_then(|(at, _)| self.epoch.instant.checked_add(at)) {
            self.events.push(Reverse((due, slot)));
        }
    }

    fn notify(&mut self, now: Instant, slot: u32, event: Event) {
        let receivers = self.agents[slot as usize].group().receivers.len();
        for receiver in 0..receivers {
            let agent = &mut self.agents[slot as usize];
            let Some(length) = agent.notify(now, event, receiver, &mut self.buffer) else { continue };
            let start = self.buffer.len() - length;
            let (to, link) = (agent.group().receivers[receiver].0, agent.group().link);
            let from = agent.address();
            self.stats.notifications += 1;
            let mut copies = Vec::new();
            link.answer(&self.buffer[start..], &mut agent.noise, |copy| copies.push(copy));
            for copy in copies {
                self.enqueue(Transmit { from, to, datagram: copy.datagram, due: now + copy.after.min(MAX_DELAY) });
            }
        }
    }
}

/// Where answers come from: where the request went, but for the lies about it.
fn source_of(agent: &SimAgent, to: SocketAddr) -> SocketAddr {
    let faults = &agent.group().faults;
    let mut source = to;
    if faults.has(&Fault::WrongSourceAddress) {
        source.set_ip(match to.ip() {
            IpAddr::V4(ip) => std::net::Ipv4Addr::from_bits(ip.to_bits() ^ 0x8000).into(),
            IpAddr::V6(ip) => std::net::Ipv6Addr::from_bits(ip.to_bits() ^ 0x8000).into(),
        });
    }
    if faults.has(&Fault::WrongSourcePort) {
        source.set_port(to.port() ^ 0x0100);
    }
    source
}

/// What the agents of a group have in common.
fn share(config: &SimConfig, group: &AgentGroup, library: &Library, epoch: Epoch) -> Result<Group, BuildError> {
    let mut access: AgentAccess = group.access.clone();
    let mut contexts = vec![Name::default()];
    if group.source == Source::AllRecordings {
        contexts.clear();
        for (name, _) in library.iter() {
            contexts.push(Name::new(name)?);
            // Which objects can be written is the recording's to say.
            access.communities.push(SimCommunity {
                name: name.to_owned(),
                context: name.to_owned(),
                rights: Rights::ReadWrite,
            });
        }
    }
    let receivers = group.notifications.iter().map(|target| {
        let sender = match &target.sender {
            NotificationSender::Community(community) => Sender::Community(community.as_bytes().into()),
            NotificationSender::User(name) => {
                let mut users = access.users.iter();
                let user = users.find(|user| user.name().as_octets() == name.as_bytes());
                let user = user.ok_or_else(|| BuildError::UnknownNotificationUser(name.clone()))?;
                Sender::User(user.name().clone(), user.level())
            }
        };
        Ok((target.address, sender))
    });
    let receivers = receivers.collect::<Result<_, BuildError>>()?;
    let max_message_octets = group.max_message_octets.min(MAX_MESSAGE_OCTETS);
    if max_message_octets < MIN_MAX_MESSAGE_OCTETS as usize {
        return Err(BuildError::MessagesTooSmall(max_message_octets));
    }
    Ok(Group {
        max_message_octets,
        access: SharedAccess::new(&access, contexts)?,
        faults: group.faults.clone(),
        link: Link::of(&group.faults),
        receivers,
        boots_at_start: config.boots_at_start,
        epoch,
    })
}
