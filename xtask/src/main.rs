//! `cargo xtask`: the project tasks.

#![allow(clippy::print_stdout, reason = "a command-line program")]
#![allow(clippy::print_stderr, reason = "a command-line program")]

mod mib_table;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((task, rest)) if task == "mib-table" => mib_table::run(rest),
        _ => anyhow::bail!("usage: cargo xtask mib-table ..."),
    }
}
