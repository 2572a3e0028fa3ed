//! Engines and authorities for tests.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use hamsa_group::{EngineEvent, EnginePort, EngineSendError, GroupEngine, Process};
use hamsa_group_zenoh::{Links, Protection, TlsFiles, ZenohOptions};
use hamsa_testkit::limits::LIVENESS;
use hamsa_testkit::{Authority, Certified, Usage, Validity};
use tokio::time::timeout;

pub const LEASE: Duration = Duration::from_millis(500);

pub const fn process(node: u32) -> Process {
    Process { node, process: 1 }
}

pub fn hub(node: u32, listen: &str, protection: Protection) -> ZenohOptions {
    options(node, Links { listen: vec![listen.to_owned()], dial: Vec::new() }, protection)
}

pub fn site(node: u32, hub: &str, protection: Protection) -> ZenohOptions {
    options(node, Links { listen: Vec::new(), dial: vec![hub.to_owned()] }, protection)
}

/// A hub that dials another.
pub fn second_hub(node: u32, listen: &str, hub: &str, protection: Protection) -> ZenohOptions {
    options(node, Links { listen: vec![listen.to_owned()], dial: vec![hub.to_owned()] }, protection)
}

fn options(node: u32, links: Links, protection: Protection) -> ZenohOptions {
    ZenohOptions {
        enterprise: "acme".into(),
        me: process(node),
        links,
        protection,
        lease: LEASE,
        name: format!("node{node}"),
        version: "test".into(),
        began_after_ms: 0,
    }
}

/// The files of a node that has these names.
pub fn sign(authority: &Authority, directory: &Path, names: &[&str], validity: Validity) -> TlsFiles {
    files(authority.sign(directory, names, validity, Usage::Both))
}

/// Those of a node that may use them for one thing only.
pub fn sign_only(authority: &Authority, directory: &Path, usage: Usage) -> TlsFiles {
    files(authority.sign(directory, &["127.0.0.1"], Validity::Now, usage))
}

/// Like [`sign`], for the host of an address.
pub fn protect(authority: &Authority, directory: &Path, address: SocketAddr) -> Protection {
    Protection::Tls(sign(authority, directory, &[&address.ip().to_string()], Validity::Now))
}

fn files(Certified { authority, certificate, key }: Certified) -> TlsFiles {
    TlsFiles { authority, certificate, key }
}

/// Two hundred unoptimised engines in one process want more than others on a machine that has other work.
const PATIENCE: Duration = LIVENESS.saturating_mul(5);

/// The next event within a bound that only a broken engine misses.
pub async fn event(port: &mut EnginePort) -> EngineEvent {
    let event = timeout(PATIENCE, port.event()).await.expect("an event comes");
    event.expect("the engine runs")
}

/// Skips events until so many members are there.
pub async fn members(port: &mut EnginePort, number: usize) -> hamsa_group::Configuration {
    loop {
        if let EngineEvent::Configuration(configuration) = event(port).await
            && configuration.members.len() == number
        {
            return configuration;
        }
    }
}

/// The next message; a change of configuration is none.
pub async fn message(port: &mut EnginePort) -> (Process, Bytes) {
    loop {
        if let EngineEvent::Message { sender, data } = event(port).await {
            return (sender, data);
        }
    }
}

/// Sends when there is room.
pub async fn send(port: &mut EnginePort, data: Bytes) {
    loop {
        match port.send(data.clone()) {
            Ok(()) => return,
            Err(EngineSendError::Full) => timeout(LIVENESS, port.writable()).await.expect("there will be room"),
            Err(error) => panic!("{error}"),
        }
    }
}
