//! A node in the test's own process, polling real agents, with its HTTP server at a loopback address.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use hamsa_node::config::{Config, Surroundings, check};
use hamsa_node::daemon::{Daemon, profile_names};
use hamsa_node::state::NodeState;
use hamsa_testkit::http::{Response, send};
use hamsa_testkit::{Snmpd, loopback, wait_until};
use serde_json::Value;
use tempfile::TempDir;

/// A running node; it ends when dropped.
pub struct Node {
    daemon: Option<Daemon>,
    /// The token that its requests carry.
    token: Option<String>,
    _home: TempDir,
}

/// A configuration in the making.
pub struct NodeConfig {
    text: String,
    /// Below `[http]`.
    pub http: String,
    pub token: Option<String>,
    pub files: Vec<(&'static str, String)>,
}

impl NodeConfig {
    /// One with the credentials `lab`, an agent's read community.
    pub fn new() -> Self {
        let mut config = NodeConfig { text: String::new(), http: String::new(), token: None, files: Vec::new() };
        config.community("lab", Snmpd::READ_COMMUNITY);
        config
    }

    pub fn community(&mut self, name: &str, community: &str) {
        writeln!(self.text, "[credentials.{name}]\nversion = \"v2c\"\ncommunity = \"{community}\"").unwrap();
    }

    pub fn add(&mut self, toml: &str) {
        self.text.push_str(toml);
        self.text.push('\n');
    }

    /// A device that is polled every second, with the credentials `lab`.
    pub fn device(&mut self, name: &str, address: SocketAddr) {
        self.device_with(name, address, "lab");
    }

    /// A device that is polled every second, with some credentials.
    pub fn device_with(&mut self, name: &str, address: SocketAddr, credentials: &str) {
        let reach = format!("name = \"{name}\"\naddress = \"{address}\"\ncredentials = \"{credentials}\"");
        let polling = "interval = \"1s\"\ntimeout = \"200ms\"\nretries = 1\nlabels = { site = \"berlin\" }";
        writeln!(self.text, "[[device]]\n{reach}\n{polling}").unwrap();
    }

    /// The configuration, checked; its files lie in the directory.
    pub fn check(&self, home: &TempDir) -> Config {
        let address = loopback();
        let mut text =
            "[node]\nname = \"test-node\"\ndata_dir = \"data\"\n[store]\nsync_interval = \"50ms\"\n".to_owned();
        let listen = if self.http.contains("listen") { String::new() } else { format!("listen = \"{address}:0\"\n") };
        writeln!(text, "[http]\n{listen}{}\n[traps]\nlisten = [\"{address}:0\"]\n{}", self.http, self.text).unwrap();
        for (name, contents) in &self.files {
            std::fs::write(home.path().join(name), contents).unwrap();
        }
        let path = home.path().join("hamsa.toml");
        std::fs::write(&path, text).unwrap();
        let profiles = |dirs: &[PathBuf]| profile_names(dirs);
        let report = check(&path, &Surroundings::of_process(&profiles));
        let shown = report.to_string();
        report.config.unwrap_or_else(|| panic!("{shown}"))
    }

    pub fn start(self) -> Node {
        let home = TempDir::with_prefix("hamsa-node-").unwrap();
        let config = self.check(&home);
        let daemon = Daemon::start(&config).unwrap_or_else(|error| panic!("{error}"));
        // It listens a moment before it knows its devices.
        wait_until("the node knows its devices", || {
            (daemon.state().fleet.all().len() == config.devices.len()).then_some(())
        });
        Node { daemon: Some(daemon), token: self.token, _home: home }
    }
}

impl Node {
    /// One that polls an agent as `router1`.
    pub fn polling(snmpd: &Snmpd) -> Self {
        let mut config = NodeConfig::new();
        config.device("router1", snmpd.address());
        let node = config.start();
        node.wait_until_up("router1");
        node
    }

    pub fn state(&self) -> &NodeState {
        self.daemon.as_ref().expect("it runs").state()
    }

    pub fn shared_state(&self) -> Arc<NodeState> {
        self.daemon.as_ref().expect("it runs").state().clone()
    }

    pub fn address(&self) -> SocketAddr {
        self.daemon.as_ref().expect("it runs").http_address()
    }

    pub fn trap_address(&self) -> SocketAddr {
        self.state().trap_addresses[0]
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        self.get_with(path, &[])
    }

    #[track_caller]
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let token = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers = headers.to_vec();
        headers.extend(token.as_deref().map(|token| ("authorization", token)));
        send("GET", &self.url(path), &headers, &[]).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The JSON of an answer that has this status.
    #[track_caller]
    pub fn json(&self, path: &str, status: u16) -> Value {
        let response = self.get(path);
        assert_eq!(response.status, status, "{path}: {}", response.text());
        response.json()
    }

    #[track_caller]
    pub fn wait_until_up(&self, device: &str) {
        wait_until(&format!("{device} is up and its samples are stored"), || {
            let status = self.state().fleet.get(device)?.status();
            (status.state.name() == "up" && status.last_stored_ms.is_some()).then_some(())
        });
    }

    pub fn stop(mut self) {
        self.daemon.take().expect("it runs").stop();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop();
        }
    }
}
