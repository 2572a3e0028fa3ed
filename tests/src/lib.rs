//! What whole-process tests share: real peers as fixtures, processes that never outlive their test, addresses that
//! don't clash, and skips that are told. Used by the tests of this package and of any other.
//!
//! - [`require!`] gets a fixture or a program, or skips the test and says why; [`skip!`] skips by itself.
//! - [`Snmpd`], [`Snmptrapd`] and [`NetSnmp`] are net-snmp's agent, receiver and tools.
//! - [`Prometheus`] scrapes and answers queries; [`SnmpExporter`] is what it scrapes devices through elsewhere;
//!   [`Browser`] is a headless Chromium.
//! - [`Authority`] signs certificates for tests of TLS.
//! - [`Network`] is hosts on one machine, with cables that can be cut.
//! - [`hamsa()`] is our own binary, built from the code as it is; [`Process`] runs it.
//!
//! A fixture listens on loopback addresses only, reads no configuration of the user's, keeps its files in a
//! temporary directory, and ends when dropped, when its test panics, and when its test process is killed.
//! What fails in a fixture panics, since it fails the test; what this machine lacks is [`Unavailable`].

mod authority;
mod chromium;
mod hamsa;
pub mod http;
pub mod limits;
mod net;
mod netsnmp;
mod network;
mod process;
mod program;
mod prometheus;
mod skip;
mod snmp_exporter;
mod snmpd;
mod snmptrapd;
mod targets;
mod wait;

pub use authority::{Authority, Certified, Usage, Validity};
pub use chromium::Browser;
pub use hamsa::hamsa;
pub use net::{free_tcp, free_udp, loopback};
pub use netsnmp::{NetSnmp, ToolError, User};
pub use network::Network;
pub use process::{Output, Process};
pub use program::{Unavailable, program};
pub use prometheus::{Prometheus, Series};
pub use skip::record_skip;
pub use snmp_exporter::SnmpExporter;
pub use snmpd::Snmpd;
pub use snmptrapd::{Notification, Snmptrapd};
pub use targets::NotificationTarget;
pub use wait::wait_until;
