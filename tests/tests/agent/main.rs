//! The agent's library behind a UDP socket, with net-snmp's tools as its managers.

mod support;
mod users;
mod views;
