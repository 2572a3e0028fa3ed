//! Prometheus's snmp_exporter, as the peer of our own `/snmp`. Debian's package has no modules; a test brings its own.

use std::net::SocketAddr;
use std::process::Command;

use tempfile::TempDir;

use crate::http;
use crate::net::free_tcp;
use crate::process::Process;
use crate::program::{Unavailable, program};

/// A running snmp_exporter on a loopback address of its own.
#[derive(Debug)]
pub struct SnmpExporter {
    _process: Process,
    address: SocketAddr,
    _home: TempDir,
}

impl SnmpExporter {
    /// Starts it and waits until it answers. `modules` is its `snmp.yml` in the format of version 0.21, in which a
    /// module holds its credentials.
    ///
    /// # Errors
    /// snmp_exporter is not installed.
    ///
    /// # Panics
    /// It does not start; it shows why.
    pub fn start(modules: &str) -> Result<Self, Unavailable> {
        let exporter = program("prometheus-snmp-exporter")?;
        let home = TempDir::with_prefix("hamsa-snmp-exporter-").expect("a temporary directory");
        let address = free_tcp();
        let configuration = home.path().join("snmp.yml");
        std::fs::write(&configuration, modules).expect("a configuration file");
        let mut command = Command::new(exporter);
        command
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--web.listen-address={address}"))
            .current_dir(home.path());
        let mut process = Process::spawn("snmp-exporter", &mut command);
        process.wait_until("snmp_exporter answers", |_| {
            let metrics = http::get(&format!("http://{address}/metrics")).ok()?;
            (metrics.status == 200).then_some(())
        });
        Ok(SnmpExporter { _process: process, address, _home: home })
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its answer to a scrape of `target` through one of its modules.
    ///
    /// # Panics
    /// There is none.
    #[track_caller]
    pub fn scrape(&self, target: SocketAddr, module: &str) -> http::Response {
        let url = format!("http://{}/snmp?target={target}&module={module}", self.address);
        http::get(&url).unwrap_or_else(|error| panic!("{error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Snmpd, require};

    const MODULES: &str = "
system:
  get: [1.3.6.1.2.1.1.3.0]
  metrics:
  - {name: sysUpTime, oid: 1.3.6.1.2.1.1.3, type: gauge, help: up}
  version: 2
  auth: {community: hamsa-ro}
";

    #[test]
    fn it_scrapes_an_agent() {
        let snmpd = require!(Snmpd::start());
        let exporter = require!(SnmpExporter::start(MODULES));
        let answer = exporter.scrape(snmpd.address(), "system");
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().contains("\nsysUpTime "), "{}", answer.text());
    }
}
