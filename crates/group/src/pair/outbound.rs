//! The sending end of a ring's stream: what is under way, what is lost, and how much may be.
//!
//! Losses are found as RFC 9002 finds them (by what was sent later and has come, and by time); the congestion window
//! is halved for them and grows as in RFC 5681.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use super::limits::{CHUNK_COST, CHUNK_HEADER_BYTES, FIRST_CONGESTION_COST, REORDERING, WINDOW_COST};
use super::round_trip::RoundTrip;
use super::wire::{Ack, Chunk, Part};

#[derive(Debug)]
pub(super) struct Outbound {
    /// What the other end has not acknowledged all before, in the order of sequences.
    chunks: VecDeque<Sent>,
    /// The sequence of the first of them, or of the next to come.
    first: u64,
    /// The cost of all that was ever pushed, and of all that is done with.
    pushed: u64,
    done: u64,
    /// How far the other end lets the stream go.
    credit: u64,
    in_flight: u64,
    /// How many of `chunks`, from the first, were sent at least once.
    sent: usize,
    /// How many of these are lost and not sent again yet.
    lost: usize,
    congestion_window: u64,
    slow_start_until: u64,
    /// Losses among datagrams up to this one have shrunk the window already.
    recovered_from: u64,
    /// When all that is under way counts as lost.
    deadline: Option<Instant>,
    timeouts: u32,
    largest_acked: Option<u64>,
    max_chunk_bytes: usize,
    /// Chunks that were sent again.
    pub(super) retransmitted: u64,
}

#[derive(Debug)]
struct Sent {
    chunk: Chunk,
    /// What the stream has cost with it.
    end: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    InFlight { datagram: u64 },
    Lost,
    Acked,
}

impl Sent {
    fn cost(&self) -> u64 {
        cost(&self.chunk)
    }
}

/// What a chunk takes of a window.
pub(super) fn cost(chunk: &Chunk) -> u64 {
    CHUNK_COST + chunk.data.len() as u64
}

