//! Ours: [`Manager`] alone, and the whole [`Poller`] that walks a table. The loop around them is the daemon's: take
//! a batch, do what is due, send a batch, wait where nothing is left to do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hamsa_bench_rounds::wait_for_datagram;
use hamsa_node::net::{Arrival, UdpBatch, UdpOptions};
use hamsa_snmp::engine::Name;
use hamsa_snmp::manager::{
    DeviceId, Handled, Job as PollJob, Manager, PollOutcome, PollPlan, PollRef, PollResult, PollSink, Poller,
    RequestKind, SampleTime, TargetConfig, TargetId, Timing, Transmit,
};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::pdu::Bulk;
use hamsa_snmp::{Oid, OidSuffix, Value, VarBindBuf, VarBindList};

use crate::engine::{engine, security_name};
use crate::limits::{BUFFER_OCTETS, RECEIVE_BUFFER_OCTETS, RETRIES, TIMEOUT};
use crate::workload::{COLUMN, ENTRY, Job, Meter, REPETITIONS, Rotation, Security, Taken, share};

/// Far beyond the end of a run: polls start when they are asked for.
const INTERVAL: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Makes identifiers; what they are does not matter here.
const SEED: [u8; 32] = [7; 32];

const BULK: RequestKind = RequestKind::GetBulk(Bulk { non_repeaters: 0, max_repetitions: REPETITIONS });

/// What the loop drives.
trait Requester {
    /// Takes a datagram.
    fn take(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) -> anyhow::Result<()>;

    /// Does what is due.
    fn act(&mut self, now: Instant) -> anyhow::Result<()>;

    fn transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit>;

    fn due(&mut self) -> Option<Instant>;

    fn meter(&self) -> &Meter;
}

/// GETBULKs by the manager.
pub(crate) fn run_manager(job: Job) -> anyhow::Result<Taken> {
    let mut manager = Manager::new(engine(*b"manager.")?, SEED);
    let targets = targets(job)?.into_iter().map(|target| manager.add_target(target));
    let rotation = Rotation::new(targets.collect::<Vec<_>>());
    let column = Oid::from_arcs(&[ENTRY, &[COLUMN]].concat())?;
    let varbinds = VarBindBuf::of_names([column.as_oid()]);
    let entry = Oid::from_arcs(ENTRY)?;
    let mut requester = ByManager { manager, rotation, varbinds, entry, meter: Meter::new(job.requests) };
    for target in requester.rotation.first() {
        requester.manager.submit(target, BULK, requester.varbinds.clone(), 0)?;
    }
    drive(requester)
}

/// Polls of a table by the poller.
pub(crate) fn run_poller(job: Job) -> anyhow::Result<Taken> {
    let now = Instant::now();
    let column = Oid::from_arcs(&[ENTRY, &[COLUMN]].concat())?;
    let plan = Arc::new(PollPlan { tables: vec![vec![column]], ..PollPlan::default() });
    let mut poller = Poller::new(engine(*b"manager.")?, SEED);
    let mut devices = Vec::new();
    for (owner, target) in (0..).zip(targets(job)?) {
        let jobs = vec![PollJob { plan: plan.clone(), interval: INTERVAL }];
        devices.push(poller.add_device(now, target, owner, jobs));
    }
    let mut rotation = Rotation::new(0..devices.len());
    rotation.first().into_iter().for_each(|device| poller.poll_at(now, devices[device]));
    let found = Found { meter: Meter::new(job.requests), sum: 0, ended: Vec::new(), failure: None };
    drive(ByPoller { poller, devices, rotation, found })
}

fn drive(mut requester: impl Requester) -> anyhow::Result<Taken> {
    let options = UdpOptions { receive_buffer_bytes: RECEIVE_BUFFER_OCTETS, local_addresses: false };
    let mut socket = UdpBatch::bind("127.0.0.1:0".parse()?, options)?;
    let mut buffer = vec![0; BUFFER_OCTETS];
    while !requester.meter().is_done() {
        let mut now = Instant::now();
        requester.meter().check_time(now)?;
        let mut failure = Ok(());
        socket.receive(|Arrival { from, datagram, .. }| {
            if failure.is_ok() {
                failure = requester.take(now, from, datagram);
            }
        })?;
        failure?;
        now = Instant::now();
        requester.act(now)?;
        while let Some(transmit) = requester.transmit(now, &mut buffer) {
            socket.queue(transmit.address, None, &buffer[buffer.len() - transmit.length..]);
        }
        socket.flush();
        wait_for_datagram(&socket, requester.due(), now)?;
    }
    requester.meter().taken()
}

