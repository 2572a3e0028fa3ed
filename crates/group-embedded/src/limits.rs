//! The bounds of this crate, with their reasons.

use std::time::Duration;

use hamsa_group::limits::{EMBEDDED_MAX_MESSAGE_BYTES, EMBEDDED_MAX_PROCESSES};

/// Messages that wait between the groups and their engine, each way; the hub has queues of its own.
pub const PORT_MESSAGES: usize = 64;

/// Octets of a frame's contents: the longest message, with its sender. A configuration of all processes is shorter.
pub const MAX_FRAME_BYTES: usize = EMBEDDED_MAX_MESSAGE_BYTES + 64;

/// Octets that are gathered before they are written.
pub const BUFFER_BYTES: usize = 64 * 1024;

/// Connections at a time, with those that have not said who they are.
pub const MAX_CONNECTIONS: usize = EMBEDDED_MAX_PROCESSES + 16;

/// Octets of a cluster's name, as of others.
pub const MAX_CLUSTER_NAME: usize = 128;

/// How long a peer may take to say who it is.
pub const HELLO_PATIENCE: Duration = Duration::from_secs(5);

/// Who has nothing to say says so this often.
pub const ALIVE_EVERY: Duration = Duration::from_millis(500);

/// Who has said nothing for so long is taken for stopped: longer than a busy machine keeps any process from running.
pub const SILENCE: Duration = Duration::from_secs(4);

/// How long accepting pauses when the process has no file descriptor left.
pub const ACCEPT_RETRY: Duration = Duration::from_millis(200);

/// Faults that wait to be passed on to the hub.
pub const FAULTS: usize = 16;
