//! Two hundred pairs over Zenoh on one hub, all on one machine: what they cost the hub, and what a dead peer does to the others.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use hamsa_bench_rounds::{Target, cpu_time_of_process, informs};
use tempfile::TempDir;

use crate::limits::{LEAD, PAIRS_MEASURED, PAIRS_PATIENCE, PAIRS_PERIOD, PAIRS_QUIET, WARM_UP};
use crate::peer::Peer;
use crate::protocol::{Run, Window, machine_time};
use crate::zenoh::certify;

const PAIRS: u32 = 200;

/// The hub is 1.
const FIRST: u32 = 2;

const LEASE: Duration = Duration::from_secs(1);

const OCTETS: usize = 1024;

/// Runs it.
pub(crate) fn run() -> anyhow::Result<()> {
    let directory = TempDir::with_prefix("hamsa-bench-")?;
    certify(directory.path(), &["127.0.0.1".to_owned()]);
    // Free when it was asked for; nobody else asks for ports in this range on purpose.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let start = |side: &str, first: u32, count: u32| -> anyhow::Result<Peer> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["role", "pairs", side, &address, &LEASE.as_millis().to_string()]);
        command.arg(directory.path()).args([first, count].map(|number| number.to_string()));
        Ok(Peer::start(&format!("{side}-{first}"), &mut command))
    };
    let empty = start("hub", FIRST, 0)?;
    std::thread::sleep(PAIRS_QUIET);
    let empty_bytes = resident_bytes(&empty)?;
    drop(empty);
    let mut hub = start("hub", FIRST, PAIRS)?;
    let mut sites = start("site", FIRST, PAIRS)?;
    sites.wait_for_pairs(PAIRS, PAIRS_PATIENCE)?;
    std::thread::sleep(PAIRS_QUIET);
    let rest = share(&hub, PAIRS_MEASURED)?;
    let each_bytes = resident_bytes(&hub)?.saturating_sub(empty_bytes) / u64::from(PAIRS);
    say("at rest: % of a core at the hub", &format!("{:.1} %", rest * 100.0), rest * 100.0);
    let memory = format!("{:.1} KiB, and {:.1} MiB without pairs", kib(each_bytes), kib(empty_bytes) / 1024.0);
    say("at rest: memory of the hub a pair, KiB", &memory, kib(each_bytes));

    let talk = talk(&mut [&mut hub, &mut sites], || ())?;
    let rate = 2.0 * f64::from(PAIRS) / PAIRS_PERIOD.as_secs_f64();
    let title = |what: &str| format!("{rate:.0} messages a second of {OCTETS} octets: {what}");
    let busy = talk.hub_cpu.as_secs_f64() / PAIRS_MEASURED.as_secs_f64();
    say(&title("% of a core at the hub"), &format!("{:.1} %", busy * 100.0), busy * 100.0);
    let message = (busy - rest) / rate * 1e6;
    say(&title("processor time of the hub a message, µs"), &format!("{message:.1} µs"), message);
    talk.tell(&title("no peer dead"));

    // Another hub and its sites, one of which is stopped when the part that counts begins.
    drop((hub, sites));
    let mut hub = start("hub", FIRST, PAIRS + 1)?;
    let mut sites = start("site", FIRST, PAIRS)?;
    let mut dead = start("site", FIRST + PAIRS, 1)?;
    sites.wait_for_pairs(PAIRS, PAIRS_PATIENCE)?;
    dead.wait_for_pairs(1, PAIRS_PATIENCE)?;
    std::thread::sleep(PAIRS_QUIET);
    let talk = self::talk(&mut [&mut hub, &mut sites], || dead.process.pause())?;
    talk.tell(&title("one peer stopped"));
    Ok(())
}

/// What 200 sites saw of one run.
struct Talk {
    hub_cpu: Duration,
    median: Duration,
    /// Of each site's 99th percentile, the median and the greatest.
    p99: Duration,
    worst_p99: Duration,
}

impl Talk {
    fn tell(&self, title: &str) {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let [median, p99, worst] = [self.median, self.p99, self.worst_p99].map(ms);
        say(&format!("{title}: latency, median, ms"), &format!("{median:.2} ms"), median);
        let shown = format!("{p99:.2} ms, {worst:.2} ms of the slowest pair");
        say(&format!("{title}: latency, p99 of the middle pair, ms"), &shown, p99);
    }
}

/// Lets all send and receive. `fault` happens when the part that counts begins.
fn talk(ends: &mut [&mut Peer; 2], fault: impl FnOnce()) -> anyhow::Result<Talk> {
    let start = machine_time() + LEAD;
    let run =
        Run { start, warm_up: WARM_UP + PAIRS_PERIOD, measured: PAIRS_MEASURED, octets: OCTETS, period: PAIRS_PERIOD };
    for end in &mut *ends {
        end.tell(&run.to_string())?;
    }
    ensure!(machine_time() < run.start, "the machine is too busy to begin in time");
    let [hub, sites] = ends;
    std::thread::sleep(run.window().saturating_sub(machine_time()));
    let before = cpu_time_of_process(hub.process.id()).context("the hub has ended")?;
    fault();
    std::thread::sleep(run.end().saturating_sub(machine_time()));
    let hub_cpu = cpu_time_of_process(hub.process.id()).context("the hub has ended")? - before;
    let windows = (0..PAIRS).map(|_| sites.window()).collect::<anyhow::Result<Vec<Window>>>()?;
    let sorted = |of: fn(&Window) -> Duration| {
        let mut times: Vec<Duration> = windows.iter().map(of).collect();
        times.sort_unstable();
        times
    };
    // Each sends and is given its own message and the other's.
    let expected = 2.0 * PAIRS_MEASURED.as_secs_f64() / PAIRS_PERIOD.as_secs_f64();
    let least = windows.iter().map(|window| window.delivered).min().unwrap_or_default();
    ensure!(least as f64 > expected / 2.0, "a site was given {least} messages and not about {expected:.0}");
    let (medians, p99s) = (sorted(|window| window.median), sorted(|window| window.p99));
    let middle = windows.len() / 2;
    Ok(Talk { hub_cpu, median: medians[middle], p99: p99s[middle], worst_p99: p99s[windows.len() - 1] })
}

/// Of a core.
fn share(peer: &Peer, time: Duration) -> anyhow::Result<f64> {
    let used = || cpu_time_of_process(peer.process.id()).context("the hub has ended");
    let before = used()?;
    std::thread::sleep(time);
    Ok((used()? - before).as_secs_f64() / time.as_secs_f64())
}

fn resident_bytes(peer: &Peer) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", peer.process.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}

fn kib(bytes: u64) -> f64 {
    bytes as f64 / 1024.0
}

fn say(what: &str, ours: &str, number: f64) {
    informs(&format!("{PAIRS} pairs over Zenoh, {what}"), ours, "-", number, Target::Informs);
}
