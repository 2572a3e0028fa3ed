//! `hamsa walk`: reads subtrees by GETBULK, or by GETNEXT in SNMPv1. Variables are printed as they come.

use clap::Args;
use hamsa_node::client::AskError;
use hamsa_snmp::limits::MAX_MESSAGE_OCTETS;
use hamsa_snmp::manager::{RequestError, RequestKind, Walk, WalkOptions};
use hamsa_snmp::message::Version;
use hamsa_snmp::pdu::ErrorStatus;
use hamsa_snmp::{Oid, Value};

use crate::advice;
use crate::agent::{AgentOptions, printed};
use crate::failure::{Interrupted, Told, usage};
use crate::options::{LazyMib, OutputOptions, WalkLetters, parse_walk_letters};
use crate::print::Printer;
use crate::session::Session;
use crate::terminal::tell;

/// `mib-2` (RFC 3418): what is walked where no OID is given, as with net-snmp.
const MIB_2: [u32; 6] = [1, 3, 6, 1, 2, 1];

/// Read all variables below OIDs (GETBULK, in v1 GETNEXT); with --output table also whole tables by row
#[derive(Debug, Args)]
#[command(override_usage = "hamsa walk [OPTIONS] AGENT [OID]...\n       hamsa walk [OPTIONS] --device NAME [OID]...")]
pub struct Command {
    /// Ask for NUMBER variables at a time; 0 uses GETNEXT; also -CrNUMBER [default: 25, less where answers get long]
    #[arg(long, value_name = "NUMBER")]
    pub max_repetitions: Option<u16>,
    /// As net-snmp's: -Cc go on where OIDs don't increase, -Ci read the OID itself too, -CI never, -Cp tell how many
    /// variables, -CrNUMBER
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
/// Wrong arguments, no answer, an error from the agent, or an interruption.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let letters = parse_walk_letters(&command.letters)?;
    let mib = LazyMib::new(command.agent.mib.clone());
    let mut printer = Printer::new(&command.output, &mib)?;
    let (mut session, names) = command.agent.open()?;
    let roots = match names {
        [] => vec![Oid::from_arcs(&MIB_2)?],
        names => mib.resolve_all(names)?,
    };
    let options = walk_options(command, &letters, session.version())?;
    let mut complete = true;
    let mut result = Ok(());
    for root in roots {
        result = walk(&mut session, Subtree { root, options, letters }, &mut printer).map(|whole| complete &= whole);
        if result.is_err() {
            break;
        }
    }
    // Whatever ended it, what was read is shown.
    let count = printer.count();
    printer.finish()?;
    session.report();
    if letters.count {
        tell(&format!("Variables found: {count}"));
    }
    match result {
        Err(error) if error.is::<Interrupted>() => {
            Err(Interrupted(format!("interrupted after {count} variables")).into())
        }
        Err(error) => Err(error),
        Ok(()) if complete => Ok(()),
        Ok(()) => Err(Told.into()),
    }
}

/// What to walk, and how.
struct Subtree {
    root: Oid,
    options: WalkOptions,
    letters: WalkLetters,
}

/// Walks one subtree; whether to its end. What went wrong with the agent's answers is told.
fn walk(session: &mut Session, subtree: Subtree, printer: &mut Printer<'_>) -> anyhow::Result<bool> {
    let Subtree { root, options, letters } = subtree;
    let before = printer.count();
    if letters.include_root {
        get(session, &root, printer)?;
    }
    let mut walk = Walk::new(Vec::new(), [root.clone()], options);
    while let Some((kind, varbinds)) = walk.next_request(session.spare()) {
        if session.is_stopped() {
            return Err(Interrupted(String::new()).into());
        }
        let answer = session.try_ask(kind, varbinds, |pdu| {
            let mut result = Ok(());
            walk.handle_response(pdu, |_, variable| {
                if result.is_ok() {
                    result = printer.variable(variable);
                }
            });
            result.and_then(|()| printer.flush())
        });
        match answer {
            Ok(result) => result?,
            // Long answers are what lossy paths and slow agents lose first.
            Err(AskError::Request(RequestError::Timeout { .. })) if walk.handle_timeout() => {}
            Err(error) => return Err(session.explain(error)),
        }
    }
    let mut complete = true;
    for (_, _, error) in walk.failures() {
        complete = false;
        tell(&format!("hamsa walk: {error}\n  {}", advice::walk_advice(error)));
    }
    // As net-snmp does: an OID that is itself a variable has nothing below it.
    if complete && printer.count() == before && !letters.never_root {
        get(session, &root, printer)?;
    }
    Ok(complete)
}

/// Reads one variable. That it is not there is no failure of a walk.
fn get(session: &mut Session, name: &Oid, printer: &mut Printer<'_>) -> anyhow::Result<()> {
    let mut varbinds = session.spare();
    varbinds.push(name.as_oid(), Value::Null);
    printed(session.ask(RequestKind::Get, varbinds, |pdu| match pdu.error_status() {
        ErrorStatus::NO_ERROR => pdu.varbinds.iter().try_for_each(|variable| printer.variable(variable)),
        _ => Ok(()),
    }))
}

fn walk_options(command: &Command, letters: &WalkLetters, version: Version) -> anyhow::Result<WalkOptions> {
    let mut options = WalkOptions { check_order: !letters.any_order, ..WalkOptions::default() };
    let asked = match letters.max_repetitions {
        Some(number) => Some(u16::try_from(number).map_err(|_| usage(format!("-Cr{number}: at most {}", u16::MAX)))?),
        None => None,
    };
    if let Some(number) = command.max_repetitions.or(asked) {
        // Who names a number wants that many, however long the answer gets.
        (options.max_repetitions, options.max_response_octets) = (number, MAX_MESSAGE_OCTETS as u32);
    }
    if version == Version::V1 {
        options.max_repetitions = 0;
    }
    Ok(options)
}
