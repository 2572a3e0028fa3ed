//! Faults that can be asked of the engine while it runs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hamsa_group::Process;
use hamsa_group::embedded::Hub;
use serde::{Deserialize, Serialize};

/// What is to go wrong, or right again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// Nodes reach those on the same side only; those that are not named are on side 0.
    Cut {
        /// The side of each node.
        sides: BTreeMap<u32, u32>,
    },
    /// All reach each other again, without delay.
    Heal,
    /// A node is given everything so late.
    Delay {
        /// Which.
        node: u32,
        /// By how much; nothing ends it.
        delay: Duration,
    },
    /// The engine is lost to a process.
    Drop {
        /// Which.
        process: Process,
    },
}

impl Fault {
    /// Makes it.
    pub(crate) fn inject(self, now: Instant, hub: &mut Hub) {
        match self {
            Fault::Cut { sides } => hub.cut(now, sides),
            Fault::Heal => hub.heal(now),
            Fault::Delay { node, delay } => hub.delay(node, delay),
            Fault::Drop { process } => drop(hub.drop_process(now, process)),
        }
    }
}
