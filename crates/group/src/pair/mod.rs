//! A group engine for exactly two processes, over a carrier that may lose, copy, reorder and delay: what runs over Zenoh.
//!
//! The one with the lower name is the sequencer. A ring of two forms when each has heard the other answer: the
//! sequencer offers it, the other installs it, the sequencer follows. Within a ring two streams of numbered chunks run,
//! each acknowledged and sent again until it has come. The sequencer's carries the agreed order: its own messages, and
//! for each of the other's a mark; so every message crosses the carrier once. Either goes on alone, in a ring of its
//! own, as soon as the other is silent for a lease, has begun anew, or has left the ring; which it does when it hears nothing
//! for a lease itself, so that a link that works one way ends the ring at both.
//!
//! With what an engine owes (E1 to E4) as follows: of two processes none stays together with another across a split, so
//! E3 holds for nothing to compare. A member's own messages that its ring has not ordered come in its next
//! configuration; none is dropped.
//!
//! Without sockets, clock and randomness: `handle_*` and [`Pair::send`] change it, `poll_*` say what to do. Call
//! [`Pair::poll_transmit`], [`Pair::poll_event`] and [`Pair::poll_timeout`] after each change.
//!
//! It leaves out: encryption and authentication (the carrier's), messages longer than
//! [`limits::MAX_MESSAGE_BYTES`] and views (the layer above).

mod inbound;
pub mod limits;
mod outbound;
mod peer;
mod queues;
mod ring;
mod round_trip;
mod status;
mod wire;

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::engine::{Capabilities, EngineEvent, EngineSendError, Process, RingId};
use limits::{
    BEATS_PER_LEASE, DEFAULT_DATAGRAM_BYTES, HEADER_BYTES, MAX_DATAGRAM_BYTES, MAX_LEASE, MAX_MESSAGE_BYTES,
    MAX_PAUSE_DOUBLINGS, MAX_RING, MIN_DATAGRAM_BYTES, MIN_LEASE, STABLE_LEASES,
};
use peer::{Peer, Standing};
use queues::{Events, Pending};
use ring::Ring;
use round_trip::RoundTrip;
pub use status::{PairCounters, PairStatus};
use wire::{Datagram, Phase};

/// Who forms a pair, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairOptions {
    /// This process.
    pub me: Process,
    /// The other; of another node.
    pub peer: Process,
    /// Random, another at each start.
    pub session: u64,
    /// Ring sequences are greater than this. One that grows from start to start, as the milliseconds since 1970 do,
    /// keeps them unlike those of this node's earlier runs.
    pub ring_floor: u64,
    /// How long the other may be silent, [`limits::MIN_LEASE`] to [`limits::MAX_LEASE`]. Beats go out five times in it.
    /// Of two that
    /// differ the longer one counts for both.
    pub lease: Duration,
    /// Octets of a datagram at most, [`limits::MIN_DATAGRAM_BYTES`] to [`limits::MAX_DATAGRAM_BYTES`].
    pub max_datagram_bytes: usize,
}

impl PairOptions {
    /// With a lease of one second and datagrams of 16 KiB.
    pub fn new(me: Process, peer: Process, session: u64) -> Self {
        let lease = Duration::from_secs(1);
        Self { me, peer, session, ring_floor: 0, lease, max_datagram_bytes: DEFAULT_DATAGRAM_BYTES }
    }
}

/// Why there is no such pair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// Two processes of one node: rings are told apart by the node.
    #[error("{me} and {peer} are processes of one node: give the members of a pair different node numbers")]
    SameNode {
        /// This process.
        me: Process,
        /// The other.
        peer: Process,
    },
    /// A lease out of its bounds.
    #[error("a lease of {0:?} is not within {MIN_LEASE:?} to {MAX_LEASE:?}")]
    Lease(Duration),
    /// A datagram size out of its bounds.
    #[error("datagrams of {0} octets are not within {MIN_DATAGRAM_BYTES} to {MAX_DATAGRAM_BYTES}")]
    Datagram(usize),
    /// No ring could follow.
    #[error("a ring sequence of {0} leaves no room to grow")]
    RingFloor(u64),
}

