//! Instance identifiers of rows (RFC 2578 §7.7): made from index values, and read back from names.

use std::cmp::Ordering;
use std::fmt;

use smallvec::SmallVec;

use crate::agent::scheme::IndexPart;
use crate::limits::MAX_OID_ARCS;
use crate::oid::{Oid, OidError, OidSuffix, push_arc};

/// A row's instance identifier. Ordered as names are.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RowKey(SmallVec<[u8; 24]>);

/// The value of one part of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum IndexValue {
    Number(u32),
    Octets(Vec<u8>),
    /// Any number of sub-identifiers: an index may hold fewer than the two that an OBJECT IDENTIFIER must have.
    Oid(Vec<u32>),
}

impl RowKey {
    /// The instance identifier of these values, which must be as many as there are parts, and of their kinds.
    /// `None` where they are not, or break the parts' bounds.
    pub fn new(parts: &[IndexPart], values: &[IndexValue]) -> Option<Self> {
        if parts.len() != values.len() {
            return None;
        }
        let mut key = RowKey(SmallVec::new());
        for (part, value) in parts.iter().zip(values) {
            match (*part, value) {
                (IndexPart::Number(min, max), IndexValue::Number(n)) if (min..=max).contains(n) => key.push(*n),
                (IndexPart::Octets(min, max), IndexValue::Octets(octets)) if (min..=max).contains(&octets.len()) => {
                    key.push(octets.len() as u32);
                    octets.iter().for_each(|&octet| key.push(u32::from(octet)));
                }
                (IndexPart::ImpliedOctets(min, max), IndexValue::Octets(octets))
                    if (min..=max).contains(&octets.len()) =>
                {
                    octets.iter().for_each(|&octet| key.push(u32::from(octet)));
                }
                (IndexPart::Oid, IndexValue::Oid(arcs)) => {
                    key.push(arcs.len() as u32);
                    arcs.iter().for_each(|&arc| key.push(arc));
                }
                (IndexPart::ImpliedOid, IndexValue::Oid(arcs)) => arcs.iter().for_each(|&arc| key.push(arc)),
                _ => return None,
            }
        }
        Some(key)
    }

    /// What stands below a column in a name.
    pub fn from_suffix(suffix: OidSuffix<'_>) -> Self {
        RowKey(SmallVec::from_slice(suffix.as_ber()))
    }

    /// The sub-identifiers.
    pub fn as_suffix(&self) -> OidSuffix<'_> {
        OidSuffix::from_checked(&self.0)
    }

    /// The index values that this stands for; `None` where it can't be an instance of such a table.
    pub fn values(&self, parts: &[IndexPart]) -> Option<Vec<IndexValue>> {
        let arcs: SmallVec<[u32; 32]> = self.as_suffix().arcs().collect();
        let mut rest = &arcs[..];
        let mut values = Vec::with_capacity(parts.len());
        for part in parts {
            let (length, is_oid) = match *part {
                IndexPart::Number(min, max) => {
                    let (&n, after) = rest.split_first()?;
                    rest = after;
                    values.push((min..=max).contains(&n).then_some(IndexValue::Number(n))?);
                    continue;
                }
                IndexPart::Octets(..) | IndexPart::Oid => {
                    let (&length, after) = rest.split_first()?;
                    rest = after;
                    (length as usize, *part == IndexPart::Oid)
                }
                IndexPart::ImpliedOctets(..) | IndexPart::ImpliedOid => (rest.len(), *part == IndexPart::ImpliedOid),
            };
            let (here, after) = rest.split_at_checked(length)?;
            rest = after;
            values.push(if is_oid {
                IndexValue::Oid(here.to_vec())
            } else {
                let octets: Vec<u8> = here.iter().map(|&arc| u8::try_from(arc).ok()).collect::<Option<_>>()?;
                IndexValue::Octets(octets)
            });
        }
        // The bounds are the encoder's business as well; nothing may be left over.
        let is_whole = rest.is_empty() && arcs.len() <= MAX_OID_ARCS;
        (is_whole && RowKey::new(parts, &values).is_some_and(|key| key == *self)).then_some(values)
    }

    /// Appends this to a column's name.
    pub(super) fn name_below(&self, column: &Oid) -> Result<Oid, OidError> {
        let mut name = column.clone();
        name.extend(self.as_suffix())?;
        Ok(name)
    }

    fn push(&mut self, arc: u32) {
        push_arc(&mut self.0, u64::from(arc));
    }
}

impl IndexValue {
    /// Octets.
    pub fn octets(octets: impl AsRef<[u8]>) -> Self {
        IndexValue::Octets(octets.as_ref().to_vec())
    }

    /// The octets; none of any other kind.
    pub fn as_octets(&self) -> &[u8] {
        if let IndexValue::Octets(octets) = self { octets } else { &[] }
    }

    /// The number; 0 of any other kind.
    pub fn as_number(&self) -> u32 {
        if let IndexValue::Number(n) = self { *n } else { 0 }
    }
}

impl Ord for RowKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_suffix().cmp(&other.as_suffix())
    }
}

impl PartialOrd for RowKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_suffix(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: &[IndexPart] = &[IndexPart::Octets(1, 4), IndexPart::Number(1, 300), IndexPart::ImpliedOid];

    fn key(arcs: &str) -> RowKey {
        let oid: Oid = format!("1.3.{arcs}").parse().unwrap();
        let root: Oid = "1.3".parse().unwrap();
        RowKey::from_suffix(oid.as_oid().strip_prefix(root.as_oid()).unwrap())
    }

    #[test]
    fn values_and_names_agree() {
        let values = [IndexValue::octets("ab"), IndexValue::Number(300), IndexValue::Oid(vec![1, 3, 6, u32::MAX])];
        let made = RowKey::new(PARTS, &values).unwrap();
        assert_eq!(made, key("2.97.98.300.1.3.6.4294967295"));
        assert_eq!(made.values(PARTS).unwrap(), values);
    }

    #[test]
    fn what_is_no_instance_is_told() {
        for arcs in ["0.7.1.3", "1.97.0.1.3", "1.97.301.1.3", "1.256.7.1.3", "5.1.2.3.4.5.7.1.3", "9.97", "1"] {
            assert_eq!(key(arcs).values(PARTS), None, "{arcs}");
        }
        assert_eq!(key("1.97.7.1.3").values(&PARTS[..2]), None, "something is left over");
        assert_eq!(RowKey::new(PARTS, &[]), None);
        assert_eq!(RowKey::new(&PARTS[..1], &[IndexValue::octets("abcde")]), None);
    }

    #[test]
    fn rows_come_in_the_order_of_names() {
        assert!(key("200.1") < key("16384"));
        assert!(key("1") < key("1.1"));
    }
}
