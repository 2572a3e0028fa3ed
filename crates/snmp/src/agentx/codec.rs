//! The parts that packets are made of (RFC 2741 §5), in both byte orders: numbers, strings, OIDs, ranges and variables.

use std::net::Ipv4Addr;

use super::packet::{Range, Variable};
use crate::limits::{MAX_OID_ARCS, MAX_VARBINDS};
use crate::oid::{Oid, OidError, OidRef};
use crate::value::{OwnedValue, Value};

/// How numbers of several octets are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// The most significant octet first: NETWORK_BYTE_ORDER.
    Network,
    /// The least significant octet first.
    Little,
}

/// Octets are no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum DecodeError {
    #[error("version {0} of AgentX; there is only 1")]
    Version(u8),
    #[error("no packet has type {0}")]
    Type(u8),
    #[error("a payload of {0} octets: too long, or not a multiple of 4")]
    PayloadLength(u32),
    #[error("the packet ends within a field")]
    Truncated,
    #[error("octets behind the end of the packet's fields")]
    Trailing,
    #[error("an object identifier: {0}")]
    Oid(#[from] OidError),
    #[error("a flag that says whether a name is included is {0}")]
    Include(u8),
    #[error("no value has type {0}")]
    ValueType(u16),
    #[error("an IpAddress of {0} octets")]
    Address(usize),
    #[error("more than {MAX_VARBINDS} variables")]
    TooMany,
    #[error("a context in a packet that has none")]
    Context,
}

/// 1.3.6.1, which names in an `internet` subtree may leave out.
const INTERNET: [u32; 4] = [1, 3, 6, 1];

/// Takes fields off the front of octets.
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
    pub(super) order: ByteOrder,
}

impl<'a> Reader<'a> {
    pub(super) fn octets(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        let octets = self.array()?;
        Ok(match self.order {
            ByteOrder::Network => u16::from_be_bytes(octets),
            ByteOrder::Little => u16::from_le_bytes(octets),
        })
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        let octets = self.array()?;
        Ok(match self.order {
            ByteOrder::Network => u32::from_be_bytes(octets),
            ByteOrder::Little => u32::from_le_bytes(octets),
        })
    }

    fn u64(&mut self) -> Result<u64, DecodeError> {
        let octets = self.array()?;
        Ok(match self.order {
            ByteOrder::Network => u64::from_be_bytes(octets),
            ByteOrder::Little => u64::from_le_bytes(octets),
        })
    }

    /// An octet string (§5.3).
    pub(super) fn string(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.u32()?;
        let length = usize::try_from(length).map_err(|_| DecodeError::Truncated)?;
        let string = self.octets(length)?;
        self.octets(length.wrapping_neg() % 4)?;
        Ok(string)
    }

    /// An object identifier and its `include` (§5.1). The null one is 0.0.
    pub(super) fn oid(&mut self) -> Result<(Oid, bool), DecodeError> {
        let [count, prefix, include, _] = self.array()?;
        if include > 1 {
            return Err(DecodeError::Include(include));
        }
        let mut arcs: Vec<u32> = Vec::with_capacity(usize::from(count) + 5);
        if prefix != 0 {
            arcs.extend(INTERNET);
            arcs.push(u32::from(prefix));
        }
        if usize::from(count) + arcs.len() > MAX_OID_ARCS {
            return Err(OidError::TooManyArcs.into());
        }
        for _ in 0..count {
            arcs.push(self.u32()?);
        }
        let oid = if arcs.is_empty() { OidRef::ZERO.to_owned() } else { Oid::from_arcs(&arcs)? };
        Ok((oid, include == 1))
    }

    /// Search ranges to the end (§5.2).
    pub(super) fn ranges(&mut self) -> Result<Vec<Range>, DecodeError> {
        let mut ranges = Vec::new();
        while !self.rest.is_empty() {
            if ranges.len() == MAX_VARBINDS {
                return Err(DecodeError::TooMany);
            }
            let (start, is_start_included) = self.oid()?;
            let (end, _) = self.oid()?;
            let end = Some(end).filter(|end| end.as_oid() != OidRef::ZERO);
            ranges.push(Range { start, is_start_included, end });
        }
        Ok(ranges)
    }

    /// Variables to the end (§5.4).
    pub(super) fn variables(&mut self) -> Result<Vec<Variable>, DecodeError> {
        let mut variables = Vec::new();
        while !self.rest.is_empty() {
            if variables.len() == MAX_VARBINDS {
                return Err(DecodeError::TooMany);
            }
            let kind = self.u16()?;
            self.u16()?;
            let (name, _) = self.oid()?;
            variables.push(Variable { name, value: self.value(kind)? });
        }
        Ok(variables)
    }

