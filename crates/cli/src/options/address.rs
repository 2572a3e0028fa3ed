//! AGENT as people write it: `host`, `host:port`, `udp:host:port`, `udp6:[2001:db8::1]:161`, `2001:db8::1`.
//!
//! As with net-snmp, `udp:` is IPv4 and `udp6:` IPv6. Without either IPv4 is taken where a host has both.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use anyhow::Context;

use crate::failure::{advised, usage};

/// Where agents listen (RFC 3417 §3.1).
pub const SNMP_PORT: u16 = 161;

/// Where receivers of notifications listen (RFC 3417 §3.1).
pub const TRAP_PORT: u16 = 162;

/// Prefixes that name another transport than UDP, in small letters.
const OTHER_TRANSPORTS: [&str; 11] =
    ["tcp", "tcp6", "tcpv6", "tcpipv6", "tls", "dtls", "dtlsudp", "ssh", "unix", "ipx", "aal5pvc"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Any,
    V4,
    V6,
}

/// An agent's address, not yet resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentAddress {
    host: String,
    port: Option<u16>,
    family: Family,
}

impl AgentAddress {
    /// Looks a host name up. `default_port` counts where none is given.
    ///
    /// # Errors
    /// The name is unknown or has no address of the family.
    pub fn resolve(&self, default_port: u16) -> anyhow::Result<SocketAddr> {
        let port = self.port.unwrap_or(default_port);
        let found = (self.host.as_str(), port).to_socket_addrs().map(|addresses| addresses.collect::<Vec<_>>());
        let found = found.map_err(|error| {
            advised(
                format!("host name {}: {error}", self.host),
                "Is it spelt right, and does the resolver know it (`getent hosts NAME`)?",
            )
        })?;
        let fits = |address: &&SocketAddr| match self.family {
            Family::Any => true,
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
        };
        let mut fitting: Vec<&SocketAddr> = found.iter().filter(fits).collect();
        fitting.sort_by_key(|address| address.is_ipv6());
        let family = if self.family == Family::V6 { "IPv6" } else { "IPv4" };
        fitting.first().copied().copied().with_context(|| format!("host name {} has no {family} address", self.host))
    }
}

impl FromStr for AgentAddress {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (family, rest) = split_transport(text)?;
        let (host, port) = split_port(rest).ok_or_else(|| {
            usage(format!("{text:?} is no AGENT: say HOST, HOST:PORT, udp:HOST:PORT or udp6:[ADDRESS]:PORT"))
        })?;
        let port = match port {
            None => None,
            Some(digits) => {
                let port = digits.parse().ok().filter(|&port: &u16| port != 0 && !digits.starts_with('+'));
                Some(port.ok_or_else(|| usage(format!("{digits:?} in {text:?} is not a port from 1 to 65535")))?)
            }
        };
        match (family, host.parse::<IpAddr>()) {
            (Family::V4, Ok(IpAddr::V6(_))) => Err(usage(format!("{host} is an IPv6 address: say udp6:[{host}]"))),
            (Family::V6, Ok(IpAddr::V4(_))) => Err(usage(format!("{host} is an IPv4 address: say udp:{host}"))),
            _ => Ok(AgentAddress { host: host.to_owned(), port, family }),
        }
    }
}

fn split_transport(text: &str) -> anyhow::Result<(Family, &str)> {
    let Some((prefix, rest)) = text.split_once(':') else { return Ok((Family::Any, text)) };
    let prefix = prefix.to_ascii_lowercase();
    match prefix.as_str() {
        "udp" => Ok((Family::V4, rest)),
        "udp6" | "udpv6" | "udpipv6" => Ok((Family::V6, rest)),
        other if OTHER_TRANSPORTS.contains(&other) => {
            Err(usage(format!("{text:?}: Hamsa speaks SNMP over UDP only, not over {other}")))
        }
        _ => Ok((Family::Any, text)),
    }
}

/// Host and port; `None` where it is neither.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        let port = if after.is_empty() { None } else { Some(after.strip_prefix(':')?) };
        (without_zone(host).parse::<Ipv6Addr>().ok().map(|_| host)?, port)
    } else if without_zone(text).parse::<Ipv6Addr>().is_ok() {
        (text, None)
    } else {
        match text.split_once(':') {
            Some((_, port)) if port.contains(':') => return None,
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let is_host = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control() || "/,".contains(c));
    is_host.then_some((host, port))
}

/// `fe80::1%eth0` without its zone.
fn without_zone(host: &str) -> &str {
    host.split_once('%').map_or(host, |(address, _)| address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Usage;

    fn address(host: &str, port: Option<u16>, family: Family) -> AgentAddress {
        AgentAddress { host: host.to_owned(), port, family }
    }

    #[test]
    fn net_snmps_spellings_are_read() {
        for (text, expected) in [
            ("router1", address("router1", None, Family::Any)),
            ("router1:1161", address("router1", Some(1161), Family::Any)),
            ("192.0.2.1", address("192.0.2.1", None, Family::Any)),
            ("192.0.2.1:161", address("192.0.2.1", Some(161), Family::Any)),
            ("udp:192.0.2.1", address("192.0.2.1", None, Family::V4)),
            ("UDP:router1:1161", address("router1", Some(1161), Family::V4)),
            ("udp6:[2001:db8::1]:1161", address("2001:db8::1", Some(1161), Family::V6)),
            ("udp6:[2001:db8::1]", address("2001:db8::1", None, Family::V6)),
            ("udpv6:2001:db8::1", address("2001:db8::1", None, Family::V6)),
            ("udp6:router1:10161", address("router1", Some(10161), Family::V6)),
            ("[::1]:161", address("::1", Some(161), Family::Any)),
            ("::1", address("::1", None, Family::Any)),
            ("[fe80::1%eth0]:161", address("fe80::1%eth0", Some(161), Family::Any)),
        ] {
            assert_eq!(text.parse::<AgentAddress>().unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_agent_is_refused() {
        for text in [
            "",
            ":161",
            "host:",
            "host:0",
            "host:99999",
            "host:+1",
            "host:a:b",
            "[::1",
            "[::1]x",
            "[host]:161",
            "a b",
            "tcp:host",
            "udp:[::1]",
            "udp6:192.0.2.1",
            "192.0.2.0/24",
            "unix:/run/agent",
        ] {
            let error = text.parse::<AgentAddress>().unwrap_err();
            assert!(error.is::<Usage>(), "{text}: {error}");
        }
    }

    #[test]
    fn addresses_resolve_without_a_resolver() {
        let resolve = |text: &str| text.parse::<AgentAddress>().unwrap().resolve(SNMP_PORT).unwrap().to_string();
        assert_eq!(resolve("127.0.0.1"), "127.0.0.1:161");
        assert_eq!(resolve("udp6:[::1]:1161"), "[::1]:1161");
    }
}
