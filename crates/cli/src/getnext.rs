//! `hamsa getnext`: reads the successors of OIDs by GETNEXT (RFC 3416 §4.2.2).

use clap::Args;
use hamsa_snmp::VarBindBuf;
use hamsa_snmp::manager::RequestKind;

use crate::agent::{AgentOptions, ask_once};
use crate::failure::usage;
use crate::options::{LazyMib, OutputOptions};
use crate::print::Printer;

/// Read the variables after OIDs (GETNEXT)
#[derive(Debug, Args)]
#[command(override_usage = "hamsa getnext [OPTIONS] AGENT OID...\n       hamsa getnext [OPTIONS] --device NAME OID...")]
pub struct Command {
    #[command(flatten)]
    pub agent: AgentOptions,
    #[command(flatten)]
    pub output: OutputOptions,
}

/// Runs it.
///
/// # Errors
/// Wrong arguments, no answer, or an error from the agent.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let mib = LazyMib::new(command.agent.mib.clone());
    let printer = Printer::new(&command.output, &mib)?;
    let (session, names) = command.agent.open()?;
    if names.is_empty() {
        return Err(usage("no OID: say after which ones to read, such as sysDescr"));
    }
    let names = mib.resolve_all(names)?;
    let varbinds = VarBindBuf::of_names(names.iter().map(|name| name.as_oid()));
    ask_once(session, RequestKind::GetNext, varbinds, &mib, printer)
}
