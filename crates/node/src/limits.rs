//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Datagrams in one system call. More gain little: at 64 the call itself costs a few per cent.
pub const BATCH_DATAGRAMS: usize = 64;

/// The largest datagram, an IPv4 packet less its headers, rounded up.
pub const DATAGRAM_OCTETS: usize = 65_536;

/// How long a full send buffer is waited for; then the datagram is dropped, and sent again by its requester.
pub const MAX_SEND_WAIT: Duration = Duration::from_millis(100);
