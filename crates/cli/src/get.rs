//! `hamsa get`: reads variables by GET (RFC 3416 §4.2.1).

use clap::Args;
use hamsa_snmp::manager::{GetError, GetMany};

use crate::advice;
use crate::agent::{AgentOptions, printed};
use crate::failure::{Told, usage};
use crate::limits::VARIABLES_PER_REQUEST;
use crate::options::{LazyMib, OutputOptions};
use crate::print::Printer;
use crate::terminal::tell;

/// Read variables (GET)
#[derive(Debug, Args)]
#[command(override_usage = "hamsa get [OPTIONS] AGENT OID...\n       hamsa get [OPTIONS] --device NAME OID...")]
pub struct Command {
    #[command(flatten)]
    pub agent: AgentOptions,
    #[command(flatten)]
    pub output: OutputOptions,
}

/// Runs it.
///
/// # Errors
/// Wrong arguments, no answer, or a variable that the agent refuses.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let mib = LazyMib::new(command.agent.mib.clone());
    let mut printer = Printer::new(&command.output, &mib)?;
    let (mut session, names) = command.agent.open()?;
    if names.is_empty() {
        return Err(usage("no OID: say which variables to read, such as sysDescr.0"));
    }
    let mut get = GetMany::new(mib.resolve_all(names)?, VARIABLES_PER_REQUEST);
    while let Some((kind, varbinds)) = get.next_request(session.spare()) {
        printed(session.ask(kind, varbinds, |pdu| {
            let mut result = Ok(());
            get.handle_response(pdu, |_, variable| {
                if result.is_ok() {
                    result = printer.variable(variable);
                }
            });
            result
        }))?;
    }
    printer.finish()?;
    session.report();
    let mut failed = false;
    for (_, name, error) in get.failures() {
        failed = true;
        tell(&format!("hamsa get: {}: {error}", mib.name(name.as_oid())));
        if let GetError::Agent(status) = error {
            tell(&format!("  {}", advice::status_advice(status)));
        }
    }
    if failed { Err(Told.into()) } else { Ok(()) }
}
