//! Whom to ask, in whose name: from options, files, the environment, or a node's configuration.
//!
//! A secret on the command line is seen by everyone who can list processes, so there are other ways to give it. None
//! of them is ever shown.

use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use hamsa_node::config::{
    self, Config, Credentials, DeviceAddress, DeviceConfig, Privacy, Secret, Security, Surroundings,
    UserAuthentication, UserCredentials,
};
use hamsa_snmp::engine::{EngineId, Name};
use hamsa_snmp::manager::Timing;
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId};

use super::AgentAddress;
use crate::failure::{advised, usage};
use crate::limits::{MAX_RETRIES, MAX_SECRET_OCTETS, MAX_TIMEOUT};

/// What the credentials of the command line are called inside.
const COMMAND_LINE: &str = "command-line";

/// The community where none is given.
const DEFAULT_COMMUNITY: &[u8] = b"public";

/// Where a node's configuration is where none is named.
const DEFAULT_CONFIG: &str = "hamsa.toml";

/// A secret on the command line. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretArg(Secret);

impl SecretArg {
    /// Takes whatever is typed.
    pub fn parser() -> impl TypedValueParser<Value = SecretArg> {
        // Nothing is refused, so that no message about a wrong value can show it.
        OsStringValueParser::new().map(|text: OsString| SecretArg(Secret::new(text.into_vec())))
    }

    /// The secret.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

impl fmt::Debug for SecretArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretArg(hidden)")
    }
}

/// Options that say in whose name an agent is asked.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Credentials")]
pub struct CredentialOptions {
    /// Version of SNMP: 1, 2c or 3 [default: 3 with -u, else 2c]
    #[arg(short = 'v', long, value_name = "VERSION", value_parser = parse_version)]
    pub snmp_version: Option<Version>,
    /// Community of v1 and v2c; better in --community-file or HAMSA_COMMUNITY [default: public]
    #[arg(short = 'c', long, value_name = "COMMUNITY", value_parser = SecretArg::parser())]
    pub community: Vec<SecretArg>,
    /// File that holds the community
    #[arg(long, value_name = "FILE", conflicts_with = "community")]
    pub community_file: Option<PathBuf>,
    /// User of v3
    #[arg(short = 'u', long, value_name = "NAME")]
    pub user: Option<String>,
    /// noAuthNoPriv, authNoPriv or authPriv, or nanp, anp, ap [default: the highest that the protocols allow]
    #[arg(short = 'l', long, value_name = "LEVEL", value_parser = parse_level)]
    pub level: Option<SecurityLevel>,
    /// Authentication protocol: MD5, SHA, SHA-224, SHA-256, SHA-384 or SHA-512
    #[arg(short = 'a', long, value_name = "PROTOCOL")]
    pub auth_protocol: Option<AuthProtocolId>,
    /// Password for authentication; better in --auth-password-file or HAMSA_AUTH_PASSWORD
    #[arg(short = 'A', long, value_name = "PASSWORD", value_parser = SecretArg::parser())]
    pub auth_password: Option<SecretArg>,
    /// File that holds the password for authentication
    #[arg(long, value_name = "FILE", conflicts_with = "auth_password")]
    pub auth_password_file: Option<PathBuf>,
    /// Privacy protocol: DES, 3DES, AES, AES-192, AES-256, or AES-192-C, AES-256-C as Cisco makes the key
    #[arg(short = 'x', long, value_name = "PROTOCOL")]
    pub priv_protocol: Option<PrivProtocolId>,
    /// Password for privacy; better in --priv-password-file or HAMSA_PRIV_PASSWORD
    #[arg(short = 'X', long, value_name = "PASSWORD", value_parser = SecretArg::parser())]
    pub priv_password: Option<SecretArg>,
    /// File that holds the password for privacy
    #[arg(long, value_name = "FILE", conflicts_with = "priv_password")]
    pub priv_password_file: Option<PathBuf>,
    /// Context of v3
    #[arg(short = 'n', long, value_name = "NAME")]
    pub context: Option<String>,
    /// Engine ID of the agent, in hexadecimal: saves its discovery
    #[arg(short = 'e', long, value_name = "HEX", value_parser = parse_engine_id)]
    pub engine_id: Option<EngineId>,
    /// Engine ID of the context, in hexadecimal [default: the agent's]
    #[arg(short = 'E', long, value_name = "HEX", value_parser = parse_engine_id)]
    pub context_engine_id: Option<EngineId>,
}

