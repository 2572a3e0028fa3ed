//! The `hamsa` command: one file a subcommand. What they share stands in `options/` (whom to ask, how to show),
//! `session.rs` and `agent.rs` (asking), `print/` (showing), `advice.rs` and `failure.rs` (failing).

mod advice;
mod agent;
mod agent_daemon;
mod args;
mod bulk;
mod check;
mod completions;
mod control;
mod demo;
mod devices;
mod discover;
mod enterprise;
mod events;
mod failure;
mod get;
mod getnext;
mod group;
mod history;
mod inform;
mod init;
mod limits;
mod man;
mod modules;
mod node;
mod notify;
mod options;
mod print;
mod profiles;
mod recordings;
mod records;
mod reference;
mod series;
mod session;
mod set;
mod sim;
mod simulation;
mod terminal;
mod translate;
mod trap;
mod traps;
mod walk;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let (name, result) = match &command {
        Command::Get(command) => ("get", get::run(command)),
        Command::Getnext(command) => ("getnext", getnext::run(command)),
        Command::Bulk(command) => ("bulk", bulk::run(command)),
        Command::Walk(command) => ("walk", walk::run(command)),
        Command::Set(command) => ("set", set::run(command)),
        Command::Trap(command) => ("trap", trap::run(command)),
        Command::Inform(command) => ("inform", inform::run(command)),
        Command::Discover(command) => ("discover", discover::run(command)),
        Command::Demo(command) => ("demo", demo::run(command)),
        Command::Node(command) => ("node", node::run(command)),
        Command::Agent(command) => ("agent", agent_daemon::run(command)),
        Command::Modules(command) => ("modules", modules::run(command)),
        Command::Group(command) => ("group", group::run(command)),
        Command::Enterprise(command) => ("enterprise", enterprise::run(command)),
        Command::Check(command) => ("check", check::run(command)),
        Command::Init(command) => ("init", init::run(command)),
        Command::Devices(command) => ("devices", devices::run(command)),
        Command::Series(command) => ("series", series::run(command)),
        Command::History(command) => ("history", history::run(command)),
        Command::Events(command) => ("events", events::run(command)),
        Command::Traps(command) => ("traps", traps::run(command)),
        Command::Sim(command) => ("sim", sim::run(command)),
        Command::Translate(command) => ("translate", translate::run(command)),
        Command::Profiles(command) => ("profiles", profiles::run(command)),
        Command::Completions(command) => ("completions", completions::run(command)),
        Command::Man(command) => ("man", man::run(command)),
    };
    failure::exit_code(name, result)
}
