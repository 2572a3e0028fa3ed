//! What must never repeat, kept in the store: the engine's ID and boots (RFC 3414 §2.2) and the salts of
//! encryption (X2).

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use hamsa_snmp::engine::EngineId;
use hamsa_snmp::usm::SaltSource;
use hamsa_store::{StateError, StorageError, Store};

use crate::limits::{ENTERPRISE, SALT_BLOCK};

const ENGINE_ID: &str = "snmp/engine-id";
const ENGINE_BOOTS: &str = "snmp/engine-boots";
const SALTS: &str = "snmp/salts";

/// The node's identity can't be read or kept.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum IdentityError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the store holds an engine ID that is none")]
    BadEngineId,
    #[error("the system gives no random octets: {0}")]
    Random(#[from] std::io::Error),
    #[error("the engine has booted 2^31 times: it needs a new engine ID (RFC 3414 §2.2.3)")]
    BootsExhausted,
}

/// The engine's ID; `random` makes one for a new store.
pub fn engine_id(store: &Store, random: [u8; 8]) -> Result<EngineId, IdentityError> {
    if let Some(octets) = store.get_state(ENGINE_ID)? {
        return EngineId::new(&octets).map_err(|_| IdentityError::BadEngineId);
    }
    let id = EngineId::assigned(ENTERPRISE, random);
    store.put_state(ENGINE_ID, id.as_octets())?;
    Ok(id)
}

/// Boots of the engine, one more with each call.
pub fn next_boots(store: &Store) -> Result<u32, IdentityError> {
    let boots = store.reserve(ENGINE_BOOTS, 1)?.start + 1;
    u32::try_from(boots).ok().filter(|&boots| boots < i32::MAX as u32).ok_or(IdentityError::BootsExhausted)
}

/// Salts: sixteen bits of this node's engine ID, then a counter of forty-eight that is reserved in blocks
/// before it is used, so that neither a crash nor another node repeats one.
pub struct StoredSalts {
    store: Arc<Store>,
    node_bits: u64,
    block: Mutex<Range<u64>>,
}

impl StoredSalts {
    /// The salts of a node.
    pub fn new(store: Arc<Store>, engine_id: EngineId) -> Self {
        let low = engine_id.as_octets().iter().rev().take(2).enumerate();
        let node_bits = low.fold(0, |bits, (i, &octet)| bits | u64::from(octet) << (8 * i));
        StoredSalts { store, node_bits: node_bits << 48, block: Mutex::new(0..0) }
    }
}

impl SaltSource for StoredSalts {
    fn next_salt(&self) -> Result<u64, String> {
        let mut block = self.block.lock().unwrap_or_else(PoisonError::into_inner);
        if block.is_empty() {
            *block = self.store.reserve(SALTS, SALT_BLOCK).map_err(|error| error.to_string())?;
        }
        let counter = block.next().ok_or("the store has reserved nothing")?;
        if counter >> 48 != 0 {
            return Err("2^48 salts are used up; change the keys".to_owned());
        }
        Ok(self.node_bits | counter)
    }
}
