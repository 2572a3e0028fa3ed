//! `hamsa demo`: one command, nothing set up, nothing left behind.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use hamsa_testkit::limits::LIVENESS;
use hamsa_testkit::{Browser, Process, free_tcp, free_udp, http, require, wait_until};
use serde_json::Value;
use tempfile::TempDir;

use crate::run::{command, json_lines, run};
use crate::sim::free_port;

/// A running demo, polling every second.
struct Demo {
    process: Process,
    http: SocketAddr,
    traps: SocketAddr,
    port: u16,
    temporary: TempDir,
}

impl Demo {
    /// Waits until it says where to look.
    fn start() -> Self {
        let temporary = TempDir::with_prefix("hamsa-demo-test-").unwrap();
        let (http, traps, port) = (free_tcp(), free_udp(), free_port());
        let mut process = Process::spawn("hamsa-demo", &mut demo(http, traps, port, &temporary));
        process.wait_until("the demo says where to look", |process| {
            process.stderr().contains("  Ctrl-C ends it.\n").then_some(())
        });
        Demo { process, http, traps, port, temporary }
    }

    fn get(&self, path: &str) -> http::Response {
        http::get(&format!("http://{}{path}", self.http)).unwrap_or_else(|error| panic!("{error}"))
    }

    fn devices(&self) -> Vec<(String, String)> {
        let answer = self.get("/api/v1/devices").json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let devices = answer["devices"].as_array().unwrap().iter();
        devices.map(|device| (text(&device["name"]), text(&device["status"]["state"]))).collect()
    }

    /// Waits until all devices are polled: one is off, the others are not.
    fn wait_until_polled(&self) {
        wait_until("all devices are up but one", || {
            let devices = self.devices();
            let fits = |(name, state): &(String, String)| match name.as_str() {
                "switched-off" => state == "down",
                // It loses packets.
                "far-away" => state == "up" || state == "degraded",
                _ => state == "up",
            };
            (devices.len() == 12 && devices.iter().all(fits)).then_some(())
        });
    }
}

fn demo(http: SocketAddr, traps: SocketAddr, port: u16, temporary: &TempDir) -> std::process::Command {
    let (http, traps, port) = (http.to_string(), traps.to_string(), port.to_string());
    let mut demo = command(&["demo", "--http", &http, "--traps", &traps, "--port", &port, "--interval", "1"]);
    demo.env("TMPDIR", temporary.path());
    demo
}

fn entries(directory: &TempDir) -> usize {
    std::fs::read_dir(directory.path()).unwrap().count()
}

#[test]
fn it_does_the_whole_job_and_leaves_nothing_behind() {
    let mut demo = Demo::start();
    let said = demo.process.stderr();
    for part in [
        "12 simulated devices".to_owned(),
        format!("http://{}\n", demo.http),
        format!("http://{}/metrics\n", demo.http),
        format!("traps       {}", demo.traps),
        "(removed at the end)".to_owned(),
    ] {
        assert!(said.contains(&part), "{part} in {said}");
    }
    assert_eq!(entries(&demo.temporary), 1, "its data is in the temporary directory");
    demo.wait_until_polled();

    let overview = demo.get("/");
    assert!(overview.status == 200 && overview.text().contains("core-1"), "{}", overview.text());
    let metrics = demo.get("/metrics").text();
    assert!(metrics.contains("hamsa_device_up{device=\"switched-off\"") && metrics.contains("site=\"ottawa\""));
    // What it says to try works as it is.
    let prometheus = said.lines().find_map(|line| line.trim().strip_prefix("Prometheus  ")).expect("its line");
    let scrape = http::get(prometheus).unwrap();
    assert!(scrape.status == 200 && scrape.text().contains("ifHCInOctets{"), "{}", scrape.text());
    let walk = said.lines().find_map(|line| line.trim().strip_prefix("try         hamsa ")).expect("its line");
    let walked = run(&walk.split(' ').collect::<Vec<_>>()).ok();
    assert!(walked.contains("IF-MIB::ifHCInOctets.1 = Counter64: "), "{walked}");
    let history = said.lines().find_map(|line| line.trim().strip_prefix("hamsa history ")).expect("its line");
    let history = [&["history", "-o", "json"], &history.split(' ').collect::<Vec<_>>()[..]].concat();
    wait_until("rates are recorded", || {
        let outcome = run(&history);
        let rates = if outcome.status == Some(0) { json_lines(&outcome.stdout) } else { Vec::new() };
        rates.iter().any(|row| row["value"].as_f64().is_some_and(|rate| rate > 0.0)).then_some(())
    });

    let cluster: Vec<&str> =
        said.lines().filter_map(|line| line.trim().split_once("hamsa group ")).map(|it| it.1).collect();
    let [shown, cut] = cluster[..] else { panic!("{said}") };
    let socket = shown.split(' ').next_back().unwrap();
    let reachable = |wanted: usize| {
        wait_until("so many nodes are in reach", || {
            let shown = run(&["group", "members", "--json", "--socket", socket]).ok();
            let found: Value = serde_json::from_str(&shown).unwrap();
            let nodes = found["members"].as_array().unwrap();
            let reachable = nodes.iter().filter(|node| node["reachable"] == true).count();
            (nodes.len() == 3 && reachable == wanted).then_some(())
        });
    };
    reachable(3);
    run(&[&["group"], &cut.split(' ').collect::<Vec<_>>()[..]].concat()).ok();
    reachable(2);
    assert!(demo.get("/status").text().contains("Not in reach: demo3."));
    run(&["group", "heal", "--socket", socket]).ok();
    reachable(3);

    // An inform that is acknowledged is stored.
    let traps = demo.traps.to_string();
    run(&["inform", "-c", "public", "-t", "5", &traps, "", "linkDown"]).ok();
    let rows = json_lines(&run(&["traps", "--url", &format!("http://{}", demo.http), "-o", "json"]).ok());
    assert!(rows.iter().any(|row| row["payload"]["kind"] == "inform"), "{rows:?}");

    let status = demo.process.interrupt(LIVENESS).expect("it ends by itself");
    assert_eq!(status.code(), Some(0), "{}", demo.process.stderr());
    assert_eq!(entries(&demo.temporary), 0, "nothing is left behind");
}

