//! The metrics of a node's groups and of its enterprise; [`super::catalogue`] has all others. Where a node is in none they have no samples.

use hamsa_group::pair::PairStatus;
use hamsa_group::{GroupStatus, LinkStatus};

use super::catalogue::{Metric, metric};
use super::exposition::Family;
use super::exposition::MetricKind::{Counter, Gauge, Histogram};
use super::snapshot::Snapshot;
use crate::enterprise::EnterpriseStatus;
use crate::group::GroupsStatus;

/// In the order in which they are told.
pub(super) const METRICS: &[Metric] = &[
    metric(
        "hamsa_group_engine_up",
        Gauge,
        &["link", "engine", "cluster"],
        "1 while all nodes in reach agree, 0 while there is no engine or they exchange what they have seen.",
        |s, out| {
            for groups in &s.groups {
                let is_up = matches!(groups.status.link, LinkStatus::Settled { .. });
                let link = groups.link.to_string();
                let labels = [("link", link.as_str()), ("engine", groups.engine), ("cluster", groups.cluster.as_str())];
                out.sample(&labels, f64::from(u8::from(is_up)));
            }
        },
    ),
    metric("hamsa_group_nodes", Gauge, &["link", "state"], "Nodes that were ever in reach, by state.", |s, out| {
        for groups in &s.groups {
            let link = groups.link.to_string();
            let reachable = groups.nodes.values().filter(|known| known.is_reachable).count();
            out.sample(&[("link", &link), ("state", "reachable")], reachable as f64);
            out.sample(&[("link", &link), ("state", "unreachable")], (groups.nodes.len() - reachable) as f64);
        }
    }),
    metric("hamsa_group_members", Gauge, &["link", "group"], "Members of the view.", |s, out| {
        each_group(s, out, |group| Some(group.view.as_ref()?.members.len() as u64));
    }),
    metric("hamsa_group_view_epoch", Gauge, &["link", "group"], "The view's epoch.", |s, out| {
        each_group(s, out, |group| Some(group.view.as_ref()?.id.epoch));
    }),
    metric("hamsa_group_views_total", Counter, &["link", "group"], "Views since the group was joined.", |s, out| {
        each_group(s, out, |group| Some(group.counters.views));
    }),
    metric(
        "hamsa_group_messages_sent_total",
        Counter,
        &["link", "group"],
        "Messages given to the engine.",
        |s, out| {
            each_group(s, out, |group| Some(group.counters.sent));
        },
    ),
    metric(
        "hamsa_group_sent_bytes_total",
        Counter,
        &["link", "group"],
        "Octets given to the engine, headers and states among them.",
        |s, out| each_group(s, out, |group| Some(group.counters.sent_bytes)),
    ),
    metric("hamsa_group_messages_received_total", Counter, &["link", "group"], "Messages received.", |s, out| {
        each_group(s, out, |group| Some(group.counters.received));
    }),
    metric("hamsa_group_received_bytes_total", Counter, &["link", "group"], "Their octets.", |s, out| {
        each_group(s, out, |group| Some(group.counters.received_bytes));
    }),
    metric(
        "hamsa_group_would_block_total",
        Counter,
        &["link", "group"],
        "Messages that were not taken, because a view was about to change or too much waited.",
        |s, out| each_group(s, out, |group| Some(group.counters.would_block)),
    ),
    metric(
        "hamsa_group_undelivered_total",
        Counter,
        &["link", "group"],
        "Own messages that did not come back in their view.",
        |s, out| each_group(s, out, |group| Some(group.counters.undelivered)),
    ),
    metric(
        "hamsa_group_missed_total",
        Counter,
        &["link", "group"],
        "Times that parts of messages were missing, and members had to compare what they have seen.",
        |s, out| each_group(s, out, |group| Some(group.counters.missed)),
    ),
    metric(
        "hamsa_group_blocked_seconds",
        Histogram,
        &["link"],
        "How long nothing could be sent before each view.",
        |s, out| {
            for groups in &s.groups {
                out.histogram(&[("link", &groups.link.to_string())], &groups.blocked);
            }
        },
    ),
    metric(
        "hamsa_group_exclusions_total",
        Counter,
        &["link"],
        "Times that a node which took too long to say what it has seen was not waited for.",
        |s, out| of_groups(s, out, |groups| groups.status.counters.exclusions),
    ),
    metric("hamsa_group_engine_losses_total", Counter, &["link"], "Times that the engine was lost.", |s, out| {
        of_groups(s, out, |groups| groups.status.counters.engine_losses);
    }),
    metric(
        "hamsa_group_forced_leaves_total",
        Counter,
        &["link"],
        "Times that a group was left because its user on this node did not take its events, or did not give its state.",
        |s, out| of_groups(s, out, |groups| groups.forced_leaves),
    ),
    metric(
        "hamsa_enterprise_engine_up",
        Gauge,
        &["enterprise"],
        "1 while the enterprise has an engine that reaches those whom it dials, 0 otherwise.",
        |s, out| {
            let Some(enterprise) = &s.enterprise else { return };
            let is_up = enterprise.error.is_none() && enterprise.problem.is_none();
            out.sample(&[("enterprise", &enterprise.name)], f64::from(u8::from(is_up)));
        },
    ),
    metric(
        "hamsa_enterprise_nodes",
        Gauge,
        &["state"],
        "Nodes of the enterprise that are known, by state.",
        |s, out| {
            let Some(enterprise) = &s.enterprise else { return };
            let present = enterprise.nodes.iter().filter(|node| node.is_present).count();
            out.sample(&[("state", "present")], present as f64);
            out.sample(&[("state", "away")], (enterprise.nodes.len() - present) as f64);
        },
    ),
    metric("hamsa_enterprise_names", Gauge, &[], "Names in the directory.", |s, out| {
        of_enterprise(s, out, |enterprise| enterprise.names);
    }),
    metric(
        "hamsa_enterprise_conflicts",
        Gauge,
        &[],
        "Names in the directory that were changed at two places at once, and keep all values until they are set again.",
        |s, out| of_enterprise(s, out, |enterprise| enterprise.conflicts),
    ),
    metric("hamsa_pair_up", Gauge, &["pair"], "1 while both nodes of the pair are together.", |s, out| {
        each_pair(s, out, |pair| Some(f64::from(u8::from(pair.is_together))));
    }),
    metric("hamsa_pair_round_trip_seconds", Gauge, &["pair"], "There and back, smoothed.", |s, out| {
        each_pair(s, out, |pair| Some(pair.round_trip?.as_secs_f64()));
    }),
    metric("hamsa_pair_rings_total", Counter, &["pair"], "Times that the two came together.", |s, out| {
        each_pair(s, out, |pair| Some(pair.counters.rings as f64));
    }),
    metric("hamsa_pair_datagrams_sent_total", Counter, &["pair"], "Datagrams given to Zenoh.", |s, out| {
        each_pair(s, out, |pair| Some(pair.counters.datagrams_sent as f64));
    }),
    metric("hamsa_pair_datagrams_received_total", Counter, &["pair"], "Datagrams of the other node.", |s, out| {
        each_pair(s, out, |pair| Some(pair.counters.datagrams_received as f64));
    }),
    metric(
        "hamsa_pair_retransmissions_total",
        Counter,
        &["pair"],
        "Parts of messages that were lost on the way and sent again.",
        |s, out| each_pair(s, out, |pair| Some(pair.counters.chunks_retransmitted as f64)),
    ),
];

