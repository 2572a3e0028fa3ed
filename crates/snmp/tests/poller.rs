//! The poller over a virtual wire: schedule, completeness, and independence of devices.

mod common;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Agent, Wire, name, oid, user};
use hamsa_snmp::manager::{
    Job, PollOutcome, PollPlan, PollRef, PollResult, PollSink, Poller, RequestError, SampleTime, TargetConfig, Timing,
    WalkOptions,
};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId};
use hamsa_snmp::{Oid, OidSuffix, OwnedValue, Value};

const SECOND: Duration = Duration::from_secs(1);
const COLUMNS: [&str; 3] = ["1.3.6.1.2.1.2.2.1.1", "1.3.6.1.2.1.2.2.1.2", "1.3.6.1.2.1.2.2.1.10"];

#[derive(Default)]
struct Findings {
    scalars: Vec<(u64, usize, OwnedValue)>,
    cells: BTreeMap<(u64, usize, usize, String), OwnedValue>,
    undated: usize,
    finished: Vec<(u64, PollOutcome)>,
    missed: usize,
}

impl PollSink for Findings {
    fn scalar(&mut self, poll: PollRef, index: usize, value: Value<'_>, _time: SampleTime) {
        self.scalars.push((poll.owner, index, value.to_owned()));
    }

    fn cell(&mut self, poll: PollRef, at: (usize, usize), row: OidSuffix<'_>, value: Value<'_>, time: SampleTime) {
        self.undated += usize::from(time.uptime_ticks.is_none());
        self.cells.insert((poll.owner, at.0, at.1, row.to_string()), value.to_owned());
    }

    fn finished(&mut self, poll: PollRef, outcome: PollOutcome) {
        self.finished.push((poll.owner, outcome));
    }

    fn missed(&mut self, _poll: PollRef) {
        self.missed += 1;
    }
}

struct Net {
    now: Instant,
    poller: Poller,
    agents: Vec<Agent>,
    /// How long an answer takes.
    delay: Duration,
    /// Room for an agent's answer.
    room: usize,
    inbound: VecDeque<(Instant, SocketAddr, Vec<u8>)>,
    findings: Findings,
}

impl Net {
    fn new() -> Self {
        let wire = Wire::new();
        wire.users.insert(ops()).unwrap();
        let poller = Poller::new(wire.manager.engine().clone(), [1; 32]);
        let (now, agents, inbound) = (wire.now, Vec::new(), VecDeque::new());
        Net { now, poller, agents, delay: Duration::ZERO, room: 65_507, inbound, findings: Findings::default() }
    }

    fn agent(&mut self, port: u16) -> TargetConfig {
        let agent = Agent::new(&format!("192.0.2.1:{port}"), 1, self.now, vec![ops()]);
        agent.set("1.3.6.1.2.1.1.3.0", Value::TimeTicks(4711));
        agent.set("1.3.6.1.2.1.1.5.0", Value::OctetString(b"core1"));
        for row in 1..=50u32 {
            for (i, column) in COLUMNS.iter().enumerate() {
                // Every third row has no counter.
                if i < 2 || row % 3 != 0 {
                    agent.set(&format!("{column}.{row}"), Value::Counter32(row * 10 + i as u32));
                }
            }
        }
        let address = agent.address;
        self.agents.push(agent);
        TargetConfig {
            address,
            version: Version::V2c,
            security_name: name("public"),
            level: SecurityLevel::NoAuthNoPriv,
            context_name: name(""),
            context_engine_id: None,
            engine_id: None,
            timing: Timing::default(),
            max_outstanding: 2,
        }
    }

