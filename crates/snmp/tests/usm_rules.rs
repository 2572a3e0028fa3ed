//! The user-based security model's elements of procedure, step by step (RFC 3414 §3.2): what each error counts,
//! what Report it gives and how that is secured, who gets none, and the edges of the time window.

mod common;
mod forge;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use SecurityLevel::{AuthNoPriv, AuthPriv, NoAuthNoPriv};
use common::Agent;
use forge::{
    BOOTS, Forge, MSG_ID, Order, REQUEST_ID, agent, order, read_report, rebuilt, receive, scoped, sign, start,
};
use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::{Engine, EngineId, EngineTime, Statistic, V3Processing};
use hamsa_snmp::message::{MsgData, SecurityLevel, UsmParameters, V3Message};
use hamsa_snmp::pdu::PduKind;
use hamsa_snmp::usm::{AuthProtocol, AuthProtocolId, Key, Mac, PrivProtocolId, Usm, UsmUsers};

const MAX: u32 = i32::MAX as u32;

fn at(boots: u32, time: u32) -> EngineTime {
    EngineTime { boots, time }
}

/// Where the digest and the salt of a message are.
fn fields(message: &[u8]) -> (Range<usize>, Range<usize>) {
    let outer = V3Message::parse(message).unwrap();
    let (usm, digest) = UsmParameters::parse(message, outer.security_parameters.clone()).unwrap();
    let end = outer.security_parameters.end;
    (digest, end - usm.privacy.len()..end)
}

/// A mistake, and what it must lead to.
struct Case {
    what: &'static str,
    order: Order,
    /// Changes the signed message.
    spoil: fn(&mut Vec<u8>),
    statistic: Statistic,
    level: SecurityLevel,
}

fn cases(agent: &Agent, now: Instant) -> Vec<Case> {
    let good = |security_name, level| order(agent, now, security_name, level);
    let time = agent.users.local_time(now);
    let case = |what, order, statistic| Case { what, order, spoil: |_| {}, statistic, level: NoAuthNoPriv };
    let spoilt = |what, order, spoil, statistic| Case { what, order, spoil, statistic, level: NoAuthNoPriv };
    let untimely = |what, order: Order, time| Case {
        level: AuthNoPriv,
        ..case(what, Order { time, ..order }, Statistic::NotInTimeWindows)
    };
    let elsewhere = EngineId::assigned(32473, *b"anotherr");
    vec![
        case(
            "discovery",
            Order { engine_id: EngineId::EMPTY, ..good("guest", NoAuthNoPriv) },
            Statistic::UnknownEngineIds,
        ),
        case(
            "another engine",
            Order { engine_id: elsewhere, ..good("guest", NoAuthNoPriv) },
            Statistic::UnknownEngineIds,
        ),
        case("another engine", Order { engine_id: elsewhere, ..good("ops", AuthPriv) }, Statistic::UnknownEngineIds),
        spoilt("no such user", good("ops", AuthPriv), |m| rename(m, b"ops", b"opz"), Statistic::UnknownUserNames),
        spoilt(
            "no such user",
            good("guest", NoAuthNoPriv),
            |m| rename(m, b"guest", b"Guest"),
            Statistic::UnknownUserNames,
        ),
        spoilt(
            "no key at all",
            good("clerk", AuthNoPriv),
            |m| rename(m, b"clerk", b"guest"),
            Statistic::UnsupportedSecurityLevels,
        ),
        spoilt(
            "no key to encrypt",
            good("clerk", AuthNoPriv),
            |m| claim_privacy(m),
            Statistic::UnsupportedSecurityLevels,
        ),
        spoilt(
            "a forged digest",
            good("clerk", AuthNoPriv),
            |m| flip(m, |m| fields(m).0.start),
            Statistic::WrongDigests,
        ),
        spoilt("a forged digest", good("ops", AuthPriv), |m| flip(m, |m| fields(m).0.end - 1), Statistic::WrongDigests),
        spoilt("a changed message", good("ops", AuthPriv), |m| flip(m, |m| m.len() - 1), Statistic::WrongDigests),
        spoilt("a changed salt", good("ops", AuthPriv), |m| flip(m, |m| fields(m).1.start), Statistic::WrongDigests),
        untimely("an earlier boot", good("clerk", AuthNoPriv), at(BOOTS - 1, time.time)),
        untimely("a later boot", good("ops", AuthPriv), at(BOOTS + 1, time.time)),
        untimely("too old", good("old", AuthPriv), at(BOOTS, time.time - 151)),
        untimely("too new", good("ops", AuthPriv), at(BOOTS, time.time + 151)),
        untimely("not synchronised", good("ops", AuthPriv), at(0, 0)),
        spoilt(
            "plain data that claims to be encrypted",
            good("ops", AuthNoPriv),
            |m| {
                claim_privacy(m);
                sign(m, "ops");
            },
            Statistic::DecryptionErrors,
        ),
        spoilt(
            "encrypted data that claims to be plain",
            good("ops", AuthPriv),
            |m| {
                *flags(m) &= !2;
                sign(m, "ops");
            },
            Statistic::DecryptionErrors,
        ),
        spoilt(
            "half a block",
            good("old", AuthPriv),
            |m| *m = rebuilt(m, "old", &[4, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], None),
            Statistic::DecryptionErrors,
        ),
        spoilt(
            "no salt",
            good("ops", AuthPriv),
            |m| *m = rebuilt(m, "ops", &[4, 2, 1, 2], Some(&[])),
            Statistic::DecryptionErrors,
        ),
        spoilt(
            "a long salt",
            good("old", AuthPriv),
            |m| *m = rebuilt(m, "old", &[4, 8, 1, 2, 3, 4, 5, 6, 7, 8], Some(&[0; 9])),
            Statistic::DecryptionErrors,
        ),
    ]
}

