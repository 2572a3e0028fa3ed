//! `[group]`.

use std::time::Duration;

use super::super::{GroupConfig, GroupEngineConfig};
use super::Directory;

#[test]
fn without_the_table_a_node_is_alone_and_with_it_only_the_number_is_needed() {
    let alone = Directory::new(&[("hamsa.toml", "")]);
    assert_eq!(alone.check().config.unwrap().group, None);
    let directory = Directory::new(&[("hamsa.toml", "[group]\nnode = 7\n")]);
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
        ("[group]\n", "group.node: this key is missing; expected a whole number from 1 to 65535"),
        ("[group]\nnode = 0\n", "0 is out of range"),
        ("[group]\nnode = 1\nengine = \"corosyn\"\n", "did you mean \"corosync\"?"),
        ("[group]\nnode = 1\nengine = \"corosync\"\n", "built without corosync: build it with `--features corosync`"),
        ("[group]\nnode = 1\nengine = \"zenoh\"\n", "built without zenoh: build it with `--features zenoh`"),
        ("[group]\nnode = 1\nsocket = \"hamsa.toml\"\n", "not a socket"),
        ("[group]\nnode = 1\nalone_after = \"1ms\"\n", "expected a duration from"),
        ("[group]\nnode = 1\ngroups = [\"fine\", \"not fine\"]\n", "groups[1]"),
        ("[group]\nnode = 1\nnod = 1\n", "did you mean node?"),
    ] {
        let lines = Directory::new(&[("hamsa.toml", table)]).lines();
        assert!(lines.len() == 1 && lines[0].contains(told), "{table}: {lines:?}");
    }
    assert!(Directory::new(&[("hamsa.toml", "group = 1\n")]).lines()[0].contains("expected a table: [group]"));
    let long = format!("[group]\nnode = 1\nsocket = \"{}\"\n", "x".repeat(100));
    let lines = Directory::new(&[("hamsa.toml", &long)]).lines();
    assert!(lines.len() == 1 && lines[0].contains("a socket's path has 107 at most"), "{lines:?}");
}