#[test]
fn its_console_moves() {
    let demo = Demo::start();
    let browser = require!(Browser::start());
    demo.wait_until_polled();
    browser.open(&format!("http://{}/", demo.http));
    browser.wait_for("document.getElementById('link').dataset.state === 'live'");
    assert_eq!(browser.text("#device-rows tr:first-child .state"), "down");
    browser.click("[data-device='core-1'] a");
    browser.wait_for("document.querySelectorAll('#interface-rows tr').length === 16");
    browser.wait_for("document.querySelector('#graph canvas')");
    browser.script("window.stays = true");
    for _ in 0..2 {
        let points = browser.script("return Number(document.getElementById('graph').dataset.points)");
        browser.wait_for(&format!("Number(document.getElementById('graph').dataset.points) > {points}"));
    }
    browser.wait_for("/bit\\/s$/.test(document.querySelector('#interface-rows td.number').textContent)");

    browser.click("nav a[href='/traps']");
    browser.wait_for("document.getElementById('link').dataset.state === 'live'");
    browser.script("window.stays = true");
    let traps = demo.traps.to_string();
    run(&["trap", "-c", "public", &traps, "", "linkUp", "ifIndex.77", "i", "77"]).ok();
    browser.wait_for("document.querySelector('#trap-rows').textContent.includes('ifIndex.77 = 77')");
    assert_eq!(browser.script("return window.stays"), Value::Bool(true));
    let severe: Vec<_> = browser.console().into_iter().filter(|entry| entry.starts_with("SEVERE")).collect();
    assert_eq!(severe, Vec::<String>::new());
}

#[test]
fn a_port_that_is_taken_is_told_with_its_option() {
    let taken_tcp = TcpListener::bind(free_tcp()).unwrap();
    let taken_udp = UdpSocket::bind(free_udp()).unwrap();
    let taken_port = free_port();
    let _device = UdpSocket::bind((Ipv4Addr::new(127, 77, 0, 5), taken_port)).unwrap();
    let (tcp, udp) = (taken_tcp.local_addr().unwrap(), taken_udp.local_addr().unwrap());
    for (option, others, address, http, traps, port) in [
        ("--http", ["--traps", "--port"], tcp.to_string(), tcp, free_udp(), free_port()),
        ("--traps", ["--http", "--port"], udp.to_string(), free_tcp(), udp, free_port()),
        ("--port", ["--http", "--traps"], format!("127.77.0.5:{taken_port}"), free_tcp(), free_udp(), taken_port),
    ] {
        let temporary = TempDir::with_prefix("hamsa-demo-test-").unwrap();
        let output = Process::spawn("hamsa-demo", &mut demo(http, traps, port, &temporary)).finish(LIVENESS).unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stderr.contains(option) && output.stderr.contains(&address), "{option}: {}", output.stderr);
        assert!(others.iter().all(|other| !output.stderr.contains(other)), "{option}: {}", output.stderr);
        assert_eq!(entries(&temporary), 0, "nothing is left behind");
    }
}

#[test]
fn a_second_demo_does_not_disturb_the_first() {
    let demo = Demo::start();
    demo.wait_until_polled();
    let temporary = TempDir::with_prefix("hamsa-demo-test-").unwrap();
    let second = self::demo(demo.http, demo.traps, demo.port, &temporary).output().unwrap();
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    let mut demo = demo;
    assert!(demo.process.is_running());
    demo.wait_until_polled();
}
