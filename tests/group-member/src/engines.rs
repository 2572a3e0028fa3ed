//! The engines that a member can have, and their tasks.

use std::any::Any;
use std::io::Write;
use std::time::Duration;

use hamsa_group::{Capabilities, EnginePort, GroupEngine};
use hamsa_group_embedded::{Embedded, EmbeddedOptions, Fault};
use hamsa_group_member::{EnginePlan, MemberPlan, Notice};
use tokio::sync::mpsc;
use tokio::time::sleep;

/// Between two attempts to have the engine.
const RETRY: Duration = Duration::from_millis(50);

/// All members of a test are of it.
const CLUSTER: &str = "contract";

/// Tells whoever runs the program.
pub(crate) fn notify(notice: &Notice) {
    let line = serde_json::to_string(notice).expect("a notice is JSON");
    // Whoever read it has ended; so will we.
    let _ = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}

/// An engine as a member has it: it connects again whenever it was lost.
pub(crate) struct Engine {
    pub(crate) capabilities: Capabilities,
    /// Whenever there is a new connection.
    pub(crate) ports: mpsc::Receiver<EnginePort>,
    /// Says that the connection has ended.
    wanted: mpsc::Sender<()>,
    faults: mpsc::Sender<Fault>,
    /// What runs it.
    _keeper: Box<dyn Any>,
}

impl Engine {
    pub(crate) async fn start(plan: &MemberPlan) -> anyhow::Result<Self> {
        let (give, ports) = mpsc::channel(1);
        let (wanted, is_wanted) = mpsc::channel(1);
        let (faults, is_faulty) = mpsc::channel(1);
        let (capabilities, keeper): (_, Box<dyn Any>) = match &plan.engine {
            EnginePlan::Embedded { socket } => {
                wanted.try_send(())?;
                let (socket, cluster) = (socket.clone(), CLUSTER.to_owned());
                let options = EmbeddedOptions { socket, cluster, node: plan.node, allow_faults: true };
                tokio::spawn(keep_connected(Embedded::new(options), is_wanted, is_faulty, give));
                (hamsa_group::embedded::Hub::capabilities(), Box::new(()))
            }
            // These connect again by themselves.
            EnginePlan::Corosync { directory, key, token_ms, nodes } => {
                let ring = corosync::ring(*token_ms, nodes)?;
                let (daemon, port) = corosync::start(ring, plan.node, key, directory)?;
                let capabilities = port.capabilities();
                give.try_send(port)?;
                (capabilities, Box::new(daemon))
            }
            #[cfg(feature = "zenoh")]
            EnginePlan::Zenoh { hub, is_hub, peer, authority, certificate, key } => {
                let (authority, certificate, key) = (authority.clone(), certificate.clone(), key.clone());
                let files = hamsa_group_zenoh::TlsFiles { authority, certificate, key };
                let (engine, port) = zenoh::start(plan.node, hub, *is_hub, *peer, files).await?;
                let capabilities = port.capabilities();
                give.try_send(port)?;
                (capabilities, Box::new(engine))
            }
            #[cfg(not(feature = "zenoh"))]
            EnginePlan::Zenoh { .. } => anyhow::bail!("this program was built without the feature `zenoh`"),
        };
        Ok(Engine { capabilities, ports, wanted, faults, _keeper: keeper })
    }

    /// The port was told lost, or has ended.
    pub(crate) fn connect_again(&self) {
        // Full: it is wanted already. Closed: the port does it.
        let _ = self.wanted.try_send(());
    }

    /// Has a fault made, if the engine makes any.
    pub(crate) async fn inject(&self, fault: Fault) {
        if self.faults.send(fault).await.is_err() {
            notify(&Notice::Problem("this engine makes no faults by itself".into()));
        }
    }
}

/// Connects whenever that is wanted, as often as it takes: the engine may be what a test has ended.
async fn keep_connected(
    mut embedded: Embedded,
    mut wanted: mpsc::Receiver<()>,
    mut faults: mpsc::Receiver<Fault>,
    ports: mpsc::Sender<EnginePort>,
) {
    loop {
        tokio::select! {
            is_wanted = wanted.recv() => {
                if is_wanted.is_none() {
                    return;
                }
                let port = loop {
                    match embedded.connect().await {
                        Ok(port) => break port,
                        Err(_) => sleep(RETRY).await,
                    }
                };
                if ports.send(port).await.is_err() {
                    return;
                }
            }
            Some(fault) = faults.recv() => {
                if let Err(error) = embedded.inject(fault) {
                    notify(&Notice::Problem(error.to_string()));
                }
            }
        }
    }
}

mod corosync {
    use std::collections::BTreeMap;
    use std::net::IpAddr;
    use std::path::Path;

    use hamsa_group::EnginePort;
    use hamsa_group_corosync::{
        CorosyncEngine, Daemon, DaemonEvent, DaemonOptions, EngineOptions, GroupName, Node, Ring, RingOptions,
    };
    use hamsa_group_member::Notice;

    use super::{CLUSTER, notify};

    pub(super) fn ring(token_ms: u32, nodes: &BTreeMap<u32, IpAddr>) -> anyhow::Result<Ring> {
        let node = |(number, address): (&u32, &IpAddr)| Node {
            number: *number,
            name: format!("n{number}"),
            addresses: vec![*address],
        };
        let (cluster, nodes) = (CLUSTER.to_owned(), nodes.iter().map(node).collect());
        Ok(Ring::new(RingOptions { cluster, nodes, token_ms, consensus_ms: None, port: 5405 })?)
    }

    pub(super) fn start(ring: Ring, node: u32, key: &Path, directory: &Path) -> anyhow::Result<(Daemon, EnginePort)> {
        let (key, directory) = (key.to_owned(), directory.to_owned());
        let options = DaemonOptions { ring, node, key, directory, is_realtime: false };
        let daemon = Daemon::start(options, |event| match event {
            DaemonEvent::Started { pid } => notify(&Notice::Daemon { pid }),
            DaemonEvent::Problem(problem) => notify(&Notice::Problem(problem.to_string())),
            DaemonEvent::Ended { reason, .. } => notify(&Notice::Problem(reason)),
        })?;
        let group = GroupName::new(CLUSTER)?;
        Ok((daemon, CorosyncEngine::start_reconnecting(EngineOptions { group, node: Some(node) })?))
    }
}

#[cfg(feature = "zenoh")]
mod zenoh {
    use std::time::Duration;

    use hamsa_group::{EnginePort, Process};
    use hamsa_group_zenoh::{Links, Protection, TlsFiles, ZenohEngine, ZenohOptions};

    use super::CLUSTER;

    /// For a busy machine.
    const LEASE: Duration = Duration::from_secs(1);

    pub(super) async fn start(
        node: u32,
        hub: &str,
        is_hub: bool,
        peer: u32,
        files: TlsFiles,
    ) -> anyhow::Result<(ZenohEngine, EnginePort)> {
        let process = |node| Process { node, process: 1 };
        let (hub, none) = (vec![hub.to_owned()], Vec::new());
        let links = match is_hub {
            true => Links { listen: hub, dial: none },
            false => Links { listen: none, dial: hub },
        };
        let options = ZenohOptions {
            enterprise: CLUSTER.to_owned(),
            me: process(node),
            links,
            protection: Protection::Tls(files),
            lease: LEASE,
            name: format!("node-{node}"),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            began_after_ms: 0,
        };
        let engine = ZenohEngine::start(options).await?;
        let port = engine.pair(process(peer)).await?;
        Ok((engine, port))
    }
}
