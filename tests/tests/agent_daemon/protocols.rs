//! Every version, level and pair of protocols, with net-snmp's tools.

use hamsa_testkit::{NetSnmp, require};

use crate::support::{Agent, CONTACT, SYS_CONTACT, SYS_LOCATION, SYS_NAME, community};

#[test]
fn the_tools_read_and_write_with_every_version_and_pair_of_protocols() {
    let tools = require!(NetSnmp::new());
    let agent = Agent::start(tools.users(), "");
    let mut askers: Vec<(String, Vec<String>)> =
        tools.users().iter().map(|user| (user.name.clone(), user.arguments())).collect();
    askers.push(("v1".to_owned(), community("-v1", "private")));
    askers.push(("v2c".to_owned(), community("-v2c", "private")));
    for (name, who) in &askers {
        let run = |tool: &str, arguments: &[&str]| {
            agent.tool(&tools, tool, who, arguments).unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        let said = run("snmpget", &[SYS_CONTACT]);
        assert_eq!(said.trim(), format!(".{SYS_CONTACT} = STRING: \"{CONTACT}\""), "{name}");
        run("snmpset", &[SYS_NAME, "s", name, SYS_LOCATION, "s", name]);
        let said = run("snmpget", &[SYS_NAME, SYS_LOCATION]);
        assert_eq!(said.matches(&format!("\"{name}\"")).count(), 2, "{name}: {said}");
    }
    let readers = community("-v2c", "public");
    let refused = agent.tool(&tools, "snmpset", &readers, &[SYS_NAME, "s", "x"]).unwrap_err();
    assert!(refused.to_string().contains("authorizationError"), "{refused}");
    let nobody = agent.tool(&tools, "snmpget", &community("-v2c", "nobody's"), &["-t", "0.3", SYS_NAME]).unwrap_err();
    assert!(nobody.to_string().contains("Timeout"), "{nobody}");
}

#[test]
fn walks_by_getnext_and_getbulk_see_the_same_and_interfaces_of_this_host() {
    let tools = require!(NetSnmp::new());
    let user = tools.user("priv-SHA-256-AES").clone();
    let agent = Agent::start(std::slice::from_ref(&user), "");
    let who = user.arguments();
    let names = |text: &str| -> Vec<String> {
        text.lines().filter_map(|line| Some(line.split_once(" = ")?.0.to_owned())).collect()
    };
    // The snmp and IF counters grow in between: names are compared.
    for subtree in ["1.3.6.1.2.1.1", "1.3.6.1.2.1.2", "1.3.6.1.2.1.31", "1.3.6.1.6.3"] {
        let next = agent.tool(&tools, "snmpwalk", &who, &[subtree]).unwrap();
        let bulk = agent.tool(&tools, "snmpbulkwalk", &who, &[subtree]).unwrap();
        assert_eq!(names(&next), names(&bulk), "{subtree}");
        assert!(names(&next).len() > 4, "{subtree}: {next}");
    }
    let interfaces = std::fs::read_dir("/sys/class/net").unwrap().filter_map(Result::ok);
    // Bonding's control file is none.
    let count = interfaces.filter(|entry| entry.path().join("ifindex").exists()).count();
    let said = agent.tool(&tools, "snmpget", &who, &["1.3.6.1.2.1.2.1.0", "1.3.6.1.2.1.31.1.1.1.1.1"]).unwrap();
    assert!(said.contains(&format!("INTEGER: {count}\n")) && said.contains("\"lo\""), "{said}");
}
