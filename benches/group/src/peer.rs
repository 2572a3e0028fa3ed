//! A process that speaks the protocol, as the bench that started it has it.

use std::cell::Cell;
use std::io::Write;
use std::process::{ChildStdin, Command};
use std::time::Duration;

use anyhow::Context;
use hamsa_testkit::{Process, wait_until};

use crate::protocol::{Run, Window, machine_time, numbers};

/// A process that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Peer {
    pub process: Process,
    input: Option<ChildStdin>,
    /// Octets of its output that were looked at.
    read: Cell<usize>,
}

impl Peer {
    /// Starts it.
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let (process, input) = Process::spawn_with_input(name, command);
        Peer { process, input: Some(input), read: Cell::new(0) }
    }

    /// Tells it a line.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn tell(&mut self, line: &str) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("it was dismissed")?;
        input.write_all(format!("{line}\n").as_bytes()).with_context(|| self.process.stderr())
    }

    /// The next line that begins so, and what follows that. Lines before it are forgotten.
    pub(crate) fn wait_for(&mut self, beginning: &str) -> String {
        let read = &self.read;
        self.process.wait_until(beginning, |process| {
            let text = process.stdout();
            let whole = &text[..text.rfind('\n')? + 1];
            let mut at = read.get();
            for line in whole[at..].split_inclusive('\n') {
                at += line.len();
                if let Some(rest) = line.strip_prefix(beginning) {
                    read.set(at);
                    return Some(rest.trim().to_owned());
                }
            }
            None
        })
    }

    /// Up to where its output was looked at.
    pub(crate) fn position(&self) -> usize {
        self.read.get()
    }

    /// Looks at what comes after a position again.
    pub(crate) fn go_back(&self, position: usize) {
        self.read.set(position);
    }

    /// Waits for a view of exactly these nodes that came after some time, and says when it came.
    pub(crate) fn wait_for_view(&mut self, after: Duration, nodes: &[u8]) -> anyhow::Result<Duration> {
        let nodes: Vec<String> = nodes.iter().map(u8::to_string).collect();
        let nodes = nodes.join(",");
        loop {
            let view = self.wait_for("view ");
            let (at, members) = view.split_once(' ').context("a view")?;
            let [at] = numbers(at)?;
            let at = Duration::from_nanos(at);
            if at >= after && members == nodes {
                return Ok(at);
            }
        }
    }

    /// Waits until so many of the pairs of a process that has many have both their members.
    #[cfg(feature = "zenoh")]
    pub(crate) fn wait_for_pairs(&mut self, pairs: u32, patience: Duration) -> anyhow::Result<()> {
        let deadline = machine_time() + patience;
        loop {
            let text = self.process.stdout();
            let formed = text.lines().filter(|line| line.starts_with("view ") && line.contains(',')).count();
            if formed >= pairs as usize {
                return Ok(());
            }
            anyhow::ensure!(machine_time() < deadline, "{formed} of {pairs} pairs: {}", self.process.stderr());
            anyhow::ensure!(self.process.is_running(), "it has ended: {text}{}", self.process.stderr());
            std::thread::sleep(crate::limits::LOOK);
        }
    }

    /// What it has seen of the run that it was told.
    pub(crate) fn window(&mut self) -> anyhow::Result<Window> {
        Window::parse(&self.wait_for("window "))
    }

    /// Messages since the run's start that it has sent, and that it was given.
    pub(crate) fn totals(&mut self) -> anyhow::Result<(u64, u64)> {
        self.tell("totals")?;
        let [sent, received] = numbers(&self.wait_for("totals "))?;
        Ok((sent, received))
    }
}

/// Lets all of them run at once. Nobody may have lost anything in the end.
pub(crate) fn run_all(peers: &mut [Peer], run: Run) -> anyhow::Result<Vec<Window>> {
    for peer in &mut *peers {
        peer.tell(&run.to_string())?;
    }
    anyhow::ensure!(machine_time() < run.start, "the machine is too busy to begin in time");
    let windows = peers.iter_mut().map(Peer::window).collect::<anyhow::Result<_>>()?;
    wait_until("all messages to come", || {
        let totals: anyhow::Result<Vec<(u64, u64)>> = peers.iter_mut().map(Peer::totals).collect();
        let totals = totals.unwrap_or_else(|error| panic!("{error:#}"));
        let sent: u64 = totals.iter().map(|(sent, _)| sent).sum();
        totals.iter().all(|(_, received)| *received == sent).then_some(())
    });
    Ok(windows)
}
