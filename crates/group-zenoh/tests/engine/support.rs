//! Engines and authorities for tests.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hamsa_group::{EngineEvent, EnginePort, EngineSendError, GroupEngine, Process};
use hamsa_group_zenoh::{Links, Protection, TlsFiles, ZenohOptions};
use hamsa_testkit::limits::LIVENESS;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd};
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

/// What an authority has signed is good for a hub and for a site.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// When a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    Now,
    Past,
    Future,
    /// From now on for so long.
    For(Duration),
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Writes the files of a node that has these names.
    pub fn sign(&self, directory: &Path, names: &[&str], validity: Validity) -> TlsFiles {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("sound names");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        match validity {
            Validity::Now => {}
            Validity::Past => params.not_after = date_time_ymd(2001, 1, 1),
            Validity::Future => params.not_before = date_time_ymd(4000, 1, 1),
            Validity::For(time) => {
                let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a sound clock");
                params.not_after = date_time_ymd(1970, 1, 1) + since_epoch + time;
            }
        }
        self.write(directory, &params)
    }

    /// Writes the files of a node that may use them for one thing only.
    pub fn sign_only(&self, directory: &Path, usage: ExtendedKeyUsagePurpose) -> TlsFiles {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("sound names");
        params.extended_key_usages = vec![usage];
        self.write(directory, &params)
    }

    fn write(&self, directory: &Path, params: &CertificateParams) -> TlsFiles {
        std::fs::create_dir_all(directory).expect("a directory");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let [authority, own, private] = ["ca.pem", "node.pem", "node.key"].map(|name| directory.join(name));
        std::fs::write(&authority, &self.pem).expect("a file");
        std::fs::write(&own, certificate.pem()).expect("a file");
        std::fs::write(&private, key.serialize_pem()).expect("a file");
        TlsFiles { authority, certificate: own, key: private }
    }

    /// Like [`Self::sign`], for the host of an address.
    pub fn protect(&self, directory: &Path, address: SocketAddr) -> Protection {
        Protection::Tls(self.sign(directory, &[&address.ip().to_string()], Validity::Now))
    }
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
