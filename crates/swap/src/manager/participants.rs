//! The steps of a transaction, done to real modules. What they do themselves is theirs: it may fail or panic, and then
//! the step has failed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::event::{Events, Happening};
use crate::gate::Round;
use crate::journal::{Entry, Journal};
use crate::limits::{DRAIN_PAUSE, DRAIN_SPINS, READY_PAUSE};
use crate::mapping::Mapping;
use crate::module::{Module, ModuleError, ModuleId, Side};
use crate::proxy::{Candidate, Place, message_of};
use crate::repository::{KeptState, RepositoryStorage};
use crate::state::StateSet;
use crate::timing::Clock;
use crate::transaction::{Outcome, Participants, Step};

/// One module of a swap.
pub(super) struct Part {
    pub(super) place: Arc<dyn Place>,
    pub(super) old: Arc<dyn Module>,
    pub(super) new: Arc<dyn Module>,
    /// The module that is not in place: the new one until the gate opens to it, then the old one.
    pub(super) spare: Option<Candidate>,
    pub(super) is_replaced: bool,
    /// From the state's schema to the new version's.
    pub(super) path: Vec<Mapping>,
    /// The state that the new version gets; without, the present one.
    pub(super) given: Option<StateSet>,
    /// The state that the old version had.
    pub(super) retrieved: Option<StateSet>,
    /// Whether the given state is another one than that.
    pub(super) is_state_lost: bool,
    /// Nothing takes its place: the old version is the new one, and its gate stays shut.
    pub(super) leaves: bool,
}

/// All that the steps of one transaction need.
pub(super) struct Swap<'a> {
    pub(super) transaction: u64,
    pub(super) parts: Vec<Part>,
    pub(super) round: Round<'a>,
    pub(super) journal: &'a mut dyn Journal,
    pub(super) repository: &'a mut dyn RepositoryStorage,
    pub(super) events: &'a Events,
    pub(super) clock: &'a dyn Clock,
    /// How often the drain was looked at in vain.
    pub(super) looks: u32,
    /// Whether a commit may be in the journal although the transaction was aborted.
    pub(super) in_doubt: bool,
}

impl Participants for Swap<'_> {
    fn perform(&mut self, step: &Step) -> Outcome {
        let done = match step {
            Step::Record(entry) => self.record(entry),
            Step::Vote(part) => self.vote(*part),
            Step::Check => return self.readiness(),
            Step::Wait(until) => {
                std::thread::park_timeout(until.saturating_duration_since(self.clock.now()).min(READY_PAUSE));
                Ok(())
            }
            Step::Close(part) => {
                self.round.close(*part);
                self.looks = 0;
                Ok(())
            }
            Step::Drain => return self.drain(),
            Step::Transfer(part) => self.transfer(*part),
            Step::Replace(part) => self.replace(*part),
            Step::Open(part) => {
                match &self.parts[*part] {
                    Part { leaves: true, is_replaced: true, .. } => self.round.bar(*part),
                    Part { is_replaced, .. } => self.round.open(*part, *is_replaced),
                }
                Ok(())
            }
            Step::Tell { part, committed } => {
                self.tell(*part, *committed);
                Ok(())
            }
            Step::Keep(part) => {
                self.keep(*part);
                Ok(())
            }
        };
        match done {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Failed(error.0),
        }
    }
}

