//! `cargo xtask`: the project's own tasks. One file a task; each prints what it does and ends with an exit
//! status that a script can use. `cargo xtask` without arguments lists them.

#![allow(clippy::print_stdout, reason = "a command-line program")]
#![allow(clippy::print_stderr, reason = "a command-line program")]

mod bench;
mod generated;
mod harness;
mod mib_table;
mod packages;
mod run;
mod summary;
mod test;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask TASK

tasks:
  test [--quick]   the whole check: packages, format, lints, tidy, licences, tests, docs, generated files
                   --quick installs nothing and skips the tests that need installed packages
  tidy             the rules of the house that rustc and clippy don't know
  bench [NAME...]  the benches, all or those named, as one table of claims
  mib-table [--check] DIRECTORY...
                   the shipped table of MIB names, from directories of MIB files
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((task, rest)) = arguments.split_first() else {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    };
    let result = match task.as_str() {
        "test" => test::run(rest),
        "tidy" => tidy::run(rest),
        "bench" => bench::run(rest),
        "mib-table" => mib_table::run(rest),
        "help" | "-h" | "--help" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => Err(anyhow::anyhow!("no task is called `{other}`\n\n{USAGE}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask {task}: {error:#}");
            match error.downcast_ref::<run::Interrupted>() {
                Some(interrupted) => interrupted.exit_code(),
                None => ExitCode::FAILURE,
            }
        }
    }
}

/// The repository's root: the directory above this package.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a directory of the workspace")
}
