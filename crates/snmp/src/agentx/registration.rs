//! What a sub-agent registers (RFC 2741 §6.2.3): a subtree, or a range of them that differ in one sub-identifier.

use crate::limits::MAX_AGENTX_RANGE;
use crate::oid::Oid;

/// A subtree, or a range of subtrees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// How long an answer may take, in seconds; 0: as the session says.
    pub timeout_s: u8,
    /// The lowest of several for the same subtree serves it. The usual one is 127.
    pub priority: u8,
    /// The subtree, or the first of the range.
    pub subtree: Oid,
    /// The place of the sub-identifier that differs, counted from 1, and its last value.
    pub range: Option<(u8, u32)>,
    /// Whether it is one variable's name.
    pub is_instance: bool,
}

/// A range that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum RegistrationError {
    #[error("a range over sub-identifier {0}, which the subtree does not have")]
    Place(u8),
    #[error("a range that ends before it begins")]
    Backwards,
    #[error("a range of more than {MAX_AGENTX_RANGE} subtrees")]
    TooWide,
}

impl Registration {
    /// All subtrees, in order.
    ///
    /// # Errors
    /// It is no range, or too wide a one.
    pub fn subtrees(&self) -> Result<Vec<Oid>, RegistrationError> {
        let Some((place, last)) = self.range else { return Ok(vec![self.subtree.clone()]) };
        let mut arcs: Vec<u32> = self.subtree.as_oid().arcs().collect();
        let at = usize::from(place).checked_sub(1).filter(|&at| at < arcs.len());
        let at = at.ok_or(RegistrationError::Place(place))?;
        let first = arcs[at];
        let width = last.checked_sub(first).ok_or(RegistrationError::Backwards)?;
        if width >= MAX_AGENTX_RANGE {
            return Err(RegistrationError::TooWide);
        }
        let each = (first..=last).map(|arc| {
            arcs[at] = arc;
            // Only the first two sub-identifiers are bounded.
            Oid::from_arcs(&arcs).map_err(|_| RegistrationError::Place(place))
        });
        each.collect()
    }

    /// Whether an Unregister of this one means that one (§7.1.5): timeouts and kinds don't matter.
    pub(super) fn is_same_region(&self, other: &Registration) -> bool {
        (self.priority, &self.subtree, self.range) == (other.priority, &other.subtree, other.range)
    }
}
