//! `hamsa sim`: simulated devices and recordings of real ones, thousands on one machine.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use hamsa_sim::clock::Epoch;
use hamsa_sim::device::{DeviceModel, Recurring, Schedule};
use hamsa_sim::recording::Library;
use hamsa_sim::{
    AgentAccess, AgentGroup, Faults, NotificationSender, NotificationTarget, Rights, SimCommunity, SimConfig, SimUser,
    Simulator, Source, Spread, Versions,
};
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId};

use crate::failure::usage;
use crate::limits::SIMULATION_LOOK;
use crate::recordings;
use crate::records::parse_duration;
use crate::simulation::BoundSimulation;
use crate::terminal::{counted, stop_flag, tell};

/// The user that every simulated agent knows, with passwords that are no secrets.
pub const USER: &str = "simulator";
/// Its authentication password, for SHA-256.
pub const AUTH_PASSWORD: &str = "auctoritas";
/// Its privacy password, for AES-128.
pub const PRIV_PASSWORD: &str = "privatus";

/// Serve simulated devices, or recordings of real ones
///
/// SOURCE is a kind of device with its size and how many of them (router:24*100, switch, server:8, sensors,
/// counter-wrap), or a file or directory of recordings (*.snmprec of snmpsim, *.snmpwalk of `snmpwalk -On -ObentU`;
/// also *.bz2). Recordings are told apart by community and SNMPv3 context, which are their names (UPS/apc for
/// UPS/apc.snmprec), or with --each by address.
///
/// Every agent knows the SNMPv3 user `simulator`, SHA-256 `auctoritas`, AES-128 `privatus`. These are no secrets:
/// listen on loopback addresses.
#[derive(Debug, Args)]
pub struct Command {
    /// What to serve
    #[arg(required = true, value_name = "SOURCE")]
    pub sources: Vec<String>,

    /// Where the first agent listens
    #[arg(long, short = 'f', value_name = "ADDRESS", default_value = "127.0.1.1:1161")]
    pub first: SocketAddr,

    /// Where the others listen: at the next addresses, or on the next ports
    #[arg(long, value_enum, default_value_t = By::Addresses)]
    pub by: By,

    /// Give each recording an agent of its own
    #[arg(long)]
    pub each: bool,

    /// Community that may read
    #[arg(long, short = 'c', value_name = "COMMUNITY", default_value = "public")]
    pub community: Vec<String>,

    /// Community that may write, too
    #[arg(long, value_name = "COMMUNITY", default_value = "private")]
    pub write_community: Vec<String>,

    /// Versions of SNMP that the agents speak
    #[arg(long, value_name = "VERSION", value_delimiter = ',', default_value = "1,2c,3")]
    pub versions: Vec<String>,

    /// What goes wrong, like `loss=5%,delay=20ms`; an unknown word lists them all
    #[arg(long, value_name = "FAULTS", default_value = "")]
    pub fault: String,

    /// The longest answer that the agents give, in octets
    #[arg(long, value_name = "OCTETS", default_value_t = 65_507)]
    pub max_message: usize,

    /// Where traps go when a device boots, a link goes down or up, or a community is wrong
    #[arg(long, value_name = "ADDRESS")]
    pub traps_to: Option<SocketAddr>,

    /// Each device boots so often, like 10m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub reboot_every: Option<Duration>,

    /// A link of each device goes down so often
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub flap_every: Option<Duration>,

    /// What everything is made from: the same seed makes the same devices
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,

    /// End after so long
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub runs_for: Option<Duration>,
}

/// How agents are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum By {
    Addresses,
    Ports,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == By::Addresses { "addresses" } else { "ports" })
    }
}

/// Runs it.
///
/// # Errors
/// A source is none, recordings can't be read, or a port can't be had.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let stop = stop_flag()?;
    let (config, library) = configure(command)?;
    let simulator = Simulator::new(&config, &library, epoch())?;
    for missing in library.missing_snapshots() {
        tell(&format!("hamsa sim: {missing}"));
    }
    let addresses: Vec<SocketAddr> = simulator.agents().iter().map(hamsa_sim::SimAgent::address).collect();
    let simulation = BoundSimulation::bind(simulator)?.start()?;
    tell_where(command, &addresses, &library);
    let end = command.runs_for.map(|duration| Instant::now() + duration);
    while !stop.load(Ordering::Relaxed) && end.is_none_or(|end| Instant::now() < end) {
        thread::sleep(SIMULATION_LOOK);
    }
    let stats = simulation.stats();
    tell(&format!(
        "hamsa sim: {} requests, {} answers, {} notifications sent",
        stats.received, stats.answered, stats.notifications
    ));
    Ok(())
}

/// The clock's zero: now.
pub fn epoch() -> Epoch {
    Epoch { instant: Instant::now(), unix: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() }
}

/// `snmpEngineBoots` that grows with each start: seconds since 2020, as no manager may see it go back.
pub fn boots_now() -> u32 {
    const YEAR_2020_S: u64 = 1_577_836_800;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    u32::try_from(now.saturating_sub(YEAR_2020_S)).unwrap_or(u32::MAX / 2)
}

/// The user that every agent knows.
///
/// # Errors
/// Never with these passwords.
pub fn user() -> anyhow::Result<SimUser> {
    let auth = (AuthProtocolId::Sha256, AUTH_PASSWORD);
    Ok(SimUser::with_privacy(USER, Rights::ReadWrite, auth, (PrivProtocolId::Aes128, PRIV_PASSWORD))?)
}

