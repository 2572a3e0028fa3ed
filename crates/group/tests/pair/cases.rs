//! Single cases of the simulation, each with its bound.

use std::time::Duration;

use hamsa_group::pair::limits::{MAX_DATAGRAM_BYTES, MAX_MESSAGE_BYTES};
use hamsa_group::pair::{Pair, PairError, PairOptions};
use hamsa_group::{EngineEvent, EngineSendError, Process};

use crate::judge::Judge;
use crate::world::{Carrier, World, process};

const LEASE: Duration = Duration::from_millis(500);
const QUIET: Carrier = Carrier { is_up: true, loss: 0.0, copies: 0.0, delay_ms: (5, 10) };

fn formed(seed: u64) -> World {
    let mut world = World::new(seed, LEASE);
    world.carriers = [QUIET; 2];
    assert!(world.run_until(2 * LEASE, World::is_settled), "{}", world.describe());
    world
}

fn are_alone(world: &World) -> bool {
    (0..2).all(|member| world.judge.configuration(member).is_some_and(|now| now.members.len() == 1))
}

#[test]
fn they_are_alone_first_and_then_one_ring() {
    let world = formed(1);
    let [here, there] = [0, 1].map(|member| world.judge.configuration(member).expect("E1"));
    assert_eq!((here.ring, &here.members), (there.ring, &there.members));
    assert_eq!((here.me, there.me), (process(0), process(1)));
    // Each alone, then together.
    assert_eq!(world.judge.installed(), 4);
}

#[test]
fn a_cut_leaves_each_alone_within_a_lease_and_a_heal_joins_them() {
    let mut world = formed(2);
    world.run_for(20 * LEASE);
    world.carriers = [Carrier::DOWN; 2];
    assert!(world.run_until(LEASE + LEASE / 10, are_alone), "{}", world.describe());
    // Each goes on alone at once.
    world.send(0);
    world.send(1);
    world.mend(QUIET);
    assert!(world.run_until(LEASE, World::is_settled), "{}", world.describe());
}

#[test]
fn a_good_bye_and_a_new_run_need_no_lease() {
    let mut world = formed(3);
    world.members[1].pair.as_mut().expect("it runs").leave();
    world.run_for(Duration::from_millis(1));
    world.stop(1, false);
    assert!(
        world.run_until(LEASE / 10, |world| { world.judge.configuration(0).is_some_and(|now| now.members.len() == 1) })
    );
    world.crash(1);
    world.start_member(1);
    assert!(world.run_until(LEASE / 2, World::is_settled), "{}", world.describe());
    world.crash(0);
    world.start_member(0);
    assert!(world.run_until(LEASE / 2, World::is_settled), "{}", world.describe());
}

/// Each hears the other only every now and then, or only one of them does: configurations must become rare.
#[test]
fn one_way_links_do_not_flap() {
    for deaf in 0..2 {
        let mut world = formed(4);
        world.carriers[1 - deaf] = Carrier::DOWN;
        assert!(world.run_until(2 * LEASE, are_alone), "{}", world.describe());
        let before = world.judge.installed();
        world.run_for(200 * LEASE);
        assert_eq!(world.judge.installed(), before, "member {deaf} hears nothing");
        world.mend(QUIET);
        assert!(world.run_until(20 * LEASE, World::is_settled), "{}", world.describe());
    }
}

#[test]
fn a_link_that_comes_and_goes_is_given_pauses() {
    let mut world = formed(5);
    let before = world.judge.installed();
    for round in 0..200 {
        world.carriers[round % 2] = Carrier::DOWN;
        world.run_for(3 * LEASE / 2);
        world.carriers = [QUIET; 2];
        world.run_for(3 * LEASE / 2);
    }
    // 600 leases: without pauses 200 rings and 800 configurations; with them one ring in 16 leases at most.
    let installed = world.judge.installed() - before;
    assert!(installed <= 4 * (600 / 16 + 6), "{installed} configurations");
    assert!(world.run_until(20 * LEASE, World::is_settled), "{}", world.describe());
}

