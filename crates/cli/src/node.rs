//! `hamsa node`: runs a node until it is told to end.

use std::io::{self, IsTerminal};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use hamsa_node::config::{Config, LogConfig, LogFormat, LogLevel};
use hamsa_node::daemon::Daemon;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::failure::Told;
use crate::limits::{STOP_LIMIT, STOP_LOOK};
use crate::options::load_config;
use crate::terminal::tell;

/// Run a node: poll devices, receive notifications, keep and serve what comes
///
/// SIGTERM or SIGINT (Ctrl-C) ends it after it has stored what it has read; a second one ends it at once. SIGHUP makes it read its
/// configuration again: devices and credentials are taken on, the rest waits for a restart; with a mistake in it nothing
/// changes.
#[derive(Debug, Args)]
pub struct Command {
    /// The node's configuration; `hamsa init` writes one
    #[arg(long, short = 'f', value_name = "FILE", default_value = "hamsa.toml")]
    pub config: PathBuf,
}

/// Runs it.
///
/// # Errors
/// The configuration has mistakes, the node can't be started, or it does not end by itself.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let config = load_config(&command.config)?;
    start_log(&config.log);
    raise_open_files();
    // Before anything is started: a signal that comes now must end it properly too.
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let mut daemon = Daemon::start(&config)?;
    tell_where(&config, &daemon);
    notify_systemd("READY=1");
    while signals.forever().next() == Some(SIGHUP) {
        notify_systemd("RELOADING=1");
        reload(&mut daemon, &command.config);
        notify_systemd("READY=1");
    }
    notify_systemd("STOPPING=1");
    stop_in_time("node", &mut signals, move || daemon.stop())
}

/// Reads the configuration again. With a mistake in it the node goes on as before.
fn reload(daemon: &mut Daemon, file: &Path) {
    let reloaded = load_config(file).and_then(|config| Ok(daemon.reload(&config)?));
    match reloaded {
        Ok(reloaded) => tell(&format!("hamsa node: {} read again; {reloaded}", file.display())),
        Err(error) => tell(&format!("hamsa node: {error:#}\n  The configuration in force stays.")),
    }
}

/// Lets a daemon end, for a bounded time, or until the next signal.
///
/// # Errors
/// It did not.
pub fn stop_in_time(what: &str, signals: &mut Signals, end: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    tell(&format!("hamsa {what}: ending; once more to end at once"));
    let (done, ended) = channel();
    thread::Builder::new().name("stop".into()).spawn(move || {
        end();
        // Nobody waits any more after a second signal.
        let _ = done.send(());
    })?;
    let deadline = Instant::now() + STOP_LIMIT;
    loop {
        match ended.recv_timeout(STOP_LOOK) {
            Ok(()) => return Ok(()),
            Err(RecvTimeoutError::Timeout) if signals.pending().any(|signal| signal != SIGHUP) => {
                tell(&format!("hamsa {what}: ended before everything was stored"));
                return Err(Told.into());
            }
            Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
            Err(_) => {
                tell(&format!("hamsa {what}: did not end by itself within {} s", STOP_LIMIT.as_secs()));
                return Err(Told.into());
            }
        }
    }
}

/// Lets this process have as many open files as the host allows: a hub has three for each site.
fn raise_open_files() {
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::warn!(%error, "the number of open files stays as it is");
    }
}

/// Begins the log, on standard error.
pub fn start_log(log: &LogConfig) {
    let level = match log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // Zenoh tells of each link that breaks as an error; what of it matters to people we say ourselves.
    let of_zenoh = if level > LevelFilter::INFO { level } else { LevelFilter::OFF };
    let filter = Targets::new().with_default(level).with_target("zenoh", of_zenoh);
    let lines = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr);
    match log.format {
        LogFormat::Json => lines.json().finish().with(filter).init(),
        LogFormat::Text => {
            // The journal has times of its own (systemd.exec(5), JOURNAL_STREAM).
            let colours = io::stderr().is_terminal();
            match std::env::var_os("JOURNAL_STREAM") {
                Some(_) => lines.with_ansi(false).without_time().finish().with(filter).init(),
                None => lines.with_ansi(colours).finish().with(filter).init(),
            }
        }
    }
}

/// Says what the node does and where to look.
fn tell_where(config: &Config, daemon: &Daemon) {
    let state = daemon.state();
    let polled = config.devices.iter().filter(|device| device.enabled).count();
    let data = config.node.data_dir.display();
    tell(&format!("hamsa node {}: polls {polled} of {} devices; data is in {data}", state.name, config.devices.len()));
    let scheme = if config.http.tls.is_some() { "https" } else { "http" };
    tell(&format!("  console: {scheme}://{}", daemon.http_address()));
    let traps: Vec<String> = state.trap_addresses.iter().map(ToString::to_string).collect();
    if !traps.is_empty() {
        tell(&format!("  traps and informs: {}", traps.join(", ")));
    }
    if !state.left_out.is_empty() {
        tell(&format!(
            "  {} problems with MIB files and profiles, which are left out; see the log",
            state.left_out.len()
        ));
    }
}

/// Tells systemd how it goes (sd_notify(3)); elsewhere nothing happens.
pub fn notify_systemd(message: &str) {
    if let Some(path) = std::env::var_os("NOTIFY_SOCKET")
        && let Err(error) = send_to(path.as_bytes(), message).context("systemd can't be notified")
    {
        tracing::warn!("{error:#}");
    }
}

fn send_to(path: &[u8], message: &str) -> io::Result<()> {
    let address = match path {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_is_told_at_a_path_or_an_abstract_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        send_to(path.as_os_str().as_bytes(), "READY=1").unwrap();
        let mut octets = [0; 32];
        let length = socket.recv(&mut octets).unwrap();
        assert_eq!(&octets[..length], b"READY=1");

        let name = format!("hamsa-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send_to(format!("@{name}").as_bytes(), "STOPPING=1").unwrap();
        let length = socket.recv(&mut octets).unwrap();
        assert_eq!(&octets[..length], b"STOPPING=1");
    }
}
