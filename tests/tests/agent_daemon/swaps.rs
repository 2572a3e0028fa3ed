//! Modules are replaced while managers ask: nothing is lost, nothing is wrong.

use std::io::Write;

use hamsa_testkit::{NetSnmp, User, require};
use serde_json::{Value, json};

use crate::load::Load;
use crate::relay::invariant_no_salt_is_reused;
use crate::support::{
    Agent, CONTACT, NOT_IN_TIME_WINDOWS, SYS_CONTACT, SYS_NAME, community, other_version, swap, swap_all,
};

/// Rounds over single modules, and swaps of all modules at once.
const ROUNDS: usize = 2;
const TOGETHER: usize = 40;

#[test]
fn nothing_is_lost_and_nothing_is_wrong_while_each_module_and_all_are_replaced() {
    let tools = require!(NetSnmp::new());
    let users: Vec<User> = ["priv-SHA-256-AES", "priv-MD5-DES", "priv-SHA-512-AES-256", "priv-SHA-AES192C"]
        .map(|name| tools.user(name).clone())
        .to_vec();
    let agent = Agent::start(&users, "");
    let time_failures = || {
        let said = agent.tool(&tools, "snmpget", &community("-v2c", "public"), &[NOT_IN_TIME_WINDOWS]).unwrap();
        said.trim().rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let load = Load::start(agent.address, &users);
    let before = time_failures();
    let mut blackouts_us = Vec::new();
    let note = |report: &Value, blackouts_us: &mut Vec<u64>| {
        assert_eq!(report["end"], "committed", "{report}");
        blackouts_us.push(report["blackout_us"].as_u64().unwrap());
    };
    for _ in 0..ROUNDS {
        for (module, version) in agent.modules() {
            load.go_on(2);
            let report = swap(&agent, &[(module, other_version(&version).to_owned())]);
            note(&report, &mut blackouts_us);
        }
    }
    for _ in 0..TOGETHER {
        load.go_on(4);
        let report = swap_all(&agent);
        note(&report, &mut blackouts_us);
    }
    load.go_on(4);
    assert_eq!(time_failures(), before, "messages fell out of the time window");
    let outcome = load.end();
    invariant_no_salt_is_reused(&outcome.salts);
    assert!(blackouts_us.len() >= 100, "{} swaps", blackouts_us.len());
    blackouts_us.sort_unstable();
    let at = |percent: usize| blackouts_us[(blackouts_us.len() - 1) * percent / 100];
    let told = format!(
        "{} swaps, {} rounds of questions, {} salts; blackout p50 {} us, p99 {} us, most {} us",
        blackouts_us.len(),
        outcome.answered,
        outcome.salts.len(),
        at(50),
        at(99),
        at(100)
    );
    // For whoever runs it by hand, with --nocapture.
    let _ = writeln!(std::io::stderr(), "{told}");

    for user in &users {
        let said = agent.tool(&tools, "snmpget", &user.arguments(), &[SYS_CONTACT]).unwrap();
        assert!(said.contains(CONTACT), "{said}");
    }
    for version in ["-v1", "-v2c"] {
        let said = agent.tool(&tools, "snmpwalk", &community(version, "public"), &["1.3.6.1.2.1.1"]).unwrap();
        assert!(said.contains(CONTACT), "{said}");
    }
    agent.tool(&tools, "snmpset", &users[1].arguments(), &[SYS_NAME, "s", "after all"]).unwrap();
    agent.tool(&tools, "snmpbulkwalk", &users[2].arguments(), &["1.3.6.1"]).unwrap();
}

#[test]
fn a_mib_is_extended_by_a_swap_and_cut_back() {
    let tools = require!(NetSnmp::new());
    let user = tools.user("priv-SHA-256-AES").clone();
    let agent = Agent::start(std::slice::from_ref(&user), "");
    let who = user.arguments();
    let extension = || agent.tool(&tools, "snmpwalk", &who, &["1.3.6.1.2.1.31.1.1.1.1"]).unwrap();
    let socket = agent.socket().display().to_string();
    let hamsa = |arguments: &[&str]| {
        let output = agent.hamsa(&[arguments, &["--socket", &socket]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", output.stderr);
        output
    };
    assert!(extension().contains("\"lo\""));
    let done = hamsa(&["agent", "rollback", "mib-module/if-mib", "1.0"]);
    assert!(done.stdout.contains("MIB-module/IF-MIB 1.1 -> 1.0"), "{done:?}");
    assert!(extension().contains("No Such Object"), "{}", extension());
    let tried = hamsa(&["agent", "swap", "mib-module/if-mib", "1.1", "--dry-run"]);
    assert!(tried.stdout.contains("Nothing was changed"), "{tried:?}");
    assert!(extension().contains("No Such Object"));
    let done = hamsa(&["modules", "swap", "MIB-module/IF-MIB", "1.1", "--probation", "1h"]);
    assert!(done.stderr.contains("gates were closed for"), "{done:?}");
    assert!(extension().contains("\"lo\""));

    let listed = hamsa(&["modules", "list", "-o", "json"]).stdout;
    let rows: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.iter().any(|row| row["module"] == "MIB-module/IF-MIB" && row["version"] == "1.1"), "{listed}");
    let history = hamsa(&["modules", "history"]).stdout;
    assert_eq!(history.matches("committed").count(), 2, "{history}");
    assert_eq!(history.matches("dry run").count(), 1, "{history}");
    let states = hamsa(&["modules", "states", "MIB-module/IF-MIB"]).stdout;
    assert!(states.contains("1.0") && states.contains("1.1"), "{states}");
    let shown = hamsa(&["modules", "show", "MIB-module/IF-MIB"]).stdout;
    assert!(shown.contains("with ifXTable"), "{shown}");
    let error =
        agent.try_ask(&json!({ "op": "swap", "changes": [{ "module": "MIB-module/IF-MIB", "version": "9.9" }] }));
    assert_eq!(error.unwrap_err(), "there is no version 9.9 of MIB-module/IF-MIB; there are 1.0, 1.1");
}
