//! Peers on hosts that can be cut from each other.

use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command};

use hamsa_group_corosync::create_key;
use hamsa_testkit::{Network, Process, Unavailable, program, wait_until};
use serde_json::Value;

/// Long enough for daemons on a busy machine.
pub const TOKEN_MS: u32 = 1000;

pub const PEER: &str = env!("CARGO_BIN_EXE_corosync-peer");

/// So many hosts, without daemons, where Corosync and its library can be used.
pub fn network(hosts: u8) -> Result<Network, Unavailable> {
    program("corosync")?;
    program("corosync-cfgtool")?;
    Network::new(hosts)
}

/// Several hosts with a daemon and a peer each.
pub fn ring(hosts: u8) -> Result<(Network, Vec<Peer>), Unavailable> {
    let network = network(hosts)?;
    let key = new_key(&network, 1, "key");
    let peers = (1..=hosts).map(|host| Peer::start(&network, host, &key, &nodes(&network))).collect();
    Ok((network, peers))
}

pub fn new_key(network: &Network, host: u8, name: &str) -> PathBuf {
    let key = network.directory(host).join(name);
    create_key(&key).unwrap();
    key
}

/// All hosts as the peer's arguments.
pub fn nodes(network: &Network) -> Vec<String> {
    (1..=network.hosts()).map(|host| node(network, host)).collect()
}

pub fn node(network: &Network, host: u8) -> String {
    format!("{host}={}", network.address(host))
}

/// The arguments of a peer with a daemon of its own.
pub fn arguments(network: &Network, host: u8, key: &Path, nodes: &[String]) -> Vec<String> {
    let directory = network.directory(host).join("corosync");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let mut arguments = vec!["test".into(), host.to_string(), text(&directory), text(key), TOKEN_MS.to_string()];
    arguments.extend_from_slice(nodes);
    arguments
}

/// A peer and what it has told.
pub struct Peer {
    pub process: Process,
    pub input: ChildStdin,
    read: RefCell<Read>,
}

/// What was read of it.
#[derive(Default)]
struct Read {
    octets: usize,
    lines: Vec<Value>,
}

/// What a configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    pub ring: String,
    pub members: Vec<u64>,
}

impl Peer {
    pub fn start(network: &Network, host: u8, key: &Path, nodes: &[String]) -> Self {
        Self::spawn(network.command(host, PEER).args(arguments(network, host, key, nodes)))
    }

    pub fn spawn(command: &mut Command) -> Self {
        let (process, input) = Process::spawn_with_input("corosync-peer", command);
        Peer { process, input, read: RefCell::default() }
    }

    pub fn tell(&mut self, command: &str) {
        writeln!(self.input, "{command}").unwrap();
    }

    /// All it has printed, in order; a line that is not whole yet is left for later.
    pub fn told(&self) -> Vec<Value> {
        let text = self.process.stdout();
        let mut read = self.read.borrow_mut();
        let new = &text[read.octets..];
        let whole = &new[..new.rfind('\n').map_or(0, |end| end + 1)];
        let parsed = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        read.lines.extend(whole.lines().map(parsed));
        read.octets += whole.len();
        read.lines.clone()
    }

    /// The values of all lines that have this key.
    pub fn values(&self, key: &str) -> Vec<Value> {
        self.told().iter().filter_map(|line| line.get(key).cloned()).collect()
    }

    /// The last configuration.
    pub fn configuration(&self) -> Option<Configuration> {
        let told = self.told();
        let last = told.iter().rfind(|line| line.get("ring").is_some())?;
        let members = last["members"].as_array()?.iter().filter_map(Value::as_u64).collect();
        Some(Configuration { ring: last["ring"].as_str()?.to_owned(), members })
    }

    /// The messages, in order: sender and text.
    pub fn messages(&self) -> Vec<(u64, String)> {
        let message = |line: &Value| Some((line.get("sender")?.as_u64()?, line.get("text")?.as_str()?.to_owned()));
        self.told().iter().filter_map(message).collect()
    }

    pub fn wait_for_message(&self, sender: u64, text: &str) {
        wait_until(&format!("message {text} of {sender}"), || {
            self.messages().contains(&(sender, text.to_owned())).then_some(())
        });
    }

    /// Waits until so many have come, and gives them all.
    pub fn wait_for_messages(&self, count: usize) -> Vec<(u64, String)> {
        wait_until(&format!("{count} messages"), || Some(self.messages()).filter(|messages| messages.len() >= count))
    }

    /// Waits for a line with this key whose value has `text` in it.
    pub fn wait_for(&self, key: &str, text: &str) -> Value {
        wait_until(&format!("{key}: …{text}…"), || {
            let has_text = |value: &Value| value.to_string().contains(text);
            self.values(key).into_iter().find(has_text)
        })
    }
}

/// Waits until these peers, by their numbers, have one configuration of just themselves.
pub fn wait_for_members(peers: &[&Peer], members: &[u64]) -> Configuration {
    wait_until(&format!("a configuration of {members:?}"), || {
        let first = peers.first()?.configuration()?;
        let is_common = peers.iter().all(|peer| peer.configuration().as_ref() == Some(&first));
        (is_common && first.members == members).then_some(first)
    })
}
