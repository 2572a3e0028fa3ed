//! The target for the poller: devices that come and go, jobs that overlap, an unreliable network, a clock that
//! jumps. Every poll that starts is heard of exactly once, unless its device is removed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hamsa_snmp::manager::{
    DeviceId, Job, PollOutcome, PollPlan, PollRef, PollResult, PollSink, Poller, SampleTime, WalkOptions,
};
use hamsa_snmp::{OidSuffix, Value};

use crate::entity::{Entity, oid};
use crate::script::Script;
use crate::world::{World, some_name};

/// Devices at most at one time.
const MAX_DEVICES: usize = 5;

/// Steps after a script's end within which all polls must have ended.
const MAX_STEPS_TO_THE_END: usize = 20_000;

/// The largest message that is sent.
const SEND_OCTETS: usize = 1472;

/// What has been heard of each owner's jobs.
#[derive(Default)]
struct Heard {
    plans: BTreeMap<u64, Vec<Arc<PollPlan>>>,
    /// Owners that were removed: nothing may be heard of them.
    removed: Vec<u64>,
    finished: u64,
}

impl Heard {
    fn plan(&self, poll: PollRef) -> &PollPlan {
        assert!(!self.removed.contains(&poll.owner), "a removed device is heard of");
        &self.plans[&poll.owner][poll.job]
    }
}

impl PollSink for Heard {
    fn scalar(&mut self, poll: PollRef, index: usize, _value: Value<'_>, _time: SampleTime) {
        assert!(index < self.plan(poll).scalars.len());
    }

    fn cell(&mut self, poll: PollRef, at: (usize, usize), _row: OidSuffix<'_>, value: Value<'_>, _time: SampleTime) {
        assert!(at.1 < self.plan(poll).tables[at.0].len() && !value.is_exception());
    }

    fn finished(&mut self, poll: PollRef, outcome: PollOutcome) {
        self.plan(poll);
        assert!(outcome.due <= outcome.started && outcome.started <= outcome.finished);
        match outcome.result {
            PollResult::Complete => {}
            PollResult::Partial(errors) => assert!(!errors.is_empty()),
            PollResult::Failed(error) => assert_eq!((outcome.variables, error.to_string().is_empty()), (0, false)),
        }
        self.finished += 1;
    }

    fn missed(&mut self, poll: PollRef) {
        self.plan(poll);
    }
}

struct Play {
    world: World,
    poller: Poller,
    heard: Heard,
    devices: Vec<(u64, DeviceId)>,
    next_owner: u64,
    /// Polls that were running on devices when these were removed.
    cut_off: u64,
}

/// A poller and a script.
pub fn poller(data: &[u8]) {
    let mut script = Script::new(data);
    let poller = Poller::new(Entity::manager().engine, [3; 32]);
    let (heard, devices) = (Heard::default(), Vec::new());
    let mut play = Play { world: World::default(), poller, heard, devices, next_owner: 0, cut_off: 0 };
    while !script.is_over() {
        play.step(&mut script);
        play.poller.check_invariants();
        play.account();
    }
    play.end();
}

impl Play {
    fn step(&mut self, script: &mut Script<'_>) {
        let mut step = script.step();
        match step.below(14) {
            0 | 1 => self.transmit(),
            2..=4 => self.world.answer_one(&mut step),
            5..=7 => {
                if let Some(mut datagram) = self.world.arrival(&mut step) {
                    let (now, from) = (self.world.now, datagram.from);
                    self.poller.handle_datagram(now, from, &mut datagram.octets, &mut self.heard);
                }
            }
            8 | 9 => {
                let next = self.poller.poll_timeout();
                self.world.pass_time(&mut step, next);
                self.poller.handle_timeout(self.world.now, &mut self.heard);
            }
            // Target and jobs are long: each has a step of its own.
            10 | 11 => self.add_device(&mut script.step(), &mut script.step(), step.octet() & 1 == 1),
            12 => {
                if !self.devices.is_empty() {
                    let (_, id) = self.devices[step.below(self.devices.len())];
                    self.poller.poll_at(self.world.now, id);
                }
            }
            _ => self.remove_device(&mut step),
        }
    }

