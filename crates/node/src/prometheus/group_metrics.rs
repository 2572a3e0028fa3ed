//! The metrics of a node's groups; [`super::catalogue`] has all others. Where a node is alone they have no samples.

use hamsa_group::{GroupStatus, LinkStatus};

use super::catalogue::{Metric, metric};
use super::exposition::Family;
use super::exposition::MetricKind::{Counter, Gauge, Histogram};
use super::snapshot::Snapshot;
use crate::group::GroupsStatus;

/// In the order in which they are told.
pub(super) const METRICS: &[Metric] = &[
    metric(
        "hamsa_group_engine_up",
        Gauge,
        &["engine", "cluster"],
        "1 while all nodes in reach agree, 0 while there is no engine or they exchange what they have seen.",
        |s, out| {
            if let Some(groups) = &s.groups {
                let is_up = matches!(groups.status.link, LinkStatus::Settled { .. });
                let labels = [("engine", groups.engine), ("cluster", groups.cluster.as_str())];
                out.sample(&labels, f64::from(u8::from(is_up)));
            }
        },
    ),
    metric("hamsa_group_nodes", Gauge, &["state"], "Nodes that were ever in reach, by state.", |s, out| {
        let Some(groups) = &s.groups else { return };
        let reachable = groups.nodes.values().filter(|known| known.is_reachable).count();
        out.sample(&[("state", "reachable")], reachable as f64);
        out.sample(&[("state", "unreachable")], (groups.nodes.len() - reachable) as f64);
    }),
    metric("hamsa_group_members", Gauge, &["group"], "Members of the view.", |s, out| {
        each_group(s, out, |group| Some(group.view.as_ref()?.members.len() as u64));
    }),
    metric("hamsa_group_view_epoch", Gauge, &["group"], "The view's epoch.", |s, out| {
        each_group(s, out, |group| Some(group.view.as_ref()?.id.epoch));
    }),
    metric("hamsa_group_views_total", Counter, &["group"], "Views since the group was joined.", |s, out| {
        each_group(s, out, |group| Some(group.counters.views));
    }),
    metric("hamsa_group_messages_sent_total", Counter, &["group"], "Messages given to the engine.", |s, out| {
        each_group(s, out, |group| Some(group.counters.sent));
    }),
    metric(
        "hamsa_group_sent_bytes_total",
        Counter,
        &["group"],
        "Octets given to the engine, headers and states among them.",
        |s, out| each_group(s, out, |group| Some(group.counters.sent_bytes)),
    ),
    metric("hamsa_group_messages_received_total", Counter, &["group"], "Messages received.", |s, out| {
        each_group(s, out, |group| Some(group.counters.received));
    }),
    metric("hamsa_group_received_bytes_total", Counter, &["group"], "Their octets.", |s, out| {
        each_group(s, out, |group| Some(group.counters.received_bytes));
    }),
    metric(
        "hamsa_group_would_block_total",
        Counter,
        &["group"],
        "Messages that were not taken, because a view was about to change or too much waited.",
        |s, out| each_group(s, out, |group| Some(group.counters.would_block)),
    ),
    metric(
        "hamsa_group_undelivered_total",
        Counter,
        &["group"],
        "Own messages that did not come back in their view.",
        |s, out| each_group(s, out, |group| Some(group.counters.undelivered)),
    ),
    metric(
        "hamsa_group_missed_total",
        Counter,
        &["group"],
        "Times that parts of messages were missing, and members had to compare what they have seen.",
        |s, out| each_group(s, out, |group| Some(group.counters.missed)),
    ),
    metric(
        "hamsa_group_blocked_seconds",
        Histogram,
        &[],
        "How long nothing could be sent before each view.",
        |s, out| {
            if let Some(groups) = &s.groups {
                out.histogram(&[], &groups.blocked);
            }
        },
    ),
    metric(
        "hamsa_group_exclusions_total",
        Counter,
        &[],
        "Times that a node which took too long to say what it has seen was not waited for.",
        |s, out| of_groups(s, out, |groups| groups.status.counters.exclusions),
    ),
    metric("hamsa_group_engine_losses_total", Counter, &[], "Times that the engine was lost.", |s, out| {
        of_groups(s, out, |groups| groups.status.counters.engine_losses);
    }),
    metric(
        "hamsa_group_forced_leaves_total",
        Counter,
        &[],
        "Times that a group was left because its user on this node did not take its events.",
        |s, out| of_groups(s, out, |groups| groups.forced_leaves),
    ),
];

fn of_groups(snapshot: &Snapshot, out: &mut Family<'_>, value: fn(&GroupsStatus) -> u64) {
    if let Some(groups) = &snapshot.groups {
        out.sample(&[], value(groups) as f64);
    }
}

fn each_group(snapshot: &Snapshot, out: &mut Family<'_>, value: fn(&GroupStatus) -> Option<u64>) {
    for group in snapshot.groups.iter().flat_map(|groups| &groups.status.groups) {
        if let Some(value) = value(group) {
            out.sample(&[("group", group.group.as_str())], value as f64);
        }
    }
}
