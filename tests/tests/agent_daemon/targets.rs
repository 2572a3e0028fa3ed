//! Targets of notifications, configured by a manager with `snmpset`.

use std::net::SocketAddr;

use hamsa_testkit::{NetSnmp, User};

use crate::support::Agent;

/// A target of an agent.
pub struct Target<'a> {
    /// Its name in all tables, and its tag.
    pub name: &'a str,
    pub address: SocketAddr,
    /// The user whose name messages are sent in; else the community of this name in the agent's configuration.
    pub by: Result<&'a User, &'a str>,
    pub is_inform: bool,
}

/// Adds it, in the name of a user who may.
pub fn add(agent: &Agent, tools: &NetSnmp, admin: &User, target: &Target<'_>) {
    let SocketAddr::V4(v4) = target.address else { panic!("an IPv4 address") };
    let octets = v4.ip().octets().into_iter().chain(v4.port().to_be_bytes());
    let address: String = octets.map(|octet| format!("{octet:02x}")).collect();
    let row = dotted(target.name);
    let (model, security, name, level) = match target.by {
        Ok(user) => {
            let level = ["noAuthNoPriv", "authNoPriv", "authPriv"].iter().position(|level| *level == user.level());
            ("3", "3", &*user.name, (level.unwrap() + 1).to_string())
        }
        Err(community) => ("1", "2", community, "1".to_owned()),
    };
    let set = |entry: &str, cells: &[(u32, &str, &str)]| {
        let names: Vec<String> =
            cells.iter().map(|(column, ..)| format!("1.3.6.1.6.3.{entry}.{column}{row}")).collect();
        let cells: Vec<&str> =
            names.iter().zip(cells).flat_map(|(name, (_, kind, value))| [&**name, kind, value]).collect();
        set(agent, tools, admin, &cells);
    };
    set("12.1.3.1", &[(7, "i", "4"), (2, "i", model), (3, "i", security), (4, "s", name), (5, "i", &level)]);
    let own = target.name;
    let address = [(2, "o", ".1.3.6.1.6.1.1"), (3, "x", &address), (4, "i", "500"), (5, "i", "20"), (6, "s", own)];
    set("12.1.2.1", &[&[(9, "i", "4"), (7, "s", own)][..], &address].concat());
    set("13.1.1.1", &[(5, "i", "4"), (2, "s", own), (3, "i", if target.is_inform { "2" } else { "1" })]);
}

/// One SET.
pub fn set(agent: &Agent, tools: &NetSnmp, admin: &User, cells: &[&str]) {
    agent.tool(tools, "snmpset", &admin.arguments(), cells).unwrap_or_else(|error| panic!("{error}"));
}

/// A text as the arcs of an implied index.
pub fn dotted(text: &str) -> String {
    text.bytes().map(|octet| format!(".{octet}")).collect()
}