/// Options that take an agent from a node's configuration.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "From a node's configuration")]
pub struct ConfigOptions {
    /// Configuration of a node [default: hamsa.toml, where --credentials or --device is given]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Use these credentials of the configuration
    #[arg(long, value_name = "NAME")]
    pub credentials: Option<String>,
    /// Ask this device of the configuration, with its credentials; AGENT is left out
    #[arg(long, value_name = "NAME", conflicts_with = "credentials")]
    pub device: Option<String>,
}

/// Options that say how long an answer is waited for.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Waiting")]
pub struct TimingOptions {
    /// Wait so many seconds for an answer, fractions allowed [default: 1]
    #[arg(short = 't', long, value_name = "SECONDS", value_parser = parse_timeout)]
    pub timeout: Option<Duration>,
    /// Send a request so many times again [default: 3]
    #[arg(short = 'r', long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(0..=i64::from(MAX_RETRIES)))]
    pub retries: Option<u8>,
}

impl TimingOptions {
    /// The same wait at each try.
    pub fn timing(&self) -> Timing {
        Timing::fixed(self.timeout.unwrap_or(Duration::from_secs(1)), self.retries.unwrap_or(3))
    }
}

/// An agent and how to ask it.
#[derive(Debug, Clone)]
pub struct Target {
    /// As the user named it.
    pub label: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// In whose name.
    pub credentials: Arc<Credentials>,
    /// `contextName`.
    pub context: Name,
    /// `contextEngineID`, where it is not the agent's own.
    pub context_engine_id: Option<EngineId>,
    /// Waits and retries.
    pub timing: Timing,
}

/// What the options of a command say about an agent.
#[derive(Clone, Copy)]
pub struct TargetOptions<'o> {
    pub credentials: &'o CredentialOptions,
    pub config: &'o ConfigOptions,
    pub timing: &'o TimingOptions,
    pub default_port: u16,
}

impl Target {
    /// Finds out whom to ask. Without `--device` the first argument is AGENT; the others are returned.
    ///
    /// # Errors
    /// The options contradict each other, a file can't be used, a name does not resolve.
    pub fn find<'a>(arguments: &'a [String], options: TargetOptions<'_>) -> anyhow::Result<(Target, &'a [String])> {
        let TargetOptions { credentials: given, config: configured, timing, default_port } = options;
        let config = configured.load()?;
        if let (Some(config), Some(name)) = (&config, &configured.device) {
            let device = find_device(config, name, configured.path())?;
            return Ok((Target::of_device(device, given, timing)?, arguments));
        }
        let Some((agent, rest)) = arguments.split_first() else {
            return Err(usage(
                "AGENT is missing: a host name or IP address, with :PORT where that is not the usual one",
            ));
        };
        let credentials = match (&config, &configured.credentials) {
            (Some(config), Some(name)) => find_credentials(config, name, configured.path())?,
            (Some(_), None) => return Err(usage("--config needs --credentials NAME or --device NAME with it")),
            _ => Arc::new(given.read(COMMAND_LINE)?),
        };
        let address = agent.parse::<AgentAddress>()?.resolve(default_port)?;
        let context = given.context(&credentials)?;
        let target = Target {
            label: agent.clone(),
            address,
            credentials,
            context,
            context_engine_id: given.context_engine_id,
            timing: timing.timing(),
        };
        Ok((target, rest))
    }

    fn of_device(device: &DeviceConfig, given: &CredentialOptions, timing: &TimingOptions) -> anyhow::Result<Target> {
        let (address, default_port) = match &device.address {
            DeviceAddress::Ip(address) => (*address, 0),
            DeviceAddress::Host { name, port } => (name.parse::<AgentAddress>()?.resolve(*port)?, *port),
        };
        debug_assert!(address.port() == default_port || default_port == 0);
        let mut context = given.context(&device.credentials)?;
        if given.context.is_none() && !device.context.is_empty() {
            context = device.context.clone();
        }
        let wait = timing.timeout.unwrap_or(device.timeout);
        Ok(Target {
            label: device.name.clone(),
            address,
            credentials: device.credentials.clone(),
            context,
            context_engine_id: given.context_engine_id,
            timing: Timing::fixed(wait, timing.retries.unwrap_or(device.retries)),
        })
    }
}

