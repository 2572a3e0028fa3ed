//! Groups of processes that agree on who is there and on what was said: views, agreed order, splits and merges.
//!
//! An engine ([`GroupEngine`]) carries messages in one order among those who can reach each other. [`Groups`] makes of it many
//! light-weight groups with virtual synchrony: members that go together from one view to the next have been given the same
//! messages in the same order (HAMSA's group communication; the properties are those of view-oriented
//! systems with extended virtual synchrony). It is a state machine without clock, sockets and randomness.
//!
//! ```text
//!   user:    join, send, provide_state           Event: View, Message, State, Undelivered, ...
//!              |                                   ^
//!            Groups:  hellos, claims, views, tags, parts of messages, states
//!              |                                   |
//!   engine:  poll_transmit                       EngineEvent: Configuration, Message, Lost
//! ```
//!
//! # Invariants
//! - **G1** A member is in its own views, and their epochs grow.
//! - **G2** Members that come from one view into the next together were given the same messages in the same order.
//! - **G3** A message is given in the view in which it was sent, once, after those that its sender sent before, and in one order
//!   for all.
//! - **G4** Every side of a split has its own view and goes on; after it has healed they have one again.
//! - **G5** Once nothing changes any more all members that reach each other have the same view within a bounded time.

pub mod embedded;
mod engine;
pub mod enterprise;
mod error;
mod event;
mod groups;
mod light;
pub mod limits;
mod member;
pub mod pair;
#[cfg(feature = "port")]
mod port;
mod status;
mod wire;

pub use engine::{Capabilities, Configuration, EngineEvent, EngineSendError, GroupEngine, Process, RingId};
pub use error::{GroupNameError, JoinError, ProvideError, SendError, SetUpError};
pub use event::Event;
pub use groups::{Groups, JoinOptions, Options};
pub use member::{Branch, Cause, GroupName, Member, StateVersion, Trace, View, ViewId};
#[cfg(feature = "port")]
pub use port::{EnginePort, EngineSide, Incoming, PortNews, engine_port, engine_port_in_batches};
pub use status::{GroupCounters, GroupStatus, LinkCounters, LinkStatus, PastView, Status};
