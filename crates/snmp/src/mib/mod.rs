//! MIB names: from text to OIDs and values and back (RFC 2578, RFC 2579, RFC 4001).
//!
//! A [`Mib`] is immutable and is shared by `Arc`. [`Mib::standard`] holds the modules that ship with the
//! product as a table of facts (`standard.tsv`). Descriptions and other prose are not kept.
//!
//! The way in: [`Mib::resolve`] reads a name, [`Mib::format_oid`] writes one, [`Mib::object_of`] finds the
//! object of an instance, [`Object::index_schema`] takes its index apart, [`Mib::format_value`] and
//! [`Mib::parse_value`] turn values into text and back.
//!
//! In the files: `table` (the table's format), `node` and `syntax` (views), `resolve` and `name` (OIDs),
//! `index`, `hint`, `display` and `input` (values).

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;
use std::sync::{Arc, LazyLock};

use crate::oid::{OidRef, OidSuffix};
use table::{NodeRecord, Records, oid_of};

mod display;
mod hint;
mod index;
mod input;
mod name;
mod node;
mod resolve;
mod suggest;
mod syntax;
mod table;

pub use display::ValueStyle;
pub use index::{IndexEncoding, IndexError, IndexField, IndexPart, IndexSchema, IndexValue};
pub use input::ParseValueError;
pub use name::OidFormat;
pub use node::{MibNode, Object};
pub use resolve::ResolveError;
pub use syntax::{BaseType, Syntax};
pub use table::{Access, NodeKind, TableError};

/// The table that ships with the product.
const STANDARD_TABLE: &str = include_str!("standard.tsv");

/// Everything known about a set of MIB modules.
pub struct Mib {
    text: Cow<'static, str>,
    records: Records,
    /// Beside each record of a node, by the same index.
    places: Vec<Place>,
    /// Indices of nodes by name, then in OID order.
    by_name: Vec<u32>,
    /// Indices of modules by name.
    modules_by_name: Vec<u16>,
    /// Modules that were added to those of another [`Mib`], and don't replace one of them.
    added: Vec<u16>,
}

/// Where a node stands in the tree of names.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The nearest named ancestor, or [`NO_PARENT`].
    parent: u32,
    /// The end of its subtree in the order of nodes.
    end: u32,
    /// Whether the node before it has the same OID, and is preferred.
    alias: bool,
}

const NO_PARENT: u32 = u32::MAX;

impl Mib {
    /// The modules that ship with the product. Read once, in a few milliseconds.
    pub fn standard() -> Arc<Mib> {
        static STANDARD: LazyLock<Arc<Mib>> = LazyLock::new(|| {
            let mib = Mib::from_table(Cow::Borrowed(STANDARD_TABLE));
            Arc::new(mib.expect("invariant: the shipped table is generated and tested"))
        });
        Arc::clone(&STANDARD)
    }

    /// Reads a table in the format of `standard.tsv`. A later section for a module replaces an earlier one.
    pub fn from_table(text: Cow<'static, str>) -> Result<Mib, TableError> {
        let mut records = Records::parse(&text)?;
        sort_nodes(&mut records, &text);
        records.types.sort_by(|a, b| {
            let key = |definition: &table::TypeRecord| (definition.module, definition.name.of(&text));
            key(a).cmp(&key(b))
        });
        let places = places(&records);
        let mut by_name: Vec<u32> = (0..records.nodes.len() as u32).collect();
        by_name.sort_by_cached_key(|&index| {
            let name = records.nodes[index as usize].name.of(&text);
            (first_octets(name), name)
        });
        // Of sections with one name the later comes first, and so is the one that a search finds.
        let mut modules_by_name: Vec<u16> = (0..records.modules.len() as u16).collect();
        modules_by_name.sort_by_key(|&index| (records.modules[usize::from(index)].name.of(&text), Reverse(index)));
        modules_by_name.dedup_by_key(|index| records.modules[usize::from(*index)].name.of(&text));
        Ok(Mib { text, records, places, by_name, modules_by_name, added: Vec::new() })
    }

