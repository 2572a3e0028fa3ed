//! The agent's library behind a UDP socket, with net-snmp's tools as its managers.

mod notifications;
mod proxy;
mod support;
mod users;
mod views;
