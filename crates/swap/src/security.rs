//! The security service: who may do what. It is asked before code is instantiated or a gate closed (invariant S4).
//! Whether a package is what its origin signed, whoever makes the [`Package`](crate::Package) has checked.

use crate::package::Package;

/// Who asks, as whoever accepted the request found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal(pub String);

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Action<'a> {
    /// To put a module where there is none.
    Install(&'a Package),
    /// To replace a module by this version.
    Swap(&'a Package),
    /// To go back to this earlier version.
    RollBack(&'a Package),
    /// To take a module out that is of this version.
    Uninstall(&'a Package),
}

/// It may not be, and why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not allowed: {0}")]
pub struct Denied(pub String);

/// Knows who may do what.
pub trait Authority: Send + Sync {
    /// Lets it pass, or not.
    ///
    /// # Errors
    /// It may not be.
    fn authorise(&self, who: &Principal, action: Action<'_>) -> Result<(), Denied>;
}

/// What the kernel does by itself (automatic rollback, restart) it does in this name; no authority is asked.
pub const KERNEL: &str = "the swap kernel";
