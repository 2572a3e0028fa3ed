//! What is answered about the enterprise, as JSON.

use bytes::Bytes;
use hamsa_group::enterprise::Reading;
use hamsa_group::pair::PairStatus;
use serde_json::{Value, json};

use super::{DirectoryError, EnterpriseHandle};
use crate::control::{EnterpriseRequest, moment};
use crate::limits::MAX_NAMES_LISTED;

/// Answers a question, or changes the directory.
///
/// # Errors
/// In words: there is no engine yet, no such name, or the change is refused.
pub fn answer(enterprise: &EnterpriseHandle, request: EnterpriseRequest) -> Result<Value, String> {
    let read = |name: &str| enterprise.read(name).map_err(|error| error.to_string());
    let write = |name: &str, value, over: &Reading| {
        enterprise.write(name, value, &over.seen).map_err(|error: DirectoryError| error.to_string())
    };
    match request {
        EnterpriseRequest::Nodes => Ok(nodes(enterprise)),
        EnterpriseRequest::Pairs => Ok(enterprise.status().pairs.iter().map(pair).collect()),
        EnterpriseRequest::List { prefix } => {
            let names = enterprise.names(&prefix).map_err(|error| error.to_string())?;
            if names.len() > MAX_NAMES_LISTED {
                let found = names.len();
                return Err(format!(
                    "{found} names start so, and {MAX_NAMES_LISTED} are listed at most: say a longer prefix"
                ));
            }
            names.iter().map(|name| Ok(entry(name, &read(name)?))).collect()
        }
        EnterpriseRequest::Get { name } => {
            let reading = read(&name)?;
            if reading.values.is_empty() {
                Err(format!("there is no name {name:?}"))
            } else {
                Ok(entry(&name, &reading))
            }
        }
        EnterpriseRequest::Set { name, value } => {
            let before = read(&name)?;
            write(&name, Some(Bytes::from(value)), &before)?;
            Ok(json!({ "set": name, "resolved": before.is_conflict() }))
        }
        EnterpriseRequest::Delete { name } => {
            let before = read(&name)?;
            if before.values.is_empty() {
                return Err(format!("there is no name {name:?}"));
            }
            write(&name, None, &before)?;
            Ok(json!({ "deleted": name }))
        }
    }
}

fn nodes(enterprise: &EnterpriseHandle) -> Value {
    let status = enterprise.status();
    let nodes = status.nodes.iter().map(|node| {
        json!({
            "node": node.record.run.node,
            "name": node.record.name,
            "version": node.record.version,
            "present": node.is_present,
            "since": moment(node.since),
            "addresses": node.record.addresses,
        })
    });
    json!({
        "enterprise": status.name,
        "listens": status.listens,
        "dials": status.dials,
        "error": status.error,
        "problem": status.problem,
        "names": status.names,
        "conflicts": status.conflicts,
        "nodes": nodes.collect::<Vec<_>>(),
    })
}

fn pair(pair: &PairStatus) -> Value {
    let state = match (pair.is_together, pair.is_peer_present) {
        (true, _) => "together",
        (false, true) => "present",
        (false, false) => "away",
    };
    json!({
        "pair": pair.peer,
        "state": state,
        "round_trip_ms": pair.round_trip.map(|time| time.as_secs_f64() * 1_000.0),
        "rings": pair.counters.rings,
        "sent": pair.counters.datagrams_sent,
        "received": pair.counters.datagrams_received,
        "ignored": pair.counters.datagrams_ignored,
        "sent_again": pair.counters.chunks_retransmitted,
        "last_parting": pair.last_parting,
    })
}

/// Values that are no text are shown with their octets in hexadecimal.
fn entry(name: &str, reading: &Reading) -> Value {
    let shown = |value: &Bytes| match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.iter().fold("0x".to_owned(), |text, octet| format!("{text}{octet:02x}")),
    };
    json!({
        "name": name,
        "values": reading.values.iter().map(shown).collect::<Vec<_>>(),
        "conflict": reading.is_conflict(),
        "deleted_too": reading.is_deleted_too,
    })
}
