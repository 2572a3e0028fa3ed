//! From names to OIDs, with instance identifiers in text as net-snmp writes and reads them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smallvec::SmallVec;

use super::index::{IndexEncoding, IndexPart, inet_octets};
use super::suggest::{did_you_mean, nearest, one_of};
use super::table::NodeKind;
use super::{Mib, MibNode, hint};
use crate::limits::{MAX_NAME_TEXT_CHARS, MAX_OID_ARCS, MAX_SUGGESTIONS};
use crate::oid::{Oid, OidError};

/// Why a text names no OID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// Nothing to read.
    #[error("empty name")]
    Empty,
    /// Longer than any name of an OID.
    #[error("name of more than {MAX_NAME_TEXT_CHARS} characters")]
    TooLong,
    /// No module defines the name.
    #[error("unknown name `{name}`{}", did_you_mean(.near))]
    UnknownName {
        /// The name.
        name: String,
        /// Names like it, the nearest first.
        near: Vec<String>,
    },
    /// No such module is loaded.
    #[error("unknown module `{module}`, neither built in nor in the MIB directories{}", did_you_mean(.near))]
    UnknownModule {
        /// The module.
        module: String,
        /// Modules like it, the nearest first.
        near: Vec<String>,
    },
    /// The module is there, but doesn't define the name.
    #[error("`{module}` does not define `{name}`{}", did_you_mean(.near))]
    NotInModule {
        /// The module.
        module: String,
        /// The name.
        name: String,
        /// Names like it, and the same name in other modules.
        near: Vec<String>,
    },
    /// Several modules give the name to different OIDs, and not all but one of them are the user's own.
    #[error("`{name}` is ambiguous: say {}", one_of(.candidates))]
    Ambiguous {
        /// The name.
        name: String,
        /// `MODULE::name` of each.
        candidates: Vec<String>,
    },
    /// The name before has no child of this name.
    #[error("`{parent}` has no child `{name}`{}", did_you_mean(.near))]
    UnknownChild {
        /// The name before.
        parent: String,
        /// The name.
        name: String,
        /// Children with names like it.
        near: Vec<String>,
    },
    /// A part of the index can't be read.
    #[error("`{text}` is no `{part}`: expected {expected}")]
    BadIndex {
        /// The object in the index.
        part: String,
        /// What stands there.
        text: String,
        /// What may stand there.
        expected: String,
    },
    /// Something else than a number where no name can be.
    #[error("`{text}` after `{after}`: expected a number")]
    NotANumber {
        /// What stands there.
        text: String,
        /// The name before.
        after: String,
    },
    /// A quoted string doesn't end, or goes on after its end.
    #[error("a quoted string is not closed, or something other than a dot follows it: `{text}`")]
    BadQuote {
        /// From the quote on.
        text: String,
    },
    /// A root of the tree alone, which SNMP can't carry (RFC 3416 §3, X.690 §8.19.4).
    #[error("`{text}` is one sub-identifier, and an OID has two at least: say iso.3 or 1.3")]
    RootAlone {
        /// The text.
        text: String,
    },
    /// The numbers make no OID.
    #[error("`{text}`: {source}")]
    BadOid {
        /// The text.
        text: String,
        /// Why.
        source: OidError,
    },
}

