//! The table: facts about MIB modules as lines of text, and its reader.
//!
//! One format serves the table that ships with the product and what the user's own MIB files are turned
//! into. It holds names, OIDs, syntax, indexes and enumerations, and none of the prose of a MIB file.
//! Fields are parted by tabs; lines that start with `#` are comments. A section is
//!
//! ```text
//! module <name> <smiv1|smiv2> <LAST-UPDATED or ->
//! type <name> <syntax> [<"DISPLAY-HINT">]            sorted by name
//! <oid> <name> <kind> [<kind's own fields>]          sorted by OID
//! ```
//!
//! and the fields of a kind are
//!
//! ```text
//! scalar, column   <syntax> <access> [<units>]
//! row              index <objects>   or   augments <row>
//! notification     <objects>
//! ```
//!
//! `<objects>` is a list parted by commas, an object of another module is written `MODULE::name`, and the
//! last one of an index may start with `IMPLIED `. An index part that names a type instead of an object
//! (SMIv1 allows it) is written `type:<syntax>`. `<syntax>` is the name of a base type or of a type of the
//! table (`MODULE::name`), then at most one of `(<ranges>)` and `{<labels>}`: `Integer32(1..10|20)`,
//! `BITS{a(0) b(1)}`. The meaning of the words is that of RFC 2578 and RFC 2579.

use std::collections::HashMap;

use crate::limits::{MAX_MIB_MODULES, MAX_OID_ARCS};
use crate::oid::OidRef;

/// Why a table can't be read. Tables are generated, so this points at a damaged or hand-edited one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("MIB table line {line}: {reason}")]
pub struct TableError {
    /// The line, counted from one.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// What a name in the OID tree stands for (RFC 2578 §3, RFC 2580).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// An `OBJECT IDENTIFIER` value.
    Node,
    /// `OBJECT-IDENTITY`.
    Identity,
    /// `MODULE-IDENTITY`.
    Module,
    /// `OBJECT-TYPE` with one instance, `.0`.
    Scalar,
    /// `OBJECT-TYPE` that is a conceptual table.
    Table,
    /// `OBJECT-TYPE` that is a conceptual row: it has the index.
    Row,
    /// `OBJECT-TYPE` in a row.
    Column,
    /// `NOTIFICATION-TYPE`, or SMIv1 `TRAP-TYPE` by its RFC 3584 §3.1 name.
    Notification,
    /// `OBJECT-GROUP` or `NOTIFICATION-GROUP`.
    Group,
    /// `MODULE-COMPLIANCE`.
    Compliance,
    /// `AGENT-CAPABILITIES`.
    Capabilities,
}

impl NodeKind {
    /// The word for it in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            NodeKind::Node => "node",
            NodeKind::Identity => "identity",
            NodeKind::Module => "module",
            NodeKind::Scalar => "scalar",
            NodeKind::Table => "table",
            NodeKind::Row => "row",
            NodeKind::Column => "column",
            NodeKind::Notification => "notification",
            NodeKind::Group => "group",
            NodeKind::Compliance => "compliance",
            NodeKind::Capabilities => "capabilities",
        }
    }

    /// Whether it is an `OBJECT-TYPE`.
    pub const fn is_object(self) -> bool {
        matches!(self, NodeKind::Scalar | NodeKind::Table | NodeKind::Row | NodeKind::Column)
    }

    /// Whether instances of it carry values.
    pub const fn has_value(self) -> bool {
        matches!(self, NodeKind::Scalar | NodeKind::Column)
    }

    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "column" => NodeKind::Column,
            "scalar" => NodeKind::Scalar,
            "node" => NodeKind::Node,
            "identity" => NodeKind::Identity,
            "module" => NodeKind::Module,
            "table" => NodeKind::Table,
            "row" => NodeKind::Row,
            "notification" => NodeKind::Notification,
            "group" => NodeKind::Group,
            "compliance" => NodeKind::Compliance,
            "capabilities" => NodeKind::Capabilities,
            _ => return None,
        })
    }
}

