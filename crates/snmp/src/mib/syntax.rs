//! What an object's values look like: base type, refinement, enumeration labels and DISPLAY-HINT, gathered
//! along the chain of textual conventions (RFC 2578 §7.1, RFC 2579 §3).

use super::Mib;
use crate::limits::MAX_TYPE_CHAIN;

/// The types of the SMI that all others are made of (RFC 2578 §7.1, and RFC 1155 for `NetworkAddress`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum BaseType {
    /// `INTEGER`, `Integer32` and enumerations.
    Integer32,
    Unsigned32,
    Counter32,
    Counter64,
    Gauge32,
    TimeTicks,
    IpAddress,
    /// An `IpAddress` whose index form has a leading 1 (RFC 1212 §4.1.6).
    NetworkAddress,
    OctetString,
    ObjectIdentifier,
    Bits,
    Opaque,
    /// The definition of the type was not found.
    Unknown,
}

const BASE_TYPES: [(&str, BaseType); 13] = [
    ("Integer32", BaseType::Integer32),
    ("Unsigned32", BaseType::Unsigned32),
    ("Counter32", BaseType::Counter32),
    ("Counter64", BaseType::Counter64),
    ("Gauge32", BaseType::Gauge32),
    ("TimeTicks", BaseType::TimeTicks),
    ("IpAddress", BaseType::IpAddress),
    ("NetworkAddress", BaseType::NetworkAddress),
    ("OCTET STRING", BaseType::OctetString),
    ("OBJECT IDENTIFIER", BaseType::ObjectIdentifier),
    ("BITS", BaseType::Bits),
    ("Opaque", BaseType::Opaque),
    ("?", BaseType::Unknown),
];

impl BaseType {
    /// The name in the SMI, `?` for a type that was not found.
    pub fn as_str(self) -> &'static str {
        BASE_TYPES.iter().find(|(_, base)| *base == self).map_or("?", |(name, _)| name)
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        BASE_TYPES.iter().find(|(known, _)| *known == name).map(|(_, base)| *base)
    }

    /// Whether values are numbers.
    pub const fn is_number(self) -> bool {
        matches!(
            self,
            BaseType::Integer32
                | BaseType::Unsigned32
                | BaseType::Counter32
                | BaseType::Counter64
                | BaseType::Gauge32
                | BaseType::TimeTicks
        )
    }

    /// Whether values are octets.
    pub const fn is_octets(self) -> bool {
        matches!(self, BaseType::OctetString | BaseType::Bits | BaseType::Opaque)
    }
}

/// The two textual conventions of RFC 4001 that are read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InetRole {
    AddressType,
    Address,
}

/// The syntax of an object or of a textual convention.
#[derive(Debug, Clone, Copy)]
pub struct Syntax<'m> {
    name: &'m str,
    base: BaseType,
    hint: Option<&'m str>,
    constraint: Option<&'m str>,
    labels: Option<&'m str>,
    inet: Option<InetRole>,
}

impl<'m> Syntax<'m> {
    /// Follows an expression of the table from where it stands to its base type. What is nearest counts.
    pub(super) fn resolve(mib: &'m Mib, module: &'m str, expression: &'m str) -> Self {
        let first = Expression::parse(expression);
        let mut syntax = Syntax {
            name: first.name,
            base: BaseType::Unknown,
            hint: None,
            constraint: first.constraint,
            labels: first.labels,
            inet: None,
        };
        let mut at = (first.module.unwrap_or(module), first.name);
        for _ in 0..MAX_TYPE_CHAIN {
            syntax.inet = syntax.inet.or(match at.1 {
                "InetAddressType" => Some(InetRole::AddressType),
                "InetAddress" => Some(InetRole::Address),
                _ => None,
            });
            let Some((expression, hint)) = mib.type_record(at.0, at.1) else { break };
            let parent = Expression::parse(expression);
            syntax.hint = syntax.hint.or(hint);
            syntax.constraint = syntax.constraint.or(parent.constraint);
            syntax.labels = syntax.labels.or(parent.labels);
            at = (parent.module.unwrap_or(at.0), parent.name);
        }
        syntax.base = BaseType::from_name(at.1).unwrap_or(BaseType::Unknown);
        syntax
    }

    /// The name of the type as the object's definition has it: `DisplayString`, `Integer32`.
    pub fn name(&self) -> &'m str {
        self.name
    }

    /// The type on the wire.
    pub fn base(&self) -> BaseType {
        self.base
    }

    /// The DISPLAY-HINT (RFC 2579 §3.1).
    pub fn hint(&self) -> Option<&'m str> {
        self.hint
    }

    /// The labels of an enumeration with their numbers, or of BITS with their positions; in the order of
    /// the definition.
    pub fn labels(&self) -> impl Iterator<Item = (&'m str, i64)> + use<'m> {
        self.labels.unwrap_or_default().split(' ').filter_map(|entry| {
            let (label, number) = entry.strip_suffix(')')?.split_once('(')?;
            Some((label, number.parse().ok()?))
        })
    }

    /// The label of a number or of a bit's position.
    pub fn label_of(&self, number: i64) -> Option<&'m str> {
        self.labels().find(|(_, of)| *of == number).map(|(label, _)| label)
    }

    /// The number or the position that a label stands for.
    pub fn number_of(&self, label: &str) -> Option<i64> {
        self.labels().find(|(known, _)| *known == label).map(|(_, number)| number)
    }

    /// Whether the values are labelled: an enumeration, or BITS with names.
    pub fn has_labels(&self) -> bool {
        self.labels.is_some()
    }

    /// The ranges that values (of octet strings: lengths in octets) are restricted to, both ends included;
    /// none where everything of the base type is allowed.
    pub fn ranges(&self) -> impl Iterator<Item = (i128, i128)> + use<'m> {
        self.constraint.unwrap_or_default().split('|').filter_map(|range| {
            let (low, high) = range.split_once("..").unwrap_or((range, range));
            Some((low.parse().ok()?, high.parse().ok()?))
        })
    }

    /// The ranges as the SMI writes them, `0..255|300`.
    pub fn ranges_text(&self) -> Option<&'m str> {
        self.constraint
    }

    /// Whether a number or a length is in [`Syntax::ranges`].
    pub fn allows(&self, number: i128) -> bool {
        let mut ranges = self.ranges().peekable();
        ranges.peek().is_none() || ranges.any(|(low, high)| (low..=high).contains(&number))
    }

    /// The length in octets, where a string has only one (RFC 2578 §7.7 (2)).
    pub fn fixed_len(&self) -> Option<usize> {
        let mut ranges = self.ranges();
        match (ranges.next(), ranges.next()) {
            (Some((low, high)), None) if low == high && self.base.is_octets() => low.try_into().ok(),
            _ => None,
        }
    }

    pub(super) fn inet_role(&self) -> Option<InetRole> {
        self.inet
    }
}

/// `MODULE::Name(ranges)` or `Name{labels}`, taken apart.
struct Expression<'t> {
    module: Option<&'t str>,
    name: &'t str,
    constraint: Option<&'t str>,
    labels: Option<&'t str>,
}

impl<'t> Expression<'t> {
    fn parse(text: &'t str) -> Self {
        let (name, refinement) = text.split_at(text.find(['(', '{']).unwrap_or(text.len()));
        let (module, name) = match name.split_once("::") {
            Some((module, name)) => (Some(module), name),
            None => (None, name),
        };
        let constraint = refinement.strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
        let labels = refinement.strip_prefix('{').and_then(|inner| inner.strip_suffix('}'));
        Expression { module, name, constraint, labels }
    }
}
