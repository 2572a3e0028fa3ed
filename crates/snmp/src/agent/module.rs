//! What a MIB module is to an agent: it serves registered subtrees and takes part in SETs with other modules.
//!
//! A SET over several modules is atomic (RFC 3416 §4.2.5) because each goes through the same phases, which are those
//! of RFC 2741 §7.2.4: all test (and reserve what they need), then all commit; where one fails, those that have
//! committed undo; in the end all clean up. From test to cleanup is a module's critical section: it must not be
//! replaced there, which [`MibView`](super::MibView) sees to.

use std::time::Instant;

use crate::agent::responder::{Requester, SetError};
use crate::agent::state::{Keep, StateError};
use crate::oid::{Oid, OidRef};
use crate::pdu::ErrorStatus;
use crate::value::Value;
use crate::varbind::VarBindBuf;

/// A part of an agent's MIB. Methods may be called from several threads.
///
/// What lasts is in the state that [`save`](MibModule::save) writes down; all else is working memory, and a successor
/// that has [restored](MibModule::restore) the state goes on where this one was.
pub trait MibModule: Send + Sync {
    /// The module's name, by convention that of the MIB module.
    fn name(&self) -> &str;

    /// The subtrees that it serves. Where they are parts of other modules', or the other way round, the longest counts.
    fn subtrees(&self) -> Vec<Oid>;

    /// Appends the variable of this name: its value, `noSuchObject` or `noSuchInstance`.
    fn get(&self, now: Instant, name: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus>;

    /// Appends the first variable of a range. `false`: there is none, and nothing is appended.
    fn get_next(&self, now: Instant, range: &SearchRange<'_>, to: &mut VarBindBuf) -> Result<bool, ErrorStatus>;

    /// Appends the first variables of a range in their order, at most `max`, which is 1 or more; how many. It may stop
    /// sooner, after one at least: 0 says that there is none.
    fn walk(
        &self,
        now: Instant,
        range: &SearchRange<'_>,
        max: usize,
        to: &mut VarBindBuf,
    ) -> Result<usize, ErrorStatus> {
        let _ = max;
        self.get_next(now, range, to).map(usize::from)
    }

    /// Tests the module's part of a SET and reserves all that the commit needs, changing nothing that can be seen.
    /// [`SetError::index`] is a binding's own.
    fn test_set(&self, set: &SetRequest<'_>, bindings: &[SetBinding<'_>]) -> Result<(), SetError> {
        let _ = set;
        let index = bindings.first().map_or(0, |binding| binding.index);
        Err(SetError { status: ErrorStatus::NOT_WRITABLE, index })
    }

    /// Makes what was tested take effect. Should it fail, nothing has changed.
    fn commit_set(&self, set: SetId) -> Result<(), SetError> {
        let _ = set;
        Err(SetError { status: ErrorStatus::COMMIT_FAILED, index: 0 })
    }

    /// Takes a commit back.
    fn undo_set(&self, set: SetId) -> Result<(), ErrorStatus> {
        let _ = set;
        Err(ErrorStatus::UNDO_FAILED)
    }

    /// Ends a SET, however it went: what was reserved is let go.
    fn cleanup_set(&self, set: SetId) {
        let _ = set;
    }

    /// How often the lasting state has changed: whoever keeps it saves it anew when this has grown.
    fn commits(&self) -> u64 {
        0
    }

    /// Writes its state down. Empty where there is none.
    fn save(&self, keep: Keep) -> Vec<u8> {
        let _ = keep;
        Vec::new()
    }

    /// Takes the place of an instance that saved this.
    fn restore(&self, state: &[u8]) -> Result<(), StateError> {
        if state.is_empty() { Ok(()) } else { Err(StateError::TrailingOctets) }
    }
}

/// Tells one SET from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SetId(pub u64);

/// A SET that is being carried out.
#[derive(Debug, Clone, Copy)]
pub struct SetRequest<'a> {
    /// Which.
    pub id: SetId,
    /// Now.
    pub now: Instant,
    /// Who asks.
    pub requester: Requester<'a>,
}

/// One variable of a SET.
#[derive(Debug, Clone, Copy)]
pub struct SetBinding<'a> {
    /// Its place among all variables of the SET; the first is 0.
    pub index: usize,
    /// The instance.
    pub name: OidRef<'a>,
    /// The value that it is to have.
    pub value: Value<'a>,
}

/// Where to look for a variable (RFC 2741 §5.2).
#[derive(Debug, Clone, Copy)]
pub struct SearchRange<'a> {
    /// The first name, or what comes before it.
    pub start: OidRef<'a>,
    /// Whether `start` is in the range itself.
    pub is_start_included: bool,
    /// The first name behind the range; `None`: no end.
    pub end: Option<OidRef<'a>>,
}

impl SearchRange<'_> {
    /// Whether a name is in the range.
    pub fn contains(&self, name: OidRef<'_>) -> bool {
        let has_begun = if self.is_start_included { name >= self.start } else { name > self.start };
        has_begun && self.end.is_none_or(|end| name < end)
    }
}
