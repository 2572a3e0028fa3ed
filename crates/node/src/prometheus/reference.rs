//! The reference of Hamsa's own metrics, `docs/metrics.md`, from their definitions.

use std::fmt::{self, Write as _};

use super::catalogue::{GROUPS, Group};

const INTRODUCTION: &str = "\
# Metrics

<!-- Written by `HAMSA_UPDATE=1 cargo test -p hamsa-node metrics`, from crates/node/src/prometheus/catalogue.rs. -->

What `/metrics` tells of a node, in Prometheus's text format. What devices are measured to do is not here: that is
`/snmp` for Prometheus, and `/api/v1/history` (`docs/api.md`) for what is stored. Counters begin with the process,
but those of a device with its first poll.

Alerts to begin with:

- `hamsa_device_up == 0`: a device answers nothing.
- `rate(hamsa_polls_missed_total[5m]) > 0`: polls take longer than their interval.
- `hamsa_store_failing == 1` or `increase(hamsa_store_lost_total[5m]) > 0`: samples don't reach the disk.
- `rate(hamsa_udp_drops_total[5m]) > 0`: the receive buffer is too small.
- `hamsa_group_nodes{state=\"unreachable\"} > 0`: a node has ended, or the network is cut.
";

/// `docs/metrics.md`: every metric of `/metrics` with its type, labels and meaning. In Markdown.
pub fn metrics_reference() -> String {
    let mut text = INTRODUCTION.to_owned();
    GROUPS.iter().try_for_each(|group| write_group(&mut text, group)).expect("writing to a String");
    text
}

fn write_group(text: &mut String, group: &Group) -> fmt::Result {
    writeln!(text, "\n## {}\n\n| Metric | Type | Labels | Meaning |\n|---|---|---|---|", group.title)?;
    group.metrics.iter().try_for_each(|metric| {
        let labels = metric.labels.join(", ");
        writeln!(text, "| `{}` | {} | {labels} | {} |", metric.name, metric.kind.name(), metric.help)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use super::*;
    use crate::prometheus::exposition::{MetricKind, metric_name};

    #[test]
    fn the_metrics_page_is_fresh() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
        let fresh = metrics_reference();
        if std::env::var_os("HAMSA_UPDATE").is_some() {
            std::fs::write(&path, &fresh).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == fresh, "docs/metrics.md is stale: HAMSA_UPDATE=1 cargo test -p hamsa-node metrics");
    }

    #[test]
    fn metrics_follow_prometheus_practice() {
        let mut names = HashSet::new();
        for metric in GROUPS.iter().flat_map(|group| group.metrics) {
            let name = metric.name;
            assert!(names.insert(name), "{name} is defined twice");
            assert!(name.starts_with("hamsa_") || name.starts_with("process_"), "{name}");
            assert_eq!(metric_name(name), name);
            assert_eq!(name.ends_with("_total"), metric.kind == MetricKind::Counter, "{name}");
            assert!(metric.help.ends_with('.') && !metric.help.contains('|'), "{name}: {}", metric.help);
            for unit in ["_ms", "_milliseconds", "_octets", "_us"] {
                assert!(!name.contains(unit), "{name} is not in a base unit");
            }
        }
    }
}
