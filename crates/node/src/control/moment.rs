//! Times in answers: RFC 3339, in UTC, to the millisecond.

use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use serde_json::Value;

/// Of the wall clock; nothing for a time that has no date.
pub(crate) fn time(at: SystemTime) -> Value {
    Timestamp::try_from(at).map_or(Value::Null, |at| format!("{at:.3}").into())
}

/// Of the monotonic clock, by what the wall clock says now.
pub(crate) fn moment(at: Instant) -> Value {
    let ago = Instant::now().checked_duration_since(at).unwrap_or(Duration::ZERO);
    time(SystemTime::now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH))
}
