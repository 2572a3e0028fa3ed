//! Values from text, by net-snmp's type letters or by the syntax of the object.

use std::net::Ipv4Addr;

use super::display::{OPAQUE_I64, OPAQUE_U64};
use super::node::Object;
use super::syntax::{BaseType, Syntax};
use super::{Mib, ResolveError, hint};
use crate::limits::{MAX_BIT_POSITION, MAX_MESSAGE_OCTETS};
use crate::value::OwnedValue;

/// Why a text is no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseValueError {
    /// No such type letter.
    #[error("unknown type letter `{letter}`: use one of = i u t a o s x d b c C n I U F D")]
    UnknownLetter {
        /// The letter.
        letter: char,
    },
    /// `=` needs an object whose syntax is known.
    #[error("the type is not known from the MIB: give a type letter instead of `=`")]
    TypeNotKnown,
    /// The letter stands for another type than the object has.
    #[error("`{object}` is {expected}: use the letter `{letter}` or `=`")]
    WrongType {
        /// The object.
        object: String,
        /// Its type.
        expected: &'static str,
        /// The letter of that type.
        letter: char,
    },
    /// The text is no value of the type.
    #[error("`{text}` is no value: expected {expected}")]
    BadValue {
        /// The text.
        text: String,
        /// What is needed.
        expected: String,
    },
    /// The value is outside the ranges of the object's syntax, or the string has a wrong length.
    #[error("`{text}` is out of range: {object} allows {ranges}")]
    OutOfRange {
        /// The text.
        text: String,
        /// The object.
        object: String,
        /// Its ranges: of numbers, or of lengths in octets.
        ranges: String,
    },
    /// The name of an OID is not known.
    #[error(transparent)]
    Name(#[from] ResolveError),
    /// More octets than a message can carry.
    #[error("value of more than {MAX_MESSAGE_OCTETS} octets")]
    TooLong,
}

impl Mib {
    /// A value from text. The letters are those of net-snmp's `snmpset` and `snmptrap`: `i` INTEGER, `u`
    /// Gauge32 and Unsigned32, `c` Counter32, `C` Counter64, `t` TimeTicks, `a` IpAddress, `o` OBJECT
    /// IDENTIFIER (by number or name), `s` string, `x` octets in hexadecimal, `d` octets in decimal, `b` BITS,
    /// `n` NULL, `I`, `U`, `F`, `D` signed and unsigned 64-bit, float and double in an Opaque; `=` the type
    /// of the object. With an object given, its labels and its DISPLAY-HINT are read, and its type and ranges
    /// are enforced.
    pub fn parse_value(
        &self,
        letter: char,
        text: &str,
        object: Option<Object<'_>>,
    ) -> Result<OwnedValue, ParseValueError> {
        if text.len() > MAX_MESSAGE_OCTETS * 4 {
            return Err(ParseValueError::TooLong);
        }
        let known = object.and_then(|object| Some((object, object.syntax()?)));
        let known = known.filter(|(_, syntax)| syntax.base() != BaseType::Unknown);
        let letter = match (letter, &known) {
            ('=', Some((_, syntax))) => letter_of(syntax.base()),
            ('=', None) => return Err(ParseValueError::TypeNotKnown),
            _ => letter,
        };
        if let Some((object, syntax)) = &known
            && !letter_fits(letter, syntax.base())
        {
            return Err(ParseValueError::WrongType {
                object: object.to_string(),
                expected: syntax.base().as_str(),
                letter: letter_of(syntax.base()),
            });
        }
        let syntax = known.as_ref().map(|(_, syntax)| syntax);
        let value = self.value_of(letter, text, syntax)?;
        let measure = match &value {
            OwnedValue::Integer(number) => Some(i128::from(*number)),
            OwnedValue::Gauge32(number) | OwnedValue::Counter32(number) | OwnedValue::TimeTicks(number) => {
                Some(i128::from(*number))
            }
            OwnedValue::Counter64(number) => Some(i128::from(*number)),
            OwnedValue::OctetString(octets) | OwnedValue::Opaque(octets) => Some(octets.len() as i128),
            _ => None,
        };
        match (known, measure) {
            (Some((object, syntax)), Some(measure)) if !syntax.allows(measure) => Err(ParseValueError::OutOfRange {
                text: text.to_owned(),
                object: object.to_string(),
                ranges: syntax.ranges_text().unwrap_or_default().to_owned(),
            }),
            _ => Ok(value),
        }
    }

