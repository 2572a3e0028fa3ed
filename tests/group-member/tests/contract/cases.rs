//! The cases, each for any engine. Where a busy machine makes an engine see a change that nobody has made, they go on all
//! the same: what must hold is what the checkers judge, and that all come together in the end.

use std::time::Duration;

use hamsa_group_member::{Command, Notice};
use hamsa_sim::groups::What;
use hamsa_testkit::require;

use crate::cluster::{Cluster, Kind, Load, plain, with_state};

/// Without messages but those that the case asks for.
const QUIET: Load = Load { messages_per_s: 0, message_bytes: 200, state_bytes: 0 };

/// Shorter than any engine takes to think that somebody has gone.
const SHORT_STOP: Duration = Duration::from_millis(300);

fn sent(cluster: &Cluster, number: u32) -> Vec<u64> {
    let would_block = |notice| match notice {
        Notice::Sent { would_block } => Some(would_block),
        _ => None,
    };
    cluster.notices(number).into_iter().filter_map(would_block).collect()
}

pub fn a_group_forms(kind: Kind) {
    let mut cluster = require!(Cluster::start(kind, kind.members(3), QUIET));
    let all = cluster.all();
    cluster.together(&all);
    for group in [with_state(), plain()] {
        cluster.tell_all(&Command::Send { group, count: 10, bytes: 100 });
    }
    cluster.wait("all is sent", |cluster| all.iter().all(|number| sent(cluster, *number).len() == 2).then_some(()));
    cluster.rest();
}

pub fn concurrent_senders_have_one_order(kind: Kind) {
    let mut cluster = require!(Cluster::start(kind, kind.members(3), QUIET));
    let all = cluster.all();
    cluster.together(&all);
    for group in [with_state(), plain()] {
        cluster.tell_all(&Command::Send { group, count: 500, bytes: 300 });
    }
    cluster.wait("all is sent", |cluster| all.iter().all(|number| sent(cluster, *number).len() == 2).then_some(()));
    let (records, _) = cluster.rest();
    assert!(records > 2 * 500 * all.len() as u64, "{records} records");
}

pub fn both_sides_of_a_cut_go_on_and_meet_again(kind: Kind) {
    let mut cluster = require!(Cluster::start(kind, kind.members(3), Load::default()));
    let all = cluster.all();
    let (one, others) = all.split_at(1);
    cluster.together(&all);
    cluster.go_on(&all, 20);
    cluster.cut(&[one, others]);
    cluster.together(one);
    cluster.together(others);
    cluster.go_on(&all, 20);
    cluster.heal();
    cluster.together(&all);
    cluster.go_on(&all, 20);
    if cluster.set_carrier(others[0], false) {
        let rest: Vec<u32> = all.iter().copied().filter(|number| *number != others[0]).collect();
        cluster.together(&rest);
        cluster.together(&others[..1]);
        cluster.go_on(&all, 20);
        cluster.set_carrier(others[0], true);
        cluster.together(&all);
        cluster.go_on(&all, 20);
    }
    cluster.rest();
}

pub fn an_asymmetric_cut_ends_well(kind: Kind) {
    let mut cluster = require!(Cluster::start(kind, kind.members(3), Load::default()));
    let all = cluster.all();
    cluster.together(&all);
    for pair in [(1, 2), (2, 1)] {
        let views = |cluster: &Cluster| all.iter().map(|number| cluster.seen(*number, &plain()).views).sum::<usize>();
        let before = views(&cluster);
        cluster.cut_directed(&[pair]);
        cluster.wait("somebody sees a change", |cluster| (views(cluster) > before).then_some(()));
        cluster.heal();
        cluster.together(&all);
        cluster.go_on(&all, 20);
    }
    cluster.rest();
}

pub fn a_killed_member_is_left_out_and_comes_again(kind: Kind) {
    let mut cluster = require!(Cluster::start(kind, kind.members(3), Load::default()));
    let all = cluster.all();
    cluster.together(&all);
    cluster.go_on(&all, 20);
    let (last, others) = all.split_last().unwrap();
    cluster.kill(*last);
    cluster.together(others);
    cluster.go_on(others, 20);
    cluster.start_member(*last);
    cluster.together(&all);
    cluster.go_on(&all, 20);
    cluster.rest();
}

pub fn a_killed_daemon_takes_nobody_along(kind: Kind) {
    let mut cluster = require!(Cluster::start(kind, kind.members(3), Load::default()));
    let all = cluster.all();
    cluster.together(&all);
    cluster.go_on(&all, 20);
    for number in [1, 2] {
        let others: Vec<u32> = all.iter().copied().filter(|other| *other != number).collect();
        cluster.kill_daemon(number);
        cluster.go_on(&others, 20);
        if !cluster.running().contains(&number) {
            cluster.start_member(number);
        }
        cluster.together(&all);
        cluster.go_on(&all, 20);
    }
    cluster.rest();
}

pub fn a_stopped_member_is_left_out_until_it_goes_on(kind: Kind) {
    let mut cluster = require!(Cluster::start(kind, kind.members(3), Load::default()));
    let all = cluster.all();
    cluster.together(&all);
    for number in [1, 2] {
        let others: Vec<u32> = all.iter().copied().filter(|other| *other != number).collect();
        cluster.go_on(&all, 20);
        cluster.pause(number);
        let stopped = cluster.me(number).unwrap();
        cluster.wait("the others do without it", |cluster| {
            let does = |other: &u32| {
                let view = cluster.seen(*other, &plain()).view;
                view.is_some_and(|view| !view.members.contains(&stopped))
            };
            others.iter().all(does).then_some(())
        });
        cluster.go_on(&others, 20);
        cluster.resume(number);
        cluster.together(&all);
    }
    cluster.go_on(&all, 20);
    cluster.rest();
}

