//! From a subnet to a node that polls it: `hamsa discover`, `hamsa check`, `hamsa node`.

use std::net::{Ipv4Addr, SocketAddr};

use hamsa_testkit::wait_until;

use crate::node::{NodeHome, community};
use crate::run::run;
use crate::sim::{Sim, free_port};

/// A subnet for this test process alone: the third octet and the upper half of the fourth tell processes apart.
fn subnet() -> Ipv4Addr {
    let number = std::process::id() % 4_000;
    Ipv4Addr::new(127, 77, (1 + number / 16) as u8, (number % 16 * 16) as u8)
}

#[test]
fn what_is_found_is_polled() {
    let (subnet, port) = (subnet(), free_port());
    let first = SocketAddr::new(Ipv4Addr::from_bits(subnet.to_bits() + 3).into(), port);
    let _sim = Sim::start_at(first, &["router:2*3", "server:1", "sensors:2"]);
    let home = NodeHome::new(&[community("v2c", "public"), "[poll]\ninterval = \"1s\"\n".to_owned()].concat());
    let found = std::path::Path::new(&home.config()).with_file_name("found.toml");
    let (range, port) = (format!("{subnet}/28"), port.to_string());
    let path = found.to_str().unwrap();
    let scan = ["discover", &range, "-p", &port, "--config", &home.config(), "-t", "2", "--rate", "1000", "-o", path];
    let outcome = run(&scan);
    assert!(outcome.stderr.contains("5 agents found at 14 addresses"), "{outcome:?}");
    outcome.ok();
    let text = std::fs::read_to_string(&found).unwrap();
    assert!(!text.contains("public"), "no secret is written: {text}");

    let config = std::fs::read_to_string(home.config()).unwrap();
    home.write("hamsa.toml", &format!("include = [\"found.toml\"]\n{config}"));
    let checked = run(&["check", &home.config()]).ok();
    assert!(checked.contains("5 devices"), "{checked}");

    let node = home.start();
    let devices = wait_until("all that was found is up", || {
        let devices = node.json("/api/v1/devices?state=up")["devices"].take();
        devices.as_array().filter(|devices| devices.len() == 5).cloned()
    });
    let addresses: Vec<&str> = devices.iter().map(|device| device["address"].as_str().unwrap()).collect();
    for number in 3..8 {
        let address = format!("{}:{port}", Ipv4Addr::from_bits(subnet.to_bits() + number));
        assert!(addresses.contains(&address.as_str()), "{address} in {addresses:?}");
    }
    // Each kind has profiles of its own.
    let profiles: Vec<String> = devices.iter().map(|device| device["status"]["profiles"].to_string()).collect();
    for profile in ["if-mib", "host-resources", "entity-sensors"] {
        assert!(profiles.iter().any(|profiles| profiles.contains(profile)), "{profile} in {profiles:?}");
    }
}
