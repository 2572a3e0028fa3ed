//! What a user of the kernel sees: modules are made, called, swapped, and go back.

mod fixtures;
mod three_cases;
