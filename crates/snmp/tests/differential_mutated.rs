//! Messages with something wrong in them, through our codec and two others. Where one takes what another
//! refuses, or reads something else in it, the reason is on the lists below, each with where it is decided; any
//! other difference is a mistake.

mod generator;
// The fuzz package's own: it is above this crate, which may not depend on it.
#[path = "../../../fuzz/src/mutate.rs"]
mod mutate;
mod oracles;
#[path = "../../../fuzz/src/tlv.rs"]
mod tlv;

use generator::{AnyMessage, Body, Data, V3, bindings_of, bindings_of_mut, decode, encode, is_odd, message};
use hamsa_snmp::OwnedValue;
use hamsa_snmp::ber::{DecodeError, DecodeErrorKind};
use hamsa_snmp::message::Version;
use hamsa_snmp::oid::OidError;
use hamsa_snmp::pdu::PduKind;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use tlv::{Body as Contents, Node};

const MUTATIONS: u64 = 12_000;

/// The other codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Peer {
    /// In its strict mode.
    AsyncSnmp,
    Rasn,
}

/// A message that we take.
struct Taken {
    octets: Vec<u8>,
    message: AnyMessage,
    tree: Vec<Node>,
}

/// A message that we refuse.
struct Refused {
    octets: Vec<u8>,
    error: DecodeError,
}

/// Why readings may differ.
struct Reason<Case> {
    /// What is decided, and where.
    why: &'static str,
    /// From whom we so differ.
    peers: &'static [Peer],
    /// A message, in hexadecimal, that is read differently for this reason alone.
    example: &'static str,
    /// Whether it is the reason in this case.
    applies: fn(&Case) -> bool,
}

const BOTH: &[Peer] = &[Peer::AsyncSnmp, Peer::Rasn];
const ASYNC_SNMP: &[Peer] = &[Peer::AsyncSnmp];
const RASN: &[Peer] = &[Peer::Rasn];

/// What we take and others do not.
const LENIENCIES: &[Reason<Taken>] = &[
    Reason {
        why: "value.rs: one odd value costs no other",
        peers: BOTH,
        example: "301b020101040161a2130201010201000201003008300606012b050107",
        applies: |taken| bindings_of(&taken.message).iter().any(|(_, value)| is_odd(value)),
    },
    Reason {
        why: "message.rs: octets after a message are ignored",
        peers: ASYNC_SNMP,
        example: "301a020101040161a2120201010201000201003007300506012b050000",
        applies: |taken| taken.tree.len() > 1 || tlv::write(&taken.tree, &[]).len() < taken.octets.len(),
    },
    Reason {
        why: "oid.rs: an empty OID is 0.0",
        peers: BOTH,
        example: "301a020101040161a2120201010201000201003007300506012b0600",
        applies: |taken| any(&taken.tree, &|node| node.tag == 6 && is_empty(node)),
    },
    Reason {
        why: "ber.rs: an unsigned number may lack its leading zero",
        peers: RASN,
        example: "301b020101040161a2130201010201000201003008300606012b4101ff",
        applies: |taken| any(&taken.tree, &|node| matches!(node.tag, 0x41..=0x43 | 0x46) && first(node) >= Some(0x80)),
    },
    Reason {
        why: "value.rs: UInteger32 of RFC 1442 is a Gauge32",
        peers: RASN,
        example: "301b020101040161a2130201010201000201003008300606012b470107",
        applies: |taken| any(&taken.tree, &|node| node.tag == 0x47),
    },
    Reason {
        why: "value.rs: values of v2 in a v1 message are kept as they came",
        peers: RASN,
        example: "301b020100040161a2130201010201000201003008300606012b460107",
        applies: |taken| is_v1(taken) && bindings_of(&taken.message).iter().any(|(_, value)| is_of_v2(value)),
    },
    Reason {
        why: "pdu.rs: negative numbers of a GETBULK count as zero",
        peers: ASYNC_SNMP,
        example: "301a020101040161a5120201010201ff0201003007300506012b0500",
        applies: |taken| {
            pdu_of(&taken.message).is_some_and(|(kind, a, b)| kind == PduKind::GetBulkRequest && (a < 0 || b < 0))
        },
    },
    Reason {
        why: "pdu.rs: numbers that no RFC defines are kept",
        peers: RASN,
        example: "301a020101040161a2120201010201ff0201003007300506012b0500",
        applies: |taken| pdu_of(&taken.message).is_some_and(|(_, a, b)| a < 0 || b < 0),
    },
    Reason {
        why: "pdu.rs: a Report in v2c is no mistake of syntax (RFC 1901 §3); the manager ignores it",
        peers: ASYNC_SNMP,
        example: "301b020101040161a8130201010201000201003008300606012b410107",
        applies: |taken| {
            v3_of(taken).is_none() && pdu_of(&taken.message).is_some_and(|(kind, ..)| kind == PduKind::Report)
        },
    },
    Reason {
        why: "message_processing.rs: msgMaxSize and msgSecurityModel are judged, and counted, by the engine",
        peers: ASYNC_SNMP,
        example: "3042020103300d020107020201e30401000201030416301404058000000001020100020100040175040004003016040580000000010400a20b0201010201000201003000",
        applies: |taken| v3_of(taken).is_some_and(|v3| v3.max_size < 484 || v3.security_model != 3),
    },
    Reason {
        why: "limits.rs: engine IDs of any form and up to 32 octets",
        peers: ASYNC_SNMP,
        example: "3041020103300d020107020201e404010002010304153013040480000001020100020100040175040004003016040580000000010400a20b0201010201000201003000",
        applies: |taken| v3_of(taken).is_some_and(|v3| v3.engine_id.len() < 5 || is_uniform(&v3.engine_id)),
    },
    Reason {
        why: "limits.rs: user names of up to 255 octets",
        peers: ASYNC_SNMP,
        example: "3062020103300d020107020201e404010002010304363034040580000000010201000201000421757575757575757575757575757575757575757575757575757575757575757575040004003016040580000000010400a20b0201010201000201003000",
        applies: |taken| v3_of(taken).is_some_and(|v3| v3.user_name.len() > 32),
    },
    Reason {
        why: "usm/model.rs: parameters and data that contradict the level are judged by the USM",
        peers: ASYNC_SNMP,
        example: "304e020103300d020107020201e40401000201030422302004058000000001020100020100040175040c78787878787878787878787804003016040580000000010400a20b0201010201000201003000",
        applies: |taken| v3_of(taken).is_some_and(contradicts_itself),
    },
];

