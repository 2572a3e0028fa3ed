//! All devices on schedule: one sans-IO state machine over [`Manager`], [`Walk`] and [`GetMany`].
//!
//! A device's jobs start at a random phase of their interval and keep it for ever: the next start follows
//! from the last due time, never from when the last poll ended. A job that is still running when it is due
//! again misses that turn and is not run twice.
//!
//! Invariants:
//! - `invariant_one_run`: a job has at most one run.
//! - `invariant_progress`: every step of a run that has not ended has a request under way.

mod invariants;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use smallvec::SmallVec;

use crate::engine::{Engine, Received};
use crate::limits::{MAX_POLL_INTERVAL, MAX_SPARE_BUFFERS, MIN_POLL_INTERVAL};
use crate::manager::client::Manager;
use crate::manager::get::{GetError, GetMany};
use crate::manager::job::{
    DeviceId, Job, PollError, PollOutcome, PollPlan, PollRef, PollResult, PollSink, PollerStats, SampleTime,
};
use crate::manager::request::{
    Completion, Failure, Handled, RequestError, RequestId, TargetConfig, TargetId, Transmit,
};
use crate::manager::walk::{Learned, Walk, WalkItem};
use crate::oid::OidRef;
use crate::pdu::ErrorStatus;
use crate::value::Value;
use crate::varbind::{VarBind, VarBindBuf};

struct Device {
    serial: u32,
    owner: u64,
    target: TargetId,
    jobs: SmallVec<[JobState; 1]>,
    /// Polled once and then removed.
    once: bool,
}

struct JobState {
    job: Job,
    due: Instant,
    run: Option<u32>,
    learned: Box<[Option<Learned>]>,
}

struct Run {
    serial: u32,
    device: u32,
    job: usize,
    plan: Arc<PollPlan>,
    due: Instant,
    started: Instant,
    steps: Vec<Step>,
    requests: u32,
    retransmissions: u32,
    variables: u32,
    errors: Vec<PollError>,
}

struct Step {
    work: Work,
    request: Option<RequestId>,
    uptime_ticks: Option<u32>,
}

enum Work {
    Scalars(GetMany),
    Table(usize, Walk),
}

/// Polls devices on schedule.
pub struct Poller {
    manager: Manager,
    rng: StdRng,
    devices: Vec<Option<Device>>,
    free_devices: Vec<u32>,
    runs: Vec<Option<Run>>,
    free_runs: Vec<u32>,
    next_serial: u32,
    schedule: BinaryHeap<Reverse<(Instant, u32, u32, usize)>>,
    spare: Vec<VarBindBuf>,
    /// When requests failed that could not even be sent: their runs want to hear of it.
    unsent_since: Option<Instant>,
    stats: PollerStats,
}

impl Poller {
    /// A poller that speaks through an engine. The seed makes phases and identifiers.
    pub fn new(engine: Arc<Engine>, seed: [u8; 32]) -> Self {
        let mut rng = StdRng::from_seed(seed);
        let manager = Manager::new(engine, rng.random());
        Poller {
            manager,
            rng,
            devices: Vec::new(),
            free_devices: Vec::new(),
            runs: Vec::new(),
            free_runs: Vec::new(),
            next_serial: 0,
            schedule: BinaryHeap::new(),
            spare: Vec::new(),
            unsent_since: None,
            stats: PollerStats::default(),
        }
    }

    /// The manager beneath, for its counts.
    pub fn manager(&self) -> &Manager {
        &self.manager
    }

    /// Counts so far.
    pub fn stats(&self) -> PollerStats {
        self.stats
    }

    /// How many devices there are.
    pub fn device_count(&self) -> usize {
        self.devices.len() - self.free_devices.len()
    }

    /// How many polls are running.
    pub fn running(&self) -> usize {
        self.runs.len() - self.free_runs.len()
    }

    /// Adds a device; what is found carries `owner`. Each job starts within its interval.
    pub fn add_device(&mut self, now: Instant, target: TargetConfig, owner: u64, jobs: Vec<Job>) -> DeviceId {
        let phase = |rng: &mut StdRng, interval: Duration| interval.mul_f64(rng.random::<f64>());
        let jobs = jobs.into_iter().map(|mut job| {
            job.interval = job.interval.clamp(MIN_POLL_INTERVAL, MAX_POLL_INTERVAL);
            let due = now + phase(&mut self.rng, job.interval);
            JobState { learned: vec![None; job.plan.tables.len()].into(), job, due, run: None }
        });
        let jobs = jobs.collect();
        self.insert(target, owner, jobs, false)
    }

