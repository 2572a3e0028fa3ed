//! Each contender, and the responder, runs in a process of its own. A child ends when its work is done, when its
//! standard input ends because its parent has, or when its parent says so; nobody is left behind.
#![allow(clippy::print_stdout, reason = "this is how processes talk to each other and to people")]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// Between two looks at a process that ends.
const LOOK: Duration = Duration::from_millis(10);

/// A process that is ended when this is dropped.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    /// Its end is the child's sign to end.
    alive: Option<ChildStdin>,
}

/// Prints a line at once.
pub(crate) fn say(line: &str) {
    println!("{line}");
    // Whoever reads has gone: then nobody misses it.
    let _ = std::io::stdout().flush();
}

/// Ends this process, after some last words, when its parent has ended or wants it to end.
pub(crate) fn end_with_parent(last_words: impl FnOnce() + Send + 'static) {
    spawn(|| {
        let mut nothing = [0; 64];
        while std::io::stdin().read(&mut nothing).is_ok_and(|read| read > 0) {}
        last_words();
        std::process::exit(0);
    });
}

impl Running {
    /// Starts a process.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", name(command)))?;
        let output = child.stdout.take().context("it has no standard output")?;
        let (sender, lines) = channel();
        spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let alive = child.stdin.take();
        Ok(Running { child, lines, alive })
    }

    /// Tells it to end.
    pub(crate) fn dismiss(&mut self) {
        self.alive = None;
    }

    /// The first line of which `parse` makes something. Others are for people.
    pub(crate) fn wait_for<T>(
        &mut self,
        limit: Duration,
        parse: impl Fn(&str) -> Option<anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => match parse(&line) {
                    Some(parsed) => return parsed,
                    None => say(&line),
                },
                Err(RecvTimeoutError::Timeout) => bail!("nothing heard in {} s", limit.as_secs()),
                Err(RecvTimeoutError::Disconnected) => bail!("it has ended: {}", self.child.wait()?),
            }
        }
    }

    /// Waits for its end, which must be a success.
    pub(crate) fn finish(mut self, limit: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + limit;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait()? {
                anyhow::ensure!(status.success(), "{status}");
                return Ok(());
            }
            sleep(LOOK);
        }
        bail!("not done after {} s", limit.as_secs())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVENESS: Duration = Duration::from_secs(60);

    fn sh(script: &str) -> Running {
        Running::start(Command::new("sh").args(["-c", script])).unwrap()
    }

    fn number(line: &str) -> Option<anyhow::Result<u16>> {
        Some(line.strip_prefix("READY ")?.parse().map_err(anyhow::Error::from))
    }

    #[test]
    fn a_line_is_waited_for() {
        let mut child = sh("echo other; echo READY 7");
        assert_eq!(child.wait_for(LIVENESS, number).unwrap(), 7);
        child.finish(LIVENESS).unwrap();
    }

    #[test]
    fn an_early_end_and_a_failure_are_told() {
        let error = sh("exit 3").wait_for(LIVENESS, number).unwrap_err();
        assert!(error.to_string().contains("exit status: 3"), "{error}");
        let error = sh("exit 4").finish(LIVENESS).unwrap_err();
        assert!(error.to_string().contains("exit status: 4"), "{error}");
    }

    #[test]
    fn a_process_ends_when_it_is_dismissed() {
        let mut child = sh("echo READY 7; cat; echo READY 8");
        assert_eq!(child.wait_for(LIVENESS, number).unwrap(), 7);
        child.dismiss();
        assert_eq!(child.wait_for(LIVENESS, number).unwrap(), 8);
        child.finish(LIVENESS).unwrap();
    }

    #[test]
    fn a_process_ends_when_it_is_dropped() {
        let mut child = sh("echo READY 7; exec sleep 600");
        assert_eq!(child.wait_for(LIVENESS, number).unwrap(), 7);
        let id = child.child.id();
        drop(child);
        assert!(!std::path::Path::new(&format!("/proc/{id}")).exists());
    }
}
