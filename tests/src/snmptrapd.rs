//! net-snmp's notification receiver, as the judge of notifications that we send.

use std::fmt::Write;
use std::net::SocketAddr;
use std::process::Command;

use tempfile::TempDir;

use crate::net::free_udp;
use crate::netsnmp::{NetSnmp, isolated};
use crate::process::Process;
use crate::program::{Unavailable, program};
use crate::snmpd::hexadecimal;
use crate::wait::wait_until;

/// A line of output for each notification: what it is, then name and value of each variable, with tabs between.
const FORMAT: &str = "hamsa\t%P\t%v\n";

/// What is sent to see that it listens: an OID that net-snmp keeps free for such uses (NET-SNMP-MIB, `netSnmpPlaypen`).
const READINESS_OID: &str = "1.3.6.1.4.1.8072.9999.9999.1";

/// A running snmptrapd on a loopback UDP address of its own. It takes what one community or any user of
/// [`NetSnmp::users`] sends.
#[derive(Debug)]
pub struct Snmptrapd {
    process: Process,
    tools: NetSnmp,
    address: SocketAddr,
    engine_id: Vec<u8>,
    _home: TempDir,
}

/// A notification that it received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Version, kind and who sent it, as snmptrapd says it: `TRAP2, SNMP v3, user auth-SHA, context `.
    pub security: String,
    /// The variables as `.1.3.6.1.2.1.1.3.0 = 5`: numeric names, values without types, strings in quotes.
    pub variables: Vec<String>,
}

impl Notification {
    /// The value of a variable; its name in numbers, with a dot before.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.variables.iter().find_map(|variable| variable.strip_prefix(name)?.strip_prefix(' '))
    }

    /// Whether it tells of this.
    pub fn is_of(&self, trap: &str) -> bool {
        self.value(".1.3.6.1.6.3.1.1.4.1.0") == Some(trap)
    }
}

impl Snmptrapd {
    /// The community that may send.
    pub const COMMUNITY: &'static str = "hamsa-trap";

