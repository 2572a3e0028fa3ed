//! Which changes a value has seen: dots and contexts, after Preguiça and others, *Dotted Version Vectors* (2010).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::limits::MAX_CONTEXT;

/// One run of a node. A node that has lost what it knew must not count on from there, so each run counts by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Run {
    /// When it began, in milliseconds since 1970; the node's own idea of it. Grows from run to run, also when the clock
    /// was set back: whoever starts a node keeps the last one's and begins later.
    pub began_ms: u64,
    /// The node.
    pub node: u32,
}

/// One change: the run's so many-th of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Dot {
    pub(super) run: Run,
    pub(super) count: u64,
}

/// What changes of one entry have been seen: of each run all up to a number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Seen {
    counts: BTreeMap<Run, u64>,
}

impl Seen {
    pub(super) fn covers(&self, dot: Dot) -> bool {
        self.counts.get(&dot.run).is_some_and(|count| *count >= dot.count)
    }

    /// Whether it covers a change, or may have forgotten it.
    pub(super) fn may_cover(&self, dot: Dot) -> bool {
        self.covers(dot) || self.counts.len() == MAX_CONTEXT
    }

    /// The next change of a run.
    pub(super) fn next(&self, run: Run) -> Dot {
        Dot { run, count: self.counts.get(&run).copied().unwrap_or(0) + 1 }
    }

    pub(super) fn add(&mut self, dot: Dot) {
        let count = self.counts.entry(dot.run).or_default();
        *count = dot.count.max(*count);
        self.forget_oldest();
    }

    pub(super) fn join(&mut self, other: &Self) {
        for (run, count) in &other.counts {
            let known = self.counts.entry(*run).or_default();
            *known = (*known).max(*count);
        }
        self.forget_oldest();
    }

    /// The latest runs stay: that is the same wherever and in whatever order contexts are joined.
    fn forget_oldest(&mut self) {
        while self.counts.len() > MAX_CONTEXT {
            self.counts.pop_first();
        }
    }

    /// Whether an honest node sends it. A count at its end could not grow.
    pub(super) fn is_sound(&self) -> bool {
        self.counts.len() <= MAX_CONTEXT && self.counts.values().all(|count| *count < u64::MAX / 2)
    }
}
