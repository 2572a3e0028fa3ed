//! A ring of two as one of its members has it: the two streams, and the order that they make.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use super::inbound::{Inbound, Item, Violation};
use super::limits::{CHUNK_HEADER_BYTES, HEADER_BYTES, MAX_QUEUED_MESSAGES};
use super::outbound::Outbound;
use super::queues::{Events, Pending};
use crate::engine::{Process, RingId};

#[derive(Debug)]
pub(super) struct Ring {
    pub(super) id: RingId,
    pub(super) since: Instant,
    pub(super) outbound: Outbound,
    pub(super) inbound: Inbound,
    me: Process,
    role: Role,
}

#[derive(Debug)]
enum Role {
    /// Its stream is the order. `is_own_turn`: of both members' messages that wait, its own goes next.
    Sequencer { is_own_turn: bool },
    /// Its own messages that the sequencer has not ordered yet, as far as it knows.
    Follower { unordered: VecDeque<Bytes> },
}

impl Ring {
    pub(super) fn new(now: Instant, id: RingId, me: Process, peer: Process, max_datagram_bytes: usize) -> Self {
        let role = match me < peer {
            true => Role::Sequencer { is_own_turn: true },
            false => Role::Follower { unordered: VecDeque::new() },
        };
        let outbound = Outbound::new(max_datagram_bytes - HEADER_BYTES - CHUNK_HEADER_BYTES);
        Self { id, since: now, outbound, inbound: Inbound::default(), me, role }
    }

    /// Moves messages from `pending` and from the peer's stream on to `events`, as far as there is room for them.
    pub(super) fn pump(&mut self, pending: &mut Pending, events: &mut Events, peer: Process) -> Result<(), Violation> {
        match &mut self.role {
            Role::Sequencer { is_own_turn } => {
                let mut idle = 0;
                // Each in turn, so that neither keeps the other waiting.
                while idle < 2 && events.has_room() && self.outbound.has_room() {
                    let moved = if *is_own_turn {
                        let own = pending.pop();
                        own.map(|data| (self.me, data))
                    } else {
                        match self.inbound.take()? {
                            Some(Item::Message(data)) => Some((peer, data)),
                            Some(Item::Yours) => return Err(Violation),
                            None => None,
                        }
                    };
                    match moved {
                        Some((sender, data)) => {
                            match *is_own_turn {
                                true => self.outbound.push_message(&data),
                                false => self.outbound.push_yours(),
                            }
                            events.push_message(sender, data);
                            idle = 0;
                        }
                        None => idle += 1,
                    }
                    *is_own_turn = !*is_own_turn;
                }
            }
            Role::Follower { unordered } => {
                while events.has_room() {
                    match self.inbound.take()? {
                        Some(Item::Message(data)) => events.push_message(peer, data),
                        Some(Item::Yours) => {
                            let data = unordered.pop_front().ok_or(Violation)?;
                            events.push_message(self.me, data);
                        }
                        None => break,
                    }
                }
                while self.outbound.has_room()
                    && unordered.len() < MAX_QUEUED_MESSAGES
                    && let Some(data) = pending.pop()
                {
                    self.outbound.push_message(&data);
                    unordered.push_back(data);
                }
            }
        }
        Ok(())
    }

    /// The own messages that have no place in the order, in theirs.
    pub(super) fn take_unordered(&mut self) -> VecDeque<Bytes> {
        match &mut self.role {
            Role::Sequencer { .. } => VecDeque::new(),
            Role::Follower { unordered } => std::mem::take(unordered),
        }
    }
}
