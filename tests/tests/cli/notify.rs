//! Traps and informs, received by net-snmp's snmptrapd.

use hamsa_testkit::{Snmptrapd, require};

use crate::run::run;

const LINK_DOWN: &str = ".1.3.6.1.6.3.1.1.4.1.0 .1.3.6.1.6.3.1.1.5.3";

fn octets(hex: &str) -> Vec<u8> {
    let digits = hex.trim();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn community_based_traps_and_informs_arrive() {
    let receiver = require!(Snmptrapd::start(None));
    let address = receiver.address().to_string();
    let community = Snmptrapd::COMMUNITY;
    let bindings = ["ifIndex.3", "i", "3", "ifDescr.3", "=", "eth3"];
    let expected =
        [".1.3.6.1.2.1.1.3.0 0:0:00:00.07", LINK_DOWN, ".1.3.6.1.2.1.2.2.1.1.3 3", ".1.3.6.1.2.1.2.2.1.2.3 \"eth3\""];
    for (number, command) in [(1, &["trap"][..]), (2, &["trap", "-Ci"]), (3, &["inform"])] {
        let arguments = [command, &["-v2c", "-c", community, "-t", "5", &address, "7", "linkDown"], &bindings].concat();
        assert_eq!(run(&arguments).ok(), "");
        let received = receiver.wait_for(number);
        let kind = if number == 1 { "TRAP2" } else { "INFORM" };
        let last = received.last().unwrap();
        assert!(last.security.contains(kind) && last.security.contains("v2c"), "{last:?}");
        assert_eq!(last.variables, expected);
    }
    let v1 = ["trap", "-v1", "-c", community, &address, "enterprises.32473", "192.0.2.7", "6", "17", "9"];
    run(&[&v1[..], &bindings].concat()).ok();
    let received = receiver.wait_for(4);
    let last = received.last().unwrap();
    assert!(last.security.contains("TRAP") && last.security.contains("v1"), "{last:?}");
    assert!(last.variables.iter().any(|text| text == ".1.3.6.1.2.1.2.2.1.1.3 3"), "{last:?}");
    run(&["trap", "-v2c", "-c", community, &address, "", "coldStart"]).ok();
    let received = receiver.wait_for(5);
    assert!(!received[4].variables[0].ends_with(" 0:0:00:00.00"), "this host has been up for a while: {received:?}");
}

#[test]
fn users_traps_and_informs_arrive() {
    let engine_id = run(&["trap", "--print-engine-id"]).ok();
    assert_eq!(run(&["trap", "--print-engine-id"]).ok(), engine_id, "receivers know users by it");
    let receiver = require!(Snmptrapd::start(Some(&octets(&engine_id))));
    let address = receiver.address().to_string();
    let users = ["none", "auth-SHA-512", "priv-SHA-256-AES", "priv-MD5-DES"];
    // Twice: time must go on from call to call.
    for round in 0..2 {
        for (i, name) in users.iter().enumerate() {
            let user = receiver.tools().user(name).arguments();
            let user: Vec<&str> = user.iter().map(String::as_str).collect();
            for command in ["trap", "inform"] {
                let arguments = [&[command], &user[..], &["-t", "5", &address, "7", "linkDown"]].concat();
                run(&arguments).ok();
            }
            let received = receiver.wait_for(2 * (round * users.len() + i + 1));
            for (notification, kind) in received.iter().rev().take(2).zip(["INFORM", "TRAP2"]) {
                assert!(
                    notification.security.contains(kind) && notification.security.contains(name),
                    "{notification:?}"
                );
                assert_eq!(notification.variables[1], LINK_DOWN);
            }
        }
    }
}
