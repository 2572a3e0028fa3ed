//! The API's answers on devices, events and the node, and that no answer has a secret in it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use hamsa_testkit::{NetSnmp, Snmpd, free_udp, require, wait_until};
use serde_json::{Value, json};

use crate::support::{Node, NodeConfig};

/// linkDown with an interface's index.
const LINK_DOWN: [&str; 5] = ["", "1.3.6.1.6.3.1.1.5.3", "1.3.6.1.2.1.2.2.1.1.3", "i", "3"];

fn send_trap(node: &Node, tools: &NetSnmp, community: &str, inform: bool) {
    let to = node.trap_address().to_string();
    let kind = if inform { "-Ci" } else { "-Cs" };
    let mut arguments = vec!["-v2c", "-c", community, "-t", "5"];
    arguments.extend(inform.then_some(kind));
    arguments.push(&to);
    arguments.extend(LINK_DOWN);
    tools.run("snmptrap", arguments).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn devices_are_listed_filtered_and_told_one_by_one() {
    let snmpd = require!(Snmpd::start());
    let mut config = NodeConfig::new();
    config.community("other", Snmpd::WRITE_COMMUNITY);
    config.device("router1", snmpd.address());
    config.device_with("router2", snmpd.address(), "other");
    config.device("dead1", free_udp());
    let node = config.start();
    node.wait_until_up("router1");
    node.wait_until_up("router2");
    wait_until("dead1 is down", || {
        (node.json("/api/v1/devices/dead1", 200)["status"]["state"] == "down").then_some(())
    });

    let router = node.json("/api/v1/devices/router1", 200);
    assert_eq!((&router["address"], &router["version"]), (&json!(snmpd.address().to_string()), &json!("v2c")));
    assert_eq!((&router["credentials"], &router["interval_ms"]), (&json!("lab"), &json!(1_000)));
    assert_eq!(router["labels"], json!({ "site": "berlin" }));
    wait_until("its facts are read", || {
        let facts = &node.json("/api/v1/devices/router1", 200)["status"]["facts"];
        (facts["sysLocation"] == Snmpd::LOCATION).then_some(())
    });

    let names = |path: &str| -> Vec<String> {
        let answer = node.json(path, 200);
        let devices = answer["devices"].as_array().unwrap().iter();
        devices.map(|device| device["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("/api/v1/devices"), ["dead1", "router1", "router2"]);
    assert_eq!(names("/api/v1/devices?state=down"), ["dead1"]);
    assert_eq!(names("/api/v1/devices?q=ROUTER%20berlin"), ["router1", "router2"]);
    let first = node.json("/api/v1/devices?limit=2", 200);
    assert_eq!(first["next"], "router1");
    assert_eq!(names("/api/v1/devices?limit=2&after=router1"), ["router2"]);
    assert_eq!(node.json("/api/v1/devices?limit=2&after=router1", 200)["next"], Value::Null);
}

#[test]
fn mistakes_are_told_with_a_hint() {
    let mut config = NodeConfig::new();
    config.device("core1", free_udp());
    let node = config.start();
    for (path, status, error, hint) in [
        ("/api/v1/devices/cora1", 404, "there is no device \"cora1\"", "did you mean \"core1\"?"),
        (
            "/api/v1/devices?status=up",
            400,
            "the parameter \"status\" is not known",
            "known here: state, q, limit, after",
        ),
        ("/api/v1/devices?state=fine", 400, "there is no state \"fine\"", "states are down, degraded, pending, up"),
        ("/api/v1/devices?limit=0", 400, "limit=0 is not allowed", "use 1 to 10000"),
        ("/api/v1/events?after=x", 400, "after=x is no place", "take it from \"next\" of the answer before"),
        ("/api/v1/nothing", 404, "there is no such page", "begin at /; docs/api.md lists the API"),
        ("/api/v1/series", 400, "device is missing", "add device=core1"),
        ("/api/v1/devices?q=a&q=b", 400, "q is given 2 times", "give it once"),
    ] {
        let answer = node.json(path, status);
        assert_eq!(answer, json!({ "error": error, "hint": hint }), "{path}");
    }
    // People get a page, programs of other kinds plain text.
    let page = node.get("/devices/cora1");
    assert_eq!((page.status, page.header("content-type")), (404, Some("text/html; charset=utf-8")));
    assert!(page.text().contains("Did you mean &quot;core1&quot;?"), "{}", page.text());
    let text = node.get("/snmp");
    assert_eq!((text.status, text.text().as_str()), (400, "target is missing\nadd target=192.0.2.1\n"));
}

#[test]
fn series_have_their_last_values_and_rates() {
    let snmpd = require!(Snmpd::start());
    let node = Node::polling(&snmpd);
    let series = wait_until("an interface has a rate", || {
        let answer = node.json("/api/v1/series?device=router1&object=ifHCInOctets", 200);
        let series = answer["series"].as_array()?.iter();
        series
            .into_iter()
            .find(|series| series["labels"]["ifName"] == "lo" && series["latest"]["rate"].is_number())
            .cloned()
    });
    assert_eq!(
        (&series["object"], &series["kind"], &series["scale"]),
        (&json!("ifHCInOctets"), &json!("counter64"), &json!(0))
    );
    assert!(series["latest"]["value"].is_u64() && series["latest"]["gap"].is_null(), "{series}");
    let all = node.json("/api/v1/series?device=router1", 200);
    let count = all["series"].as_array().map(Vec::len).unwrap();
    assert_eq!(count, node.state().store.series_of("router1").unwrap().len());
}

#[test]
fn events_come_newest_first_and_in_pages() {
    let tools = require!(NetSnmp::new());
    let mut config = NodeConfig::new();
    config.device("dead1", free_udp());
    let node = config.start();
    wait_until("dead1 has gone down", || {
        let answer = node.json("/api/v1/events?device=dead1", 200);
        (answer["events"][0]["payload"]["event"] == "down").then_some(())
    });
    for inform in [false, true, false] {
        send_trap(&node, &tools, Snmpd::READ_COMMUNITY, inform);
    }
    let traps = wait_until("three notifications are stored", || {
        let answer = node.json("/api/v1/traps", 200);
        (answer["events"].as_array()?.len() == 3).then_some(answer)
    });
    let trap = &traps["events"][0];
    assert_eq!((&trap["kind"], &trap["payload"]["trap"]), (&json!("trap"), &json!("IF-MIB::linkDown")));
    assert_eq!(trap["payload"]["variables"][0]["name"], "IF-MIB::ifIndex.3");
    assert_eq!(traps["events"][1]["payload"]["kind"], "inform");
    assert_eq!(traps["next"], Value::Null);

    let mut ids = Vec::new();
    let mut after = String::new();
    loop {
        let page = node.json(&format!("/api/v1/events?limit=2{after}"), 200);
        ids.extend(page["events"].as_array().unwrap().iter().map(|event| event["id"].as_u64().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(ids.len(), 4);
    assert!(ids.is_sorted_by(|a, b| a > b), "{ids:?}");
    let of = |query: &str| node.json(&format!("/api/v1/events?{query}"), 200)["events"].as_array().unwrap().len();
    assert_eq!(
        [of("kind=device"), of("kind=trap"), of("from=-1h"), of("to=-1h"), of("from=2026-01-01T00:00:00Z&to=now")],
        [1, 3, 4, 0, 4]
    );
}

#[test]
fn the_stream_tells_what_is_stored() {
    let snmpd = require!(Snmpd::start());
    let node = Node::polling(&snmpd);
    let mut stream = TcpStream::connect(node.address()).unwrap();
    stream.set_read_timeout(Some(hamsa_testkit::limits::LIVENESS)).unwrap();
    write!(stream, "GET /api/v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("the stream goes on"));
    let mut next = |wanted: &str| -> Value {
        loop {
            let name = lines.find_map(|line| line.strip_prefix("event: ").map(str::to_owned)).expect("an event");
            let data = lines.find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).expect("its data");
            if name == wanted {
                return serde_json::from_str(&data).unwrap();
            }
        }
    };
    assert_eq!(next("hello"), json!({}));
    let polled = next("polled");
    assert_eq!((&polled["device"], &polled["state"]), (&json!("router1"), &json!("up")));
    assert!(polled["last_poll_ms"].is_i64(), "{polled}");
    send_trap(&node, snmpd.tools(), Snmpd::READ_COMMUNITY, false);
    let event = next("event");
    assert_eq!((&event["kind"], &event["payload"]["trap"]), (&json!("trap"), &json!("IF-MIB::linkDown")));
    // A client that listens does not keep the node from ending.
    node.stop();
}

#[test]
fn the_node_tells_how_it_does() {
    let snmpd = require!(Snmpd::start());
    let node = Node::polling(&snmpd);
    assert_eq!(node.get("/-/healthy").text(), "healthy\n");
    wait_until("it is ready", || (node.get("/-/ready").text() == "ready\n").then_some(()));
    let status = node.json("/api/v1/status", 200);
    assert_eq!((&status["node"]["name"], &status["devices"]["up"]), (&json!("test-node"), &json!(1)));
    assert!(status["polls"]["complete"].as_u64().unwrap() > 0 && status["store"]["samples"].as_u64().unwrap() > 0);
    assert_eq!((&status["store"]["failing"], &status["store"]["lost"]), (&json!(false), &json!(0)));
}

#[test]
fn no_answer_has_a_secret_in_it() {
    const COMMUNITY: &str = "swordfish-77";
    const AUTH: &str = "maplesyrup-auth";
    const PRIVACY: &str = "maplesyrup-priv";
    const TOKEN: &str = "xyzzy-plugh-3141592653";
    let snmpd = require!(Snmpd::start_with(&format!("rocommunity {COMMUNITY}\n")));
    let mut config = NodeConfig::new();
    config.http = format!("token = \"{TOKEN}\"");
    config.token = Some(TOKEN.to_owned());
    config.community("secret", COMMUNITY);
    config.add(&format!(
        "[credentials.v3]\nversion = \"v3\"\nuser = \"monitor\"\nauth_protocol = \"SHA-256\"\nauth_password = \"{AUTH}\"\n\
         priv_protocol = \"AES-128\"\npriv_password = \"{PRIVACY}\""
    ));
    let address = snmpd.address();
    config.device_with("router1", address, "secret");
    config.device_with("router2", address, "v3");
    let node = config.start();
    node.wait_until_up("router1");
    wait_until("router2 is down: the agent has no such user", || {
        (node.state().fleet.get("router2")?.status().state.name() == "down").then_some(())
    });
    send_trap(&node, snmpd.tools(), COMMUNITY, false);
    send_trap(&node, snmpd.tools(), "not-this-one", false);
    wait_until("the trap is stored", || {
        (!node.json("/api/v1/traps", 200)["events"].as_array()?.is_empty()).then_some(())
    });

    let mut answers = String::new();
    for path in [
        "/",
        "/devices/router1",
        "/devices/router2",
        "/devices/nobody",
        "/traps",
        "/events",
        "/status",
        "/metrics",
        "/api/v1/devices",
        "/api/v1/devices/router1",
        "/api/v1/devices/router2",
        "/api/v1/series?device=router1",
        "/api/v1/history?device=router1&series=sysUpTime",
        "/api/v1/events",
        "/api/v1/traps",
        "/api/v1/status",
        &format!("/snmp?target={address}&auth=secret"),
        &format!("/snmp?target={address}&auth=v3"),
        "/snmp?target=x&auth=nobody",
        "/api/v1/nothing",
        "/-/ready",
    ] {
        let response = node.get(path);
        assert!(response.status != 401 && response.body.len() > 5, "{path}: {}", response.status);
        answers.push_str(&format!("{path} {:?}\n{}\n", response.headers, response.text()));
    }
    let refused = hamsa_testkit::http::get(&node.url("/")).unwrap();
    answers.push_str(&format!("{:?}{}", refused.headers, refused.text()));
    for secret in [COMMUNITY, AUTH, PRIVACY, TOKEN] {
        assert!(!answers.contains(secret), "{secret} is shown: {answers}");
    }
    assert!(answers.contains("IF-MIB::linkDown") && answers.contains("ifHCInOctets"), "the answers are of the node");
}
