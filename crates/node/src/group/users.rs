//! The users of a node's groups: a bounded queue of events each.
//!
//! A message is sent in the view that its sender was told of last: while a view waits to be taken, `send` says `WouldBlock`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hamsa_group::{Event, GroupName};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::handle::GroupsHandle;
use crate::limits::GROUP_QUEUE_KIB;

/// The task's end of a user's queue.
#[derive(Debug, Clone)]
pub(super) struct User {
    sender: mpsc::UnboundedSender<(Event, OwnedSemaphorePermit)>,
    /// What bounds the queue: each event takes a permit, and one more for each KiB.
    room: Arc<Semaphore>,
    state: Arc<UserState>,
}

#[derive(Debug, Default)]
struct UserState {
    /// Views that were not taken yet.
    views: AtomicUsize,
    /// `send` has said `WouldBlock` on this user's own account, and `Writable` waits to be taken.
    is_refused: AtomicBool,
}

/// What happens in a group that was joined. Dropped, it leaves the group.
#[derive(Debug)]
pub struct GroupEvents {
    group: GroupName,
    handle: GroupsHandle,
    receiver: mpsc::UnboundedReceiver<(Event, OwnedSemaphorePermit)>,
    state: Arc<UserState>,
}

/// Both ends of a queue.
pub(super) fn user(group: GroupName, handle: GroupsHandle) -> (User, GroupEvents) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let state = Arc::new(UserState::default());
    let user = User { sender, room: Arc::new(Semaphore::new(GROUP_QUEUE_KIB as usize)), state: state.clone() };
    (user, GroupEvents { group, handle, receiver, state })
}

impl User {
    /// An event has happened, though it is not in the queue yet.
    pub(super) fn note(&self, event: &Event) {
        if matches!(event, Event::View { .. }) {
            self.state.views.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Whether the user has a view to take.
    pub(super) fn has_view_waiting(&self) -> bool {
        self.state.views.load(Ordering::Acquire) > 0
    }

    /// `send` is refused; whether `Writable` is to be told.
    pub(super) fn refuse(&self) -> bool {
        !self.state.is_refused.swap(true, Ordering::AcqRel)
    }

    /// Puts an event into the queue, when there is room.
    pub(super) async fn give(&self, event: Event) {
        let octets = match &event {
            Event::Message { data, .. } => data.len(),
            Event::State { state, .. } => state.len(),
            _ => 0,
        };
        let needed = u32::try_from(octets / 1024).unwrap_or(u32::MAX).saturating_add(1).min(GROUP_QUEUE_KIB);
        // It is never closed. A user that has gone has left the group.
        if let Ok(permit) = self.room.clone().acquire_many_owned(needed).await {
            let _ = self.sender.send((event, permit));
        }
    }
}

impl GroupEvents {
    /// The group.
    pub fn group(&self) -> &GroupName {
        &self.group
    }

    /// What happens next; `None` once the node has left the group: because it was told to, because it ends, or because
    /// this was not called for too long.
    pub async fn next(&mut self) -> Option<Event> {
        let (event, _permit) = self.receiver.recv().await?;
        self.taken(&event);
        Some(event)
    }

    /// The same, for threads.
    pub fn blocking_next(&mut self) -> Option<Event> {
        let (event, _permit) = self.receiver.blocking_recv()?;
        self.taken(&event);
        Some(event)
    }

    fn taken(&self, event: &Event) {
        match event {
            Event::View { .. } => drop(self.state.views.fetch_sub(1, Ordering::AcqRel)),
            Event::Writable { .. } => self.state.is_refused.store(false, Ordering::Release),
            _ => {}
        }
    }
}

impl Drop for GroupEvents {
    fn drop(&mut self) {
        self.handle.leave_as(&self.group, |user| Arc::ptr_eq(&user.state, &self.state));
    }
}
