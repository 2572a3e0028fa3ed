//! How long it takes until a loss is noticed, and until a split is healed: from the fault to the views of all whom it concerns.

use std::fmt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use hamsa_bench_rounds::{Target, informs, skipped};
use hamsa_testkit::Unavailable;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::limits::QUIET;
use crate::peer::Peer;
use crate::protocol::{machine_time, numbers};
use crate::ring::Daemons;
use crate::say;

const HOSTS: u8 = 3;
const ALL: &[u8] = &[1, 2, 3];
const REST: &[u8] = &[1, 2];
/// Whom all of it happens to.
const VICTIM: u8 = 3;

/// Token timeouts that are tried.
const TOKENS_MS: [u32; 3] = [300, 500, 1000];

/// Leases of Zenoh's links that are tried.
#[cfg(feature = "zenoh")]
const LEASES: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];

/// Times of one kind, one a round.
#[derive(Debug, Default)]
pub(crate) struct Distribution(Vec<Duration>);

impl Distribution {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    fn at(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
    }

    /// One row of the table; the number is the median, in milliseconds.
    pub(crate) fn tell(&self, engine: &str, what: &str) {
        let ms = |percent| self.at(percent).as_secs_f64() * 1e3;
        informs(&format!("{engine}: {what}"), &self.to_string(), "-", ms(50), Target::Informs);
    }
}

/// Where there are few rounds the 90th percentile is the last but one of ten.
impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |percent| {
            let ms = self.at(percent).as_secs_f64() * 1e3;
            if ms < 10.0 { format!("{ms:.1}") } else { format!("{ms:.0}") }
        };
        write!(f, "{} ms ({} rounds)", [0, 50, 90, 100].map(shown).join(" / "), self.0.len())
    }
}

/// Runs it.
pub(crate) fn run(rounds: usize) -> anyhow::Result<()> {
    for token_ms in TOKENS_MS {
        let engine = format!("Corosync, token {token_ms} ms");
        match Daemons::start(HOSTS, token_ms) {
            Ok(daemons) => Corosync::new(daemons, rounds)?.run(&engine)?,
            Err(why) => skip(&engine, &why),
        }
    }
    embedded(rounds)?;
    zenoh(rounds)
}

#[cfg(not(feature = "zenoh"))]
#[expect(clippy::unnecessary_wraps, reason = "with the feature it may fail")]
fn zenoh(_: usize) -> anyhow::Result<()> {
    skip("pair over Zenoh", &Unavailable::new("built without the feature `zenoh`"));
    Ok(())
}

#[cfg(feature = "zenoh")]
fn zenoh(rounds: usize) -> anyhow::Result<()> {
    for lease in LEASES {
        let engine = format!("pair over Zenoh, lease {} ms", lease.as_millis());
        let network = match hamsa_testkit::Network::new(2) {
            Ok(network) => network,
            Err(why) => {
                skip(&engine, &why);
                continue;
            }
        };
        let mut pair = crate::pair::Pair::start(network, lease)?;
        let mut times: [Distribution; 6] = Default::default();
        for _ in 0..rounds {
            let [cut, heal, pulled, plugged, process, joined] = &mut times;
            let fault = |pair: &mut crate::pair::Pair, fault: &dyn Fn(&hamsa_testkit::Network)| {
                std::thread::sleep(QUIET);
                let at = machine_time();
                fault(&pair.network);
                let first = all_see(&mut pair.members, &[1], at, &[1])?;
                anyhow::Ok(first.max(all_see(&mut pair.members, &[2], at, &[2])?))
            };
            let mend = |pair: &mut crate::pair::Pair, mend: &dyn Fn(&hamsa_testkit::Network)| {
                std::thread::sleep(QUIET);
                let at = machine_time();
                mend(&pair.network);
                all_see(&mut pair.members, &[1, 2], at, &[1, 2])
            };
            cut.add(fault(&mut pair, &|network| network.cut(&[&[1], &[2]]))?);
            heal.add(mend(&mut pair, &|network| network.heal())?);
            pulled.add(fault(&mut pair, &|network| network.set_carrier(2, false))?);
            plugged.add(mend(&mut pair, &|network| network.set_carrier(2, true))?);
            std::thread::sleep(QUIET);
            let at = machine_time();
            pair.members[1].process.kill_alone();
            process.add(all_see(&mut pair.members, &[1], at, &[1])?);
            let at = machine_time();
            pair.members[1] = pair.member(2)?;
            joined.add(all_see(&mut pair.members, &[1, 2], at, &[1, 2])?);
        }
        let kinds = [
            "cut, to the views of both alone",
            "heal, to the common view",
            "carrier down, to the views of both alone",
            "carrier up, to the common view",
            "kill -9 of a process, to the other's view alone",
            "start of a process, to the common view",
        ];
        for (what, times) in kinds.iter().zip(&times) {
            times.tell(&engine, what);
        }
    }
    Ok(())
}