    fn value_of(&self, letter: char, text: &str, syntax: Option<&Syntax<'_>>) -> Result<OwnedValue, ParseValueError> {
        let bad = |expected: &str| ParseValueError::BadValue { text: text.to_owned(), expected: expected.to_owned() };
        let value = match letter {
            'i' => OwnedValue::Integer(integer(text, syntax)?),
            'u' => OwnedValue::Gauge32(integer(text, syntax)?),
            'c' => OwnedValue::Counter32(integer(text, syntax)?),
            't' => OwnedValue::TimeTicks(integer(text, syntax)?),
            'C' => OwnedValue::Counter64(integer(text, syntax)?),
            'a' => OwnedValue::IpAddress(text.parse::<Ipv4Addr>().map_err(|_| bad("an IPv4 address"))?),
            'o' => OwnedValue::ObjectIdentifier(self.resolve(text)?),
            'n' => OwnedValue::Null,
            's' => {
                let hint = syntax.and_then(Syntax::hint).filter(|hint| !hint::is_text(hint));
                let octets = match hint.and_then(|hint| hint::parse_octets(hint, text)) {
                    Some(octets) => octets,
                    None => text.as_bytes().to_vec(),
                };
                OwnedValue::OctetString(octets.into())
            }
            'x' => octet_string(syntax, hex_octets(text).ok_or_else(|| bad("pairs of hexadecimal digits"))?),
            'd' => octet_string(syntax, decimal_octets(text).ok_or_else(|| bad("numbers up to 255"))?),
            'b' => OwnedValue::OctetString(bits(text, syntax)?.into()),
            'I' => opaque_integer(OPAQUE_I64, i128::from(text.parse::<i64>().map_err(|_| bad("a 64-bit integer"))?)),
            'U' => {
                let number: u64 = text.parse().map_err(|_| bad("a 64-bit integer without sign"))?;
                opaque_integer(OPAQUE_U64, i128::from(number))
            }
            'F' => {
                let number: f32 = text.parse().map_err(|_| bad("a floating-point number"))?;
                OwnedValue::Opaque([&[0x9f, 0x78, 4], &number.to_be_bytes()[..]].concat().into())
            }
            'D' => {
                let number: f64 = text.parse().map_err(|_| bad("a floating-point number"))?;
                OwnedValue::Opaque([&[0x9f, 0x79, 8], &number.to_be_bytes()[..]].concat().into())
            }
            letter => return Err(ParseValueError::UnknownLetter { letter }),
        };
        match &value {
            OwnedValue::OctetString(octets) if octets.len() > MAX_MESSAGE_OCTETS => Err(ParseValueError::TooLong),
            _ => Ok(value),
        }
    }
}

fn letter_of(base: BaseType) -> char {
    match base {
        BaseType::Integer32 => 'i',
        BaseType::Unsigned32 | BaseType::Gauge32 => 'u',
        BaseType::Counter32 => 'c',
        BaseType::Counter64 => 'C',
        BaseType::TimeTicks => 't',
        BaseType::IpAddress | BaseType::NetworkAddress => 'a',
        BaseType::ObjectIdentifier => 'o',
        BaseType::Bits => 'b',
        BaseType::Opaque => 'x',
        BaseType::OctetString | BaseType::Unknown => 's',
    }
}

fn letter_fits(letter: char, base: BaseType) -> bool {
    match letter {
        's' => base == BaseType::OctetString,
        'x' | 'd' => base.is_octets(),
        'I' | 'U' | 'F' | 'D' => base == BaseType::Opaque,
        // An unknown letter gets its own error.
        'i' | 'u' | 'c' | 'C' | 't' | 'a' | 'o' | 'b' => letter_of(base) == letter,
        _ => true,
    }
}

/// A label, a number, or a number as the DISPLAY-HINT has it; within the bounds of `T`.
fn integer<T: TryFrom<i128>>(text: &str, syntax: Option<&Syntax<'_>>) -> Result<T, ParseValueError> {
    let text = text.trim();
    let label = syntax.and_then(|syntax| syntax.number_of(text)).map(i128::from);
    let number = label.or_else(|| match syntax.and_then(Syntax::hint) {
        Some(hint) => hint::parse_integer(hint, text),
        None => text.parse().ok(),
    });
    number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| {
        let labels: Vec<_> = syntax.into_iter().flat_map(Syntax::labels).take(8).map(|(label, _)| label).collect();
        let expected = match labels.is_empty() {
            true => "a number in the range of the type".to_owned(),
            false => format!("a number or one of {}", labels.join(", ")),
        };
        ParseValueError::BadValue { text: text.to_owned(), expected }
    })
}

