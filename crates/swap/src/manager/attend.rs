//! What the manager does without being called for it: takes requests out of the queue, looks after modules that
//! panicked, and takes versions on probation back.

use std::time::{Duration, Instant};

use super::{Installed, OnPanic, SwapManager, SwapReport, Turn, Wanted};
use crate::error::SwapError;
use crate::event::{Cause, Happening};
use crate::journal::{Change, VersionNumber};
use crate::limits::RESTARTS_MAX;
use crate::listening::{Probation, Request, RollBackState, SwapOptions};
use crate::module::ModuleId;
use crate::proxy::Health;
use crate::sync::lock;

/// The new versions of one transaction, on probation. If one does not stand it, all are taken back.
#[derive(Debug)]
pub(super) struct Watch {
    until: Instant,
    probation: Probation,
    changes: Vec<(Change, Health)>,
}

impl Watch {
    pub(super) fn new(report: &SwapReport, probation: Probation, baselines: Vec<Health>) -> Self {
        let changes = report.changes.iter().cloned().zip(baselines).collect();
        Watch { until: report.at + probation.lasts, probation, changes }
    }

    pub(super) fn is_of_any(&self, changes: &[Change]) -> bool {
        self.changes.iter().any(|(own, _)| changes.iter().any(|other| other.module == own.module))
    }

    fn before(&self) -> Vec<(ModuleId, VersionNumber)> {
        self.changes.iter().map(|(change, _)| (change.module.clone(), change.from)).collect()
    }
}

impl Probation {
    /// Why a version with this health is taken back.
    fn verdict(&self, health: &Health) -> Option<String> {
        if health.panics > self.panics_max {
            return Some(format!("{} panics, {} are allowed", health.panics, self.panics_max));
        }
        let rate = health.errors as f64 / health.calls.max(1) as f64;
        let is_over = health.calls >= self.calls_min && rate > self.error_rate_max;
        is_over.then(|| {
            format!(
                "{} errors in {} calls, more than {:.1} %",
                health.errors,
                health.calls,
                self.error_rate_max * 100.0
            )
        })
    }
}

impl SwapManager {
    /// Does what is due. A thread of the host's calls it again and again, for example ten times a second, and again
    /// after a request was submitted. It returns the end of the first probation that is still going on.
    pub fn attend(&self) -> Option<Instant> {
        while let Some((request, ticket)) = self.requests.take() {
            ticket.settle(match request {
                Request::Swap { who, packages, options } => self.swap(&who, packages, options),
                Request::RollBack { who, to, state, options } => self.roll_back(&who, &to, state, options),
            });
        }
        let mut turn = lock(&self.turn);
        self.attend_probations(&mut turn);
        self.attend_panics(&mut turn);
        turn.watches.iter().map(|watch| watch.until).min()
    }

    fn attend_probations(&self, turn: &mut Turn) {
        let now = self.clock.now();
        for watch in std::mem::take(&mut turn.watches) {
            let verdict = watch.changes.iter().find_map(|(change, baseline)| {
                let health = self.health_since(&change.module, baseline)?;
                Some((change.module.clone(), watch.probation.verdict(&health)?))
            });
            match verdict {
                Some((module, reason)) => {
                    self.tell(Happening::TakenBack { module: module.clone(), reason: reason.clone() });
                    let cause = Cause::TakenBack { reason };
                    let state = RollBackState::MappedOrKept;
                    let back = self.go_back(turn, &watch.before(), state, (SwapOptions::default(), cause.clone()));
                    let back = back.or_else(|error| match error {
                        // The broken version may be unable to say its state.
                        SwapError::Aborted { .. } => {
                            let options = SwapOptions::default();
                            self.go_back(turn, &watch.before(), RollBackState::Kept, (options, cause))
                        }
                        error => Err(error),
                    });
                    if let Err(error) = back {
                        self.tell(Happening::Trouble { module, reason: format!("not taken back: {error}") });
                    }
                }
                None if now >= watch.until => {
                    for (change, _) in &watch.changes {
                        self.tell(Happening::Proved { module: change.module.clone() });
                    }
                }
                None => turn.watches.push(watch),
            }
        }
    }

    fn attend_panics(&self, turn: &mut Turn) {
        for (id, installed) in self.take_panicked() {
            let message = installed.place.last_panic().unwrap_or_default();
            self.tell(Happening::Panicked { module: id.clone(), message: message.clone() });
            let remedy = match installed.on_panic {
                OnPanic::Keep => continue,
                OnPanic::Bar => {
                    installed.place.bar();
                    continue;
                }
                OnPanic::RollBack => self.version_before(turn, &installed).map(|before| (before, message)),
                OnPanic::Restart if installed.restarts < RESTARTS_MAX => {
                    if let Some(installed) = lock(&self.modules).get_mut(&id) {
                        installed.restarts += 1;
                    }
                    Some((installed.package.version.number(), message))
                }
                OnPanic::Restart => None,
            };
            let done = match remedy {
                Some((version, reason)) if version != installed.package.version.number() => {
                    self.tell(Happening::TakenBack { module: id.clone(), reason: reason.clone() });
                    let to = [(id.clone(), version)];
                    let how = (SwapOptions::default(), Cause::TakenBack { reason });
                    self.go_back(turn, &to, RollBackState::MappedOrKept, how.clone())
                        .or_else(|_| self.go_back(turn, &to, RollBackState::Kept, how))
                        .map_err(|error| error.to_string())
                }
                Some((_, reason)) => self.restart(turn, &installed, reason).map_err(|error| error.to_string()),
                None => Err("nothing is left to try".to_owned()),
            };
            if let Err(reason) = done {
                installed.place.bar();
                self.tell(Happening::Trouble { module: id, reason: format!("barred after a panic: {reason}") });
            }
        }
    }

    /// Makes a module again, with the last state that was kept of it.
    fn restart(&self, turn: &mut Turn, installed: &Installed, reason: String) -> Result<SwapReport, SwapError> {
        let id = &installed.package.id;
        let state = turn.repository.get(id)?.into_iter().next().map(|kept| kept.state);
        let wanted = Wanted { package: installed.package.clone(), state };
        self.replace(turn, vec![wanted], SwapOptions::default(), Cause::Restart { reason })
    }

    /// Modules with panics that were not attended to; from now on they are.
    fn take_panicked(&self) -> Vec<(ModuleId, Installed)> {
        let mut panicked = Vec::new();
        for (id, installed) in lock(&self.modules).iter_mut() {
            let panics = installed.place.health().panics;
            if panics > installed.panics_seen {
                installed.panics_seen = panics;
                panicked.push((id.clone(), installed.clone()));
            }
        }
        panicked
    }

    fn version_before(&self, turn: &Turn, installed: &Installed) -> Option<VersionNumber> {
        let mut versions = turn.packages.versions_of(&installed.package.id).into_iter();
        versions.find(|version| *version != installed.package.version.number())
    }

    fn health_since(&self, id: &ModuleId, baseline: &Health) -> Option<Health> {
        let modules = lock(&self.modules);
        let installed = modules.get(id)?;
        Some(Installed { baseline: *baseline, ..installed.clone() }.health())
    }
}

/// How often [`SwapManager::attend`] is to be called at least, for panics and probations to be noticed in time.
pub const ATTEND_EVERY: Duration = Duration::from_millis(100);
