//! The hub's side of the socket.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hamsa_group::EngineEvent;
use hamsa_group::limits::EMBEDDED_TAKE_PATIENCE;
use nix::unistd::geteuid;
use tokio::io::{AsyncWriteExt, BufReader, BufWriter};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::error::ConnectError;
use crate::frame::{self, Control, Frame, VERSION};
use crate::limits::{ACCEPT_RETRY, ALIVE_EVERY, BUFFER_BYTES, HELLO_PATIENCE, MAX_CONNECTIONS, SILENCE};
use crate::local::{Attachment, LocalHub};

/// A hub that is served. It ends when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) hub: LocalHub,
    path: PathBuf,
    accepting: AbortHandle,
    /// Given back last of all.
    _lock: File,
}

/// Whom a hub lets in.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) cluster: String,
    pub(crate) allows_faults: bool,
}

impl Server {
    /// Listens, as the process that has the lock: a socket that is there is of one that is gone.
    pub(crate) fn start(path: &Path, lock: File, rules: Rules) -> Result<Self, ConnectError> {
        let failed = |source| ConnectError::Listen { path: path.to_owned(), source };
        match fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(path).map_err(failed)?,
            Ok(_) => return Err(ConnectError::InTheWay { path: path.to_owned() }),
            // Most likely there is none; if not so, listening fails.
            Err(_) => {}
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        // Who connected before this is asked who it is all the same.
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
        let hub = LocalHub::new();
        let accepting = tokio::spawn(accept(listener, hub.clone(), rules)).abort_handle();
        Ok(Server { hub, path: path.to_owned(), accepting, _lock: lock })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the group engine's socket is not removed");
        }
    }
}

async fn accept(listener: UnixListener, hub: LocalHub, rules: Rules) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // They end with this task.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (hub, rules) = (hub.clone(), rules.clone());
                connections.spawn(async move {
                    let _permit = permit;
                    match serve(stream, &hub, &rules).await {
                        Ok(()) => {}
                        Err(error) => tracing::debug!(%error, "a connection to the embedded group engine has ended"),
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the embedded group engine could not be accepted");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// Whether the process at the other end may be there.
pub(crate) fn check_peer(stream: &UnixStream) -> io::Result<Result<(), u32>> {
    let uid = stream.peer_cred()?.uid();
    Ok(if uid == geteuid().as_raw() || uid == 0 { Ok(()) } else { Err(uid) })
}

async fn serve(stream: UnixStream, hub: &LocalHub, rules: &Rules) -> io::Result<()> {
    let peer = check_peer(&stream)?;
    let (read, write) = stream.into_split();
    let mut read = BufReader::with_capacity(BUFFER_BYTES, read);
    let mut write = BufWriter::with_capacity(BUFFER_BYTES, write);
    let answer = match peer {
        Ok(()) => hello(&mut read, hub, rules).await?,
        Err(uid) => Err(format!("it is run by user {uid}")),
    };
    let (attachment, said) = match answer {
        Ok(attachment) => (Some(attachment), Control::Welcome { allows_faults: rules.allows_faults }),
        Err(reason) => (None, Control::Refused(reason)),
    };
    let told = async {
        frame::write(&mut write, &Frame::Control(said)).await?;
        write.flush().await
    };
    timeout(HELLO_PATIENCE, told).await??;
    let Some(attachment) = attachment else { return Ok(()) };
    tokio::select! {
        ended = give(&attachment, write) => ended,
        ended = take(&attachment, read, rules) => ended,
    }
}

/// The attachment of who asks for one, or why not.
async fn hello(
    read: &mut BufReader<OwnedReadHalf>,
    hub: &LocalHub,
    rules: &Rules,
) -> io::Result<Result<Attachment, String>> {
    let said = timeout(HELLO_PATIENCE, frame::read(read)).await??;
    let Frame::Control(Control::Hello { version, cluster, node, seen }) = said else {
        return Ok(Err("it does not say who it is".into()));
    };
    if version != VERSION {
        return Ok(Err(format!("it speaks version {version} of the protocol, the hub {VERSION}: run the same Hamsa")));
    }
    if cluster != rules.cluster {
        return Ok(Err(format!("it is of the cluster {cluster:?}, the hub of {:?}", rules.cluster)));
    }
    Ok(hub.attachment(node, seen).map_err(|error| error.to_string()))
}

async fn give(attachment: &Attachment, mut write: BufWriter<OwnedWriteHalf>) -> io::Result<()> {
    loop {
        let mut next = match attachment.try_next() {
            Some(event) => Some(event),
            None => {
                timeout(EMBEDDED_TAKE_PATIENCE, write.flush()).await??;
                timeout(ALIVE_EVERY, attachment.next()).await.ok()
            }
        };
        let frame = match next.take() {
            Some(EngineEvent::Message { sender, data }) => Frame::Message(sender, data),
            Some(EngineEvent::Configuration(configuration)) => Frame::Control(Control::configuration(configuration)),
            Some(EngineEvent::Lost { reason }) => {
                let last = async {
                    frame::write(&mut write, &Frame::Control(Control::Lost(reason))).await?;
                    write.flush().await
                };
                return timeout(EMBEDDED_TAKE_PATIENCE, last).await?;
            }
            None => Frame::Control(Control::Alive),
        };
        timeout(EMBEDDED_TAKE_PATIENCE, frame::write(&mut write, &frame)).await??;
    }
}

async fn take(attachment: &Attachment, mut read: BufReader<OwnedReadHalf>, rules: &Rules) -> io::Result<()> {
    loop {
        match timeout(SILENCE, frame::read(&mut read)).await?? {
            Frame::Message(_, data) => {
                if attachment.send(data).await.is_err() {
                    // What is given to it says that it was dropped.
                    return std::future::pending().await;
                }
            }
            Frame::Control(Control::Fault(fault)) if rules.allows_faults => attachment.inject(fault),
            Frame::Control(Control::Alive) => {}
            Frame::Control(other) => return Err(io::Error::other(format!("{other:?} is not for a hub"))),
        }
    }
}
