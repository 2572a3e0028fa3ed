//! A manager and a poller told to do what no clock or memory could: they stay within their limits.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Agent, Wire, name, oid};
use hamsa_snmp::Value;
use hamsa_snmp::limits::{MAX_POLL_INTERVAL, MAX_RETRIES, MAX_WAIT};
use hamsa_snmp::manager::{
    Job, PollOutcome, PollPlan, PollRef, PollSink, Poller, RequestError, RequestKind, SampleTime, TargetConfig, Timing,
};
use hamsa_snmp::message::{SecurityLevel, Version};

const SYS_NAME: &str = "1.3.6.1.2.1.1.5.0";

fn wire() -> Wire {
    let mut wire = Wire::new();
    let agent = Agent::new("192.0.2.1:161", 1, wire.now, vec![]);
    agent.set(SYS_NAME, Value::OctetString(b"core1"));
    wire.agents.push(agent);
    wire
}

fn config(wire: &Wire, timing: Timing) -> TargetConfig {
    TargetConfig {
        address: wire.agents[0].address,
        version: Version::V2c,
        security_name: name("public"),
        level: SecurityLevel::NoAuthNoPriv,
        context_name: name(""),
        context_engine_id: None,
        engine_id: None,
        timing,
        max_outstanding: 1,
    }
}

#[test]
fn the_most_retries_come_to_an_end() {
    let mut wire = wire();
    let target = wire.manager.add_target(config(&wire, Timing::fixed(Duration::from_secs(1), u8::MAX)));
    wire.ask(target, RequestKind::Get, &[SYS_NAME], 1);
    wire.run_with(&mut |_| None);
    let Err(RequestError::Timeout { attempts, .. }) = wire.outcome(1) else { panic!("no timeout") };
    assert_eq!(*attempts, 1 + MAX_RETRIES);
    wire.manager.check_invariants();
}

#[test]
fn the_longest_wait_is_one_that_a_clock_can_tell() {
    let adaptive =
        Timing { initial: Duration::MAX, min: Duration::MAX, max: Duration::MAX, retries: 3, adaptive: true };
    for timing in [adaptive, Timing::fixed(Duration::MAX, 3)] {
        let mut wire = wire();
        let target = wire.manager.add_target(config(&wire, timing));
        wire.ask(target, RequestKind::Get, &[SYS_NAME], 1);
        let start = wire.now;
        wire.run_with(&mut |_| None);
        assert!(wire.outcome(1).is_err());
        assert_eq!(wire.now - start, MAX_WAIT * 4);
    }
}

/// A wait of a day and many answers a second: the timers that nobody needs any more are cleared away.
#[test]
fn old_timers_do_not_pile_up() {
    let mut wire = wire();
    let target = wire.manager.add_target(config(&wire, Timing::fixed(Duration::MAX, 0)));
    for token in 0..5_000 {
        wire.ask(target, RequestKind::Get, &[SYS_NAME], token);
        wire.send_all(&mut Some);
        wire.deliver_all();
    }
    assert_eq!(wire.outcomes.len(), 5_000);
    assert!(wire.outcomes.iter().all(|(_, outcome)| outcome.is_ok()));
    wire.manager.check_invariants();
    assert_eq!(wire.manager.poll_timeout(), None, "nothing is under way");
}

struct Nowhere;

impl PollSink for Nowhere {
    fn scalar(&mut self, _: PollRef, _: usize, _: Value<'_>, _: SampleTime) {}
    fn cell(&mut self, _: PollRef, _: (usize, usize), _: hamsa_snmp::OidSuffix<'_>, _: Value<'_>, _: SampleTime) {}
    fn finished(&mut self, _: PollRef, _: PollOutcome) {}
    fn missed(&mut self, _: PollRef) {}
}

#[test]
fn the_longest_interval_is_one_that_a_clock_can_tell() {
    let wire = wire();
    let mut poller = Poller::new(wire.manager.engine().clone(), [1; 32]);
    let plan = Arc::new(PollPlan { scalars: vec![oid(SYS_NAME)], ..PollPlan::default() });
    let job = Job { plan, interval: Duration::MAX };
    poller.add_device(wire.now, config(&wire, Timing::default()), 1, vec![job]);
    let due = poller.poll_timeout().expect("scheduled");
    assert!(due - wire.now <= MAX_POLL_INTERVAL);
    poller.handle_timeout(due, &mut Nowhere);
    poller.check_invariants();
    assert_eq!(poller.running(), 1);
}
