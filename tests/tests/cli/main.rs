//! The `hamsa` command against real agents and receivers, net-snmp's tools being the judge of what it prints.

mod agent;
mod discover;
mod failures;
mod notify;
mod operate;
mod records;
mod reload;
mod run;
mod secrets;
