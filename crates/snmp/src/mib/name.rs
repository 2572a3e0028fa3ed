//! From OIDs to names. What is written here is read back by [`Mib::resolve`] as the same OID: where text
//! would lose something, sub-identifiers stay numbers.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::index::{IndexEncoding, IndexField, IndexValue};
use super::resolve::parse_string;
use super::table::NodeKind;
use super::{Mib, MibNode, hint};
use crate::oid::OidRef;

/// How an OID is written; the letters are net-snmp's `-O`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OidFormat {
    /// `IF-MIB::ifDescr.1` (`S`).
    #[default]
    Module,
    /// `ifDescr.1` (`s`); with the module where the name alone means something else or several things.
    Short,
    /// `.iso.org.dod.internet.mgmt.mib-2.interfaces.ifTable.ifEntry.ifDescr.1` (`f`).
    Full,
    /// `.1.3.6.1.2.1.2.2.1.2.1` (`n`).
    Numeric,
}

impl Mib {
    /// An OID by name. The index is spelled out as net-snmp does (`ipv4."192.0.2.1"`, `'abc'`), except that
    /// octets which aren't text are shown by their DISPLAY-HINT if that can be read back, and as numbers
    /// otherwise.
    pub fn format_oid(&self, oid: OidRef<'_>, format: OidFormat) -> String {
        if format == OidFormat::Numeric {
            return format!(".{oid}");
        }
        let Some((node, suffix)) = self.named_part(oid) else {
            return unnamed(oid, format);
        };
        let mut text = match format {
            OidFormat::Full => full_path(node),
            OidFormat::Short if self.node(node.name()).is_ok_and(|known| known.oid() == node.oid()) => {
                node.name().to_owned()
            }
            OidFormat::Short | OidFormat::Module | OidFormat::Numeric => node.to_string(),
        };
        push_index(node, &suffix, &mut text);
        text
    }

    /// The name that an OID is shown by: the object of an instance, else the deepest name.
    fn named_part(&self, oid: OidRef<'_>) -> Option<(MibNode<'_>, Vec<u32>)> {
        let (node, suffix) = match self.object_of(oid) {
            Some((object, suffix)) => (object.node(), suffix),
            None => self.locate(oid)?,
        };
        Some((node, suffix.arcs().collect()))
    }
}

/// The names from the root on; a sub-identifier without a name stays a number.
fn full_path(node: MibNode<'_>) -> String {
    let mut path = Vec::new();
    let mut at = node;
    while let Some(parent) = at.parent() {
        path.push(at);
        at = parent;
    }
    path.push(at);
    let mut text = String::new();
    let mut known = 0;
    for named in path.iter().rev() {
        let arcs: Vec<u32> = named.oid().arcs().collect();
        for (i, arc) in arcs.iter().enumerate().take(arcs.len() - 1).skip(known) {
            match (i, arc) {
                (0, 0) => text.push_str(".ccitt"),
                (0, 1) => text.push_str(".iso"),
                (0, _) => text.push_str(".joint-iso-ccitt"),
                _ => push_number(*arc, &mut text),
            }
        }
        text.push('.');
        text.push_str(named.name());
        known = arcs.len();
    }
    text
}

fn unnamed(oid: OidRef<'_>, format: OidFormat) -> String {
    let mut arcs = oid.arcs();
    let mut text = match arcs.next() {
        Some(1) => "iso".to_owned(),
        Some(root) => root.to_string(),
        None => String::new(),
    };
    if format == OidFormat::Full || !text.starts_with('i') {
        text.insert(0, '.');
    }
    for arc in arcs {
        push_number(arc, &mut text);
    }
    text
}

