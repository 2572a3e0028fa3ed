//! Where a device's agent listens, as people write it: `192.0.2.1`, `192.0.2.1:1161`, `[2001:db8::1]:161`,
//! `router1.example.net`.
//!
//! Only the form is checked here; host names are resolved by the node, again and again. Host names follow
//! RFC 1123 §2.1, with the underscore that container networks put into them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::str::FromStr;

use super::limits::{MAX_HOST_LABEL_OCTETS, MAX_HOST_OCTETS};
use super::source::quoted;

/// The port of an SNMP agent where none is given (RFC 3417 §3.1).
pub const SNMP_PORT: u16 = 161;

/// Where an agent listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DeviceAddress {
    /// An IP address and a port.
    Ip(SocketAddr),
    /// A host name, in small letters, and a port.
    Host {
        /// The name.
        name: String,
        /// The port.
        port: u16,
    },
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// An IPv6 address whose last part may be a port.
    #[error("an IPv6 address needs brackets, as in \"[2001:db8::1]\" or \"[2001:db8::1]:161\"")]
    NoBrackets,
    /// What stands in brackets, or after them.
    #[error(
        "{quoted} is not an IPv6 address in brackets, with or without a port; a zone is a number, as in \"[fe80::1%2]\"",
        quoted = quoted(.0)
    )]
    NotIpv6(String),
    /// Numbers and dots that are no IPv4 address.
    #[error("{} is not an IPv4 address", quoted(.0))]
    NotIpv4(String),
    /// Not a host name.
    #[error("{} is not a host name: letters, digits and hyphens between dots", quoted(.0))]
    NotHost(String),
    /// Not a port.
    #[error("{} is not a port from 1 to 65535", quoted(.0))]
    NotPort(String),
    /// No agent has such an address.
    #[error("{0} is not the address of one host")]
    NotOneHost(IpAddr),
}

impl DeviceAddress {
    /// The UDP port.
    pub fn port(&self) -> u16 {
        match self {
            DeviceAddress::Ip(address) => address.port(),
            DeviceAddress::Host { port, .. } => *port,
        }
    }
}

impl From<SocketAddr> for DeviceAddress {
    fn from(address: SocketAddr) -> Self {
        DeviceAddress::Ip(address)
    }
}

impl FromStr for DeviceAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let address = if text.starts_with('[') {
            DeviceAddress::Ip(parse_ipv6(text)?)
        } else {
            let (host, port) = match text.split_once(':') {
                Some((_, rest)) if rest.contains(':') => return Err(AddressError::NoBrackets),
                Some((host, port)) => (host, parse_port(port)?),
                None => (text, SNMP_PORT),
            };
            parse_host(host, port)?
        };
        match address {
            DeviceAddress::Ip(socket) if !is_one_host(socket.ip()) => Err(AddressError::NotOneHost(socket.ip())),
            DeviceAddress::Ip(socket) if socket.port() == 0 => Err(AddressError::NotPort("0".to_owned())),
            address => Ok(address),
        }
    }
}

impl fmt::Display for DeviceAddress {
    /// Writes what is read again; the port only where it is not 161.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceAddress::Ip(address) if address.port() != SNMP_PORT => return address.fmt(f),
            DeviceAddress::Ip(SocketAddr::V4(address)) => address.ip().fmt(f)?,
            DeviceAddress::Ip(SocketAddr::V6(address)) => match address.scope_id() {
                0 => write!(f, "[{}]", address.ip())?,
                zone => write!(f, "[{}%{zone}]", address.ip())?,
            },
            DeviceAddress::Host { name, port: SNMP_PORT } => f.write_str(name)?,
            DeviceAddress::Host { name, port } => write!(f, "{name}:{port}")?,
        }
        Ok(())
    }
}

/// An IPv6 address in brackets, with a port or without.
fn parse_ipv6(text: &str) -> Result<SocketAddr, AddressError> {
    let whole = if text.ends_with(']') { format!("{text}:{SNMP_PORT}") } else { text.to_owned() };
    let address: SocketAddrV6 = whole.parse().map_err(|_| AddressError::NotIpv6(text.to_owned()))?;
    Ok(SocketAddr::V6(address))
}