impl Swap<'_> {
    fn record(&mut self, entry: &Entry) -> Result<(), ModuleError> {
        let written = self.journal.append(entry);
        let is_commit = matches!(entry, Entry::Commit { .. });
        self.in_doubt |= is_commit && written.is_err();
        if written.is_ok() && matches!(entry, Entry::Abort { .. }) {
            self.in_doubt = false;
        }
        // A commit is written for good together with what follows it, when the gates are open again.
        let written = written.and_then(|()| if is_commit { Ok(()) } else { self.journal.sync() });
        if let (Err(error), false) = (&written, is_commit) {
            self.trouble(None, &error.to_string());
        }
        written.map_err(ModuleError::new)
    }

    fn vote(&mut self, part: usize) -> Result<(), ModuleError> {
        let Part { place, old, new, leaves, .. } = &self.parts[part];
        guarded(|| old.vote(Side::Old)).map_err(|no| said(place.id(), "the old version says no", &no))?;
        if *leaves {
            return Ok(());
        }
        guarded(|| new.vote(Side::New)).map_err(|no| said(place.id(), "the new version says no", &no))
    }

    fn readiness(&self) -> Outcome {
        for Part { place, old, .. } in &self.parts {
            match guarded(|| Ok(old.phase())) {
                Ok(phase) if phase.swappable => {}
                Ok(phase) => {
                    let what = format!("{} is {}", place.id(), phase.name);
                    let waiting = Happening::Waiting { transaction: self.transaction, what: what.clone() };
                    self.events.tell(self.clock.now(), waiting);
                    return Outcome::NotReady(what);
                }
                Err(error) => return Outcome::Failed(said(place.id(), "phase", &error).0),
            }
        }
        Outcome::Done
    }

    fn drain(&mut self) -> Outcome {
        let transaction = self.transaction;
        if self.looks == 0 {
            self.events.tell(self.clock.now(), Happening::Closed { transaction });
        }
        if self.round.quiet().is_ok() {
            self.events.tell(self.clock.now(), Happening::Drained { transaction });
            return self.readiness();
        }
        self.looks += 1;
        if self.looks < DRAIN_SPINS {
            // Not yielding: on a busy machine that gives the processor away for longer than most calls take.
            std::hint::spin_loop();
        } else {
            self.round.wait_for_leavers(DRAIN_PAUSE);
        }
        Outcome::Busy
    }

    fn transfer(&mut self, part: usize) -> Result<(), ModuleError> {
        let part = &mut self.parts[part];
        let id = part.place.id();
        let retrieved = guarded(|| part.old.retrieve());
        let state = match &part.given {
            // The old version may be broken: then what it had is lost, and the given state is the reason to go on.
            Some(given) => {
                part.retrieved = retrieved.ok();
                part.is_state_lost = part.retrieved.as_ref() != Some(given);
                given.clone()
            }
            None => {
                let state = retrieved.map_err(|error| said(id, "its state can't be retrieved", &error))?;
                part.retrieved = Some(state.clone());
                state
            }
        };
        if part.leaves {
            return Ok(());
        }
        let state = map(&part.path, state).map_err(|error| said(id, "its state can't be mapped", &error))?;
        let resources = guarded(|| Ok(part.old.resources())).map_err(|error| said(id, "resources", &error))?;
        guarded(|| part.new.restore(&state, &resources))
            .map_err(|error| said(id, "the new version does not take the state", &error))
    }

    fn replace(&mut self, part: usize) -> Result<(), ModuleError> {
        let quiet =
            self.round.quiet().map_err(|inside| ModuleError(format!("{inside} calls inside after the drain")))?;
        let part = &mut self.parts[part];
        part.is_replaced |= part.leaves;
        if let (Some(candidate), false) = (part.spare.take(), part.is_replaced) {
            part.spare = Some(part.place.replace(&quiet, candidate));
            part.is_replaced = true;
        }
        Ok(())
    }

    fn tell(&mut self, part: usize, committed: bool) {
        let Part { place, old, new, spare, leaves, .. } = &mut self.parts[part];
        let told = if committed {
            guarded(|| {
                if !*leaves {
                    new.committed();
                }
                Ok(())
            })
            .and(guarded(|| {
                old.cleanup();
                Ok(())
            }))
        } else {
            guarded(|| {
                old.aborted(Side::Old);
                Ok(())
            })
            .and(guarded(|| {
                if !*leaves {
                    new.aborted(Side::New);
                }
                Ok(())
            }))
        };
        let spare = spare.take();
        let dropped = guarded(|| {
            drop(spare);
            Ok(())
        });
        let id = place.id().clone();
        if let Err(error) = told.and(dropped) {
            self.trouble(Some(id), &error.0);
        }
    }

    fn keep(&mut self, part: usize) {
        let part = &mut self.parts[part];
        let Some(state) = part.retrieved.take() else { return };
        let id = part.place.id().clone();
        let version = guarded(|| Ok(part.old.version().number()));
        let kept = version.map_err(|error| error.0).and_then(|version| {
            self.repository.put(&id, KeptState { version, state }).map_err(|error| error.to_string())
        });
        if let Err(reason) = kept {
            self.trouble(Some(id), &reason);
        }
    }

    fn trouble(&self, module: Option<ModuleId>, reason: &str) {
        let module = module.unwrap_or_else(|| self.parts[0].place.id().clone());
        self.events.tell(self.clock.now(), Happening::Trouble { module, reason: reason.to_owned() });
    }
}

/// The state at the end of a path of mappings.
pub(super) fn map(path: &[Mapping], state: StateSet) -> Result<StateSet, ModuleError> {
    path.iter().try_fold(state, |state, mapping| guarded(|| mapping.apply(&state).map_err(ModuleError::new)))
}

/// Runs what a module does. Its panics are errors.
pub(super) fn guarded<R>(work: impl FnOnce() -> Result<R, ModuleError>) -> Result<R, ModuleError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(ModuleError(format!("it panicked: {}", message_of(&*panic)))))
}

fn said(id: &ModuleId, what: &str, error: &ModuleError) -> ModuleError {
    ModuleError(format!("{id}: {what}: {error}"))
}