/// What is simulated, and the recordings that it plays.
fn configure(command: &Command) -> anyhow::Result<(SimConfig, Library)> {
    let mut library = Library::new();
    let access = access(command)?;
    let faults: Faults = command.fault.parse().map_err(|error| usage(format!("--fault: {error}")))?;
    let every = |period: Option<Duration>| period.map_or(Recurring::Never, Recurring::Every);
    let schedule =
        Schedule { reboots: every(command.reboot_every), link_flaps: every(command.flap_every), ..Schedule::default() };
    let sender = NotificationSender::Community(command.community[0].clone());
    let notifications: Vec<_> =
        command.traps_to.iter().map(|&address| NotificationTarget { address, sender: sender.clone() }).collect();
    let mut config = SimConfig { seed: command.seed, boots_at_start: boots_now(), groups: Vec::new() };
    let mut first = command.first;
    for source in &command.sources {
        let (source, count) = read_source(source, &mut library)?;
        let is_recorded = !matches!(source, Source::Device(_));
        // All recordings are one library: one group serves them.
        if is_recorded && config.groups.iter().any(|group| group.source == source) {
            continue;
        }
        let source = if is_recorded && command.each { Source::RecordingEach } else { source };
        let mut group = AgentGroup::new(source, first);
        group.count = count;
        group.spread = if command.by == By::Addresses { Spread::Addresses } else { Spread::Ports };
        group.access = access.clone();
        group.max_message_octets = command.max_message;
        group.schedule = schedule.clone();
        group.faults = faults.clone();
        group.notifications = notifications.clone();
        config.groups.push(group);
        first = next_address(first, command.by, count)?;
    }
    for group in config.groups.iter_mut().filter(|group| group.source == Source::RecordingEach) {
        group.count = u32::try_from(library.len())?;
    }
    Ok((config, library))
}

/// Reads `router:24*100` or a path.
fn read_source(text: &str, library: &mut Library) -> anyhow::Result<(Source, u32)> {
    let path = Path::new(text);
    if path.exists() {
        recordings::load(path, library)?;
        return Ok((Source::AllRecordings, 1));
    }
    let (model, count) = match text.rsplit_once('*') {
        Some((model, count)) => (model, count.parse().ok().filter(|&count| count > 0)),
        None => (text, Some(1)),
    };
    let count = count.ok_or_else(|| usage(format!("{text:?}: after * comes how many, like router:24*100")))?;
    let model: DeviceModel =
        model.parse().map_err(|error| usage(format!("{text:?} is no file or directory, and {error}")))?;
    Ok((Source::Device(model), count))
}

fn access(command: &Command) -> anyhow::Result<AgentAccess> {
    let mut versions = Versions { v1: false, v2c: false, v3: false };
    for version in &command.versions {
        match version.trim_start_matches('v') {
            "1" => versions.v1 = true,
            "2c" | "2" => versions.v2c = true,
            "3" => versions.v3 = true,
            other => return Err(usage(format!("--versions: {other:?} is none of 1, 2c, 3"))),
        }
    }
    let of = |names: &[String], rights| -> Vec<SimCommunity> {
        names.iter().map(|name| SimCommunity::new(name, rights)).collect()
    };
    let mut communities = of(&command.community, Rights::ReadOnly);
    communities.extend(of(&command.write_community, Rights::ReadWrite));
    Ok(AgentAccess { versions, communities, users: vec![user()?] })
}

/// Where the next group starts.
fn next_address(first: SocketAddr, by: By, count: u32) -> anyhow::Result<SocketAddr> {
    let after = AgentGroup {
        count: count + 1,
        spread: if by == By::Addresses { Spread::Addresses } else { Spread::Ports },
        ..AgentGroup::new(Source::AllRecordings, first)
    };
    let addresses = after.addresses();
    // The last group may end at the end of the address space; where another one follows, its own check tells.
    Ok(addresses.ok().and_then(|addresses| addresses.last().copied()).unwrap_or(first))
}

fn duration(text: &str) -> Result<Duration, String> {
    let ms = parse_duration(text)?;
    u64::try_from(ms).ok().filter(|&ms| ms > 0).map(Duration::from_millis).ok_or("must be above 0".to_owned())
}

fn tell_where(command: &Command, addresses: &[SocketAddr], library: &Library) {
    let (Some(first), Some(last)) = (addresses.first(), addresses.last()) else { return };
    let range = if first == last { first.to_string() } else { format!("{first} to {last}") };
    tell(&format!("hamsa sim: {} at {range}", counted(addresses.len(), "agent")));
    if library.is_empty() || command.each {
        tell(&format!("  hamsa walk -c {} {first} system", command.community[0]));
    } else {
        tell(&format!("  {} by community and context:", counted(library.len(), "recording")));
        for (name, recording) in library.iter().take(10) {
            tell(&format!("  hamsa walk -c {name:?} {first} system    # {}", counted(recording.len(), "variable")));
        }
    }
    tell(&format!(
        "  hamsa get -v3 -l authPriv -u {USER} -a SHA-256 -A {AUTH_PASSWORD} -x AES -X {PRIV_PASSWORD} {first} sysDescr.0"
    ));
    tell("  Ctrl-C ends it.");
}
