//! Writes the picture of the console that the README shows, `docs/console.png`:
//!
//! ```sh
//! cargo run -p hamsa-tests --example screenshot                            # of agents that it starts itself
//! cargo run -p hamsa-tests --example screenshot -- http://127.0.0.1:8161/devices/core1   # of a node that runs
//! ```
//!
//! By itself it starts a node, some agents of net-snmp and traffic between two sockets for them to count, and waits
//! until there is a graph to show.

#![allow(clippy::print_stderr, reason = "a command-line program")]

use std::net::UdpSocket;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hamsa_testkit::{Browser, Snmpd, Unavailable, free_udp, loopback, wait_until};

#[path = "../tests/http/support.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod support;

use support::{Node, NodeConfig};

/// Points of the graph before the picture is taken: about a minute and a half.
const POINTS: u32 = 90;

fn main() -> ExitCode {
    let output = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/console.png");
    let result = match std::env::args().nth(1) {
        Some(url) => picture(&url, 3, &output),
        None => own_picture(&output),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(unavailable) => {
            eprintln!("no picture: {unavailable}");
            ExitCode::FAILURE
        }
    }
}

fn own_picture(output: &Path) -> Result<(), Unavailable> {
    let names = ["core1", "core2", "edge1", "edge2"];
    let agents: Vec<Snmpd> = names
        .iter()
        .map(|name| Snmpd::start_with(&format!("sysName {name}.example.net\nsysContact noc@example.net\n")))
        .collect::<Result<_, _>>()?;
    let mut config = NodeConfig::new();
    for (name, agent) in names.iter().zip(&agents) {
        config.device(name, agent.address());
    }
    config.device("edge3", free_udp());
    let node = config.start();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| make_traffic(&done));
        let result = picture_of(&node, output);
        done.store(true, Ordering::Relaxed);
        result
    })
}

fn picture_of(node: &Node, output: &Path) -> Result<(), Unavailable> {
    node.wait_until_up("core1");
    wait_until("the interface is recorded", || {
        let series = node.json("/api/v1/series?device=core1&object=ifHCInOctets", 200);
        (!series["series"].as_array()?.is_empty()).then_some(())
    });
    picture(&node.url("/devices/core1#ifHCInOctets.1"), POINTS, output)
}

fn picture(url: &str, points: u32, output: &Path) -> Result<(), Unavailable> {
    let browser = Browser::start()?;
    browser.resize(1280, 860);
    browser.open(url);
    browser.wait_for("document.querySelector('#graph canvas')");
    // Longer than anything that is waited for in a test: the page is asked again and again.
    for some in (10..=points).step_by(10).chain([points]) {
        browser.wait_for(&format!("Number(document.getElementById('graph').dataset.points) >= {some}"));
    }
    browser.screenshot(output);
    Ok(())
}

/// Sends datagrams from one loopback address to another, now more and now fewer.
fn make_traffic(done: &AtomicBool) {
    let receiver = UdpSocket::bind((loopback(), 0)).expect("a socket");
    let sender = UdpSocket::bind((loopback(), 0)).expect("a socket");
    let to = receiver.local_addr().expect("its address");
    for step in 0_u32..6_000 {
        if done.load(Ordering::Relaxed) {
            return;
        }
        let wave = 1.2 + (f64::from(step) / 45.0).sin() + 0.4 * (f64::from(step) / 11.0).sin();
        for _ in 0..(wave.max(0.1) * 8.0) as u32 {
            // Nobody reads it: what counts is that it was sent.
            let _ = sender.send_to(&[0; 1_200], to);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
