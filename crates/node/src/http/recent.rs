//! What the node has done of late, for the status page: its counts every few seconds, for some minutes.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{AppRef, stopped};
use crate::histogram::HistogramCounts;
use crate::limits::{RECENT_INTERVAL, RECENT_NOTES};

/// The node's counts at a moment.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    pub(crate) at: Instant,
    /// Polls that ended.
    pub(crate) polls: u64,
    /// Samples stored.
    pub(crate) samples: u64,
    /// Requests that got no answer.
    pub(crate) timed_out: u64,
    /// Requests that ended.
    pub(crate) requests: u64,
    pub(crate) lateness: HistogramCounts,
    pub(crate) duration: HistogramCounts,
}

/// The last notes, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<VecDeque<Note>>);

impl Recent {
    /// The notes of the last while, oldest first.
    pub(crate) fn notes(&self, of_last: Duration) -> Vec<Note> {
        let notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(newest) = notes.back().map(|note| note.at) else { return Vec::new() };
        notes.iter().filter(|note| newest.saturating_duration_since(note.at) <= of_last).cloned().collect()
    }

    fn add(&self, note: Note) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() == RECENT_NOTES {
            notes.pop_front();
        }
        notes.push_back(note);
    }
}

/// Takes notes until the server stops.
pub(super) async fn keep_notes(app: AppRef) {
    let mut stopping = app.stopping.clone();
    let mut interval = tokio::time::interval(RECENT_INTERVAL);
    loop {
        tokio::select! {
            () = stopped(&mut stopping) => return,
            _ = interval.tick() => {}
        }
        let stats = &app.node.collector_stats;
        let duration = stats.duration.counts();
        let manager = app.node.snmp.stats().manager;
        app.recent.add(Note {
            at: Instant::now(),
            polls: duration.count,
            samples: app.node.writer_stats.stored_samples.load(Ordering::Relaxed),
            timed_out: manager.timed_out,
            requests: manager.completed + manager.timed_out + manager.failed,
            lateness: stats.lateness.counts(),
            duration,
        });
    }
}
