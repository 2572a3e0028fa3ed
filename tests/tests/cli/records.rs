//! Records by a node's HTTP API: what is asked, and what is made of the answers. The node is a stand-in.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use hamsa_testkit::limits::LIVENESS;
use hamsa_testkit::{Process, free_tcp, wait_until};

use crate::run::{command, json_lines, run, run_with};

/// Answers requests, each on a connection of its own, and tells what they were.
fn node(answers: Vec<(u16, &'static str)>) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind(free_tcp()).unwrap();
    let address = listener.local_addr().unwrap();
    let (told, requests) = channel();
    thread::spawn(move || {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(LIVENESS)).unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            told.send(head.join("\n")).unwrap();
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n");
            write!(stream, "{head}Connection: close\r\n\r\n{body}").unwrap();
        }
    });
    (address, requests)
}

#[test]
fn devices_and_series_are_listed() {
    let devices = r#"{"devices": [{"name": "core", "address": "192.0.2.1:161", "credentials": "lab", "status":
        {"state": "up", "last_poll_ms": 1700000000000, "rtt_us": 1500, "series": 40, "errors": []}}], "next": null}"#;
    let series = r#"{"series": [{"object": "ifHCInOctets", "instance": "1", "kind": "counter64", "unit": "octets",
        "labels": {"ifName": "lo"}}]}"#;
    let (address, requests) = node(vec![(200, devices), (200, devices), (200, series)]);
    let url = format!("http://{address}/");
    let table = run(&["devices", "--url", &url]).ok();
    let cells: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((cells[0], cells[1], cells[2]), ("core", "up", "192.0.2.1:161"), "{table}");
    let rows = json_lines(&run(&["devices", "--url", &url, "-o", "json"]).ok());
    assert_eq!((&rows[0]["last_poll"], &rows[0]["round_trip_ms"]), (&"2023-11-14T22:13:20.000Z".into(), &1.5.into()));
    let csv = run(&["series", "core", "--url", &url, "-o", "csv"]).ok();
    assert_eq!(csv, "series,kind,unit,labels\nifHCInOctets.1,counter64,octets,ifName=lo\n");
    let asked: Vec<String> = requests.iter().take(3).map(|head| head.lines().next().unwrap().to_owned()).collect();
    assert_eq!(asked[0], "GET /api/v1/devices?limit=10000 HTTP/1.1");
    assert_eq!(asked[2], "GET /api/v1/series?device=core HTTP/1.1");
}

#[test]
fn history_and_events_are_asked_for_by_time() {
    let history = r#"{"device": "core", "series": [{"object": "ifHCInOctets", "instance": "1", "points": [
        [1700000000000, 12.5], [1700000060000, null, "discontinuity"]]}]}"#;
    let events = r#"{"events": [{"id": 9, "time_ms": 1700000000000, "kind": "trap", "device": "core", "payload":
        {"trap": "IF-MIB::linkDown", "kind": "trap", "source": "192.0.2.1:5000", "variables": []}}]}"#;
    let (address, requests) = node(vec![(200, history), (200, events)]);
    let url = format!("http://{address}");
    let arguments = ["history", "core", "ifHCInOctets.1", "--from", "2023-11-14T22:00:00Z", "--to", "1700003600"];
    let csv = run(&[&arguments[..], &["--step", "1m", "--rate", "--url", &url, "-o", "csv"]].concat()).ok();
    let expected = "time,series,value,reason\n2023-11-14T22:13:20.000Z,ifHCInOctets.1,12.5,\n\
        2023-11-14T22:14:20.000Z,ifHCInOctets.1,,the counter began anew\n";
    assert_eq!(csv, expected);
    let text = run(&["traps", "--url", &url, "--device", "core", "-o", "csv"]).ok();
    assert_eq!(
        text.lines().nth(1),
        Some("2023-11-14T22:13:20.000Z,trap,core,\"trap IF-MIB::linkDown, from 192.0.2.1:5000\"")
    );
    let asked: Vec<String> = requests.iter().take(2).collect();
    for part in ["device=core", "series=ifHCInOctets.1", "from=2023-11-14T22", "to=2023-11-14T23", "as=rate", "step="] {
        assert!(asked[0].contains(part), "{part}: {}", asked[0]);
    }
    assert!(asked[1].contains("/api/v1/events?") && asked[1].contains("kind=trap"), "{}", asked[1]);
}

