//! Every bound of this crate, with its reason.

use std::time::Duration;

/// How long anything that should happen is waited for. No test measures time by it: on an idle machine what it
/// bounds takes well under a second, and a machine would have to be a hundred times slower to reach it.
pub const LIVENESS: Duration = Duration::from_secs(60);

/// Between two looks at something that is waited for.
pub const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// From SIGTERM to SIGKILL: a database may write what it holds, and the machine may be busy.
pub const TERMINATION_GRACE: Duration = Duration::from_secs(30);

/// For a build of our binary where it is not there yet: all its dependencies on slow, shared cores.
pub const BUILD: Duration = Duration::from_secs(30 * 60);

/// Octets of each stream of a process that are shown when its test panics: its end says what went wrong.
pub const SHOWN_OUTPUT_BYTES: usize = 32 * 1024;

/// Octets of an HTTP response's body; the largest that a test asks for is a page of metrics or a screenshot.
pub const HTTP_BODY_BYTES: u64 = 64 * 1024 * 1024;
