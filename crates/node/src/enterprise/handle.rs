//! What the rest of the daemon has of the enterprise.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use hamsa_group::enterprise::{Reading, Seen};

use super::{DirectoryError, EnterpriseStatus};
use crate::group::GroupsHandle;

/// The enterprise of this node.
#[derive(Debug, Clone)]
pub struct EnterpriseHandle {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) status: Mutex<EnterpriseStatus>,
    /// `None` until the engine has started.
    pub(super) directory: RwLock<Option<hamsa_group_zenoh::EnterpriseHandle>>,
    pub(super) pairs: Mutex<BTreeMap<u32, GroupsHandle>>,
}

impl EnterpriseHandle {
    pub(super) fn new(status: EnterpriseStatus) -> Self {
        let shared = Shared { status: Mutex::new(status), directory: RwLock::default(), pairs: Mutex::default() };
        EnterpriseHandle { shared: Arc::new(shared) }
    }

    /// How the node stands.
    pub fn status(&self) -> EnterpriseStatus {
        let mut status = self.status_mut().clone();
        if let Ok(directory) = self.directory() {
            status.nodes = directory.nodes();
        }
        status
    }

    /// The groups that the node has with each of the others of its pairs.
    pub fn pair_groups(&self) -> Vec<GroupsHandle> {
        self.shared.pairs.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Names of the directory that start with a prefix, in their order.
    ///
    /// # Errors
    /// The engine has not started.
    pub fn names(&self, prefix: &str) -> Result<Vec<String>, DirectoryError> {
        Ok(self.directory()?.names(prefix))
    }

    /// What stands under a name.
    ///
    /// # Errors
    /// The engine has not started.
    pub fn read(&self, name: &str) -> Result<Reading, DirectoryError> {
        Ok(self.directory()?.read(name))
    }

    /// Puts a value in the place of all that was read under a name, or deletes it without one.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub fn write(&self, name: &str, value: Option<Bytes>, seen: &Seen) -> Result<(), DirectoryError> {
        Ok(self.directory()?.write(name, value, seen)?)
    }

    pub(super) fn status_mut(&self) -> MutexGuard<'_, EnterpriseStatus> {
        self.shared.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn directory(&self) -> Result<hamsa_group_zenoh::EnterpriseHandle, DirectoryError> {
        let directory = self.shared.directory.read().unwrap_or_else(PoisonError::into_inner).clone();
        directory.ok_or_else(|| DirectoryError::NoEngine(self.status_mut().error.clone().unwrap_or_default()))
    }
}
