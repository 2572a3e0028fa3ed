//! Traps and informs of net-snmp's tools: those with the right credentials are kept and shown, no others.

use hamsa_testkit::{Browser, NetSnmp, Snmpd, User, require, wait_until};
use serde_json::{Value, json};

use crate::node::{Node, NodeHome, lab, user};
use crate::run::{json_lines, run};

const LINK_DOWN: &str = "1.3.6.1.6.3.1.1.5.3";
const IF_INDEX: &str = "1.3.6.1.2.1.2.2.1.1";

/// An engine of a sender of SNMPv3 traps, in hexadecimal.
const SENDER_ENGINE: &str = "0x80001f88047472617073";

/// A notification with a number that tells it from others.
fn variables(number: u32) -> [String; 5] {
    [String::new(), LINK_DOWN.to_owned(), format!("{IF_INDEX}.{number}"), "i".to_owned(), number.to_string()]
}

fn send(tools: &NetSnmp, node: &Node, credentials: &[&str], number: u32) -> Result<(), hamsa_testkit::ToolError> {
    let mut arguments: Vec<String> = credentials.iter().map(|&argument| argument.to_owned()).collect();
    arguments.extend(["-t".to_owned(), "1".to_owned(), "-r".to_owned(), "1".to_owned(), node.traps.to_string()]);
    arguments.extend(variables(number));
    tools.run("snmptrap", arguments).map(drop)
}

/// The same as an SNMPv1 trap: linkDown is 2 there, and the sender's address is in it.
fn send_v1(tools: &NetSnmp, node: &Node, community: &str, number: u32) {
    let mut arguments: Vec<String> = ["-v1", "-c", community].map(str::to_owned).into();
    let to = node.traps.to_string();
    let v1 = [to.as_str(), "1.3.6.1.4.1.8072.3.2.10", "192.0.2.44", "2", "0", "4200"];
    arguments.extend(v1.map(str::to_owned));
    arguments.extend(variables(number).into_iter().skip(2));
    tools.run("snmptrap", arguments).unwrap_or_else(|error| panic!("{error}"));
}

fn number_of(event: &Value) -> i64 {
    event["payload"]["variables"][0]["number"].as_i64().unwrap_or_else(|| panic!("{event}"))
}

fn arguments_of(user: &User) -> Vec<String> {
    user.arguments()
}

#[test]
fn traps_and_informs_of_every_version_are_kept_and_shown() {
    let tools = require!(NetSnmp::new());
    let ops = tools.user("priv-SHA-256-AES").clone();
    let v1 = format!("[credentials.old]\nversion = \"v1\"\ncommunity = \"{}\"\n", Snmpd::WRITE_COMMUNITY);
    let home = NodeHome::new(&[lab(), v1, user("ops", &ops)].concat());
    let node = home.start();
    let v3 = arguments_of(&ops);
    let v3: Vec<&str> = v3.iter().map(String::as_str).collect();
    let v2c = ["-v2c", "-c", Snmpd::READ_COMMUNITY];
    send_v1(&tools, &node, Snmpd::WRITE_COMMUNITY, 1);
    send(&tools, &node, &v2c, 2).unwrap();
    send(&tools, &node, &[&v3[..], &["-e", SENDER_ENGINE]].concat(), 3).unwrap();
    // An inform that is acknowledged is stored: nothing is waited for.
    for (number, credentials) in [(4, &v2c[..]), (5, &v3)] {
        send(&tools, &node, &[credentials, &["-Ci"]].concat(), number).unwrap_or_else(|error| panic!("{error}"));
        let stored: Vec<i64> = node.traps().iter().map(number_of).collect();
        assert!(stored.contains(&i64::from(number)), "{number} of {stored:?}");
    }
    let mut events = wait_until("all are stored", || Some(node.traps()).filter(|traps| traps.len() == 5));
    events.sort_by_key(number_of);
    let told = |name: &str| -> Vec<Value> { events.iter().map(|event| event["payload"][name].clone()).collect() };
    assert_eq!(told("version"), [json!("v1"), json!("v2c"), json!("v3"), json!("v2c"), json!("v3")]);
    assert_eq!(told("kind"), [json!("trap"), json!("trap"), json!("trap"), json!("inform"), json!("inform")]);
    assert_eq!(told("credentials"), [json!("old"), json!("lab"), json!("ops"), json!("lab"), json!("ops")]);
    assert_eq!(told("security_level")[2..5], [json!("authPriv"), Value::Null, json!("authPriv")]);
    assert!(told("trap").iter().all(|trap| trap == "IF-MIB::linkDown"), "{events:?}");
    assert_eq!((&told("agent_address")[0], &told("uptime_s")[0]), (&json!("192.0.2.44"), &json!(42.0)));
    assert_eq!(told("engine_id")[2], "80001f88047472617073");
    assert_eq!(node.metric("hamsa_informs_acknowledged_total"), 2.0);
    assert_eq!(node.metric("hamsa_notifications_total{result=\"trap\"}"), 3.0);

    let url = node.url();
    let rows = json_lines(&run(&["traps", "--url", &url, "-o", "json"]).ok());
    assert_eq!(rows.len(), 5);
    let table = run(&["traps", "--url", &url]).ok();
    assert_eq!(table.matches("IF-MIB::linkDown").count(), 5, "{table}");
    let page = node.get("/traps").text();
    assert!((1..=5).all(|number| page.contains(&format!("ifIndex.{number}"))), "{page}");
    let browser = require!(Browser::start());
    browser.open(&format!("{url}/traps"));
    browser.wait_for("document.querySelectorAll('#trap-rows tr').length === 5");
    assert!(browser.text("#trap-rows").contains("authPriv"));
}