    fn add_device(&mut self, target: &mut Script<'_>, jobs: &mut Script<'_>, is_once: bool) {
        if self.devices.len() == MAX_DEVICES {
            return;
        }
        let config = World::target(target);
        let owner = self.next_owner;
        self.next_owner += 1;
        let intervals = [Duration::from_secs(60), Duration::ZERO, Duration::from_secs(1), Duration::MAX];
        let jobs: Vec<Job> = (0..1 + jobs.below(2))
            .map(|_| Job { plan: Arc::new(plan(jobs)), interval: jobs.one_of(&intervals) })
            .collect();
        if is_once {
            self.heard.plans.insert(owner, vec![jobs[0].plan.clone()]);
            self.poller.poll_once(self.world.now, config, owner, jobs[0].plan.clone());
            return;
        }
        self.heard.plans.insert(owner, jobs.iter().map(|job| job.plan.clone()).collect());
        let id = self.poller.add_device(self.world.now, config, owner, jobs);
        self.devices.push((owner, id));
    }

    fn remove_device(&mut self, script: &mut Script<'_>) {
        if self.devices.is_empty() {
            return;
        }
        let (owner, id) = self.devices.swap_remove(script.below(self.devices.len()));
        let running = self.poller.running();
        self.poller.remove_device(id);
        self.poller.remove_device(id);
        self.cut_off += (running - self.poller.running()) as u64;
        assert_eq!(self.poller.target_of(id), None);
        self.heard.removed.push(owner);
    }

    fn transmit(&mut self) {
        let mut buffer = [0; SEND_OCTETS];
        while let Some(transmit) = self.poller.poll_transmit(self.world.now, &mut buffer) {
            self.world.sent(transmit.address, buffer[SEND_OCTETS - transmit.length..].to_vec());
        }
    }

    /// Every poll that was started is running, was told of, or was cut off.
    fn account(&self) {
        let stats = self.poller.stats();
        let ended = stats.complete + stats.partial + stats.failed;
        assert_eq!(ended, self.heard.finished);
        assert_eq!(stats.started, ended + self.cut_off + self.poller.running() as u64);
    }

    /// Nobody answers any more and nothing new is started: every poll ends.
    fn end(mut self) {
        let mut steps = 0;
        while self.poller.running() > 0 {
            steps += 1;
            assert!(steps < MAX_STEPS_TO_THE_END, "polls run for ever");
            self.transmit();
            // Only the manager's timers: a job that is due would start anew.
            let Some(next) = self.poller.poll_timeout() else { panic!("a poll waits for nothing") };
            self.world.now = self.world.now.max(next);
            self.poller.handle_timeout(self.world.now, &mut self.heard);
            self.account();
            if steps % 100 == 0 && !self.devices.is_empty() {
                self.remove_device(&mut Script::new(&[]));
            }
        }
        self.poller.check_invariants();
    }
}

fn plan(script: &mut Script<'_>) -> PollPlan {
    let what = script.octet();
    let tables = match what >> 2 & 3 {
        0 => vec![],
        1 => vec![vec![oid("1.3.6.1.4.1.32473.1.0"), oid("1.3.6.1.4.1.32473.1.8")]],
        2 => vec![vec![oid("1.3.6.1.4.1.32473.1.3")], vec![]],
        _ => vec![vec![some_name(script), some_name(script)]],
    };
    PollPlan {
        scalars: (0..what & 3).map(|_| some_name(script)).collect(),
        tables,
        dated_by: (what & 0x10 != 0).then(|| oid("1.3.6.1.2.1.1.3")),
        walk: WalkOptions {
            max_repetitions: script.one_of(&[10, 0, 1, u16::MAX]),
            max_rows: 50,
            ..WalkOptions::default()
        },
        scalars_per_request: u16::from(what >> 6),
    }
}
