//! Reading what net-snmp's `snmpwalk -On` prints: `.1.3.6.1.2.1.1.3.0 = Timeticks: (4711) 0:00:47.11`.
//!
//! Strings and hexadecimal strings may go on over several lines. Names have to be numeric, or numeric below
//! `iso`, which is what net-snmp prints without MIBs. The forms are those of net-snmp's `snmplib/mib.c`.

use std::io::BufRead;
use std::net::Ipv4Addr;

use hamsa_snmp::oid::OidError;
use hamsa_snmp::value::tag;
use hamsa_snmp::{Oid, OwnedValue, Value};

use super::diagnostic::{Problem, excerpt};
use super::lines::{Line, Lines, ReadRecordingError};
use super::{Builder, text};
use crate::limits::{MAX_LINE_OCTETS, MAX_SEARCHED_BITS_OCTETS};

/// A variable whose value may go on.
struct Pending {
    line: u32,
    name: Vec<u8>,
    value: Vec<u8>,
}

pub(super) fn read(input: impl BufRead, builder: &mut Builder) -> Result<(), ReadRecordingError> {
    let mut lines = Lines::new(input);
    let mut pending: Option<Pending> = None;
    while let Some((number, line)) = lines.next()? {
        builder.line = number;
        let Line::Text(line) = line else {
            builder.report(Problem::LineTooLong);
            continue;
        };
        if let Some((name, value)) = split_assignment(line) {
            end(pending.take(), builder);
            pending = Some(Pending { line: number, name: name.to_vec(), value: value.to_vec() });
        } else if let Some(pending) = &mut pending {
            if pending.value.len() + line.len() > MAX_LINE_OCTETS {
                builder.report(Problem::LineTooLong);
                continue;
            }
            pending.value.push(b'\n');
            pending.value.extend_from_slice(line);
        } else if !line.is_empty() && !line.starts_with(b"#") {
            let problem = if line.contains(&b'=') { Problem::NotAnAssignment } else { Problem::StrayContinuation };
            builder.report(problem);
        }
    }
    end(pending, builder);
    Ok(())
}

/// Splits `OID = TYPE: VALUE`; `None` for what does not start with an OID.
fn split_assignment(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = line.windows(2).position(|pair| pair == b" =")?;
    let (name, value) = (&line[..at], &line[at + 2..]);
    let is_name = name.first().is_some_and(|&first| first == b'.' || first.is_ascii_alphanumeric());
    let has_gap = name.iter().any(u8::is_ascii_whitespace);
    (is_name && !has_gap && name.contains(&b'.')).then(|| (name, value.trim_ascii_start()))
}

fn end(pending: Option<Pending>, builder: &mut Builder) {
    let Some(Pending { line, name, value }) = pending else { return };
    builder.line = line;
    let name = oid(&name).map_err(|error| Problem::BadName { text: excerpt(&name), error });
    match name.and_then(|name| Ok((name, read_value(value.trim_ascii_end())?))) {
        Ok((name, Some(value))) => builder.value(&name, &value.as_value()),
        Ok((_, None)) => {}
        Err(problem) => builder.report(problem),
    }
}

