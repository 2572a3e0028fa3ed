//! The transaction service: one swap as a state machine without threads, clock or modules. [`Transaction::poll`] says what is to be done,
//! [`Transaction::handle_outcome`] hears what came of it. [`drive`] runs it against whatever can do the steps:
//! real modules in the manager, a model of them in the simulation.
//!
//! ```text
//! begin ─ votes ─ ready? ─ close ─ drain ─ transfer ─ COMMIT ─ replace ─ open ─ tell, keep ─ done
//!   └───────┴───────┴────────┴───────┴────────┴──► open the old ─ tell ─ abort      (or, if not ready: again)
//! ```
//! The point of no return is the entry `Commit` in the journal. All that can fail is before it (invariants S2, S3); what comes
//! after can't, and is done also past the budget.

use std::time::{Duration, Instant};

use crate::journal::{Change, Entry};
use crate::limits::READY_PAUSE;
use crate::timing::{Clock, Timing};

/// What is to be done next. Numbers are those of the transaction's parts, callers before what they call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Write to the journal; if the entry is the last one, for good.
    Record(Entry),
    /// Ask the old and the new version of a part.
    Vote(usize),
    /// See whether each part is where it may be replaced.
    Check,
    /// Wait until then.
    Wait(Instant),
    /// Close a part's gate.
    Close(usize),
    /// See whether all calls have left, and each part is still where it may be replaced.
    Drain,
    /// Retrieve a part's state, map it, and give it and the resources to the new version.
    Transfer(usize),
    /// Put the new version in place.
    Replace(usize),
    /// Open a part's gate, to the new version if it was replaced.
    Open(usize),
    /// Tell a part how it ended, and clean up.
    Tell {
        /// Which.
        part: usize,
        /// Whether the new version serves.
        committed: bool,
    },
    /// Keep the state that a part's old version had.
    Keep(usize),
}

/// A step, or how it ended.
#[derive(Debug)]
pub enum Next<'a> {
    /// To be done.
    Step(Step),
    /// Nothing is left to do.
    Ended(&'a End),
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// Not yet: calls are still inside. Of [`Step::Drain`] only.
    Busy,
    /// A part may not be replaced at the moment, and which. Of [`Step::Check`] and [`Step::Drain`] only.
    NotReady(String),
    /// It can't be done.
    Failed(String),
}

/// Why a swap was aborted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Abort {
    /// The journal can't be written.
    #[error("{0}")]
    Journal(String),
    /// A module votes against it.
    #[error("{0}")]
    Vote(String),
    /// A module does not come to where it may be replaced.
    #[error("not ready in {within_ms} ms: {what}")]
    NotReady {
        /// Which, and where it is.
        what: String,
        /// The time it had.
        within_ms: u64,
    },
    /// The gates were closed for as long as they may be.
    #[error("the budget of {budget_ms} ms was over before {what}")]
    Budget {
        /// What it was over before.
        what: &'static str,
        /// The budget.
        budget_ms: u64,
    },
    /// A state can't be retrieved, mapped or restored.
    #[error("{0}")]
    Transfer(String),
    /// It was to be tried only, and nothing speaks against it.
    #[error("a dry run: nothing speaks against it")]
    DryRun,
}

/// How a transaction ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The new versions serve.
    Committed,
    /// The old versions serve on.
    Aborted(Abort),
}

/// One swap of any number of modules, all or none.
#[derive(Debug)]
pub struct Transaction {
    number: u64,
    changes: Vec<Change>,
    timing: Timing,
    is_dry_run: bool,
    ready_by: Instant,
    blackout: Duration,
    attempts: u32,
    at: At,
}

#[derive(Debug)]
enum At {
    Beginning,
    Voting {
        part: usize,
    },
    Checking,
    Waiting {
        until: Instant,
    },
    Closing {
        part: usize,
        since: Instant,
    },
    Draining {
        since: Instant,
    },
    Transferring {
        part: usize,
        since: Instant,
    },
    Deciding {
        since: Instant,
    },
    /// A commit that may have been written is taken back, before a call can be served that it would deny.
    Revoking {
        since: Instant,
        abort: Abort,
    },
    Replacing {
        part: usize,
        since: Instant,
    },
    /// Those less than `left` are still closed.
    Opening {
        left: usize,
        since: Instant,
        end: Opened,
    },
    Telling {
        part: usize,
        end: End,
    },
    Keeping {
        part: usize,
    },
    Recording {
        end: End,
    },
    Ended(End),
}

