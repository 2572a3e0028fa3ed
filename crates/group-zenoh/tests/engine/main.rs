//! Real Zenoh: on loopback addresses within this process, and between processes in network namespaces.

mod certificates;
mod directory;
mod loopback;
mod many;
mod member;
mod namespaces;
mod support;
mod tunnel;
