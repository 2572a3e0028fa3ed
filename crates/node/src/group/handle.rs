//! What the rest of the daemon has of the groups.
//!
//! Calls change the groups at once, under a lock that is held for microseconds; what follows from them is sent and told by the
//! task in `ring`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hamsa_group::{Event, GroupName, Groups, JoinError, JoinOptions, Member, ProvideError, SendError, Status, ViewId};
use hamsa_group_embedded::{Fault, FaultError};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, oneshot};

use super::Link;
use super::engine::{AddNodeError, EngineInfo, EngineRequest};
use super::users::{GroupEvents, User, user};
use crate::config::RingNode;
use crate::histogram::{Histogram, HistogramCounts};
use crate::limits::{GROUP_BLOCKED_BOUNDS_S, MAX_GROUP_PENDING, MAX_KNOWN_NODES};

/// The groups of this node over one engine.
#[derive(Debug, Clone)]
pub struct GroupsHandle {
    pub(super) shared: Arc<Shared>,
}

/// How the groups over one engine stand.
#[derive(Debug, Clone)]
pub struct GroupsStatus {
    /// Which nodes they have members of.
    pub link: Link,
    /// The cluster's name.
    pub cluster: String,
    /// The engine's name.
    pub engine: &'static str,
    /// How it is at the moment.
    pub engine_info: EngineInfo,
    /// The groups themselves.
    pub status: Status,
    /// Nodes that were ever in reach, by their numbers.
    pub nodes: BTreeMap<u32, KnownNode>,
    /// How long nothing could be sent before each view.
    pub blocked: HistogramCounts,
    /// Times that a group was left because its user did not take its events.
    pub forced_leaves: u64,
}

/// A node that was in reach once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownNode {
    /// Its last life.
    pub member: Member,
    /// Its host's name.
    pub name: String,
    /// Whether it is in reach.
    pub is_reachable: bool,
    /// Since when it is, or is not.
    pub since: Instant,
}

#[derive(Debug)]
pub(super) struct Shared {
    link: Link,
    state_patience: Duration,
    pub(super) cluster: String,
    pub(super) engine: &'static str,
    pub(super) engine_info: Arc<Mutex<EngineInfo>>,
    pub(super) requests: mpsc::Sender<EngineRequest>,
    /// There may be something to send or to tell.
    pub(super) wake: Notify,
    inner: Mutex<Inner>,
    blocked: Histogram,
    forced_leaves: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) groups: Groups,
    users: BTreeMap<GroupName, User>,
    /// What has happened and is not in the users' queues yet.
    pending: VecDeque<(GroupName, Event)>,
    nodes: BTreeMap<u32, KnownNode>,
    /// Groups whose user is to give its state, and by when.
    owed: BTreeMap<GroupName, Instant>,
    is_over: bool,
}

/// What the groups' parts need from the beginning on.
pub(super) struct SharedParts {
    pub(super) link: Link,
    pub(super) state_patience: Duration,
    pub(super) cluster: String,
    pub(super) engine: &'static str,
    pub(super) engine_info: Arc<Mutex<EngineInfo>>,
    pub(super) requests: mpsc::Sender<EngineRequest>,
    pub(super) groups: Groups,
}

impl GroupsHandle {
    pub(super) fn new(parts: SharedParts) -> Self {
        let SharedParts { link, state_patience, cluster, engine, engine_info, requests, groups } = parts;
        let (users, pending, nodes, owed) = Default::default();
        let inner = Inner { groups, users, pending, nodes, owed, is_over: false };
        let shared = Shared {
            link,
            state_patience,
            cluster,
            engine,
            engine_info,
            requests,
            wake: Notify::new(),
            inner: Mutex::new(inner),
            blocked: Histogram::new(&GROUP_BLOCKED_BOUNDS_S),
            forced_leaves: AtomicU64::new(0),
        };
        GroupsHandle { shared: Arc::new(shared) }
    }

