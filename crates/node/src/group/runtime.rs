//! The task that owns the groups and their engine: one loop.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use hamsa_group::{
    EngineEvent, EnginePort, EngineSendError, Event, GroupEngine, GroupName, Groups, JoinError, JoinOptions, Member,
    Options, PortNews, SetUpError,
};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep_until, timeout};

use super::ENTERPRISE;
use super::engine::{EngineInfo, EngineRequest, NodeEngine};
use super::handle::{GroupsHandle, SharedParts};
use super::users::GroupEvents;
use crate::config::GroupConfig;
use crate::limits::{GROUP_BATCH, GROUP_REQUESTS, GROUP_USER_PATIENCE};

/// The groups can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum GroupStartError {
    /// They don't take what the configuration says.
    #[error(transparent)]
    SetUp(#[from] SetUpError),
    /// A group of the configuration can't be joined.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// There is no thread or random source to be had.
    #[error("a thread or the random source can't be had: {0}")]
    System(#[from] io::Error),
}

/// The groups of a node, while they run. They end when dropped.
#[derive(Debug)]
pub struct GroupRuntime {
    handle: GroupsHandle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl GroupRuntime {
    /// Begins; whether the engine can be had turns out later. `name` is the node's.
    ///
    /// # Errors
    /// See [`GroupStartError`].
    pub fn start(config: &GroupConfig, name: &str) -> Result<Self, GroupStartError> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::from)?;
        let me = Member { node: config.node, incarnation: u64::from_le_bytes(random) };
        let engine = NodeEngine::new(config);
        let capabilities = engine.capabilities();
        let options = Options {
            exchange_patience: config.exchange_patience,
            alone_after: config.alone_after,
            ..Options::new(me, name, capabilities.max_message_bytes)
        };
        let groups = Groups::new(Instant::now(), options)?;
        let (requests, requested) = mpsc::channel(GROUP_REQUESTS);
        let engine_info = Arc::new(Mutex::new(EngineInfo::default()));
        let handle = GroupsHandle::new(SharedParts {
            cluster: config.cluster.clone(),
            engine: capabilities.engine,
            engine_info: engine_info.clone(),
            requests,
            groups,
        });
        let mut joined = Vec::new();
        let enterprise = GroupName::new(ENTERPRISE).expect("letters make a name");
        let names: BTreeSet<GroupName> = config.groups.iter().cloned().chain([enterprise]).collect();
        for group in names {
            joined.push(handle.join(group, JoinOptions::default())?);
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let owner = handle.clone();
        let thread = thread::Builder::new().name("groups".into()).spawn(move || {
            runtime.block_on(async {
                let (to_us, ports) = mpsc::channel(1);
                tokio::spawn(engine.keep(requested, to_us, engine_info));
                joined.into_iter().for_each(|events| drop(tokio::spawn(watch(events))));
                tokio::select! {
                    () = (Task { handle: owner.clone(), port: None, is_full: false }).run(ports) => {}
                    _ = stopped => {}
                }
            });
            owner.end();
        })?;
        Ok(GroupRuntime { handle, stop: Some(stop), thread: Some(thread) })
    }

    /// For the rest of the daemon.
    pub fn handle(&self) -> &GroupsHandle {
        &self.handle
    }
}

impl Drop for GroupRuntime {
    fn drop(&mut self) {
        // A task that has ended needs not be told.
        let _ = self.stop.take().map(|stop| stop.send(()));
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the groups has panicked");
        }
    }
}

/// Tells the log who is there.
async fn watch(mut events: GroupEvents) {
    while let Some(event) = events.next().await {
        let Event::View { group, view } = event else { continue };
        let members: Vec<String> = view.members.iter().map(Member::to_string).collect();
        tracing::info!(%group, view = %view.id, cause = %view.cause, members = members.join(" "), "a view");
        let nodes: BTreeSet<u32> = view.members.iter().map(|member| member.node).collect();
        if nodes.len() < view.members.len() {
            tracing::error!(%group, members = members.join(" "), "two nodes have one number: change it in [group]");
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
            let wake_at = self.handle.change_quietly(|groups| groups.poll_timeout());
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
                    self.handle.change(|inner| inner.groups.handle_timeout(Instant::now()));
                }
            }
        }
    }

    /// Gives users what has happened.
    async fn tell(&mut self) {
        while let Some((group, user, event)) = self.handle.next_pending() {
            if timeout(GROUP_USER_PATIENCE, user.give(event)).await.is_err() {
                self.handle.drop_user(&group);
            }
        }
    }

    fn transmit(&mut self) {
        let Some(port) = self.port.as_mut().filter(|_| !self.is_full) else { return };
        self.is_full = self.handle.change_quietly(|groups| {
            while let Some(data) = groups.poll_transmit() {
                match port.send(data) {
                    Ok(()) => groups.transmitted(),
                    Err(EngineSendError::Full) => return true,
                    // The event that tells so is on its way.
                    Err(EngineSendError::Lost) => return false,
                    Err(error @ EngineSendError::TooLong { .. }) => {
                        // The groups know how long one may be, so this is our own fault. Others find the gap, and begin anew.
                        tracing::error!(%error, "a message for the group engine is lost");
                        groups.transmitted();
                    }
                }
            }
            false
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
