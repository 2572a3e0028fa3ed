//! A directory that is kept: what nodes know after a new beginning from what they had exported, compared with what they
//! would know without one; and pieces that are damaged, old or too many.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hamsa_group::enterprise::limits::{MAX_DATAGRAM_BYTES, MAX_ENTRIES, MAX_VALUE_BYTES};
use hamsa_group::enterprise::{
    Enterprise, EnterpriseEvent, EnterpriseOptions, NodeRecord, Reading, RestoreError, Run, Seen, WriteError,
};
use proptest::prelude::*;

const NODES: usize = 3;
const NAMES: [&str; 2] = ["poller.north", "watch"];
const WALL_MS: u64 = 1_700_000_000_000;

/// A step of some nodes that talk to each other at times.
#[derive(Debug, Clone)]
enum Step {
    /// `knows_old`: by someone who has read before the last change there.
    Write {
        at: usize,
        name: usize,
        knows_old: bool,
        is_deletion: bool,
    },
    Tell {
        from: usize,
        to: usize,
    },
    Restart {
        at: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let at = 0..NODES;
    prop_oneof![
        4 => (at.clone(), 0..NAMES.len(), any::<bool>(), prop::bool::weighted(0.25))
            .prop_map(|(at, name, knows_old, is_deletion)| Step::Write { at, name, knows_old, is_deletion }),
        3 => (at.clone(), at.clone()).prop_map(|(from, to)| Step::Tell { from, to }),
        2 => at.prop_map(|at| Step::Restart { at }),
    ]
}

/// So few that no limit of values or runs is met.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 0..16)
}

/// All of them one after the other, and in any order.
fn meetings() -> impl Strategy<Value = Vec<(usize, usize)>> {
    let all = (0..NODES).flat_map(|from| (0..NODES).map(move |to| (from, to))).collect::<Vec<_>>();
    Just(all).prop_shuffle()
}

fn node(began_ms: u64, node: u32) -> Enterprise {
    let me = NodeRecord { run: Run { began_ms, node }, name: "n".into(), version: "v".into(), addresses: Vec::new() };
    let options = EnterpriseOptions { wall_ms: WALL_MS, ..EnterpriseOptions::new(me) };
    Enterprise::new(Instant::now(), options).expect("sound options")
}

fn restore(into: &mut Enterprise, pieces: &[Bytes]) {
    for piece in pieces {
        assert!(piece.len() <= MAX_DATAGRAM_BYTES);
        into.restore(Instant::now(), piece).expect("it was exported");
    }
}

fn tell(nodes: &mut [Enterprise], from: usize, to: usize) {
    let pieces: Vec<Bytes> = nodes[from].export().collect();
    restore(&mut nodes[to], &pieces);
}

fn write(node: &mut Enterprise, name: &str, value: Option<&str>, seen: &Seen) {
    let value = value.map(|value| Bytes::copy_from_slice(value.as_bytes()));
    node.write(Instant::now(), name, value, seen).expect("it is sound");
}

/// Writes with knowledge of all that stands there.
fn set(node: &mut Enterprise, name: &str, value: Option<&str>) {
    let seen = node.read(name).seen;
    write(node, name, value, &seen);
}

fn begin_anew(old: &Enterprise) -> Enterprise {
    let run = old.run();
    let mut fresh = node(run.began_ms + 1, run.node);
    restore(&mut fresh, &old.export().collect::<Vec<_>>());
    fresh
}

/// `has_restarts`: or the nodes go on where the steps say that they begin anew.
fn play(steps: &[Step], has_restarts: bool) -> Vec<Enterprise> {
    let mut nodes: Vec<Enterprise> = (0..NODES).map(|number| node(1, number as u32 + 1)).collect();
    let mut readings = BTreeMap::new();
    for (number, step) in steps.iter().enumerate() {
        match *step {
            Step::Write { at, name, knows_old, is_deletion } => {
                let reading = nodes[at].read(NAMES[name]).seen;
                let seen = readings.get(&(at, name)).filter(|_| knows_old).unwrap_or(&reading).clone();
                write(&mut nodes[at], NAMES[name], (!is_deletion).then_some(&*format!("{number}")), &seen);
                readings.insert((at, name), reading);
            }
            Step::Tell { from, to } => tell(&mut nodes, from, to),
            Step::Restart { at } if has_restarts => nodes[at] = begin_anew(&nodes[at]),
            Step::Restart { .. } => {}
        }
    }
    nodes
}

