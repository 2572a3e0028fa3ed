//! Values as text: with their type as net-snmp prints them, or bare.

use super::node::Object;
use super::syntax::{BaseType, Syntax};
use super::{Mib, OidFormat, hint};
use crate::oid::OidRef;
use crate::value::Value;

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ValueStyle {
    /// With its type and units: `INTEGER: up(1)`, `Timeticks: (12345) 0:02:03.45`.
    #[default]
    Typed,
    /// The value alone: `up`, `0:02:03.45`.
    Plain,
}

impl Mib {
    /// A variable as one line, `IF-MIB::ifDescr.1 = STRING: lo`.
    pub fn format_variable(&self, name: OidRef<'_>, value: &Value<'_>, names: OidFormat, style: ValueStyle) -> String {
        let object = self.object_of(name).map(|(object, _)| object);
        format!("{} = {}", self.format_oid(name, names), self.format_value(object, value, style))
    }

    /// A value by the syntax of its object. A value of another type than the object has is shown as what it
    /// is; the typed style says so.
    pub fn format_value(&self, object: Option<Object<'_>>, value: &Value<'_>, style: ValueStyle) -> String {
        let syntax = object.and_then(Object::syntax).filter(|syntax| syntax.base() != BaseType::Unknown);
        let fitting = syntax.as_ref().filter(|syntax| fits(syntax.base(), value));
        let (kind, text) = self.type_and_text(fitting, value, style);
        if style == ValueStyle::Plain || value.is_exception() {
            return text;
        }
        let mut line = match (&syntax, fitting) {
            (Some(syntax), None) => format!("Wrong Type (should be {}): {kind}{text}", typed_name(syntax.base())),
            _ => format!("{kind}{text}"),
        };
        if let Some(units) = object.and_then(Object::units).filter(|_| fitting.is_some()) {
            line.push(' ');
            line.push_str(units);
        }
        line
    }

    fn type_and_text(&self, syntax: Option<&Syntax<'_>>, value: &Value<'_>, style: ValueStyle) -> (String, String) {
        let hint = syntax.and_then(Syntax::hint);
        let kind = |kind: &str| format!("{kind}: ");
        match *value {
            Value::Integer(number) => (kind("INTEGER"), integer_text(syntax, i64::from(number), style)),
            Value::Gauge32(number) => (kind("Gauge32"), integer_text(syntax, i64::from(number), style)),
            Value::Counter32(number) => (kind("Counter32"), hinted(hint, i128::from(number))),
            Value::Counter64(number) => (kind("Counter64"), hinted(hint, i128::from(number))),
            Value::TimeTicks(ticks) => (format!("Timeticks: ({ticks}) "), format_timeticks(ticks)),
            Value::IpAddress(address) => (kind("IpAddress"), address.to_string()),
            Value::ObjectIdentifier(oid) => (kind("OID"), self.format_oid(oid, OidFormat::Module)),
            Value::Null => (String::new(), "NULL".to_owned()),
            Value::OctetString(octets) => match syntax {
                Some(syntax) if syntax.base() == BaseType::Bits => (kind("BITS"), bits_text(syntax, octets, style)),
                _ => octets_text(hint, octets, style),
            },
            Value::Opaque(octets) => match opaque_number(value) {
                Some((name, number)) => (format!("Opaque: {name}: "), number),
                None => (kind("OPAQUE"), hint::hex(octets, " ")),
            },
            Value::NoSuchObject => (String::new(), "No Such Object available on this agent at this OID".to_owned()),
            Value::NoSuchInstance => (String::new(), "No Such Instance currently exists at this OID".to_owned()),
            Value::EndOfMibView => (
                String::new(),
                "No more variables left in this MIB View (It is past the end of the MIB tree)".to_owned(),
            ),
            Value::Invalid { tag, content } => (format!("Unknown type 0x{tag:02x}: "), hint::hex(content, " ")),
        }
    }
}

