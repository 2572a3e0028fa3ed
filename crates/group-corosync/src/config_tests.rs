//! The golden text, and what is refused.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

fn node(number: u32) -> Node {
    let octet = u8::try_from(number).unwrap();
    Node { number, name: format!("n{number}"), addresses: vec![Ipv4Addr::new(192, 0, 2, octet).into()] }
}

fn options(nodes: u32) -> RingOptions {
    let nodes = (1..=nodes).map(node).collect();
    RingOptions { cluster: "berlin".into(), nodes, token_ms: 1000, consensus_ms: None, port: 5405 }
}

fn placement() -> Placement {
    let directory = Path::new("/var/lib/hamsa/corosync");
    Placement { key: directory.join("key"), state: directory.join("state"), is_realtime: false }
}

fn refused(change: impl FnOnce(&mut RingOptions)) -> RingError {
    let mut options = options(3);
    change(&mut options);
    Ring::new(options).unwrap_err()
}

#[test]
fn the_configuration_is_as_it_was_agreed() {
    let ring = Ring::new(options(2)).unwrap();
    let expected = "\
# Written by hamsa from its own configuration; changes made here are lost.
totem {
  version: 2
  cluster_name: berlin
  transport: knet
  crypto_cipher: aes256
  crypto_hash: sha256
  keyfile: /var/lib/hamsa/corosync/key
  token: 1000
  token_coefficient: 0
  interface {
    linknumber: 0
    mcastport: 5405
  }
}
system {
  allow_knet_handle_fallback: yes
  sched_rr: no
  move_to_root_cgroup: no
  state_dir: /var/lib/hamsa/corosync/state
}
logging {
  to_stderr: yes
  to_syslog: no
  to_logfile: no
  timestamp: off
}
nodelist {
  node {
    nodeid: 1
    name: n1
    ring0_addr: 192.0.2.1
  }
  node {
    nodeid: 2
    name: n2
    ring0_addr: 192.0.2.2
  }
}
";
    assert_eq!(ring.configuration(&placement()).unwrap(), expected);
}

#[test]
fn two_networks_and_times_are_written() {
    let mut options = options(2);
    options.consensus_ms = Some(1500);
    for node in &mut options.nodes {
        node.addresses.push(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::try_from(node.number).unwrap()).into());
    }
    let placement = Placement { is_realtime: true, ..placement() };
    let text = Ring::new(options).unwrap().configuration(&placement).unwrap();
    for line in [
        "  consensus: 1500\n",
        "    linknumber: 1\n    mcastport: 5406\n",
        "    ring0_addr: 192.0.2.2\n    ring1_addr: 2001:db8::2\n",
        "  sched_rr: yes\n  move_to_root_cgroup: yes\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
}

#[test]
fn a_ring_that_is_too_large_is_refused_with_a_way_out() {
    let error = Ring::new(options(25)).unwrap_err();
    assert_eq!(error, RingError::TooLarge { nodes: 25, max: 24 });
    assert_eq!(
        error.to_string(),
        "the ring has 25 nodes and Corosync carries at most 24: make one ring for each site or rack, and join them by \
         groups of two members over Zenoh"
    );
    assert!(Ring::new(options(24)).is_ok());
}

#[test]
fn nodes_that_clash_are_refused() {
    assert_eq!(Ring::new(options(0)).unwrap_err(), RingError::NoNodes);
    assert_eq!(refused(|ring| ring.nodes[1].number = 0), RingError::NumberZero { name: "n2".into() });
    let twice = RingError::NumberTwice { number: 1, first: "n1".into(), second: "n3".into() };
    assert_eq!(refused(|ring| ring.nodes[2].number = 1), twice);
    assert_eq!(refused(|ring| ring.nodes[2].name = "n2".into()), RingError::NameTwice { name: "n2".into() });
    let address = IpAddr::from([192, 0, 2, 1]);
    let twice = RingError::AddressTwice { address, name: "n2".into() };
    assert_eq!(refused(|ring| ring.nodes[1].addresses[0] = address), twice);
}

#[test]
fn addresses_that_do_not_serve_are_refused() {
    for text in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1", "fe80::1", "::ffff:192.0.2.9"] {
        let address: IpAddr = text.parse().unwrap();
        let error = refused(|ring| ring.nodes[0].addresses[0] = address);
        assert_eq!(error, RingError::AddressUnusable { address, name: "n1".into() }, "{text}");
    }
    let address: IpAddr = "2001:db8::1".parse().unwrap();
    let error = refused(|ring| ring.nodes[1].addresses[0] = address);
    assert_eq!(error, RingError::MixedVersions { address, name: "n2".into() });
    let count = |name: &str, addresses| RingError::AddressCount { name: name.into(), addresses, expected: 1, max: 8 };
    assert_eq!(refused(|ring| ring.nodes[1].addresses.push(address)), count("n2", 2));
    assert_eq!(refused(|ring| ring.nodes[0].addresses.clear()), count("n1", 0));
}

#[test]
fn times_and_ports_out_of_bounds_are_refused() {
    let token = |token_ms| RingError::Token { token_ms, min: 250, max: 60_000 };
    assert_eq!(refused(|ring| ring.token_ms = 249), token(249));
    assert_eq!(refused(|ring| ring.token_ms = u32::MAX), token(u32::MAX));
    let consensus = RingError::Consensus { consensus_ms: 1199, min: 1200, max: 120_000 };
    assert_eq!(refused(|ring| ring.consensus_ms = Some(1199)), consensus);
    assert_eq!(refused(|ring| ring.port = 0), RingError::Port { port: 0, networks: 1 });
    let two_networks = |ring: &mut RingOptions| {
        ring.port = u16::MAX;
        ring.nodes[0].addresses.push(IpAddr::from([198, 51, 100, 1]));
    };
    assert_eq!(refused(two_networks), RingError::Port { port: u16::MAX, networks: 2 });
}

#[test]
fn nothing_that_a_user_writes_injects_a_line() {
    for name in ["", "a b", "a\nb", "a:b", "a{", "a}", "#a", ".a", "-a", "ä", "a\0b", "a\r", &"a".repeat(64)] {
        let error = RingError::Name { name: name.into(), max: 63 };
        assert_eq!(refused(|ring| ring.cluster = name.into()), error);
        assert_eq!(refused(|ring| ring.nodes[1].name = name.into()), error);
    }
    let ring = Ring::new(options(1)).unwrap();
    for path in ["", "key", "/a\n}", "/a{", "/a}", "/a ", "/a\u{85}", &format!("/{}", "a".repeat(400))] {
        for place in [Placement { key: path.into(), ..placement() }, Placement { state: path.into(), ..placement() }] {
            assert_eq!(ring.configuration(&place), Err(RingError::Path { path: path.into(), max: 400 }), "{path:?}");
        }
    }
}

#[test]
fn a_node_that_can_t_be_added_leaves_the_ring_as_it_was() {
    let mut ring = Ring::new(options(2)).unwrap();
    let before = ring.clone();
    assert!(ring.add_node(node(2)).is_err());
    assert_eq!(ring, before);
    ring.add_node(node(3)).unwrap();
    assert_eq!(ring, Ring::new(options(3)).unwrap());
    assert_eq!(ring.node(3), Some(&node(3)));
}
