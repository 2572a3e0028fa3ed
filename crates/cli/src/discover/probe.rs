//! Asking many addresses who they are: a bounded number at once, at a bounded rate, with each of some credentials
//! until one is accepted.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hamsa_node::client::{Client, Ended, WaitError};
use hamsa_node::config::Credentials;
use hamsa_snmp::engine::Name;
use hamsa_snmp::manager::{GetMany, RequestError, TargetId, Timing};
use hamsa_snmp::message::Version;
use hamsa_snmp::{Oid, OwnedValue, VarBindBuf};

use crate::advice;
use crate::limits::MAX_PROBES;
use crate::options::Target;
use crate::session::target_config;

/// `sysDescr.0`, `sysObjectID.0`, `sysName.0` (RFC 3418) and `snmpEngineID.0` (RFC 3411): who somebody is.
const QUESTIONS: [&str; 4] = ["1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.5.0", "1.3.6.1.6.3.10.2.1.1.0"];

/// How to look.
#[derive(Debug, Clone)]
pub struct ProbeOptions {
    /// Where.
    pub addresses: Vec<SocketAddr>,
    /// In whose name, one after the other.
    pub credentials: Vec<Arc<Credentials>>,
    /// How long to wait for each.
    pub timing: Timing,
    /// Probes a second at most.
    pub rate: u32,
}

/// An agent that answered.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where.
    pub address: SocketAddr,
    /// To which credentials.
    pub credentials: Arc<Credentials>,
    /// How long its first answer took.
    pub round_trip: Duration,
    /// `sysDescr`.
    pub description: Option<String>,
    /// `sysObjectID`.
    pub object_id: Option<Oid>,
    /// `sysName`.
    pub name: Option<String>,
    /// `snmpEngineID`.
    pub engine_id: Option<Box<[u8]>>,
}

/// What a search has found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Agents, by address.
    pub found: BTreeMap<SocketAddr, Found>,
    /// Agents that took none of the credentials, and what they said.
    pub refused: BTreeMap<SocketAddr, String>,
    /// Whether it ended before all was looked at.
    pub is_interrupted: bool,
}

/// One address under way.
struct Probe {
    target: TargetId,
    address: SocketAddr,
    credentials: usize,
    get: GetMany,
    values: [Option<OwnedValue>; QUESTIONS.len()],
    round_trip: Option<Duration>,
    refusal: Option<String>,
}

/// Looks at every address. `progress` is told how many probes have ended, and how many agents are found.
///
/// # Errors
/// A socket can't be had, credentials can't be used.
pub fn search(
    client: &mut Client,
    options: &ProbeOptions,
    mut progress: impl FnMut(u64, usize),
) -> anyhow::Result<Outcome> {
    let mut search =
        Search { client, options, running: HashMap::new(), next_token: 0, done: 0, outcome: Outcome::default() };
    let gap = Duration::from_secs(1) / options.rate.max(1);
    let mut next_start = Instant::now();
    for credentials in 0..options.credentials.len() {
        let mut addresses = options.addresses.iter().copied().peekable();
        while addresses.peek().is_some() || !search.running.is_empty() {
            let now = Instant::now();
            // Not all that was missed while the machine was busy at once: that would be a burst.
            next_start = next_start.max(now.checked_sub(10 * gap).unwrap_or(now));
            while next_start <= now && search.running.len() < MAX_PROBES {
                let Some(address) = addresses.next() else { break };
                if search.start(address, credentials)? {
                    next_start += gap;
                }
            }
            let until = match addresses.peek() {
                Some(_) if search.running.len() < MAX_PROBES => next_start,
                _ => now + Duration::from_secs(1),
            };
            if let Err(error) = search.turn(until)? {
                return search.interrupted(error);
            }
            progress(search.done, search.outcome.found.len());
        }
    }
    Ok(search.outcome)
}

/// A search under way.
struct Search<'s> {
    client: &'s mut Client,
    options: &'s ProbeOptions,
    running: HashMap<u64, Probe>,
    next_token: u64,
    /// Probes that have ended.
    done: u64,
    outcome: Outcome,
}

