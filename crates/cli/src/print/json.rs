//! A variable as a JSON object: its OID and name, its index taken apart, its value as number or text.

use hamsa_snmp::mib::{BaseType, IndexField, IndexValue, Mib, Object};
use hamsa_snmp::{Value, VarBind};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Number;

use super::line::{name_text, plain_text};
use crate::options::LineFormat;

/// What is printed of a variable.
#[derive(Debug, Serialize)]
pub struct Variable {
    oid: String,
    name: String,
    #[serde(skip_serializing_if = "Members::is_empty")]
    index: Members,
    #[serde(rename = "type")]
    kind: &'static str,
    value: serde_json::Value,
    /// The label of an enumeration.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// The value as people read it.
    text: String,
    /// The octets of a string that is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<String>,
}

/// The members of an object, in order.
#[derive(Debug, Default)]
pub struct Members(pub Vec<(String, serde_json::Value)>);

impl Members {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Variable {
    /// Takes a variable apart.
    pub fn new(mib: &Mib, format: &LineFormat, variable: &VarBind<'_>) -> Self {
        let found = mib.object_of(variable.name);
        let object = found.map(|(object, _)| object);
        let fields = found.and_then(|(object, suffix)| object.decode_index(suffix).ok()).unwrap_or_default();
        let (value, hex) = json_value(mib, object, &variable.value);
        Variable {
            oid: variable.name.to_string(),
            name: name_text(mib, format.names, variable.name),
            index: Members(fields.iter().map(|field| (field.name().to_owned(), index_value(field))).collect()),
            kind: type_name(&variable.value),
            value,
            label: label(object, &variable.value).map(str::to_owned),
            text: plain_text(mib, format, object, &variable.value),
            hex,
            units: object.and_then(Object::units).map(str::to_owned),
        }
    }
}

/// The type, as RFC 3416 spells it.
pub fn type_name(value: &Value<'_>) -> &'static str {
    value.type_name()
}

/// A part of an index: numbers stay numbers, but for enumerations, which are their labels.
pub fn index_value(field: &IndexField<'_>) -> serde_json::Value {
    match &field.value {
        IndexValue::Integer(number) if !field.part.syntax().has_labels() => (*number).into(),
        _ => field.text().into(),
    }
}

/// The label of a value of an enumeration.
pub fn label<'m>(object: Option<Object<'m>>, value: &Value<'_>) -> Option<&'m str> {
    let syntax = object?.syntax().filter(|syntax| syntax.base() != BaseType::Bits)?;
    match value {
        Value::Integer(number) => syntax.label_of(i64::from(*number)),
        _ => None,
    }
}

/// The value, and the octets of a string that is no text.
pub fn json_value(mib: &Mib, object: Option<Object<'_>>, value: &Value<'_>) -> (serde_json::Value, Option<String>) {
    let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    match *value {
        Value::Null | Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => {
            (serde_json::Value::Null, None)
        }
        Value::OctetString(octets) => {
            let text = std::str::from_utf8(octets).ok().filter(|text| {
                let is_text = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
                text.chars().all(is_text)
            });
            match text {
                Some(text) if !is_binary(object) => (text.into(), None),
                _ => (plain_text(mib, &LineFormat::default(), object, value).into(), Some(hex(octets))),
            }
        }
        Value::ObjectIdentifier(oid) => (oid.to_string().into(), None),
        Value::IpAddress(address) => (address.to_string().into(), None),
        Value::Opaque(octets) => {
            let number = value.opaque_float().and_then(Number::from_f64);
            (number.map_or_else(|| hex(octets).into(), Into::into), Some(hex(octets)))
        }
        Value::Invalid { content, .. } => (serde_json::Value::Null, Some(hex(content))),
        Value::Integer(number) => (number.into(), None),
        Value::Counter32(number) | Value::Gauge32(number) | Value::TimeTicks(number) => (number.into(), None),
        Value::Counter64(number) => (number.into(), None),
    }
}

/// Whether a string's object says that it is no text: an address, a date, BITS.
fn is_binary(object: Option<Object<'_>>) -> bool {
    let syntax = object.and_then(Object::syntax);
    syntax.is_some_and(|syntax| {
        let is_text =
            |hint: &str| hint.ends_with(['a', 't']) && hint[..hint.len() - 1].bytes().all(|c| c.is_ascii_digit());
        syntax.base() == BaseType::Bits || syntax.hint().is_some_and(|hint| !is_text(hint))
    })
}

#[cfg(test)]
mod tests {
    use hamsa_snmp::Oid;
    use serde_json::json;

    use super::*;

    fn object(name: &str, value: Value<'_>) -> serde_json::Value {
        let mib = Mib::standard();
        let name: Oid = mib.resolve(name).unwrap();
        let variable = VarBind { name: name.as_oid(), value };
        serde_json::to_value(Variable::new(&mib, &LineFormat::default(), &variable)).unwrap()
    }

    #[test]
    fn values_keep_their_kind() {
        assert_eq!(
            object("ifOperStatus.3", Value::Integer(2)),
            json!({"oid": "1.3.6.1.2.1.2.2.1.8.3", "name": "IF-MIB::ifOperStatus.3", "index": {"ifIndex": 3},
                   "type": "INTEGER", "value": 2, "label": "down", "text": "down"})
        );
        assert_eq!(
            object("ifHCInOctets.1", Value::Counter64(u64::MAX)),
            json!({"oid": "1.3.6.1.2.1.31.1.1.1.6.1", "name": "IF-MIB::ifHCInOctets.1", "index": {"ifIndex": 1},
                   "type": "Counter64", "value": u64::MAX, "text": "18446744073709551615"})
        );
        let address = object("ifPhysAddress.1", Value::OctetString(&[2, 0xfc, 0, 0, 0, 0x61]));
        assert_eq!((&address["value"], &address["hex"]), (&json!("2:fc:0:0:0:61"), &json!("02fc00000061")));
        let name = object("sysName.0", Value::OctetString("kern-ü".as_bytes()));
        assert_eq!((&name["value"], name.get("hex"), name.get("index")), (&json!("kern-ü"), None, None));
        let missing = object("sysName.1", Value::NoSuchInstance);
        assert_eq!((&missing["type"], &missing["value"]), (&json!("noSuchInstance"), &json!(null)));
        let float = object("1.3.6.1.4.1.32473.1", Value::Opaque(&[0x9f, 0x78, 4, 0x3f, 0x80, 0, 0]));
        assert_eq!((&float["value"], &float["hex"]), (&json!(1.0), &json!("9f78043f800000")));
    }

    #[test]
    fn indexes_are_taken_apart() {
        let address = object("ipAddressIfIndex.ipv4.\"192.0.2.1\"", Value::Integer(4));
        assert_eq!(address["index"], json!({"ipAddressAddrType": "ipv4", "ipAddressAddr": "192.0.2.1"}));
        let broken = object("1.3.6.1.2.1.2.2.1.8.1.2.3", Value::Integer(1));
        assert_eq!(broken.get("index"), None);
    }
}
