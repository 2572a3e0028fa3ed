//! A real Prometheus that scrapes a node's `/metrics`, and devices through its `/snmp`.

use hamsa_testkit::{Prometheus, Snmpd, free_udp, require, wait_until};

use crate::support::{Node, NodeConfig};

#[test]
fn it_scrapes_the_node_and_a_device_through_it() {
    let snmpd = require!(Snmpd::start());
    let mut config = NodeConfig::new();
    config.community("public_v2", Snmpd::READ_COMMUNITY);
    config.device("router1", snmpd.address());
    config.device("dead1", free_udp());
    let node = config.start();
    node.wait_until_up("router1");

    let (device, address) = (snmpd.address(), node.address());
    // What snmp_exporter's documentation shows, with another port.
    let scrape_configs = format!(
        "- job_name: hamsa
  static_configs: [{{targets: ['{address}']}}]
- job_name: snmp
  metrics_path: /snmp
  params: {{module: [if_mib, system]}}
  static_configs: [{{targets: ['{device}']}}]
  relabel_configs:
  - {{source_labels: [__address__], target_label: __param_target}}
  - {{source_labels: [__param_target], target_label: instance}}
  - {{target_label: __address__, replacement: '{address}'}}
"
    );
    let prometheus = require!(Prometheus::start(&scrape_configs));
    prometheus.wait_for("up{job=\"hamsa\"} == 1");
    prometheus.wait_for("up{job=\"snmp\"} == 1");

    let up = prometheus.wait_for("hamsa_device_up == 1");
    assert_eq!((&up[0].labels["device"], &up[0].labels["site"]), (&"router1".to_owned(), &"berlin".to_owned()));
    assert_eq!(up[0].labels["address"], device.to_string());
    assert_eq!(prometheus.wait_for("hamsa_device_up == 0")[0].labels["device"], "dead1");
    for expression in [
        "rate(hamsa_polls_total{result=\"complete\"}[30s]) > 0",
        "histogram_quantile(0.99, rate(hamsa_poll_duration_seconds_bucket[30s])) > 0",
        "hamsa_store_samples_total > 0",
        "process_resident_memory_bytes > 1e6",
        "hamsa_build_info{node=\"test-node\"} == 1",
        "hamsa_scrapes_total{result=\"complete\"} > 0",
    ] {
        prometheus.wait_for(expression);
    }
    let octets = prometheus.wait_for("ifHCInOctets{job=\"snmp\", ifDescr=\"lo\"}");
    assert_eq!((&octets[0].labels["ifIndex"], &octets[0].labels["instance"]), (&"1".to_owned(), &device.to_string()));
    prometheus.wait_for("rate(ifHCInOctets{job=\"snmp\", ifDescr=\"lo\"}[30s]) > 0");
    assert_eq!(prometheus.wait_for("sysLocation")[0].labels["sysLocation"], Snmpd::LOCATION);
    assert_eq!(prometheus.wait_for("count by (module) (snmp_scrape_pdus_returned)").len(), 2);
    let metadata = prometheus.metadata();
    assert_eq!(metadata["ifHCInOctets"][0]["type"], "counter");
    assert_eq!(metadata["hamsa_poll_lateness_seconds"][0]["type"], "histogram");
}

#[test]
fn scrapes_that_can_not_be_done_say_why() {
    let snmpd = require!(Snmpd::start());
    let mut config = NodeConfig::new();
    config.add("[poll]\ntimeout = \"200ms\"\nretries = 0");
    let node = config.start();
    let (device, nobody) = (snmpd.address(), free_udp());
    for (query, status, text) in [
        (String::new(), 400, "target is missing"),
        (
            format!("target={device}&module=ddwrt"),
            400,
            "unknown module 'ddwrt'\nmodules are device profiles; here are entity-sensors,",
        ),
        (
            format!("target={device}&auth=campus"),
            400,
            "unknown auth 'campus'\nauth is the NAME of a [credentials.NAME]; here are lab",
        ),
        (format!("target={device}&snmp_context=vrf"), 400, "auth lab is of no SNMPv3 user"),
        (format!("target=tcp://{device}"), 400, "the transport tcp of target"),
        ("target=127.0.0.1:99999".to_owned(), 400, "target \"127.0.0.1:99999\": \"99999\" is not a port"),
        (
            format!("target={nobody}"),
            500,
            &format!("error scraping target {nobody}: module if_mib: no answer after 1 tries"),
        ),
    ] {
        let answer = node.get(&format!("/snmp?{query}"));
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
        assert!(answer.text().starts_with(text), "{query}: {}", answer.text());
    }
    // What snmp_exporter passes over is passed over, and the only credentials are taken.
    let fine = node.get(&format!("/snmp?target=udp://{device}&module=if-mib,if_mib&transport=udp"));
    assert_eq!((fine.status, fine.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    let late = node.get_with(&format!("/snmp?target={nobody}"), &[("x-prometheus-scrape-timeout-seconds", "0.02")]);
    assert!(late.status == 500 && late.text().contains("in the time that the scrape may take"), "{}", late.text());
}

#[test]
fn v3_is_scraped_in_its_context() {
    let snmpd = require!(Snmpd::start());
    let Some(user) = snmpd.tools().users().iter().find(|user| user.name == "priv-SHA-256-AES") else {
        hamsa_testkit::skip!("this build of net-snmp lacks SHA-256 or AES");
    };
    let ((_, auth), (_, privacy)) = (user.auth.unwrap(), user.privacy.unwrap());
    let mut config = NodeConfig::new();
    config.add(&format!(
        "[credentials.v3]\nversion = \"v3\"\nuser = \"{}\"\nauth_protocol = \"SHA-256\"\nauth_password = \"{auth}\"\n\
         priv_protocol = \"AES-128\"\npriv_password = \"{privacy}\"",
        user.name
    ));
    let node = config.start();
    let answer = node.get(&format!("/snmp?target={}&module=system&auth=v3", snmpd.address()));
    assert!(answer.text().contains("\nsysLocation{sysLocation=\"a test\"} 1\n"), "{}", answer.text());
    let elsewhere = node.get(&format!("/snmp?target={}&module=system&auth=v3&snmp_context=nowhere", snmpd.address()));
    assert_ne!(elsewhere.text(), answer.text());
}

#[test]
fn metrics_follow_what_happens() {
    let snmpd = require!(Snmpd::start());
    let node = Node::polling(&snmpd);
    let value = |name: &str| -> f64 {
        let text = node.get("/metrics").text();
        let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        line.and_then(|line| line.rsplit_once(' ')?.1.parse().ok()).unwrap_or_else(|| panic!("no {name} in:\n{text}"))
    };
    let before = value("hamsa_polls_total{result=\"complete\"}");
    wait_until("polls go on", || (value("hamsa_polls_total{result=\"complete\"}") > before).then_some(()));
    // The loop tells its counts once a second.
    for counter in ["hamsa_snmp_messages_sent_total", "hamsa_udp_received_total{socket=\"poll\"}"] {
        wait_until(counter, || (value(counter) > 0.0).then_some(()));
    }
    assert_eq!(value("hamsa_devices{state=\"up\"}"), 1.0);
    assert_eq!(value("hamsa_store_failing"), 0.0);
    node.get("/nothing");
    assert!(value("hamsa_http_requests_total{endpoint=\"console\",code=\"4xx\"}") >= 1.0);
    // Every metric that is documented is told, or has nothing to tell yet.
    let text = node.get("/metrics").text();
    for metric in hamsa_node::prometheus::metrics_reference()
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
    {
        assert!(text.contains(&format!("\n# TYPE {metric} ")), "{metric}");
    }
}
