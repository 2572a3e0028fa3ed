//! Control over HTTP on a loopback address: `POST /control` with the token, a request as body; the answer has the events
//! in `events`. For machines that have no access to the data directory's socket.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::{ControlRequest, Controlled, carry_out};
use crate::config::Secret;
use crate::config::agent::ControlConfig;
use crate::http::bounded_http1;
use crate::limits::{ACCEPT_RETRY, CONTROL_CONNECTION_WAIT, MAX_CONTROL_CONNECTIONS, MAX_CONTROL_OCTETS};
use crate::swapping::Asker;

/// HTTP for control can't be had.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on TCP {address}: {source}")]
pub struct ControlHttpError {
    /// What was asked for.
    pub address: SocketAddr,
    /// Why not.
    pub source: std::io::Error,
}

/// HTTP for control. It ends when dropped.
pub struct ControlHttp {
    local: SocketAddr,
    runtime: Option<Runtime>,
}

struct Shared {
    controlled: Controlled,
    token: Secret,
}

impl ControlHttp {
    /// Listens and serves.
    ///
    /// # Errors
    /// See [`ControlHttpError`].
    pub fn start(config: &ControlConfig, controlled: Controlled) -> Result<Self, ControlHttpError> {
        let failed = |source| ControlHttpError { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(MAX_CONTROL_CONNECTIONS)
            .thread_name("control-http")
            .enable_all()
            .build()
            .map_err(failed)?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(failed)?
        };
        let shared = Arc::new(Shared { controlled, token: config.token.clone() });
        let router = Router::new()
            .route("/control", post(control))
            .layer(DefaultBodyLimit::max(MAX_CONTROL_OCTETS))
            .with_state(shared);
        runtime.spawn(accept(listener, router));
        Ok(ControlHttp { local, runtime: Some(runtime) })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

impl Drop for ControlHttp {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, router: Router) {
    let connections = Arc::new(Semaphore::new(MAX_CONTROL_CONNECTIONS));
    loop {
        let permit = connections.clone().acquire_owned().await;
        match listener.accept().await {
            Ok((stream, from)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    let _permit = permit;
                    // Nobody holds a connection for ever.
                    match timeout(CONTROL_CONNECTION_WAIT, bounded_http1(stream, router)).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => tracing::debug!(%from, %error, "a control connection ended"),
                        Err(_) => tracing::debug!(%from, "a control connection took too long"),
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a control connection could not be accepted");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// A page of another site can't ask: it has no token, and a browser sends none by itself.
async fn control(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if !given.is_some_and(|given| given.ct_eq(shared.token.expose()).into()) {
        let error = if given.is_some() { "the token is wrong" } else { "a token is needed" };
        let error = format!("{error}: send \"Authorization: Bearer TOKEN\" with the token of [control]");
        let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"Hamsa\"")];
        return (StatusCode::UNAUTHORIZED, challenge, json_body(&json!({ "error": error }))).into_response();
    }
    let request = match serde_json::from_slice::<ControlRequest>(&body) {
        Ok(request) => request,
        Err(error) => {
            let error = json!({ "error": format!("not a request: {error}") });
            return (StatusCode::BAD_REQUEST, json_body(&error)).into_response();
        }
    };
    let work = move || {
        let mut events: Vec<Value> = Vec::new();
        let mut answer = carry_out(&shared.controlled, &Asker::Token, request, |event| events.push(event.clone()));
        answer["events"] = events.into();
        answer
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => {
            let status = if answer["error"].is_null() { StatusCode::OK } else { StatusCode::CONFLICT };
            (status, json_body(&answer)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a control request failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn json_body(value: &Value) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], value.to_string())
}