    fn value(&mut self, kind: u16) -> Result<OwnedValue, DecodeError> {
        Ok(match kind {
            2 => OwnedValue::Integer(self.u32()? as i32),
            4 => OwnedValue::OctetString(self.string()?.into()),
            5 => OwnedValue::Null,
            6 => OwnedValue::ObjectIdentifier(self.oid()?.0),
            64 => {
                let octets = self.string()?;
                let address: [u8; 4] = octets.try_into().map_err(|_| DecodeError::Address(octets.len()))?;
                OwnedValue::IpAddress(Ipv4Addr::from(address))
            }
            65 => OwnedValue::Counter32(self.u32()?),
            66 => OwnedValue::Gauge32(self.u32()?),
            67 => OwnedValue::TimeTicks(self.u32()?),
            68 => OwnedValue::Opaque(self.string()?.into()),
            70 => OwnedValue::Counter64(self.u64()?),
            128 => OwnedValue::NoSuchObject,
            129 => OwnedValue::NoSuchInstance,
            130 => OwnedValue::EndOfMibView,
            other => return Err(DecodeError::ValueType(other)),
        })
    }
}

/// Appends fields to octets.
pub(super) struct Writer {
    pub(super) octets: Vec<u8>,
    pub(super) order: ByteOrder,
}

impl Writer {
    pub(super) fn u16(&mut self, number: u16) {
        self.octets.extend(match self.order {
            ByteOrder::Network => number.to_be_bytes(),
            ByteOrder::Little => number.to_le_bytes(),
        });
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.octets.extend(match self.order {
            ByteOrder::Network => number.to_be_bytes(),
            ByteOrder::Little => number.to_le_bytes(),
        });
    }

    fn u64(&mut self, number: u64) {
        self.octets.extend(match self.order {
            ByteOrder::Network => number.to_be_bytes(),
            ByteOrder::Little => number.to_le_bytes(),
        });
    }

    pub(super) fn string(&mut self, string: &[u8]) {
        self.u32(string.len() as u32);
        self.octets.extend_from_slice(string);
        self.octets.resize(self.octets.len() + string.len().wrapping_neg() % 4, 0);
    }

    pub(super) fn oid(&mut self, oid: OidRef<'_>, is_included: bool) {
        let arcs: Vec<u32> = if oid == OidRef::ZERO { Vec::new() } else { oid.arcs().collect() };
        let behind_internet = arcs.strip_prefix(&INTERNET).and_then(<[u32]>::split_first);
        let (prefix, arcs) = match behind_internet {
            Some((&prefix @ 1..=255, arcs)) => (prefix as u8, arcs),
            _ => (0, &arcs[..]),
        };
        self.octets.extend([arcs.len() as u8, prefix, u8::from(is_included), 0]);
        arcs.iter().for_each(|&arc| self.u32(arc));
    }

    pub(super) fn ranges(&mut self, ranges: &[Range]) {
        for Range { start, is_start_included, end } in ranges {
            self.oid(start.as_oid(), *is_start_included);
            self.oid(end.as_ref().map_or(OidRef::ZERO, Oid::as_oid), false);
        }
    }

    pub(super) fn variables(&mut self, variables: &[Variable]) {
        for Variable { name, value } in variables {
            let value = value.as_value();
            self.u16(kind(&value));
            self.u16(0);
            self.oid(name.as_oid(), false);
            match value {
                Value::Integer(number) => self.u32(number as u32),
                Value::Counter32(number) | Value::Gauge32(number) | Value::TimeTicks(number) => self.u32(number),
                Value::Counter64(number) => self.u64(number),
                Value::OctetString(octets) | Value::Opaque(octets) => self.string(octets),
                Value::IpAddress(address) => self.string(&address.octets()),
                Value::ObjectIdentifier(oid) => self.oid(oid, false),
                Value::Null
                | Value::NoSuchObject
                | Value::NoSuchInstance
                | Value::EndOfMibView
                | Value::Invalid { .. } => {}
            }
        }
    }
}

fn kind(value: &Value<'_>) -> u16 {
    match value {
        Value::Integer(_) => 2,
        Value::OctetString(_) => 4,
        // What is no value of SNMP is none of AgentX either.
        Value::Null | Value::Invalid { .. } => 5,
        Value::ObjectIdentifier(_) => 6,
        Value::IpAddress(_) => 64,
        Value::Counter32(_) => 65,
        Value::Gauge32(_) => 66,
        Value::TimeTicks(_) => 67,
        Value::Opaque(_) => 68,
        Value::Counter64(_) => 70,
        Value::NoSuchObject => 128,
        Value::NoSuchInstance => 129,
        Value::EndOfMibView => 130,
    }
}
