//! What to simulate, as values: groups of agents that are alike. Reading this from a file is elsewhere.

use std::net::{IpAddr, SocketAddr};

use hamsa_snmp::engine::NameTooLong;
use hamsa_snmp::limits::{MAX_MESSAGE_OCTETS, MIN_MAX_MESSAGE_OCTETS};

use crate::access::AgentAccess;
use crate::device::{DeviceModel, Schedule};
use crate::fault::Faults;
use crate::limits::MAX_AGENTS;
use crate::notification::NotificationTarget;

/// A whole simulation.
#[derive(Debug, Clone, Default)]
pub struct SimConfig {
    /// What every number is made from: with the same one, everything is the same.
    pub seed: u64,
    /// `snmpEngineBoots` at the start. It must have grown each time that the same agents are started again
    /// while some manager remembers them (RFC 3414 §2.2.1); seconds of the calendar do.
    pub boots_at_start: u32,
    /// The agents.
    pub groups: Vec<AgentGroup>,
}

/// Agents that are alike.
#[derive(Debug, Clone)]
pub struct AgentGroup {
    /// What they speak for.
    pub source: Source,
    /// How many.
    pub count: u32,
    /// Where the first one listens. An unspecified address (0.0.0.0) stands for each that has no agent of
    /// its own on that port.
    pub first: SocketAddr,
    /// Where the others listen.
    pub spread: Spread,
    /// Who may ask.
    pub access: AgentAccess,
    /// The longest answer that they give, in octets; what does not fit is `tooBig`. At least 484.
    pub max_message_octets: usize,
    /// What befalls generated devices.
    pub schedule: Schedule,
    /// What goes wrong.
    pub faults: Faults,
    /// Who is told of reboots, links and authentication failures.
    pub notifications: Vec<NotificationTarget>,
}

impl AgentGroup {
    /// One agent with the usual access, and nothing that befalls it.
    pub fn new(source: Source, first: SocketAddr) -> Self {
        AgentGroup {
            source,
            count: 1,
            first,
            spread: Spread::Addresses,
            access: AgentAccess::default(),
            max_message_octets: MAX_MESSAGE_OCTETS,
            schedule: Schedule::default(),
            faults: Faults::none(),
            notifications: Vec::new(),
        }
    }

    /// The addresses of the agents.
    pub fn addresses(&self) -> Result<Vec<SocketAddr>, BuildError> {
        (0..self.count)
            .map(|number| {
                self.address(number).ok_or(BuildError::NoMoreAddresses { first: self.first, count: self.count })
            })
            .collect()
    }

    fn address(&self, number: u32) -> Option<SocketAddr> {
        match (self.spread, self.first.ip()) {
            (Spread::Ports, ip) => {
                let port = u32::from(self.first.port()).checked_add(number)?;
                Some(SocketAddr::new(ip, port.try_into().ok()?))
            }
            (Spread::Addresses, IpAddr::V4(ip)) => {
                let ip = ip.to_bits().checked_add(number)?;
                Some(SocketAddr::new(std::net::Ipv4Addr::from_bits(ip).into(), self.first.port()))
            }
            (Spread::Addresses, IpAddr::V6(ip)) => {
                let ip = ip.to_bits().checked_add(number.into())?;
                Some(SocketAddr::new(std::net::Ipv6Addr::from_bits(ip).into(), self.first.port()))
            }
        }
    }
}

/// What the agents of a group speak for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A generated device each.
    Device(DeviceModel),
    /// All recordings of the library at each address: the community, and the SNMPv3 context, is the
    /// recording's name. The group's communities are for the contexts that they name.
    AllRecordings,
    /// One recording each, in the order of their names and again from the first: in the default context, for
    /// the group's communities and users.
    RecordingEach,
}

/// How the agents of a group are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// One address after the other, on one port.
    Addresses,
    /// One port after the other, at one address.
    Ports,
}

/// The simulation can't be put together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The group's range leaves the address space.
    #[error("{count} agents from {first} on: there are not so many addresses or ports; start lower or simulate fewer")]
    NoMoreAddresses {
        /// Where the group starts.
        first: SocketAddr,
        /// How many agents it has.
        count: u32,
    },
    /// Two agents can't listen at one address.
    #[error("two agents would listen on {0}: move one of the groups")]
    AddressTaken(SocketAddr),
    /// More than the bound.
    #[error("more than {MAX_AGENTS} agents")]
    TooManyAgents,
    /// Below what every agent must be able to send.
    #[error("messages of {0} octets: every agent must take {MIN_MAX_MESSAGE_OCTETS} (RFC 3417 §3.2)")]
    MessagesTooSmall(usize),
    /// A group wants recordings, and there are none.
    #[error("the group from {0} on plays recordings, but the library has none")]
    NoRecordings(SocketAddr),
    /// A community or a recording's name is too long to be a context's or a principal's.
    #[error("a community, context or recording: {0}")]
    Name(#[from] NameTooLong),
    /// A notification is to be sent by somebody who is not a user.
    #[error("notifications are to be sent by {0:?}, who is no user of the group")]
    UnknownNotificationUser(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceKind;

    fn addresses(first: &str, count: u32, spread: Spread) -> Result<Vec<String>, BuildError> {
        let source = Source::Device(DeviceKind::Router.into());
        let group = AgentGroup { count, spread, ..AgentGroup::new(source, first.parse().unwrap()) };
        Ok(group.addresses()?.iter().map(SocketAddr::to_string).collect())
    }

    #[test]
    fn groups_spread_over_addresses_or_ports() {
        let found = addresses("127.0.0.254:161", 3, Spread::Addresses).unwrap();
        assert_eq!(found, ["127.0.0.254:161", "127.0.0.255:161", "127.0.1.0:161"]);
        assert_eq!(addresses("127.0.0.1:1161", 2, Spread::Ports).unwrap(), ["127.0.0.1:1161", "127.0.0.1:1162"]);
        assert_eq!(addresses("[::1]:161", 2, Spread::Addresses).unwrap(), ["[::1]:161", "[::2]:161"]);
        assert!(matches!(addresses("127.0.0.1:65535", 2, Spread::Ports), Err(BuildError::NoMoreAddresses { .. })));
        assert!(addresses("255.255.255.255:1", 2, Spread::Addresses).is_err());
    }
}