impl Mib {
    /// The OID of `sysDescr.0`, `IF-MIB::ifHCInOctets.3`, `1.3.6.1`, `.1.3.6.1`, `iso.3.6.1`,
    /// `enterprises.9`, `.iso.org.dod.internet.mgmt`, `ipAdEntAddr.192.0.2.1`, `vacmGroupName.3."ops"`,
    /// `ipAddressIfIndex.ipv4."192.0.2.1"`.
    pub fn resolve(&self, text: &str) -> Result<Oid, ResolveError> {
        let text = text.trim();
        if text.len() > MAX_NAME_TEXT_CHARS {
            return Err(ResolveError::TooLong);
        }
        let path = text.strip_prefix('.').unwrap_or(text);
        if path.is_empty() {
            return Err(ResolveError::Empty);
        }
        if path.bytes().all(|c| c.is_ascii_digit() || c == b'.') {
            return path.parse().map_err(|source| bad_oid(text, source));
        }
        let head_end = path.find(['.', '"', '\'']).unwrap_or(path.len());
        let (head, rest) = path.split_at(head_end);
        let mut walk = Walk { mib: self, text, arcs: SmallVec::new(), node: None };
        match head.split_once("::") {
            Some((module, name)) => walk.start_at(self.definition(module, name)?),
            None => walk.start(head)?,
        }
        walk.follow(rest)?;
        walk.finish()
    }

    /// The definition of `name` or `MODULE::name`; of several for one OID the preferred one. What built-in
    /// modules define goes before what the user's own define.
    pub fn node(&self, name: &str) -> Result<MibNode<'_>, ResolveError> {
        match name.split_once("::") {
            Some((module, name)) => self.definition(module, name),
            None => self.unqualified(name),
        }
    }

    fn definition(&self, module: &str, name: &str) -> Result<MibNode<'_>, ResolveError> {
        if let Some(node) = self.node_in(module, name) {
            return Ok(node);
        }
        if self.module_index(module).is_none() {
            let near = nearest(module, self.modules());
            return Err(ResolveError::UnknownModule { module: module.to_owned(), near });
        }
        let mut near: Vec<String> = self.nodes_named(name).map(|node| node.to_string()).collect();
        near.truncate(MAX_SUGGESTIONS);
        if near.is_empty() {
            near = nearest(name, self.definitions().filter(|node| node.module() == module).map(MibNode::name));
        }
        Err(ResolveError::NotInModule { module: module.to_owned(), name: name.to_owned(), near })
    }

    fn unqualified(&self, name: &str) -> Result<MibNode<'_>, ResolveError> {
        let same_oid = |added: bool| {
            let mut found = self.nodes_named(name).filter(|node| added || !node.is_added());
            let first = found.next()?;
            found.all(|other| other.oid() == first.oid()).then_some(first)
        };
        // The user's modules must not change what a built-in name means: vendors have a `system`, too.
        if let Some(node) = same_oid(false).or_else(|| same_oid(true)) {
            return Ok(node);
        }
        if self.nodes_named(name).next().is_none() {
            let near = nearest(name, self.by_name.iter().map(|&index| self.name_at(index)));
            return Err(ResolveError::UnknownName { name: name.to_owned(), near });
        }
        let candidates = self.nodes_named(name).map(|node| node.to_string()).collect();
        Err(ResolveError::Ambiguous { name: name.to_owned(), candidates })
    }
}

/// A walk from the root along a name.
struct Walk<'m, 't> {
    mib: &'m Mib,
    text: &'t str,
    arcs: SmallVec<[u32; 32]>,
    /// The node that the walk stands on exactly.
    node: Option<MibNode<'m>>,
}

impl<'m, 't> Walk<'m, 't> {
    fn start_at(&mut self, node: MibNode<'m>) {
        self.arcs.extend(node.oid().arcs());
        self.node = Some(node);
    }

    fn start(&mut self, head: &str) -> Result<(), ResolveError> {
        match head {
            "ccitt" | "itu-t" => self.arcs.push(0),
            "iso" => self.arcs.push(1),
            "joint-iso-ccitt" | "joint-iso-itu-t" => self.arcs.push(2),
            number if number.starts_with(|c: char| c.is_ascii_digit()) => {
                let arc = self.number(number, "the root")?;
                self.arcs.push(arc);
            }
            name => self.start_at(self.mib.unqualified(name)?),
        }
        Ok(())
    }

