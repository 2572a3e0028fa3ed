//! Connections: accepted as long as there is room, secured by TLS if that is configured, each served until it
//! ends, stalls, or the server stops.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::guard::Guard;
use super::recent::keep_notes;
use super::stall::StallGuard;
use super::stats::{Gauge, HttpStats};
use super::{App, HttpError, router, stopped, tls};
use crate::config::HttpConfig;
use crate::limits::{
    ACCEPT_RETRY, HTTP_HEAD_WAIT, HTTP_READERS, HTTP_STALL_WAIT, HTTP_STOP_WAIT, HTTP_THREADS, MAX_HTTP_CONNECTIONS,
    MAX_HTTP_HEAD_OCTETS, MAX_HTTP_HEADERS, TLS_HANDSHAKE_WAIT,
};
use crate::state::NodeState;

/// Threads for what blocks: readers of the store, and host names being looked up.
const BLOCKING_THREADS: usize = HTTP_READERS + 4;

/// A running server. It stops when it is told to or dropped.
pub struct HttpServer {
    local: SocketAddr,
    stop: watch::Sender<bool>,
    connections: Arc<Semaphore>,
    /// `None` once it has stopped.
    runtime: Option<Runtime>,
}

impl HttpServer {
    /// Listens and serves. When this returns, the address is bound and requests are answered.
    ///
    /// # Errors
    /// See [`HttpError`]; nothing runs then.
    pub fn start(config: &HttpConfig, node: Arc<NodeState>) -> Result<Self, HttpError> {
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let bind_error = |source| HttpError::Bind { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).map_err(bind_error)?;
        let local = listener.local_addr().map_err(bind_error)?;
        listener.set_nonblocking(true)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(HTTP_THREADS)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("http")
            .enable_all()
            .build()?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopping) = watch::channel(false);
        let app = Arc::new(App::new(node, Guard::new(config, local), local, stopping.clone()));
        let connections = Arc::new(Semaphore::new(MAX_HTTP_CONNECTIONS));
        runtime.spawn(keep_notes(app.clone()));
        let acceptor = Acceptor {
            connections: connections.clone(),
            stats: app.stats.clone(),
            router: router(app),
            tls: tls.clone(),
            stopping,
        };
        runtime.spawn(acceptor.run(listener));
        tracing::info!(address = %local, tls = tls.is_some(), "HTTP is served");
        Ok(HttpServer { local, stop, connections, runtime: Some(runtime) })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Takes no more connections, finishes answers under way, and ends after a few seconds at the most.
    pub fn stop(mut self) {
        self.stop.send_replace(true);
        let Some(runtime) = self.runtime.take() else { return };
        let connections = self.connections.clone();
        let drained = async move {
            let all = u32::try_from(MAX_HTTP_CONNECTIONS).unwrap_or(u32::MAX);
            timeout(HTTP_STOP_WAIT, connections.acquire_many(all)).await.is_ok()
        };
        if !runtime.block_on(drained) {
            tracing::warn!("some HTTP connections were cut off");
        }
        // A reader that hangs on the disk must not keep the node from ending.
        runtime.shutdown_timeout(HTTP_STOP_WAIT);
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// HTTP on a connection, with bounds on how long and how large the head of a request is.
pub(crate) fn bounded_http1<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    router: Router,
) -> http1::Connection<TokioIo<S>, TowerToHyperService<Router>> {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HTTP_HEAD_WAIT);
    builder.max_buf_size(MAX_HTTP_HEAD_OCTETS).max_headers(MAX_HTTP_HEADERS);
    builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
}

struct Acceptor {
    connections: Arc<Semaphore>,
    stats: Arc<HttpStats>,
    router: Router,
    tls: Option<TlsAcceptor>,
    stopping: watch::Receiver<bool>,
}

impl Acceptor {
    async fn run(mut self, listener: tokio::net::TcpListener) {
        loop {
            let next = async {
                let permit = self.connections.clone().acquire_owned().await;
                (permit, listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                () = stopped(&mut self.stopping) => return,
                next = next => next,
            };
            match accepted {
                Ok((stream, from)) => {
                    let connection = Connection {
                        router: self.router.clone(),
                        tls: self.tls.clone(),
                        stopping: self.stopping.clone(),
                        from,
                    };
                    let stats = self.stats.clone();
                    tokio::spawn(async move {
                        let _permit = permit;
                        let _open = Gauge::raise(&stats.connections);
                        connection.serve(stream).await;
                    });
                }
                Err(error) => {
                    // Of a connection that is gone already, or for want of file descriptors.
                    tracing::warn!(%error, "an HTTP connection could not be accepted");
                    sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }
}

struct Connection {
    router: Router,
    tls: Option<TlsAcceptor>,
    stopping: watch::Receiver<bool>,
    from: SocketAddr,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        // Answers are written whole; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let stream = StallGuard::new(stream, HTTP_STALL_WAIT);
        let Some(tls) = self.tls.clone() else { return self.serve_http(stream).await };
        let from = self.from;
        match timeout(TLS_HANDSHAKE_WAIT, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.serve_http(stream).await,
            Ok(Err(error)) => tracing::debug!(%from, %error, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%from, "a TLS handshake took too long"),
        }
    }

    async fn serve_http(mut self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let connection = bounded_http1(stream, self.router);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopped(&mut self.stopping) => {
                connection.as_mut().graceful_shutdown();
                timeout(HTTP_STOP_WAIT + Duration::from_secs(1), connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(from = %self.from, %error, "an HTTP connection ended");
        }
    }
}