fn skip(engine: &str, why: &Unavailable) {
    skipped(&format!("{engine}: detection and merge"), "-", &why.to_string(), Target::Informs);
}

/// When the last of these has the view of just these nodes, from a moment on.
pub(crate) fn all_see(peers: &mut [Peer], hosts: &[u8], since: Duration, nodes: &[u8]) -> anyhow::Result<Duration> {
    let mut last = since;
    for host in hosts {
        last = last.max(peers[usize::from(host - 1)].wait_for_view(since, nodes)?);
    }
    Ok(last - since)
}

struct Corosync {
    /// Members end before their daemons.
    members: Vec<Peer>,
    daemons: Daemons,
    pids: Vec<u32>,
    rounds: usize,
}

impl Corosync {
    fn new(mut daemons: Daemons, rounds: usize) -> anyhow::Result<Self> {
        let mut pids = Vec::new();
        for daemon in &mut daemons.daemons {
            pids.push(daemon.wait_for("pid ").parse().context("the daemon's process")?);
        }
        let mut members: Vec<Peer> = (1..=HOSTS).map(|host| daemons.member(host)).collect();
        all_see(&mut members, ALL, Duration::ZERO, ALL)?;
        Ok(Corosync { members, daemons, pids, rounds })
    }

    fn run(&mut self, engine: &str) -> anyhow::Result<()> {
        let mut times: [Distribution; 8] = Default::default();
        for round in 0..self.rounds {
            let [cut, heal, pulled, plugged, process, joined, daemon, back] = &mut times;
            self.quiet();
            cut.add(self.lose(|bench| bench.daemons.network.cut(&[REST, &[VICTIM]]))?);
            heal.add(self.find(|bench| bench.daemons.network.heal())?);
            pulled.add(self.lose(|bench| bench.daemons.network.set_carrier(VICTIM, false))?);
            plugged.add(self.find(|bench| bench.daemons.network.set_carrier(VICTIM, true))?);
            let victim = usize::from(VICTIM - 1);
            process.add(self.lose(|bench| bench.members[victim].process.kill_alone())?);
            joined.add(self.find(|bench| bench.members[victim] = bench.daemons.member(VICTIM))?);
            let lost = self.kill_daemon()?;
            daemon.add(lost);
            back.add(self.find(|bench| bench.daemons.daemons[victim] = bench.daemons.daemon(VICTIM))?);
            self.pids[victim] = self.daemons.daemons[victim].wait_for("pid ").parse()?;
            say(&format!("{engine}: round {} of {}", round + 1, self.rounds));
        }
        let kinds = [
            "cut, to the view of the two that are left",
            "heal, to the common view",
            "carrier down, to the view of the two that are left",
            "carrier up, to the common view",
            "kill -9 of a process, to the view of the two that are left",
            "start of a process, to the common view",
            "kill -9 of a daemon, to the view of the two that are left",
            "start of a daemon, to the common view",
        ];
        for (what, times) in kinds.iter().zip(&times) {
            times.tell(engine, what);
        }
        Ok(())
    }