fn octet_string(syntax: Option<&Syntax<'_>>, octets: Vec<u8>) -> OwnedValue {
    match syntax.map(Syntax::base) {
        Some(BaseType::Opaque) => OwnedValue::Opaque(octets.into()),
        _ => OwnedValue::OctetString(octets.into()),
    }
}

/// `0a1b`, `0A 1B`, `0x0a1b`, `a:1b`: between separators one or an even number of digits.
fn hex_octets(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let text = text.trim();
    let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    for word in text.split([' ', ':', '-', '.', '\t', '\n']).filter(|word| !word.is_empty()) {
        if !word.bytes().all(|c| c.is_ascii_hexdigit()) || word.len() > 1 && !word.len().is_multiple_of(2) {
            return None;
        }
        for pair in word.as_bytes().chunks(2) {
            octets.push(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?);
        }
    }
    Some(octets)
}

/// `192 0 2 1` or `192.0.2.1`.
fn decimal_octets(text: &str) -> Option<Vec<u8>> {
    let words = text.split([' ', '.', ',', '\t', '\n']).filter(|word| !word.is_empty());
    words.map(|word| word.parse().ok()).collect()
}

/// Labels or positions, parted by blanks or commas. As many octets as the definition has positions for.
fn bits(text: &str, syntax: Option<&Syntax<'_>>) -> Result<Vec<u8>, ParseValueError> {
    let last = syntax.and_then(|syntax| syntax.labels().map(|(_, position)| position).max());
    let octets_len = |position: i64| position.clamp(0, MAX_BIT_POSITION) as usize / 8 + 1;
    let mut octets = vec![0_u8; last.map_or(0, octets_len)];
    for word in text.split([' ', ',', '\t']).filter(|word| !word.is_empty()) {
        let labelled = syntax.and_then(|syntax| syntax.number_of(word));
        let position = labelled.or_else(|| word.parse().ok()).filter(|at| (0..=MAX_BIT_POSITION).contains(at));
        let position = position.ok_or_else(|| ParseValueError::BadValue {
            text: word.to_owned(),
            expected: format!("names or positions of bits up to {MAX_BIT_POSITION}"),
        })?;
        if octets.len() < octets_len(position) {
            octets.resize(octets_len(position), 0);
        }
        octets[position as usize / 8] |= 0x80 >> (position % 8);
    }
    Ok(octets)
}

