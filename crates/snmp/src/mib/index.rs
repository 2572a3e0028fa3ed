//! Table indexes in instance identifiers, both ways (RFC 2578 §7.7, RFC 4001 §4.1 for addresses).
//!
//! An [`IndexSchema`] is made once for a row and then takes any number of instances apart. It keeps to the
//! encoding rules, and leaves out value ranges: agents break those, and a name must still be shown.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smallvec::SmallVec;

use super::hint;
use super::node::Object;
use super::syntax::{BaseType, InetRole, Syntax};
use super::table::NodeKind;
use crate::limits::MAX_INDEX_PARTS;
use crate::oid::{Oid, OidError, OidSuffix};

/// Why an instance identifier and an index don't fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// The object is in no row, or the INDEX of its row refers to what no loaded module defines.
    #[error("`{object}` has no usable index: load the modules that its INDEX or AUGMENTS names")]
    NoIndex {
        /// The object.
        object: String,
    },
    /// The instance identifier ends inside the index.
    #[error("the instance ends where `{part}` is expected")]
    TooShort {
        /// The part of the index.
        part: String,
    },
    /// Sub-identifiers are left after the last part of the index.
    #[error("{count} sub-identifiers are left after the index")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// A sub-identifier of a string is over 255.
    #[error("`{part}` is a string, but {arc} is no octet")]
    NotAnOctet {
        /// The part of the index.
        part: String,
        /// The sub-identifier.
        arc: u32,
    },
    /// The sub-identifiers of an OBJECT IDENTIFIER are none.
    #[error("`{part}`: {source}")]
    NotAnOid {
        /// The part of the index.
        part: String,
        /// Why.
        source: OidError,
    },
    /// As many values as the index has parts are needed.
    #[error("the index has {expected} parts, not {given}")]
    PartCount {
        /// Parts of the index.
        expected: usize,
        /// Values given.
        given: usize,
    },
    /// The value is of another type than the index has.
    #[error("`{part}` is {expected}")]
    WrongType {
        /// The part of the index.
        part: String,
        /// What is needed.
        expected: String,
    },
    /// The instance would have more than 128 sub-identifiers.
    #[error(transparent)]
    TooLong(OidError),
}

/// How a part of an index is laid out in sub-identifiers, by the cases of RFC 2578 §7.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexEncoding {
    /// (1) One sub-identifier.
    Integer,
    /// (2) A string of this fixed length, one sub-identifier an octet.
    FixedString(usize),
    /// (3) A length, then the octets.
    String,
    /// (4) The octets to the end: IMPLIED.
    ImpliedString,
    /// (5) A length, then the sub-identifiers.
    ObjectIdentifier,
    /// (6) The sub-identifiers to the end: IMPLIED.
    ImpliedObjectIdentifier,
    /// (7) Four sub-identifiers.
    IpAddress,
    /// 1, which says that it is an IP address, then four sub-identifiers (RFC 1212 §4.1.6).
    NetworkAddress,
}

/// A value in an index.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum IndexValue {
    /// A number, also of an enumeration.
    Integer(u32),
    /// Octets.
    OctetString(Box<[u8]>),
    /// An OID.
    ObjectIdentifier(Oid),
    /// `IpAddress` or `NetworkAddress`.
    IpAddress(Ipv4Addr),
    /// An `InetAddress` whose type is `ipv4(1)`, `ipv6(2)`, `ipv4z(3)` or `ipv6z(4)`.
    InetAddress {
        /// The address.
        address: IpAddr,
        /// The zone index of the last two types.
        zone: Option<u32>,
    },
}

impl fmt::Display for IndexValue {
    /// The bare value: strings as they are if they are printable, as hexadecimal octets if not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IndexValue::Integer(number) => write!(f, "{number}"),
            IndexValue::OctetString(octets) => match hint::printable(octets) {
                Some(text) => f.write_str(text),
                None => f.write_str(&hint::hex(octets, "")),
            },
            IndexValue::ObjectIdentifier(oid) => write!(f, "{oid}"),
            IndexValue::IpAddress(address) => write!(f, "{address}"),
            IndexValue::InetAddress { address, zone: None } => write!(f, "{address}"),
            IndexValue::InetAddress { address, zone: Some(zone) } => write!(f, "{address}%{zone}"),
        }
    }
}

