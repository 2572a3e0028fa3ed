//! Values as recordings write them: a number, text, hexadecimal digits or a string literal, read as the type
//! that a BER tag names.

use std::net::Ipv4Addr;

use hamsa_snmp::oid::OidError;
use hamsa_snmp::value::tag;
use hamsa_snmp::{Oid, OwnedValue};

use super::diagnostic::{Problem, excerpt};
use crate::limits::MAX_VALUE_OCTETS;

/// Reads a value of the type that `tag` stands for. `modifier` is `x` (hexadecimal) or `e` (a string literal).
pub(super) fn value(tag: u8, modifier: Option<char>, text: &[u8]) -> Result<OwnedValue, Problem> {
    let octets = |text| match modifier {
        Some('x') => hex(text),
        Some(_) => literal(text),
        None => Ok(text.into()),
    };
    let takes_octets = matches!(tag, tag::OCTET_STRING | tag::OPAQUE | tag::IP_ADDRESS);
    if let Some(modifier) = modifier.filter(|_| !takes_octets) {
        return Err(Problem::WrongModifier { tag, modifier });
    }
    Ok(match tag {
        tag::OCTET_STRING => OwnedValue::OctetString(bounded(octets(text)?)?),
        tag::OPAQUE => OwnedValue::Opaque(bounded(octets(text)?)?),
        tag::IP_ADDRESS => OwnedValue::IpAddress(match modifier {
            None => address(text)?,
            Some(_) => {
                let octets: [u8; 4] = (*octets(text)?).try_into().map_err(|_| Problem::BadAddress(excerpt(text)))?;
                octets.into()
            }
        }),
        tag::INTEGER => OwnedValue::Integer(number("Integer32", text)?),
        tag::COUNTER32 => OwnedValue::Counter32(number("Counter32", text)?),
        tag::GAUGE32 => OwnedValue::Gauge32(number("Gauge32", text)?),
        tag::TIME_TICKS => OwnedValue::TimeTicks(number("TimeTicks", text)?),
        tag::COUNTER64 => OwnedValue::Counter64(number("Counter64", text)?),
        tag::OBJECT_IDENTIFIER => OwnedValue::ObjectIdentifier(object_identifier(text)?),
        tag::NULL => OwnedValue::Null,
        tag::NO_SUCH_OBJECT => OwnedValue::NoSuchObject,
        tag::NO_SUCH_INSTANCE => OwnedValue::NoSuchInstance,
        tag::END_OF_MIB_VIEW => OwnedValue::EndOfMibView,
        other => return Err(Problem::UnknownTag(other.to_string().into())),
    })
}

/// Whether [`value`] reads values of this tag.
pub(super) const fn is_known(tag: u8) -> bool {
    matches!(
        tag,
        tag::OCTET_STRING
            | tag::OPAQUE
            | tag::IP_ADDRESS
            | tag::INTEGER
            | tag::COUNTER32
            | tag::GAUGE32
            | tag::TIME_TICKS
            | tag::COUNTER64
            | tag::OBJECT_IDENTIFIER
            | tag::NULL
            | tag::NO_SUCH_OBJECT
            | tag::NO_SUCH_INSTANCE
            | tag::END_OF_MIB_VIEW
    )
}

/// An OBJECT IDENTIFIER in dotted numbers.
pub(super) fn oid(text: &[u8]) -> Result<Oid, OidError> {
    std::str::from_utf8(text).map_err(|_| OidError::NotNumeric)?.parse()
}

fn object_identifier(text: &[u8]) -> Result<Oid, Problem> {
    oid(text.trim_ascii()).map_err(|error| Problem::BadObjectIdentifier { text: excerpt(text), error })
}

fn number<T: std::str::FromStr>(kind: &'static str, text: &[u8]) -> Result<T, Problem> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok());
    number.ok_or_else(|| Problem::BadNumber { kind, text: excerpt(text) })
}

/// Dotted numbers, or, as older recorders wrote them, the four octets themselves.
fn address(text: &[u8]) -> Result<Ipv4Addr, Problem> {
    if let Ok(octets) = <[u8; 4]>::try_from(text) {
        return Ok(octets.into());
    }
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok());
    parsed.ok_or_else(|| Problem::BadAddress(excerpt(text)))
}

fn bounded(octets: Box<[u8]>) -> Result<Box<[u8]>, Problem> {
    if octets.len() > MAX_VALUE_OCTETS { Err(Problem::ValueTooLong { octets: octets.len() }) } else { Ok(octets) }
}