/// What follows when all gates are open again.
#[derive(Debug)]
enum Opened {
    New,
    Old(Abort),
    Again { what: String },
}

impl Transaction {
    /// A transaction that has not begun. `changes` are in the order in which gates close.
    pub fn new(now: Instant, number: u64, changes: Vec<Change>, timing: Timing, is_dry_run: bool) -> Self {
        Transaction {
            number,
            changes,
            timing,
            is_dry_run,
            ready_by: now + timing.ready_within,
            blackout: Duration::ZERO,
            attempts: 0,
            at: At::Beginning,
        }
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What it changes.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The longest time from the closing of the first gate to the opening of the last.
    pub fn blackout(&self) -> Duration {
        self.blackout
    }

    /// How often gates were closed.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether the decision for the new versions was made: from then on nothing can stop it.
    pub fn is_committed(&self) -> bool {
        match &self.at {
            At::Replacing { .. } | At::Keeping { .. } => true,
            At::Opening { end, .. } => matches!(end, Opened::New),
            At::Telling { end, .. } | At::Recording { end } | At::Ended(end) => *end == End::Committed,
            _ => false,
        }
    }

    /// Whether a commit may be in the journal that is about to be taken back: a crash now comes back on either side, and no
    /// call has been served that would tell the difference.
    pub fn is_in_doubt(&self) -> bool {
        matches!(self.at, At::Deciding { .. } | At::Revoking { .. })
    }

    /// What is to be done next: the same again until its outcome was handled.
    pub fn poll(&self) -> Next<'_> {
        let transaction = self.number;
        Next::Step(match &self.at {
            At::Beginning => Step::Record(Entry::Begin { transaction, changes: self.changes.clone() }),
            At::Voting { part } => Step::Vote(*part),
            At::Checking => Step::Check,
            At::Waiting { until } => Step::Wait(*until),
            At::Closing { part, .. } => Step::Close(*part),
            At::Draining { .. } => Step::Drain,
            At::Transferring { part, .. } => Step::Transfer(*part),
            At::Deciding { .. } => Step::Record(Entry::Commit { transaction }),
            At::Revoking { abort, .. } => Step::Record(Entry::Abort { transaction, reason: abort.to_string() }),
            At::Replacing { part, .. } => Step::Replace(*part),
            At::Opening { left, .. } => Step::Open(left - 1),
            At::Telling { part, end } => Step::Tell { part: *part, committed: *end == End::Committed },
            At::Keeping { part } => Step::Keep(*part),
            At::Recording { end: End::Committed } => Step::Record(Entry::Done { transaction }),
            At::Recording { end: End::Aborted(abort) } => {
                Step::Record(Entry::Abort { transaction, reason: abort.to_string() })
            }
            At::Ended(end) => return Next::Ended(end),
        })
    }

