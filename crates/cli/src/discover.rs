//! `hamsa discover`: finds agents and writes them down as devices of a configuration.

mod probe;
mod range;
mod report;

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hamsa_node::client::{Client, ClientOptions};
use hamsa_node::config::{Config, Credentials, Security};
use hamsa_node::profile::ProfileSet;
use hamsa_snmp::engine::{EngineId, EngineTime};
use hamsa_snmp::manager::Timing;
use hamsa_snmp::message::Version;
use hamsa_snmp::mib::{Mib, MibPaths, ModuleChoice};
use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::{Interrupted, Told, advised, usage};
use crate::limits::{DISCOVERY_BUFFER_OCTETS, MAX_RATE, MAX_RETRIES};
use crate::options::{CredentialOptions, LazyMib, MibOptions, SNMP_PORT, load_config, parse_timeout};
use crate::print::line_out;
use crate::session::{engine, random};
use crate::terminal::{self, counted, in_one_line, tell};
use probe::{Outcome, ProbeOptions, search};
use report::Device;

/// Find agents, and write them as the devices of a configuration
///
/// SUBNET is a prefix (192.0.2.0/24, without its network and broadcast address; 2001:db8::/120), a range
/// (192.0.2.1-192.0.2.50 or 192.0.2.1-50), an address or a host name. Each address is asked with each of the
/// credentials until one is accepted: those of --config, each -c, and the user of -u. Ctrl-C shows what was found so
/// far.
#[derive(Debug, Args)]
pub struct Command {
    /// Where to look
    #[arg(value_name = "SUBNET", required = true)]
    pub subnets: Vec<String>,
    /// Try the credentials of this configuration, so that what is found can be included there
    #[arg(long, value_name = "FILE", help_heading = "From a node's configuration")]
    pub config: Option<PathBuf>,
    /// Of the configuration's credentials, try only these [default: all]
    #[arg(long, value_name = "NAME", requires = "config", help_heading = "From a node's configuration")]
    pub credentials: Vec<String>,
    /// UDP port; several are all tried
    #[arg(short = 'p', long, value_name = "PORT", default_values_t = [SNMP_PORT], value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Vec<u16>,
    /// Start so many probes a second at most
    #[arg(long, value_name = "NUMBER", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_RATE)))]
    pub rate: u32,
    /// Wait so many seconds for an answer, fractions allowed [default: 1]
    #[arg(short = 't', long, value_name = "SECONDS", value_parser = parse_timeout)]
    pub timeout: Option<Duration>,
    /// Send a request so many times again
    #[arg(short = 'r', long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=i64::from(MAX_RETRIES)))]
    pub retries: u8,
    /// Write to this file instead of standard output
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Overwrite a file that is there
    #[arg(long, requires = "output")]
    pub force: bool,
    /// One JSON object a line instead of TOML
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub given: CredentialOptions,
}

/// Runs it.
///
/// # Errors
/// Wrong arguments, nobody found, or the result can't be written.
pub fn run(command: &Command) -> anyhow::Result<()> {
    check_output(command)?;
    let config = command.config.as_deref().map(load_config).transpose()?;
    let Tried { all: credentials, from_command_line } = credentials(command, config.as_ref())?;
    let addresses = range::read(&command.subnets)?;
    let sockets = addresses.iter().flat_map(|&ip| command.port.iter().map(move |&port| SocketAddr::new(ip, port)));
    let options = ProbeOptions {
        addresses: sockets.collect(),
        credentials,
        timing: Timing::fixed(command.timeout.unwrap_or(Duration::from_secs(1)), command.retries),
        rate: command.rate,
    };
    let (outcome, unsent) = look(&options, addresses.len())?;

    let mib = match &config {
        Some(config) => Mib::load(&mib_paths(config)).0,
        None => LazyMib::new(MibOptions::default()).get().clone(),
    };
    let mut profiles = ProfileSet::shipped(&mib)?;
    for dir in config.iter().flat_map(|config| &config.profiles.dirs) {
        profiles.add_dir(dir, &mib).iter().for_each(|problem| tell(&format!("left out: {problem}")));
    }
    let devices = report::devices(&outcome.found, &profiles, &mib);
    summarise(&outcome, unsent, &addresses, command);
    if !devices.is_empty() {
        write(command, &written(command, &devices, &from_command_line)?)?;
    }
    match (outcome.is_interrupted, devices.is_empty()) {
        (true, _) => Err(Interrupted("interrupted: not every address was looked at".to_owned()).into()),
        (false, true) if outcome.refused.is_empty() => Err(nobody(command)),
        (false, true) => Err(Told.into()),
        (false, false) => Ok(()),
    }
}

/// The MIB files of a configuration, as a node loads them.
fn mib_paths(config: &Config) -> MibPaths {
    let modules = config.mib.modules.clone();
    let choice = if modules.is_empty() { ModuleChoice::All } else { ModuleChoice::Named(modules) };
    MibPaths { dirs: config.mib.dirs.clone(), files: Vec::new(), choice }
}

/// Looks at all addresses; returns what was found and how many datagrams could not be sent.
fn look(options: &ProbeOptions, addresses: usize) -> anyhow::Result<(Outcome, u64)> {
    let id = EngineId::assigned(hamsa_node::limits::ENTERPRISE, random()?);
    let engine = engine(id, EngineTime { boots: 1, time: 0 }, options.credentials.iter().map(|known| &**known))?;
    let client_options =
        ClientOptions { seed: random()?, receive_buffer_bytes: DISCOVERY_BUFFER_OCTETS, stop: terminal::stop_flag()? };
    let mut client = Client::new(engine, client_options);
    let (probes, names) = (options.addresses.len() * options.credentials.len(), options.credentials.len());
    let credentials = if names == 1 { String::new() } else { format!(" with {names} credentials") };
    tell(&format!("looking at {}{credentials}, {} probes a second", counted(addresses, "address"), options.rate));
    // Draws on standard error, and only if that is a terminal.
    let bar = ProgressBar::new(probes as u64);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} probes, {msg} found, {eta} left")?;
    bar.set_style(style);
    bar.set_message("0");
    let outcome = search(&mut client, options, |done, found| {
        bar.set_position(done);
        bar.set_message(found.to_string());
    });
    bar.finish_and_clear();
    Ok((outcome?, client.udp_stats().send_errors))
}

