//! Walking subtrees (RFC 3416 §4.2.2, §4.2.3): what to ask next, and when to stop. A pure state machine
//! over responses; sending is [`super::Manager`]'s.
//!
//! Several subtrees, such as the columns of a table, are walked side by side, each with its own cursor, so
//! holes in a table cost nothing. Whatever the agent does the walk ends: each response must move a cursor
//! forward or end a subtree, else the next request is smaller, else the subtree fails with the reason.

use smallvec::SmallVec;

use crate::limits::MAX_WALK_ROWS;
use crate::manager::RequestKind;
use crate::oid::{Oid, OidRef};
use crate::pdu::{Bulk, ErrorStatus, Pdu};
use crate::value::Value;
use crate::varbind::{VarBind, VarBindBuf};

/// How to walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkOptions {
    /// GETBULK's `max-repetitions` at most; 0 walks by GETNEXT, the only way in v1.
    pub max_repetitions: u16,
    /// Responses are asked to stay below this many octets, as far as that can be foreseen.
    pub max_response_octets: u32,
    /// Rows of one subtree after which it is given up.
    pub max_rows: u32,
    /// Subtrees in one request at most.
    pub max_columns: u16,
    /// Whether a name that does not increase ends the subtree. Off, only `max_rows` ends such a walk.
    pub check_order: bool,
}

impl Default for WalkOptions {
    /// GETBULK, responses that fit an Ethernet frame.
    fn default() -> Self {
        WalkOptions {
            max_repetitions: 25,
            max_response_octets: 1_400,
            max_rows: MAX_WALK_ROWS,
            max_columns: 20,
            check_order: true,
        }
    }
}

/// Why a subtree was not walked to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum WalkError {
    #[error("the agent's names do not increase: {received} came after {previous}")]
    NotIncreasing { previous: Oid, received: Oid },
    #[error("no end after {limit} rows")]
    TooManyRows { limit: u32 },
    #[error("the agent answered {status} after {after}")]
    Agent { status: ErrorStatus, after: Oid },
    #[error("the agent's response has no variables")]
    EmptyResponse,
}

/// What a variable belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalkItem {
    /// The non-repeater of this index.
    NonRepeater(usize),
    /// The subtree of this index.
    Subtree(usize),
}

#[derive(Debug)]
struct Subtree {
    root: Oid,
    cursor: Oid,
    rows: u32,
    end: Option<Result<(), WalkError>>,
}

/// A walk over some subtrees.
#[derive(Debug)]
pub struct Walk {
    /// Those the agent has not shown to be without a successor, each with its index.
    non_repeaters: Vec<(usize, Oid)>,
    subtrees: Vec<Subtree>,
    options: WalkOptions,
    /// What the last request asked: the subtrees, and how many successors of each.
    asked: SmallVec<[usize; 8]>,
    repetitions: u16,
    /// What the agent has shown to be too much for it.
    repetitions_cap: u16,
    columns_cap: u16,
    octets_per_varbind: u32,
    expected_rows: u32,
}

impl Walk {
    /// Walks `roots`. The successor of each non-repeater is asked along with each request (a `sysUpTime` that
    /// dates the rest, say).
    pub fn new(non_repeaters: Vec<Oid>, roots: impl IntoIterator<Item = Oid>, options: WalkOptions) -> Self {
        let subtree = |root: Oid| Subtree { cursor: root.clone(), root, rows: 0, end: None };
        Walk {
            non_repeaters: non_repeaters.into_iter().enumerate().collect(),
            subtrees: roots.into_iter().map(subtree).collect(),
            asked: SmallVec::new(),
            repetitions: 0,
            repetitions_cap: options.max_repetitions,
            columns_cap: options.max_columns.max(1),
            octets_per_varbind: 24,
            expected_rows: u32::MAX,
            options,
        }
    }

    /// Starts after `cursor` instead of at the first subtree's root.
    pub fn resume_after(&mut self, cursor: Oid) {
        if let Some(first) = self.subtrees.first_mut() {
            first.cursor = cursor;
        }
    }

