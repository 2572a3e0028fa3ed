//! Views into a [`Mib`]: a name in the OID tree, and an object with its place in a table (RFC 2578 §7).

use std::fmt;

use super::Mib;
use super::index::{IndexError, IndexField, IndexSchema, IndexValue};
use super::syntax::Syntax;
use super::table::{Access, NodeKind, NodeRecord};
use crate::limits::MAX_AUGMENTS;
use crate::oid::{Oid, OidRef, OidSuffix};

/// A name that some module gives to an OID.
#[derive(Clone, Copy)]
pub struct MibNode<'m> {
    mib: &'m Mib,
    index: u32,
}

impl<'m> MibNode<'m> {
    pub(super) fn new(mib: &'m Mib, index: u32) -> Self {
        MibNode { mib, index }
    }

    pub(super) fn mib(self) -> &'m Mib {
        self.mib
    }

    pub(super) fn is_added(self) -> bool {
        self.mib.is_added(self.index)
    }

    pub(super) fn record(self) -> &'m NodeRecord {
        self.mib.node_record(self.index)
    }

    /// The name: `ifInOctets`.
    pub fn name(self) -> &'m str {
        self.record().name.of(self.mib.text())
    }

    /// The module that defines the name: `IF-MIB`.
    pub fn module(self) -> &'m str {
        self.mib.module_name(self.record().module)
    }

    /// What it is a name of.
    pub fn oid(self) -> OidRef<'m> {
        self.mib.oid_of(self.index)
    }

    /// What kind of definition it is.
    pub fn kind(self) -> NodeKind {
        self.record().kind
    }

    /// The object, where the definition is an `OBJECT-TYPE`.
    pub fn object(self) -> Option<Object<'m>> {
        self.kind().is_object().then_some(Object(self))
    }

    /// The nearest named ancestor.
    pub fn parent(self) -> Option<MibNode<'m>> {
        self.mib.parent_of(self.index).map(|parent| MibNode { index: parent, ..self })
    }

    /// The nearest named descendants in OID order, one name an OID.
    pub fn children(self) -> impl Iterator<Item = MibNode<'m>> + use<'m> {
        let end = self.mib.end_of(self.index);
        let mut at = self.mib.after_same_oid(self.index);
        std::iter::from_fn(move || {
            let child = (at < end).then_some(at)?;
            at = self.mib.end_of(child);
            Some(MibNode { index: child, ..self })
        })
    }

    /// This node and all named descendants in OID order, one name an OID.
    pub fn subtree(self) -> impl Iterator<Item = MibNode<'m>> + use<'m> {
        let below = self.mib.after_same_oid(self.index)..self.mib.end_of(self.index);
        let mib = self.mib;
        let below = below.filter(move |&index| !mib.is_alias(index)).map(move |index| MibNode { mib, index });
        std::iter::once(self).chain(below)
    }

    /// The objects that a notification carries, in order (RFC 2578 §8.1); those that aren't found are left out.
    pub fn notification_objects(self) -> impl Iterator<Item = MibNode<'m>> + use<'m> {
        let list = match self.kind() {
            NodeKind::Notification => self.record().detail.of(self.mib.text()),
            _ => "",
        };
        list.split(',').filter_map(move |name| self.named(name))
    }

    /// A name as a list in the table has it: of this module where none is given.
    fn named(self, name: &str) -> Option<MibNode<'m>> {
        match name.split_once("::") {
            Some((module, name)) => self.mib.node_in(module, name),
            None => self.mib.node_in(self.module(), name),
        }
    }
}

impl PartialEq for MibNode<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.mib, other.mib) && self.index == other.index
    }
}

impl Eq for MibNode<'_> {}

impl fmt::Debug for MibNode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({}, {})", self.oid(), self.kind().as_str())
    }
}

impl fmt::Display for MibNode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.module(), self.name())
    }
}

/// An `OBJECT-TYPE`: a scalar, a column, or a table or row that holds columns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Object<'m>(MibNode<'m>);

