//! Which interfaces' comings and goings are told (`ifLinkUpDownTrapEnable`), as far as a manager has said so; and the
//! state of IF-MIB, which is nothing else.
//!
//! ```text
//! state = nothing | commits (8 octets, big-endian) { length (1 octet) name enabled (0 or 1) }   (names in order)
//! ```

use std::collections::BTreeMap;

use hamsa_snmp::agent::StateError;
use hamsa_snmp::pdu::ErrorStatus;

use super::host_interfaces::Interface;
use crate::limits::MAX_INTERFACES;

const MODULE: &str = "IF-MIB";

/// See the module's text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LinkTraps {
    commits: u64,
    /// By the names of interfaces; also of those that are gone, which may come back.
    set: BTreeMap<String, bool>,
}

impl LinkTraps {
    /// Those of an interface; if nobody has said, those that are on top of no other are told (RFC 2863 §3.1.9).
    pub(super) fn is_enabled(&self, interface: &Interface) -> bool {
        self.set.get(&interface.name).copied().unwrap_or(interface.is_lowest)
    }

    /// Sets those of an interface.
    pub(super) fn put(&mut self, name: String, is_enabled: bool) -> Result<(), ErrorStatus> {
        if name.len() > usize::from(u8::MAX) || self.set.len() >= MAX_INTERFACES && !self.set.contains_key(&name) {
            return Err(ErrorStatus::RESOURCE_UNAVAILABLE);
        }
        self.set.insert(name, is_enabled);
        self.commits += 1;
        Ok(())
    }

    /// How often they were set.
    pub(super) fn commits(&self) -> u64 {
        self.commits
    }

    /// The state in octets.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut octets = self.commits.to_be_bytes().to_vec();
        for (name, is_enabled) in &self.set {
            octets.push(name.len() as u8);
            octets.extend_from_slice(name.as_bytes());
            octets.push(u8::from(*is_enabled));
        }
        octets
    }

    /// The state that these octets are. Versions before this object could be set had none.
    pub(super) fn decode(octets: &[u8]) -> Result<Self, StateError> {
        let mut state = LinkTraps::default();
        if octets.is_empty() {
            return Ok(state);
        }
        let invalid = |what| StateError::Invalid { module: MODULE, what };
        let (commits, mut rest) = octets.split_first_chunk().ok_or(StateError::Truncated)?;
        state.commits = u64::from_be_bytes(*commits);
        while let Some((&length, behind)) = rest.split_first() {
            let (name, behind) = behind.split_at_checked(usize::from(length)).ok_or(StateError::Truncated)?;
            let (&is_enabled, behind) = behind.split_first().ok_or(StateError::Truncated)?;
            let name = std::str::from_utf8(name).map_err(|_| invalid("a name of an interface"))?;
            if is_enabled > 1 {
                return Err(invalid("ifLinkUpDownTrapEnable"));
            }
            if state.set.last_key_value().is_some_and(|(last, _)| last.as_str() >= name) {
                return Err(invalid("interfaces out of order"));
            }
            if state.set.len() >= MAX_INTERFACES {
                return Err(invalid("too many interfaces"));
            }
            state.set.insert(name.to_owned(), is_enabled == 1);
            rest = behind;
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_holds_by_name_and_is_there_again() {
        let interface = |name: &str, is_lowest| Interface { name: name.to_owned(), is_lowest, ..Interface::default() };
        let mut traps = LinkTraps::default();
        assert!(traps.is_enabled(&interface("eth0", true)) && !traps.is_enabled(&interface("lo", false)));
        traps.put("eth0".to_owned(), false).unwrap();
        traps.put("lo".to_owned(), true).unwrap();
        let octets = traps.encode();
        let again = LinkTraps::decode(&octets).unwrap();
        assert_eq!((&again, again.commits()), (&traps, 2));
        assert!(!again.is_enabled(&interface("eth0", true)) && again.is_enabled(&interface("lo", false)));
        assert_eq!(LinkTraps::decode(&[]), Ok(LinkTraps::default()));
        for cut in 1..octets.len() {
            // A cut between two entries leaves a state with fewer of them.
            assert_eq!(LinkTraps::decode(&octets[..cut]).is_ok(), cut == 8 || cut == 14, "cut at {cut}");
        }
        LinkTraps::decode(&[&octets[..], &[1, b'a', 1]].concat()).expect_err("out of order");
        LinkTraps::decode(&[&octets[..], &[2, b'z', b'z', 2]].concat()).expect_err("neither on nor off");
    }
}
