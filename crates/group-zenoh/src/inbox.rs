//! What Zenoh's threads hand to the engine's task: for each peer a bounded number of datagrams, what is more is dropped.
//! So a peer that sends too much takes nobody else's room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;
use zenoh::sample::Sample;

use crate::limits::MAX_INBOX_DATAGRAMS;

/// Where a datagram belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Pair,
    Enterprise,
}

#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) kind: Kind,
    pub(crate) from: u32,
    pub(crate) octets: Bytes,
}

/// Zenoh's end.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    waiting: Arc<Mutex<HashMap<(Kind, u32), usize>>>,
    to_task: mpsc::UnboundedSender<Received>,
}

/// The task's end.
#[derive(Debug)]
pub(crate) struct Inbox {
    waiting: Arc<Mutex<HashMap<(Kind, u32), usize>>>,
    from_zenoh: mpsc::UnboundedReceiver<Received>,
}

/// Both ends.
pub(crate) fn inbox() -> (Post, Inbox) {
    let waiting = Arc::new(Mutex::new(HashMap::new()));
    // Bounded by the numbers in `waiting`.
    let (to_task, from_zenoh) = mpsc::unbounded_channel();
    (Post { waiting: Arc::clone(&waiting), to_task }, Inbox { waiting, from_zenoh })
}

impl Post {
    /// Takes a sample, when it is of a node that is known and has room.
    pub(crate) fn put(&self, kind: Kind, sample: &Sample) {
        let key = sample.key_expr().as_str();
        let Some(from) = key.rsplit('/').next().and_then(|node| node.parse::<u32>().ok()) else { return };
        match lock(&self.waiting).get_mut(&(kind, from)) {
            Some(waiting) if *waiting < MAX_INBOX_DATAGRAMS => *waiting += 1,
            _ => return,
        }
        let octets = Bytes::from(sample.payload().to_bytes().into_owned());
        // When the task has ended nobody wants it.
        let _ = self.to_task.send(Received { kind, from, octets });
    }
}

impl Inbox {
    /// Takes datagrams of this node from now on.
    pub(crate) fn open(&self, kind: Kind, node: u32) {
        lock(&self.waiting).entry((kind, node)).or_insert(0);
    }

    /// Takes no more of them.
    pub(crate) fn close(&self, kind: Kind, node: u32) {
        lock(&self.waiting).remove(&(kind, node));
    }

    pub(crate) async fn receive(&mut self) -> Option<Received> {
        let received = self.from_zenoh.recv().await;
        if let Some(received) = &received {
            self.taken(received);
        }
        received
    }

    pub(crate) fn try_receive(&mut self) -> Option<Received> {
        let received = self.from_zenoh.try_recv().ok()?;
        self.taken(&received);
        Some(received)
    }

    fn taken(&self, received: &Received) {
        if let Some(waiting) = lock(&self.waiting).get_mut(&(received.kind, received.from)) {
            *waiting = waiting.saturating_sub(1);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A number is whole also when its holder has panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
