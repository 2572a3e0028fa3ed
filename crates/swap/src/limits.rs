//! Every bound of this crate, with its reason.

use std::time::Duration;

/// The name of a state object: long enough for a path-like name, short enough for a key of the store.
pub const STATE_NAME_OCTETS_MAX: usize = 128;

/// Objects in a state set. A module with more has a table, which is one object.
pub const STATE_OBJECTS_MAX: usize = 4096;

/// One blob, or one entry of a log. As the store has it for its objects.
pub const STATE_OBJECT_OCTETS_MAX: usize = 16 << 20;

/// All of a state set. It is copied to a joining member and decoded in one piece.
pub const STATE_OCTETS_MAX: usize = 64 << 20;

/// Entries of one log. Whoever needs more trims.
pub const LOG_ENTRIES_MAX: usize = 1 << 20;

/// Changes in one commit: it is one message to the group.
pub const CHANGES_MAX: usize = 65_536;

/// Callers that wait at one closed gate. More than any pool of threads has; past it a caller hears so at once.
pub const QUEUE_MAX: usize = 1024;

/// How long a caller waits at a closed gate unless it says otherwise: longer than any swap may take.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Threads that may be inside of calls: as many as Linux lets one process have without being told otherwise.
pub const THREADS_MAX: usize = 32_752;

/// How deep values of dynamic calls may nest, so that reading one cannot exhaust the stack.
pub const VALUE_DEPTH_MAX: usize = 16;

/// Methods of one kind: what a version serves is one word.
pub const METHODS_MAX: usize = 64;

/// How long a swap tries to come to where it may close its gates, unless its options say otherwise.
pub const READY_WITHIN: Duration = Duration::from_secs(10);

/// From the closing of the gates to the decision, unless a swap's options say otherwise: half of what a poller waits for an answer
/// before it asks again.
pub const BUDGET: Duration = Duration::from_millis(500);

/// Between two looks at a module that may not be replaced at the moment.
pub const READY_PAUSE: Duration = Duration::from_millis(5);

/// Modules of one transaction; all of an SNMP entity's are fewer.
pub const PARTS_MAX: usize = 256;

/// Modules of one manager.
pub const MODULES_MAX: usize = 1024;

/// Swaps asked for that wait for their turn.
pub const REQUESTS_MAX: usize = 64;

/// Reports that the manager remembers.
pub const HISTORY_MAX: usize = 256;

/// Versions of one module that can be rolled back to.
pub const VERSIONS_KEPT_MAX: usize = 8;

/// Entries of a journal in memory before those that no longer matter are forgotten.
pub const JOURNAL_ENTRIES_MAX: usize = 4096;

/// The text of a journal entry: a reason longer than that is cut.
pub const REASON_OCTETS_MAX: usize = 1024;

/// How often a module is restarted after panics before it is barred instead.
pub const RESTARTS_MAX: u32 = 5;

/// Looks at the slots in a drain without a pause, some 20 microseconds: most calls take less.
pub const DRAIN_SPINS: u32 = 256;

/// Between two looks in a drain that takes longer. Who leaves wakes the one who drains; this is for when that comes too early.
pub const DRAIN_PAUSE: Duration = Duration::from_millis(1);