/// Reads a value with its type; `None` for what snmpwalk says instead of one.
fn read_value(value: &[u8]) -> Result<Option<OwnedValue>, Problem> {
    let value = match strip_prefix(value, b"wrong type (should be ") {
        Some(rest) => rest.windows(3).position(|w| w == b"): ").map_or(value, |at| &rest[at + 3..]),
        None => value,
    };
    let says_nothing = [&b"no more variables left"[..], b"no such object", b"no such instance"];
    if says_nothing.iter().any(|phrase| strip_prefix(value, phrase).is_some()) {
        return Ok(None);
    }
    if value == b"\"\"" {
        return Ok(Some(OwnedValue::OctetString([].into())));
    }
    if value.eq_ignore_ascii_case(b"NULL") {
        return Ok(Some(OwnedValue::Null));
    }
    // snmpwalk -Ot.
    if !value.is_empty() && value.iter().all(u8::is_ascii_digit) {
        return text::value(tag::TIME_TICKS, None, value).map(Some);
    }
    let colon = value.iter().position(|&octet| octet == b':').ok_or_else(|| Problem::UnknownType(excerpt(value)))?;
    let (kind, rest) = (&value[..colon], value[colon + 1..].trim_ascii());
    Ok(Some(match kind.to_ascii_lowercase().as_slice() {
        b"string" => string(rest)?,
        b"hex-string" => OwnedValue::OctetString(hex_string(rest)?),
        b"bits" => OwnedValue::OctetString(bits(rest)),
        b"integer" | b"integer32" => text::value(tag::INTEGER, None, enumerated(rest))?,
        b"gauge32" | b"unsigned32" | b"uinteger32" => text::value(tag::GAUGE32, None, first_word(rest))?,
        b"counter32" => text::value(tag::COUNTER32, None, first_word(rest))?,
        b"counter64" => text::value(tag::COUNTER64, None, first_word(rest))?,
        b"timeticks" => text::value(tag::TIME_TICKS, None, enumerated(rest))?,
        b"ipaddress" => text::value(tag::IP_ADDRESS, None, rest)?,
        b"network address" => OwnedValue::IpAddress(network_address(rest)?),
        b"oid" => OwnedValue::ObjectIdentifier(
            oid(rest).map_err(|error| Problem::BadObjectIdentifier { text: excerpt(rest), error })?,
        ),
        b"opaque" => opaque(rest)?,
        _ => return Err(Problem::UnknownType(excerpt(kind))),
    }))
}

/// Reads `.1.3.6.1`, `1.3.6.1` or `iso.3.6.1`.
fn oid(text: &[u8]) -> Result<Oid, OidError> {
    match strip_prefix(text, b"iso.") {
        Some(rest) => text::oid(&[b"1.", rest].concat()),
        None => text::oid(text),
    }
}

fn strip_prefix<'t>(text: &'t [u8], prefix: &[u8]) -> Option<&'t [u8]> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// The number in `up(1)`, `(4711) 0:00:47.11` or `60 seconds`.
fn enumerated(text: &[u8]) -> &[u8] {
    let open = text.iter().position(|&octet| octet == b'(');
    let inside = open.and_then(|open| {
        let close = text[open..].iter().position(|&octet| octet == b')')?;
        Some(&text[open + 1..open + close])
    });
    inside.unwrap_or_else(|| first_word(text))
}

