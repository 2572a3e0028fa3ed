//! The engine of a node: which one, and that it is had again when it is lost.
//!
//! Another engine is added here: a variant of [`NodeEngine`] and an arm in each of its methods, and its options in
//! [`GroupEngineConfig`].

use std::path::absolute;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[cfg(feature = "zenoh")]
use hamsa_group::Process;
use hamsa_group::embedded::Hub;
#[cfg(feature = "zenoh")]
use hamsa_group::pair::Pair;
use hamsa_group::{Capabilities, EnginePort};
use hamsa_group_corosync::{CorosyncEngine, Daemon, DaemonEvent, DaemonOptions, EngineOptions, Node};
use hamsa_group_embedded::{Embedded, EmbeddedOptions, Fault, FaultError, Role};
#[cfg(feature = "zenoh")]
use hamsa_group_zenoh::ZenohEngine;
#[cfg(feature = "zenoh")]
use tokio::sync::watch;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

#[cfg(feature = "zenoh")]
use crate::config::PROCESS;
use crate::config::{CorosyncConfig, GroupConfig, GroupEngineConfig};
use crate::limits::GROUP_RECONNECT;

/// What a node's engine is at the moment, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineInfo {
    /// How it takes part, in a word; empty while it is not connected.
    pub role: &'static str,
    /// Why it is not connected.
    pub error: Option<String>,
}

/// One of those that this program was built with.
pub(crate) enum NodeEngine {
    Embedded(Embedded),
    Corosync(Box<Corosync>),
    #[cfg(feature = "zenoh")]
    Pair(PairEngine),
}

/// A pair of a Zenoh engine, which starts when it can.
#[cfg(feature = "zenoh")]
pub(crate) struct PairEngine {
    pub(crate) engine: watch::Receiver<Option<Arc<ZenohEngine>>>,
    pub(crate) peer: u32,
}

/// Corosync, and the daemon where it is ours.
pub(crate) struct Corosync {
    config: Option<CorosyncConfig>,
    options: EngineOptions,
    daemon: Option<Arc<Mutex<Daemon>>>,
    /// What is wrong with the daemon, since it was started last.
    problem: Arc<Mutex<Option<String>>>,
}