    /// The names of the modules, sorted.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.modules_by_name.iter().map(|&module| self.module_name(module))
    }

    /// The definitions of a name in all modules, in OID order; empty where nobody knows it.
    pub fn nodes_named<'m>(&'m self, name: &str) -> impl Iterator<Item = MibNode<'m>> + use<'m> {
        let start = self.by_name.partition_point(|&index| self.name_at(index) < name);
        let len = self.by_name[start..].iter().take_while(|&&index| self.name_at(index) == name).count();
        self.by_name[start..start + len].iter().map(|&index| MibNode::new(self, index))
    }

    /// The definition of a name in one module.
    pub fn node_in(&self, module: &str, name: &str) -> Option<MibNode<'_>> {
        self.nodes_named(name).find(|node| node.module() == module)
    }

    /// The node with exactly this OID; of several names for it the preferred one.
    pub fn node_at(&self, oid: OidRef<'_>) -> Option<MibNode<'_>> {
        self.locate(oid).filter(|(_, suffix)| suffix.is_empty()).map(|(node, _)| node)
    }

    /// The deepest named OID that this OID is or is below, and what follows it.
    pub fn locate<'m, 'o>(&'m self, oid: OidRef<'o>) -> Option<(MibNode<'m>, OidSuffix<'o>)> {
        let after = self.records.nodes.partition_point(|node| self.records.oid(node) <= oid);
        let mut at = u32::try_from(after.checked_sub(1)?).ok()?;
        while self.is_alias(at) {
            at -= 1;
        }
        loop {
            if let Some(suffix) = oid.strip_prefix(self.oid_of(at)) {
                return Some((MibNode::new(self, at), suffix));
            }
            at = self.parent_of(at)?;
        }
    }

    /// The scalar or column that this OID is an instance of, and its instance identifier. Names given to
    /// single instances (`sysUpTimeInstance`) don't hide the object.
    pub fn object_of<'m, 'o>(&'m self, oid: OidRef<'o>) -> Option<(Object<'m>, OidSuffix<'o>)> {
        let (mut node, _) = self.locate(oid)?;
        while !node.kind().has_value() {
            node = node.parent()?;
        }
        Some((node.object()?, oid.strip_prefix(node.oid())?))
    }

    /// All named OIDs in order, one name an OID.
    pub fn nodes(&self) -> impl Iterator<Item = MibNode<'_>> {
        (0..self.places.len() as u32).filter(|&index| !self.is_alias(index)).map(|index| MibNode::new(self, index))
    }

    /// All definitions in OID order, also those that give an OID a second name.
    pub fn definitions(&self) -> impl Iterator<Item = MibNode<'_>> {
        (0..self.places.len() as u32).map(|index| MibNode::new(self, index))
    }

    /// A textual convention or other type by its module and name.
    pub fn syntax_of<'m>(&'m self, module: &str, name: &str) -> Option<Syntax<'m>> {
        let module = self.module_index(module)?;
        let definition = self.type_at(module, name)?;
        Some(Syntax::resolve(self, self.module_name(module), definition.name.of(&self.text)))
    }

    fn text(&self) -> &str {
        &self.text
    }

    fn node_record(&self, index: u32) -> &NodeRecord {
        &self.records.nodes[index as usize]
    }

    fn name_at(&self, index: u32) -> &str {
        self.node_record(index).name.of(&self.text)
    }

    fn oid_of(&self, index: u32) -> OidRef<'_> {
        oid_of(&self.records.oids, self.node_record(index))
    }

    fn module_name(&self, module: u16) -> &str {
        self.records.modules[usize::from(module)].name.of(&self.text)
    }

    fn is_added(&self, index: u32) -> bool {
        self.added.binary_search(&self.node_record(index).module).is_ok()
    }

    fn module_index(&self, name: &str) -> Option<u16> {
        let found = self.modules_by_name.binary_search_by_key(&name, |&module| self.module_name(module)).ok()?;
        Some(self.modules_by_name[found])
    }

    fn is_alias(&self, index: u32) -> bool {
        self.places[index as usize].alias
    }

    fn parent_of(&self, index: u32) -> Option<u32> {
        Some(self.places[index as usize].parent).filter(|&parent| parent != NO_PARENT)
    }

    fn end_of(&self, index: u32) -> u32 {
        self.places[index as usize].end
    }

    fn after_same_oid(&self, index: u32) -> u32 {
        let mut next = index + 1;
        while self.places.get(next as usize).is_some_and(|place| place.alias) {
            next += 1;
        }
        next
    }

    /// The expression and the DISPLAY-HINT of a type.
    fn type_record(&self, module: &str, name: &str) -> Option<(&str, Option<&str>)> {
        let definition = self.type_at(self.module_index(module)?, name)?;
        let hint = Some(definition.hint.of(&self.text)).filter(|hint| !hint.is_empty());
        Some((definition.syntax.of(&self.text), hint))
    }

    fn type_at(&self, module: u16, name: &str) -> Option<&table::TypeRecord> {
        let key = |definition: &table::TypeRecord| (definition.module, definition.name.of(&self.text));
        let found = self.records.types.binary_search_by(|definition| key(definition).cmp(&(module, name))).ok()?;
        Some(&self.records.types[found])
    }
}

impl fmt::Debug for Mib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mib of {} modules with {} names", self.modules_by_name.len(), self.places.len())
    }
}

/// The start of a name as a number that compares like it: names are sorted at each start of a program.
fn first_octets(name: &str) -> u64 {
    let mut octets = [0; 8];
    let len = name.len().min(octets.len());
    octets[..len].copy_from_slice(&name.as_bytes()[..len]);
    u64::from_be_bytes(octets)
}

/// By OID; of several names for one OID that comes first which says most: an object or notification before
/// a bare name, SMIv2 before SMIv1, the module that was updated last, the module's name.
fn sort_nodes(records: &mut Records, text: &str) {
    let Records { modules, nodes, oids, .. } = records;
    nodes.sort_by(|a, b| {
        oid_of(oids, a).cmp(&oid_of(oids, b)).then_with(|| {
            let rank = |node: &NodeRecord| {
                let module = &modules[usize::from(node.module)];
                let bare = !node.kind.is_object() && node.kind != NodeKind::Notification;
                (bare, module.smiv1, Reverse(module.last_updated.of(text)), module.name.of(text))
            };
            rank(a).cmp(&rank(b))
        })
    });
}

/// Finds parents, subtrees and second names in sorted nodes.
fn places(records: &Records) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::with_capacity(records.nodes.len());
    let mut open: Vec<u32> = Vec::new();
    for at in 0..records.nodes.len() {
        let oid = records.oid(&records.nodes[at]);
        let alias = at > 0 && records.oid(&records.nodes[at - 1]) == oid;
        while !alias && open.last().is_some_and(|&top| !oid.starts_with(records.oid(&records.nodes[top as usize]))) {
            let closed = open.pop().unwrap_or_default();
            places[closed as usize].end = at as u32;
        }
        let parent = match alias {
            true => places[at - 1].parent,
            false => open.last().copied().unwrap_or(NO_PARENT),
        };
        if !alias {
            open.push(at as u32);
        }
        places.push(Place { parent, end: at as u32 + 1, alias });
    }
    for closed in open {
        places[closed as usize].end = places.len() as u32;
    }
    for at in 1..places.len() {
        if places[at].alias {
            places[at].end = places[at - 1].end;
        }
    }
    places
}
