//! Targets of notifications, as a manager configures them with `snmpset` (SNMP-TARGET-MIB, SNMP-NOTIFICATION-MIB).

use std::net::SocketAddr;

use crate::netsnmp::User;

/// A target, and that it wants to know all.
#[derive(Debug, Clone, Copy)]
pub struct NotificationTarget<'a> {
    /// Its name in all tables, and its tag.
    pub name: &'a str,
    /// Where it listens.
    pub address: SocketAddr,
    /// The user whose name messages are sent in, by SNMPv3; else the `securityName` of a community, by SNMPv2c.
    pub by: Result<&'a User, &'a str>,
    /// Whether it must acknowledge what it is told.
    pub is_inform: bool,
}

impl NotificationTarget<'_> {
    /// The arguments of `snmpset`, one SET for each table: parameters, address, and that it is told.
    ///
    /// # Panics
    /// The address is no IPv4 address.
    pub fn sets(&self) -> [Vec<String>; 3] {
        let [params, address] = self.target_sets();
        let kind = if self.is_inform { "2" } else { "1" };
        let notify = self.row("13.1.1.1", &[(5, "i", "4"), (2, "s", self.name), (3, "i", kind)]);
        [params, address, notify]
    }

    /// The same, but it is told nothing.
    ///
    /// # Panics
    /// As [`Self::sets`].
    pub fn target_sets(&self) -> [Vec<String>; 2] {
        let SocketAddr::V4(v4) = self.address else { panic!("an IPv4 address") };
        let octets = v4.ip().octets().into_iter().chain(v4.port().to_be_bytes());
        let address: String = octets.map(|octet| format!("{octet:02x}")).collect();
        let (model, security, name, level) = match self.by {
            Ok(user) => ("3", "3", &*user.name, user.level()),
            Err(community) => ("1", "2", community, "noAuthNoPriv"),
        };
        let level = match level {
            "noAuthNoPriv" => "1",
            "authNoPriv" => "2",
            _ => "3",
        };
        let params = [(7, "i", "4"), (2, "i", model), (3, "i", security), (4, "s", name), (5, "i", level)];
        let own = self.name;
        // 5 s and 20 more tries: a busy machine is no failure.
        let way = [(2, "o", ".1.3.6.1.6.1.1"), (3, "x", &address), (4, "i", "500"), (5, "i", "20")];
        let address = [&[(9, "i", "4"), (6, "s", own), (7, "s", own)][..], &way].concat();
        [self.row("12.1.3.1", &params), self.row("12.1.2.1", &address)]
    }

    fn row(&self, entry: &str, cells: &[(u32, &str, &str)]) -> Vec<String> {
        let index: String = self.name.bytes().map(|octet| format!(".{octet}")).collect();
        let cell = |&(column, kind, value): &(u32, &str, &str)| {
            [format!("1.3.6.1.6.3.{entry}.{column}{index}"), kind.to_owned(), value.to_owned()]
        };
        cells.iter().flat_map(cell).collect()
    }
}
