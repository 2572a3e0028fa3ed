//! `hamsa node` as a process, on a configuration in a directory of its own.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;

use hamsa_testkit::http::{self, Response};
use hamsa_testkit::{Process, Snmpd, User, loopback, wait_until};
use serde_json::Value;
use tempfile::TempDir;

use crate::run::command;

/// A configuration and the data of the node that runs on it, for one run after another.
pub struct NodeHome {
    directory: TempDir,
}

/// A running node.
pub struct Node {
    pub process: Process,
    pub http: SocketAddr,
    pub traps: SocketAddr,
}

impl NodeHome {
    /// `config` is what stands below `[node]`, `[http]` and `[traps]`.
    pub fn new(config: &str) -> Self {
        Self::with_http("", config)
    }

    /// The same with more keys of `[http]`.
    pub fn with_http(http: &str, config: &str) -> Self {
        let directory = TempDir::with_prefix("hamsa-node-").unwrap();
        let address = loopback();
        let text = format!(
            "[node]\nname = \"n1\"\ndata_dir = \"data\"\n[http]\nlisten = \"{address}:0\"\n{http}\n\
             [traps]\nlisten = [\"{address}:0\"]\n{config}"
        );
        std::fs::write(directory.path().join("hamsa.toml"), text).unwrap();
        NodeHome { directory }
    }

    /// Writes a file beside the configuration.
    pub fn write(&self, name: &str, contents: &str) {
        std::fs::write(self.directory.path().join(name), contents).unwrap();
    }

    pub fn config(&self) -> String {
        self.directory.path().join("hamsa.toml").to_str().unwrap().to_owned()
    }

    pub fn data(&self) -> String {
        self.directory.path().join("data").to_str().unwrap().to_owned()
    }

    #[track_caller]
    pub fn start(&self) -> Node {
        self.start_with(&[])
    }

    /// Starts it with some environment variables, and waits until it says where it listens.
    #[track_caller]
    pub fn start_with(&self, environment: &[(&str, &str)]) -> Node {
        let mut node = command(&["node", "--config", &self.config()]);
        node.envs(environment.iter().copied());
        let mut process = Process::spawn("hamsa-node", &mut node);
        let (http, traps) = process.wait_until("the node says where it listens", |process| {
            let said = process.stderr();
            Some((address_after(&said, "  console: http://")?, address_after(&said, "  traps and informs: ")?))
        });
        Node { process, http, traps }
    }
}

/// The address at the rest of the line that begins so; the line must have ended.
pub fn address_after(said: &str, beginning: &str) -> Option<SocketAddr> {
    let line = said.split_inclusive('\n').find_map(|line| line.strip_suffix('\n')?.strip_prefix(beginning))?;
    line.trim().parse().ok()
}

impl Node {
    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        http::get(&format!("{}{path}", self.url())).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The JSON of an answer with status 200.
    #[track_caller]
    pub fn json(&self, path: &str) -> Value {
        let response = self.get(path);
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        response.json()
    }

    #[track_caller]
    pub fn status(&self, device: &str) -> Value {
        self.json(&format!("/api/v1/devices/{device}"))["status"].take()
    }

    /// Waits until something of the device is on disk, and gives its status then.
    #[track_caller]
    pub fn wait_until_stored(&self, device: &str) -> Value {
        wait_until(&format!("{device} is up and its samples are stored"), || {
            // A node listens a moment before it knows its devices.
            let status = self.get(&format!("/api/v1/devices/{device}")).json()["status"].take();
            (status["state"] == "up" && status["last_stored_ms"].is_i64()).then_some(status)
        })
    }

    /// What `/metrics` says of a series, written as there: `hamsa_polls_total{result="complete"}`.
    #[track_caller]
    pub fn metric(&self, series: &str) -> f64 {
        let text = self.get("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {series} in:\n{text}"))
    }

    /// The notifications that the API tells of, newest first.
    #[track_caller]
    pub fn traps(&self) -> Vec<Value> {
        let mut answer = self.json("/api/v1/traps?limit=10000");
        assert_eq!(answer["next"], Value::Null, "all of them are on one page");
        match answer["events"].take() {
            Value::Array(events) => events,
            other => panic!("no list: {other}"),
        }
    }

    /// Rates of all series of an object: its values, and the reasons where there is none.
    #[track_caller]
    pub fn rates(&self, device: &str, object: &str) -> (Vec<f64>, BTreeSet<String>) {
        let path = format!("/api/v1/history?device={device}&series={object}&as=rate&from=-1h");
        let mut values = Vec::new();
        let mut reasons = BTreeSet::new();
        let answer = self.json(&path);
        for point in answer["series"].as_array().unwrap().iter().flat_map(|series| series["points"].as_array().unwrap())
        {
            values.extend(point[1].as_f64());
            reasons.extend(point[2].as_str().map(str::to_owned));
        }
        (values, reasons)
    }
}

/// A `[[device]]` that is polled every second.
pub fn device(name: &str, address: SocketAddr, credentials: &str) -> String {
    format!(
        "[[device]]\nname = \"{name}\"\naddress = \"{address}\"\ncredentials = \"{credentials}\"\ninterval = \"1s\"\n"
    )
}

/// Credentials of SNMPv2c.
pub fn community(name: &str, community: &str) -> String {
    format!("[credentials.{name}]\nversion = \"v2c\"\ncommunity = \"{community}\"\n")
}

/// Credentials `lab`: the community that an [`Snmpd`] lets read.
pub fn lab() -> String {
    community("lab", Snmpd::READ_COMMUNITY)
}

/// Credentials of a user that net-snmp's programs of the tests know.
pub fn user(name: &str, user: &User) -> String {
    let mut text = format!("[credentials.{name}]\nversion = \"v3\"\nuser = \"{}\"\n", user.name);
    for (kind, given) in [("auth", user.auth), ("priv", user.privacy)] {
        if let Some((protocol, password)) = given {
            // net-snmp writes the protocol of RFC 3826 without its length.
            let protocol = if protocol == "AES" { "AES-128" } else { protocol };
            write!(text, "{kind}_protocol = \"{protocol}\"\n{kind}_password = \"{password}\"\n").unwrap();
        }
    }
    text
}
