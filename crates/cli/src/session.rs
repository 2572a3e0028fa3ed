//! An SNMP engine for one command, and its conversation with one agent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context;
use hamsa_node::client::{self, AskError, Client, ClientOptions};
use hamsa_node::config::{Credentials, Security};
use hamsa_snmp::VarBindBuf;
use hamsa_snmp::engine::{CommunityTable, Engine, EngineId, EngineStats, EngineTime};
use hamsa_snmp::manager::{RequestKind, TargetConfig, TargetId};
use hamsa_snmp::message::Version;
use hamsa_snmp::pdu::Pdu;
use hamsa_snmp::usm::{SaltSource, Usm, UsmUsers};

use crate::advice;
use crate::failure::usage;
use crate::options::Target;
use crate::terminal::{self, tell};

/// Salts that start at a random place. Sixty-four random bits are what a process without memory of the one before can
/// do (RFC 3826 §3.1.2.1): two of a million messages get the same with a chance of one in ten million.
struct RandomSalts(AtomicU64);

impl SaltSource for RandomSalts {
    fn next_salt(&self) -> Result<u64, String> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// An engine that knows these credentials, with the engine ID and time that its own messages tell.
///
/// # Errors
/// The credentials can't be used: a password too short, a name too long.
pub fn engine<'c>(
    id: EngineId,
    time: EngineTime,
    credentials: impl IntoIterator<Item = &'c Credentials>,
) -> anyhow::Result<Arc<Engine>> {
    let stats = Arc::new(EngineStats::default());
    let communities = Arc::new(CommunityTable::new());
    let users = Arc::new(UsmUsers::new(id, time, Instant::now()));
    for credentials in credentials {
        credentials.install(&communities, &users).map_err(|error| usage(error.source.to_string()))?;
    }
    let salts = RandomSalts(AtomicU64::new(u64::from_be_bytes(random()?)));
    let usm = Usm::new(users, stats.clone(), Arc::new(salts));
    Ok(Arc::new(Engine::with_communities(id, stats, communities).with_v3(Arc::new(usm))))
}

/// Random octets.
///
/// # Errors
/// The system has none.
pub fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).context("the system gives no random octets")?;
    Ok(octets)
}

/// The requests of a target, for a [`Client`].
///
/// # Errors
/// The credentials' name is too long.
pub fn target_config(target: &Target) -> anyhow::Result<TargetConfig> {
    let engine_id = match &target.credentials.security {
        Security::V3(user) => user.engine_id,
        Security::V1(_) | Security::V2c(_) => None,
    };
    Ok(TargetConfig {
        address: target.address,
        version: target.credentials.security.version(),
        security_name: target.credentials.security_name()?,
        level: target.credentials.level(),
        context_name: target.context.clone(),
        context_engine_id: target.context_engine_id,
        engine_id,
        timing: target.timing,
        max_outstanding: 1,
    })
}

/// A conversation with one agent.
pub struct Session {
    target: Target,
    client: Client,
    id: TargetId,
    stop: Arc<AtomicBool>,
    spare: VarBindBuf,
    verbose: bool,
}

impl Session {
    /// Makes ready; nothing is sent yet.
    ///
    /// # Errors
    /// The credentials can't be used, there is no route or no socket.
    pub fn open(target: Target, receive_buffer_bytes: usize, verbose: bool) -> anyhow::Result<Self> {
        // A manager is authoritative for nothing it sends, so its own ID and time are never seen (RFC 3414 §1.5.1).
        let id = EngineId::assigned(hamsa_node::limits::ENTERPRISE, random()?);
        let engine = engine(id, EngineTime { boots: 1, time: 0 }, [&*target.credentials])?;
        check_route(target.address)?;
        let stop = terminal::stop_flag()?;
        let options = ClientOptions { seed: random()?, receive_buffer_bytes, stop: stop.clone() };
        let mut client = Client::new(engine, options);
        let id = client.add_target(target_config(&target)?)?;
        Ok(Session { target, client, id, stop, spare: VarBindBuf::new(), verbose })
    }

    /// The version that is spoken.
    pub fn version(&self) -> Version {
        self.target.credentials.security.version()
    }

    /// Whether the user wants the command to end.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// A list of variables to fill, whose memory was used before.
    pub fn spare(&mut self) -> VarBindBuf {
        let mut spare = std::mem::take(&mut self.spare);
        spare.clear();
        spare
    }

    /// Asks and waits. `take` sees the answer, whatever its error-status.
    ///
    /// # Errors
    /// No answer.
    pub fn try_ask<T>(
        &mut self,
        kind: RequestKind,
        varbinds: VarBindBuf,
        take: impl FnMut(&Pdu<'_>) -> T,
    ) -> Result<T, AskError> {
        let (taken, spare) = self.client.ask(self.id, kind, varbinds, take)?;
        self.spare = spare;
        Ok(taken)
    }

    /// The same, with an error that says what to do.
    ///
    /// # Errors
    /// No answer.
    pub fn ask<T>(
        &mut self,
        kind: RequestKind,
        varbinds: VarBindBuf,
        take: impl FnMut(&Pdu<'_>) -> T,
    ) -> anyhow::Result<T> {
        self.try_ask(kind, varbinds, take).map_err(|error| self.explain(error))
    }

    /// What an error means for the user.
    pub fn explain(&self, error: AskError) -> anyhow::Error {
        advice::explain(&self.target, error)
    }

    /// Tells, if that is wanted, how the conversation went. Never a secret.
    pub fn report(&mut self) {
        if !self.verbose {
            return;
        }
        let engine = self.client.manager().engine_of(self.id);
        let rtt = self.client.manager().rtt_of(self.id);
        let stats = self.client.manager().stats();
        let Target { address, credentials, .. } = &self.target;
        let mut line = format!("{address}: {}", advice::speaker(credentials));
        if let Some(engine) = engine {
            line.push_str(&format!(", engine {engine}"));
        }
        line.push_str(&format!(
            ", {} messages sent, {} again, {} answers",
            stats.sent, stats.retransmitted, stats.completed
        ));
        if let Some(rtt) = rtt {
            line.push_str(&format!(", round trip {:.1} ms", rtt.as_secs_f64() * 1000.0));
        }
        tell(&line);
    }
}

/// Sees whether datagrams can leave for an address at all, instead of waiting for answers to none.
///
/// # Errors
/// They can't.
pub fn check_route(address: SocketAddr) -> anyhow::Result<()> {
    client::local_address_towards(address).map(drop).with_context(|| format!("nothing can be sent to {address}"))
}
