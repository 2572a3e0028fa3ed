//! What there is in place of a runtime in a program without Zenoh: nothing can be made of these types.

use std::path::Path;

use bytes::Bytes;
use hamsa_group::enterprise::{Reading, Seen};

use super::{DirectoryError, EnterpriseStartError, EnterpriseStatus};
use crate::config::EnterpriseConfig;
use crate::group::GroupsHandle;

/// There is none.
#[derive(Debug)]
pub enum EnterpriseRuntime {}

/// There is none.
#[derive(Debug, Clone)]
pub enum EnterpriseHandle {}

impl EnterpriseRuntime {
    /// Always refuses.
    ///
    /// # Errors
    /// [`EnterpriseStartError::NotBuilt`].
    pub fn start(_: &EnterpriseConfig, _: &Path) -> Result<Self, EnterpriseStartError> {
        Err(EnterpriseStartError::NotBuilt)
    }

    /// There is none.
    pub fn handle(&self) -> &EnterpriseHandle {
        match *self {}
    }

    /// There is none.
    pub fn stop(self) {
        match self {}
    }

    /// There is none.
    pub fn apply(&self, _: &EnterpriseConfig) {
        match *self {}
    }
}

#[allow(missing_docs, reason = "there is nothing to call them on")]
impl EnterpriseHandle {
    pub fn status(&self) -> EnterpriseStatus {
        match *self {}
    }

    pub fn pair_groups(&self) -> Vec<GroupsHandle> {
        match *self {}
    }

    pub fn names(&self, _: &str) -> Result<Vec<String>, DirectoryError> {
        match *self {}
    }

    pub fn read(&self, _: &str) -> Result<Reading, DirectoryError> {
        match *self {}
    }

    pub fn write(&self, _: &str, _: Option<Bytes>, _: &Seen) -> Result<(), DirectoryError> {
        match *self {}
    }
}
