//! `hamsa agent` as its user runs it: net-snmp's tools are the judge, modules are replaced under load, and the process is
//! killed in the middle of swaps.

mod crash;
mod links;
mod load;
mod node;
mod notifications;
mod protocols;
mod proxy;
mod refusals;
mod support;
mod swap_mib;
mod swaps;
