//! Ten thousand simulated devices, each polled every minute by one `hamsa node`, all of whose threads are on one core;
//! `hamsa sim` and this program are on another. Both are the released binary, started as a user would start them.
//! `benches/README.md` says what is counted.
#![allow(clippy::print_stdout, reason = "what a bench says, it says on its standard output")]

mod exposition;
mod limits;
mod processor;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hamsa_bench_rounds::{Cores, Target, informs, stay_on};
use hamsa_testkit::{Process, free_tcp, free_udp, hamsa};

use exposition::Reading;
use limits::{DEVICES, INTERFACES, INTERVAL, LATE_S, SETTLE, SETTLE_EMPTY, WINDOW};
use processor::Used;

const USAGE: &str = "usage: hamsa-bench-scale [DEVICES [SECONDS]]";

/// The first device's address; the others have the next ones.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 64, 0, 1);

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let devices = arguments.next().map_or(Ok(DEVICES), |text| text.parse()).context(USAGE)?;
    let window = arguments.next().map_or(Ok(WINDOW.as_secs()), |text| text.parse()).context(USAGE)?;
    ensure!((1..=1_000_000).contains(&devices) && (1..=86_400).contains(&window), USAGE);
    let window = Duration::from_secs(window);
    // Built before anything is bound to a core.
    let binary = hamsa();
    let cores = Cores::choose()?;
    println!("the node on core {}, the simulation on core {}", cores.measured, cores.rest);
    let port = free_udp().port();
    let simulation = Simulation::start(binary, devices, port, &cores)?;
    let empty = Node::start(binary, "", &cores)?.memory_of_empty()?;
    let node = Node::start(binary, &inventory(devices, port)?, &cores)?;
    let run = Run::of(&node, window)?;
    drop(node);
    println!("{}", simulation.dismiss());
    run.tell();
    run.claim(devices, empty, window)
}

/// The `[[device]]` tables of all devices.
fn inventory(devices: u32, port: u16) -> anyhow::Result<String> {
    let mut text = String::new();
    for number in 0..devices {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(FIRST.to_bits() + number)), port);
        writeln!(
            text,
            "[[device]]\nname = \"router-{number}\"\naddress = \"{address}\"\ncredentials = \"campus\"\n\
             profiles = [\"system\", \"if-mib\"]"
        )?;
    }
    Ok(text)
}

/// `hamsa sim`.
struct Simulation(Process);

impl Simulation {
    fn start(binary: &Path, devices: u32, port: u16, cores: &Cores) -> anyhow::Result<Self> {
        stay_on(cores.rest)?;
        let mut command = Command::new(binary);
        command.args(["sim", &format!("router:{INTERFACES}*{devices}"), "--first", &format!("{FIRST}:{port}")]);
        let mut process = Process::spawn("sim", &mut command);
        process.wait_until("the simulation runs", |process| process.stderr().contains("Ctrl-C").then_some(()));
        Ok(Simulation(process))
    }

    /// Ends it; its last words.
    fn dismiss(mut self) -> String {
        self.0.terminate();
        self.0.stderr().lines().last().unwrap_or_default().to_owned()
    }
}

/// `hamsa node`, ended when dropped.
struct Node {
    process: Process,
    http: String,
    started: Instant,
    /// Its configuration and its data; removed with it.
    _directory: tempfile::TempDir,
}

impl Node {
    fn start(binary: &Path, inventory: &str, cores: &Cores) -> anyhow::Result<Self> {
        let directory = tempfile::TempDir::with_prefix("hamsa-bench-scale-")?;
        let http = free_tcp();
        let config: PathBuf = directory.path().join("hamsa.toml");
        let interval = INTERVAL.as_secs();
        let data = directory.path().join("data");
        std::fs::write(
            &config,
            format!(
                "[node]\ndata_dir = {data:?}\n[http]\nlisten = \"{http}\"\n[poll]\ninterval = \"{interval}s\"\n\
                 [traps]\nlisten = []\n[credentials.campus]\nversion = \"v2c\"\ncommunity = \"public\"\n{inventory}"
            ),
        )?;
        stay_on(cores.measured)?;
        let started = Instant::now();
        let mut process = Process::spawn("node", Command::new(binary).args(["node", "--config"]).arg(&config));
        stay_on(cores.rest)?;
        let http = format!("http://{http}");
        process.wait_until("the node is ready", |_| {
            let ready = hamsa_testkit::http::get(&format!("{http}/-/ready")).ok()?;
            (ready.status == 200).then_some(())
        });
        Ok(Node { process, http, started, _directory: directory })
    }

