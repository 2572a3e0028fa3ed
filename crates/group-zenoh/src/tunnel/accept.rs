//! The side that listens: handshakes side by side, bounded in number and time, and each peer that has shown a good
//! certificate is joined to Zenoh.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::server::TlsStream;

use super::credentials::{Credentials, Loaded};
use super::link::{End, join, prepare};
use crate::limits::{ACCEPT_PAUSE, CLOSE_TIMEOUT, HANDSHAKE_TIMEOUT, LOG_PERIOD, MAX_HANDSHAKES, MAX_LINKS};
use crate::tls::Use;

/// One endpoint.
pub(super) struct Acceptor {
    pub(super) listener: TcpListener,
    /// Where Zenoh listens.
    pub(super) zenoh: PathBuf,
    pub(super) credentials: Arc<Credentials>,
}

/// A peer whose certificate is good.
struct Peer {
    address: SocketAddr,
    connection: TlsStream<TcpStream>,
    expires: Option<UnixTime>,
}

/// Peers that came to nothing, told of in few lines.
#[derive(Debug, Default)]
struct Failures(Mutex<(u64, Option<Instant>)>);

impl Acceptor {
    /// Runs until `closing` changes, and then until the links have ended, but not for long.
    pub(super) async fn run(self, mut closing: watch::Receiver<()>) {
        let failures = Arc::new(Failures::default());
        let mut handshakes = JoinSet::new();
        let mut links = JoinSet::new();
        // The oldest first; some have ended.
        let mut under_way: VecDeque<AbortHandle> = VecDeque::new();
        loop {
            tokio::select! {
                _ = closing.changed() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((connection, address)) => {
                        if under_way.len() >= MAX_HANDSHAKES {
                            under_way.retain(|it| !it.is_finished());
                        }
                        if under_way.len() >= MAX_HANDSHAKES && let Some(oldest) = under_way.pop_front() {
                            oldest.abort();
                        }
                        let handshake = shake_hands(self.credentials.current(), connection, address);
                        under_way.push_back(handshakes.spawn(handshake));
                    }
                    Err(error) => {
                        failures.tell(None, &error.to_string());
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(ended) = handshakes.join_next() => match ended {
                    Ok(Ok(peer)) if links.len() < MAX_LINKS => {
                        links.spawn(carry(peer, self.zenoh.clone(), Arc::clone(&failures)));
                    }
                    Ok(Ok(peer)) => failures.tell(Some(peer.address), "there are too many links"),
                    Ok(Err((address, reason))) => failures.tell(Some(address), &reason.to_string()),
                    Err(error) if error.is_cancelled() => failures.tell(None, "it made room for a younger handshake"),
                    Err(error) => failures.tell(None, &error.to_string()),
                },
                Some(_) = links.join_next() => {}
            }
        }
        drop(self.listener);
        drop(handshakes);
        // Zenoh has closed its ends: what it has said is taken to the peers.
        let _ = timeout(CLOSE_TIMEOUT, async { while links.join_next().await.is_some() {} }).await;
    }
}

impl Failures {
    fn tell(&self, peer: Option<SocketAddr>, reason: &str) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (number, told) = &mut *state;
        *number += 1;
        let now = Instant::now();
        if told.is_none_or(|told| now.duration_since(told) >= LOG_PERIOD) {
            let peer = peer.map_or_else(|| "a peer".to_owned(), |peer| peer.to_string());
            tracing::warn!(peer, reason, number, "connections failed since the last such line, of which the latest");
            *number = 0;
            *told = Some(now);
        }
    }
}

async fn shake_hands(
    loaded: Arc<Loaded>,
    connection: TcpStream,
    address: SocketAddr,
) -> Result<Peer, (SocketAddr, io::Error)> {
    let handshake = async {
        prepare(&connection)?;
        let connection = TlsAcceptor::from(Arc::clone(&loaded.server)).accept(connection).await?;
        let chain = connection.get_ref().1.peer_certificates().unwrap_or_default();
        let expires = loaded.expiry(chain, Use::Dial).map_err(io::Error::other)?;
        Ok(Peer { address, connection, expires })
    };
    let late = |_| Err(io::Error::new(io::ErrorKind::TimedOut, "its handshake took too long"));
    timeout(HANDSHAKE_TIMEOUT, handshake).await.unwrap_or_else(late).map_err(|error| (address, error))
}

async fn carry(peer: Peer, zenoh: PathBuf, failures: Arc<Failures>) {
    let Peer { address, connection, expires } = peer;
    let zenoh = match UnixStream::connect(zenoh).await {
        Ok(zenoh) => zenoh,
        Err(error) => return failures.tell(Some(address), &format!("Zenoh takes no connection: {error}")),
    };
    let (heard, _) = watch::channel(false);
    match join(connection.into(), zenoh, expires, &heard).await {
        End::Expired => failures.tell(Some(address), "its certificate has expired"),
        end => tracing::debug!(%address, ?end, "a link has ended"),
    }
}
