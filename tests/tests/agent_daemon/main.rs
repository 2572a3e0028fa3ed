//! `hamsa agent` as its user runs it: net-snmp's tools are the judge, modules are replaced under load, and the process is
//! killed in the middle of swaps.

#![allow(clippy::print_stderr, reason = "a test tells its figures")]

mod crash;
mod load;
mod protocols;
mod refusals;
mod support;
mod swap_mib;
mod swaps;