/// One member of a pair.
#[derive(Debug)]
pub struct Pair {
    options: PairOptions,
    peer: Peer,
    state: State,
    /// The greatest ring sequence that was installed or offered here.
    highest: u64,
    /// What was given to `send` and is not in a ring's stream.
    pending: Pending,
    events: Events,
    trip: RoundTrip,
    /// The start, from which stamps count.
    epoch: Instant,
    next_number: u64,
    /// A datagram should go out, also without chunks.
    is_due: bool,
    next_beat: Instant,
    pause: Pause,
    counters: PairCounters,
    last_parting: Option<&'static str>,
}

#[derive(Debug)]
enum State {
    /// `peer_highest`: the peer is alone too, and this is the greatest sequence that it knows.
    Alone {
        peer_highest: Option<u64>,
    },
    /// The sequencer's, until the other has installed the ring.
    Offering {
        ring: u64,
    },
    Together(Box<Ring>),
    /// `is_told`: the last word has gone out.
    Left {
        is_told: bool,
    },
}

/// When the sequencer may offer the next ring: a link that comes and goes must not take the members along.
#[derive(Debug)]
struct Pause {
    until: Instant,
    /// Rings in a row that did not last.
    short_rings: u32,
}

/// Why a ring has ended, for logs.
const SILENT: &str = "the peer was silent for a lease";
const ANEW: &str = "the peer has begun anew";
const ELSEWHERE: &str = "the peer has left the ring: it did not hear this process for a lease";
const LEFT: &str = "the peer has left";
const NONSENSE: &str = "the peer's stream makes no sense";

impl Pair {
    /// Alone at first; its first event says so.
    pub fn new(now: Instant, options: PairOptions) -> Result<Self, PairError> {
        let PairOptions { me, peer, lease, max_datagram_bytes, ring_floor, .. } = options;
        if me.node == peer.node {
            return Err(PairError::SameNode { me, peer });
        }
        if !(MIN_LEASE..=MAX_LEASE).contains(&lease) {
            return Err(PairError::Lease(lease));
        }
        if !(MIN_DATAGRAM_BYTES..=MAX_DATAGRAM_BYTES).contains(&max_datagram_bytes) {
            return Err(PairError::Datagram(max_datagram_bytes));
        }
        if ring_floor >= MAX_RING / 2 {
            return Err(PairError::RingFloor(ring_floor));
        }
        let mut pair = Self {
            peer: Peer::default(),
            state: State::Alone { peer_highest: None },
            highest: ring_floor,
            pending: Pending::default(),
            events: Events::default(),
            trip: RoundTrip::default(),
            epoch: now,
            next_number: 1,
            is_due: true,
            next_beat: now,
            pause: Pause { until: now, short_rings: 0 },
            counters: PairCounters::default(),
            last_parting: None,
            options,
        };
        pair.install_alone();
        Ok(pair)
    }

    /// What every pair can do.
    pub const fn capabilities(engine: &'static str) -> Capabilities {
        Capabilities { engine, max_message_bytes: MAX_MESSAGE_BYTES, max_nodes: 2, is_wide_area: true }
    }

    /// Takes a message, for the peer and for this process itself.
    pub fn send(&mut self, now: Instant, data: Bytes) -> Result<(), EngineSendError> {
        if matches!(self.state, State::Left { .. }) {
            return Err(EngineSendError::Lost);
        }
        let (length, max) = (data.len(), MAX_MESSAGE_BYTES);
        if length > max {
            return Err(EngineSendError::TooLong { length, max });
        }
        if !self.pending.has_room(length) {
            return Err(EngineSendError::Full);
        }
        self.pending.push(data);
        self.pump(now);
        Ok(())
    }

