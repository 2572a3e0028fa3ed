//! Corosync's daemons on hosts of their own, and members that use them.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use hamsa_group_corosync::{Daemon, DaemonEvent, DaemonOptions, Node, Ring, RingOptions, create_key};
use hamsa_testkit::{Network, Unavailable, program};

use crate::peer::Peer;
use crate::say;

/// A port that Corosync uses by itself; the hosts have addresses of their own.
const PORT: u16 = 5405;

/// Hosts with a daemon each. They end before their network does.
#[derive(Debug)]
pub(crate) struct Daemons {
    pub daemons: Vec<Peer>,
    pub network: Network,
    token_ms: u32,
}

impl Daemons {
    /// Starts them on so many hosts.
    ///
    /// # Errors
    /// This is not root, or something is not installed.
    pub(crate) fn start(hosts: u8, token_ms: u32) -> Result<Self, Unavailable> {
        program("corosync")?;
        let network = Network::new(hosts)?;
        create_key(&network.directory(1).join("key")).map_err(|error| Unavailable::new(error.to_string()))?;
        let mut daemons = Daemons { network, daemons: Vec::new(), token_ms };
        daemons.daemons = (1..=hosts).map(|host| daemons.daemon(host)).collect();
        Ok(daemons)
    }

    /// A new daemon of a host.
    pub(crate) fn daemon(&self, host: u8) -> Peer {
        let mut command = self.role(host);
        command.args(["daemon", &host.to_string(), &self.network.hosts().to_string(), &self.token_ms.to_string()]);
        command.arg(self.network.directory(host)).arg(self.network.directory(1).join("key"));
        Peer::start(&format!("daemon-{host}"), &mut command)
    }

    /// A member of ours on a host.
    pub(crate) fn member(&self, host: u8) -> Peer {
        let mut command = self.role(host);
        command.args(["corosync", &host.to_string(), "ours"]);
        Peer::start(&format!("member-{host}"), &mut command)
    }

    /// A bare member on a host, of a group of its kind.
    pub(crate) fn bare(&self, host: u8, program: &Path, outstanding: usize) -> Peer {
        let mut command = self.network.command(host, program);
        command.args([format!("bare-{outstanding}"), outstanding.to_string()]);
        Peer::start(&format!("bare-{host}"), &mut command)
    }

    fn role(&self, host: u8) -> Command {
        let own = std::env::current_exe().expect("this program has a path");
        let mut command = self.network.command(host, own);
        command.arg("role");
        command
    }
}

/// The role: owns a daemon until its standard input ends.
pub(crate) fn own_daemon(host: u8, hosts: u8, token_ms: u32, directory: &Path, key: &Path) -> anyhow::Result<()> {
    let nodes = (1..=hosts)
        .map(|host| Node { number: host.into(), name: format!("n{host}"), addresses: vec![[10, 77, 0, host].into()] })
        .collect();
    let cluster = "bench".to_owned();
    let ring = Ring::new(RingOptions { cluster, nodes, token_ms, consensus_ms: None, port: PORT })?;
    let directory = directory.join("corosync");
    let options = DaemonOptions { ring, node: host.into(), key: key.to_owned(), directory, is_realtime: false };
    let daemon = Daemon::start(options, |event| match event {
        DaemonEvent::Started { pid } => say(&format!("pid {pid}")),
        DaemonEvent::Ended { .. } => say("ended"),
        DaemonEvent::Problem(problem) => say(&format!("problem {problem}")),
    })?;
    std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()).context("its standard input")?;
    drop(daemon);
    Ok(())
}
