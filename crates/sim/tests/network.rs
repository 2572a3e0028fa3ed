//! The manager against agents and links with every fault: each walk ends, with data or a typed error, and the
//! data is the truth wherever the fault does not forge it.

mod common;

use std::time::Duration;

use common::{Net, Walked, access, address, group, oid};
use hamsa_sim::device::{Device, DeviceKind, DeviceModel};
use hamsa_sim::{AgentGroup, Fault, Faults, Source};
use hamsa_snmp::agent::Instrumentation;
use hamsa_snmp::engine::Statistic;
use hamsa_snmp::manager::{RequestError, Walk, WalkError, WalkOptions};
use hamsa_snmp::message::Version;
use hamsa_snmp::pdu::ErrorStatus;
use hamsa_snmp::{Oid, Value, VarBindBuf};

const AGENT: &str = "127.0.0.2:161";
/// `ifDescr`, `ifType`, `ifSpeed` and `ifName`: columns of several types that don't move.
const COLUMNS: [&str; 4] =
    ["1.3.6.1.2.1.2.2.1.2", "1.3.6.1.2.1.2.2.1.3", "1.3.6.1.2.1.2.2.1.5", "1.3.6.1.2.1.31.1.1.1.1"];
/// `ifType` of the second interface.
const TYPE_OF_2: &str = "1.3.6.1.2.1.2.2.1.3.2";
const ROWS: u16 = 6;
/// Rows after which an endless table is given up.
const MAX_ROWS: u32 = 60;

fn router() -> Source {
    Source::Device(DeviceModel::new(DeviceKind::Router, ROWS).unwrap())
}

fn faulty(faults: Faults) -> AgentGroup {
    AgentGroup { faults, ..group(router(), AGENT) }
}

fn walk_of(version: Version) -> Walk {
    let max_repetitions = if version == Version::V1 { 0 } else { 10 };
    let options = WalkOptions { max_rows: MAX_ROWS, max_repetitions, ..WalkOptions::default() };
    Walk::new(vec![oid("1.3.6.1.2.1.1.3")], COLUMNS.map(oid), options)
}

fn who(version: Version) -> &'static str {
    if version == Version::V3 { "ops" } else { "public" }
}

fn run(faults: &Faults, version: Version, seed: u64) -> (Net, Walked) {
    let mut net = Net::new(vec![faulty(faults.clone())], seed);
    let target = net.target(AGENT, version, who(version));
    let walked = net.walk(target, walk_of(version));
    (net, walked)
}

/// The variables of the columns, from the device itself.
fn truth(device: &Device, net: &Net) -> Vec<(Oid, hamsa_snmp::OwnedValue)> {
    let mut found = Vec::new();
    for column in COLUMNS.map(oid) {
        let mut cursor = column.clone();
        loop {
            let mut varbinds = VarBindBuf::new();
            device.get_next(net.now, cursor.as_oid(), &mut varbinds).unwrap();
            let varbind = varbinds.iter().next().unwrap();
            if !varbind.name.starts_with(column.as_oid()) {
                break;
            }
            cursor = varbind.name.to_owned();
            found.push((cursor.clone(), varbind.value.to_owned()));
        }
    }
    found
}

fn assert_is_truth(net: &Net, walked: &Walked, what: &str) {
    let device = net.simulator.agent(address(AGENT)).unwrap().device().unwrap();
    let mut found = walked.found.clone();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found, truth(device, net), "{what}");
    assert_eq!(found.len(), COLUMNS.len() * usize::from(ROWS));
}

const VERSIONS: [Version; 3] = [Version::V1, Version::V2c, Version::V3];

#[test]
fn a_sound_agent_is_read_completely_in_every_version() {
    for version in VERSIONS {
        let (net, walked) = run(&Faults::none(), version, 1);
        assert!(walked.error.is_none() && walked.failures.is_empty(), "{walked:?}");
        assert_is_truth(&net, &walked, version.name());
    }
}

#[test]
fn every_fault_ends_in_data_or_a_typed_error_whatever_the_seed() {
    for fault in Fault::usual() {
        // An instance that the walk meets.
        let fault =
            if matches!(fault, Fault::GenErr(_)) { format!("gen-err={TYPE_OF_2}").parse().unwrap() } else { fault };
        let faults = Faults::from_iter([fault.clone()]);
        for version in VERSIONS {
            let (mut complete, mut failed) = (0, 0);
            for seed in 0..10 {
                let (net, walked) = run(&faults, version, seed);
                let what = format!("--fault {fault}, {}, seed {seed}: {walked:?}", version.name());
                let is_complete = walked.error.is_none() && walked.failures.is_empty();
                complete += u32::from(is_complete);
                failed += u32::from(!is_complete);
                assert!(walked.found.len() <= COLUMNS.len() * MAX_ROWS as usize, "{what}");
                // Octets that were damaged on the way are only told apart where they are authenticated.
                let may_forge = matches!(fault, Fault::Corrupt(_)) && version != Version::V3;
                let lies = matches!(
                    fault,
                    Fault::NotIncreasing | Fault::Endless | Fault::WrongTypes | Fault::GenErr(_) | Fault::NoSuchName
                );
                if is_complete && !may_forge && !lies {
                    assert_is_truth(&net, &walked, &what);
                }
            }
            // What must happen at least once, and what never may.
            let (all, some, none) = (failed == 0, complete > 0, complete == 0);
            let as_expected = match fault {
                Fault::Delay(_) | Fault::Jitter(_) | Fault::Duplicate(_) | Fault::Reorder(_) => all,
                Fault::WrongTypes => all,
                Fault::Loss(_) | Fault::Corrupt(_) | Fault::Truncate(_) => some,
                // v1 takes noSuchName for the end, and hardly any walk escapes a name that does not increase.
                Fault::NotIncreasing | Fault::NoSuchName => true,
                Fault::WrongTimes if version != Version::V3 => all,
                _ => none,
            };
            assert!(as_expected, "--fault {fault}, {}: {complete} complete, {failed} failed", version.name());
        }
    }
}

