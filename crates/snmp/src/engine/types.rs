//! The names that RFC 3411 §3 gives to engines, principals and contexts.

use std::fmt;
use std::str::FromStr;

use smallvec::SmallVec;

use crate::limits::{MAX_ENGINE_ID_OCTETS, MAX_NAME_OCTETS};

/// `snmpEngineID`: identifies an SNMP engine in its administrative domain (RFC 3411 §3.1.1). Empty while unknown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EngineId {
    octets: [u8; MAX_ENGINE_ID_OCTETS],
    length: u8,
}

/// Text or octets that are no `snmpEngineID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EngineIdError {
    /// More than 32 octets.
    #[error("engine ID has {0} octets; at most {MAX_ENGINE_ID_OCTETS} are allowed (RFC 3411 SnmpEngineID)")]
    TooLong(usize),
    /// Not pairs of hexadecimal digits.
    #[error("engine ID must be an even number of hexadecimal digits, like 80001f8880abcdef")]
    NotHex,
}

impl EngineId {
    /// No engine yet: what discovery sends (RFC 3414 §4).
    pub const EMPTY: EngineId = EngineId { octets: [0; MAX_ENGINE_ID_OCTETS], length: 0 };

    /// Takes up to 32 octets.
    pub fn new(octets: &[u8]) -> Result<Self, EngineIdError> {
        if octets.len() > MAX_ENGINE_ID_OCTETS {
            return Err(EngineIdError::TooLong(octets.len()));
        }
        let mut id = EngineId::EMPTY;
        id.octets[..octets.len()].copy_from_slice(octets);
        id.length = octets.len() as u8;
        Ok(id)
    }

    /// An ID of format 5, "octets, administratively assigned" (RFC 3411 §5), below an enterprise number.
    pub fn assigned(enterprise: u32, octets: [u8; 8]) -> Self {
        let mut id = EngineId::EMPTY;
        id.octets[..4].copy_from_slice(&(enterprise | 0x8000_0000).to_be_bytes());
        id.octets[4] = 5;
        id.octets[5..13].copy_from_slice(&octets);
        id.length = 13;
        id
    }

    /// The octets.
    pub fn as_octets(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }

    /// Whether this is no engine.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl fmt::Display for EngineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_octets().iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for EngineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EngineId({self})")
    }
}

impl FromStr for EngineId {
    type Err = EngineIdError;

    /// Reads hexadecimal digits, `0x` before them or not.
    fn from_str(text: &str) -> Result<Self, EngineIdError> {
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
        if !digits.len().is_multiple_of(2) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(EngineIdError::NotHex);
        }
        let octets: Vec<u8> = (0..digits.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).expect("checked digits"))
            .collect();
        EngineId::new(&octets)
    }
}

/// A name of at most 255 octets, by convention UTF-8: a `securityName`, `usmUserName` or `contextName`
/// (RFC 3411 `SnmpAdminString`).
#[derive(PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Name(SmallVec<[u8; 24]>);

impl Clone for Name {
    /// Octets at once: `SmallVec` clones one by one.
    #[inline]
    fn clone(&self) -> Self {
        Name(SmallVec::from_slice(&self.0))
    }
}

/// A part of the engine that does not serve: it failed, or is being replaced for longer than its caller waits.
/// A message that needs it is dropped, and nobody is told anything wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a part of the engine does not serve: {0}")]
pub struct Unavailable(pub String);

/// A name over 255 octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("name has {0} octets; at most {MAX_NAME_OCTETS} are allowed (RFC 3411 SnmpAdminString)")]
pub struct NameTooLong(pub usize);

impl Name {
    /// Takes up to 255 octets.
    pub fn new(name: impl AsRef<[u8]>) -> Result<Self, NameTooLong> {
        let octets = name.as_ref();
        if octets.len() > MAX_NAME_OCTETS { Err(NameTooLong(octets.len())) } else { Ok(Name::within_limits(octets)) }
    }

    /// Takes octets whose length the decoder has checked.
    pub(crate) fn within_limits(octets: &[u8]) -> Self {
        Name(SmallVec::from_slice(octets))
    }

    /// The octets.
    pub fn as_octets(&self) -> &[u8] {
        &self.0
    }

    /// Whether the name is empty, as the default context's is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::borrow::Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// `securityModel` numbers (RFC 3411 §5 `SnmpSecurityModel`).
pub mod security_model {
    /// SNMPv1 with communities.
    pub const V1: u32 = 1;
    /// SNMPv2c with communities.
    pub const V2C: u32 = 2;
    /// The user-based security model.
    pub const USM: u32 = 3;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_ids_are_read_and_shown_in_hexadecimal() {
        let id: EngineId = "0x80001f8880ABCDEF".parse().unwrap();
        assert_eq!(id.to_string(), "80001f8880abcdef");
        assert_eq!(EngineId::assigned(32473, [1; 8]).to_string(), "80007ed9050101010101010101");
        assert_eq!("80001".parse::<EngineId>(), Err(EngineIdError::NotHex));
        assert_eq!("zz".parse::<EngineId>(), Err(EngineIdError::NotHex));
        assert_eq!("00".repeat(33).parse::<EngineId>(), Err(EngineIdError::TooLong(33)));
    }

    #[test]
    fn names_are_bounded() {
        assert_eq!(Name::new("é").unwrap().to_string(), "\\xc3\\xa9");
        assert_eq!(Name::new([0; 256]), Err(NameTooLong(256)));
    }
}
