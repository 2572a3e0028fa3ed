//! Every bound of this crate, with its reason. What SNMP and the node bound is in their own `limits.rs`.

use std::time::Duration;

/// The longest wait for an answer that `-t` takes.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(3600);

/// Retransmissions that `-r` takes: beyond this an agent is not slow but dead.
pub const MAX_RETRIES: u8 = 100;

/// OIDs of one GET that go into one message. More are asked one message after another.
pub const VARIABLES_PER_REQUEST: usize = 60;

/// Octets of a file that holds a secret; more is a wrong path.
pub const MAX_SECRET_OCTETS: u64 = 4_096;

/// What the sockets of a tool that asks one agent want as receive buffer, in octets: some answers of the largest size.
pub const RECEIVE_BUFFER_OCTETS: usize = 1 << 19;

/// The same for discovery, where thousands may answer within a second.
pub const DISCOVERY_BUFFER_OCTETS: usize = 4 << 20;

/// Columns that a terminal has at least, whatever it says.
pub const MIN_WIDTH: usize = 20;

/// Columns of a cell in a table on a terminal; what is longer is cut.
pub const MAX_CELL_WIDTH: usize = 48;

/// Problems of MIB files that are shown; `hamsa check` shows all.
pub const MAX_MIB_PROBLEMS_SHOWN: usize = 5;

/// Addresses of one discovery: a /12. At the default rate that is an hour and a half, and more is a mistake.
pub const MAX_ADDRESSES: usize = 1_048_576;

/// Probes a second at most: a gigabit link carries a hundred times as many, agents behind one router don't.
pub const MAX_RATE: u32 = 100_000;

/// Probes that are under way at once, whatever the rate: some 1 KiB each.
pub const MAX_PROBES: usize = 10_000;

/// Octets of an answer of a node's HTTP API: a million points of history have some 60 MB.
pub const MAX_ANSWER_OCTETS: u64 = 256 << 20;

/// How long a node's HTTP API may take to answer.
pub const HTTP_TIMEOUT: Duration = Duration::from_secs(60);

/// How often `hamsa traps --follow` asks for new ones.
pub const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);

/// Events that `--follow` remembers, so that none is shown twice.
pub const MAX_FOLLOWED: usize = 10_000;

/// Events that one call shows at most.
pub const MAX_EVENTS: usize = 100_000;

/// Devices that one call shows at most: ten times what one node is made for.
pub const MAX_DEVICES: usize = 1_000_000;

/// Rows that a node's HTTP API gives in one answer at most (docs/api.md).
pub const MAX_PAGE: usize = 10_000;

/// How long a node may take to end by itself after a signal: it stores what it has read.
pub const STOP_LIMIT: Duration = Duration::from_secs(20);

/// How often a node that ends looks for a second signal.
pub const STOP_LOOK: Duration = Duration::from_millis(50);

/// Simulated agents with a socket each; more of them at one port share a wildcard socket. A process may have 1,024 files.
pub const MAX_SIMULATED_ADDRESSES_BOUND: usize = 512;

/// Datagrams that a simulation takes in one system call.
pub const SIMULATION_BATCH: usize = 32;

/// What the sockets of a simulation want as receive buffer, in octets: thousands of agents may be asked at once.
pub const SIMULATION_RECEIVE_BUFFER: usize = 8 << 20;

/// Recordings that one simulation serves; snmpsim-data has 116.
pub const MAX_RECORDINGS: usize = 100_000;

/// Directories within directories of recordings: more is a loop.
pub const MAX_RECORDING_DEPTH: usize = 16;

/// How often a simulation looks whether it is to end.
pub const SIMULATION_LOOK: Duration = Duration::from_millis(100);

/// How often the demo says how it goes.
pub const DEMO_STATUS_INTERVAL: Duration = Duration::from_secs(10);

/// Octets of an answer about modules: 1,024 of them have some 500 KB.
pub const MAX_CONTROL_ANSWER_OCTETS: u64 = 16 << 20;

/// How long an agent may take to carry a swap out: longer than it waits itself.
pub const CONTROL_TIMEOUT: Duration = Duration::from_secs(120);
