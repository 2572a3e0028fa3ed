//! A running node takes on a new configuration.

use std::path::Path;

use hamsa_testkit::{Process, Snmpd, require, wait_until};
use serde_json::Value;

use crate::run::{command, json_lines, run};

/// A configuration whose devices are all the same agent, by these credentials.
fn write(path: &Path, snmpd: &Snmpd, devices: &[(&str, &str)]) {
    // An agent can't be two devices by the same credentials.
    let mut config = "[node]\ndata_dir = \"data\"\n[http]\nlisten = \"127.0.0.1:0\"\n[traps]\nlisten = []\n[poll]\ninterval = \"1s\"\n"
        .to_owned();
    let community = Snmpd::READ_COMMUNITY;
    for (name, community) in [("lab", community), ("lab2", community), ("lab3", community), ("wrong", "nobody-knows")] {
        config.push_str(&format!("[credentials.{name}]\nversion = \"v2c\"\ncommunity = \"{community}\"\n"));
    }
    for (name, credentials) in devices {
        let address = snmpd.address();
        config.push_str(&format!(
            "[[device]]\nname = \"{name}\"\naddress = \"{address}\"\ncredentials = \"{credentials}\"\ntimeout = \"300ms\"\nretries = 0\n"
        ));
    }
    std::fs::write(path, config).unwrap();
}

fn devices(url: &str) -> Vec<Value> {
    json_lines(&run(&["devices", "--output", "json", "--url", url]).ok())
}

fn wait_for(url: &str, wanted: &[(&str, &str)]) {
    wait_until(&format!("the devices are {wanted:?}"), || {
        let devices = devices(url);
        let found: Vec<_> = devices
            .iter()
            .map(|device| (device["name"].as_str().unwrap(), device["state"].as_str().unwrap()))
            .collect();
        (found == wanted).then_some(())
    });
}

#[test]
fn devices_and_credentials_follow_the_file_without_a_restart() {
    let snmpd = require!(Snmpd::start());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hamsa.toml");
    write(&path, &snmpd, &[("first", "lab"), ("second", "wrong")]);
    let mut node = Process::spawn("hamsa", &mut command(&["node", "--config", path.to_str().unwrap()]));
    let url = wait_until("the node says where it serves", || {
        let said = node.stderr();
        let line = said.lines().find_map(|line| line.trim().strip_prefix("console: "))?;
        Some(line.to_owned())
    });
    wait_for(&url, &[("first", "up"), ("second", "down")]);
    let since = |device: &str| devices(&url).iter().find(|row| row["name"] == device).unwrap()["series"].clone();
    let series = since("first");

    write(&path, &snmpd, &[("first", "lab"), ("second", "lab2"), ("third", "lab3")]);
    node.hang_up();
    wait_for(&url, &[("first", "up"), ("second", "up"), ("third", "up")]);
    assert!(node.stderr().contains("devices: 1 added, 1 changed, 0 removed\n"), "{}", node.stderr());
    assert_eq!(since("first"), series, "a device that stays the same keeps its series");

    std::fs::write(&path, "[poll]\nintervall = \"1s\"\n").unwrap();
    node.hang_up();
    wait_until("the mistake is told", || {
        let said = node.stderr();
        (said.contains("poll.intervall") && said.contains("The configuration in force stays.")).then_some(())
    });
    wait_for(&url, &[("first", "up"), ("second", "up"), ("third", "up")]);

    write(&path, &snmpd, &[("third", "wrong")]);
    node.hang_up();
    wait_for(&url, &[("third", "down")]);
    assert_eq!(node.terminate().code(), Some(0), "{}", node.stderr());
}
