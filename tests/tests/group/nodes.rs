//! Three `hamsa node` on one machine by the embedded engine: killed, stopped, started again, cut apart, and asked by
//! `hamsa group` and `/metrics`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use hamsa_testkit::limits::LIVENESS;
use hamsa_testkit::{Output, Process, hamsa, http, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Nodes of one cluster, by their numbers.
pub(crate) struct Cluster {
    pub(crate) directory: TempDir,
    pub(crate) nodes: BTreeMap<u32, Process>,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        Cluster { directory: TempDir::with_prefix("hamsa-cluster-").unwrap(), nodes: BTreeMap::new() }
    }

    fn path(&self, node: u32) -> PathBuf {
        self.directory.path().join(format!("node-{node}.toml"))
    }

    fn start(&mut self, node: u32) {
        self.run(node, "allow_faults = true\n", Command::new(hamsa()));
    }

    /// Runs a node with these lines more in `[group]`; `hamsa` is the command where it is to run.
    pub(crate) fn run(&mut self, node: u32, engine: &str, mut hamsa: Command) {
        let config = format!(
            "[node]\nnumber = {node}\nname = \"host{node}\"\ndata_dir = \"data-{node}\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
             [traps]\nlisten = []\n[group]\ncluster = \"test\"\ngroups = [\"lab\"]\n\
             alone_after = \"3s\"\n{engine}"
        );
        std::fs::write(self.path(node), config).unwrap();
        hamsa.arg("node").arg("--config").arg(self.path(node));
        self.nodes.insert(node, Process::spawn(&format!("node-{node}"), &mut hamsa));
    }

    fn signal(&self, node: u32, signal: Signal) {
        kill_process(Pid::from_raw(self.nodes[&node].id().cast_signed()).unwrap(), signal).unwrap();
    }

    pub(crate) fn kill(&mut self, node: u32) {
        self.nodes.remove(&node).expect("it runs").kill();
    }

    /// `hamsa group` of a node.
    pub(crate) fn ask(&self, node: u32, arguments: &[&str]) -> Output {
        let socket = self.directory.path().join(format!("data-{node}/control.sock"));
        let mut command = Command::new(hamsa());
        command.env_clear().arg("group").args(arguments).arg("--socket").arg(socket);
        Process::spawn("hamsa-group", &mut command).finish(LIVENESS).expect("hamsa group ends by itself")
    }

    #[track_caller]
    pub(crate) fn ok(&self, node: u32, arguments: &[&str]) -> String {
        said(arguments, self.ask(node, arguments))
    }

    fn rows(&self, node: u32, arguments: &[&str]) -> Option<Vec<Value>> {
        rows(&self.ask(node, &[arguments, &["-o", "json"]].concat()))
    }

    /// The view of each group, if these nodes are its only members and all have the same.
    fn common_views(&self, nodes: &[u32]) -> Option<BTreeSet<String>> {
        let names: Vec<Value> = nodes.iter().map(|node| format!("{node}:host{node}").into()).collect();
        let mut views = BTreeSet::new();
        for node in nodes {
            let rows = self.rows(*node, &["views"])?;
            assert_eq!(rows.len(), 2, "{rows:?}");
            for row in rows {
                if row["members"].as_array() != Some(&names) {
                    return None;
                }
                views.insert(format!("{} {}", row["group"], row["view"]));
            }
        }
        (views.len() == 2).then_some(views)
    }

    /// Waits until these nodes are in one view of each group, and no others.
    #[track_caller]
    pub(crate) fn together(&self, nodes: &[u32]) {
        wait_until(&format!("nodes {nodes:?} are in one view"), || self.common_views(nodes));
    }

    pub(crate) fn role(&self, node: u32) -> String {
        let members: Value = serde_json::from_str(&self.ok(node, &["members", "--json"])).unwrap();
        members["role"].as_str().unwrap().to_owned()
    }

    /// What `/metrics` of a node says of groups, by name and labels.
    fn metrics(&self, node: u32) -> BTreeMap<String, f64> {
        let said = self.nodes[&node].stderr();
        let address = said.split("console: http://").nth(1).and_then(|rest| rest.lines().next()).unwrap();
        let text = http::get(&format!("http://{address}/metrics")).unwrap().text();
        let lines = text.lines().filter(|line| line.starts_with("hamsa_group_"));
        lines
            .map(|line| {
                let (name, value) = line.rsplit_once(' ').unwrap();
                (name.to_owned(), value.parse().unwrap())
            })
            .collect()
    }
}