    /// Joins a group. What happens in it comes from what is returned, and ends at once where the node ends.
    ///
    /// # Errors
    /// See [`JoinError`].
    pub fn join(&self, group: GroupName, options: JoinOptions) -> Result<GroupEvents, JoinError> {
        let (user, events) = user(group.clone(), self.clone());
        self.change(|inner| {
            if inner.is_over {
                return Ok(());
            }
            inner.groups.join(Instant::now(), group.clone(), options)?;
            // What is left of an earlier life is not for this one.
            inner.pending.retain(|(of, _)| *of != group);
            inner.users.insert(group, user);
            Ok(())
        })
        .map(|()| events)
    }

    /// Leaves a group; whether the node was in it. Its events end.
    pub fn leave(&self, group: &GroupName) -> bool {
        self.change(|inner| inner.leave(group))
    }

    /// Sends a message to all members of the view that was taken last, this node among them; its number in that view.
    ///
    /// # Errors
    /// See [`SendError`]. After `WouldBlock`, `Event::Writable` says when to try again; a view that waits to be taken is a reason too.
    pub fn send(&self, group: &GroupName, data: Bytes) -> Result<u64, SendError> {
        self.change(|inner| {
            let Some(user) = inner.users.get(group) else { return Err(SendError::NotJoined(group.clone())) };
            if user.has_view_waiting() || inner.pending.len() >= MAX_GROUP_PENDING {
                if user.refuse() {
                    inner.pending.push_back((group.clone(), Event::Writable { group: group.clone() }));
                }
                return Err(SendError::WouldBlock(group.clone()));
            }
            inner.groups.send(Instant::now(), group, data)
        })
    }

    /// Answers `Event::StateWanted`, before the next event is taken.
    ///
    /// # Errors
    /// See [`ProvideError`].
    pub fn provide_state(&self, group: &GroupName, view: ViewId, state: Bytes) -> Result<(), ProvideError> {
        self.change(|inner| {
            inner.groups.provide_state(Instant::now(), group, view, state)?;
            inner.owed.remove(group);
            Ok(())
        })
    }

    /// How things stand.
    pub fn status(&self) -> GroupsStatus {
        let (status, nodes) = {
            let inner = self.lock();
            (inner.groups.status(), inner.nodes.clone())
        };
        GroupsStatus {
            link: self.shared.link,
            cluster: self.shared.cluster.clone(),
            engine: self.shared.engine,
            engine_info: self.shared.engine_info.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            status,
            nodes,
            blocked: self.shared.blocked.counts(),
            forced_leaves: self.shared.forced_leaves.load(Ordering::Relaxed),
        }
    }

    /// Has the engine make a fault. Only outside of asynchronous tasks: it waits, for some seconds at most.
    ///
    /// # Errors
    /// See [`FaultError`].
    pub fn inject(&self, fault: Fault) -> Result<(), FaultError> {
        let (answer, answered) = oneshot::channel();
        self.shared.requests.try_send(EngineRequest::Inject(fault, answer)).map_err(|error| match error {
            TrySendError::Full(_) => FaultError::Busy,
            TrySendError::Closed(_) => FaultError::NoEngine,
        })?;
        answered.blocking_recv().unwrap_or(Err(FaultError::NoEngine))
    }

    /// Has the ring that this node runs have a node more. Do so on all nodes.
    ///
    /// # Errors
    /// See [`AddNodeError`].
    pub fn add_node(&self, node: &RingNode) -> Result<(), AddNodeError> {
        let (answer, answered) = oneshot::channel();
        let node = node.clone().into();
        self.shared.requests.try_send(EngineRequest::AddNode(node, answer)).map_err(|_| AddNodeError::Busy)?;
        answered.blocking_recv().unwrap_or(Err(AddNodeError::Busy))
    }

    /// Leaves a group for a user that has gone, unless it has another user by now.
    pub(super) fn leave_as(&self, group: &GroupName, is_same: impl Fn(&User) -> bool) {
        self.change(|inner| {
            if inner.users.get(group).is_some_and(is_same) {
                inner.leave(group);
            }
        });
    }

    /// Leaves a group whose user holds it up.
    pub(super) fn drop_user(&self, group: &GroupName, why: &str) {
        self.shared.forced_leaves.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(%group, why, "the group's user holds it up: the node leaves the group");
        self.leave(group);
    }

