//! Secrets are shown nowhere: not by what is printed, not in the list of processes.

use std::net::UdpSocket;

use hamsa_testkit::{Process, Snmpd, require, wait_until};

use crate::run::{command, run_with};

const SECRETS: [&str; 3] = ["maplesyrup-community", "maplesyrup-auth", "maplesyrup-priv"];

#[test]
fn files_and_the_environment_are_as_good_as_options() {
    let snmpd = require!(Snmpd::start());
    let address = snmpd.address().to_string();
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, contents: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, format!("{contents}\n")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let read = |options: &[&str], environment: &[(&str, &str)]| {
        let arguments = [&["get", "-Oqv", "-t", "5"], options, &[&address, "sysLocation.0"]].concat();
        assert_eq!(run_with(&arguments, environment).ok(), "a test\n", "{options:?} {environment:?}");
    };
    let community = file("community", Snmpd::READ_COMMUNITY);
    read(&["--community-file", &community], &[]);
    read(&[], &[("HAMSA_COMMUNITY", Snmpd::READ_COMMUNITY)]);
    read(&["--community-file", &community], &[("HAMSA_COMMUNITY", "wrong")]);
    read(&["-c", Snmpd::READ_COMMUNITY], &[("HAMSA_COMMUNITY", "wrong")]);
    let user = snmpd.tools().user("priv-SHA-256-AES");
    let ((auth, password), (privacy, key)) = (user.auth.unwrap(), user.privacy.unwrap());
    let options = ["-u", &user.name, "-a", auth, "-x", privacy];
    read(&options, &[("HAMSA_AUTH_PASSWORD", password), ("HAMSA_PRIV_PASSWORD", key)]);
    let files = [file("auth", password), file("priv", key)];
    read(&[&options[..], &["--auth-password-file", &files[0], "--priv-password-file", &files[1]]].concat(), &[]);

    let config = format!(
        "[credentials.campus]\nversion = \"v3\"\nuser = \"{}\"\nauth_protocol = \"{auth}\"\nauth_password_file = \"auth\"\n\
         priv_protocol = \"{privacy}\"\npriv_password_file = \"priv\"\n\
         [[device]]\nname = \"core\"\naddress = \"{address}\"\ncredentials = \"campus\"\n",
        user.name
    );
    let config = file("hamsa.toml", &config);
    read(&["--config", &config, "--credentials", "campus"], &[]);
    let by_device = ["get", "-Oqv", "--config", &config, "--device", "core", "sysLocation.0"];
    assert_eq!(run_with(&by_device, &[]).ok(), "a test\n");
}

#[test]
fn nothing_that_is_printed_shows_a_secret() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let [community, password, key] = SECRETS;
    let v3 = ["-u", "ops", "-a", "SHA", "-A", password, "-x", "AES", "-X", key];
    let quick = ["--verbose", "-t", "0.05", "-r", "0", &address];
    for arguments in [
        [&["get", "-c", community], &quick[..], &["sysDescr.0"]].concat(),
        [&["get"], &v3[..], &quick, &["sysDescr.0"]].concat(),
        [&["walk", "-l", "nonsense"], &v3[..], &quick].concat(),
        [&["get", "-x", "nonsense"], &v3[..], &quick].concat(),
        [&["get", "-a", "SHA", "-A", password, "-X", key, "-u", "ops"], &quick[..], &["sysDescr.0"]].concat(),
        [&["inform", "-c", community], &quick[..], &["", "coldStart"]].concat(),
        [&["trap", "-c", community, "--verbose", &address], &["", "coldStart"][..]].concat(),
        vec!["discover", "127.0.0.1", "-p", "9", "-c", community, "-t", "0.05", "-r", "0"],
    ] {
        let outcome = run_with(&arguments, &[]);
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!said.is_empty() && !said.contains("maplesyrup"), "{arguments:?}: {said}");
    }
}

#[test]
fn the_list_of_processes_shows_no_secret_of_the_environment() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let mut get = command(&["get", "-t", "600", "-r", "0", &address, "sysDescr.0"]);
    get.env("HAMSA_COMMUNITY", SECRETS[0]);
    let get = Process::spawn("hamsa", &mut get);
    silent.set_nonblocking(true).unwrap();
    let mut request = [0; 1500];
    let length = wait_until("the request", || silent.recv(&mut request).ok());
    let sent = String::from_utf8_lossy(&request[..length]).into_owned();
    assert!(sent.contains(SECRETS[0]), "the community was used");
    let shown = std::fs::read(format!("/proc/{}/cmdline", get.id())).unwrap();
    assert!(!String::from_utf8_lossy(&shown).contains("maplesyrup"));
}