fn parse_host(host: &str, port: u16) -> Result<DeviceAddress, AddressError> {
    if let Ok(ip) = host.parse::<Ipv4Addr>() {
        return Ok(DeviceAddress::Ip((ip, port).into()));
    }
    // A name whose last part is a number is a mistyped address: no top-level domain is one (RFC 1123 §2.1).
    if host.rsplit('.').next().is_some_and(|last| !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit())) {
        return Err(AddressError::NotIpv4(host.to_owned()));
    }
    let is_label = |label: &str| {
        (1..=MAX_HOST_LABEL_OCTETS).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() > MAX_HOST_OCTETS || !host.strip_suffix('.').unwrap_or(host).split('.').all(is_label) {
        return Err(AddressError::NotHost(host.to_owned()));
    }
    Ok(DeviceAddress::Host { name: host.to_ascii_lowercase(), port })
}

fn parse_port(text: &str) -> Result<u16, AddressError> {
    let port = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    port.filter(|&port| port != 0).ok_or_else(|| AddressError::NotPort(text.to_owned()))
}

fn is_one_host(ip: IpAddr) -> bool {
    !ip.is_unspecified() && !ip.is_multicast() && ip != IpAddr::V4(Ipv4Addr::BROADCAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_in_their_shortest_form() {
        for (text, written) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:161", "192.0.2.1"),
            ("192.0.2.1:1161", "192.0.2.1:1161"),
            ("[2001:DB8::1]", "[2001:db8::1]"),
            ("[2001:db8::1]:161", "[2001:db8::1]"),
            ("[2001:db8::1]:1161", "[2001:db8::1]:1161"),
            ("[fe80::1%2]", "[fe80::1%2]"),
            ("[fe80::1%2]:1161", "[fe80::1%2]:1161"),
            ("Router1.example.NET", "router1.example.net"),
            ("core_1:10161", "core_1:10161"),
            ("a.b.", "a.b."),
        ] {
            let address: DeviceAddress = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(address.to_string(), written);
            assert_eq!(written.parse::<DeviceAddress>().as_ref(), Ok(&address));
        }
        assert_eq!("host".parse::<DeviceAddress>().unwrap().port(), SNMP_PORT);
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        let text = |text: &str| text.to_owned();
        let long = ["a"; 128].join(".");
        for (address, error) in [
            ("", AddressError::NotHost(text(""))),
            ("2001:db8::1", AddressError::NoBrackets),
            ("2001:db8::1:161", AddressError::NoBrackets),
            ("[2001:db8::1", AddressError::NotIpv6(text("[2001:db8::1"))),
            ("[192.0.2.1]", AddressError::NotIpv6(text("[192.0.2.1]"))),
            ("[fe80::1%eth0]", AddressError::NotIpv6(text("[fe80::1%eth0]"))),
            ("[::1]x", AddressError::NotIpv6(text("[::1]x"))),
            ("192.0.2.300", AddressError::NotIpv4(text("192.0.2.300"))),
            ("10.1", AddressError::NotIpv4(text("10.1"))),
            ("192.0.2.0/24", AddressError::NotHost(text("192.0.2.0/24"))),
            ("-a.example", AddressError::NotHost(text("-a.example"))),
            ("a..example", AddressError::NotHost(text("a..example"))),
            (&"a".repeat(64), AddressError::NotHost("a".repeat(64))),
            (&long, AddressError::NotHost(long.clone())),
            ("host:", AddressError::NotPort(text(""))),
            ("host:+1", AddressError::NotPort(text("+1"))),
            ("host:0", AddressError::NotPort(text("0"))),
            ("[::1]:0", AddressError::NotPort(text("0"))),
            ("host:65536", AddressError::NotPort(text("65536"))),
            ("udp:host", AddressError::NotPort(text("host"))),
            ("0.0.0.0", AddressError::NotOneHost(IpAddr::from([0, 0, 0, 0]))),
            ("224.0.0.1", AddressError::NotOneHost(IpAddr::from([224, 0, 0, 1]))),
            ("[::]", AddressError::NotOneHost(IpAddr::from([0; 16]))),
            ("255.255.255.255", AddressError::NotOneHost(IpAddr::from([255; 4]))),
        ] {
            assert_eq!(address.parse::<DeviceAddress>(), Err(error), "{address}");
        }
    }
}
