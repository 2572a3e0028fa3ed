//! Every bound of this crate, with its reason. Nothing here is tuned per device; what an operator may
//! change is in the node's configuration.

use std::time::Duration;

/// Sub-identifiers in one OBJECT IDENTIFIER (RFC 2578 §3.5).
pub const MAX_OID_ARCS: usize = 128;

/// Content octets of the longest legal OBJECT IDENTIFIER: 128 sub-identifiers of at most five octets.
pub const MAX_OID_OCTETS: usize = MAX_OID_ARCS * 5;

/// Variable bindings in one message. RFC 3416 §3 allows 2^31-1; a 64-KiB datagram can't carry more than
/// 9,362 of the shortest kind (seven octets), so this never refuses an honest peer.
pub const MAX_VARBINDS: usize = 10_000;

/// Largest UDP payload over IPv4, and so the largest message sent or received (RFC 3417 §3.1 wants 484 at least).
pub const MAX_MESSAGE_OCTETS: usize = 65_507;

/// Smallest `msgMaxSize` a peer may state (RFC 3412 §6.3).
pub const MIN_MAX_MESSAGE_OCTETS: u32 = 484;

/// Octets of an `SnmpEngineID` (RFC 3411 §5 says 5 to 32). Shorter ones are seen in the field and are
/// harmless, so only the upper bound is kept for what arrives.
pub const MAX_ENGINE_ID_OCTETS: usize = 32;

/// Octets of a user, security or context name (RFC 3411 `SnmpAdminString`, RFC 3414 `usmUserName`).
pub const MAX_NAME_OCTETS: usize = 255;

/// Rows of one subtree after which a walk gives up: an agent that invents rows without end must not hold a
/// poller. The largest tables that are polled (routes, forwarding databases) have some 100,000 rows.
pub const MAX_WALK_ROWS: u32 = 1_000_000;

/// The shortest time between two polls of one job: below it a poller would do nothing else.
pub const MIN_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The longest time between two polls of one job, for the reason that [`MAX_WAIT`] has.
pub const MAX_POLL_INTERVAL: Duration = Duration::from_secs(366 * 86_400);

/// Request buffers that a poller keeps for use again, some 100 octets each.
pub const MAX_SPARE_BUFFERS: usize = 1024;

/// Requests that one manager has under way or queued. At some 300 octets each that is about 40 MB.
pub const MAX_REQUESTS: usize = 131_072;

/// Retransmissions of one request at most. Each has an identifier of its own that is kept until the end.
pub const MAX_RETRIES: u8 = 100;

/// The longest wait for one answer. A longer one is a mistake in a configuration, and could lie beyond what a
/// clock can tell.
pub const MAX_WAIT: Duration = Duration::from_secs(86_400);

/// Timers that a manager keeps for each request it has room for, stale ones included.
pub const TIMERS_PER_REQUEST: usize = 4;

/// Requests that wait for one target. A poller asks for a handful at a time.
pub const MAX_QUEUE_PER_TARGET: usize = 64;

/// How often one request may learn another engine ID or time before it fails: once for a replaced device,
/// once for its clock, and one to spare.
pub const MAX_RESYNCHRONISATIONS: u8 = 3;

/// Seconds by which a message's time may be off (RFC 3414 §2.2.3).
pub const TIME_WINDOW_S: u32 = 150;

/// Engines whose clock is kept, and pairs of engine and user whose keys are: some 300 octets each. Only
/// engines that have authenticated themselves count, so no stranger can fill it.
pub const MAX_KNOWN_ENGINES: usize = 262_144;

/// Users of one name, on different engines and with different keys. A message that names no engine we know
/// is tried against each.
pub const MAX_USERS_OF_ONE_NAME: usize = 64;

/// Octets of the longest USM key: the SHA-512 digest (RFC 7860 §4.2.2).
pub const MAX_KEY_OCTETS: usize = 64;

/// Octets of the longest `msgAuthenticationParameters`: HMAC-384-SHA-512 (RFC 7860 §4.2.2).
pub const MAX_MAC_OCTETS: usize = 48;

/// Octets of the shortest password that becomes a key (RFC 3414 §11.2).
pub const MIN_PASSWORD_OCTETS: usize = 8;

/// Repetitions of one GETBULK that are served; a datagram is full long before.
pub const MAX_BULK_REPETITIONS: u32 = 10_000;

/// Variables that a MIB module appends at once to a GETBULK's response: as many as managers usually ask for. What does
/// not fit into the response was read in vain.
pub const MAX_WALK: usize = 32;

/// Variables that one GETNEXT steps over, because they are outside the principal's view or v1 can't say their
/// values, before it gives up with `genErr`.
pub const MAX_HIDDEN_SUCCESSORS: usize = 100_000;

/// What a response needs besides its variable bindings, names and engine IDs: tags, lengths and numbers of
/// the message, header, security parameters, scoped PDU and PDU (about 100), digest (48), salt and padding.
pub const RESPONSE_HEADERS_OCTETS: usize = 180;
/// MIB modules in one table; the count must fit sixteen bits. The largest collections have about 4,000.
pub const MAX_MIB_MODULES: usize = 20_000;

