//! The values a variable binding carries: RFC 3416 §3 `ObjectSyntax` and the three exceptions.
//!
//! What a peer sends is kept even where it breaks the rules of its own type ([`Value::Invalid`]) or of the
//! message's version: one odd value must not cost the other variables of a message.

use std::net::Ipv4Addr;

use crate::ber::{signed_content, signed32, unsigned_content, unsigned32, unsigned64};
use crate::oid::{Oid, OidRef};

/// A value that borrows from the message it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Value<'a> {
    /// `INTEGER`, `Integer32` and enumerations.
    Integer(i32),
    /// `OCTET STRING`, `BITS` and their textual conventions.
    OctetString(&'a [u8]),
    /// `NULL`, or `unSpecified` in requests.
    Null,
    /// `OBJECT IDENTIFIER`.
    ObjectIdentifier(OidRef<'a>),
    /// `IpAddress`.
    IpAddress(Ipv4Addr),
    /// `Counter32`, which wraps at 2^32.
    Counter32(u32),
    /// `Gauge32` and `Unsigned32`, which share a tag.
    Gauge32(u32),
    /// `TimeTicks`, hundredths of a second modulo 2^32.
    TimeTicks(u32),
    /// `Opaque`: some ASN.1 in a string. See [`Value::opaque_float`].
    Opaque(&'a [u8]),
    /// `Counter64`, which wraps at 2^64.
    Counter64(u64),
    /// Exception: the agent has no such object.
    NoSuchObject,
    /// Exception: the object has no such instance.
    NoSuchInstance,
    /// Exception: nothing follows in this MIB view.
    EndOfMibView,
    /// A well-formed TLV that is no value of SNMP: an unknown tag, or contents that its tag does not allow.
    Invalid {
        /// The BER tag octet.
        tag: u8,
        /// The content octets.
        content: &'a [u8],
    },
}

/// BER tag octets of [`Value`] (RFC 3416 §3).
pub mod tag {
    #![allow(missing_docs)]
    pub const INTEGER: u8 = 0x02;
    pub const OCTET_STRING: u8 = 0x04;
    pub const NULL: u8 = 0x05;
    pub const OBJECT_IDENTIFIER: u8 = 0x06;
    pub const SEQUENCE: u8 = 0x30;
    pub const IP_ADDRESS: u8 = 0x40;
    pub const COUNTER32: u8 = 0x41;
    pub const GAUGE32: u8 = 0x42;
    pub const TIME_TICKS: u8 = 0x43;
    pub const OPAQUE: u8 = 0x44;
    pub const COUNTER64: u8 = 0x46;
    /// `UInteger32` of the historic RFC 1442, still sent by old agents.
    pub const UINTEGER32: u8 = 0x47;
    pub const NO_SUCH_OBJECT: u8 = 0x80;
    pub const NO_SUCH_INSTANCE: u8 = 0x81;
    pub const END_OF_MIB_VIEW: u8 = 0x82;
}

impl<'a> Value<'a> {
    /// Reads the contents of a TLV; what its tag does not allow becomes [`Value::Invalid`].
    #[inline]
    pub fn from_ber(tag: u8, content: &'a [u8]) -> Self {
        let decoded = match tag {
            tag::OCTET_STRING => Some(Value::OctetString(content)),
            tag::COUNTER32 => unsigned32(content).map(Value::Counter32),
            tag::COUNTER64 => unsigned64(content).map(Value::Counter64),
            tag::INTEGER => signed32(content).map(Value::Integer),
            tag::GAUGE32 | tag::UINTEGER32 => unsigned32(content).map(Value::Gauge32),
            tag::TIME_TICKS => unsigned32(content).map(Value::TimeTicks),
            tag::OBJECT_IDENTIFIER => OidRef::from_ber(content).ok().map(Value::ObjectIdentifier),
            tag::IP_ADDRESS => <[u8; 4]>::try_from(content).ok().map(|ip| Value::IpAddress(ip.into())),
            tag::OPAQUE => Some(Value::Opaque(content)),
            tag::NULL if content.is_empty() => Some(Value::Null),
            tag::NO_SUCH_OBJECT if content.is_empty() => Some(Value::NoSuchObject),
            tag::NO_SUCH_INSTANCE if content.is_empty() => Some(Value::NoSuchInstance),
            tag::END_OF_MIB_VIEW if content.is_empty() => Some(Value::EndOfMibView),
            _ => None,
        };
        decoded.unwrap_or(Value::Invalid { tag, content })
    }

    /// The tag and the content octets; those of a number are put into `number`.
    #[inline]
    pub fn to_ber<'v>(&self, number: &'v mut [u8; 9]) -> (u8, &'v [u8])
    where
        'a: 'v,
    {
        let (tag, start) = match *self {
            Value::OctetString(octets) => return (tag::OCTET_STRING, octets),
            Value::Counter32(n) => (tag::COUNTER32, unsigned_content(number, u64::from(n))),
            Value::Counter64(n) => (tag::COUNTER64, unsigned_content(number, n)),
            Value::Integer(n) => (tag::INTEGER, signed_content(number, i64::from(n))),
            Value::Gauge32(n) => (tag::GAUGE32, unsigned_content(number, u64::from(n))),
            Value::TimeTicks(n) => (tag::TIME_TICKS, unsigned_content(number, u64::from(n))),
            Value::ObjectIdentifier(oid) => return (tag::OBJECT_IDENTIFIER, oid.as_ber()),
            Value::IpAddress(ip) => {
                number[5..].copy_from_slice(&ip.octets());
                (tag::IP_ADDRESS, 5)
            }
            Value::Opaque(octets) => return (tag::OPAQUE, octets),
            Value::Null => return (tag::NULL, &[]),
            Value::NoSuchObject => return (tag::NO_SUCH_OBJECT, &[]),
            Value::NoSuchInstance => return (tag::NO_SUCH_INSTANCE, &[]),
            Value::EndOfMibView => return (tag::END_OF_MIB_VIEW, &[]),
            Value::Invalid { tag, content } => return (tag, content),
        };
        (tag, &number[start..])
    }

    /// Whether this is `noSuchObject`, `noSuchInstance` or `endOfMibView`.
    pub const fn is_exception(&self) -> bool {
        matches!(self, Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView)
    }

    /// The ASN.1 name of the type, as RFC 3416 spells it.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Value::Integer(_) => "INTEGER",
            Value::OctetString(_) => "OCTET STRING",
            Value::Null => "NULL",
            Value::ObjectIdentifier(_) => "OBJECT IDENTIFIER",
            Value::IpAddress(_) => "IpAddress",
            Value::Counter32(_) => "Counter32",
            Value::Gauge32(_) => "Gauge32",
            Value::TimeTicks(_) => "TimeTicks",
            Value::Opaque(_) => "Opaque",
            Value::Counter64(_) => "Counter64",
            Value::NoSuchObject => "noSuchObject",
            Value::NoSuchInstance => "noSuchInstance",
            Value::EndOfMibView => "endOfMibView",
            Value::Invalid { .. } => "invalid",
        }
    }

    /// The number in an integer type; counters over 2^63-1 are `None` here and exact in [`Value::as_u64`].
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Value::Integer(n) => Some(i64::from(n)),
            _ => self.as_u64().and_then(|n| n.try_into().ok()),
        }
    }

    /// The number in an integer type, `None` where it is negative.
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Value::Integer(n) => n.try_into().ok(),
            Value::Counter32(n) | Value::Gauge32(n) | Value::TimeTicks(n) => Some(u64::from(n)),
            Value::Counter64(n) => Some(n),
            _ => None,
        }
    }

    /// The number that net-snmp and others wrap as an `Opaque` float (9f 78) or double (9f 79).
    pub fn opaque_float(&self) -> Option<f64> {
        let Value::Opaque(octets) = self else { return None };
        match octets {
            [0x9f, 0x78, 4, rest @ ..] => Some(f64::from(f32::from_be_bytes(rest.try_into().ok()?))),
            [0x9f, 0x79, 8, rest @ ..] => Some(f64::from_be_bytes((*rest).try_into().ok()?)),
            _ => None,
        }
    }

    /// An owned copy.
    pub fn to_owned(&self) -> OwnedValue {
        match *self {
            Value::Integer(n) => OwnedValue::Integer(n),
            Value::OctetString(s) => OwnedValue::OctetString(s.into()),
            Value::Null => OwnedValue::Null,
            Value::ObjectIdentifier(oid) => OwnedValue::ObjectIdentifier(oid.to_owned()),
            Value::IpAddress(ip) => OwnedValue::IpAddress(ip),
            Value::Counter32(n) => OwnedValue::Counter32(n),
            Value::Gauge32(n) => OwnedValue::Gauge32(n),
            Value::TimeTicks(n) => OwnedValue::TimeTicks(n),
            Value::Opaque(s) => OwnedValue::Opaque(s.into()),
            Value::Counter64(n) => OwnedValue::Counter64(n),
            Value::NoSuchObject => OwnedValue::NoSuchObject,
            Value::NoSuchInstance => OwnedValue::NoSuchInstance,
            Value::EndOfMibView => OwnedValue::EndOfMibView,
            Value::Invalid { tag, content } => OwnedValue::Invalid { tag, content: content.into() },
        }
    }
}

