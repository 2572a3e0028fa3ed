//! What happens is told to targets that a manager has set, by trap and by inform; snmptrapd is the judge.

use hamsa_testkit::{NetSnmp, NotificationTarget, Snmptrapd, User, require, wait_until};
use serde_json::json;

use crate::support::{Agent, SYS_CONTACT, community, other_version, swap_request};

/// The user in whose name informs are sent.
const INFORMER: &str = "priv-SHA-512-AES";

const ENGINE_ID: &str = "1.3.6.1.6.3.10.2.1.1.0";
const ENABLE_AUTHEN_TRAPS: &str = "1.3.6.1.2.1.11.30.0";
const COLD_START: &str = ".1.3.6.1.6.3.1.1.5.1";
const AUTHENTICATION_FAILURE: &str = ".1.3.6.1.6.3.1.1.5.5";
const SWAPPED: &str = ".1.3.6.1.4.1.32473.1.2.0.1";
const ABORTED: &str = ".1.3.6.1.4.1.32473.1.2.0.2";
const ROLLED_BACK: &str = ".1.3.6.1.4.1.32473.1.2.0.3";
const EVENT: &str = ".1.3.6.1.4.1.32473.1.2.1.4";

/// `snmpEngineID`.
fn engine_id(agent: &Agent, tools: &NetSnmp, admin: &User) -> Vec<u8> {
    let said = agent.tool(tools, "snmpget", &admin.arguments(), &["-Oqvx", ENGINE_ID]).unwrap();
    let digits: String = said.chars().filter(char::is_ascii_hexdigit).collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

/// The community of snmptrapd, by the name `tellers`, and a user that it knows at its engine.
fn tellers(receiver: &Snmptrapd) -> String {
    let digits: String = receiver.engine_id().iter().map(|octet| format!("{octet:02x}")).collect();
    format!(
        "[communities.tellers]\ncommunity = \"{}\"\n\
         [users.{}]\nauth_protocol = \"SHA-512\"\nauth_password = \"authentication-pass\"\n\
         priv_protocol = \"AES-128\"\npriv_password = \"privacy-pass\"\nengine_id = \"{digits}\"\n",
        Snmptrapd::COMMUNITY,
        INFORMER,
    )
}

#[test]
fn targets_outlive_a_crash_and_hear_of_the_start_and_of_strangers() {
    let tools = require!(NetSnmp::new());
    let admin = tools.user("priv-SHA-256-AES").clone();
    let informer = tools.user(INFORMER).clone();
    let mut agent = Agent::start(std::slice::from_ref(&admin), "");
    let receiver = require!(Snmptrapd::start(Some(&engine_id(&agent, &tools, &admin))));
    agent.kill();
    agent.configure(&tellers(&receiver));
    agent.run();
    let address = receiver.address();
    for target in [
        NotificationTarget { name: "trap2", address, by: Err("tellers"), is_inform: false },
        NotificationTarget { name: "inform2", address, by: Err("tellers"), is_inform: true },
        NotificationTarget { name: "trap3", address, by: Ok(&admin), is_inform: false },
        NotificationTarget { name: "inform3", address, by: Ok(&informer), is_inform: true },
    ] {
        agent.add_target(&tools, &admin, &target);
    }
    agent.kill();
    agent.run();
    for (kind, sender) in [("TRAP2, SNMP v2c", "hamsa-trap"), ("INFORM, SNMP v2c", "hamsa-trap")]
        .into_iter()
        .chain([("TRAP2, SNMP v3", &*admin.name), ("INFORM, SNMP v3", INFORMER)])
    {
        receiver.hears("coldStart", |told| {
            told.is_of(COLD_START) && told.security.starts_with(kind) && told.security.contains(sender)
        });
    }

    // A stranger is told of only if somebody wants it.
    let ask = || {
        let address = agent.address.to_string();
        let arguments = ["-v2c", "-c", "stranger", "-t", "0.1", "-r", "0", &address, SYS_CONTACT];
        tools.run("snmpget", arguments).expect_err("nobody answers a stranger");
    };
    ask();
    agent.set(&tools, &admin, &[ENABLE_AUTHEN_TRAPS, "i", "1"]);
    wait_until("authenticationFailure", || {
        ask();
        receiver.received().into_iter().find(|told| told.is_of(AUTHENTICATION_FAILURE))
    });
}

#[test]
fn swaps_are_told_of_with_what_and_how_long() {
    let tools = require!(NetSnmp::new());
    let admin = tools.user("priv-SHA-256-AES").clone();
    let informer = tools.user(INFORMER).clone();
    let mut agent = Agent::start(std::slice::from_ref(&admin), "");
    let receiver = require!(Snmptrapd::start(Some(&engine_id(&agent, &tools, &admin))));
    agent.kill();
    agent.configure(&tellers(&receiver));
    agent.run();
    let address = receiver.address();
    let by_user = NotificationTarget { name: "user", address, by: Ok(&informer), is_inform: true };
    agent.add_target(&tools, &admin, &by_user);
    let by_community = NotificationTarget { name: "community", address, by: Err("tellers"), is_inform: false };
    agent.add_target(&tools, &admin, &by_community);

    // What tells is swapped together with what it works with.
    let changes = ["application/notification-originator", "MIB-module/SNMP-TARGET-MIB", "access-control/VACM"];
    let changes = changes.map(|module| json!({ "module": module, "version": "1.0" }));
    let report = agent.ask(&json!({ "op": "swap", "changes": changes, "budget_ms": 4000 }));
    for (kind, name) in
        [("application", "notification originator"), ("MIB module", "SNMP-TARGET-MIB"), ("access control", "VACM")]
    {
        for sender in ["TRAP2, SNMP v2c", "INFORM, SNMP v3"] {
            let told = receiver.hears("a swap", |told| {
                told.is_of(SWAPPED)
                    && told.security.starts_with(sender)
                    && told.value(&format!("{EVENT}.2.0")) == Some(&format!("\"{kind}\""))
                    && told.value(&format!("{EVENT}.3.0")) == Some(&format!("\"{name}\""))
            });
            let object = |object: u32| told.value(&format!("{EVENT}.{object}.0"));
            let transaction = report["transaction"].to_string();
            assert_eq!([object(1), object(4), object(5)], [Some(&*transaction), Some("\"1.1\""), Some("\"1.0\"")]);
            assert_eq!(object(6), Some(&*report["blackout_us"].to_string()));
        }
    }

    // Back with the state of then: what was set since is lost, and that is said.
    agent.set(&tools, &admin, &[SYS_CONTACT, "s", "then"]);
    let system = |version: &str| json!([{ "module": "MIB-module/SNMPv2-MIB", "version": version }]);
    agent.ask(&json!({ "op": "swap", "changes": system("1.0"), "budget_ms": 4000 }));
    agent.set(&tools, &admin, &[SYS_CONTACT, "s", "since"]);
    let back = json!({ "op": "rollback", "changes": system("1.1"), "state": "kept", "budget_ms": 4000 });
    let report = agent.ask(&back);
    assert_eq!(report["state_lost"], json!(["MIB-module/SNMPv2-MIB"]));
    let contact = agent.tool(&tools, "snmpget", &community("-v2c", "public"), &["-Oqv", SYS_CONTACT]).unwrap();
    assert_eq!(contact.trim(), "\"then\"");
    let told = receiver.hears("the way back", |told| told.is_of(ROLLED_BACK));
    let object = |object: u32| told.value(&format!("{EVENT}.{object}.0"));
    assert_eq!([object(3), object(5), object(8)], [Some("\"SNMPv2-MIB\""), Some("\"1.1\""), Some("1")]);

    // All modules in a millisecond is too much, but for a quick machine: then again.
    let aborted = wait_until("a swap that is aborted", || {
        let modules = agent.modules();
        let others: Vec<(String, String)> =
            modules.iter().map(|(module, version)| (module.clone(), other_version(version).to_owned())).collect();
        let mut request = swap_request(&others);
        request["budget_ms"] = json!(1);
        agent.try_ask(&request).err()
    });
    assert!(aborted.contains("aborted"), "{aborted}");
    let told = receiver.hears("the abort", |told| told.is_of(ABORTED));
    assert!(told.value(&format!("{EVENT}.7.0")).is_some_and(|reason| reason.contains("budget")), "{told:?}");
}
