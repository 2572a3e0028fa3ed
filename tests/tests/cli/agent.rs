//! Reading and changing: what `hamsa` prints is what net-snmp's tools print of the same agent.

use std::collections::BTreeMap;

use hamsa_testkit::{NetSnmp, Snmpd, require, skip};

use crate::run::{json_lines, read, run};

/// Subtrees that don't change while a test runs, but for their counters: system, interfaces, ifMIB, users, views.
const STEADY: [&str; 5] =
    [".1.3.6.1.2.1.1", ".1.3.6.1.2.1.2", ".1.3.6.1.2.1.31", ".1.3.6.1.6.3.15.1.2.2", ".1.3.6.1.6.3.16.1"];

const SYS_LOCATION: &str = "1.3.6.1.2.1.1.6.0";

/// Variables of numeric output by name. What moves is without its value; long hexadecimal strings, which net-snmp
/// breaks into lines, are whole.
fn variables(output: &str) -> BTreeMap<String, String> {
    let mut whole: Vec<String> = Vec::new();
    let is_end = |line: &str| line.contains("No more variables left") || line == "End of MIB";
    for line in output.lines().filter(|line| !is_end(line)) {
        match whole.last_mut() {
            Some(last) if !line.starts_with('.') => last.push_str(line),
            _ => whole.push(line.to_owned()),
        }
    }
    let moving = ["Counter32", "Counter64", "Gauge32", "Timeticks"];
    let split = |line: String| {
        let (name, value) = line.split_once(" = ").unwrap_or_else(|| panic!("{line}"));
        let kind = moving.iter().find(|kind| value.starts_with(*kind)).copied();
        (name.to_owned(), kind.map_or_else(|| value.trim_end().to_owned(), str::to_owned))
    };
    whole.into_iter().map(split).collect()
}

#[track_caller]
fn net_snmp(tools: &NetSnmp, tool: &str, arguments: &[&str]) -> String {
    tools.run(tool, arguments).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn walks_are_net_snmps() {
    let snmpd = require!(Snmpd::start());
    let address = snmpd.address().to_string();
    let user = snmpd.tools().user("priv-SHA-256-AES").arguments();
    let user: Vec<&str> = user.iter().map(String::as_str).collect();
    let community = Snmpd::READ_COMMUNITY;
    for credentials in [&["-v1", "-c", community][..], &["-v2c", "-c", community], &user] {
        for root in STEADY {
            let options = [credentials, &["-t", "5", "-On", &address, root]].concat();
            let ours = variables(&run(&[&["walk", "-m", ""], &options[..]].concat()).ok());
            let theirs = variables(&net_snmp(snmpd.tools(), "snmpwalk", &options));
            assert!(ours.len() >= 10, "{root}: {ours:?}");
            let differing: Vec<_> = ours.iter().filter(|&(name, value)| theirs.get(name) != Some(value)).collect();
            assert!(
                differing.is_empty() && ours.len() == theirs.len(),
                "{root} with {credentials:?}: {differing:?}\n{theirs:?}"
            );
        }
    }
}

#[test]
fn gets_are_net_snmps() {
    let snmpd = require!(Snmpd::start());
    let address = snmpd.address().to_string();
    // Neither these nor their successors move.
    let names = ["1.3.6.1.2.1.1.1.0", SYS_LOCATION, "1.3.6.1.2.1.1.77.0", "1.3.6.1.2.1.2.2.1.6.1"];
    let options = ["-v2c", "-c", Snmpd::READ_COMMUNITY, "-t", "5"];
    // Not `a`: net-snmp passes control characters on to the terminal, and we don't.
    for letters in ["-On", "-Onq", "-OnQ", "-Onv", "-Onx", "-Ont", "-One"] {
        for (command, tool, numbers) in
            [("get", "snmpget", None), ("getnext", "snmpgetnext", None), ("bulk", "snmpbulkget", Some("-Cn3r4"))]
        {
            // Quotes where types are left out, and lines within a value, are a matter of taste.
            let plain = |text: String| text.replace('"', "").split_whitespace().collect::<Vec<_>>().join(" ");
            let mut arguments = options.to_vec();
            arguments.extend(numbers);
            arguments.extend([letters, &address]);
            arguments.extend(names);
            let ours = run(&[&[command, "-m", ""], &arguments[..]].concat()).ok();
            let theirs = net_snmp(snmpd.tools(), tool, &arguments);
            assert_eq!(plain(ours), plain(theirs), "{command} {letters}");
        }
    }
}

#[test]
fn names_are_those_of_the_mib() {
    let snmpd = require!(Snmpd::start());
    let names = ["sysLocation.0", "SNMPv2-MIB::sysObjectID.0", "ifAdminStatus.1", "system.77.0"];
    let text = read(&snmpd, &["get"], &names).ok();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "SNMPv2-MIB::sysLocation.0 = STRING: a test");
    assert!(lines[1].starts_with("SNMPv2-MIB::sysObjectID.0 = OID: "), "{text}");
    assert_eq!(lines[2], "IF-MIB::ifAdminStatus.1 = INTEGER: up(1)");
    assert!(lines[3].ends_with(" = No Such Object available on this agent at this OID"), "{text}");
    assert_eq!(read(&snmpd, &["get", "-Oqv"], &["sysLocation.0"]).ok(), "a test\n");
    assert_eq!(read(&snmpd, &["walk", "-Os"], &["sysLocation.0"]).ok(), "sysLocation.0 = STRING: a test\n");
}

