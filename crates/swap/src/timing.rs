//! The timing service: whose clock it is, and how long a swap may take.

use std::time::{Duration, Instant};

use crate::limits::{BUDGET, READY_WITHIN};

/// The host's clock. The kernel has none.
pub trait Clock: Send + Sync {
    /// The time now; it never goes back.
    fn now(&self) -> Instant;
}

/// How long the parts of a swap may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// For the votes and for coming to where all modules may be replaced, with the gates open.
    pub ready_within: Duration,
    /// From the closing of the first gate to the decision; past it the old versions serve on.
    pub budget: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Timing { ready_within: READY_WITHIN, budget: BUDGET }
    }
}
