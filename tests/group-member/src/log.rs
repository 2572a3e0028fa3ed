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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use hamsa_group::{Cause, GroupName, Member, View, ViewId};
    use hamsa_sim::groups::{Property, What};
    use tempfile::TempDir;

    use super::*;

    fn record(at_ms: u64, node: u32, what: What) -> Record {
        let (at, group) = (Duration::from_millis(at_ms), GroupName::new("group").unwrap());
        Record { at, member: Member { node, incarnation: 7 }, group, what }
    }

    /// Member 1 sends and both are given it; the second one as often as is said.
    fn logs(times: u64) -> [Vec<Record>; 2] {
        let members: Vec<Member> = [1, 2].map(|node| Member { node, incarnation: 7 }).to_vec();
        let id = ViewId { epoch: 1, coordinator: members[0], members: 1 };
        let view = |node: usize| {
            let (members, came_with) = (members.clone(), vec![members[node - 1]]);
            What::View(View { id, previous: None, members, came_with, branches: Vec::new(), cause: Cause::First })
        };
        let given = || What::Delivered { sender: members[0], seq: 1, content: 5 };
        let first = vec![
            record(1, 1, What::Joined),
            record(3, 1, view(1)),
            record(5, 1, What::Sent { seq: 1, content: 5 }),
            record(7, 1, given()),
        ];
        let mut second = vec![record(2, 2, What::Joined), record(4, 2, view(2))];
        second.extend((0..times).map(|time| record(6 + time, 2, given())));
        [first, second]
    }

    #[test]
    fn logs_are_judged_in_the_order_of_their_times() {
        let [first, second] = logs(1);
        let checkers = judge([&second[..], &first]).unwrap();
        assert_eq!((checkers.records(), checkers.views()), (7, 1));
        let [first, second] = logs(2);
        assert_eq!(judge([&second[..], &first]).unwrap_err().property, Property::Integrity);
    }

    #[test]
    fn a_line_is_read_when_it_is_whole() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("log");
        let mut log = Log::new(path.clone());
        assert_eq!(log.read(), (&[][..], 0));
        let [first, _] = logs(1);
        let lines: Vec<String> = first.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
        let mut file = File::create(path).unwrap();
        let (whole, part) = lines[1].split_at(10);
        write!(file, "{}\n{whole}", lines[0]).unwrap();
        assert_eq!(log.read(), (&first[..1], 0));
        writeln!(file, "{part}").unwrap();
        assert_eq!(log.read(), (&first[..2], 1));
    }
}