#[test]
fn every_pair_of_protocols_is_answered() {
    let snmpd = require!(Snmpd::start());
    let address = snmpd.address().to_string();
    for user in snmpd.tools().users() {
        let credentials = user.arguments();
        let credentials: Vec<&str> = credentials.iter().map(String::as_str).collect();
        let arguments = [&["get"], &credentials[..], &["-t", "5", "-Oqv", &address, SYS_LOCATION]].concat();
        assert_eq!(run(&arguments).ok(), "a test\n", "{}", user.name);
    }
    let lacking = snmpd.tools().lacking();
    if !lacking.is_empty() {
        skip!("this build of net-snmp lacks {}; the other protocols passed", lacking.join(", "));
    }
}

#[test]
fn a_set_changes_all_or_nothing() {
    let snmpd = require!(Snmpd::start_with("sysContact nobody\nsysName before\n"));
    // What the configuration sets can't be changed; notifications' tables can.
    let address = snmpd.address().to_string();
    let target = "SNMP-TARGET-MIB::snmpTargetAddr";
    let row = |column: &str| format!("{target}{column}.'mine'");
    let create = [
        (row("TDomain"), "o", "SNMPv2-TM::snmpUDPDomain"),
        (row("TAddress"), "x", "7f0000010050"),
        (row("Params"), "s", "p"),
        (row("RowStatus"), "=", "createAndGo"),
    ];
    let set = |bindings: &[(String, &str, &str)], community: &str| {
        let mut arguments = vec!["set", "-v2c", "-c", community, "-t", "5", &address];
        arguments.extend(bindings.iter().flat_map(|(name, kind, value)| [name.as_str(), *kind, *value]));
        run(&arguments)
    };
    let refused = set(&create, Snmpd::READ_COMMUNITY).failed(1);
    assert!(refused.contains("noAccess") && refused.contains("access control"), "{refused}");
    let changed = set(&create, Snmpd::WRITE_COMMUNITY).ok();
    assert!(changed.contains("snmpTargetAddrRowStatus.'mine' = INTEGER: createAndGo(4)"), "{changed}");
    let timeout = row("Timeout");
    assert_eq!(set(&[(timeout.clone(), "i", "77")], Snmpd::WRITE_COMMUNITY).ok().lines().count(), 1);
    let wrong = set(&[(timeout.clone(), "i", "99"), (row("RowStatus"), "i", "3")], Snmpd::WRITE_COMMUNITY).failed(1);
    assert!(wrong.contains("the agent answered"), "{wrong}");
    assert_eq!(read(&snmpd, &["get", "-Oqv"], &[timeout]).ok(), "77\n");
}

