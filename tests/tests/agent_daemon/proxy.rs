//! The agent as a proxy: requests go to a real snmpd behind it and come back, notifications go on to snmptrapd, and both
//! while the forwarder is swapped and after a crash.

use std::sync::atomic::{AtomicBool, Ordering};

use hamsa_testkit::{NetSnmp, NotificationTarget, Snmpd, Snmptrapd, User, require};

use crate::support::{Agent, community, other_version, swap_request};

const ENGINE_ID: &str = "1.3.6.1.6.3.10.2.1.1.0";
const SYS_CONTACT: &str = "1.3.6.1.2.1.1.4.0";
const SYS_LOCATION: &str = "1.3.6.1.2.1.1.6.0";
const FORWARDER: &str = "application/proxy-forwarder";

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A row of snmpProxyTable; `out` is a target's name, or a tag for notifications.
fn add_row(agent: &Agent, tools: &NetSnmp, admin: &User, row: (&str, u32), engine_id: &str, way: (&str, &str)) {
    let ((name, kind), (from, out)) = (row, way);
    let index: String = name.bytes().map(|octet| format!(".{octet}")).collect();
    let kind_text = kind.to_string();
    let out_column = if kind <= 2 { 6 } else { 7 };
    let cells = [(9, "i", "4"), (2, "i", &*kind_text), (3, "x", engine_id), (5, "s", from), (out_column, "s", out)];
    let names = cells.map(|(column, ..)| format!("1.3.6.1.6.3.14.1.2.1.{column}{index}"));
    let cells: Vec<&str> =
        names.iter().zip(&cells).flat_map(|(name, (_, kind, value))| [&**name, *kind, *value]).collect();
    agent.set(tools, admin, &cells);
}

