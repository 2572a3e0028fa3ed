//! A variable as one line, as net-snmp's `snmpget` prints it under each of its `-O` letters.

use hamsa_snmp::mib::{BaseType, Mib, NodeKind, Object, OidFormat, ValueStyle};
use hamsa_snmp::{OidRef, Value, VarBind};

use crate::options::{LineFormat, NameStyle, Separator, StringStyle};

/// Name and value.
pub fn line(mib: &Mib, format: &LineFormat, variable: &VarBind<'_>) -> String {
    let object = mib.object_of(variable.name).map(|(object, _)| object);
    let value = match format.quick {
        true => quick_text(mib, format, object, &variable.value),
        false => typed_text(mib, format, object, &variable.value),
    };
    let name = || name_text(mib, format.names, variable.name);
    match format.separator {
        Separator::ValueOnly => value,
        Separator::Blank => format!("{} {value}", name()),
        Separator::Equals | Separator::TypedEquals => format!("{} = {value}", name()),
    }
}

/// An OID.
pub fn name_text(mib: &Mib, style: NameStyle, oid: OidRef<'_>) -> String {
    if !style.numeric_index || style.format == OidFormat::Numeric {
        return mib.format_oid(oid, style.format);
    }
    let column = mib.object_of(oid).filter(|(object, _)| object.kind() == NodeKind::Column);
    match column {
        Some((column, suffix)) if !suffix.is_empty() => {
            format!("{}.{suffix}", mib.format_oid(column.oid(), style.format))
        }
        _ => mib.format_oid(oid, style.format),
    }
}

/// A value without its type.
pub fn plain_text(mib: &Mib, format: &LineFormat, object: Option<Object<'_>>, value: &Value<'_>) -> String {
    match *value {
        Value::ObjectIdentifier(oid) => name_text(mib, format.names, oid),
        Value::TimeTicks(ticks) if format.raw_ticks => ticks.to_string(),
        Value::OctetString(octets) if is_bare_string(object, octets) && format.strings != StringStyle::Automatic => {
            string_text(octets, format.strings)
        }
        _ => mib.format_value(without_labels(format, object), value, ValueStyle::Plain),
    }
}

/// The same, with time as net-snmp writes it where types are left out.
fn quick_text(mib: &Mib, format: &LineFormat, object: Option<Object<'_>>, value: &Value<'_>) -> String {
    match *value {
        Value::TimeTicks(ticks) if !format.raw_ticks => ticks_with_days(ticks),
        _ => plain_text(mib, format, object, value),
    }
}

fn typed_text(mib: &Mib, format: &LineFormat, object: Option<Object<'_>>, value: &Value<'_>) -> String {
    match *value {
        Value::TimeTicks(ticks) if format.raw_ticks => ticks.to_string(),
        Value::ObjectIdentifier(oid) if format.names.format != OidFormat::Module => {
            format!("OID: {}", name_text(mib, format.names, oid))
        }
        Value::OctetString(octets) if is_bare_string(object, octets) && format.strings == StringStyle::Hex => {
            format!("Hex-STRING: {}", string_text(octets, format.strings))
        }
        Value::OctetString(octets) if is_bare_string(object, octets) && format.strings == StringStyle::Ascii => {
            format!("STRING: \"{}\"", string_text(octets, format.strings))
        }
        _ => {
            let text = mib.format_value(without_labels(format, object), value, ValueStyle::Typed);
            let units = object.and_then(Object::units);
            let bare = units.and_then(|units| text.strip_suffix(units)?.strip_suffix(' '));
            match bare {
                Some(bare) if format.no_units => bare.to_owned(),
                _ => text,
            }
        }
    }
}

/// The object whose syntax is used; none for an enumeration that is to be a number.
fn without_labels<'m>(format: &LineFormat, object: Option<Object<'m>>) -> Option<Object<'m>> {
    object.filter(|object| {
        let labelled = |object: &Object<'_>| {
            object.syntax().is_some_and(|syntax| syntax.has_labels() && syntax.base() != BaseType::Bits)
        };
        !format.numeric_enumerations || !labelled(object)
    })
}

/// Whether nothing but its octets, which there must be some of, says how a string is to be shown.
fn is_bare_string(object: Option<Object<'_>>, octets: &[u8]) -> bool {
    let syntax = object.and_then(Object::syntax);
    !octets.is_empty() && syntax.is_none_or(|syntax| syntax.hint().is_none() && syntax.base() != BaseType::Bits)
}

fn string_text(octets: &[u8], style: StringStyle) -> String {
    match style {
        StringStyle::Hex => octets.iter().map(|octet| format!("{octet:02X}")).collect::<Vec<_>>().join(" "),
        StringStyle::Ascii | StringStyle::Automatic => {
            octets.iter().map(|&octet| if (b' '..0x7f).contains(&octet) { char::from(octet) } else { '.' }).collect()
        }
    }
}