impl ConfigOptions {
    fn path(&self) -> &Path {
        self.config.as_deref().unwrap_or(Path::new(DEFAULT_CONFIG))
    }

    fn load(&self) -> anyhow::Result<Option<Config>> {
        let wanted = self.config.is_some() || self.credentials.is_some() || self.device.is_some();
        wanted.then(|| load_config(self.path())).transpose()
    }
}

impl CredentialOptions {
    /// The credentials that the options, the files that they name and the environment make.
    ///
    /// # Errors
    /// Something is missing or does not go together, or a file can't be read.
    pub fn read(&self, name: &str) -> anyhow::Result<Credentials> {
        let version = self.snmp_version.unwrap_or(if self.is_v3() { Version::V3 } else { Version::V2c });
        let security = match version {
            Version::V3 => Security::V3(self.read_user()?),
            _ if self.is_v3() => {
                return Err(usage(format!(
                    "-u, -l, -a, -x and their passwords go with -v3, not with -{}",
                    version.name()
                )));
            }
            Version::V1 => Security::V1(self.read_community()?),
            Version::V2c => Security::V2c(self.read_community()?),
        };
        Ok(Credentials { name: name.to_owned(), security })
    }

    /// Whether the options speak of a user.
    pub fn is_v3(&self) -> bool {
        self.snmp_version == Some(Version::V3)
            || self.user.is_some()
            || self.level.is_some()
            || self.auth_protocol.is_some()
            || self.priv_protocol.is_some()
            || self.auth_password.is_some()
            || self.priv_password.is_some()
            || self.auth_password_file.is_some()
            || self.priv_password_file.is_some()
    }

    /// Whether a community is given, in whatever way.
    pub fn has_community(&self) -> bool {
        !self.community.is_empty() || self.community_file.is_some() || std::env::var_os("HAMSA_COMMUNITY").is_some()
    }

    /// `contextName` of requests.
    fn context(&self, credentials: &Credentials) -> anyhow::Result<Name> {
        match (&self.context, &credentials.security) {
            (Some(_), Security::V1(_) | Security::V2c(_)) => Err(usage("-n: only SNMPv3 has contexts")),
            (Some(context), Security::V3(_)) => Name::new(context).map_err(|error| usage(format!("-n: {error}"))),
            (None, Security::V3(user)) => Ok(user.context.clone()),
            (None, _) => Ok(Name::default()),
        }
    }

    /// Every community that is given, for commands that try several; the default one where none is.
    ///
    /// # Errors
    /// A file can't be read.
    pub fn communities(&self) -> anyhow::Result<Vec<Secret>> {
        match self.community.as_slice() {
            [] => Ok(vec![self.read_community()?]),
            given => Ok(given.iter().map(|community| community.secret().clone()).collect()),
        }
    }

    fn read_community(&self) -> anyhow::Result<Secret> {
        // As with net-snmp the last one counts.
        let given = secret(self.community.last(), self.community_file.as_deref(), "HAMSA_COMMUNITY")?;
        Ok(given.unwrap_or_else(|| Secret::new(DEFAULT_COMMUNITY.to_vec())))
    }

