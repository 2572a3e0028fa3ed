//! What is answered about groups, as JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hamsa_group::{GroupName, GroupStatus, LinkStatus, Member};
use serde_json::{Value, json};

use super::handle::{GroupsHandle, GroupsStatus};
use super::{Fault, Link};
use crate::config::RingNode;
use crate::control::{GroupRequest, NamedGroups, moment};
use crate::limits::{GROUPS_SHOWN, MAX_GROUP_DELAY, MAX_KNOWN_NODES};

/// All groups of a node.
#[derive(Debug, Clone, Default)]
pub struct AllGroups {
    /// Those of its cluster, if it is in one.
    pub cluster: Option<GroupsHandle>,
    /// Those of its pairs.
    pub pairs: Vec<GroupsHandle>,
}

/// Answers a question, or makes a fault.
///
/// # Errors
/// In words: the node is in no cluster, the group is not known, or faults can't be made.
pub fn answer(groups: &AllGroups, request: GroupRequest) -> Result<Value, String> {
    let cluster =
        || groups.cluster.as_ref().ok_or("this node is in no cluster: it has no [group] in its configuration");
    match request {
        GroupRequest::Members => Ok(members(&cluster()?.status())),
        GroupRequest::Views(named) => groups.rows(named, |status, group| vec![view(status, group)]),
        GroupRequest::History(named) => groups.rows(named, |status, group| history(status, group).collect()),
        GroupRequest::Counters => Ok(groups.all().flat_map(|groups| counters(&groups.status())).collect()),
        GroupRequest::Cut { sides } => {
            let fault = Fault::Cut { sides: checked(&sides)? };
            cluster()?.inject(fault).map(|()| json!({ "cut": sides })).map_err(|error| error.to_string())
        }
        GroupRequest::Heal => {
            cluster()?.inject(Fault::Heal).map(|()| json!({ "healed": true })).map_err(|error| error.to_string())
        }
        GroupRequest::Delay { node, ms } => {
            let delay = Duration::from_millis(ms);
            if delay > MAX_GROUP_DELAY {
                return Err(format!("a delay is {} ms at most, not {ms}", MAX_GROUP_DELAY.as_millis()));
            }
            let fault = Fault::Delay { node, delay };
            cluster()?.inject(fault).map(|()| json!({ "delayed": node, "ms": ms })).map_err(|error| error.to_string())
        }
        GroupRequest::Drop { node } => {
            let status = cluster()?.status();
            let process = status.status.reachable.iter().find(|(process, ..)| process.node == node);
            let process = process.ok_or_else(|| format!("node {node} is not in reach"))?.0;
            let fault = Fault::Drop { process };
            cluster()?.inject(fault).map(|()| json!({ "dropped": node })).map_err(|error| error.to_string())
        }
        GroupRequest::Add { node } => {
            let parsed: RingNode = node.parse().map_err(|problem| format!("{node:?}: {problem}"))?;
            cluster()?.add_node(&parsed).map(|()| json!({ "added": node })).map_err(|error| error.to_string())
        }
    }
}

impl AllGroups {
    fn all(&self) -> impl Iterator<Item = &GroupsHandle> {
        self.cluster.iter().chain(&self.pairs)
    }

