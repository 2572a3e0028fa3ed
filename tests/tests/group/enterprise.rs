//! `hamsa node` on hosts of their own as an enterprise: a hub and sites over Zenoh with TLS, cut apart, killed, told of one more.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use hamsa_testkit::limits::LIVENESS;
use hamsa_testkit::{Network, Output, Process, hamsa, require, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::nodes::{rows, said};

/// The hub's number, and its host's.
const HUB: u32 = 1;

struct Nodes {
    network: Network,
    directory: TempDir,
    running: BTreeMap<u32, Process>,
}

impl Nodes {
    fn new(network: Network) -> Self {
        Nodes { network, directory: TempDir::with_prefix("hamsa-enterprise-").unwrap(), running: BTreeMap::new() }
    }

    fn config(&self, node: u32) -> PathBuf {
        self.directory.path().join(format!("node-{node}.toml"))
    }

    /// Writes the configuration of a node that has pairs with others, with the certificate of this name.
    fn configure(&self, node: u32, pairs: &[u32], certificate: &str) {
        let hub = format!("{}:7447", self.network.address(HUB as u8));
        let way = if node == HUB { "listen" } else { "dial" };
        let text = format!(
            "[node]\nnumber = {node}\nname = \"host{node}\"\ndata_dir = \"data-{node}\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
             [traps]\nlisten = []\n[enterprise]\nname = \"acme\"\n{way} = [\"{hub}\"]\nlease = \"500ms\"\npairs = {pairs:?}\n\
             tls_authority = \"authority.pem\"\ntls_cert = \"{certificate}.pem\"\ntls_key = \"{certificate}.key\"\n"
        );
        std::fs::write(self.config(node), text).unwrap();
    }

    fn run(&mut self, node: u32) {
        let mut command = self.network.command(node as u8, hamsa());
        command.arg("node").arg("--config").arg(self.config(node));
        self.running.insert(node, Process::spawn(&format!("node-{node}"), &mut command));
    }

    fn hamsa(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(hamsa());
        command.env_clear().args(arguments).current_dir(self.directory.path());
        Process::spawn("hamsa", &mut command).finish(LIVENESS).expect("it ends by itself")
    }

    fn ask(&self, node: u32, arguments: &[&str]) -> Output {
        self.hamsa(&[arguments, &["--socket", &format!("data-{node}/control.sock")]].concat())
    }

    #[track_caller]
    fn ok(&self, node: u32, arguments: &[&str]) -> String {
        said(arguments, self.ask(node, arguments))
    }

    fn rows(&self, node: u32, arguments: &[&str]) -> Option<Vec<Value>> {
        rows(&self.ask(node, &[arguments, &["-o", "json"]].concat()))
    }

    /// Waits until two nodes are in one view of their group, or each is alone in one.
    #[track_caller]
    fn paired(&self, one: u32, other: u32, are_together: bool) {
        for (node, peer) in [(one, other), (other, one)] {
            let mut members = vec![node];
            if are_together {
                members.push(peer);
            }
            members.sort_unstable();
            let members: Vec<Value> = members.into_iter().map(|node| format!("{node}:host{node}").into()).collect();
            let link = format!("pair-{peer}");
            wait_until(&format!("node {node} is in a view of {members:?}"), || {
                let rows = self.rows(node, &["group", "views", "pair", "--link", &link])?;
                let pairs = self.rows(node, &["enterprise", "pairs"])?;
                let state = pairs.iter().find(|row| row["pair"] == peer)?["state"].as_str()?.to_owned();
                let is_so = rows.len() == 1 && rows[0]["members"].as_array() == Some(&members);
                (is_so && (state == "together") == are_together).then_some(())
            });
        }
    }

    /// Waits until a node knows that another is there, or away.
    #[track_caller]
    fn knows(&self, node: u32, other: u32, is_present: bool) {
        wait_until(&format!("node {node} knows that {other} is there: {is_present}"), || {
            let output = self.ask(node, &["enterprise", "nodes", "--json"]);
            let found: Value = serde_json::from_str(output.stdout.trim()).ok()?;
            let nodes = found["nodes"].as_array()?;
            let row = nodes.iter().find(|row| row["node"] == other)?;
            (row["present"] == is_present && row["name"] == format!("host{other}")).then_some(())
        });
    }

    /// Waits until a node has these values under a name, and says where there are several.
    #[track_caller]
    fn has(&self, node: u32, name: &str, values: &[&str]) {
        wait_until(&format!("node {node} has {values:?} as {name}"), || {
            let output = self.ask(node, &["enterprise", "get", name]);
            let mut found: Vec<&str> = output.stdout.lines().collect();
            found.sort_unstable();
            let says_conflict = output.stderr.contains("at different places at once");
            (output.status.success() && found == values && says_conflict == (values.len() > 1)).then_some(())
        });
    }

    /// What `/metrics` of a node tells, by name and labels.
    fn metrics(&self, node: u32) -> BTreeMap<String, f64> {
        let told = self.running[&node].stderr();
        let address = told.split("console: http://").nth(1).and_then(|rest| rest.lines().next()).unwrap().to_owned();
        let (address, port) = address.rsplit_once(':').unwrap();
        // Its loopback is another one than ours.
        let script = format!(
            "exec 3<>/dev/tcp/{address}/{port}; printf 'GET /metrics HTTP/1.0\\r\\nHost: {address}\\r\\n\\r\\n' >&3; cat <&3"
        );
        let mut command = self.network.command(node as u8, "bash");
        let output = Process::spawn("metrics", command.args(["-c", &script])).finish(LIVENESS).unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = output.stdout;
        let lines = text.lines().filter(|line| line.starts_with("hamsa_"));
        lines
            .filter_map(|line| line.rsplit_once(' ').map(|(name, value)| (name.to_owned(), value.parse().unwrap())))
            .collect()
    }
}

#[test]
fn sites_and_a_hub_keep_together_what_they_know_through_cuts_and_the_end_of_all() {
    let mut nodes = Nodes::new(require!(Network::new(4)));
    let hub_address = nodes.network.address(HUB as u8).to_string();
    assert!(nodes.hamsa(&["enterprise", "authority"]).status.success());
    for node in 1..=4_u32 {
        let number = node.to_string();
        let mut arguments = vec!["enterprise", "certificate", &number];
        arguments.extend((node == HUB).then_some(hub_address.as_str()));
        let output = nodes.hamsa(&arguments);
        assert!(output.status.success() && output.stdout.contains("tls_cert"), "{output:?}");
    }
    nodes.configure(1, &[2, 3], "node-1");
    [2, 3, 4].into_iter().for_each(|node| nodes.configure(node, &[HUB], &format!("node-{node}")));
    (1..=3).for_each(|node| nodes.run(node));

    nodes.paired(1, 2, true);
    nodes.paired(1, 3, true);
    // By way of the hub.
    nodes.knows(2, 3, true);
    nodes.knows(3, 2, true);
    nodes.ok(2, &["enterprise", "set", "poller.lab", "first"]);
    nodes.has(3, "poller.lab", &["first"]);

    nodes.network.cut(&[&[1, 3, 4], &[2]]);
    nodes.paired(1, 2, false);
    nodes.knows(3, 2, false);
    nodes.ok(2, &["enterprise", "set", "poller.lab", "of two"]);
    nodes.ok(3, &["enterprise", "set", "poller.lab", "of three"]);
    nodes.ok(3, &["enterprise", "set", "gone", "soon"]);
    nodes.has(1, "poller.lab", &["of three"]);
    nodes.network.heal();
    nodes.paired(1, 2, true);
    nodes.knows(3, 2, true);
    (1..=3).for_each(|node| nodes.has(node, "poller.lab", &["of three", "of two"]));
    let rows = nodes.rows(2, &["enterprise", "list", "poller."]).unwrap();
    assert!(rows.len() == 1 && rows[0]["conflict"] == true, "{rows:?}");
    wait_until("the conflict is counted", || {
        (nodes.metrics(1).get("hamsa_enterprise_conflicts") == Some(&1.0)).then_some(())
    });
    let metrics = nodes.metrics(1);
    assert_eq!(metrics["hamsa_pair_up{pair=\"2\"}"], 1.0, "{metrics:?}");
    assert_eq!(metrics["hamsa_group_members{link=\"pair-2\",group=\"pair\"}"], 2.0, "{metrics:?}");
    assert_eq!(metrics["hamsa_enterprise_nodes{state=\"present\"}"], 3.0, "{metrics:?}");
    let done = nodes.ok(1, &["enterprise", "set", "poller.lab", "decided"]);
    assert!(done.contains("conflict is ended"), "{done}");
    (1..=3).for_each(|node| nodes.has(node, "poller.lab", &["decided"]));
    nodes.ok(2, &["enterprise", "delete", "gone"]);
    wait_until("the hub knows that it is deleted", || {
        let output = nodes.ask(1, &["enterprise", "get", "gone"]);
        output.stderr.contains("there is no name \"gone\"").then_some(())
    });

    // All end, and one that knew it all is alone when it starts again.
    let kept = |nodes: &Nodes, node: u32| {
        std::fs::read(nodes.directory.path().join(format!("data-{node}/enterprise-directory")))
    };
    wait_until("the directory is kept", || kept(&nodes, 1).is_ok_and(|file| contains(&file, b"decided")).then_some(()));
    for node in 1..=3 {
        nodes.running.remove(&node).unwrap().kill();
    }
    nodes.run(1);
    nodes.has(1, "poller.lab", &["decided"]);
    assert!(!nodes.ask(1, &["enterprise", "get", "gone"]).status.success());

    // One site more, while the hub runs.
    let hub = nodes.running[&HUB].id();
    nodes.configure(1, &[2, 4], "node-1");
    kill_process(Pid::from_raw(hub.cast_signed()).unwrap(), Signal::HUP).unwrap();
    nodes.run(2);
    nodes.run(4);
    nodes.paired(1, 2, true);
    nodes.paired(1, 4, true);
    nodes.has(4, "poller.lab", &["decided"]);
    let rows = nodes.rows(1, &["enterprise", "pairs"]).unwrap();
    assert!(rows.len() == 2 && rows.iter().all(|row| row["pair"] != 3), "{rows:?}");
    assert_eq!(nodes.running[&HUB].id(), hub);
}

#[test]
fn who_has_no_good_certificate_is_kept_out_and_told_why() {
    let mut nodes = Nodes::new(require!(Network::new(2)));
    let hub_address = nodes.network.address(HUB as u8).to_string();
    std::fs::create_dir(nodes.directory.path().join("other")).unwrap();
    let made = [
        vec!["authority"],
        vec!["authority", "other"],
        vec!["certificate", "1", &hub_address],
        vec!["certificate", "2", "--authority-key", "other/authority.key"],
    ];
    for arguments in made {
        let output = nodes.hamsa(&[&["enterprise"], &arguments[..]].concat());
        assert!(output.status.success(), "{output:?}");
    }
    nodes.configure(1, &[2], "node-1");
    nodes.configure(2, &[1], "node-2");
    // Its own check knows it already; yet it runs, and polls.
    let output = nodes.hamsa(&["check", "node-2.toml"]);
    let told = output.stdout + &output.stderr;
    assert!(told.contains("node-2.pem is not signed by the authority in"), "{told}");
    (1..=2).for_each(|node| nodes.run(node));
    wait_until("it is told what is wrong", || {
        let output = nodes.ask(2, &["enterprise"]);
        output.stdout.contains("is not signed by the authority in").then_some(())
    });
    let refused = nodes.ask(2, &["enterprise", "set", "a", "b"]);
    assert!(!refused.status.success() && refused.stderr.contains("has not started"), "{refused:?}");
    // With its own authority trusted here it dials, and the hub refuses it.
    let own = std::fs::read_to_string(nodes.directory.path().join("other/authority.pem")).unwrap();
    let hubs = std::fs::read_to_string(nodes.directory.path().join("authority.pem")).unwrap();
    std::fs::write(nodes.directory.path().join("both.pem"), own + &hubs).unwrap();
    let text = std::fs::read_to_string(nodes.config(2)).unwrap();
    std::fs::write(nodes.config(2), text.replace("tls_authority = \"authority.pem\"", "tls_authority = \"both.pem\""))
        .unwrap();
    nodes.running.remove(&2).unwrap().kill();
    nodes.run(2);
    wait_until("it is told that the hub refuses it", || {
        let output = nodes.ask(2, &["enterprise"]);
        output.stdout.contains("refuses this").then_some(())
    });
    nodes.paired(1, 2, false);
}

fn contains(octets: &[u8], part: &[u8]) -> bool {
    octets.windows(part.len()).any(|window| window == part)
}