fn targets(job: Job) -> anyhow::Result<Vec<TargetConfig>> {
    let (version, level) = match job.security {
        Security::V2c => (Version::V2c, SecurityLevel::NoAuthNoPriv),
        Security::V3 => (Version::V3, SecurityLevel::AuthPriv),
    };
    let security_name = security_name()?;
    let target = |address| TargetConfig {
        address,
        version,
        security_name: security_name.clone(),
        level,
        context_name: Name::default(),
        context_engine_id: None,
        engine_id: None,
        timing: Timing::fixed(TIMEOUT, RETRIES),
        max_outstanding: 1,
    };
    Ok(job.addresses().map(target).collect())
}

struct ByManager {
    manager: Manager,
    rotation: Rotation<TargetId>,
    varbinds: VarBindBuf,
    entry: Oid,
    meter: Meter,
}

impl ByManager {
    fn ask_after(&mut self, answered: TargetId, varbinds: VarBindBuf) -> anyhow::Result<()> {
        let next = self.rotation.after(answered);
        self.manager.submit(next, BULK, varbinds, 0).context("cannot ask")?;
        Ok(())
    }
}

impl Requester for ByManager {
    fn take(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) -> anyhow::Result<()> {
        if let Handled::Completed(completion) = self.manager.handle_datagram(now, from, datagram) {
            self.meter.answered(sum(&self.entry, completion.response.varbinds)?)?;
            let (target, varbinds) = (completion.target, completion.varbinds);
            self.ask_after(target, varbinds)?;
        }
        Ok(())
    }

    fn act(&mut self, now: Instant) -> anyhow::Result<()> {
        self.manager.handle_timeout(now);
        while let Some(failure) = self.manager.poll_failure() {
            self.meter.failed(failure.error)?;
            self.ask_after(failure.target, failure.varbinds)?;
        }
        Ok(())
    }

    fn transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        self.manager.poll_transmit(now, buffer)
    }

    fn due(&mut self) -> Option<Instant> {
        self.manager.poll_timeout()
    }

    fn meter(&self) -> &Meter {
        &self.meter
    }
}

fn sum(entry: &Oid, varbinds: VarBindList<'_>) -> anyhow::Result<u64> {
    let mut sum = 0u64;
    for varbind in varbinds {
        let mut below = varbind.name.strip_prefix(entry.as_oid()).context("another table")?.arcs();
        let (Some(column), Some(row), Value::Counter64(value)) = (below.next(), below.next(), varbind.value) else {
            bail!("not a counter: {varbind:?}");
        };
        sum = sum.wrapping_add(share(column, row, value));
    }
    Ok(sum)
}

struct ByPoller {
    poller: Poller,
    devices: Vec<DeviceId>,
    rotation: Rotation<usize>,
    found: Found,
}

/// What polls have found.
struct Found {
    meter: Meter,
    /// Of the present datagram: it ends one poll at most.
    sum: u64,
    ended: Vec<usize>,
    failure: Option<anyhow::Error>,
}

impl PollSink for Found {
    fn scalar(&mut self, _: PollRef, _: usize, _: Value<'_>, _: SampleTime) {}

    fn cell(&mut self, _: PollRef, _: (usize, usize), row: OidSuffix<'_>, value: Value<'_>, _: SampleTime) {
        if let (Some(row), Value::Counter64(value)) = (row.arcs().next(), value) {
            self.sum = self.sum.wrapping_add(share(COLUMN, row, value));
        }
    }

    fn finished(&mut self, poll: PollRef, outcome: PollOutcome) {
        let counted = match outcome.result {
            PollResult::Complete if outcome.requests == 1 => self.meter.answered(std::mem::take(&mut self.sum)),
            PollResult::Complete => Err(anyhow::anyhow!("a poll took {} requests", outcome.requests)),
            other => self.meter.failed(format!("{other:?}")),
        };
        if let Err(error) = counted {
            self.failure = Some(error);
        }
        self.ended.push(poll.owner as usize);
    }

    fn missed(&mut self, _: PollRef) {}
}

impl ByPoller {
    /// Polls others in the place of those that are done.
    fn go_on(&mut self, now: Instant) -> anyhow::Result<()> {
        for device in self.found.ended.drain(..) {
            self.poller.poll_at(now, self.devices[self.rotation.after(device)]);
        }
        self.found.failure.take().map_or(Ok(()), Err)
    }
}

impl Requester for ByPoller {
    fn take(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) -> anyhow::Result<()> {
        self.found.sum = 0;
        self.poller.handle_datagram(now, from, datagram, &mut self.found);
        self.go_on(now)
    }

    fn act(&mut self, now: Instant) -> anyhow::Result<()> {
        self.poller.handle_timeout(now, &mut self.found);
        self.go_on(now)
    }

    fn transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        self.poller.poll_transmit(now, buffer)
    }

    fn due(&mut self) -> Option<Instant> {
        self.poller.poll_timeout()
    }

    fn meter(&self) -> &Meter {
        &self.found.meter
    }
}