    /// Rows about the groups that are meant.
    fn rows(
        &self,
        NamedGroups { group, link }: NamedGroups,
        rows_of: impl Fn(&GroupsStatus, &GroupStatus) -> Vec<Value>,
    ) -> Result<Value, String> {
        let name = group.map(GroupName::new).transpose().map_err(|error| error.to_string())?;
        let link: Option<Link> = link.map(|link| link.parse()).transpose()?;
        let (mut rows, mut known, mut is_there) = (Vec::new(), BTreeSet::new(), false);
        for status in self.all().map(GroupsHandle::status) {
            for group in &status.status.groups {
                let is_meant = link.is_none_or(|link| status.link == link)
                    && name.as_ref().is_none_or(|name| group.group == *name);
                if is_meant {
                    is_there = true;
                    rows.extend(rows_of(&status, group));
                }
                known.insert(format!("{} ({})", group.group, status.link));
            }
        }
        if is_there {
            return Ok(rows.into());
        }
        // Of a hub's hundreds some are enough.
        let mut shown: Vec<String> = known.into_iter().collect();
        let more = shown.len().saturating_sub(GROUPS_SHOWN);
        shown.truncate(GROUPS_SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Err(format!("this node is in no such group; it is in {}{more}", shown.join(", ")))
    }
}

fn members(status: &GroupsStatus) -> Value {
    let (link, since, ring) = match &status.status.link {
        LinkStatus::Down { since } => ("down", since, None),
        LinkStatus::Alone { since } => ("alone", since, None),
        LinkStatus::Exchanging { ring, since } => ("exchanging", since, Some(ring.to_string())),
        LinkStatus::Settled { ring, since } => ("settled", since, Some(ring.to_string())),
    };
    let nodes = status.nodes.values().map(|known| {
        json!({
            "node": known.member.node,
            "name": known.name,
            "member": known.member.to_string(),
            "reachable": known.is_reachable,
            "self": known.member == status.status.me,
            "since": moment(known.since),
        })
    });
    json!({
        "cluster": status.cluster,
        "member": status.status.me.to_string(),
        "engine": status.engine,
        "role": status.engine_info.role,
        "error": status.engine_info.error,
        "link": link,
        "since": moment(*since),
        "ring": ring,
        "presence": status.link.own_group().as_str(),
        "members": nodes.collect::<Vec<_>>(),
    })
}

fn view(status: &GroupsStatus, group: &GroupStatus) -> Value {
    let view = group.view.as_ref();
    let names = |members: &[Member]| members.iter().map(|member| name(status, *member)).collect::<Vec<_>>();
    json!({
        "link": status.link.to_string(),
        "group": group.group.as_str(),
        "view": view.map(|view| view.id.to_string()),
        "epoch": view.map(|view| view.id.epoch),
        "cause": view.map(|view| view.cause.to_string()),
        "members": view.map(|view| names(&view.members)).unwrap_or_default(),
        "version": group.version.map(|version| version.to_string()),
        "waits_for": names(&group.waits_for),
        "outgoing": group.outgoing,
    })
}

fn history<'s>(status: &'s GroupsStatus, group: &'s GroupStatus) -> impl Iterator<Item = Value> + 's {
    group.history.iter().map(move |past| {
        json!({
            "link": status.link.to_string(),
            "group": group.group.as_str(),
            "time": moment(past.at),
            "view": past.id.to_string(),
            "cause": past.cause.to_string(),
            "blocked_ms": past.blocked.as_secs_f64() * 1_000.0,
            "members": past.members.iter().map(|member| name(status, *member)).collect::<Vec<_>>(),
        })
    })
}

fn counters(status: &GroupsStatus) -> Vec<Value> {
    let link = status.status.counters;
    let of = status.link.to_string();
    let row = |group: &str, counter: &str, value: u64| json!({ "link": of, "group": group, "counter": counter, "value": value });
    let of_all = [
        ("configurations", link.configurations),
        ("exchanges", link.exchanges),
        ("exclusions", link.exclusions),
        ("engine_losses", link.engine_losses),
        ("of_other_views", link.of_other_views),
        ("unreadable", link.unreadable),
        ("forced_leaves", status.forced_leaves),
    ];
    let mut rows: Vec<Value> = of_all.iter().map(|(counter, value)| row("", counter, *value)).collect();
    for group in &status.status.groups {
        let counted = group.counters;
        let of_group = [
            ("views", counted.views),
            ("views_kept", counted.views_kept),
            ("sent", counted.sent),
            ("sent_bytes", counted.sent_bytes),
            ("received", counted.received),
            ("received_bytes", counted.received_bytes),
            ("undelivered", counted.undelivered),
            ("states_received", counted.states_received),
            ("would_block", counted.would_block),
            ("missed", counted.missed),
            ("ignored", counted.ignored),
        ];
        rows.extend(of_group.iter().map(|(counter, value)| row(group.group.as_str(), counter, *value)));
    }
    rows
}

/// The side of each node that is listed. Side 0 is that of all others.
fn checked(sides: &[Vec<u32>]) -> Result<BTreeMap<u32, u32>, String> {
    let mut of_nodes = BTreeMap::new();
    for (side, node) in (1..).zip(sides).flat_map(|(side, nodes)| nodes.iter().map(move |node| (side, *node))) {
        if of_nodes.insert(node, side).is_some() {
            return Err(format!("node {node} is on two sides"));
        }
    }
    if of_nodes.len() > MAX_KNOWN_NODES {
        return Err(format!("{} nodes are more than there can be", of_nodes.len()));
    }
    Ok(of_nodes)
}

/// `NODE:NAME`, or only the number and the incarnation of a life whose name is not known any more.
fn name(status: &GroupsStatus, member: Member) -> String {
    match status.nodes.get(&member.node).filter(|known| known.member == member) {
        Some(known) => format!("{}:{}", member.node, known.name),
        None => member.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_on_one_side() {
        assert_eq!(checked(&[vec![1, 2], vec![3]]), Ok(BTreeMap::from([(1, 1), (2, 1), (3, 2)])));
        assert_eq!(checked(&[vec![1], vec![2, 1]]), Err("node 1 is on two sides".to_owned()));
    }
}
