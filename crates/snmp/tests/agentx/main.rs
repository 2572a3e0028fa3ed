//! AgentX (RFC 2741): what is on the wire, and what a master makes of it.

mod master;
mod wire;
