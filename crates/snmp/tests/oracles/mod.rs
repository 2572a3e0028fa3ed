//! Other codecs, between octets and the form that belongs to none ([`crate::generator::AnyMessage`]).
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod async_snmp;
pub mod rasn;
