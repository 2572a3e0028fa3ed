//! The thread that stores: takes what polls and notifications have brought, commits it in batches, and only
//! then says so. What it has acknowledged survives a crash.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hamsa_store::{EventId, NewEvent, Sample, SampleFlags, SeriesId, SeriesMeta, SeriesName, Store};

use crate::fleet::{DeviceEntry, Fleet, Notice};
use crate::limits::{MAINTENANCE_INTERVAL, MAX_BATCH_SAMPLES, MAX_QUEUED_WRITES, STORE_RETRY};

/// Something to be stored.
#[derive(Debug)]
pub enum Write {
    /// What a poll has brought.
    Poll(PollWrite),
    /// Something that has happened.
    Event(EventWrite),
}

/// A poll's samples.
#[derive(Debug)]
pub struct PollWrite {
    /// The device.
    pub device: Arc<DeviceEntry>,
    /// When the poll ended, Unix time in milliseconds.
    pub polled_ms: i64,
    /// Series that are new, or whose meta data have changed.
    pub registrations: Vec<Registration>,
    /// The samples.
    pub samples: Vec<SlotSample>,
}

/// A series and the number under which the collector speaks of it.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Registration {
    pub slot: u32,
    pub name: SeriesName,
    pub meta: SeriesMeta,
}

/// A sample of a series that was registered under a slot.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct SlotSample {
    pub slot: u32,
    pub time_ms: i64,
    pub value: u64,
    pub flags: SampleFlags,
}

/// An event.
#[derive(Debug)]
pub struct EventWrite {
    /// Unix time in milliseconds.
    pub time_ms: i64,
    /// `trap`, `device`.
    pub kind: &'static str,
    /// The device's name, or nothing.
    pub device: String,
    /// JSON.
    pub payload: Arc<str>,
    /// Whom to tell, by number, when it is stored.
    pub acknowledgement: Option<u64>,
}

/// What the writer counts. `refused_samples` were too old or too new for the store, `dropped_writes` found
/// its queue full, `lost` could not be stored and never will be.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct WriterStats {
    pub stored_samples: AtomicU64,
    pub stored_events: AtomicU64,
    pub commits: AtomicU64,
    pub refused_samples: AtomicU64,
    pub dropped_writes: AtomicU64,
    pub failures: AtomicU64,
    pub lost: AtomicU64,
    pub queued: AtomicUsize,
    /// Whether the last commit failed.
    pub is_failing: AtomicBool,
}

/// The way to the writer.
pub struct WriterHandle {
    sender: Option<SyncSender<Write>>,
    stats: Arc<WriterStats>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What a writer needs.
pub struct WriterConfig {
    /// Where to store.
    pub store: Arc<Store>,
    /// Whom to tell.
    pub fleet: Arc<Fleet>,
    /// How long to collect before a commit.
    pub sync_interval: Duration,
    /// Called with the number of each acknowledgement that has become due.
    pub acknowledge: Box<dyn Fn(u64) + Send>,
}

impl WriterHandle {
    /// Starts the thread.
    pub fn start(config: WriterConfig) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(MAX_QUEUED_WRITES);
        let stats = Arc::new(WriterStats::default());
        let stopping = Arc::new(AtomicBool::new(false));
        let mut writer = Writer { config, slots: Vec::new(), stats: stats.clone(), stopping: stopping.clone() };
        let thread = thread::Builder::new().name("writer".into()).spawn(move || writer.run(&receiver))?;
        Ok(WriterHandle { sender: Some(sender), stats, stopping, thread: Some(thread) })
    }

