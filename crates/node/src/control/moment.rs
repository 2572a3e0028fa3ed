//! Times in answers: RFC 3339, in UTC, to the millisecond.

use std::time::{Instant, SystemTime};

use jiff::Timestamp;
use serde_json::Value;

/// Of the wall clock; nothing for a time that has no date.
pub(crate) fn time(at: SystemTime) -> Value {
    Timestamp::try_from(at).map_or(Value::Null, |at| format!("{at:.3}").into())
}

/// Of the monotonic clock, by what the wall clock says now.
pub(crate) fn moment(at: Instant) -> Value {
    time(SystemTime::now().checked_sub(at.elapsed()).unwrap_or(SystemTime::UNIX_EPOCH))
}
