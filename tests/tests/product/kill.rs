//! `kill -9`: what a node has told as stored, and what it has acknowledged, is there when it runs again.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use hamsa_testkit::{NetSnmp, Snmpd, require, wait_until};
use serde_json::Value;

use crate::node::{Node, NodeHome, community, device, lab, user};
use crate::run::{json_lines, run};
use crate::sim::Sim;

const ROUNDS: i64 = 5;

/// Series of which every sample is compared.
const OBJECTS: [&str; 3] = ["sysUpTime", "ifHCInOctets", "ifOperStatus"];

/// A sample: device, series, time, value. The time is in milliseconds or as RFC 3339, whichever way it was asked for;
/// the value is as a float prints.
type Sample = (String, String, String, String);

fn sample(device: &str, series: &str, time: impl ToString, value: f64) -> Sample {
    (device.to_owned(), series.to_owned(), time.to_string(), value.to_string())
}

/// What the API says is stored of a device.
fn stored(node: &Node, device: &str) -> BTreeSet<Sample> {
    let answer = node.json(&history(device, "json"));
    let mut samples = BTreeSet::new();
    for series in answer["series"].as_array().unwrap() {
        let name = format!("{}.{}", series["object"].as_str().unwrap(), series["instance"].as_str().unwrap());
        let points = series["points"].as_array().unwrap().iter();
        samples.extend(points.filter_map(|point| Some(sample(device, &name, point[0].as_i64()?, point[1].as_f64()?))));
    }
    samples
}

/// The same as CSV.
fn stored_as_csv(node: &Node, device: &str) -> BTreeSet<Sample> {
    let text = node.get(&history(device, "csv")).text();
    let lines = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    lines
        .filter(|fields| !fields[4].is_empty())
        .map(|fields| sample(device, &format!("{}.{}", fields[2], fields[3]), fields[0], fields[4].parse().unwrap()))
        .collect()
}

fn history(device: &str, format: &str) -> String {
    let series: String = OBJECTS.iter().map(|object| format!("&series={object}")).collect();
    format!("/api/v1/history?device={device}{series}&as=raw&from=-1h&format={format}")
}

/// The same of a node that does not run, by `hamsa history --data`.
fn stored_in(data: &str, device: &str) -> BTreeSet<Sample> {
    let mut samples = BTreeSet::new();
    for object in OBJECTS {
        let csv = run(&["history", device, object, "--raw", "--data", data, "-o", "csv"]).ok();
        let lines = csv.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
        let lines = lines.filter(|fields| !fields[2].is_empty());
        samples.extend(lines.map(|fields| sample(device, fields[1], fields[0], fields[2].parse().unwrap())));
    }
    samples
}

/// The last values that were read of a device, as far as the node tells that they are on disk.
fn last_stored(node: &Node, device: &str) -> BTreeSet<Sample> {
    let series = node.json(&format!("/api/v1/series?device={device}"));
    let until_ms = node.status(device)["last_stored_ms"].as_i64().expect("something is stored");
    let mut samples = BTreeSet::new();
    for series in series["series"].as_array().unwrap() {
        let (object, latest) = (series["object"].as_str().unwrap(), &series["latest"]);
        let (Some(time_ms), Some(value)) = (latest["time_ms"].as_i64(), latest["value"].as_f64()) else { continue };
        if OBJECTS.contains(&object) && time_ms <= until_ms {
            let name = format!("{object}.{}", series["instance"].as_str().unwrap());
            samples.insert(sample(device, &name, time_ms, value));
        }
    }
    samples
}

/// The numbers that notifications were sent with, by what was stored of them.
fn numbers(events: &[Value]) -> BTreeSet<i64> {
    let variables = events.iter().flat_map(|event| event["payload"]["variables"].as_array().into_iter().flatten());
    variables.filter_map(|variable| variable["number"].as_i64()).collect()
}

/// What was promised.
#[derive(Default, Clone)]
struct Promised {
    /// With times in milliseconds.
    samples: BTreeSet<Sample>,
    /// With times in RFC 3339.
    as_csv: BTreeSet<Sample>,
    /// Numbers of informs that were acknowledged, and of traps that were shown.
    notifications: BTreeSet<i64>,
}