fn add_target(agent: &Agent, tools: &NetSnmp, admin: &User, target: &NotificationTarget<'_>) {
    for set in target.target_sets() {
        agent.set(tools, admin, &set.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn requests_go_to_an_agent_behind_it_through_swaps_and_after_a_crash() {
    let snmpd = require!(Snmpd::start());
    let tools = require!(NetSnmp::new());
    let admin = tools.user("priv-SHA-256-AES").clone();
    let out = format!("[communities.out]\ncommunity = \"{}\"\n", Snmpd::WRITE_COMMUNITY);
    let mut agent = Agent::start(std::slice::from_ref(&admin), &out);
    let behind = hexadecimal(snmpd.engine_id());
    let ask = |agent: &Agent, tool: &str, cells: &[&str]| {
        let who = [admin.arguments(), vec!["-E".to_owned(), format!("0x{behind}")]].concat();
        agent.tool(&tools, tool, &who, cells)
    };
    ask(&agent, "snmpget", &[SYS_LOCATION]).expect_err("no row is about it");

    let address = snmpd.address();
    let target = NotificationTarget { name: "behind", address, by: Err("out"), is_inform: false };
    add_target(&agent, &tools, &admin, &target);
    let asking = NotificationTarget { name: "asking", address, by: Ok(&admin), is_inform: false };
    add_target(&agent, &tools, &admin, &asking);
    add_row(&agent, &tools, &admin, ("read", 1), &behind, ("asking", "behind"));
    let location = |agent: &Agent| {
        let said = ask(agent, "snmpget", &["-Oqv", SYS_LOCATION]).unwrap_or_else(|error| panic!("{error}"));
        said.trim().trim_matches('"').to_owned()
    };
    assert_eq!(location(&agent), Snmpd::LOCATION);
    ask(&agent, "snmpset", &[SYS_CONTACT, "s", "me"]).expect_err("no row lets writes pass");
    add_row(&agent, &tools, &admin, ("write", 2), &behind, ("asking", "behind"));
    ask(&agent, "snmpset", &[SYS_CONTACT, "s", "me"]).unwrap_or_else(|error| panic!("{error}"));
    let direct = snmpd.get(&["-v2c", "-c", Snmpd::READ_COMMUNITY, "-t", "5"], SYS_CONTACT).unwrap();
    assert_eq!(direct, "\"me\"");
    let walked = ask(&agent, "snmpbulkwalk", &["1.3.6.1.2.1.1"]).unwrap_or_else(|error| panic!("{error}"));
    assert!(walked.contains(Snmpd::LOCATION) && walked.lines().count() > 10, "{walked}");

    // Not one request is lost while the forwarder is swapped.
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (agent, is_over) = (&agent, &is_over);
        let asking = scope.spawn(move || {
            let mut asked = 0;
            while !is_over.load(Ordering::Acquire) || asked < 20 {
                assert_eq!(location(agent), Snmpd::LOCATION);
                asked += 1;
            }
        });
        let mut version = "1.1";
        for _ in 0..20 {
            version = other_version(version);
            let changes = [FORWARDER, "MIB-module/SNMP-PROXY-MIB", "MIB-module/SNMP-TARGET-MIB"]
                .map(|module| (module.to_owned(), version.to_owned()));
            agent.ask(&swap_request(&changes));
        }
        is_over.store(true, Ordering::Release);
        asking.join().expect("no request is lost");
    });
    agent.kill();
    agent.run();
    assert_eq!(location(&agent), Snmpd::LOCATION);
    let own = agent.tool(&tools, "snmpget", &community("-v2c", "public"), &["-Oqv", SYS_LOCATION]).unwrap();
    assert_eq!(own.trim(), "\"laboratory\"", "what is for the agent itself stays there");
}

#[test]
fn notifications_go_on_in_another_name_and_informs_wait_for_their_receiver() {
    let receiver = require!(Snmptrapd::start(None));
    let tools = require!(NetSnmp::new());
    let admin = tools.user("priv-SHA-256-AES").clone();
    let communities = format!(
        "[communities.out]\ncommunity = \"{}\"\n[communities.devices]\ncommunity = \"from-devices\"\n",
        Snmptrapd::COMMUNITY
    );
    let agent = Agent::start(std::slice::from_ref(&admin), &communities);
    let said = agent.tool(&tools, "snmpget", &admin.arguments(), &["-Oqvx", ENGINE_ID]).unwrap();
    let engine_id: String = said.chars().filter(char::is_ascii_hexdigit).collect();

    let address = receiver.address();
    let target = NotificationTarget { name: "noc", address, by: Err("out"), is_inform: false };
    add_target(&agent, &tools, &admin, &target);
    let devices = NotificationTarget { name: "devices", address, by: Err("devices"), is_inform: false };
    add_target(&agent, &tools, &admin, &devices);
    // The same by SNMPv1: messageProcessingModel and securityModel.
    let v1 = |column: u32| format!("1.3.6.1.6.3.12.1.3.1.{column}.118.49");
    let cells = [(7, "i", "4"), (2, "i", "0"), (3, "i", "1"), (4, "s", "devices"), (5, "i", "1")];
    let names = cells.map(|(column, ..)| v1(column));
    let cells: Vec<&str> =
        names.iter().zip(&cells).flat_map(|(name, (_, kind, value))| [&**name, *kind, *value]).collect();
    agent.set(&tools, &admin, &cells);
    for (row, from) in [(("traps", 3), "devices"), (("informs", 4), "devices"), (("old", 3), "v1")] {
        add_row(&agent, &tools, &admin, row, &engine_id, (from, "noc"));
    }

    let to = agent.address.to_string();
    let send = |options: &[&str], what: &[&str]| {
        let arguments = [options, &["-c", "from-devices", "-r", "0", &to], what].concat();
        tools.run("snmptrap", arguments)
    };
    let variable = ["1.3.6.1.4.1.32473.7.5.0", "s", "told"];
    for (number, options) in [(1, &["-v2c"][..]), (2, &["-v2c", "-Ci", "-t", "20"])] {
        let name = format!(".1.3.6.1.4.1.32473.7.0.{number}");
        send(options, &[&["4711", &*name][..], &variable].concat()).unwrap_or_else(|error| panic!("{error}"));
        let told = receiver.hears("a notification that went on", |told| told.is_of(&name));
        assert!(told.security.contains(Snmptrapd::COMMUNITY), "{told:?}");
        assert_eq!(told.security.starts_with("INFORM"), number == 2, "{told:?}");
        assert_eq!(told.value(".1.3.6.1.4.1.32473.7.5.0"), Some("\"told\""));
        assert_eq!(told.value(".1.3.6.1.2.1.1.3.0"), Some("0:0:00:47.11"));
    }
    // A trap of version 1 becomes one of version 2, with the address that it names.
    let old = ["1.3.6.1.4.1.32473.7", "192.0.2.9", "6", "3", "4711"];
    send(&["-v1"], &old).unwrap_or_else(|error| panic!("{error}"));
    let told = receiver.hears("a trap of version 1", |told| told.is_of(".1.3.6.1.4.1.32473.7.0.3"));
    assert_eq!(told.value(".1.3.6.1.6.3.18.1.3.0"), Some("192.0.2.9"), "{told:?}");
    assert!(!told.variables.iter().any(|variable| variable.contains("from-devices")), "{told:?}");

    // Who acknowledges is the receiver: without one there is no acknowledgement.
    drop(receiver);
    send(&["-v2c", "-Ci", "-t", "1"], &["1", "1.3.6.1.4.1.32473.7.0.4"]).expect_err("nobody has it");
}