    /// What came of the step that [`Transaction::poll`] said, and when.
    pub fn handle_outcome(&mut self, now: Instant, outcome: Outcome) {
        let parts = self.changes.len();
        let at = std::mem::replace(&mut self.at, At::Checking);
        self.at = match (at, outcome) {
            (At::Beginning, Outcome::Failed(reason)) => At::Ended(End::Aborted(Abort::Journal(reason))),
            (At::Beginning, _) => At::Voting { part: 0 },

            (At::Voting { part }, Outcome::Failed(reason)) => tell_old(part + 1, Abort::Vote(reason)),
            (At::Voting { part }, _) if part + 1 < parts => At::Voting { part: part + 1 },
            (At::Voting { .. }, _) => At::Checking,

            (At::Checking, Outcome::NotReady(what)) => self.wait(now, what),
            (At::Checking, Outcome::Failed(reason)) => tell_old(parts, Abort::Vote(reason)),
            (At::Checking, _) if self.is_dry_run => tell_old(parts, Abort::DryRun),
            (At::Checking, _) if now >= self.ready_by => self.wait(now, "the votes took all of the time".to_owned()),
            (At::Checking, _) => {
                self.attempts += 1;
                At::Closing { part: 0, since: now }
            }
            (At::Waiting { .. }, _) => At::Checking,

            (At::Closing { part, since }, _) if part + 1 < parts => At::Closing { part: part + 1, since },
            (At::Closing { since, .. }, _) => At::Draining { since },

            (At::Draining { since }, Outcome::Done) if self.is_over(now, since) => self.reopen(since, "the transfer"),
            (At::Draining { since }, Outcome::Done) => At::Transferring { part: 0, since },
            (At::Draining { since }, Outcome::NotReady(what)) => {
                At::Opening { left: parts, since, end: Opened::Again { what } }
            }
            (At::Draining { since }, Outcome::Failed(reason)) => {
                At::Opening { left: parts, since, end: Opened::Old(Abort::Transfer(reason)) }
            }
            (At::Draining { since }, Outcome::Busy) if self.is_over(now, since) => {
                self.reopen(since, "all calls had left")
            }
            (At::Draining { since }, Outcome::Busy) => At::Draining { since },

            (At::Transferring { since, .. }, Outcome::Failed(reason)) => {
                At::Opening { left: parts, since, end: Opened::Old(Abort::Transfer(reason)) }
            }
            (At::Transferring { since, .. }, _) if self.is_over(now, since) => {
                self.reopen(since, "all states were there")
            }
            (At::Transferring { part, since }, _) if part + 1 < parts => At::Transferring { part: part + 1, since },
            (At::Transferring { since, .. }, _) => At::Deciding { since },

            (At::Deciding { since }, Outcome::Failed(reason)) => At::Revoking { since, abort: Abort::Journal(reason) },
            (At::Revoking { since, abort }, _) => At::Opening { left: parts, since, end: Opened::Old(abort) },
            // The point of no return.
            (At::Deciding { since }, _) => At::Replacing { part: 0, since },

            (At::Replacing { part, since }, _) if part + 1 < parts => At::Replacing { part: part + 1, since },
            (At::Replacing { since, .. }, _) => At::Opening { left: parts, since, end: Opened::New },

            (At::Opening { left, since, end }, _) if left > 1 => At::Opening { left: left - 1, since, end },
            (At::Opening { since, end, .. }, _) => {
                self.blackout = self.blackout.max(now.saturating_duration_since(since));
                match end {
                    Opened::New => At::Telling { part: 0, end: End::Committed },
                    Opened::Old(abort) => tell_old(parts, abort),
                    Opened::Again { what } => self.wait(now, what),
                }
            }

            (At::Telling { part, end }, _) if part > 0 && end != End::Committed => At::Telling { part: part - 1, end },
            (At::Telling { end, .. }, _) if end != End::Committed => At::Recording { end },
            (At::Telling { part, end }, _) if part + 1 < parts => At::Telling { part: part + 1, end },
            (At::Telling { .. }, _) => At::Keeping { part: 0 },

            (At::Keeping { part }, _) if part + 1 < parts => At::Keeping { part: part + 1 },
            (At::Keeping { .. }, _) => At::Recording { end: End::Committed },

            // An abort need not be written: what was not committed is aborted. After a commit that could not be written
            // for certain it must be, and the manager sees to that before it begins anything else.
            (At::Recording { end }, _) | (At::Ended(end), _) => At::Ended(end),
        };
    }

    /// Looks again later, unless the time for it is over.
    fn wait(&self, now: Instant, what: String) -> At {
        if now < self.ready_by {
            return At::Waiting { until: (now + READY_PAUSE).min(self.ready_by) };
        }
        let within_ms = self.timing.ready_within.as_millis() as u64;
        tell_old(self.changes.len(), Abort::NotReady { what, within_ms })
    }

    fn is_over(&self, now: Instant, since: Instant) -> bool {
        now.saturating_duration_since(since) >= self.timing.budget
    }

    fn reopen(&self, since: Instant, what: &'static str) -> At {
        let abort = Abort::Budget { what, budget_ms: self.timing.budget.as_millis() as u64 };
        At::Opening { left: self.changes.len(), since, end: Opened::Old(abort) }
    }
}

/// Tells those of the first `asked` parts that were asked for their votes.
fn tell_old(asked: usize, abort: Abort) -> At {
    At::Telling { part: asked - 1, end: End::Aborted(abort) }
}

/// What does the steps of a transaction.
pub trait Participants {
    /// Does one, and says what came of it. A step after the decision can't fail.
    fn perform(&mut self, step: &Step) -> Outcome;
}

/// Does a transaction's steps until it ends.
pub fn drive(transaction: &mut Transaction, participants: &mut dyn Participants, clock: &dyn Clock) -> End {
    loop {
        match transaction.poll() {
            Next::Ended(end) => return end.clone(),
            Next::Step(step) => {
                let outcome = participants.perform(&step);
                transaction.handle_outcome(clock.now(), outcome);
            }
        }
    }
}
