//! The groups of a node's cluster, on a thread of their own.

use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hamsa_group::{JoinError, SetUpError};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::Link;
use super::engine::NodeEngine;
use super::handle::GroupsHandle;
use super::ring::{Ring, RingOptions};
use crate::config::GroupConfig;
use crate::limits::GROUP_STATE_PATIENCE;

/// The groups can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum GroupStartError {
    /// They don't take what the configuration says.
    #[error(transparent)]
    SetUp(#[from] SetUpError),
    /// A group of the configuration can't be joined.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// There is no thread or random source to be had.
    #[error("a thread or the random source can't be had: {0}")]
    System(#[from] io::Error),
}

/// The groups of a node's cluster, while they run. They end when dropped.
#[derive(Debug)]
pub struct GroupRuntime {
    handle: GroupsHandle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl GroupRuntime {
    /// Begins; whether the engine can be had turns out later. `name` is the node's.
    ///
    /// # Errors
    /// See [`GroupStartError`].
    pub fn start(config: &GroupConfig, name: &str) -> Result<Self, GroupStartError> {
        Self::start_with(config, name, GROUP_STATE_PATIENCE)
    }

    pub(super) fn start_with(
        config: &GroupConfig,
        name: &str,
        state_patience: Duration,
    ) -> Result<Self, GroupStartError> {
        let options = RingOptions {
            link: Link::Cluster,
            cluster: config.cluster.clone(),
            node: config.node,
            name: name.to_owned(),
            exchange_patience: Some(config.exchange_patience),
            alone_after: Some(config.alone_after),
            groups: config.groups.clone(),
            state_patience,
        };
        let ring = Ring::new(options, NodeEngine::new(config))?;
        let handle = ring.handle().clone();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("groups".into()).spawn(move || runtime.block_on(ring.run(stopped)))?;
        Ok(GroupRuntime { handle, stop: Some(stop), thread: Some(thread) })
    }

    /// For the rest of the daemon.
    pub fn handle(&self) -> &GroupsHandle {
        &self.handle
    }
}

impl Drop for GroupRuntime {
    fn drop(&mut self) {
        // A task that has ended needs not be told.
        let _ = self.stop.take().map(|stop| stop.send(()));
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the groups has panicked");
        }
    }
}
