//! Events: notifications received and changes of state, kept in order of time and asked for newest first.
//!
//! What an event says is the caller's business (`payload`); the store knows when, what kind and which device.

use std::sync::{Arc, Mutex};

use crate::engine::{EVENTS, EngineFile};
use crate::error::{At, StorageError};
use crate::limits::{
    AHEAD_MS_MAX, APPEND_EVENTS_MAX, EVENT_IDS_RESERVED, EVENT_KIND_OCTETS_MAX, EVENT_PAGE_MAX,
    EVENT_PAYLOAD_OCTETS_MAX, EVENT_SCAN_MAX, NAME_OCTETS_MAX,
};
use crate::locks::lock;
use crate::partition::{Kind, Partitions, day, oldest_day};
use crate::store::take_numbers;

/// The partitions of events.
pub(crate) const EVENT_FILES: Kind = Kind {
    prefix: "events",
    fill: |transaction| {
        transaction.open_table(EVENTS)?;
        Ok(())
    },
};

const NEXT_EVENT: &str = "next event";

/// An event's number: later ones have greater numbers, none is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u64);

/// An event to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewEvent<'a> {
    /// When it happened or was received, in milliseconds of Unix time.
    pub time_ms: i64,
    /// What kind it is, such as `trap`.
    pub kind: &'a str,
    /// The device's name in the inventory; empty if it is of no device.
    pub device: &'a str,
    /// What there is to say.
    pub payload: &'a [u8],
}

/// An event as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number.
    pub id: EventId,
    /// When it happened or was received, in milliseconds of Unix time.
    pub time_ms: i64,
    /// What kind it is.
    pub kind: String,
    /// The device's name; empty if it is of no device.
    pub device: String,
    /// What there is to say.
    pub payload: Vec<u8>,
}

/// Which events to get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventQuery<'a> {
    /// Not before this, in milliseconds of Unix time.
    pub from_ms: i64,
    /// Before this.
    pub to_ms: i64,
    /// Only of this kind.
    pub kind: Option<&'a str>,
    /// Only of this device.
    pub device: Option<&'a str>,
    /// At most this many, and never more than [`EVENT_PAGE_MAX`].
    pub limit: usize,
    /// Only those that come after this place: [`EventPage::next`] of the page before.
    pub after: Option<EventPlace>,
}

impl Default for EventQuery<'_> {
    /// The newest hundred of all events.
    fn default() -> Self {
        Self { from_ms: i64::MIN, to_ms: i64::MAX, kind: None, device: None, limit: 100, after: None }
    }
}

/// A place in the order of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPlace {
    /// Time of the event there.
    pub time_ms: i64,
    /// Its number.
    pub id: EventId,
}

/// Some events, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventPage {
    /// The events.
    pub events: Vec<Event>,
    /// Where to go on; `None` when there are no more. A page may be short, even empty, and still have a next one: a
    /// page looks at [`EVENT_SCAN_MAX`] events at most.
    pub next: Option<EventPlace>,
}

/// Events can't be stored. None of the call was, unless `Storage` says that a disk failed: then those of an earlier
/// day may have been.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// A part of an event is too long.
    #[error("event {index}: the {what} has {octets} octets, at most {max} are allowed")]
    TooLong {
        /// Which event of the call.
        index: usize,
        /// Which part.
        what: &'static str,
        /// Its length.
        octets: usize,
        /// The greatest length allowed.
        max: usize,
    },
    /// The time is older than what is kept, or too far ahead.
    #[error("event {index}: {time_ms} ms is older than what is kept or too far ahead; check the clock")]
    Time {
        /// Which event of the call.
        index: usize,
        /// Its time.
        time_ms: i64,
    },
    /// Too many events at once.
    #[error("{events} events in one call, at most {APPEND_EVENTS_MAX} are allowed; split them")]
    TooMany {
        /// How many.
        events: usize,
    },
    /// The file system or the engine failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The events of a store.
#[derive(Debug)]
pub(crate) struct Events {
    pub(crate) partitions: Partitions,
    /// Numbers taken from the main file and not yet used.
    numbers: Mutex<std::ops::Range<u64>>,
}

impl Events {
    pub(crate) fn new(partitions: Partitions) -> Self {
        Self { partitions, numbers: Mutex::new(0..0) }
    }

