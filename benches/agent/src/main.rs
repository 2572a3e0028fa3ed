//! Processor time that an agent spends on a request: `hamsa agent` against net-snmp's snmpd, each on the same core, asked by
//! the same client on the other one. `benches/README.md` says what is compared.
#![allow(clippy::print_stdout, reason = "what a bench says, it says on its standard output")]

mod agents;
mod client;
mod limits;

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use hamsa_bench_rounds::{Cores, Figures, Target, claim, cpu_time_of_process, skipped, stay_on, take_turns};
use hamsa_testkit::{Snmpd, User, hamsa};

use agents::{Ours, user};
use client::{Client, Security};
use limits::{ONE_BY_ONE_PART, OUR_REQUESTS, OUTSTANDING, PEER_REQUESTS, REPETITIONS, ROUNDS};

/// What is claimed, by security and by requests under way.
const CLAIMS: [(Security, u8, Target); 4] = [
    (Security::V2c, OUTSTANDING, Target::AtLeast(10.0)),
    (Security::V3, OUTSTANDING, Target::AtLeast(5.0)),
    (Security::V2c, 1, Target::Informs),
    (Security::V3, 1, Target::Informs),
];

fn main() -> anyhow::Result<()> {
    // Built before anything is bound to a core.
    let binary = hamsa();
    let cores = Cores::choose()?;
    println!("agents on core {}, the client on core {}", cores.measured, cores.rest);
    stay_on(cores.measured)?;
    let mut snmpd = match Snmpd::start() {
        Ok(snmpd) => snmpd,
        Err(why) => return skip_all(&why.to_string()),
    };
    let Some(user) = user(snmpd.tools()).cloned() else {
        return skip_all("this build of net-snmp lacks SHA-256 or AES");
    };
    let ours = Ours::start(binary, &user)?;
    stay_on(cores.rest)?;
    let ours = Agent { address: ours.address(), process: ours.process(), _running: Some(ours) };
    let peer = Agent { address: snmpd.address(), process: snmpd.process().id(), _running: None };
    for (security, outstanding, target) in CLAIMS {
        let figures = measure(&ours, &peer, &user, security, outstanding)?;
        claim(&what(security, outstanding), "net-snmp's snmpd", &figures[0].against(&figures[1]), target);
    }
    Ok(())
}

/// An agent that runs.
struct Agent {
    address: SocketAddr,
    process: u32,
    _running: Option<Ours>,
}

/// Processor time a request of both, in turns.
fn measure(
    ours: &Agent,
    peer: &Agent,
    user: &User,
    security: Security,
    outstanding: u8,
) -> anyhow::Result<Vec<Figures>> {
    let part = if outstanding == 1 { ONE_BY_ONE_PART } else { 1 };
    let client = |agent: &Agent| Client::new(agent.address, security, outstanding, user);
    let (mut our_client, mut peer_client) = (client(ours)?, client(peer)?);
    ensure!(
        our_client.names() == peer_client.names(),
        "the agents have different variables: a host with fewer than three interfaces has too few in the columns that \
         both serve\n{:?}\n{:?}",
        our_client.names(),
        peer_client.names()
    );
    let figures = take_turns(
        ROUNDS,
        &mut [&mut || round(ours, &mut our_client, OUR_REQUESTS / part, outstanding), &mut || {
            round(peer, &mut peer_client, PEER_REQUESTS / part, outstanding)
        }],
    )?;
    println!("{}: asked again: ours {}, peer {}", what(security, outstanding), our_client.again(), peer_client.again());
    Ok(figures)
}

/// Nanoseconds of the agent's processor time for one request.
fn round(agent: &Agent, client: &mut Client, requests: u32, outstanding: u8) -> anyhow::Result<f64> {
    let before = cpu_time_of_process(agent.process).context("the agent has ended")?;
    client.ask(requests, outstanding)?;
    let spent = cpu_time_of_process(agent.process).context("the agent has ended")? - before;
    Ok(spent.as_secs_f64() * 1e9 / f64::from(requests))
}

fn what(security: Security, outstanding: u8) -> String {
    format!("agent, {} GETBULK of {REPETITIONS}, {outstanding} under way: processor time a request", security.name())
}

fn skip_all(why: &str) -> anyhow::Result<()> {
    for (security, outstanding, target) in CLAIMS {
        skipped(&what(security, outstanding), "net-snmp's snmpd", why, target);
    }
    Ok(())
}
