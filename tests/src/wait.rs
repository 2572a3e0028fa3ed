//! Waiting for what should happen.

use std::thread::sleep;
use std::time::Instant;

use crate::limits::{LIVENESS, POLL_INTERVAL};

/// Asks `poll` until it has a value, and returns that.
///
/// # Panics
/// After [`LIVENESS`]; `what` says in the message what did not happen (`snmpd answers`).
#[track_caller]
pub fn wait_until<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIVENESS;
    loop {
        if let Some(value) = poll() {
            return value;
        }
        assert!(Instant::now() < deadline, "still waiting after {} s: {what}", LIVENESS.as_secs());
        sleep(POLL_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_returns_what_comes() {
        let mut polls = 0;
        let value = wait_until("the third poll", || {
            polls += 1;
            (polls == 3).then_some("value")
        });
        assert_eq!((value, polls), ("value", 3));
    }
}