    /// Carries a plan out once, at once; the device is removed when it is finished.
    pub fn poll_once(&mut self, now: Instant, target: TargetConfig, owner: u64, plan: Arc<PollPlan>) -> DeviceId {
        let learned = vec![None; plan.tables.len()].into();
        let job = Job { plan, interval: Duration::MAX };
        self.insert(target, owner, SmallVec::from_iter([JobState { learned, job, due: now, run: None }]), true)
    }

    /// Runs every job of a device once more, at `at`; the schedule stays.
    pub fn poll_at(&mut self, at: Instant, id: DeviceId) {
        let Some(device) = self.device(id) else { return };
        let jobs = 0..device.jobs.len();
        self.schedule.extend(jobs.map(|job| Reverse((at, id.index, id.serial, job))));
    }

    /// Exchanges the plan of a device's job; a poll that is running goes on with the old one.
    pub fn set_plan(&mut self, id: DeviceId, job: usize, plan: Arc<PollPlan>) {
        if self.device(id).is_none_or(|device| device.jobs.len() <= job) {
            return;
        }
        let state = &mut self.device_at(id.index).jobs[job];
        // What was learned of a table is of use as long as there are as many of them.
        if state.learned.len() != plan.tables.len() {
            state.learned = vec![None; plan.tables.len()].into();
        }
        state.job.plan = plan;
    }

    /// Removes a device; its polls end without a word.
    pub fn remove_device(&mut self, id: DeviceId) {
        if self.device(id).is_none() {
            return;
        }
        let device = self.devices[id.index as usize].take().expect("just seen");
        self.free_devices.push(id.index);
        for run in device.jobs.iter().filter_map(|job| job.run) {
            self.runs[run as usize] = None;
            self.free_runs.push(run);
        }
        self.manager.remove_target(device.target);
    }

    /// The target that a device is to the manager.
    pub fn target_of(&self, id: DeviceId) -> Option<TargetId> {
        Some(self.device(id)?.target)
    }