/// Tells the sender to end when dropped, also by a panic.
struct Sending<'d>(&'d AtomicBool);

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends informs and traps, one after another, until told to end; notes the informs that were acknowledged.
fn notify(tools: &NetSnmp, to: &str, round: i64, done: &AtomicBool, acknowledged: &Mutex<BTreeSet<i64>>) {
    let user = tools.user("priv-SHA-256-AES").arguments();
    let user: Vec<&str> = user.iter().map(String::as_str).collect();
    let community = ["-v2c", "-c", Snmpd::READ_COMMUNITY];
    for number in (round * 1_000_000..).take_while(|_| !done.load(Ordering::Relaxed)) {
        let credentials = if number % 2 == 0 { &community[..] } else { &user };
        let is_inform = number % 3 != 0;
        let value = number.to_string();
        let what = ["", "1.3.6.1.6.3.1.1.5.3", "1.3.6.1.2.1.2.2.1.1.1", "i", &value];
        let options = ["-t", "1", "-r", "0"];
        // An SNMPv3 trap would need the sender's engine; an inform finds the receiver's.
        let arguments = match is_inform {
            true => [credentials, &["-Ci"], &options, &[to], &what[..]].concat(),
            false => [&community[..], &options, &[to], &what[..]].concat(),
        };
        if tools.run("snmptrap", arguments).is_ok() && is_inform {
            acknowledged.lock().unwrap().insert(number);
        }
    }
}

/// Lets a node run until new samples of all devices and new notifications are told as stored, and kills it at once.
fn run_and_kill(home: &NodeHome, tools: &NetSnmp, devices: &[&str], round: i64, promised: &mut Promised) {
    let mut node = home.start();
    let done = AtomicBool::new(false);
    let acknowledged = Mutex::default();
    let to = node.traps.to_string();
    std::thread::scope(|scope| {
        let sending = Sending(&done);
        scope.spawn(|| notify(tools, &to, round, &done, &acknowledged));
        devices.iter().for_each(|name| drop(node.wait_until_stored(name)));
        wait_until("some informs are acknowledged", || (acknowledged.lock().unwrap().len() >= 3).then_some(()));
        for name in devices {
            let last = wait_until("the last values are on disk", || {
                Some(last_stored(&node, name)).filter(|last| !last.is_empty())
            });
            promised.samples.extend(last);
            promised.samples.extend(stored(&node, name));
            promised.as_csv.extend(stored_as_csv(&node, name));
        }
        let traps = node.traps();
        node.process.kill();
        drop(sending);
        promised.notifications.extend(numbers(&traps));
    });
    promised.notifications.extend(acknowledged.into_inner().unwrap());
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let snmpd = require!(Snmpd::start());
    let sim = Sim::start(&["router:6"]);
    let config = [
        "[store]\nsync_interval = \"200ms\"\n".to_owned(),
        lab(),
        community("sim", "public"),
        user("ops", snmpd.tools().user("priv-SHA-256-AES")),
        device("agent", snmpd.address(), "lab"),
        device("router", sim.first, "sim"),
    ];
    let home = NodeHome::new(&config.concat());
    let devices = ["agent", "router"];
    let mut promised = Promised::default();
    for round in 1..=ROUNDS {
        let before = promised.clone();
        run_and_kill(&home, snmpd.tools(), &devices, round, &mut promised);
        assert!(promised.samples.len() > before.samples.len() && promised.as_csv.len() > before.as_csv.len());
        assert!(promised.notifications.len() > before.notifications.len());

        // From its directory, while it does not run.
        let found: BTreeSet<Sample> = devices.iter().flat_map(|name| stored_in(&home.data(), name)).collect();
        assert_nothing_lost(&promised.as_csv, &found, round);
        let traps = run(&["traps", "--data", &home.data(), "-n", "100000", "-o", "json"]).ok();
        assert_nothing_lost(&promised.notifications, &numbers(&json_lines(&traps)), round);
    }
    // And from the node that runs again.
    let node = home.start();
    let found: BTreeSet<Sample> = devices.iter().flat_map(|name| stored(&node, name)).collect();
    assert_nothing_lost(&promised.samples, &found, ROUNDS);
    assert_nothing_lost(&promised.notifications, &numbers(&node.traps()), ROUNDS);
    // It polls on.
    devices.iter().for_each(|name| drop(node.wait_until_stored(name)));
}

#[track_caller]
fn assert_nothing_lost<T: Ord + std::fmt::Debug>(promised: &BTreeSet<T>, found: &BTreeSet<T>, round: i64) {
    let lost: Vec<&T> = promised.difference(found).collect();
    assert!(lost.is_empty(), "after round {round}, of {} are lost {}: {lost:?}", promised.len(), lost.len());
}
