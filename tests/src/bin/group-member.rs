//! A member of groups for tests with real engines; see `hamsa_testkit::group`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use hamsa_group::{
    EngineEvent, EnginePort, EngineSendError, Event, GroupEngine, GroupName, Groups, JoinOptions, Member, Options,
    PortNews, StateVersion,
};
use hamsa_group_embedded::{Embedded, EmbeddedOptions};
use hamsa_sim::groups::{Record, What};
use hamsa_testkit::group::{EnginePlan, MemberPlan, machine_time};
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until};

/// Between two attempts to have the engine.
const RETRY: Duration = Duration::from_millis(50);

/// Octets of the longest message that all engines take.
const MAX_ENGINE_MESSAGE_BYTES: usize = 1 << 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let plan = std::env::args().nth(1).context("give a plan, in JSON")?;
    let plan: MemberPlan = serde_json::from_str(&plan).context("the plan")?;
    Running::begin(plan)?.run().await
}

/// An engine of some kind.
enum Engine {
    Embedded(Embedded),
}

impl Engine {
    fn new(plan: &MemberPlan) -> Self {
        match &plan.engine {
            EnginePlan::Embedded { socket, cluster } => Engine::Embedded(Embedded::new(EmbeddedOptions {
                socket: socket.clone(),
                cluster: cluster.clone(),
                node: plan.node,
                allow_faults: true,
            })),
        }
    }

    async fn connect(&mut self) -> anyhow::Result<EnginePort> {
        match self {
            Engine::Embedded(embedded) => Ok(embedded.connect().await?),
        }
    }

    /// Connects whenever that is wanted, as often as it takes: the engine may be what a test has ended.
    async fn keep(mut self, mut wanted: mpsc::Receiver<()>, ports: mpsc::Sender<EnginePort>) {
        while wanted.recv().await.is_some() {
            let port = loop {
                match self.connect().await {
                    Ok(port) => break port,
                    Err(_) => sleep(RETRY).await,
                }
            };
            if ports.send(port).await.is_err() {
                return;
            }
        }
    }
}

/// What a user of a group keeps: the set of all messages that it was given, by the numbers that name them.
#[derive(Default)]
struct User {
    has_state: bool,
    state: BTreeSet<u64>,
    /// Of the set's members: the same in whatever order they came.
    sum: u64,
    version: Option<StateVersion>,
}

impl User {
    fn add(&mut self, content: u64) {
        if self.state.insert(content) {
            self.sum = self.sum.wrapping_add(content.wrapping_mul(content | 1));
        }
    }
}

struct Running {
    port: Option<EnginePort>,
    ports: mpsc::Receiver<EnginePort>,
    wanted: mpsc::Sender<()>,
    groups: Groups,
    users: BTreeMap<GroupName, User>,
    log: File,
    message_bytes: usize,
    pause: Duration,
    next_message: Instant,
    next_content: u64,
    is_engine_full: bool,
}