impl Search<'_> {
    /// Asks an address, unless it is found already; whether it is asked.
    fn start(&mut self, address: SocketAddr, credentials: usize) -> anyhow::Result<bool> {
        if self.outcome.found.contains_key(&address) {
            self.done += 1;
            return Ok(false);
        }
        let target = Target {
            label: String::new(),
            address,
            credentials: self.options.credentials[credentials].clone(),
            context: Name::default(),
            context_engine_id: None,
            timing: self.options.timing,
        };
        let version = target.credentials.security.version();
        let mut names: Vec<Oid> = QUESTIONS.iter().map(|name| name.parse().expect("a constant")).collect();
        if version == Version::V1 {
            // Agents that speak only SNMPv1 have no engine, and fail the whole request for it.
            names.pop();
        }
        let mut probe = Probe {
            target: self.client.add_target(target_config(&target)?)?,
            address,
            credentials,
            get: GetMany::new(names, QUESTIONS.len()),
            values: Default::default(),
            round_trip: None,
            refusal: None,
        };
        let (kind, varbinds) = probe.get.next_request(VarBindBuf::new()).expect("there are questions");
        let token = self.next_token;
        self.next_token += 1;
        self.client.manager().submit(probe.target, kind, varbinds, token)?;
        self.running.insert(token, probe);
        Ok(true)
    }

    /// Waits for answers, and asks on where there is more to ask.
    fn turn(&mut self, until: Instant) -> anyhow::Result<Result<(), WaitError>> {
        let Search { client, running, .. } = self;
        let mut ended = Vec::new();
        let waited = client.turn(until, |end| match end {
            Ended::Completed(completion) => {
                if let Some(Probe { get, values, round_trip, .. }) = running.get_mut(&completion.token) {
                    round_trip.get_or_insert(completion.rtt);
                    get.handle_response(&completion.response, |i, variable| {
                        values[i] = Some(variable.value.to_owned())
                    });
                }
                ended.push((completion.token, Some(completion.varbinds)));
            }
            Ended::Failed(failure) => {
                if let Some(probe) = running.get_mut(&failure.token) {
                    probe.refusal = match &failure.error {
                        RequestError::Timeout { .. } => None,
                        RequestError::Report(statistic) => Some(advice::said(*statistic).to_owned()),
                        error => Some(error.to_string()),
                    };
                }
                ended.push((failure.token, None));
            }
        });
        if waited.is_err() {
            return Ok(waited);
        }
        for (token, varbinds) in ended {
            if self.ask_on(token, varbinds)? {
                continue;
            }
            if let Some(probe) = self.running.remove(&token) {
                self.client.manager().remove_target(probe.target);
                self.outcome.take(probe, self.options);
                self.done += 1;
            }
        }
        Ok(Ok(()))
    }

    /// Asks what is left to be asked; whether there was something.
    fn ask_on(&mut self, token: u64, varbinds: Option<VarBindBuf>) -> anyhow::Result<bool> {
        let (Some(probe), Some(varbinds)) = (self.running.get_mut(&token), varbinds) else { return Ok(false) };
        let Some((kind, varbinds)) = probe.get.next_request(varbinds) else { return Ok(false) };
        self.client.manager().submit(probe.target, kind, varbinds, token)?;
        Ok(true)
    }

    /// Those who have answered are found, even if not all of their answers are there.
    fn interrupted(self, error: WaitError) -> anyhow::Result<Outcome> {
        let Search { running, options, mut outcome, .. } = self;
        if !matches!(error, WaitError::Interrupted) {
            return Err(error.into());
        }
        running.into_values().for_each(|probe| outcome.take(probe, options));
        outcome.is_interrupted = true;
        Ok(outcome)
    }
}

impl Outcome {
    fn take(&mut self, probe: Probe, options: &ProbeOptions) {
        let Probe {
            address, credentials, values: [description, object_id, name, engine_id], round_trip, refusal, ..
        } = probe;
        let Some(round_trip) = round_trip else {
            if let Some(refusal) = refusal {
                self.refused.insert(address, refusal);
            }
            return;
        };
        self.refused.remove(&address);
        let text = |value| match value {
            Some(OwnedValue::OctetString(octets)) => {
                Some(String::from_utf8_lossy(&octets).trim().to_owned()).filter(|text| !text.is_empty())
            }
            _ => None,
        };
        let found = Found {
            address,
            credentials: options.credentials[credentials].clone(),
            round_trip,
            description: text(description),
            object_id: match object_id {
                Some(OwnedValue::ObjectIdentifier(oid)) => Some(oid),
                _ => None,
            },
            name: text(name),
            engine_id: match engine_id {
                Some(OwnedValue::OctetString(octets)) if octets.len() >= 5 => Some(octets),
                _ => None,
            },
        };
        self.found.insert(address, found);
    }
}
