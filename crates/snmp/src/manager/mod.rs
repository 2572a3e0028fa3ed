//! The manager's side of SNMP (RFC 3413 §1): [`Manager`] carries requests to many targets, [`Walk`] and
//! [`GetMany`] read subtrees and instances on top of it, [`Poller`] does so for all devices on schedule.
//!
//! All are state machines without I/O: `handle_*(now, input)` changes them, `poll_*()` asks what to do.

mod client;
mod get;
mod job;
mod poller;
mod request;
mod timing;
mod walk;

pub use client::Manager;
pub use get::{GetError, GetMany};
pub use job::{
    DeviceId, Job, PollError, PollOutcome, PollPlan, PollRef, PollResult, PollSink, PollerStats, SampleTime,
};
pub use poller::Poller;
pub use request::{
    Completion, Failure, Handled, ManagerStats, Problem, RequestError, RequestId, RequestKind, SubmitError,
    TargetConfig, TargetId, Transmit,
};
pub use timing::{RttEstimator, Timing};
pub use walk::{Learned, Walk, WalkError, WalkItem, WalkOptions};

/// Puts an item into a free place.
fn put<T>(places: &mut Vec<Option<T>>, free: &mut Vec<u32>, item: T) -> u32 {
    if let Some(index) = free.pop() {
        places[index as usize] = Some(item);
        return index;
    }
    places.push(Some(item));
    (places.len() - 1) as u32
}
