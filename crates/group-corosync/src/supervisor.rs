//! The daemon: started, watched, restarted, and ended with its owner.
//!
//! It runs as the user who owns it. Root's runs as any Corosync daemon does; another user's gets a user namespace with
//! a `/run` of its own, since Corosync insists on a lock file there. `setpriv` has the kernel end it when the thread
//! that started it ends, so that it goes also where its owner is killed: that thread is the supervisor's.
//!
//! What it prints is passed on to the log under the target `corosync`, and read for what is wrong ([`Problem`]).

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::config::{Node, Placement, Ring, RingError};
use crate::diagnosis::{Problem, level, said};
use crate::key::{KeyError, check_key};
use crate::limits::{
    COLLECT_INTERVAL, DAEMON_TERMINATION, LOG_LINE_BYTES, LOG_LINES_PER_PERIOD, LOG_PERIOD, LOG_QUEUE_LINES, RELOAD,
    RETRY_FIRST, RETRY_MOST, RUNS_WELL,
};

/// What an unprivileged daemon is started by, as root of a namespace: `$1` becomes `/run`.
const PRIVATE_RUN_SCRIPT: &str = r#"mount --bind "$1" /run && shift && exec "$@""#;

/// Where libqb keeps what the daemon shares with its clients.
const SHARED_MEMORY: &str = "/dev/shm";

/// What a daemon is started with.
#[derive(Debug, Clone)]
pub struct DaemonOptions {
    /// Whom it meets.
    pub ring: Ring,
    /// Which of the ring's nodes this host is.
    pub node: u32,
    /// The ring's key ([`crate::create_key`]).
    pub key: PathBuf,
    /// Its files; made where it is not there. Keep it: ring numbers grow only as long as the last one is known.
    pub directory: PathBuf,
    /// See [`Placement::is_realtime`].
    pub is_realtime: bool,
}

/// Why there is no daemon, or its ring can't be changed.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The ring can't be written.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// This host is none of the ring's nodes.
    #[error("the ring has no node with this host's number {number}")]
    UnknownNode {
        /// That number.
        number: u32,
    },
    /// A program is missing.
    #[error("`{program}` is not installed: install the package `{package}`")]
    NotInstalled {
        /// Its name.
        program: &'static str,
        /// Where Debian has it.
        package: &'static str,
    },
    /// The key can't be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A file or directory of its own can't be written.
    #[error("{} can't be written", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The system gives no thread.
    #[error("the daemon's supervisor can't be started")]
    Thread(#[source] std::io::Error),
    /// The daemons did not take the new configuration; the file is written, and read when they start again.
    #[error("the ring's daemons do not read their new configuration: {detail}")]
    Reload {
        /// What Corosync's tool said.
        detail: String,
    },
}

/// What the owner is told, in the order in which it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DaemonEvent {
    /// It runs. It takes some time until clients can connect to it.
    Started {
        /// Its process.
        pid: u32,
    },
    /// Something is wrong with it; told once for each time it is started.
    Problem(Problem),
    /// It has ended without being asked to, or could not be started.
    Ended {
        /// How, in words.
        reason: String,
        /// When it is started again.
        retry_after: Duration,
    },
}

/// A supervised daemon. It ends when this is dropped.
#[derive(Debug)]
pub struct Daemon {
    options: DaemonOptions,
    cfgtool: PathBuf,
    notices: SyncSender<Notice>,
    supervisor: Option<JoinHandle<()>>,
}

/// What the supervisor waits for.
enum Notice {
    Line(String),
    /// The daemon has closed its standard error: it has ended, or is about to.
    LogEnded,
    Stop,
}

