//! The targets that an application of the agent sends to, each added to a [`Manager`] when it is first needed.

use std::collections::HashMap;
use std::sync::Arc;

use crate::agent::mibs::Target;
use crate::engine::{Engine, EngineId, Name, security_model};
use crate::limits::{MAX_OUTSTANDING_PER_PEER, MAX_PEERS};
use crate::manager::{Manager, RequestKind, TargetConfig, TargetId, Timing};
use crate::message::Version;
use crate::varbind::VarBindBuf;

/// A target, and the context that it is spoken to about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Peer {
    pub(super) target: Target,
    pub(super) context_engine_id: EngineId,
    pub(super) context_name: Name,
}

/// A manager, and what it knows its targets by.
pub(super) struct Peers {
    pub(super) manager: Manager,
    known: HashMap<Peer, Known>,
    under_way: HashMap<u64, Peer>,
    next_token: u64,
}

struct Known {
    id: TargetId,
    pending: usize,
}

impl Peers {
    pub(super) fn new(engine: Arc<Engine>, seed: [u8; 32]) -> Self {
        let manager = Manager::new(engine, seed);
        Peers { manager, known: HashMap::new(), under_way: HashMap::new(), next_token: 0 }
    }

    /// Requests that have not ended.
    pub(super) fn pending(&self) -> usize {
        self.under_way.len()
    }

    /// Sends a request and returns its token; `None` where the peer can't be spoken to, or there is no room.
    pub(super) fn submit(&mut self, peer: Peer, kind: RequestKind, varbinds: VarBindBuf) -> Option<u64> {
        let id = self.id_of(&peer)?;
        let token = self.next_token;
        self.next_token += 1;
        self.manager.submit(id, kind, varbinds, token).ok()?;
        self.known.get_mut(&peer)?.pending += 1;
        self.under_way.insert(token, peer);
        Some(token)
    }

    /// Takes note that a request has ended; whose it was.
    pub(super) fn end(&mut self, token: u64) -> Option<Peer> {
        let peer = self.under_way.remove(&token)?;
        if let Some(known) = self.known.get_mut(&peer) {
            known.pending = known.pending.saturating_sub(1);
        }
        Some(peer)
    }

    fn id_of(&mut self, peer: &Peer) -> Option<TargetId> {
        if !is_consistent(&peer.target) {
            return None;
        }
        if let Some(known) = self.known.get(peer) {
            return Some(known.id);
        }
        if self.known.len() >= MAX_PEERS {
            let idle = self.known.iter().find(|(_, known)| known.pending == 0)?.0.clone();
            let idle = self.known.remove(&idle)?;
            self.manager.remove_target(idle.id);
        }
        let Target { address, timeout, retries, ref params, .. } = peer.target;
        let id = self.manager.add_target(TargetConfig {
            address,
            version: params.version,
            security_name: params.security_name.clone(),
            level: params.level,
            context_name: peer.context_name.clone(),
            context_engine_id: Some(peer.context_engine_id),
            engine_id: None,
            timing: Timing::fixed(timeout, retries),
            max_outstanding: MAX_OUTSTANDING_PER_PEER,
        });
        self.known.insert(peer.clone(), Known { id, pending: 0 });
        Some(id)
    }
}

/// Whether the target's security model is the one of its version.
pub(super) fn is_consistent(target: &Target) -> bool {
    let of_version = match target.params.version {
        Version::V1 => security_model::V1,
        Version::V2c => security_model::V2C,
        Version::V3 => security_model::USM,
    };
    target.params.security_model == of_version
}