/// What we refuse and others take.
const REFUSALS: &[Reason<Refused>] = &[
    Reason {
        why: "ber.rs: no lengths of more than four octets, and none that are indefinite",
        peers: BOTH,
        example: "3018020101040161a21002010102010002010030850000000000",
        applies: |refused| {
            let form = refused.octets.get(refused.error.offset + 1);
            refused.error.kind == DecodeErrorKind::BadLength && form.is_some_and(|&form| form == 0x80 || form > 0x84)
        },
    },
    Reason {
        why: "oid.rs: no sub-identifier with leading padding (X.690 §8.19.2)",
        peers: BOTH,
        example: "301c020101040161a2140201010201000201003009300706032b80010500",
        applies: |refused| {
            refused.error.kind == DecodeErrorKind::BadOid(OidError::Padded)
                && refused.octets[refused.error.offset..].contains(&0x80)
        },
    },
    Reason {
        why: "limits.rs: engine IDs of at most 32 octets, names of at most 255",
        peers: BOTH,
        example: "305e020103300d020107020201e4040100020103041630140405800000000102010002010004017504000400303204218080808080808080808080808080808080808080808080808080808080808080800400a20b0201010201000201003000",
        applies: |refused| {
            matches!(refused.error.kind, DecodeErrorKind::BadFieldLength("contextEngineID" | "contextName"))
                && is_long(refused)
        },
    },
    Reason {
        why: "limits.rs: the same, where async-snmp has limits too",
        peers: RASN,
        example: "305e020103300d020107020201e4040100020103043230300421808080808080808080808080808080808080808080808080808080808080808080020100020100040175040004003016040580000000010400a20b0201010201000201003000",
        applies: |refused| {
            let fields = ["msgAuthoritativeEngineID", "msgUserName"];
            matches!(refused.error.kind, DecodeErrorKind::BadFieldLength(field) if fields.contains(&field))
                && is_long(refused)
        },
    },
    Reason {
        why: "ber.rs: no numbers beyond their type",
        peers: RASN,
        example: "301b020100040161a21302090000000000000000010201000201003000",
        applies: |refused| refused.error.kind == DecodeErrorKind::BadInteger,
    },
    Reason {
        why: "ber.rs: no tags of several octets",
        peers: RASN,
        example: "3014020101040161a20c1f0201010201000201003000",
        applies: |refused| refused.error.kind == DecodeErrorKind::LongTag,
    },
    Reason {
        why: "ber.rs: no primitive types that claim to be constructed",
        peers: RASN,
        example: "30150201012403040161a20b0201010201000201003000",
        applies: |refused| {
            let is_bit = |expected: u8, found: u8| expected ^ found == 0x20;
            matches!(refused.error.kind, DecodeErrorKind::UnexpectedTag { expected, found } if is_bit(expected, found))
        },
    },
    Reason {
        why: "message.rs: nothing after the security parameters",
        peers: RASN,
        example: "3044020103300d020107020201e404010002010304183014040580000000010201000201000401750400040005003016040580000000010400a20b0201010201000201003000",
        applies: |refused| matches!(refused.error.kind, DecodeErrorKind::Trailing(_, "msgSecurityParameters")),
    },
];

