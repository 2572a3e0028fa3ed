//! From what the library calls back to what an engine tells: CPG's memberships and Totem's rings, which come one by
//! one, become configurations. No library, no I/O.
//!
//! When a ring changes, the daemon tells in one go who has left, who has joined and then the ring. These become one
//! configuration, since between them there are no messages. Within a ring each coming and going is one.

use std::collections::VecDeque;

use bytes::Bytes;
use hamsa_group::{Configuration, EngineEvent, Process, RingId};

/// What the library calls back with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Callback {
    /// Who has joined our group and not left it, as far as the daemon has noticed.
    Members {
        /// In no order.
        members: Vec<Process>,
        /// Some came or went with their node, and the new ring is told next.
        is_of_ring_change: bool,
    },
    /// A new ring, or at first the present one.
    Ring {
        /// Its identifier.
        ring: RingId,
        /// Its nodes.
        nodes: Vec<u32>,
    },
    /// A message to our group.
    Message {
        /// Who has sent it.
        sender: Process,
        /// Its octets.
        data: Bytes,
    },
}

/// Makes configurations of callbacks.
#[derive(Debug)]
pub(crate) struct Configurations {
    me: Process,
    ring: Option<(RingId, Vec<u32>)>,
    members: Vec<Process>,
    /// A ring change has begun whose ring is not told yet.
    awaits_ring: bool,
    /// The first configuration has been told.
    has_begun: bool,
}

impl Configurations {
    pub(crate) fn new(me: Process) -> Self {
        Configurations { me, ring: None, members: Vec::new(), awaits_ring: false, has_begun: false }
    }

    /// Whether the first configuration was told.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Adds to `events` what follows.
    pub(crate) fn handle(&mut self, callback: Callback, events: &mut VecDeque<EngineEvent>) {
        match callback {
            Callback::Members { mut members, is_of_ring_change } => {
                members.sort_unstable();
                members.dedup();
                self.members = members;
                self.awaits_ring |= is_of_ring_change;
                if !self.awaits_ring {
                    events.extend(self.configuration());
                }
            }
            Callback::Ring { ring, nodes } => {
                // A daemon can list processes of nodes that it has lost while it was agreeing on a ring.
                self.members.retain(|member| nodes.contains(&member.node));
                self.ring = Some((ring, nodes));
                self.awaits_ring = false;
                events.extend(self.configuration());
            }
            Callback::Message { sender, data } => {
                if std::mem::take(&mut self.awaits_ring) {
                    events.extend(self.configuration());
                }
                // Before the first configuration we are nobody whom it was sent to.
                if self.has_begun {
                    events.push_back(EngineEvent::Message { sender, data });
                }
            }
        }
    }

    fn configuration(&mut self) -> Option<EngineEvent> {
        let (ring, _) = self.ring.as_ref()?;
        if !self.members.contains(&self.me) {
            return None;
        }
        self.has_begun = true;
        let members = self.members.clone();
        Some(EngineEvent::Configuration(Configuration { ring: *ring, me: self.me, members }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(node: u32) -> Process {
        Process { node, process: 100 + node }
    }

    fn members(nodes: &[u32], is_of_ring_change: bool) -> Callback {
        Callback::Members { members: nodes.iter().copied().map(process).collect(), is_of_ring_change }
    }

    fn ring(sequence: u64, nodes: &[u32]) -> Callback {
        Callback::Ring { ring: RingId { sequence, representative: 1 }, nodes: nodes.to_vec() }
    }

    fn message(node: u32) -> Callback {
        Callback::Message { sender: process(node), data: Bytes::from_static(b"hello") }
    }

    /// What node 1 is told: `4:1,2` is a configuration, `<2` a message.
    fn told(callbacks: &[Callback]) -> Vec<String> {
        let mut configurations = Configurations::new(process(1));
        let mut events = VecDeque::new();
        callbacks.iter().for_each(|callback| configurations.handle(callback.clone(), &mut events));
        let shown = |event| match event {
            EngineEvent::Configuration(Configuration { ring, me, members }) => {
                assert_eq!(me, process(1));
                let nodes: Vec<String> = members.iter().map(|member| member.node.to_string()).collect();
                format!("{}:{}", ring.sequence, nodes.join(","))
            }
            EngineEvent::Message { sender, .. } => format!("<{}", sender.node),
            EngineEvent::Lost { reason } => reason,
        };
        events.into_iter().map(shown).collect()
    }

    #[test]
    fn the_first_configuration_needs_the_join_and_the_ring() {
        assert_eq!(told(&[ring(4, &[1, 2])]), [""; 0]);
        assert_eq!(told(&[members(&[2], false), ring(4, &[1, 2]), message(2)]), [""; 0]);
        assert_eq!(told(&[members(&[2, 1], false), ring(4, &[1, 2]), message(2)]), ["4:1,2", "<2"]);
        assert_eq!(told(&[ring(4, &[1, 2]), members(&[2, 1], false), message(2)]), ["4:1,2", "<2"]);
    }

    #[test]
    fn a_coming_or_going_within_a_ring_is_a_configuration_each() {
        let callbacks = [ring(4, &[1, 2]), members(&[1], false), members(&[1, 2], false), members(&[1], false)];
        assert_eq!(told(&callbacks), ["4:1", "4:1,2", "4:1"]);
    }

    #[test]
    fn a_ring_change_is_one_configuration() {
        let start = [ring(4, &[1, 2, 3]), members(&[1, 2, 3], false)];
        let change = [members(&[1, 2], true), members(&[1, 2, 4], true), members(&[1, 4], false), ring(8, &[1, 2, 4])];
        assert_eq!(told(&[&start[..], &change].concat()), ["4:1,2,3", "8:1,4"]);
    }

    #[test]
    fn a_ring_change_without_a_change_of_members_is_told() {
        assert_eq!(told(&[ring(4, &[1, 2]), members(&[1, 2], false), ring(8, &[1, 2])]), ["4:1,2", "8:1,2"]);
    }

    #[test]
    fn processes_of_nodes_outside_the_ring_are_ghosts() {
        assert_eq!(told(&[ring(4, &[1, 2]), members(&[1, 2], false), ring(8, &[1])]), ["4:1,2", "8:1"]);
    }

    #[test]
    fn a_message_is_never_told_before_who_has_sent_it() {
        let callbacks = [ring(4, &[1]), members(&[1], false), members(&[1, 2], true), message(2), ring(8, &[1, 2])];
        assert_eq!(told(&callbacks), ["4:1", "4:1,2", "<2", "8:1,2"]);
    }
}
