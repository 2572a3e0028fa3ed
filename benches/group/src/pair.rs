//! A pair over Zenoh on two hosts of their own, for [`crate::detection`] and [`crate::wire`].

use std::time::Duration;

use anyhow::Context;
use hamsa_testkit::Network;

use crate::detection::all_see;
use crate::peer::Peer;
use crate::zenoh::certify;

const BOTH: &[u8] = &[1, 2];

/// A hub on host 1 and a site on host 2. They end before their hosts do.
#[derive(Debug)]
pub(crate) struct Pair {
    pub members: Vec<Peer>,
    pub network: Network,
    lease: Duration,
}

impl Pair {
    /// Returns when they have a common view.
    pub(crate) fn start(network: Network, lease: Duration) -> anyhow::Result<Self> {
        let names: Vec<String> = BOTH.iter().map(|host| network.address(*host).to_string()).collect();
        certify(network.directory(1), &names);
        let mut pair = Pair { members: Vec::new(), network, lease };
        for host in BOTH {
            let member = pair.member(*host)?;
            pair.members.push(member);
        }
        all_see(&mut pair.members, BOTH, Duration::ZERO, BOTH)?;
        Ok(pair)
    }

    /// A new member on a host.
    pub(crate) fn member(&self, host: u8) -> anyhow::Result<Peer> {
        let (side, peer) = if host == 1 { ("hub", "2") } else { ("site", "1") };
        let mut command = self.network.command(host, std::env::current_exe().context("this program has a path")?);
        command.args(["role", "zenoh", &host.to_string(), side, &format!("{}:7447", self.network.address(1))]);
        command.arg(self.lease.as_millis().to_string()).arg(self.network.directory(1)).arg(peer);
        Ok(Peer::start(&format!("member-{host}"), &mut command))
    }
}
