//! Requests from a manager to agents over a virtual wire: every version and security level, discovery,
//! synchronisation, loss, duplicates, forgeries.

mod common;

use std::time::Duration;

use common::{Agent, Wire, named_user, oid, user};
use hamsa_snmp::engine::{EngineId, Statistic};
use hamsa_snmp::manager::{Problem, RequestError, RequestKind};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::pdu::{Bulk, ErrorStatus};
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId};
use hamsa_snmp::{OwnedValue, Value};

const SYS_UPTIME: &str = "1.3.6.1.2.1.1.3.0";
const SYS_NAME: &str = "1.3.6.1.2.1.1.5.0";

fn secret_user() -> hamsa_snmp::usm::UsmUser {
    user("ops", Some((AuthProtocolId::Sha256, "authentic-1")), Some((PrivProtocolId::Aes128, "secret-99")))
}

fn wire_with_agent() -> Wire {
    let mut wire = Wire::new();
    let agent = Agent::new("192.0.2.1:161", 5, wire.now - Duration::from_secs(5000), vec![secret_user()]);
    agent.set(SYS_UPTIME, Value::TimeTicks(500_000));
    agent.set(SYS_NAME, Value::OctetString(b"core1"));
    wire.agents.push(agent);
    wire.users.insert(secret_user()).unwrap();
    wire
}

#[test]
fn every_version_and_level_is_answered() {
    for (version, security_name, level) in [
        (Version::V1, "public", SecurityLevel::NoAuthNoPriv),
        (Version::V2c, "public", SecurityLevel::NoAuthNoPriv),
        (Version::V3, "ops", SecurityLevel::NoAuthNoPriv),
        (Version::V3, "ops", SecurityLevel::AuthNoPriv),
        (Version::V3, "ops", SecurityLevel::AuthPriv),
    ] {
        let mut wire = wire_with_agent();
        let target = wire.target(0, version, security_name, level);
        wire.ask(target, RequestKind::Get, &[SYS_UPTIME, SYS_NAME], 1);
        wire.run();
        let (status, varbinds) = wire.outcome(1).as_ref().unwrap();
        assert_eq!(*status, ErrorStatus::NO_ERROR);
        assert_eq!(varbinds[0], (oid(SYS_UPTIME), OwnedValue::TimeTicks(500_000)));
        assert_eq!(varbinds[1], (oid(SYS_NAME), OwnedValue::OctetString(b"core1".as_slice().into())));
        let discovery = u64::from(version == Version::V3);
        assert_eq!(wire.sent, 1 + discovery, "{version:?} {level:?}");
        assert_eq!(wire.manager.engine_of(target), (discovery == 1).then_some(wire.agents[0].engine_id));
    }
}

#[test]
fn every_pair_of_protocols_works() {
    for auth in AuthProtocolId::ALL {
        for privacy in PrivProtocolId::ALL {
            let mut wire = Wire::new();
            let ops = || user("ops", Some((auth, "authentic-1")), Some((privacy, "secret-99")));
            let agent = Agent::new("192.0.2.1:161", 5, wire.now, vec![ops()]);
            agent.set(SYS_NAME, Value::OctetString(b"core1"));
            wire.agents.push(agent);
            wire.users.insert(ops()).unwrap();
            let target = wire.target(0, Version::V3, "ops", SecurityLevel::AuthPriv);
            wire.ask(target, RequestKind::Get, &[SYS_NAME], 1);
            wire.run();
            assert_eq!(wire.value(1), OwnedValue::OctetString(b"core1".as_slice().into()), "{auth} {privacy}");
        }
    }
}