/// Pairs of hexadecimal digits.
pub(super) fn hex(text: &[u8]) -> Result<Box<[u8]>, Problem> {
    let bad = || Problem::BadHex(excerpt(text));
    if !text.len().is_multiple_of(2) {
        return Err(bad());
    }
    text.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect::<Option<_>>().ok_or_else(bad)
}

const fn digit(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}

/// A Python string literal without its quotes, as far as snmpsim writes and reads them.
fn literal(text: &[u8]) -> Result<Box<[u8]>, Problem> {
    let bad = || Problem::BadEscape(excerpt(text));
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'\\' => match rest.next().ok_or_else(bad)? {
                b'x' => {
                    let mut nibble = || rest.next().and_then(digit);
                    nibble().zip(nibble()).map(|(high, low)| high << 4 | low).ok_or_else(bad)?
                }
                same @ (b'\\' | b'\'' | b'"') => same,
                b'a' => 7,
                b'b' => 8,
                b'f' => 12,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'v' => 11,
                _ => return Err(bad()),
            },
            plain => plain,
        });
    }
    Ok(octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hamsa_snmp::Value;

    fn read(tag: u8, modifier: Option<char>, text: &str) -> Result<OwnedValue, &'static str> {
        value(tag, modifier, text.as_bytes()).map_err(|problem| problem.kind())
    }

    #[test]
    fn every_type_is_read() {
        let oid: Oid = "1.3.6.1".parse().unwrap();
        for (tag, modifier, text, expected) in [
            (2, None, "-7", Value::Integer(-7)),
            (4, None, "two words|and a pipe", Value::OctetString(b"two words|and a pipe")),
            (4, None, "", Value::OctetString(b"")),
            (4, Some('x'), "00127962F940", Value::OctetString(&[0, 0x12, 0x79, 0x62, 0xf9, 0x40])),
            (4, Some('e'), "\\x00\\x12yb\\xf9@\\n\\\\", Value::OctetString(b"\x00\x12yb\xf9@\n\\")),
            (5, None, "anything", Value::Null),
            (6, None, ".1.3.6.1", Value::ObjectIdentifier(oid.as_oid())),
            (64, None, "10.1.2.3", Value::IpAddress([10, 1, 2, 3].into())),
            (64, None, "eEij", Value::IpAddress([101, 69, 105, 106].into())),
            (64, Some('x'), "0a010203", Value::IpAddress([10, 1, 2, 3].into())),
            (65, None, "4294967295", Value::Counter32(u32::MAX)),
            (66, None, "0", Value::Gauge32(0)),
            (67, None, " 5 ", Value::TimeTicks(5)),
            (68, Some('x'), "9f78043f800000", Value::Opaque(&[0x9f, 0x78, 4, 0x3f, 0x80, 0, 0])),
            (70, None, "18446744073709551615", Value::Counter64(u64::MAX)),
            (128, None, "", Value::NoSuchObject),
            (129, None, "", Value::NoSuchInstance),
            (130, None, "", Value::EndOfMibView),
        ] {
            assert_eq!(read(tag, modifier, text), Ok(expected.to_owned()), "{tag} {text}");
            assert!(is_known(tag));
        }
    }

    #[test]
    fn what_its_type_can_not_hold_is_refused() {
        for (tag, modifier, text, kind) in [
            (2, None, "2147483648", "bad-number"),
            (2, Some('x'), "00", "wrong-modifier"),
            (66, None, "-1", "bad-number"),
            (70, None, "1e3", "bad-number"),
            (4, Some('x'), "123", "bad-hex"),
            (4, Some('x'), "0g", "bad-hex"),
            (4, Some('e'), "\\q", "bad-escape"),
            (4, Some('e'), "\\x0", "bad-escape"),
            (4, Some('e'), "\\", "bad-escape"),
            (6, None, "iso.3.6", "bad-object-identifier"),
            (64, None, "10.1.2", "bad-address"),
            (64, Some('x'), "0a0102", "bad-address"),
            (71, None, "1", "unknown-tag"),
        ] {
            assert_eq!(read(tag, modifier, text), Err(kind), "{tag} {text}");
        }
        let long = "00".repeat(MAX_VALUE_OCTETS + 1);
        assert_eq!(read(4, Some('x'), &long), Err("value-too-long"));
    }
}
