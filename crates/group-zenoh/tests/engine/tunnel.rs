//! TLS around Zenoh's links: under load both ways, with peers that say nothing, and with certificates that change and end.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use hamsa_group::{EngineEvent, EnginePort, GroupEngine, Process};
use hamsa_group_zenoh::limits::MAX_HANDSHAKES;
use hamsa_group_zenoh::{DialProblem, Protection, ZenohEngine};
use hamsa_testkit::limits::LIVENESS;
use hamsa_testkit::{Authority, Validity, free_tcp};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::member::Member;
use crate::support::{event, hub, members, process, protect, send, sign, site};

/// Pairs, each of which talks both ways as fast as it can.
const PAIRS: u32 = 60;
const MESSAGES: usize = 600;
const OCTETS: usize = 1024;
/// Long: it is not what is asked here, and unoptimised code may be slow beside other work.
const LEASE: Duration = Duration::from_secs(10);

/// Many tests want more descriptors than a user's shell allows at first.
fn allow_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("up to the greatest it is allowed");
}

async fn problem(of: &ZenohEngine, is_it: impl Fn(&DialProblem) -> bool) -> DialProblem {
    let problem = async {
        loop {
            match of.problem() {
                Some(problem) if is_it(&problem) => return problem,
                _ => sleep(Duration::from_millis(20)).await,
            }
        }
    };
    timeout(LIVENESS, problem).await.unwrap_or_else(|_| panic!("it says {:?}", of.problem()))
}

/// Sends all, and returns what came: its own and the peer's.
async fn talk(port: &mut EnginePort) -> Vec<(Process, Bytes)> {
    let mut heard = Vec::new();
    let mut hear = |event| match event {
        EngineEvent::Message { sender, data } => heard.push((sender, data)),
        other => panic!("{other:?}"),
    };
    for count in 0..MESSAGES {
        let mut octets = count.to_be_bytes().to_vec();
        octets.resize(OCTETS, count as u8);
        send(port, Bytes::from(octets)).await;
        while let Some(event) = port.poll_event() {
            hear(event);
        }
    }
    let mut hear_rest = async || {
        while heard.len() < 2 * MESSAGES {
            match event(port).await {
                EngineEvent::Message { sender, data } => heard.push((sender, data)),
                other => panic!("{other:?}"),
            }
        }
    };
    hear_rest().await;
    heard
}

/// Zenoh's own TLS link did not live through this.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_pairs_talk_both_ways_at_once() {
    allow_descriptors();
    let directory = TempDir::new().expect("a directory");
    let address = free_tcp();
    let protection = protect(&Authority::new(), directory.path(), address);
    let address = address.to_string();
    let mut options = hub(1, &address, protection.clone());
    options.lease = LEASE;
    let near = ZenohEngine::start(options).await.unwrap();
    let mut starting = JoinSet::new();
    for node in 2..2 + PAIRS {
        let mut here = near.pair(process(node)).await.unwrap();
        let mut options = site(node, &address, protection.clone());
        options.lease = LEASE;
        starting.spawn(async move {
            let far = ZenohEngine::start(options).await.unwrap();
            let mut there = far.pair(process(1)).await.unwrap();
            tokio::join!(members(&mut here, 2), members(&mut there, 2));
            (far, here, there)
        });
    }
    let mut talking = JoinSet::new();
    for (far, mut here, mut there) in starting.join_all().await {
        talking.spawn(async move {
            // On two threads.
            let there = tokio::spawn(async move {
                let heard = talk(&mut there).await;
                (heard, there)
            });
            let here_heard = talk(&mut here).await;
            let (there_heard, there) = there.await.expect("it hears all");
            assert!(here_heard == there_heard, "both hear the same in the same order");
            assert!(far.problem().is_none(), "{:?}", far.problem());
            (far, here, there)
        });
    }
    let ended = talking.join_all().await;
    assert_eq!(ended.len(), PAIRS as usize);
    for status in near.pairs().await {
        assert!(status.is_together && status.counters.rings == 1, "{status:?}");
    }
    near.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_say_nothing_keep_nobody_out() {
    allow_descriptors();
    let directory = TempDir::new().expect("a directory");
    let address = free_tcp();
    let protection = protect(&Authority::new(), directory.path(), address);
    let near = ZenohEngine::start(hub(1, &address.to_string(), protection.clone())).await.unwrap();
    let mut here = near.pair(process(2)).await.unwrap();
    // All the time more than may be under way, each for as long as the hub lets it.
    let silent = tokio::task::spawn_blocking(move || silent_peers(address, MAX_HANDSHAKES + 100));
    let silent = silent.await.expect("they connect");
    // The oldest make room, not those that come.
    let ends = |of: &TcpStream| {
        let of = of.try_clone().expect("a descriptor");
        of.set_nonblocking(true).expect("a socket");
        let mut of = tokio::net::TcpStream::from_std(of).expect("a socket");
        async move { of.read(&mut [0]).await }
    };
    let [oldest, youngest] = [&silent[0], &silent[silent.len() - 1]].map(ends);
    let order = async {
        tokio::select! {
            biased;
            _ = oldest => {}
            ended = youngest => panic!("{ended:?}"),
        }
    };
    timeout(LIVENESS, order).await.expect("the hub lets nobody be silent for ever");
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let renewing = tokio::task::spawn_blocking(move || {
        let mut silent = silent;
        while stopped.recv_timeout(Duration::from_millis(10)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            silent.rotate_left(5);
            let place = silent.len() - 5;
            silent.truncate(place);
            silent.extend(silent_peers(address, 5));
        }
    });
    let far = ZenohEngine::start(site(2, &address.to_string(), protection)).await.unwrap();
    let mut there = far.pair(process(1)).await.unwrap();
    tokio::join!(members(&mut here, 2), members(&mut there, 2));
    drop(stop);
    renewing.await.expect("they connect again and again");
    far.stop().await;
    near.stop().await;
}