fn push_index(node: MibNode<'_>, suffix: &[u32], text: &mut String) {
    let schema = match node.object().filter(|object| object.kind() == NodeKind::Column) {
        Some(column) => column.index_schema().ok(),
        None => None,
    };
    let mut rest = suffix;
    let mut fields = Vec::new();
    let mut before = None;
    while let Some(schema) = schema.as_ref().filter(|_| !rest.is_empty()) {
        let Some((field, count)) = schema.decode_next(&fields, rest) else { break };
        let (arcs, after) = rest.split_at(count);
        match field_text(&field, before) {
            Some(part) => {
                text.push('.');
                text.push_str(&part);
            }
            None => arcs.iter().for_each(|&arc| push_number(arc, text)),
        }
        before = arcs.last().copied().filter(|_| field.part.is_inet_address_type());
        fields.push(field);
        rest = after;
    }
    rest.iter().for_each(|&arc| push_number(arc, text));
}

/// The text of a part of an index, unless numbers are as good or text would not be read back the same.
fn field_text(field: &IndexField<'_>, before: Option<u32>) -> Option<String> {
    let syntax = field.part.syntax();
    let (content, octets) = match &field.value {
        IndexValue::Integer(number) => {
            let label = syntax.label_of(i64::from(*number))?;
            return (syntax.number_of(label) == Some(i64::from(*number))).then(|| label.to_owned());
        }
        IndexValue::InetAddress { address, zone } => {
            let octets = super::index::inet_octets(*address, *zone);
            (inet_text(*address, *zone), octets.to_vec())
        }
        IndexValue::OctetString(octets) => {
            let text = match syntax.hint().filter(|hint| !hint::is_text(hint)) {
                Some(hint) => hint::format_octets(hint, octets)?,
                None => hint::printable(octets)?.to_owned(),
            };
            (text, octets.to_vec())
        }
        IndexValue::IpAddress(_) | IndexValue::ObjectIdentifier(_) => return None,
    };
    let plain = |c: char| !c.is_control() && !matches!(c, '"' | '\'' | '\\');
    if !content.chars().all(plain) || parse_string(&field.part, &content, before).ok()? != octets {
        return None;
    }
    let quote = if field.part.encoding() == IndexEncoding::String { '"' } else { '\'' };
    Some(format!("{quote}{content}{quote}"))
}

/// An address as net-snmp has it in names: IPv6 as 16 octets.
fn inet_text(address: IpAddr, zone: Option<u32>) -> String {
    let mut text = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => hint::hex(&address.octets(), ":").to_ascii_lowercase(),
    };
    if let Some(zone) = zone {
        // Writing to a string can't fail.
        let _ = write!(text, "%{zone}");
    }
    text
}

