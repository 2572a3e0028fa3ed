//! A model of what a transaction is about: modules with a version and a state, gates with calls inside and calls
//! that wait, callers that call one module from inside of another, a clock and a journal.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use hamsa_swap::journal::{Change, Entry};
use hamsa_swap::transaction::{Outcome, Participants, Step};
use hamsa_swap::{Change as StateChange, ModuleId, StateSet, Timing};
use rand::RngExt;
use rand::rngs::StdRng;

/// How likely what goes wrong is, each time it could.
#[derive(Clone, Copy)]
pub struct Faults {
    crash: f64,
    no_vote: f64,
    not_ready: f64,
    no_transfer: f64,
    bad_journal: f64,
    /// A call that stays inside for longer than any budget.
    endless_call: f64,
    slow_step: f64,
}

impl Faults {
    pub const NONE: Faults = Faults {
        crash: 0.0,
        no_vote: 0.0,
        not_ready: 0.0,
        no_transfer: 0.0,
        bad_journal: 0.0,
        endless_call: 0.0,
        slow_step: 0.0,
    };

    /// All of them, the more likely the larger the seed is within each hundred.
    pub fn of_seed(seed: u64) -> Self {
        let much = (seed % 100) as f64 / 100.0;
        Faults {
            crash: 0.02 * much,
            no_vote: 0.03 * much,
            not_ready: 0.3 * much,
            no_transfer: 0.03 * much,
            bad_journal: 0.03 * much,
            endless_call: 0.002 * much,
            slow_step: 0.01 * much,
        }
    }

    pub fn each_alone() -> [Faults; 6] {
        let none = Faults::NONE;
        [
            Faults { no_vote: 0.5, ..none },
            Faults { not_ready: 0.8, ..none },
            Faults { no_transfer: 0.5, ..none },
            Faults { bad_journal: 0.5, ..none },
            Faults { endless_call: 0.1, ..none },
            Faults { slow_step: 0.2, ..none },
        ]
    }
}

struct Model {
    is_new: bool,
    /// How many calls were served, as the version in place has it.
    state: StateSet,
    /// What the new version was given.
    handed: Option<StateSet>,
    is_closed: bool,
    waiting: VecDeque<usize>,
    /// How many calls were served in truth.
    served: u64,
}

/// One caller with at most one call: a chain of modules, each called from inside of the one before.
struct Caller {
    frames: Vec<Frame>,
    waits: bool,
    ends: Instant,
    issued: u64,
    answered: u64,
}

struct Frame {
    module: usize,
    was_new: bool,
}

pub struct World {
    random: StdRng,
    faults: Faults,
    timing: Timing,
    start: Instant,
    now: Instant,
    modules: Vec<Model>,
    callers: Vec<Caller>,
    pub journal: Vec<Entry>,
    /// Since when the first gate is closed.
    closed_since: Option<Instant>,
    /// The longest that one step took.
    longest_step: Duration,
    is_decided: bool,
}

impl World {
    pub fn new(start: Instant, modules: usize, timing: Timing, faults: Faults, random: StdRng) -> Self {
        let model = |_| Model {
            is_new: false,
            state: counted(StateSet::new(1), 0),
            handed: None,
            is_closed: false,
            waiting: VecDeque::new(),
            served: 0,
        };
        let caller = |_| Caller { frames: Vec::new(), waits: false, ends: start, issued: 0, answered: 0 };
        World {
            random,
            faults,
            timing,
            start,
            now: start,
            modules: (0..modules).map(model).collect(),
            callers: (0..3).map(caller).collect(),
            journal: Vec::new(),
            closed_since: None,
            longest_step: Duration::ZERO,
            is_decided: false,
        }
    }

    pub fn now(&self) -> Instant {
        self.now
    }

    pub fn changes(&self) -> Vec<Change> {
        let change = |number: usize| Change { module: id(number), from: (1, 0), to: (2, 0) };
        (0..self.modules.len()).map(change).collect()
    }

    pub fn crashes(&mut self) -> bool {
        self.random.random_bool(self.faults.crash)
    }

    /// A step took some time, in which callers did what they do.
    pub fn let_time_pass(&mut self) {
        let slow = self.random.random_bool(self.faults.slow_step);
        let took = if slow { self.timing.budget * 2 } else { Duration::from_micros(self.random.random_range(1..300)) };
        self.now += took;
        self.longest_step = self.longest_step.max(took);
        for _ in 0..self.random.random_range(0..8) {
            let caller = self.random.random_range(0..self.callers.len());
            self.act(caller);
        }
    }

