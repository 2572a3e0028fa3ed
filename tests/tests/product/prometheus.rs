//! A real Prometheus that scrapes the binary; what metrics mean is tested with the HTTP server itself.

use hamsa_testkit::{Prometheus, require};

use crate::node::{NodeHome, community, device};
use crate::sim::Sim;

#[test]
fn it_scrapes_a_node_and_devices_through_it() {
    let sim = Sim::start(&["router:4"]);
    let config = [community("public_v2", "public"), device("router", sim.first, "public_v2")].concat();
    let home = NodeHome::new(&config);
    let node = home.start();
    let (target, address) = (sim.first, node.http);
    let prometheus = require!(Prometheus::start(&format!(
        "- job_name: hamsa
  static_configs: [{{targets: ['{address}']}}]
- job_name: snmp
  metrics_path: /snmp
  params: {{module: [if_mib], auth: [public_v2]}}
  static_configs: [{{targets: ['{target}']}}]
  relabel_configs:
  - {{source_labels: [__address__], target_label: __param_target}}
  - {{source_labels: [__param_target], target_label: instance}}
  - {{target_label: __address__, replacement: '{address}'}}
"
    )));
    prometheus.wait_for("up{job=\"hamsa\"} == 1");
    prometheus.wait_for("up{job=\"snmp\"} == 1");
    assert_eq!(prometheus.wait_for("hamsa_device_up == 1")[0].labels["device"], "router");
    prometheus.wait_for("rate(hamsa_polls_total{result=\"complete\"}[30s]) > 0");
    let rates = prometheus.wait_for("rate(ifHCInOctets{job=\"snmp\"}[30s]) > 0");
    assert_eq!(rates[0].labels["instance"], target.to_string());
    // What Prometheus makes of the counters is what the node makes of them, within the noise of the traffic.
    assert!(rates.iter().all(|series| series.value < 100e9 / 8.0 * 1.05), "{rates:?}");
    assert_eq!(prometheus.wait_for("count(ifHCInOctets{job=\"snmp\"})")[0].value, 4.0);
}
