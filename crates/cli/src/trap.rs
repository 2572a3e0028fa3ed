//! `hamsa trap`: sends a trap, which nobody acknowledges (RFC 3416 §4.2.6, RFC 1157 §4.1.6).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use hamsa_node::client;
use hamsa_node::config::Security;
use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::{EngineId, EngineTime, Sending};
use hamsa_snmp::limits::MAX_MESSAGE_OCTETS;
use hamsa_snmp::message::Version;
use hamsa_snmp::pdu::{AnyPdu, Pdu, PduKind, TrapV1};

use crate::failure::usage;
use crate::inform;
use crate::notify::{
    NotifyOptions, description, own_engine_id, own_time, parse_engine_time, read_notification, read_uptime,
};
use crate::options::{AgentAddress, LazyMib, TRAP_PORT, Target};
use crate::session::{self, random};
use crate::set::read_bindings;
use crate::terminal::tell;

/// `snmpTraps`: the enterprise of a v1 trap that names none (RFC 3584 §3.2 has it for the generic ones).
const SNMP_TRAPS: &str = "1.3.6.1.6.3.1.1.5";

/// `generic-trap` by name (RFC 1157 §4.1.6); the place is the number.
const GENERIC_TRAPS: [&str; 7] =
    ["coldStart", "warmStart", "linkDown", "linkUp", "authenticationFailure", "egpNeighborLoss", "enterpriseSpecific"];

/// Send a trap. Arguments: RECEIVER UPTIME TRAP-OID [OID TYPE VALUE]...
///
/// UPTIME is in hundredths of a second, '' stands for this host's. TYPE is as with `hamsa set`.
///
/// With -v1: RECEIVER ENTERPRISE AGENT GENERIC SPECIFIC UPTIME [OID TYPE VALUE]..., where '' stands for snmpTraps, this
/// host's address and its uptime; GENERIC is a number from 0 to 6 or a name such as linkDown.
///
/// With -v3 the trap carries the engine ID of its sender, and a receiver must know the user under that ID (snmptrapd:
/// `createUser -e 0xENGINEID ...`). It is the same at each call: -e, or one made from this host, which
/// --print-engine-id shows. Boots and time go on from call to call by the clock; -Z sets others.
#[derive(Debug, Args)]
#[command(
    override_usage = "hamsa trap [OPTIONS] RECEIVER UPTIME TRAP-OID [OID TYPE VALUE]...\n       hamsa trap -v1 [OPTIONS] RECEIVER ENTERPRISE AGENT GENERIC SPECIFIC UPTIME [OID TYPE VALUE]..."
)]
pub struct Command {
    /// As net-snmp's: -Ci sends an inform, as `hamsa inform` does
    #[arg(short = 'C', value_name = "LETTERS")]
    pub letters: Vec<String>,
    /// Boots and time of the sender's engine in v3 [default: 1, and seconds since 2020]
    #[arg(short = 'Z', long, value_name = "BOOTS,TIME", value_parser = parse_engine_time)]
    pub engine_time: Option<EngineTime>,
    /// Show the engine ID that v3 traps of this host carry, and send nothing
    #[arg(long)]
    pub print_engine_id: bool,
    #[command(flatten)]
    pub notify: NotifyOptions,
}

/// Runs it.
///
/// # Errors
/// Wrong arguments, or it can't be sent. Whether it arrives nobody knows.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let options = &command.notify;
    if command.print_engine_id {
        return crate::print::line_out(&options.credentials.engine_id.unwrap_or_else(own_engine_id).to_string());
    }
    match command.letters.concat().as_str() {
        "" => {}
        "i" => return inform::send(options),
        other => return Err(usage(format!("-C{other}: this command takes -Ci"))),
    }
    let mib = LazyMib::new(options.mib.clone());
    let (target, arguments) = options.target()?;
    let (told, datagram) = match target.credentials.security.version() {
        Version::V1 => v1_trap(&target, arguments, &mib)?,
        Version::V2c | Version::V3 => v2_trap(command, &target, arguments, &mib)?,
    };
    client::send_datagram(target.address, &datagram).with_context(|| format!("can't send to {}", target.address))?;
    if options.verbose {
        tell(&format!("sent to {}: {told}, {} octets", target.address, datagram.len()));
    }
    Ok(())
}

