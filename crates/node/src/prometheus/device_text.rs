//! Values that are no numbers, and parts of indexes, as text in snmp_exporter's way (its `pduValueAsString` and
//! `indexOidsAsString`): a Prometheus that joins series by such labels must find the same ones as before.
//!
//! Where MIBs leave a choice that is: octets without a display hint in hexadecimal after `0x`, hardware addresses
//! in capitals with colons, OIDs as numbers, enumerations in an index as numbers.

use hamsa_snmp::Value;
use hamsa_snmp::mib::{IndexField, IndexValue, Mib, Object, Syntax, ValueStyle};

use crate::limits::MAX_LABEL_OCTETS;

/// The text of a value.
pub(super) fn value_text(mib: &Mib, object: Option<Object<'_>>, value: &Value<'_>) -> String {
    let text = match value {
        Value::ObjectIdentifier(oid) => oid.to_string(),
        Value::OctetString(octets) => octets_text(object.and_then(Object::syntax).as_ref(), octets)
            .unwrap_or_else(|| mib.format_value(object, value, ValueStyle::Plain)),
        _ => mib.format_value(object, value, ValueStyle::Plain),
    };
    shortened(text)
}

/// The text of a part of an index.
pub(super) fn index_text(field: &IndexField<'_>) -> String {
    shortened(match &field.value {
        IndexValue::OctetString(octets) => {
            octets_text(Some(field.part.syntax()), octets).unwrap_or_else(|| field.text())
        }
        value => value.to_string(),
    })
}

/// A number's name, where the object is an enumeration.
pub(super) fn enumeration_text(object: Option<Object<'_>>, value: &Value<'_>) -> Option<String> {
    let Value::Integer(number) = value else { return None };
    object?.syntax()?.label_of(i64::from(*number)).map(str::to_owned)
}

/// `None` where the object's display hint says it all.
fn octets_text(syntax: Option<&Syntax<'_>>, octets: &[u8]) -> Option<String> {
    match syntax.and_then(Syntax::hint) {
        // PhysAddress and MacAddress (RFC 2579): of another length they are just octets.
        Some("1x:") if octets.len() == 6 => {
            Some(octets.iter().map(|octet| format!("{octet:02X}")).collect::<Vec<_>>().join(":"))
        }
        Some("1x:") if octets.is_empty() => Some(String::new()),
        Some(_) => None,
        _ if octets.is_empty() => Some(String::new()),
        _ => Some(octets.iter().fold("0x".to_owned(), |text, octet| text + &format!("{octet:02X}"))),
    }
}

fn shortened(mut text: String) -> String {
    let mut end = text.len().min(MAX_LABEL_OCTETS);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use hamsa_snmp::Oid;

    use super::*;

    fn text(object: &str, value: &Value<'_>) -> String {
        let mib = Mib::standard();
        let node = mib.node(object).unwrap();
        value_text(&mib, node.object(), value)
    }

    #[test]
    fn values_are_written_as_snmp_exporter_does() {
        assert_eq!(text("ifPhysAddress", &Value::OctetString(&[0, 26, 43, 0xab, 1, 2])), "00:1A:2B:AB:01:02");
        assert_eq!(text("ifPhysAddress", &Value::OctetString(&[])), "");
        assert_eq!(text("ifDescr", &Value::OctetString(b"eth0")), "eth0");
        let oid = Oid::from_arcs(&[1, 3, 6, 1, 2, 1, 25, 2, 1, 4]).unwrap();
        assert_eq!(text("hrStorageType", &Value::ObjectIdentifier(oid.as_oid())), "1.3.6.1.2.1.25.2.1.4");
        assert_eq!(text("ipAdEntAddr", &Value::IpAddress(Ipv4Addr::new(192, 0, 2, 1))), "192.0.2.1");
        // An object that no module knows is just octets.
        assert_eq!(value_text(&Mib::standard(), None, &Value::OctetString(&[1, 0xfe])), "0x01FE");
        let long = vec![b'x'; 1_000];
        assert_eq!(text("sysDescr", &Value::OctetString(&long)).len(), MAX_LABEL_OCTETS);
    }

    #[test]
    fn parts_of_indexes_are_numbers_and_addresses() {
        let mib = Mib::standard();
        let column = mib.node("ipAddressIfIndex").unwrap().object().unwrap();
        let mut oid = column.oid().to_owned();
        for arc in [1, 4, 192, 0, 2, 1] {
            oid.push(arc).unwrap();
        }
        let suffix = oid.as_oid().strip_prefix(column.oid()).unwrap();
        let texts: Vec<_> = column.decode_index(suffix).unwrap().iter().map(index_text).collect();
        assert_eq!(texts, ["1", "192.0.2.1"]);
    }

    #[test]
    fn enumerations_have_names() {
        let mib = Mib::standard();
        let object = mib.node("ifOperStatus").unwrap().object();
        assert_eq!(enumeration_text(object, &Value::Integer(1)).as_deref(), Some("up"));
        assert_eq!(enumeration_text(object, &Value::Integer(99)), None);
    }
}
