//! The API: what the node knows, as JSON. `docs/api.md` is its reference; names in it are stable.

mod devices;
mod events;
mod history;
mod points;
mod status;
mod stream;

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hamsa_store::Event;
use serde_json::{Value, json};

use super::AppRef;
use super::moment::rfc3339;

pub(super) use devices::{device_state, known_device};
pub(super) use events::{parse_place, place};

pub(super) fn routes() -> Router<AppRef> {
    Router::new()
        .route("/api/v1/devices", get(devices::devices))
        .route("/api/v1/devices/{name}", get(devices::device))
        .route("/api/v1/series", get(devices::series))
        .route("/api/v1/history", get(history::history))
        .route("/api/v1/events", get(events::events))
        .route("/api/v1/traps", get(events::traps))
        .route("/api/v1/status", get(status::status))
        .route("/api/v1/stream", get(stream::stream))
}

/// A JSON answer.
fn json_answer(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

/// An event as the API tells it.
fn event_json(event: &Event) -> Value {
    let payload = serde_json::from_slice::<Value>(&event.payload);
    json!({
        "id": event.id.0,
        "time_ms": event.time_ms,
        "time": rfc3339(event.time_ms),
        "kind": event.kind,
        "device": event.device,
        // What later versions may have stored otherwise is shown as text.
        "payload": payload.unwrap_or_else(|_| String::from_utf8_lossy(&event.payload).into()),
    })
}
