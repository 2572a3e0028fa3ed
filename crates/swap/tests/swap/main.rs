//! What a user of the kernel sees: modules are made, called, swapped, and go back.

mod fixtures;
mod going_back;
mod taking_out;
mod three_cases;
mod transactions;
mod under_load;
