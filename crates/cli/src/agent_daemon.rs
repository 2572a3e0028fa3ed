//! `hamsa agent`: runs an SNMP agent until it is told to end, and replaces its modules while it runs.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use hamsa_node::agent::Agent;
use hamsa_node::config::Surroundings;
use hamsa_node::config::agent::{self, AgentConfig};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::control::ControlOptions;
use crate::init::write_sample;
use crate::modules::{Rollback, Swap, install, roll_back, swap, uninstall};
use crate::node::{notify_systemd, start_log, stop_in_time};
use crate::terminal::tell;

/// Run an SNMP agent every part of which can be replaced while it answers
///
/// SIGTERM or SIGINT (Ctrl-C) ends it. Its configuration is read at the start only.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Command {
    /// The agent's configuration
    #[arg(long, short = 'f', value_name = "FILE", default_value = "agent.toml")]
    pub config: PathBuf,
    /// Write a configuration in which every key is explained and none is set; - is standard output
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "agent.toml", conflicts_with = "config")]
    pub init: Option<PathBuf>,
    /// With --init: overwrite a file that is there
    #[arg(long, requires = "init")]
    pub force: bool,
    /// Tell all mistakes in the configuration, and run nothing
    #[arg(long, conflicts_with = "init")]
    pub check: bool,
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What to do to an agent that runs.
#[derive(Debug, Subcommand)]
pub enum Action {
    Install(AgentInstall),
    Uninstall(AgentUninstall),
    Swap(AgentSwap),
    Rollback(AgentRollback),
}

/// Install a module that the agent has, but that does not serve yet
///
/// It serves from then on, after a restart of the agent too. MIB-module/AgentX is one: the master for sub-agents.
#[derive(Debug, Args)]
pub struct AgentInstall {
    /// KIND/NAME
    pub module: String,
    #[command(flatten)]
    pub control: ControlOptions,
}

/// Take a module out again that `install` has installed
///
/// Calls under way end first. Its state is kept: installed again, it goes on from there.
#[derive(Debug, Args)]
pub struct AgentUninstall {
    /// KIND/NAME
    pub module: String,
    #[command(flatten)]
    pub control: ControlOptions,
}

/// Replace modules by other versions while they serve: all that are named, or none
#[derive(Debug, Args)]
pub struct AgentSwap {
    #[command(flatten)]
    pub swap: Swap,
    #[command(flatten)]
    pub control: ControlOptions,
}

/// Go back to earlier versions of modules
#[derive(Debug, Args)]
pub struct AgentRollback {
    #[command(flatten)]
    pub rollback: Rollback,
    #[command(flatten)]
    pub control: ControlOptions,
}

/// Runs it.
///
/// # Errors
/// The configuration has mistakes, the agent can't be started, or what is asked of it is not done.
pub fn run(command: &Command) -> anyhow::Result<()> {
    match &command.action {
        Some(Action::Install(AgentInstall { module, control })) => return install(module, control),
        Some(Action::Uninstall(AgentUninstall { module, control })) => return uninstall(module, control),
        Some(Action::Swap(AgentSwap { swap: asked, control })) => return swap(asked, control),
        Some(Action::Rollback(AgentRollback { rollback, control })) => return roll_back(rollback, control),
        None => {}
    }
    if let Some(file) = &command.init {
        let next = format!(
            "Next: add a [users.NAME], then `hamsa agent --config {0} --check` and `hamsa agent --config {0}`.",
            file.display()
        );
        return write_sample(file, command.force, &agent::sample(), &[&next]);
    }
    let config = load(&command.config)?;
    if command.check {
        tell(&format!("{}: fine", command.config.display()));
        return Ok(());
    }
    start_log(&config.log);
    // Before anything is started: a signal that comes now must end it properly too.
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let agent = Agent::start(&config)?;
    tell_where(&config, &agent);
    notify_systemd("READY=1");
    while signals.forever().next() == Some(SIGHUP) {
        tell("hamsa agent: its configuration is read at the start only; start it again");
    }
    notify_systemd("STOPPING=1");
    stop_in_time("agent", &mut signals, move || agent.stop())
}

fn load(path: &Path) -> anyhow::Result<AgentConfig> {
    let profiles = |_: &[PathBuf]| Vec::new();
    let report = agent::check(path, &Surroundings::of_process(&profiles));
    let text = report.to_string();
    if !text.is_empty() {
        tell(text.trim_end());
    }
    report.config.with_context(|| format!("{} has mistakes", path.display()))
}

/// Says what the agent does and where to look.
fn tell_where(config: &AgentConfig, agent: &Agent) {
    let addresses: Vec<String> = agent.addresses().iter().map(ToString::to_string).collect();
    tell(&format!("hamsa agent {}: answers at {}", config.name, addresses.join(", ")));
    tell(&format!("  engine {}, boot {}; data is in {}", agent.engine_id(), agent.boots(), config.data_dir.display()));
    tell(&format!("  control: {}", agent.control_socket().display()));
    if let Some(address) = agent.control_address() {
        tell(&format!("  control over HTTP: http://{address}"));
    }
    if config.users.is_empty() && config.communities.is_empty() {
        tell("  the configuration has no users and no communities");
    }
}