/// `0:02:03.45`, with days before it where there are any.
pub(super) fn format_timeticks(ticks: u32) -> String {
    let (seconds, hundredths) = (ticks / 100, ticks % 100);
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{}:{:02}:{:02}.{hundredths:02}", of_day / 3600, of_day / 60 % 60, of_day % 60);
    match days {
        0 => clock,
        1 => format!("1 day, {clock}"),
        days => format!("{days} days, {clock}"),
    }
}

/// The two special contents of `Opaque` beside those of [`Value::opaque_float`]: 64-bit integers.
pub(super) const OPAQUE_U64: [u8; 2] = [0x9f, 0x7b];
pub(super) const OPAQUE_I64: [u8; 2] = [0x9f, 0x7a];

fn opaque_number(value: &Value<'_>) -> Option<(&'static str, String)> {
    if let (Some(number), Value::Opaque([_, kind, ..])) = (value.opaque_float(), value) {
        return Some((if *kind == 0x78 { "Float" } else { "Double" }, format!("{number:.6}")));
    }
    let Value::Opaque([first, second, len, content @ ..]) = value else { return None };
    if content.is_empty() || content.len() > 9 || content.len() != usize::from(*len) {
        return None;
    }
    let negative = content[0] >= 0x80;
    let number =
        content.iter().fold(if negative { -1 } else { 0 }, |number: i128, &octet| number << 8 | i128::from(octet));
    match [*first, *second] {
        // Some agents leave out the leading zero of a large unsigned number.
        OPAQUE_U64 => Some(("UInt64", (number as u64).to_string())),
        OPAQUE_I64 => Some(("Int64", i64::try_from(number).ok()?.to_string())),
        _ => None,
    }
}

fn fits(base: BaseType, value: &Value<'_>) -> bool {
    match value {
        Value::Integer(_) => base == BaseType::Integer32,
        Value::Gauge32(_) => matches!(base, BaseType::Gauge32 | BaseType::Unsigned32),
        Value::Counter32(_) => base == BaseType::Counter32,
        Value::Counter64(_) => base == BaseType::Counter64,
        Value::TimeTicks(_) => base == BaseType::TimeTicks,
        Value::IpAddress(_) => matches!(base, BaseType::IpAddress | BaseType::NetworkAddress),
        Value::ObjectIdentifier(_) => base == BaseType::ObjectIdentifier,
        Value::OctetString(_) => matches!(base, BaseType::OctetString | BaseType::Bits),
        Value::Opaque(_) => base == BaseType::Opaque,
        Value::Null | Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView | Value::Invalid { .. } => {
            false
        }
    }
}

/// The type's name as net-snmp prints it.
fn typed_name(base: BaseType) -> &'static str {
    match base {
        BaseType::Integer32 => "INTEGER",
        BaseType::Unsigned32 | BaseType::Gauge32 => "Gauge32 or Unsigned32",
        BaseType::TimeTicks => "Timeticks",
        other => other.as_str(),
    }
}

fn integer_text(syntax: Option<&Syntax<'_>>, number: i64, style: ValueStyle) -> String {
    match syntax.and_then(|syntax| syntax.label_of(number)) {
        Some(label) if style == ValueStyle::Typed => format!("{label}({number})"),
        Some(label) => label.to_owned(),
        None => hinted(syntax.and_then(Syntax::hint), i128::from(number)),
    }
}

fn hinted(hint: Option<&str>, number: i128) -> String {
    hint.and_then(|hint| hint::format_integer(hint, number)).unwrap_or_else(|| number.to_string())
}

