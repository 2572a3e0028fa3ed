//! One link: octets between a TLS connection and Zenoh's Unix socket, as few at a time as one record of TLS.
//!
//! What a peer does not take is not taken from Zenoh either, but for one record here and [`UNSENT_BYTES`] in the kernel:
//! Zenoh's congestion control sees a slow peer as slow. Nothing waits for ever: Zenoh ends its side of a link that is
//! silent for a lease, the other way ends [`CLOSE_TIMEOUT`] after the first, and an end that takes nothing is left after
//! [`STALL_TIMEOUT`], also when the one it belongs to has gone meanwhile.

use std::io;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsStream;
use tokio_rustls::rustls::pki_types::UnixTime;

use crate::limits::{CLOSE_TIMEOUT, COPY_BYTES, EXPIRY_PERIOD, STALL_TIMEOUT, UNSENT_BYTES};

/// How a link has ended.
#[derive(Debug)]
pub(super) enum End {
    /// Zenoh has closed its side.
    Zenoh,
    /// The peer has closed the connection.
    Peer,
    /// The connection broke, or the peer refuses this side's certificate.
    Failed(io::Error),
    /// The peer's certificate has come to its end.
    Expired,
}

/// Sets what all connections want.
///
/// # Errors
/// The system's.
pub(super) fn prepare(connection: &TcpStream) -> io::Result<()> {
    connection.set_nodelay(true)?;
    SockRef::from(connection).set_tcp_notsent_lowat(UNSENT_BYTES)
}

/// Copies both ways until one ends. `heard` becomes true with the peer's first octet.
pub(super) async fn join(
    peer: TlsStream<TcpStream>,
    zenoh: UnixStream,
    expires: Option<UnixTime>,
    heard: &watch::Sender<bool>,
) -> End {
    // `split` has a lock, so that no two touch the connection at once.
    let (from_peer, to_peer) = tokio::io::split(peer);
    let (from_zenoh, to_zenoh) = zenoh.into_split();
    let mut inward = pin!(copy(from_peer, to_zenoh, Some(heard)));
    let mut outward = pin!(copy(from_zenoh, to_peer, None));
    tokio::select! {
        ended = &mut inward => {
            // Zenoh reads the end, and closes.
            let _ = timeout(CLOSE_TIMEOUT, outward).await;
            ended.map_or_else(End::Failed, |()| End::Peer)
        }
        ended = &mut outward => {
            // What the peer has said before may be why it takes no more: an alert.
            let said = timeout(CLOSE_TIMEOUT, inward).await;
            match (ended, said) {
                (Ok(()), _) => End::Zenoh,
                (Err(_), Ok(Err(reason))) => End::Failed(reason),
                (Err(reason), _) => End::Failed(reason),
            }
        }
        () = expiry(expires) => End::Expired,
    }
}

/// Copies until `from` ends, and ends `to` then.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    heard: Option<&watch::Sender<bool>>,
) -> io::Result<()> {
    let mut octets = vec![0; COPY_BYTES];
    loop {
        let number = from.read(&mut octets).await?;
        if number == 0 {
            return in_time(CLOSE_TIMEOUT, to.shutdown()).await;
        }
        if let Some(heard) = heard {
            heard.send_if_modified(|heard| !std::mem::replace(heard, true));
        }
        let taken = async {
            to.write_all(&octets[..number]).await?;
            // TLS keeps what TCP does not take.
            to.flush().await
        };
        in_time(STALL_TIMEOUT, taken).await?;
    }
}

async fn in_time(limit: Duration, done: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    timeout(limit, done).await.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "it takes nothing")))
}

/// Returns after the last second of a certificate, by the system's clock.
async fn expiry(expires: Option<UnixTime>) {
    let Some(expires) = expires else { return std::future::pending().await };
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(expires.as_secs().saturating_add(1));
    while let Ok(left) = end.duration_since(SystemTime::now())
        && !left.is_zero()
    {
        sleep(left.min(EXPIRY_PERIOD)).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;
    use tokio::time::Instant;

    use super::*;

    /// The clock runs by itself when nothing else can.
    #[tokio::test(start_paused = true)]
    async fn an_end_that_takes_nothing_is_left() {
        let (mut speaker, from) = duplex(4 * COPY_BYTES);
        let (to, mut listener) = duplex(16);
        let began = Instant::now();
        speaker.write_all(&[7; 2 * COPY_BYTES]).await.expect("there is room");
        let (heard, _) = watch::channel(false);
        let error = copy(from, to, Some(&heard)).await.expect_err("nobody reads");
        assert_eq!((error.kind(), began.elapsed()), (io::ErrorKind::TimedOut, STALL_TIMEOUT));
        assert!(*heard.borrow());
        // No more was taken than what is copied at a time.
        let mut rest = Vec::new();
        listener.read_to_end(&mut rest).await.expect("it ends");
        assert_eq!(rest, [7; 16]);
    }

    #[tokio::test(start_paused = true)]
    async fn all_that_was_said_comes_before_the_end() {
        let (mut speaker, from) = duplex(1_000);
        let (to, mut listener) = duplex(1_000);
        let said: Vec<u8> = (0..5 * COPY_BYTES).map(|number| number as u8).collect();
        let speak = async {
            speaker.write_all(&said).await.expect("it is taken");
            drop(speaker);
        };
        let mut came = Vec::new();
        let (copied, (), read) = tokio::join!(copy(from, to, None), speak, listener.read_to_end(&mut came));
        assert!(copied.is_ok() && read.is_ok());
        assert!(came == said);
    }

    #[tokio::test(start_paused = true)]
    async fn a_certificate_is_good_to_its_last_second() {
        let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a sound clock");
        let past = UnixTime::since_unix_epoch(now() - Duration::from_secs(2));
        timeout(EXPIRY_PERIOD, expiry(Some(past))).await.expect("it has ended");
        let future = UnixTime::since_unix_epoch(now() + Duration::from_secs(86_400));
        timeout(2 * EXPIRY_PERIOD, expiry(Some(future))).await.expect_err("it has not ended");
        timeout(2 * EXPIRY_PERIOD, expiry(None)).await.expect_err("it does not end");
    }
}