    /// Uses what an earlier walk of the same subtrees has learned.
    pub fn expect(&mut self, learned: Learned) {
        self.repetitions_cap = self.repetitions_cap.min(learned.repetitions_cap.max(1));
        self.expected_rows = learned.rows;
        if learned.octets_per_varbind > 0 {
            self.octets_per_varbind = learned.octets_per_varbind;
        }
    }

    /// What the next walk of these subtrees can use.
    pub fn learned(&self) -> Learned {
        Learned {
            // An agent that was too slow or too small once gets the chance to grow again, slowly.
            repetitions_cap: self.repetitions_cap.saturating_add(1).min(self.options.max_repetitions),
            rows: self.subtrees.iter().map(|s| s.rows).max().unwrap_or(0),
            octets_per_varbind: self.octets_per_varbind,
        }
    }

    /// The next request; `None` when every subtree has ended.
    pub fn next_request(&mut self, mut varbinds: VarBindBuf) -> Option<(RequestKind, VarBindBuf)> {
        self.asked.clear();
        let columns = usize::from(self.columns_that_fit());
        let active = self.subtrees.iter().enumerate().filter(|(_, s)| s.end.is_none()).map(|(i, _)| i);
        self.asked.extend(active.take(columns));
        if self.asked.is_empty() {
            return None;
        }
        varbinds.clear();
        let asked = self.asked.iter().map(|&i| &self.subtrees[i].cursor);
        for name in self.non_repeaters.iter().map(|(_, name)| name).chain(asked) {
            varbinds.push(name.as_oid(), Value::Null);
        }
        self.repetitions = self.repetitions_that_fit();
        if self.options.max_repetitions == 0 {
            return Some((RequestKind::GetNext, varbinds));
        }
        let bulk =
            Bulk { non_repeaters: self.non_repeaters.len() as u32, max_repetitions: u32::from(self.repetitions) };
        Some((RequestKind::GetBulk(bulk), varbinds))
    }

    fn columns_that_fit(&self) -> u16 {
        let fit = self.options.max_response_octets / self.octets_per_varbind.max(1);
        self.columns_cap.min(u16::try_from(fit).unwrap_or(u16::MAX)).max(1)
    }

    fn repetitions_that_fit(&self) -> u16 {
        let per_row = self.octets_per_varbind.saturating_mul(self.asked.len() as u32).max(1);
        let fit = self.options.max_response_octets / per_row;
        let done = self.asked.iter().map(|&i| self.subtrees[i].rows).min().unwrap_or(0);
        // One more than is left, so that the same response shows the end.
        let left = self.expected_rows.saturating_sub(done).saturating_add(1);
        let most = u32::from(self.repetitions_cap);
        fit.min(left).min(most).max(1) as u16
    }

