//! Who is in a ring, checked, and as the text of `corosync.conf` (corosync.conf(5)).
//!
//! Quorum is left out: a minority goes on here, and what it may do is decided above.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::limits::{CONSENSUS_MAX_MS, NAME_BYTES, NODE_ADDRESSES, PATH_BYTES, RING_NODES, TOKEN_MAX_MS, TOKEN_MIN_MS};

/// What a ring is made from; [`Ring::new`] checks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingOptions {
    /// Its name.
    pub cluster: String,
    /// All its hosts, reachable or not.
    pub nodes: Vec<Node>,
    /// How long the token may stay away before the ring is formed anew: a host's death is noticed after about 2.2 times
    /// as long.
    pub token_ms: u32,
    /// How long to wait for all to agree on a new ring; at least, and where `None`, 1.2 times the token timeout.
    pub consensus_ms: Option<u32>,
    /// The UDP port of the nodes' first addresses; the second ones have the next, and so on.
    pub port: u16,
}

/// A host of a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// 1 or greater; no other node of the ring has it.
    pub number: u32,
    /// For people.
    pub name: String,
    /// One for each network that joins the nodes; all nodes have as many.
    pub addresses: Vec<IpAddr>,
}

/// Where the daemon of one host keeps its things, and how it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The ring's key, the same on all hosts.
    pub key: PathBuf,
    /// What the daemon keeps while it is not running: the number of its last ring.
    pub state: PathBuf,
    /// Whether it asks for real-time priority. Busy hosts keep their place in the ring with it; it needs root.
    pub is_realtime: bool,
}

/// A ring that Corosync can form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    options: RingOptions,
}