/// A value that owns its octets. The variants are those of [`Value`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum OwnedValue {
    Integer(i32),
    OctetString(Box<[u8]>),
    Null,
    ObjectIdentifier(Oid),
    IpAddress(Ipv4Addr),
    Counter32(u32),
    Gauge32(u32),
    TimeTicks(u32),
    Opaque(Box<[u8]>),
    Counter64(u64),
    NoSuchObject,
    NoSuchInstance,
    EndOfMibView,
    Invalid { tag: u8, content: Box<[u8]> },
}

impl OwnedValue {
    /// A borrowed view.
    pub fn as_value(&self) -> Value<'_> {
        match self {
            OwnedValue::Integer(n) => Value::Integer(*n),
            OwnedValue::OctetString(s) => Value::OctetString(s),
            OwnedValue::Null => Value::Null,
            OwnedValue::ObjectIdentifier(oid) => Value::ObjectIdentifier(oid.as_oid()),
            OwnedValue::IpAddress(ip) => Value::IpAddress(*ip),
            OwnedValue::Counter32(n) => Value::Counter32(*n),
            OwnedValue::Gauge32(n) => Value::Gauge32(*n),
            OwnedValue::TimeTicks(n) => Value::TimeTicks(*n),
            OwnedValue::Opaque(s) => Value::Opaque(s),
            OwnedValue::Counter64(n) => Value::Counter64(*n),
            OwnedValue::NoSuchObject => Value::NoSuchObject,
            OwnedValue::NoSuchInstance => Value::NoSuchInstance,
            OwnedValue::EndOfMibView => Value::EndOfMibView,
            OwnedValue::Invalid { tag, content } => Value::Invalid { tag: *tag, content },
        }
    }
}

impl From<Value<'_>> for OwnedValue {
    fn from(value: Value<'_>) -> Self {
        value.to_owned()
    }
}
