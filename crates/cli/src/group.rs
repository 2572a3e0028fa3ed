//! `hamsa group`: the groups of a running node: who is there, the views, what was counted; and faults, for trying them out.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hamsa_node::control::{ControlRequest, GroupRequest, NamedGroups};
use hamsa_node::group::create_key;
use serde_json::Value as Json;

use crate::control::ControlOptions;
use crate::failure::usage;
use crate::print::line_out;
use crate::records::{LayoutOption, RowLayout, parse_duration, plain, print_records, time_cell};

/// Show the groups of a running node: who is there, and what views there were
///
/// A node is in a cluster when its configuration has `[group]`, and has groups of two with nodes of other sites when it has `pairs`
/// in `[enterprise]`; docs/group.md tells more. Without an action it shows the members of the cluster.
#[derive(Debug, Args)]
pub struct Command {
    #[command(subcommand)]
    pub action: Option<Action>,
    #[command(flatten)]
    pub control: ControlOptions,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// List the nodes of the cluster that this one knows, in reach or not, and how it stands with its engine
    Members {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// List the views of now: their members, versions of state, and whom they wait for
    Views(OfGroup),
    /// List the views that there were, with their causes and how long nothing could be sent before each
    History(OfGroup),
    /// List what was counted
    Counters(LayoutOption),
    /// Cut the cluster into sides that don't reach each other (embedded engine, where `allow_faults = true`)
    ///
    /// `hamsa group cut 1,2 3` leaves 1 and 2 together, and 3 apart. Nodes that are not named are on a side of their own.
    Cut {
        /// The numbers of the nodes of a side, with commas between
        #[arg(value_name = "NODES", required = true)]
        sides: Vec<String>,
    },
    /// Let all nodes reach each other again, without delay
    Heal,
    /// Give a node everything so late, until `heal`: a slow host, for trying it out
    Delay {
        /// The node's number
        node: u32,
        /// By how much, such as 500ms; at most a minute
        #[arg(value_name = "TIME", value_parser = parse_duration)]
        delay_ms: i64,
    },
    /// Take the engine away from a node, which then connects again: a process that was stopped for too long, for trying it out
    Drop {
        /// The node's number
        node: u32,
    },
    /// Have a running ring of Corosync have a node more: say so at each of its nodes
    ///
    /// Add it to `nodes` in each configuration too, and start the new node with all of them in its own.
    Add {
        /// Its number and its addresses, one for each network
        #[arg(value_name = "NUMBER=ADDRESS")]
        node: String,
    },
    /// Write a new key for a ring of Corosync: copy it to all its nodes
    Key {
        /// The file, which must not be there yet; only its owner may read it
        file: PathBuf,
    },
}

/// Of one group or of all.
#[derive(Debug, Args)]
pub struct OfGroup {
    /// The group [default: all that the node is in]
    pub group: Option<String>,
    /// Only groups with members of the `cluster`, or of `pair-N`: those with node N
    #[arg(long, value_name = "LINK")]
    pub link: Option<String>,
    #[command(flatten)]
    pub layout: LayoutOption,
}

impl OfGroup {
    fn named(&self) -> NamedGroups {
        NamedGroups { group: self.group.clone(), link: self.link.clone() }
    }
}

/// Runs it.
///
/// # Errors
/// Nobody answers, it is refused, or it was not done.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let ask = |ask: GroupRequest| command.control.ask(&ControlRequest::Group { ask }, |_| {});
    match &command.action {
        Some(Action::Key { file }) => {
            create_key(file)?;
            line_out(&format!(
                "{} is written: copy it to all nodes of the ring, and name it as `key` in [group]",
                file.display()
            ))
        }
        None => members(&ask(GroupRequest::Members)?, false),
        Some(Action::Members { json }) => members(&ask(GroupRequest::Members)?, *json),
        Some(Action::Views(of)) => {
            let header = ["link", "group", "view", "cause", "members", "version", "waits_for", "outgoing"];
            print_records(&ask(GroupRequest::Views(of.named()))?, of.layout.layout, &header, " ")
        }
        Some(Action::History(of)) => {
            let header = ["time", "link", "group", "view", "cause", "blocked_ms", "members"];
            print_records(&ask(GroupRequest::History(of.named()))?, of.layout.layout, &header, " ")
        }
        Some(Action::Counters(LayoutOption { layout })) => {
            print_records(&ask(GroupRequest::Counters)?, *layout, &["link", "group", "counter", "value"], " ")
        }
        Some(Action::Cut { sides }) => {
            let sides: Vec<Vec<u32>> = sides.iter().map(|side| parse_side(side)).collect::<Result<_, _>>()?;
            ask(GroupRequest::Cut { sides })?;
            line_out("Done: `hamsa group heal` ends the cut.")
        }
        Some(Action::Add { node }) => {
            ask(GroupRequest::Add { node: node.clone() })?;
            line_out("Done at this node: do it at the others too, and add it to `nodes` in each configuration.")
        }
        Some(Action::Delay { node, delay_ms }) => {
            ask(GroupRequest::Delay { node: *node, ms: delay_ms.unsigned_abs() })?;
            line_out("Done: `hamsa group heal` ends the delay.")
        }
        Some(Action::Drop { node }) => {
            ask(GroupRequest::Drop { node: *node })?;
            line_out("Done: the node connects again by itself.")
        }
        Some(Action::Heal) => {
            ask(GroupRequest::Heal)?;
            line_out("Done: all nodes reach each other.")
        }
    }
}

fn parse_side(side: &str) -> anyhow::Result<Vec<u32>> {
    let numbers = side.split(',').map(|number| number.parse::<u32>());
    numbers.collect::<Result<_, _>>().map_err(|_| usage(format!("{side:?}: say numbers of nodes, such as 1,2")))
}

fn members(found: &Json, json: bool) -> anyhow::Result<()> {
    if json {
        return line_out(&found.to_string());
    }
    line_out(&summary(found))?;
    let header = ["node", "name", "member", "reachable", "self", "since"];
    print_records(&found["members"], RowLayout::Table, &header, " ")
}

/// How the node stands with its engine, in words.
fn summary(found: &Json) -> String {
    let [cluster, engine, role, link, since] =
        ["cluster", "engine", "role", "link", "since"].map(|name| plain(&found[name]));
    let since = time_cell(&since, RowLayout::Table);
    let role = if role.is_empty() { String::new() } else { format!(", as its {role}") };
    let mut text = format!("cluster {cluster}, by the {engine} engine{role}: {link} since {since}");
    if let Some(error) = found["error"].as_str() {
        text.push_str(&format!("\n  {error}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sides_are_numbers_with_commas() {
        assert_eq!(parse_side("1,23").unwrap(), [1, 23]);
        for wrong in ["", "1,", "a", "-1"] {
            parse_side(wrong).unwrap_err();
        }
    }

    #[test]
    fn the_engine_is_told_of_in_words() {
        let found = json!({ "cluster": "c", "engine": "embedded", "role": "hub", "link": "settled", "since": "", "error": null });
        assert_eq!(summary(&found), "cluster c, by the embedded engine, as its hub: settled since ");
        let found =
            json!({ "cluster": "c", "engine": "embedded", "role": "", "link": "alone", "since": "", "error": "E" });
        assert_eq!(summary(&found), "cluster c, by the embedded engine: alone since \n  E");
    }
}
