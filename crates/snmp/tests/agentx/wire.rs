//! Packets: what the RFC says they look like, every one there and back, and octets that are none.

use std::net::Ipv4Addr;

use hamsa_snmp::agentx::{
    Body, ByteOrder, DecodeError, HEADER_OCTETS, Header, Packet, Range, Registration, Response, Variable, frame_octets,
};
use hamsa_snmp::{Oid, OwnedValue};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

fn some_oid(random: &mut StdRng) -> Oid {
    let mut arcs = match random.random_range(0..4) {
        0 => vec![1, 3, 6, 1, random.random_range(0..300)],
        1 => vec![2, random.random()],
        2 => vec![1, 3],
        _ => vec![0, 0],
    };
    let count = if random.random_ratio(1, 50) { 128 - arcs.len() } else { random.random_range(0..6) };
    arcs.extend((0..count).map(|_| if random.random() { random.random() } else { random.random_range(0..9) }));
    Oid::from_arcs(&arcs).unwrap()
}

fn some_octets(random: &mut StdRng) -> Box<[u8]> {
    (0..random.random_range(0..20)).map(|_| random.random()).collect()
}

fn some_variables(random: &mut StdRng) -> Vec<Variable> {
    let value = |random: &mut StdRng| match random.random_range(0..13) {
        0 => OwnedValue::Integer(random.random()),
        1 => OwnedValue::OctetString(some_octets(random)),
        2 => OwnedValue::Null,
        3 => OwnedValue::ObjectIdentifier(some_oid(random)),
        4 => OwnedValue::IpAddress(Ipv4Addr::from(random.random::<u32>())),
        5 => OwnedValue::Counter32(random.random()),
        6 => OwnedValue::Gauge32(random.random()),
        7 => OwnedValue::TimeTicks(random.random()),
        8 => OwnedValue::Opaque(some_octets(random)),
        9 => OwnedValue::Counter64(random.random()),
        10 => OwnedValue::NoSuchObject,
        11 => OwnedValue::NoSuchInstance,
        _ => OwnedValue::EndOfMibView,
    };
    (0..random.random_range(0..4)).map(|_| Variable { name: some_oid(random), value: value(random) }).collect()
}

fn some_packet(random: &mut StdRng) -> Packet {
    let ranges = |random: &mut StdRng| {
        let range = |random: &mut StdRng| Range {
            start: some_oid(random),
            is_start_included: random.random(),
            end: Some(some_oid(random)).filter(|end| end.to_string() != "0.0"),
        };
        (0..random.random_range(0..4)).map(|_| range(random)).collect::<Vec<_>>()
    };
    let registration = |random: &mut StdRng, is_register: bool| Registration {
        timeout_s: if is_register { random.random() } else { 0 },
        priority: random.random(),
        subtree: some_oid(random),
        range: random.random::<bool>().then(|| (random.random_range(1..=255), random.random())),
        is_instance: is_register && random.random(),
    };
    let (body, has_context) = match random.random_range(1..=18) {
        1 => {
            let timeout_s = random.random();
            (Body::Open { timeout_s, id: some_oid(random), description: some_octets(random) }, false)
        }
        2 => (Body::Close { reason: random.random() }, false),
        3 => (Body::Register(registration(random, true)), true),
        4 => (Body::Unregister(registration(random, false)), true),
        5 => (Body::Get(ranges(random)), true),
        6 => (Body::GetNext(ranges(random)), true),
        7 => {
            let (non_repeaters, max_repetitions) = (random.random(), random.random());
            (Body::GetBulk { non_repeaters, max_repetitions, ranges: ranges(random) }, true)
        }
        8 => (Body::TestSet(some_variables(random)), true),
        9 => (Body::CommitSet, false),
        10 => (Body::UndoSet, false),
        11 => (Body::CleanupSet, false),
        12 => (Body::Notify(some_variables(random)), true),
        13 => (Body::Ping, true),
        14 => {
            let (is_new, is_any) = (random.random(), random.random());
            (Body::IndexAllocate { is_new, is_any, variables: some_variables(random) }, true)
        }
        15 => (Body::IndexDeallocate(some_variables(random)), true),
        16 => (Body::AddAgentCaps { id: some_oid(random), description: some_octets(random) }, true),
        17 => (Body::RemoveAgentCaps { id: some_oid(random) }, true),
        _ => {
            let (uptime_ticks, error, index) = (random.random(), random.random(), random.random());
            (Body::Response(Response { uptime_ticks, error, index, variables: some_variables(random) }), false)
        }
    };
    let order = if random.random() { ByteOrder::Network } else { ByteOrder::Little };
    let header = Header { order, session: random.random(), transaction: random.random(), packet: random.random() };
    let context = (has_context && random.random()).then(|| some_octets(random));
    Packet { header, context, body }
}