#[test]
fn sets_are_all_or_nothing() {
    let mut wire = wire_with_agent();
    let target = wire.target(0, Version::V2c, "public", SecurityLevel::NoAuthNoPriv);
    let mut varbinds = hamsa_snmp::VarBindBuf::new();
    varbinds.push(oid(SYS_NAME).as_oid(), Value::OctetString(b"renamed"));
    varbinds.push(oid("1.3.6.1.2.1.1.99.0").as_oid(), Value::Integer(1));
    wire.manager.submit(target, RequestKind::Set, varbinds.clone(), 1).unwrap();
    wire.run();
    assert_eq!(wire.outcome(1).as_ref().unwrap().0, ErrorStatus::NOT_WRITABLE);
    let one = varbinds.iter().take(1).collect();
    wire.manager.submit(target, RequestKind::Set, one, 2).unwrap();
    wire.ask(target, RequestKind::Get, &[SYS_NAME], 3);
    wire.run();
    assert_eq!(wire.value(3), OwnedValue::OctetString(b"renamed".as_slice().into()));
}

#[test]
fn v1_gets_v1s_errors() {
    let mut wire = wire_with_agent();
    wire.agents[0].set("1.3.6.1.2.1.31.1.1.1.6.1", Value::Counter64(7));
    let target = wire.target(0, Version::V1, "public", SecurityLevel::NoAuthNoPriv);
    wire.ask(target, RequestKind::Get, &[SYS_NAME, "1.3.6.1.2.1.31.1.1.1.6.1"], 1);
    wire.ask(target, RequestKind::Get, &["1.3.6.1.2.1.1.77.0"], 2);
    wire.run();
    for token in [1, 2] {
        let (status, varbinds) = wire.outcome(token).as_ref().unwrap();
        assert_eq!(*status, ErrorStatus::NO_SUCH_NAME);
        assert_eq!(varbinds.len(), if token == 1 { 2 } else { 1 });
    }
}

#[test]
fn lost_requests_are_sent_again_and_duplicates_are_dropped() {
    let mut wire = wire_with_agent();
    let target = wire.target(0, Version::V2c, "public", SecurityLevel::NoAuthNoPriv);
    wire.ask(target, RequestKind::Get, &[SYS_NAME], 1);
    let mut count = 0;
    wire.run_with(&mut |request| {
        count += 1;
        (count > 2).then_some(request)
    });
    assert!(wire.outcome(1).is_ok());
    assert_eq!(wire.manager.stats().retransmitted, 2);

    wire.ask(target, RequestKind::Get, &[SYS_NAME], 2);
    wire.send_all(&mut Some);
    let twice = wire.inbound[0].clone();
    wire.inbound.push_back(twice);
    wire.deliver_all();
    assert!(wire.outcome(2).is_ok());
    assert_eq!(wire.manager.stats().unmatched, 1);
}

#[test]
fn a_late_answer_to_an_earlier_try_counts() {
    let mut wire = wire_with_agent();
    let target = wire.target(0, Version::V3, "ops", SecurityLevel::AuthPriv);
    wire.ask(target, RequestKind::Get, &[SYS_NAME], 1);
    wire.run();
    wire.ask(target, RequestKind::Get, &[SYS_NAME], 2);
    wire.send_all(&mut Some);
    let late = wire.inbound.pop_front().unwrap();
    wire.now = wire.manager.poll_timeout().unwrap();
    wire.manager.handle_timeout(wire.now);
    wire.send_all(&mut |_| None);
    wire.inbound.push_back(late);
    wire.deliver_all();
    assert!(wire.outcome(2).is_ok());
    assert_eq!(wire.manager.pending(), 0);
}

#[test]
fn silence_ends_in_a_timeout_after_the_stated_tries() {
    let mut wire = wire_with_agent();
    for (version, security_name) in [(Version::V2c, "public"), (Version::V3, "ops")] {
        let target = wire.target(0, version, security_name, SecurityLevel::NoAuthNoPriv);
        wire.ask(target, RequestKind::Get, &[SYS_NAME], version as u64);
        let before = wire.now;
        wire.run_with(&mut |_| None);
        let Err(RequestError::Timeout { attempts, last_problem }) = wire.outcome(version as u64) else {
            panic!("answered")
        };
        assert_eq!(*attempts, 4);
        assert_eq!(*last_problem, (version == Version::V3).then_some(Problem::NoDiscovery));
        // 1 + 2 + 4 + 5 seconds.
        assert_eq!(wire.now - before, Duration::from_secs(12));
    }
}

