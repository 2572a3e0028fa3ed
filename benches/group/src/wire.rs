//! Octets on the wire for a change of state of s octets that is replicated to a group of n, against the paper's s*(n-1).

use std::time::Duration;

use anyhow::Context;
use hamsa_bench_rounds::{Target, informs, skipped};
use hamsa_testkit::wait_until;

use crate::detection::all_see;
use crate::limits::{IDLE, LEAD, MEASURED, NEVER, QUIET};
use crate::peer::Peer;
use crate::protocol::{Run, machine_time};
use crate::ring::Daemons;

/// Members of a group.
const MEMBERS: [u8; 3] = [2, 3, 5];

/// Octets of a change.
const SIZES: [usize; 4] = [64, 1024, 16 * 1024, 256 * 1024];

/// From one change to the next, and as fast as it goes.
const PERIODS: [Duration; 2] = [Duration::from_millis(50), Duration::ZERO];

/// Long, so that a busy machine takes nobody for dead.
const TOKEN_MS: u32 = 5000;

/// Runs it.
pub(crate) fn run() -> anyhow::Result<()> {
    for members in MEMBERS {
        let daemons = match Daemons::start(members, TOKEN_MS) {
            Ok(daemons) => daemons,
            Err(why) => {
                skipped("octets on the wire, Corosync", "s*(n-1)", &why.to_string(), Target::Informs);
                break;
            }
        };
        let hosts: Vec<u8> = (1..=members).collect();
        let mut group: Vec<Peer> = hosts.iter().map(|host| daemons.member(*host)).collect();
        all_see(&mut group, &hosts, Duration::ZERO, &hosts)?;
        measure("Corosync", &mut group)?;
        drop(group);
        drop(daemons);
    }
    zenoh()
}

#[cfg(not(feature = "zenoh"))]
#[expect(clippy::unnecessary_wraps, reason = "with the feature it may fail")]
fn zenoh() -> anyhow::Result<()> {
    skipped("octets on the wire, Zenoh", "s*(n-1)", "built without the feature `zenoh`", Target::Informs);
    Ok(())
}

#[cfg(feature = "zenoh")]
fn zenoh() -> anyhow::Result<()> {
    match hamsa_testkit::Network::new(2) {
        Ok(network) => measure("Zenoh", &mut crate::pair::Pair::start(network, Duration::from_secs(1))?.members),
        Err(why) => {
            skipped("octets on the wire, Zenoh", "s*(n-1)", &why.to_string(), Target::Informs);
            Ok(())
        }
    }
}

/// The first member changes its state; all are given each change.
fn measure(engine: &str, group: &mut [Peer]) -> anyhow::Result<()> {
    std::thread::sleep(QUIET);
    let (at, before) = (machine_time(), sent_octets(group)?);
    std::thread::sleep(IDLE);
    let idle_a_second = (sent_octets(group)? - before) as f64 / (machine_time() - at).as_secs_f64();
    let members = group.len();
    informs(
        &format!("octets on the wire, {engine}, {members} members: idle, a second, of all members together"),
        &format!("{idle_a_second:.0}"),
        "-",
        idle_a_second,
        Target::Informs,
    );
    for octets in SIZES {
        let mut shown = Vec::new();
        let ideal = octets * (members - 1);
        for period in PERIODS {
            let changes = Changes { octets, period, idle_a_second };
            let each = changes.replicate(group)?;
            shown.push((period, each));
        }
        for (period, each) in shown {
            let pace = match period {
                Duration::ZERO => "as fast as it goes".to_owned(),
                _ => format!("{:.0} a second", 1.0 / period.as_secs_f64()),
            };
            informs(
                &format!("octets on the wire, {engine}, {members} members, changes of {octets} octets, {pace}"),
                &format!("{each:.0}"),
                &format!("{ideal} s*(n-1)"),
                each / ideal as f64,
                Target::Informs,
            );
        }
    }
    Ok(())
}

struct Changes {
    octets: usize,
    period: Duration,
    idle_a_second: f64,
}

impl Changes {
    /// Octets that all members have sent for a change.
    fn replicate(&self, group: &mut [Peer]) -> anyhow::Result<f64> {
        let (octets, period) = (self.octets, self.period);
        let start = machine_time() + LEAD;
        let run = Run { start, warm_up: Duration::ZERO, measured: MEASURED, octets, period };
        // The others only receive.
        for other in &mut group[1..] {
            other.tell(&run.after(NEVER).to_string())?;
        }
        let (at, before) = (machine_time(), sent_octets(group)?);
        group[0].tell(&run.to_string())?;
        group[0].window()?;
        let mut changes = 0;
        wait_until("all changes to come", || {
            let totals: anyhow::Result<Vec<(u64, u64)>> = group.iter_mut().map(Peer::totals).collect();
            let totals = totals.unwrap_or_else(|error| panic!("{error:#}"));
            changes = totals[0].0;
            totals.iter().all(|(_, received)| *received == changes).then_some(())
        });
        // Acknowledgements still come.
        std::thread::sleep(QUIET);
        let sent = (sent_octets(group)? - before) as f64;
        let idle = self.idle_a_second * (machine_time() - at).as_secs_f64();
        Ok((sent - idle) / changes as f64)
    }
}

/// What the cables of all of them have carried so far, each octet counted where it was sent.
fn sent_octets(group: &[Peer]) -> anyhow::Result<u64> {
    group
        .iter()
        .map(|member| {
            // A process sees the interfaces of its own namespace.
            let text = std::fs::read_to_string(format!("/proc/{}/net/dev", member.process.id()))?;
            let line = text.lines().find_map(|line| line.trim().strip_prefix("eth0:"));
            let sent = line.and_then(|line| line.split_whitespace().nth(8)).context("no counter of octets sent")?;
            Ok(sent.parse::<u64>()?)
        })
        .sum()
}
