//! Runs one command of a task: in its own process group, within a time limit, its output passed on as it
//! comes. Whatever of the group is left when the command ends, when time is up or when the task is
//! interrupted is ended too. What a command detaches from its group is its own business.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Between two looks at a running command.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// From SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(10);

/// How long output is waited for after its command ended: a process that it left behind may hold the pipe.
const OUTPUT_GRACE: Duration = Duration::from_secs(30);

/// The task was ended by a signal; what it had started is ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interrupted {
    signal: u8,
}

impl Interrupted {
    /// The shell's convention: 128 plus the signal.
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(128 + self.signal)
    }
}

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "interrupted by signal {}", self.signal)
    }
}

impl std::error::Error for Interrupted {}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself.
    Exited(ExitStatus),
    /// It was ended after this time limit.
    TimedOut(Duration),
}

impl End {
    /// True where the command ended by itself and said that all is well.
    pub(crate) fn success(self) -> bool {
        matches!(self, End::Exited(status) if status.success())
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            End::Exited(status) => write!(f, "{status}"),
            End::TimedOut(limit) => write!(f, "not done after {} minutes, ended", limit.as_secs() / 60),
        }
    }
}

/// The cargo that runs this task, in the repository's root.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(crate::root());
    // What cargo tells this task of its own package would look like a change to build scripts that watch these
    // variables (ring's does), and half of the workspace would be built anew.
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_about_this_package(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command
}

fn is_about_this_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// Runs `command` to its end or to `limit`, its output going where ours goes.
///
/// # Errors
/// The command can't be started, or the task is [`Interrupted`].
pub(crate) fn run(mut command: Command, limit: Duration) -> anyhow::Result<End> {
    let mut child = start(&mut command)?;
    wait(&mut child, limit)
}

/// Like [`run`], and gives each line of its standard output, without the line end, to `on_line` as well.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_with_lines(command: Command, limit: Duration, on_line: impl FnMut(&str)) -> anyhow::Result<End> {
    run_into(command, limit, std::io::stdout(), on_line)
}

fn run_into(
    mut command: Command,
    limit: Duration,
    mut passed_on: impl Write + Send + 'static,
    mut on_line: impl FnMut(&str),
) -> anyhow::Result<End> {
    command.stdout(Stdio::piped());
    let mut child = start(&mut command)?;
    let mut output = child.stdout.take().context("the command has no standard output")?;
    let (sender, lines) = mpsc::channel();
    spawn(move || pass_on(&mut output, &mut passed_on, &sender));
    let end = wait(&mut child, limit)?;
    while let Ok(line) = lines.recv_timeout(OUTPUT_GRACE) {
        on_line(&line);
    }
    Ok(end)
}

/// Copies octets as they come, and sends lines as they are complete.
fn pass_on(output: &mut impl Read, passed_on: &mut impl Write, lines: &mpsc::Sender<String>) {
    let mut buffer = [0; 16 * 1024];
    let mut line = Vec::new();
    loop {
        let length = match output.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        // A reader who went away is no reason to lose the count.
        let _ = passed_on.write_all(&buffer[..length]).and_then(|()| passed_on.flush());
        for &octet in &buffer[..length] {
            if octet == b'\n' {
                let _ = lines.send(String::from_utf8_lossy(&line).into_owned());
                line.clear();
            } else {
                line.push(octet);
            }
        }
    }
    if !line.is_empty() {
        let _ = lines.send(String::from_utf8_lossy(&line).into_owned());
    }
}

fn start(command: &mut Command) -> anyhow::Result<Child> {
    // Before the child exists, so that no signal can pass it by.
    received_signal();
    command.stdin(Stdio::null()).process_group(0);
    command.spawn().with_context(|| format!("cannot start `{}`", shown(command)))
}

fn wait(child: &mut Child, limit: Duration) -> anyhow::Result<End> {
    let deadline = Instant::now() + limit;
    let group = Pid::from_child(child);
    loop {
        if let Some(status) = child.try_wait()? {
            // What it left behind in its group.
            let _ = kill_process_group(group, Signal::KILL);
            return Ok(End::Exited(status));
        }
        let signal = received_signal().load(Ordering::Relaxed);
        if signal != 0 {
            end(child, group)?;
            return Err(Interrupted { signal: signal as u8 }.into());
        }
        if Instant::now() >= deadline {
            end(child, group)?;
            return Ok(End::TimedOut(limit));
        }
        sleep(POLL_INTERVAL);
    }
}

fn end(child: &mut Child, group: Pid) -> anyhow::Result<()> {
    if kill_process_group(group, Signal::TERM) == Err(Errno::PERM) {
        // sudo's: it isn't ours to end, and half an installation is worse than a late end.
        eprintln!("waiting for a command of another user to end");
        child.wait()?;
        return Ok(());
    }
    let deadline = Instant::now() + GRACE;
    while child.try_wait()?.is_none() && Instant::now() < deadline {
        sleep(POLL_INTERVAL);
    }
    let _ = kill_process_group(group, Signal::KILL);
    child.wait()?;
    Ok(())
}

/// The last signal that asked this process to end; 0 for none.
fn received_signal() -> &'static Arc<AtomicUsize> {
    static SIGNAL: OnceLock<Arc<AtomicUsize>> = OnceLock::new();
    SIGNAL.get_or_init(|| {
        let received = Arc::new(AtomicUsize::new(0));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // Without a handler the signal ends this process at once, as it would have anyway.
            let _ = signal_hook::flag::register_usize(signal, Arc::clone(&received), signal as usize);
        }
        received
    })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use super::*;

    const LIVENESS: Duration = Duration::from_secs(60);

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// Runs a script to its end; its lines are not passed on.
    fn run_script(script: &str) -> (End, Vec<String>) {
        let mut lines = Vec::new();
        let end = run_into(sh(script), LIVENESS, std::io::sink(), |line| lines.push(line.to_owned())).unwrap();
        (end, lines)
    }

    /// Waits until the process is gone, or a zombie that its new parent has yet to collect.
    fn wait_for_end(id: &str) {
        let deadline = Instant::now() + LIVENESS;
        while std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(Instant::now() < deadline, "process {id} outlived its group");
            sleep(POLL_INTERVAL);
        }
    }

    #[test]
    fn lines_arrive_whole_and_in_order() {
        let (end, lines) = run_script("printf 'a\\nb'; printf 'c\\nlast'");
        assert!(end.success());
        assert_eq!(lines, ["a", "bc", "last"]);
    }

    #[test]
    fn output_is_passed_on_unchanged() {
        let mut passed_on = Vec::new();
        let (lines, _receiver) = mpsc::channel();
        pass_on(&mut &b"a\r\n\xff"[..], &mut passed_on, &lines);
        assert_eq!(passed_on, b"a\r\n\xff");
    }

    #[test]
    fn a_failure_is_told() {
        let end = run(sh("exit 3"), LIVENESS).unwrap();
        assert!(!end.success());
        assert_eq!(end.to_string(), "exit status: 3");
    }

    #[test]
    fn a_command_past_its_limit_ends_with_its_group() {
        let mut child = start(sh("sleep 600 & echo $!; wait").stdout(Stdio::piped())).unwrap();
        let mut grandchild = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut grandchild).unwrap();
        assert_eq!(wait(&mut child, Duration::ZERO).unwrap(), End::TimedOut(Duration::ZERO));
        wait_for_end(grandchild.trim_end());
    }

    #[test]
    fn what_a_command_leaves_in_its_group_ends_with_it() {
        let (end, lines) = run_script("sleep 600 & echo $!");
        assert!(end.success());
        wait_for_end(&lines[0]);
    }
}
