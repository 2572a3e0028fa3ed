//! `[group]` and `[enterprise]`: which nodes this one works with, and by which engine.

use std::collections::BTreeSet;

use hamsa_group::Process;
use hamsa_group_corosync::{Node, Ring, RingOptions};
use hamsa_group_zenoh::{Links, OptionsError, Protection, TlsFiles, ZenohOptions};

use super::keys::{EnterpriseKeys, GroupEngineKind, GroupKeys};
use super::section::TableReader;
use super::{CorosyncConfig, EnterpriseConfig, GroupConfig, GroupEngineConfig, NodeConfig};

/// Which process of a node: it has one.
pub(crate) const PROCESS: u32 = 1;

/// `[group]`, if it has no mistake.
pub(super) fn group(table: &mut TableReader<'_, '_>, node: &NodeConfig) -> Option<GroupConfig> {
    let keys = GroupKeys::read(table);
    let node = number(table, node)?;
    let engine = match keys.engine {
        GroupEngineKind::Embedded => {
            GroupEngineConfig::Embedded { socket: keys.socket.clone(), allow_faults: keys.allow_faults }
        }
        GroupEngineKind::Corosync => corosync(table, &keys, node)?,
    };
    let GroupKeys { cluster, exchange_patience, alone_after, groups, .. } = keys;
    Some(GroupConfig { engine, node, cluster, exchange_patience, alone_after, groups })
}

fn corosync(table: &mut TableReader<'_, '_>, keys: &GroupKeys, number: u32) -> Option<GroupEngineConfig> {
    if !keys.nodes.is_there() {
        return Some(GroupEngineConfig::Corosync { daemon: None });
    }
    if !keys.key.is_there() {
        table.lacks(GroupKeys::SECTION.key("key"));
    }
    let (nodes, key) = (keys.nodes.placed()?, keys.key.placed()?.value.clone());
    let options = RingOptions {
        cluster: keys.cluster.clone(),
        nodes: nodes.value.iter().cloned().map(Node::from).collect(),
        token_ms: keys.token.as_millis() as u32,
        consensus_ms: None,
        port: keys.port,
    };
    let place = &nodes.place;
    match Ring::new(options) {
        Ok(ring) if ring.node(number).is_some() => {
            let daemon = Some(CorosyncConfig { ring, key, directory: keys.directory.clone() });
            Some(GroupEngineConfig::Corosync { daemon })
        }
        Ok(_) => {
            table.context.log.mistake(place, format!("this node's own number, {number}, is not among them"));
            None
        }
        Err(error) => {
            table.context.log.mistake(place, error.to_string());
            None
        }
    }
}

/// `[enterprise]`, if it has no mistake. Whether this program has the engine is found out here, once.
pub(super) fn enterprise(table: &mut TableReader<'_, '_>, node: &NodeConfig) -> Option<EnterpriseConfig> {
    let mistakes = table.context.log.count();
    let keys = EnterpriseKeys::read(table);
    let number = number(table, node)?;
    let protection = protection(table, &keys)?;
    if table.context.log.count() > mistakes {
        // What the engine would say of the rest may come of them.
        return None;
    }
    let EnterpriseKeys { name, listen, dial, lease, pairs, neighbours, .. } = keys;
    let options = ZenohOptions {
        enterprise: name,
        me: Process { node: number, process: PROCESS },
        links: Links { listen, dial },
        protection,
        lease,
        name: node.name.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        began_after_ms: 0,
    };
    let place = table.place.clone();
    let log = &mut table.context.log;
    match options.check() {
        Ok(()) => {}
        // They can be mended while the node runs, and it polls without them.
        Err(OptionsError::Tls(error)) => log.warning(&place, error.to_string()),
        Err(error) => {
            log.mistake(&place, error.to_string());
            return None;
        }
    }
    let [pairs, neighbours] = [pairs, neighbours].map(BTreeSet::from_iter);
    for (key, numbers) in [("pairs", &pairs), ("neighbours", &neighbours)] {
        if numbers.contains(&number) {
            table.context.log.mistake(&table.place_of(key), format!("{number} is this node's own number"));
            return None;
        }
    }
    if !cfg!(feature = "zenoh") {
        table.context.log.mistake(&place, "this program was built without Zenoh: build it with `--features zenoh`");
        return None;
    }
    Some(EnterpriseConfig { options, pairs, neighbours })
}

fn protection(table: &mut TableReader<'_, '_>, keys: &EnterpriseKeys) -> Option<Protection> {
    let files = [("tls_authority", &keys.tls_authority), ("tls_cert", &keys.tls_cert), ("tls_key", &keys.tls_key)];
    if keys.allow_plain {
        let Some((name, _)) = files.iter().find(|(_, file)| file.is_there()) else { return Some(Protection::None) };
        table.context.log.mistake(&table.place_of(name), "with allow_plain it is not used: leave out one of them");
        return None;
    }
    for (name, _) in files.iter().filter(|(_, file)| !file.is_there()) {
        table.lacks(EnterpriseKeys::SECTION.key(name));
    }
    let [authority, certificate, key] = files.map(|(_, file)| file.placed().map(|placed| placed.value.clone()));
    Some(Protection::Tls(TlsFiles { authority: authority?, certificate: certificate?, key: key? }))
}

/// The node's number, without which it can be in no cluster.
fn number(table: &mut TableReader<'_, '_>, node: &NodeConfig) -> Option<u32> {
    if node.number.is_none() {
        let message = "the node needs a number that no other node has: set number in [node]";
        table.context.log.missing(&table.place.clone(), message);
    }
    node.number
}