    fn run_until(&mut self, end: Instant) {
        let mut buffer = vec![0; 65_507];
        loop {
            while let Some(transmit) = self.poller.poll_transmit(self.now, &mut buffer) {
                let mut request = buffer[buffer.len() - transmit.length..].to_vec();
                let Some(agent) = self.agents.iter().find(|agent| agent.address == transmit.address) else { continue };
                let mut answer = vec![0; self.room];
                if let Some(length) = agent.responder.handle(self.now, &mut request, &mut answer) {
                    let at = self.now + self.delay;
                    self.inbound.push_back((at, agent.address, answer[answer.len() - length..].to_vec()));
                }
            }
            let arrival = self.inbound.front().map(|(at, ..)| *at);
            let next = [arrival, self.poller.poll_timeout()].into_iter().flatten().min();
            let Some(next) = next.filter(|&at| at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            while self.inbound.front().is_some_and(|(at, ..)| *at <= self.now) {
                let (_, from, mut datagram) = self.inbound.pop_front().unwrap();
                assert!(
                    self.poller.handle_datagram(self.now, from, &mut datagram, &mut self.findings).is_none(),
                    "a poll brings responses only"
                );
            }
            self.poller.handle_timeout(self.now, &mut self.findings);
        }
    }
}

fn ops() -> hamsa_snmp::usm::UsmUser {
    user("ops", Some((AuthProtocolId::Sha1, "authentic-1")), Some((PrivProtocolId::Aes128, "secret-99")))
}

fn plan() -> Arc<PollPlan> {
    Arc::new(PollPlan {
        scalars: vec![oid("1.3.6.1.2.1.1.3.0"), oid("1.3.6.1.2.1.1.5.0"), oid("1.3.6.1.2.1.1.99.0")],
        tables: vec![COLUMNS.iter().map(|c| oid(c)).collect::<Vec<Oid>>()],
        dated_by: Some(oid("1.3.6.1.2.1.1.3")),
        walk: WalkOptions::default(),
        scalars_per_request: 0,
    })
}

fn job(seconds: u64) -> Job {
    Job { plan: plan(), interval: SECOND * seconds as u32 }
}

#[test]
fn every_cell_is_found_and_dated_in_every_version() {
    for (version, security_name, level) in [
        (Version::V1, "public", SecurityLevel::NoAuthNoPriv),
        (Version::V2c, "public", SecurityLevel::NoAuthNoPriv),
        (Version::V3, "ops", SecurityLevel::AuthPriv),
    ] {
        let mut net = Net::new();
        let mut target = net.agent(161);
        (target.version, target.level, target.security_name) = (version, level, name(security_name));
        let mut plan = (*plan()).clone();
        if version == Version::V1 {
            plan.walk.max_repetitions = 0;
        }
        net.poller.poll_once(net.now, target, 9, Arc::new(plan));
        net.run_until(net.now + SECOND * 60);
        let [(9, outcome)] = &net.findings.finished[..] else { panic!("{:?}", net.findings.finished) };
        assert_eq!(outcome.result, PollResult::Complete, "{version:?} {outcome:?}");
        assert_eq!(net.findings.cells.len(), 50 + 50 + 34, "{version:?}");
        assert_eq!(net.findings.undated, 0);
        assert_eq!(net.findings.cells[&(9, 0, 2, "50".into())], OwnedValue::Counter32(502));
        // One is not there, which v1 has no exception for.
        assert_eq!(net.findings.scalars.len(), if version == Version::V1 { 2 } else { 3 });
        assert_eq!(net.poller.device_count(), 0, "polled once");
        assert_eq!(net.poller.manager().pending(), 0);
    }
}

#[test]
fn the_schedule_is_jittered_and_does_not_drift() {
    let mut net = Net::new();
    net.delay = Duration::from_millis(37);
    let start = net.now;
    for port in 0..40 {
        let target = net.agent(1000 + port);
        net.poller.add_device(net.now, target, u64::from(port), vec![job(60)]);
    }
    net.run_until(start + SECOND * 3600);
    let mut phases = Vec::new();
    for owner in 0..40 {
        let polls: Vec<_> = net.findings.finished.iter().filter(|(o, _)| *o == owner).map(|(_, p)| p).collect();
        assert_eq!(polls.len(), 60);
        let phase = polls[0].due - start;
        assert!(phase < SECOND * 60);
        phases.push(phase);
        for (k, poll) in polls.iter().enumerate() {
            assert_eq!(poll.due, start + phase + SECOND * 60 * k as u32);
            assert_eq!(poll.started, poll.due);
            assert_eq!(poll.result, PollResult::Complete);
        }
    }
    phases.sort();
    assert!(phases.windows(2).all(|pair| pair[1] - pair[0] < SECOND * 20), "spread over the interval");
    assert_eq!(net.findings.missed, 0);
}

#[test]
fn dead_devices_delay_nobody() {
    let mut net = Net::new();
    let start = net.now;
    for port in 0..20 {
        let target = net.agent(1000 + port);
        net.poller.add_device(net.now, target, u64::from(port), vec![job(10)]);
    }
    for port in 0..200 {
        let target = net.agent(2000 + port);
        net.agents.pop();
        net.poller.add_device(net.now, target, 1000 + u64::from(port), vec![job(10)]);
    }
    net.run_until(start + SECOND * 100);
    for (owner, poll) in &net.findings.finished {
        assert_eq!(poll.started, poll.due);
        match &poll.result {
            PollResult::Complete => assert!(*owner < 1000),
            PollResult::Failed(RequestError::Timeout { attempts: 4, .. }) => assert!(*owner >= 1000),
            other => panic!("{owner}: {other:?}"),
        }
    }
    let alive = net.findings.finished.iter().filter(|(owner, _)| *owner < 1000).count();
    assert_eq!(alive, 200);
    // A dead device's poll takes 12 s of waiting: every second turn is missed, none is run twice.
    assert!(net.findings.missed >= 200 * 4);
}

#[test]
fn small_agents_and_slow_agents_are_read_in_smaller_pieces() {
    let mut net = Net::new();
    net.room = 300;
    let target = net.agent(161);
    net.poller.poll_once(net.now, target, 1, plan());
    net.run_until(net.now + SECOND * 60);
    assert_eq!(net.findings.finished[0].1.result, PollResult::Complete);
    assert_eq!(net.findings.cells.len(), 134);
}

#[test]
fn a_wrong_password_fails_the_poll_with_the_reason_and_the_next_turn_tries_again() {
    let mut net = Net::new();
    let mut target = net.agent(161);
    target.security_name = name("wrong");
    net.poller.add_device(net.now, target, 1, vec![job(30)]);
    net.run_until(net.now + SECOND * 90);
    assert!(net.findings.finished.len() >= 2);
    assert!(net.findings.finished.iter().all(|(_, poll)| matches!(poll.result, PollResult::Failed(_))));
}

#[test]
fn a_removed_device_is_heard_of_no_more() {
    let mut net = Net::new();
    let target = net.agent(161);
    let id = net.poller.add_device(net.now, target.clone(), 1, vec![job(1), job(2)]);
    net.run_until(net.now + SECOND * 10);
    let before = net.findings.finished.len();
    assert!(before >= 13);
    net.poller.poll_at(net.now, id);
    net.poller.remove_device(id);
    net.run_until(net.now + SECOND * 10);
    assert_eq!(net.findings.finished.len(), before);
    assert_eq!((net.poller.running(), net.poller.manager().pending()), (0, 0));
    let again = net.poller.add_device(net.now, target, 2, vec![job(1)]);
    assert_ne!(again, id);
    net.run_until(net.now + SECOND * 2);
    assert!(net.findings.finished.len() > before);
}

#[test]
fn an_extra_poll_does_not_move_the_schedule() {
    let mut net = Net::new();
    let start = net.now;
    let target = net.agent(161);
    let id = net.poller.add_device(net.now, target, 1, vec![job(60)]);
    net.run_until(start + SECOND * 60);
    let due = net.findings.finished[0].1.due;
    net.run_until(due + SECOND * 30);
    net.poller.poll_at(net.now, id);
    net.run_until(due + SECOND * 61);
    let dues: Vec<Instant> = net.findings.finished.iter().map(|(_, poll)| poll.due).collect();
    assert_eq!(dues, [due, due + SECOND * 30, due + SECOND * 60]);
}

/// A request that can't even be sent has no timer: the poller itself asks to be called.
#[test]
fn a_poll_that_can_not_be_sent_ends_at_once() {
    let mut net = Net::new();
    let mut target = net.agent(161);
    target.security_name = name("nobody");
    net.poller.poll_once(net.now, target, 1, plan());
    let start = net.now;
    net.run_until(start + SECOND);
    let [(1, outcome)] = &net.findings.finished[..] else { panic!("{:?}", net.findings.finished) };
    assert_eq!(outcome.finished, start);
    let PollResult::Failed(error) = &outcome.result else { panic!("{outcome:?}") };
    assert_eq!(error.to_string(), "no credentials are named nobody");
    assert_eq!(net.poller.poll_timeout(), None);
}
