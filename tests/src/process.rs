//! A child process that never outlives its test. It leads a process group of its own; the group ends when the guard
//! is dropped, also by a panic, and a watchdog ends it when the test process itself is killed.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::limits::{POLL_INTERVAL, SHOWN_OUTPUT_BYTES, TERMINATION_GRACE};
use crate::wait::wait_until;

/// The watchdog, run by `sh`. Its standard input comes from the test process alone: a first line names the group; a
/// second one says that the group has ended. Where the input ends before that, the test process was killed.
const WATCHDOG_SCRIPT: &str = r#"
read -r group || exit 0
read -r ended && exit 0
kill -s TERM -- "-$group"
sleep 2
kill -s KILL -- "-$group"
"#;

/// A running child and its process group.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    ended: Option<ExitStatus>,
    watchdog: Child,
    watchdog_input: Option<ChildStdin>,
    /// Holds what it prints.
    directory: TempDir,
}

/// How a process ended and what it printed.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output, octets that are not UTF-8 replaced.
    pub stdout: String,
    /// Its standard error, likewise.
    pub stderr: String,
}

impl Process {
    /// Starts `command` without standard input; its output goes to files, which are shown if the test panics. `name`
    /// is what messages call it.
    ///
    /// # Panics
    /// It can't be started.
    #[track_caller]
    pub fn spawn(name: &str, command: &mut Command) -> Self {
        Self::spawn_with(name, command.stdin(Stdio::null()))
    }

    /// Like [`Self::spawn`], with the other end of its standard input. The process sees it end when that is dropped.
    ///
    /// # Panics
    /// As [`Self::spawn`].
    #[track_caller]
    pub fn spawn_with_input(name: &str, command: &mut Command) -> (Self, ChildStdin) {
        let mut process = Self::spawn_with(name, command.stdin(Stdio::piped()));
        let input = process.child.stdin.take().expect("its input is a pipe");
        (process, input)
    }

