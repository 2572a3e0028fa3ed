//! `snmpusm` against SNMP-USER-BASED-SM-MIB: users are cloned, their keys changed, and they are deleted.

use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId};
use hamsa_testkit::{NetSnmp, require};

use crate::support::{ADMIN, Agent, Manager, PASSWORD};

const SYS_DESCR: &str = ".1.3.6.1.2.1.1.1.0";

/// Every pair of protocols that the tools have too, in both spellings.
fn pairs(tools: &NetSnmp) -> Vec<(AuthProtocolId, &'static str, PrivProtocolId, &'static str)> {
    let auth = [
        (AuthProtocolId::Md5, "MD5"),
        (AuthProtocolId::Sha1, "SHA"),
        (AuthProtocolId::Sha224, "SHA-224"),
        (AuthProtocolId::Sha256, "SHA-256"),
        (AuthProtocolId::Sha384, "SHA-384"),
        (AuthProtocolId::Sha512, "SHA-512"),
    ];
    let privacy = [
        (PrivProtocolId::Des, "DES"),
        (PrivProtocolId::Aes128, "AES"),
        (PrivProtocolId::Aes192, "AES-192"),
        (PrivProtocolId::Aes256, "AES-256"),
    ];
    let lacking = tools.lacking();
    let all = auth.iter().flat_map(|&(a, auth)| privacy.iter().map(move |&(p, privacy)| (a, auth, p, privacy)));
    all.filter(|(_, auth, _, privacy)| !lacking.contains(auth) && !lacking.contains(privacy)).collect()
}

/// Changes the user's own keys. `snmpusm` ends well even where the answer never came: what it says counts.
#[track_caller]
fn change_password(user: &Manager<'_>, keys: &[&str], password: &str) {
    let said = user.run("snmpusm", keys, &["passwd", PASSWORD, password]);
    assert!(said.contains("successfully changed"), "{said}");
}

#[test]
fn users_are_cloned_get_new_keys_and_are_deleted() {
    let tools = require!(NetSnmp::new());
    for (auth_id, auth, priv_id, privacy) in pairs(&tools) {
        let agent = Agent::start(auth_id, priv_id);
        let admin = Manager::new(&tools, &agent, ADMIN, (auth, PASSWORD), Some((privacy, PASSWORD)));
        let created = admin.run("snmpusm", &[], &["create", "ann", ADMIN]);
        assert!(created.contains("created"), "{auth} {privacy}: {created}");
        admin.run("snmpvacm", &[], &["createSec2Group", "3", "ann", "admins"]);

        let ann = Manager::new(&tools, &agent, "ann", (auth, PASSWORD), Some((privacy, PASSWORD)));
        assert!(ann.run("snmpget", &[], &[SYS_DESCR]).contains("an agent under test"));
        // Her own keys: the answer must come in the old ones.
        change_password(&ann, &["-Ca"], "another-password");
        ann.refused("snmpget", &[], &[SYS_DESCR]);
        let ann = Manager::new(&tools, &agent, "ann", (auth, "another-password"), Some((privacy, PASSWORD)));
        assert!(ann.run("snmpget", &[], &[SYS_DESCR]).contains("an agent under test"));
        change_password(&ann, &["-Cx"], "a-third-password");
        let ann = Manager::new(&tools, &agent, "ann", (auth, "another-password"), Some((privacy, "a-third-password")));
        assert!(ann.run("snmpget", &[], &[SYS_DESCR]).contains("an agent under test"), "{auth} {privacy}");

        admin.run("snmpusm", &[], &["delete", "ann"]);
        assert!(ann.try_run("snmpget", &["-t", "1"], &[SYS_DESCR]).is_err());
        assert!(admin.run("snmpget", &[], &[SYS_DESCR]).contains("an agent under test"));
    }
}

#[test]
fn users_and_rights_outlive_the_agent() {
    let tools = require!(NetSnmp::new());
    let agent = Agent::start(AuthProtocolId::Sha256, PrivProtocolId::Aes128);
    let admin = Manager::new(&tools, &agent, ADMIN, ("SHA-256", PASSWORD), Some(("AES", PASSWORD)));
    admin.run("snmpusm", &[], &["create", "ann", ADMIN]);
    admin.run("snmpvacm", &[], &["createSec2Group", "3", "ann", "admins"]);
    let ann = Manager::new(&tools, &agent, "ann", ("SHA-256", PASSWORD), Some(("AES", PASSWORD)));
    change_password(&ann, &["-Ca", "-Cx"], "another-password");
    let contact = ".1.3.6.1.2.1.1.4.0";
    admin.run("snmpset", &[], &[contact, "s", "ann@example.net"]);

    let agent = agent.restart();
    let ann = Manager::new(&tools, &agent, "ann", ("SHA-256", "another-password"), Some(("AES", "another-password")));
    assert!(ann.run("snmpget", &[], &[contact]).contains("ann@example.net"));
    let admin = Manager::new(&tools, &agent, ADMIN, ("SHA-256", PASSWORD), Some(("AES", PASSWORD)));
    assert!(admin.run("snmpget", &[], &[".1.3.6.1.6.3.10.2.1.2.0"]).contains("INTEGER: 4"));
}
