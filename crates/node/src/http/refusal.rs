//! A request that can't be served: why, and what the asker can do. Programs get it as JSON, Prometheus and probes
//! as text, people as a page; which of them asks is told by the path.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::console;
use super::stats::Endpoint;

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// What is wrong, without a full stop.
    pub(crate) error: String,
    /// What to do about it.
    pub(crate) hint: String,
    /// Header fields that go with the status.
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// A refusal with this status.
    pub(crate) fn new(status: StatusCode, error: impl Into<String>, hint: impl Into<String>) -> Self {
        Refusal { status, error: error.into(), hint: hint.into(), headers: Vec::new() }
    }

    /// 400: the request is malformed.
    pub(crate) fn bad_request(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Refusal::new(StatusCode::BAD_REQUEST, error, hint)
    }

    /// 404: there is no such thing.
    pub(crate) fn not_found(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Refusal::new(StatusCode::NOT_FOUND, error, hint)
    }

    /// 503: too much at once.
    pub(crate) fn busy(error: impl Into<String>) -> Self {
        let retry = (header::RETRY_AFTER, HeaderValue::from_static("5"));
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error, "try again in a few seconds").with(retry)
    }

    /// 500: the store failed. What it says goes to the log too, since it may name files.
    pub(crate) fn store(error: &hamsa_store::StorageError) -> Self {
        tracing::error!(%error, "the store can't be read");
        let hint = "look at the disk and at the node's log";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the store can't be read: {error}"), hint)
    }

    /// The same with another header field.
    #[must_use]
    pub(crate) fn with(mut self, field: (HeaderName, HeaderValue)) -> Self {
        self.headers.push(field);
        self
    }
}

impl IntoResponse for Refusal {
    /// A bare answer, which [`present`] dresses.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes refusals in the form that suits the path.
pub(super) async fn present(request: Request, next: Next) -> Response {
    let endpoint = Endpoint::of(request.uri().path());
    let mut response = next.run(request).await;
    let Some(refusal) = response.extensions_mut().remove::<Refusal>() else { return response };
    let Refusal { status, error, hint, headers } = &refusal;
    let mut response = match endpoint {
        Endpoint::Api => {
            let body = json!({ "error": error, "hint": hint }).to_string();
            (*status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
        Endpoint::Console => (*status, console::refusal_page(&refusal)).into_response(),
        Endpoint::Metrics | Endpoint::Snmp | Endpoint::Assets | Endpoint::Probe => {
            (*status, format!("{error}\n{hint}\n")).into_response()
        }
    };
    for (name, value) in headers {
        response.headers_mut().append(name, value.clone());
    }
    response
}
