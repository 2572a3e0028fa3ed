//! net-snmp's command-line tools, with nothing of the system's or the user's configuration, and the users that our
//! agents and receivers of net-snmp know.

use std::path::Path;
use std::process::{Command, ExitStatus};

use tempfile::TempDir;

use crate::limits::LIVENESS;
use crate::process::Process;
use crate::program::{Unavailable, program};

/// Every authentication protocol of net-snmp 5.9, as its tools spell them.
const AUTH_PROTOCOLS: &[&str] = &["MD5", "SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512"];

/// Every privacy protocol of net-snmp 5.9, as its tools spell them. `AES192C` and `AES256C` extend keys as Reeder's
/// draft (and Cisco) does, `AES-192` and `AES-256` as Blumenthal's.
const PRIV_PROTOCOLS: &[&str] = &["DES", "AES", "AES-192", "AES-256", "AES192C", "AES256C"];

/// An SNMPv3 user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name, which tells its protocols.
    pub name: String,
    /// Its authentication protocol and password, unless it has none.
    pub auth: Option<(&'static str, &'static str)>,
    /// Its privacy protocol and password, unless it has none.
    pub privacy: Option<(&'static str, &'static str)>,
}

impl User {
    /// `noAuthNoPriv`, `authNoPriv` or `authPriv`: the highest level that it can be used with.
    pub fn level(&self) -> &'static str {
        match (self.auth, self.privacy) {
            (None, _) => "noAuthNoPriv",
            (Some(_), None) => "authNoPriv",
            (Some(_), Some(_)) => "authPriv",
        }
    }

    /// The options that make net-snmp's tools (and ours) use it.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["-v3", "-l", self.level(), "-u", &self.name];
        for (options, given) in [(["-a", "-A"], self.auth), (["-x", "-X"], self.privacy)] {
            if let Some((protocol, password)) = given {
                arguments.extend([options[0], protocol, options[1], password]);
            }
        }
        arguments.into_iter().map(str::to_owned).collect()
    }

    /// The line of snmpd.conf(5) that makes it known, at the engine of that id (in hexadecimal) or at the reader's own.
    pub(crate) fn create_user_line(&self, engine_id: Option<&str>) -> String {
        let engine = engine_id.map(|id| format!("-e 0x{id} ")).unwrap_or_default();
        let mut line = format!("createUser {engine}{}", self.name);
        for (protocol, password) in [self.auth, self.privacy].into_iter().flatten() {
            line.push_str(&format!(" {protocol} {password}"));
        }
        line
    }

    /// The level as snmpd.conf(5) and snmptrapd.conf(5) spell it.
    pub(crate) fn conf_level(&self) -> &'static str {
        match self.level() {
            "noAuthNoPriv" => "noauth",
            "authNoPriv" => "auth",
            _ => "priv",
        }
    }
}

/// Why a tool gave no answer, with all that it said.
#[derive(Debug, Clone)]
pub struct ToolError {
    /// The command as a person would type it.
    pub command: String,
    /// How it ended; `None` where it was killed because time was up.
    pub status: Option<ExitStatus>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl std::fmt::Display for ToolError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.status {
            Some(status) => write!(f, "`{}`: {status}", self.command)?,
            None => write!(f, "`{}`: not done in {} s, killed", self.command, LIVENESS.as_secs())?,
        }
        write!(f, "\n{}{}", self.stdout, self.stderr)
    }
}

impl std::error::Error for ToolError {}

/// net-snmp's tools, and what its build can do.
#[derive(Debug)]
pub struct NetSnmp {
    home: TempDir,
    users: Vec<User>,
}

impl NetSnmp {
    /// Finds the tools and asks them for their protocols.
    ///
    /// # Errors
    /// They are not installed.
    ///
    /// # Panics
    /// They don't say what they can do.
    pub fn new() -> Result<Self, Unavailable> {
        let snmpget = program("snmpget")?;
        let home = TempDir::with_prefix("hamsa-net-snmp-").expect("a temporary directory");
        let output =
            Process::spawn("snmpget", isolated(&mut Command::new(snmpget), home.path()).arg("-h")).finish(LIVENESS);
        let help = output.expect("snmpget shows its help").stderr;
        let words: Vec<&str> = help.split(|c: char| c != '-' && !c.is_ascii_alphanumeric()).collect();
        // The help leaves out the Reeder variants, which are in every build that has AES-192.
        let has = |protocol: &&str| words.contains(protocol) || (protocol.ends_with('C') && words.contains(&"AES-192"));
        let auth: Vec<&str> = AUTH_PROTOCOLS.iter().copied().filter(has).collect();
        let privacy: Vec<&str> = PRIV_PROTOCOLS.iter().copied().filter(has).collect();
        assert!(!auth.is_empty() && !privacy.is_empty(), "snmpget names no protocols:\n{help}");
        Ok(NetSnmp { home, users: users(&auth, &privacy) })
    }

