//! Zenoh's ends: a member of one pair, and a process that has many.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use hamsa_group::{EnginePort, Process};
use hamsa_group_zenoh::{Links, Protection, TlsFiles, ZenohEngine, ZenohOptions};
use hamsa_testkit::{Authority, Certified, Usage, Validity};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::limits::COMMANDS;
use crate::member::{Running, lines};
use crate::protocol::Run;

/// One end of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndOptions {
    /// `host:port`.
    pub endpoint: String,
    /// Whether it listens there, or dials it.
    pub is_hub: bool,
    pub lease: Duration,
    /// Where its certificates are.
    pub certificates: PathBuf,
}

/// One end of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub options: EndOptions,
    pub peer: u32,
}

impl EndOptions {
    /// From the arguments of a role: `hub` or `site`, endpoint, lease in milliseconds, directory of certificates.
    pub(crate) fn parse(side: &str, endpoint: &str, lease_ms: &str, certificates: &str) -> anyhow::Result<Self> {
        let lease = Duration::from_millis(lease_ms.parse().context("a lease")?);
        let (endpoint, certificates) = (endpoint.to_owned(), certificates.into());
        Ok(EndOptions { endpoint, is_hub: side == "hub", lease, certificates })
    }
}

/// Zenoh wants several threads; one of ours and its own are what there is processor for.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()
}

/// Starts an engine.
pub(crate) async fn start(node: u32, options: &EndOptions) -> anyhow::Result<ZenohEngine> {
    let (endpoints, none) = (vec![options.endpoint.clone()], Vec::new());
    let links = match options.is_hub {
        true => Links { listen: endpoints, dial: none },
        false => Links { listen: none, dial: endpoints },
    };
    let Certified { authority, certificate, key } = Certified::in_directory(&options.certificates);
    let options = ZenohOptions {
        enterprise: "bench".into(),
        me: process(node),
        links,
        protection: Protection::Tls(TlsFiles { authority, certificate, key }),
        lease: options.lease,
        name: format!("node-{node}"),
        version: "bench".into(),
        began_after_ms: 0,
    };
    Ok(ZenohEngine::start(options).await?)
}

/// A pair of it.
pub(crate) async fn pair(engine: &ZenohEngine, peer: u32) -> anyhow::Result<EnginePort> {
    Ok(engine.pair(process(peer)).await?)
}

/// A process has one engine in each of its lives.
fn process(node: u32) -> Process {
    Process { node, process: 1 }
}

/// The role of the hub: one engine, a pair with each of these nodes. Or of many sites: an engine each, which has a pair with
/// node 1. All do what the standard input says, one a bit after the other.
pub(crate) fn run_many(options: &EndOptions, first: u32, count: u32) -> anyhow::Result<()> {
    let mut commands = lines();
    runtime()?.block_on(async {
        let mut engines = Vec::new();
        let mut members = JoinSet::new();
        let mut senders = Vec::new();
        if options.is_hub {
            engines.push(start(1, options).await?);
        }
        for node in first..first + count {
            let (me, peer) = if options.is_hub { (1, node) } else { (node, 1) };
            if !options.is_hub {
                engines.push(start(node, options).await?);
            }
            let port = pair(engines.last().context("an engine")?, peer).await?;
            let (sender, commands) = mpsc::channel(COMMANDS);
            senders.push(sender);
            members.spawn(Running::over(me, port, commands));
        }
        while let Some(line) = commands.recv().await {
            for (index, sender) in senders.iter().enumerate() {
                let line = match line.strip_prefix("run ").map(Run::parse).transpose()? {
                    Some(run) => run.after(run.period * index as u32 / count).to_string(),
                    None => line.clone(),
                };
                sender.send(line).await.context("a member has ended")?;
            }
        }
        drop(senders);
        while let Some(ended) = members.join_next().await {
            ended??;
        }
        Ok(())
    })
}

/// Makes an authority, and a certificate of it for all that are reached by these names, in a directory.
pub(crate) fn certify(directory: &Path, names: &[String]) {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Authority::new().sign(directory, &names, Validity::Now, Usage::Both);
}
