//! What is answered about groups, as JSON.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use hamsa_group::{GroupName, GroupStatus, LinkStatus, Member};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::handle::{GroupsHandle, GroupsStatus};
use super::{ENTERPRISE, Fault};
use crate::control::GroupRequest;
use crate::limits::MAX_KNOWN_NODES;

/// Answers a question, or makes a fault.
///
/// # Errors
/// In words: the group is not known, or faults can't be made.
pub fn answer(groups: &GroupsHandle, request: GroupRequest) -> Result<Value, String> {
    match request {
        GroupRequest::Members => Ok(members(&groups.status())),
        GroupRequest::Views { group } => {
            let status = groups.status();
            Ok(of_groups(&status, group)?.map(|group| view(&status, group)).collect())
        }
        GroupRequest::History { group } => {
            let status = groups.status();
            Ok(of_groups(&status, group)?.flat_map(|group| history(&status, group)).collect())
        }
        GroupRequest::Counters => Ok(counters(&groups.status())),
        GroupRequest::Cut { sides } => {
            let fault = Fault::Cut { sides: checked(&sides)? };
            groups.inject(fault).map(|()| json!({ "cut": sides })).map_err(|error| error.to_string())
        }
        GroupRequest::Heal => {
            groups.inject(Fault::Heal).map(|()| json!({ "healed": true })).map_err(|error| error.to_string())
        }
    }
}

fn of_groups(status: &GroupsStatus, named: Option<String>) -> Result<impl Iterator<Item = &GroupStatus>, String> {
    let name = named.map(GroupName::new).transpose().map_err(|error| error.to_string())?;
    let is_meant = move |group: &&GroupStatus| name.as_ref().is_none_or(|name| group.group == *name);
    let mut meant = status.status.groups.iter().filter(is_meant).peekable();
    if meant.peek().is_none() {
        let known: Vec<String> = status.status.groups.iter().map(|group| group.group.to_string()).collect();
        return Err(format!("this node is not in that group; it is in {}", known.join(", ")));
    }
    Ok(meant)
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
        "presence": ENTERPRISE,
        "members": nodes.collect::<Vec<_>>(),
    })
}

fn view(status: &GroupsStatus, group: &GroupStatus) -> Value {
    let view = group.view.as_ref();
    let names = |members: &[Member]| members.iter().map(|member| name(status, *member)).collect::<Vec<_>>();
    json!({
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
            "group": group.group.as_str(),
            "time": moment(past.at),
            "view": past.id.to_string(),
            "cause": past.cause.to_string(),
            "blocked_ms": past.blocked.as_secs_f64() * 1_000.0,
            "members": past.members.iter().map(|member| name(status, *member)).collect::<Vec<_>>(),
        })
    })
}

fn counters(status: &GroupsStatus) -> Value {
    let link = status.status.counters;
    let row = |group: &str, counter: &str, value: u64| json!({ "group": group, "counter": counter, "value": value });
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
    rows.into()
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

fn moment(at: Instant) -> String {
    let ago = Instant::now().checked_duration_since(at).unwrap_or(Duration::ZERO);
    let at = SystemTime::now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH);
    Timestamp::try_from(at).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
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
