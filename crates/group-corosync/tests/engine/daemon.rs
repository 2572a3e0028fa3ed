//! What is told when a daemon can't do its work.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use hamsa_group_corosync::{Node, Placement, Ring, RingOptions, create_key};
use hamsa_testkit::limits::LIVENESS;
use hamsa_testkit::{Process, program, require, skip, wait_until};
use tempfile::TempDir;

use crate::support::{PEER, Peer, TOKEN_MS, arguments, network, new_key, node, nodes, wait_for_members};

/// Debian's user and group that own nothing.
const NOBODY: u32 = 65534;

#[test]
fn corosync_accepts_the_largest_configuration_and_the_shortest_token() {
    let corosync = require!(program("corosync"));
    let network = require!(network(1));
    let addresses = |number: u8| (0..8).map(|link| [10, 77 + link, 0, number].into()).collect();
    let node = |number: u8| Node { number: number.into(), name: format!("n{number}"), addresses: addresses(number) };
    let (cluster, nodes) = ("a-Z_0.9".to_owned(), (1..=24).map(node).collect());
    let options = RingOptions { cluster, nodes, token_ms: 250, consensus_ms: Some(300), port: 5405 };
    let directory = network.directory(1);
    let (key, state) = (new_key(&network, 1, "a key"), directory.join("state"));
    std::fs::create_dir(&state).unwrap();
    let text = Ring::new(options).unwrap().configuration(&Placement { key, state, is_realtime: true }).unwrap();
    let path = directory.join("corosync.conf");
    std::fs::write(&path, &text).unwrap();
    let mut check = network.command(1, corosync);
    let output = Process::spawn("corosync", check.arg("-t").arg("-c").arg(path)).finish(LIVENESS).unwrap();
    assert!(output.status.success(), "{output:?}\n{text}");
}

#[test]
fn hosts_with_different_keys_say_so_and_stay_alone() {
    let network = require!(network(2));
    let keys = [new_key(&network, 1, "key"), new_key(&network, 2, "other")];
    let peers = [1, 2].map(|host| Peer::start(&network, host, &keys[usize::from(host) - 1], &nodes(&network)));
    peers[0].wait_for("problem", &format!("what comes from {} can't be decrypted", network.address(2)));
    peers[1].wait_for("problem", &format!("what comes from {} can't be decrypted", network.address(1)));
    wait_for_members(&[&peers[0]], &[1]);
    wait_for_members(&[&peers[1]], &[2]);
    assert_eq!(peers[0].values("problem").len(), 1);
}

#[test]
fn addresses_of_other_hosts_are_told() {
    let network = require!(network(2));
    let key = new_key(&network, 1, "key");
    let peer = Peer::start(&network, 1, &key, &["1=10.77.9.9".into()]);
    peer.wait_for("problem", "none of the ring's addresses is on this host");
    peer.wait_for("ended", "none of the ring's addresses is on this host");
}

#[test]
fn a_second_daemon_is_told_that_there_is_one() {
    let network = require!(network(1));
    let key = new_key(&network, 1, "key");
    let first = Peer::start(&network, 1, &key, &nodes(&network));
    wait_for_members(&[&first], &[1]);
    let mut arguments = arguments(&network, 1, &key, &nodes(&network));
    arguments[2].push_str("-other");
    let second = Peer::spawn(network.command(1, PEER).args(arguments));
    second.wait_for("problem", "runs on this host already");
    // The running daemon serves it all the same.
    wait_for_members(&[&first, &second], &[1, 1]);
}

#[test]
fn a_daemon_with_another_lock_is_noticed_too() {
    let network = require!(network(1));
    let key = new_key(&network, 1, "key");
    let first = Peer::start(&network, 1, &key, &nodes(&network));
    wait_for_members(&[&first], &[1]);
    let mut arguments = arguments(&network, 1, &key, &nodes(&network));
    arguments[2].push_str("-other");
    let hide = "mount -t tmpfs none /run && mkdir /run/lock && exec \"$0\" \"$@\"";
    let mut command = network.command(1, "unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", hide, PEER]).args(arguments);
    Peer::spawn(&mut command).wait_for("problem", "runs on this host already");
}