impl Daemon {
    /// Writes the configuration and starts the daemon, and starts it again whenever it ends. `observer` is called on the
    /// supervisor's thread; what it takes long for waits.
    ///
    /// # Errors
    /// All that can be known before it runs. What it finds out itself comes as [`DaemonEvent::Problem`].
    pub fn start(
        options: DaemonOptions,
        observer: impl FnMut(DaemonEvent) + Send + 'static,
    ) -> Result<Self, DaemonError> {
        if options.ring.node(options.node).is_none() {
            return Err(DaemonError::UnknownNode { number: options.node });
        }
        let cfgtool = installed("corosync-cfgtool", "corosync")?;
        let launch = Launch::new(&options)?;
        check_key(&options.key)?;
        for directory in [&options.directory, &state(&options.directory), &run(&options.directory).join("lock")] {
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
            made.map_err(|source| DaemonError::Write { path: directory.clone(), source })?;
        }
        write_configuration(&options)?;
        let (notices, inbox) = sync_channel(LOG_QUEUE_LINES);
        let supervisor = Supervisor { launch, inbox, notices: notices.clone(), observer, log: Log::default() };
        let thread = std::thread::Builder::new().name("corosync".into()).spawn(move || supervisor.run());
        let supervisor = Some(thread.map_err(DaemonError::Thread)?);
        Ok(Daemon { options, cfgtool, notices, supervisor })
    }

    /// The ring as it is written.
    pub fn ring(&self) -> &Ring {
        &self.options.ring
    }

    /// Writes the ring with one node more, and has all its daemons read their files again. Do so on every host: a daemon
    /// that reads its file before it is written reads it once more when the last host asks. The new host's own daemon is
    /// started with the whole ring.
    ///
    /// # Errors
    /// The ring can't have the node, and is unchanged; or the daemons can't be reached now.
    pub fn add_node(&mut self, node: Node) -> Result<(), DaemonError> {
        self.options.ring.add_node(node)?;
        write_configuration(&self.options)?;
        let mut command = Command::new(&self.cfgtool);
        command.arg("-R").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let reload = |detail: String| DaemonError::Reload { detail };
        let mut child = command.spawn().map_err(|error| reload(error.to_string()))?;
        let deadline = Instant::now() + RELOAD;
        let status = loop {
            match child.try_wait().map_err(|error| reload(error.to_string()))? {
                Some(status) => break status,
                None if Instant::now() >= deadline => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(reload(format!("no answer within {} s", RELOAD.as_secs())));
                }
                None => std::thread::sleep(COLLECT_INTERVAL),
            }
        };
        if status.success() {
            return Ok(());
        }
        let mut said = String::new();
        // It says why, or nothing.
        let _ = child.stderr.take().map(|stderr| stderr.take(LOG_LINE_BYTES).read_to_string(&mut said));
        Err(reload(format!("corosync-cfgtool -R: {status}: {}", said.trim())))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // One that has ended needs no telling.
        let _ = self.notices.send(Notice::Stop);
        if let Some(supervisor) = self.supervisor.take() {
            // Its panic is told where it happened, and the kernel has ended the daemon with it.
            let _ = supervisor.join();
        }
    }
}

fn state(directory: &Path) -> PathBuf {
    directory.join("state")
}

fn run(directory: &Path) -> PathBuf {
    directory.join("run")
}

fn configuration(directory: &Path) -> PathBuf {
    directory.join("corosync.conf")
}

/// Replaced as a whole: a daemon that reads it meanwhile reads the old one or the new one.
fn write_configuration(options: &DaemonOptions) -> Result<(), DaemonError> {
    let DaemonOptions { ring, key, directory, is_realtime, .. } = options;
    let text =
        ring.configuration(&Placement { key: key.clone(), state: state(directory), is_realtime: *is_realtime })?;
    let path = configuration(directory);
    let new = directory.join("corosync.conf.new");
    let written =
        File::create(&new).and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.and_then(|()| std::fs::rename(&new, &path)).map_err(|source| DaemonError::Write { path, source })
}

/// The command that becomes the daemon.
#[derive(Debug)]
struct Launch {
    corosync: PathBuf,
    setpriv: PathBuf,
    /// For who is not root: what gives a namespace.
    unshare: Option<PathBuf>,
    directory: PathBuf,
}

