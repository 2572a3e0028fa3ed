//! From polls to samples: chooses each device's profiles, keeps its plan, follows its restarts, and turns
//! what a poll has found into samples of named series.
//!
//! It is the poller's [`PollSink`]. What it wants of the poller it says in actions that are carried out
//! between two calls of the poller; what it wants stored it leaves in a list of writes.

mod device;
mod rows;
pub(crate) mod run;
mod uptime;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hamsa_snmp::manager::{
    Job, PollOutcome, PollRef, PollResult, PollSink, Poller, SampleTime, TargetConfig, WalkOptions,
};
use hamsa_snmp::mib::Mib;
use hamsa_snmp::{Oid, OidSuffix, Value};
use tokio::sync::oneshot;

use crate::fleet::{DeviceEntry, Fleet};
use crate::histogram::Histogram;
use crate::limits::POLL_DURATION_BOUNDS_S;
use crate::profile::{DevicePlan, PlanChoice, Planner, Profile, ProfileObject, ProfileSet, ValueKind};
use crate::writer::Write;
use device::Device;
pub(crate) use run::{Cell, Run};
use uptime::UptimeTracker;

/// What a collector works with.
pub struct CollectorConfig {
    /// Names of objects.
    pub mib: Arc<Mib>,
    /// Profiles to choose from.
    pub profiles: Arc<ProfileSet>,
    /// Where it tells how devices are.
    pub fleet: Arc<Fleet>,
    /// How often a device's names and profiles are read anew.
    pub refresh: Duration,
    /// What dates samples.
    pub unix_ms: WallClock,
}

/// A device to be polled.
#[derive(Debug, Clone)]
pub struct DeviceSpec {
    /// What others see of it.
    pub entry: Arc<DeviceEntry>,
    /// How to reach it.
    pub target: TargetConfig,
    /// The profiles to read it by; chosen by its sysObjectID if `None`.
    pub profiles: Option<Vec<Arc<Profile>>>,
    /// How to walk its tables.
    pub walk: WalkOptions,
    /// When it was last seen by an earlier run of this program: Unix time in milliseconds and sysUpTime.
    pub last_uptime: Option<(i64, u32)>,
}

/// A poll for somebody who waits: `/snmp?target=`.
#[derive(Debug)]
pub struct Scrape {
    /// How to reach the device.
    pub target: TargetConfig,
    /// What to read: everything in these profiles.
    pub profiles: Vec<Arc<Profile>>,
    /// How to walk.
    pub walk: WalkOptions,
    /// Who waits.
    pub reply: oneshot::Sender<Scraped>,
}

/// What a scrape has brought.
#[derive(Debug)]
pub struct Scraped {
    pub(crate) plan: Arc<DevicePlan>,
    pub(crate) run: Run,
    /// How it went.
    pub outcome: PollOutcome,
}

/// What the collector counts of the polls of devices that are in the inventory.
#[derive(Debug)]
pub struct CollectorStats {
    /// Polls that brought everything.
    pub complete: AtomicU64,
    /// Polls that brought some of it.
    pub partial: AtomicU64,
    /// Polls that brought nothing.
    pub failed: AtomicU64,
    /// How long polls took.
    pub duration: Histogram,
    /// By how much they started late.
    pub lateness: Histogram,
}

impl Default for CollectorStats {
    fn default() -> Self {
        let histogram = || Histogram::new(&POLL_DURATION_BOUNDS_S);
        CollectorStats {
            complete: AtomicU64::new(0),
            partial: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            duration: histogram(),
            lateness: histogram(),
        }
    }
}

impl CollectorStats {
    fn note(&self, outcome: &PollOutcome) {
        let count = match &outcome.result {
            PollResult::Complete => &self.complete,
            PollResult::Partial(_) => &self.partial,
            PollResult::Failed(_) => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.duration.observe(outcome.finished.saturating_duration_since(outcome.started));
        self.lateness.observe(outcome.started.saturating_duration_since(outcome.due));
    }
}

/// What the collector wants of the poller.
enum Action {
    SetPlan(u64, Arc<DevicePlan>),
    PollAt(u64, Instant),
}

/// The collector.
pub struct Collector {
    context: Context,
    devices: HashMap<u64, Device>,
    owners: HashMap<String, u64>,
    scrapes: HashMap<u64, (Arc<DevicePlan>, oneshot::Sender<Scraped>)>,
    runs: HashMap<u64, Run>,
    next_owner: u64,
    actions: Vec<Action>,
    stats: Arc<CollectorStats>,
}

/// What all devices share.
struct Context {
    mib: Arc<Mib>,
    profiles: Arc<ProfileSet>,
    planner: Planner,
    fleet: Arc<Fleet>,
    refresh: Duration,
    next_slot: u32,
    writes: Vec<Write>,
    sys_uptime: ProfileObject,
    unix_ms: WallClock,
}

/// Milliseconds of Unix time at an instant that is past.
pub type WallClock = Box<dyn Fn(Instant) -> i64 + Send>;

/// The system's clock, as it is set now.
pub fn system_clock() -> WallClock {
    Box::new(|at| unix_ms(Instant::now(), at))
}

impl Context {
    fn new_slot(&mut self) -> u32 {
        self.next_slot += 1;
        self.next_slot - 1
    }
}

impl Collector {
    /// A collector without devices.
    pub fn new(config: CollectorConfig) -> Self {
        let CollectorConfig { mib, profiles, fleet, refresh, unix_ms } = config;
        let planner = Planner::new();
        let context = Context {
            mib,
            profiles,
            planner,
            fleet,
            refresh,
            next_slot: 0,
            writes: Vec::new(),
            sys_uptime: sys_uptime(),
            unix_ms,
        };
        Collector {
            context,
            devices: HashMap::new(),
            owners: HashMap::new(),
            scrapes: HashMap::new(),
            runs: HashMap::new(),
            next_owner: 1,
            actions: Vec::new(),
            stats: Arc::default(),
        }
    }

