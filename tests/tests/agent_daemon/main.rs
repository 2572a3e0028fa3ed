//! `hamsa agent` as its user runs it: net-snmp's tools are the judge, modules are replaced under load, the process is
//! killed in the middle of swaps, and strangers send it what they like.

mod clients;
mod containment;
mod crash;
mod hostile;
mod links;
mod load;
mod node;
mod notifications;
mod protocols;
mod proxy;
mod refusals;
mod relay;
mod support;
mod swap_mib;
mod swaps;