    /// Hands something over. If the writer is so far behind that its queue is full it is dropped and counted.
    pub fn write(&self, write: Write) {
        let Some(sender) = &self.sender else { return };
        match sender.try_send(write) {
            Ok(()) => drop(self.stats.queued.fetch_add(1, Ordering::Relaxed)),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.stats.dropped_writes.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// What it counts.
    pub fn stats(&self) -> &Arc<WriterStats> {
        &self.stats
    }

    /// Stores what is queued and ends the thread.
    pub fn stop(mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Writer {
    config: WriterConfig,
    slots: Vec<Option<SeriesId>>,
    stats: Arc<WriterStats>,
    stopping: Arc<AtomicBool>,
}

#[derive(Default)]
struct Batch {
    polls: Vec<PollWrite>,
    events: Vec<EventWrite>,
    samples: usize,
}

impl Writer {
    fn run(&mut self, receiver: &Receiver<Write>) {
        let mut maintain_at = Instant::now();
        loop {
            let Some(batch) = self.collect(receiver, maintain_at) else { return };
            self.commit(batch);
            if Instant::now() >= maintain_at {
                maintain_at = Instant::now() + self.maintain();
            }
        }
    }

    /// Waits for something to store, and then for more to store along with it. `None`: nothing will come.
    fn collect(&self, receiver: &Receiver<Write>, maintain_at: Instant) -> Option<Batch> {
        let mut batch = Batch::default();
        let mut commit_at = maintain_at;
        loop {
            let wait = commit_at.saturating_duration_since(Instant::now());
            match receiver.recv_timeout(wait) {
                Ok(write) => {
                    self.stats.queued.fetch_sub(1, Ordering::Relaxed);
                    if batch.polls.is_empty() && batch.events.is_empty() {
                        commit_at = Instant::now() + self.config.sync_interval;
                    }
                    match write {
                        Write::Poll(poll) => {
                            batch.samples += poll.samples.len();
                            batch.polls.push(poll);
                        }
                        Write::Event(event) => {
                            // Its sender waits.
                            if event.acknowledgement.is_some() {
                                commit_at = Instant::now();
                            }
                            batch.events.push(event);
                        }
                    }
                    if batch.samples >= MAX_BATCH_SAMPLES {
                        return Some(batch);
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Some(batch),
                Err(RecvTimeoutError::Disconnected) if batch.polls.is_empty() && batch.events.is_empty() => {
                    return None;
                }
                Err(RecvTimeoutError::Disconnected) => return Some(batch),
            }
        }
    }

    fn commit(&mut self, batch: Batch) {
        let Batch { polls, events, samples } = batch;
        if samples > 0 && self.insist("samples", samples, |writer| writer.commit_polls(&polls)).is_some() {
            self.tell_polls(polls);
        }
        if !events.is_empty()
            && let Some(ids) = self.insist("events", events.len(), |writer| writer.commit_events(&events))
        {
            self.tell_events(events, ids);
        }
    }

    /// Stores something. While the disk fails it is tried again, as long as the node runs: what comes in the
    /// meantime waits in the queue. What can never be stored is counted as lost.
    fn insist<T>(
        &mut self,
        what: &str,
        count: usize,
        mut store: impl FnMut(&mut Self) -> Result<T, StoreFailure>,
    ) -> Option<T> {
        loop {
            match store(self) {
                Ok(stored) => {
                    self.stats.commits.fetch_add(1, Ordering::Relaxed);
                    self.stats.is_failing.store(false, Ordering::Relaxed);
                    return Some(stored);
                }
                Err(error) => {
                    let again = error.is_of_the_disk() && !self.stopping.load(Ordering::Relaxed);
                    self.note_failure(what, &error);
                    if !again {
                        self.stats.lost.fetch_add(count as u64, Ordering::Relaxed);
                        return None;
                    }
                    thread::sleep(STORE_RETRY);
                }
            }
        }
    }

    fn commit_polls(&mut self, polls: &[PollWrite]) -> Result<(), StoreFailure> {
        let registrations: Vec<&Registration> = polls.iter().flat_map(|poll| &poll.registrations).collect();
        if !registrations.is_empty() {
            let named: Vec<_> = registrations.iter().map(|r| (r.name.clone(), r.meta.clone())).collect();
            let ids = self.config.store.register(&named)?;
            for (registration, id) in registrations.iter().zip(ids) {
                let slot = registration.slot as usize;
                if self.slots.len() <= slot {
                    self.slots.resize(slot + 1, None);
                }
                self.slots[slot] = Some(id);
            }
        }
        let samples: Vec<Sample> = polls.iter().flat_map(|poll| self.samples_of(poll)).collect();
        let ack = self.config.store.append(&samples, now_ms())?;
        self.stats.stored_samples.fetch_add(ack.accepted as u64, Ordering::Relaxed);
        self.stats.refused_samples.fetch_add((ack.too_old + ack.too_new) as u64, Ordering::Relaxed);
        Ok(())
    }

    /// A poll's samples, under the numbers that the store has given to their series.
    fn samples_of(&self, poll: &PollWrite) -> impl Iterator<Item = Sample> {
        poll.samples.iter().filter_map(|sample| {
            let series = self.slots.get(sample.slot as usize).copied().flatten()?;
            let SlotSample { time_ms, value, flags, .. } = *sample;
            Some(Sample { series, time_ms, value, flags })
        })
    }

    fn tell_polls(&self, polls: Vec<PollWrite>) {
        for poll in polls {
            let mut readings = poll.device.readings();
            self.samples_of(&poll).for_each(|sample| readings.put(sample));
            drop(readings);
            poll.device.lock().last_stored_ms = Some(poll.polled_ms);
            self.config.fleet.tell(Notice::Polled(poll.device));
        }
    }

    fn commit_events(&self, events: &[EventWrite]) -> Result<Vec<EventId>, StoreFailure> {
        let new: Vec<NewEvent<'_>> = events
            .iter()
            .map(|event| NewEvent {
                time_ms: event.time_ms,
                kind: event.kind,
                device: &event.device,
                payload: event.payload.as_bytes(),
            })
            .collect();
        let ids = self.config.store.append_events(&new, now_ms())?;
        self.stats.stored_events.fetch_add(events.len() as u64, Ordering::Relaxed);
        Ok(ids)
    }

    fn tell_events(&self, events: Vec<EventWrite>, ids: Vec<EventId>) {
        for (event, id) in events.into_iter().zip(ids) {
            if let Some(number) = event.acknowledgement {
                (self.config.acknowledge)(number);
            }
            let EventWrite { time_ms, kind, device, payload, .. } = event;
            self.config.fleet.tell(Notice::Event { id: id.0, time_ms, kind, device, payload });
        }
    }

    /// Expires what retention has passed; how long until the next time.
    fn maintain(&self) -> Duration {
        match self.config.store.maintain(now_ms()) {
            Ok(true) => Duration::ZERO,
            Ok(false) => MAINTENANCE_INTERVAL,
            Err(error) => {
                self.note_failure("maintenance", &error.into());
                STORE_RETRY
            }
        }
    }

    fn note_failure(&self, what: &str, error: &StoreFailure) {
        self.stats.failures.fetch_add(1, Ordering::Relaxed);
        self.stats.is_failing.store(true, Ordering::Relaxed);
        tracing::error!(%error, "{what} could not be stored");
    }
}

/// Any failure of the store.
#[derive(Debug, thiserror::Error)]
enum StoreFailure {
    #[error(transparent)]
    Register(#[from] hamsa_store::RegisterError),
    #[error(transparent)]
    Append(#[from] hamsa_store::AppendError),
    #[error(transparent)]
    Event(#[from] hamsa_store::EventError),
    #[error(transparent)]
    Storage(#[from] hamsa_store::StorageError),
}

impl StoreFailure {
    /// Whether it may pass: a full disk, say.
    fn is_of_the_disk(&self) -> bool {
        use hamsa_store::{AppendError, EventError, RegisterError};
        matches!(
            self,
            StoreFailure::Storage(_)
                | StoreFailure::Register(RegisterError::Storage(_))
                | StoreFailure::Append(AppendError::Storage(_) | AppendError::HeadFull)
                | StoreFailure::Event(EventError::Storage(_))
        )
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64
}