    /// A fault ends when the ring stands; a bit later nothing of it is under way any more.
    fn quiet(&self) {
        std::thread::sleep(QUIET);
    }

    fn lose(&mut self, fault: impl FnOnce(&mut Self)) -> anyhow::Result<Duration> {
        let at = machine_time();
        fault(self);
        all_see(&mut self.members, REST, at, REST)
    }

    fn find(&mut self, mend: impl FnOnce(&mut Self)) -> anyhow::Result<Duration> {
        // The victim, too, has seen that it is alone.
        self.quiet();
        let at = machine_time();
        mend(self);
        let time = all_see(&mut self.members, ALL, at, ALL)?;
        self.quiet();
        Ok(time)
    }

    /// Its owner is stopped meanwhile, so that it is not started again at once.
    fn kill_daemon(&mut self) -> anyhow::Result<Duration> {
        let victim = usize::from(VICTIM - 1);
        let pid = i32::try_from(self.pids[victim]).ok().and_then(Pid::from_raw).context("a process")?;
        self.daemons.daemons[victim].process.pause();
        // It is the owner's child, who can't collect it now: its number stays its own.
        let mut killed = Ok(());
        let time = self.lose(|_| killed = kill_process(pid, Signal::KILL))?;
        killed.context("the daemon can't be killed")?;
        self.daemons.daemons[victim].process.resume();
        // By then the owner has removed what it left behind.
        self.daemons.daemons[victim].wait_for("ended");
        self.daemons.daemons[victim].process.kill();
        Ok(time)
    }
}

fn embedded(rounds: usize) -> anyhow::Result<()> {
    let engine = "embedded engine, three processes";
    let mut times: [Distribution; 5] = Default::default();
    for _ in 0..rounds {
        let [cut, heal, process, joined, hub] = &mut times;
        let directory = TempDir::with_prefix("hamsa-bench-")?;
        let socket = directory.path().join("socket");
        // The first is the hub, so the others come later.
        let mut members: Vec<Peer> = Vec::new();
        for node in 1..=HOSTS {
            members.push(embedded_member(node, &socket)?);
            let nodes: Vec<u8> = (1..=node).collect();
            all_see(&mut members, &nodes, Duration::ZERO, &nodes)?;
        }
        cut.add(ask_hub(&mut members, &format!("cut {VICTIM}"), REST)?);
        heal.add(ask_hub(&mut members, "heal", ALL)?);
        let at = machine_time();
        members[2].process.kill_alone();
        process.add(all_see(&mut members, REST, at, REST)?);
        let at = machine_time();
        members[2] = embedded_member(VICTIM, &socket)?;
        joined.add(all_see(&mut members, ALL, at, ALL)?);
        let at = machine_time();
        members[0].process.kill_alone();
        hub.add(all_see(&mut members, &[2, 3], at, &[2, 3])?);
    }
    let kinds = [
        "cut, to the view of the two that are left",
        "heal, to the common view",
        "kill -9 of a process, to the view of the two that are left",
        "start of a process, to the common view",
        "kill -9 of the hub, to the view of the two that are left",
    ];
    for (what, times) in kinds.iter().zip(&times) {
        times.tell(engine, what);
    }
    Ok(())
}

fn embedded_member(node: u8, socket: &Path) -> anyhow::Result<Peer> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["role", "embedded", &node.to_string()]).arg(socket);
    Ok(Peer::start(&format!("member-{node}"), &mut command))
}

/// From the hub's doing it to the views of those.
fn ask_hub(members: &mut [Peer], command: &str, nodes: &[u8]) -> anyhow::Result<Duration> {
    members[0].tell(command)?;
    let read = members[0].position();
    let [at] = numbers(&members[0].wait_for("at "))?;
    members[0].go_back(read);
    all_see(members, nodes, Duration::from_nanos(at), nodes)
}
