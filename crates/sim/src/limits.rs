//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Octets of one line of a recording: the longest name and the longest value, in hexadecimal, fit.
pub const MAX_LINE_OCTETS: usize = 160 * 1024;

/// Octets of one value. A UDP datagram carries 65,507, headers and the variable's name included.
pub const MAX_VALUE_OCTETS: usize = 65_000;

/// Octets of one recording's text. The largest that is known, a router's, has 240 MB in 3.4 million
/// lines. Offsets in memory have 32 bits, and no line takes more there than in the text.
pub const MAX_RECORDING_OCTETS: u64 = 1 << 30;

/// Lines of one recording: nearly ten times those of the largest known. While it is read each takes eight
/// octets besides its contents.
pub const MAX_RECORDING_LINES: u32 = 32_000_000;

/// Lines of one recording with a variation, some 100 octets each: they are written by hand.
pub const MAX_VARIATIONS: usize = 1_000_000;

/// Octets of a `BITS` value whose set bits snmpwalk's output is searched for. The longest that a standard
/// MIB defines has 24.
pub const MAX_SEARCHED_BITS_OCTETS: usize = 64;

/// Diagnostics that are kept of one recording; the rest is only counted.
pub const MAX_DIAGNOSTICS: usize = 1_000;

/// Lines of one recording that stand for whole subtrees: each is asked for each variable.
pub const MAX_SUBTREES: usize = 256;

/// The longest that an answer is held back: longer than any manager waits.
pub const MAX_DELAY: Duration = Duration::from_secs(600);

/// Rows of a generated device's main table: more interfaces than any box has.
pub const MAX_DEVICE_SIZE: u16 = 16_384;

/// Agents of one simulator: some hundreds of octets each, and a loopback network has 16 million addresses.
pub const MAX_AGENTS: usize = 1_000_000;

/// Datagrams that wait to be sent, late answers most of all.
pub const MAX_QUEUED_DATAGRAMS: usize = 131_072;

/// Their octets.
pub const MAX_QUEUED_OCTETS: usize = 256 << 20;

/// Between two notifications of authentication failures of one agent: strangers must not make it flood.
pub const MIN_AUTHENTICATION_FAILURE_INTERVAL: Duration = Duration::from_secs(10);

/// Events older than this are not made up for, after the host has slept, say.
pub const MAX_EVENT_AGE: Duration = Duration::from_secs(60);

/// The shortest period of what recurs: below it a device would do nothing else.
pub const MIN_EVENT_PERIOD: Duration = Duration::from_secs(1);