impl Launch {
    fn new(options: &DaemonOptions) -> Result<Self, DaemonError> {
        let is_root = rustix::process::geteuid().is_root();
        Ok(Launch {
            corosync: installed("corosync", "corosync")?,
            setpriv: installed("setpriv", "util-linux")?,
            unshare: if is_root { None } else { Some(installed("unshare", "util-linux")?) },
            directory: options.directory.clone(),
        })
    }

    fn command(&self) -> Command {
        let mut command = match &self.unshare {
            None => Command::new(&self.setpriv),
            Some(unshare) => {
                let mut command = Command::new(unshare);
                command.args(["--user", "--map-root-user", "--mount", "--propagation", "private", "--"]);
                command.args(["sh", "-c", PRIVATE_RUN_SCRIPT, "sh"]).arg(run(&self.directory)).arg(&self.setpriv);
                command
            }
        };
        command.args(["--pdeathsig", "TERM", "--"]).arg(&self.corosync).arg("-f");
        command.arg("-c").arg(configuration(&self.directory));
        // A group of its own, so that Ctrl-C at its owner's terminal is its owner's to handle.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        command
    }
}

/// A program's path: on `PATH`, or where daemons are.
fn installed(program: &'static str, package: &'static str) -> Result<PathBuf, DaemonError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = directories.map(|directory| directory.join(program)).find(|candidate| candidate.is_file());
    found.ok_or(DaemonError::NotInstalled { program, package })
}

struct Supervisor<O> {
    launch: Launch,
    inbox: Receiver<Notice>,
    notices: SyncSender<Notice>,
    observer: O,
    log: Log,
}

/// How a run of the daemon ended.
enum Run {
    Stopped,
    Ended { reason: String, lasted: Duration },
}

impl<O: FnMut(DaemonEvent)> Supervisor<O> {
    fn run(mut self) {
        let mut retry_after = RETRY_FIRST;
        loop {
            let Run::Ended { reason, lasted } = self.run_once() else { return };
            if lasted >= RUNS_WELL {
                retry_after = RETRY_FIRST;
            }
            (self.observer)(DaemonEvent::Ended { reason, retry_after });
            if self.is_stopped_within(retry_after) {
                return;
            }
            retry_after = (retry_after * 2).min(RETRY_MOST);
        }
    }

    fn run_once(&mut self) -> Run {
        let start = Instant::now();
        let mut child = match self.launch.command().spawn() {
            Ok(child) => child,
            Err(error) => return Run::Ended { reason: error.to_string(), lasted: Duration::ZERO },
        };
        (self.observer)(DaemonEvent::Started { pid: child.id() });
        self.read_log(&mut child);
        let mut told = Told::default();
        let is_stopped = loop {
            match self.inbox.recv() {
                Ok(Notice::Line(line)) => self.handle_line(&line, &mut told),
                Ok(Notice::LogEnded) => break false,
                Ok(Notice::Stop) | Err(_) => break true,
            }
        };
        if is_stopped {
            self.stop(&mut child);
        }
        let status = collect(&mut child);
        remove_leftovers(child.id());
        if is_stopped {
            return Run::Stopped;
        }
        let reason = status.map_or_else(|error| error.to_string(), |status| ended(status, &told));
        Run::Ended { reason, lasted: start.elapsed() }
    }

    fn read_log(&self, child: &mut Child) {
        let Some(stderr) = child.stderr.take() else { return };
        let mut stderr = BufReader::new(stderr);
        let notices = self.notices.clone();
        let read = move || {
            let mut line = Vec::new();
            while (&mut stderr).take(LOG_LINE_BYTES).read_until(b'\n', &mut line).is_ok_and(|octets| octets > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                if notices.send(Notice::Line(text)).is_err() {
                    return;
                }
                line.clear();
            }
            let _ = notices.send(Notice::LogEnded);
        };
        if let Err(error) = std::thread::Builder::new().name("corosync-log".into()).spawn(read) {
            tracing::warn!("the daemon's log can't be read: {error}");
            // Without a reader nobody tells when it ends.
            let _ = child.kill();
            let _ = self.notices.try_send(Notice::LogEnded);
        }
    }