    /// Takes what the carrier has brought. Whoever comes late to it calls this before [`Self::handle_timeout`]: what has
    /// been waiting shows that the peer is there.
    pub fn handle_datagram(&mut self, now: Instant, octets: &[u8]) {
        if matches!(self.state, State::Left { .. }) {
            return;
        }
        let datagram = Datagram::decode(octets)
            .filter(|datagram| (datagram.from, datagram.to) == (self.options.peer, self.options.me));
        let Some(mut datagram) = datagram else {
            self.counters.datagrams_ignored += 1;
            return;
        };
        self.counters.datagrams_received += 1;
        let chunks = match &mut datagram.phase {
            Phase::Together { chunks, .. } => std::mem::take(chunks),
            _ => Vec::new(),
        };
        match self.peer.heard(now, &datagram, self.options.session, self.next_number) {
            Standing::Unknown { answer } => {
                self.is_due |= answer;
                return;
            }
            Standing::Old => {}
            Standing::Fresh => {
                self.measure(now, &datagram);
                self.follow(now, &datagram);
            }
            Standing::Appeared { is_other } => {
                // The peer waits for this to know the same.
                self.is_due = true;
                if is_other {
                    self.part(now, ANEW);
                    self.pause = Pause { until: now, short_rings: 0 };
                }
                self.follow(now, &datagram);
            }
        }
        self.take_stream(now, &datagram.phase, chunks);
        self.pump(now);
    }

