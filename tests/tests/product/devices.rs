//! Real agents, polled by the binary: what is recorded is what net-snmp reads, and a restart is no spike.

use hamsa_testkit::{Snmpd, require, wait_until};
use serde_json::json;

use crate::node::{Node, NodeHome, community, device, lab, user};
use crate::sim::{Sim, next};

/// Objects of net-snmp's agent that stay as they are while a test runs, by OID.
const SLOW: [(&str, &str, &str); 6] = [
    ("ifNumber", "0", "1.3.6.1.2.1.2.1.0"),
    ("ifAdminStatus", "1", "1.3.6.1.2.1.2.2.1.7.1"),
    ("ifOperStatus", "1", "1.3.6.1.2.1.2.2.1.8.1"),
    ("ifHighSpeed", "1", "1.3.6.1.2.1.31.1.1.1.15.1"),
    ("ifInErrors", "1", "1.3.6.1.2.1.2.2.1.14.1"),
    ("hrMemorySize", "0", "1.3.6.1.2.1.25.2.2.0"),
];

fn latest(node: &Node, device: &str, object: &str, instance: &str) -> Option<u64> {
    let answer = node.json(&format!("/api/v1/series?device={device}&object={object}"));
    let series = answer["series"].as_array()?.iter().find(|series| series["instance"] == instance)?;
    series["latest"]["value"].as_u64()
}

#[test]
fn samples_are_what_net_snmp_reads() {
    let snmpd = require!(Snmpd::start());
    let config = [
        lab(),
        user("secure", snmpd.tools().user("priv-SHA-256-AES")),
        device("by-v2c", snmpd.address(), "lab"),
        device("by-v3", snmpd.address(), "secure"),
    ];
    let home = NodeHome::new(&config.concat());
    let node = home.start();
    for name in ["by-v2c", "by-v3"] {
        let status = node.wait_until_stored(name);
        assert_eq!((&status["errors"], &status["facts"]["sysLocation"]), (&json!([]), &json!(Snmpd::LOCATION)));
        for (object, instance, oid) in SLOW {
            let credentials = ["-v2c", "-c", Snmpd::READ_COMMUNITY, "-t", "5", "-Oe", "-OU"];
            let theirs = snmpd.get(&credentials, oid).unwrap_or_else(|error| panic!("{error}"));
            let theirs: u64 = theirs.split(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{oid}: {theirs}"));
            assert_eq!(latest(&node, name, object, instance), Some(theirs), "{name}: {object}.{instance}");
        }
    }
    // Both ways to the same counter: it does not go back.
    let octets = |name: &str| latest(&node, name, "ifHCInOctets", "1").unwrap();
    let (before, polls) = (octets("by-v2c"), node.metric("hamsa_polls_total{result=\"complete\"}"));
    wait_until("both are polled again", || {
        (node.metric("hamsa_polls_total{result=\"complete\"}") >= polls + 4.0).then_some(())
    });
    assert!(octets("by-v3") >= before);
}

#[test]
fn a_restarted_agent_shows_no_spike() {
    let mut snmpd = require!(Snmpd::start());
    let secure = user("secure", snmpd.tools().user("priv-SHA-256-AES"));
    let config = [
        lab(),
        secure,
        device("by-v2c", snmpd.address(), "lab"),
        device("by-v3", snmpd.address(), "secure"),
        "timeout = \"500ms\"\nretries = 1\n".to_owned(),
    ];
    let home = NodeHome::new(&config.concat());
    let node = home.start();
    for name in ["by-v2c", "by-v3"] {
        node.wait_until_stored(name);
        // Long enough that its uptime after the restart can't be taken for that before.
        wait_until("it has run for a while", || (node.rates(name, "snmpInPkts").0.len() >= 10).then_some(()));
    }
    // Its own counters go back to 0 with sysUpTime; the second time just after it has started.
    for _ in 0..2 {
        snmpd.restart();
        for name in ["by-v2c", "by-v3"] {
            let polled = || node.status(name)["last_success_ms"].as_i64();
            let before = polled();
            wait_until("it is polled again", || (polled() > before).then_some(()));
        }
    }
    for name in ["by-v2c", "by-v3"] {
        let seen = wait_until("there are rates after the restart", || {
            let rates = node.rates(name, "snmpInPkts");
            (rates.0.len() >= 14).then_some(rates)
        });
        assert!(seen.1.contains("discontinuity"), "{name}: {seen:?}");
        // A counter that wrapped from near 0 would show four thousand million packets in some seconds.
        for object in ["snmpInPkts", "snmpOutPkts"] {
            let (rates, _) = node.rates(name, object);
            assert!(rates.iter().all(|rate| (0.0..1e5).contains(rate)), "{name} {object}: {rates:?}");
        }
        let (octets, _) = node.rates(name, "ifHCInOctets");
        assert!(octets.iter().all(|rate| (0.0..1e11).contains(rate)), "{name}: {octets:?}");
        let events = node.json(&format!("/api/v1/events?kind=device&device={name}"));
        let restarts = events["events"].as_array().unwrap().iter().filter(|e| e["payload"]["event"] == "restarted");
        assert!(restarts.count() >= 1, "{events}");
    }
}

#[test]
fn a_device_that_is_replaced_shows_no_spike() {
    let mut sim = Sim::start(&["router:4", "switch:6", "--seed", "1"]);
    let first = sim.first;
    let config = [
        community("sim", "public"),
        "[poll]\ntimeout = \"300ms\"\nretries = 1\n".to_owned(),
        device("router", first, "sim"),
        device("switch", next(first), "sim"),
    ];
    let home = NodeHome::new(&config.concat());
    let node = home.start();
    let names = [("router", 100e9 / 8.0), ("switch", 10e9 / 8.0)];
    // Other devices answer at their addresses: uptimes and counters are anything, now more and now less.
    for (round, seed) in ["2", "3", "4"].into_iter().enumerate() {
        for (name, _) in names {
            node.wait_until_stored(name);
            wait_until("there are rates of it", || {
                (node.rates(name, "ifHCInOctets").0.len() > 12 * (round + 1)).then_some(())
            });
        }
        sim.process.kill();
        sim = Sim::start_at(first, &["router:4", "switch:6", "--seed", seed]);
    }
    for (name, speed) in names {
        let seen = wait_until("there are rates of the last", || {
            let seen = node.rates(name, "ifHCInOctets");
            (seen.0.len() > 48).then_some(seen)
        });
        let (rates, reasons) = seen;
        assert!(reasons.contains("discontinuity"), "{name}: {reasons:?}");
        assert!(rates.iter().all(|rate| (0.0..=speed * 1.05).contains(rate)), "{name}: {rates:?}");
        assert!(rates.iter().any(|rate| *rate > 0.0), "{name}: {rates:?}");
    }
}