    #[track_caller]
    fn spawn_with(name: &str, command: &mut Command) -> Self {
        let directory = TempDir::with_prefix(format!("hamsa-{name}-")).expect("a temporary directory");
        let file = |stream: &str| std::fs::File::create(directory.path().join(stream)).expect("a file for output");
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG_SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .spawn()
            .expect("a shell as the watchdog");
        let mut watchdog_input = watchdog.stdin.take().expect("its input is a pipe");
        command.stdout(file("stdout")).stderr(file("stderr")).process_group(0);
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                drop(watchdog_input);
                let _ = watchdog.wait();
                panic!("cannot start {name} ({}): {error}", command.get_program().display());
            }
        };
        // It reads until it is told more, so that this can't fail but for a system that is out of order.
        let _ = writeln!(watchdog_input, "{}", child.id());
        let watchdog_input = Some(watchdog_input);
        Process { name: name.to_owned(), child, ended: None, watchdog, watchdog_input, directory }
    }

    /// The child's process id, which is also its group's.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// True until the child has ended. Its group may have members left then; they end with the guard.
    pub fn is_running(&mut self) -> bool {
        self.try_wait().is_none()
    }

    /// Asks `poll` until it has a value, and returns that.
    ///
    /// # Panics
    /// The child ends before that, or after [`LIVENESS`](crate::limits::LIVENESS); `what` says in the message what did
    /// not happen (`the node listens`).
    #[track_caller]
    pub fn wait_until<T>(&mut self, what: &str, mut poll: impl FnMut(&Process) -> Option<T>) -> T {
        wait_until(what, || {
            let found = poll(self);
            let goes_on = found.is_some() || self.is_running();
            assert!(goes_on, "{} has ended before {what}:\n{}{}", self.name, self.stdout(), self.stderr());
            found
        })
    }

    /// Waits for the child to end by itself; `None` after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            let status = self.try_wait();
            if status.is_some() || Instant::now() >= deadline {
                return status;
            }
            sleep(POLL_INTERVAL);
        }
    }

    /// Waits for the child to end by itself and gives all it printed; `None` after `limit`, and then it is killed.
    pub fn finish(mut self, limit: Duration) -> Option<Output> {
        let status = self.wait(limit)?;
        Some(Output { status, stdout: self.stdout(), stderr: self.stderr() })
    }

    /// Stops the child alone where it is (SIGSTOP), as a host that is too busy or swaps does, until [`Self::resume`].
    pub fn pause(&mut self) {
        self.signal(Signal::STOP);
    }

    /// Lets the child go on (SIGCONT).
    pub fn resume(&mut self) {
        self.signal(Signal::CONT);
    }

    /// Asks the child alone to end (SIGTERM), as an operator would, and waits; after a grace period the whole group
    /// is killed.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait(TERMINATION_GRACE).unwrap_or_else(|| self.kill())
    }

    /// Sends the child alone a SIGHUP, by which daemons are told to read their configuration again.
    pub fn hang_up(&mut self) {
        self.signal(Signal::HUP);
    }

    /// Sends the child alone what Ctrl-C sends (SIGINT), and waits for it to end by itself; `None` after `limit`.
    pub fn interrupt(&mut self, limit: Duration) -> Option<ExitStatus> {
        self.signal(Signal::INT);
        self.wait(limit)
    }

    /// Kills the whole group (SIGKILL), as a crash of the machine would, and collects the child.
    pub fn kill(&mut self) -> ExitStatus {
        if let Some(status) = self.ended {
            return status;
        }
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let status = self.child.wait().expect("the child can be waited for");
        self.ended = Some(status);
        status
    }

    /// Kills the child alone (SIGKILL); what it has started goes on until the guard is dropped.
    pub fn kill_alone(&mut self) {
        self.signal(Signal::KILL);
    }

    /// What it has printed so far, octets that are not UTF-8 replaced.
    pub fn stdout(&self) -> String {
        self.read("stdout")
    }

    /// What it has printed on standard error so far, likewise.
    pub fn stderr(&self) -> String {
        self.read("stderr")
    }

    fn signal(&mut self, signal: Signal) {
        if self.is_running() {
            // It may have ended just now.
            let _ = rustix::process::kill_process(Pid::from_child(&self.child), signal);
        }
    }

    fn try_wait(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("the child can be waited for");
        }
        self.ended
    }

    fn read(&self, stream: &str) -> String {
        let path: PathBuf = self.directory.path().join(stream);
        let octets = std::fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        String::from_utf8_lossy(&octets).into_owned()
    }

    #[allow(clippy::print_stderr, reason = "the harness shows it with the test that panicked")]
    fn show(&self) {
        for stream in ["stdout", "stderr"] {
            let path = self.directory.path().join(stream);
            let octets = std::fs::read(path).unwrap_or_default();
            let shown = &octets[octets.len().saturating_sub(SHOWN_OUTPUT_BYTES)..];
            if !shown.is_empty() {
                eprintln!("--- {} of {}\n{}", stream, self.name, String::from_utf8_lossy(shown));
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.child);
        // A group's number is taken while it has members, its leader's until that is collected.
        let _ = kill_process_group(group, Signal::TERM);
        // One that is paused could not end.
        let _ = kill_process_group(group, Signal::CONT);
        let deadline = Instant::now() + TERMINATION_GRACE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            sleep(POLL_INTERVAL);
        }
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
        if let Some(mut input) = self.watchdog_input.take() {
            let _ = writeln!(input, "ended");
        }
        let _ = self.watchdog.wait();
        if std::thread::panicking() {
            self.show();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;

    use super::*;
    use crate::limits::LIVENESS;
    use crate::wait_until;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// True where the process runs; one that waits to be collected by a parent does not.
    fn runs(id: &str) -> bool {
        std::fs::read_to_string(Path::new("/proc").join(id).join("stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    fn first_line(process: &Process) -> String {
        wait_until("its first line", || process.stdout().split_once('\n').map(|(line, _)| line.to_owned()))
    }

    #[test]
    fn output_and_status_are_kept() {
        let output = Process::spawn("sh", &mut sh("echo out; echo err >&2; exit 3")).finish(LIVENESS).unwrap();
        assert_eq!((output.status.code(), &*output.stdout, &*output.stderr), (Some(3), "out\n", "err\n"));
    }

    #[test]
    fn a_process_past_its_limit_is_none() {
        assert!(Process::spawn("sleep", &mut sh("exec sleep 600")).finish(Duration::ZERO).is_none());
    }

    #[test]
    fn dropping_ends_the_whole_group() {
        let process = Process::spawn("sh", &mut sh("sleep 600 & echo $!; wait"));
        let grandchild = first_line(&process);
        assert!(runs(&grandchild));
        drop(process);
        wait_until("the grandchild ends", || (!runs(&grandchild)).then_some(()));
    }

    #[test]
    fn dropping_ends_a_group_whose_leader_is_gone() {
        let mut process = Process::spawn("sh", &mut sh("sleep 600 & echo $!"));
        assert!(process.wait(LIVENESS).is_some());
        let grandchild = first_line(&process);
        assert!(runs(&grandchild));
        drop(process);
        wait_until("the grandchild ends", || (!runs(&grandchild)).then_some(()));
    }

    #[test]
    fn terminating_asks_and_killing_does_not() {
        let script = "trap 'echo asked; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
        let mut asked = Process::spawn("sh", &mut sh(script));
        first_line(&asked);
        assert_eq!(asked.terminate().code(), Some(5));
        assert_eq!(asked.stdout(), "ready\nasked\n");
        let mut killed = Process::spawn("sh", &mut sh(script));
        first_line(&killed);
        assert_eq!(killed.kill().signal(), Some(9));
        assert_eq!(killed.stdout(), "ready\n");
    }

    #[test]
    fn input_is_passed_on_until_it_ends() {
        let (process, mut input) = Process::spawn_with_input("cat", &mut sh("exec cat"));
        input.write_all(b"one\n").unwrap();
        assert_eq!(first_line(&process), "one");
        drop(input);
        assert_eq!(process.finish(LIVENESS).map(|output| output.stdout).as_deref(), Some("one\n"));
    }

    #[test]
    fn a_paused_process_does_nothing_and_can_be_dropped() {
        let (mut process, mut input) = Process::spawn_with_input("cat", &mut sh("exec cat"));
        let state = |process: &Process| {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
            stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
        };
        process.pause();
        wait_until("it is stopped", || (state(&process) == 'T').then_some(()));
        input.write_all(b"one\n").unwrap();
        assert_eq!((state(&process), &*process.stdout()), ('T', ""));
        process.resume();
        assert_eq!(first_line(&process), "one");
        process.pause();
        drop(process);
    }

    #[test]
    fn interrupting_is_what_ctrl_c_does() {
        let script = "trap 'echo interrupted; exit 6' INT; echo ready; while :; do sleep 0.05; done";
        let mut process = Process::spawn("sh", &mut sh(script));
        first_line(&process);
        assert_eq!(process.interrupt(LIVENESS).and_then(|status| status.code()), Some(6));
        assert_eq!(process.stdout(), "ready\ninterrupted\n");
    }

    /// Runs itself once more as the test process that is killed.
    #[test]
    fn children_end_when_their_test_process_is_killed() {
        const ROLE: &str = "HAMSA_TESTKIT_KILLED_PARENT";
        if let Some(report) = std::env::var_os(ROLE) {
            let mut child = Process::spawn("sh", &mut sh("sleep 600 & echo $!; wait"));
            let grandchild = first_line(&child);
            std::fs::write(report, format!("{} {grandchild}\n", child.id())).unwrap();
            child.wait(LIVENESS);
            return;
        }
        let directory = TempDir::new().unwrap();
        let report = directory.path().join("ids");
        let mut parent = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "process::tests::children_end_when_their_test_process_is_killed"])
            .env(ROLE, &report)
            .env("TMPDIR", directory.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let ids = wait_until("the children's ids", || {
            std::fs::read_to_string(&report).ok().filter(|text| text.ends_with('\n'))
        });
        assert!(ids.split_whitespace().all(runs), "{ids}");
        parent.kill().unwrap();
        parent.wait().unwrap();
        wait_until("the children end", || (!ids.split_whitespace().any(runs)).then_some(()));
    }
}
