//! Secrets of a configuration are in the messages to agents, and nowhere else.

use hamsa_testkit::{Snmpd, http, require, wait_until};

use crate::node::NodeHome;
use crate::run::run_with;

/// The community of a file, one of the environment, one in the configuration itself; two passwords; the token.
const SECRETS: [&str; 6] = [
    "maplesyrup-file",
    "maplesyrup-environment",
    "maplesyrup-written",
    "maplesyrup-auth-password",
    "maplesyrup-priv-password",
    "maplesyrup-token-0123456789abcdef",
];

const PAGES: [&str; 16] = [
    "/",
    "/devices/by-file",
    "/devices/by-user",
    "/traps",
    "/events",
    "/status",
    "/metrics",
    "/api/v1/devices",
    "/api/v1/devices/by-file",
    "/api/v1/series?device=by-file",
    "/api/v1/history?device=by-file&series=sysUpTime",
    "/api/v1/events",
    "/api/v1/traps",
    "/api/v1/status",
    "/devices/nobody",
    "/api/v1/nothing",
];

#[track_caller]
fn assert_no_secret(what: &str, text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{what} shows {secret}: {text}");
    }
}

#[test]
fn nothing_shows_a_secret() {
    let [file, environment, written, auth, privacy, token] = SECRETS;
    let communities = [file, environment, written].map(|community| format!("rocommunity {community}\n")).concat();
    let user = format!("createUser monitor SHA-256 {auth} AES {privacy}\nrouser monitor priv\n");
    let snmpd = require!(Snmpd::start_with(&(communities + &user)));
    let address = snmpd.address();
    let device = |name: &str| crate::node::device(name, address, name);
    let config = format!(
        "[log]\nlevel = \"trace\"\n\
         [credentials.by-file]\nversion = \"v2c\"\ncommunity_file = \"community\"\n\
         [credentials.by-environment]\nversion = \"v2c\"\ncommunity_env = \"HAMSA_TEST_COMMUNITY\"\n\
         [credentials.as-written]\nversion = \"v1\"\ncommunity = \"{written}\"\n\
         [credentials.by-user]\nversion = \"v3\"\nuser = \"monitor\"\nauth_protocol = \"SHA-256\"\n\
         auth_password_file = \"auth\"\npriv_protocol = \"AES-128\"\npriv_password_env = \"HAMSA_TEST_PRIV\"\n\
         {}{}{}{}",
        device("by-file"),
        device("by-environment"),
        device("as-written"),
        device("by-user"),
    );
    let home = NodeHome::with_http("token_env = \"HAMSA_TEST_TOKEN\"", &config);
    for (name, secret) in [("community", file), ("auth", auth)] {
        home.write(name, &format!("{secret}\n"));
    }
    let environment = [
        ("HAMSA_TEST_COMMUNITY", environment),
        ("HAMSA_TEST_PRIV", privacy),
        ("HAMSA_TEST_TOKEN", token),
        ("RUST_LOG", "trace"),
    ];
    let checked = run_with(&["check", &home.config()], &environment);
    assert_no_secret("hamsa check", &format!("{}{}", checked.stdout, checked.stderr));
    checked.ok();

    let mut node = home.start_with(&environment);
    let bearer = format!("Bearer {token}");
    let get = |path: &str| {
        let url = format!("{}{path}", node.url());
        http::send("GET", &url, &[("authorization", &bearer)], &[]).unwrap_or_else(|error| panic!("{error}"))
    };
    for name in ["by-file", "by-environment", "as-written", "by-user"] {
        wait_until(&format!("{name} is up: its secret was used"), || {
            (get(&format!("/api/v1/devices/{name}")).json()["status"]["state"] == "up").then_some(())
        });
    }
    let traps = node.traps.to_string();
    let send = |credentials: &[&str]| {
        let arguments = [&["-v2c"], credentials, &["-t", "5", &traps, "", "1.3.6.1.6.3.1.1.5.1"]].concat();
        snmpd.tools().run("snmptrap", arguments).unwrap_or_else(|error| panic!("{error}"));
    };
    send(&["-c", "maplesyrup-stranger"]);
    send(&["-c", file, "-Ci"]);

    let mut shown = String::new();
    for path in PAGES {
        let answer = get(path);
        assert!(answer.status != 401, "{path}");
        shown.push_str(&format!("{path} {:?}\n{}\n", answer.headers, answer.text()));
    }
    for auth in ["by-file", "by-environment", "as-written", "by-user"] {
        let answer = get(&format!("/snmp?target={address}&module=system&auth={auth}"));
        assert!(answer.status == 200 && answer.text().contains("sysLocation"), "{auth}: {}", answer.text());
        shown.push_str(&answer.text());
    }
    let wrong = http::send("GET", &node.url(), &[("authorization", "Bearer maplesyrup-wrong")], &[]).unwrap();
    assert_eq!(wrong.status, 401);
    shown.push_str(&wrong.text());
    assert!(shown.contains("SNMPv2-MIB::coldStart") && shown.contains("by-environment"), "pages are of this node");
    assert_no_secret("HTTP", &shown);
    assert!(!shown.contains("maplesyrup-stranger") && !shown.contains("maplesyrup-wrong"), "{shown}");

    let arguments = std::fs::read(format!("/proc/{}/cmdline", node.process.id())).unwrap();
    assert_no_secret("the list of processes", &String::from_utf8_lossy(&arguments));
    node.process.terminate();
    let log = node.process.stderr();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "the log is as talkative as it gets: {log}");
    assert_no_secret("the log", &format!("{log}{}", node.process.stdout()));
    assert!(!log.contains("maplesyrup-stranger"), "{log}");
    // What is on disk is no place for them either.
    for entry in std::fs::read_dir(home.data()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            assert_no_secret(&path.display().to_string(), &String::from_utf8_lossy(&std::fs::read(path).unwrap()));
        }
    }
}

#[test]
fn a_secret_that_is_a_mistake_is_not_quoted() {
    let home = NodeHome::new(
        "[credentials.a]\nversion = \"v2c\"\ncommunity = [\"maplesyrup-written\"]\n\
         [credentials.b]\nversion = \"v3\"\nuser = \"x\"\nauth_password = 77\npriv_password = \"maplesyrup\"\n\
         [credentials.c]\nversion = \"v2c\"\ncommunity = \"maplesyrup-written\"\ncommunity_file = \"nowhere\"\n\
         [credentials.d]\nversion = \"v2c\"\ncomunity = \"maplesyrup-written\"\n",
    );
    let outcome = run_with(&["check", &home.config()], &[]);
    let said = outcome.failed(1);
    assert!(said.contains("hamsa.toml:") && !said.contains("maplesyrup"), "{said}");
}
