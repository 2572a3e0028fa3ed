//! What goes wrong ends with the right status, and says what to do.

use std::net::UdpSocket;

use hamsa_testkit::limits::LIVENESS;
use hamsa_testkit::{Process, Snmpd, free_udp, hamsa, require, wait_until};

use crate::run::{command, read, run};

#[test]
fn silence_is_a_failure_with_advice() {
    let nobody = free_udp().to_string();
    for command in ["get", "walk", "getnext", "bulk"] {
        let error = run(&[command, "-t", "0.05", "-r", "1", &nobody, "sysDescr.0"]).failed(1);
        assert!(error.contains("no answer") && error.contains("2 tries") && error.contains("firewall"), "{error}");
    }
    let error = run(&["get", "-u", "ops", "-t", "0.05", "-r", "0", &nobody, "sysDescr.0"]).failed(1);
    assert!(error.contains("SNMPv3") && error.contains("no SNMPv3"), "{error}");
    run(&["inform", "-v2c", "-t", "0.05", "-r", "0", &nobody, "", "coldStart"]).failed(1);
}

#[test]
fn each_mistake_in_credentials_is_told_apart() {
    let snmpd = require!(Snmpd::start());
    let address = snmpd.address().to_string();
    let good = ("priv-SHA-256-AES", "SHA-256", "authentication-pass", "AES", "privacy-pass");
    for ((user, auth, password, privacy, key), part) in [
        (("nobody", good.1, good.2, good.3, good.4), "Check -u"),
        ((good.0, good.1, "another-password", good.3, good.4), "Check -A"),
        ((good.0, "SHA-512", good.2, good.3, good.4), "Check -A"),
        ((good.0, good.1, good.2, good.3, "another-password"), "Check -X"),
        (("auth-SHA-256", good.1, good.2, good.3, good.4), "Check -l"),
    ] {
        let credentials = ["-u", user, "-a", auth, "-A", password, "-x", privacy, "-X", key];
        let arguments = [&["get", "-t", "1", "-r", "1"], &credentials[..], &[&address, "sysDescr.0"]].concat();
        let error = run(&arguments).failed(1);
        assert!(error.contains(part), "{part}: {error}");
        assert!(!error.contains("another-password") && !error.contains("privacy-pass"), "{error}");
    }
    let error = read(&snmpd, &["get", "-v1"], &["sysDescr.77", "sysLocation.0"]);
    assert!(error.stdout.contains("sysLocation.0 = STRING: a test"), "the rest is read: {error:?}");
    assert!(error.failed(1).contains("noSuchName"));
}

#[test]
fn a_wrong_command_line_is_status_2_and_sends_nothing() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    for (arguments, part) in [
        (&["get"][..], "AGENT is missing"),
        (&["get", &address], "no OID"),
        (&["get", &address, "sysDescrr.0"], "did you mean sysDescr"),
        (&["get", "-v4", &address, "sysDescr.0"], "use 1, 2c or 3"),
        (&["get", "-O", "z", &address, "sysDescr.0"], "-Oz"),
        (&["get", "tcp:127.0.0.1", "sysDescr.0"], "UDP only"),
        (&["get", "-v3", &address, "sysDescr.0"], "-u NAME"),
        (&["get", "-u", "ops", "-a", "SHA", "-A", "short", &address, "sysDescr.0"], "8 octets"),
        (&["set", &address, "sysContact.0", "s"], "go together"),
        (&["bulk", "-v1", &address, "ifTable"], "no GETBULK"),
        (&["inform", "-v1", &address, "", "coldStart"], "no informs"),
        (&["trap", "-v1", &address, "", "coldStart"], "ENTERPRISE"),
        (&["discover", "10.0.0.0/8"], "at most"),
        (&["history", "core", "x", "--from", "yesterday"], "no time"),
        (&["nonsense"], "unrecognized subcommand"),
    ] {
        let error = run(arguments).failed(2);
        assert!(error.contains(part), "{arguments:?}: {error}");
    }
    assert!(socket.recv(&mut [0; 1500]).is_err(), "nothing was sent");
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let snmpd = require!(Snmpd::start());
    let script = format!(
        "{} walk -c {} -t 5 {} 1.3.6 > >(head -n 1); echo \"status $?\"",
        hamsa().display(),
        Snmpd::READ_COMMUNITY,
        snmpd.address()
    );
    let mut bash = std::process::Command::new("bash");
    bash.args(["-c", &script]);
    let output = Process::spawn("bash", &mut bash).finish(LIVENESS).expect("the walk ends");
    assert!(output.stdout.contains("sysDescr.0") && output.stdout.contains("status 0"), "{output:?}");
    assert!(!output.stderr.contains("panicked") && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn an_interruption_ends_a_walk_cleanly() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let mut walk = Process::spawn("hamsa", &mut command(&["walk", "-t", "600", &address, "system"]));
    // Its request is out, so its signal handlers are in place.
    silent.set_nonblocking(true).unwrap();
    wait_until("the first request", || silent.recv(&mut [0; 1500]).ok());
    let status = walk.terminate();
    assert_eq!(status.code(), Some(130), "{}", walk.stderr());
    assert!(walk.stderr().contains("interrupted after 0 variables"), "{}", walk.stderr());
}
