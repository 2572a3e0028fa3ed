//! `cargo xtask`: the project tasks.

fn main() {}