    /// The rest of the text, which is empty or starts with a dot.
    fn follow(&mut self, mut rest: &'t str) -> Result<(), ResolveError> {
        loop {
            if let Some(column) = self.node.and_then(MibNode::object).filter(|object| object.kind() == NodeKind::Column)
                && let Ok(schema) = column.index_schema()
            {
                rest = self.index(schema.parts(), rest)?;
                self.node = None;
            }
            let Some(segment) = next_segment(&mut rest)? else { return Ok(()) };
            match segment {
                Segment::Plain(name) if name.starts_with(|c: char| c.is_ascii_digit()) => {
                    let arc = self.number(name, &self.place())?;
                    self.push(arc)?;
                }
                Segment::Plain(name) => {
                    let child = self.child(name)?;
                    self.arcs.clear();
                    self.start_at(child);
                    continue;
                }
                // Without an index to go by: net-snmp's rule, double quotes say that the length comes first.
                Segment::Quoted(quote, content) => {
                    if quote == '"' {
                        self.push(content.len() as u32)?;
                    }
                    content.bytes().try_for_each(|octet| self.push(u32::from(octet)))?;
                }
            }
            self.node = match Oid::from_arcs(&self.arcs) {
                Ok(oid) => self.mib.node_at(oid.as_oid()),
                Err(_) => None,
            };
        }
    }

    /// Reads the parts of an index, as many as are there; returns what follows.
    fn index(&mut self, parts: &[IndexPart<'m>], mut rest: &'t str) -> Result<&'t str, ResolveError> {
        let mut before = None;
        for part in parts {
            let start = self.arcs.len();
            let fail = |text: &str, expected: String| ResolveError::BadIndex {
                part: part.name().to_owned(),
                text: text.to_owned(),
                expected,
            };
            // How many numbers of the part are still to come; unknown before the first.
            let mut left = match part.encoding() {
                IndexEncoding::FixedString(len) => Some(len),
                IndexEncoding::ImpliedString | IndexEncoding::ImpliedObjectIdentifier => Some(usize::MAX),
                IndexEncoding::Integer => Some(1),
                IndexEncoding::IpAddress => Some(4),
                IndexEncoding::NetworkAddress => Some(5),
                IndexEncoding::String | IndexEncoding::ObjectIdentifier => None,
            };
            while left != Some(0) {
                let Some(segment) = next_segment(&mut rest)? else { return Ok("") };
                match segment {
                    Segment::Plain(text) if text.starts_with(|c: char| c.is_ascii_digit()) => {
                        let arc = text.parse().map_err(|_| fail(text, expected_in_index(part)))?;
                        self.push(arc)?;
                        left = Some(left.map_or(arc as usize, |left| left.saturating_sub(1)));
                    }
                    Segment::Plain(text) | Segment::Quoted(_, text) if self.arcs.len() > start => {
                        return Err(fail(text, "a number".to_owned()));
                    }
                    Segment::Plain(text) if part.encoding() != IndexEncoding::Integer => {
                        return Err(fail(text, expected_in_index(part)));
                    }
                    Segment::Plain(text) | Segment::Quoted(_, text) => {
                        let arcs = text_arcs(part, text, before).map_err(|expected| fail(text, expected))?;
                        arcs.into_iter().try_for_each(|arc| self.push(arc))?;
                        left = Some(0);
                    }
                }
            }
            before = self.arcs[start..].last().copied().filter(|_| part.is_inet_address_type());
        }
        Ok(rest)
    }

