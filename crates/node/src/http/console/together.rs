//! The parts of `/status` about other nodes: the cluster, and the enterprise with its pairs.

use hamsa_group::LinkStatus;
use maud::{Markup, html};

use super::status::{card, row, unknown};
use crate::enterprise::{EnterpriseHandle, EnterpriseStatus};
use crate::group::{GroupsHandle, GroupsStatus};
use crate::http::view::text::{grouped, long_time, plain};
use crate::state::NodeState;

/// Pairs that are named where not all are together; of more only the number is told.
const PAIRS_NAMED: usize = 10;

/// How the node stands with others, where it works with any.
pub(super) struct Together {
    cluster: Option<GroupsStatus>,
    enterprise: Option<EnterpriseStatus>,
}

impl Together {
    pub(super) fn of(node: &NodeState) -> Self {
        let cluster = node.groups.as_ref().map(GroupsHandle::status);
        Together { cluster, enterprise: node.enterprise.as_ref().map(EnterpriseHandle::status) }
    }

    pub(super) fn cards(&self) -> Markup {
        html! {
            @if let Some(status) = &self.cluster { (card("Cluster", &cluster(status))) }
            @if let Some(status) = &self.enterprise { (card("Enterprise", &of_enterprise(status))) }
        }
    }

    /// What an operator should know first.
    pub(super) fn troubles(&self) -> Vec<String> {
        let mut troubles = Vec::new();
        if let Some(status) = &self.cluster {
            if let Some(error) = &status.engine_info.error {
                troubles.push(format!("The cluster's engine can't be had: {error}."));
            }
            let away = status.nodes.values().filter(|known| !known.is_reachable);
            let away: Vec<&str> = away.map(|known| known.name.as_str()).take(PAIRS_NAMED).collect();
            if !away.is_empty() {
                troubles.push(format!("Not in reach: {}.", away.join(", ")));
            }
        }
        if let Some(status) = &self.enterprise {
            let error = status.error.as_ref().map(|error| format!("The enterprise's engine does not start: {error}."));
            troubles.extend(error);
            troubles.extend(status.problem.as_ref().map(|problem| format!("The enterprise: {problem}.")));
            if status.conflicts > 0 {
                let number = grouped(status.conflicts as u64);
                troubles.push(format!(
                "{number} names of the directory were changed at two places at once; hamsa enterprise list shows them."
            ));
            }
        }
        troubles
    }
}

fn cluster(status: &GroupsStatus) -> Markup {
    let reachable = status.nodes.values().filter(|known| known.is_reachable).count();
    let (link, since) = match status.status.link {
        LinkStatus::Down { since } => ("without its engine", since),
        LinkStatus::Alone { since } => ("alone", since),
        LinkStatus::Exchanging { since, .. } => ("changing", since),
        LinkStatus::Settled { since, .. } => ("settled", since),
    };
    html! {
        (row("Name", &html! { (status.cluster) }))
        (row("Engine", &html! { (status.engine) @if !status.engine_info.role.is_empty() { ", " (status.engine_info.role) } }))
        (row("State", &html! { (link) " for " (long_time(since.elapsed())) }))
        (row("In reach", &html! { (reachable) " of " (status.nodes.len()) " nodes" }))
        @for group in &status.status.groups {
            (row(group.group.as_str(), &html! { @match &group.view {
                Some(view) => { "view " span.mono { (view.id) } ", " (view.members.len()) " members" }
                None => { (unknown()) }
            } }))
        }
    }
}

fn of_enterprise(status: &EnterpriseStatus) -> Markup {
    let present = status.nodes.iter().filter(|node| node.is_present).count();
    let together = status.pairs.iter().filter(|pair| pair.is_together).count();
    let apart: Vec<String> =
        status.pairs.iter().filter(|pair| !pair.is_together).map(|pair| pair.peer.to_string()).collect();
    let slowest = status.pairs.iter().filter_map(|pair| pair.round_trip).max();
    html! {
        (row("Name", &html! { (status.name) }))
        (row("There", &html! { (present) " of " (status.nodes.len()) " nodes" }))
        (row("Names", &html! { (grouped(status.names as u64)) @if status.conflicts > 0 { ", " (status.conflicts) " in conflict" } }))
        @if !status.pairs.is_empty() {
            (row("Pairs", &html! {
                (together) " of " (status.pairs.len()) " together"
                @if !apart.is_empty() && apart.len() <= PAIRS_NAMED { ", not with " (apart.join(", ")) }
            }))
        }
        @if let Some(slowest) = slowest {
            (row("Round trip", &html! { "at most " (plain(slowest.as_secs_f64() * 1_000.0)) " ms" }))
        }
    }
}