#[test]
fn every_packet_comes_back_as_it_was() {
    for seed in 0..4_000 {
        let packet = some_packet(&mut StdRng::seed_from_u64(seed));
        let octets = packet.encode();
        assert_eq!(Packet::decode(&octets).as_ref(), Ok(&packet), "seed {seed}: {octets:02x?}");
        assert_eq!(frame_octets(octets.first_chunk().unwrap()), Ok(octets.len()), "seed {seed}");
        assert_eq!(Header::decode(&octets), Ok(packet.header), "seed {seed}");
    }
}

#[test]
fn what_is_no_packet_is_refused_and_nothing_panics() {
    let (mut refused, mut taken) = (0, 0);
    for seed in 0..20_000 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut octets = some_packet(&mut random).encode();
        match random.random_range(0..4) {
            0 => octets.truncate(random.random_range(0..octets.len())),
            1 => octets.push(random.random()),
            2 => random.fill_bytes(&mut octets[HEADER_OCTETS..]),
            _ => {
                for _ in 0..random.random_range(1..4) {
                    let at = random.random_range(0..octets.len());
                    octets[at] = random.random();
                }
            }
        }
        match Packet::decode(&octets) {
            // What is taken means the same when it is sent on.
            Ok(packet) => {
                taken += 1;
                assert_eq!(Packet::decode(&packet.encode()), Ok(packet), "seed {seed}");
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 5_000 && taken > 1_000, "{refused} refused, {taken} taken");
}

#[test]
fn the_rfcs_rules_are_kept_to() {
    // RFC 2741 §6.2.3: a Register of mib-2's ifEntry columns 1 to 22 in row 7, most significant octets first.
    let registration = Registration {
        timeout_s: 5,
        priority: 127,
        subtree: "1.3.6.1.2.1.2.2.1.1.7".parse().unwrap(),
        range: Some((10, 22)),
        is_instance: false,
    };
    let header = Header { order: ByteOrder::Network, session: 1, transaction: 2, packet: 3 };
    let octets = Packet::new(header, Body::Register(registration)).encode();
    let expected = [
        &[1, 3, 0x10, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 36][..],
        &[5, 127, 10, 0, 6, 2, 0, 0],
        &[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 22],
    ];
    assert_eq!(octets, expected.concat());

    // A Ping, least significant octets first, with a context of three octets and one of padding.
    let header = Header { order: ByteOrder::Little, ..header };
    let ping = Packet { header, context: Some(b"abc".as_slice().into()), body: Body::Ping };
    let expected = [1, 13, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 8, 0, 0, 0, 3, 0, 0, 0, b'a', b'b', b'c', 0];
    assert_eq!(ping.encode(), expected);

    let broken = |change: fn(&mut Vec<u8>)| {
        let mut octets = ping.encode();
        change(&mut octets);
        Packet::decode(&octets).unwrap_err()
    };
    assert_eq!(broken(|octets| octets[0] = 2), DecodeError::Version(2));
    assert_eq!(broken(|octets| octets[1] = 19), DecodeError::Type(19));
    assert_eq!(broken(|octets| octets[1] = 9), DecodeError::Context);
    assert_eq!(broken(|octets| octets[16] = 7), DecodeError::PayloadLength(7));
    assert_eq!(broken(|octets| octets[19] = 0xff), DecodeError::PayloadLength(0xff00_0008));
    assert_eq!(broken(|octets| octets.truncate(24)), DecodeError::Truncated);
    assert_eq!(broken(|octets| octets.extend([0; 4])), DecodeError::Trailing);
    assert_eq!(broken(|octets| octets[2] = 0), DecodeError::Trailing);
}
