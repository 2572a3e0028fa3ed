//! The listening service: how requests for swaps come in. Whoever accepts them, over HTTP, a control socket, SNMP or a
//! group, puts them into a [`RequestQueue`]; one thread of the host's takes them out, by [`SwapManager::attend`](crate::SwapManager::attend).
//! So a request that comes in through a module that it would replace does not wait for itself.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::error::SwapError;
use crate::journal::VersionNumber;
use crate::limits::REQUESTS_MAX;
use crate::manager::SwapReport;
use crate::module::ModuleId;
use crate::package::Package;
use crate::security::Principal;
use crate::sync::{lock, wait_while};
use crate::timing::Timing;

/// What can be asked for.
#[derive(Debug, Clone)]
pub enum Request {
    /// Replace modules by the versions of these packages, all or none.
    Swap {
        /// Who asks.
        who: Principal,
        /// The new versions.
        packages: Vec<Package>,
        /// How.
        options: SwapOptions,
    },
    /// Go back to earlier versions of modules, all or none.
    RollBack {
        /// Who asks.
        who: Principal,
        /// Which modules, and to which versions.
        to: Vec<(ModuleId, VersionNumber)>,
        /// With which state.
        state: RollBackState,
        /// How.
        options: SwapOptions,
    },
}

/// How a swap is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SwapOptions {
    /// How long its parts may take.
    pub timing: Timing,
    /// Whether the new versions are on probation.
    pub probation: Option<Probation>,
    /// Find out only whether it would be agreed to. No gate is closed.
    pub dry_run: bool,
}

/// When a new version is taken back by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probation {
    /// How long it is watched.
    pub lasts: Duration,
    /// It is taken back when it panics more often than this.
    pub panics_max: u64,
    /// It is taken back when more than this part of its calls end in an error, 0.0 to 1.0.
    pub error_rate_max: f64,
    /// No rate is made of fewer calls.
    pub calls_min: u64,
}

/// Which state an earlier version gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollBackState {
    /// The present one, mapped backwards; refused if no mapping leads there.
    Mapped,
    /// The one that it had when it was replaced. What happened since then is lost.
    Kept,
    /// The present one if it can be mapped, otherwise the one that it had.
    MappedOrKept,
}

/// Requests that wait for their turn. Clones are the same queue.
#[derive(Debug, Clone, Default)]
pub struct RequestQueue {
    waiting: Arc<Mutex<VecDeque<(Request, Ticket)>>>,
}

/// What came of a request.
pub type Answer = Result<SwapReport, SwapError>;

/// Waits for what comes of a request.
#[derive(Debug, Clone, Default)]
pub struct Ticket {
    answer: Arc<(Mutex<Option<Answer>>, Condvar)>,
}

/// There is no room for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{REQUESTS_MAX} swaps wait already, ask again later")]
pub struct QueueIsFull;

impl RequestQueue {
    /// Puts a request at the end.
    ///
    /// # Errors
    /// There is no room.
    pub fn submit(&self, request: Request) -> Result<Ticket, QueueIsFull> {
        let mut waiting = lock(&self.waiting);
        if waiting.len() >= REQUESTS_MAX {
            return Err(QueueIsFull);
        }
        let ticket = Ticket::default();
        waiting.push_back((request, ticket.clone()));
        Ok(ticket)
    }

    /// The request that has waited longest, and where its answer goes.
    pub fn take(&self) -> Option<(Request, Ticket)> {
        lock(&self.waiting).pop_front()
    }
}

impl Ticket {
    /// What came of it, if that is known yet.
    pub fn answer(&self) -> Option<Answer> {
        lock(&self.answer.0).clone()
    }

    /// Waits for what came of it, no longer than `patience`.
    pub fn wait(&self, patience: Duration) -> Option<Answer> {
        let (answer, changed) = &*self.answer;
        wait_while(changed, lock(answer), patience, |answer| answer.is_none()).0.clone()
    }

    /// Says what came of it.
    pub fn settle(&self, answer: Answer) {
        *lock(&self.answer.0) = Some(answer);
        self.answer.1.notify_all();
    }
}
