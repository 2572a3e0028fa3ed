//! How the benches measure and what they print. The contenders take turns, so that a change in the machine's speed
//! meets all of them alike; each has one figure a round, and medians are compared. What a figure is, the bench says.
//! A claim is one line in the format of `cargo xtask bench`.

mod claim;
mod cores;
mod engine;
mod figures;
mod wait;

pub use claim::{Target, claim, informs, skipped};
pub use cores::{Cores, cpu_time_of_process, stay_on};
pub use engine::{EngineError, Principal};
pub use figures::{Comparison, Figures, Repeat, take_turns};
pub use wait::wait_for_datagram;