/// What may be done with an object (RFC 2578 §7.3; the last two are of SMIv1 and of compliance statements).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// `not-accessible`: an index that is only seen in names.
    NotAccessible,
    /// `accessible-for-notify`.
    AccessibleForNotify,
    /// `read-only`.
    ReadOnly,
    /// `read-write`.
    ReadWrite,
    /// `read-create`.
    ReadCreate,
    /// `write-only`.
    WriteOnly,
    /// `not-implemented`.
    NotImplemented,
}

impl Access {
    /// The word of the SMI.
    pub const fn as_str(self) -> &'static str {
        match self {
            Access::NotAccessible => "not-accessible",
            Access::AccessibleForNotify => "accessible-for-notify",
            Access::ReadOnly => "read-only",
            Access::ReadWrite => "read-write",
            Access::ReadCreate => "read-create",
            Access::WriteOnly => "write-only",
            Access::NotImplemented => "not-implemented",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "read-only" => Access::ReadOnly,
            "read-create" => Access::ReadCreate,
            "read-write" => Access::ReadWrite,
            "not-accessible" => Access::NotAccessible,
            "accessible-for-notify" => Access::AccessibleForNotify,
            "write-only" => Access::WriteOnly,
            "not-implemented" => Access::NotImplemented,
            _ => return None,
        })
    }
}

/// Some text of the table, by place.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    pub(super) fn of(self, text: &str) -> &str {
        &text[self.start as usize..(self.start + self.len) as usize]
    }
}

#[derive(Debug)]
pub(super) struct ModuleRecord {
    pub(super) name: Span,
    pub(super) smiv1: bool,
    pub(super) last_updated: Span,
}

#[derive(Debug)]
pub(super) struct TypeRecord {
    pub(super) module: u16,
    pub(super) name: Span,
    pub(super) syntax: Span,
    /// Without its quotes; empty where there is none.
    pub(super) hint: Span,
}

#[derive(Debug)]
pub(super) struct NodeRecord {
    pub(super) oid_start: u32,
    pub(super) oid_len: u16,
    pub(super) module: u16,
    pub(super) name: Span,
    pub(super) kind: NodeKind,
    pub(super) access: Access,
    /// The first field of its kind: syntax, index or objects.
    pub(super) detail: Span,
    pub(super) units: Span,
}

/// The records of a table, as they stand in it.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) modules: Vec<ModuleRecord>,
    pub(super) types: Vec<TypeRecord>,
    pub(super) nodes: Vec<NodeRecord>,
    /// BER content octets of all OIDs.
    pub(super) oids: Vec<u8>,
}

impl Records {
    /// Reads a table. Of two sections for one module the later one counts.
    pub(super) fn parse(text: &str) -> Result<Self, TableError> {
        let whole = u32::try_from(text.len()).map_err(|_| TableError { line: 0, reason: "over 4 GiB" })?;
        let mut records = Records::default();
        // A line of the shipped table is about 70 octets.
        records.nodes.reserve(whole as usize / 80);
        records.oids.reserve(whole as usize / 6);
        let mut sections: HashMap<&str, u16> = HashMap::new();
        let mut replaced = Vec::new();
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fail = |reason| TableError { line: number + 1, reason };
            let mut fields = Fields { text, rest: Some(line) };
            let first = fields.need().map_err(fail)?;
            match first.of(text) {
                "module" => {
                    let module = module_record(&mut fields).map_err(fail)?;
                    if records.modules.len() >= MAX_MIB_MODULES {
                        return Err(fail("too many modules"));
                    }
                    if let Some(older) = sections.insert(module.name.of(text), records.modules.len() as u16) {
                        replaced.push(older);
                    }
                    records.modules.push(module);
                }
                "type" => {
                    let module = records.current().ok_or("type outside a module").map_err(fail)?;
                    records.types.push(type_record(&mut fields, module).map_err(fail)?);
                }
                oid => {
                    let module = records.current().ok_or("name outside a module").map_err(fail)?;
                    let start = records.oids.len();
                    push_ber(oid, &mut records.oids).map_err(fail)?;
                    let node = node_record(&mut fields, module, start, records.oids.len()).map_err(fail)?;
                    records.nodes.push(node);
                }
            }
        }
        if !replaced.is_empty() {
            records.nodes.retain(|node| !replaced.contains(&node.module));
            records.types.retain(|definition| !replaced.contains(&definition.module));
        }
        Ok(records)
    }

    pub(super) fn oid(&self, node: &NodeRecord) -> OidRef<'_> {
        oid_of(&self.oids, node)
    }

    fn current(&self) -> Option<u16> {
        self.modules.len().checked_sub(1).map(|last| last as u16)
    }
}

