//! The engine on real Corosync daemons, on hosts of their own. Needs root, Corosync, iproute2 and nftables.

mod daemon;
mod ring;
mod support;
