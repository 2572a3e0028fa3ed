//! Setting up and running a node.

use std::os::unix::fs::PermissionsExt;

use hamsa_testkit::{Process, Snmpd, require, wait_until};
use serde_json::Value;

use crate::run::{command, json_lines, read, run};

#[test]
fn the_sample_is_written_once_and_is_fine() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hamsa.toml");
    let file = path.to_str().unwrap();
    let said = run(&["init", file]);
    assert!(said.stderr.contains("hamsa check"), "{said:?}");
    said.ok();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(run(&["check", file]).ok().contains("fine"));
    std::fs::write(&path, "[poll]\nintervall = \"1s\"\n").unwrap();
    assert!(run(&["init", file]).failed(1).contains("--force"));
    let mistakes = run(&["check", file]).failed(1);
    assert!(mistakes.contains("hamsa.toml:2:1: poll.intervall") && mistakes.contains("interval?"), "{mistakes}");
    assert!(run(&["node", "--config", file]).failed(1).contains("poll.intervall"));
    run(&["init", "--force", file]).ok();
    assert_eq!(run(&["init", "-"]).ok(), std::fs::read_to_string(&path).unwrap());
}

#[test]
fn a_node_polls_and_ends_when_told_and_its_records_can_be_read() {
    let snmpd = require!(Snmpd::start());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hamsa.toml");
    let config = format!(
        "[node]\ndata_dir = \"data\"\n[http]\nlisten = \"127.0.0.1:0\"\n[traps]\nlisten = [\"127.0.0.1:0\"]\n\
         [poll]\ninterval = \"1s\"\n[log]\nlevel = \"debug\"\n\
         [credentials.lab]\nversion = \"v2c\"\ncommunity = \"{}\"\n\
         [[device]]\nname = \"core\"\naddress = \"{}\"\ncredentials = \"lab\"\n",
        Snmpd::READ_COMMUNITY,
        snmpd.address()
    );
    std::fs::write(&path, config).unwrap();
    let data = directory.path().join("data");
    let data = data.to_str().unwrap();
    let mut node = Process::spawn("hamsa", &mut command(&["node", "--config", path.to_str().unwrap()]));
    wait_until("the node says what it does", || node.stderr().contains("polls 1 of 1 devices").then_some(()));
    wait_until("the store is there", || std::fs::exists(data).ok().filter(|&there| there));
    let locked = wait_until("the store is in use", || {
        let outcome = run(&["devices", "--data", data]);
        outcome.stderr.contains("--url").then_some(outcome)
    });
    locked.failed(1);
    // A poll takes a handful of requests, the first one a few more, and a rate takes two polls.
    let mut own = 0;
    wait_until("the node has polled a few times", || {
        own += 1;
        let received = read(&snmpd, &["get", "-Oqv"], &["snmpInPkts.0"]).ok();
        (received.trim().parse::<u32>().unwrap() > own + 40).then_some(())
    });
    let status = node.terminate();
    assert_eq!(status.code(), Some(0), "{}", node.stderr());
    assert!(!node.stderr().contains(Snmpd::READ_COMMUNITY), "no secret in the log");

    let devices = json_lines(&run(&["devices", "--data", data, "-o", "json"]).ok());
    assert_eq!((devices.len(), &devices[0]["name"]), (1, &"core".into()));
    let series = run(&["series", "core", "--data", data]).ok();
    assert!(series.lines().any(|line| line.starts_with("ifHCInOctets.1 ") && line.contains("ifName=lo")), "{series}");
    let raw = run(&["history", "core", "sysUpTime", "--data", data, "--raw", "-o", "csv"]).ok();
    assert!(raw.starts_with("time,series,value,reason\n") && raw.lines().count() >= 3, "{raw}");
    let rates = json_lines(&run(&["history", "core", "ifHCInOctets.1", "--data", data, "--rate", "-o", "json"]).ok());
    // Also where other tests send more than the 10 Mbit/s that net-snmp says `lo` has.
    let is_rate = |point: &Value| point["value"].as_f64().is_some_and(|rate| rate >= 0.0);
    assert!(!rates.is_empty() && rates.iter().all(is_rate), "{rates:?}");
    run(&["events", "--data", data]).ok();
    assert!(run(&["traps", "--follow", "--data", data]).failed(2).contains("running node"));
    let unknown = run(&["series", "other", "--data", data]).failed(1);
    assert!(unknown.contains("\"other\""), "{unknown}");
}

#[test]
fn documents_come_from_the_definitions() {
    let directory = tempfile::tempdir().unwrap();
    run(&["man", directory.path().to_str().unwrap()]).ok();
    let page = std::fs::read_to_string(directory.path().join("hamsa-walk.1")).unwrap();
    assert!(page.contains("max\\-repetitions"), "{page}");
    assert!(run(&["man"]).ok().starts_with(".ie"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(&["completions", shell]).ok().contains("discover"), "{shell}");
    }
    let profiles = run(&["profiles", "list"]).ok();
    assert!(profiles.contains("if-mib, if_mib"), "{profiles}");
    assert!(run(&["profiles", "show", "if_mib"]).ok().contains("ifHCInOctets"));
    let broken = directory.path().join("broken.toml");
    std::fs::write(&broken, "name = \"x\"\ndescription = \"x\"\nmatch = \"any\"\nscalars = [\"sysUpTim\"]\n").unwrap();
    let error = run(&["profiles", "check", broken.to_str().unwrap()]).failed(1);
    assert!(error.contains("scalars[0]") && error.contains("sysUpTime"), "{error}");
}