fn flip(message: &mut [u8], place: impl Fn(&[u8]) -> usize) {
    let place = place(message);
    message[place] ^= 1;
}

fn rename(message: &mut [u8], from: &[u8], to: &[u8]) {
    let place = message.windows(from.len()).position(|window| window == from).unwrap();
    message[place..place + to.len()].copy_from_slice(to);
}

/// Whether anyone can read the PDU.
fn is_readable(message: &[u8]) -> bool {
    matches!(V3Message::parse(message).unwrap().data, MsgData::Plain(_))
}

/// Sets `privFlag`.
fn claim_privacy(message: &mut [u8]) {
    *flags(message) |= 2;
}

fn flags(message: &mut [u8]) -> &mut u8 {
    // Between msgMaxSize and msgSecurityModel.
    let place = message.windows(6).position(|window| window[..2] == [4, 1] && window[3..] == [2, 1, 3]).unwrap() + 2;
    &mut message[place]
}

#[test]
fn every_error_gives_its_report() {
    let now = start();
    let forge = Forge::new();
    for Case { what, order, spoil, statistic, level } in cases(&agent(now), now) {
        let agent = agent(now);
        let mut message = forge.message(&order);
        spoil(&mut message);
        for count in 1..=3 {
            let (error, report) = receive(&agent, now, &message);
            assert_eq!(error.expect("an error").to_string(), statistic.description(), "{what}");
            let report = report.expect("a Report");
            let read = read_report(&report);
            assert_eq!((read.statistic, read.value, read.level), (statistic, count, level), "{what}");
            assert_eq!(agent.responder.engine().stats().get(statistic), count);
            assert_eq!(read.msg_id, MSG_ID);
            assert!(!read.is_reportable, "{what}: a Report must not be answered");
            assert_eq!(read.engine_id, agent.engine_id.as_octets());
            assert_eq!(read.context_engine_id, agent.engine_id.as_octets());
            assert_eq!(read.request_id, if is_readable(&message) { REQUEST_ID } else { 0 }, "{what}");
            if level.is_authenticated() {
                assert_eq!(read.time, agent.users.local_time(now), "{what}: it tells the right time");
            }
            let asker = common::Wire::new();
            forge::users().into_iter().for_each(|user| asker.users.insert(user).unwrap());
            let mut report = report;
            let mut none = [];
            let received = asker.manager.engine().receive(now, &mut report, &mut Writer::new(&mut none));
            let received = received.expect("whoever asked can read it");
            assert_eq!(received.envelope.level, level);
        }
    }
}

