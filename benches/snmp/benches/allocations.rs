//! How many memory allocations one more variable binding costs, in messages of one and of all bindings; and how much
//! memory the poller keeps for a device.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hamsa_bench_rounds::{Target, informs};
use hamsa_bench_snmp::community::{AsyncSnmp, Codec, Ours, RasnSnmp};
use hamsa_bench_snmp::workload::{BINDINGS, Binding, counters, mixed};
use hamsa_snmp::Oid;
use hamsa_snmp::engine::{CommunityTable, Engine, EngineId, EngineStats, Name};
use hamsa_snmp::manager::{Job, PollPlan, Poller, TargetConfig, Timing};
use hamsa_snmp::message::{SecurityLevel, Version};

type Make = fn(&[Binding]) -> Box<dyn Codec>;

fn main() {
    for (values, bindings) in [("Counter64", counters()), ("mixed", mixed())] {
        let decode = |make: Make| {
            per_binding(make, &bindings, |codec| {
                codec.decode();
            })
        };
        let encode = |make: Make| {
            per_binding(make, &bindings, |codec| {
                codec.encode();
            })
        };
        report(&format!("v2c decode, {BINDINGS} {values}: allocations a binding"), decode);
        report(&format!("v2c encode, {BINDINGS} {values}: allocations a binding"), encode);
    }
    report_memory();
}

/// Devices of a large node.
const DEVICES: u32 = 10_000;

/// "A few KiB".
const MEMORY_TARGET: Target = Target::AtMost(4.0);

fn report_memory() {
    let mut poller = None;
    let held = allocation_counter::measure(|| poller = Some(poller_of_devices()));
    let kib = held.bytes_current as f64 / f64::from(DEVICES) / 1024.0;
    let what = format!("poller of {DEVICES} devices: memory a device, KiB");
    informs(&what, &format!("{kib:.2}"), "-", kib, MEMORY_TARGET);
    drop(poller);
}

/// Devices that wait for their turns: what is read of them, interfaces and system group, they share.
fn poller_of_devices() -> Poller {
    let engine = Engine::with_communities(
        EngineId::assigned(32_473, *b"manager."),
        Arc::new(EngineStats::default()),
        Arc::new(CommunityTable::new()),
    );
    let column = |arc| Oid::from_arcs(&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, arc]).expect("a valid OID");
    let scalars = vec![Oid::from_arcs(&[1, 3, 6, 1, 2, 1, 1, 3, 0]).expect("a valid OID")];
    let plan = Arc::new(PollPlan { scalars, tables: vec![(1..=18).map(column).collect()], ..PollPlan::default() });
    let mut poller = Poller::new(Arc::new(engine), [7; 32]);
    let now = Instant::now();
    for (owner, number) in (0..DEVICES).enumerate() {
        let address = SocketAddr::new(Ipv4Addr::from_bits(0x7f40_0001 + number).into(), 161);
        let target = TargetConfig {
            address,
            version: Version::V2c,
            security_name: Name::new("public").expect("a short name"),
            level: SecurityLevel::NoAuthNoPriv,
            context_name: Name::default(),
            context_engine_id: None,
            engine_id: None,
            timing: Timing::default(),
            max_outstanding: 2,
        };
        let job = Job { plan: plan.clone(), interval: Duration::from_secs(60) };
        poller.add_device(now, target, owner as u64, vec![job]);
    }
    poller
}

fn report(what: &str, count: impl Fn(Make) -> f64) {
    let ours = count(|bindings| Box::new(Ours::new(bindings)));
    let first = count(|bindings| Box::new(AsyncSnmp::new(bindings)));
    let second = count(|bindings| Box::new(RasnSnmp::new(bindings)));
    let peers = format!("{first:.2} async-snmp, {second:.2} rasn-snmp");
    informs(what, &format!("{ours:.2}"), &peers, ours, Target::AtMost(0.0));
}

/// The allocations of a whole message over those of one with a single binding, for each binding more.
fn per_binding(make: Make, bindings: &[Binding], work: impl Fn(&mut dyn Codec)) -> f64 {
    let count = |bindings: &[Binding]| {
        let mut codec = make(bindings);
        // Buffers that are used again are made by the first run.
        work(&mut *codec);
        allocation_counter::measure(|| work(&mut *codec)).count_total
    };
    let more = count(bindings).saturating_sub(count(&bindings[..1]));
    more as f64 / (bindings.len() - 1) as f64
}
