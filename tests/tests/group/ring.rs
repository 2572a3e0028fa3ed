//! `hamsa node` on three hosts of their own, by Corosync daemons that it configures and runs itself.

use std::process::Command;

use hamsa_testkit::{Network, Process, hamsa, limits::LIVENESS, program, require};

use crate::nodes::Cluster;

#[test]
fn nodes_make_a_ring_of_their_own_daemons_and_survive_cuts_and_kills() {
    require!(program("corosync"));
    let network = require!(Network::new(3));
    let mut cluster = Cluster::new();
    let key = cluster.directory.path().join("ring.key");
    let mut command = Command::new(hamsa());
    let made = Process::spawn("hamsa-group-key", command.args(["group", "key"]).arg(&key)).finish(LIVENESS).unwrap();
    assert!(made.status.success(), "{made:?}");

    let nodes: Vec<String> = (1..=3).map(|host| format!("\"{host}={}\"", network.address(host))).collect();
    let nodes = nodes.join(", ");
    let run = |cluster: &mut Cluster, node: u32| {
        let engine = format!(
            "engine = \"corosync\"\nkey = \"ring.key\"\ntoken = \"1s\"\nnodes = [{nodes}]\ndirectory = \"ring-{node}\"\n"
        );
        cluster.run(node, &engine, network.command(node as u8, hamsa()));
    };
    (1..=3).for_each(|node| run(&mut cluster, node));
    cluster.together(&[1, 2, 3]);
    assert_eq!(cluster.role(2), "own daemon");

    network.cut(&[&[1], &[2, 3]]);
    cluster.together(&[1]);
    cluster.together(&[2, 3]);
    network.heal();
    cluster.together(&[1, 2, 3]);

    // The daemon ends with its node, and both come back.
    cluster.kill(3);
    cluster.together(&[1, 2]);
    run(&mut cluster, 3);
    cluster.together(&[1, 2, 3]);
    let shown = cluster.ok(1, &[]);
    assert!(shown.starts_with("cluster test, by the corosync engine"), "{shown}");
    let output = cluster.ask(1, &["cut", "1", "2,3"]);
    assert!(!output.status.success() && output.stderr.contains("embedded"), "{output:?}");
}
