//! The product as its user runs it: the `hamsa` binary with real agents, simulated ones, and everything around them.

mod demo;
mod devices;
mod discover;
mod faults;
mod kill;
mod node;
mod notifications;
mod prometheus;
#[path = "../cli/run.rs"]
#[allow(dead_code, reason = "the tests of the commands use the rest")]
mod run;
mod secrets;
mod sim;
mod simulated;
