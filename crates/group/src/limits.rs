//! The bounds of this crate, with their reasons.

use std::time::Duration;

/// Octets of a group's name.
pub const MAX_GROUP_NAME: usize = 64;

/// Octets of a member's name, which is a host name.
pub const MAX_MEMBER_NAME: usize = 255;

/// Groups that one process is in. All are told of in one message after each change, which must fit into an engine's.
pub const MAX_GROUPS: usize = 1024;

/// What an engine's longest message must hold at least: a message about [`MAX_GROUPS`] groups.
pub const MIN_ENGINE_MESSAGE_BYTES: usize = 256 * 1024;

/// Octets of a message's part: small enough that a long message does not keep others waiting, large enough that headers don't
/// count.
pub const MAX_FRAGMENT_BYTES: usize = 32 * 1024;

/// Octets of packets that are sent together where several wait: a hundred small ones, and so few that nobody waits for them.
pub const MAX_BATCH_BYTES: usize = 8 * 1024;

/// Octets of one message or state: a package of tens of megabytes, with room to grow.
pub const MAX_MESSAGE_BYTES: usize = 128 * 1024 * 1024;

/// Octets that wait to be sent in one group before `send` says `WouldBlock`; the first message may be as long as any.
pub const MAX_OUTGOING_BYTES: usize = 1024 * 1024;

/// Messages that wait to be sent in one group.
pub const MAX_OUTGOING_MESSAGES: usize = 1024;

/// Octets that are kept for a member that has no state yet. Past it the member leaves and comes again.
pub const MAX_HELD_BYTES: usize = 64 * 1024 * 1024;

/// Views that are remembered of each group, for people.
pub const MAX_HISTORY: usize = 64;

/// Each further round of an exchange gives the slow twice the time, so often.
pub const MAX_PATIENCE_DOUBLINGS: u32 = 5;

/// How long a member may take to say what it has seen. Engines find a dead host in less, so who
/// is late is no member any more, though the engine still lists it.
pub const EXCHANGE_PATIENCE: Duration = Duration::from_secs(2);

/// How long a process without an engine waits for one before it goes on alone.
pub const ALONE_AFTER: Duration = Duration::from_secs(5);

/// Octets of the embedded engine's longest message: as Corosync's.
pub const EMBEDDED_MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// Processes attached to one embedded engine, all on one machine.
pub const EMBEDDED_MAX_PROCESSES: usize = 64;

/// Messages that wait for one process in the embedded engine before its senders wait.
pub const EMBEDDED_QUEUE_MESSAGES: usize = 1024;

/// And their octets: some of the longest messages.
pub const EMBEDDED_QUEUE_BYTES: usize = 8 * 1024 * 1024;

/// How long a process of the embedded engine may take nothing of what waits for it: longer than a busy machine keeps any process
/// from running, and no longer than its neighbours should wait.
pub const EMBEDDED_TAKE_PATIENCE: Duration = Duration::from_secs(10);
