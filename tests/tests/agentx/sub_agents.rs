//! snmpd's own objects through the agent: read, set, gone with it, and back again.

use hamsa_testkit::require;

use crate::support::{Agent, MODULES, NS_CACHE_ENABLED, NS_CACHE_TIMEOUT, UDP, V2C, names, sub_agent, wait_for};

const SYS_DESCR: &str = ".1.3.6.1.2.1.1.1.0";
const SYS_LOCATION: &str = ".1.3.6.1.2.1.1.6.0";

#[test]
fn a_sub_agents_objects_are_read_set_gone_with_it_and_back_again() {
    let agent = require!(Agent::start());
    let refused = agent.control(&["install", "MIB-module/AgentX"]).unwrap_err();
    assert!(refused.contains("is installed already"), "{refused}");
    let user = agent.user();
    let (mut snmpd, _home) = require!(sub_agent(&agent.socket(), MODULES));
    wait_for(&agent, NS_CACHE_TIMEOUT, true);
    wait_for(&agent, ".1.3.6.1.2.1.7.1.0", true);

    // What the agent serves itself stays its own: snmpd has tried to register system too.
    assert!(agent.get(&V2C, SYS_DESCR).contains("Hamsa"), "{}", agent.get(&V2C, SYS_DESCR));

    let walked = agent.tool("snmpwalk", &V2C, &[UDP]).unwrap();
    assert!(names(&walked).len() >= 4, "{walked}");
    for tool in ["snmpwalk", "snmpbulkwalk"] {
        let again = agent.tool(tool, &user, &[UDP]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(names(&again), names(&walked), "{tool}");
    }
    // A walk goes from the agent's own through the sub-agent's and out again.
    let all = names(&agent.tool("snmpbulkwalk", &user, &[".1.3"]).unwrap_or_else(|error| panic!("{error}")));
    assert!(names(&walked).iter().all(|name| all.contains(name)));
    assert!(all.contains(&SYS_DESCR.to_owned()) && all.iter().any(|name| name.starts_with(".1.3.6.1.6.3.10.")));

    for (credentials, seconds) in [(V2C.map(str::to_owned).to_vec(), "7"), (user.clone(), "8")] {
        agent
            .tool("snmpset", &credentials, &[NS_CACHE_TIMEOUT, "i", seconds])
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(agent.get(&user, NS_CACHE_TIMEOUT), format!("INTEGER: {seconds}"));
    }
    // All or nothing, over the sub-agent and the agent's own modules.
    let both = [SYS_LOCATION, "s", "elsewhere", NS_CACHE_TIMEOUT, "i", "9", NS_CACHE_ENABLED, "i", "99"];
    let refused = agent.tool("snmpset", &user, &both).unwrap_err();
    assert!(refused.stderr.contains("wrongValue") && refused.stderr.contains(NS_CACHE_ENABLED), "{refused}");
    assert_eq!(agent.get(&user, NS_CACHE_TIMEOUT), "INTEGER: 8");
    assert!(!agent.get(&user, SYS_LOCATION).contains("elsewhere"));
    let both = [SYS_LOCATION, "s", "elsewhere", NS_CACHE_TIMEOUT, "i", "9"];
    agent.tool("snmpset", &user, &both).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(agent.get(&user, NS_CACHE_TIMEOUT), "INTEGER: 9");
    assert_eq!(agent.get(&user, SYS_LOCATION), "STRING: \"elsewhere\"");

    snmpd.kill();
    wait_for(&agent, NS_CACHE_TIMEOUT, false);
    assert!(names(&agent.tool("snmpwalk", &V2C, &[UDP]).unwrap()).is_empty());
    let (_snmpd, _home) = require!(sub_agent(&agent.socket(), MODULES));
    wait_for(&agent, NS_CACHE_TIMEOUT, true);
    wait_for(&agent, ".1.3.6.1.2.1.7.1.0", true);
    assert_eq!(names(&agent.tool("snmpwalk", &V2C, &[UDP]).unwrap()).len(), names(&walked).len());
}
