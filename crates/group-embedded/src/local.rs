//! A hub that tasks share, on whatever runtimes they run.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use hamsa_group::embedded::{AttachError, Hub};
use hamsa_group::{EngineEvent, EnginePort, EngineSendError, EngineSide, Process, engine_port};
use tokio::sync::watch;
use tokio::time::sleep_until;

use crate::fault::Fault;
use crate::limits::PORT_MESSAGES;

/// An engine for several nodes of one process.
#[derive(Debug, Clone)]
pub struct LocalHub {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    hub: Mutex<Hub>,
    /// Something has come for somebody.
    news: watch::Sender<()>,
    /// Something was taken, while somebody waits for room.
    room: watch::Sender<()>,
    is_full: AtomicBool,
}

impl LocalHub {
    /// With nobody attached.
    pub fn new() -> Self {
        let shared = Shared {
            hub: Mutex::new(Hub::new()),
            news: watch::Sender::new(()),
            room: watch::Sender::new(()),
            is_full: AtomicBool::new(false),
        };
        LocalHub { shared: Arc::new(shared) }
    }

    /// Attaches a node, by a task on the runtime that this is called on. `seen` has the sequence number of the last ring that the
    /// node was in, and is kept up to date.
    pub fn attach(&self, node: u32, seen: Arc<AtomicU64>) -> Result<EnginePort, AttachError> {
        let attachment = self.attachment(node, seen.load(Ordering::Relaxed))?;
        let (port, side) = engine_port(Hub::capabilities(), PORT_MESSAGES);
        tokio::spawn(serve_port(attachment, side, seen));
        Ok(port)
    }

    /// Makes a fault.
    pub fn inject(&self, fault: Fault) {
        fault.inject(Instant::now(), &mut self.shared.lock());
        self.shared.news.send_replace(());
    }

    pub(crate) fn attachment(&self, node: u32, seen: u64) -> Result<Attachment, AttachError> {
        let process = self.shared.lock().attach(Instant::now(), node, seen)?;
        self.shared.news.send_replace(());
        Ok(Attachment { shared: self.shared.clone(), process })
    }
}

impl Default for LocalHub {
    fn default() -> Self {
        LocalHub::new()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Hub> {
        // The hub's methods don't panic half-way.
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One process's place at the hub. Dropped, the process is detached.
#[derive(Debug)]
pub(crate) struct Attachment {
    shared: Arc<Shared>,
    process: Process,
}

impl Attachment {
    /// The next event that is there.
    pub(crate) fn try_next(&self) -> Option<EngineEvent> {
        let event = self.shared.lock().poll_event(Instant::now(), self.process)?;
        if self.shared.is_full.swap(false, Ordering::AcqRel) {
            self.shared.room.send_replace(());
        }
        Some(event)
    }

    /// The next event. Whoever stops waiting for it loses nothing.
    pub(crate) async fn next(&self) -> EngineEvent {
        let mut news = self.shared.news.subscribe();
        loop {
            news.borrow_and_update();
            self.drop_the_late();
            if let Some(event) = self.try_next() {
                return event;
            }
            let wake_at = {
                let hub = self.shared.lock();
                hub.due(self.process).into_iter().chain(hub.poll_timeout()).min()
            };
            tokio::select! {
                // The sender is in what we hold.
                _ = news.changed() => {}
                () = sleep_until(wake_at.unwrap_or_else(Instant::now).into()), if wake_at.is_some() => {}
            }
        }
    }

    /// Sends, as soon as everyone has room.
    ///
    /// # Errors
    /// The process was dropped, or the message is too long.
    pub(crate) async fn send(&self, data: Bytes) -> Result<(), EngineSendError> {
        let mut room = self.shared.room.subscribe();
        loop {
            room.borrow_and_update();
            let sent = {
                let mut hub = self.shared.lock();
                let sent = hub.send(Instant::now(), self.process, data.clone());
                if sent == Err(EngineSendError::Full) {
                    // While the hub is locked, so that whatever is taken after this wakes us.
                    self.shared.is_full.store(true, Ordering::Release);
                }
                sent
            };
            match sent {
                Err(EngineSendError::Full) => {}
                Ok(()) => break,
                Err(error) => return Err(error),
            }
            // The sender is in what we hold.
            let _ = room.changed().await;
        }
        self.shared.news.send_replace(());
        Ok(())
    }

    /// Makes a fault.
    pub(crate) fn inject(&self, fault: Fault) {
        fault.inject(Instant::now(), &mut self.shared.lock());
        self.wake_all();
    }

    fn drop_the_late(&self) {
        let now = Instant::now();
        let mut hub = self.shared.lock();
        if hub.poll_timeout().is_some_and(|at| at <= now) {
            hub.handle_timeout(now);
            drop(hub);
            self.wake_all();
        }
    }

    /// Also those who wait for somebody that is gone.
    fn wake_all(&self) {
        self.shared.news.send_replace(());
        self.shared.room.send_replace(());
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.shared.lock().detach(Instant::now(), self.process);
        self.wake_all();
    }
}

/// Notes the ring of a configuration.
pub(crate) fn note_ring(seen: &AtomicU64, event: &EngineEvent) {
    if let EngineEvent::Configuration(configuration) = event {
        seen.fetch_max(configuration.ring.sequence, Ordering::Relaxed);
    }
}

async fn serve_port(attachment: Attachment, side: EngineSide, seen: Arc<AtomicU64>) {
    let EngineSide { mut outgoing, incoming } = side;
    let give = async {
        loop {
            let event = attachment.next().await;
            note_ring(&seen, &event);
            let is_end = matches!(event, EngineEvent::Lost { .. });
            if incoming.send(event.into()).await.is_err() || is_end {
                return;
            }
        }
    };
    let take = async {
        while let Some(data) = outgoing.recv().await {
            if attachment.send(data).await.is_err() {
                // What comes next says that it is lost.
                return std::future::pending().await;
            }
        }
    };
    tokio::select! {
        () = give => {}
        () = take => {}
    }
}
