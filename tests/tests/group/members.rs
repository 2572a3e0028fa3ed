//! Bare members of groups, whose hub and others are killed and stopped: checkers judge what all of them were told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use hamsa_group::{GroupName, Member};
use hamsa_testkit::group::{EnginePlan, GroupPlan, MemberPlan, judge, last_view, read_log};
use hamsa_testkit::{Process, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

struct Setting {
    directory: TempDir,
    members: BTreeMap<u32, Process>,
}

impl Setting {
    fn new() -> Self {
        Setting { directory: TempDir::with_prefix("hamsa-group-").unwrap(), members: BTreeMap::new() }
    }

    fn log(&self, node: u32) -> PathBuf {
        self.directory.path().join(format!("log-{node}"))
    }

    fn start(&mut self, node: u32) {
        let plan = MemberPlan {
            engine: EnginePlan::Embedded { socket: self.directory.path().join("group.sock"), cluster: "test".into() },
            node,
            groups: groups().map(|name| GroupPlan { has_state: name.as_str() == "stateful", name }).to_vec(),
            messages_per_s: 50,
            message_bytes: 1000,
            exchange_patience_ms: 2000,
            alone_after_ms: 3000,
            log: self.log(node),
        };
        self.members.insert(node, plan.start(Path::new(env!("CARGO_BIN_EXE_group-member"))));
    }

    fn kill(&mut self, node: u32) {
        self.members.remove(&node).expect("it runs").kill();
    }

    fn signal(&self, node: u32, signal: Signal) {
        kill_process(Pid::from_raw(self.members[&node].id().cast_signed()).unwrap(), signal).unwrap();
    }

    /// Waits until these nodes, and no others, are in one view of each group; who they are.
    #[track_caller]
    fn together(&self, nodes: &[u32]) -> BTreeSet<Member> {
        let mut members = BTreeSet::new();
        for group in groups() {
            members = wait_until(&format!("nodes {nodes:?} are in one view of {group}"), || {
                let views: Option<Vec<_>> = nodes.iter().map(|node| last_view(&self.log(*node), &group)).collect();
                let views = views?;
                let me: BTreeSet<Member> = views.iter().map(|(me, _)| *me).collect();
                let is_one = views.iter().all(|(_, view)| {
                    view.id == views[0].1.id && view.members.iter().copied().collect::<BTreeSet<_>>() == me
                });
                is_one.then_some(me)
            });
        }
        members
    }

    /// Waits until each of these nodes has been given so many more messages.
    #[track_caller]
    fn go_on(&self, nodes: &[u32]) {
        let given = |node: u32| {
            let records = read_log(&self.log(node));
            records.iter().filter(|record| matches!(record.what, hamsa_sim::groups::What::Delivered { .. })).count()
        };
        let before: Vec<usize> = nodes.iter().map(|node| given(*node)).collect();
        wait_until("messages are given", || {
            nodes.iter().zip(&before).all(|(node, before)| given(*node) >= before + 50).then_some(())
        });
    }
}

fn groups() -> [GroupName; 2] {
    ["stateful", "stateless"].map(|name| GroupName::new(name).unwrap())
}

#[test]
fn members_keep_what_groups_promise_when_the_hub_is_killed_and_others_are_stopped() {
    let mut setting = Setting::new();
    // The first is the hub.
    setting.start(1);
    setting.together(&[1]);
    for node in [2, 3] {
        setting.start(node);
    }
    setting.together(&[1, 2, 3]);
    setting.go_on(&[1, 2, 3]);
    setting.kill(1);
    setting.together(&[2, 3]);
    setting.go_on(&[2, 3]);
    setting.start(1);
    setting.together(&[1, 2, 3]);
    setting.go_on(&[1, 2, 3]);

    // Whoever of them is the hub now: one of the two is, and is stopped once.
    for node in [2, 3] {
        let others: Vec<u32> = [1, 2, 3].into_iter().filter(|other| *other != node).collect();
        setting.signal(node, Signal::STOP);
        wait_until("the others do without it", || {
            let of_others = |other: &u32| last_view(&setting.log(*other), &groups()[0]).map(|(_, view)| view.members);
            let is_gone = |members: Vec<Member>| !members.iter().any(|member| member.node == node);
            others.iter().all(|other| of_others(other).is_some_and(is_gone)).then_some(())
        });
        setting.signal(node, Signal::CONT);
        setting.together(&[1, 2, 3]);
        setting.go_on(&[1, 2, 3]);
    }
    let last = setting.together(&[1, 2, 3]);
    // All at once, as far as they can see: nobody is to see the others go.
    (1..=3).for_each(|node| setting.signal(node, Signal::STOP));
    (1..=3).for_each(|node| setting.kill(node));
    let logs: Vec<PathBuf> = (1..=3).map(|node| setting.log(node)).collect();
    let checkers = judge(logs.iter().map(PathBuf::as_path)).unwrap_or_else(|violation| panic!("{violation}"));
    for group in groups() {
        checkers.converged(&group, std::slice::from_ref(&last)).unwrap_or_else(|violation| panic!("{violation}"));
    }
    assert!(checkers.records() > 2_000 && checkers.views() > 10, "{} {}", checkers.records(), checkers.views());
}
