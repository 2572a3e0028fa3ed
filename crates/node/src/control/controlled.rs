//! What of a process can be controlled.

use std::sync::Arc;

use crate::enterprise::EnterpriseHandle;
use crate::group::{AllGroups, GroupsHandle};
use crate::swapping::SwapHost;

/// What of a process can be controlled.
#[derive(Clone)]
pub struct Controlled {
    /// Its modules.
    pub host: Arc<SwapHost>,
    /// The groups of its cluster, if it is in one.
    pub groups: Option<GroupsHandle>,
    /// Its enterprise, if it is in one.
    pub enterprise: Option<EnterpriseHandle>,
}

impl Controlled {
    /// All groups of the process.
    pub(crate) fn all_groups(&self) -> AllGroups {
        let pairs = self.enterprise.iter().flat_map(EnterpriseHandle::pair_groups).collect();
        AllGroups { cluster: self.groups.clone(), pairs }
    }
}