    /// When the first user that is to give its state is late.
    pub(super) fn next_owed(&self) -> Option<Instant> {
        self.lock().owed.values().min().copied()
    }

    /// Leaves the groups whose users have not given their state in time: others wait for it.
    pub(super) fn drop_late_users(&self, now: Instant) {
        let late: Vec<GroupName> = {
            let inner = self.lock();
            inner.owed.iter().filter(|(_, at)| **at <= now).map(|(group, _)| group.clone()).collect()
        };
        for group in late {
            self.drop_user(&group, "it does not give its state");
        }
    }

    /// The next event for a user's queue.
    pub(super) fn next_pending(&self) -> Option<(GroupName, User, Event)> {
        let mut inner = self.lock();
        loop {
            let (group, event) = inner.pending.pop_front()?;
            if let Some(user) = inner.users.get(&group) {
                let user = user.clone();
                return Some((group, user, event));
            }
        }
    }

    /// All users' events end.
    pub(super) fn end(&self) {
        let mut inner = self.lock();
        inner.is_over = true;
        inner.users.clear();
        inner.pending.clear();
    }

    /// Changes the groups, and takes what follows from it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.lock();
        let result = change(&mut inner);
        inner.take_events(&self.shared.blocked, self.shared.state_patience);
        drop(inner);
        self.shared.wake.notify_one();
        result
    }

    /// The same, by the task itself, which need not be woken.
    pub(super) fn change_quietly<T>(&self, change: impl FnOnce(&mut Groups) -> T) -> T {
        let mut inner = self.lock();
        let result = change(&mut inner.groups);
        inner.take_events(&self.shared.blocked, self.shared.state_patience);
        result
    }

    /// Whether anything is to be told to users.
    pub(super) fn has_pending(&self) -> bool {
        !self.lock().pending.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn leave(&mut self, group: &GroupName) -> bool {
        self.users.remove(group);
        self.owed.remove(group);
        self.pending.retain(|(of, _)| of != group);
        self.groups.leave(Instant::now(), group)
    }

    fn take_events(&mut self, blocked: &Histogram, state_patience: Duration) {
        while let Some(event) = self.groups.poll_event() {
            let group = match &event {
                Event::EngineLost { reason } => {
                    tracing::warn!(%reason, "the group engine is lost");
                    let all = self.users.keys().map(|group| (group.clone(), event.clone()));
                    self.pending.extend(all);
                    continue;
                }
                Event::View { group, .. }
                | Event::Message { group, .. }
                | Event::Undelivered { group, .. }
                | Event::StateWanted { group, .. }
                | Event::State { group, .. }
                | Event::Synchronised { group, .. }
                | Event::Writable { group } => group.clone(),
            };
            match &event {
                Event::View { view, .. } => {
                    self.owed.remove(&group);
                    self.note_view(&group, view.id, blocked);
                }
                Event::StateWanted { .. } => drop(self.owed.insert(group.clone(), Instant::now() + state_patience)),
                _ => {}
            }
            if let Some(user) = self.users.get(&group) {
                user.note(&event);
                self.pending.push_back((group, event));
            }
        }
    }

    fn note_view(&mut self, group: &GroupName, id: ViewId, blocked: &Histogram) {
        let status = self.groups.status();
        let of_group = status.groups.iter().find(|status| status.group == *group);
        let past = of_group.and_then(|status| status.history.iter().rev().find(|past| past.id == id));
        if let Some(past) = past {
            blocked.observe(past.blocked);
        }
        let now = Instant::now();
        for known in self.nodes.values_mut().filter(|known| known.is_reachable) {
            if !status.reachable.iter().any(|(_, member, _)| *member == known.member) {
                (known.is_reachable, known.since) = (false, now);
            }
        }
        for (_, member, name) in status.reachable {
            let is_known =
                self.nodes.get(&member.node).is_some_and(|known| known.member == member && known.is_reachable);
            if !is_known && (self.nodes.len() < MAX_KNOWN_NODES || self.nodes.contains_key(&member.node)) {
                self.nodes.insert(member.node, KnownNode { member, name, is_reachable: true, since: now });
            }
        }
    }
}
