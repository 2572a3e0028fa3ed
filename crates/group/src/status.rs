//! What people and metrics are told of the groups of a process.

use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use crate::engine::{Process, RingId};
use crate::member::{Cause, GroupName, Member, StateVersion, View, ViewId};

/// What is kept for people, and decides nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Aside<T>(T);

impl<T> Deref for Aside<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Aside<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> PartialEq for Aside<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Aside<T> {}

impl<T> Hash for Aside<T> {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// All of one process.
#[derive(Debug, Clone)]
pub struct Status {
    /// This process.
    pub me: Member,
    /// How it stands with the engine.
    pub link: LinkStatus,
    /// Who is in the configuration, with names.
    pub reachable: Vec<(Process, Member, String)>,
    /// The groups that this process is in.
    pub groups: Vec<GroupStatus>,
    /// Of all groups together.
    pub counters: LinkCounters,
}

/// How a process stands with its engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkStatus {
    /// There is none, and the process waits for it.
    Down {
        /// Since when.
        since: Instant,
    },
    /// There is none, and the process goes on alone.
    Alone {
        /// Since when.
        since: Instant,
    },
    /// The members of a configuration say what they have seen.
    Exchanging {
        /// Of the configuration.
        ring: RingId,
        /// Since when.
        since: Instant,
    },
    /// All that are reachable agree.
    Settled {
        /// Of the configuration.
        ring: RingId,
        /// Since when.
        since: Instant,
    },
}

/// One group.
#[derive(Debug, Clone)]
pub struct GroupStatus {
    /// Its name.
    pub group: GroupName,
    /// Its view, if there is one yet.
    pub view: Option<View>,
    /// The state that this member has.
    pub version: Option<StateVersion>,
    /// Members whose state has not come yet.
    pub waits_for: Vec<Member>,
    /// Messages that wait to be sent.
    pub outgoing: usize,
    /// And their octets.
    pub outgoing_bytes: usize,
    /// The last views, the oldest first.
    pub history: Vec<PastView>,
    /// Since the group was joined.
    pub counters: GroupCounters,
}

/// A view that was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastView {
    /// Its name.
    pub id: ViewId,
    /// Why it came.
    pub cause: Cause,
    /// Its members.
    pub members: Vec<Member>,
    /// When it came.
    pub at: Instant,
    /// How long nothing could be sent before it.
    pub blocked: Duration,
}

/// Of one group, since it was joined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupCounters {
    /// Views.
    pub views: u64,
    /// Exchanges that left the view as it was.
    pub views_kept: u64,
    /// Messages given to the engine.
    pub sent: u64,
    /// Octets given to the engine, headers and states among them.
    pub sent_bytes: u64,
    /// Messages given to the user.
    pub received: u64,
    /// Their octets.
    pub received_bytes: u64,
    /// Own messages that did not come back in their view.
    pub undelivered: u64,
    /// States of other members.
    pub states_received: u64,
    /// Times that a message was not taken.
    pub would_block: u64,
    /// Times that packets were missing.
    pub missed: u64,
    /// Packets of senders that are not in the view, or after a missing one.
    pub ignored: u64,
}

/// Of a process, since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Configurations of the engine's.
    pub configurations: u64,
    /// Exchanges begun.
    pub exchanges: u64,
    /// Times that who was late was not waited for.
    pub exclusions: u64,
    /// Times that the engine was lost.
    pub engine_losses: u64,
    /// Messages of no view of ours: of groups that we are not in, or late.
    pub of_other_views: u64,
    /// Messages that could not be read.
    pub unreadable: u64,
}