/// One part of an index.
#[derive(Debug, Clone, Copy)]
pub struct IndexPart<'m> {
    name: &'m str,
    object: Option<Object<'m>>,
    syntax: Syntax<'m>,
    encoding: IndexEncoding,
}

impl<'m> IndexPart<'m> {
    /// The name of the object, or of the type where the INDEX clause names a bare type.
    pub fn name(&self) -> &'m str {
        self.name
    }

    /// The object; `None` where the INDEX clause names a bare type.
    pub fn object(&self) -> Option<Object<'m>> {
        self.object
    }

    /// The syntax of the object.
    pub fn syntax(&self) -> &Syntax<'m> {
        &self.syntax
    }

    /// The layout.
    pub fn encoding(&self) -> IndexEncoding {
        self.encoding
    }

    pub(super) fn is_inet_address_type(&self) -> bool {
        self.syntax.inet_role() == Some(InetRole::AddressType)
    }

    pub(super) fn is_inet_address(&self) -> bool {
        self.syntax.inet_role() == Some(InetRole::Address)
    }

    fn new(object: Option<Object<'m>>, syntax: Syntax<'m>, implied: bool) -> Option<Self> {
        let encoding = match syntax.base() {
            base if base.is_number() => IndexEncoding::Integer,
            base if base.is_octets() => match syntax.fixed_len() {
                _ if implied => IndexEncoding::ImpliedString,
                Some(len) => IndexEncoding::FixedString(len),
                None => IndexEncoding::String,
            },
            BaseType::ObjectIdentifier if implied => IndexEncoding::ImpliedObjectIdentifier,
            BaseType::ObjectIdentifier => IndexEncoding::ObjectIdentifier,
            BaseType::IpAddress => IndexEncoding::IpAddress,
            BaseType::NetworkAddress => IndexEncoding::NetworkAddress,
            _ => return None,
        };
        let name = object.map_or(syntax.name(), Object::name);
        Some(IndexPart { name, object, syntax, encoding })
    }
}

/// A value of an index with the part that it belongs to.
#[derive(Debug, Clone)]
pub struct IndexField<'m> {
    /// The part.
    pub part: IndexPart<'m>,
    /// The value.
    pub value: IndexValue,
}

impl<'m> IndexField<'m> {
    /// The name of the object.
    pub fn name(&self) -> &'m str {
        self.part.name
    }

    /// The value for people and labels: the enumeration's label, what the DISPLAY-HINT makes of it, or the
    /// bare value.
    pub fn text(&self) -> String {
        let syntax = &self.part.syntax;
        let hinted = match &self.value {
            IndexValue::Integer(number) => match syntax.label_of(i64::from(*number)) {
                Some(label) => Some(label.to_owned()),
                None => syntax.hint().and_then(|hint| hint::format_integer(hint, i128::from(*number))),
            },
            IndexValue::OctetString(octets) => syntax.hint().and_then(|hint| hint::format_octets(hint, octets)),
            _ => None,
        };
        hinted.unwrap_or_else(|| self.value.to_string())
    }
}

/// How the instances of an object are named.
#[derive(Debug, Clone)]
pub struct IndexSchema<'m> {
    /// `None` for a scalar, whose only instance is `.0`.
    parts: Option<SmallVec<[IndexPart<'m>; 4]>>,
}