#[test]
fn who_is_not_reportable_gets_no_report_but_is_counted() {
    let now = start();
    let forge = Forge::new();
    for Case { what, order, spoil, statistic, .. } in cases(&agent(now), now) {
        let agent = agent(now);
        // Not for us and not reportable is a notification from elsewhere, which other steps judge.
        let is_foreign = order.engine_id != agent.engine_id && !order.engine_id.is_empty();
        let mut message = forge.message(&Order { is_reportable: false, ..order });
        spoil(&mut message);
        let (error, report) = receive(&agent, now, &message);
        assert_eq!(report, None, "{what}");
        if !is_foreign {
            assert_eq!(error.expect("an error").to_string(), statistic.description(), "{what}");
            assert_eq!(agent.responder.engine().stats().get(statistic), 1, "{what}");
        }
    }
}

/// RFC 3412 §6.4: the flag counts only where it can't be seen that nobody waits for an answer.
#[test]
fn unconfirmed_pdus_get_no_report() {
    let now = start();
    let forge = Forge::new();
    for kind in [PduKind::Report, PduKind::Response, PduKind::TrapV2] {
        for Case { what, order, spoil, .. } in cases(&agent(now), now) {
            let agent = agent(now);
            let mut message = forge.message(&Order { scoped: scoped(agent.engine_id, kind), ..order });
            spoil(&mut message);
            if is_readable(&message) {
                assert_eq!(receive(&agent, now, &message).1, None, "{what} {kind:?}");
            }
        }
    }
}

/// Steps (1) and (2), and what follows step (8): not even BER.
#[test]
fn what_is_no_ber_is_counted_and_dropped() {
    let now = start();
    let (forge, agent) = (Forge::new(), agent(now));
    let good = forge.message(&order(&agent, now, "ops", AuthPriv));
    let mut parameters = good.clone();
    let place = V3Message::parse(&good).unwrap().security_parameters.start;
    parameters[place] = 0x31;
    // Signed and decrypted well, and still no scoped PDU: what a wrong privacy password looks like.
    let garbage = rebuilt(&good, "ops", &[4, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16], None);
    let long_engine_id = Order { engine_id: agent.engine_id, ..order(&agent, now, "clerk", AuthNoPriv) };
    let mut nameless = forge.message(&long_engine_id);
    nameless.truncate(nameless.len() - 1);
    for (count, message) in [parameters, garbage, nameless].iter().enumerate() {
        let (error, report) = receive(&agent, now, message);
        assert_eq!((error.is_some(), report), (true, None), "{count}");
        let counted = agent.responder.engine().stats().get(Statistic::InAsnParseErrors);
        assert_eq!(counted as usize, count + 1);
    }
}

/// Step (7a): where we are the authority.
#[test]
fn the_window_of_the_authoritative_engine_has_sharp_edges() {
    let now = start();
    let forge = Forge::new();
    for age_s in [0, 1, 149, 150, 151, 100_000, u64::from(MAX)] {
        let agent = Agent::new("192.0.2.1:161", BOOTS, now - Duration::from_secs(10_000), forge::users());
        let now = now + Duration::from_secs(age_s);
        let local = agent.users.local_time(now);
        for (boots, seconds, expected) in [
            (0, 0, true),
            (0, 150, true),
            (0, -150, true),
            (0, 151, false),
            (0, -151, false),
            (1, 0, false),
            (-1, 0, false),
        ] {
            let stated = i64::from(local.time) + seconds;
            let Ok(time) = u32::try_from(stated) else { continue };
            if time > MAX {
                continue;
            }
            let time = at(local.boots.checked_add_signed(boots).unwrap(), time);
            let message = forge.message(&Order { time, ..order(&agent, now, "clerk", AuthNoPriv) });
            let (error, _) = receive(&agent, now, &message);
            assert_eq!(error.is_none(), expected, "{local:?} {time:?} {error:?}");
            assert_eq!(agent.users.local_time(now), local, "nobody sets our clock");
        }
    }
}

