//! The engine of a node: which one, and that it is had again when it is lost.
//!
//! Another engine is added here: a variant of [`NodeEngine`] and an arm in each of its methods, and its options in
//! [`GroupEngineConfig`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hamsa_group::embedded::Hub;
use hamsa_group::{Capabilities, EnginePort};
use hamsa_group_embedded::{ConnectError, Embedded, EmbeddedOptions, Fault, FaultError, Role};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::config::{GroupConfig, GroupEngineConfig};
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
pub(super) enum NodeEngine {
    Embedded(Embedded),
}

/// What the engine's keeper is asked for.
pub(super) enum EngineRequest {
    /// The port has ended: another one is wanted.
    Lost,
    /// Something is to go wrong.
    Inject(Fault, oneshot::Sender<Result<(), FaultError>>),
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
        }
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        match self {
            NodeEngine::Embedded(_) => Hub::capabilities(),
        }
    }

    async fn connect(&mut self) -> Result<EnginePort, ConnectError> {
        match self {
            NodeEngine::Embedded(embedded) => embedded.connect().await,
        }
    }

    fn role(&self) -> &'static str {
        match self {
            NodeEngine::Embedded(embedded) => match embedded.role() {
                Role::None => "",
                Role::Hub => "hub",
                Role::Member => "member",
            },
        }
    }

    fn inject(&self, fault: Fault) -> Result<(), FaultError> {
        match self {
            NodeEngine::Embedded(embedded) => embedded.inject(fault),
        }
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
            let mut pause = GROUP_RECONNECT.0;
            let port = loop {
                match self.connect().await {
                    Ok(port) => break port,
                    Err(error) => {
                        // What passes by itself is gone with the next attempts.
                        if pause >= GROUP_RECONNECT.1 {
                            tracing::warn!(%error, "the group engine can't be had");
                        }
                        tell(EngineInfo { role: "", error: Some(error.to_string()) });
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
                }
            }
            tell(EngineInfo { role: "", error: Some("the connection to the engine was lost".into()) });
        }
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
            },
        }
    }
}
