//! Who asks: a [`Manager`] behind a socket, with so many requests under way at all times. Every answer must have the names
//! that the first one had.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use hamsa_bench_rounds::{Principal, wait_for_datagram};
use hamsa_node::net::{Arrival, UdpBatch, UdpOptions};
use hamsa_snmp::engine::{EngineId, EngineTime, Name};
use hamsa_snmp::manager::{Handled, Manager, RequestKind, TargetConfig, TargetId, Timing};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::pdu::{Bulk, ErrorStatus};
use hamsa_snmp::{Oid, VarBindBuf, VarBindList};
use hamsa_testkit::{Snmpd, User};

use crate::limits::{BUFFER_OCTETS, RECEIVE_BUFFER_OCTETS, REPETITIONS, RETRIES, ROUND_LIMIT, TIMEOUT};

/// `ifIndex`, ifTable's first column: the walk begins with all rows of the first columns, which both agents have.
const IF_INDEX: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 1];

const BULK: RequestKind = RequestKind::GetBulk(Bulk { non_repeaters: 0, max_repetitions: REPETITIONS });

/// Makes identifiers; what they are does not matter here.
const SEED: [u8; 32] = [7; 32];

/// How requests are secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// SNMPv2c.
    V2c,
    /// SNMPv3, SHA-256 and AES-128.
    V3,
}

impl Security {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Security::V2c => "v2c",
            Security::V3 => "v3 authPriv",
        }
    }
}

/// Asks one agent.
pub(crate) struct Client {
    manager: Manager,
    target: TargetId,
    socket: UdpBatch,
    buffer: Vec<u8>,
    question: VarBindBuf,
    /// The names of the first answer.
    names: Vec<Oid>,
}

impl Client {
    /// Asks once, so that the engine is discovered and keys are made.
    pub(crate) fn new(address: SocketAddr, security: Security, outstanding: u8, user: &User) -> anyhow::Result<Self> {
        let principal = principal(user)?;
        let id = EngineId::assigned(32_473, *b"manager.");
        let engine = principal.engine(id, EngineTime { boots: 1, time: 0 }, Instant::now());
        let mut manager = Manager::new(Arc::new(engine.map_err(anyhow::Error::from_boxed)?), SEED);
        let (version, level) = match security {
            Security::V2c => (Version::V2c, SecurityLevel::NoAuthNoPriv),
            Security::V3 => (Version::V3, SecurityLevel::AuthPriv),
        };
        let target = manager.add_target(TargetConfig {
            address,
            version,
            security_name: Name::new(principal.name)?,
            level,
            context_name: Name::default(),
            context_engine_id: None,
            engine_id: None,
            timing: Timing::fixed(TIMEOUT, RETRIES),
            max_outstanding: outstanding,
        });
        let options = UdpOptions { receive_buffer_bytes: RECEIVE_BUFFER_OCTETS, local_addresses: false };
        let socket = UdpBatch::bind("127.0.0.1:0".parse()?, options)?;
        let question = VarBindBuf::of_names([Oid::from_arcs(IF_INDEX)?.as_oid()]);
        let buffer = vec![0; BUFFER_OCTETS];
        let mut client = Client { manager, target, socket, buffer, question, names: Vec::new() };
        client.ask(1, 1)?;
        ensure!(client.names.len() == REPETITIONS as usize, "an answer has {} variables", client.names.len());
        Ok(client)
    }

    /// The names of every answer.
    pub(crate) fn names(&self) -> &[Oid] {
        &self.names
    }

    /// How often anything was asked again, because no answer came in time.
    pub(crate) fn again(&self) -> u64 {
        self.manager.stats().retransmitted
    }

    /// Asks so often, with so many requests under way until the last has been sent.
    pub(crate) fn ask(&mut self, requests: u32, outstanding: u8) -> anyhow::Result<()> {
        let end = Instant::now() + ROUND_LIMIT;
        let mut left = requests;
        for _ in 0..requests.min(outstanding.into()) {
            self.manager.submit(self.target, BULK, self.question.clone(), 0)?;
            left -= 1;
        }
        loop {
            let mut now = Instant::now();
            ensure!(now < end, "not done after {} s", ROUND_LIMIT.as_secs());
            let (manager, names, target) = (&mut self.manager, &mut self.names, self.target);
            let mut done = Ok(());
            self.socket.receive(|Arrival { from, datagram, .. }| {
                if done.is_ok() {
                    done = take(manager, target, (from, datagram), now, names, &mut left);
                }
            })?;
            done?;
            if self.manager.pending() == 0 {
                return Ok(());
            }
            now = Instant::now();
            self.manager.handle_timeout(now);
            if let Some(failure) = self.manager.poll_failure() {
                bail!("a request failed: {}", failure.error);
            }
            while let Some(transmit) = self.manager.poll_transmit(now, &mut self.buffer) {
                self.socket.queue(transmit.address, None, &self.buffer[self.buffer.len() - transmit.length..]);
            }
            self.socket.flush();
            wait_for_datagram(&self.socket, self.manager.poll_timeout(), now)?;
        }
    }
}

/// Takes a datagram; asks anew in the place of a request that is answered, while any are left.
fn take(
    manager: &mut Manager,
    target: TargetId,
    (from, datagram): (SocketAddr, &mut [u8]),
    now: Instant,
    names: &mut Vec<Oid>,
    left: &mut u32,
) -> anyhow::Result<()> {
    let Handled::Completed(completion) = manager.handle_datagram(now, from, datagram) else { return Ok(()) };
    let response = completion.response;
    ensure!(response.field1 == ErrorStatus::NO_ERROR.0, "an agent answers {}", ErrorStatus(response.field1));
    check(response.varbinds, names)?;
    let question = completion.varbinds;
    if *left > 0 {
        *left -= 1;
        manager.submit(target, BULK, question, 0).context("cannot ask")?;
    }
    Ok(())
}

fn check(varbinds: VarBindList<'_>, names: &mut Vec<Oid>) -> anyhow::Result<()> {
    if names.is_empty() {
        names.extend(varbinds.iter().map(|varbind| varbind.name.to_owned()));
    }
    let is_same = varbinds.iter().map(|varbind| varbind.name).eq(names.iter().map(Oid::as_oid));
    ensure!(is_same, "an answer has other names than the first: {varbinds:?}");
    ensure!(!varbinds.iter().any(|varbind| varbind.value.is_exception()), "an answer has an exception");
    Ok(())
}

/// Who asks: the community and the user that both agents know.
fn principal(user: &User) -> anyhow::Result<Principal<'_>> {
    let ((_, auth_password), (_, priv_password)) = user.auth.zip(user.privacy).context("the user has keys")?;
    Ok(Principal { name: &user.name, community: Snmpd::READ_COMMUNITY, auth_password, priv_password })
}