/// Values that we keep as odd and others read.
const ODD_VALUES: &[Reason<OwnedValue>] = &[
    Reason {
        why: "oid.rs: no value with a padded sub-identifier (X.690 §8.19.2)",
        peers: BOTH,
        example: "301d020101040161a215020101020100020100300a300806012b06032b8001",
        applies: |value| matches!(value, OwnedValue::Invalid { tag: 6, content } if content.contains(&0x80)),
    },
    Reason {
        why: "ber.rs: no number of more octets than any type needs",
        peers: RASN,
        example: "3023020101040161a21b0201010201000201003010300e06012b0209ffffffffffffffffff",
        applies: |value| matches!(value, OwnedValue::Invalid { tag: 2 | 0x41..=0x47, content } if content.len() > 8),
    },
    Reason {
        why: "ber.rs: no value of a primitive type that claims to be constructed",
        peers: RASN,
        example: "301a020101040161a2120201010201000201003007300506012b6400",
        applies: |value| matches!(value, OwnedValue::Invalid { tag, .. } if tag & 0x20 != 0),
    },
];

fn any(nodes: &[Node], is_it: &dyn Fn(&Node) -> bool) -> bool {
    nodes.iter().any(|node| is_it(node) || matches!(&node.body, Contents::Nodes(inner, _) if any(inner, is_it)))
}

fn first(node: &Node) -> Option<u8> {
    match &node.body {
        Contents::Octets(octets) => octets.first().copied(),
        Contents::Nodes(..) => None,
    }
}

fn is_empty(node: &Node) -> bool {
    matches!(&node.body, Contents::Octets(octets) if octets.is_empty())
}

fn is_v1(taken: &Taken) -> bool {
    matches!(taken.message, AnyMessage::Community(Version::V1, ..))
}

fn is_of_v2(value: &OwnedValue) -> bool {
    let is_exception =
        matches!(value, OwnedValue::NoSuchObject | OwnedValue::NoSuchInstance | OwnedValue::EndOfMibView);
    is_exception || matches!(value, OwnedValue::Counter64(_))
}

/// All ones or all zeros, which async-snmp takes for no engine ID.
fn is_uniform(engine_id: &[u8]) -> bool {
    engine_id.iter().all(|&octet| octet == 0) || engine_id.iter().all(|&octet| octet == 0xff)
}

/// Whether a message has a digest, a salt or encrypted data where its level says otherwise, or the reverse.
fn contradicts_itself(v3: &V3) -> bool {
    let said = (v3.level.is_authenticated(), v3.level.is_private(), v3.level.is_private());
    (!v3.auth.is_empty(), !v3.privacy.is_empty(), matches!(v3.data, Data::Encrypted(_))) != said
}

fn v3_of(taken: &Taken) -> Option<&V3> {
    match &taken.message {
        AnyMessage::V3(v3) => Some(v3),
        AnyMessage::Community(..) => None,
    }
}

fn pdu_of(message: &AnyMessage) -> Option<(PduKind, i32, i32)> {
    let body = match message {
        AnyMessage::Community(_, _, Body::Pdu(body)) => body,
        AnyMessage::Community(_, _, Body::TrapV1(_)) => return None,
        AnyMessage::V3(v3) => match &v3.data {
            Data::Plain(_, _, body) => body,
            Data::Encrypted(_) => return None,
        },
    };
    Some((body.kind, body.field1, body.field2))
}

/// Whether the field at the error is longer than 32 octets.
fn is_long(refused: &Refused) -> bool {
    let before = &refused.octets[..refused.error.offset];
    matches!(before, [.., 33..=0x7f] | [.., 0x81, _] | [.., 0x82, _, _] | [.., 0x83, _, _, _] | [.., 0x84, _, _, _, _])
}

