//! What groups cost and how fast they are: our layer over Corosync against bare CPG, how long it takes until a loss is
//! noticed and a split is healed, pairs over Zenoh, octets on the wire. `benches/README.md` says what is compared.
//!
//! This program is also what it starts, in network namespaces: `role NAME ...` is a member, or the owner of a daemon.

mod bare;
mod corosync;
mod detection;
mod limits;
mod load;
mod member;
#[cfg(feature = "zenoh")]
mod pair;
#[cfg(feature = "zenoh")]
mod pairs;
mod peer;
mod protocol;
mod ring;
mod wire;
#[cfg(feature = "zenoh")]
mod zenoh;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use member::Engine;

const USAGE: &str = "usage: hamsa-bench-group (corosync | detection | pairs | wire) [ROUNDS]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("failed {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> anyhow::Result<()> {
    match arguments {
        ["role", "daemon", host, hosts, token_ms, directory, key] => {
            let [host, hosts] = [host, hosts].map(|text| text.parse().context("a host"));
            ring::own_daemon(host?, hosts?, token_ms.parse()?, Path::new(directory), Path::new(key))
        }
        ["role", "corosync", node, group] => {
            member::run(node.parse()?, Engine::Corosync { group: (*group).to_owned() })
        }
        ["role", "embedded", node, socket] => member::run(node.parse()?, Engine::Embedded { socket: socket.into() }),
        #[cfg(feature = "zenoh")]
        ["role", "zenoh", node, side, endpoint, lease_ms, certificates, peer] => {
            let options = zenoh::EndOptions::parse(side, endpoint, lease_ms, certificates)?;
            member::run(node.parse()?, Engine::Zenoh(zenoh::End { options, peer: peer.parse()? }))
        }
        #[cfg(feature = "zenoh")]
        ["role", "pairs", side, endpoint, lease_ms, certificates, first, count] => {
            let options = zenoh::EndOptions::parse(side, endpoint, lease_ms, certificates)?;
            zenoh::run_many(&options, first.parse()?, count.parse()?)
        }
        [bench, rounds @ ..] => {
            let rounds = match rounds {
                [] => None,
                [rounds] => Some(rounds.parse().context("ROUNDS")?),
                _ => bail!("{USAGE}"),
            };
            match *bench {
                "corosync" => corosync::run(rounds.unwrap_or(limits::ROUNDS)),
                "wire" => wire::run(),
                #[cfg(feature = "zenoh")]
                "pairs" => pairs::run(),
                #[cfg(not(feature = "zenoh"))]
                "pairs" => bail!("built without the feature `zenoh`"),
                "detection" => detection::run(rounds.unwrap_or(limits::FAULTS)),
                _ => bail!("{USAGE}"),
            }
        }
        [] => bail!("{USAGE}"),
    }
}

/// Prints a line at once.
#[allow(clippy::print_stdout, reason = "this is how processes talk to each other and to people")]
fn say(line: &str) {
    println!("{line}");
    // Whoever reads has gone: then nobody misses it.
    let _ = std::io::stdout().flush();
}

/// Times of things, in nanoseconds.
fn values<T>(of: &[T], time: impl Fn(&T) -> Duration) -> impl Iterator<Item = f64> {
    of.iter().map(move |one| time(one).as_secs_f64() * 1e9)
}
