//! Groups between processes of one machine, over the embedded engine: the program that the contract of all engines is
//! tried with, and `hamsa node` itself.

mod members;
mod nodes;
