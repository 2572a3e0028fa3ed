//! `hamsa bulk`: one GETBULK (RFC 3416 §4.2.3), as net-snmp's `snmpbulkget`. Whole subtrees are `hamsa walk`'s.

use clap::Args;
use hamsa_snmp::VarBindBuf;
use hamsa_snmp::manager::RequestKind;
use hamsa_snmp::message::Version;
use hamsa_snmp::pdu::Bulk;

use crate::agent::{AgentOptions, ask_once};
use crate::failure::usage;
use crate::options::{LazyMib, OutputOptions, parse_bulk_letters};
use crate::print::Printer;

/// What net-snmp asks for.
const DEFAULT_REPETITIONS: u32 = 10;

/// Read several variables after OIDs at once (one GETBULK)
#[derive(Debug, Args)]
#[command(override_usage = "hamsa bulk [OPTIONS] AGENT OID...\n       hamsa bulk [OPTIONS] --device NAME OID...")]
pub struct Command {
    /// Read only one variable after each of the first NUMBER OIDs; also -CnNUMBER [default: 0]
    #[arg(long, value_name = "NUMBER")]
    pub non_repeaters: Option<u32>,
    /// Read NUMBER variables after each of the other OIDs; also -CrNUMBER [default: 10]
    #[arg(long, value_name = "NUMBER")]
    pub max_repetitions: Option<u32>,
    /// As net-snmp's: -CnNUMBER, -CrNUMBER
    #[arg(short = 'C', value_name = "LETTERS")]
    pub letters: Vec<String>,
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
    let letters = parse_bulk_letters(&command.letters)?;
    let bulk = Bulk {
        non_repeaters: command.non_repeaters.or(letters.non_repeaters).unwrap_or(0),
        max_repetitions: command.max_repetitions.or(letters.max_repetitions).unwrap_or(DEFAULT_REPETITIONS),
    };
    let mib = LazyMib::new(command.agent.mib.clone());
    let printer = Printer::new(&command.output, &mib)?;
    let (session, names) = command.agent.open()?;
    if session.version() == Version::V1 {
        return Err(usage("SNMPv1 has no GETBULK: say -v2c or -v3, or use `hamsa getnext`"));
    }
    if names.is_empty() {
        return Err(usage("no OID: say after which ones to read, such as ifDescr"));
    }
    let names = mib.resolve_all(names)?;
    let varbinds = VarBindBuf::of_names(names.iter().map(|name| name.as_oid()));
    ask_once(session, RequestKind::GetBulk(bulk), varbinds, &mib, printer)
}
