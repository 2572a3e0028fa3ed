//! A member as the product's are: [`Groups`] over an engine, and a user who sends, takes and counts messages.

use std::io::BufRead;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use hamsa_group::{
    EngineEvent, EnginePort, Event, GroupEngine, GroupName, Groups, JoinOptions, Member, Options, PortNews, SendError,
};
use hamsa_group_corosync::{CorosyncEngine, EngineOptions};
use hamsa_group_embedded::{Embedded, EmbeddedOptions, Fault};
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use crate::limits::{BATCH_EVENTS, COMMANDS, RETRY};
use crate::load::Load;
use crate::protocol::{Run, machine_time};
use crate::say;

/// Octets of the longest message that all engines take.
const MAX_ENGINE_MESSAGE_BYTES: usize = 1_000_000;

/// The group that all members join.
const GROUP: &str = "bench";

/// What a member is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Engine {
    /// The CPG group.
    Corosync { group: String },
    /// Its socket.
    Embedded { socket: PathBuf },
    /// One pair; what it is and with whom.
    #[cfg(feature = "zenoh")]
    Zenoh(crate::zenoh::End),
}

/// A member of one group over one engine.
pub(crate) struct Running {
    groups: Groups,
    group: GroupName,
    port: Option<EnginePort>,
    is_engine_full: bool,
    load: Option<Load>,
    /// Once for all comparisons of clocks.
    clocks: (Instant, Duration),
}

/// Runs one until its standard input ends.
pub(crate) fn run(node: u32, engine: Engine) -> anyhow::Result<()> {
    let mut commands = lines();
    let runtime = match engine {
        #[cfg(feature = "zenoh")]
        Engine::Zenoh(_) => crate::zenoh::runtime()?,
        _ => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
    };
    runtime.block_on(async {
        let mut running = Running::new(node)?;
        match engine {
            Engine::Corosync { group } => {
                let group = hamsa_group_corosync::GroupName::new(&group)?;
                let port = CorosyncEngine::start_reconnecting(EngineOptions { group, node: Some(node) })?;
                running.port = Some(port);
                running.serve(&mut commands, &mut None).await
            }
            Engine::Embedded { socket } => {
                let cluster = GROUP.to_owned();
                let options = EmbeddedOptions { socket, cluster, node, allow_faults: true };
                running.serve(&mut commands, &mut Some(Embedded::new(options))).await
            }
            #[cfg(feature = "zenoh")]
            Engine::Zenoh(end) => {
                let engine = crate::zenoh::start(node, &end.options).await?;
                running.port = Some(crate::zenoh::pair(&engine, end.peer).await?);
                running.serve(&mut commands, &mut None).await?;
                engine.stop().await;
                Ok(())
            }
        }
    })
}

/// What the standard input says, until it ends.
pub(crate) fn lines() -> mpsc::Receiver<String> {
    let (sender, commands) = mpsc::channel(COMMANDS);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines().map_while(Result::ok);
        // An error says that we are ending.
        lines.map(|line| sender.blocking_send(line)).find(Result::is_err)
    });
    commands
}

