//! `hamsa enterprise`: the nodes of all sites that a running node knows, its pairs, and the directory that they keep together.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hamsa_node::control::{ControlRequest, EnterpriseRequest};
use hamsa_node::enterprise::{create_authority, create_certificate};
use serde_json::Value as Json;

use crate::control::ControlOptions;
use crate::print::line_out;
use crate::records::{LayoutOption, RowLayout, plain, print_records};
use crate::terminal::tell;

/// Show the enterprise of a running node: the nodes of all sites, pairs of nodes, and the directory of names
///
/// A node is in an enterprise when its configuration has `[enterprise]`; docs/enterprise.md tells more. Without an action it shows
/// the nodes.
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
    /// List the nodes that are known, there or away, and how this one stands with its engine
    Nodes {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// List this node's pairs: whether both are together, and how the way between them is
    Pairs(LayoutOption),
    /// List names of the directory and their values
    List {
        /// What the names begin with
        #[arg(default_value = "")]
        prefix: String,
        #[command(flatten)]
        layout: LayoutOption,
    },
    /// Print what stands under a name: one line, or one for each value where it was changed at two places at once
    Get {
        /// The name
        name: String,
    },
    /// Put a value under a name, in the place of all that this node knows there: that ends a conflict
    Set {
        /// The name, 1 to 255 octets
        name: String,
        /// The value, at most 2048 octets
        value: String,
    },
    /// Make an authority for a new enterprise: `authority.pem`, which all nodes need, and `authority.key`, which signs
    Authority {
        /// Where its files go
        #[arg(default_value = ".")]
        directory: PathBuf,
    },
    /// Make a certificate for a node, signed by an authority: `node-N.pem` and `node-N.key`
    Certificate {
        /// The node's number
        node: u32,
        /// Host names and addresses by which others dial it; none where it only dials
        names: Vec<String>,
        /// The key of the authority
        #[arg(long, value_name = "FILE", default_value = "authority.key")]
        authority_key: PathBuf,
        /// Where its files go
        #[arg(long, value_name = "DIR", default_value = ".")]
        directory: PathBuf,
        /// How long it is good for
        #[arg(long, default_value_t = 730)]
        days: u32,
    },
    /// Take a name out of the directory
    Delete {
        /// The name
        name: String,
    },
}

/// Runs it.
///
/// # Errors
/// Nobody answers, it is refused, or it was not done.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let ask = |ask: EnterpriseRequest| command.control.ask(&ControlRequest::Enterprise { ask }, |_| {});
    match &command.action {
        None => nodes(&ask(EnterpriseRequest::Nodes)?, false),
        Some(Action::Nodes { json }) => nodes(&ask(EnterpriseRequest::Nodes)?, *json),
        Some(Action::Pairs(LayoutOption { layout })) => {
            let header = [
                "pair",
                "state",
                "round_trip_ms",
                "rings",
                "sent",
                "received",
                "ignored",
                "sent_again",
                "last_parting",
            ];
            print_records(&ask(EnterpriseRequest::Pairs)?, *layout, &header, " ")
        }
        Some(Action::List { prefix, layout: LayoutOption { layout } }) => {
            let found = ask(EnterpriseRequest::List { prefix: prefix.clone() })?;
            // Values may have blanks in them.
            print_records(&found, *layout, &["name", "values", "conflict"], " | ")
        }
        Some(Action::Get { name }) => {
            let found = ask(EnterpriseRequest::Get { name: name.clone() })?;
            for value in found["values"].as_array().into_iter().flatten() {
                line_out(&plain(value))?;
            }
            if let Some(note) = conflict(name, &found) {
                tell(&note);
            }
            Ok(())
        }
        Some(Action::Set { name, value }) => {
            let done = ask(EnterpriseRequest::Set { name: name.clone(), value: value.clone() })?;
            let resolved = done["resolved"] == true;
            line_out(if resolved { "Done: the conflict is ended." } else { "Done." })
        }
        Some(Action::Authority { directory }) => {
            let files = create_authority(directory)?;
            let [certificate, key] = [files.certificate.display(), files.key.display()];
            line_out(&format!(
                "{certificate} goes to all nodes, as `tls_authority`. Keep {key} safe: who has it can join."
            ))
        }
        Some(Action::Certificate { node, names, authority_key, directory, days }) => {
            let files = create_certificate(authority_key, directory, *node, names, *days)?;
            let [certificate, key] = [files.certificate.display(), files.key.display()];
            line_out(&format!("{certificate} and {key} go to node {node}, as `tls_cert` and `tls_key`."))
        }
        Some(Action::Delete { name }) => {
            ask(EnterpriseRequest::Delete { name: name.clone() })?;
            line_out("Done.")
        }
    }
}

/// What is to be said of a name with changes that did not know of each other.
fn conflict(name: &str, found: &Json) -> Option<String> {
    let values = found["values"].as_array().map_or(0, Vec::len);
    let what = match found["deleted_too"].as_bool() {
        _ if found["conflict"] != true => return None,
        Some(true) => "changed and deleted",
        _ => "changed",
    };
    Some(format!(
        "{name} was {what} at different places at once, and has {values} value{}: `hamsa enterprise set {name} VALUE` decides",
        if values == 1 { "" } else { "s" }
    ))
}

fn nodes(found: &Json, json: bool) -> anyhow::Result<()> {
    if json {
        return line_out(&found.to_string());
    }
    line_out(&summary(found))?;
    let header = ["node", "name", "version", "present", "since", "addresses"];
    print_records(&found["nodes"], RowLayout::Table, &header, " ")
}

/// How the node stands with its engine, in words.
fn summary(found: &Json) -> String {
    let list = |name: &str| found[name].as_array().into_iter().flatten().map(plain).collect::<Vec<_>>().join(", ");
    let mut ways = Vec::new();
    for (name, verb) in [("listens", "listens at"), ("dials", "dials")] {
        let endpoints = list(name);
        if !endpoints.is_empty() {
            ways.push(format!("{verb} {endpoints}"));
        }
    }
    let count = |name: &str| found[name].as_u64().unwrap_or_default();
    let (names, conflicts) = (count("names"), count("conflicts"));
    let mut text = format!("enterprise {}: this node {}", plain(&found["enterprise"]), ways.join(" and "));
    text.push_str(&format!("\n{names} names in the directory, {conflicts} of them changed at two places at once"));
    for problem in ["error", "problem"].into_iter().filter_map(|name| found[name].as_str()) {
        text.push_str(&format!("\n  {problem}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn how_a_node_stands_is_told_in_words() {
        let found = json!({
            "enterprise": "acme", "listens": ["0.0.0.0:7447"], "dials": ["a:1", "b:2"], "names": 3, "conflicts": 1,
            "error": null, "problem": "a:1 cannot be reached",
        });
        let expected = "enterprise acme: this node listens at 0.0.0.0:7447 and dials a:1, b:2\n\
                        3 names in the directory, 1 of them changed at two places at once\n  a:1 cannot be reached";
        assert_eq!(summary(&found), expected);
    }

    #[test]
    fn a_conflict_is_told() {
        let found = |values: &[&str], conflict: bool, deleted: bool| json!({ "values": values, "conflict": conflict, "deleted_too": deleted });
        assert_eq!(conflict("n", &found(&["a"], false, false)), None);
        assert!(conflict("n", &found(&["a", "b"], true, false)).unwrap().contains("changed at different places"));
        assert!(
            conflict("n", &found(&["a"], true, true))
                .unwrap()
                .contains("deleted at different places at once, and has 1 value:")
        );
    }
}
