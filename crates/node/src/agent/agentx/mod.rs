//! The AgentX master (RFC 2741) as a MIB module that is installed into a running agent.
//!
//! What must outlive the module is the host's: the sockets and connections, and which answer belongs to which question
//! (`transport`, lent to the module), and the threads that read (`server`). The module (`module`) has the sessions and what
//! they have registered. Answers to what it asks go to the waiting call directly, so that a swap can drain; all else that
//! sub-agents send goes through its proxy, by methods that MIB modules don't have otherwise ([`Subagents`]).

mod module;
mod server;
mod transport;

pub(super) use module::{NAME, Subagents, agentx_packages, first_resources, first_state, resumed_state};
pub(super) use server::{AgentxServer, Listeners, ServerOptions};
pub(super) use transport::Transport;
