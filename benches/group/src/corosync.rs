//! Our layer over Corosync against bare CPG, on the same three daemons and in turns.

use std::time::Duration;

use anyhow::Context;
use hamsa_bench_rounds::{Comparison, Figures, Target, claim, cpu_time_of_process, informs, skipped};

use crate::bare::Program;
use crate::limits::{LEAD, MEASURED, WARM_UP};
use crate::peer::{Peer, run_all};
use crate::protocol::{Run, machine_time};
use crate::ring::Daemons;
use crate::{say, values};

const HOSTS: u8 = 3;

/// Long, so that a busy machine takes nobody for dead: what is measured here does not wait for it.
const TOKEN_MS: u32 = 5000;

/// Octets of a message, with those of the claim first.
const SIZES: [usize; 3] = [1024, 64, 16 * 1024];

/// At the fixed rate, of each of the three: a fifth of what goes through at most.
const PERIOD: Duration = Duration::from_millis(2);

/// The claim: messages a second, of what bare CPG gives.
const TARGET: Target = Target::AtLeast(0.9);

/// What one run of one contender gives, averages of the three.
#[derive(Debug, Clone, Copy)]
struct Taken {
    /// Of time, for a message that is given to a node; its inverse is the rate.
    message_ns: f64,
    client_cpu_ns: f64,
    daemon_cpu_ns: f64,
    median_ns: f64,
    p99_ns: f64,
}

/// Messages that a bare member lets be under way. Which is best depends on their size and the machine, so the better one
/// counts.
const OUTSTANDING: [usize; 2] = [256, 1024];

/// Runs it.
pub(crate) fn run(rounds: usize) -> anyhow::Result<()> {
    let started = Daemons::start(HOSTS, TOKEN_MS).map_err(anyhow::Error::from);
    let (daemons, program) = match started.and_then(|daemons| Ok((daemons, Program::compile()?))) {
        Ok(started) => started,
        Err(why) => {
            skipped("groups over Corosync", "bare CPG", &format!("{why:#}"), TARGET);
            return Ok(());
        }
    };
    let mut bench = Bench { contenders: Vec::new(), pids: Vec::new(), daemons };
    for daemon in &mut bench.daemons.daemons {
        bench.pids.push(daemon.wait_for("pid ").parse().context("the daemon's process")?);
    }
    let mut ours: Vec<Peer> = (1..=HOSTS).map(|host| bench.daemons.member(host)).collect();
    let all: Vec<u8> = (1..=HOSTS).collect();
    for peer in &mut ours {
        peer.wait_for_view(Duration::ZERO, &all)?;
    }
    bench.contenders.push(ours);
    // Now there is a daemon to join at.
    for outstanding in OUTSTANDING {
        let peers = (1..=HOSTS).map(|host| bench.daemons.bare(host, &program.path(), outstanding)).collect();
        bench.contenders.push(peers);
    }
    for octets in SIZES {
        bench.compare_throughput(rounds, octets)?;
        bench.compare_latency(rounds, octets)?;
    }
    Ok(())
}

struct Bench {
    /// Ours first. They end before the daemons do.
    contenders: Vec<Vec<Peer>>,
    pids: Vec<u32>,
    daemons: Daemons,
}