    pub(crate) fn append(
        &self,
        main: &EngineFile,
        events: &[NewEvent<'_>],
        now_ms: i64,
        retention_ms: i64,
    ) -> Result<Vec<EventId>, EventError> {
        if events.len() > APPEND_EVENTS_MAX {
            return Err(EventError::TooMany { events: events.len() });
        }
        for (index, event) in events.iter().enumerate() {
            check(index, event, now_ms, retention_ms)?;
        }
        let mut numbers = lock(&self.numbers);
        if numbers.end - numbers.start < events.len() as u64 {
            *numbers = take_numbers(main, NEXT_EVENT, EVENT_IDS_RESERVED.max(events.len() as u64))?;
        }
        let ids: Vec<_> = numbers.by_ref().take(events.len()).collect();
        let mut ordered: Vec<_> = ids.iter().zip(events).collect();
        ordered.sort_by_key(|(_, event)| day(event.time_ms));
        for events in ordered.chunk_by(|(_, a), (_, b)| day(a.time_ms) == day(b.time_ms)) {
            let file = self.partitions.get_or_create(day(events[0].1.time_ms))?;
            file.write(|transaction| {
                let mut table = transaction.open_table(EVENTS).at(file.name())?;
                for (id, event) in events {
                    table.insert((event.time_ms, **id), (event.kind, event.device, event.payload)).at(file.name())?;
                }
                Ok::<_, StorageError>(())
            })?;
        }
        Ok(ids.into_iter().map(EventId).collect())
    }

    pub(crate) fn query(&self, query: &EventQuery<'_>) -> Result<EventPage, StorageError> {
        let mut page = EventPage::default();
        let mut left = EVENT_SCAN_MAX;
        let limit = query.limit.clamp(1, EVENT_PAGE_MAX);
        let end = query.after.map_or((query.to_ms, 0), |place| (place.time_ms, place.id.0).min((query.to_ms, 0)));
        let days = day(query.from_ms)..=day(end.0);
        for day in self.partitions.days().into_iter().rev().filter(|day| days.contains(day)) {
            let Some(file) = self.partitions.get(day)? else { continue };
            if let Some(next) = read_day(&file, query, end, limit, &mut left, &mut page.events)? {
                page.next = Some(next);
                break;
            }
        }
        Ok(page)
    }
}

/// Reads one day's events, newest first; returns the place to go on from when the page is full.
fn read_day(
    file: &Arc<EngineFile>,
    query: &EventQuery<'_>,
    end: (i64, u64),
    limit: usize,
    left: &mut usize,
    events: &mut Vec<Event>,
) -> Result<Option<EventPlace>, StorageError> {
    if end <= (query.from_ms, 0) {
        return Ok(None);
    }
    file.read(|transaction| {
        let table = transaction.open_table(EVENTS)?;
        let mut last = None;
        for entry in table.range((query.from_ms, 0)..end)?.rev() {
            if events.len() == limit || *left == 0 {
                return Ok(last);
            }
            let (key, value) = entry?;
            let ((time_ms, id), (kind, device, payload)) = (key.value(), value.value());
            let id = EventId(id);
            *left -= 1;
            last = Some(EventPlace { time_ms, id });
            if query.kind.is_none_or(|k| k == kind) && query.device.is_none_or(|d| d == device) {
                let (kind, device) = (kind.to_owned(), device.to_owned());
                events.push(Event { id, time_ms, kind, device, payload: payload.to_vec() });
            }
        }
        Ok(None)
    })
}

fn check(index: usize, event: &NewEvent<'_>, now_ms: i64, retention_ms: i64) -> Result<(), EventError> {
    for (what, octets, max) in [
        ("kind", event.kind.len(), EVENT_KIND_OCTETS_MAX),
        ("device", event.device.len(), NAME_OCTETS_MAX),
        ("payload", event.payload.len(), EVENT_PAYLOAD_OCTETS_MAX),
    ] {
        if octets > max {
            return Err(EventError::TooLong { index, what, octets, max });
        }
    }
    let oldest = oldest_day(now_ms, retention_ms).max(0);
    if day(event.time_ms) < oldest || event.time_ms > now_ms.saturating_add(AHEAD_MS_MAX) {
        return Err(EventError::Time { index, time_ms: event.time_ms });
    }
    Ok(())
}
