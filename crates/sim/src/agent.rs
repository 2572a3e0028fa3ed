//! One simulated agent: an engine of its own before a device or recordings.
//!
//! The engine is put together when it is first needed, and again after each reboot, with one boot more: an
//! agent that nobody has asked takes some two hundred octets.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hamsa_snmp::agent::{CommandResponder, Instrumentation};
use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::{
    CommunityProcessing, CommunitySecurity, Engine, EngineId, EngineStats, EngineTime, MessageProcessing, Name,
    Received, Rejected, Statistic, V3Processing,
};
use hamsa_snmp::message::Version;
use hamsa_snmp::pdu::{AnyPdu, ErrorStatus, Pdu, PduKind};
use hamsa_snmp::usm::SaltSource;
use hamsa_snmp::varbind::VarBindList;

use crate::access::{SharedAccess, StartedClock};
use crate::clock::Epoch;
use crate::device::{Device, DeviceEvent};
use crate::fault::{Fault, Faults};
use crate::hold::Hold;
use crate::lie;
use crate::limits::MIN_AUTHENTICATION_FAILURE_INTERVAL;
use crate::link::Link;
use crate::noise::{self, Noise};
use crate::notification::{Sender, Trap, TrapKind};
use crate::recording::RecordedAgent;

/// Enterprise number for examples (RFC 5612).
const ENTERPRISE: u32 = 32473;

/// What all agents of a group share.
pub(crate) struct Group {
    pub(crate) access: SharedAccess,
    pub(crate) faults: Faults,
    pub(crate) link: Link,
    pub(crate) receivers: Vec<(SocketAddr, Sender)>,
    pub(crate) max_message_octets: usize,
    pub(crate) boots_at_start: u32,
    pub(crate) epoch: Epoch,
}

/// What an agent speaks for.
pub(crate) enum World {
    Device(Arc<Device>),
    /// By context name.
    Recordings {
        contexts: Vec<(Name, Arc<RecordedAgent>)>,
        hold: Arc<Hold>,
    },
}

/// One simulated agent.
pub struct SimAgent {
    address: SocketAddr,
    engine_id: EngineId,
    seed: u64,
    group: Arc<Group>,
    world: World,
    pub(crate) noise: Noise,
    running: Option<Box<Running>>,
    last_authentication_failure: Option<Instant>,
}

/// The engine between two boots.
struct Running {
    boots: u64,
    responder: CommandResponder,
}

/// Salts of one engine: its boots are in them, so that none comes twice for a key (RFC 3414 §8.1.1.1).
struct Salts(AtomicU64);

impl SaltSource for Salts {
    fn next_salt(&self) -> Result<u64, String> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// An answer that lies at the end of the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) length: usize,
    /// How long it is held back, the link left aside.
    pub(crate) after: Duration,
}

impl fmt::Debug for SimAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimAgent at {}", self.address)
    }
}

