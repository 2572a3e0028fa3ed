//! The HTTP server of a node that polls real agents: API, console, Prometheus's endpoints, and who is let in. One
//! program, since each links the whole node.

mod api;
mod console;
mod exporter;
mod guard;
mod history;
mod prometheus;
mod support;
