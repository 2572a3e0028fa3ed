//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Datagrams in one system call. More gain little: at 64 the call itself costs a few per cent.
pub const BATCH_DATAGRAMS: usize = 64;

/// The largest datagram, an IPv4 packet less its headers, rounded up.
pub const DATAGRAM_OCTETS: usize = 65_536;

/// How long a full send buffer is waited for; then the datagram is dropped, and sent again by its requester.
pub const MAX_SEND_WAIT: Duration = Duration::from_millis(100);

/// Octets of one profile's file. The largest shipped one has 2 KB.
pub const MAX_PROFILE_OCTETS: usize = 1 << 20;

/// Scalars and facts of one profile.
pub const MAX_PROFILE_SCALARS: usize = 1_000;

/// Tables of one profile.
pub const MAX_PROFILE_TABLES: usize = 64;

/// Columns of one table of a profile.
pub const MAX_PROFILE_COLUMNS: usize = 256;

/// Rows of a table that are read of a device. Broadband gateways have some 64,000 interfaces; an agent that invents rows
/// without end is given up here, and told of.
pub const MAX_TABLE_ROWS: u32 = 70_000;

/// By how much an agent's sysUpTime may differ from what it should be: agents that refresh it every few
/// seconds are common.
pub const UPTIME_TOLERANCE: Duration = Duration::from_secs(8);

/// By how much sysUpTime may go back without a restart: where agents take it from a clock that is corrected.
pub const UPTIME_SETBACK: Duration = Duration::from_secs(1);

/// Cells of one poll of one device. A switch with 1,000 interfaces has 20,000; more than this is a table
/// that no profile should read.
pub const MAX_RUN_CELLS: usize = 500_000;

/// Series of one device: a large switch has some 20,000.
pub const MAX_SERIES_PER_DEVICE: usize = 100_000;

/// Octets of one label's value; interface descriptions may be long, but nobody reads more.
pub const MAX_LABEL_OCTETS: usize = 256;

/// Errors of one poll that its status shows.
pub const MAX_ERRORS_SHOWN: usize = 10;

/// Notices that a slow watcher may lag behind.
pub const MAX_NOTICES: usize = 4_096;

/// Polls and events that wait for the writer. At 10,000 devices a minute that is more than a minute of them.
pub const MAX_QUEUED_WRITES: usize = 16_384;

/// Samples that are committed at once.
pub const MAX_BATCH_SAMPLES: usize = 100_000;

/// How often old data are looked for.
pub const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(60);

/// How long a failed store is left alone.
pub const STORE_RETRY: Duration = Duration::from_secs(5);

/// Informs that wait to be stored, and that are remembered so that repetitions are known.
pub const MAX_PENDING_INFORMS: usize = 10_000;

/// How long an inform is remembered: its sender gives up before.
pub const INFORM_MEMORY: Duration = Duration::from_secs(120);

/// Variables of one notification that are kept.
pub const MAX_TRAP_VARIABLES: usize = 256;

/// Commands that the loop takes before it looks at its sockets again.
pub const MAX_COMMANDS_PER_TURN: usize = 1_000;

/// Bounds of the buckets that count polls by duration and by lateness, in seconds: from a device on the same
/// desk to one that is waited for through every retransmission.
pub const POLL_DURATION_BOUNDS_S: [f64; 13] =
    [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0, 30.0];

/// How often the loop publishes its counts.
pub const STATS_INTERVAL: Duration = Duration::from_secs(1);

/// Time between the first polls of two devices that are added together: 500 a second.
pub const FIRST_POLL_SPACING: Duration = Duration::from_millis(2);

/// The enterprise number in our engine IDs: documentation's (RFC 5612), until one is registered.
pub const ENTERPRISE: u32 = 32_473;

/// Salts that are reserved at a time: one disk write for a million messages, and a million lost with a crash.
pub const SALT_BLOCK: u64 = 1 << 20;

/// How often host names that did not resolve are tried again.
pub const RESOLVE_RETRY: Duration = Duration::from_secs(30);

/// Names of an enumeration from which on /snmp gives it by name: IANAifType has some 300, ifOperStatus 7.
pub const MIN_NAMED_ENUMERATION: usize = 16;

/// HTTP connections at a time; further ones wait in the kernel's queue. A browser has six.
pub const MAX_HTTP_CONNECTIONS: usize = 512;

/// Octets of a request's head. Hosts, tokens and filters need a fraction of it.
pub const MAX_HTTP_HEAD_OCTETS: usize = 16 << 10;

/// Header fields of a request; a browser sends some 20.
pub const MAX_HTTP_HEADERS: usize = 64;

/// How long a connection may take for a request's head, the idle time before it included.
pub const HTTP_HEAD_WAIT: Duration = Duration::from_secs(30);

/// How long a TLS handshake may take.
pub const TLS_HANDSHAKE_WAIT: Duration = Duration::from_secs(10);

/// How long a client may take nothing of what is sent to it.
pub const HTTP_STALL_WAIT: Duration = Duration::from_secs(30);

