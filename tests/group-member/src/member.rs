//! The member: one loop around `Groups`, and the user of each group.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use hamsa_group::{EngineEvent, EnginePort, Event, GroupName, Groups, JoinOptions, Member, Options, PortNews};
use hamsa_group_member::{Command, GroupPlan, Kept, KeptState, MemberPlan, Notice, machine_time};
use hamsa_sim::groups::{Record, What};
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use xxhash_rust::xxh3::xxh3_64;

use crate::engines::{Engine, notify};

/// Commands that wait while others are done.
const COMMANDS: usize = 16;

/// Every so many messages one is longer, by this factor.
const LONG_EVERY: u64 = 32;
const LONG_FACTOR: usize = 200;

/// When nothing is sent, time is looked at this often.
const IDLE: Duration = Duration::from_secs(1);

/// What a user of a group keeps: the set of all messages that it was given, by their digests.
#[derive(Default)]
struct User {
    has_state: bool,
    kept: KeptState,
    /// Of all contents: the same in whatever order they came.
    sum: u64,
}

impl User {
    fn add(&mut self, content: u64) {
        if self.kept.contents.insert(content) {
            self.sum = self.sum.wrapping_add(content);
        }
    }

    /// Its number of contents, these, and so many octets more.
    fn encode(&self, more: usize) -> Bytes {
        let count = self.kept.contents.len() as u64;
        let numbers = std::iter::once(&count).chain(&self.kept.contents);
        let mut octets: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
        octets.resize(octets.len() + more, 0);
        octets.into()
    }

    fn merge(&mut self, state: &[u8], more: usize) -> anyhow::Result<()> {
        let (count, contents) = state.split_first_chunk().context("a state without a count")?;
        let length = 8 * usize::try_from(u64::from_le_bytes(*count))?;
        ensure!(contents.len() == length + more, "a state of {} octets, and not of {}", contents.len(), length + more);
        contents[..length].as_chunks().0.iter().for_each(|octets| self.add(u64::from_le_bytes(*octets)));
        Ok(())
    }
}

/// Messages that are still to be sent.
struct Burst {
    group: GroupName,
    count: u32,
    bytes: usize,
}

pub(crate) struct Running {
    engine: Engine,
    port: Option<EnginePort>,
    is_engine_full: bool,
    commands: mpsc::Receiver<String>,
    groups: Groups,
    users: BTreeMap<GroupName, User>,
    log: File,
    /// Records that are not in the log yet.
    unwritten: Vec<u8>,
    kept: PathBuf,
    message_bytes: usize,
    state_bytes: usize,
    pause: Option<Duration>,
    next_message: Instant,
    messages: u64,
    bursts: VecDeque<Burst>,
    slowness: Duration,
}

