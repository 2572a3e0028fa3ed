//! Groups under a simulated engine that does what real ones do at their worst, and the checkers of what groups promise.
//!
//! [`World`] runs processes with [`hamsa_group::Groups`] over [`Totem`], which takes what happens from a seed: cuts, crashes,
//! slow members, lost engines, and the faults that were seen in real engines. [`Checkers`] judge what members were told,
//! here and in tests with real engines.

mod checkers;
mod record;
mod totem;
mod world;

pub use checkers::{Checkers, Property, Violation};
pub use record::{Record, What};
pub use totem::{Anomalies, Totem};
pub use world::{Outcome, Plan, World};