    /// A user for each level and pair of protocols of this build: `none`, `auth-MD5`, …, `priv-SHA-256-AES`, …
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// The user of that name.
    ///
    /// # Panics
    /// There is none.
    #[track_caller]
    pub fn user(&self, name: &str) -> &User {
        let found = self.users.iter().find(|user| user.name == name);
        found.unwrap_or_else(|| panic!("no user `{name}`: this build of net-snmp lacks a protocol, or it is misspelt"))
    }

    /// The protocols of net-snmp 5.9 that this build lacks.
    pub fn lacking(&self) -> Vec<&'static str> {
        let used: Vec<&str> =
            self.users.iter().flat_map(|user| [user.auth, user.privacy]).flatten().map(|(name, _)| name).collect();
        AUTH_PROTOCOLS.iter().chain(PRIV_PROTOCOLS).copied().filter(|protocol| !used.contains(protocol)).collect()
    }

    /// Runs a tool such as `snmpget` to its end and returns its standard output. It sees no configuration and no MIBs:
    /// names are numbers.
    ///
    /// # Errors
    /// It says that something went wrong, or isn't done in time.
    ///
    /// # Panics
    /// It is not installed, though `snmpget` is.
    pub fn run<I: IntoIterator<Item: AsRef<str>>>(&self, tool: &str, arguments: I) -> Result<String, ToolError> {
        let path = program(tool).unwrap_or_else(|unavailable| panic!("{unavailable}"));
        let arguments: Vec<String> = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        let mut command = Command::new(path);
        let process = Process::spawn(tool, isolated(&mut command, self.home.path()).args(&arguments));
        let error = |status, stdout, stderr| {
            let command = format!("{tool} {}", arguments.join(" "));
            ToolError { command, status, stdout, stderr }
        };
        match process.finish(LIVENESS) {
            Some(output) if output.status.success() => Ok(output.stdout),
            Some(output) => Err(error(Some(output.status), output.stdout, output.stderr)),
            None => Err(error(None, String::new(), String::new())),
        }
    }
}

/// Makes a program of net-snmp keep all its files in `home`, find none elsewhere, and load no MIBs.
pub(crate) fn isolated<'a>(command: &'a mut Command, home: &Path) -> &'a mut Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    command
        .env_clear()
        .env("PATH", path)
        .envs([("HOME", home), ("SNMPCONFPATH", home), ("SNMP_PERSISTENT_DIR", home), ("MIBDIRS", home)])
        .env("MIBS", "")
        .current_dir(home)
}

fn users(auth_protocols: &[&'static str], priv_protocols: &[&'static str]) -> Vec<User> {
    let mut users = vec![User { name: "none".to_owned(), auth: None, privacy: None }];
    for &auth in auth_protocols {
        let with_auth = User { name: format!("auth-{auth}"), auth: Some((auth, "authentication-pass")), privacy: None };
        users.extend(priv_protocols.iter().map(|&privacy| User {
            name: format!("priv-{auth}-{privacy}"),
            privacy: Some((privacy, "privacy-pass")),
            ..with_auth.clone()
        }));
        users.push(with_auth);
    }
    users
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{free_udp, require};

    #[test]
    fn users_cover_all_pairs() {
        let users = users(AUTH_PROTOCOLS, PRIV_PROTOCOLS);
        assert_eq!(users.len(), 1 + 6 + 6 * 6);
        let user = users.iter().find(|user| user.name == "priv-SHA-256-AES").unwrap();
        let expected = "-v3 -l authPriv -u priv-SHA-256-AES -a SHA-256 -A authentication-pass -x AES -X privacy-pass";
        assert_eq!(user.arguments().join(" "), expected);
    }

    #[test]
    fn a_tool_that_gets_no_answer_says_so() {
        let tools = require!(NetSnmp::new());
        let nobody = free_udp().to_string();
        let arguments = ["-v2c", "-c", "public", "-t", "0.2", "-r", "0", &nobody, "1.3.6.1.2.1.1.1.0"];
        let error = tools.run("snmpget", arguments).unwrap_err();
        assert!(error.status.is_some_and(|status| !status.success()), "{error}");
        assert!(error.to_string().contains("Timeout"), "{error}");
    }
}
