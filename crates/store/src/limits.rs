//! Every bound of this crate, with its reason. What an operator may change is in [`crate::StoreOptions`].

/// Series kept together on disk. They share columns of timestamps, so more is smaller; reading one series reads
/// the block of its group, so fewer is faster. 64 holds what is polled from a common device, and a slot fits six bits.
pub const SERIES_PER_GROUP: u32 = 64;

/// Series in one store: 10,000 devices of 400 each. The registry keeps one octet a group in memory and about 200
/// octets a series on disk.
pub const SERIES_MAX: u64 = 4_000_000;

/// Octets of a device, object, instance, unit or label name or value. A table index is at most 128
/// sub-identifiers of 10 digits (RFC 2578 §3.5), and labels are values of `DisplayString` (255 octets, RFC 2579).
pub const NAME_OCTETS_MAX: usize = 1_408;

/// Labels of one series.
pub const LABELS_MAX: usize = 64;

/// Samples in one call of `append`: at about 40 octets in memory a sample, 40 MB.
pub const APPEND_SAMPLES_MAX: usize = 1_000_000;

/// Length of the windows that blocks cover: 120 samples at one a minute. Longer squeezes better, shorter keeps
/// less in rows, which take about twice the room of blocks and are read whole when the store opens.
pub const WINDOW_MS: i64 = 2 * 3_600_000;

/// Length of a partition: a day (UTC). Retention is exact to a day.
pub const PARTITION_MS: i64 = 24 * 3_600_000;

/// How far ahead of the caller's clock a sample or event may be. More means that a clock is wrong, and would leave
/// a partition behind that never expires.
pub const AHEAD_MS_MAX: i64 = PARTITION_MS;

/// Shortest and longest retention. Each day is one file, and listing a directory should stay cheap.
pub const RETENTION_MS_MIN: i64 = 3_600_000;
/// See [`RETENTION_MS_MIN`].
pub const RETENTION_MS_MAX: i64 = 3 * 366 * PARTITION_MS;

/// Rows in one head, by when it is put aside for sealing even within a window. At four octets of index a row and
/// 10,000 devices at one poll a minute a window has 1.2 million.
pub const HEAD_ROWS_MAX: u32 = 8_000_000;

/// Samples sealed in one step of `maintain`: some tens of milliseconds of work, so that the thread that appends
/// is not held up.
pub const SEAL_STEP_SAMPLES: usize = 100_000;

/// Samples of one group gathered in memory while sealing (24 octets each). 64 series read once a second for a
/// window are 460,800.
pub const SEAL_GROUP_SAMPLES_MAX: usize = 500_000;

/// A block is kept in pieces of this size. The engine's page is 4,096 octets; pieces of 1,000 leave 10 % of the
/// file unused, whole blocks 36 % (measured, see benches/store).
pub const PIECE_OCTETS: usize = 1_000;

/// Partitions of a kind kept open. Each open one has a file descriptor and a share of the cache.
pub const OPEN_PARTITIONS_MAX: usize = 16;

/// Smallest cache: the engine keeps the pages of a running transaction in it.
pub const CACHE_BYTES_MIN: usize = 8 << 20;

/// Octets of an event's payload: a notification fits one UDP datagram (RFC 3417 §3.1), and its JSON is longer.
pub const EVENT_PAYLOAD_OCTETS_MAX: usize = 256 << 10;

/// Octets of an event's kind.
pub const EVENT_KIND_OCTETS_MAX: usize = 64;

/// Events in one call of `append_events`.
pub const APPEND_EVENTS_MAX: usize = 10_000;

/// Events in one page of an answer.
pub const EVENT_PAGE_MAX: usize = 10_000;

/// Events looked at for one page; a filter that fits few of them gets a short page and a cursor to go on.
pub const EVENT_SCAN_MAX: usize = 200_000;

/// Event identifiers reserved at a time; those not used are skipped when the store opens again.
pub const EVENT_IDS_RESERVED: u64 = 1_024;

/// Octets of the name of a state object or counter.
pub const STATE_NAME_OCTETS_MAX: usize = 255;

/// Octets of one state object.
pub const STATE_OCTETS_MAX: usize = 16 << 20;

/// State objects changed in one call.
pub const STATE_CHANGES_MAX: usize = 10_000;

/// Expired partitions removed in one call of `expire`.
pub const EXPIRE_PARTITIONS_MAX: usize = 64;