#[test]
fn json_is_an_object_a_variable_or_a_row() {
    let snmpd = require!(Snmpd::start());
    let variables = json_lines(&read(&snmpd, &["walk", "-o", "json"], &["ifTable"]).ok());
    let index = variables.iter().find(|variable| variable["name"] == "IF-MIB::ifIndex.1").expect("ifIndex.1");
    assert_eq!((&index["value"], &index["index"]["ifIndex"]), (&1.into(), &1.into()));
    let state =
        variables.iter().find(|variable| variable["name"] == "IF-MIB::ifAdminStatus.1").expect("ifAdminStatus.1");
    assert_eq!((&state["type"], &state["label"]), (&"INTEGER".into(), &"up".into()));
    assert!(variables.iter().all(|variable| variable["oid"].is_string() && variable["text"].is_string()));

    let rows = json_lines(&read(&snmpd, &["walk", "-o", "json", "--rows"], &["ifTable", "ifXTable"]).ok());
    let interfaces = variables.iter().filter(|v| v["name"].as_str().unwrap().contains("ifIndex.")).count();
    assert_eq!(rows.len(), interfaces, "one row an interface, whichever table");
    assert_eq!((&rows[0]["ifIndex"], &rows[0]["ifDescr"], &rows[0]["ifName"]), (&1.into(), &"lo".into(), &"lo".into()));
    assert!(rows[0]["ifHCInOctets"].is_u64() && rows[0]["ifAdminStatus"] == "up", "{}", rows[0]);
}

#[test]
fn csv_and_tables_have_a_header() {
    let snmpd = require!(Snmpd::start());
    let csv = read(&snmpd, &["walk", "-o", "csv", "--rows"], &["sysORTable"]).ok();
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("sysORIndex,sysORID,sysORDescr,sysORUpTime"));
    let rows = lines.clone().count();
    assert!(rows >= 5 && lines.next().is_some_and(|line| line.starts_with("1,")), "{csv}");
    let plain = read(&snmpd, &["get", "-o", "csv"], &["sysLocation.0"]).ok();
    let expected =
        "oid,name,instance,type,value,units\n1.3.6.1.2.1.1.6.0,SNMPv2-MIB::sysLocation.0,0,OCTET STRING,a test,\n";
    assert_eq!(plain, expected);

    let table = read(&snmpd, &["walk", "-o", "table"], &["system"]).ok();
    let header = table.lines().position(|line| line.starts_with("sysORIndex  sysORID")).expect("the header");
    assert_eq!(table.lines().nth(header - 1), Some("SNMPv2-MIB::sysORTable"));
    assert_eq!(table.lines().count(), header + 1 + rows);
    assert!(
        table.lines().any(|line| line.starts_with("SNMPv2-MIB::sysLocation.0") && line.ends_with("a test")),
        "{table}"
    );
    let two_tables = read(&snmpd, &["walk", "-o", "csv", "--rows"], &["system", "ifTable"]).failed(2);
    assert!(two_tables.contains("several tables"), "{two_tables}");
}

#[test]
fn mib_files_of_ones_own_give_names() {
    let snmpd = require!(Snmpd::start());
    let directory = tempfile::tempdir().unwrap();
    let module = "HAMSA-CLI-TEST-MIB DEFINITIONS ::= BEGIN\nIMPORTS OBJECT-TYPE, mib-2, Integer32 FROM SNMPv2-SMI;\n\
        cliPlace OBJECT-TYPE SYNTAX OCTET STRING MAX-ACCESS read-only STATUS current DESCRIPTION \"x\" ::= { mib-2 1 6 }\nEND\n";
    std::fs::write(directory.path().join("HAMSA-CLI-TEST-MIB.txt"), module).unwrap();
    let dir = directory.path().to_str().unwrap();
    let named = read(&snmpd, &["get", "-M", dir, "-Oqv"], &["HAMSA-CLI-TEST-MIB::cliPlace.0"]).ok();
    assert_eq!(named, "a test\n");
    assert_eq!(run(&["translate", "-M", dir, "cliPlace"]).ok(), ".1.3.6.1.2.1.1.6\n");
}