    fn child(&self, name: &str) -> Result<MibNode<'m>, ResolveError> {
        let is_child = |node: &MibNode<'_>| {
            node.oid().arc_count() == self.arcs.len() + 1 && node.oid().arcs().zip(&self.arcs).all(|(a, b)| a == *b)
        };
        self.mib.nodes_named(name).find(is_child).ok_or_else(|| {
            let children = self.node.into_iter().flat_map(MibNode::children).map(MibNode::name);
            ResolveError::UnknownChild { parent: self.place(), name: name.to_owned(), near: nearest(name, children) }
        })
    }

    fn number(&self, text: &str, after: &str) -> Result<u32, ResolveError> {
        let digits = text.bytes().all(|c| c.is_ascii_digit());
        match text.parse() {
            Ok(arc) if digits => Ok(arc),
            _ if digits => Err(bad_oid(text, OidError::ArcTooLarge)),
            _ => Err(ResolveError::NotANumber { text: text.to_owned(), after: after.to_owned() }),
        }
    }

    fn push(&mut self, arc: u32) -> Result<(), ResolveError> {
        if self.arcs.len() == MAX_OID_ARCS {
            return Err(bad_oid(self.text, OidError::TooManyArcs));
        }
        self.arcs.push(arc);
        Ok(())
    }

    /// Where the walk stands, for messages.
    fn place(&self) -> String {
        match self.node {
            Some(node) => node.name().to_owned(),
            None => self.arcs.iter().map(u32::to_string).collect::<Vec<_>>().join("."),
        }
    }

    fn finish(self) -> Result<Oid, ResolveError> {
        Oid::from_arcs(&self.arcs).map_err(|source| bad_oid(self.text, source))
    }
}

/// A step of a name.
enum Segment<'t> {
    Plain(&'t str),
    /// What stands between quotes of this kind.
    Quoted(char, &'t str),
}

/// Cuts the next step off a rest that is empty or starts with a dot.
fn next_segment<'t>(rest: &mut &'t str) -> Result<Option<Segment<'t>>, ResolveError> {
    if rest.is_empty() {
        return Ok(None);
    }
    let text = rest.strip_prefix('.').unwrap_or(rest);
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let bad = || ResolveError::BadQuote { text: text.to_owned() };
        let (content, after) = text[1..].split_once(quote).ok_or_else(bad)?;
        if !after.is_empty() && !after.starts_with('.') {
            return Err(bad());
        }
        *rest = after;
        return Ok(Some(Segment::Quoted(quote, content)));
    }
    let end = text.find('.').unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    *rest = after;
    Ok(Some(Segment::Plain(name)))
}

/// The sub-identifiers of a part of an index that is given as text, or what was expected.
fn text_arcs(part: &IndexPart<'_>, text: &str, before: Option<u32>) -> Result<Vec<u32>, String> {
    let expected = || expected_in_index(part);
    let widen = |octets: &[u8]| octets.iter().map(|&octet| u32::from(octet)).collect::<Vec<u32>>();
    let ipv4 = || text.parse::<Ipv4Addr>().map(|address| widen(&address.octets())).map_err(|_| expected());
    match part.encoding() {
        IndexEncoding::Integer => {
            let number = part.syntax().number_of(text).and_then(|number| number.try_into().ok());
            number.map(|number| vec![number]).ok_or_else(expected)
        }
        IndexEncoding::IpAddress => ipv4(),
        IndexEncoding::NetworkAddress => ipv4().map(|octets| [vec![1], octets].concat()),
        IndexEncoding::FixedString(_) | IndexEncoding::ImpliedString => {
            parse_string(part, text, before).map(|octets| widen(&octets))
        }
        IndexEncoding::String => {
            let octets = parse_string(part, text, before)?;
            Ok([vec![octets.len() as u32], widen(&octets)].concat())
        }
        IndexEncoding::ObjectIdentifier | IndexEncoding::ImpliedObjectIdentifier => {
            let oid: Oid = text.parse().map_err(|_| expected())?;
            let arcs: Vec<u32> = oid.as_oid().arcs().collect();
            match part.encoding() {
                IndexEncoding::ObjectIdentifier => Ok([vec![arcs.len() as u32], arcs].concat()),
                _ => Ok(arcs),
            }
        }
    }
}

