//! What of a process can be controlled.

use std::sync::Arc;

use crate::group::GroupsHandle;
use crate::swapping::SwapHost;

/// What of a process can be controlled.
#[derive(Clone)]
pub struct Controlled {
    /// Its modules.
    pub host: Arc<SwapHost>,
    /// Its groups, if it is in any.
    pub groups: Option<GroupsHandle>,
}