    /// What it counts.
    pub fn stats(&self) -> Arc<CollectorStats> {
        self.stats.clone()
    }

    /// Starts polling a device; its first poll is at `first`, besides its regular ones.
    pub fn add(&mut self, now: Instant, first: Instant, spec: DeviceSpec, poller: &mut Poller) {
        self.remove(&spec.entry.name.clone(), poller);
        let owner = self.new_owner();
        let uptime = spec.last_uptime.and_then(|(at_ms, ticks)| {
            let age = u64::try_from((self.context.unix_ms)(now).checked_sub(at_ms)?).ok()?;
            Some(UptimeTracker::resume(now.checked_sub(Duration::from_millis(age))?, ticks))
        });
        let plan = self.context.planner.plan(&[], PlanChoice::Identify, spec.walk);
        let job = Job { plan: plan.poll.clone(), interval: spec.entry.interval };
        let id = poller.add_device(now, spec.target.clone(), owner, vec![job]);
        poller.poll_at(first, id);
        self.context.fleet.insert(spec.entry.clone());
        self.owners.insert(spec.entry.name.clone(), owner);
        self.devices.insert(owner, Device::new(id, spec, plan, uptime.unwrap_or_default()));
    }

    /// Stops polling a device.
    pub fn remove(&mut self, name: &str, poller: &mut Poller) {
        let Some(owner) = self.owners.remove(name) else { return };
        self.runs.remove(&owner);
        if let Some(device) = self.devices.remove(&owner) {
            poller.remove_device(device.id);
            self.context.fleet.remove(name);
        }
    }

    /// Polls a device now; whether there is one of this name.
    pub fn poll_now(&mut self, now: Instant, name: &str, poller: &mut Poller) -> bool {
        let device = self.owners.get(name).and_then(|owner| self.devices.get(owner));
        device.inspect(|device| poller.poll_at(now, device.id)).is_some()
    }

    /// Reads a device once for somebody who waits.
    pub fn scrape(&mut self, now: Instant, scrape: Scrape, poller: &mut Poller) {
        let owner = self.new_owner();
        let plan = self.context.planner.plan(&scrape.profiles, PlanChoice::Full, scrape.walk);
        poller.poll_once(now, scrape.target, owner, plan.poll.clone());
        self.scrapes.insert(owner, (plan, scrape.reply));
    }

    /// Carries out what the last calls have made necessary. Call after each call of the poller.
    pub fn act(&mut self, poller: &mut Poller) {
        for action in self.actions.drain(..) {
            match action {
                Action::SetPlan(owner, plan) => {
                    if let Some(device) = self.devices.get(&owner) {
                        poller.set_plan(device.id, 0, plan.poll.clone());
                    }
                }
                Action::PollAt(owner, at) => {
                    if let Some(device) = self.devices.get(&owner) {
                        poller.poll_at(at, device.id);
                    }
                }
            }
        }
    }

    /// What is to be stored.
    pub fn take_writes(&mut self) -> Vec<Write> {
        std::mem::take(&mut self.context.writes)
    }

    fn new_owner(&mut self) -> u64 {
        self.next_owner += 1;
        self.next_owner - 1
    }
}

impl PollSink for Collector {
    fn scalar(&mut self, poll: PollRef, index: usize, value: Value<'_>, time: SampleTime) {
        self.runs.entry(poll.owner).or_default().scalar(index, &value, time);
    }

    fn cell(&mut self, poll: PollRef, at: (usize, usize), row: OidSuffix<'_>, value: Value<'_>, time: SampleTime) {
        self.runs.entry(poll.owner).or_default().cell(at, row, &value, time);
    }

    fn finished(&mut self, poll: PollRef, outcome: PollOutcome) {
        let run = self.runs.remove(&poll.owner).unwrap_or_default();
        if let Some((plan, reply)) = self.scrapes.remove(&poll.owner) {
            // Who has stopped waiting does not want it any more.
            let _ = reply.send(Scraped { plan, run, outcome });
            return;
        }
        let Some(device) = self.devices.get_mut(&poll.owner) else { return };
        self.stats.note(&outcome);
        if let Some((plan, at_once)) = device.finish(run, &outcome, &mut self.context) {
            self.actions.push(Action::SetPlan(poll.owner, plan));
            if at_once {
                self.actions.push(Action::PollAt(poll.owner, outcome.finished));
            }
        }
    }

    fn missed(&mut self, _poll: PollRef) {}
}

/// Milliseconds of Unix time at an instant of the past, as the clock has it now.
pub(crate) fn unix_ms(now: Instant, at: Instant) -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_epoch.saturating_sub(now.saturating_duration_since(at)).as_millis() as i64
}

/// `sysUpTime.0`, which is recorded for every device.
fn sys_uptime() -> ProfileObject {
    let oid = Oid::from_arcs(&[1, 3, 6, 1, 2, 1, 1, 3, 0]).expect("a constant");
    ProfileObject { name: "sysUpTime".to_owned(), oid, kind: ValueKind::TimeTicks, unit: None }
}

/// Labels of a series: names and values.
type Labels = BTreeMap<String, String>;
