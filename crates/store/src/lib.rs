//! Samples, events, series and state in one directory, on an embedded engine (redb).
//!
//! # What a caller gets
//! - [`Store::append`] has samples on disk when it returns: what was acknowledged survives `kill -9` and a power cut.
//!   One call is one sync (about a millisecond on an SSD), so the node's writer gathers what comes in, for a second say,
//!   and appends then; what it has gathered and not appended is what a crash costs.
//! - [`Store::range`] and [`Store::latest`] read exact 64-bit integers back, in order of time, whatever the order in which
//!   they came. Of two samples with one series and time the one appended first is kept.
//! - [`rate`] makes rates of counters, [`Store::append_events`] keeps notifications and changes of state,
//!   [`Store::put_state`] and [`Store::reserve`] keep what must not be forgotten or given out twice.
//! - [`Store::maintain`] and [`Store::expire`] are the housekeeping, in small steps, on a thread of the caller's: the store
//!   has none of its own, and reads no clock (`now_ms` is Unix time in milliseconds).
//!
//! What it leaves out: aggregation, downsampling, queries beyond a span of one series, replication.
//!
//! # What is on disk
//! ```text
//! lock                  held by the process that has the store open
//! main.redb             registry of series, state objects, counters, numbers given out, format version
//! head-<n>.redb         rows: samples as they were appended, of about one window of time (2 hours)
//! samples-<day>.redb    blocks: the samples of one UTC day (days since 1970), squeezed
//! events-<day>.redb     the events of one UTC day
//! *.redb.new            being made; removed when the store is opened
//! ```
//! A sample goes through three places. `append` turns what came of one device into a *row* ([`encoding::row`], some 6
//! octets a sample) at the end of the *head*, which is all that a commit has to write. When the window is over the head
//! is put aside, a new one takes its place, and `maintain` *seals* it: for each group of series all rows become one
//! *block* a window ([`encoding::block`], 1 to 4 octets a sample) in the file of its day, and the head is removed.
//! After `sample_retention` the file of the day is removed: no row is ever deleted one by one. Late samples go the same way
//! into the head of the day; a window then has blocks of several heads, which reading merges.
//!
//! Each file is changed in transactions, and in an order in which a crash between two files does no harm: a file is
//! filled under another name and renamed; numbers are taken from `main.redb` before they are used; a head is removed after
//! its last block is on disk, and sealing it again makes the same blocks in the same places.
//!
//! # Why redb, and why blocks
//! Measured against fjall, and against one row a sample, in `benches/store`; its README has the table. On this workload
//! blocks need 15 to 30 times less disk and a seventh of the processor time of rows. With blocks the two engines are close: fjall
//! writes a third less, reads up to twice as fast and needs a tenth less disk. redb was chosen since a cut of power while a state object
//! of a few pages was being written left fjall's database one time in six so that it could not be opened any more, with
//! all that was in it; redb's always could. Besides it has no threads, and a boundary below which tests can cut the power.

pub mod encoding;
mod engine;
mod error;
mod event;
mod files;
mod head;
pub mod limits;
mod locks;
mod partition;
mod range;
pub mod rate;
mod sample;
mod seal;
mod series;
mod state;
mod store;

pub use error::{OpenError, StorageError};
pub use event::{Event, EventError, EventId, EventPage, EventPlace, EventQuery, NewEvent};
pub use files::{DiskFiles, FileInfo, Files, StoreFile};
pub use range::Samples;
pub use sample::{Sample, SampleFlags, SeriesId};
pub use series::{RegisterError, Series, SeriesKind, SeriesMeta, SeriesName};
pub use state::StateError;
pub use store::{Ack, AppendError, Stats, Store, StoreOptions};