    fn read_user(&self) -> anyhow::Result<UserCredentials> {
        let user = self.user.as_deref().filter(|user| !user.is_empty());
        let user = user.ok_or_else(|| usage("SNMPv3 needs a user: -u NAME"))?;
        let user = Name::new(user).map_err(|error| usage(format!("-u: {error}")))?;
        let authentication = match self.auth_protocol {
            None => {
                if self.auth_password.is_some() || self.auth_password_file.is_some() {
                    return Err(usage(
                        "-A needs -a, the protocol that the agent has for this user: MD5, SHA, SHA-256, ...",
                    ));
                }
                if self.priv_protocol.is_some() || self.priv_password.is_some() || self.priv_password_file.is_some() {
                    return Err(usage(
                        "there is no privacy without authentication (RFC 3411 §3.4.3): give -a and -A too",
                    ));
                }
                None
            }
            Some(protocol) => {
                let password =
                    secret(self.auth_password.as_ref(), self.auth_password_file.as_deref(), "HAMSA_AUTH_PASSWORD")?
                        .ok_or_else(|| usage("-a needs a password: -A, --auth-password-file or HAMSA_AUTH_PASSWORD"))?;
                Some(UserAuthentication { protocol, password, privacy: self.read_privacy()? })
            }
        };
        let highest = match &authentication {
            None => SecurityLevel::NoAuthNoPriv,
            Some(UserAuthentication { privacy: None, .. }) => SecurityLevel::AuthNoPriv,
            Some(_) => SecurityLevel::AuthPriv,
        };
        let level = self.level.unwrap_or(highest);
        if level > highest {
            let missing = if authentication.is_none() { "-a and -A" } else { "-x and -X" };
            return Err(usage(format!("-l {} needs {missing}", level.name())));
        }
        Ok(UserCredentials { user, level, authentication, context: Name::default(), engine_id: self.engine_id })
    }

    fn read_privacy(&self) -> anyhow::Result<Option<Privacy>> {
        let Some(protocol) = self.priv_protocol else {
            if self.priv_password.is_some() || self.priv_password_file.is_some() {
                return Err(usage("-X needs -x, the protocol that the agent has for this user: AES, DES, ..."));
            }
            return Ok(None);
        };
        let password = secret(self.priv_password.as_ref(), self.priv_password_file.as_deref(), "HAMSA_PRIV_PASSWORD")?
            .ok_or_else(|| usage("-x needs a password: -X, --priv-password-file or HAMSA_PRIV_PASSWORD"))?;
        Ok(Some(Privacy { protocol, password }))
    }
}

/// Reads a node's configuration.
///
/// # Errors
/// It has mistakes; they are told on standard error.
pub fn load_config(path: &Path) -> anyhow::Result<Config> {
    let profiles = |dirs: &[PathBuf]| hamsa_node::daemon::profile_names(dirs);
    let report = config::check(path, &Surroundings::of_process(&profiles));
    if report.config.is_none() {
        report.mistakes.iter().for_each(|mistake| crate::terminal::tell(&mistake.to_string()));
    }
    report.config.with_context(|| format!("{} has mistakes", path.display()))
}

fn find_device<'c>(config: &'c Config, name: &str, path: &Path) -> anyhow::Result<&'c DeviceConfig> {
    let found = config.devices.iter().find(|device| device.name == name);
    found.ok_or_else(|| {
        let path = path.display();
        usage(format!(
            "{path} has no device {name:?}; it has {}",
            listed(config.devices.iter().map(|d| d.name.as_str()))
        ))
    })
}

fn find_credentials(config: &Config, name: &str, path: &Path) -> anyhow::Result<Arc<Credentials>> {
    config.credentials.get(name).cloned().ok_or_else(|| {
        let known = listed(config.credentials.keys().map(String::as_str));
        usage(format!("{} has no credentials {name:?}; it has {known}", path.display()))
    })
}

/// The first few names.
fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    const SHOWN: usize = 10;
    let names: Vec<&str> = names.take(SHOWN + 1).collect();
    match names.len() {
        0 => "none".to_owned(),
        count if count > SHOWN => format!("{}, ...", names[..SHOWN].join(", ")),
        _ => names.join(", "),
    }
}