    /// When [`Poller::handle_timeout`] wants to be called.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        let due = self.schedule.peek().map(|Reverse((due, ..))| *due);
        [self.unsent_since, due, self.manager.poll_timeout()].into_iter().flatten().min()
    }

    /// Starts what is due, retransmits and gives up what has waited long enough.
    pub fn handle_timeout(&mut self, now: Instant, sink: &mut dyn PollSink) {
        while let Some(&Reverse((due, index, serial, job))) = self.schedule.peek() {
            if due > now {
                break;
            }
            self.schedule.pop();
            self.start(now, DeviceId { index, serial }, job, due, sink);
        }
        self.manager.handle_timeout(now);
        self.handle_failures(now, sink);
    }

    /// Takes a datagram in; hands out what it does not understand: notifications.
    pub fn handle_datagram<'m>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'m mut [u8],
        sink: &mut dyn PollSink,
    ) -> Option<Received<'m>> {
        match self.manager.handle_datagram(now, from, datagram) {
            Handled::Completed(completion) => self.handle_completion(now, completion, sink),
            Handled::Nothing => {}
            Handled::Other(received) => return Some(received),
        }
        self.handle_failures(now, sink);
        None
    }

    /// The next datagram to send; it is put at the end of `buffer`. Call until `None` after each other call.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        let transmit = self.manager.poll_transmit(now, buffer);
        if self.manager.has_failures() {
            self.unsent_since.get_or_insert(now);
        }
        transmit
    }

    fn insert(&mut self, target: TargetConfig, owner: u64, jobs: SmallVec<[JobState; 1]>, once: bool) -> DeviceId {
        let target = self.manager.add_target(target);
        let serial = self.new_serial();
        let dues: SmallVec<[Instant; 2]> = jobs.iter().map(|job| job.due).collect();
        let index = super::put(&mut self.devices, &mut self.free_devices, Device { serial, owner, target, jobs, once });
        self.schedule.extend(dues.into_iter().enumerate().map(|(job, due)| Reverse((due, index, serial, job))));
        DeviceId { index, serial }
    }

    fn start(&mut self, now: Instant, id: DeviceId, job: usize, due: Instant, sink: &mut dyn PollSink) {
        let Some(device) = self.devices[id.index as usize].as_mut().filter(|d| d.serial == id.serial) else { return };
        let poll = PollRef { owner: device.owner, job };
        let state = &mut device.jobs[job];
        // A turn that `poll_at` asked for is not the regular one and moves nothing.
        let is_regular = due == state.due && !device.once;
        if is_regular {
            while state.due <= now {
                state.due += state.job.interval;
                if state.due <= now {
                    self.stats.missed += 1;
                    sink.missed(poll);
                }
            }
            self.schedule.push(Reverse((state.due, id.index, id.serial, job)));
        }
        if state.run.is_some() {
            if is_regular {
                self.stats.missed += 1;
                sink.missed(poll);
            }
            return;
        }
        let plan = state.job.plan.clone();
        let steps = steps_of(&plan, &state.learned);
        let serial = self.new_serial();
        let count = steps.len();
        let run = Run {
            serial,
            device: id.index,
            job,
            plan,
            due,
            started: now,
            steps,
            requests: 0,
            retransmissions: 0,
            variables: 0,
            errors: Vec::new(),
        };
        let slot = super::put(&mut self.runs, &mut self.free_runs, run);
        self.device_at(id.index).jobs[job].run = Some(slot);
        self.stats.started += 1;
        for step in 0..count {
            self.ask_next(slot, step);
        }
        self.finish_if_done(now, slot, None, sink);
    }

    /// Sends a step's next request, if it has one.
    fn ask_next(&mut self, slot: u32, step: usize) {
        let run = self.runs[slot as usize].as_mut().expect("a run in use");
        let target = self.devices[run.device as usize].as_ref().expect("a run has a device").target;
        let varbinds = self.spare.pop().unwrap_or_default();
        let next = match &mut run.steps[step].work {
            Work::Scalars(get) => get.next_request(varbinds),
            Work::Table(_, walk) => walk.next_request(varbinds),
        };
        run.steps[step].request = None;
        let Some((kind, varbinds)) = next else { return };
        match self.manager.submit(target, kind, varbinds, Token { slot, serial: run.serial, step }.pack()) {
            Ok(request) => run.steps[step].request = Some(request),
            Err(error) => run.errors.push(error.into()),
        }
    }

    fn handle_completion(&mut self, now: Instant, completion: Completion<'_>, sink: &mut dyn PollSink) {
        let Completion { token, response, rtt, attempts, varbinds, .. } = completion;
        self.recycle(varbinds);
        let Some((Token { slot, step, .. }, run)) = self.run_of(token) else { return };
        run.count(attempts);
        let (device, job, plan) = (run.device, run.job, run.plan.clone());
        let poll = PollRef { owner: self.device_at(device).owner, job };
        let run = self.runs[slot as usize].as_mut().expect("found above");
        let Step { work, uptime_ticks, .. } = &mut run.steps[step];
        let mut variables = 0;
        match work {
            Work::Scalars(get) => get.handle_response(&response, |index, varbind| {
                variables += 1;
                let time = SampleTime { received: now, rtt, uptime_ticks: None };
                sink.scalar(poll, index, varbind.value, time);
            }),
            Work::Table(table, walk) => {
                let columns = &plan.tables[*table];
                walk.handle_response(&response, |item, varbind| match item {
                    WalkItem::NonRepeater(_) => *uptime_ticks = dating_ticks(&plan, &varbind),
                    WalkItem::Subtree(column) => {
                        variables += 1;
                        let time = SampleTime { received: now, rtt, uptime_ticks: *uptime_ticks };
                        let row = varbind.name.strip_prefix(columns[column].as_oid()).expect("the walk stays inside");
                        sink.cell(poll, (*table, column), row, varbind.value, time);
                    }
                });
            }
        }
        run.variables += variables;
        self.ask_next(slot, step);
        self.finish_if_done(now, slot, None, sink);
    }

    fn handle_failures(&mut self, now: Instant, sink: &mut dyn PollSink) {
        self.unsent_since = None;
        while let Some(Failure { token, error, attempts, varbinds, .. }) = self.manager.poll_failure() {
            self.recycle(varbinds);
            let Some((Token { slot, step, .. }, run)) = self.run_of(token) else { continue };
            run.count(attempts);
            let timed_out = matches!(error, RequestError::Timeout { .. });
            let is_alive = run.variables > 0;
            if let (true, true, Work::Table(_, walk)) = (timed_out, is_alive, &mut run.steps[step].work)
                && walk.handle_timeout()
            {
                self.ask_next(slot, step);
                continue;
            }
            run.steps[step].request = None;
            let fatal = (!is_alive).then_some(error.clone());
            run.errors.push(PollError::Request(error));
            self.finish_if_done(now, slot, fatal, sink);
        }
    }

    /// Ends a run whose steps all have ended, or that can't go on.
    fn finish_if_done(&mut self, now: Instant, slot: u32, fatal: Option<RequestError>, sink: &mut dyn PollSink) {
        let run = self.runs[slot as usize].as_ref().expect("a run in use");
        if fatal.is_none() && run.steps.iter().any(|step| step.request.is_some()) {
            return;
        }
        let mut run = self.runs[slot as usize].take().expect("just seen");
        self.free_runs.push(slot);
        for request in run.steps.iter_mut().filter_map(|step| step.request.take()) {
            self.manager.cancel(request);
        }
        let (index, job) = (run.device, run.job);
        let device = self.device_at(index);
        let poll = PollRef { owner: device.owner, job };
        let id = DeviceId { index, serial: device.serial };
        let (once, target) = (device.once, device.target);
        let state = &mut device.jobs[job];
        state.run = None;
        for step in &run.steps {
            match &step.work {
                // That a variable is not there is no error, nor has it a value: v1 says so by a status, the others
                // by an exception (RFC 3416 §4.2.1).
                Work::Scalars(get) => run.errors.extend(
                    get.failures()
                        .filter(|(_, _, error)| *error != GetError::Agent(ErrorStatus::NO_SUCH_NAME))
                        .map(|(_, name, error)| PollError::Scalar { name: name.clone(), error }),
                ),
                Work::Table(table, walk) => {
                    if let Some(learned) = state.learned.get_mut(*table) {
                        *learned = Some(walk.learned());
                    }
                    run.errors.extend(
                        walk.failures().map(|(_, column, error)| PollError::Column {
                            column: column.clone(),
                            error: error.clone(),
                        }),
                    );
                }
            }
        }
        let (result, count) = match fatal {
            Some(error) => (PollResult::Failed(error), &mut self.stats.failed),
            None if run.errors.is_empty() => (PollResult::Complete, &mut self.stats.complete),
            None => (PollResult::Partial(run.errors), &mut self.stats.partial),
        };
        *count += 1;
        let outcome = PollOutcome {
            due: run.due,
            started: run.started,
            finished: now,
            requests: run.requests,
            retransmissions: run.retransmissions,
            variables: run.variables,
            rtt: self.manager.rtt_of(target),
            result,
        };
        sink.finished(poll, outcome);
        if once {
            self.remove_device(id);
        }
    }

    fn recycle(&mut self, varbinds: VarBindBuf) {
        if self.spare.len() < MAX_SPARE_BUFFERS {
            self.spare.push(varbinds);
        }
    }

    fn run_of(&mut self, token: u64) -> Option<(Token, &mut Run)> {
        let token = Token::unpack(token);
        let run = self.runs.get_mut(token.slot as usize)?.as_mut()?;
        (run.serial & Token::SERIAL_MASK == token.serial).then_some((token, run))
    }

    fn new_serial(&mut self) -> u32 {
        self.next_serial = self.next_serial.wrapping_add(1);
        self.next_serial
    }

    fn device(&self, id: DeviceId) -> Option<&Device> {
        self.devices.get(id.index as usize)?.as_ref().filter(|device| device.serial == id.serial)
    }

    fn device_at(&mut self, index: u32) -> &mut Device {
        self.devices[index as usize].as_mut().expect("a device in use")
    }
}