fn first_word(text: &[u8]) -> &[u8] {
    text.split(u8::is_ascii_whitespace).next().unwrap_or_default()
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn string(text: &[u8]) -> Result<OwnedValue, Problem> {
    if let Some(quoted) = text.strip_prefix(b"\"") {
        let quoted = quoted.strip_suffix(b"\"").unwrap_or(quoted);
        let mut octets = Vec::with_capacity(quoted.len());
        let mut rest = quoted.iter().copied().peekable();
        while let Some(octet) = rest.next() {
            let escaped = rest.next_if(|&next| octet == b'\\' && matches!(next, b'\\' | b'"'));
            octets.push(escaped.unwrap_or(octet));
        }
        return Ok(OwnedValue::OctetString(octets.into()));
    }
    // A physical address that a DISPLAY-HINT has formatted: 0:c:29:3:4f:1.
    let is_pair = |part: &[u8]| (1..=2).contains(&part.len()) && part.iter().all(u8::is_ascii_hexdigit);
    let parts: Vec<&[u8]> = text.split(|&octet| octet == b':').collect();
    if parts.len() > 1 && parts.iter().all(|part| is_pair(part)) {
        let padded: Vec<u8> = parts.iter().flat_map(|part| [&b"0"[..2 - part.len()], part].concat()).collect();
        return text::hex(&padded).map(OwnedValue::OctetString);
    }
    text::value(tag::OCTET_STRING, None, text)
}

/// Pairs of digits with spaces between, up to the printable form in brackets that `-OT` adds.
fn hex_string(text: &[u8]) -> Result<Box<[u8]>, Problem> {
    let digits: Vec<u8> = words(text).take_while(|word| !word.starts_with(b"[")).flatten().copied().collect();
    text::hex(&digits)
}

/// Octets, then the numbers or names of the bits that are set in them. As both can look alike, it is tried
/// how many words are octets until the rest is what they say.
fn bits(text: &[u8]) -> Box<[u8]> {
    let words: Vec<&[u8]> = words(text).collect();
    let octets: Vec<u8> =
        words.iter().map_while(|word| (word.len() == 2).then(|| text::hex(word).ok())?).map(|o| o[0]).collect();
    let says = |count: usize| {
        let set = (0..count * 8).filter(|bit| octets[bit / 8] & 0x80 >> (bit % 8) != 0);
        let named = words[count..].iter().map(|word| {
            let number = std::str::from_utf8(enumerated(word)).ok()?;
            number.parse::<usize>().ok()
        });
        set.map(Some).eq(named)
    };
    let searched = if octets.len() <= MAX_SEARCHED_BITS_OCTETS { octets.len() } else { 0 };
    let count = (1..=searched).find(|&count| says(count)).unwrap_or(octets.len());
    octets[..count].into()
}

fn network_address(text: &[u8]) -> Result<Ipv4Addr, Problem> {
    let bad = || Problem::BadAddress(excerpt(text));
    let parts = text.split(|&octet| octet == b':').map(|part| {
        let part = std::str::from_utf8(part).ok()?;
        u8::from_str_radix(part, 16).ok()
    });
    let octets: Vec<u8> = parts.collect::<Option<_>>().ok_or_else(bad)?;
    let octets: [u8; 4] = octets.try_into().map_err(|_| bad())?;
    Ok(octets.into())
}

/// The floats and 64-bit numbers that net-snmp wraps (its `snmplib/asn1.c`): a two-octet tag, a length.
fn opaque(text: &[u8]) -> Result<OwnedValue, Problem> {
    let wrap =
        |tag: u8, content: &[u8]| OwnedValue::Opaque([&[0x9f, tag, content.len() as u8], content].concat().into());
    let bad = |kind| Problem::BadNumber { kind, text: excerpt(text) };
    let number = |rest: &[u8]| std::str::from_utf8(rest).ok().map(|rest| rest.trim().to_owned());
    if let Some(rest) = strip_prefix(text, b"float:") {
        let float: f32 = number(rest).and_then(|n| n.parse().ok()).ok_or_else(|| bad("Opaque float"))?;
        return Ok(wrap(0x78, &float.to_be_bytes()));
    }
    if let Some(rest) = strip_prefix(text, b"double:") {
        let double: f64 = number(rest).and_then(|n| n.parse().ok()).ok_or_else(|| bad("Opaque double"))?;
        return Ok(wrap(0x79, &double.to_be_bytes()));
    }
    if let Some(rest) = strip_prefix(text, b"uint64:") {
        let unsigned = number(rest).and_then(|n| n.parse().ok()).ok_or_else(|| bad("Opaque uint64"))?;
        return Ok(wrap(0x7b, Value::Counter64(unsigned).to_ber(&mut [0; 9]).1));
    }
    if let Some(rest) = strip_prefix(text, b"int64:") {
        let signed: i64 = number(rest).and_then(|n| n.parse().ok()).ok_or_else(|| bad("Opaque int64"))?;
        return Ok(wrap(0x7a, &signed.to_be_bytes()));
    }
    hex_string(text).map(OwnedValue::Opaque)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<OwnedValue>, &'static str> {
        read_value(text.as_bytes()).map_err(|problem| problem.kind())
    }

    #[test]
    fn every_type_is_read() {
        let oid: Oid = "1.3.6.1.4.1.8072".parse().unwrap();
        for (text, expected) in [
            (
                "STRING: \"two\nlines, \\\"quoted\\\" and a \\\\\"",
                Value::OctetString(b"two\nlines, \"quoted\" and a \\"),
            ),
            ("STRING: plain text", Value::OctetString(b"plain text")),
            ("STRING: 0:e:35:d3:3D:53", Value::OctetString(&[0, 0x0e, 0x35, 0xd3, 0x3d, 0x53])),
            ("STRING:", Value::OctetString(b"")),
            ("\"\"", Value::OctetString(b"")),
            ("Hex-STRING: 00 C0 FF 43\nCE 45   [...C.E]", Value::OctetString(&[0, 0xc0, 0xff, 0x43, 0xce, 0x45])),
            ("HEX-STRING: 00029929AE3C", Value::OctetString(&[0, 2, 0x99, 0x29, 0xae, 0x3c])),
            ("BITS: 80 0", Value::OctetString(&[0x80])),
            ("BITS: 00 20 10", Value::OctetString(&[0, 0x20])),
            ("BITS: 5B 00 00 00   [[...]1 3 4 6 7", Value::OctetString(&[0x5b, 0, 0, 0])),
            ("BITS: C0 cleared(0) set(1)", Value::OctetString(&[0xc0])),
            ("BITS:", Value::OctetString(b"")),
            ("INTEGER: up(1)", Value::Integer(1)),
            ("INTEGER: -7", Value::Integer(-7)),
            ("INTEGER: 60 seconds", Value::Integer(60)),
            ("Gauge32: 10000 milli-seconds", Value::Gauge32(10_000)),
            ("Wrong Type (should be INTEGER): Gauge32: 3", Value::Gauge32(3)),
            ("Counter32: 7", Value::Counter32(7)),
            ("Counter64: 18446744073709551615", Value::Counter64(u64::MAX)),
            ("Timeticks: (4711) 0:00:47.11", Value::TimeTicks(4711)),
            ("121722922", Value::TimeTicks(121_722_922)),
            ("OID: .1.3.6.1.4.1.8072", Value::ObjectIdentifier(oid.as_oid())),
            ("OID: iso.3.6.1.4.1.8072", Value::ObjectIdentifier(oid.as_oid())),
            ("IpAddress: 10.1.2.3", Value::IpAddress([10, 1, 2, 3].into())),
            ("Network Address: 0A:01:02:FF", Value::IpAddress([10, 1, 2, 255].into())),
            ("Opaque: Float: 1.000000", Value::Opaque(&[0x9f, 0x78, 4, 0x3f, 0x80, 0, 0])),
            ("Opaque: UInt64: 255", Value::Opaque(&[0x9f, 0x7b, 2, 0, 0xff])),
            ("NULL", Value::Null),
        ] {
            assert_eq!(read(text), Ok(Some(expected.to_owned())), "{text}");
        }
        assert_eq!(read("No more variables left in this MIB View (It is past the end of the MIB tree)"), Ok(None));
        let Ok(Some(double)) = read("Opaque: Double: -2.5") else { panic!("a value") };
        assert_eq!(double.as_value().opaque_float(), Some(-2.5));
    }

    #[test]
    fn what_is_no_value_is_named() {
        for (text, kind) in [
            ("INTEGER: up", "bad-number"),
            ("OID: SNMPv2-SMI::zeroDotZero", "bad-object-identifier"),
            ("Hex-STRING: 0", "bad-hex"),
            ("Network Address: 0A:01", "bad-address"),
            ("Opaque: Float: one", "bad-number"),
            ("Widget: 3", "unknown-type"),
            ("up", "unknown-type"),
        ] {
            assert_eq!(read(text), Err(kind), "{text}");
        }
    }
}
