//! `hamsa inform`: sends an inform and waits for its acknowledgement (RFC 3416 §4.2.7).

use clap::Args;
use hamsa_snmp::manager::RequestKind;
use hamsa_snmp::message::Version;
use hamsa_snmp::pdu::ErrorStatus;

use crate::agent::refusal;
use crate::failure::usage;
use crate::limits::RECEIVE_BUFFER_OCTETS;
use crate::notify::{NotifyOptions, description, read_notification};
use crate::options::LazyMib;
use crate::session::Session;
use crate::terminal::tell;

/// Send an inform and wait until it is acknowledged. Arguments: RECEIVER UPTIME TRAP-OID [OID TYPE VALUE]...
///
/// UPTIME is in hundredths of a second, '' stands for this host's. TYPE is as with `hamsa set`.
#[derive(Debug, Args)]
#[command(override_usage = "hamsa inform [OPTIONS] RECEIVER UPTIME TRAP-OID [OID TYPE VALUE]...")]
pub struct Command {
    #[command(flatten)]
    pub notify: NotifyOptions,
}

/// Runs it.
///
/// # Errors
/// Wrong arguments, or no acknowledgement.
pub fn run(command: &Command) -> anyhow::Result<()> {
    send(&command.notify)
}

/// Sends it.
///
/// # Errors
/// Wrong arguments, or no acknowledgement.
pub fn send(options: &NotifyOptions) -> anyhow::Result<()> {
    let mib = LazyMib::new(options.mib.clone());
    let (target, arguments) = options.target()?;
    let notification = read_notification(arguments, &mib, true)?;
    let mut session = Session::open(target, RECEIVE_BUFFER_OCTETS, options.verbose)?;
    if session.version() == Version::V1 {
        return Err(usage("SNMPv1 has no informs: say -v2c or -v3, or use `hamsa trap`"));
    }
    let refused = session.ask(RequestKind::Inform, notification.to_v2_varbinds(), |pdu| {
        (pdu.error_status() != ErrorStatus::NO_ERROR).then(|| refusal(&mib, pdu))
    })?;
    if let Some(error) = refused {
        return Err(error);
    }
    if options.verbose {
        tell(&format!("acknowledged: {}", description(&mib, &notification.trap_oid, &notification.varbinds)));
    }
    session.report();
    Ok(())
}