/// MIB files read from the user's directories.
pub const MAX_MIB_FILES: usize = 10_000;

/// Bytes of one MIB file. The largest known ones have about 4 MB.
pub const MAX_MIB_FILE_BYTES: u64 = 16 << 20;

/// Bytes of all MIB files: they and what is made of them are in memory together.
pub const MAX_MIB_TOTAL_BYTES: u64 = 256 << 20;

/// Open braces in a MIB file. The parser recurses on them; real files have at most four.
pub const MAX_MIB_NESTING: usize = 64;

/// Tags (`[APPLICATION 1]`) in one definition of a MIB file. The parser recurses on them; real files have one.
pub const MAX_MIB_TAGS: usize = 64;

/// Messages about MIB files that are kept: more help nobody.
pub const MAX_MIB_DIAGNOSTICS: usize = 1_000;

/// Modules that hand an import on to each other.
pub const MAX_IMPORT_HOPS: usize = 16;

/// Textual conventions between an object and its base type. SMIv2 allows one; vendors use three or four.
pub const MAX_TYPE_CHAIN: usize = 16;

/// Rows between a row and the one whose INDEX it has by AUGMENTS. RFC 2578 §7.8 allows one.
pub const MAX_AUGMENTS: usize = 8;

/// Parts of an INDEX: each has one sub-identifier at least.
pub const MAX_INDEX_PARTS: usize = MAX_OID_ARCS;

/// Specifications in a DISPLAY-HINT (RFC 2579 §3.1: at most 255 characters, two at least for each).
pub const MAX_HINT_SPECS: usize = 128;

/// Position of a bit in BITS: 128 octets are more than any definition has (RFC 2578 §7.1.4).
pub const MAX_BIT_POSITION: i64 = 1023;

/// Characters of the text of an OID: 128 names of the 64 characters that RFC 2578 §3.1 allows.
pub const MAX_NAME_TEXT_CHARS: usize = 8_192;

/// Names suggested for an unknown one.
pub const MAX_SUGGESTIONS: usize = 3;

/// Rows of one table of the agent's own configuration (users, views, targets). A SET looks at all rows of a module
/// in places, and the largest installations configure some hundreds.
pub const MAX_TABLE_ROWS: usize = 4_096;

/// Octets of a MIB module's stored state: 4,096 rows of 4 KiB each, far more than any row has.
pub const MAX_STATE_OCTETS: usize = 16 << 20;

/// MIB modules in one view. An agent has some dozens; each subagent adds a few.
pub const MAX_VIEW_MODULES: usize = 4_096;

/// Subtrees that one MIB module registers. A subagent may register each row that it serves.
pub const MAX_MODULE_SUBTREES: usize = 4_096;

/// How long a row may stay `notReady` before it is removed (RFC 2579 `RowStatus` suggests about five minutes).
pub const MAX_NOT_READY: Duration = Duration::from_secs(300);

/// Users that were replaced or removed and are kept for the answers to what they had asked: as many SETs as
/// threads may be at work on.
pub const MAX_RETIRED_USERS: usize = 64;

/// Targets that an originator or forwarder remembers, with what it has learned of their engines.
pub const MAX_PEERS: usize = 1_024;

/// Traps that wait to be sent, in one originator: a message of some hundred octets each.
pub const MAX_WAITING_TRAPS: usize = 4_096;

/// Informs that a forwarder has passed on and not acknowledged yet.
pub const MAX_FORWARDED_INFORMS: usize = 4_096;

/// Requests that an originator or forwarder has out at one target; more wait. A receiver of informs writes each down
/// before it acknowledges it.
pub const MAX_OUTSTANDING_PER_PEER: u8 = 8;

/// Octets behind the header of one AgentX packet: an answer to a whole GETBULK of 64 KiB, whose names AgentX writes four
/// octets a sub-identifier.
pub const MAX_AGENTX_PAYLOAD_OCTETS: usize = 1 << 20;

/// Subtrees of one AgentX registration's range. Ranges are made for columns and rows of one table.
pub const MAX_AGENTX_RANGE: u32 = 1_024;

/// AgentX sessions at a time. Hosts have a handful of sub-agents.
pub const MAX_AGENTX_SESSIONS: usize = 256;

/// Capabilities that the sub-agents of one master announce, all together.
pub const MAX_AGENTX_CAPABILITIES: usize = 4_096;

/// Octets of a sub-agent's description, or one of its capabilities: a `DisplayString` has 255.
pub const MAX_AGENTX_TEXT_OCTETS: usize = 255;

/// Index values that a master remembers, allocated or once allocated.
pub const MAX_AGENTX_INDEXES: usize = 65_536;

/// Answers in a row that a sub-agent may fail to give in time until its session is closed.
pub const MAX_AGENTX_TIMEOUTS: u32 = 3;
