//! A hub with two hundred pairs, one of which is with a process that does not read.

use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use hamsa_group::{EngineEvent, EnginePort, EngineSendError, GroupEngine, Process};
use hamsa_group_zenoh::{Protection, ZenohEngine};
use hamsa_testkit::free_tcp;
use hamsa_testkit::limits::LIVENESS;
use tokio::task::JoinSet;

use crate::member::Member;
use crate::support::{event, hub, members, process, send, site};

const PAIRS: u32 = 200;
/// The one that is stopped.
const DEAD: u32 = 1_000;
const ROUNDS: usize = 20;

/// Long: two hundred engines in unoptimised code, on a machine that has other work, must not take each other for dead.
const LEASE: Duration = Duration::from_secs(15);

/// The next message, while both are together: one that is sent alone comes to nobody else.
async fn message_of_two(port: &mut EnginePort) -> (Process, Bytes) {
    loop {
        match event(port).await {
            EngineEvent::Message { sender, data } => return (sender, data),
            EngineEvent::Configuration(now) => assert!(now.members.len() == 2, "the two were parted: {now:?}"),
            EngineEvent::Lost { reason } => panic!("the engine is lost: {reason}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_peer_delays_none_of_two_hundred_pairs() {
    let address = free_tcp().to_string();
    let mut options = hub(1, &address, Protection::None);
    options.lease = LEASE;
    let near = ZenohEngine::start(options).await.unwrap();
    let mut dead_port = near.pair(process(DEAD)).await.unwrap();
    let exe = std::env::current_exe().expect("this binary");
    let mut dead = Member::start(Command::new(exe), &format!("{DEAD} site {address} - {} 1", LEASE.as_millis()));
    members(&mut dead_port, 2).await;
    let mut starting = JoinSet::new();
    let mut ports = Vec::new();
    for node in 2..2 + PAIRS {
        ports.push(near.pair(process(node)).await.unwrap());
        let mut options = site(node, &address, Protection::None);
        options.lease = LEASE;
        starting.spawn(async move {
            let engine = ZenohEngine::start(options).await.unwrap();
            let mut port = engine.pair(process(1)).await.unwrap();
            members(&mut port, 2).await;
            (engine, port)
        });
    }
    let mut far = starting.join_all().await;
    for port in &mut ports {
        members(port, 2).await;
    }
    // From now on it takes nothing, while the hub goes on giving it as much as it can.
    dead.process.pause();
    let flood = tokio::spawn(async move {
        let much = Bytes::from(vec![0; 60_000]);
        let mut refused = 0;
        loop {
            match dead_port.send(much.clone()) {
                Ok(()) => {}
                Err(EngineSendError::Full) => refused += 1,
                Err(error) => panic!("{error}"),
            }
            // Taken off, so that only the peer holds it up; until it is told that its peer is gone.
            while let Some(event) = dead_port.poll_event() {
                if matches!(&event, EngineEvent::Configuration(now) if now.members.len() == 1) {
                    return refused;
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    // Each message goes there and back as many times; a stall of one would be one of all.
    let mut talks = JoinSet::new();
    for (mut here, (engine, mut there)) in ports.into_iter().zip(far.drain(..)) {
        talks.spawn(async move {
            for round in 0..ROUNDS {
                let text = Bytes::from(format!("{round}"));
                send(&mut here, text.clone()).await;
                assert_eq!(message_of_two(&mut there).await, (process(1), text.clone()));
                send(&mut there, text.clone()).await;
                assert_eq!(message_of_two(&mut here).await, (process(1), text.clone()));
                let (sender, data) = message_of_two(&mut here).await;
                assert_eq!((sender == process(1), data), (false, text.clone()));
                let (sender, data) = message_of_two(&mut there).await;
                assert_eq!((sender == process(1), data), (false, text));
            }
            (engine, here, there)
        });
    }
    let ended = talks.join_all().await;
    assert_eq!(ended.len(), PAIRS as usize);
    // None has lost its ring meanwhile.
    for status in near.pairs().await {
        assert!(status.peer == DEAD || status.is_together && status.counters.rings == 1, "{status:?}");
    }
    let refused = tokio::time::timeout(LIVENESS, flood).await.expect("it is told").expect("it does not panic");
    assert!(refused > 0, "the dead one's own user was held back, and nobody else");
    near.stop().await;
}