    /// Does what time asks for. To be called at [`Self::poll_timeout`]; earlier and later do no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        if matches!(self.state, State::Left { .. }) {
            return;
        }
        if self.peer.expire(now, self.options.lease) {
            self.part(now, SILENT);
        }
        if now >= self.next_beat {
            self.is_due = true;
        }
        if let State::Together(ring) = &mut self.state {
            ring.outbound.timed_out(now, self.next_number);
        }
        self.offer(now);
        self.pump(now);
    }

    /// The next datagram for the peer, when there is one.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Bytes> {
        let room = self.options.max_datagram_bytes - HEADER_BYTES;
        let (phase, has_chunks) = match &mut self.state {
            State::Alone { .. } => (Phase::Alone { highest: self.highest }, false),
            State::Offering { ring } => (Phase::Offer { ring: *ring }, false),
            State::Together(ring) => {
                let chunks = ring.outbound.take(now, self.next_number, room, &self.trip);
                self.is_due |= ring.inbound.has_credit_to_tell();
                let has_chunks = !chunks.is_empty();
                // Looking for what to say must not count as having said it.
                let ack = if self.is_due || has_chunks { ring.inbound.ack() } else { return None };
                (Phase::Together { ring: ring.id.sequence, ack, chunks }, has_chunks)
            }
            State::Left { is_told } => {
                if std::mem::replace(is_told, true) {
                    return None;
                }
                (Phase::Leaving, true)
            }
        };
        if !self.is_due && !has_chunks {
            return None;
        }
        self.is_due = false;
        self.next_beat = now + self.options.lease / BEATS_PER_LEASE;
        let number = self.next_number;
        self.next_number += 1;
        self.counters.datagrams_sent += 1;
        let datagram = Datagram {
            from: self.options.me,
            to: self.options.peer,
            session: self.options.session,
            number,
            // At most a minute.
            lease_ms: self.options.lease.as_millis() as u32,
            stamp_us: self.stamp(now),
            echo: self.peer.echo(now),
            hears: self.peer.hears(),
            asks: self.peer.asks(),
            phase,
        };
        Some(datagram.encode())
    }

    /// When to call [`Self::handle_timeout`] next; `None` after [`Self::leave`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        let state = match &self.state {
            State::Left { .. } => return None,
            State::Together(ring) => ring.outbound.deadline(),
            State::Alone { .. } => self.next_ring().map(|_| self.pause.until),
            State::Offering { .. } => None,
        };
        let peer = self.peer.deadline(self.options.lease);
        [state, peer].into_iter().flatten().chain([self.next_beat]).min()
    }

    /// The next event. Taking it may make room for more, and give the peer credit.
    pub fn poll_event(&mut self, now: Instant) -> Option<EngineEvent> {
        let event = self.events.pop()?;
        self.pump(now);
        Some(event)
    }

    /// Says good-bye, so that the peer need not wait for a lease: one last datagram, no more events.
    pub fn leave(&mut self) {
        if !matches!(self.state, State::Left { .. }) {
            self.state = State::Left { is_told: false };
            self.pending = Pending::default();
            self.events = Events::default();
        }
    }

    /// Whether `send` would take a message of this length now.
    pub fn has_room(&self, length: usize) -> bool {
        self.pending.has_room(length)
    }

    /// Whether the peer is in the same ring.
    pub fn is_together(&self) -> bool {
        matches!(self.state, State::Together(_))
    }

    /// Whether datagrams of the peer come and are answers, in a ring or not.
    pub fn is_peer_present(&self) -> bool {
        self.peer.is_present()
    }

    /// There and back, smoothed; `None` before the first measurement.
    pub fn round_trip(&self) -> Option<Duration> {
        self.trip.mean()
    }

    /// Why the last ring of two has ended, in words; `None` before.
    pub fn last_parting(&self) -> Option<&'static str> {
        self.last_parting
    }

    /// All of it, for people.
    pub fn status(&self) -> PairStatus {
        PairStatus {
            peer: self.options.peer.node,
            is_together: self.is_together(),
            is_peer_present: self.is_peer_present(),
            round_trip: self.round_trip(),
            last_parting: self.last_parting(),
            counters: self.counters(),
        }
    }

    /// What has been counted.
    pub fn counters(&self) -> PairCounters {
        let current = match &self.state {
            State::Together(ring) => ring.outbound.retransmitted,
            _ => 0,
        };
        let chunks_retransmitted = self.counters.chunks_retransmitted + current;
        PairCounters { chunks_retransmitted, ..self.counters }
    }

    fn is_sequencer(&self) -> bool {
        self.options.me < self.options.peer
    }

    fn stamp(&self, now: Instant) -> u32 {
        // Wraps after 71 minutes; only differences count.
        now.saturating_duration_since(self.epoch).as_micros() as u32
    }

    fn measure(&mut self, now: Instant, datagram: &Datagram) {
        if let (Some(echo), true) = (datagram.echo, self.peer.hears_me()) {
            let took_us = self.stamp(now).wrapping_sub(echo.stamp_us).wrapping_sub(echo.held_us);
            self.trip.measured(Duration::from_micros(took_us.into()));
        }
    }

    /// Goes along with what the peer says of where it stands.
    fn follow(&mut self, now: Instant, datagram: &Datagram) {
        let phase = &datagram.phase;
        if matches!(phase, Phase::Leaving) {
            self.peer.forget();
            self.part(now, LEFT);
            return;
        }
        if let State::Together(ring) = &self.state {
            let sequence = ring.id.sequence;
            let is_along = match phase {
                Phase::Together { ring, .. } => *ring == sequence,
                // The sequencer has not heard yet that its offer was taken.
                Phase::Offer { ring } => *ring == sequence && !self.is_sequencer(),
                Phase::Alone { .. } | Phase::Leaving => false,
            };
            if is_along {
                return;
            }
            self.part(now, ELSEWHERE);
        }
        match (&mut self.state, phase) {
            (State::Alone { peer_highest }, Phase::Alone { highest }) => {
                *peer_highest = Some(*highest);
                self.offer(now);
            }
            (State::Alone { peer_highest }, Phase::Offer { ring }) => {
                *peer_highest = None;
                // What comes back from the last ring belongs to this one alone: a slow user is waited for.
                let is_ready = !self.pending.has_returned();
                if !self.is_sequencer() && self.peer.hears_me() && is_ready {
                    if *ring > self.highest {
                        self.install_ring(now, *ring);
                    }
                    // Tells that it is taken, or which sequence would be.
                    self.is_due = true;
                }
            }
            (State::Alone { peer_highest }, Phase::Together { .. }) => *peer_highest = None,
            (State::Offering { ring }, Phase::Together { ring: taken, .. }) if ring == taken => {
                let ring = *ring;
                self.install_ring(now, ring);
                self.is_due = true;
            }
            (State::Offering { ring }, Phase::Alone { highest }) if highest >= ring => {
                self.state = State::Alone { peer_highest: Some(*highest) };
                self.offer(now);
            }
            _ => {}
        }
    }

    /// Offers a ring when the pause is over.
    fn offer(&mut self, now: Instant) {
        let Some(ring) = self.next_ring().filter(|_| now >= self.pause.until) else { return };
        // Also when nothing comes of it: this sequence never means another ring.
        self.highest = ring;
        self.state = State::Offering { ring };
        self.is_due = true;
    }

    /// What the sequencer may offer: both are alone and hear each other.
    fn next_ring(&self) -> Option<u64> {
        let State::Alone { peer_highest: Some(peer_highest) } = self.state else { return None };
        let ring = self.highest.max(peer_highest) + 1;
        (self.is_sequencer() && self.peer.hears_me() && ring < MAX_RING).then_some(ring)
    }

    fn take_stream(&mut self, now: Instant, phase: &Phase, chunks: Vec<wire::Chunk>) {
        let (State::Together(ring), Phase::Together { ring: sequence, ack, .. }) = (&mut self.state, phase) else {
            return;
        };
        if ring.id.sequence != *sequence {
            return;
        }
        if !ring.outbound.acknowledged(now, ack, self.next_number, &self.trip) {
            self.part(now, NONSENSE);
            return;
        }
        self.is_due |= !chunks.is_empty();
        for chunk in chunks {
            ring.inbound.insert(chunk);
        }
    }

    /// Moves messages on, as far as there is room.
    fn pump(&mut self, now: Instant) {
        let me = self.options.me;
        let is_sound = match &mut self.state {
            State::Alone { .. } | State::Offering { .. } => {
                while self.events.has_room()
                    && let Some(data) = self.pending.pop()
                {
                    self.events.push_message(me, data);
                }
                true
            }
            State::Together(ring) => ring.pump(&mut self.pending, &mut self.events, self.options.peer).is_ok(),
            State::Left { .. } => true,
        };
        if !is_sound {
            self.part(now, NONSENSE);
        }
    }

    fn install_ring(&mut self, now: Instant, sequence: u64) {
        let (me, peer) = (self.options.me, self.options.peer);
        let id = RingId { sequence, representative: me.min(peer).node };
        self.highest = sequence;
        self.counters.rings += 1;
        self.events.push_configuration(id, me, vec![me.min(peer), me.max(peer)]);
        self.state = State::Together(Box::new(Ring::new(now, id, me, peer, self.options.max_datagram_bytes)));
    }

    fn install_alone(&mut self) {
        let me = self.options.me;
        self.highest += 1;
        let id = RingId { sequence: self.highest, representative: me.node };
        self.events.push_configuration(id, me, vec![me]);
        self.state = State::Alone { peer_highest: None };
    }

    /// Ends a ring of two, or the offer of one.
    fn part(&mut self, now: Instant, why: &'static str) {
        let lasted = match &mut self.state {
            State::Alone { peer_highest } => {
                *peer_highest = None;
                return;
            }
            State::Left { .. } => return,
            State::Offering { .. } => {
                self.state = State::Alone { peer_highest: None };
                Duration::ZERO
            }
            State::Together(ring) => {
                // What the ring has not ordered goes first.
                self.pending.put_back(ring.take_unordered());
                let lasted = now.saturating_duration_since(ring.since);
                self.counters.chunks_retransmitted += ring.outbound.retransmitted;
                self.last_parting = Some(why);
                self.install_alone();
                lasted
            }
        };
        self.is_due = true;
        if lasted >= self.options.lease * STABLE_LEASES {
            self.pause = Pause { until: now, short_rings: 0 };
        } else {
            let pause = self.options.lease * (1 << self.pause.short_rings.min(MAX_PAUSE_DOUBLINGS));
            self.pause = Pause { until: now + pause, short_rings: self.pause.short_rings.saturating_add(1) };
        }
        self.pump(now);
    }
}
