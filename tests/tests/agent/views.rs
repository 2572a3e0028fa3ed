//! `snmpvacm` against SNMP-VIEW-BASED-ACM-MIB, and what it makes of everybody's rights.

use hamsa_snmp::agent::StorageType;
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId};
use hamsa_testkit::{NetSnmp, require};

use crate::support::{ADMIN, Agent, Manager, PASSWORD, user};

const SYS_DESCR: &str = ".1.3.6.1.2.1.1.1.0";
const SYS_CONTACT: &str = ".1.3.6.1.2.1.1.4.0";
const SNMP_IN_PKTS: &str = ".1.3.6.1.2.1.11.1.0";

#[test]
fn groups_views_and_rights_come_and_go() {
    let tools = require!(NetSnmp::new());
    let agent = Agent::start(AuthProtocolId::Sha1, PrivProtocolId::Aes128);
    let admin = Manager::new(&tools, &agent, ADMIN, ("SHA", PASSWORD), Some(("AES", PASSWORD)));
    agent.usm.put_user(&user("bob", AuthProtocolId::Sha256, None), StorageType::NonVolatile).unwrap();
    let bob = Manager::new(&tools, &agent, "bob", ("SHA-256", PASSWORD), None);
    let denied = "authorizationError";
    assert!(bob.refused("snmpget", &[], &[SYS_DESCR]).contains(denied));

    admin.run("snmpvacm", &[], &["createView", "system", ".1.3.6.1.2.1.1"]);
    admin.run("snmpvacm", &["-Ce"], &["createView", "system", ".1.3.6.1.2.1.1.6", "ff"]);
    admin.run("snmpvacm", &[], &["createView", "contact", ".1.3.6.1.2.1.1.4"]);
    admin.run("snmpvacm", &[], &["createSec2Group", "3", "bob", "readers"]);
    admin.run("snmpvacm", &[], &["createAccess", "readers", "3", "2", "1", "system", "contact", "system"]);
    assert!(bob.run("snmpget", &[], &[SYS_DESCR]).contains("an agent under test"));
    assert!(bob.run("snmpget", &[], &[SNMP_IN_PKTS]).contains("No Such Object"));
    assert!(bob.run("snmpget", &[], &[".1.3.6.1.2.1.1.6.0"]).contains("No Such Object"));
    assert!(bob.run("snmpset", &[], &[SYS_CONTACT, "s", "bob"]).contains("bob"));
    assert!(bob.refused("snmpset", &[], &[".1.3.6.1.2.1.1.5.0", "s", "x"]).contains("noAccess"));

    admin.run("snmpvacm", &[], &["deleteView", "contact", ".1.3.6.1.2.1.1.4"]);
    assert!(bob.refused("snmpset", &[], &[SYS_CONTACT, "s", "eve"]).contains(denied));
    admin.run("snmpvacm", &[], &["deleteAccess", "readers", "3", "2"]);
    admin.run("snmpvacm", &[], &["deleteSec2Group", "3", "bob"]);
    assert!(bob.refused("snmpget", &[], &[SYS_DESCR]).contains(denied));
    assert!(admin.refused("snmpvacm", &[], &["createSec2Group", "3", "bob", ""]).contains("wrongLength"));
}

#[test]
fn a_walk_shows_every_group_in_order() {
    let tools = require!(NetSnmp::new());
    let agent = Agent::start(AuthProtocolId::Sha512, PrivProtocolId::Aes256);
    let admin = Manager::new(&tools, &agent, ADMIN, ("SHA-512", PASSWORD), Some(("AES-256", PASSWORD)));
    let walked = admin.run("snmpwalk", &[], &[".1"]);
    for name in [
        ".1.3.6.1.2.1.1.1.0 = STRING: \"an agent under test\"",
        ".1.3.6.1.2.1.11.1.0 = Counter32: ",
        ".1.3.6.1.6.3.1.1.6.1.0 = INTEGER: 0",
        ".1.3.6.1.6.3.10.2.1.2.0 = INTEGER: 3",
        ".1.3.6.1.6.3.11.2.1.3.0 = Counter32: ",
        ".1.3.6.1.6.3.15.1.1.4.0 = Counter32: ",
        ".1.3.6.1.6.3.16.1.1.1.1.0 = \"\"",
    ] {
        assert!(walked.contains(name), "{name} is not in\n{walked}");
    }
    let bulk = admin.run("snmpbulkwalk", &["-Cr25"], &[".1"]);
    let names = |text: &str| -> Vec<String> {
        text.lines().filter_map(|line| Some(line.split_once(" = ")?.0.to_owned())).collect()
    };
    assert_eq!(names(&walked), names(&bulk));
}