fn octets_text(hint: Option<&str>, octets: &[u8], style: ValueStyle) -> (String, String) {
    if let Some(text) = hint.and_then(|hint| hint::format_octets(hint, octets)) {
        return ("STRING: ".to_owned(), text);
    }
    // Without a hint only ASCII is taken for text: other octets are as likely to be an address.
    let text = hint::printable(octets).filter(|text| text.is_ascii() && text.len() == octets.len());
    match text {
        Some("") if style == ValueStyle::Typed => (String::new(), "\"\"".to_owned()),
        Some(text) if style == ValueStyle::Typed => {
            ("STRING: ".to_owned(), format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
        }
        Some(text) => ("STRING: ".to_owned(), text.to_owned()),
        None => ("Hex-STRING: ".to_owned(), hint::hex(octets, " ")),
    }
}

fn bits_text(syntax: &Syntax<'_>, octets: &[u8], style: ValueStyle) -> String {
    let mut words = Vec::new();
    if style == ValueStyle::Typed {
        words.extend(octets.iter().map(|octet| format!("{octet:02X}")));
    }
    for (at, octet) in octets.iter().enumerate() {
        for bit in (0..8).filter(|bit| octet & (0x80 >> bit) != 0) {
            let position = at as i64 * 8 + bit;
            words.push(match syntax.label_of(position) {
                Some(label) if style == ValueStyle::Typed => format!("{label}({position})"),
                Some(label) => label.to_owned(),
                None => position.to_string(),
            });
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oid::Oid;

    /// What net-snmp 5.9.3 prints for the same variables, apart from the blank that it leaves after octets.
    #[test]
    fn typed_values_read_like_net_snmp() {
        let linux: Oid = "1.3.6.1.4.1.8072.3.2.10".parse().unwrap();
        for (name, value, line) in [
            ("ifDescr.1", Value::OctetString(b"lo"), "IF-MIB::ifDescr.1 = STRING: lo"),
            ("ifDescr.1", Value::OctetString(b""), "IF-MIB::ifDescr.1 = STRING: "),
            ("ifOperStatus.1", Value::Integer(1), "IF-MIB::ifOperStatus.1 = INTEGER: up(1)"),
            ("ifOperStatus.1", Value::Integer(99), "IF-MIB::ifOperStatus.1 = INTEGER: 99"),
            ("ifInOctets.1", Value::Counter32(5), "IF-MIB::ifInOctets.1 = Counter32: 5"),
            ("ifSpeed.1", Value::Gauge32(u32::MAX), "IF-MIB::ifSpeed.1 = Gauge32: 4294967295"),
            ("ifHCInOctets.1", Value::Counter64(u64::MAX), "IF-MIB::ifHCInOctets.1 = Counter64: 18446744073709551615"),
            ("sysUpTime.0", Value::TimeTicks(12345), "SNMPv2-MIB::sysUpTime.0 = Timeticks: (12345) 0:02:03.45"),
            (
                "sysUpTime.0",
                Value::TimeTicks(8_640_000),
                "SNMPv2-MIB::sysUpTime.0 = Timeticks: (8640000) 1 day, 0:00:00.00",
            ),
            (
                "sysUpTime.0",
                Value::TimeTicks(u32::MAX),
                "SNMPv2-MIB::sysUpTime.0 = Timeticks: (4294967295) 497 days, 2:27:52.95",
            ),
            (
                "sysObjectID.0",
                Value::ObjectIdentifier(linux.as_oid()),
                "SNMPv2-MIB::sysObjectID.0 = OID: NET-SNMP-TC::linux",
            ),
            (
                "ipAdEntNetMask.192.0.2.1",
                Value::IpAddress([255, 255, 255, 0].into()),
                "IP-MIB::ipAdEntNetMask.192.0.2.1 = IpAddress: 255.255.255.0",
            ),
            (
                "ifPhysAddress.1",
                Value::OctetString(&[0, 0x1b, 0x2c, 3, 4, 0xff]),
                "IF-MIB::ifPhysAddress.1 = STRING: 0:1b:2c:3:4:ff",
            ),
            (
                "hrSystemDate.0",
                Value::OctetString(&[7, 232, 12, 31, 23, 59, 60, 9, b'+', 2, 30]),
                "HOST-RESOURCES-MIB::hrSystemDate.0 = STRING: 2024-12-31,23:59:60.9,+2:30",
            ),
            ("hrStorageSize.1", Value::Integer(5), "HOST-RESOURCES-MIB::hrStorageSize.1 = INTEGER: 5"),
            ("hrMemorySize.0", Value::Integer(5), "HOST-RESOURCES-MIB::hrMemorySize.0 = INTEGER: 5 KBytes"),
            (
                "hrPrinterDetectedErrorState.1",
                Value::OctetString(b"\x00\x01\xff"),
                "HOST-RESOURCES-MIB::hrPrinterDetectedErrorState.1 = Hex-STRING: 00 01 FF",
            ),
            (
                "enterprises.99999.1",
                Value::OctetString(b"say \"hi\""),
                "SNMPv2-SMI::enterprises.99999.1 = STRING: \"say \\\"hi\\\"\"",
            ),
            ("enterprises.99999.1", Value::OctetString(b""), "SNMPv2-SMI::enterprises.99999.1 = \"\""),
            (
                "ifDescr.99",
                Value::NoSuchObject,
                "IF-MIB::ifDescr.99 = No Such Object available on this agent at this OID",
            ),
            (
                "dot1qVlanForbiddenEgressPorts.1",
                Value::Integer(1),
                "Q-BRIDGE-MIB::dot1qVlanForbiddenEgressPorts.1 = Wrong Type (should be OCTET STRING): INTEGER: 1",
            ),
            (
                "ifSpeed.1",
                Value::Integer(1),
                "IF-MIB::ifSpeed.1 = Wrong Type (should be Gauge32 or Unsigned32): INTEGER: 1",
            ),
            (
                "mteTriggerTest.\"a\".'b'",
                Value::OctetString(&[0xa0]),
                "DISMAN-EVENT-MIB::mteTriggerTest.\"a\".'b' = BITS: A0 existence(0) threshold(2)",
            ),
            (
                "laLoadFloat.1",
                Value::Opaque(&[0x9f, 0x78, 4, 0x3e, 0x19, 0x99, 0x9a]),
                "UCD-SNMP-MIB::laLoadFloat.1 = Opaque: Float: 0.150000",
            ),
            ("sysName.0", Value::Null, "SNMPv2-MIB::sysName.0 = Wrong Type (should be OCTET STRING): NULL"),
        ] {
            let mib = Mib::standard();
            let oid = mib.resolve(name).unwrap();
            assert_eq!(mib.format_variable(oid.as_oid(), &value, OidFormat::Module, ValueStyle::Typed), line);
        }
    }

    #[test]
    fn plain_values_are_bare() {
        let mib = Mib::standard();
        for (name, value, text) in [
            ("ifOperStatus", Value::Integer(2), "down"),
            ("ifDescr", Value::OctetString(b"lo"), "lo"),
            ("sysUpTime", Value::TimeTicks(100), "0:00:01.00"),
            ("mteTriggerTest", Value::OctetString(&[0x50, 1]), "boolean 3 15"),
            ("hrMemorySize", Value::Integer(5), "5"),
            ("ifDescr", Value::OctetString(&[0xff, 0]), "FF 00"),
            ("ifDescr", Value::Invalid { tag: 0x47, content: &[5] }, "05"),
        ] {
            let object = mib.node(name).unwrap().object();
            assert_eq!(mib.format_value(object, &value, ValueStyle::Plain), text, "{name}");
        }
    }

    #[test]
    fn wrapped_integers() {
        for (octets, text) in [
            (&[0x9f, 0x7a, 1, 0xff][..], "Opaque: Int64: -1"),
            (&[0x9f, 0x7b, 2, 1, 0], "Opaque: UInt64: 256"),
            (
                &[0x9f, 0x7b, 9, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                "Opaque: UInt64: 18446744073709551615",
            ),
            (&[0x9f, 0x7a, 2, 1], "OPAQUE: 9F 7A 02 01"),
            (&[0x9f, 0x7a, 0], "OPAQUE: 9F 7A 00"),
            (&[], "OPAQUE: "),
        ] {
            assert_eq!(Mib::standard().format_value(None, &Value::Opaque(octets), ValueStyle::Typed), text);
        }
    }
}