    /// A caller begins a call, goes one module deeper, or comes back from one.
    fn act(&mut self, number: usize) {
        let caller = &self.callers[number];
        if caller.waits {
            return;
        }
        let deep = caller.frames.len();
        if deep > 0 && self.now < caller.ends {
            return;
        }
        if deep == 0 || (deep < 4 && self.random.random_bool(0.4)) {
            let module = self.random.random_range(0..self.modules.len());
            self.callers[number].issued += 1;
            let endless = self.random.random_bool(self.faults.endless_call);
            let lasts =
                if endless { self.timing.budget * 3 } else { Duration::from_micros(self.random.random_range(0..500)) };
            self.callers[number].ends = self.now + lasts;
            if self.modules[module].is_closed && !self.is_inside(number) {
                self.callers[number].waits = true;
                self.modules[module].waiting.push_back(number);
            } else {
                self.enter(number, module);
            }
        } else {
            self.leave(number);
        }
    }

    fn enter(&mut self, caller: usize, module: usize) {
        let was_new = self.modules[module].is_new;
        self.callers[caller].frames.push(Frame { module, was_new });
    }

    /// The innermost call of a caller is served.
    fn leave(&mut self, number: usize) {
        let Some(frame) = self.callers[number].frames.pop() else { return };
        let model = &mut self.modules[frame.module];
        assert_eq!(model.is_new, frame.was_new, "S1: the module was replaced while a call was inside");
        model.served += 1;
        model.state = counted(model.state.clone(), model.served);
        self.callers[number].answered += 1;
    }

    /// Whether a caller is inside of a module that is being swapped; all are.
    fn is_inside(&self, caller: usize) -> bool {
        !self.callers[caller].frames.is_empty()
    }

    /// Lets all calls come to their end.
    pub fn finish_calls(&mut self) {
        for number in 0..self.callers.len() {
            assert!(!self.callers[number].waits, "S1: a call waits for ever");
            while self.is_inside(number) {
                self.leave(number);
            }
            let Caller { issued, answered, .. } = self.callers[number];
            assert_eq!(issued, answered, "S1: a call was lost");
        }
    }

    /// The process is gone and another one started, with the versions that the journal says.
    pub fn come_back(&mut self, is_new: bool) {
        for caller in &mut self.callers {
            // Their callers know that they were not answered.
            caller.frames.clear();
            caller.waits = false;
            caller.issued = caller.answered;
        }
        for model in &mut self.modules {
            let schema = if is_new { 2 } else { 1 };
            model.is_new = is_new;
            model.state = counted(StateSet::new(schema), model.served);
            model.is_closed = false;
            model.waiting.clear();
        }
        self.closed_since = None;
        self.is_decided = is_new;
    }

    pub fn invariants(&self) {
        self.invariant_s1_calls_are_inside_of_what_they_entered();
        self.invariant_s2_open_gates_lead_to_one_side();
        self.invariant_s5_states_count_all_calls();
    }

    fn invariant_s1_calls_are_inside_of_what_they_entered(&self) {
        for frame in self.callers.iter().flat_map(|caller| &caller.frames) {
            assert_eq!(self.modules[frame.module].is_new, frame.was_new, "S1 at {:?}", self.now - self.start);
        }
        for caller in &self.callers {
            let unanswered = caller.issued - caller.answered;
            assert_eq!(
                unanswered as usize,
                caller.frames.len() + usize::from(caller.waits),
                "S1: a call is lost or doubled"
            );
        }
    }

    fn invariant_s2_open_gates_lead_to_one_side(&self) {
        let mut sides = self.modules.iter().filter(|model| !model.is_closed).map(|model| model.is_new);
        if let Some(first) = sides.next() {
            assert!(sides.all(|side| side == first), "S2: old and new versions serve at once");
            assert!(!first || self.is_decided, "S2: a new version serves before the decision");
        }
    }

    pub fn invariant_s2_all_on_the_side_of(&self, is_new: bool) {
        assert!(self.modules.iter().all(|model| model.is_new == is_new), "S2");
    }

