//! Members of groups in processes of their own: what they are told to do, and what their logs prove.
//!
//! The program `group-member` takes a [`MemberPlan`] as its only argument, in JSON. It joins groups over the plan's engine, sends
//! messages, keeps a state as the simulated users do, and writes each [`Record`] as a line of JSON, before anybody else can know of it.
//! Times are those of a clock that all processes of the machine share, so [`judge`] can put several logs into one order.
//!
//! A process may be killed at any moment: its log ends there, at worst in the middle of a line.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hamsa_group::{GroupName, Member, View};
use hamsa_sim::groups::{Checkers, Record, Violation, What};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::process::Process;

/// What a member does, until it is ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberPlan {
    /// What it reaches others through.
    pub engine: EnginePlan,
    /// Its node's number.
    pub node: u32,
    /// The groups that it joins.
    pub groups: Vec<GroupPlan>,
    /// Of each group, at most: where it would block, nothing is sent.
    pub messages_per_s: u32,
    /// Octets of a message, at least eight of which name it.
    pub message_bytes: usize,
    /// See `hamsa_group::Options`.
    pub exchange_patience_ms: u64,
    /// See `hamsa_group::Options`.
    pub alone_after_ms: u64,
    /// Where records are appended.
    pub log: PathBuf,
}

/// A group to join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupPlan {
    /// Its name.
    pub name: GroupName,
    /// Whether members give each other their states; the same at all of them.
    pub has_state: bool,
}

/// An engine and its options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum EnginePlan {
    /// The embedded engine.
    Embedded {
        /// Its socket.
        socket: PathBuf,
        /// The name of the cluster.
        cluster: String,
    },
}

impl MemberPlan {
    /// Starts the program. Tests of this package find it at `env!("CARGO_BIN_EXE_group-member")`.
    ///
    /// # Panics
    /// It can't be started.
    #[track_caller]
    pub fn start(&self, program: &Path) -> Process {
        let plan = serde_json::to_string(self).expect("a plan is JSON");
        Process::spawn(&format!("group-member-{}", self.node), Command::new(program).arg(plan))
    }
}

/// The time on a clock that all processes of the machine share.
pub fn machine_time() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// What a member has written so far. A line that has no end yet is left out.
///
/// # Panics
/// A line is no record.
#[track_caller]
pub fn read_log(log: &Path) -> Vec<Record> {
    // A member that has just been started has none.
    let Ok(file) = std::fs::File::open(log) else { return Vec::new() };
    let mut lines = BufReader::new(file);
    let mut records = Vec::new();
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap_or_else(|error| panic!("{}: {error}", log.display())) > 0 {
        if line.ends_with('\n') {
            let record = serde_json::from_str(&line);
            records.push(record.unwrap_or_else(|error| panic!("{}: {error}: {line}", log.display())));
        }
        line.clear();
    }
    records
}

/// The last view that a log tells of, and whose.
pub fn last_view(log: &Path, group: &GroupName) -> Option<(Member, View)> {
    read_log(log).into_iter().rev().find_map(|record| match record.what {
        What::View(view) if record.group == *group => Some((record.member, view)),
        _ => None,
    })
}

/// Judges what members have written: each of these logs is that of one node, with all of its lives. The checkers with all records
/// tell more, such as [`Checkers::converged`].
///
/// # Errors
/// The first property that does not hold.
pub fn judge<'l>(logs: impl IntoIterator<Item = &'l Path>) -> Result<Checkers, Violation> {
    let mut records: BTreeMap<(Duration, u32), Vec<Record>> = BTreeMap::new();
    for record in logs.into_iter().flat_map(read_log) {
        records.entry((record.at, record.member.node)).or_default().push(record);
    }
    let mut checkers = Checkers::new();
    records.into_values().flatten().try_for_each(|record| checkers.record(record))?;
    checkers.finish()?;
    Ok(checkers)
}
