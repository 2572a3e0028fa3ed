//! Writes the picture of the console that the README shows, `docs/console.png`:
//!
//! ```sh
//! cargo run -p hamsa-tests --example screenshot                            # of a demo that it starts itself
//! cargo run -p hamsa-tests --example screenshot -- http://127.0.0.1:8161/devices/core-1   # of a node that runs
//! ```
//!
//! By itself it takes some two minutes, until there is a graph to show.

#![allow(clippy::print_stderr, reason = "a command-line program")]

use std::path::Path;
use std::process::{Command, ExitCode};

use hamsa_testkit::{Browser, Process, Unavailable, free_tcp, free_udp, hamsa};

/// The page that is shown: a device with much to see, and its first interface.
const PAGE: &str = "/devices/core-1#ifHCInOctets.1";

/// Points of the graph before the picture is taken: of an hour's graph each is the mean of four seconds.
const POINTS: u32 = 42;

/// Points of a graph that are waited for where a node runs already.
const FEW_POINTS: u32 = 3;

fn main() -> ExitCode {
    let output = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/console.png");
    let result = match std::env::args().nth(1) {
        Some(url) => picture(&url, FEW_POINTS, &output),
        None => picture_of_the_demo(&output),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(unavailable) => {
            eprintln!("no picture: {unavailable}");
            ExitCode::FAILURE
        }
    }
}

fn picture_of_the_demo(output: &Path) -> Result<(), Unavailable> {
    let (http, traps) = (free_tcp().to_string(), free_udp().to_string());
    let mut command = Command::new(hamsa());
    command.args(["demo", "--interval", "1", "--http", &http, "--traps", &traps]);
    let mut demo = Process::spawn("hamsa-demo", &mut command);
    demo.wait_until("the demo runs", |demo| demo.stderr().contains("Ctrl-C ends it").then_some(()));
    picture(&format!("http://{http}{PAGE}"), POINTS, output)
}

fn picture(url: &str, points: u32, output: &Path) -> Result<(), Unavailable> {
    let browser = Browser::start()?;
    browser.resize(1400, 900);
    browser.open(url);
    browser.wait_for("document.querySelector('#graph canvas')");
    // Longer than anything that is waited for in a test: the page is asked again and again.
    for some in (10..=points).step_by(10).chain([points]) {
        browser.wait_for(&format!("Number(document.getElementById('graph').dataset.points) >= {some}"));
    }
    browser.screenshot(output);
    Ok(())
}