impl Outbound {
    pub(super) fn new(max_chunk_bytes: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            first: 0,
            pushed: 0,
            done: 0,
            credit: 0,
            in_flight: 0,
            sent: 0,
            lost: 0,
            congestion_window: FIRST_CONGESTION_COST.max(2 * max_chunk_bytes as u64),
            slow_start_until: WINDOW_COST,
            recovered_from: 0,
            deadline: None,
            timeouts: 0,
            largest_acked: None,
            max_chunk_bytes,
            retransmitted: 0,
        }
    }

    /// Whether another message may be pushed.
    pub(super) fn has_room(&self) -> bool {
        self.pushed - self.done < WINDOW_COST
    }

    /// Appends a message.
    pub(super) fn push_message(&mut self, data: &Bytes) {
        let mut start = 0;
        loop {
            let end = data.len().min(start + self.max_chunk_bytes);
            let part = match (start == 0, end == data.len()) {
                (true, true) => Part::Whole,
                (true, false) => Part::First,
                (false, false) => Part::Middle,
                (false, true) => Part::Last,
            };
            self.push(part, data.slice(start..end));
            start = end;
            if start == data.len() {
                return;
            }
        }
    }

    /// Appends the place of the other end's own next message.
    pub(super) fn push_yours(&mut self) {
        self.push(Part::Yours, Bytes::new());
    }

    fn push(&mut self, part: Part, data: Bytes) {
        let chunk = Chunk { sequence: self.first + self.chunks.len() as u64, part, data };
        self.pushed += cost(&chunk);
        self.chunks.push_back(Sent { chunk, end: self.pushed, state: State::Waiting });
    }

    fn may_send(&self, sent: &Sent) -> bool {
        let fits = self.in_flight == 0 || self.in_flight + sent.cost() <= self.congestion_window;
        fits && sent.end <= self.credit
    }

    /// What goes into the datagram of this number, in at most so many octets.
    pub(super) fn take(&mut self, now: Instant, datagram: u64, room_bytes: usize, trip: &RoundTrip) -> Vec<Chunk> {
        let mut taken = Vec::new();
        let mut room = room_bytes;
        // From the first lost one on, or from the first that was never sent.
        let mut at = if self.lost > 0 { 0 } else { self.sent };
        while at < self.chunks.len() {
            let sent = &self.chunks[at];
            let is_first_time = sent.state == State::Waiting;
            if !is_first_time && sent.state != State::Lost {
                at += 1;
                continue;
            }
            let octets = sent.chunk.data.len() + CHUNK_HEADER_BYTES;
            if octets > room || !self.may_send(sent) {
                break;
            }
            room -= octets;
            self.in_flight += sent.cost();
            taken.push(sent.chunk.clone());
            self.chunks[at].state = State::InFlight { datagram };
            if is_first_time {
                self.sent = at + 1;
            } else {
                self.lost -= 1;
                self.retransmitted += 1;
            }
            at = if self.lost > 0 { at + 1 } else { self.sent };
        }
        if !taken.is_empty() && self.deadline.is_none() {
            self.deadline = Some(now + trip.retransmission(self.timeouts));
        }
        taken
    }

    /// Takes in what has come at the other end. Whether it makes sense.
    #[must_use]
    pub(super) fn acknowledged(&mut self, now: Instant, ack: &Ack, next_datagram: u64, trip: &RoundTrip) -> bool {
        let sent_until = self.first + self.sent as u64;
        let ranges_end = ack.ranges.iter().map(|(first, length)| first.saturating_add(*length)).max();
        if ack.next.max(ranges_end.unwrap_or(0)) > sent_until {
            return false;
        }
        self.credit = self.credit.max(ack.credit);
        let mut acked_cost = 0;
        let mut acked = |sent: &mut Sent, in_flight: &mut u64, lost: &mut usize, largest: &mut Option<u64>| {
            match sent.state {
                State::InFlight { datagram } => {
                    *in_flight -= sent.cost();
                    acked_cost += sent.cost();
                    *largest = Some(largest.map_or(datagram, |largest| largest.max(datagram)));
                }
                // It has come after all.
                State::Lost => *lost -= 1,
                State::Waiting | State::Acked => return,
            }
            sent.state = State::Acked;
        };
        while self.first < ack.next {
            let mut sent = self.chunks.pop_front().expect("chunks reach to what was sent");
            acked(&mut sent, &mut self.in_flight, &mut self.lost, &mut self.largest_acked);
            self.done = sent.end;
            self.first += 1;
            self.sent -= 1;
        }
        for (first, length) in &ack.ranges {
            for sequence in (*first).max(self.first)..first + length {
                let sent = &mut self.chunks[(sequence - self.first) as usize];
                acked(sent, &mut self.in_flight, &mut self.lost, &mut self.largest_acked);
            }
        }
        if acked_cost > 0 {
            self.timeouts = 0;
            self.grow(acked_cost);
            self.deadline = Some(now + trip.retransmission(0));
            self.find_lost(next_datagram);
        }
        if self.in_flight == 0 {
            self.deadline = None;
        }
        true
    }

    fn grow(&mut self, acked_cost: u64) {
        let growth = if self.congestion_window < self.slow_start_until {
            acked_cost
        } else {
            (self.max_chunk_bytes as u64 * acked_cost / self.congestion_window).max(1)
        };
        self.congestion_window = (self.congestion_window + growth).min(WINDOW_COST);
    }

    /// What was sent well before the latest that has come is lost.
    fn find_lost(&mut self, next_datagram: u64) {
        let Some(largest) = self.largest_acked else { return };
        let mut worst = None;
        for sent in self.chunks.iter_mut().take(self.sent) {
            if let State::InFlight { datagram } = sent.state
                && datagram + REORDERING <= largest
            {
                sent.state = State::Lost;
                self.in_flight -= cost(&sent.chunk);
                self.lost += 1;
                worst = worst.max(Some(datagram));
            }
        }
        if worst.is_some_and(|datagram| datagram >= self.recovered_from) {
            self.shrink();
            self.recovered_from = next_datagram;
        }
    }

    fn shrink(&mut self) {
        // Two chunks at least, or a lost one would keep all others.
        let floor = 2 * (self.max_chunk_bytes as u64 + CHUNK_COST);
        self.congestion_window = (self.congestion_window / 2).max(floor.min(WINDOW_COST));
        self.slow_start_until = self.congestion_window;
    }

    /// When [`Self::timed_out`] is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// All that is under way counts as lost, when its time is over.
    pub(super) fn timed_out(&mut self, now: Instant, next_datagram: u64) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        self.deadline = None;
        self.timeouts = self.timeouts.saturating_add(1);
        for sent in self.chunks.iter_mut().take(self.sent) {
            if matches!(sent.state, State::InFlight { .. }) {
                sent.state = State::Lost;
                self.lost += 1;
            }
        }
        self.in_flight = 0;
        self.shrink();
        self.recovered_from = next_datagram;
    }
}