/// What was said by a command that must succeed.
#[track_caller]
pub(crate) fn said(arguments: &[&str], output: Output) -> String {
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    output.stdout
}

/// The rows of an answer in JSON; `None` while the node does not serve its socket, or where it refuses.
pub(crate) fn rows(output: &Output) -> Option<Vec<Value>> {
    let is_ok = output.status.success();
    is_ok.then(|| output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn nodes_find_each_other_again_whatever_ends_or_stops() {
    let mut cluster = Cluster::new();
    // The first is the hub.
    cluster.start(1);
    cluster.together(&[1]);
    cluster.start(2);
    cluster.start(3);
    cluster.together(&[1, 2, 3]);
    assert_eq!([1, 2, 3].map(|node| cluster.role(node)), ["hub", "member", "member"]);

    cluster.kill(1);
    cluster.together(&[2, 3]);
    let roles = [2, 3].map(|node| cluster.role(node));
    assert!(roles == ["hub", "member"] || roles == ["member", "hub"], "{roles:?}");
    let shown = cluster.ok(2, &[]);
    let gone = shown.lines().find(|line| line.contains("host1")).unwrap_or_else(|| panic!("{shown}"));
    assert!(shown.starts_with("cluster test, by the embedded engine, as its ") && gone.contains(" no "), "{shown}");

    cluster.start(1);
    cluster.together(&[1, 2, 3]);
    let history = cluster.rows(3, &["history", "cluster"]).unwrap();
    let causes: Vec<&str> = history.iter().filter_map(|row| row["cause"].as_str()).collect();
    assert_eq!(causes.first(), Some(&"first"), "{history:?}");
    assert!(causes.contains(&"cut") && causes.contains(&"reached"), "{history:?}");
    assert!(history.iter().all(|row| row["group"] == "cluster" && row["link"] == "cluster"), "{history:?}");

    let stopped = if cluster.role(2) == "hub" { 3 } else { 2 };
    let others: Vec<u32> = [1, 2, 3].into_iter().filter(|node| *node != stopped).collect();
    cluster.signal(stopped, Signal::STOP);
    cluster.together(&others);
    cluster.signal(stopped, Signal::CONT);
    cluster.together(&[1, 2, 3]);

    let metrics = cluster.metrics(1);
    assert_eq!(metrics["hamsa_group_members{link=\"cluster\",group=\"cluster\"}"], 3.0, "{metrics:?}");
    assert_eq!(
        metrics["hamsa_group_engine_up{link=\"cluster\",engine=\"embedded\",cluster=\"test\"}"], 1.0,
        "{metrics:?}"
    );
    assert_eq!(metrics["hamsa_group_nodes{link=\"cluster\",state=\"reachable\"}"], 3.0, "{metrics:?}");
    assert!(metrics["hamsa_group_views_total{link=\"cluster\",group=\"lab\"}"] >= 2.0, "{metrics:?}");
    assert!(metrics["hamsa_group_blocked_seconds_count{link=\"cluster\"}"] >= 4.0, "{metrics:?}");
    let counters = cluster.rows(stopped, &["counters"]).unwrap();
    let losses = counters.iter().find(|row| row["counter"] == "engine_losses").unwrap();
    assert!(losses["value"].as_u64().unwrap() >= 2, "{counters:?}");

    // Told to end, a node is gone at once, and its socket with the last of them.
    for node in [1, 2, 3] {
        let mut process = cluster.nodes.remove(&node).unwrap();
        let status = process.terminate();
        assert!(status.success(), "{status}: {}", process.stderr());
    }
    assert!(!cluster.directory.path().join("hamsa-group.sock").exists());
}

#[test]
fn a_cut_can_be_tried_out_by_hand() {
    let mut cluster = Cluster::new();
    (1..=3).for_each(|node| cluster.start(node));
    cluster.together(&[1, 2, 3]);
    let done = cluster.ok(2, &["cut", "1,2", "3"]);
    assert!(done.contains("heal"), "{done}");
    cluster.together(&[1, 2]);
    cluster.together(&[3]);
    cluster.ok(1, &["heal"]);
    cluster.together(&[1, 2, 3]);

    cluster.ok(1, &["delay", "2", "300ms"]);
    cluster.ok(3, &["drop", "1"]);
    wait_until("node 1 has lost its engine", || {
        let counters = cluster.rows(1, &["counters"])?;
        let losses = counters.iter().find(|row| row["counter"] == "engine_losses")?;
        (losses["value"].as_u64()? >= 1).then_some(())
    });
    cluster.together(&[1, 2, 3]);
    cluster.ok(2, &["heal"]);
    let output = cluster.ask(1, &["delay", "2", "2m"]);
    assert!(!output.status.success() && output.stderr.contains("60000 ms at most"), "{output:?}");
    let output = cluster.ask(1, &["drop", "9"]);
    assert!(!output.status.success() && output.stderr.contains("node 9 is not in reach"), "{output:?}");

    let output = cluster.ask(1, &["cut", "1,2", "2"]);
    assert!(!output.status.success() && output.stderr.contains("node 2 is on two sides"), "{output:?}");
    let output = cluster.ask(1, &["cut", "one"]);
    assert!(output.status.code() == Some(2) && output.stderr.contains("such as 1,2"), "{output:?}");
    let output = cluster.ask(1, &["views", "other"]);
    assert!(!output.status.success() && output.stderr.contains("cluster (cluster), lab (cluster)"), "{output:?}");
}

#[test]
fn a_node_without_groups_says_so_and_mistakes_are_told() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("alone.toml");
    std::fs::write(&path, "[node]\ndata_dir = \"data\"\n[http]\nlisten = \"127.0.0.1:0\"\n[traps]\nlisten = []\n")
        .unwrap();
    let mut command = Command::new(hamsa());
    let node = Process::spawn("node", command.env_clear().arg("node").arg("--config").arg(&path));
    let socket = directory.path().join("data/control.sock");
    wait_until("the control socket is there", || socket.exists().then_some(()));
    let mut command = Command::new(hamsa());
    let asked = Process::spawn("hamsa-group", command.env_clear().arg("group").arg("--socket").arg(&socket));
    let output = asked.finish(LIVENESS).unwrap();
    assert!(!output.status.success() && output.stderr.contains("no [group]"), "{output:?}");
    drop(node);

    let check = |table: &str| {
        std::fs::write(&path, table).unwrap();
        let mut command = Command::new(hamsa());
        let checked = Process::spawn("hamsa-check", command.env_clear().arg("check").arg(&path));
        let Output { stdout, stderr, .. } = checked.finish(LIVENESS).unwrap();
        stdout + &stderr
    };
    let told = check("[group]\nengine = \"zenoh\"\n");
    assert!(told.contains(": group.engine: ") && told.contains("\"embedded\", \"corosync\""), "{told}");
    assert!(check("[group]\n").contains("set number in [node]"));
    assert!(check("[node]\nnumber = 0\n").contains("from 1 to 65535"));
    assert!(check("[node]\nnumber = 1\n[group]\ngroups = [\"a b\"]\n").contains("groups[0]"));
}