fn silent_peers(address: SocketAddr, number: usize) -> Vec<TcpStream> {
    (0..number).map(|_| TcpStream::connect_timeout(&address, LIVENESS).expect("the hub listens")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewed_certificates_are_taken_without_a_restart() {
    let directory = TempDir::new().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let authority = Authority::new();
    let address = free_tcp();
    let name = address.ip().to_string();
    let of_hub = sign(&authority, &at("hub"), &["hub.example"], Validity::Now);
    // An authority of its own, and the hub's too: so only the hub refuses.
    let of_site = sign(&Authority::new(), &at("site"), &["site.example"], Validity::Now);
    let both = [&of_site.authority, &of_hub.authority].map(|path| std::fs::read_to_string(path).expect("a file"));
    std::fs::write(&of_site.authority, both.concat()).expect("a file");
    let near = ZenohEngine::start(hub(1, &address.to_string(), Protection::Tls(of_hub))).await.unwrap();
    let far = ZenohEngine::start(site(2, &address.to_string(), Protection::Tls(of_site.clone()))).await.unwrap();
    let mut here = near.pair(process(2)).await.unwrap();
    let mut there = far.pair(process(1)).await.unwrap();
    problem(&far, |it| matches!(it, DialProblem::HubRefused { .. })).await;
    sign(&authority, &at("hub"), &[&name], Validity::Now);
    problem(&far, |it| matches!(it, DialProblem::SiteRefused { .. })).await;
    // One that is broken is not used, and it is said that it would be wanted.
    std::fs::write(&of_site.key, "no key").expect("a file");
    let broken = problem(&far, |it| matches!(it, DialProblem::Files(_))).await;
    assert!(broken.to_string().contains("no private key"), "{broken}");
    sign(&authority, &at("site"), &["site.example"], Validity::Now);
    tokio::join!(members(&mut here, 2), members(&mut there, 2));
    let works = async {
        while far.problem().is_some() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIVENESS, works).await.expect("nothing is wrong any more");
    far.stop().await;
    near.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_ends_when_the_certificate_does() {
    let directory = TempDir::new().expect("a directory");
    let authority = Authority::new();
    let address = free_tcp();
    let of_hub = protect(&authority, &directory.path().join("hub"), address);
    let near = ZenohEngine::start(hub(1, &address.to_string(), of_hub)).await.unwrap();
    let mut here = near.pair(process(2)).await.unwrap();
    let at = directory.path().join("site");
    // A machine that is busy needs some of it for the beginning: then a longer one is tried.
    let mut time = Duration::from_secs(4);
    let (far, mut there) = loop {
        let files = sign(&authority, &at, &["site.example"], Validity::For(time));
        if let Ok(far) = ZenohEngine::start(site(2, &address.to_string(), Protection::Tls(files))).await {
            let mut there = far.pair(process(1)).await.unwrap();
            if timeout(time, members(&mut there, 2)).await.is_ok() {
                break (far, there);
            }
            far.stop().await;
        }
        assert!(time < LIVENESS, "no pair within {time:?}");
        time *= 2;
    };
    let refused = problem(&far, |it| matches!(it, DialProblem::SiteRefused { .. })).await;
    assert!(refused.to_string().contains("expired"), "{refused}");
    members(&mut there, 1).await;
    members(&mut here, 1).await;
    sign(&authority, &at, &["site.example"], Validity::Now);
    members(&mut there, 2).await;
    members(&mut here, 2).await;
    far.stop().await;
    near.stop().await;
}

#[test]
fn the_directory_of_the_sockets_goes_with_the_engine() {
    let directory = TempDir::new().expect("a directory");
    let address = free_tcp();
    protect(&Authority::new(), directory.path(), address);
    let temporary = directory.path().join("tmp");
    std::fs::create_dir(&temporary).expect("a directory");
    let start = || {
        let mut command = Command::new(std::env::current_exe().expect("this binary"));
        command.env("TMPDIR", &temporary);
        let role = format!("1 hub {address} {} {}", directory.path().display(), LEASE.as_millis());
        let member = Member::start(command, &role);
        member.wait_for("started");
        member
    };
    let there = || -> Vec<PathBuf> {
        std::fs::read_dir(&temporary).expect("a directory").map(|entry| entry.expect("an entry").path()).collect()
    };
    let mut killed = start();
    let [first] = &there()[..] else { panic!("{:?}", there()) };
    let mode = first.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "for nobody else");
    assert!(first.join("hub").exists());
    killed.process.kill();
    assert!(first.exists(), "it had no time");
    let next = start();
    let [second] = &there()[..] else { panic!("{:?}", there()) };
    assert_ne!(first, second);
    next.stop();
    assert!(there().is_empty(), "{:?}", there());
}