impl Running {
    /// Without an engine.
    fn new(node: u32) -> anyhow::Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random)?;
        let now = Instant::now();
        let me = Member { node, incarnation: u64::from_le_bytes(random) };
        let group = GroupName::new(GROUP)?;
        let mut groups = Groups::new(now, Options::new(me, format!("node-{node}"), MAX_ENGINE_MESSAGE_BYTES))?;
        groups.join(now, group.clone(), JoinOptions::default())?;
        let clocks = (now, machine_time());
        Ok(Running { groups, group, port: None, is_engine_full: false, load: None, clocks })
    }

    /// One that has its engine.
    #[cfg(feature = "zenoh")]
    pub(crate) async fn over(node: u32, port: EnginePort, mut commands: mpsc::Receiver<String>) -> anyhow::Result<()> {
        let mut running = Running::new(node)?;
        running.port = Some(port);
        running.serve(&mut commands, &mut None).await
    }

    /// `embedded` is the engine that is connected to whenever there is no port.
    async fn serve(
        &mut self,
        commands: &mut mpsc::Receiver<String>,
        embedded: &mut Option<Embedded>,
    ) -> anyhow::Result<()> {
        loop {
            if let (None, Some(embedded)) = (&self.port, embedded.as_mut()) {
                // Where it fails it is tried again, as the hub may have ended just now.
                self.port = embedded.connect().await.ok();
            }
            let now = machine_time();
            self.turn(now)?;
            let retry_at = (self.port.is_none() && embedded.is_some()).then(|| Instant::now() + RETRY);
            let load_at = self.load.as_ref().and_then(|load| load.wake_at(now)).map(|at| self.instant(at));
            let wake_at = [self.groups.poll_timeout(), load_at, retry_at].into_iter().flatten().min();
            let news = async {
                match &mut self.port {
                    Some(port) => port.news(self.is_engine_full).await,
                    None => std::future::pending().await,
                }
            };
            let wake = async {
                match wake_at {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                news = news => self.news(news),
                line = commands.recv() => match line {
                    Some(line) => self.obey(&line, embedded.as_ref())?,
                    None => return Ok(()),
                },
                () = wake => self.groups.handle_timeout(Instant::now()),
            }
        }
    }

    fn instant(&self, at: Duration) -> Instant {
        self.clocks.0 + at.saturating_sub(self.clocks.1)
    }

    fn news(&mut self, news: PortNews) {
        match news {
            PortNews::Event(event) => self.engine_event(event),
            PortNews::Writable => self.is_engine_full = false,
            PortNews::Ended => self.port = None,
        }
        for _ in 0..BATCH_EVENTS {
            let Some(event) = self.port.as_mut().and_then(GroupEngine::poll_event) else { return };
            self.engine_event(event);
        }
    }

    fn engine_event(&mut self, event: EngineEvent) {
        self.groups.handle_engine(Instant::now(), event);
    }

    /// Takes what has come, and sends what is due.
    fn turn(&mut self, now: Duration) -> anyhow::Result<()> {
        if let Some(window) = self.load.as_mut().and_then(|load| load.turn(now)) {
            say(&window.to_string());
        }
        while let Some(event) = self.groups.poll_event() {
            self.take(event)?;
        }
        self.transmit()?;
        while let Some(message) = self.load.as_mut().and_then(|load| load.next(machine_time())) {
            let Some(load) = &mut self.load else { break };
            match self.groups.send(Instant::now(), &self.group, message.clone()) {
                Ok(_) => load.was_sent(),
                Err(SendError::WouldBlock(_)) => {
                    load.was_refused(message);
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.transmit()
    }

    fn transmit(&mut self) -> anyhow::Result<()> {
        if let Some(port) = self.port.as_mut().filter(|_| !self.is_engine_full) {
            self.is_engine_full = port.transmit(&mut self.groups)?;
        }
        Ok(())
    }

    fn take(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Message { data, .. } => self.receive(&data)?,
            Event::View { view, .. } => {
                let nodes: Vec<String> = view.members.iter().map(|member| member.node.to_string()).collect();
                say(&format!("view {} {}", machine_time().as_nanos(), nodes.join(",")));
            }
            _ => {}
        }
        Ok(())
    }

    fn receive(&mut self, data: &Bytes) -> anyhow::Result<()> {
        self.load.as_mut().context("a message that nobody has sent")?.receive(machine_time(), data)
    }

    fn obey(&mut self, line: &str, embedded: Option<&Embedded>) -> anyhow::Result<()> {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        let fault = match command {
            "run" => {
                self.load = Some(Load::new(Run::parse(rest)?));
                return Ok(());
            }
            "totals" => {
                let load = self.load.as_ref().context("no run")?;
                say(&format!("totals {} {}", load.sent, load.received));
                return Ok(());
            }
            "cut" => Fault::Cut { sides: [(rest.parse()?, 1)].into() },
            "heal" => Fault::Heal,
            _ => bail!("no such command: {line}"),
        };
        let at = machine_time();
        embedded.context("of the embedded engine only")?.inject(fault)?;
        say(&format!("at {}", at.as_nanos()));
        Ok(())
    }
}
