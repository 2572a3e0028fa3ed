//! Engines of one process over a real socket: who is the hub, who succeeds it, and what all are given.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use hamsa_group::{EngineEvent, EnginePort, EngineSendError, GroupEngine, Process, RingId};
use hamsa_group_embedded::{ConnectError, Embedded, EmbeddedOptions, Fault, FaultError, LocalHub, Role};
use tokio::time::timeout;

/// Generous: nothing is measured by it.
const LIVENESS: Duration = Duration::from_secs(60);

fn options(directory: &Path, node: u32) -> EmbeddedOptions {
    EmbeddedOptions { socket: directory.join("group.sock"), cluster: "test".into(), node, allow_faults: true }
}

async fn event(port: &mut EnginePort) -> EngineEvent {
    timeout(LIVENESS, port.event()).await.expect("an event comes").expect("the engine has not ended")
}

/// Reads until a configuration of these nodes comes; its ring.
async fn configured(port: &mut EnginePort, nodes: &[u32]) -> RingId {
    loop {
        if let EngineEvent::Configuration(configuration) = event(port).await {
            let members: Vec<u32> = configuration.members.iter().map(|process| process.node).collect();
            if members == nodes {
                return configuration.ring;
            }
        }
    }
}

async fn lost(port: &mut EnginePort) -> String {
    loop {
        if let EngineEvent::Lost { reason } = event(port).await {
            return reason;
        }
    }
}