#[test]
fn a_stopped_process_comes_back_alone_first() {
    let mut world = formed(6);
    let before = world.judge.configuration(1).cloned();
    world.stop(1, true);
    world.run_for(3 * LEASE);
    assert_eq!(world.judge.configuration(1).cloned(), before);
    world.stop(1, false);
    assert_eq!(world.judge.configuration(1).map(|now| now.members.len()), Some(1));
    assert!(world.run_until(20 * LEASE, World::is_settled), "{}", world.describe());
}

#[test]
fn a_slow_member_holds_its_peer_back_and_loses_nothing() {
    for slow in 0..2 {
        let mut world = formed(7);
        world.members[slow].is_slow = true;
        while world.tally.full < 100 {
            world.send(0);
            world.send(1);
            world.run_for(Duration::from_millis(20));
        }
        assert!(world.members.iter().all(|member| member.pair.as_ref().is_some_and(Pair::is_together)));
        world.mend(QUIET);
        assert!(world.run_until(20 * LEASE, World::is_settled), "{}", world.describe());
        let tally = world.finish();
        assert!(tally.messages > 500, "{tally:?}");
    }
}

/// What a window allows at a tenth of a second there and back, with a datagram in fifty lost.
#[test]
fn losses_cost_time_and_not_the_ring() {
    let mut world = World::new(8, Duration::from_secs(1));
    world.carriers = [Carrier { is_up: true, loss: 0.02, copies: 0.0, delay_ms: (50, 55) }; 2];
    assert!(world.run_until(Duration::from_secs(5), World::is_settled));
    let (start, rings) = (world.now, world.judge.installed());
    let mut sent = 0;
    while sent < 2_000 {
        world.send(sent % 2);
        sent = (world.members[0].sent + world.members[1].sent) as usize;
        world.run_for(Duration::from_millis(1));
    }
    assert!(world.run_until(Duration::from_secs(30), World::is_settled), "{}", world.describe());
    assert_eq!(world.judge.installed(), rings);
    assert!(world.now - start < Duration::from_secs(60));
}

/// The carrier brings once more all that was said in the last ring, and in the last run, while the present one is there.
#[test]
fn the_past_does_not_end_the_present() {
    for begins_anew in [false, true] {
        let mut world = formed(11);
        world.run_for(20 * LEASE);
        for _ in 0..10 {
            world.send(0);
            world.send(1);
        }
        world.run_for(LEASE);
        let past: Vec<_> = world.members[1].said.iter().cloned().collect();
        if begins_anew {
            world.crash(1);
            world.start_member(1);
        } else {
            world.carriers = [Carrier::DOWN; 2];
            assert!(world.run_until(2 * LEASE, are_alone), "{}", world.describe());
            world.carriers = [QUIET; 2];
        }
        assert!(world.run_until(LEASE, World::is_settled), "{}", world.describe());
        let rings = world.judge.installed();
        for octets in past {
            world.members[0].pair.as_mut().expect("it runs").handle_datagram(world.now, &octets);
            world.run_for(LEASE / 50);
        }
        assert!(world.run_until(LEASE, World::is_settled), "{}", world.describe());
        assert_eq!(world.judge.installed(), rings);
    }
}

/// What a ring may have ordered never comes to the peer again in the next one, however slow the user is.
#[test]
fn what_comes_back_is_not_sent_again() {
    let mut world = formed(12);
    world.members[1].is_slow = true;
    for _ in 0..3 {
        for _ in 0..300 {
            world.send(1);
        }
        world.run_for(LEASE / 4);
        world.carriers = [Carrier::DOWN; 2];
        world.run_for(2 * LEASE);
        world.carriers = [QUIET; 2];
        world.run_for(20 * LEASE);
    }
    world.mend(QUIET);
    assert!(world.run_until(20 * LEASE, World::is_settled), "{}", world.describe());
}