#[test]
fn a_port_that_is_taken_is_told() {
    let perl = require!(program("perl"));
    // A ring of one listens nowhere.
    let network = require!(network(2));
    let script = "use Socket; socket(S, PF_INET, SOCK_DGRAM, 0) && bind(S, sockaddr_in(5405, INADDR_ANY)) or die;
        $| = 1; print \"bound\\n\"; sleep";
    let other = Process::spawn("perl", network.command(1, perl).args(["-e", script]));
    wait_until("the port is taken", || (other.stdout() == "bound\n").then_some(()));
    let key = new_key(&network, 1, "key");
    Peer::start(&network, 1, &key, &nodes(&network)).wait_for("problem", "UDP port is taken");
}

#[test]
fn a_daemon_of_the_system_can_be_used_and_its_absence_is_told() {
    let network = require!(network(1));
    let refused = |node: &str| {
        let mut command = network.command(1, PEER);
        let output = Process::spawn("corosync-peer", command.args(["test", node])).finish(LIVENESS).unwrap();
        serde_json::from_str::<serde_json::Value>(output.stdout.trim()).unwrap()["refused"].clone()
    };
    let absent = refused("1");
    assert!(absent.to_string().contains("no Corosync daemon answers on this host"), "{absent}");
    let key = new_key(&network, 1, "key");
    let mut first = Peer::start(&network, 1, &key, &nodes(&network));
    wait_for_members(&[&first], &[1]);
    let second = Peer::spawn(network.command(1, PEER).args(["test", "1"]));
    wait_for_members(&[&first, &second], &[1, 1]);
    first.tell("send hello");
    second.wait_for_message(1, "hello");
    let other = refused("7");
    assert_eq!(other, "the Corosync daemon of this host is node 1 and should be node 7");
    // With its owner the daemon ends, and with that the other's engine, which does not reconnect.
    drop(first);
    second.wait_for("lost", "the daemon has ended");
}

#[test]
fn a_library_that_is_missing_is_told() {
    let network = require!(network(1));
    // The library is hidden from one process alone, by a file system of its own.
    let hide =
        "for file in $(ldconfig -p | sed -n 's/.*libcpg.so.4 .*=> //p'); do mount --bind /dev/null $file || exit; done
        exec \"$0\" test 1";
    let mut command = network.command(1, "unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", hide, PEER]);
    let output = Process::spawn("corosync-peer", &mut command).finish(LIVENESS).unwrap();
    assert!(output.stdout.contains("client library is not installed"), "{output:?}");
}

#[test]
fn a_ring_runs_without_root() {
    let network = require!(network(2));
    let setpriv = require!(program("setpriv"));
    let as_nobody = |host: u8| {
        let mut command = network.command(host, &setpriv);
        command.args(["--reuid", &NOBODY.to_string(), "--regid", &NOBODY.to_string(), "--clear-groups", "--"]);
        command
    };
    let mut probe = as_nobody(1);
    probe.args(["unshare", "--user", "--map-root-user", "--mount", "true"]);
    if !probe.output().unwrap().status.success() {
        skip!("this kernel gives user namespaces to root only");
    }
    // What is root's own directory is closed to nobody.
    let shared = TempDir::with_prefix("hamsa-nobody-").unwrap();
    std::fs::set_permissions(shared.path(), Permissions::from_mode(0o755)).unwrap();
    let program = shared.path().join("corosync-peer");
    std::fs::copy(PEER, &program).unwrap();
    let key = shared.path().join("key");
    create_key(&key).unwrap();
    let give = |path: &Path| chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    give(&key);
    let peers = [1, 2].map(|host: u8| {
        let directory = shared.path().join(host.to_string());
        std::fs::create_dir(&directory).unwrap();
        give(&directory);
        let mut command: Command = as_nobody(host);
        command.arg(&program).args(["test", &host.to_string()]).arg(&directory).arg(&key);
        Peer::spawn(command.arg(TOKEN_MS.to_string()).args([node(&network, 1), node(&network, 2)]))
    });
    wait_for_members(&[&peers[0], &peers[1]], &[1, 2]);
}