impl<'m> IndexSchema<'m> {
    pub(super) fn of(object: Object<'m>) -> Result<Self, IndexError> {
        if object.kind() == NodeKind::Scalar {
            return Ok(IndexSchema { parts: None });
        }
        let no_index = || IndexError::NoIndex { object: object.to_string() };
        let row = object.base_row().ok_or_else(no_index)?;
        let mut parts = SmallVec::new();
        for item in row.index_list().ok_or_else(no_index)?.split(',') {
            let (implied, item) = match item.strip_prefix("IMPLIED ") {
                Some(item) => (true, item),
                None => (false, item),
            };
            let (object, syntax) = match item.strip_prefix("type:") {
                Some(expression) => (None, Some(Syntax::resolve(row.node().mib(), row.module(), expression))),
                None => {
                    let object = row.index_object(item).ok_or_else(no_index)?;
                    (Some(object), object.syntax())
                }
            };
            let syntax = syntax.ok_or_else(no_index)?;
            if parts.len() == MAX_INDEX_PARTS {
                return Err(no_index());
            }
            parts.push(IndexPart::new(object, syntax, implied).ok_or_else(no_index)?);
        }
        Ok(IndexSchema { parts: Some(parts) })
    }

    /// The parts in order; none for a scalar.
    pub fn parts(&self) -> &[IndexPart<'m>] {
        self.parts.as_deref().unwrap_or_default()
    }

