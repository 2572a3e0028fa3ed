//! What `hamsa trap` and `hamsa inform` share: their options, and what a notification is made of.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use hamsa_snmp::engine::{EngineId, EngineTime};
use hamsa_snmp::notification::Notification;
use hamsa_snmp::{Oid, VarBindBuf};
use sha2::{Digest, Sha256};

use crate::failure::usage;
use crate::options::{
    ConfigOptions, CredentialOptions, LazyMib, MibOptions, TRAP_PORT, Target, TargetOptions, TimingOptions,
};
use crate::set::read_bindings;

/// When the time of our engine began: 2020-01-01T00:00:00Z, in seconds of Unix time.
const ENGINE_EPOCH: u64 = 1_577_836_800;

/// Options of a command that sends a notification.
#[derive(Debug, Args)]
pub struct NotifyOptions {
    /// RECEIVER (HOST, HOST:PORT or udp6:HOST:PORT; the port is 162 if none is given), and what the usage says after it
    #[arg(value_name = "ARGUMENT", allow_negative_numbers = true)]
    pub arguments: Vec<String>,
    /// Tell on standard error what was sent
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

impl NotifyOptions {
    /// To whom, and the arguments that follow.
    ///
    /// # Errors
    /// The arguments are wrong.
    pub fn target(&self) -> anyhow::Result<(Target, &[String])> {
        let NotifyOptions { arguments, credentials, config, timing, .. } = self;
        if config.device.is_some() {
            return Err(usage("--device names an agent to ask, not a receiver: use --credentials"));
        }
        Target::find(arguments, TargetOptions { credentials, config, timing, default_port: TRAP_PORT })
    }
}

/// A notification from `UPTIME TRAP-OID [OID TYPE VALUE]...`.
///
/// # Errors
/// The arguments are wrong.
pub fn read_notification(arguments: &[String], mib: &LazyMib, is_inform: bool) -> anyhow::Result<Notification> {
    let [uptime, trap_oid, bindings @ ..] = arguments else {
        return Err(usage("after RECEIVER come UPTIME ('' for this host's) and TRAP-OID, then OID TYPE VALUE ..."));
    };
    Ok(Notification {
        trap_oid: mib.resolve(trap_oid)?,
        uptime_ticks: read_uptime(uptime)?,
        agent_address: None,
        enterprise: None,
        varbinds: read_bindings(bindings, mib)?,
        is_inform,
    })
}

/// Hundredths of a second; of this host where the text is empty.
///
/// # Errors
/// Neither a number nor empty.
pub fn read_uptime(text: &str) -> anyhow::Result<u32> {
    if !text.is_empty() {
        return text.parse().map_err(|_| usage(format!("UPTIME {text:?}: a number of hundredths of a second, or ''")));
    }
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds: f64 = uptime.split_whitespace().next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0.0);
    // sysUpTime wraps after 497 days.
    Ok((seconds * 100.0) as u64 as u32)
}

/// The engine ID of the notifications of this host: always the same, since receivers know users by it. Made from the
/// machine's ID, which is not to be shown as it is (machine-id(5)), or else from the host's name.
pub fn own_engine_id() -> EngineId {
    let machine = ["/etc/machine-id", "/var/lib/dbus/machine-id", "/proc/sys/kernel/hostname"];
    let contents = machine.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    let identity = contents.map(|text| text.trim().to_owned()).find(|text| !text.is_empty()).unwrap_or_default();
    engine_id_of(&identity)
}

fn engine_id_of(identity: &str) -> EngineId {
    let digest = Sha256::digest(format!("hamsa notification originator\n{identity}"));
    let octets = std::array::from_fn(|i| digest[i]);
    EngineId::assigned(hamsa_node::limits::ENTERPRISE, octets)
}

/// Boots and time of our engine. Receivers take a trap only if neither went back since the one before (RFC 3414
/// §3.2 (7)), and this command remembers nothing: so it has booted once, in 2020, and its time is the clock's. That
/// lasts until 2088. A clock that was ahead once is made up for by `-Z 2,0`.
pub fn own_time() -> EngineTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let time = now.saturating_sub(ENGINE_EPOCH).min(i32::MAX as u64);
    EngineTime { boots: 1, time: time as u32 }
}

/// `BOOTS,TIME`, net-snmp's `-Z`.
pub fn parse_engine_time(text: &str) -> Result<EngineTime, String> {
    let number = |text: &str| text.trim().parse().ok().filter(|&number: &u32| number <= i32::MAX as u32);
    let (boots, time) = text.split_once(',').ok_or("use BOOTS,TIME")?;
    match (number(boots), number(time)) {
        (Some(boots), Some(time)) => Ok(EngineTime { boots, time }),
        _ => Err(format!("two numbers up to {}", i32::MAX)),
    }
}

/// Variables and name of a notification, for those who want to know what was sent.
pub fn description(mib: &LazyMib, trap_oid: &Oid, varbinds: &VarBindBuf) -> String {
    format!("{} with {} variables", mib.name(trap_oid.as_oid()), varbinds.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_id_is_stable_and_tells_nothing() {
        assert_eq!(own_engine_id(), own_engine_id());
        let id = engine_id_of("0123456789abcdef0123456789abcdef");
        assert_eq!(id.as_octets().len(), 13);
        assert!(id.to_string().starts_with("80007ed905"), "{id}");
        assert!(!id.to_string().contains("0123"));
        assert_ne!(id, engine_id_of("another"));
    }

    #[test]
    fn time_goes_on() {
        let (first, second) = (own_time(), own_time());
        assert!(first.boots == 1 && first.time <= second.time && first.time > 150_000_000);
        assert_eq!(parse_engine_time("2, 77"), Ok(EngineTime { boots: 2, time: 77 }));
        for wrong in ["", "1", "1,", "a,b", "-1,5", "2147483648,0"] {
            parse_engine_time(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn uptimes_are_ticks_or_the_hosts() {
        assert_eq!(read_uptime("4294967295").unwrap(), u32::MAX);
        read_uptime("").unwrap();
        for wrong in ["x", "-1", "4294967296", "1.5"] {
            read_uptime(wrong).expect_err(wrong);
        }
    }
}
