//! The manager's side of SNMP (RFC 3413 §1): [`Manager`] carries requests to many targets, [`Walk`] and
//! [`GetMany`] read subtrees and instances on top of it, [`Poller`] does so for all devices on schedule.
//!
//! All are state machines without I/O: `handle_*(now, input)` changes them, `poll_*()` asks what to do.

mod client;
mod get;
mod timing;
mod walk;

pub use client::{
    Completion, Failure, Handled, Manager, ManagerStats, Problem, RequestError, RequestKind, SubmitError, TargetConfig,
    TargetId, Transmit,
};
pub use get::{GetError, GetMany};
pub use timing::{RttEstimator, Timing};
pub use walk::{Learned, Walk, WalkError, WalkItem, WalkOptions};
