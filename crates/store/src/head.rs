//! The head: rows as they were appended, before they are sealed into blocks.
//!
//! A head is one file with a table that only grows at its end, so that a commit writes little more than the rows
//! themselves, and an index in memory from group to row numbers, four octets a row. The index is made anew when the
//! file is opened. Each head has a generation, a number that grows; at most one head is appended to, and at most
//! one more waits to be sealed.

use std::collections::BTreeMap;
use std::sync::RwLock;

use redb::ReadableTable;

use crate::encoding::Malformed;
use crate::encoding::row::Row;
use crate::engine::{Directory, EngineFile, HEAD, ROWS};
use crate::error::{At, StorageError};
use crate::limits::WINDOW_MS;
use crate::locks::{read, write};
use crate::sample::{Sample, SeriesId};

const PREFIX: &str = "head-";
const SUFFIX: &str = ".redb";
const WINDOW: &str = "window";
/// Part of the cache for each of the two heads.
const CACHE_PART: usize = 4;

/// The window of time that holds this moment, counted from 1970.
pub(crate) const fn window(time_ms: i64) -> i64 {
    time_ms.div_euclid(WINDOW_MS)
}

/// Rows of one generation.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) generation: u32,
    /// The window in which it was made.
    pub(crate) window: i64,
    file: EngineFile,
    index: RwLock<Index>,
}

#[derive(Debug, Default)]
struct Index {
    rows: BTreeMap<u32, Vec<u32>>,
    next_row: u32,
    samples: u64,
}

impl Head {
    /// The generation that a file's name tells, if it is a head's.
    pub(crate) fn generation(name: &str) -> Option<u32> {
        name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok()
    }

    pub(crate) fn create(directory: &Directory, generation: u32, window: i64) -> Result<Self, StorageError> {
        let options = directory.options(CACHE_PART, false, false);
        let file = EngineFile::create(&*directory.files, &name(generation), options, |transaction| {
            transaction.open_table(ROWS)?;
            transaction.open_table(HEAD)?.insert(WINDOW, window)?;
            Ok(())
        })?;
        Ok(Self { generation, window, file, index: RwLock::default() })
    }

    pub(crate) fn open(directory: &Directory, generation: u32) -> Result<Self, StorageError> {
        // It is read whole below, so it may as well be verified.
        let options = directory.options(CACHE_PART, true, false);
        let file = EngineFile::open(&*directory.files, &name(generation), options)?;
        let (window, index) = file.read(|transaction| {
            let window = transaction.open_table(HEAD)?.get(WINDOW)?.map_or(i64::MIN, |w| w.value());
            let mut index = Index::default();
            for entry in transaction.open_table(ROWS)?.iter()? {
                let (number, octets) = entry?;
                let row = Row::parse(octets.value())?;
                index.add(row.group(), number.value(), row.left());
            }
            Ok((window, index))
        })?;
        Ok(Self { generation, window, file, index: RwLock::new(index) })
    }

    /// The name of its file.
    pub(crate) fn name(&self) -> &str {
        self.file.name()
    }

    pub(crate) fn rows(&self) -> u32 {
        read(&self.index).next_row
    }

    pub(crate) fn samples(&self) -> u64 {
        read(&self.index).samples
    }

    /// The groups it has rows of, in order.
    pub(crate) fn groups(&self) -> Vec<u32> {
        read(&self.index).rows.keys().copied().collect()
    }

    /// Appends rows, each with its group and how many samples it has. On disk when this returns.
    pub(crate) fn append(&self, rows: &[(u32, usize, Vec<u8>)]) -> Result<(), StorageError> {
        let first = read(&self.index).next_row;
        self.file.write(|transaction| {
            let mut table = transaction.open_table(ROWS).at(self.name())?;
            for (number, (_, _, octets)) in (first..).zip(rows) {
                table.insert(number, octets.as_slice()).at(self.name())?;
            }
            Ok::<_, StorageError>(())
        })?;
        let mut index = write(&self.index);
        for (number, (group, samples, _)) in (first..).zip(rows) {
            index.add(*group, number, *samples);
        }
        Ok(())
    }

    /// Calls `each` with every sample of a group, in the order they were appended.
    pub(crate) fn for_each(&self, group: u32, mut each: impl FnMut(Sample)) -> Result<(), StorageError> {
        let Some(numbers) = read(&self.index).rows.get(&group).cloned() else { return Ok(()) };
        self.file.read(|transaction| {
            let table = transaction.open_table(ROWS)?;
            for number in numbers {
                let octets = table.get(number)?.ok_or(Malformed("a row is missing"))?;
                for sample in Row::parse(octets.value())? {
                    each(sample?);
                }
            }
            Ok(())
        })
    }

    /// Appends the samples of a series in a span of time to `out`, in the order they were appended.
    pub(crate) fn read(
        &self,
        series: SeriesId,
        from_ms: i64,
        to_ms: i64,
        out: &mut Vec<Sample>,
    ) -> Result<(), StorageError> {
        self.for_each(series.group(), |sample| {
            if sample.series == series && (from_ms..to_ms).contains(&sample.time_ms) {
                out.push(sample);
            }
        })
    }
}

impl Index {
    fn add(&mut self, group: u32, row: u32, samples: usize) {
        self.rows.entry(group).or_default().push(row);
        self.next_row = row + 1;
        self.samples += samples as u64;
    }
}

fn name(generation: u32) -> String {
    format!("{PREFIX}{generation}{SUFFIX}")
}