    fn handle_line(&mut self, line: &str, told: &mut Told) {
        self.log.pass_on(line);
        // The last one is about its end itself.
        if level(line) == tracing::Level::ERROR && !line.contains("exiting with status") {
            told.last_error = said(line).to_owned();
        }
        let Some(problem) = Problem::in_line(line) else { return };
        // A ring has so few nodes that this stays short.
        if told.problems.contains(&problem) {
            return;
        }
        told.problems.push(problem.clone());
        (self.observer)(DaemonEvent::Problem(problem));
    }

    /// Asks it to leave the ring, which the others see at once.
    fn stop(&mut self, child: &mut Child) {
        // It is not collected yet, so that the number is its own.
        let _ = kill_process(Pid::from_child(child), Signal::TERM);
        let deadline = Instant::now() + DAEMON_TERMINATION;
        loop {
            match self.inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Notice::Line(line)) => self.log.pass_on(&line),
                Ok(Notice::Stop) => {}
                Ok(Notice::LogEnded) | Err(_) => return,
            }
        }
    }

    fn is_stopped_within(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            match self.inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Notice::Stop) | Err(RecvTimeoutError::Disconnected) => return true,
                Ok(Notice::Line(_) | Notice::LogEnded) => {}
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }
}

/// Waits for one that has closed its output, and insists where it then goes on.
fn collect(child: &mut Child) -> std::io::Result<ExitStatus> {
    let deadline = Instant::now() + DAEMON_TERMINATION;
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(status),
            None if Instant::now() >= deadline => {
                tracing::warn!("the daemon does not end by itself: killed");
                child.kill()?;
                return child.wait();
            }
            None => std::thread::sleep(COLLECT_INTERVAL),
        }
    }
}

/// Removes what a daemon leaves in shared memory when it is killed: 8 MiB of its last log lines, and the rings of each
/// connection. Its number is in the names, and it was our child.
fn remove_leftovers(pid: u32) {
    let prefixes = [format!("qb-corosync-{pid}-blackbox-"), format!("qb-{pid}-")];
    let Ok(entries) = std::fs::read_dir(SHARED_MEMORY) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if prefixes.iter().any(|prefix| name.starts_with(prefix)) {
            // One is a file, the other one a directory. What stays is in nobody's way but the memory's.
            let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
        }
    }
}

/// What a run of the daemon has told.
#[derive(Debug, Default)]
struct Told {
    problems: Vec<Problem>,
    last_error: String,
}

/// A problem that makes it end says more than its own words, and those more than its status.
fn ended(status: ExitStatus, told: &Told) -> String {
    match (told.problems.last(), &*told.last_error) {
        (Some(problem), _) => format!("{status}: {problem}"),
        (None, "") => format!("it has ended by itself ({status})"),
        (None, error) => format!("{status}: {error}"),
    }
}

/// Passes the daemon's log on, within bounds.
#[derive(Debug, Default)]
struct Log {
    period: Option<Instant>,
    lines: u32,
}

impl Log {
    fn pass_on(&mut self, line: &str) {
        let now = Instant::now();
        let is_new = self.period.is_none_or(|since| now.duration_since(since) >= LOG_PERIOD);
        if is_new {
            let left_out = self.lines.saturating_sub(LOG_LINES_PER_PERIOD);
            if left_out > 0 {
                tracing::warn!(target: "corosync", "{left_out} lines of the daemon's log were left out");
            }
            (self.period, self.lines) = (Some(now), 0);
        }
        self.lines = self.lines.saturating_add(1);
        if self.lines > LOG_LINES_PER_PERIOD {
            return;
        }
        match level(line) {
            tracing::Level::ERROR => tracing::error!(target: "corosync", "{line}"),
            tracing::Level::WARN => tracing::warn!(target: "corosync", "{line}"),
            tracing::Level::DEBUG => tracing::debug!(target: "corosync", "{line}"),
            _ => tracing::info!(target: "corosync", "{line}"),
        }
    }
}