/// Credentials to try.
struct Tried {
    /// All, in order.
    all: Vec<Arc<Credentials>>,
    /// Those that no configuration has.
    from_command_line: Vec<Arc<Credentials>>,
}

fn credentials(command: &Command, config: Option<&Config>) -> anyhow::Result<Tried> {
    let mut all: Vec<Arc<Credentials>> =
        config.into_iter().flat_map(|config| config.credentials.values().cloned()).collect();
    for name in &command.credentials {
        if !all.iter().any(|credentials| credentials.name == *name) {
            let known: Vec<&str> = all.iter().map(|credentials| credentials.name.as_str()).collect();
            return Err(usage(format!("the configuration has no credentials {name:?}; it has {}", known.join(", "))));
        }
    }
    all.retain(|known| command.credentials.is_empty() || command.credentials.contains(&known.name));
    let mut from_command_line = Vec::new();
    for (kind, security) in given(&command.given, !all.is_empty())? {
        let is_free = |name: &String| !all.iter().any(|known: &Arc<Credentials>| known.name == *name);
        let name = (1..).map(|number| format!("{kind}-{number}")).find(is_free).expect("there is no end of numbers");
        let credentials = Arc::new(Credentials { name, security });
        all.push(credentials.clone());
        from_command_line.push(credentials);
    }
    if all.is_empty() {
        return Err(usage("the configuration has no credentials: give -c or -u as well"));
    }
    Ok(Tried { all, from_command_line })
}

/// What the command line says, each with the kind of its name; the default community only where there is nothing else.
fn given(options: &CredentialOptions, has_others: bool) -> anyhow::Result<Vec<(&'static str, Security)>> {
    if options.context.is_some() || options.context_engine_id.is_some() || options.engine_id.is_some() {
        return Err(usage("-n, -e and -E are of one agent; discovery asks many"));
    }
    let version = options.snmp_version;
    let mut given = Vec::new();
    if options.has_community() || !(has_others || options.is_v3()) {
        given.extend(options.communities()?.into_iter().map(|community| match version {
            Some(Version::V1) => ("v1", Security::V1(community)),
            _ => ("v2c", Security::V2c(community)),
        }));
    }
    if options.is_v3() {
        if matches!(version, Some(Version::V1 | Version::V2c)) {
            return Err(usage("-u goes with -v3: leave -v out to try communities as SNMPv2c and the user as SNMPv3"));
        }
        let user = CredentialOptions { snmp_version: Some(Version::V3), ..options.clone() };
        given.push(("v3", user.read("v3")?.security));
    }
    Ok(given)
}

fn written(command: &Command, devices: &[Device], from_command_line: &[Arc<Credentials>]) -> anyhow::Result<String> {
    if !command.json {
        let given: Vec<&Credentials> = from_command_line.iter().map(|credentials| &**credentials).collect();
        return Ok(report::toml(devices, &given));
    }
    let lines = devices.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    Ok(lines.join("\n") + "\n")
}

/// Says on standard error what the result does not.
fn summarise(outcome: &Outcome, unsent: u64, addresses: &[std::net::IpAddr], command: &Command) {
    for (address, refusal) in &outcome.refused {
        tell(&format!("{address}: an agent is there, but takes none of the credentials: {}", in_one_line(refusal)));
    }
    if unsent > 0 {
        tell(&format!("{unsent} datagrams could not be sent: no route, a firewall, or a broadcast address"));
    }
    let (found, looked) = (outcome.found.len(), addresses.len());
    let place = command.output.as_ref().map_or_else(String::new, |path| format!("; written to {}", path.display()));
    let place = if found > 0 { place } else { String::new() };
    tell(&format!("{} found at {}{place}", counted(found, "agent"), counted(looked, "address")));
}

fn nobody(command: &Command) -> anyhow::Error {
    let ports: Vec<String> = command.port.iter().map(ToString::to_string).collect();
    advised(
        "nobody answered",
        format!(
            "Agents stay silent where the credentials are wrong, where they take none from this host, or where a firewall\n\
             is in between (UDP port {}). Ask one that must be there: `hamsa get AGENT sysName.0`.",
            ports.join(", ")
        ),
    )
}

/// Sees that the result can be written, before anything is looked for.
fn check_output(command: &Command) -> anyhow::Result<()> {
    match &command.output {
        Some(path) if path.exists() && !command.force => Err(advised(
            format!("{} is there already", path.display()),
            "--force overwrites it, another name keeps it.",
        )),
        _ => Ok(()),
    }
}

fn write(command: &Command, text: &str) -> anyhow::Result<()> {
    let Some(path) = &command.output else { return line_out(text.trim_end()) };
    let mut options = OpenOptions::new();
    options.write(true);
    let opened = if command.force { options.create(true).truncate(true) } else { options.create_new(true) }.open(path);
    let result = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    result.or_else(|error| {
        // What took so long to find must not be lost.
        line_out(text.trim_end())?;
        Err(anyhow::Error::new(error).context(format!("can't write {}; the result is above", path.display())))
    })
}
