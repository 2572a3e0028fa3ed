//! A real Prometheus that scrapes what a test serves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::http;
use crate::net::free_tcp;
use crate::process::Process;
use crate::program::{Unavailable, program};
use crate::wait::wait_until;

/// A running Prometheus on a loopback address of its own that scrapes every second.
#[derive(Debug)]
pub struct Prometheus {
    _process: Process,
    address: SocketAddr,
    _home: TempDir,
}

/// One element of an instant vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The labels, `__name__` included where there is a name.
    pub labels: BTreeMap<String, String>,
    /// The sample's value.
    pub value: f64,
}

impl Prometheus {
    /// Starts it and waits until it is ready. `scrape_configs` is the list under that key of its configuration, in
    /// YAML, not indented: `- job_name: hamsa` and so on.
    ///
    /// # Errors
    /// Prometheus is not installed.
    ///
    /// # Panics
    /// It does not start; it shows why.
    pub fn start(scrape_configs: &str) -> Result<Self, Unavailable> {
        let prometheus = program("prometheus")?;
        let home = TempDir::with_prefix("hamsa-prometheus-").expect("a temporary directory");
        let address = free_tcp();
        let global = "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\n";
        let configuration = home.path().join("prometheus.yml");
        std::fs::write(&configuration, format!("{global}scrape_configs:\n{scrape_configs}\n"))
            .expect("a configuration file");
        let mut command = Command::new(prometheus);
        command
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.tsdb.path={}", home.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn")
            .current_dir(home.path());
        let mut process = Process::spawn("prometheus", &mut command);
        process.wait_until("Prometheus is ready", |_| {
            let ready = http::get(&format!("http://{address}/-/ready")).ok()?;
            (ready.status == 200).then_some(())
        });
        Ok(Prometheus { _process: process, address, _home: home })
    }

    /// Where it serves its API and pages.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `expression` (PromQL) is now: an instant vector.
    ///
    /// # Panics
    /// It is not one, or the expression is malformed.
    #[track_caller]
    pub fn query(&self, expression: &str) -> Vec<Series> {
        let answer = self.api("query", &format!("query={}", encoded(expression)));
        let vector = answer["result"].as_array().filter(|_| answer["resultType"] == "vector");
        let vector = vector.unwrap_or_else(|| panic!("`{expression}` is no instant vector: {answer}"));
        let series = |element: &Value| {
            let labels = element["metric"].as_object()?.iter();
            let labels = labels.map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
            let value = element["value"][1].as_str()?.parse().ok()?;
            Some(Series { labels: labels.collect::<Option<_>>()?, value })
        };
        vector.iter().map(|element| series(element).expect("an element of Prometheus's format")).collect()
    }

    /// Waits until `expression` has at least one element, and returns all.
    ///
    /// # Panics
    /// It stays empty.
    #[track_caller]
    pub fn wait_for(&self, expression: &str) -> Vec<Series> {
        wait_until(&format!("`{expression}` has a value"), || {
            Some(self.query(expression)).filter(|result| !result.is_empty())
        })
    }

    /// What it thinks of its targets: the `data` of its `targets` API.
    ///
    /// # Panics
    /// It does not answer.
    #[track_caller]
    pub fn targets(&self) -> Value {
        self.api("targets", "state=active")
    }

    /// What it knows of metrics by their names: types and help texts.
    ///
    /// # Panics
    /// It does not answer.
    #[track_caller]
    pub fn metadata(&self) -> Value {
        self.api("metadata", "")
    }

    #[track_caller]
    fn api(&self, method: &str, query: &str) -> Value {
        let response = http::get(&format!("http://{}/api/v1/{method}?{query}", self.address));
        let mut answer = response.unwrap_or_else(|error| panic!("{error}")).json();
        assert_eq!(answer["status"], "success", "{answer}");
        answer["data"].take()
    }
}

/// Percent-encoded for a query (RFC 3986 §2.1).
fn encoded(text: &str) -> String {
    let octets = text.bytes().map(|octet| match octet {
        octet if octet.is_ascii_alphanumeric() => char::from(octet).to_string(),
        octet => format!("%{octet:02X}"),
    });
    octets.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::require;

    #[test]
    fn it_scrapes_and_answers() {
        let scraped = require!(Prometheus::start(""));
        let target = scraped.address().to_string();
        let scrape_configs = format!("- job_name: peer\n  static_configs: [{{targets: ['{target}']}}]");
        let prometheus = require!(Prometheus::start(&scrape_configs));
        let up = prometheus.wait_for("up{job=\"peer\"} == 1");
        assert_eq!((up.len(), up[0].value, &up[0].labels["instance"]), (1, 1.0, &target));
        let built = prometheus.wait_for("prometheus_build_info");
        assert_eq!(built[0].labels["__name__"], "prometheus_build_info");
        assert_eq!(prometheus.targets()["activeTargets"][0]["labels"]["job"], "peer");
    }
}