pub(super) fn oid_of<'a>(oids: &'a [u8], node: &NodeRecord) -> OidRef<'a> {
    let start = node.oid_start as usize;
    OidRef::from_checked(&oids[start..start + usize::from(node.oid_len)])
}

fn module_record(fields: &mut Fields<'_>) -> Result<ModuleRecord, &'static str> {
    let name = fields.need()?;
    let smiv1 = match fields.need()?.of(fields.text) {
        "smiv1" => true,
        "smiv2" => false,
        _ => return Err("expected smiv1 or smiv2"),
    };
    Ok(ModuleRecord { name, smiv1, last_updated: fields.need()? })
}

fn type_record(fields: &mut Fields<'_>, module: u16) -> Result<TypeRecord, &'static str> {
    let name = fields.need()?;
    let syntax = fields.need()?;
    let hint = match fields.optional() {
        hint if hint.len == 0 => hint,
        hint if hint.len >= 2 && hint.of(fields.text).starts_with('"') && hint.of(fields.text).ends_with('"') => {
            Span { start: hint.start + 1, len: hint.len - 2 }
        }
        _ => return Err("expected a DISPLAY-HINT in quotes"),
    };
    Ok(TypeRecord { module, name, syntax, hint })
}

fn node_record(fields: &mut Fields<'_>, module: u16, start: usize, end: usize) -> Result<NodeRecord, &'static str> {
    let name = fields.need()?;
    let kind = NodeKind::from_word(fields.need()?.of(fields.text)).ok_or("unknown kind")?;
    let detail = if kind.has_value() { fields.need()? } else { fields.optional() };
    let access = match kind.has_value() {
        true => Access::from_word(fields.need()?.of(fields.text)).ok_or("unknown access")?,
        false => Access::NotAccessible,
    };
    Ok(NodeRecord {
        oid_start: u32::try_from(start).map_err(|_| "too many OIDs")?,
        oid_len: (end - start) as u16,
        module,
        name,
        kind,
        access,
        detail,
        units: fields.optional(),
    })
}

/// The fields of a line, from left to right.
struct Fields<'t> {
    text: &'t str,
    rest: Option<&'t str>,
}

impl<'t> Fields<'t> {
    fn need(&mut self) -> Result<Span, &'static str> {
        match self.optional() {
            Span { len: 0, .. } => Err("a field is missing"),
            span => Ok(span),
        }
    }

    fn optional(&mut self) -> Span {
        let Some(rest) = self.rest else { return Span::default() };
        let field = match rest.split_once('\t') {
            Some((field, rest)) => {
                self.rest = Some(rest);
                field
            }
            None => {
                self.rest = None;
                rest
            }
        };
        // The field is a part of the text, so the difference is its place in it.
        let start = field.as_ptr() as usize - self.text.as_ptr() as usize;
        Span { start: start as u32, len: field.len() as u32 }
    }
}

/// Appends the BER octets of a dotted OID. Of the shape it accepts, [`OidRef`] is sure to be valid.
fn push_ber(dotted: &str, octets: &mut Vec<u8>) -> Result<(), &'static str> {
    const NO_NUMBERS: &str = "expected an OID of numbers up to 4294967295";
    let mut root = 0;
    let mut count = 0;
    let mut arc: Option<u64> = None;
    for octet in dotted.bytes().chain([b'.']) {
        match (octet, arc) {
            (b'0'..=b'9', None) => arc = Some(u64::from(octet - b'0')),
            (b'0'..=b'9', Some(1..)) => {
                arc = arc.map(|arc| arc * 10 + u64::from(octet - b'0')).filter(|&arc| arc <= u64::from(u32::MAX));
                arc.ok_or(NO_NUMBERS)?;
            }
            (b'.', Some(number)) => {
                match count {
                    0 if number > 2 => return Err("an OID starts with 0, 1 or 2"),
                    0 => root = number * 40,
                    1 if root < 80 && number > 39 => return Err("the second sub-identifier is over 39"),
                    1 => push_base128(root + number, octets),
                    _ => push_base128(number, octets),
                }
                count += 1;
                arc = None;
            }
            _ => return Err(NO_NUMBERS),
        }
    }
    if (2..=MAX_OID_ARCS).contains(&count) { Ok(()) } else { Err("an OID has 2 to 128 sub-identifiers") }
}