impl<'m> Object<'m> {
    /// The node.
    pub fn node(self) -> MibNode<'m> {
        self.0
    }

    /// The name: `ifInOctets`.
    pub fn name(self) -> &'m str {
        self.0.name()
    }

    /// The module that defines it.
    pub fn module(self) -> &'m str {
        self.0.module()
    }

    /// The OID of the object; its instances are below it.
    pub fn oid(self) -> OidRef<'m> {
        self.0.oid()
    }

    /// Scalar, table, row or column.
    pub fn kind(self) -> NodeKind {
        self.0.kind()
    }

    /// MAX-ACCESS; `not-accessible` for tables and rows.
    pub fn access(self) -> Access {
        self.0.record().access
    }

    /// UNITS, as the module has them.
    pub fn units(self) -> Option<&'m str> {
        Some(self.0.record().units.of(self.0.mib.text())).filter(|units| !units.is_empty())
    }

    /// The syntax of the values of a scalar or column.
    pub fn syntax(self) -> Option<Syntax<'m>> {
        let expression = self.0.record().detail.of(self.0.mib.text());
        self.kind().has_value().then(|| Syntax::resolve(self.0.mib, self.module(), expression))
    }

    /// The table that a row or column belongs to, or the table itself.
    pub fn table(self) -> Option<Object<'m>> {
        self.ancestor(NodeKind::Table)
    }

    /// The row that a column belongs to, the row of a table, or the row itself.
    pub fn row(self) -> Option<Object<'m>> {
        match self.kind() {
            NodeKind::Table => self.0.children().find(|child| child.kind() == NodeKind::Row).map(Object),
            _ => self.ancestor(NodeKind::Row),
        }
    }

    /// The columns of this table or row, by sub-identifier. Columns that other modules add by AUGMENTS are
    /// in rows of their own.
    pub fn columns(self) -> impl Iterator<Item = Object<'m>> + use<'m> {
        let row = match self.kind() {
            NodeKind::Table | NodeKind::Row => self.row(),
            _ => None,
        };
        row.into_iter().flat_map(|row| row.0.children()).filter(|node| node.kind() == NodeKind::Column).map(Object)
    }

    /// The row that gives this object's row its index: by AUGMENTS that of another module.
    pub fn base_row(self) -> Option<Object<'m>> {
        let mut row = self.row()?;
        for _ in 0..MAX_AUGMENTS {
            let detail = row.0.record().detail.of(row.0.mib.text());
            let Some(augmented) = detail.strip_prefix("augments ") else { return Some(row) };
            row = row.0.named(augmented)?.object()?.row()?;
        }
        None
    }

    /// How instances of this object are named. A scalar has an index of no parts.
    pub fn index_schema(self) -> Result<IndexSchema<'m>, IndexError> {
        IndexSchema::of(self)
    }

    /// The values of the index in an instance identifier, by name.
    pub fn decode_index(self, suffix: OidSuffix<'_>) -> Result<Vec<IndexField<'m>>, IndexError> {
        self.index_schema()?.decode(suffix)
    }

    /// The instance that has these values in its index.
    pub fn instance(self, values: &[IndexValue]) -> Result<Oid, IndexError> {
        let mut oid = self.oid().to_owned();
        for arc in self.index_schema()?.encode(values)? {
            oid.push(arc).map_err(IndexError::TooLong)?;
        }
        Ok(oid)
    }

    /// The index as the table has it: the list of objects, `None` for AUGMENTS and what is no row.
    pub(super) fn index_list(self) -> Option<&'m str> {
        match self.kind() {
            NodeKind::Row => self.0.record().detail.of(self.0.mib.text()).strip_prefix("index "),
            _ => None,
        }
    }

    /// An object of an index list.
    pub(super) fn index_object(self, name: &str) -> Option<Object<'m>> {
        self.0.named(name)?.object()
    }

    fn ancestor(self, kind: NodeKind) -> Option<Object<'m>> {
        let mut at = Some(self.0);
        while let Some(node) = at.filter(|node| node.kind().is_object()) {
            if node.kind() == kind {
                return Some(Object(node));
            }
            at = node.parent();
        }
        None
    }
}

impl fmt::Debug for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
