//! Pairs and the enterprise within one process.

use std::time::Duration;

use bytes::Bytes;
use hamsa_group::enterprise::EnterpriseEvent;
use hamsa_group::{EngineEvent, GroupEngine};
use hamsa_group_zenoh::{Protection, StartError, UsePairError, ZenohEngine};
use hamsa_testkit::limits::LIVENESS;
use hamsa_testkit::{Authority, free_tcp};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::support::{event, hub, members, message, process, protect, send, site};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pair_over_tls_agrees_on_order_and_on_who_is_there() {
    let directory = TempDir::new().expect("a directory");
    let authority = Authority::new();
    let address = free_tcp();
    let [of_hub, of_site] = ["hub", "site"].map(|name| protect(&authority, &directory.path().join(name), address));
    let address = address.to_string();
    let near = ZenohEngine::start(hub(1, &address, of_hub)).await.unwrap();
    let far = ZenohEngine::start(site(2, &address, of_site)).await.unwrap();
    let mut here = near.pair(process(2)).await.unwrap();
    let mut there = far.pair(process(1)).await.unwrap();
    // Each alone first.
    for port in [&mut here, &mut there] {
        let EngineEvent::Configuration(first) = event(port).await else { panic!("E1") };
        assert_eq!(first.members, [first.me]);
    }
    let [one, other] = [members(&mut here, 2).await, members(&mut there, 2).await];
    assert_eq!((one.ring, &one.members), (other.ring, &other.members));
    assert!(here.capabilities().is_wide_area && here.capabilities().max_nodes == 2);
    // Both talk at once; one message is as long as may be.
    let number = 300;
    let talk = async |port: &mut hamsa_group::EnginePort, name: &str| {
        let mut heard = Vec::new();
        let longest = port.capabilities().max_message_bytes;
        for count in 0..number {
            let mut text = format!("{name} {count}").into_bytes();
            if count == 100 {
                text.resize(longest, 0);
            }
            send(port, Bytes::from(text)).await;
            while let Some(event) = port.poll_event() {
                heard.push(event);
            }
        }
        while heard.len() < 2 * number {
            heard.push(event(port).await);
        }
        heard
    };
    let (here_heard, there_heard) = tokio::join!(talk(&mut here, "here"), talk(&mut there, "there"));
    assert_eq!(here_heard, there_heard);
    let status = near.pairs().await;
    assert!(status[0].is_together && status[0].peer == 2 && status[0].round_trip.is_some(), "{status:?}");
    // One lets go: the other is told at once and goes on alone.
    drop(there);
    assert_eq!(members(&mut here, 1).await.members, [process(1)]);
    send(&mut here, Bytes::from_static(b"alone")).await;
    assert_eq!(message(&mut here).await, (process(1), Bytes::from_static(b"alone")));
    // And comes back as another run.
    let mut there = far.pair(process(1)).await.unwrap();
    members(&mut there, 2).await;
    let again = members(&mut here, 2).await;
    assert!(again.ring.sequence > one.ring.sequence);
    // An engine that stops says so to its user and to its peers.
    far.stop().await;
    members(&mut here, 1).await;
    loop {
        match timeout(LIVENESS, there.event()).await.expect("it ends") {
            Some(EngineEvent::Lost { .. }) => break,
            Some(_) => {}
            None => panic!("it has not said so"),
        }
    }
    near.stop().await;
}

/// Whoever has dropped a port need not wait until the engine knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pair_is_made_again_at_once() {
    let address = free_tcp().to_string();
    let near = ZenohEngine::start(hub(1, &address, Protection::None)).await.unwrap();
    let far = ZenohEngine::start(site(2, &address, Protection::None)).await.unwrap();
    let mut here = near.pair(process(2)).await.unwrap();
    let mut there = far.pair(process(1)).await.unwrap();
    for _ in 0..20 {
        drop(there);
        there = far.pair(process(1)).await.unwrap();
    }
    let tell = async {
        // Again and again: it may be alone at first.
        loop {
            send(&mut there, Bytes::from_static(b"hello")).await;
            while there.poll_event().is_some() {}
            sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        heard = message(&mut here) => assert_eq!(heard, (process(2), Bytes::from_static(b"hello"))),
        () = tell => {}
    }
    assert_eq!(far.pairs().await.len(), 1);
    near.stop().await;
    far.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_start_says_why() {
    let address = free_tcp().to_string();
    let near = ZenohEngine::start(hub(1, &address, Protection::None)).await.unwrap();
    let error = ZenohEngine::start(hub(2, &address, Protection::None)).await.expect_err("the port is taken");
    assert!(matches!(error, StartError::Open(_)), "{error}");
    let _port = near.pair(process(2)).await.unwrap();
    let error = near.pair(process(2)).await.expect_err("there is one");
    assert!(matches!(error, UsePairError::Taken(2)), "{error}");
    let error = near.pair(process(1)).await.expect_err("it is the hub itself");
    assert!(matches!(error, UsePairError::Pair(_)), "{error}");
    near.stop().await;
}

#[tokio::test]
async fn a_runtime_with_one_thread_is_refused() {
    let error = ZenohEngine::start(hub(1, "127.0.0.1:0", Protection::None)).await.expect_err("one thread");
    assert!(matches!(error, StartError::Runtime), "{error}");
}

/// Sites know each other and each other's names through their hub.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_directory_goes_through_the_hub() {
    let address = free_tcp().to_string();
    let near = ZenohEngine::start(hub(1, &address, Protection::None)).await.unwrap();
    let mut sites = Vec::new();
    for node in [2, 3] {
        let engine = ZenohEngine::start(site(node, &address, Protection::None)).await.unwrap();
        engine.add_neighbour(1).await.unwrap();
        near.add_neighbour(node).await.unwrap();
        sites.push(engine);
    }
    let [north, south] = [sites[0].enterprise(), sites[1].enterprise()];
    let seen = north.read("watch.north").seen;
    north.write("watch.north", Some(Bytes::from_static(b"on 2")), &seen).unwrap();
    let arrival = async {
        while south.event().await != EnterpriseEvent::Changed("watch.north".into()) {}
        while !south.node(2).is_some_and(|node| node.is_present) {
            south.event().await;
        }
    };
    timeout(LIVENESS, arrival).await.expect("it comes");
    assert_eq!(south.read("watch.north").values, [Bytes::from_static(b"on 2")]);
    assert_eq!(south.names("watch."), ["watch.north"]);
    assert_eq!(south.digest(), north.digest());
    assert_eq!(south.node(2).expect("known").record.name, "node2");
}
