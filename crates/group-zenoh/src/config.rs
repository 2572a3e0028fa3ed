//! What Zenoh is told of an engine's options. It leaves out TLS, of which Zenoh knows nothing (`tunnel/`).

use serde_json::json;

use crate::limits::{MAX_PAIRS, MAX_SESSIONS, OPEN_TIMEOUT, QUEUE_BATCHES, RETRY_PERIODS};
use crate::options::ZenohOptions;

/// Zenoh's own links, as it writes endpoints: over TCP, or over Unix sockets to what protects them.
#[derive(Debug)]
pub(crate) struct ZenohEndpoints {
    pub(crate) protocol: &'static str,
    pub(crate) listen: Vec<String>,
    pub(crate) dial: Vec<String>,
}

impl ZenohEndpoints {
    /// Nothing protects these.
    pub(crate) fn bare(listen: &[String], dial: &[String]) -> Self {
        let tcp = |of: &[String]| of.iter().map(|it| format!("tcp/{it}")).collect();
        Self { protocol: "tcp", listen: tcp(listen), dial: tcp(dial) }
    }
}

impl ZenohOptions {
    /// What Zenoh reads: explicit endpoints, nothing found by itself, nothing waited for when a link is congested.
    pub(crate) fn zenoh_config(&self, endpoints: &ZenohEndpoints) -> String {
        let ZenohEndpoints { protocol, listen, dial } = endpoints;
        let (first, longest) = RETRY_PERIODS;
        let retry = json!({
            "period_init_ms": first.as_millis() as u64,
            "period_max_ms": longest.as_millis() as u64,
            "period_increase_factor": 2,
        });
        let open_timeout_ms = OPEN_TIMEOUT.as_millis() as u64;
        let link = json!({
            "protocols": [protocol],
            "tx": {
                "lease": self.lease.as_millis() as u64,
                "keep_alive": 4,
                "queue": {
                    "size": { "data": QUEUE_BATCHES, "data_low": QUEUE_BATCHES },
                    "congestion_control": {
                        "drop": { "wait_before_drop": 0, "max_wait_before_drop_fragments": 0 },
                    },
                    "allocation": { "mode": "lazy" },
                },
            },
        });
        let config = json!({
            "mode": "peer",
            // Without end, and without waiting for it.
            "connect": { "endpoints": dial, "timeout_ms": -1, "exit_on_failure": false, "retry": retry },
            "listen": { "endpoints": listen, "timeout_ms": 0, "exit_on_failure": true },
            "open": { "return_conditions": { "connect_scouted": false, "declares": false } },
            "scouting": { "multicast": { "enabled": false }, "gossip": { "enabled": false } },
            "transport": {
                "unicast": {
                    "open_timeout": open_timeout_ms,
                    "accept_timeout": open_timeout_ms,
                    "accept_pending": MAX_PAIRS,
                    "max_sessions": MAX_SESSIONS,
                },
                "link": link,
            },
        });
        config.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hamsa_group::Process;

    use super::*;
    use crate::options::{Links, Protection};

    /// What Zenoh reads for these links.
    fn read(listen: &[&str], dial: &[&str]) -> serde_json::Value {
        let [listen, dial] = [listen, dial].map(|of| of.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
        let endpoints = ZenohEndpoints::bare(&listen, &dial);
        let options = ZenohOptions {
            enterprise: "acme".into(),
            me: Process { node: 1, process: 1 },
            links: Links { listen, dial },
            protection: Protection::None,
            lease: Duration::from_millis(500),
            name: "north".into(),
            version: "0.1".into(),
            began_after_ms: 0,
        };
        serde_json::from_str(&options.zenoh_config(&endpoints)).expect("it is JSON")
    }

    #[test]
    fn only_what_is_said_is_dialled_and_nothing_is_found_by_itself() {
        let site = read(&[], &["hub.example:7447"]);
        assert_eq!(site["connect"]["endpoints"], json!(["tcp/hub.example:7447"]));
        assert_eq!(site["listen"]["endpoints"], json!([]));
        assert_eq!(site["scouting"]["multicast"]["enabled"], json!(false));
        assert_eq!(site["scouting"]["gossip"]["enabled"], json!(false));
        let hub = read(&["0.0.0.0:7447"], &[]);
        assert_eq!(hub["connect"]["endpoints"], json!([]));
        assert_eq!(hub["listen"]["endpoints"], json!(["tcp/0.0.0.0:7447"]));
        let both = read(&["0.0.0.0:7447"], &["hub.example:7447"]);
        assert_eq!(both["connect"]["endpoints"], site["connect"]["endpoints"]);
        assert_eq!(both["listen"]["endpoints"], hub["listen"]["endpoints"]);
    }
}