fn of_enterprise(snapshot: &Snapshot, out: &mut Family<'_>, value: fn(&EnterpriseStatus) -> usize) {
    if let Some(enterprise) = &snapshot.enterprise {
        out.sample(&[], value(enterprise) as f64);
    }
}

fn each_pair(snapshot: &Snapshot, out: &mut Family<'_>, value: fn(&PairStatus) -> Option<f64>) {
    for pair in snapshot.enterprise.iter().flat_map(|enterprise| &enterprise.pairs) {
        if let Some(value) = value(pair) {
            out.sample(&[("pair", &pair.peer.to_string())], value);
        }
    }
}

fn of_groups(snapshot: &Snapshot, out: &mut Family<'_>, value: fn(&GroupsStatus) -> u64) {
    for groups in &snapshot.groups {
        out.sample(&[("link", &groups.link.to_string())], value(groups) as f64);
    }
}

fn each_group(snapshot: &Snapshot, out: &mut Family<'_>, value: fn(&GroupStatus) -> Option<u64>) {
    for groups in &snapshot.groups {
        let link = groups.link.to_string();
        for group in &groups.status.groups {
            if let Some(value) = value(group) {
                out.sample(&[("link", &link), ("group", group.group.as_str())], value as f64);
            }
        }
    }
}
