//! The command line as a whole. Each command's own options stand in its file.

use clap::{Parser, Subcommand};

use crate::{
    agent_daemon, bulk, check, completions, demo, devices, discover, enterprise, events, get, getnext, group, history,
    inform, init, man, modules, node, profiles, series, set, sim, translate, trap, traps, walk,
};

/// Highly available SNMP monitoring, and tools for SNMP agents
///
/// Exit status: 0 done; 1 an agent, the network or the system did not do what was asked; 2 the command line is wrong;
/// 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "hamsa", version, propagate_version = true, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    Get(get::Command),
    Getnext(getnext::Command),
    Bulk(bulk::Command),
    Walk(walk::Command),
    Set(set::Command),
    Trap(trap::Command),
    Inform(inform::Command),
    Discover(discover::Command),
    Demo(demo::Command),
    Node(node::Command),
    Agent(agent_daemon::Command),
    Modules(modules::Command),
    Group(group::Command),
    Enterprise(enterprise::Command),
    Check(check::Command),
    Init(init::Command),
    Devices(devices::Command),
    Series(series::Command),
    History(history::Command),
    Events(events::Command),
    Traps(traps::Command),
    Sim(sim::Command),
    Translate(translate::Command),
    Profiles(profiles::Command),
    Completions(completions::Command),
    Man(man::Command),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_fit_together() {
        Cli::command().debug_assert();
    }
}