impl Run {
    fn count(&mut self, attempts: u8) {
        self.requests += 1;
        self.retransmissions += u32::from(attempts.saturating_sub(1));
    }
}

/// The step that a request of the manager belongs to.
struct Token {
    slot: u32,
    serial: u32,
    step: usize,
}

impl Token {
    const SERIAL_MASK: u32 = 0xff_ffff;

    fn pack(&self) -> u64 {
        u64::from(self.slot) << 40 | u64::from(self.serial & Self::SERIAL_MASK) << 16 | (self.step as u64 & 0xffff)
    }

    fn unpack(token: u64) -> Self {
        Token {
            slot: (token >> 40) as u32,
            serial: (token >> 16) as u32 & Self::SERIAL_MASK,
            step: (token & 0xffff) as usize,
        }
    }
}

fn steps_of(plan: &PollPlan, learned: &[Option<Learned>]) -> Vec<Step> {
    let step = |work| Step { work, request: None, uptime_ticks: None };
    let mut steps = Vec::with_capacity(1 + plan.tables.len());
    if !plan.scalars.is_empty() {
        let per_request = if plan.scalars_per_request == 0 { 20 } else { usize::from(plan.scalars_per_request) };
        steps.push(step(Work::Scalars(GetMany::new(plan.scalars.clone(), per_request))));
    }
    for (table, (columns, learned)) in plan.tables.iter().zip(learned).enumerate() {
        let mut walk = Walk::new(plan.dated_by.iter().cloned().collect(), columns.iter().cloned(), plan.walk);
        if let Some(learned) = learned {
            walk.expect(*learned);
        }
        steps.push(step(Work::Table(table, walk)));
    }
    steps
}

/// The time in a response, if what came along is what dates it.
fn dating_ticks(plan: &PollPlan, varbind: &VarBind<'_>) -> Option<u32> {
    let object: OidRef<'_> = plan.dated_by.as_ref()?.as_oid();
    match varbind.value {
        Value::TimeTicks(ticks) if varbind.name.starts_with(object) => Some(ticks),
        _ => None,
    }
}