    /// With a gate closed, before the decision, only draining and transfer, and within the budget.
    pub fn invariant_s3_only_what_may_be(&self, step: &Step) {
        let Some(since) = self.closed_since else { return };
        let may_be = match step {
            Step::Close(_) | Step::Drain | Step::Transfer(_) | Step::Open(_) | Step::Replace(_) => true,
            // An abort too, if it takes back a commit that may have been written.
            Step::Record(entry) => matches!(entry, Entry::Commit { .. } | Entry::Abort { .. }),
            Step::Vote(_) | Step::Check | Step::Wait(_) | Step::Tell { .. } | Step::Keep(_) => false,
        };
        assert!(may_be, "S3: {step:?} with gates closed");
        if matches!(step, Step::Record(Entry::Commit { .. })) {
            assert!(self.now - since < self.timing.budget, "S3: decided past the budget");
        }
        if matches!(step, Step::Transfer(_) | Step::Drain) {
            // Closing takes a step for each gate; the budget is looked at after each step from then on.
            let slack = self.longest_step * (self.modules.len() as u32 + 1);
            assert!(self.now - since < self.timing.budget + slack, "S3: goes on past the budget");
        }
    }

    pub fn invariant_s4_no_gate_is_left_closed(&self) {
        assert!(self.closed_since.is_none() && self.modules.iter().all(|model| !model.is_closed), "S4");
    }

    fn invariant_s5_states_count_all_calls(&self) {
        for model in &self.modules {
            let schema = if model.is_new { 2 } else { 1 };
            assert_eq!(model.state.schema(), schema, "S5");
            assert_eq!(count_of(&model.state), model.served, "S5: a state lost calls");
        }
    }

    fn record(&mut self, entry: &Entry) -> Outcome {
        let fails = self.random.random_bool(self.faults.bad_journal);
        // An abort after a commit that may be there is written, or nothing else is begun; see the manager.
        let must = matches!(entry, Entry::Abort { .. } | Entry::Done { .. });
        if fails && !must {
            // Whether or not it was written.
            if self.random.random_bool(0.5) {
                self.journal.push(entry.clone());
            }
            return Outcome::Failed("disk full".to_owned());
        }
        self.journal.push(entry.clone());
        self.is_decided |= matches!(entry, Entry::Commit { .. });
        Outcome::Done
    }
}

impl Participants for World {
    fn perform(&mut self, step: &Step) -> Outcome {
        match step {
            Step::Record(entry) => return self.record(entry),
            Step::Vote(_) if self.random.random_bool(self.faults.no_vote) => {
                return Outcome::Failed("no".to_owned());
            }
            Step::Check if self.random.random_bool(self.faults.not_ready) => {
                return Outcome::NotReady("in a critical section".to_owned());
            }
            Step::Wait(until) => self.now = self.now.max(*until),
            Step::Close(part) => {
                self.modules[*part].is_closed = true;
                self.closed_since.get_or_insert(self.now);
            }
            Step::Drain => {
                if (0..self.callers.len()).any(|caller| self.is_inside(caller)) {
                    return Outcome::Busy;
                }
                if self.random.random_bool(self.faults.not_ready / 2.0) {
                    return Outcome::NotReady("in a critical section".to_owned());
                }
            }
            Step::Transfer(part) => {
                if self.random.random_bool(self.faults.no_transfer) {
                    return Outcome::Failed("no taste for it".to_owned());
                }
                let model = &mut self.modules[*part];
                model.handed = Some(counted(StateSet::new(2), count_of(&model.state)));
            }
            Step::Replace(part) => {
                let model = &mut self.modules[*part];
                assert!(model.is_closed && self.is_decided, "S2: replaced before the decision");
                model.state = model.handed.take().expect("S5: nothing was handed over");
                model.is_new = true;
            }
            Step::Open(part) => {
                self.modules[*part].is_closed = false;
                if self.modules.iter().all(|model| !model.is_closed) {
                    self.closed_since = None;
                }
                let waiting = std::mem::take(&mut self.modules[*part].waiting);
                for caller in waiting {
                    self.callers[caller].waits = false;
                    self.enter(caller, *part);
                }
            }
            Step::Vote(_) | Step::Check | Step::Tell { .. } | Step::Keep(_) => {}
        }
        Outcome::Done
    }
}

fn id(number: usize) -> ModuleId {
    ModuleId::new("model", number.to_string())
}

fn counted(mut state: StateSet, served: u64) -> StateSet {
    state.commit([StateChange::put("served", served.to_be_bytes())]).expect("a count fits");
    state
}

fn count_of(state: &StateSet) -> u64 {
    let blobs: BTreeMap<&str, u64> = state
        .objects()
        .filter_map(|(name, _)| Some((name, u64::from_be_bytes((&**state.blob(name)?).try_into().ok()?))))
        .collect();
    blobs["served"]
}
