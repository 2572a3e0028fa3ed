//! SNMPv3 message processing (RFC 3412 §7.2): what is turned away before any security is looked at, and which
//! answers a request takes.

mod common;
mod forge;

use forge::{Forge, Order, agent, order, receive, start};
use hamsa_snmp::engine::{ReceiveError, Statistic};
use hamsa_snmp::message::SecurityLevel::AuthPriv;

/// Replaces the one place in a message where these octets stand.
fn replaced(message: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let places: Vec<usize> = (0..message.len()).filter(|&at| message[at..].starts_with(from)).collect();
    let [place] = places[..] else { panic!("{from:x?} stands at {places:?}") };
    let mut message = message.to_vec();
    message[place..place + from.len()].copy_from_slice(to);
    message
}

#[test]
fn what_contradicts_itself_is_counted_and_dropped_without_a_report() {
    let now = start();
    let forge = Forge::new();
    let agent = agent(now);
    let good = order(&agent, now, "ops", AuthPriv);
    let message = forge.message(&good);
    let with = |change: fn(&mut Order)| {
        let mut order = good.clone();
        change(&mut order);
        forge.message(&order)
    };
    // msgMaxSize, then msgFlags: authentication, privacy, reportable.
    let header = [0, 0xff, 0xe3, 4, 1, 7, 2, 1, 3];
    let malformed = |error: &ReceiveError| matches!(error, ReceiveError::Malformed(_));
    let is_of_model = |error: &ReceiveError| matches!(error, ReceiveError::UnknownSecurityModel(_));
    let too_small = |error: &ReceiveError| matches!(error, ReceiveError::BadMaxSize(_));
    type Check = fn(&ReceiveError) -> bool;
    let cases: [(&str, Vec<u8>, Statistic, Check); 13] = [
        ("version 2", replaced(&message, &[2, 1, 3, 0x30], &[2, 1, 2, 0x30]), Statistic::InBadVersions, malformed),
        ("version -1", replaced(&message, &[2, 1, 3, 0x30], &[2, 1, 0xff, 0x30]), Statistic::InBadVersions, malformed),
        (
            "privacy alone",
            replaced(&message, &header, &[0, 0xff, 0xe3, 4, 1, 6, 2, 1, 3]),
            Statistic::InvalidMessages,
            malformed,
        ),
        (
            "two flags",
            replaced(&message, &header, &[0, 0xff, 4, 2, 7, 7, 2, 1, 3]),
            Statistic::InAsnParseErrors,
            malformed,
        ),
        (
            "negative msgID",
            replaced(&message, &[58, 222, 104, 177], &[0xff, 222, 104, 177]),
            Statistic::InAsnParseErrors,
            malformed,
        ),
        (
            "negative size",
            replaced(&message, &header, &[0x80, 0xff, 0xe3, 4, 1, 7, 2, 1, 3]),
            Statistic::InAsnParseErrors,
            malformed,
        ),
        ("size 483", with(|order| order.max_size = 483), Statistic::InvalidMessages, too_small),
        ("no model", with(|order| order.security_model = 0), Statistic::UnknownSecurityModels, is_of_model),
        ("v1's model", with(|order| order.security_model = 1), Statistic::UnknownSecurityModels, is_of_model),
        ("v2c's model", with(|order| order.security_model = 2), Statistic::UnknownSecurityModels, is_of_model),
        ("model 4", with(|order| order.security_model = 4), Statistic::UnknownSecurityModels, is_of_model),
        (
            "a large model",
            with(|order| order.security_model = i32::MAX as u32),
            Statistic::UnknownSecurityModels,
            is_of_model,
        ),
        ("cut off", message[..message.len() - 1].to_vec(), Statistic::InAsnParseErrors, malformed),
    ];
    for (what, message, statistic, is_expected) in cases {
        let stats = agent.responder.engine().stats();
        let before = stats.get(statistic);
        let (error, report) = receive(&agent, now, &message);
        let error = error.expect(what);
        assert!(is_expected(&error), "{what}: {error}");
        assert_eq!((stats.get(statistic), report), (before + 1, None), "{what}");
    }
    assert_eq!(receive(&agent, now, &with(|order| order.max_size = 484)).0, None, "the smallest size there is");
}
