//! TLS of our own around Zenoh's links. Zenoh has links on this host only, over Unix sockets in a directory that nobody
//! else can enter; this module connects them with the peers, over TCP and TLS 1.3 with certificates of both sides.
//!
//! Zenoh's own TLS link (1.10.2) reads and writes one `TlsStream` from two threads at once, through an `UnsafeCell`
//! (Zenoh's issue 2557): under load the connection's state is torn, and the process with it. Its QUIC link shakes hands
//! with one peer after the other. Its link for Unix sockets has such a cell too, around a `UnixStream` as around its
//! `TcpStream`; but reading and writing these is a call to the system on a shared descriptor, which tokio also offers
//! through `&self`, and changes nothing else in them.
//!
//! It leaves out: when to dial (Zenoh does that again and again) and how long a silent peer is waited for (Zenoh's
//! lease ends the link on its side, and so here).

mod accept;
mod credentials;
mod dial;
mod directory;
mod link;

use std::env::temp_dir;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket, UnixListener, lookup_host};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::accept::Acceptor;
use self::credentials::Credentials;
use self::dial::Dialler;
pub(crate) use self::dial::Dials;
use self::directory::Directory;
use crate::config::ZenohEndpoints;
use crate::limits::MAX_HANDSHAKES;
use crate::tls::{TlsFiles, TlsFilesError, Use};

/// Bound, but nobody is served yet: Zenoh is to listen first.
pub(crate) struct Tunnel {
    directory: Directory,
    acceptors: Vec<Acceptor>,
    diallers: Vec<(Dialler, UnixListener, PathBuf)>,
    dials: Arc<Dials>,
}

/// Serves until it is closed or dropped.
#[derive(Debug)]
pub(crate) struct RunningTunnel {
    directory: Directory,
    closing: watch::Sender<()>,
    tasks: JoinSet<()>,
    dials: Arc<Dials>,
}

/// Why links cannot be protected.
#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// The certificates won't do.
    #[error(transparent)]
    Files(#[from] TlsFilesError),
    /// The address is not of this host, or the port is taken.
    #[error("cannot listen at {endpoint} (is the address of this host, and the port free?): {reason}")]
    Listen {
        /// Host and port.
        endpoint: String,
        /// The system's word.
        reason: io::Error,
    },
    /// No directory, or no Unix sockets in it.
    #[error("no sockets towards Zenoh in the temporary directory: {0}")]
    Directory(#[from] io::Error),
}

impl Tunnel {
    /// Listens at `listen`, and prepares to dial `dial`, both `host:port`.
    ///
    /// # Errors
    /// What is wrong with the certificates, an endpoint, or the temporary directory.
    pub(crate) async fn bind(files: &TlsFiles, listen: &[String], dial: &[String]) -> Result<Self, TunnelError> {
        let purposes = [(Use::Listen, listen), (Use::Dial, dial)];
        let purposes = purposes.into_iter().filter(|(_, endpoints)| !endpoints.is_empty()).map(|(purpose, _)| purpose);
        let credentials = Arc::new(Credentials::new(files.clone(), purposes.collect())?);
        let directory = Directory::new(&temp_dir())?;
        let zenoh = directory.socket("hub")?;
        let mut acceptors = Vec::new();
        for endpoint in listen {
            let listener = listen_at(endpoint).await;
            let listener = listener.map_err(|reason| TunnelError::Listen { endpoint: endpoint.clone(), reason })?;
            acceptors.push(Acceptor { listener, zenoh: zenoh.clone(), credentials: Arc::clone(&credentials) });
        }
        let dials = Arc::new(Dials::new(dial.len()));
        let mut diallers = Vec::new();
        for (number, endpoint) in dial.iter().enumerate() {
            let path = directory.socket(&format!("dial{number}"))?;
            let listener = UnixListener::bind(&path)?;
            let (credentials, dials) = (Arc::clone(&credentials), Arc::clone(&dials));
            diallers.push((Dialler { number, endpoint: endpoint.clone(), credentials, dials }, listener, path));
        }
        Ok(Self { directory, acceptors, diallers, dials })
    }

    /// Zenoh's ends: it listens once for all peers that dial, if any may, and dials once for each of ours.
    pub(crate) fn endpoints(&self) -> ZenohEndpoints {
        const PROTOCOL: &str = "unixsock-stream";
        // `Directory::socket` gives no path that would lose something.
        let endpoint = |path: &PathBuf| format!("{PROTOCOL}/{}", path.display());
        let listen = self.acceptors.first().map(|first| endpoint(&first.zenoh));
        let dial = self.diallers.iter().map(|(.., path)| endpoint(path));
        ZenohEndpoints { protocol: PROTOCOL, listen: listen.into_iter().collect(), dial: dial.collect() }
    }

    /// Serves peers, now that Zenoh listens.
    pub(crate) fn run(self) -> RunningTunnel {
        let (closing, closes) = watch::channel(());
        let mut tasks = JoinSet::new();
        for acceptor in self.acceptors {
            tasks.spawn(acceptor.run(closes.clone()));
        }
        for (dialler, listener, _) in self.diallers {
            tasks.spawn(dialler.run(listener, closes.clone()));
        }
        RunningTunnel { directory: self.directory, closing, tasks, dials: self.dials }
    }
}

impl RunningTunnel {
    /// What the last dials came to.
    pub(crate) fn dials(&self) -> Arc<Dials> {
        Arc::clone(&self.dials)
    }

    /// Ends within twice the time that a link has for closing; Zenoh has closed its ends before.
    pub(crate) async fn close(mut self) {
        drop(self.closing);
        // One that panicked has nothing left to close.
        while self.tasks.join_next().await.is_some() {}
        self.directory.remove();
    }
}

/// At the first of the endpoint's addresses that is of this host, with a queue for as many as may come at once: from a
/// shorter one the system drops peers, which then wait for a second.
async fn listen_at(endpoint: &str) -> io::Result<TcpListener> {
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in lookup_host(endpoint).await? {
        let listen = || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(MAX_HANDSHAKES as u32)
        };
        match listen() {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