#[test]
fn notifications_with_wrong_credentials_are_counted_and_never_kept() {
    let tools = require!(NetSnmp::new());
    let ops = tools.user("priv-SHA-256-AES").clone();
    let other = format!("[credentials.other]\nversion = \"v2c\"\ncommunity = \"{}\"\n", Snmpd::WRITE_COMMUNITY);
    let home = NodeHome::new(&[lab(), other, user("ops", &ops)].concat());
    let text = std::fs::read_to_string(home.config()).unwrap();
    // `other` polls, but is not let in.
    std::fs::write(home.config(), text.replace("[traps]\n", "[traps]\naccept = [\"lab\", \"ops\"]\n")).unwrap();
    let node = home.start();
    let rejected = || node.metric("hamsa_notifications_total{result=\"rejected\"}");
    let ops = arguments_of(&ops);
    let ops: Vec<&str> = ops.iter().map(String::as_str).collect();
    let with = |from: &'static str, to: &'static str| -> Vec<&str> {
        ops.iter().map(|&argument| if argument == from { to } else { argument }).collect()
    };
    let wrong_password = with("authentication-pass", "another-password");
    let wrong_key = with("privacy-pass", "another-password");
    let stranger = with("priv-SHA-256-AES", "stranger");
    let less_secure: Vec<&str> = with("authPriv", "authNoPriv");
    let mut count = 0.0;
    for (number, credentials) in [
        ["-v2c", "-c", "stranger"].to_vec(),
        ["-v2c", "-c", Snmpd::WRITE_COMMUNITY].to_vec(),
        wrong_password,
        wrong_key,
        stranger,
        less_secure,
    ]
    .into_iter()
    .enumerate()
    {
        let number = 100 + number as u32;
        let inform = [&credentials[..], &["-Ci"]].concat();
        send(&tools, &node, &inform, number).expect_err("an inform that is not let in is not acknowledged");
        let trap = match credentials[0] {
            "-v3" => [&credentials[..], &["-e", SENDER_ENGINE]].concat(),
            _ => credentials.clone(),
        };
        send(&tools, &node, &trap, number).unwrap_or_else(|error| panic!("{error}"));
        wait_until(&format!("{credentials:?} is turned away"), || (rejected() >= count + 2.0).then_some(()));
        count = rejected();
    }
    // One that is let in comes after them: had they been stored, they would be there.
    let inform = ["-v2c", "-c", Snmpd::READ_COMMUNITY, "-Ci"];
    send(&tools, &node, &inform, 1).unwrap_or_else(|error| panic!("{error}"));
    let stored: Vec<i64> = node.traps().iter().map(number_of).collect();
    assert_eq!(stored, [1]);
    assert_eq!(node.metric("hamsa_informs_acknowledged_total"), 1.0);
    let shown = node.process.stderr();
    assert!(!shown.contains("stranger") && !shown.contains("another-password"), "{shown}");
}
