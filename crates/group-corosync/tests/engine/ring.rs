//! What peers of a ring are told: configurations and messages.

use std::process::Command;

use hamsa_testkit::limits::LIVENESS;
use hamsa_testkit::{require, wait_until};
use serde_json::Value;

use crate::support::{Peer, network, new_key, node, nodes, ring, wait_for_members};

#[test]
fn all_are_given_the_same_messages_in_one_order() {
    let (_network, mut peers) = require!(ring(3));
    wait_for_members(&peers.iter().collect::<Vec<_>>(), &[1, 2, 3]);
    for peer in &mut peers {
        // More than the windows and queues on the way hold; then some as long as they may be.
        peer.tell("burst small- 4000 512");
        peer.tell("burst large- 5 1000000");
    }
    let expected = 3 * 4005;
    let logs: Vec<_> = peers.iter().map(|peer| peer.wait_for_messages(expected)).collect();
    assert_eq!(logs[0].len(), expected);
    assert!(logs[0] == logs[1] && logs[1] == logs[2], "the orders differ");
    for sender in 1..=3 {
        let of_sender = logs[0].iter().filter(|(from, _)| *from == sender).map(|(_, text)| text.as_str());
        let small = (0..4000).map(|index| format!("small-{index}"));
        let sent: Vec<String> = small.chain((0..5).map(|index| format!("large-{index}"))).collect();
        assert!(of_sender.eq(sent.iter().map(String::as_str)), "not as {sender} has sent it");
    }
    assert!(peers.iter().all(|peer| peer.values("lost").is_empty()));
}

#[test]
fn both_sides_of_a_cut_go_on_and_meet_again() {
    let (network, mut peers) = require!(ring(3));
    let before = wait_for_members(&[&peers[0], &peers[1], &peers[2]], &[1, 2, 3]);
    network.cut(&[&[1], &[2, 3]]);
    let alone = wait_for_members(&[&peers[0]], &[1]);
    let together = wait_for_members(&[&peers[1], &peers[2]], &[2, 3]);
    assert!(alone.ring != before.ring && together.ring != before.ring && alone.ring != together.ring);
    peers[0].tell("send left");
    peers[1].tell("send right");
    peers[0].wait_for_message(1, "left");
    peers[2].wait_for_message(2, "right");
    network.heal();
    let after = wait_for_members(&[&peers[0], &peers[1], &peers[2]], &[1, 2, 3]);
    assert!(![before.ring, alone.ring, together.ring].contains(&after.ring));
    peers[2].tell("send again");
    for peer in &peers {
        peer.wait_for_message(3, "again");
    }
    // What was said on one side is never heard on the other one.
    assert_eq!(peers[0].messages(), [(1, "left".to_owned()), (3, "again".to_owned())]);
    assert_eq!(peers[1].messages(), [(2, "right".to_owned()), (3, "again".to_owned())]);

    network.set_carrier(2, false);
    wait_for_members(&[&peers[0], &peers[2]], &[1, 3]);
    network.set_carrier(2, true);
    wait_for_members(&[&peers[0], &peers[1], &peers[2]], &[1, 2, 3]);
}

#[test]
fn a_paused_process_misses_nothing_and_holds_up_nobody() {
    let (_network, mut peers) = require!(ring(2));
    wait_for_members(&[&peers[0], &peers[1]], &[1, 2]);
    peers[1].process.pause();
    peers[0].tell("burst while-paused- 500 100");
    let expected = peers[0].wait_for_messages(500);
    assert!(peers[1].messages().len() < 500);
    peers[1].process.resume();
    assert_eq!(peers[1].wait_for_messages(500), expected);
}

#[test]
fn a_paused_daemon_loses_nothing_of_what_it_is_given() {
    let (_network, mut peers) = require!(ring(3));
    wait_for_members(&[&peers[0], &peers[1], &peers[2]], &[1, 2, 3]);
    let daemon = peers[0].values("started")[0].as_u64().unwrap();
    signal("-STOP", daemon);
    // More than all queues on the way hold.
    peers[0].tell("burst queued- 6000 1024");
    wait_for_members(&[&peers[1], &peers[2]], &[2, 3]);
    signal("-CONT", daemon);
    let texts: Vec<String> = peers[0].wait_for_messages(6000).into_iter().map(|(_, text)| text).collect();
    assert!(texts.into_iter().eq((0..6000).map(|index| format!("queued-{index}"))), "not as they were sent");
    wait_for_members(&[&peers[0], &peers[1], &peers[2]], &[1, 2, 3]);
    assert!(peers.iter().all(|peer| peer.values("lost").is_empty()));
}

