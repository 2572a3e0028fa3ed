//! The thread that does all swaps and tells the log of them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use hamsa_swap::{ATTEND_EVERY, Happening, Observer};

use super::SwapHost;
use crate::limits::MAX_SWAP_EVENTS;

/// The thread that does swaps. It ends when dropped, after the swap under way.
#[derive(Debug)]
pub struct Attendant {
    stop: Arc<AtomicBool>,
    waker: SyncSender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Attendant {
    /// Starts it.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(host: Arc<SwapHost>) -> io::Result<Self> {
        let (waker, woken) = sync_channel(1);
        host.wake_by(waker.clone());
        let stop = Arc::new(AtomicBool::new(false));
        let is_over = stop.clone();
        let thread = thread::Builder::new().name("swap".into()).spawn(move || attend(&host, &woken, &is_over))?;
        Ok(Attendant { stop, waker, thread: Some(thread) })
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Where the queue is full it wakes anyway.
        let _ = self.waker.try_send(());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that swaps has panicked");
        }
    }
}

fn attend(host: &SwapHost, woken: &Receiver<()>, is_over: &AtomicBool) {
    let events = host.manager().observe(MAX_SWAP_EVENTS);
    while !is_over.load(Ordering::Acquire) {
        host.manager().attend();
        if tell(&events) {
            host.settle();
        }
        // Time over, or a request: both are attended to.
        let _ = woken.recv_timeout(ATTEND_EVERY);
    }
}

/// Whether modules were replaced.
fn tell(events: &Observer) -> bool {
    let mut has_changed = false;
    while let Some(event) = events.next_event() {
        match event.what {
            Happening::Committed { transaction, blackout, state_lost, .. } => {
                has_changed = true;
                for module in state_lost {
                    tracing::warn!(%module, transaction, "it has an earlier state: what happened since is lost");
                }
                tracing::info!(transaction, blackout_us = blackout.as_micros(), "modules were replaced");
            }
            Happening::Aborted { transaction, reason } => {
                tracing::info!(transaction, reason, "modules were not replaced");
            }
            Happening::Denied { who, reason } => tracing::warn!(who, reason, "a swap was denied"),
            Happening::Refused { reason } => tracing::info!(reason, "a swap was refused"),
            Happening::Panicked { module, message } => tracing::error!(%module, message, "a module panicked"),
            Happening::TakenBack { module, reason } => tracing::warn!(%module, reason, "a version is taken back"),
            Happening::Trouble { module, reason } => tracing::warn!(%module, reason, "around a swap"),
            other => tracing::debug!(?other, "a swap goes on"),
        }
    }
    let missed = events.take_missed();
    if missed > 0 {
        tracing::warn!(missed, "events of swaps were not logged");
    }
    has_changed || missed > 0
}
