//! Devices that are dead or lie, and the others, which must not notice.

use hamsa_testkit::{free_udp, wait_until};

use crate::node::{NodeHome, community, device};
use crate::sim::{Sim, nth};

/// Lies and other troubles, each of one device.
const FAULTS: [&str; 8] = [
    "loss=100%",
    "endless",
    "not-increasing",
    "wrong-types",
    "wrong-request-id",
    "late=20s",
    "truncate=50%,corrupt=50%",
    "empty-response",
];

/// By how much a device may be polled late where every core is busy with other tests. One that waited for another
/// device would be later: that takes [`PATIENCE`].
const LATE_MS: u64 = 5_000;

/// How long a device of no answer is waited for: 10 s, and 4 more tries.
const PATIENCE: &str = "[poll]\ntimeout = \"10s\"\nmax_timeout = \"10s\"\nretries = 4\n";

#[test]
fn the_dead_and_the_lying_delay_nobody() {
    let sane = Sim::start(&["router:4*3"]);
    let troubled: Vec<Sim> = FAULTS.iter().map(|fault| Sim::start(&["router:4", "--fault", fault])).collect();
    let mut config = vec![PATIENCE.to_owned(), community("sim", "public")];
    for (number, sim) in troubled.iter().enumerate() {
        config.push(device(&format!("troubled-{number}"), sim.first, "sim"));
    }
    config.push(device("nobody", free_udp(), "sim"));
    let sane_names: Vec<String> = (0..3).map(|number| format!("sane-{number}")).collect();
    for (number, name) in sane_names.iter().enumerate() {
        config.push(device(name, nth(sane.first, number as u32), "sim"));
    }
    let home = NodeHome::new(&config.concat());
    let node = home.start();
    // Each is polled again and again, while the dead are still waited for in their first poll.
    for name in &sane_names {
        node.wait_until_stored(name);
        let mut polls = std::collections::BTreeSet::new();
        wait_until(&format!("{name} is polled ten times"), || {
            let status = node.status(name);
            assert_eq!(status["state"], "up", "{name}: {status}");
            let late_ms = status["poll_lateness_ms"].as_u64().unwrap();
            assert!(late_ms < LATE_MS, "{name}: {late_ms} ms late");
            polls.insert(status["last_poll_ms"].as_i64());
            (polls.len() >= 10).then_some(())
        });
    }
    for name in ["nobody", "troubled-0"] {
        assert_eq!(node.status(name)["state"], "pending", "{name} is still waited for");
    }
    // A liar is told of, and the node lives.
    wait_until("what does not increase is told", || {
        let status = node.status("troubled-2");
        let mut errors = status["errors"].as_array()?.iter().filter_map(|error| error.as_str());
        errors.any(|error| error.contains("do not increase")).then_some(())
    });
    assert!(!node.process.stderr().contains("panicked"), "{}", node.process.stderr());
}
