//! How samples become octets: [`row`] as they arrive, [`block`] once a window of time is over.
//!
//! Public so that benches and tools that read a store's files use the same octets. Both decoders take
//! anything: what they can't read is [`Malformed`], never a panic and never more memory than the input pays for.

pub mod block;
pub mod row;
mod varint;

/// Octets that are no row or block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);