#[test]
fn an_engine_whose_boots_are_used_up_takes_nothing_that_is_signed() {
    let now = start();
    let forge = Forge::new();
    let agent = Agent::new("192.0.2.1:161", MAX, now, forge::users());
    let (error, _) = receive(&agent, now, &forge.message(&order(&agent, now, "clerk", AuthNoPriv)));
    assert_eq!(error.unwrap().to_string(), Statistic::NotInTimeWindows.description());
    let (error, _) = receive(&agent, now, &forge.message(&order(&agent, now, "guest", NoAuthNoPriv)));
    assert_eq!(error, None);
}

/// Step (7b): where the sender is the authority, as in a trap.
#[test]
fn the_window_of_another_engine_has_sharp_edges() {
    let now = start();
    let forge = Forge::new();
    let elsewhere = EngineId::assigned(32473, *b"anotherr");
    let first = at(5, 1000);
    for (later_s, stated, expected, known_then) in [
        (0, at(5, 1000), true, at(5, 1000)),
        (0, at(5, 850), true, at(5, 1000)),
        (0, at(5, 849), false, at(5, 1000)),
        (100, at(5, 950), true, at(5, 1100)),
        (100, at(5, 949), false, at(5, 1100)),
        // Newer than the last one, if older than we thought: the other clock runs slow.
        (100, at(5, 1099), true, at(5, 1099)),
        (100, at(5, 1001), true, at(5, 1001)),
        (100, at(5, MAX), true, at(5, MAX)),
        (100, at(6, 0), true, at(6, 0)),
        (100, at(4, MAX), false, at(5, 1100)),
        (100, at(MAX - 1, 3), true, at(MAX - 1, 3)),
        (100, at(MAX, 3), false, at(MAX, 3)),
    ] {
        let agent = agent(now);
        let signed = |time| {
            let good = order(&agent, now, "clerk", AuthNoPriv);
            let scoped = scoped(elsewhere, PduKind::TrapV2);
            forge.message(&Order { engine_id: elsewhere, time, is_reportable: false, scoped, ..good })
        };
        assert_eq!(receive(&agent, now, &signed(first)).0, None, "the first contact sets the clock");
        let then = now + Duration::from_secs(later_s);
        let (error, report) = receive(&agent, then, &signed(stated));
        assert_eq!((error.is_none(), report), (expected, None), "{stated:?} after {later_s} s: {error:?}");
        let remote = agent.users.remote_time(then, &elsewhere).unwrap();
        assert_eq!(remote, known_then, "{stated:?} after {later_s} s");
    }
}

/// The first message of an engine that can't count its boots any more is not timely either, and none of its
/// older ones is ever again.
#[test]
fn a_stranger_whose_boots_are_used_up_is_not_let_in() {
    let now = start();
    let (forge, agent) = (Forge::new(), agent(now));
    let elsewhere = EngineId::assigned(32473, *b"anotherr");
    for time in [at(MAX, 3), at(5, 3)] {
        let good = order(&agent, now, "clerk", AuthNoPriv);
        let message = forge.message(&Order { engine_id: elsewhere, time, is_reportable: false, ..good });
        let (error, report) = receive(&agent, now, &message);
        assert_eq!(report, None);
        assert_eq!(error.expect("untimely").to_string(), Statistic::NotInTimeWindows.description());
    }
}

/// Counts what is hashed.
struct Hashing(Arc<dyn AuthProtocol>, Arc<AtomicUsize>);

impl AuthProtocol for Hashing {
    fn id(&self) -> AuthProtocolId {
        self.0.id()
    }

    fn digest_len(&self) -> usize {
        self.0.digest_len()
    }