#[test]
fn lists_in_pages_are_read_to_their_end() {
    let first = r#"{"devices": [{"name": "a", "address": "192.0.2.1:161", "status": {"state": "up"}}], "next": "a"}"#;
    let second = r#"{"devices": [{"name": "b", "address": "192.0.2.2:161", "status": {"state": "up"}}], "next": null}"#;
    let empty = r#"{"events": [], "next": "1700000000000-9"}"#;
    let last = r#"{"events": [{"id": 3, "time_ms": 1700000000000, "kind": "trap", "device": "", "payload": {}}], "next": "1700000000000-3"}"#;
    let (address, requests) = node(vec![(200, first), (200, second), (200, empty), (200, last)]);
    let url = format!("http://{address}");
    assert_eq!(json_lines(&run(&["devices", "--url", &url, "-o", "json"]).ok()).len(), 2);
    assert_eq!(json_lines(&run(&["events", "-n", "1", "--url", &url, "-o", "json"]).ok()).len(), 1);
    let asked: Vec<String> = requests.iter().take(4).map(|head| head.lines().next().unwrap().to_owned()).collect();
    assert!(asked[1].contains("after=a") && asked[2].contains("limit=1"), "{asked:?}");
    assert!(asked[3].contains("after=1700000000000-9"), "{asked:?}");
}

#[test]
fn following_shows_each_trap_once() {
    let one = r#"{"events": [{"id": 1, "time_ms": 1700000000000, "kind": "trap", "device": "core", "payload": {"trap": "a"}}]}"#;
    let two = r#"{"events": [{"id": 2, "time_ms": 1700000001000, "kind": "trap", "device": "core", "payload": {"trap": "b"}},
        {"id": 1, "time_ms": 1700000000000, "kind": "trap", "device": "core", "payload": {"trap": "a"}}]}"#;
    let (address, requests) = node(vec![(200, one), (500, "{}"), (200, two), (200, two)]);
    let url = format!("http://{address}");
    let mut traps = Process::spawn("hamsa", &mut command(&["traps", "--follow", "--url", &url, "-o", "json"]));
    assert_eq!(requests.iter().take(4).count(), 4);
    wait_until("both traps are shown", || traps.stdout().contains(r#""trap":"b""#).then_some(()));
    assert_eq!(traps.terminate().code(), Some(0), "{}", traps.stderr());
    let shown: Vec<u64> = json_lines(&traps.stdout()).iter().map(|row| row["id"].as_u64().unwrap()).collect();
    assert_eq!(shown, [1, 2]);
    assert!(traps.stderr().contains("trying on"), "{}", traps.stderr());
}

#[test]
fn tokens_are_sent_and_their_lack_is_explained() {
    let refused = r#"{"error": "unauthorized", "hint": "x"}"#;
    let (address, requests) = node(vec![
        (200, r#"{"devices": [], "next": null}"#),
        (401, refused),
        (401, refused),
        (400, r#"{"error": "no such device", "hint": "see devices"}"#),
    ]);
    let url = format!("http://{address}");
    let token = [("HAMSA_TOKEN", "maplesyrup-token")];
    assert_eq!(run_with(&["devices", "--url", &url, "-o", "json"], &token).ok(), "");
    let wrong = run_with(&["devices", "--url", &url], &token).failed(1);
    assert!(wrong.contains("token is wrong") && !wrong.contains("maplesyrup"), "{wrong}");
    assert!(run(&["devices", "--url", &url]).failed(1).contains("asks for a token"));
    let unknown = run(&["series", "x", "--url", &url]).failed(1);
    assert!(unknown.contains("no such device") && unknown.contains("see devices"), "{unknown}");
    let first = requests.iter().next().unwrap().to_lowercase();
    assert!(first.contains("authorization: bearer maplesyrup-token"), "{first}");
}

#[test]
fn a_node_that_does_not_run_is_explained() {
    let url = format!("http://{}", free_tcp());
    for arguments in [&["devices"][..], &["series", "core"], &["history", "core", "x"], &["events"], &["traps"]] {
        let error = run(&[arguments, &["--url", &url]].concat()).failed(1);
        assert!(error.contains("Does the node run?") && error.contains("--data"), "{error}");
    }
    for url in ["nonsense", "ftp://127.0.0.1", "http://"] {
        run(&["devices", "--url", url]).failed(2);
    }
}
