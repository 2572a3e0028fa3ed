//! HTTP: the console for people, the API for programs, `/metrics` and `/snmp` for Prometheus, all read-only.
//!
//! A request comes in through `server` (connections, TLS), passes `guard` (who may ask) and reaches a handler in
//! `api`, `console`, `metrics` or `assets`. What can't be served becomes a `refusal`. Handlers that read the store do so
//! on threads of their own, see `App::read`.

mod api;
mod assets;
mod console;
mod guard;
mod metrics;
mod moment;
mod query;
mod recent;
mod refusal;
mod server;
mod stall;
mod stats;
mod tls;
mod view;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::{Semaphore, watch};

use crate::limits::{HTTP_ANSWER_WAIT, HTTP_READERS, MAX_SCRAPES, MAX_STREAM_CLIENTS};
use crate::state::NodeState;
use guard::{Guard, SECURITY_HEADERS};
use recent::Recent;
use refusal::Refusal;
pub use server::HttpServer;
pub(crate) use server::bounded_http1;
pub(crate) use stats::{Endpoint, HttpStats, STATUS_CLASSES};

/// The HTTP server can't be started.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address can't be listened at.
    #[error("can't listen on TCP {address}: {source}{}", bind_advice(source))]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// A certificate or key can't be used.
    #[error("{}: {reason}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system gives no threads or timers.
    #[error("the HTTP server's threads can't be had: {0}")]
    System(#[from] std::io::Error),
}

/// What all handlers share.
pub(crate) struct App {
    pub(crate) node: Arc<NodeState>,
    pub(crate) stats: Arc<HttpStats>,
    pub(crate) recent: Recent,
    /// Where the server listens.
    pub(crate) local: SocketAddr,
    guard: Guard,
    readers: Arc<Semaphore>,
    scrapes: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    /// Turns true when the server stops.
    stopping: watch::Receiver<bool>,
}

/// A handler's hold of them.
pub(crate) type AppRef = Arc<App>;

impl App {
    fn new(node: Arc<NodeState>, guard: Guard, local: SocketAddr, stopping: watch::Receiver<bool>) -> Self {
        App {
            node,
            stats: Arc::default(),
            recent: Recent::default(),
            local,
            guard,
            readers: Arc::new(Semaphore::new(HTTP_READERS)),
            scrapes: Arc::new(Semaphore::new(MAX_SCRAPES)),
            streams: Arc::new(Semaphore::new(MAX_STREAM_CLIENTS)),
            stopping,
        }
    }

    /// Runs what reads files or takes long on another thread; a few at a time, in the order in which they come.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&NodeState) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let node = self.node.clone();
        let permit = self.readers.clone().acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            // Given back with the work done, also when nobody waits for it any more.
            let _permit = permit;
            work(&node)
        });
        done.await.unwrap_or_else(|error| {
            tracing::error!(%error, "answering a request failed");
            let hint = "the node's log tells more; please report it";
            Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "answering failed", hint))
        })
    }
}

/// The paths.
fn router(app: AppRef) -> Router {
    Router::new()
        .merge(console::routes())
        .merge(api::routes())
        .merge(metrics::routes())
        .route("/assets/{file}", get(assets::asset))
        .fallback(|| async { Refusal::not_found("there is no such page", "begin at /; docs/api.md lists the API") })
        .layer(middleware::from_fn(end_in_time))
        .layer(middleware::from_fn_with_state(app.clone(), let_in))
        .layer(middleware::from_fn(refusal::present))
        .layer(middleware::from_fn_with_state(app.clone(), dress))
        .with_state(app)
}

/// Counts an answer and puts the header fields on it that all carry.
async fn dress(State(app): State<AppRef>, request: Request, next: Next) -> Response {
    let endpoint = Endpoint::of(request.uri().path());
    let mut response = next.run(request).await;
    app.stats.note(endpoint, response.status().as_u16());
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn let_in(State(app): State<AppRef>, request: Request, next: Next) -> Response {
    match app.guard.check(request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// No answer takes for ever. What is streamed has begun by then.
async fn end_in_time(request: Request, next: Next) -> Response {
    let late = |_| {
        let error = format!("no answer in {} s", HTTP_ANSWER_WAIT.as_secs());
        Refusal::busy(error).into_response()
    };
    tokio::time::timeout(HTTP_ANSWER_WAIT, next.run(request)).await.unwrap_or_else(late)
}

fn bind_advice(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => " (ports below 1024 need root or CAP_NET_BIND_SERVICE)",
        std::io::ErrorKind::AddrInUse => " (another program listens there; `ss -tlpn` names it)",
        std::io::ErrorKind::AddrNotAvailable => " (this host has no such address)",
        _ => "",
    }
}

/// Waits until the server stops.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error says that the server is gone, which is the same.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// Milliseconds for people and programs alike.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