/// As a node does it: tries until it succeeds.
async fn connected(engine: &mut Embedded) -> EnginePort {
    let trying = async {
        loop {
            match engine.connect().await {
                Ok(port) => return port,
                Err(ConnectError::Unreachable { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(LIVENESS, trying).await.expect("it connects")
}

#[tokio::test]
async fn one_is_the_hub_and_all_are_given_the_same_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut engines: Vec<Embedded> = (1..=3).map(|node| Embedded::new(options(directory.path(), node))).collect();
    let mut ports = Vec::new();
    for engine in &mut engines {
        ports.push(connected(engine).await);
    }
    let roles: Vec<Role> = engines.iter().map(Embedded::role).collect();
    assert_eq!(roles, [Role::Hub, Role::Member, Role::Member]);
    let mode = std::fs::metadata(directory.path().join("group.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for port in &mut ports {
        configured(port, &[1, 2, 3]).await;
    }
    for number in 0..100_u32 {
        for port in &mut ports {
            let data = Bytes::from(vec![number as u8; number as usize * 100]);
            while port.send(data.clone()) == Err(EngineSendError::Full) {
                port.writable().await;
            }
        }
    }
    let mut orders: Vec<Vec<(Process, usize)>> = Vec::new();
    for port in &mut ports {
        let mut order = Vec::new();
        while order.len() < 300 {
            if let EngineEvent::Message { sender, data } = event(port).await {
                order.push((sender, data.len()));
            }
        }
        orders.push(order);
    }
    assert_eq!(orders[0], orders[1]);
    assert_eq!(orders[0], orders[2]);
    for node in 1..=3 {
        let own: Vec<usize> = orders[0].iter().filter(|(sender, _)| sender.node == node).map(|(_, at)| *at).collect();
        assert_eq!(own, (0..100).map(|number| number * 100).collect::<Vec<usize>>());
    }
}

#[tokio::test]
async fn when_the_hub_ends_another_becomes_it_and_rings_grow() {
    let directory = tempfile::tempdir().unwrap();
    let mut engines: Vec<Embedded> = (1..=3).map(|node| Embedded::new(options(directory.path(), node))).collect();
    let mut ports = Vec::new();
    for engine in &mut engines {
        ports.push(connected(engine).await);
    }
    let mut before = RingId { sequence: 0, representative: 0 };
    for port in &mut ports {
        before = configured(port, &[1, 2, 3]).await;
    }
    drop((engines.remove(0), ports.remove(0)));
    for port in &mut ports {
        lost(port).await;
    }
    let mut ports = Vec::new();
    for engine in &mut engines {
        ports.push(connected(engine).await);
    }
    for port in &mut ports {
        let ring = configured(port, &[2, 3]).await;
        assert!(ring.sequence > before.sequence, "{ring} after {before}");
    }
    assert_eq!(engines.iter().filter(|engine| engine.role() == Role::Hub).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_begin_at_once_one_is_the_hub() {
    for _ in 0..10 {
        let directory = tempfile::tempdir().unwrap();
        // As a killed hub leaves it.
        drop(std::os::unix::net::UnixListener::bind(directory.path().join("group.sock")).unwrap());
        let nodes: Vec<u32> = (1..=16).collect();
        let begun = nodes.iter().map(|node| {
            let mut engine = Embedded::new(options(directory.path(), *node));
            tokio::spawn(async move {
                let port = connected(&mut engine).await;
                (engine, port)
            })
        });
        let begun: Vec<_> = begun.collect();
        let mut hubs = 0;
        let mut rings = BTreeSet::new();
        let mut kept = Vec::new();
        for task in begun {
            let (engine, port) = task.await.unwrap();
            hubs += usize::from(engine.role() == Role::Hub);
            kept.push((engine, port));
        }
        for (_, port) in &mut kept {
            rings.insert(configured(port, &nodes).await);
        }
        assert_eq!((hubs, rings.len()), (1, 1));
    }
}

#[tokio::test]
async fn faults_are_made_by_the_hub_where_they_are_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let mut engines: Vec<Embedded> = (1..=2).map(|node| Embedded::new(options(directory.path(), node))).collect();
    assert_eq!(engines[0].inject(Fault::Heal), Err(FaultError::NoEngine));
    let mut first = connected(&mut engines[0]).await;
    let mut second = connected(&mut engines[1]).await;
    configured(&mut second, &[1, 2]).await;
    engines[1].inject(Fault::Cut { sides: BTreeMap::from([(2, 1)]) }).unwrap();
    configured(&mut second, &[2]).await;
    configured(&mut first, &[1]).await;
    engines[0].inject(Fault::Heal).unwrap();
    configured(&mut second, &[1, 2]).await;
    configured(&mut first, &[1, 2]).await;

    let directory = tempfile::tempdir().unwrap();
    let strict = |node| EmbeddedOptions { allow_faults: false, ..options(directory.path(), node) };
    let mut hub = Embedded::new(strict(1));
    let _hub_port = connected(&mut hub).await;
    let mut member = Embedded::new(options(directory.path(), 2));
    let _member_port = connected(&mut member).await;
    assert_eq!(hub.inject(Fault::Heal), Err(FaultError::NotAllowed));
    assert_eq!(member.inject(Fault::Heal), Err(FaultError::NotAllowed));
}

#[tokio::test]
async fn who_does_not_belong_there_is_told_why() {
    let directory = tempfile::tempdir().unwrap();
    let mut hub = Embedded::new(options(directory.path(), 1));
    let _port = connected(&mut hub).await;
    let stranger = EmbeddedOptions { cluster: "other".into(), ..options(directory.path(), 2) };
    let error = Embedded::new(stranger).connect().await.unwrap_err().to_string();
    assert!(error.contains("cluster \"other\"") && error.contains("group.sock"), "{error}");
    let error = Embedded::new(options(directory.path(), 0)).connect().await.unwrap_err().to_string();
    assert!(error.contains("begin with 1"), "{error}");

    let nowhere = Embedded::new(options(&directory.path().join("missing"), 1)).connect().await.unwrap_err();
    assert!(matches!(nowhere, ConnectError::Lock { .. }), "{nowhere}");
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("group.sock"), "a file of somebody's").unwrap();
    let in_the_way = Embedded::new(options(directory.path(), 1)).connect().await.unwrap_err();
    assert!(matches!(in_the_way, ConnectError::InTheWay { .. }), "{in_the_way}");
    assert!(directory.path().join("group.sock").exists());
}

#[tokio::test]
async fn octets_that_are_no_frames_end_that_connection_only() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let directory = tempfile::tempdir().unwrap();
    let mut hub = Embedded::new(options(directory.path(), 1));
    let mut port = connected(&mut hub).await;
    for octets in [&[0xff; 64][..], b"GET / HTTP/1.1\r\n\r\n", &[2, 0, 0, 0, 1, 5]] {
        let mut stream = tokio::net::UnixStream::connect(directory.path().join("group.sock")).await.unwrap();
        stream.write_all(octets).await.unwrap();
        let mut answer = Vec::new();
        // It may have been reset, with what was not read.
        let _ = timeout(LIVENESS, stream.read_to_end(&mut answer)).await.expect("the hub ends the connection");
    }
    let mut member = Embedded::new(options(directory.path(), 2));
    let _port = connected(&mut member).await;
    configured(&mut port, &[1, 2]).await;
}

#[tokio::test]
async fn a_slow_process_holds_the_senders_up() {
    let hub = LocalHub::new();
    let mut quick = hub.attach(1, Default::default()).unwrap();
    let mut slow = hub.attach(2, Default::default()).unwrap();
    configured(&mut quick, &[1, 2]).await;
    let data = Bytes::from(vec![0; 100_000]);
    let mut sent = 0;
    let full = async {
        loop {
            match quick.send(data.clone()) {
                Ok(()) => sent += 1,
                Err(EngineSendError::Full) if timeout(Duration::from_millis(200), quick.writable()).await.is_err() => {
                    return;
                }
                Err(EngineSendError::Full) => {}
                Err(error) => panic!("{error}"),
            }
            while quick.poll_event().is_some() {}
        }
    };
    timeout(LIVENESS, full).await.expect("it is full some time");
    // What was taken from the sender is not lost to the slow.
    let mut came = 0;
    while came < sent {
        if let EngineEvent::Message { .. } = event(&mut slow).await {
            came += 1;
        }
    }
}