/// The engine can't be had now.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error(transparent)]
    Embedded(#[from] hamsa_group_embedded::ConnectError),
    #[error(transparent)]
    Corosync(#[from] hamsa_group_corosync::ConnectError),
    #[error(transparent)]
    Daemon(#[from] hamsa_group_corosync::DaemonError),
    #[cfg(feature = "zenoh")]
    #[error(transparent)]
    Pair(#[from] hamsa_group_zenoh::UsePairError),
    /// The daemon says what keeps clients from it, or its ring from forming.
    #[error("{0}")]
    Problem(String),
}

/// What the engine's keeper is asked for.
pub(super) enum EngineRequest {
    /// The port has ended: another one is wanted.
    Lost,
    /// Something is to go wrong.
    Inject(Fault, oneshot::Sender<Result<(), FaultError>>),
    /// The ring is to have a node more.
    AddNode(Node, oneshot::Sender<Result<(), AddNodeError>>),
}

/// A ring has not got a node more.
#[derive(Debug, thiserror::Error)]
pub enum AddNodeError {
    /// There is no ring, or somebody else has made it.
    #[error("this node runs no ring of its own: engine = \"corosync\" with nodes in [group] makes one")]
    NoRing,
    /// Too much is asked for at once, or the engine can't be had.
    #[error("the group engine can't be asked now: try again")]
    Busy,
    /// The ring or its daemons refuse it.
    #[error(transparent)]
    Refused(#[from] hamsa_group_corosync::DaemonError),
}

impl NodeEngine {
    /// The engine of a configuration, not connected yet.
    pub(super) fn new(config: &GroupConfig) -> Self {
        match &config.engine {
            GroupEngineConfig::Embedded { socket, allow_faults } => {
                NodeEngine::Embedded(Embedded::new(EmbeddedOptions {
                    socket: socket.clone(),
                    cluster: config.cluster.clone(),
                    node: config.node,
                    allow_faults: *allow_faults,
                }))
            }
            GroupEngineConfig::Corosync { daemon } => {
                NodeEngine::Corosync(Box::new(Corosync::new(daemon.clone(), config)))
            }
        }
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        match self {
            NodeEngine::Embedded(_) => Hub::capabilities(),
            NodeEngine::Corosync(_) => hamsa_group_corosync::CAPABILITIES,
            #[cfg(feature = "zenoh")]
            NodeEngine::Pair(_) => Pair::capabilities("zenoh"),
        }
    }

    async fn connect(&mut self) -> Result<EnginePort, ConnectError> {
        match self {
            NodeEngine::Embedded(embedded) => Ok(embedded.connect().await?),
            NodeEngine::Corosync(corosync) => corosync.connect(),
            #[cfg(feature = "zenoh")]
            NodeEngine::Pair(pair) => pair.connect().await,
        }
    }

    fn role(&self) -> &'static str {
        match self {
            NodeEngine::Embedded(embedded) => match embedded.role() {
                Role::None => "",
                Role::Hub => "hub",
                Role::Member => "member",
            },
            NodeEngine::Corosync(corosync) if corosync.daemon.is_some() => "own daemon",
            NodeEngine::Corosync(_) => "daemon of the host",
            #[cfg(feature = "zenoh")]
            NodeEngine::Pair(_) => "member",
        }
    }

    fn inject(&self, fault: Fault) -> Result<(), FaultError> {
        match self {
            NodeEngine::Embedded(embedded) => embedded.inject(fault),
            _ => Err(FaultError::OtherEngine),
        }
    }

    /// Has the ring have a node more, on a thread of its own: daemons may take long to answer.
    fn add_node(&self, node: Node, answer: oneshot::Sender<Result<(), AddNodeError>>) {
        let daemon = match self {
            NodeEngine::Corosync(corosync) => corosync.daemon.clone(),
            _ => None,
        };
        // Whoever asked may have gone.
        let Some(daemon) = daemon else { return drop(answer.send(Err(AddNodeError::NoRing))) };
        tokio::task::spawn_blocking(move || {
            let added = daemon.lock().unwrap_or_else(PoisonError::into_inner).add_node(node);
            drop(answer.send(added.map_err(AddNodeError::Refused)));
        });
    }

    /// Connects, and again whenever the port is lost, until nobody asks any more.
    pub(super) async fn keep(
        mut self,
        mut requests: mpsc::Receiver<EngineRequest>,
        ports: mpsc::Sender<EnginePort>,
        info: Arc<Mutex<EngineInfo>>,
    ) {
        let tell = |new: EngineInfo| *info.lock().unwrap_or_else(PoisonError::into_inner) = new;
        loop {
            let (mut pause, mut told) = (GROUP_RECONNECT.0, None);
            let port = loop {
                match self.connect().await {
                    Ok(port) => break port,
                    Err(error) => {
                        let error = error.to_string();
                        // What passes by itself is gone with the next attempts, and what stays is told once.
                        if pause >= GROUP_RECONNECT.1 && told.as_ref() != Some(&error) {
                            tracing::warn!(%error, "the group engine can't be had");
                            told = Some(error.clone());
                        }
                        tell(EngineInfo { role: "", error: Some(error) });
                    }
                }
                if !wait(&mut requests, pause).await {
                    return;
                }
                pause = (pause * 2).min(GROUP_RECONNECT.1);
            };
            tell(EngineInfo { role: self.role(), error: None });
            if ports.send(port).await.is_err() {
                return;
            }
            loop {
                match requests.recv().await {
                    None => return,
                    Some(EngineRequest::Lost) => break,
                    // Whoever asked may have gone.
                    Some(EngineRequest::Inject(fault, answer)) => drop(answer.send(self.inject(fault))),
                    Some(EngineRequest::AddNode(node, answer)) => self.add_node(node, answer),
                }
            }
            tell(EngineInfo { role: "", error: Some("the connection to the engine was lost".into()) });
        }
    }
}

impl Corosync {
    fn new(config: Option<CorosyncConfig>, group: &GroupConfig) -> Self {
        let name = hamsa_group_corosync::GroupName::new(&format!("hamsa/{}", group.cluster));
        let name = name.expect("a cluster's name is short, and has no control characters");
        let options = EngineOptions { group: name, node: config.as_ref().map(|_| group.node) };
        Corosync { config, options, daemon: None, problem: Arc::default() }
    }

    /// Starts the daemon the first time, where it is ours; from then on it is kept running.
    fn connect(&mut self) -> Result<EnginePort, ConnectError> {
        if let (Some(config), None) = (&self.config, &self.daemon) {
            let options = DaemonOptions {
                ring: config.ring.clone(),
                node: self.options.node.unwrap_or_default(),
                // The daemon runs elsewhere.
                key: absolute(&config.key).unwrap_or_else(|_| config.key.clone()),
                directory: absolute(&config.directory).unwrap_or_else(|_| config.directory.clone()),
                is_realtime: false,
            };
            let problem = self.problem.clone();
            let note = move |text: Option<String>| *problem.lock().unwrap_or_else(PoisonError::into_inner) = text;
            let daemon = Daemon::start(options, move |event| match event {
                DaemonEvent::Started { pid } => {
                    tracing::info!(pid, "Corosync was started");
                    note(None);
                }
                DaemonEvent::Problem(problem) => {
                    tracing::error!(%problem, "Corosync");
                    note(Some(problem.to_string()));
                }
                DaemonEvent::Ended { reason, retry_after } => {
                    tracing::error!(%reason, ?retry_after, "Corosync has ended");
                    note(Some(format!("Corosync has ended: {reason}")));
                }
            })?;
            self.daemon = Some(Arc::new(Mutex::new(daemon)));
        }
        CorosyncEngine::start(self.options.clone()).map_err(|error| {
            let problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone();
            problem.map_or(ConnectError::Corosync(error), ConnectError::Problem)
        })
    }
}

#[cfg(feature = "zenoh")]
impl PairEngine {
    async fn connect(&mut self) -> Result<EnginePort, ConnectError> {
        let engine = self.engine.borrow().clone();
        let engine =
            engine.ok_or_else(|| ConnectError::Problem("Zenoh has not started: see hamsa enterprise".into()))?;
        Ok(engine.pair(Process { node: self.peer, process: PROCESS }).await?)
    }
}

/// Waits, and refuses what is asked for meanwhile. Whether anybody asks at all.
async fn wait(requests: &mut mpsc::Receiver<EngineRequest>, pause: Duration) -> bool {
    let mut over = std::pin::pin!(sleep(pause));
    loop {
        tokio::select! {
            () = &mut over => return true,
            request = requests.recv() => match request {
                None => return false,
                Some(EngineRequest::Lost) => {}
                Some(EngineRequest::Inject(_, answer)) => drop(answer.send(Err(FaultError::NoEngine))),
                Some(EngineRequest::AddNode(_, answer)) => drop(answer.send(Err(AddNodeError::Busy))),
            },
        }
    }
}
