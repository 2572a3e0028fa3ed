//! The side of those whom a hub serves.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hamsa_group::embedded::Hub;
use hamsa_group::{Configuration, EngineEvent, EnginePort, EngineSide, Incoming, Process, engine_port};
use tokio::io::{AsyncWriteExt, BufReader, BufWriter};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::engine::EmbeddedOptions;
use crate::error::ConnectError;
use crate::fault::Fault;
use crate::frame::{self, Control, Frame, VERSION};
use crate::limits::{ALIVE_EVERY, BUFFER_BYTES, FAULTS, HELLO_PATIENCE, PORT_MESSAGES, SILENCE};
use crate::local::note_ring;
use crate::serve::check_peer;

/// Where faults are asked for, if the hub takes any.
pub(crate) type Faults = Option<mpsc::Sender<Fault>>;

/// Connects to the hub.
pub(crate) async fn dial(
    options: &EmbeddedOptions,
    seen: &Arc<AtomicU64>,
) -> Result<(EnginePort, Faults), ConnectError> {
    let path = &options.socket;
    let unreachable = |source| ConnectError::Unreachable { path: path.clone(), source };
    let stream = UnixStream::connect(path).await.map_err(unreachable)?;
    if let Err(uid) = check_peer(&stream).map_err(unreachable)? {
        return Err(ConnectError::ForeignUser { path: path.clone(), uid });
    }
    let (read, write) = stream.into_split();
    let mut read = BufReader::with_capacity(BUFFER_BYTES, read);
    let mut write = BufWriter::with_capacity(BUFFER_BYTES, write);
    let (cluster, node) = (options.cluster.clone(), options.node);
    let hello = Control::Hello { version: VERSION, cluster, node, seen: seen.load(Ordering::Relaxed) };
    let asked = async {
        frame::write(&mut write, &Frame::Control(hello)).await?;
        write.flush().await?;
        frame::read(&mut read).await
    };
    let answer = timeout(HELLO_PATIENCE, asked).await.map_err(|late| unreachable(late.into()))?;
    let allows_faults = match answer.map_err(unreachable)? {
        Frame::Control(Control::Welcome { allows_faults }) => allows_faults,
        Frame::Control(Control::Refused(reason)) => return Err(refused(path, reason)),
        _ => return Err(refused(path, "it speaks another language".into())),
    };
    let (port, EngineSide { outgoing, incoming }) = engine_port(Hub::capabilities(), PORT_MESSAGES);
    let (faults, wanted) = mpsc::channel(FAULTS);
    let seen = seen.clone();
    tokio::spawn(async move {
        let ended = tokio::select! {
            ended = take(read, &incoming, &seen) => ended,
            ended = give(outgoing, wanted, write) => ended,
        };
        let reason = match ended {
            Ok(reason) => reason,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => "the hub is silent".into(),
            Err(error) => format!("the connection to the hub has ended: {error}"),
        };
        // Whoever has let go of the engine need not know.
        let _ = incoming.send(EngineEvent::Lost { reason }.into()).await;
    });
    Ok((port, allows_faults.then_some(faults)))
}

fn refused(path: &Path, reason: String) -> ConnectError {
    ConnectError::Refused { path: path.to_owned(), reason }
}

/// Returns the hub's own words, when it ends the connection by itself.
async fn take(
    mut read: BufReader<OwnedReadHalf>,
    incoming: &mpsc::Sender<Incoming>,
    seen: &AtomicU64,
) -> io::Result<String> {
    loop {
        let event = match timeout(SILENCE, frame::read(&mut read)).await?? {
            Frame::Message(sender, data) => EngineEvent::Message { sender, data },
            Frame::Control(Control::Configuration(ring, me, members)) => {
                EngineEvent::Configuration(Configuration { ring, me, members })
            }
            Frame::Control(Control::Lost(reason)) => return Ok(reason),
            Frame::Control(Control::Alive) => continue,
            Frame::Control(other) => return Err(io::Error::other(format!("{other:?} is not for one who is served"))),
        };
        note_ring(seen, &event);
        if incoming.send(event.into()).await.is_err() {
            return Ok("nobody listens".into());
        }
    }
}

async fn give(
    mut outgoing: mpsc::Receiver<Bytes>,
    mut faults: mpsc::Receiver<Fault>,
    mut write: BufWriter<OwnedWriteHalf>,
) -> io::Result<String> {
    // The hub knows who sends.
    let nobody = Process { node: 0, process: 0 };
    let mut are_faults_over = false;
    loop {
        let frame = match outgoing.try_recv() {
            Ok(data) => Frame::Message(nobody, data),
            Err(_) => {
                write.flush().await?;
                tokio::select! {
                    data = outgoing.recv() => match data {
                        Some(data) => Frame::Message(nobody, data),
                        None => return Ok("nobody sends".into()),
                    },
                    fault = faults.recv(), if !are_faults_over => match fault {
                        Some(fault) => Frame::Control(Control::Fault(fault)),
                        None => {
                            are_faults_over = true;
                            continue;
                        }
                    },
                    () = tokio::time::sleep(ALIVE_EVERY) => Frame::Control(Control::Alive),
                }
            }
        };
        frame::write(&mut write, &frame).await?;
    }
}