impl SimAgent {
    pub(crate) fn new(address: SocketAddr, seed: u64, group: Arc<Group>, world: World) -> Self {
        let engine_id = EngineId::assigned(ENTERPRISE, noise::at(seed, 0).to_be_bytes());
        SimAgent {
            address,
            engine_id,
            seed,
            group,
            world,
            noise: Noise::new(noise::at(seed, 1)),
            running: None,
            last_authentication_failure: None,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `snmpEngineID`.
    pub fn engine_id(&self) -> EngineId {
        self.engine_id
    }

    /// The generated device that it speaks for; `None` for recordings.
    pub fn device(&self) -> Option<&Device> {
        match &self.world {
            World::Device(device) => Some(device),
            World::Recordings { .. } => None,
        }
    }

    pub(crate) fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// Whether it can be reached: not while it boots.
    pub(crate) fn is_up(&self, now: Instant) -> bool {
        self.device().is_none_or(|device| device.uptime(now).is_some())
    }

    /// Takes a message in and puts the answer at the end of `buffer`. `None`: there is none.
    pub(crate) fn handle(&mut self, now: Instant, message: &mut [u8], buffer: &mut [u8]) -> Option<Answer> {
        if !self.is_up(now) {
            return None;
        }
        if let World::Recordings { hold, .. } = &self.world {
            hold.reset();
        }
        let is_v3 = Version::of(message).is_ok_and(|version| version == Version::V3);
        if is_v3 && self.group.faults.has(&Fault::WrongTimes) {
            // As if it had just booted once more.
            let boots = self.running.as_ref().map_or(0, |running| running.boots + 1);
            self.running = Some(Box::new(self.boot(now, boots)));
        }
        let group = self.group.clone();
        let length = respond(&self.running(now).responder, &group.faults, now, message, buffer)?;
        let after = match &self.world {
            World::Device(_) => Duration::ZERO,
            World::Recordings { hold, .. } => hold.get()?,
        };
        Some(Answer { length, after })
    }

    /// Counts of the engine since it booted; `None` if nobody has asked it yet.
    pub fn stats(&self) -> Option<&EngineStats> {
        self.running.as_ref().map(|running| &**running.responder.engine().stats())
    }

    /// How many messages with unknown communities have come; a notification may be due for a new one.
    pub(crate) fn authentication_failures(&self) -> u32 {
        self.stats().map_or(0, |stats| stats.get(Statistic::InBadCommunityNames))
    }

    /// Whether it may tell of an authentication failure, which it then does.
    pub(crate) fn may_tell_failure(&mut self, now: Instant) -> bool {
        let last = self.last_authentication_failure;
        let may = last.is_none_or(|last| now.saturating_duration_since(last) >= MIN_AUTHENTICATION_FAILURE_INTERVAL);
        if may {
            self.last_authentication_failure = Some(now);
        }
        may
    }

    /// Puts a notification at the end of `buffer`; how many octets it has. `None`: it can't be sent.
    pub(crate) fn notify(&mut self, now: Instant, event: Event, receiver: usize, buffer: &mut [u8]) -> Option<usize> {
        let (kind, variables) = match (event, self.device()) {
            (Event::AuthenticationFailure, _) => (TrapKind::AuthenticationFailure, Vec::new()),
            (Event::Device(DeviceEvent::ColdStart), _) => (TrapKind::ColdStart, Vec::new()),
            (Event::Device(DeviceEvent::LinkDown(index)), Some(device)) => {
                (TrapKind::LinkDown, device.link_variables(now, index))
            }
            (Event::Device(DeviceEvent::LinkUp(index)), Some(device)) => {
                (TrapKind::LinkUp, device.link_variables(now, index))
            }
            (Event::Device(_), None) => return None,
        };
        let uptime_ticks = match self.device() {
            Some(device) => device.uptime_ticks(now),
            None => (self.group.epoch.elapsed(now).as_millis() / 10) as u32,
        };
        let id = self.noise.below(i32::MAX as u64) as i32;
        let group = self.group.clone();
        let (_, sender) = group.receivers.get(receiver)?;
        let engine = self.running(now).responder.engine();
        let mut writer = Writer::new(buffer);
        Trap { kind, uptime_ticks, variables: &variables, id }.write(now, engine, sender, &mut writer).ok()?;
        Some(writer.finish().ok()?.len())
    }

    /// The engine, booted anew if the device was. No boot is ever undone, though `now` may be the earlier time
    /// of an event: salts would come twice.
    fn running(&mut self, now: Instant) -> &Running {
        let boots = self.device().map_or(0, |device| device.boots(now));
        if self.running.as_ref().is_none_or(|running| running.boots < boots) {
            self.running = Some(Box::new(self.boot(now, boots)));
        }
        self.running.as_ref().expect("booted")
    }

    fn boot(&self, now: Instant, boots: u64) -> Running {
        let Group { access, faults, boots_at_start, epoch, .. } = &*self.group;
        let stats = Arc::new(EngineStats::default());
        let mut engine = Engine::new(self.engine_id, stats.clone());
        let models: [Arc<dyn MessageProcessing>; 3] =
            [Arc::new(CommunityProcessing::V1), Arc::new(CommunityProcessing::V2C), Arc::new(V3Processing)];
        models
            .into_iter()
            .filter(|model| access.versions.has(model.version()))
            .for_each(|model| engine.install_message_processing(model));
        let communities = &access.communities;
        engine.install_security(Arc::new(CommunitySecurity::v1(communities.clone(), stats.clone())));
        engine.install_security(Arc::new(CommunitySecurity::v2c(communities.clone(), stats.clone())));
        if access.versions.v3 {
            let uptime = match &self.world {
                World::Device(device) => device.uptime(now).unwrap_or_default(),
                World::Recordings { .. } => epoch.elapsed(now),
            };
            // RFC 3414 §2.2.2: boots stop at the top, and the engine with them.
            let boots = (u64::from(*boots_at_start) + boots).min(i32::MAX as u64) as u32;
            let time = EngineTime { boots, time: (uptime.as_secs() % (1 << 31)) as u32 };
            let salts = Arc::new(Salts(AtomicU64::new(u64::from(boots) << 32)));
            let clock = StartedClock { time, started: now };
            engine.install_security(Arc::new(access.usm(self.engine_id, clock, stats, salts)));
        }
        let mut responder = CommandResponder::without_contexts(Arc::new(engine), access.control.clone());
        let tell = |truth: Arc<dyn Instrumentation>| lie::tell(truth, faults, self.seed);
        match &self.world {
            World::Device(device) => responder = responder.with_context(Name::default(), tell(device.clone())),
            World::Recordings { contexts, .. } => {
                for (name, recorded) in contexts {
                    responder = responder.with_context(name.clone(), tell(recorded.clone()));
                }
            }
        }
        Running { boots, responder }
    }
}

/// Something that an agent tells.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    Device(DeviceEvent),
    AuthenticationFailure,
}

/// Answers as the responder would, but for the lies about whole responses.
fn respond(
    responder: &CommandResponder,
    faults: &Faults,
    now: Instant,
    message: &mut [u8],
    buffer: &mut [u8],
) -> Option<usize> {
    let mut report = Writer::new(buffer);
    let mut received = match responder.engine().receive(now, message, &mut report) {
        Ok(received) => received,
        Err(Rejected { has_report: true, .. }) => return Some(report.finish().ok()?.len()),
        Err(_) => return None,
    };
    let Received { envelope, pdu: AnyPdu::Pdu(pdu) } = &mut received else { return None };
    if !pdu.kind.is_command() {
        return None;
    }
    if faults.has(&Fault::WrongRequestId) {
        pdu.request_id ^= 0x0101;
    }
    let mut bare = Pdu::new(PduKind::Response, pdu.request_id, VarBindList::default());
    if faults.has(&Fault::TooBig) {
        bare.field1 = ErrorStatus::TOO_BIG.0;
    } else if !faults.has(&Fault::EmptyResponse) {
        return responder.respond(now, &received, buffer);
    }
    let mut writer = Writer::new(buffer);
    responder.engine().respond(now, envelope, &bare, &mut writer).ok()?;
    Some(writer.finish().ok()?.len())
}