    /// Starts it and waits until it listens. `sender_engine_id` is that of who will send SNMPv3 traps, for which the
    /// sender's engine is the authoritative one (RFC 3414 §1.5.1); informs need none.
    ///
    /// # Errors
    /// snmptrapd or net-snmp's tools are not installed.
    ///
    /// # Panics
    /// It does not start or listen.
    pub fn start(sender_engine_id: Option<&[u8]>) -> Result<Self, Unavailable> {
        let snmptrapd = program("snmptrapd")?;
        let tools = NetSnmp::new()?;
        let home = TempDir::with_prefix("hamsa-snmptrapd-").expect("a temporary directory");
        let address = free_udp();
        let engine_id = sender_engine_id.map(hexadecimal);
        // As snmpd's: format 4 (text), and a text that no other receiver of this machine has.
        let own_engine_id = [&[0x80, 0x00, 0x1f, 0x88, 0x04][..], address.to_string().as_bytes()].concat();
        let mut configuration =
            format!("exactEngineID 0x{}\nauthCommunity log {}\n", hexadecimal(&own_engine_id), Self::COMMUNITY);
        for user in tools.users() {
            let _ = writeln!(configuration, "{}", user.create_user_line(None));
            if let Some(engine_id) = &engine_id {
                let _ = writeln!(configuration, "{}", user.create_user_line(Some(engine_id)));
            }
            let _ = writeln!(configuration, "authUser log {} {}", user.name, user.conf_level());
        }
        let path = home.path().join("receiver.conf");
        std::fs::write(&path, configuration).expect("a configuration file");

        let mut command = Command::new(snmptrapd);
        // In the foreground, logging to standard output, numbers for names and addresses, reading this file only.
        let options = ["-f", "-Lo", "-n", "-Onq", "-F", FORMAT, "-C", "-c"];
        isolated(&mut command, home.path()).args(options).arg(&path).arg(format!("udp:{address}"));
        let process = Process::spawn("snmptrapd", &mut command);
        let mut receiver = Snmptrapd { process, tools, address, engine_id: own_engine_id, _home: home };
        let destination = address.to_string();
        let inform = ["-v2c", "-c", Self::COMMUNITY, "-Ci", "-t", "1", "-r", "0", &destination, "", READINESS_OID];
        wait_until("snmptrapd acknowledges an inform", || {
            assert!(receiver.process.is_running(), "snmptrapd ended:\n{}", receiver.process.stdout());
            receiver.tools.run("snmptrap", inform).ok()
        });
        Ok(receiver)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for a notification that is so.
    ///
    /// # Panics
    /// None comes; `what` is in the message.
    #[track_caller]
    pub fn hears(&self, what: &str, is_so: impl Fn(&Notification) -> bool) -> Notification {
        wait_until(what, || self.received().into_iter().find(|notification| is_so(notification)))
    }

    /// Its `snmpEngineID`, which informs by SNMPv3 are for.
    pub fn engine_id(&self) -> &[u8] {
        &self.engine_id
    }

    /// net-snmp's tools, with the users that it knows.
    pub fn tools(&self) -> &NetSnmp {
        &self.tools
    }

    /// What it has received so far, in order.
    pub fn received(&self) -> Vec<Notification> {
        let output = self.process.stdout();
        let notifications = output.split_inclusive('\n').filter_map(|line| {
            let mut fields = line.strip_suffix('\n')?.strip_prefix("hamsa\t")?.split('\t');
            let security = fields.next()?.to_owned();
            Some(Notification { security, variables: fields.map(str::to_owned).collect() })
        });
        notifications
            .filter(|notification| !notification.variables.iter().any(|text| text.contains(READINESS_OID)))
            .collect()
    }

    /// Waits until it has received `count` notifications, and returns all.
    ///
    /// # Panics
    /// They don't come.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Notification> {
        wait_until(&format!("snmptrapd receives {count} notifications"), || {
            let received = self.received();
            (received.len() >= count).then_some(received)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::require;

    const SENDER: &[u8] = &[0x80, 0x00, 0x1f, 0x88, 0x04, b's', b'e', b'n', b'd', b'e', b'r'];
    const TRAP: [&str; 5] = ["7", "1.3.6.1.6.3.1.1.5.3", "1.3.6.1.2.1.2.2.1.1.3", "i", "3"];

    fn send(receiver: &Snmptrapd, credentials: &[&str]) {
        let destination = receiver.address().to_string();
        let arguments = [credentials, &["-t", "5", &destination], &TRAP].concat();
        receiver.tools().run("snmptrap", arguments).unwrap_or_else(|error| panic!("{error}"));
    }

    #[test]
    fn it_tells_what_was_sent() {
        let receiver = require!(Snmptrapd::start(None));
        assert_eq!(receiver.received(), []);
        send(&receiver, &["-v2c", "-c", Snmptrapd::COMMUNITY]);
        let received = receiver.wait_for(1);
        assert!(
            received[0].security.contains("v2c") && received[0].security.contains(Snmptrapd::COMMUNITY),
            "{received:?}"
        );
        let expected = [
            ".1.3.6.1.2.1.1.3.0 0:0:00:00.07",
            ".1.3.6.1.6.3.1.1.4.1.0 .1.3.6.1.6.3.1.1.5.3",
            ".1.3.6.1.2.1.2.2.1.1.3 3",
        ];
        assert_eq!(received[0].variables, expected);
    }

    #[test]
    fn it_knows_the_users_of_traps_and_informs() {
        let receiver = require!(Snmptrapd::start(Some(SENDER)));
        let engine_id = format!("0x{}", hexadecimal(SENDER));
        let users: Vec<_> = ["none", "auth-SHA-512", "priv-SHA-256-AES"].map(|name| receiver.tools().user(name)).into();
        for user in &users {
            let credentials = user.arguments();
            let credentials: Vec<&str> = credentials.iter().map(String::as_str).collect();
            send(&receiver, &[&credentials[..], &["-e", &engine_id]].concat());
            send(&receiver, &[&credentials[..], &["-Ci"]].concat());
        }
        let received = receiver.wait_for(2 * users.len());
        for (user, pair) in users.iter().zip(received.chunks(2)) {
            assert!(pair[0].security.contains("TRAP2") && pair[1].security.contains("INFORM"), "{pair:?}");
            assert!(pair.iter().all(|notification| notification.security.contains(&user.name)), "{pair:?}");
        }
    }

    #[test]
    fn it_takes_nothing_from_strangers() {
        let receiver = require!(Snmptrapd::start(None));
        send(&receiver, &["-v2c", "-c", "stranger"]);
        send(&receiver, &["-v2c", "-c", Snmptrapd::COMMUNITY]);
        let received = receiver.wait_for(1);
        assert!(received.iter().all(|notification| !notification.security.contains("stranger")), "{received:?}");
    }
}
