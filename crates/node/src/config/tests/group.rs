//! `[group]` and `[enterprise]`.

use std::time::Duration;

use super::super::{GroupConfig, GroupEngineConfig};
use super::{Directory, but_for_zenoh};

#[test]
fn without_the_table_a_node_is_alone_and_with_it_only_the_number_is_needed() {
    let alone = Directory::new(&[("hamsa.toml", "")]);
    assert_eq!(alone.check().config.unwrap().group, None);
    let directory = Directory::new(&[("hamsa.toml", "[node]\nnumber = 7\n[group]\n")]);
    let expected = GroupConfig {
        engine: GroupEngineConfig::Embedded { socket: directory.path("hamsa-group.sock"), allow_faults: false },
        node: 7,
        cluster: "hamsa".into(),
        exchange_patience: Duration::from_secs(2),
        alone_after: Duration::from_secs(5),
        groups: Vec::new(),
    };
    assert_eq!(directory.check().config.unwrap().group, Some(expected));
}

#[test]
fn what_a_group_can_not_have_is_told() {
    for (table, told) in [
        ("[group]\n", "group: the node needs a number that no other node has: set number in [node]"),
        ("[node]\nnumber = 0\n", "0 is out of range"),
        ("[group]\nengine = \"corosyn\"\n", "did you mean \"corosync\"?"),
        ("[group]\nengine = \"zenoh\"\n", "expected \"embedded\", \"corosync\""),
        ("[group]\nengine = \"corosync\"\nnodes = [\"1=192.0.2.1\"]\n", "group.key: this key is missing"),
        ("[group]\nnodes = [\"1:192.0.2.1\"]\n", "there is no ="),
        ("[group]\nnodes = [\"1=192.0.2.256\"]\n", "\"192.0.2.256\" is no address"),
        ("[group]\nsocket = \"hamsa.toml\"\n", "not a socket"),
        ("[group]\nalone_after = \"1ms\"\n", "expected a duration from"),
        ("[group]\ngroups = [\"fine\", \"not fine\"]\n", "groups[1]"),
        ("[group]\nnods = 1\n", "did you mean nodes?"),
    ] {
        // Most of them have no other mistake.
        let table = if table.contains("number") || table == "[group]\n" {
            table.to_owned()
        } else {
            format!("node.number = 1\n{table}")
        };
        let lines = Directory::new(&[("hamsa.toml", &table)]).lines();
        assert!(lines.len() == 1 && lines[0].contains(told), "{table}: {lines:?}");
    }
    let ring = |node: u32, nodes: &str| {
        let table = format!("node.number = {node}\n[group]\nengine = \"corosync\"\nkey = \"key\"\nnodes = [{nodes}]\n");
        Directory::new(&[("hamsa.toml", &table), ("key", "secret")]).lines()
    };
    let told = |lines: Vec<String>, text: &str| assert!(lines.iter().any(|line| line.contains(text)), "{lines:?}");
    told(ring(3, "\"1=192.0.2.1\", \"2=192.0.2.2\""), "this node's own number, 3, is not among them");
    told(ring(1, "\"1=192.0.2.1\", \"1=192.0.2.2\""), "is given to");
    let many: Vec<String> = (1..=25).map(|node| format!("\"{node}=192.0.2.{node}\"")).collect();
    told(ring(1, &many.join(", ")), "24");
    assert!(Directory::new(&[("hamsa.toml", "group = 1\n")]).lines()[0].contains("expected a table: [group]"));
    let long = format!("node.number = 1\n[group]\nsocket = \"{}\"\n", "x".repeat(100));
    let lines = Directory::new(&[("hamsa.toml", &long)]).lines();
    assert!(lines.len() == 1 && lines[0].contains("a socket's path has 107 at most"), "{lines:?}");
}

/// What is told of this `[enterprise]`, on node 1.
fn told(table: &str) -> Vec<String> {
    let table = format!("node.number = 1\n[enterprise]\n{table}\n");
    but_for_zenoh(Directory::new(&[("hamsa.toml", &table), ("a.pem", ""), ("n.pem", ""), ("n.key", "")]).lines())
}

#[test]
fn an_enterprise_is_listened_for_or_dialled_and_protected() {
    assert_eq!(told("allow_plain = true\ndial = [\"hub:7447\"]\npairs = [2]\nneighbours = [3]"), [""; 0]);
    for (table, expected) in [
        ("allow_plain = true", "there is no endpoint to listen at, and none to dial"),
        ("allow_plain = true\ndial = [\"hub\"]", "enterprise.dial[0]: \"hub\" is not; expected host:port"),
        ("allow_plain = true\nlisten = [\"tcp/hub:1\"]", "enterprise.listen[0]"),
        ("allow_plain = true\ndial = [\"h:1\"]\nname = \"a.b\"", "is no name of an enterprise"),
        ("allow_plain = true\ndial = [\"h:1\"]\npairs = [1]", "enterprise.pairs: 1 is this node's own number"),
        ("allow_plain = true\ndial = [\"h:1\"]\nneighbours = [2, 1]", "enterprise.neighbours: 1 is"),
        ("allow_plain = true\ndial = [\"h:1\"]\nlease = \"1ms\"", "enterprise.lease: "),
        (
            "allow_plain = true\ndial = [\"h:1\"]\ntls_cert = \"n.pem\"",
            "enterprise.tls_cert: with allow_plain it is not used",
        ),
        // Files that are no certificates keep no node from polling.
        (
            "dial = [\"h:1\"]\ntls_authority = \"a.pem\"\ntls_cert = \"n.pem\"\ntls_key = \"n.key\"",
            "a.pem has no certificate in PEM",
        ),
    ] {
        let lines = told(table);
        assert!(lines.len() == 1 && lines[0].contains(expected), "{table}: {lines:?}");
    }
    let lines = told("dial = [\"h:1\"]");
    assert_eq!(lines.len(), 3, "{lines:?}");
    for (line, key) in lines.iter().zip(["tls_authority", "tls_cert", "tls_key"]) {
        assert!(line.contains(&format!("enterprise.{key}: this key is missing")), "{lines:?}");
    }
    let lines = Directory::new(&[("hamsa.toml", "[enterprise]\nallow_plain = true\n")]).lines();
    assert!(lines.len() == 1 && lines[0].contains("set number in [node]"), "{lines:?}");
}

#[cfg(not(feature = "zenoh"))]
#[test]
fn a_program_without_zenoh_says_so() {
    let table = "node.number = 1\n[enterprise]\nallow_plain = true\ndial = [\"h:1\"]\n";
    let lines = Directory::new(&[("hamsa.toml", table)]).lines();
    assert!(lines.len() == 1 && lines[0].contains("built without Zenoh"), "{lines:?}");
}