#[test]
fn a_wrong_password_is_told_apart_from_silence() {
    let mut wire = wire_with_agent();
    wire.users.insert(user("typo", Some((AuthProtocolId::Sha256, "wrong-one")), None)).unwrap();
    wire.users.insert(named_user("nobody", "nobody", Some((AuthProtocolId::Sha256, "authentic-1")), None)).unwrap();
    wire.users
        .insert(user(
            "weak",
            Some((AuthProtocolId::Sha256, "authentic-1")),
            Some((PrivProtocolId::Aes128, "bad-secret")),
        ))
        .unwrap();
    for (token, security_name, level, statistic) in [
        (1, "typo", SecurityLevel::AuthNoPriv, Statistic::WrongDigests),
        (2, "nobody", SecurityLevel::AuthNoPriv, Statistic::UnknownUserNames),
    ] {
        let target = wire.target(0, Version::V3, security_name, level);
        wire.ask(target, RequestKind::Get, &[SYS_NAME], token);
        wire.run();
        assert_eq!(*wire.outcome(token), Err(RequestError::Report(statistic)));
    }
    // A wrong privacy password: the agent finds garbage and can't say so to anyone.
    let target = wire.target(0, Version::V3, "weak", SecurityLevel::AuthPriv);
    wire.ask(target, RequestKind::Get, &[SYS_NAME], 3);
    wire.run();
    assert!(matches!(wire.outcome(3), Err(RequestError::Timeout { .. })));
}

#[test]
fn a_level_the_user_lacks_is_refused_before_anything_is_sent() {
    let mut wire = wire_with_agent();
    wire.users.insert(user("auth-only", Some((AuthProtocolId::Sha256, "authentic-1")), None)).unwrap();
    let target = wire.target(0, Version::V3, "auth-only", SecurityLevel::AuthPriv);
    wire.ask(target, RequestKind::Get, &[SYS_NAME], 1);
    wire.run();
    let error = wire.outcome(1).as_ref().unwrap_err().to_string();
    assert_eq!(error, "credentials ops have no privacy protocol, which authPriv needs");
}

#[test]
fn an_agents_reboot_is_caught_up_with() {
    let mut wire = wire_with_agent();
    let target = wire.target(0, Version::V3, "ops", SecurityLevel::AuthPriv);
    wire.ask(target, RequestKind::Get, &[SYS_NAME], 1);
    wire.run();
    let old = &wire.agents[0];
    let engine_id = old.engine_id;
    let reborn = Agent::with_engine(old.address, engine_id, 6, wire.now, vec![secret_user()]);
    reborn.set(SYS_NAME, Value::OctetString(b"again"));
    wire.agents[0] = reborn;
    wire.ask(target, RequestKind::Get, &[SYS_NAME], 2);
    wire.run();
    assert_eq!(wire.value(2), OwnedValue::OctetString(b"again".as_slice().into()));
    assert_eq!(wire.users.remote_time(wire.now, &engine_id).unwrap().boots, 6);
    assert_eq!(wire.manager.stats().retransmitted, 0);
}

#[test]
fn a_replaced_device_is_discovered_anew() {
    let mut wire = wire_with_agent();
    let target = wire.target(0, Version::V3, "ops", SecurityLevel::AuthPriv);
    wire.ask(target, RequestKind::Get, &[SYS_NAME], 1);
    wire.run();
    let other = EngineId::assigned(32473, *b"another1");
    let replaced = Agent::with_engine(wire.agents[0].address, other, 1, wire.now, vec![secret_user()]);
    replaced.set(SYS_NAME, Value::OctetString(b"new box"));
    wire.agents[0] = replaced;
    wire.ask(target, RequestKind::Get, &[SYS_NAME], 2);
    wire.run();
    assert_eq!(wire.value(2), OwnedValue::OctetString(b"new box".as_slice().into()));
    assert_eq!(wire.manager.engine_of(target), Some(other));
}

