//! Both agents, started as their users would start them, with the same community and the same user.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use hamsa_testkit::{NetSnmp, Process, Snmpd, User, free_udp};
use tempfile::TempDir;

/// The user, whose name tells its protocols: SHA-256 and AES-128.
const USER: &str = "priv-SHA-256-AES";

/// `hamsa agent` with one worker, ended when dropped.
pub(crate) struct Ours {
    process: Process,
    address: SocketAddr,
    /// Its configuration and its data; removed with it.
    _directory: TempDir,
}

impl Ours {
    pub(crate) fn start(binary: &Path, user: &User) -> anyhow::Result<Self> {
        let directory = TempDir::with_prefix("hamsa-bench-agent-")?;
        let address = free_udp();
        let data = directory.path().join("data");
        let config = directory.path().join("agent.toml");
        let ((_, auth_password), (_, priv_password)) = user.auth.zip(user.privacy).context("the user has keys")?;
        std::fs::write(
            &config,
            format!(
                "[agent]\nlisten = [\"{address}\"]\ndata_dir = {data:?}\nworkers = 1\n\
                 [communities.readers]\ncommunity = \"{}\"\n\
                 [users.{}]\nauth_protocol = \"SHA-256\"\nauth_password = \"{auth_password}\"\n\
                 priv_protocol = \"AES-128\"\npriv_password = \"{priv_password}\"\n",
                Snmpd::READ_COMMUNITY,
                user.name,
            ),
        )?;
        let mut process = Process::spawn("agent", Command::new(binary).args(["agent", "--config"]).arg(&config));
        process.wait_until("the agent answers", |process| process.stderr().contains("control: ").then_some(()));
        Ok(Ours { process, address, _directory: directory })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn process(&self) -> u32 {
        self.process.id()
    }
}

/// The user that both know; `None`: this build of net-snmp lacks one of its protocols.
pub(crate) fn user(tools: &NetSnmp) -> Option<&User> {
    tools.users().iter().find(|user| user.name == USER)
}
