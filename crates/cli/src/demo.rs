//! `hamsa demo`: a network of simulated devices, a node that polls it, a cluster around the node, and the console, in one process
//! and without anything to set up.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use hamsa_node::config::{self, Config, GroupConfig, Surroundings};
use hamsa_node::control::SOCKET_NAME;
use hamsa_node::daemon::{self, Daemon, StartError};
use hamsa_node::fleet::DeviceState;
use hamsa_node::group::GroupRuntime;
use hamsa_node::state::NodeState;
use hamsa_sim::device::{DeviceModel, Recurring, Schedule};
use hamsa_sim::recording::Library;
use hamsa_sim::{
    AgentAccess, AgentGroup, Faults, NotificationSender, NotificationTarget, Rights, SimCommunity, SimConfig,
    Simulator, Source, Versions,
};

use crate::failure::advised;
use crate::limits::{DEMO_STATUS_INTERVAL, SIMULATION_LOOK};
use crate::sim;
use crate::simulation::BoundSimulation;
use crate::terminal::{counted, stop_flag, tell};

/// Try Hamsa: simulated devices, a node that polls them, a cluster of three, and the console in the browser
///
/// Nothing is set up and nothing is left behind: data goes to a temporary directory unless --data names another.
#[derive(Debug, Args)]
pub struct Command {
    /// Where the console listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8161")]
    pub http: SocketAddr,

    /// Where the node receives traps and informs
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9162")]
    pub traps: SocketAddr,

    /// The UDP port of the simulated devices, at 127.77.0.1 and on
    #[arg(long, value_name = "PORT", default_value_t = 16_161)]
    pub port: u16,

    /// Keep the data in this directory
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// How often devices are polled, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub interval: u32,
}

/// One kind of device in the demo's network.
struct Kind {
    name: &'static str,
    site: &'static str,
    model: &'static str,
    credentials: &'static str,
    count: u32,
    fault: &'static str,
    reboots: Option<u64>,
    flaps: Option<u64>,
}

const fn kind(
    name: &'static str,
    site: &'static str,
    model: &'static str,
    credentials: &'static str,
    count: u32,
) -> Kind {
    Kind { name, site, model, credentials, count, fault: "", reboots: None, flaps: None }
}

/// Nodes of the demo's cluster, the one that polls among them.
const CLUSTER: u32 = 3;

/// The demo's network: most of it well, some of it not.
const NETWORK: [Kind; 7] = [
    Kind { flaps: Some(60), ..kind("core", "berlin", "router:16", "v3", 2) },
    Kind { flaps: Some(150), ..kind("access", "berlin", "switch:26", "v2c", 3) },
    kind("server", "haifa", "server:4", "v3", 3),
    kind("rack-sensors", "haifa", "sensors:8", "v2c", 1),
    Kind { reboots: Some(240), ..kind("branch", "ottawa", "router:4", "v2c", 1) },
    Kind { fault: "loss=20%,delay=80ms,jitter=60ms", ..kind("far-away", "ottawa", "router:8", "v2c", 1) },
    Kind { fault: "loss=100%", ..kind("switched-off", "ottawa", "switch:10", "v2c", 1) },
];

/// Runs it.
///
/// # Errors
/// A port is taken, or the data directory can't be used.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let stop = stop_flag()?;
    let temporary = tempfile::Builder::new().prefix("hamsa-demo-").tempdir();
    let temporary = temporary.context("a temporary directory can't be made; name one with --data")?;
    let data = command.data.as_deref().unwrap_or(temporary.path());
    let simulation = simulate(command)?;
    let config = configure(command, data)?;
    let daemon = Daemon::start(&config).map_err(|error| match &error {
        StartError::Http(_) => advised(error.to_string(), "Another address for the console: --http."),
        StartError::Bind(_) => advised(error.to_string(), "Another address for traps: --traps."),
        _ => error.into(),
    })?;
    let _companions = companions(&config)?;
    // After the node listens: no trap is lost.
    let _simulation = simulation.start()?;
    tell_where(command, data);
    let mut next = Instant::now() + DEMO_STATUS_INTERVAL;
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(SIMULATION_LOOK);
        if Instant::now() >= next {
            next += DEMO_STATUS_INTERVAL;
            tell(&status_line(daemon.state()));
        }
    }
    tell("hamsa demo: ending");
    daemon.stop();
    Ok(())
}

/// Nodes that only take part in the cluster, so that there is one.
fn companions(config: &Config) -> anyhow::Result<Vec<GroupRuntime>> {
    let group = config.group.as_ref().context("the demo is in a cluster")?;
    let numbers = group.node + 1..=CLUSTER;
    let start = |node| GroupRuntime::start(&GroupConfig { node, ..group.clone() }, &format!("demo{node}"));
    Ok(numbers.map(start).collect::<Result<_, _>>()?)
}

