//! Reading samples back: a span of time, a day at a time, from blocks and heads alike.

use std::sync::Arc;

use crate::error::StorageError;
use crate::head::Head;
use crate::limits::PARTITION_MS;
use crate::partition::day;
use crate::sample::{Sample, SeriesId};
use crate::seal;
use crate::store::Store;

/// The samples of a series in order of time. Ends after an error.
///
/// It shows what had been appended when it was made; of what is appended meanwhile it may show some. It keeps a
/// day of the series in memory.
#[derive(Debug)]
pub struct Samples<'a> {
    store: &'a Store,
    series: SeriesId,
    from_ms: i64,
    to_ms: i64,
    /// Days still to be read, oldest last.
    days: Vec<i64>,
    /// Samples from heads, in order of time, first appended first.
    head: Vec<Sample>,
    /// Samples of the day being read.
    day: std::vec::IntoIter<Sample>,
}

impl<'a> Samples<'a> {
    pub(crate) fn new(store: &'a Store, series: SeriesId, from_ms: i64, to_ms: i64) -> Result<Self, StorageError> {
        // Heads first: what is sealed after this is in both, what was sealed before is in the partitions.
        let head = read_heads(&store.heads(), series, from_ms, to_ms)?;
        let mut days: Vec<_> = store.samples.days();
        days.retain(|d| (day(from_ms)..=day(to_ms)).contains(d));
        days.extend(head.iter().map(|s| day(s.time_ms)));
        days.sort_unstable_by(|a, b| b.cmp(a));
        days.dedup();
        Ok(Self { store, series, from_ms, to_ms, days, head, day: Vec::new().into_iter() })
    }

    fn read_day(&self, number: i64) -> Result<Vec<Sample>, StorageError> {
        let start_ms = number.saturating_mul(PARTITION_MS);
        let from_ms = self.from_ms.max(start_ms);
        let to_ms = self.to_ms.min(start_ms.saturating_add(PARTITION_MS));
        let mut samples = Vec::new();
        if let Some(file) = self.store.samples.get(number)? {
            seal::read(&file, self.series, from_ms, to_ms, &mut samples)?;
        }
        let from = self.head.partition_point(|s| s.time_ms < from_ms);
        let to = self.head.partition_point(|s| s.time_ms < to_ms);
        samples.extend_from_slice(&self.head[from..to]);
        // Stable, and what was appended first stands first.
        samples.sort_by_key(|s| s.time_ms);
        samples.dedup_by_key(|s| s.time_ms);
        Ok(samples)
    }
}

impl Iterator for Samples<'_> {
    type Item = Result<Sample, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(sample) = self.day.next() {
                return Some(Ok(sample));
            }
            let number = self.days.pop()?;
            match self.read_day(number) {
                Ok(samples) => self.day = samples.into_iter(),
                Err(e) => {
                    self.days.clear();
                    return Some(Err(e));
                }
            }
        }
    }
}

/// The sample of a series with the greatest time.
pub(crate) fn latest(store: &Store, series: SeriesId) -> Result<Option<Sample>, StorageError> {
    let head = read_heads(&store.heads(), series, i64::MIN, i64::MAX)?;
    let newest_ms = head.last().map(|s| s.time_ms);
    let mut latest = head.into_iter().find(|s| Some(s.time_ms) == newest_ms);
    for number in store.samples.days().into_iter().rev() {
        let from_ms = latest.map_or(i64::MIN, |s| s.time_ms);
        if number < day(from_ms) {
            break;
        }
        let Some(file) = store.samples.get(number)? else { continue };
        let start_ms = number.saturating_mul(PARTITION_MS);
        let mut samples = Vec::new();
        let to_ms = start_ms.saturating_add(PARTITION_MS);
        seal::read(&file, series, from_ms.max(start_ms), to_ms, &mut samples)?;
        // What is sealed was appended before what is in a head, so it counts also when the times are equal.
        samples.sort_by_key(|s| s.time_ms);
        samples.dedup_by_key(|s| s.time_ms);
        if let Some(sample) = samples.pop() {
            latest = Some(sample);
            break;
        }
    }
    Ok(latest)
}

/// Samples of a series from heads, oldest head first, in order of time.
fn read_heads(heads: &[Arc<Head>], series: SeriesId, from_ms: i64, to_ms: i64) -> Result<Vec<Sample>, StorageError> {
    let mut samples = Vec::new();
    for head in heads {
        head.read(series, from_ms, to_ms, &mut samples)?;
    }
    samples.sort_by_key(|s| s.time_ms);
    Ok(samples)
}