impl Bench {
    fn compare_throughput(&mut self, rounds: usize, octets: usize) -> anyhow::Result<()> {
        let contenders = self.contenders.len();
        let taken = self.take(contenders, rounds, octets, Duration::ZERO)?;
        let by_rate = |of: &[Taken]| Figures::from_iter(of.iter().map(|taken| taken.message_ns));
        let rates: Vec<Figures> = taken.iter().map(|of| by_rate(of)).collect();
        let better = (1..contenders).min_by(|&a, &b| rates[a].median().total_cmp(&rates[b].median()));
        let better = better.context("there is a bare one")?;
        let title = |what: &str| format!("groups over Corosync, {octets} octets: {what}");
        let Comparison { ours, peer, ratio, lowest, highest } = rates[0].against(&rates[better]);
        let [ours, peer] = [ours, peer].map(|ns| format!("{:.0}", 1e9 / ns));
        let peer = format!("{peer} bare CPG ({lowest:.2} to {highest:.2})");
        let target = if octets == SIZES[0] { TARGET } else { Target::Informs };
        informs(&title("messages a second at each of 3 nodes, all sending"), &ours, &peer, ratio, target);
        let show = |what, of| show(&title(what), &taken[0], &taken[better], of);
        show("processor time of a message at a node, program", |taken| taken.client_cpu_ns);
        show("processor time of a message at a node, program and daemon", |taken| {
            taken.client_cpu_ns + taken.daemon_cpu_ns
        });
        Ok(())
    }

    fn compare_latency(&mut self, rounds: usize, octets: usize) -> anyhow::Result<()> {
        // How much may be under way makes no difference here.
        let taken = self.take(2, rounds, octets, PERIOD)?;
        let rate = 1.0 / PERIOD.as_secs_f64() * f64::from(HOSTS);
        let title = |what: &str| format!("groups over Corosync, {octets} octets, {rate:.0} a second: {what}");
        let show = |what, of| show(&title(what), &taken[0], &taken[1], of);
        show("latency, median", |taken| taken.median_ns);
        show("latency, p99", |taken| taken.p99_ns);
        show("processor time of a message at a node, program", |taken| taken.client_cpu_ns);
        Ok(())
    }

    /// Lets the first so many contenders take turns; without the first round, which warms up.
    fn take(
        &mut self,
        contenders: usize,
        rounds: usize,
        octets: usize,
        period: Duration,
    ) -> anyhow::Result<Vec<Vec<Taken>>> {
        let mut taken = vec![Vec::new(); contenders];
        for round in 0..=rounds {
            for (peers, taken) in self.contenders.iter_mut().zip(&mut taken) {
                let one = once(peers, &self.pids, octets, period)?;
                if round > 0 {
                    taken.push(one);
                }
            }
        }
        Ok(taken)
    }
}

fn show(what: &str, ours: &[Taken], peer: &[Taken], of: fn(&Taken) -> f64) {
    let figures = |taken: &[Taken]| Figures::from_iter(taken.iter().map(of));
    claim(what, "bare CPG", &figures(ours).against(&figures(peer)), Target::Informs);
}

fn once(peers: &mut [Peer], pids: &[u32], octets: usize, period: Duration) -> anyhow::Result<Taken> {
    let start = machine_time() + LEAD;
    let run = Run { start, warm_up: WARM_UP, measured: MEASURED, octets, period };
    let daemons_cpu = || -> anyhow::Result<Duration> {
        pids.iter().map(|pid| cpu_time_of_process(*pid).context("a daemon has ended")).sum()
    };
    let before = daemons_cpu()?;
    let windows = run_all(peers, run)?;
    let daemon_cpu = daemons_cpu()? - before;
    let (_, received) = peers[0].totals()?;
    let messages: u64 = windows.iter().map(|window| window.delivered).sum();
    anyhow::ensure!(messages > 0, "nothing was delivered");
    let count = windows.len() as f64;
    let each = |time: Duration| time.as_secs_f64() * 1e9 / messages as f64;
    let mean = |of: fn(&crate::protocol::Window) -> Duration| values(&windows, of).sum::<f64>() / count;
    let taken = Taken {
        message_ns: each(run.measured) * count,
        client_cpu_ns: each(windows.iter().map(|window| window.cpu).sum()),
        daemon_cpu_ns: daemon_cpu.as_secs_f64() * 1e9 / (received as f64 * count),
        median_ns: mean(|window| window.median),
        p99_ns: mean(|window| window.p99),
    };
    say(&format!("{octets} octets every {period:?}: {taken:.0?}"));
    Ok(taken)
}