    /// Takes a response and hands out its variables.
    pub fn handle_response<'m>(&mut self, response: &Pdu<'m>, mut found: impl FnMut(WalkItem, VarBind<'m>)) {
        if response.error_status() != ErrorStatus::NO_ERROR {
            return self.handle_error(response.error_status(), response.error_index());
        }
        let fixed = self.non_repeaters.len();
        if response.varbinds.len() <= fixed {
            if !self.ask_less() {
                self.fail_all_asked(|_| WalkError::EmptyResponse);
            }
            return;
        }
        self.note_size(response);
        // An agent that sends more than was asked is not believed beyond that.
        let most = fixed + self.asked.len() * usize::from(self.repetitions);
        let mut varbinds = response.varbinds.iter().take(most);
        for ((index, _), varbind) in self.non_repeaters.iter().zip(varbinds.by_ref()) {
            found(WalkItem::NonRepeater(*index), varbind);
        }
        // The last name of each column so far. Cursors move once, when all is read.
        let mut last: SmallVec<[Option<OidRef<'m>>; 8]> = SmallVec::from_elem(None, self.asked.len());
        let mut column = 0;
        for varbind in varbinds {
            let index = self.asked[column];
            if self.subtrees[index].advance(&varbind, last[column], &self.options) {
                last[column] = Some(varbind.name);
                found(WalkItem::Subtree(index), varbind);
            }
            column = if column + 1 == self.asked.len() { 0 } else { column + 1 };
        }
        for (&index, name) in self.asked.iter().zip(last) {
            if let Some(name) = name {
                self.subtrees[index].cursor = name.to_owned();
            }
        }
    }

    fn note_size(&mut self, response: &Pdu<'_>) {
        let seen = (response.varbinds.as_ber().len() / response.varbinds.len()) as u32;
        self.octets_per_varbind = self.octets_per_varbind.max(1).midpoint(seen).max(seen);
    }

    fn handle_error(&mut self, status: ErrorStatus, index: i32) {
        let position = usize::try_from(index).ok().and_then(|i| i.checked_sub(1));
        if status == ErrorStatus::NO_SUCH_NAME {
            return match position {
                // v1's way to say endOfMibView (RFC 1157 §4.1.3).
                Some(i) if i < self.non_repeaters.len() => drop(self.non_repeaters.remove(i)),
                Some(i) if i - self.non_repeaters.len() < self.asked.len() => {
                    self.subtrees[self.asked[i - self.non_repeaters.len()]].end = Some(Ok(()));
                }
                _ if self.asked.len() == 1 => self.subtrees[self.asked[0]].end = Some(Ok(())),
                _ => self.columns_cap = 1,
            };
        }
        if self.ask_less() {
            return;
        }
        let culprit = position
            .and_then(|i| i.checked_sub(self.non_repeaters.len()))
            .and_then(|i| self.asked.get(i))
            .copied()
            .filter(|_| status != ErrorStatus::TOO_BIG);
        match culprit {
            Some(i) => self.subtrees[i].fail(status),
            None if self.asked.len() > 1 => self.columns_cap = (self.asked.len() / 2) as u16,
            None => self.fail_all_asked(|subtree| WalkError::Agent { status, after: subtree.cursor.clone() }),
        }
    }

    /// Tells that the last request got no answer at all. Returns whether a smaller one is worth a try: big
    /// responses are what lossy paths and slow agents lose first.
    pub fn handle_timeout(&mut self) -> bool {
        self.repetitions > 5 && self.ask_less()
    }

    fn ask_less(&mut self) -> bool {
        if self.options.max_repetitions == 0 || self.repetitions <= 1 {
            return false;
        }
        self.repetitions_cap = (self.repetitions / 2).max(1);
        true
    }

    fn fail_all_asked(&mut self, error: impl Fn(&Subtree) -> WalkError) {
        for &i in &self.asked {
            let subtree = &mut self.subtrees[i];
            subtree.end = Some(Err(error(subtree)));
        }
    }

    /// The subtrees that failed: index, root, reason.
    pub fn failures(&self) -> impl Iterator<Item = (usize, &Oid, &WalkError)> {
        self.subtrees.iter().enumerate().filter_map(|(i, subtree)| match &subtree.end {
            Some(Err(error)) => Some((i, &subtree.root, error)),
            _ => None,
        })
    }

    /// Rows of a subtree so far.
    pub fn rows(&self, subtree: usize) -> u32 {
        self.subtrees[subtree].rows
    }
}

/// What one walk teaches the next one of the same subtrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Learned {
    repetitions_cap: u16,
    rows: u32,
    octets_per_varbind: u32,
}

impl Subtree {
    /// Takes the next variable; whether it belongs to this subtree. `last` is the name before it in the same
    /// response, if there is one; else that is the cursor.
    #[inline]
    fn advance(&mut self, varbind: &VarBind<'_>, last: Option<OidRef<'_>>, options: &WalkOptions) -> bool {
        if self.end.is_some() {
            return false;
        }
        let name: OidRef<'_> = varbind.name;
        if varbind.value.is_exception() || !name.starts_with(self.root.as_oid()) {
            self.end = Some(Ok(()));
            return false;
        }
        let previous = last.unwrap_or_else(|| self.cursor.as_oid());
        if options.check_order && name <= previous {
            let (previous, received) = (previous.to_owned(), name.to_owned());
            self.end = Some(Err(WalkError::NotIncreasing { previous, received }));
            return false;
        }
        if self.rows == options.max_rows {
            self.end = Some(Err(WalkError::TooManyRows { limit: options.max_rows }));
            return false;
        }
        self.rows += 1;
        true
    }

    fn fail(&mut self, status: ErrorStatus) {
        self.end = Some(Err(WalkError::Agent { status, after: self.cursor.clone() }));
    }
}