/// How long an answer may take: Prometheus's longest usual scrape, and more than any page.
pub const HTTP_ANSWER_WAIT: Duration = Duration::from_secs(65);

/// How long a stopping server waits for answers under way.
pub const HTTP_STOP_WAIT: Duration = Duration::from_secs(5);

/// How long accepting pauses when the process has no file descriptor left.
pub const ACCEPT_RETRY: Duration = Duration::from_millis(200);

/// Threads that serve HTTP; work that reads the store has threads of its own.
pub const HTTP_THREADS: usize = 2;

/// Threads that read the store for HTTP. More would only compete for the disk and the processors.
pub const HTTP_READERS: usize = 4;

/// Scrapes through /snmp at a time, those included that nobody waits for any more.
pub const MAX_SCRAPES: usize = 256;

/// Modules of one scrape.
pub const MAX_SCRAPE_MODULES: usize = 16;

/// How long a scrape may take if Prometheus does not say how long it waits.
pub const SCRAPE_WAIT: Duration = Duration::from_secs(60);

/// How long before Prometheus gives up a scrape it gets its answer.
pub const SCRAPE_MARGIN: Duration = Duration::from_millis(500);

/// Clients of /api/v1/stream at a time: each is an open page.
pub const MAX_STREAM_CLIENTS: usize = 100;

/// How often a stream without news says that it lives.
pub const STREAM_KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Query parameters of one request.
pub const MAX_QUERY_PARAMETERS: usize = 64;

/// Points of one answer of /api/v1/history: a week of one series at 5 s. In memory they take 5 MB.
pub const MAX_HISTORY_POINTS: usize = 120_000;

/// Samples that are read for one answer of /api/v1/history: some seconds of work.
pub const MAX_HISTORY_SAMPLES: usize = 5_000_000;

/// Series of one answer of /api/v1/history.
pub const MAX_HISTORY_SERIES: usize = 2_000;

/// Octets of one piece of a streamed answer.
pub const HISTORY_CHUNK_OCTETS: usize = 32 << 10;

/// Intervals without a sample after which a gap is shown.
pub const HISTORY_GAP_INTERVALS: i64 = 3;

/// Events or devices of one answer of the API.
pub const MAX_API_PAGE: usize = 10_000;

/// Devices on one page of the console: what can be scrolled through, and rendered in a millisecond.
pub const CONSOLE_PAGE_DEVICES: usize = 100;

/// Events on one page of the console.
pub const CONSOLE_PAGE_EVENTS: usize = 100;

/// Rows of one table on a device's page. A chassis has some 1,000 interfaces.
pub const CONSOLE_TABLE_ROWS: usize = 2_000;

/// How often the state of the node is noted for the status page, and how many of these notes are kept: 10 minutes.
pub const RECENT_INTERVAL: Duration = Duration::from_secs(5);
/// See [`RECENT_INTERVAL`].
pub const RECENT_NOTES: usize = 120;

/// How old the loop's counts may be while the node counts as ready.
pub const LOOP_SILENCE: Duration = Duration::from_secs(15);

/// The longest that a [`crate::client::Client`] waits before it looks whether it is to stop.
pub const MAX_CLIENT_WAIT: Duration = Duration::from_millis(200);

/// KiB of events that wait for the user of one group, an event counting as one at least. The longest message takes all of it.
pub const GROUP_QUEUE_KIB: u32 = 32 << 10;

/// How long all groups wait for a user whose queue is full, before the node leaves that group: less than others wait for this node.
pub const GROUP_USER_PATIENCE: Duration = Duration::from_secs(1);

/// How long a group's user may take to give its state to members that need it, before the node leaves that group: tens of megabytes take
/// a second.
pub const GROUP_STATE_PATIENCE: Duration = Duration::from_secs(30);

/// Events of all groups that wait to be put into users' queues, before nothing may be sent.
pub const MAX_GROUP_PENDING: usize = 4_096;

/// Events of the engine that are taken before users are given what came of them.
pub const GROUP_BATCH: usize = 64;

/// Requests to the keeper of the group engine that wait.
pub const GROUP_REQUESTS: usize = 16;

/// Between two attempts to have the group engine: at first, and at most.
pub const GROUP_RECONNECT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(3));

/// The longest delay that `hamsa group delay` makes: past it a node is as good as gone.
pub const MAX_GROUP_DELAY: Duration = Duration::from_secs(60);

/// Groups named where one is asked for that is not there.
pub const GROUPS_SHOWN: usize = 10;

/// Threads of the enterprise's tasks; Zenoh has its own besides.
pub const ENTERPRISE_THREADS: usize = 2;

/// How often it is looked at what the enterprise's engine tells, for people.
pub const ENTERPRISE_LOOK: Duration = Duration::from_secs(1);

/// How long the enterprise's end may take: good-byes to all, and a file.
pub const ENTERPRISE_STOP_PATIENCE: Duration = Duration::from_secs(5);

