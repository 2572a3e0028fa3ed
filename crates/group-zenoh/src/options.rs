//! What an engine is told, checked.

use std::time::Duration;

use hamsa_group::Process;
use hamsa_group::pair::limits::{MAX_LEASE, MIN_LEASE};

use crate::limits::MAX_ENTERPRISE_BYTES;
use crate::tls::{TlsFiles, TlsFilesError, Use};

/// An engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZenohOptions {
    /// The enterprise's name: letters, digits, `-`, `_`, at most [`MAX_ENTERPRISE_BYTES`].
    pub enterprise: String,
    /// This process, in all its pairs.
    pub me: Process,
    /// Which side it is.
    pub side: Side,
    /// How links are protected.
    pub protection: Protection,
    /// How long a peer may be silent: 300 ms to 1 s on good lines.
    pub lease: Duration,
    /// This node's name, for people.
    pub name: String,
    /// Which Hamsa it runs.
    pub version: String,
}

/// Only one side dials: were both to do it, a split could stay for good (Zenoh's issue 2806).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// Listens at these endpoints, `host:port`.
    Hub {
        /// One or more.
        listen: Vec<String>,
    },
    /// Dials all of these hubs, `host:port`, again and again.
    Site {
        /// One or more.
        hubs: Vec<String>,
    },
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
    /// Nowhere to listen, or nobody to dial.
    #[error("there is no endpoint to {0}")]
    NoEndpoint(&'static str),
    /// A lease out of its bounds.
    #[error("a lease of {0:?} is not within {MIN_LEASE:?} to {MAX_LEASE:?}")]
    Lease(Duration),
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
        let (endpoints, verb, purpose) = match &self.side {
            Side::Hub { listen } => (listen, "listen at", Use::Listen),
            Side::Site { hubs } => (hubs, "dial", Use::Dial),
        };
        if endpoints.is_empty() {
            return Err(OptionsError::NoEndpoint(verb));
        }
        if let Some(wrong) = endpoints.iter().find(|endpoint| !is_endpoint(endpoint)) {
            return Err(OptionsError::Endpoint(wrong.clone()));
        }
        if !(MIN_LEASE..=MAX_LEASE).contains(&self.lease) {
            return Err(OptionsError::Lease(self.lease));
        }
        if let Protection::Tls(files) = &self.protection {
            files.check(purpose)?;
        }
        Ok(())
    }
}

fn is_endpoint(text: &str) -> bool {
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
            side: Side::Site { hubs: vec!["hub.example:7447".into()] },
            protection: Protection::None,
            lease: Duration::from_millis(500),
            name: "north".into(),
            version: "0.1".into(),
        }
    }

    #[test]
    fn wrong_options_are_refused() {
        assert!(options().check().is_ok());
        for name in ["", "a/b", "a*", "ä", &"x".repeat(65)] {
            let error = ZenohOptions { enterprise: name.into(), ..options() }.check().expect_err(name);
            assert!(matches!(error, OptionsError::Enterprise(_)), "{error}");
        }
        for endpoint in ["hub", ":1", "hub:x", "hub:70000", "tcp/hub:1", "hub:1?rel=0", "hub#iface=eth0:1", "a b:1"] {
            let error = ZenohOptions { side: Side::Hub { listen: vec![endpoint.into()] }, ..options() }.check();
            assert!(matches!(error, Err(OptionsError::Endpoint(_))), "{endpoint}");
        }
        let error = ZenohOptions { side: Side::Site { hubs: Vec::new() }, ..options() }.check().expect_err("none");
        assert_eq!(error.to_string(), "there is no endpoint to dial");
        let error = ZenohOptions { lease: Duration::from_millis(1), ..options() }.check().expect_err("short");
        assert!(matches!(error, OptionsError::Lease(_)));
        for endpoint in ["127.0.0.1:7447", "[::1]:7447", "hub-1.example:1"] {
            assert!(ZenohOptions { side: Side::Hub { listen: vec![endpoint.into()] }, ..options() }.check().is_ok());
        }
    }
}