/// Describes and encodes a trap of v2c or v3.
fn v2_trap(
    command: &Command,
    target: &Target,
    arguments: &[String],
    mib: &LazyMib,
) -> anyhow::Result<(String, Vec<u8>)> {
    let notification = read_notification(arguments, mib, false)?;
    let varbinds = notification.to_v2_varbinds();
    let pdu = Pdu::new(PduKind::TrapV2, request_id()?, varbinds.as_list());
    let engine_id = match &target.credentials.security {
        Security::V3(user) => user.engine_id.unwrap_or_else(own_engine_id),
        Security::V1(_) | Security::V2c(_) => own_engine_id(),
    };
    let time = command.engine_time.unwrap_or_else(own_time);
    let mut told = description(mib, &notification.trap_oid, &notification.varbinds);
    if target.credentials.security.version() == Version::V3 {
        told.push_str(&format!(", engine {engine_id}"));
    }
    Ok((told, encode(target, engine_id, time, AnyPdu::Pdu(pdu))?))
}

/// Describes and encodes a trap of v1.
fn v1_trap(target: &Target, arguments: &[String], mib: &LazyMib) -> anyhow::Result<(String, Vec<u8>)> {
    let [enterprise, agent, generic, specific, uptime, bindings @ ..] = arguments else {
        return Err(usage("with -v1, after RECEIVER: ENTERPRISE AGENT GENERIC SPECIFIC UPTIME [OID TYPE VALUE]..."));
    };
    let enterprise = mib.resolve(if enterprise.is_empty() { SNMP_TRAPS } else { enterprise })?;
    let varbinds = read_bindings(bindings, mib)?;
    let trap = TrapV1 {
        enterprise: enterprise.as_oid(),
        agent_addr: agent_address(agent, target.address)?,
        generic_trap: read_generic(generic)?,
        specific_trap: specific.parse().map_err(|_| usage(format!("SPECIFIC {specific:?}: a number")))?,
        time_stamp: read_uptime(uptime)?,
        varbinds: varbinds.as_list(),
    };
    let told = description(mib, &trap.trap_oid(), &varbinds);
    Ok((told, encode(target, own_engine_id(), own_time(), AnyPdu::TrapV1(trap))?))
}

fn encode(target: &Target, engine_id: EngineId, time: EngineTime, pdu: AnyPdu<'_>) -> anyhow::Result<Vec<u8>> {
    let engine = session::engine(engine_id, time, [&*target.credentials])?;
    let sending = Sending {
        now: Instant::now(),
        msg_id: request_id()?,
        engine_id,
        security_name: &target.credentials.security_name()?,
        level: target.credentials.level(),
        time_hint: None,
        context_engine_id: target.context_engine_id.unwrap_or(engine_id),
        context_name: &target.context,
        pdu,
    };
    let mut buffer = vec![0; MAX_MESSAGE_OCTETS];
    let mut writer = Writer::new(&mut buffer);
    engine.send(target.credentials.security.version(), &sending, &mut writer)?;
    Ok(writer.finish()?.to_vec())
}

fn request_id() -> anyhow::Result<i32> {
    Ok(i32::from_be_bytes(random()?) & i32::MAX)
}

/// The `agent-addr` of a v1 trap: an IPv4 address, or none where this host has only IPv6 towards the receiver
/// (RFC 3584 §3.2 (5)).
fn agent_address(text: &str, receiver: SocketAddr) -> anyhow::Result<Ipv4Addr> {
    let address = match text {
        "" => client::local_address_towards(receiver)?,
        text => text.parse::<AgentAddress>()?.resolve(TRAP_PORT)?.ip(),
    };
    match address {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(_) if text.is_empty() => Ok(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(address) => Err(usage(format!("AGENT {address}: SNMPv1 has IPv4 addresses only (RFC 1157)"))),
    }
}

fn read_generic(text: &str) -> anyhow::Result<i32> {
    let by_name = GENERIC_TRAPS.iter().position(|name| name.eq_ignore_ascii_case(text));
    let number = by_name.or_else(|| text.parse().ok().filter(|&number| number < GENERIC_TRAPS.len()));
    let number = number.and_then(|number| i32::try_from(number).ok());
    number
        .ok_or_else(|| usage(format!("GENERIC {text:?}: a number from 0 to 6, or one of {}", GENERIC_TRAPS.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generic_traps_have_names_and_numbers() {
        assert_eq!(
            [read_generic("2").unwrap(), read_generic("linkdown").unwrap(), read_generic("6").unwrap()],
            [2, 2, 6]
        );
        for wrong in ["7", "-1", "", "link"] {
            read_generic(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn the_agent_of_a_v1_trap_is_an_ipv4_address() {
        let receiver = SocketAddr::from(([127, 0, 0, 1], 162));
        assert_eq!(agent_address("", receiver).unwrap(), Ipv4Addr::LOCALHOST);
        assert_eq!(agent_address("192.0.2.7", receiver).unwrap(), Ipv4Addr::new(192, 0, 2, 7));
        agent_address("2001:db8::1", receiver).unwrap_err();
    }
}