fn push_base128(arc: u64, octets: &mut Vec<u8>) {
    let groups = (64 - (arc | 1).leading_zeros()).div_ceil(7);
    for group in (0..groups).rev() {
        let more = if group == 0 { 0 } else { 0x80 };
        octets.push((arc >> (7 * group) & 0x7f) as u8 | more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "\
# a comment
module\tA-MIB\tsmiv2\t202001010000Z
type\tName\tOCTET STRING(0..8)\t\"255t\"
1.3.6.1.4.1.9\ta\tmodule
1.3.6.1.4.1.9.1\tb\tscalar\tName\tread-only\tapples
module\tB-MIB\tsmiv1\t-
1.3.6.1.4.1.10\tc\tnode
";

    #[test]
    fn fields_are_found() {
        let records = Records::parse(SMALL).unwrap();
        assert_eq!((records.modules.len(), records.types.len(), records.nodes.len()), (2, 1, 3));
        assert_eq!(records.types[0].hint.of(SMALL), "255t");
        let scalar = &records.nodes[1];
        assert_eq!(records.oid(scalar).to_string(), "1.3.6.1.4.1.9.1");
        assert_eq!((scalar.detail.of(SMALL), scalar.units.of(SMALL)), ("Name", "apples"));
        assert_eq!((scalar.kind, scalar.access), (NodeKind::Scalar, Access::ReadOnly));
        assert!(records.modules[1].smiv1);
    }

    #[test]
    fn a_later_section_replaces_an_earlier_one() {
        let text = format!("{SMALL}module\tA-MIB\tsmiv2\t-\n1.3.6.1.4.1.9\tz\tnode\n");
        let records = Records::parse(&text).unwrap();
        let names: Vec<_> = records.nodes.iter().map(|node| node.name.of(&text)).collect();
        assert_eq!(names, ["c", "z"]);
        assert!(records.types.is_empty());
    }

    #[test]
    fn damage_is_reported_with_the_line() {
        for (text, line) in [
            ("1.3.6\ta\tnode\n", 1),
            ("type\tA\tInteger32\n", 1),
            ("module\tA\n", 1),
            ("module\tA\tsmiv3\t-\n", 1),
            ("module\tA\tsmiv2\t-\n\n1.3.6\ta\tapple\n", 3),
            ("module\tA\tsmiv2\t-\n1.3.06\ta\tnode\n", 2),
            ("module\tA\tsmiv2\t-\n1.3.x\ta\tnode\n", 2),
            ("module\tA\tsmiv2\t-\n1.40\ta\tnode\n", 2),
            ("module\tA\tsmiv2\t-\n1\ta\tnode\n", 2),
            ("module\tA\tsmiv2\t-\n1.3.4294967296\ta\tnode\n", 2),
            ("module\tA\tsmiv2\t-\n1.3.6\ta\tscalar\tInteger32\n", 2),
            ("module\tA\tsmiv2\t-\n1.3.6\ta\tscalar\tInteger32\tsometimes\n", 2),
            ("module\tA\tsmiv2\t-\ntype\tT\tInteger32\td-2\n", 2),
        ] {
            assert_eq!(Records::parse(text).unwrap_err().line, line, "{text}");
        }
    }
}
