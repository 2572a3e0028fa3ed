//! The enterprise as the engine's user has it: who is there, and the directory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use hamsa_group::enterprise::{Enterprise, EnterpriseEvent, NodeStatus, Reading, RestoreError, Run, Seen, WriteError};
use tokio::sync::Notify;

/// A view of the enterprise that stays true. Cheap to copy; readable also after the engine's end.
#[derive(Debug, Clone)]
pub struct EnterpriseHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    enterprise: Mutex<Enterprise>,
    /// The user has changed something that must go out.
    is_changed: Notify,
    /// There are events.
    has_news: Notify,
}

impl EnterpriseHandle {
    pub(crate) fn new(enterprise: Enterprise) -> Self {
        let enterprise = Mutex::new(enterprise);
        Self { shared: Arc::new(Shared { enterprise, is_changed: Notify::new(), has_news: Notify::new() }) }
    }

    /// All nodes that are known, by number, this one among them.
    pub fn nodes(&self) -> Vec<NodeStatus> {
        self.lock().nodes().cloned().collect()
    }

    /// What is known of a node.
    pub fn node(&self, node: u32) -> Option<NodeStatus> {
        self.lock().node(node).cloned()
    }

    /// What stands under a name.
    pub fn read(&self, name: &str) -> Reading {
        self.lock().read(name)
    }

    /// Names that start with a prefix and are not deleted, in their order.
    pub fn names(&self, prefix: &str) -> Vec<String> {
        self.lock().names(prefix).map(str::to_owned).collect()
    }

    /// A digest of the directory: equal where its contents are.
    pub fn digest(&self) -> u64 {
        self.lock().digest()
    }

    /// Sets a name to a value, or deletes it without one; `seen` is of the reading that led to it.
    ///
    /// # Errors
    /// The name or value is too long, or the directory is full.
    pub fn write(&self, name: &str, value: Option<Bytes>, seen: &Seen) -> Result<(), WriteError> {
        self.lock().write(Instant::now(), name, value, seen)?;
        self.shared.is_changed.notify_one();
        self.shared.has_news.notify_one();
        Ok(())
    }

    /// This run. Its `began_ms` is to be kept before it changes anything, and is
    /// [`ZenohOptions::began_after_ms`](crate::ZenohOptions::began_after_ms) of the next one.
    pub fn run(&self) -> Run {
        self.lock().run()
    }

    /// The whole directory, deleted names too, in pieces to be kept on a disk; see [`Enterprise::export`].
    pub fn export(&self) -> Vec<Bytes> {
        self.lock().export().collect()
    }

    /// Takes in a piece that was exported, as if a neighbour had told it; see [`Enterprise::restore`].
    ///
    /// # Errors
    /// The piece is unreadable, of another encoding, or has more names than there is room for.
    pub fn restore(&self, piece: &Bytes) -> Result<(), RestoreError> {
        self.with(|enterprise| enterprise.restore(Instant::now(), piece))
    }

    /// The next thing that has changed; for one waiting user.
    pub async fn event(&self) -> EnterpriseEvent {
        loop {
            if let Some(event) = self.lock().poll_event() {
                return event;
            }
            self.shared.has_news.notified().await;
        }
    }

    /// Changes it on behalf of the engine, and wakes who waits for events.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Enterprise) -> T) -> T {
        let result = change(&mut self.lock());
        self.shared.has_news.notify_one();
        result
    }

    pub(crate) async fn changed(&self) {
        self.shared.is_changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Enterprise> {
        // A merge is made on a copy and put in its place whole.
        self.shared.enterprise.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
