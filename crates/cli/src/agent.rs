//! What all commands that ask an agent have in common: their options, and what becomes of its errors.

use std::io;

use clap::Args;
use hamsa_snmp::VarBindBuf;
use hamsa_snmp::manager::RequestKind;
use hamsa_snmp::pdu::{ErrorStatus, Pdu};

use crate::advice;
use crate::failure::advised;
use crate::limits::RECEIVE_BUFFER_OCTETS;
use crate::options::{
    ConfigOptions, CredentialOptions, LazyMib, MibOptions, SNMP_PORT, Target, TargetOptions, TimingOptions,
};
use crate::print::Printer;
use crate::session::Session;

/// Options of a command that asks an agent.
#[derive(Debug, Args)]
pub struct AgentOptions {
    /// AGENT (HOST, HOST:PORT, udp:HOST:PORT or udp6:HOST:PORT; an IPv6 address in brackets), and what the usage says after it
    #[arg(value_name = "ARGUMENT", allow_negative_numbers = true)]
    pub arguments: Vec<String>,
    /// Tell on standard error how it went: engine, messages, round trip
    #[arg(long)]
    pub verbose: bool,
    #[command(flatten)]
    pub credentials: CredentialOptions,
    #[command(flatten)]
    pub config: ConfigOptions,
    #[command(flatten)]
    pub timing: TimingOptions,
    #[command(flatten)]
    pub mib: MibOptions,
}

impl AgentOptions {
    /// Makes ready to ask the agent; returns the arguments after AGENT as well.
    ///
    /// # Errors
    /// The arguments are wrong, or the agent can't be reached at all.
    pub fn open(&self) -> anyhow::Result<(Session, &[String])> {
        let AgentOptions { arguments, credentials, config, timing, verbose, .. } = self;
        let options = TargetOptions { credentials, config, timing, default_port: SNMP_PORT };
        let (target, rest) = Target::find(arguments, options)?;
        Ok((Session::open(target, RECEIVE_BUFFER_OCTETS, *verbose)?, rest))
    }
}

/// A whole command: carries its one request out, prints the variables, and tells how it went.
///
/// # Errors
/// No answer, or an error-status in it.
pub fn ask_once(
    mut session: Session,
    kind: RequestKind,
    varbinds: VarBindBuf,
    mib: &LazyMib,
    mut printer: Printer<'_>,
) -> anyhow::Result<()> {
    let refused = printed(session.ask(kind, varbinds, |pdu| {
        if pdu.error_status() != ErrorStatus::NO_ERROR {
            return Ok(Some(refusal(mib, pdu)));
        }
        pdu.varbinds.iter().try_for_each(|variable| printer.variable(variable)).map(|()| None)
    }))?;
    if let Some(error) = refused {
        return Err(error);
    }
    printer.finish()?;
    session.report();
    Ok(())
}

/// What an error-status says, of which variable.
pub fn refusal(mib: &LazyMib, pdu: &Pdu<'_>) -> anyhow::Error {
    let status = pdu.error_status();
    let index = usize::try_from(pdu.error_index()).ok().and_then(|index| index.checked_sub(1));
    let which = index.and_then(|index| pdu.varbinds.iter().nth(index)).map(|variable| mib.name(variable.name));
    let problem = match which {
        Some(name) => format!("{name}: the agent answered {status}"),
        None => format!("the agent answered {status}"),
    };
    advised(problem, advice::status_advice(status))
}

/// An answer whose printing may have failed.
///
/// # Errors
/// Either.
pub fn printed<T>(result: anyhow::Result<io::Result<T>>) -> anyhow::Result<T> {
    Ok(result??)
}
