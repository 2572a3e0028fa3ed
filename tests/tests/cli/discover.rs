//! Finding agents.

use std::net::{Ipv4Addr, UdpSocket};

use hamsa_testkit::{Process, Snmpd, free_udp, require, wait_until};

use crate::run::{command, json_lines, read, run, run_with};

/// A UDP port that is free at all of these addresses.
fn free_port(addresses: &[Ipv4Addr]) -> u16 {
    let is_free = |port: u16| addresses.iter().all(|&address| UdpSocket::bind((address, port)).is_ok());
    (0..100).map(|_| free_udp().port()).find(|&port| is_free(port)).expect("a free port")
}

#[test]
fn agents_of_a_subnet_become_devices() {
    let [first, second, third] = [3, 5, 9].map(|last| Ipv4Addr::new(127, 0, 0, last));
    let port = free_port(&[first, second, third]);
    let _core = require!(Snmpd::start_with(&format!("agentAddress udp:{first}:{port}\nsysName core\n")));
    // One agent at two addresses.
    let edge = format!("agentAddress udp:{second}:{port},udp:{third}:{port}\nsysName edge\n");
    let _edge = require!(Snmpd::start_with(&edge));
    let port = port.to_string();
    let community = Snmpd::READ_COMMUNITY;
    let directory = tempfile::tempdir().unwrap();
    let found = directory.path().join("found.toml");
    let path = found.to_str().unwrap();
    let scan = ["discover", "127.0.0.0/28", "-p", &port, "-c", "wrong", "-c", community, "-t", "1", "--rate", "1000"];
    let outcome = run(&[&scan[..], &["-o", path]].concat());
    assert!(outcome.stderr.contains("3 agents found at 14 addresses"), "{outcome:?}");
    assert_eq!(outcome.ok(), "");
    let text = std::fs::read_to_string(&found).unwrap();
    assert!(!text.contains(community), "no secret is written: {text}");
    assert_eq!(text.matches("[[device]]").count(), 3, "{text}");
    assert!(
        text.contains("name = \"edge-2\"") && text.contains(&format!("seems to be the device at 127.0.0.5:{port}")),
        "{text}"
    );

    // What is there is not overwritten, and the file is taken as it is.
    assert!(run(&[&scan[..], &["-o", path]].concat()).failed(1).contains("there already"));
    let main = directory.path().join("hamsa.toml");
    let config =
        format!("include = [\"found.toml\"]\n[credentials.v2c-2]\nversion = \"v2c\"\ncommunity = \"{community}\"\n");
    std::fs::write(&main, config).unwrap();
    let checked = run(&["check", main.to_str().unwrap()]).ok();
    assert!(checked.contains("3 devices"), "{checked}");

    // With the configuration's credentials, as JSON, and the tools that go by a device's name.
    let config = main.to_str().unwrap();
    let subnet = format!("{first}-{third}");
    let arguments = ["discover", &subnet, "-p", &port, "--config", config, "--json", "--rate", "1000"];
    let devices = json_lines(&run(&arguments).ok());
    let names: Vec<&str> = devices.iter().map(|device| device["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["core", "edge", "edge-2"]);
    assert!(devices.iter().all(|device| device["credentials"] == "v2c-2" && device["profiles"].as_array().is_some()));
    assert_eq!(devices[1]["engine_id"], devices[2]["engine_id"]);
    assert_eq!(run(&["get", "--config", config, "--device", "edge", "-Oqv", "sysName.0"]).ok(), "edge\n");
}

#[test]
fn an_interruption_shows_what_was_found() {
    let snmpd = require!(Snmpd::start());
    let (ip, port) = (snmpd.address().ip().to_string(), snmpd.address().port().to_string());
    let received = || -> u32 { read(&snmpd, &["get", "-Oqv"], &["snmpInPkts.0"]).ok().trim().parse().unwrap() };
    let before = received();
    // Addresses are asked in order, one a second; nobody listens at the others.
    let subnet = format!("{ip}-255");
    let arguments = ["discover", &subnet, "-p", &port, "-c", Snmpd::READ_COMMUNITY, "--rate", "1", "-t", "600"];
    let mut discover = Process::spawn("hamsa", &mut command(&arguments));
    let mut own = 0;
    wait_until("the agent is asked", || {
        own += 1;
        (received() > before + own).then_some(())
    });
    // The agent has answered that request before ours, so its answer waits to be taken at least.
    let status = discover.terminate();
    assert_eq!(status.code(), Some(130), "{}", discover.stderr());
    assert!(discover.stdout().contains(&format!("address = \"{ip}:{port}\"")), "{}", discover.stdout());
    assert!(discover.stderr().contains("not every address"), "{}", discover.stderr());
}

#[test]
fn an_agent_that_takes_no_credentials_is_told_of() {
    let snmpd = require!(Snmpd::start());
    let (ip, port) = (snmpd.address().ip().to_string(), snmpd.address().port().to_string());
    let arguments = ["discover", &ip, "-p", &port, "-u", "stranger", "-t", "5"];
    let error = run(&arguments).failed(1);
    assert!(error.contains("an agent is there") && error.contains("no such user"), "{error}");
    let user = snmpd.tools().user("auth-SHA-256");
    let (protocol, password) = user.auth.unwrap();
    let arguments = ["discover", &ip, "-p", &port, "-u", &user.name, "-a", protocol, "-t", "5"];
    let text = run_with(&arguments, &[("HAMSA_AUTH_PASSWORD", password)]).ok();
    assert!(text.contains("credentials = \"v3-1\"") && text.contains("auth_password_env"), "{text}");
    assert!(!text.contains(password), "{text}");
    let nobody = free_udp();
    let arguments = ["discover", &nobody.ip().to_string(), "-p", &nobody.port().to_string(), "-t", "0.05", "-r", "0"];
    assert!(run(&arguments).failed(1).contains("nobody answered"));
}
