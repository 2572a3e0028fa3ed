//! What an engine is told, checked.

use std::time::Duration;

use hamsa_group::Process;
use hamsa_group::pair::limits::{MAX_LEASE, MIN_LEASE};

use crate::limits::{MAX_BEGAN_MS, MAX_ENTERPRISE_BYTES};
use crate::tls::{TlsFiles, TlsFilesError, Use};

/// An engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZenohOptions {
    /// The enterprise's name: letters, digits, `-`, `_`, at most [`MAX_ENTERPRISE_BYTES`].
    pub enterprise: String,
    /// This process, in all its pairs.
    pub me: Process,
    /// Where it listens, and whom it dials.
    pub links: Links,
    /// How links are protected.
    pub protection: Protection,
    /// How long a peer may be silent: 300 ms to 1 s on good lines.
    pub lease: Duration,
    /// This node's name, for people.
    pub name: String,
    /// Which Hamsa it runs.
    pub version: String,
    /// The `began_ms` of this node's last run ([`Run`](hamsa_group::enterprise::Run)), 0 when it is not known. The new
    /// run begins later than that, whatever the clock says: changes of the directory are counted for each run by
    /// itself, and two runs with one beginning would count the same for different changes. So whoever keeps the
    /// directory keeps the beginning of the run, before that run changes anything.
    pub began_after_ms: u64,
}

/// The links of a node: a hub listens, a site dials, and a second hub that dials the first does both. At least one of
/// the lists has an endpoint.
///
/// Of each two nodes only one dials the other: were both to do it, a split could stay for good (Zenoh's issue 2806).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// Listens at these endpoints, `host:port`.
    pub listen: Vec<String>,
    /// Dials all of these, `host:port`, again and again.
    pub dial: Vec<String>,
}

/// How links are protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protection {
    /// TLS with certificates of both sides.
    Tls(TlsFiles),
    /// Not at all: anyone who reaches the port is a member. For tests, and inside tunnels that are protected.
    None,
}

/// What is wrong with the options.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// The enterprise's name is a part of Zenoh's keys.
    #[error("`{0}` is no name of an enterprise: 1 to {MAX_ENTERPRISE_BYTES} letters, digits, `-` and `_`")]
    Enterprise(String),
    /// Not `host:port`.
    #[error("`{0}` is no endpoint: it should be host:port")]
    Endpoint(String),
    /// Nowhere to listen, and nobody to dial.
    #[error("there is no endpoint to listen at, and none to dial")]
    NoEndpoint,
    /// A lease out of its bounds.
    #[error("a lease of {0:?} is not within {MIN_LEASE:?} to {MAX_LEASE:?}")]
    Lease(Duration),
    /// No run can have begun then.
    #[error("no run can have begun {0} ms after 1970: what was kept of the last one is damaged")]
    Began(u64),
    /// The certificates won't do.
    #[error(transparent)]
    Tls(#[from] TlsFilesError),
}

impl ZenohOptions {
    /// Whether an engine can start with them.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), OptionsError> {
        let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
        let name = self.enterprise.as_bytes();
        if !(1..=MAX_ENTERPRISE_BYTES).contains(&name.len()) || !name.iter().copied().all(is_plain) {
            return Err(OptionsError::Enterprise(self.enterprise.clone()));
        }
        let Links { listen, dial } = &self.links;
        if listen.is_empty() && dial.is_empty() {
            return Err(OptionsError::NoEndpoint);
        }
        if let Some(wrong) = listen.iter().chain(dial).find(|endpoint| !is_endpoint(endpoint)) {
            return Err(OptionsError::Endpoint(wrong.clone()));
        }
        if !(MIN_LEASE..=MAX_LEASE).contains(&self.lease) {
            return Err(OptionsError::Lease(self.lease));
        }
        if self.began_after_ms > MAX_BEGAN_MS {
            return Err(OptionsError::Began(self.began_after_ms));
        }
        if let Protection::Tls(files) = &self.protection {
            let uses = [(listen, Use::Listen), (dial, Use::Dial)];
            for (_, purpose) in uses.into_iter().filter(|(endpoints, _)| !endpoints.is_empty()) {
                files.check(purpose)?;
            }
        }
        Ok(())
    }
}

/// Whether a text is `host:port`, with nothing that Zenoh would take for options.
pub fn is_endpoint(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    // What follows `?` or `#` would be options to Zenoh, and `/` another protocol.
    let is_host = |octet: u8| octet.is_ascii_alphanumeric() || b".-[]:%_".contains(&octet);
    !host.is_empty() && host.bytes().all(is_host) && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> ZenohOptions {
        ZenohOptions {
            enterprise: "acme".into(),
            me: Process { node: 1, process: 1 },
            links: dial("hub.example:7447"),
            protection: Protection::None,
            lease: Duration::from_millis(500),
            name: "north".into(),
            version: "0.1".into(),
            began_after_ms: 0,
        }
    }

    fn listen(endpoint: &str) -> Links {
        Links { listen: vec![endpoint.into()], dial: Vec::new() }
    }

    fn dial(endpoint: &str) -> Links {
        Links { listen: Vec::new(), dial: vec![endpoint.into()] }
    }

    #[test]
    fn wrong_options_are_refused() {
        assert!(options().check().is_ok());
        for name in ["", "a/b", "a*", "ä", &"x".repeat(65)] {
            let error = ZenohOptions { enterprise: name.into(), ..options() }.check().expect_err(name);
            assert!(matches!(error, OptionsError::Enterprise(_)), "{error}");
        }
        for endpoint in ["hub", ":1", "hub:x", "hub:70000", "tcp/hub:1", "hub:1?rel=0", "hub#iface=eth0:1", "a b:1"] {
            for links in [listen(endpoint), dial(endpoint), Links { listen: vec![endpoint.into()], ..options().links }]
            {
                let error = ZenohOptions { links, ..options() }.check();
                assert!(matches!(error, Err(OptionsError::Endpoint(_))), "{endpoint}");
            }
        }
        let error = ZenohOptions { links: Links::default(), ..options() }.check().expect_err("none");
        assert_eq!(error.to_string(), "there is no endpoint to listen at, and none to dial");
        let error = ZenohOptions { lease: Duration::from_millis(1), ..options() }.check().expect_err("short");
        assert!(matches!(error, OptionsError::Lease(_)));
        let error = ZenohOptions { began_after_ms: u64::MAX, ..options() }.check().expect_err("damaged");
        assert!(matches!(error, OptionsError::Began(u64::MAX)));
        for endpoint in ["127.0.0.1:7447", "[::1]:7447", "hub-1.example:1"] {
            assert!(ZenohOptions { links: listen(endpoint), ..options() }.check().is_ok());
        }
    }
}
