//! States under any commits: a stream of deltas rebuilds them elsewhere, failed commits change nothing, and no octets are
//! too hostile to decode.

use hamsa_swap::{Change, DecodeError, Delta, Log, Object, StateSet};
use proptest::collection::vec;
use proptest::prelude::*;

fn change() -> impl Strategy<Value = Change> {
    let name = || prop::sample::select(vec!["a", "b", "c/1", "ü"]);
    prop_oneof![
        (name(), vec(any::<u8>(), 0..40)).prop_map(|(name, blob)| Change::put(name, blob)),
        (name(), vec(any::<u8>(), 0..10)).prop_map(|(name, entry)| Change::append(name, entry)),
        (name(), 0..12u64).prop_map(|(name, before)| Change::trim(name, before)),
        name().prop_map(Change::remove),
    ]
}

/// What a set holds, counted from its objects.
fn octets(state: &StateSet) -> usize {
    let of = |object: &Object| match object {
        Object::Blob(blob) => blob.len(),
        Object::Log(log) => log.entries().map(|entry| entry.len()).sum(),
    };
    state.objects().map(|(_, object)| of(object)).sum()
}

proptest! {
    #[test]
    fn a_stream_of_deltas_rebuilds_the_state_elsewhere(commits in vec(vec(change(), 0..6), 0..40), joins_at in 0..40usize) {
        let mut here = StateSet::new(3);
        let mut follower = StateSet::new(3);
        let mut joiner: Option<StateSet> = None;
        for (number, changes) in commits.into_iter().enumerate() {
            if number == joins_at {
                joiner = Some(StateSet::decode(&here.encode()).unwrap());
            }
            let before = here.clone();
            match here.commit(changes) {
                Ok(delta) => {
                    let delta = Delta::decode(&delta.encode()).unwrap();
                    follower.apply(&delta).unwrap();
                    prop_assert!(follower.apply(&delta).is_err(), "a delta fits once");
                    if let Some(joiner) = &mut joiner {
                        joiner.apply(&delta).unwrap();
                    }
                    prop_assert_eq!(here.commits(), before.commits() + 1);
                }
                Err(_) => prop_assert_eq!(&here, &before),
            }
            prop_assert_eq!(here.octets(), octets(&here));
        }
        prop_assert_eq!(&follower, &here);
        prop_assert_eq!(follower.encode(), here.encode());
        if let Some(joiner) = joiner {
            prop_assert_eq!(joiner.encode(), here.encode());
        }
    }

    #[test]
    fn hostile_octets_are_refused_or_encode_to_themselves(mut input in vec(any::<u8>(), 0..200), format in 0..3) {
        match format {
            0 => drop(input.splice(..0, *b"HSS\x01")),
            1 => drop(input.splice(..0, *b"HSD\x01")),
            _ => {}
        }
        if let Ok(state) = StateSet::decode(&input) {
            prop_assert_eq!(state.encode(), &input[..]);
        }
        if let Ok(delta) = Delta::decode(&input) {
            prop_assert_eq!(delta.encode(), input);
        }
    }

    #[test]
    fn damaged_octets_never_panic(changes in vec(change(), 0..8), at in any::<prop::sample::Index>(), bit in 0..8) {
        let mut state = StateSet::new(1);
        // Those that don't fit together leave an empty state, which is as good to damage.
        let _ = state.commit(changes);
        let mut octets = state.encode();
        let at = at.index(octets.len());
        octets[at] ^= 1u8 << bit;
        if let Ok(other) = StateSet::decode(&octets) {
            prop_assert_eq!(other.encode(), octets);
        }
        prop_assert!(StateSet::decode(&state.encode()[..at]).is_err());
    }
}

#[test]
fn lengths_that_lie_cost_no_memory() {
    // A blob of 2^63 octets, a million entries, and a million objects, none of which are there.
    for tail in [
        &b"\x01\x00\x01\x01a\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f"[..],
        b"\x01\x00\x01\x01a\x01\x00\x80\x80\x40",
        b"\x01\x00\x80\x20",
    ] {
        let refused = StateSet::decode(&[b"HSS\x01", tail].concat());
        assert!(matches!(refused, Err(DecodeError::Truncated { .. })), "{refused:?}");
    }
}

#[test]
fn an_entry_keeps_its_index_when_the_log_is_trimmed() {
    let mut state = StateSet::new(1);
    let entries = (0..5u8).map(|entry| Change::append("log", [entry]));
    state.commit(entries.collect::<Vec<_>>()).unwrap();
    state.commit([Change::trim("log", 3)]).unwrap();
    state.commit([Change::append("log", [9])]).unwrap();
    let log: &Log = state.log("log").unwrap();
    assert_eq!((log.first(), log.end()), (3, 6));
    assert_eq!(log.entries().map(|entry| entry[0]).collect::<Vec<_>>(), [3, 4, 9]);
    assert!(state.commit([Change::trim("log", 7)]).is_err());
    assert!(state.commit([Change::put("log", [1])]).is_err());
}
