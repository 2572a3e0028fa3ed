//! The states that modules had when they were replaced, in the store: one object a module.
//!
//! ```text
//! object = { major minor length (4 octets each, big-endian) state }
//! ```

use std::sync::Arc;

use hamsa_store::Store;
use hamsa_swap::journal::VersionNumber;
use hamsa_swap::limits::VERSIONS_KEPT_MAX;
use hamsa_swap::state::StateSet;
use hamsa_swap::{KeptState, ModuleId, RepositoryError, RepositoryStorage};

/// Keeps states in the store.
pub struct StoreRepository(Arc<Store>);

impl StoreRepository {
    /// States in this store.
    pub fn new(store: Arc<Store>) -> Self {
        StoreRepository(store)
    }
}

impl RepositoryStorage for StoreRepository {
    fn put(&mut self, module: &ModuleId, kept: KeptState) -> Result<(), RepositoryError> {
        let mut states = self.get(module)?;
        let is_known = states.iter().any(|other| other.version == kept.version && other.state == kept.state);
        if is_known && kept.state.objects().next().is_none() {
            // Most modules keep nothing: that need not be written each time.
            return Ok(());
        }
        states.retain(|other| other.version != kept.version);
        states.insert(0, kept);
        states.truncate(VERSIONS_KEPT_MAX);
        self.0.put_state(&name(module), &encode(&states)).map_err(|error| RepositoryError(error.to_string()))
    }

    fn get(&self, module: &ModuleId) -> Result<Vec<KeptState>, RepositoryError> {
        let found = self.0.get_state(&name(module)).map_err(|error| RepositoryError(error.to_string()))?;
        let Some(octets) = found else { return Ok(Vec::new()) };
        decode(&octets).ok_or_else(|| RepositoryError(format!("what is kept of {module} can't be read")))
    }
}

fn name(module: &ModuleId) -> String {
    format!("swap/{module}")
}

fn encode(states: &[KeptState]) -> Vec<u8> {
    let mut octets = Vec::new();
    for KeptState { version: (major, minor), state } in states {
        let state = state.encode();
        let length = u32::try_from(state.len()).unwrap_or(u32::MAX);
        [*major, *minor, length].into_iter().for_each(|number| octets.extend_from_slice(&number.to_be_bytes()));
        octets.extend_from_slice(&state);
    }
    octets
}

fn decode(mut octets: &[u8]) -> Option<Vec<KeptState>> {
    let number = |octets: &mut &[u8]| {
        let (number, rest) = octets.split_first_chunk::<4>()?;
        *octets = rest;
        Some(u32::from_be_bytes(*number))
    };
    let mut states = Vec::new();
    while !octets.is_empty() {
        let version: VersionNumber = (number(&mut octets)?, number(&mut octets)?);
        let length = number(&mut octets)? as usize;
        let (state, rest) = octets.split_at_checked(length)?;
        states.push(KeptState { version, state: StateSet::decode(state).ok()? });
        octets = rest;
    }
    Some(states)
}

#[cfg(test)]
mod tests {
    use hamsa_store::StoreOptions;
    use hamsa_swap::state::Change;

    use super::*;

    #[test]
    fn the_last_state_of_each_version_is_kept_and_is_there_again() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Arc::new(Store::open(directory.path(), StoreOptions::default()).unwrap());
        let module = ModuleId::new("a kind", "a name");
        let state = |text: &str| {
            let mut state = StateSet::new(1);
            state.commit([Change::put("text", text.as_bytes())]).unwrap();
            state
        };
        let mut repository = StoreRepository::new(open());
        for (minor, text) in [(0, "old"), (1, "other"), (0, "new")] {
            repository.put(&module, KeptState { version: (1, minor), state: state(text) }).unwrap();
        }
        let expected =
            [((1, 0), "new"), ((1, 1), "other")].map(|(version, text)| KeptState { version, state: state(text) });
        assert_eq!(repository.get(&module).unwrap(), expected);
        drop(repository);
        assert_eq!(StoreRepository::new(open()).get(&module).unwrap(), expected);
    }
}