/// A secret from an option, a file or the environment, in this order.
///
/// # Errors
/// The file can't be read, or holds no secret.
pub fn secret(option: Option<&SecretArg>, file: Option<&Path>, variable: &str) -> anyhow::Result<Option<Secret>> {
    if let Some(option) = option {
        return Ok(Some(option.secret().clone()));
    }
    if let Some(file) = file {
        return read_secret(file).map(Some);
    }
    Ok(std::env::var_os(variable).map(|value| Secret::new(value.into_vec())))
}

/// A file's contents without one line end at the end.
fn read_secret(path: &Path) -> anyhow::Result<Secret> {
    let failed = |error: std::io::Error| {
        advised(format!("{}: {error}", path.display()), "The file must hold the secret and nothing else.")
    };
    let mut octets = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_SECRET_OCTETS + 1).read_to_end(&mut octets).map_err(failed)?;
    if octets.len() as u64 > MAX_SECRET_OCTETS {
        return Err(usage(format!("{} has more than {MAX_SECRET_OCTETS} octets: it is no secret", path.display())));
    }
    if octets.last() == Some(&b'\n') {
        octets.pop();
        if octets.last() == Some(&b'\r') {
            octets.pop();
        }
    }
    if octets.is_empty() {
        return Err(usage(format!("{} is empty", path.display())));
    }
    Ok(Secret::new(octets))
}

fn parse_version(text: &str) -> Result<Version, String> {
    match text.strip_prefix('v').unwrap_or(text) {
        "1" => Ok(Version::V1),
        "2c" | "2C" => Ok(Version::V2c),
        "3" => Ok(Version::V3),
        _ => Err("use 1, 2c or 3".to_owned()),
    }
}

/// As net-snmp reads it: in any case, whole, in initials, or by number.
fn parse_level(text: &str) -> Result<SecurityLevel, String> {
    match text.to_ascii_lowercase().as_str() {
        "noauthnopriv" | "noauth" | "nanp" | "1" => Ok(SecurityLevel::NoAuthNoPriv),
        "authnopriv" | "auth" | "anp" | "2" => Ok(SecurityLevel::AuthNoPriv),
        "authpriv" | "priv" | "ap" | "3" => Ok(SecurityLevel::AuthPriv),
        _ => Err("use noAuthNoPriv, authNoPriv or authPriv".to_owned()),
    }
}

/// An engine ID that is not empty.
pub fn parse_engine_id(text: &str) -> Result<EngineId, String> {
    let id: EngineId = text.parse().map_err(|error: hamsa_snmp::engine::EngineIdError| error.to_string())?;
    if id.is_empty() { Err("no digits".to_owned()) } else { Ok(id) }
}