/// One beats more rarely than the other would wait.
#[test]
fn different_leases_do_not_part_them() {
    for hasty in 0..2 {
        let mut world = formed(13);
        world.lease = Duration::from_millis(100);
        world.crash(hasty);
        world.start_member(hasty);
        world.lease = Duration::from_secs(5);
        world.crash(1 - hasty);
        world.start_member(1 - hasty);
        assert!(world.run_until(Duration::from_secs(30), World::is_settled), "{}", world.describe());
        let rings = world.judge.installed();
        world.run_for(Duration::from_secs(100));
        assert_eq!(world.judge.installed(), rings);
    }
}

#[test]
fn queues_are_bounded_and_say_so() {
    let now = std::time::Instant::now();
    let mut pair = Pair::new(now, PairOptions::new(process(0), process(1), 9)).expect("valid");
    let long = Judge::message(0, 1, 1, MAX_MESSAGE_BYTES, 0);
    let too_long = EngineSendError::TooLong { length: MAX_MESSAGE_BYTES + 20, max: MAX_MESSAGE_BYTES };
    assert_eq!(pair.send(now, long), Err(too_long));
    let mut taken = 0;
    while pair.send(now, Judge::message(0, 1, taken, 0, 0)).is_ok() {
        taken += 1;
        assert!(taken < 10_000, "it never says that it is full");
    }
    assert!(!pair.has_room(1));
    let mut told = 0;
    while let Some(event) = pair.poll_event(now) {
        told += u64::from(matches!(event, EngineEvent::Message { .. }));
    }
    assert_eq!(told, taken);
    assert!(pair.has_room(1));
    pair.leave();
    assert_eq!(pair.send(now, Judge::message(0, 1, 1, 0, 0)), Err(EngineSendError::Lost));
    assert!(pair.poll_transmit(now).is_some() && pair.poll_transmit(now).is_none() && pair.poll_timeout().is_none());
}

#[test]
fn wrong_options_are_refused() {
    let now = std::time::Instant::now();
    let sound = PairOptions::new(process(0), process(1), 9);
    let error = |options: PairOptions| Pair::new(now, options).expect_err("it is wrong");
    let same = Process { process: 2, ..process(0) };
    assert!(matches!(error(PairOptions { peer: same, ..sound.clone() }), PairError::SameNode { .. }));
    let short = Duration::from_millis(1);
    assert_eq!(error(PairOptions { lease: short, ..sound.clone() }), PairError::Lease(short));
    let large = MAX_DATAGRAM_BYTES + 1;
    assert_eq!(error(PairOptions { max_datagram_bytes: large, ..sound.clone() }), PairError::Datagram(large));
    assert_eq!(error(PairOptions { ring_floor: u64::MAX, ..sound }), PairError::RingFloor(u64::MAX));
}

/// Whatever comes, and from whom: the ring goes on.
#[test]
fn foreign_datagrams_change_nothing() {
    let mut world = formed(10);
    let now = world.now;
    let mut stranger = Pair::new(now, PairOptions::new(Process { node: 9, process: 1 }, process(0), 5)).expect("valid");
    let mut reflected = Pair::new(now, PairOptions::new(process(0), process(1), 5)).expect("valid");
    // Of a run that is never heard to answer, as one that is long past.
    let mut past = Pair::new(now, PairOptions::new(process(1), process(0), 5)).expect("valid");
    let datagrams: Vec<_> = [&mut stranger, &mut reflected, &mut past]
        .into_iter()
        .map(|pair| pair.poll_transmit(now).expect("the first beat"))
        .collect();
    let rings = world.judge.installed();
    for _ in 0..100 {
        let pair = world.members[0].pair.as_mut().expect("it runs");
        for datagram in &datagrams {
            pair.handle_datagram(world.now, datagram);
            pair.handle_datagram(world.now, &datagram[..datagram.len() / 2]);
        }
        world.run_for(LEASE / 10);
        world.send(0);
    }
    assert!(world.run_until(LEASE, World::is_settled), "{}", world.describe());
    assert_eq!(world.judge.installed(), rings);
}
