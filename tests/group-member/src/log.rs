//! Logs of records, and their judge.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hamsa_sim::groups::{Checkers, Record, Violation};
use rustix::time::{ClockId, clock_gettime};

/// The time on a clock that all processes of the machine share.
pub fn machine_time() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The log of one life of a member, while it grows.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: Option<File>,
    /// The beginning of a line.
    rest: Vec<u8>,
    records: Vec<Record>,
}

impl Log {
    /// There may be no file yet.
    pub fn new(path: PathBuf) -> Self {
        Log { path, file: None, rest: Vec::new(), records: Vec::new() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All that was written until now; how many of them were known before. A line that has no end yet is left for later.
    ///
    /// # Panics
    /// It can't be read, or a line is no record.
    #[track_caller]
    pub fn read(&mut self) -> (&[Record], usize) {
        let known = self.records.len();
        self.file = self.file.take().or_else(|| File::open(&self.path).ok());
        if let Some(file) = &mut self.file {
            file.read_to_end(&mut self.rest).unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
            let end = self.rest.iter().rposition(|octet| *octet == b'\n').map_or(0, |at| at + 1);
            for line in self.rest[..end].split_inclusive(|octet| *octet == b'\n') {
                let record = serde_json::from_slice(line);
                self.records.push(record.unwrap_or_else(|error| panic!("{}: {error}", self.path.display())));
            }
            self.rest.drain(..end);
        }
        (&self.records, known)
    }

    /// What [`Log::read`] has found.
    pub fn records(&self) -> &[Record] {
        &self.records
    }
}

/// Judges what members have written, in the order of its times. The checkers with all records tell more, such as
/// [`Checkers::converged`].
///
/// # Errors
/// The first property that does not hold.
pub fn judge<'l>(logs: impl IntoIterator<Item = &'l [Record]>) -> Result<Checkers, Violation> {
    let mut records: Vec<&Record> = logs.into_iter().flatten().collect();
    // Stable, so that those of one member stay in their order.
    records.sort_by_key(|record| record.at);
    let mut checkers = Checkers::new();
    records.into_iter().try_for_each(|record| checkers.record(record.clone()))?;
    checkers.finish()?;
    Ok(checkers)
}
