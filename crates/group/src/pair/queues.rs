//! What waits at a pair: messages to be ordered, and events to be taken. Both are bounded.

use std::collections::VecDeque;

use bytes::Bytes;

use super::limits::{MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES};
use crate::engine::{Configuration, EngineEvent, Process, RingId};

/// What was given to `send` and is not in a ring's stream.
#[derive(Debug, Default)]
pub(super) struct Pending {
    queue: VecDeque<Bytes>,
    bytes: usize,
    /// How many of the first were in a ring's stream before: the peer may have them.
    returned: usize,
}

impl Pending {
    pub(super) fn has_room(&self, length: usize) -> bool {
        self.queue.len() < MAX_QUEUED_MESSAGES && self.bytes + length <= MAX_QUEUED_BYTES
    }

    pub(super) fn push(&mut self, data: Bytes) {
        self.bytes += data.len();
        self.queue.push_back(data);
    }

    /// Puts what was taken before all others, in its order.
    pub(super) fn put_back(&mut self, taken: VecDeque<Bytes>) {
        self.returned += taken.len();
        for data in taken.into_iter().rev() {
            self.bytes += data.len();
            self.queue.push_front(data);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let data = self.queue.pop_front()?;
        self.bytes -= data.len();
        self.returned = self.returned.saturating_sub(1);
        Some(data)
    }

    /// Whether there are messages that the peer may have been given already, so that no ring may have them again.
    pub(super) fn has_returned(&self) -> bool {
        self.returned > 0
    }
}

/// What a pair has to tell its user.
#[derive(Debug, Default)]
pub(super) struct Events {
    queue: VecDeque<EngineEvent>,
    messages: usize,
    bytes: usize,
}

impl Events {
    pub(super) fn has_room(&self) -> bool {
        self.messages < MAX_QUEUED_MESSAGES && self.bytes < MAX_QUEUED_BYTES
    }

    pub(super) fn push_message(&mut self, sender: Process, data: Bytes) {
        self.messages += 1;
        self.bytes += data.len();
        self.queue.push_back(EngineEvent::Message { sender, data });
    }

    /// One of a lone member takes the place of those before it that nobody has seen and in which nothing was said; so
    /// configurations are bounded too. It never gives way itself to one of two: from that to that the members would
    /// seem to have stayed together (E3).
    pub(super) fn push_configuration(&mut self, ring: RingId, me: Process, members: Vec<Process>) {
        if members.len() == 1 {
            while self.queue.pop_back_if(|last| matches!(last, EngineEvent::Configuration(_))).is_some() {}
        }
        self.queue.push_back(EngineEvent::Configuration(Configuration { ring, me, members }));
    }

    pub(super) fn pop(&mut self) -> Option<EngineEvent> {
        let event = self.queue.pop_front()?;
        if let EngineEvent::Message { data, .. } = &event {
            self.messages -= 1;
            self.bytes -= data.len();
        }
        Some(event)
    }
}