    /// The memory of a node that has nothing to do.
    fn memory_of_empty(self) -> anyhow::Result<f64> {
        sleep(SETTLE_EMPTY);
        // What /metrics needs has been needed here too.
        Reading::take(&self.http)?;
        Ok(Used::by(self.process.id())?.resident_octets)
    }
}

/// What was seen of a node: at the start and the end of the window.
struct Run {
    before: (Reading, Used),
    after: (Used, Reading),
    window_s: f64,
}

impl Run {
    fn of(node: &Node, window: Duration) -> anyhow::Result<Self> {
        sleep(SETTLE.saturating_sub(node.started.elapsed()));
        // A reading costs the node something, which is outside of what is counted.
        let reading = Reading::take(&node.http)?;
        let start = Instant::now();
        let before = (reading, Used::by(node.process.id())?);
        sleep(window);
        let used = Used::by(node.process.id())?;
        let window_s = start.elapsed().as_secs_f64();
        Ok(Run { before, after: (used, Reading::take(&node.http)?), window_s })
    }

    fn grown(&self, name: &str) -> anyhow::Result<f64> {
        self.after.1.grown(&self.before.0, name)
    }

    fn cpu_s(&self) -> f64 {
        self.after.0.cpu_s - self.before.1.cpu_s
    }

    /// For people: where the time went.
    fn tell(&self) {
        for (name, cpu_s) in &self.after.0.threads {
            let cpu_s = cpu_s - self.before.1.threads.get(name).copied().unwrap_or_default();
            println!("thread {name:16} {:6.2} % of the core", cpu_s / self.window_s * 100.0);
        }
    }

    fn claim(&self, devices: u32, empty_octets: f64, window: Duration) -> anyhow::Result<()> {
        let end = &self.after.1;
        let up = end.get("hamsa_devices{state=\"up\"}")?;
        ensure!(up == f64::from(devices), "only {up} of {devices} devices are up");
        let polls = self.grown("hamsa_poll_lateness_seconds_count")?;
        let what = |what: &str| format!("{devices} devices every {} s on one core: {what}", INTERVAL.as_secs());

        // Of all polls, those of the start included. A turn that comes while the poll before still runs is left out;
        // at the start that may be the device's very first poll, which is an extra one.
        let lateness = end.lateness()?;
        let all = end.get("hamsa_poll_lateness_seconds_count")?;
        let in_time = lateness.iter().find(|(bound, _)| *bound == LATE_S).context("no bucket of one second")?.1;
        let latest = lateness.iter().find(|(_, count)| *count == all).map_or(f64::INFINITY, |(bound, _)| *bound);
        let missed = self.grown("hamsa_polls_missed_total")?;
        let missed_before = self.before.0.get("hamsa_polls_missed_total")?;
        let late = all - in_time + missed;
        let ours = format!(
            "{late:.0} of {all:.0}, all within {latest} s; turns left out: {missed_before:.0} at the start, {missed:.0} later"
        );
        informs(&what("polls started over 1 s late"), &ours, "-", late, Target::AtMost(0.0));

        let seconds = self.cpu_s() / polls * 1000.0;
        informs(&what("processor s per 1,000 polls"), &format!("{seconds:.3} s"), "-", seconds, Target::Informs);
        let share = self.cpu_s() / self.window_s * 100.0;
        informs(&what("% of the core"), &format!("{share:.1} %"), "-", share, Target::AtMost(100.0));

        let series = end.get("hamsa_store_series")?;
        let memory = (self.after.0.resident_octets - empty_octets) / f64::from(devices) / 1024.0;
        let minutes = (SETTLE + window).as_secs() / 60;
        let ours = format!(
            "{memory:.1} KiB of {:.0} series and {minutes} min of samples; the empty node {:.1} MiB",
            series / f64::from(devices),
            empty_octets / f64::from(1 << 20)
        );
        informs(&what("memory a device, KiB"), &ours, "-", memory, Target::Informs);

        let stored = self.grown("hamsa_store_samples_total")? / self.window_s;
        let lost = end.get("hamsa_store_lost_total")? + end.get("hamsa_store_dropped_writes_total")?;
        let ours = format!("{stored:.0}, {lost:.0} lost");
        informs(&what("samples stored a second"), &ours, "-", stored, Target::Informs);

        let requests = self.grown("hamsa_snmp_requests_total{result=\"answered\"}")?;
        let timed_out = end.get("hamsa_snmp_requests_total{result=\"timed_out\"}")?;
        let again = end.get("hamsa_snmp_retransmissions_total")?;
        let ours =
            format!("{timed_out:.0} timeouts, {again:.0} retries in all; {:.0} requests/s", requests / self.window_s);
        informs(&what("timeouts and retries"), &ours, "-", timed_out + again, Target::Informs);
        Ok(())
    }
}