fn push_number(arc: u32, text: &mut String) {
    let _ = write!(text, ".{arc}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oid::Oid;

    #[test]
    fn formats() {
        let mib = Mib::standard();
        for (oid, module, short, full) in [
            (
                "1.3.6.1.2.1.2.2.1.2.1",
                "IF-MIB::ifDescr.1",
                "ifDescr.1",
                ".iso.org.dod.internet.mgmt.mib-2.interfaces.ifTable.ifEntry.ifDescr.1",
            ),
            // The name of an instance doesn't hide its object.
            (
                "1.3.6.1.2.1.1.3.0",
                "SNMPv2-MIB::sysUpTime.0",
                "sysUpTime.0",
                ".iso.org.dod.internet.mgmt.mib-2.system.sysUpTime.0",
            ),
            (
                "1.3.6.1.4.1.99999.1",
                "SNMPv2-SMI::enterprises.99999.1",
                "enterprises.99999.1",
                ".iso.org.dod.internet.private.enterprises.99999.1",
            ),
            // A sub-identifier on the way has no name.
            (
                "1.3.6.1.2.1.10.18.15.0.1",
                "DS1-MIB::dsx1LineStatusChange",
                "dsx1LineStatusChange",
                ".iso.org.dod.internet.mgmt.mib-2.transmission.ds1.ds1Traps.0.dsx1LineStatusChange",
            ),
            ("1.0.8802.1.1.2", "iso.0.8802.1.1.2", "iso.0.8802.1.1.2", ".iso.0.8802.1.1.2"),
            ("2.999.1", ".2.999.1", ".2.999.1", ".2.999.1"),
            ("0.0", "SNMPv2-SMI::zeroDotZero", "zeroDotZero", ".ccitt.zeroDotZero"),
        ] {
            let oid: Oid = oid.parse().unwrap();
            let written = |format| mib.format_oid(oid.as_oid(), format);
            assert_eq!(written(OidFormat::Module), module);
            assert_eq!(written(OidFormat::Short), short);
            assert_eq!(written(OidFormat::Full), full);
            assert_eq!(written(OidFormat::Numeric), format!(".{oid}"));
            for text in [module, short, full] {
                assert_eq!(mib.resolve(text).as_ref(), Ok(&oid), "{text}");
            }
        }
    }

    /// Apart from hardware addresses and octets that aren't text, for which net-snmp 5.9.3 prints dots, this is
    /// what it prints.
    #[test]
    fn indexes_are_spelled_out() {
        let mib = Mib::standard();
        for (oid, text) in [
            ("1.3.6.1.2.1.4.34.1.3.1.4.127.0.0.1", "ipAddressIfIndex.ipv4.\"127.0.0.1\""),
            (
                "1.3.6.1.2.1.4.34.1.3.2.16.254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.1",
                "ipAddressIfIndex.ipv6.\"fe:80:00:00:00:00:00:00:00:00:00:00:00:00:00:01\"",
            ),
            ("1.3.6.1.2.1.4.34.1.3.3.8.127.0.0.1.0.0.0.5", "ipAddressIfIndex.ipv4z.\"127.0.0.1%5\""),
            ("1.3.6.1.2.1.4.34.1.3.16.4.97.98.99.100", "ipAddressIfIndex.dns.\"abcd\""),
            ("1.3.6.1.2.1.4.34.1.3.0.0", "ipAddressIfIndex.unknown.\"\""),
            ("1.3.6.1.2.1.4.34.1.3.3.0.3.1", "ipAddressIfIndex.ipv4z.\"\".3.1"),
            ("1.3.6.1.2.1.4.34.1.3.1.4.127.0", "ipAddressIfIndex.ipv4.4.127.0"),
            ("1.3.6.1.2.1.4.34.1.3.99.1.97", "ipAddressIfIndex.99.\"a\""),
            ("1.3.6.1.6.3.16.1.2.1.3.3.3.111.112.115", "vacmGroupName.3.\"ops\""),
            ("1.3.6.1.6.3.16.1.2.1.3.3.1.34", "vacmGroupName.3.1.34"),
            ("1.3.6.1.6.3.16.1.4.1.4.3.111.112.115.0.3.1", "vacmAccessContextMatch.\"ops\".\"\".3.noAuthNoPriv"),
            ("1.3.6.1.6.3.12.1.2.1.2.97.98.99", "snmpTargetAddrTDomain.'abc'"),
            ("1.3.6.1.6.3.12.1.2.1.2.97.98.9", "snmpTargetAddrTDomain.97.98.9"),
            ("1.3.6.1.6.3.12.1.2.1.2", "snmpTargetAddrTDomain"),
            ("1.3.6.1.2.1.17.4.3.1.2.0.1.2.3.4.250", "dot1dTpFdbPort.'0:1:2:3:4:fa'"),
            ("1.3.6.1.2.1.4.20.1.2.192.0.2.1", "ipAdEntIfIndex.192.0.2.1"),
            ("1.3.6.1.2.1.2.2.1.10.1.2.3", "ifInOctets.1.2.3"),
            ("1.3.6.1.6.3.16.1.5.2.1.3.3.97.108.108.3.1.3.6", "vacmViewTreeFamilyMask.\"all\".3.1.3.6"),
        ] {
            let oid: Oid = oid.parse().unwrap();
            assert_eq!(mib.format_oid(oid.as_oid(), OidFormat::Short), text);
            assert_eq!(mib.resolve(text), Ok(oid));
        }
    }
}