    fn mac_len(&self) -> usize {
        self.0.mac_len()
    }

    fn digest(&self, parts: &[&[u8]]) -> Result<Key, hamsa_snmp::engine::Unavailable> {
        self.1.fetch_add(parts.iter().map(|part| part.len()).sum(), Ordering::Relaxed);
        self.0.digest(parts)
    }

    fn mac(&self, key: &[u8], parts: &[&[u8]]) -> Result<Mac, hamsa_snmp::engine::Unavailable> {
        self.0.mac(key, parts)
    }
}

/// Some keys take a megabyte of hashing to make: nobody but who has signed a message may cause that.
#[test]
fn a_forged_message_costs_no_password_hashing() {
    let now = start();
    let secrets = (Some((AuthProtocolId::Md5, "authentic-1")), Some((PrivProtocolId::TripleDes, "secret-99")));
    let elsewhere = EngineId::assigned(32473, *b"anotherr");
    let known = || {
        let users = UsmUsers::new(EngineId::assigned(32473, *b"receiver"), at(1, 0), now);
        users.insert(common::user("ops", secrets.0, secrets.1)).unwrap();
        Arc::new(users)
    };
    let usm = |users| Usm::new(users, Arc::default(), Arc::new(common::CountingSalts::default()));
    let (users, hashed) = (known(), Arc::new(AtomicUsize::new(0)));
    let mut receiving = usm(users.clone());
    receiving.install_auth(Arc::new(Hashing(AuthProtocolId::Md5.built_in(), hashed.clone())));
    let mut engine = Engine::new(users.local_engine(), Arc::default());
    engine.install_message_processing(Arc::new(V3Processing));
    engine.install_security(Arc::new(receiving));

    let forge = Forge::with(usm(known()));
    let order = Order {
        security_name: "ops",
        level: AuthPriv,
        is_reportable: false,
        engine_id: elsewhere,
        time: at(1, 1),
        max_size: 65_507,
        security_model: 3,
        scoped: scoped(elsewhere, PduKind::TrapV2),
    };
    let good = forge.message(&order);
    for place in [fields(&good).0.start, good.len() - 1] {
        let mut forged = good.clone();
        forged[place] ^= 1;
        assert!(engine.receive(now, &mut forged, &mut Writer::new(&mut [])).is_err());
    }
    assert!(hashed.swap(0, Ordering::Relaxed) < 1000);
    assert_eq!(users.key_count(), 0);
    assert!(engine.receive(now, &mut good.clone(), &mut Writer::new(&mut [])).is_ok());
    assert!(hashed.swap(0, Ordering::Relaxed) > 1_000_000);
    assert_eq!(users.key_count(), 1);
    assert!(engine.receive(now, &mut good.clone(), &mut Writer::new(&mut [])).is_ok());
    assert_eq!(hashed.load(Ordering::Relaxed), 0, "kept");
}

/// X1: a forged message leaves no key behind, not even for an engine that others have proved to exist.
#[test]
fn a_forged_message_leaves_no_key_behind() {
    let now = start();
    let (forge, agent) = (Forge::new(), agent(now));
    let elsewhere = EngineId::assigned(32473, *b"anotherr");
    let trap = |security_name, level| {
        let good = order(&agent, now, security_name, level);
        let scoped = scoped(elsewhere, PduKind::TrapV2);
        forge.message(&Order { engine_id: elsewhere, time: at(1, 1), is_reportable: false, scoped, ..good })
    };
    assert_eq!(receive(&agent, now, &trap("clerk", AuthNoPriv)).0, None);
    assert_eq!(agent.users.key_count(), 1);
    let mut forged = trap("ops", AuthPriv);
    *forged.last_mut().unwrap() ^= 1;
    assert!(receive(&agent, now, &forged).0.is_some());
    assert_eq!(agent.users.key_count(), 1);
    assert_eq!(receive(&agent, now, &trap("ops", AuthPriv)).0, None);
    assert_eq!(agent.users.key_count(), 2);
}