#[test]
fn each_lie_is_called_by_its_name() {
    let failure = |text: &str, version| {
        let (_, walked) = run(&text.parse().unwrap(), version, 3);
        (walked.error, walked.failures.into_iter().next())
    };
    for version in VERSIONS {
        let (error, failure_of_subtree) = failure("endless", version);
        assert_eq!((error, failure_of_subtree), (None, Some(WalkError::TooManyRows { limit: MAX_ROWS })));
        for silent in ["wrong-source-address", "wrong-source-port", "late"] {
            let (error, _) = failure(silent, version);
            assert!(matches!(error, Some(RequestError::Timeout { .. })), "{silent}: {error:?}");
        }
        let (_, failure_of_subtree) = failure("too-big", version);
        assert!(matches!(failure_of_subtree, Some(WalkError::Agent { status: ErrorStatus::TOO_BIG, .. })));
        assert_eq!(failure("empty-response", version).1, Some(WalkError::EmptyResponse));
        let (_, failure_of_subtree) = failure(&format!("gen-err={TYPE_OF_2}"), version);
        let after = oid("1.3.6.1.2.1.2.2.1.3.1");
        assert_eq!(failure_of_subtree, Some(WalkError::Agent { status: ErrorStatus::GEN_ERR, after }));
    }
    let found = (0..20).map(|seed| run(&"not-increasing".parse().unwrap(), Version::V2c, seed).1.failures);
    assert!(found.flatten().any(|failure| matches!(failure, WalkError::NotIncreasing { .. })));
    let (error, _) = failure("wrong-times", Version::V3);
    assert_eq!(error, Some(RequestError::NotSynchronised(Statistic::NotInTimeWindows)));
    let (error, _) = failure("wrong-request-id", Version::V3);
    assert!(error.unwrap().to_string().contains("another request's PDU"));
}

#[test]
fn wrong_types_are_handed_on_as_they_came() {
    let (net, walked) = run(&"wrong-types".parse().unwrap(), Version::V2c, 1);
    let device = net.simulator.agent(address(AGENT)).unwrap().device().unwrap();
    assert_eq!(walked.found.len(), truth(device, &net).len());
    let same = truth(device, &net).iter().filter(|variable| walked.found.contains(variable)).count();
    assert_eq!(same, 0);
}

#[test]
fn faults_come_together() {
    let all = Fault::usual();
    for seed in 0..150u64 {
        let pick = |n: u64| all[((seed * 7 + n * 5) % all.len() as u64) as usize].clone();
        let faults = Faults::from_iter([pick(0), pick(seed % 3 + 1), pick(seed % 5 + 4)]);
        let version = VERSIONS[(seed % 3) as usize];
        let (_, walked) = run(&faults, version, seed);
        assert!(walked.found.len() <= COLUMNS.len() * MAX_ROWS as usize, "{faults} seed {seed}");
    }
}

#[test]
fn one_lying_agent_does_not_hold_up_the_others() {
    for fault in Fault::usual() {
        let honest = group(router(), "127.0.0.3:161");
        let mut net = Net::new(vec![faulty(Faults::from_iter([fault.clone()])), honest], 4);
        let (liar, honest) =
            (net.target(AGENT, Version::V2c, "public"), net.target("127.0.0.3:161", Version::V2c, "public"));
        let mut varbinds = VarBindBuf::new();
        varbinds.push(oid("1.3.6.1.2.1.1.3.0").as_oid(), Value::Null);
        net.manager.submit(liar, hamsa_snmp::manager::RequestKind::Get, varbinds, u64::MAX).unwrap();
        let before = net.now;
        let walked = net.walk(honest, walk_of(Version::V2c));
        assert!(walked.error.is_none() && walked.failures.is_empty());
        assert!(net.now - before < Duration::from_millis(500), "{fault} took {:?}", net.now - before);
    }
}

#[test]
fn the_same_seed_gives_the_same_octets() {
    let trace = |seed| {
        let faults = "loss=10%,jitter=30ms,duplicate=10%,corrupt=5%,truncate=5%,reorder=20%".parse().unwrap();
        let many = AgentGroup { count: 5, faults, access: access(), ..AgentGroup::new(router(), address(AGENT)) };
        let mut net = Net::new(vec![many], seed);
        for number in 2..7 {
            for version in VERSIONS {
                let target = net.target(&format!("127.0.0.{number}:161"), version, who(version));
                net.walk(target, walk_of(version));
            }
        }
        (net.simulator.stats(), net.trace)
    };
    let first = trace(9);
    assert!(first.1.len() > 50, "{}", first.1.len());
    assert!(first == trace(9), "two runs of one seed differ");
    assert!(first != trace(10), "two seeds are the same");
}
