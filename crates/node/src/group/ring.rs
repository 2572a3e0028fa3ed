//! One engine, its groups, and the task that owns them: one loop.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hamsa_group::{
    EngineEvent, EnginePort, Event, GroupEngine, GroupName, Groups, JoinOptions, Member, Options, PortNews,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use super::engine::{EngineInfo, EngineRequest, NodeEngine};
use super::handle::{GroupsHandle, SharedParts};
use super::users::GroupEvents;
use super::{GroupStartError, Link};
use crate::limits::{GROUP_BATCH, GROUP_REQUESTS, GROUP_USER_PATIENCE};

/// What the groups over an engine are set up with.
pub(crate) struct RingOptions {
    /// Which nodes they reach.
    pub(crate) link: Link,
    /// The name that these nodes have together.
    pub(crate) cluster: String,
    /// This node's number and name.
    pub(crate) node: u32,
    pub(crate) name: String,
    /// See [`Options`]; `None`: the usual.
    pub(crate) exchange_patience: Option<Duration>,
    pub(crate) alone_after: Option<Duration>,
    /// Groups to join besides the link's own.
    pub(crate) groups: Vec<GroupName>,
    /// See [`crate::limits::GROUP_STATE_PATIENCE`].
    pub(crate) state_patience: Duration,
}

/// The groups over one engine, before they run.
pub(crate) struct Ring {
    link: Link,
    handle: GroupsHandle,
    engine: NodeEngine,
    requested: mpsc::Receiver<EngineRequest>,
    engine_info: Arc<Mutex<EngineInfo>>,
    joined: Vec<GroupEvents>,
}

impl Ring {
    /// Sets them up; whether the engine can be had turns out later.
    pub(crate) fn new(options: RingOptions, engine: NodeEngine) -> Result<Self, GroupStartError> {
        let RingOptions { link, cluster, node, name, exchange_patience, alone_after, groups, state_patience } = options;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::from)?;
        let me = Member { node, incarnation: u64::from_le_bytes(random) };
        let capabilities = engine.capabilities();
        let mut options = Options::new(me, &name, capabilities.max_message_bytes);
        options.exchange_patience = exchange_patience.unwrap_or(options.exchange_patience);
        options.alone_after = alone_after.unwrap_or(options.alone_after);
        let (requests, requested) = mpsc::channel(GROUP_REQUESTS);
        let engine_info = Arc::new(Mutex::new(EngineInfo::default()));
        let handle = GroupsHandle::new(SharedParts {
            link,
            state_patience,
            cluster,
            engine: capabilities.engine,
            engine_info: engine_info.clone(),
            requests,
            groups: Groups::new(Instant::now(), options)?,
        });
        let groups: BTreeSet<GroupName> = groups.into_iter().chain([link.own_group()]).collect();
        let joined = groups.into_iter().map(|group| handle.join(group, JoinOptions::default()));
        let joined = joined.collect::<Result<_, _>>()?;
        Ok(Ring { link, handle, engine, requested, engine_info, joined })
    }

    /// For the rest of the daemon.
    pub(crate) fn handle(&self) -> &GroupsHandle {
        &self.handle
    }

    /// Runs them until they are told to stop.
    pub(crate) async fn run(self, stopped: oneshot::Receiver<()>) {
        let Ring { link, handle, engine, requested, engine_info, joined } = self;
        let (to_us, ports) = mpsc::channel(1);
        // They end with this.
        let mut others = JoinSet::new();
        others.spawn(engine.keep(requested, to_us, engine_info));
        for events in joined {
            others.spawn(watch(link, events));
        }
        tokio::select! {
            () = (Task { handle: handle.clone(), port: None, is_full: false }).run(ports) => {}
            _ = stopped => {}
        }
        handle.end();
    }
}

/// Tells the log who is there.
async fn watch(link: Link, mut events: GroupEvents) {
    while let Some(event) = events.next().await {
        let Event::View { group, view } = event else { continue };
        let members: Vec<String> = view.members.iter().map(Member::to_string).collect();
        tracing::info!(%link, %group, view = %view.id, cause = %view.cause, members = members.join(" "), "a view");
        let nodes: BTreeSet<u32> = view.members.iter().map(|member| member.node).collect();
        if nodes.len() < view.members.len() {
            tracing::error!(%link, %group, members = members.join(" "), "two nodes have one number: change it in [node]");
        }
    }
}

struct Task {
    handle: GroupsHandle,
    port: Option<EnginePort>,
    /// The engine takes nothing at the moment.
    is_full: bool,
}

impl Task {
    async fn run(mut self, mut ports: mpsc::Receiver<EnginePort>) {
        let shared = self.handle.shared.clone();
        loop {
            self.tell().await;
            self.transmit();
            if self.handle.has_pending() {
                continue;
            }
            let of_groups = self.handle.change_quietly(|groups| groups.poll_timeout());
            let wake_at = of_groups.into_iter().chain(self.handle.next_owed()).min();
            let is_port_wanted = self.port.is_none();
            let news = async {
                match &mut self.port {
                    Some(port) => port.news(self.is_full).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                news = news => match news {
                    PortNews::Event(event) => self.take(event).await,
                    PortNews::Writable => self.is_full = false,
                    PortNews::Ended => self.lost().await,
                },
                Some(port) = ports.recv(), if is_port_wanted => self.port = Some(port),
                () = shared.wake.notified() => {}
                () = sleep_until(wake_at.unwrap_or_else(Instant::now).into()), if wake_at.is_some() => {
                    let now = Instant::now();
                    self.handle.change(|inner| inner.groups.handle_timeout(now));
                    self.handle.drop_late_users(now);
                }
            }
        }
    }

    /// Gives users what has happened.
    async fn tell(&mut self) {
        while let Some((group, user, event)) = self.handle.next_pending() {
            if timeout(GROUP_USER_PATIENCE, user.give(event)).await.is_err() {
                self.handle.drop_user(&group, "it does not take its events");
            }
        }
    }

    fn transmit(&mut self) {
        let Some(port) = self.port.as_mut().filter(|_| !self.is_full) else { return };
        self.is_full = self.handle.change_quietly(|groups| {
            loop {
                match port.transmit(groups) {
                    Ok(is_full) => return is_full,
                    Err(error) => {
                        // The groups know how long one may be, so this is our own fault. Others find the gap, and begin anew.
                        tracing::error!(%error, "a message for the group engine is lost");
                        groups.transmitted();
                    }
                }
            }
        });
    }

    /// What the engine tells, and more of it that is there already.
    async fn take(&mut self, first: EngineEvent) {
        let mut next = Some(first);
        for _ in 0..GROUP_BATCH {
            let Some(event) = next.take() else { return };
            let is_lost = matches!(event, EngineEvent::Lost { .. });
            self.handle.change(|inner| inner.groups.handle_engine(Instant::now(), event));
            if is_lost {
                return self.lost().await;
            }
            next = self.port.as_mut().and_then(GroupEngine::poll_event);
        }
        if let Some(event) = next {
            self.handle.change(|inner| inner.groups.handle_engine(Instant::now(), event));
        }
    }

    async fn lost(&mut self) {
        (self.port, self.is_full) = (None, false);
        // The keeper ends with this task, so it is there.
        let _ = self.handle.shared.requests.send(EngineRequest::Lost).await;
    }
}