/// Why a ring can't be formed, or its configuration not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// Without nodes.
    #[error("the ring has no nodes: name at least the host it is written on")]
    NoNodes,
    /// Beyond [`RING_NODES`].
    #[error(
        "the ring has {nodes} nodes and Corosync carries at most {max}: make one ring for each site or rack, and join \
         them by groups of two members over Zenoh"
    )]
    TooLarge {
        /// How many it has.
        nodes: usize,
        /// How many it may have.
        max: usize,
    },
    /// A node has the number 0.
    #[error("node `{name}` has the number 0: Corosync counts from 1")]
    NumberZero {
        /// Its name.
        name: String,
    },
    /// Two nodes have one number.
    #[error("the number {number} is given to `{first}` and to `{second}`")]
    NumberTwice {
        /// That number.
        number: u32,
        /// Who has it.
        first: String,
        /// Who has it, too.
        second: String,
    },
    /// Two nodes have one name.
    #[error("the name `{name}` is given to two nodes")]
    NameTwice {
        /// That name.
        name: String,
    },
    /// An address is given twice.
    #[error("the address {address} is given twice, the second time to `{name}`")]
    AddressTwice {
        /// That address.
        address: IpAddr,
        /// Who has it the second time.
        name: String,
    },
    /// A host can't be reached there.
    #[error("the address {address} of `{name}` is no host's: give one that the other nodes can send to")]
    AddressUnusable {
        /// That address.
        address: IpAddr,
        /// Who has it.
        name: String,
    },
    /// No, too many, or not as many addresses as the first node has.
    #[error("node `{name}` has {addresses} addresses and should have {expected}: one for each network, 1 to {max}")]
    AddressCount {
        /// Who has them.
        name: String,
        /// How many.
        addresses: usize,
        /// How many it should have.
        expected: usize,
        /// How many networks there can be.
        max: usize,
    },
    /// The nodes' addresses in one network are of different versions of IP.
    #[error("the address {address} of `{name}` is of another version of IP than those of the other nodes there")]
    MixedVersions {
        /// That address.
        address: IpAddr,
        /// Who has it.
        name: String,
    },
    /// A cluster's or node's name could be read as something else.
    #[error("the name {name:?} is not 1 to {max} letters, digits, `.`, `-` or `_`, the first a letter or digit")]
    Name {
        /// That name.
        name: String,
        /// How long one may be.
        max: usize,
    },
    /// A path could be read as something else, or depends on where the daemon is started.
    #[error(
        "the path {path:?} can't stand in corosync.conf: it must be absolute, UTF-8, of at most {max} octets, \
             without braces, control characters, and spaces at its end"
    )]
    Path {
        /// That path.
        path: PathBuf,
        /// How long one may be.
        max: usize,
    },
    /// The token timeout is out of bounds.
    #[error("the token timeout of {token_ms} ms is not between {min} and {max} ms")]
    Token {
        /// The one given.
        token_ms: u32,
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
    /// The consensus timeout is out of bounds.
    #[error("the consensus timeout of {consensus_ms} ms is not between {min} (1.2 times the token's) and {max} ms")]
    Consensus {
        /// The one given.
        consensus_ms: u32,
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
    /// The nodes' last addresses would have a port past 65535, or 0.
    #[error("the port {port} is none, or leaves no room for the ports of {networks} networks")]
    Port {
        /// The first.
        port: u16,
        /// How many are needed.
        networks: usize,
    },
}

impl Ring {
    /// Checks the options.
    ///
    /// # Errors
    /// Corosync could not form such a ring, or would read something else than was meant.
    pub fn new(options: RingOptions) -> Result<Self, RingError> {
        check_name(&options.cluster)?;
        check_times(&options)?;
        check_nodes(&options)?;
        Ok(Ring { options })
    }

    /// Adds a node; the ring is unchanged when that fails.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn add_node(&mut self, node: Node) -> Result<(), RingError> {
        let mut options = self.options.clone();
        options.nodes.push(node);
        *self = Ring::new(options)?;
        Ok(())
    }

    /// What it is made from.
    pub fn options(&self) -> &RingOptions {
        &self.options
    }

    /// The node of that number.
    pub fn node(&self, number: u32) -> Option<&Node> {
        self.options.nodes.iter().find(|node| node.number == number)
    }

    /// The text of `corosync.conf`. It is the same on all hosts but for the placement.
    ///
    /// # Errors
    /// [`RingError::Path`].
    pub fn configuration(&self, placement: &Placement) -> Result<String, RingError> {
        let RingOptions { cluster, nodes, token_ms, consensus_ms, port } = &self.options;
        let (key, state) = (checked_path(&placement.key)?, checked_path(&placement.state)?);
        let yes_no = |yes| if yes { "yes" } else { "no" };
        let mut text = format!(
            "# Written by hamsa from its own configuration; changes made here are lost.\n\
             totem {{\n  version: 2\n  cluster_name: {cluster}\n  transport: knet\n  crypto_cipher: aes256\n  \
             crypto_hash: sha256\n  keyfile: {key}\n  token: {token_ms}\n  token_coefficient: 0\n"
        );
        if let Some(consensus_ms) = consensus_ms {
            let _ = writeln!(text, "  consensus: {consensus_ms}");
        }
        let networks = nodes.first().map_or(0, |node| node.addresses.len());
        for (link, port) in (0..networks).zip(*port..) {
            let _ = write!(text, "  interface {{\n    linknumber: {link}\n    mcastport: {port}\n  }}\n");
        }
        let _ = write!(
            text,
            "}}\nsystem {{\n  allow_knet_handle_fallback: yes\n  sched_rr: {realtime}\n  move_to_root_cgroup: {realtime}\n  \
             state_dir: {state}\n}}\nlogging {{\n  to_stderr: yes\n  to_syslog: no\n  to_logfile: no\n  timestamp: off\n}}\n\
             nodelist {{\n",
            realtime = yes_no(placement.is_realtime),
        );
        for Node { number, name, addresses } in nodes {
            let _ = write!(text, "  node {{\n    nodeid: {number}\n    name: {name}\n");
            for (link, address) in addresses.iter().enumerate() {
                let _ = writeln!(text, "    ring{link}_addr: {address}");
            }
            text.push_str("  }\n");
        }
        text.push_str("}\n");
        Ok(text)
    }
}

