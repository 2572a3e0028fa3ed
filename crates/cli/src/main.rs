//! The `hamsa` command: one file a subcommand.

fn main() {}
