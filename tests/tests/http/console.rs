//! The console in a real browser.

use hamsa_testkit::{Browser, NetSnmp, Snmpd, free_udp, require};
use serde_json::json;

use crate::support::{Node, NodeConfig};

/// What the browser complains of; a page of ours gives no reason.
fn complaints(browser: &Browser) -> Vec<String> {
    browser.console().into_iter().filter(|entry| entry.starts_with("SEVERE") || entry.starts_with("WARNING")).collect()
}

fn send_trap(node: &Node, tools: &NetSnmp, index: &str) {
    let to = node.trap_address().to_string();
    let trap =
        ["-v2c", "-c", Snmpd::READ_COMMUNITY, &to, "", "1.3.6.1.6.3.1.1.5.3", "1.3.6.1.2.1.2.2.1.1.7", "i", index];
    tools.run("snmptrap", trap).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_overview_shows_devices_and_follows_them() {
    let snmpd = require!(Snmpd::start());
    let mut config = NodeConfig::new();
    config.community("other", Snmpd::WRITE_COMMUNITY);
    config.device("router1", snmpd.address());
    config.device_with("router2", snmpd.address(), "other");
    config.device("dead1", free_udp());
    let node = config.start();
    let browser = require!(Browser::start());
    browser.open(&node.url("/"));
    browser.wait_for("document.querySelector('[data-device=router1] .state').dataset.state === 'up'");
    browser.wait_for("document.querySelector('[data-device=dead1] .state').dataset.state === 'down'");
    browser.wait_for("document.getElementById('link').dataset.state === 'live'");
    // Trouble first, and a word beside each colour.
    assert_eq!(browser.text("#device-rows tr:first-child .state"), "down");
    assert_eq!(browser.text("a.tile[data-state=down] .tile-count"), "1");
    browser.wait_for("document.querySelector('#last-events').textContent.includes('went down')");

    // Rows change while the page stays.
    browser.script("window.stays = true; window.row = document.querySelector('[data-device=router1]')");
    let last = browser.script("return document.querySelector('[data-device=router1] time').dataset.ms");
    browser.wait_for(&format!("document.querySelector('[data-device=router1] time').dataset.ms > {last}"));
    assert_eq!(browser.script("return window.stays && window.row.isConnected"), json!(true));

    browser.type_text("#q", "router2");
    browser.wait_for(
        "document.querySelectorAll('#device-rows tr').length === 1 && location.search === '?q=router2&order=trouble'",
    );
    browser.type_text("#q", "nowhere");
    browser.wait_for("document.querySelector('#devices').textContent.includes('No device fits this filter')");
    browser.click("#devices .empty a");
    browser.click("th a[href='/devices/router1']");
    browser.wait_for("document.querySelector('h1').textContent === 'router1'");
    assert_eq!(complaints(&browser), Vec::<String>::new());
}

#[test]
fn a_devices_graph_moves() {
    let snmpd = require!(Snmpd::start());
    let node = Node::polling(&snmpd);
    let browser = require!(Browser::start());
    browser.open(&node.url("/devices/router1"));
    browser.wait_for("document.querySelector('#graph canvas')");
    browser.wait_for("document.querySelectorAll('#interface-rows tr').length > 0");
    browser.script("window.stays = true");
    browser.wait_for("Number(document.getElementById('graph').dataset.points) >= 2");
    let points = browser.script("return Number(document.getElementById('graph').dataset.points)");
    browser.wait_for(&format!("Number(document.getElementById('graph').dataset.points) > {points}"));

    // Another interface, by its button; the address keeps it.
    browser.script("[...document.querySelectorAll('#interface-rows tr')].find((row) => row.querySelector('th').textContent === 'lo').querySelector('button').click()");
    browser.wait_for("document.getElementById('graph-title').textContent === 'lo: traffic'");
    assert_eq!(browser.script("return location.hash"), json!("#ifHCInOctets.1"));
    browser.wait_for(
        "[...document.querySelectorAll('#interface-rows td.number')].some((cell) => /bit\\/s$/.test(cell.textContent))",
    );
    browser.click("button[data-span-s='86400']");
    browser.wait_for("document.querySelector('button[data-span-s=\"86400\"]').getAttribute('aria-pressed') === 'true'");
    browser.wait_for("document.querySelector('#facts').textContent.includes('a test')");
    browser.type_text("#interface-filter", "no such interface");
    browser.wait_for("[...document.querySelectorAll('#interface-rows tr')].every((row) => row.hidden)");
    assert_eq!(browser.script("return window.stays"), json!(true));
    assert_eq!(complaints(&browser), Vec::<String>::new());
}

#[test]
fn a_trap_appears_as_it_comes() {
    let tools = require!(NetSnmp::new());
    let node = NodeConfig::new().start();
    let browser = require!(Browser::start());
    browser.open(&node.url("/traps"));
    assert!(browser.text("#list").contains("No notification has come yet."));
    assert!(browser.text("#list").contains(&node.trap_address().to_string()));
    browser.script("window.stays = true");
    browser.wait_for("document.getElementById('link').dataset.state === 'live'");
    send_trap(&node, &tools, "7");
    browser.wait_for("document.querySelectorAll('#trap-rows tr').length === 1");
    assert_eq!(browser.text("#trap-rows tr th").lines().next(), Some("linkDown"));
    send_trap(&node, &tools, "8");
    browser.wait_for("document.querySelectorAll('#trap-rows tr').length === 2");
    assert!(browser.text("#trap-rows tr:first-child .variables").contains("ifIndex.7 = 8"));
    assert_eq!(browser.script("return window.stays"), json!(true));
    browser.click("nav a[href='/events']");
    browser.wait_for("document.querySelectorAll('#event-rows tr').length === 2");
    assert_eq!(complaints(&browser), Vec::<String>::new());
}

#[test]
fn times_are_the_readers_own_and_the_zone_is_told() {
    let tools = require!(NetSnmp::new());
    let node = NodeConfig::new().start();
    send_trap(&node, &tools, "1");
    let browser = require!(Browser::start());
    browser.open(&node.url("/traps"));
    browser.wait_for(
        "/^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d$/.test(document.querySelector('#trap-rows time').textContent)",
    );
    assert!(browser.text("#zone").starts_with("Times are "));
    browser.open(&node.url("/status"));
    browser.wait_for("document.querySelector('#status').textContent.includes('Listening at')");
    assert_eq!(complaints(&browser), Vec::<String>::new());
}

#[test]
fn pages_can_be_read_without_scripts() {
    let snmpd = require!(Snmpd::start());
    let node = Node::polling(&snmpd);
    let overview = node.get("/").text();
    assert!(
        overview.contains("<a href=\"/devices/router1\">router1</a>") && overview.contains(" UTC</time>"),
        "{overview}"
    );
    let device = hamsa_testkit::wait_until("an interface has a rate", || {
        let page = node.get("/devices/router1").text();
        page.contains("bit/s</td>").then_some(page)
    });
    for text in ["Interfaces", "Further values", "sysUpTime", Snmpd::LOCATION, "Times are UTC"] {
        assert!(device.contains(text), "{text} in {device}");
    }
    let empty = NodeConfig::new().start();
    assert!(empty.get("/").text().contains("This node polls no devices yet."));
}
