//! Groups of processes that agree on who is there and on what was said: views, agreed order, splits and merges.

mod engine;
pub mod enterprise;
pub mod pair;
#[cfg(feature = "port")]
mod port;

pub use engine::{Capabilities, Configuration, EngineEvent, EngineSendError, GroupEngine, Process, RingId};
#[cfg(feature = "port")]
pub use port::{EnginePort, EngineSide, engine_port};
