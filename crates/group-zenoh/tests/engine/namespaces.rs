//! A hub and two sites, each a process in a host of its own, with cables that are cut.

use hamsa_testkit::{Authority, Network, Validity, require};

use crate::member::Member;
use crate::support::{LEASE, sign};

#[test]
fn pairs_survive_cuts_kills_and_stops() {
    let network = require!(Network::new(3));
    let authority = Authority::new();
    let endpoint = format!("{}:7447", network.address(1));
    let start = |host: u8, role: &str, peers: &str| {
        let directory = network.directory(host);
        sign(&authority, directory, &[&network.address(host).to_string()], Validity::Now);
        let exe = std::env::current_exe().expect("this binary");
        let role = format!("{host} {role} {endpoint} {} {} {peers}", directory.display(), LEASE.as_millis());
        let member = Member::start(network.command(host, exe), &role);
        member.wait_for("started");
        member
    };
    let mut hub = start(1, "hub", "2 3");
    let mut north = start(2, "site", "1");
    let mut south = start(3, "site", "1");
    let formed = |hub: &Member, north: &Member| {
        assert_eq!(hub.wait_for("ring 2 of 2"), north.wait_for("ring 1 of 2"));
    };
    formed(&hub, &north);
    south.wait_for("ring 1 of 2");
    north.tell("say 1 hello");
    assert_eq!(hub.wait_for("message 2 from 2"), "hello");
    assert_eq!(north.wait_for("message 1 from 2"), "hello");
    // A cut: both go on alone, and the directory is changed on both sides.
    hub.tell("write watch first");
    north.wait_for("Changed(\"watch\")");
    south.wait_for("Changed(\"watch\")");
    network.cut(&[&[1, 3], &[2]]);
    hub.wait_for("ring 2 of 1");
    north.wait_for("ring 1 of 1");
    hub.tell("say 2 hub-alone");
    north.tell("say 1 north-alone");
    assert_eq!(hub.wait_for("message 2 from 1"), "hub-alone");
    assert_eq!(north.wait_for("message 1 from 2"), "north-alone");
    north.tell("write watch north");
    south.tell("write watch south");
    hub.wait_for("Changed(\"watch\")");
    network.heal();
    formed(&hub, &north);
    // The heal tells all of the conflict, and one who has seen both ends it.
    for member in [&hub, &north, &south] {
        member.wait_for("Conflict(\"watch\")");
    }
    hub.tell("read watch");
    let values = hub.wait_for("values watch");
    let mut values: Vec<&str> = values.split('|').collect();
    values.sort_unstable();
    assert_eq!(values, ["north", "south"]);
    hub.tell("write watch both");
    for member in [&north, &south] {
        member.wait_for("Resolved(\"watch\")");
    }
    // A cable that is pulled out, which the host sees.
    network.set_carrier(2, false);
    hub.wait_for("ring 2 of 1");
    north.wait_for("ring 1 of 1");
    network.set_carrier(2, true);
    formed(&hub, &north);
    // One way only: neither goes on with the other.
    network.cut_directed(&[(2, 1)]);
    hub.wait_for("ring 2 of 1");
    north.wait_for("ring 1 of 1");
    network.heal();
    formed(&hub, &north);
    // A process that is stopped, and comes back.
    north.process.pause();
    hub.wait_for("ring 2 of 1");
    north.process.resume();
    north.wait_for("ring 1 of 1");
    formed(&hub, &north);
    // Killed, and begun anew.
    north.process.kill();
    hub.wait_for("ring 2 of 1");
    let north = start(2, "site", "1");
    formed(&hub, &north);
    // The hub too.
    hub.process.kill();
    north.wait_for("ring 1 of 1");
    south.wait_for("ring 1 of 1");
    let hub = start(1, "hub", "2 3");
    formed(&hub, &north);
    south.wait_for("ring 1 of 2");
    // It knows nothing of the past, and learns it from its sites.
    let mut hub = hub;
    hub.wait_for("Changed(\"watch\")");
    hub.tell("read watch");
    assert_eq!(hub.wait_for("values watch"), "both");
}