/// The octets of a string in an index: an address if the part before says so, else by the DISPLAY-HINT, else
/// the text itself. `before` is the sub-identifier before the part.
pub(super) fn parse_string(part: &IndexPart<'_>, text: &str, before: Option<u32>) -> Result<Vec<u8>, String> {
    let octets = match inet_kind(part, before) {
        _ if text.is_empty() => Vec::new(),
        Some(kind) => parse_inet(kind, text).ok_or_else(|| kind.to_owned())?,
        None => {
            let hint = part.syntax().hint().filter(|hint| !hint::is_text(hint));
            let fits = |octets: &Vec<u8>| match part.encoding() {
                IndexEncoding::FixedString(len) => octets.len() == len,
                _ => true,
            };
            let hinted = hint.and_then(|hint| hint::parse_octets(hint, text)).filter(fits);
            hinted.unwrap_or_else(|| text.as_bytes().to_vec())
        }
    };
    match part.encoding() {
        IndexEncoding::FixedString(len) if len != octets.len() => Err(format!("{len} octets in quotes")),
        _ => Ok(octets),
    }
}

const IPV4: &str = "an IPv4 address in quotes";
const IPV6: &str = "an IPv6 address in quotes";
const IPV4Z: &str = "an IPv4 address and a zone index in quotes, \"192.0.2.1%1\"";
const IPV6Z: &str = "an IPv6 address and a zone index in quotes, \"fe80::1%1\"";

fn inet_kind(part: &IndexPart<'_>, before: Option<u32>) -> Option<&'static str> {
    match before.filter(|_| part.is_inet_address())? {
        1 => Some(IPV4),
        2 => Some(IPV6),
        3 => Some(IPV4Z),
        4 => Some(IPV6Z),
        _ => None,
    }
}

fn parse_inet(kind: &'static str, text: &str) -> Option<Vec<u8>> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone.parse().ok()?)),
        None => (text, None),
    };
    let address = match kind {
        IPV4 | IPV4Z => IpAddr::V4(address.parse().ok()?),
        _ => IpAddr::V6(parse_ipv6(address)?),
    };
    let zoned = matches!(kind, IPV4Z | IPV6Z);
    (zoned == zone.is_some()).then(|| inet_octets(address, zone).to_vec())
}

/// In the usual notation, or as net-snmp has it: 16 octets between colons.
fn parse_ipv6(text: &str) -> Option<Ipv6Addr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let mut octets = [0; 16];
    let mut parts = text.split(':');
    for octet in &mut octets {
        *octet = u8::from_str_radix(parts.next().filter(|part| !part.starts_with('+'))?, 16).ok()?;
    }
    parts.next().is_none().then(|| Ipv6Addr::from(octets))
}

fn expected_in_index(part: &IndexPart<'_>) -> String {
    match part.encoding() {
        IndexEncoding::Integer if part.syntax().has_labels() => {
            let labels: Vec<_> = part.syntax().labels().take(8).map(|(label, _)| label).collect();
            format!("a number up to 4294967295 or one of {}", labels.join(", "))
        }
        IndexEncoding::Integer => "a number up to 4294967295".to_owned(),
        IndexEncoding::IpAddress | IndexEncoding::NetworkAddress => "an IPv4 address".to_owned(),
        IndexEncoding::ObjectIdentifier | IndexEncoding::ImpliedObjectIdentifier => {
            "the numbers of an OID, or a dotted OID in quotes".to_owned()
        }
        _ => "a string in quotes, or its octets as numbers".to_owned(),
    }
}