/// `days:hours:minutes:seconds.hundredths`, as scripts that read net-snmp's `-Oq` expect.
fn ticks_with_days(ticks: u32) -> String {
    let (seconds, hundredths) = (ticks / 100, ticks % 100);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    format!("{days}:{hours}:{minutes:02}:{:02}.{hundredths:02}", seconds % 60)
}

#[cfg(test)]
mod tests {
    use hamsa_snmp::Oid;

    use super::*;
    use crate::options::ValueOptions;

    fn shown(letters: &str, name: &str, value: Value<'_>) -> String {
        let format = ValueOptions { formats: vec![letters.to_owned()] }.line_format().unwrap();
        let mib = Mib::standard();
        let name: Oid = mib.resolve(name).unwrap();
        line(&mib, &format, &VarBind { name: name.as_oid(), value })
    }

    /// What net-snmp 5.9.3 prints with the same modules loaded, unless it is said why not.
    #[test]
    fn lines_are_net_snmps() {
        let up = ("IF-MIB::ifOperStatus.1", Value::Integer(1));
        let ticks = ("SNMPv2-MIB::sysUpTime.0", Value::TimeTicks(14_096_763));
        let id: Oid = "1.3.6.1.6.3.10.3.1.1".parse().unwrap();
        let id = ("SNMPv2-MIB::sysORID.1", Value::ObjectIdentifier(id.as_oid()));
        let group = ("SNMP-VIEW-BASED-ACM-MIB::vacmGroupName.3.3.111.112.115", Value::OctetString(b"grpops"));
        for (letters, (name, value), expected) in [
            ("", up, "IF-MIB::ifOperStatus.1 = INTEGER: up(1)"),
            ("q", up, "IF-MIB::ifOperStatus.1 up"),
            ("Q", up, "IF-MIB::ifOperStatus.1 = up"),
            ("v", up, "INTEGER: up(1)"),
            ("qv", up, "up"),
            ("e", up, "IF-MIB::ifOperStatus.1 = INTEGER: 1"),
            ("eqv", up, "1"),
            ("s", up, "ifOperStatus.1 = INTEGER: up(1)"),
            ("f", up, ".iso.org.dod.internet.mgmt.mib-2.interfaces.ifTable.ifEntry.ifOperStatus.1 = INTEGER: up(1)"),
            ("n", up, ".1.3.6.1.2.1.2.2.1.8.1 = INTEGER: up(1)"),
            ("s", ticks, "sysUpTime.0 = Timeticks: (14096763) 1 day, 15:09:27.63"),
            ("sq", ticks, "sysUpTime.0 1:15:09:27.63"),
            ("st", ticks, "sysUpTime.0 = 14096763"),
            ("qvt", ticks, "14096763"),
            ("", id, "SNMPv2-MIB::sysORID.1 = OID: SNMP-FRAMEWORK-MIB::snmpFrameworkMIBCompliance"),
            ("s", id, "sysORID.1 = OID: snmpFrameworkMIBCompliance"),
            ("n", id, ".1.3.6.1.2.1.1.9.1.2.1 = OID: .1.3.6.1.6.3.10.3.1.1"),
            ("qv", id, "SNMP-FRAMEWORK-MIB::snmpFrameworkMIBCompliance"),
            ("s", group, "vacmGroupName.3.\"ops\" = STRING: grpops"),
            ("sb", group, "vacmGroupName.3.3.111.112.115 = STRING: grpops"),
            ("nb", group, ".1.3.6.1.6.3.16.1.2.1.3.3.3.111.112.115 = STRING: grpops"),
        ] {
            assert_eq!(shown(letters, name, value), expected, "-O{letters} {name}");
        }
    }

    #[test]
    fn strings_without_a_hint_are_shown_as_asked() {
        let value = Value::OctetString(b"ab\x01");
        for (letters, expected) in [
            ("nx", ".1.3.6.1.4.1.32473.1.1.0 = Hex-STRING: 61 62 01"),
            ("na", ".1.3.6.1.4.1.32473.1.1.0 = STRING: \"ab.\""),
            ("nqa", ".1.3.6.1.4.1.32473.1.1.0 ab."),
            ("nq", ".1.3.6.1.4.1.32473.1.1.0 61 62 01"),
        ] {
            assert_eq!(shown(letters, "1.3.6.1.4.1.32473.1.1.0", value), expected, "-O{letters}");
        }
    }

    #[test]
    fn units_may_be_left_out() {
        let value = Value::Integer(5);
        let with = shown("s", "HOST-RESOURCES-MIB::hrMemorySize.0", value);
        let without = shown("sU", "HOST-RESOURCES-MIB::hrMemorySize.0", value);
        assert_eq!(
            (with.as_str(), without.as_str()),
            ("hrMemorySize.0 = INTEGER: 5 KBytes", "hrMemorySize.0 = INTEGER: 5")
        );
    }
}