impl Running {
    fn begin(plan: MemberPlan) -> anyhow::Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random)?;
        let incarnation = u64::from_le_bytes(random);
        let me = Member { node: plan.node, incarnation };
        let now = Instant::now();
        let options = Options {
            exchange_patience: Duration::from_millis(plan.exchange_patience_ms),
            alone_after: Duration::from_millis(plan.alone_after_ms),
            ..Options::new(me, format!("node-{}", plan.node), MAX_ENGINE_MESSAGE_BYTES)
        };
        let log = OpenOptions::new().create(true).append(true).open(&plan.log);
        let (wanted, is_wanted) = mpsc::channel(1);
        let (to_us, ports) = mpsc::channel(1);
        wanted.try_send(())?;
        tokio::spawn(Engine::new(&plan).keep(is_wanted, to_us));
        let mut running = Running {
            port: None,
            ports,
            wanted,
            groups: Groups::new(now, options)?,
            users: BTreeMap::new(),
            log: log.with_context(|| plan.log.display().to_string())?,
            message_bytes: plan.message_bytes,
            pause: Duration::from_secs(1) / plan.messages_per_s.max(1),
            next_message: now,
            // No two lives give two messages one number.
            next_content: incarnation,
            is_engine_full: false,
        };
        for group in plan.groups {
            let options = JoinOptions { has_state: group.has_state, version: None };
            running.groups.join(now, group.name.clone(), options)?;
            running.record(&group.name, What::Joined)?;
            running.users.insert(group.name, User { has_state: group.has_state, ..User::default() });
        }
        Ok(running)
    }

    async fn run(mut self) -> anyhow::Result<()> {
        loop {
            self.serve()?;
            let wake_at = self.groups.poll_timeout().map_or(self.next_message, |at| at.min(self.next_message));
            let news = async {
                match &mut self.port {
                    Some(port) => port.news(self.is_engine_full).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                news = news => match news {
                    PortNews::Event(event) => self.engine_event(event),
                    PortNews::Writable => self.is_engine_full = false,
                    PortNews::Ended => self.port = None,
                },
                Some(port) = self.ports.recv() => self.port = Some(port),
                () = sleep_until(wake_at.into()) => self.due()?,
            }
        }
    }

    fn engine_event(&mut self, event: EngineEvent) {
        let now = Instant::now();
        if matches!(event, EngineEvent::Lost { .. }) {
            self.port = None;
            self.is_engine_full = false;
            // Full: it is wanted already.
            let _ = self.wanted.try_send(());
        }
        self.groups.handle_engine(now, event);
    }

    fn due(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        if self.groups.poll_timeout().is_some_and(|at| at <= now) {
            self.groups.handle_timeout(now);
            // What is sent after this is sent in a view that has been written down.
            self.serve()?;
        }
        if self.next_message <= now {
            self.next_message = (self.next_message + self.pause).max(now);
            self.send(now)?;
        }
        Ok(())
    }

    fn send(&mut self, now: Instant) -> anyhow::Result<()> {
        for group in self.users.keys().cloned().collect::<Vec<_>>() {
            let content = self.next_content;
            self.next_content = content.wrapping_add(1);
            let mut data = content.to_le_bytes().to_vec();
            data.resize(self.message_bytes.max(data.len()), content as u8);
            // Refused where the view is about to change, or there is none yet.
            if let Ok(seq) = self.groups.send(now, &group, data.into()) {
                self.record(&group, What::Sent { seq, content })?;
            }
        }
        Ok(())
    }

    /// Writes what came, then gives the engine what goes out: so nobody is given what is not written.
    fn serve(&mut self) -> anyhow::Result<()> {
        while let Some(event) = self.groups.poll_event() {
            self.tell(event)?;
        }
        while !self.is_engine_full
            && let Some(port) = &mut self.port
            && let Some(data) = self.groups.poll_transmit()
        {
            match port.send(data) {
                Ok(()) => self.groups.transmitted(),
                Err(EngineSendError::Full) => self.is_engine_full = true,
                // The event that tells so is on its way.
                Err(EngineSendError::Lost) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn tell(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::View { group, view } => self.record(&group, What::View(view)),
            Event::Message { group, sender, seq, data, version } => {
                let content = data.first_chunk().map_or(0, |octets| u64::from_le_bytes(*octets));
                self.record(&group, What::Delivered { sender, seq, content })?;
                let Some(user) = self.users.get_mut(&group).filter(|user| user.has_state) else { return Ok(()) };
                user.add(content);
                if user.version.is_some() {
                    user.version = Some(version);
                }
                self.record_state(&group)
            }
            Event::Undelivered { group, view, first_seq, last_seq } => {
                self.record(&group, What::Undelivered { view, first_seq, last_seq })
            }
            Event::StateWanted { group, view } => {
                let Some(user) = self.users.get(&group) else { return Ok(()) };
                let state: Vec<u8> = user.state.iter().flat_map(|content| content.to_le_bytes()).collect();
                // Refused where another view has come since: then it is wanted again.
                drop(self.groups.provide_state(Instant::now(), &group, view, Bytes::from(state)));
                Ok(())
            }
            Event::State { group, state, .. } => {
                let Some(user) = self.users.get_mut(&group) else { return Ok(()) };
                state.as_chunks().0.iter().for_each(|octets| user.add(u64::from_le_bytes(*octets)));
                Ok(())
            }
            Event::Synchronised { group, version } => {
                let Some(user) = self.users.get_mut(&group) else { return Ok(()) };
                user.version = Some(version);
                self.record_state(&group)
            }
            Event::Writable { .. } | Event::EngineLost { .. } => Ok(()),
        }
    }

    fn record_state(&mut self, group: &GroupName) -> anyhow::Result<()> {
        let Some(user) = self.users.get(group) else { return Ok(()) };
        let (Some(version), content) = (user.version, user.sum) else { return Ok(()) };
        self.record(group, What::State { version, content })
    }

    fn record(&mut self, group: &GroupName, what: What) -> anyhow::Result<()> {
        let record = Record { at: machine_time(), member: self.groups.me(), group: group.clone(), what };
        let mut line = serde_json::to_vec(&record)?;
        line.push(b'\n');
        self.log.write_all(&line).context("the log")
    }
}