fn bad_oid(text: &str, source: OidError) -> ResolveError {
    let text = text.to_owned();
    match source {
        OidError::Empty => ResolveError::RootAlone { text },
        source => ResolveError::BadOid { text, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<String, String> {
        Mib::standard().resolve(text).map(|oid| oid.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn names_of_all_kinds() {
        for (text, oid) in [
            ("sysDescr.0", "1.3.6.1.2.1.1.1.0"),
            ("SNMPv2-MIB::sysDescr.0", "1.3.6.1.2.1.1.1.0"),
            ("RFC1213-MIB::sysDescr", "1.3.6.1.2.1.1.1"),
            (".1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.1.0"),
            ("1.3.6.1", "1.3.6.1"),
            (" system ", "1.3.6.1.2.1.1"),
            ("iso.3.6.1", "1.3.6.1"),
            (".iso.org.dod.internet", "1.3.6.1"),
            ("mib-2", "1.3.6.1.2.1"),
            ("enterprises.9", "1.3.6.1.4.1.9"),
            ("1.3.6.1.2.1.system.sysName.0", "1.3.6.1.2.1.1.5.0"),
            ("system.sysName.0", "1.3.6.1.2.1.1.5.0"),
            ("system.5.0", "1.3.6.1.2.1.1.5.0"),
            (".iso.org.dod.internet.mgmt.mib-2.interfaces.ifTable.ifEntry.ifDescr.1", "1.3.6.1.2.1.2.2.1.2.1"),
            ("sysUpTime.sysUpTimeInstance", "1.3.6.1.2.1.1.3.0"),
            ("sysUpTimeInstance", "1.3.6.1.2.1.1.3.0"),
            ("zeroDotZero", "0.0"),
            ("ipAdEntAddr.192.0.2.1", "1.3.6.1.2.1.4.20.1.1.192.0.2.1"),
            ("ipAdEntAddr.\"192.0.2.1\"", "1.3.6.1.2.1.4.20.1.1.192.0.2.1"),
            ("vacmGroupName.3.\"ops\"", "1.3.6.1.6.3.16.1.2.1.3.3.3.111.112.115"),
            ("vacmGroupName.3.3.111.112.115", "1.3.6.1.6.3.16.1.2.1.3.3.3.111.112.115"),
            ("vacmGroupName.3", "1.3.6.1.6.3.16.1.2.1.3.3"),
            ("vacmGroupName.3.\"\"", "1.3.6.1.6.3.16.1.2.1.3.3.0"),
            ("vacmAccessContextMatch.\"ops\".\"\".3.noAuthNoPriv", "1.3.6.1.6.3.16.1.4.1.4.3.111.112.115.0.3.1"),
            ("snmpTargetAddrTDomain.'abc'", "1.3.6.1.6.3.12.1.2.1.2.97.98.99"),
            ("dot1dTpFdbPort.'0:1:2:3:4:fa'", "1.3.6.1.2.1.17.4.3.1.2.0.1.2.3.4.250"),
            ("dot1dTpFdbPort.0.1.2.3.4.250", "1.3.6.1.2.1.17.4.3.1.2.0.1.2.3.4.250"),
            ("dot1dTpFdbPort.'ABCDEF'", "1.3.6.1.2.1.17.4.3.1.2.65.66.67.68.69.70"),
            ("ipAddressIfIndex.ipv4.\"192.0.2.1\"", "1.3.6.1.2.1.4.34.1.3.1.4.192.0.2.1"),
            ("ipAddressIfIndex.ipv6.\"::1\"", "1.3.6.1.2.1.4.34.1.3.2.16.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1"),
            (
                "ipAddressIfIndex.ipv6.\"fe:80:00:00:00:00:00:00:00:00:00:00:00:00:00:01\"",
                "1.3.6.1.2.1.4.34.1.3.2.16.254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.1",
            ),
            ("ipAddressIfIndex.ipv4z.\"192.0.2.1%5\"", "1.3.6.1.2.1.4.34.1.3.3.8.192.0.2.1.0.0.0.5"),
            ("ipAddressIfIndex.dns.\"a.b\"", "1.3.6.1.2.1.4.34.1.3.16.3.97.46.98"),
            ("vacmViewTreeFamilyMask.\"all\".3.1.3.6", "1.3.6.1.6.3.16.1.5.2.1.3.3.97.108.108.3.1.3.6"),
            ("vacmViewTreeFamilyMask.\"all\".\"1.3.6\"", "1.3.6.1.6.3.16.1.5.2.1.3.3.97.108.108.3.1.3.6"),
            ("atPhysAddress.2.\"192.0.2.1\"", "1.3.6.1.2.1.3.1.1.2.2.1.192.0.2.1"),
            // Without an index to go by.
            ("enterprises.1.\"ab\".5", "1.3.6.1.4.1.1.2.97.98.5"),
            ("enterprises.1.'ab'", "1.3.6.1.4.1.1.97.98"),
            ("ifDescr.1.2.3", "1.3.6.1.2.1.2.2.1.2.1.2.3"),
        ] {
            assert_eq!(resolve(text), Ok(oid.to_owned()), "{text}");
        }
    }

    #[test]
    fn mistakes_name_the_part_and_suggest() {
        for (text, message) in [
            ("", "empty name"),
            (".", "empty name"),
            ("sysDecr.0", "unknown name `sysDecr`; did you mean sysDescr?"),
            ("SYSDESCR", "did you mean sysDescr?"),
            ("ifHCIn", "did you mean ifHCInOctets, ifHCInUcastPkts or ifHCInBroadcastPkts?"),
            ("qqqqqqqqqq", "unknown name `qqqqqqqqqq`"),
            (
                "IF-MBI::ifDescr",
                "unknown module `IF-MBI`, neither built in nor in the MIB directories; did you mean IF-MIB",
            ),
            ("IF-MIB::sysDescr", "`IF-MIB` does not define `sysDescr`; did you mean SNMPv2-MIB::sysDescr"),
            ("IF-MIB::ifDecsr", "did you mean ifDescr?"),
            ("system.ifDescr", "`system` has no child `ifDescr`"),
            ("system.sysDecr", "did you mean sysDescr?"),
            ("linux", "`linux` is ambiguous: say UCD-SNMP-MIB::linux or NET-SNMP-TC::linux"),
            ("ifDescr.eth0", "`eth0` is no `ifIndex`: expected a number up to 4294967295"),
            ("ifDescr.4294967296", "`4294967296` is no `ifIndex`"),
            ("ifDescr.0x10", "`0x10` is no `ifIndex`"),
            ("ipAddressIfIndex.ipv5.\"::1\"", "expected a number up to 4294967295 or one of unknown, ipv4, ipv6"),
            ("ipAddressIfIndex.ipv4.\"::1\"", "expected an IPv4 address in quotes"),
            ("ipAddressIfIndex.ipv6.\"1.2.3.4\"", "expected an IPv6 address in quotes"),
            ("ipAddressIfIndex.ipv4z.\"1.2.3.4\"", "zone index in quotes"),
            ("vacmGroupName.3.ops", "`ops` is no `vacmSecurityName`: expected a string in quotes"),
            ("vacmGroupName.3.\"ops", "not closed"),
            ("vacmGroupName.3.\"ops\"x", "not closed"),
            ("vacmGroupName.3.4.\"ops\"", "`ops` is no `vacmSecurityName`: expected a number"),
            ("dot1dTpFdbPort.'12345'", "expected 6 octets in quotes"),
            ("ipAdEntAddr.192.0.2.x", "`x` is no `ipAdEntAddr`"),
            ("enterprises.9x", "`9x` after `enterprises`: expected a number"),
            ("enterprises.4294967296", "sub-identifier above 4294967295"),
            ("iso", "`iso` is one sub-identifier, and an OID has two at least"),
            ("1", "one sub-identifier"),
            ("1.40", "out of range"),
            ("1..3", "not a dotted number"),
            ("sysDescr.", "`sysDescr` has no child ``"),
        ] {
            let error = resolve(text).unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
        let long = format!("enterprises{}", ".1".repeat(123));
        assert!(resolve(&long).unwrap_err().contains("more than 128"));
        assert!(resolve(&long[..long.len() - 2]).is_ok());
        assert!(resolve(&"a".repeat(8193)).unwrap_err().contains("8192"));
    }
}