/// How often the enterprise's directory is written to its file at most, while it changes.
pub const DIRECTORY_KEPT_EVERY: Duration = Duration::from_secs(2);

/// Octets of that file: 16,384 names, each with its longest values, have some 800 MB; usual ones a few.
pub const MAX_KEPT_DIRECTORY_BYTES: u64 = 1 << 30;

/// Names of the directory that are listed at a time: an answer of some megabytes.
pub const MAX_NAMES_LISTED: usize = 4_096;

/// How long an enterprise's authority lasts: all nodes need new certificates when it ends.
pub const AUTHORITY_YEARS: i64 = 10;

/// How long a node's certificate lasts at most: as long as its authority.
pub const MAX_CERTIFICATE_DAYS: u32 = 3_650;

/// Octets of the file of an authority's key: some hundred times what one needs.
pub const MAX_KEY_FILE_BYTES: u64 = 64 * 1024;

/// Nodes of a cluster that are remembered, for people.
pub const MAX_KNOWN_NODES: usize = 1_024;

/// Bounds of the buckets that count by how long nothing could be sent before a view, in seconds.
pub const GROUP_BLOCKED_BOUNDS_S: [f64; 11] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Octets of a journal of swaps: 4,096 entries of the largest transactions that there can be have some 60 MB, those of
/// usual ones a megabyte.
pub const MAX_JOURNAL_OCTETS: u64 = 64 << 20;

/// Events of swaps that wait to be logged or told: one swap has ten.
pub const MAX_SWAP_EVENTS: usize = 256;

/// How long what was read of the host's interfaces is good for: a walk of a table sees one moment.
pub const INTERFACES_MAX_AGE: Duration = Duration::from_secs(1);

/// Interfaces of one host: a thousand containers have as many.
pub const MAX_INTERFACES: usize = 10_000;

/// Threads that answer an agent's requests: one does some hundred thousand a second.
pub const MAX_AGENT_WORKERS: u8 = 64;

/// Datagrams that a worker of an agent takes in one system call: the last of them waits for the answers to all others.
pub const AGENT_BATCH_DATAGRAMS: usize = 16;

/// Octets of a request for control: names and versions of 256 modules have some 20 KB.
pub const MAX_CONTROL_OCTETS: usize = 256 << 10;

/// Connections for control at once: some operators and scripts.
pub const MAX_CONTROL_CONNECTIONS: usize = 32;

/// How long a control connection may take to send a request or take an answer.
pub const CONTROL_IO_WAIT: Duration = Duration::from_secs(10);

/// How long a swap may wait for its turn until its asker is told that it still waits: some other swaps.
pub const CONTROL_ANSWER_WAIT: Duration = Duration::from_secs(20);

/// How long a control connection over HTTP may last: longer than any request waits.
pub const CONTROL_CONNECTION_WAIT: Duration = Duration::from_secs(180);

/// The longest budget that can be asked for: shorter than callers wait at a closed gate.
pub const MAX_SWAP_BUDGET: Duration = Duration::from_secs(4);

/// The longest probation that can be asked for.
pub const MAX_PROBATION: Duration = Duration::from_secs(86_400);

/// Connections of sub-agents at a time, each with a thread.
pub const MAX_AGENTX_CONNECTIONS: usize = 64;

/// Packets of sub-agents that wait to be looked at. Each sub-agent waits for its answer before it sends the next.
pub const MAX_AGENTX_WAITING: usize = 256;

/// How long a sub-agent may take nothing of what is sent to it.
pub const AGENTX_WRITE_WAIT: Duration = Duration::from_secs(1);

/// How long a sub-agent may take for an answer if it does not say itself: managers wait for a second or more.
pub const AGENTX_ANSWER_WAIT: Duration = Duration::from_secs(1);

/// How long a sub-agent may say that its answers take: it keeps the thread that asks, and a swap waits for it.
pub const MAX_AGENTX_ANSWER_WAIT: Duration = Duration::from_secs(3);

/// How long sub-agents are looked through for one variable.
pub const MAX_AGENTX_SEARCH: Duration = Duration::from_secs(3);

/// Variables that are asked for ahead at a time.
pub const MAX_AGENTX_AHEAD: u16 = 32;

/// Notifications that wait for the originator: what happens in a second, of some sub-agents too.
pub const MAX_WAITING_NOTIFICATIONS: usize = 1_024;

/// How often the agent looks whether links have come or gone, and whether somebody was not authentic: as often at most
/// it tells of the latter.
pub const NOTIFIER_LOOKS_EVERY: Duration = Duration::from_secs(1);

/// What the sockets ask of the kernel from which an agent speaks first: room for the answers of a thousand targets.
pub const OUTWARD_BUFFER_OCTETS: usize = 1 << 20;

/// Datagrams that are taken from such a socket until something else has its turn.
pub const MAX_OUTWARD_BATCH: usize = 256;

/// How often it is told at most that one module has failed.
pub const FAILURE_TOLD_EVERY: Duration = Duration::from_secs(60);