impl Running {
    pub(crate) async fn begin(plan: MemberPlan) -> anyhow::Result<Self> {
        let engine = Engine::start(&plan).await?;
        let me = Member { node: plan.node, incarnation: getrandom::u64()? };
        let now = Instant::now();
        let options = Options::new(me, format!("node-{}", plan.node), engine.capabilities.max_message_bytes);
        let log = File::create_new(&plan.log).with_context(|| plan.log.display().to_string())?;
        let mut running = Running {
            engine,
            port: None,
            is_engine_full: false,
            commands: read_commands(),
            groups: Groups::new(now, options)?,
            users: BTreeMap::new(),
            log,
            unwritten: Vec::new(),
            kept: plan.kept,
            message_bytes: plan.message_bytes,
            state_bytes: plan.state_bytes,
            pause: pause(plan.messages_per_s),
            next_message: now,
            messages: 0,
            bursts: VecDeque::new(),
            slowness: Duration::ZERO,
        };
        let mut kept: Kept = match std::fs::read(&running.kept) {
            Ok(octets) => serde_json::from_slice(&octets).context("the kept states")?,
            Err(_) => Kept::new(),
        };
        for group in plan.groups {
            let state = kept.remove(&group.name).unwrap_or_default();
            running.join(now, group, state)?;
        }
        Ok(running)
    }

    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        loop {
            self.serve()?;
            let next_message = if self.pause.is_some() { self.next_message } else { Instant::now() + IDLE };
            let wake_at = self.groups.poll_timeout().map_or(next_message, |at| at.min(next_message));
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
                    PortNews::Ended => {
                        (self.port, self.is_engine_full) = (None, false);
                        self.engine.connect_again();
                    }
                },
                Some(port) = self.engine.ports.recv() => self.port = Some(port),
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(serde_json::from_str(&command).context(command)?).await?,
                    None => return Ok(()),
                },
                () = sleep_until(wake_at.into()) => self.due()?,
            }
        }
    }

    fn engine_event(&mut self, event: EngineEvent) {
        self.groups.handle_engine(Instant::now(), event);
    }

    async fn obey(&mut self, command: Command) -> anyhow::Result<()> {
        let now = Instant::now();
        match command {
            Command::Join(group) => self.join(now, group, KeptState::default())?,
            Command::Leave(group) => {
                if self.groups.leave(now, &group) {
                    self.users.remove(&group);
                    self.record(&group, What::Left)?;
                }
            }
            Command::Rate(messages_per_s) => {
                (self.pause, self.next_message) = (pause(messages_per_s), now);
            }
            Command::Send { group, count, bytes } => self.bursts.push_back(Burst { group, count, bytes }),
            Command::Slow(milliseconds) => self.slowness = Duration::from_millis(milliseconds),
            Command::Save => self.save()?,
            Command::Count => {
                let status = self.groups.status();
                let missed = status.groups.iter().map(|group| group.counters.missed).sum();
                notify(&Notice::Counted { exclusions: status.counters.exclusions, missed });
            }
            Command::Fault(fault) => self.engine.inject(fault).await,
        }
        Ok(())
    }

    fn join(&mut self, now: Instant, group: GroupPlan, kept: KeptState) -> anyhow::Result<()> {
        let GroupPlan { name, has_state } = group;
        self.groups.join(now, name.clone(), JoinOptions { has_state, version: kept.version })?;
        let sum = kept.contents.iter().fold(0, |sum: u64, content| sum.wrapping_add(*content));
        self.users.insert(name.clone(), User { has_state, kept, sum });
        self.record(&name, What::Joined)
    }

    fn due(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        if self.groups.poll_timeout().is_some_and(|at| at <= now) {
            self.groups.handle_timeout(now);
        }
        let Some(pause) = self.pause.filter(|_| self.next_message <= now) else { return Ok(()) };
        self.next_message = (self.next_message + pause).max(now);
        for group in self.users.keys().cloned().collect::<Vec<_>>() {
            let is_long = self.messages % LONG_EVERY == LONG_EVERY - 1;
            self.send(now, &group, self.message_bytes * if is_long { LONG_FACTOR } else { 1 })?;
        }
        Ok(())
    }

    /// Whether it was taken. It is not where the view is about to change, or there is none yet.
    fn send(&mut self, now: Instant, group: &GroupName, bytes: usize) -> anyhow::Result<bool> {
        let mut data = [self.groups.me().incarnation.to_le_bytes(), self.messages.to_le_bytes()].concat();
        data.resize(bytes.max(data.len()), self.messages as u8);
        let content = xxh3_64(&data);
        let Ok(seq) = self.groups.send(now, group, data.into()) else { return Ok(false) };
        self.messages += 1;
        self.record(group, What::Sent { seq, content })?;
        Ok(true)
    }

    /// Tells the users what came, and gives the engine what goes out: after it was written, so that nobody is given what is not.
    fn serve(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        loop {
            while let Some(event) = self.groups.poll_event() {
                self.tell(event)?;
            }
            self.send_bursts(now)?;
            self.write()?;
            if let Some(port) = self.port.as_mut().filter(|_| !self.is_engine_full) {
                self.is_engine_full = port.transmit(&mut self.groups)?;
            }
            // What was sent may have made room.
            let Some(event) = self.groups.poll_event() else { return Ok(()) };
            self.tell(event)?;
        }
    }

    fn send_bursts(&mut self, now: Instant) -> anyhow::Result<()> {
        while let Some(burst) = self.bursts.front_mut() {
            let (group, bytes) = (burst.group.clone(), burst.bytes);
            if burst.count > 0 {
                burst.count -= 1;
                if !self.send(now, &group, bytes)? {
                    self.bursts.front_mut().into_iter().for_each(|burst| burst.count += 1);
                    return Ok(());
                }
            } else {
                self.bursts.pop_front();
                let status = self.groups.status();
                let would_block = status.groups.iter().map(|group| group.counters.would_block).sum();
                notify(&Notice::Sent { would_block });
            }
        }
        Ok(())
    }

    fn tell(&mut self, event: Event) -> anyhow::Result<()> {
        let state_bytes = self.state_bytes;
        match event {
            Event::View { group, view } if self.users.contains_key(&group) => self.record(&group, What::View(view)),
            Event::Message { group, sender, seq, data, version } => {
                std::thread::sleep(self.slowness);
                let Some(user) = self.users.get_mut(&group) else { return Ok(()) };
                let content = xxh3_64(&data);
                user.add(content);
                if user.kept.version.is_some() {
                    user.kept.version = Some(version);
                }
                self.record(&group, What::Delivered { sender, seq, content })?;
                self.record_state(&group)
            }
            Event::Undelivered { group, view, first_seq, last_seq } if self.users.contains_key(&group) => {
                self.record(&group, What::Undelivered { view, first_seq, last_seq })
            }
            Event::StateWanted { group, view } => {
                let Some(user) = self.users.get(&group) else { return Ok(()) };
                // Refused where another view has come since: then it is wanted again.
                drop(self.groups.provide_state(Instant::now(), &group, view, user.encode(state_bytes)));
                Ok(())
            }
            Event::State { group, state, .. } => {
                let Some(user) = self.users.get_mut(&group) else { return Ok(()) };
                user.merge(&state, state_bytes)
            }
            Event::Synchronised { group, version } => {
                let Some(user) = self.users.get_mut(&group) else { return Ok(()) };
                user.kept.version = Some(version);
                self.record_state(&group)
            }
            Event::EngineLost { reason } => {
                notify(&Notice::Problem(reason));
                Ok(())
            }
            // The others are of a life of the group that has ended before it was told.
            Event::Writable { .. } | Event::View { .. } | Event::Undelivered { .. } => Ok(()),
        }
    }

    fn record_state(&mut self, group: &GroupName) -> anyhow::Result<()> {
        let Some(user) = self.users.get(group).filter(|user| user.has_state) else { return Ok(()) };
        let (Some(version), content) = (user.kept.version, user.sum) else { return Ok(()) };
        self.record(group, What::State { version, content })
    }

    fn record(&mut self, group: &GroupName, what: What) -> anyhow::Result<()> {
        let record = Record { at: machine_time(), member: self.groups.me(), group: group.clone(), what };
        serde_json::to_writer(&mut self.unwritten, &record)?;
        self.unwritten.push(b'\n');
        Ok(())
    }

    fn write(&mut self) -> anyhow::Result<()> {
        self.log.write_all(&self.unwritten).context("the log")?;
        self.unwritten.clear();
        Ok(())
    }

    /// In one go: who is killed meanwhile has kept the former states.
    fn save(&self) -> anyhow::Result<()> {
        let with_state = self.users.iter().filter(|(_, user)| user.has_state);
        let kept: BTreeMap<&GroupName, &KeptState> = with_state.map(|(group, user)| (group, &user.kept)).collect();
        let new = self.kept.with_extension("new");
        std::fs::write(&new, serde_json::to_vec(&kept)?)?;
        std::fs::rename(&new, &self.kept)?;
        notify(&Notice::Saved);
        Ok(())
    }
}

fn pause(messages_per_s: u32) -> Option<Duration> {
    (messages_per_s > 0).then(|| Duration::from_secs(1) / messages_per_s)
}

fn read_commands() -> mpsc::Receiver<String> {
    let (sender, commands) = mpsc::channel(COMMANDS);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines().map_while(Result::ok);
        // An error says that we are ending.
        lines.map(|line| sender.blocking_send(line)).find(Result::is_err)
    });
    commands
}