/// An `Opaque` that wraps an integer, in the fewest octets.
fn opaque_integer(kind: [u8; 2], number: i128) -> OwnedValue {
    let octets = number.to_be_bytes();
    let fill = if number < 0 { 0xff } else { 0 };
    let same_sign = |pair: &[u8]| pair[0] == fill && (pair[1] ^ fill) < 0x80;
    let skip = octets.windows(2).take_while(|pair| same_sign(pair)).count();
    let content = &octets[skip..];
    OwnedValue::Opaque([&kind[..], &[content.len() as u8], content].concat().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, letter: char, text: &str) -> Result<OwnedValue, ParseValueError> {
        let mib = Mib::standard();
        let object = mib.object_of(mib.resolve(name).unwrap().as_oid()).map(|(object, _)| object);
        mib.parse_value(letter, text, object)
    }

    fn octets(octets: &[u8]) -> OwnedValue {
        OwnedValue::OctetString(octets.into())
    }

    #[test]
    fn values_by_letter_and_by_object() {
        for (name, letter, text, value) in [
            ("sysContact.0", 's', "ops", octets(b"ops")),
            ("sysContact.0", '=', "ops", octets(b"ops")),
            ("sysContact.0", 'x', "6f 70 73", octets(b"ops")),
            ("sysContact.0", 'd', "111 112 115", octets(b"ops")),
            ("ifAdminStatus.1", 'i', "2", OwnedValue::Integer(2)),
            ("ifAdminStatus.1", '=', "down", OwnedValue::Integer(2)),
            ("ifSpeed.1", 'u', "4294967295", OwnedValue::Gauge32(u32::MAX)),
            ("ifInOctets.1", 'c', "17", OwnedValue::Counter32(17)),
            ("ifHCInOctets.1", '=', "18446744073709551615", OwnedValue::Counter64(u64::MAX)),
            ("sysUpTime.0", 't', "99", OwnedValue::TimeTicks(99)),
            ("ipAdEntAddr.1.2.3.4", 'a', "10.0.0.1", OwnedValue::IpAddress([10, 0, 0, 1].into())),
            ("hrSystemDate.0", '=', "2024-1-2,3:4:5.6,+1:30", octets(&[7, 232, 1, 2, 3, 4, 5, 6, b'+', 1, 30])),
            ("dot1dBaseBridgeAddress.0", 's', "0:1b:2c:3d:4e:5f", octets(&[0, 0x1b, 0x2c, 0x3d, 0x4e, 0x5f])),
            ("mteTriggerTest.\"a\".'b'", 'b', "existence, 2", octets(&[0xa0])),
            ("mteTriggerTest.\"a\".'b'", '=', "", octets(&[0])),
            ("docsIfDownChannelPower.1", '=', "1.5", OwnedValue::Integer(15)),
            ("laLoadFloat.1", 'F', "1.5", OwnedValue::Opaque([0x9f, 0x78, 4, 0x3f, 0xc0, 0, 0].into())),
            ("enterprises.1", 'x', "0xdeadbeef", octets(&[0xde, 0xad, 0xbe, 0xef])),
            ("enterprises.1", 'x', "", octets(&[])),
            ("enterprises.1", 'b', "9", octets(&[0, 0x40])),
            ("enterprises.1", 'n', "", OwnedValue::Null),
            ("enterprises.1", 'i', "-5", OwnedValue::Integer(-5)),
            ("enterprises.1", 'I', "-129", OwnedValue::Opaque([0x9f, 0x7a, 2, 0xff, 0x7f].into())),
            ("enterprises.1", 'I', "0", OwnedValue::Opaque([0x9f, 0x7a, 1, 0].into())),
            ("enterprises.1", 'U', "255", OwnedValue::Opaque([0x9f, 0x7b, 2, 0, 0xff].into())),
            ("enterprises.1", 'o', "sysDescr.0", OwnedValue::ObjectIdentifier("1.3.6.1.2.1.1.1.0".parse().unwrap())),
        ] {
            assert_eq!(parse(name, letter, text), Ok(value), "{name} {letter} {text}");
        }
    }

    #[test]
    fn mistakes_say_what_is_needed() {
        for (name, letter, text, message) in [
            ("enterprises.1", 'q', "1", "unknown type letter `q`"),
            ("enterprises.1", '=', "1", "give a type letter instead of `=`"),
            ("ifTable", '=', "1", "give a type letter"),
            ("ifAdminStatus.1", 's', "up", "`IF-MIB::ifAdminStatus` is Integer32: use the letter `i` or `=`"),
            ("ifAdminStatus.1", '=', "upp", "`upp` is no value: expected a number or one of up, down, testing"),
            ("sysServices.0", 'i', "128", "`128` is out of range: SNMPv2-MIB::sysServices allows 0..127"),
            ("dot1dBaseBridgeAddress.0", 'x', "001b", "BRIDGE-MIB::dot1dBaseBridgeAddress allows 6"),
            ("enterprises.1", 'i', "2147483648", "range of the type"),
            ("enterprises.1", 'u', "-1", "range of the type"),
            ("enterprises.1", 'a', "300.1.1.1", "an IPv4 address"),
            ("enterprises.1", 'x', "abc", "pairs of hexadecimal digits"),
            ("enterprises.1", 'd', "256", "numbers up to 255"),
            ("enterprises.1", 'b', "1024", "positions of bits up to 1023"),
            ("enterprises.1", 'b', "-1", "positions of bits"),
            ("enterprises.1", 'o', "sysDecr.0", "did you mean sysDescr?"),
            ("enterprises.1", 'F', "one", "a floating-point number"),
        ] {
            let error = parse(name, letter, text).unwrap_err().to_string();
            assert!(error.contains(message), "{name} {letter} {text}: {error}");
        }
        assert_eq!(parse("enterprises.1", 's', &"x".repeat(65_508)), Err(ParseValueError::TooLong));
        assert!(parse("enterprises.1", 's', &"x".repeat(65_507)).is_ok());
    }
}