#[test]
fn a_process_that_ends_takes_its_daemon_along() {
    let (_network, mut peers) = require!(ring(2));
    wait_for_members(&[&peers[0], &peers[1]], &[1, 2]);
    let Peer { process, input, .. } = peers.remove(1);
    drop(input);
    let output = process.finish(LIVENESS).unwrap();
    assert!(output.status.success(), "{output:?}");
    let first: Value = serde_json::from_str(output.stdout.lines().next().unwrap()).unwrap();
    assert!(!runs(first["started"].as_u64().unwrap()), "{output:?}");
    wait_for_members(&[&peers[0]], &[1]);
}

#[test]
fn a_process_that_is_killed_leaves_its_daemon_and_its_ring() {
    let (_network, mut peers) = require!(ring(2));
    wait_for_members(&[&peers[0], &peers[1]], &[1, 2]);
    let daemon = peers[1].values("started")[0].as_u64().unwrap();
    peers[1].process.kill_alone();
    wait_for_members(&[&peers[0]], &[1]);
    wait_until("its daemon ends with it", || (!runs(daemon)).then_some(()));
}

#[test]
fn a_daemon_that_is_killed_is_lost_and_comes_back() {
    let (_network, mut peers) = require!(ring(3));
    let before = wait_for_members(&[&peers[0], &peers[1], &peers[2]], &[1, 2, 3]);
    let daemon = peers[0].values("started")[0].as_u64().unwrap();
    assert!(!shared_by(daemon).is_empty());
    signal("-KILL", daemon);
    peers[0].wait_for("lost", "the daemon has ended");
    peers[0].wait_for("ended", "signal: 9");
    assert_eq!(shared_by(daemon), [""; 0]);
    wait_until("the others go on without it, or it was back before", || {
        peers[1].configuration().filter(|configuration| configuration.ring != before.ring)
    });
    let after = wait_for_members(&[&peers[0], &peers[1], &peers[2]], &[1, 2, 3]);
    assert_ne!(after.ring, before.ring);
    assert_eq!((peers[0].values("lost").len(), peers[0].values("started").len()), (1, 2));
    peers[0].tell("send back");
    peers[2].wait_for_message(1, "back");
    assert!(peers[1].values("lost").is_empty());
}

#[test]
fn a_node_is_added_to_a_running_ring() {
    let mut network = require!(network(2));
    let key = new_key(&network, 1, "key");
    let two = nodes(&network);
    let mut peers: Vec<Peer> = (1..=2).map(|host| Peer::start(&network, host, &key, &two)).collect();
    let before = wait_for_members(&[&peers[0], &peers[1]], &[1, 2]);
    let third = network.add_host();
    for peer in &mut peers {
        peer.tell(&format!("add {}", node(&network, third)));
        peer.tell("send added");
    }
    peers[0].wait_for_message(2, "added");
    peers[1].wait_for_message(1, "added");
    assert_eq!(peers[0].configuration(), Some(before));
    peers.push(Peer::start(&network, third, &key, &nodes(&network)));
    wait_for_members(&[&peers[0], &peers[1], &peers[2]], &[1, 2, 3]);
    peers[2].tell("send hello");
    peers[0].wait_for_message(3, "hello");
    // It has been one daemon all the time.
    assert!(peers.iter().all(|peer| peer.values("started").len() == 1 && peer.values("lost").is_empty()));
}

fn signal(signal: &str, process: u64) {
    assert!(Command::new("kill").args([signal, &process.to_string()]).status().unwrap().success());
}

/// True where the process runs; one that waits to be collected does not.
fn runs(process: u64) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|text| !text.contains(") Z "))
}

/// What a daemon has in shared memory.
fn shared_by(daemon: u64) -> Vec<String> {
    let daemon = daemon.to_string();
    let names = std::fs::read_dir("/dev/shm").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.split('-').any(|part| part == daemon)).collect()
}