fn values(reading: &Reading) -> BTreeSet<&[u8]> {
    reading.values.iter().map(|value| &value[..]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn restarts_change_nothing_of_what_all_come_to_know(steps in steps(), meetings in meetings()) {
        let mut with = play(&steps, true);
        let mut without = play(&steps, false);
        for (from, to) in meetings {
            tell(&mut with, from, to);
            tell(&mut without, from, to);
        }
        for nodes in [&with, &without] {
            prop_assert!(nodes.iter().all(|node| node.digest() == nodes[0].digest()));
        }
        for name in NAMES {
            let [one, other] = [with[0].read(name), without[0].read(name)];
            prop_assert_eq!(values(&one), values(&other));
            prop_assert_eq!(one.is_deleted_too, other.is_deleted_too);
        }
    }

    #[test]
    fn a_damaged_piece_does_no_harm(
        steps in steps(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        length in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let nodes = play(&steps, true);
        for piece in nodes[0].export() {
            let mut octets = piece.to_vec();
            for (at, octet) in &damage {
                octets[at.index(piece.len())] ^= octet;
            }
            octets.truncate(length.map_or(piece.len(), |length| length.index(piece.len())));
            // It may say something else now, but nothing that could not be told on.
            let mut fresh = node(100, 9);
            // Whether it is refused is the damage's affair.
            let _ = fresh.restore(Instant::now(), &octets);
            set(&mut fresh, NAMES[0], Some("after"));
            prop_assert_eq!(fresh.read(NAMES[0]).values, [Bytes::from_static(b"after")]);
            prop_assert_eq!(begin_anew(&fresh).digest(), fresh.digest());
        }
    }

    #[test]
    fn octets_of_any_kind_do_no_harm(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut fresh = node(1, 1);
        let digest = fresh.digest();
        for octets in [octets.clone(), [&[1, 7], &octets[..]].concat()] {
            if fresh.restore(Instant::now(), &octets).is_err() {
                prop_assert_eq!(fresh.digest(), digest);
            }
        }
    }
}

#[test]
fn what_changed_meanwhile_stays_beside_what_is_restored() {
    let mut north = node(1, 1);
    set(&mut north, "watch", Some("first"));
    let mut south = node(1, 2);
    restore(&mut south, &north.export().collect::<Vec<_>>());
    // North's last change is kept, and South has not heard of it.
    set(&mut north, "watch", Some("north"));
    let kept: Vec<Bytes> = north.export().collect();
    set(&mut south, "watch", Some("south"));
    let told: Vec<Bytes> = south.export().collect();
    // Both ways round: what is restored comes before, or after, what the neighbour tells.
    for [first, second] in [[&kept, &told], [&told, &kept]] {
        let mut fresh = node(2, 1);
        restore(&mut fresh, first);
        assert_eq!(fresh.poll_event(), Some(EnterpriseEvent::Overrun));
        restore(&mut fresh, second);
        assert_eq!(fresh.poll_event(), Some(EnterpriseEvent::Conflict("watch".into())));
        assert_eq!(fresh.poll_event(), None);
        assert_eq!(values(&fresh.read("watch")), BTreeSet::from([&b"north"[..], b"south"]));
        restore(&mut fresh, &kept);
        assert_eq!(fresh.poll_event(), None, "it brings nothing new");
    }
}

#[test]
fn a_copy_that_is_behind_loses_nothing_that_a_neighbour_has() {
    let mut north = node(1, 1);
    set(&mut north, "watch", Some("first"));
    let kept: Vec<Bytes> = north.export().collect();
    set(&mut north, "watch", Some("second"));
    let mut hub = node(1, 2);
    restore(&mut hub, &north.export().collect::<Vec<_>>());
    let mut north = node(2, 1);
    restore(&mut north, &kept);
    // Counted anew: it is not taken for the change that was lost here.
    set(&mut north, "watch", Some("third"));
    restore(&mut hub, &north.export().collect::<Vec<_>>());
    assert_eq!(values(&hub.read("watch")), BTreeSet::from([&b"second"[..], b"third"]));
    restore(&mut north, &hub.export().collect::<Vec<_>>());
    assert_eq!(north.digest(), hub.digest());
}

#[test]
fn what_is_deleted_stays_deleted() {
    let mut north = node(1, 1);
    set(&mut north, "watch", Some("first"));
    let old: Vec<Bytes> = north.export().collect();
    set(&mut north, "watch", None);
    let mut fresh = begin_anew(&north);
    restore(&mut fresh, &old);
    assert_eq!((fresh.names("").count(), fresh.digest()), (0, north.digest()));
}

#[test]
fn a_clock_that_was_ahead_once_does_not_age_deletions() {
    let century_ms = 100 * 365 * 24 * 3_600_000;
    let mut south = node(1, 2);
    set(&mut south, "watch", None);
    // North's run began after one of a time when its clock was wrong.
    let mut north = node(WALL_MS + century_ms, 1);
    restore(&mut north, &south.export().collect::<Vec<_>>());
    north.handle_timeout(Instant::now() + Duration::from_secs(60));
    assert_eq!(north.digest(), south.digest());
}

#[test]
fn a_large_directory_comes_back_whole() {
    let mut north = node(1, 1);
    for number in 0..3_000 {
        set(&mut north, &format!("component{number}"), Some(&"x".repeat(number % MAX_VALUE_BYTES)));
        if number % 3 == 0 {
            set(&mut north, &format!("component{number}"), None);
        }
    }
    let mut pieces: Vec<Bytes> = north.export().collect();
    assert!(pieces.len() > 20, "{}", pieces.len());
    pieces.reverse();
    let mut fresh = node(2, 1);
    restore(&mut fresh, &pieces);
    assert_eq!((fresh.entries(), fresh.digest()), (2_000, north.digest()));
    assert_eq!(fresh.poll_event(), Some(EnterpriseEvent::Overrun));
    assert_eq!(fresh.poll_event(), None);
    assert_eq!(node(1, 1).export().count(), 0);
}

#[test]
fn what_cannot_be_restored_says_why() {
    let now = Instant::now();
    let mut full = node(1, 1);
    for number in 0..MAX_ENTRIES {
        set(&mut full, &format!("component{number}"), Some("x"));
    }
    assert_eq!(full.write(now, "another", Some(Bytes::new()), &Seen::default()), Err(WriteError::Full));
    let mut other = node(1, 2);
    set(&mut other, "component1", Some("y"));
    set(&mut other, "one", Some("1"));
    set(&mut other, "two", Some("2"));
    let pieces: Vec<Bytes> = other.export().collect();
    assert_eq!(full.restore(now, &pieces[0]), Err(RestoreError::NoRoom(2)));
    assert!(full.read("component1").is_conflict(), "what has room is taken");
    let digest = other.digest();
    assert_eq!(other.restore(now, &[]), Err(RestoreError::Unreadable));
    assert_eq!(other.restore(now, &pieces[0][..pieces[0].len() - 1]), Err(RestoreError::Unreadable));
    let mut later = pieces[0].to_vec();
    later[0] = 9;
    assert_eq!(other.restore(now, &later), Err(RestoreError::Version(9)));
    // A datagram, but no piece.
    other.add_neighbour(1).expect("there is room");
    other.handle_timeout(Instant::now());
    let (_, beat) = other.poll_transmit().expect("a beat");
    assert_eq!(other.restore(now, &beat), Err(RestoreError::Unreadable));
    assert_eq!(other.digest(), digest);
}