/// Seconds, with or without a fraction.
pub fn parse_timeout(text: &str) -> Result<Duration, String> {
    let wait = text.parse().ok().and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok());
    let allowed = Duration::from_millis(1)..=MAX_TIMEOUT;
    wait.filter(|wait| allowed.contains(wait))
        .ok_or_else(|| format!("use seconds from 0.001 to {}", MAX_TIMEOUT.as_secs()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::failure::Usage;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        credentials: CredentialOptions,
        #[command(flatten)]
        timing: TimingOptions,
    }

    fn parse(line: &str) -> Line {
        Line::try_parse_from(std::iter::once("hamsa").chain(line.split(' ')))
            .unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    fn read(line: &str) -> anyhow::Result<Credentials> {
        parse(line).credentials.read("test")
    }

    #[test]
    fn net_snmps_spellings_make_the_same_credentials() {
        for line in
            ["-v2c -c lab", "-v 2c -c lab", "-vv2c -clab", "-c other -c lab", "--snmp-version 2c --community=lab"]
        {
            assert_eq!(read(line).unwrap().security, Security::V2c(Secret::new(b"lab".to_vec())), "{line}");
        }
        assert_eq!(read("-v1 -c lab").unwrap().security, Security::V1(Secret::new(b"lab".to_vec())));
        assert_eq!(read("-v1").unwrap().security, Security::V1(Secret::new(b"public".to_vec())));
        for line in [
            "-v3 -l authPriv -u ops -a SHA-256 -A authentication -x AES -X privacy-pass",
            "-v 3 -l ap -u ops -a sha256 -A authentication -x aes128 -X privacy-pass",
            "-uops -aSHA256 -Aauthentication -xAES -Xprivacy-pass",
        ] {
            let Security::V3(user) = read(line).unwrap().security else { panic!("{line}") };
            assert_eq!((user.user.as_octets(), user.level), (&b"ops"[..], SecurityLevel::AuthPriv), "{line}");
            let authentication = user.authentication.unwrap();
            assert_eq!(authentication.protocol, AuthProtocolId::Sha256);
            assert_eq!(authentication.privacy.unwrap().protocol, PrivProtocolId::Aes128);
        }
    }

    #[test]
    fn levels_are_read_as_net_snmp_reads_them() {
        for (level, texts) in [
            (SecurityLevel::NoAuthNoPriv, ["noAuthNoPriv", "nanp", "noauth", "1"]),
            (SecurityLevel::AuthNoPriv, ["AuthNoPriv", "aNP", "auth", "2"]),
            (SecurityLevel::AuthPriv, ["authPriv", "aP", "priv", "3"]),
        ] {
            texts.iter().for_each(|text| assert_eq!(parse_level(text), Ok(level), "{text}"));
        }
        parse_level("authp").unwrap_err();
    }

    #[test]
    fn what_does_not_go_together_is_said() {
        for (line, part) in [
            ("-v3", "-u NAME"),
            ("-v3 -u ops -A authentication", "-A needs -a"),
            ("-v3 -u ops -a SHA", "--auth-password-file"),
            ("-v3 -u ops -x AES -X privacy-pass", "no privacy without authentication"),
            ("-v3 -u ops -a SHA -A authentication -X privacy-pass", "-X needs -x"),
            ("-v3 -u ops -l authNoPriv", "needs -a and -A"),
            ("-v3 -u ops -l authPriv -a SHA -A authentication", "needs -x and -X"),
            ("-v2c -u ops", "go with -v3"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.is::<Usage>() && error.to_string().contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn secrets_are_in_no_debug_text() {
        let line = parse("-v3 -u ops -a SHA -A authentication -x AES -X privacy-pass -c community");
        let shown = format!("{line:?} {:?}", line.credentials.read("test").unwrap());
        for secret in ["authentication", "privacy-pass", "community\""] {
            assert!(!shown.contains(&format!("\"{secret}")) && !shown.contains("privacy-pass"), "{shown}");
        }
    }

    #[test]
    fn secrets_come_from_files() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("community");
        for (contents, expected) in [("lab\n", "lab"), ("lab\r\n", "lab"), ("lab", "lab"), (" lab\n\n", " lab\n")] {
            std::fs::write(&path, contents).unwrap();
            let line = format!("--community-file {}", path.display());
            assert_eq!(read(&line).unwrap().security, Security::V2c(Secret::new(expected.into())));
        }
        std::fs::write(&path, "x".repeat(5000)).unwrap();
        let error = read(&format!("--community-file {}", path.display())).unwrap_err().to_string();
        assert!(error.contains("no secret") && !error.contains("xx"), "{error}");
        let error = read("--community-file /nowhere/at/all").unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all"), "{error}");
    }

    #[test]
    fn waits_may_have_fractions() {
        assert_eq!(parse("-t 0.5 -r 0").timing.timing(), Timing::fixed(Duration::from_millis(500), 0));
        assert_eq!(parse("-c x").timing.timing(), Timing::fixed(Duration::from_secs(1), 3));
        for wrong in ["0", "-1", "nan", "1e9", "x", ""] {
            parse_timeout(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn engine_ids_are_hexadecimal() {
        assert_eq!(parse_engine_id("0x80001f8880").unwrap().to_string(), "80001f8880");
        for wrong in ["", "0x", "8000z", "800"] {
            parse_engine_id(wrong).expect_err(wrong);
        }
    }
}