/// X1: what a forged Report says is tried at most, never kept.
#[test]
fn forged_reports_change_no_clock_and_end_no_request_for_good() {
    let mut wire = wire_with_agent();
    let target = wire.target(0, Version::V3, "ops", SecurityLevel::AuthPriv);
    wire.ask(target, RequestKind::Get, &[SYS_NAME], 1);
    wire.run();
    let engine_id = wire.agents[0].engine_id;
    let before = wire.users.remote_time(wire.now, &engine_id).unwrap();

    // An attacker who sees the request answers it first, as an engine of the same ID but other boots would.
    let address = wire.agents[0].address;
    let liar = Agent::with_engine(address, engine_id, 4_000, wire.now, vec![]);
    wire.ask(target, RequestKind::Get, &[SYS_NAME], 2);
    let mut forged = Vec::new();
    let now = wire.now;
    wire.run_with(&mut |request| {
        if forged.is_empty() {
            let mut answer = vec![0; 2048];
            let length = liar.responder.handle(now, &mut request.clone(), &mut answer).expect("a Report");
            forged = answer[answer.len() - length..].to_vec();
            return None;
        }
        Some(request)
    });
    assert!(wire.outcome(2).is_ok(), "lost once, then answered");
    wire.ask(target, RequestKind::Get, &[SYS_NAME], 3);
    wire.send_all(&mut |_| None);
    wire.inbound.push_back((address, forged));
    wire.deliver_all();
    assert_eq!(wire.manager.stats().unmatched, 1, "an old identifier is worth nothing");
    wire.run();
    assert!(wire.outcome(3).is_ok());
    assert_eq!(wire.users.remote_time(now, &engine_id).unwrap().boots, before.boots);
}

#[test]
fn answers_from_elsewhere_or_under_another_name_are_dropped() {
    let mut wire = wire_with_agent();
    let target = wire.target(0, Version::V2c, "public", SecurityLevel::NoAuthNoPriv);
    wire.ask(target, RequestKind::Get, &[SYS_NAME], 1);
    wire.send_all(&mut Some);
    let (address, answer) = wire.inbound.pop_front().unwrap();
    wire.inbound.push_back(("192.0.2.66:161".parse().unwrap(), answer.clone()));
    let renamed: Vec<u8> = String::from_utf8_lossy(&answer)
        .contains("public")
        .then(|| {
            let at = answer.windows(6).position(|w| w == b"public").unwrap();
            let mut changed = answer.clone();
            changed[at..at + 6].copy_from_slice(b"publik");
            changed
        })
        .unwrap();
    wire.inbound.push_back((address, renamed));
    wire.inbound.push_back((address, answer[..answer.len() - 1].to_vec()));
    wire.deliver_all();
    assert!(wire.outcomes.is_empty());
    assert_eq!(wire.manager.stats().wrong_source, 1);
    assert_eq!(wire.manager.stats().rejected, 2);
    wire.inbound.push_back((address, answer));
    wire.deliver_all();
    assert!(wire.outcome(1).is_ok());
}

#[test]
fn a_tampered_v3_answer_is_dropped_and_named_if_no_better_comes() {
    let mut wire = wire_with_agent();
    let target = wire.target(0, Version::V3, "ops", SecurityLevel::AuthPriv);
    wire.ask(target, RequestKind::Get, &[SYS_NAME], 1);
    wire.run();
    wire.ask(target, RequestKind::Get, &[SYS_NAME], 2);
    for _ in 0..4 {
        wire.send_all(&mut Some);
        let last = wire.inbound[0].1.len() - 1;
        wire.inbound[0].1[last] ^= 1;
        wire.deliver_all();
        wire.now = wire.manager.poll_timeout().unwrap();
        wire.manager.handle_timeout(wire.now);
    }
    wire.run();
    let error = wire.outcome(2).as_ref().unwrap_err();
    assert!(error.to_string().contains("messages whose digest is wrong"), "{error}");
}