fn simulate(command: &Command) -> anyhow::Result<BoundSimulation> {
    let mut config = SimConfig { seed: 2002, boots_at_start: sim::boots_now(), groups: Vec::new() };
    let mut host = 1;
    for kind in &NETWORK {
        let source = Source::Device(kind.model.parse::<DeviceModel>()?);
        let mut group = AgentGroup::new(source, address(command, host));
        host += kind.count;
        group.count = kind.count;
        group.access = AgentAccess {
            versions: Versions::ALL,
            communities: vec![SimCommunity::new("public", Rights::ReadOnly)],
            users: vec![sim::user()?],
        };
        group.faults = kind.fault.parse::<Faults>()?;
        let every =
            |seconds: Option<u64>| seconds.map_or(Recurring::Never, |s| Recurring::Every(Duration::from_secs(s)));
        group.schedule =
            Schedule { reboots: every(kind.reboots), link_flaps: every(kind.flaps), ..Schedule::default() };
        let sender = match kind.credentials {
            "v3" => NotificationSender::User(sim::USER.to_owned()),
            _ => NotificationSender::Community("public".to_owned()),
        };
        group.notifications = vec![NotificationTarget { address: command.traps, sender }];
        config.groups.push(group);
    }
    let simulator = Simulator::new(&config, &Library::new(), sim::epoch())?;
    BoundSimulation::bind(simulator)
        .map_err(|error| advised(error.to_string(), "Another port for the simulated devices: --port."))
}

fn address(command: &Command, host: u32) -> SocketAddr {
    let first = u32::from(Ipv4Addr::new(127, 77, 0, 0));
    SocketAddr::new(IpAddr::V4(Ipv4Addr::from(first + host)), command.port)
}

/// The node's configuration, as a file would say it.
fn configure(command: &Command, data: &Path) -> anyhow::Result<Config> {
    use std::fmt::Write as _;
    let mut text = format!(
        r#"
[node]
name = "demo"
number = 1
data_dir = {data:?}
[group]
cluster = "demo"
socket = {socket:?}
allow_faults = true
[http]
listen = "{http}"
[poll]
interval = "{interval}s"
refresh = "2m"
[traps]
listen = ["{traps}"]
[credentials.public_v2]
version = "v2c"
community = "public"
[credentials.v3]
version = "v3"
user = "{user}"
auth_protocol = "SHA-256"
auth_password = "{auth}"
priv_protocol = "AES-128"
priv_password = "{privacy}"
"#,
        data = data.display().to_string(),
        socket = data.join("cluster.sock").display().to_string(),
        http = command.http,
        interval = command.interval.max(1),
        traps = command.traps,
        user = sim::USER,
        auth = sim::AUTH_PASSWORD,
        privacy = sim::PRIV_PASSWORD,
    );
    let mut host = 0;
    for kind in &NETWORK {
        for number in 1..=kind.count {
            host += 1;
            let name = if kind.count == 1 { kind.name.to_owned() } else { format!("{}-{number}", kind.name) };
            let credentials = if kind.credentials == "v3" { "v3" } else { "public_v2" };
            writeln!(
                text,
                "[[device]]\nname = \"{name}\"\naddress = \"{}\"\ncredentials = \"{credentials}\"\nlabels = {{ site = \"{}\" }}",
                address(command, host),
                kind.site,
            )?;
        }
    }
    let profiles = |dirs: &[PathBuf]| daemon::profile_names(dirs);
    let report = config::check_text(Path::new("demo"), &text, &Surroundings::of_process(&profiles));
    report.config.clone().with_context(|| report.to_string())
}

fn tell_where(command: &Command, data: &Path) {
    let devices: u32 = NETWORK.iter().map(|kind| kind.count).sum();
    tell(&format!(
        "hamsa demo: {} on 127.77.0.0/24, polled every {} s",
        counted(devices as usize, "simulated device"),
        command.interval
    ));
    tell(&format!("  console     http://{}", command.http));
    tell(&format!("  metrics     http://{}/metrics", command.http));
    tell(&format!(
        "  Prometheus  http://{}/snmp?target={}&module=if_mib&auth=public_v2",
        command.http,
        address(command, 3)
    ));
    tell(&format!("  traps       {} (community public, or the user {})", command.traps, sim::USER));
    tell(&format!(
        "  data        {}{}",
        data.display(),
        if command.data.is_some() { "" } else { " (removed at the end)" }
    ));
    tell(&format!("  try         hamsa walk -v2c -c public {} ifXTable", address(command, 3)));
    tell(&format!("              hamsa history core-1 ifHCInOctets.1 --url http://{}", command.http));
    let control = data.join(SOCKET_NAME);
    tell(&format!("  cluster     hamsa group --socket {}", control.display()));
    tell(&format!("              hamsa group cut 1,2 3 --socket {}", control.display()));
    tell("  One device is switched off, one is far away and loses packets, one reboots every 4 minutes.");
    tell("  Ctrl-C ends it.");
}

fn status_line(state: &Arc<NodeState>) -> String {
    let states: Vec<DeviceState> = state.fleet.all().iter().map(|device| device.status().state).collect();
    let count = |wanted: DeviceState| states.iter().filter(|&&state| state == wanted).count();
    let samples = state.writer_stats.stored_samples.load(Ordering::Relaxed);
    let events = state.writer_stats.stored_events.load(Ordering::Relaxed);
    format!(
        "{} up, {} degraded, {} down; {} and {} stored",
        count(DeviceState::Up),
        count(DeviceState::Degraded),
        count(DeviceState::Down) + count(DeviceState::Pending),
        counted(samples as usize, "sample"),
        counted(events as usize, "event"),
    )
}