/// Why values differ in a message that both take; the first reason if there are several.
fn reason_in_values(peer: Peer, ours: &AnyMessage, theirs: &AnyMessage) -> Option<&'static str> {
    let reasons: Vec<_> = bindings_of(ours).iter().map(|(_, value)| find(ODD_VALUES, peer, value)).collect();
    let blanked = |message: &AnyMessage| {
        let mut message = message.clone();
        let known = bindings_of_mut(&mut message).iter_mut().zip(&reasons).filter(|(_, reason)| reason.is_some());
        known.for_each(|((_, value), _)| *value = OwnedValue::Null);
        message
    };
    let first = reasons.iter().flatten().next()?;
    (blanked(ours) == blanked(theirs)).then_some(*first)
}

fn find<Case>(reasons: &[Reason<Case>], peer: Peer, case: &Case) -> Option<&'static str> {
    let is_it = |reason: &&Reason<Case>| reason.peers.contains(&peer) && (reason.applies)(case);
    Some(reasons.iter().find(is_it)?.why)
}

/// Why readings differ, `None` where they do not or nobody knows.
fn reason(
    peer: Peer,
    octets: &[u8],
    ours: &Result<AnyMessage, DecodeError>,
    theirs: &Result<AnyMessage, String>,
) -> Option<&'static str> {
    match (ours, theirs) {
        (Ok(message), Err(_)) => {
            let (tree, _) = tlv::read(octets);
            find(LENIENCIES, peer, &Taken { octets: octets.to_vec(), message: message.clone(), tree })
        }
        (Err(error), Ok(_)) => find(REFUSALS, peer, &Refused { octets: octets.to_vec(), error: *error }),
        (Ok(ours), Ok(theirs)) => reason_in_values(peer, ours, theirs),
        (Err(_), Err(_)) => None,
    }
}

fn read_by(peer: Peer, octets: &[u8]) -> Result<AnyMessage, String> {
    match peer {
        Peer::AsyncSnmp => oracles::async_snmp::decode(octets),
        Peer::Rasn => oracles::rasn::decode(octets),
    }
}

fn is_alike(ours: &Result<AnyMessage, DecodeError>, theirs: &Result<AnyMessage, String>) -> bool {
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => ours == theirs,
        (ours, theirs) => ours.is_err() && theirs.is_err(),
    }
}

#[test]
fn every_difference_has_a_reason_that_we_know() {
    let all: Vec<Vec<u8>> = (0..500).map(|seed| encode(&message(seed))).collect();
    let (mut taken, mut different) = (0, 0);
    for seed in 0..MUTATIONS {
        let mut rng = StdRng::seed_from_u64(seed);
        let (base, other) = (all.choose(&mut rng).unwrap(), all.choose(&mut rng).unwrap());
        let octets = mutate::mutate(&mut rng, mutate::Format::Ber { skip: 0 }, base, other);
        let ours = decode(&octets);
        taken += u32::from(ours.is_ok());
        for peer in [Peer::AsyncSnmp, Peer::Rasn] {
            let theirs = read_by(peer, &octets);
            if !is_alike(&ours, &theirs) {
                different += 1;
                let known = reason(peer, &octets, &ours, &theirs);
                assert!(known.is_some(), "seed {seed}: {octets:02x?}\nwe: {ours:?}\n{peer:?}: {theirs:?}");
            }
        }
    }
    assert!(u64::from(taken) > MUTATIONS / 8 && different > 100, "{taken} {different}");
}

/// A reason that is none any more, because one of the codecs has changed, is to be taken off its list.
#[test]
fn every_reason_has_an_example() {
    let leniencies = LENIENCIES.iter().map(|reason| (reason.why, reason.peers, reason.example));
    let refusals = REFUSALS.iter().map(|reason| (reason.why, reason.peers, reason.example));
    let odd_values = ODD_VALUES.iter().map(|reason| (reason.why, reason.peers, reason.example));
    for (why, peers, example) in leniencies.chain(refusals).chain(odd_values) {
        let digit_pairs = example.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap());
        let octets: Vec<u8> = digit_pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        let ours = decode(&octets);
        for &peer in peers {
            let theirs = read_by(peer, &octets);
            assert!(!is_alike(&ours, &theirs), "{why}: {peer:?} reads it alike: {ours:?}");
            assert_eq!(reason(peer, &octets, &ours, &theirs), Some(why), "{ours:?}\n{peer:?}: {theirs:?}");
        }
    }
}