    /// Takes a whole instance identifier apart.
    pub fn decode(&self, suffix: OidSuffix<'_>) -> Result<Vec<IndexField<'m>>, IndexError> {
        let arcs: SmallVec<[u32; 32]> = suffix.arcs().collect();
        let Some(parts) = &self.parts else {
            return match *arcs {
                [0] => Ok(Vec::new()),
                [] => Err(IndexError::TooShort { part: "0".to_owned() }),
                _ => Err(IndexError::Trailing { count: arcs.len() }),
            };
        };
        let mut fields: Vec<IndexField<'m>> = Vec::with_capacity(parts.len());
        let mut rest = arcs.as_slice();
        for part in parts {
            let (value, count) = decode_part(part, rest, fields.last())?;
            fields.push(IndexField { part: *part, value });
            rest = &rest[count..];
        }
        if rest.is_empty() { Ok(fields) } else { Err(IndexError::Trailing { count: rest.len() }) }
    }

    /// The next part of an index after those in `before`, if these sub-identifiers have it whole; with the
    /// number of them that it took.
    pub(super) fn decode_next(&self, before: &[IndexField<'m>], arcs: &[u32]) -> Option<(IndexField<'m>, usize)> {
        let part = *self.parts().get(before.len())?;
        let (value, count) = decode_part(&part, arcs, before.last()).ok()?;
        Some((IndexField { part, value }, count))
    }

    /// The sub-identifiers of the instance with these values.
    pub fn encode(&self, values: &[IndexValue]) -> Result<Vec<u32>, IndexError> {
        if values.len() != self.parts().len() {
            return Err(IndexError::PartCount { expected: self.parts().len(), given: values.len() });
        }
        let mut arcs = Vec::new();
        if self.parts.is_none() {
            arcs.push(0);
        }
        for (part, value) in self.parts().iter().zip(values) {
            encode_part(part, value, &mut arcs)?;
        }
        Ok(arcs)
    }
}

/// Reads one part; returns its value and the number of sub-identifiers that it took.
fn decode_part(
    part: &IndexPart<'_>,
    arcs: &[u32],
    before: Option<&IndexField<'_>>,
) -> Result<(IndexValue, usize), IndexError> {
    // Where the content starts, and how long it is.
    let (start, len) = match part.encoding {
        IndexEncoding::Integer => (0, 1),
        IndexEncoding::FixedString(len) => (0, len),
        IndexEncoding::IpAddress => (0, 4),
        IndexEncoding::NetworkAddress => (1, 4),
        IndexEncoding::ImpliedString | IndexEncoding::ImpliedObjectIdentifier => (0, arcs.len()),
        IndexEncoding::String | IndexEncoding::ObjectIdentifier => {
            (1, *arcs.first().ok_or_else(|| too_short(part))? as usize)
        }
    };
    let content = arcs.get(start..).and_then(|rest| rest.get(..len)).ok_or_else(|| too_short(part))?;
    let value = match part.encoding {
        IndexEncoding::Integer => IndexValue::Integer(content[0]),
        IndexEncoding::FixedString(_) | IndexEncoding::String | IndexEncoding::ImpliedString => {
            let octets = octets(part, content)?;
            match inet_address(part, &octets, before) {
                Some((address, zone)) => IndexValue::InetAddress { address, zone },
                None => IndexValue::OctetString(octets.into_boxed_slice()),
            }
        }
        IndexEncoding::ObjectIdentifier | IndexEncoding::ImpliedObjectIdentifier => {
            let oid = Oid::from_arcs(content);
            let fail = |source| IndexError::NotAnOid { part: part.name.to_owned(), source };
            IndexValue::ObjectIdentifier(oid.map_err(fail)?)
        }
        IndexEncoding::IpAddress => IndexValue::IpAddress(ipv4(&octets(part, content)?)),
        IndexEncoding::NetworkAddress if arcs[0] == 1 => IndexValue::IpAddress(ipv4(&octets(part, content)?)),
        IndexEncoding::NetworkAddress => {
            return Err(wrong_type(part, "a network address, which starts with 1"));
        }
    };
    Ok((value, start + len))
}

fn encode_part(part: &IndexPart<'_>, value: &IndexValue, arcs: &mut Vec<u32>) -> Result<(), IndexError> {
    match (part.encoding, value) {
        (IndexEncoding::Integer, IndexValue::Integer(number)) => arcs.push(*number),
        (IndexEncoding::IpAddress, IndexValue::IpAddress(address)) => push_octets(&address.octets(), arcs),
        (IndexEncoding::NetworkAddress, IndexValue::IpAddress(address)) => {
            arcs.push(1);
            push_octets(&address.octets(), arcs);
        }
        (IndexEncoding::ObjectIdentifier, IndexValue::ObjectIdentifier(oid)) => {
            arcs.push(oid.as_oid().arc_count() as u32);
            arcs.extend(oid.as_oid().arcs());
        }
        (IndexEncoding::ImpliedObjectIdentifier, IndexValue::ObjectIdentifier(oid)) => {
            arcs.extend(oid.as_oid().arcs());
        }
        (IndexEncoding::FixedString(_) | IndexEncoding::String | IndexEncoding::ImpliedString, value) => {
            let octets = match value {
                IndexValue::OctetString(octets) => SmallVec::<[u8; 20]>::from_slice(octets),
                IndexValue::InetAddress { address, zone } if part.is_inet_address() => inet_octets(*address, *zone),
                _ => return Err(wrong_type(part, "a string")),
            };
            match part.encoding {
                IndexEncoding::FixedString(len) if len != octets.len() => {
                    return Err(wrong_type(part, &format!("a string of {len} octets, not {}", octets.len())));
                }
                IndexEncoding::String => arcs.push(octets.len() as u32),
                _ => {}
            }
            push_octets(&octets, arcs);
        }
        (IndexEncoding::Integer, _) => return Err(wrong_type(part, "a number")),
        (IndexEncoding::IpAddress | IndexEncoding::NetworkAddress, _) => {
            return Err(wrong_type(part, "an IPv4 address"));
        }
        (IndexEncoding::ObjectIdentifier | IndexEncoding::ImpliedObjectIdentifier, _) => {
            return Err(wrong_type(part, "an object identifier"));
        }
    }
    Ok(())
}

/// The octets of an `InetAddress` (RFC 4001 §4.1).
pub(super) fn inet_octets(address: IpAddr, zone: Option<u32>) -> SmallVec<[u8; 20]> {
    let mut octets = match address {
        IpAddr::V4(address) => SmallVec::from_slice(&address.octets()),
        IpAddr::V6(address) => SmallVec::from_slice(&address.octets()),
    };
    if let Some(zone) = zone {
        octets.extend_from_slice(&zone.to_be_bytes());
    }
    octets
}

/// An address, if the part before says of which kind it is and the length is right.
fn inet_address(part: &IndexPart<'_>, octets: &[u8], before: Option<&IndexField<'_>>) -> Option<(IpAddr, Option<u32>)> {
    let kind = before.filter(|field| field.part.is_inet_address_type())?;
    let IndexValue::Integer(kind) = kind.value else { return None };
    if !part.is_inet_address() {
        return None;
    }
    let (address, zone) = match (kind, octets.len()) {
        (1, 4) | (2, 16) => (octets, None),
        (3, 8) | (4, 20) => {
            octets.split_last_chunk().map(|(address, zone)| (address, Some(u32::from_be_bytes(*zone))))?
        }
        _ => return None,
    };
    let address = match <[u8; 16]>::try_from(address) {
        Ok(address) => IpAddr::V6(Ipv6Addr::from(address)),
        Err(_) => IpAddr::V4(ipv4(address)),
    };
    Some((address, zone))
}

/// Of four octets.
fn ipv4(octets: &[u8]) -> Ipv4Addr {
    Ipv4Addr::from(octets.iter().fold(0, |address, &octet| address << 8 | u32::from(octet)))
}

fn octets(part: &IndexPart<'_>, arcs: &[u32]) -> Result<Vec<u8>, IndexError> {
    let octet = |&arc| u8::try_from(arc).map_err(|_| IndexError::NotAnOctet { part: part.name.to_owned(), arc });
    arcs.iter().map(octet).collect()
}

fn push_octets(octets: &[u8], arcs: &mut Vec<u32>) {
    arcs.extend(octets.iter().map(|&octet| u32::from(octet)));
}

fn too_short(part: &IndexPart<'_>) -> IndexError {
    IndexError::TooShort { part: part.name.to_owned() }
}

fn wrong_type(part: &IndexPart<'_>, expected: &str) -> IndexError {
    IndexError::WrongType { part: part.name.to_owned(), expected: expected.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mib::Mib;

    fn decode(name: &str) -> Result<Vec<(String, IndexValue)>, IndexError> {
        let mib = Mib::standard();
        let oid = mib.resolve(name).unwrap();
        let (object, suffix) = mib.object_of(oid.as_oid()).unwrap();
        let fields = object.decode_index(suffix)?;
        let values: Vec<IndexValue> = fields.iter().map(|field| field.value.clone()).collect();
        assert_eq!(object.instance(&values).unwrap(), oid, "{name}");
        Ok(fields.into_iter().map(|field| (field.name().to_owned(), field.value)).collect())
    }

    fn string(text: &[u8]) -> IndexValue {
        IndexValue::OctetString(text.into())
    }

    #[test]
    fn every_encoding_both_ways() {
        let number = IndexValue::Integer;
        for (name, values) in [
            ("sysDescr.0", vec![]),
            ("ifDescr.7", vec![("ifIndex", number(7))]),
            // By AUGMENTS.
            ("ifHCInOctets.7", vec![("ifIndex", number(7))]),
            // A fixed length, a length before, and IMPLIED.
            ("dot1dTpFdbPort.0.27.44.3.4.255", vec![("dot1dTpFdbAddress", string(&[0, 27, 44, 3, 4, 255]))]),
            (
                "vacmGroupName.3.3.111.112.115",
                vec![("vacmSecurityModel", number(3)), ("vacmSecurityName", string(b"ops"))],
            ),
            (
                "mteTriggerTest.2.109.101.97.98.99",
                vec![("mteOwner", string(b"me")), ("mteTriggerName", string(b"abc"))],
            ),
            (
                "vacmViewTreeFamilyMask.3.97.108.108.3.1.3.6",
                vec![
                    ("vacmViewTreeFamilyViewName", string(b"all")),
                    ("vacmViewTreeFamilySubtree", IndexValue::ObjectIdentifier("1.3.6".parse().unwrap())),
                ],
            ),
            ("nsCacheTimeout.1.3.6.1", vec![("nsCachedOID", IndexValue::ObjectIdentifier("1.3.6.1".parse().unwrap()))]),
            ("ipAdEntIfIndex.192.0.2.1", vec![("ipAdEntAddr", IndexValue::IpAddress([192, 0, 2, 1].into()))]),
            (
                "atPhysAddress.2.1.192.0.2.1",
                vec![("atIfIndex", number(2)), ("atNetAddress", IndexValue::IpAddress([192, 0, 2, 1].into()))],
            ),
            (
                "ipAddressIfIndex.1.4.192.0.2.1",
                vec![
                    ("ipAddressAddrType", number(1)),
                    ("ipAddressAddr", IndexValue::InetAddress { address: [192, 0, 2, 1].into(), zone: None }),
                ],
            ),
            (
                "ipAddressIfIndex.4.20.254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.1.2",
                vec![
                    ("ipAddressAddrType", number(4)),
                    ("ipAddressAddr", IndexValue::InetAddress { address: "fe80::1".parse().unwrap(), zone: Some(258) }),
                ],
            ),
            // An address of the wrong length is octets.
            ("ipAddressIfIndex.1.2.9.9", vec![("ipAddressAddrType", number(1)), ("ipAddressAddr", string(&[9, 9]))]),
            ("ipAddressIfIndex.16.1.97", vec![("ipAddressAddrType", number(16)), ("ipAddressAddr", string(b"a"))]),
        ] {
            let values: Vec<_> = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            assert_eq!(decode(name), Ok(values), "{name}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (name, message) in [
            ("ifDescr", "ends where `ifIndex` is expected"),
            ("ifDescr.1.2", "1 sub-identifiers are left"),
            ("sysDescr.1", "sub-identifiers are left"),
            ("sysDescr", "ends where `0` is expected"),
            ("vacmGroupName.3.4.111.112.115", "ends where `vacmSecurityName`"),
            ("vacmGroupName.3.1.256", "256 is no octet"),
            ("ipAdEntIfIndex.192.0.2", "ends where `ipAdEntAddr`"),
            ("atPhysAddress.2.2.192.0.2.1", "`atNetAddress` is a network address"),
            ("vacmViewTreeFamilyMask.1.97.1.1", "`vacmViewTreeFamilySubtree`: empty object identifier"),
            ("vacmViewTreeFamilyMask.1.97.2.9.9", "out of range"),
            ("ipAddressIfIndex.1.4294967295.1", "ends where `ipAddressAddr`"),
        ] {
            let error = decode(name).unwrap_err().to_string();
            assert!(error.contains(message), "{name}: {error}");
        }
        let mib = Mib::standard();
        let column = |name: &str| mib.node(name).unwrap().object().unwrap();
        for (name, values, message) in [
            ("ifDescr", vec![], "has 1 parts, not 0"),
            ("ifDescr", vec![string(b"1")], "`ifIndex` is a number"),
            ("dot1dTpFdbPort", vec![string(b"12345")], "6 octets, not 5"),
            ("ipAdEntIfIndex", vec![IndexValue::Integer(1)], "an IPv4 address"),
            ("nsCacheTimeout", vec![IndexValue::Integer(1)], "an object identifier"),
            ("mteTriggerTest", vec![string(&[b'x'; 200]), string(b"")], "more than 128 sub-identifiers"),
        ] {
            let error = column(name).instance(&values).unwrap_err().to_string();
            assert!(error.contains(message), "{name}: {error}");
        }
        assert!(matches!(column("ifTable").columns().next().map(Object::name), Some("ifIndex")));
    }

    #[test]
    fn fields_have_text_for_labels() {
        let mib = Mib::standard();
        for (name, texts) in [
            ("ipAddressIfIndex.ipv6.\"2001:db8::1\"", vec!["ipv6", "2001:db8::1"]),
            ("ipAddressIfIndex.ipv4z.\"192.0.2.1%5\"", vec!["ipv4z", "192.0.2.1%5"]),
            ("dot1dTpFdbPort.0.27.44.3.4.255", vec!["0:1b:2c:3:4:ff"]),
            ("vacmGroupName.3.\"ops\"", vec!["3", "ops"]),
            ("vacmGroupName.3.2.255.0", vec!["3", "FF00"]),
            ("nsCacheTimeout.1.3.6.1", vec!["1.3.6.1"]),
        ] {
            let oid = mib.resolve(name).unwrap();
            let (object, suffix) = mib.object_of(oid.as_oid()).unwrap();
            let fields = object.decode_index(suffix).unwrap();
            assert_eq!(fields.iter().map(IndexField::text).collect::<Vec<_>>(), texts, "{name}");
        }
    }
}
