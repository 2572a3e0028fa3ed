//! `hamsa node` on three hosts of their own, by Corosync daemons that it configures and runs itself.

use std::process::Command;

use hamsa_testkit::{Network, Process, hamsa, limits::LIVENESS, program, require, wait_until};

use crate::nodes::Cluster;

#[test]
fn nodes_make_a_ring_of_their_own_daemons_and_survive_cuts_and_kills() {
    require!(program("corosync"));
    let mut network = require!(Network::new(3));
    let mut cluster = Cluster::new();
    let key = cluster.directory.path().join("ring.key");
    let mut command = Command::new(hamsa());
    let made = Process::spawn("hamsa-group-key", command.args(["group", "key"]).arg(&key)).finish(LIVENESS).unwrap();
    assert!(made.status.success(), "{made:?}");

    let run = |cluster: &mut Cluster, network: &Network, node: u32| {
        let nodes: Vec<String> =
            (1..=network.hosts()).map(|host| format!("\"{host}={}\"", network.address(host))).collect();
        let nodes = nodes.join(", ");
        let engine = format!(
            "engine = \"corosync\"\nkey = \"ring.key\"\ntoken = \"1s\"\nnodes = [{nodes}]\ndirectory = \"ring-{node}\"\n"
        );
        cluster.run(node, &engine, network.command(node as u8, hamsa()));
    };
    (1..=3).for_each(|node| run(&mut cluster, &network, node));
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
    run(&mut cluster, &network, 3);
    cluster.together(&[1, 2, 3]);

    // One more, without a restart of the others.
    let before = [1, 2, 3].map(|node| cluster.nodes[&node].id());
    let host = network.add_host();
    for node in 1..=3 {
        cluster.ok(node, &["add", &format!("4={}", network.address(host))]);
    }
    run(&mut cluster, &network, 4);
    cluster.together(&[1, 2, 3, 4]);
    assert_eq!(before, [1, 2, 3].map(|node| cluster.nodes[&node].id()));
    let output = cluster.ask(1, &["add", "4=192.0.2.4"]);
    assert!(!output.status.success() && output.stderr.contains("is given to"), "{output:?}");
    let shown = cluster.ok(1, &[]);
    assert!(shown.starts_with("cluster test, by the corosync engine"), "{shown}");
    let output = cluster.ask(1, &["cut", "1", "2,3"]);
    assert!(!output.status.success() && output.stderr.contains("embedded"), "{output:?}");
}

#[test]
fn a_host_without_corosync_says_what_to_install() {
    let network = require!(Network::new(1));
    let mut cluster = Cluster::new();
    let key = cluster.directory.path().join("ring.key");
    let mut command = Command::new(hamsa());
    let made = Process::spawn("hamsa-group-key", command.args(["group", "key"]).arg(&key)).finish(LIVENESS).unwrap();
    assert!(made.status.success(), "{made:?}");
    // Its mounts are its own.
    let mut command = network.command(1, "sh");
    command.args(["-c", "mount -t tmpfs none /usr/sbin && exec \"$0\" \"$@\""]).arg(hamsa());
    let nodes = format!("\"1={}\"", network.address(1));
    let engine = format!("engine = \"corosync\"\nkey = \"ring.key\"\nnodes = [{nodes}]\ndirectory = \"ring\"\n");
    cluster.run(1, &engine, command);
    wait_until("it says so", || {
        let output = cluster.ask(1, &[]);
        output.stdout.contains("is not installed: install the package `corosync`").then_some(())
    });
    // It goes on alone, and polls.
    cluster.together(&[1]);
}
