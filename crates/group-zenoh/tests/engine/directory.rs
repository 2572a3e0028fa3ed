//! The enterprise over several hubs, after all have ended, and without a neighbour that was dropped.

use std::time::Duration;

use bytes::Bytes;
use hamsa_group::enterprise::EnterpriseEvent;
use hamsa_group_zenoh::{DialProblem, EnterpriseHandle, Protection, ZenohEngine};
use hamsa_testkit::limits::LIVENESS;
use hamsa_testkit::{Authority, free_tcp};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::support::{hub, protect, second_hub, site};

fn set(enterprise: &EnterpriseHandle, name: &str, value: Option<&'static str>) {
    let seen = enterprise.read(name).seen;
    enterprise.write(name, value.map(Bytes::from), &seen).expect("it is sound");
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIVENESS, wait).await.unwrap_or_else(|_| panic!("{what}"));
}

/// A site dials the second hub, which dials the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_of_hubs_is_one_enterprise() {
    let directory = TempDir::new().expect("a directory");
    let authority = Authority::new();
    let addresses = [free_tcp(), free_tcp()];
    let protect = |name: &str, number: usize| protect(&authority, &directory.path().join(name), addresses[number]);
    let [first_at, second_at] = addresses.map(|address| address.to_string());
    // From its end, so that each dials one that is not there yet.
    let north = ZenohEngine::start(site(3, &second_at, protect("site", 1))).await.unwrap();
    let second = ZenohEngine::start(second_hub(2, &second_at, &first_at, protect("second", 1))).await.unwrap();
    let first = ZenohEngine::start(hub(1, &first_at, protect("first", 0))).await.unwrap();
    north.add_neighbour(2).await.unwrap();
    second.add_neighbour(3).await.unwrap();
    second.add_neighbour(1).await.unwrap();
    first.add_neighbour(2).await.unwrap();
    let all = [first.enterprise(), second.enterprise(), north.enterprise()];
    set(&all[0], "watch", Some("by 1"));
    set(&all[1], "trap", Some("by 2"));
    set(&all[2], "poller", Some("by 3"));
    eventually("presence and names reach all", || {
        all.iter().all(|each| {
            each.nodes().iter().filter(|node| node.is_present).count() == 3
                && each.names("") == ["poller", "trap", "watch"]
                && each.digest() == all[0].digest()
        })
    })
    .await;
    assert_eq!(all[2].node(2).expect("known").record.addresses, [second_at]);
    assert_eq!(second.problem(), None);
    // The site that the second hub still hears does not hide that the first one is missing.
    first.stop().await;
    eventually("it is told", || second.problem().is_some()).await;
    let problem = second.problem();
    assert!(
        matches!(&problem, Some(DialProblem::Unreachable { endpoint, .. }) if *endpoint == first_at),
        "{problem:?}"
    );
    assert_eq!(north.problem(), None);
    second.stop().await;
    north.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_directory_outlives_all_engines() {
    let address = free_tcp().to_string();
    let start = async |after_ms: u64| {
        let mut near = hub(1, &address, Protection::None);
        near.began_after_ms = after_ms;
        let near = ZenohEngine::start(near).await.unwrap();
        let far = ZenohEngine::start(site(2, &address, Protection::None)).await.unwrap();
        near.add_neighbour(2).await.unwrap();
        far.add_neighbour(1).await.unwrap();
        (near, far)
    };
    let (near, far) = start(0).await;
    let [here, there] = [near.enterprise(), far.enterprise()];
    set(&here, "watch", Some("first"));
    set(&here, "trap", Some("first"));
    eventually("it comes", || there.digest() == here.digest()).await;
    set(&there, "watch", Some("second"));
    set(&there, "trap", None);
    eventually("it comes", || there.digest() == here.digest()).await;
    near.stop().await;
    far.stop().await;
    // Readable also after the end.
    let (pieces, run, digest) = (here.export(), here.run(), here.digest());
    assert_eq!(run.node, 1);
    // As if the clock had been set back by an hour.
    let last_ms = run.began_ms + 3_600_000;
    let (near, far) = start(last_ms).await;
    let [here, there] = [near.enterprise(), far.enterprise()];
    assert_eq!(here.run().began_ms, last_ms + 1);
    assert!(there.run().began_ms > run.began_ms);
    for piece in &pieces {
        here.restore(piece).unwrap();
    }
    assert_eq!(here.digest(), digest);
    eventually("it is compared", || there.digest() == digest).await;
    assert_eq!(there.names(""), ["watch"]);
    set(&here, "watch", Some("third"));
    eventually("it replaces what was restored", || there.read("watch").values == [Bytes::from("third")]).await;
    assert!(here.restore(&Bytes::from_static(b"no piece")).is_err());
    near.stop().await;
    far.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_neighbour_can_be_dropped_and_taken_again() {
    let address = free_tcp().to_string();
    let near = ZenohEngine::start(hub(1, &address, Protection::None)).await.unwrap();
    let far = ZenohEngine::start(site(2, &address, Protection::None)).await.unwrap();
    far.add_neighbour(1).await.unwrap();
    near.add_neighbour(2).await.unwrap();
    let [here, there] = [near.enterprise(), far.enterprise()];
    set(&there, "watch", Some("first"));
    eventually("they meet", || here.digest() == there.digest() && here.node(2).is_some_and(|it| it.is_present)).await;
    near.remove_neighbour(2).await.unwrap();
    near.remove_neighbour(7).await.unwrap();
    set(&here, "trap", Some("here"));
    set(&there, "poller", Some("there"));
    // The other goes on telling, for a whole lease, and is not heard.
    let gone = async { while here.event().await != EnterpriseEvent::Went(2) {} };
    timeout(LIVENESS, gone).await.expect("its lease ends");
    assert_eq!(here.names(""), ["trap", "watch"]);
    assert_eq!(there.names(""), ["poller", "watch"]);
    near.add_neighbour(2).await.unwrap();
    eventually("they meet again", || here.names("") == ["poller", "trap", "watch"] && here.digest() == there.digest())
        .await;
    let here_again = async { while here.event().await != EnterpriseEvent::Came(2) {} };
    timeout(LIVENESS, here_again).await.expect("it is there again");
    near.stop().await;
    far.stop().await;
}