pub fn a_short_stop_changes_nothing_for_good(kind: Kind) {
    let mut cluster = require!(Cluster::start(kind, kind.members(3), Load::default()));
    let all = cluster.all();
    cluster.together(&all);
    for number in [1, 2] {
        cluster.go_on(&all, 20);
        cluster.pause(number);
        std::thread::sleep(SHORT_STOP);
        cluster.resume(number);
    }
    cluster.together(&all);
    cluster.go_on(&all, 20);
    cluster.rest();
}

pub fn kept_states_come_together(kind: Kind) {
    let mut cluster = require!(Cluster::start(kind, kind.members(3), Load::default()));
    let all = cluster.all();
    cluster.together(&all);
    cluster.go_on(&all, 20);
    // Each keeps another one, and none the last.
    let mut kept = Vec::new();
    for number in &all {
        kept.push(cluster.save(*number));
        cluster.go_on(&all, 5);
    }
    let (last, others) = all.split_last().unwrap();
    cluster.kill(*last);
    cluster.go_on(others, 5);
    cluster.start_member(*last);
    cluster.together(&all);
    cluster.go_on(&all, 5);
    all.iter().for_each(|number| cluster.kill(*number));
    all.iter().for_each(|number| cluster.start_member(*number));
    cluster.together(&all);
    cluster.go_on(&all, 5);
    cluster.rest();
    let states: Vec<_> = all.iter().map(|number| cluster.save(*number).remove(&with_state()).unwrap()).collect();
    assert!(states.iter().all(|state| *state == states[0]));
    for kept in kept {
        assert!(kept[&with_state()].contents.is_subset(&states[0].contents), "what was kept is lost");
    }
}

pub fn joins_and_leaves_under_load(kind: Kind) {
    let mut cluster = require!(Cluster::start(kind, kind.members(3), Load::default()));
    let all = cluster.all();
    cluster.together(&all);
    for round in 0..8 {
        let number = all[round % all.len()];
        let group = if round % 3 == 0 { plain() } else { with_state() };
        cluster.leave(number, &group);
        if round % 2 == 0 {
            let others = cluster.members_of(&group);
            cluster.wait("the others do without it", |cluster| cluster.is_together(&others, &group).then_some(()));
        }
        cluster.join(number, &group);
        if round % 4 < 2 {
            cluster.go_on(&all, 5);
        }
    }
    cluster.together(&all);
    cluster.go_on(&all, 20);
    cluster.rest();
}

pub fn a_long_message_arrives(kind: Kind) {
    let mut cluster = require!(Cluster::start(kind, kind.members(3), Load::default()));
    let all = cluster.all();
    cluster.together(&all);
    // Where the view changes under it, it is undelivered, and sent again as users do.
    for times in 1.. {
        assert!(times <= 5, "it never arrives");
        cluster.tell(1, &Command::Send { group: plain(), count: 1, bytes: 20_000_000 });
        cluster.wait("it is taken", |cluster| (sent(cluster, 1).len() == times).then_some(()));
        cluster.tell_all(&Command::Rate(0));
        cluster.rest();
        let last_sent = cluster.records(1).iter().rev().find_map(|record| match record.what {
            What::Sent { content, .. } if record.group == plain() => Some(content),
            _ => None,
        });
        let has_it = |number: &u32| {
            let is_it = |what: &What| matches!(what, What::Delivered { content, .. } if Some(*content) == last_sent);
            cluster.records(*number).iter().any(|record| is_it(&record.what))
        };
        if all.iter().all(has_it) {
            return;
        }
    }
}

pub fn a_slow_member_holds_senders_back(kind: Kind) {
    let mut cluster = require!(Cluster::start(kind, kind.members(3), QUIET));
    let all = cluster.all();
    cluster.together(&all);
    let slow = all[all.len() - 1];
    cluster.tell(slow, &Command::Slow(1));
    cluster.tell(1, &Command::Send { group: plain(), count: 6000, bytes: 1000 });
    cluster.wait("all is sent", |cluster| (sent(cluster, 1).len() == 1).then_some(()));
    assert!(sent(&cluster, 1)[0] > 0, "nothing was held back");
    cluster.tell(slow, &Command::Slow(0));
    cluster.rest();
}

pub fn states_pass_through_cuts_and_heals(kind: Kind) {
    let load = Load { state_bytes: 20_000_000, ..Load::default() };
    let mut cluster = require!(Cluster::start(kind, kind.members(3), load));
    let all = cluster.all();
    cluster.together(&all);
    cluster.go_on(&all, 20);
    // All apart, so that all have other states; then two meet, and the third while they give each other theirs.
    let apart: Vec<&[u32]> = all.chunks(1).collect();
    cluster.cut(&apart);
    all.iter().for_each(|number| cluster.together(&[*number]));
    cluster.go_on(&all, 10);
    let (two, third) = all.split_at(2);
    cluster.cut(&[two, third]);
    cluster.wait("two meet", |cluster| cluster.is_together(two, &with_state()).then_some(()));
    cluster.heal();
    cluster.wait("all meet", |cluster| cluster.is_together(&all, &with_state()).then_some(()));
    // And apart again, before they have them.
    cluster.cut(&[&all[..1], &all[1..]]);
    cluster.together(&all[..1]);
    cluster.together(&all[1..]);
    cluster.go_on(&all, 10);
    cluster.heal();
    cluster.together(&all);
    cluster.go_on(&all, 10);
    cluster.rest();
}