fn check_times(options: &RingOptions) -> Result<(), RingError> {
    let token_ms = options.token_ms;
    if !(TOKEN_MIN_MS..=TOKEN_MAX_MS).contains(&token_ms) {
        return Err(RingError::Token { token_ms, min: TOKEN_MIN_MS, max: TOKEN_MAX_MS });
    }
    let min = token_ms + token_ms.div_ceil(5);
    match options.consensus_ms {
        Some(consensus_ms) if !(min..=CONSENSUS_MAX_MS).contains(&consensus_ms) => {
            Err(RingError::Consensus { consensus_ms, min, max: CONSENSUS_MAX_MS })
        }
        _ => Ok(()),
    }
}

fn check_nodes(options: &RingOptions) -> Result<(), RingError> {
    let nodes = &options.nodes;
    let Some(first) = nodes.first() else { return Err(RingError::NoNodes) };
    if nodes.len() > RING_NODES {
        return Err(RingError::TooLarge { nodes: nodes.len(), max: RING_NODES });
    }
    let expected = first.addresses.len().clamp(1, NODE_ADDRESSES);
    let ports = u16::try_from(expected - 1).ok().and_then(|more| options.port.checked_add(more));
    if options.port == 0 || ports.is_none() {
        return Err(RingError::Port { port: options.port, networks: expected });
    }
    let mut addresses = BTreeSet::new();
    for (index, node) in nodes.iter().enumerate() {
        let name = || node.name.clone();
        check_name(&node.name)?;
        if node.number == 0 {
            return Err(RingError::NumberZero { name: name() });
        }
        for other in &nodes[..index] {
            if other.number == node.number {
                return Err(RingError::NumberTwice { number: node.number, first: other.name.clone(), second: name() });
            }
            if other.name == node.name {
                return Err(RingError::NameTwice { name: name() });
            }
        }
        let count = node.addresses.len();
        if count != expected {
            return Err(RingError::AddressCount { name: name(), addresses: count, expected, max: NODE_ADDRESSES });
        }
        for (&address, of_first) in node.addresses.iter().zip(&first.addresses) {
            if !is_usable(address) {
                return Err(RingError::AddressUnusable { address, name: name() });
            }
            if address.is_ipv4() != of_first.is_ipv4() {
                return Err(RingError::MixedVersions { address, name: name() });
            }
            if !addresses.insert(address) {
                return Err(RingError::AddressTwice { address, name: name() });
            }
        }
    }
    Ok(())
}

/// One host's, and without a zone, which could not be written. An IPv4 address in IPv6's notation has to be given as such.
fn is_usable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !(v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast()),
        IpAddr::V6(v6) => {
            let is_other = v6.is_unspecified() || v6.is_multicast() || v6.is_unicast_link_local();
            !is_other && v6.to_ipv4_mapped().is_none()
        }
    }
}

fn check_name(name: &str) -> Result<(), RingError> {
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b".-_".contains(&octet);
    let starts_well = name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    if starts_well && name.len() <= NAME_BYTES && name.bytes().all(is_plain) {
        return Ok(());
    }
    Err(RingError::Name { name: name.to_owned(), max: NAME_BYTES })
}

/// Corosync reads a line with `{` as the start of a section and cuts spaces from the end.
fn checked_path(path: &Path) -> Result<&str, RingError> {
    let is_plain = |text: &&str| {
        text.len() <= PATH_BYTES
            && !text.ends_with(char::is_whitespace)
            && !text.contains(|c: char| c.is_control() || c == '{' || c == '}')
    };
    let text = path.to_str().filter(|_| path.is_absolute()).filter(is_plain);
    text.ok_or_else(|| RingError::Path { path: path.to_owned(), max: PATH_BYTES })
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
