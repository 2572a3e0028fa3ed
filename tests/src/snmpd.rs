//! net-snmp's agent as a device to poll.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::net::free_udp;
use crate::netsnmp::{NetSnmp, isolated};
use crate::process::Process;
use crate::program::{Unavailable, program};
use crate::wait::wait_until;

/// The name of its configuration in its directory.
const CONFIGURATION: &str = "agent.conf";

/// A running snmpd on a loopback UDP address of its own. It knows one community to read, one to write, and every user
/// of [`NetSnmp::users`], who may read and write; all see the whole tree.
#[derive(Debug)]
pub struct Snmpd {
    process: Process,
    program: PathBuf,
    tools: NetSnmp,
    address: SocketAddr,
    engine_id: Vec<u8>,
    home: TempDir,
}

impl Snmpd {
    /// The community that may read.
    pub const READ_COMMUNITY: &'static str = "hamsa-ro";
    /// The community that may write.
    pub const WRITE_COMMUNITY: &'static str = "hamsa-rw";
    /// `sysLocation.0`.
    pub const LOCATION: &'static str = "a test";

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// snmpd or net-snmp's tools are not installed.
    ///
    /// # Panics
    /// It does not start or answer.
    pub fn start() -> Result<Self, Unavailable> {
        Self::start_with("")
    }

    /// Like [`Self::start`], with more lines for its snmpd.conf(5).
    ///
    /// # Errors
    /// As [`Self::start`].
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_with(more_configuration: &str) -> Result<Self, Unavailable> {
        let snmpd = program("snmpd")?;
        let tools = NetSnmp::new()?;
        let home = TempDir::with_prefix("hamsa-snmpd-").expect("a temporary directory");
        let address = free_udp();
        // RFC 3411 §5: net-snmp's enterprise 8072 with the first bit set, format 4 (text), and a text that no other
        // agent of this machine has.
        let engine_id = [&[0x80, 0x00, 0x1f, 0x88, 0x04][..], address.to_string().as_bytes()].concat();

        let mut configuration = format!(
            "agentAddress udp:{address}\nexactEngineID 0x{}\nsysLocation {}\nrocommunity {}\nrwcommunity {}\n",
            hexadecimal(&engine_id),
            Self::LOCATION,
            Self::READ_COMMUNITY,
            Self::WRITE_COMMUNITY,
        );
        for user in tools.users() {
            let _ =
                writeln!(configuration, "{}\nrwuser {} {}", user.create_user_line(None), user.name, user.conf_level());
        }
        configuration.push_str(more_configuration);
        std::fs::write(home.path().join(CONFIGURATION), configuration).expect("a configuration file");

        let process = spawn(&snmpd, home.path());
        let mut snmpd = Snmpd { process, program: snmpd, tools, address, engine_id, home };
        snmpd.wait_until_it_answers();
        Ok(snmpd)
    }

    /// Ends it and starts it anew at the same address, as an upgrade of the agent does: `sysUpTime` and its own
    /// counters begin at 0. It reads no files of the run before, so `snmpEngineBoots` stays as it was.
    ///
    /// # Panics
    /// It does not start or answer.
    pub fn restart(&mut self) {
        self.process.terminate();
        self.process = spawn(&self.program, self.home.path());
        self.wait_until_it_answers();
    }

