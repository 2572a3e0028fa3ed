//! Every bound of this crate, with its reason. Nothing here is tuned per device; what an operator may
//! change is in the node's configuration.

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

/// Octets of the longest USM key: the SHA-512 digest (RFC 7860).
pub const MAX_KEY_OCTETS: usize = 64;

/// Octets of the longest `msgAuthenticationParameters`: `usmHMAC384SHA512AuthProtocol` (RFC 7860).
pub const MAX_MAC_OCTETS: usize = 48;

/// Octets of the shortest password that becomes a key (RFC 3414 §11.2).
pub const MIN_PASSWORD_OCTETS: usize = 8;