#[test]
fn a_target_never_has_more_out_than_it_allows() {
    let mut wire = wire_with_agent();
    let target = wire.target(0, Version::V2c, "public", SecurityLevel::NoAuthNoPriv);
    for token in 0..50 {
        wire.ask(target, RequestKind::Get, &[SYS_NAME], token);
    }
    let mut buffer = vec![0; 2048];
    let mut out = 0;
    while wire.manager.poll_transmit(wire.now, &mut buffer).is_some() {
        out += 1;
    }
    assert_eq!(out, 2);
    wire.run();
    assert!((0..50).all(|token| wire.outcome(token).is_ok()));
}

#[test]
fn one_dead_target_delays_no_other() {
    let mut wire = wire_with_agent();
    wire.agents.push(Agent::new("192.0.2.2:162", 1, wire.now, vec![]));
    let dead = wire.target(1, Version::V3, "ops", SecurityLevel::AuthPriv);
    let alive = wire.target(0, Version::V3, "ops", SecurityLevel::AuthPriv);
    let gone = wire.agents.pop().unwrap().address;
    assert_ne!(gone, wire.agents[0].address);
    for token in 0..20 {
        wire.ask(dead, RequestKind::Get, &[SYS_NAME], 100 + token);
        wire.ask(alive, RequestKind::Get, &[SYS_NAME], token);
    }
    for _ in 0..20 {
        wire.send_all(&mut Some);
        wire.deliver_all();
    }
    assert!((0..20).all(|token| wire.outcome(token).is_ok()), "without any time passing");
    wire.run();
    assert!((100..120).all(|token| wire.outcome(token).is_err()));
}

#[test]
fn a_removed_target_leaves_nothing_behind() {
    let mut wire = wire_with_agent();
    let target = wire.target(0, Version::V3, "ops", SecurityLevel::AuthPriv);
    for token in 0..5 {
        wire.ask(target, RequestKind::Get, &[SYS_NAME], token);
    }
    wire.send_all(&mut Some);
    wire.manager.remove_target(target);
    assert_eq!(wire.manager.pending(), 0);
    wire.deliver_all();
    let next = wire.target(0, Version::V3, "ops", SecurityLevel::AuthPriv);
    assert_ne!(next, target);
    wire.ask(next, RequestKind::Get, &[SYS_NAME], 9);
    wire.run();
    assert!(wire.outcome(9).is_ok());
    assert_eq!(wire.outcomes.len(), 1);
}

#[test]
fn getbulk_fills_what_fits_and_stops_at_the_end() {
    let mut wire = wire_with_agent();
    for i in 1..=500 {
        wire.agents[0].set(&format!("1.3.6.1.4.1.32473.1.{i}"), Value::Integer(i));
    }
    let target = wire.target(0, Version::V3, "ops", SecurityLevel::AuthPriv);
    let bulk = |max_repetitions| RequestKind::GetBulk(Bulk { non_repeaters: 1, max_repetitions });
    wire.ask(target, bulk(10), &["1.3.6.1.2.1.1.3", "1.3.6.1.4.1.32473.1"], 1);
    wire.ask(target, bulk(100_000), &["1.3.6.1.2.1.1.3", "1.3.6.1.4.1.32473.1.490"], 2);
    wire.run();
    let varbinds = &wire.outcome(1).as_ref().unwrap().1;
    assert_eq!(varbinds.len(), 11);
    assert_eq!(varbinds[0].0, oid(SYS_UPTIME));
    let varbinds = &wire.outcome(2).as_ref().unwrap().1;
    assert_eq!(varbinds.len(), 1 + 10 + 1);
    assert_eq!(varbinds[11].1, OwnedValue::EndOfMibView);
}
