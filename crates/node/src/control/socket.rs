//! The control socket: a Unix socket in the data directory that only the process's own user (and root) may open. Each
//! connection carries one request and its answer.

use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use nix::sys::socket::{getsockopt, sockopt};
use serde_json::{Value, json};

use super::{ControlRequest, Controlled, carry_out};
use crate::limits::{ACCEPT_RETRY, CONTROL_IO_WAIT, MAX_CONTROL_CONNECTIONS, MAX_CONTROL_OCTETS};
use crate::swapping::Asker;

/// The socket's name in the data directory.
pub const SOCKET_NAME: &str = "control.sock";

/// The control socket can't be had.
#[derive(Debug, thiserror::Error)]
#[error("the control socket {}: {source}{}", path.display(), advice(source))]
pub struct ControlSocketError {
    /// Where.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// A control socket that is served. It is removed when dropped.
#[derive(Debug)]
pub struct ControlSocket {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ControlSocket {
    /// Listens in a data directory. Only one process may use that, so a socket that is there is of one that is gone.
    ///
    /// # Errors
    /// See [`ControlSocketError`].
    pub fn start(data_dir: &Path, controlled: Controlled) -> Result<Self, ControlSocketError> {
        let path = data_dir.join(SOCKET_NAME);
        let failed = |source| ControlSocketError { path: path.clone(), source };
        if fs::symlink_metadata(&path).is_ok_and(|found| found.file_type().is_socket()) {
            fs::remove_file(&path).map_err(failed)?;
        }
        let listener = UnixListener::bind(&path).map_err(failed)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
        let stop = Arc::new(AtomicBool::new(false));
        let is_over = stop.clone();
        let serve = move || serve(&listener, &controlled, &is_over);
        let thread = thread::Builder::new().name("control".into()).spawn(serve).map_err(failed)?;
        Ok(ControlSocket { path, stop, thread: Some(thread) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // The listener wakes by a connection; where none can be made it has ended already.
        let is_woken = UnixStream::connect(&self.path).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| is_woken)
            && thread.join().is_err()
        {
            tracing::error!("the control socket's thread has panicked");
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the control socket is not removed");
        }
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::InvalidInput => " (a socket's path has 107 octets at most; choose a shorter data directory)",
        _ => "",
    }
}

fn serve(listener: &UnixListener, controlled: &Controlled, is_over: &AtomicBool) {
    let open = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        if is_over.load(Ordering::Acquire) {
            return;
        }
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a control connection could not be accepted");
                thread::sleep(ACCEPT_RETRY);
                continue;
            }
        };
        if open.fetch_add(1, Ordering::AcqRel) >= MAX_CONTROL_CONNECTIONS {
            open.fetch_sub(1, Ordering::AcqRel);
            refuse(stream);
            continue;
        }
        let (controlled, open) = (controlled.clone(), Closing(open.clone()));
        let spawned = thread::Builder::new().name("control".into()).spawn(move || {
            let _open = open;
            if let Err(error) = converse(stream, &controlled) {
                tracing::debug!(%error, "a control connection ended");
            }
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for a control connection");
        }
    }
}

/// Counts a connection out, however it ends.
struct Closing(Arc<AtomicUsize>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn refuse(mut stream: UnixStream) {
    let error = json!({ "error": "too many control connections at once, try again" });
    // Whoever does not listen needs no answer.
    let _ = stream.set_write_timeout(Some(CONTROL_IO_WAIT)).and_then(|()| write(&mut stream, &error));
}

fn converse(mut stream: UnixStream, controlled: &Controlled) -> io::Result<()> {
    stream.set_read_timeout(Some(CONTROL_IO_WAIT))?;
    stream.set_write_timeout(Some(CONTROL_IO_WAIT))?;
    let uid = getsockopt(&stream, sockopt::PeerCredentials).map_err(io::Error::from)?.uid();
    let mut line = Vec::new();
    BufReader::new((&stream).take(MAX_CONTROL_OCTETS as u64)).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(());
    }
    let answer = match serde_json::from_slice::<ControlRequest>(&line) {
        Ok(request) => carry_out(controlled, &Asker::Local(uid), request, |event| {
            // The swap goes on, whether its asker still listens or not.
            let _ = write(&mut stream, event);
        }),
        Err(error) => json!({ "error": format!("not a request: {error}") }),
    };
    write(&mut stream, &answer)
}

fn write(stream: &mut UnixStream, value: &Value) -> io::Result<()> {
    stream.write_all(format!("{value}\n").as_bytes())
}