    fn wait_until_it_answers(&mut self) {
        wait_until("snmpd answers", || {
            assert!(self.process.is_running(), "snmpd ended:\n{}", self.process.stderr());
            self.get(&["-v2c", "-c", Self::READ_COMMUNITY, "-t", "1", "-r", "0"], "1.3.6.1.2.1.1.3.0").ok()
        });
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its `snmpEngineID`.
    pub fn engine_id(&self) -> &[u8] {
        &self.engine_id
    }

    /// net-snmp's tools, with the users that it knows.
    pub fn tools(&self) -> &NetSnmp {
        &self.tools
    }

    /// Its process: to stop, kill or read it.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// What net-snmp's own `snmpget` reads from it, without the name and with strings in quotes: `"a test"`.
    ///
    /// # Errors
    /// snmpget's.
    pub fn get<S: AsRef<str>>(&self, credentials: &[S], oid: &str) -> Result<String, crate::ToolError> {
        let address = self.address.to_string();
        let credentials = credentials.iter().map(AsRef::as_ref);
        let value = self.tools.run("snmpget", credentials.chain(["-Oqv", &address, oid]))?;
        Ok(value.trim_end().to_owned())
    }
}

fn spawn(snmpd: &Path, home: &Path) -> Process {
    let mut command = Command::new(snmpd);
    // In the foreground, without files that need root, logging to standard error, reading this file only.
    isolated(&mut command, home).args(["-f", "-r", "-Le", "-C", "-c"]).arg(home.join(CONFIGURATION));
    Process::spawn("snmpd", &mut command)
}

/// Octets as lower-case hexadecimal digits.
pub(crate) fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{require, skip};

    const SYS_LOCATION: &str = "1.3.6.1.2.1.1.6.0";

    #[test]
    fn it_answers_both_communities_in_both_versions() {
        let snmpd = require!(Snmpd::start());
        for version in ["-v1", "-v2c"] {
            for community in [Snmpd::READ_COMMUNITY, Snmpd::WRITE_COMMUNITY] {
                let credentials = [version, "-c", community, "-t", "5"];
                assert_eq!(snmpd.get(&credentials, SYS_LOCATION).unwrap(), "\"a test\"", "{version} {community}");
            }
        }
        let stranger = ["-v2c", "-c", "public", "-t", "0.2", "-r", "0"];
        snmpd.get(&stranger, SYS_LOCATION).expect_err("it knows no other community");
    }

    #[test]
    fn it_answers_every_user() {
        let snmpd = require!(Snmpd::start());
        for user in snmpd.tools().users() {
            let credentials = [user.arguments(), vec!["-t".to_owned(), "5".to_owned()]].concat();
            let answer = snmpd.get(&credentials, SYS_LOCATION).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(answer, "\"a test\"", "{}", user.name);
        }
        let lacking = snmpd.tools().lacking();
        if !lacking.is_empty() {
            skip!("this build of net-snmp lacks {}; the other protocols passed", lacking.join(", "));
        }
        assert_eq!(snmpd.tools().users().len(), 43);
    }

    #[test]
    fn a_restarted_one_begins_anew() {
        let mut snmpd = require!(Snmpd::start());
        let credentials = ["-v2c", "-c", Snmpd::READ_COMMUNITY, "-t", "5"];
        let received = |snmpd: &Snmpd| -> u32 {
            snmpd.get(&credentials, "1.3.6.1.2.1.11.1.0").unwrap_or_else(|error| panic!("{error}")).parse().unwrap()
        };
        let (address, before) = (snmpd.address(), (0..40).map(|_| received(&snmpd)).max());
        snmpd.restart();
        assert!(Some(received(&snmpd)) < before, "its counters begin at 0");
        assert_eq!(snmpd.address(), address);
    }

    #[test]
    fn it_has_its_own_engine_and_configuration() {
        let snmpd = require!(Snmpd::start_with("sysName two\n"));
        let credentials = ["-v2c", "-c", Snmpd::READ_COMMUNITY, "-t", "5"];
        let engine_id = snmpd.get(&[&credentials[..], &["-Ox"]].concat(), "1.3.6.1.6.3.10.2.1.1.0").unwrap();
        let digits: String = engine_id.chars().filter(char::is_ascii_hexdigit).collect();
        assert_eq!(digits.to_lowercase(), hexadecimal(snmpd.engine_id()));
        assert_eq!(snmpd.get(&credentials, "1.3.6.1.2.1.1.5.0").unwrap(), "\"two\"");
    }
}
