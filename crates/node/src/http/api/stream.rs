//! `/api/v1/stream`: what happens, as it is stored (server-sent events, HTML Living Standard §9.2).

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::fleet::{DeviceEntry, Notice};
use crate::http::moment::rfc3339;
use crate::http::query::Parameters;
use crate::http::refusal::Refusal;
use crate::http::stats::HttpStats;
use crate::http::{AppRef, stopped};
use crate::limits::STREAM_KEEP_ALIVE;

pub(super) async fn stream(State(app): State<AppRef>, mut query: Parameters) -> Result<Response, Refusal> {
    let device = query.take("device")?;
    let kind = query.take("kind")?;
    query.finish()?;
    let permit = app.streams.clone().try_acquire_owned();
    let permit = permit.map_err(|_| Refusal::busy("too many clients of the stream"))?;
    let client = Client {
        notices: app.node.fleet.watch(),
        device,
        kind,
        stopping: app.stopping.clone(),
        greeted: false,
        _open: Open::new(app.stats.clone(), permit),
    };
    let events = stream::unfold(client, |mut client| async move {
        let event = client.next().await?;
        Some((Ok::<_, Infallible>(event), client))
    });
    let keep_alive = KeepAlive::new().interval(STREAM_KEEP_ALIVE);
    Ok(Sse::new(events).keep_alive(keep_alive).into_response())
}

/// Somebody who listens.
struct Client {
    notices: Receiver<Notice>,
    /// Only what is of this device.
    device: Option<String>,
    /// Only this kind: `polled`, or a kind of event.
    kind: Option<String>,
    stopping: watch::Receiver<bool>,
    greeted: bool,
    _open: Open,
}

/// Counts a client while it listens.
struct Open {
    stats: Arc<HttpStats>,
    _permit: OwnedSemaphorePermit,
}

impl Open {
    fn new(stats: Arc<HttpStats>, permit: OwnedSemaphorePermit) -> Self {
        stats.stream_clients.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Open { stats, _permit: permit }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.stats.stream_clients.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Client {
    /// The next event for this client; `None` when the server stops.
    async fn next(&mut self) -> Option<Event> {
        if !self.greeted {
            self.greeted = true;
            // A browser that has lost the connection comes back after these milliseconds.
            return Some(Event::default().event("hello").data("{}").retry(std::time::Duration::from_secs(3)));
        }
        loop {
            let notice = tokio::select! {
                () = stopped(&mut self.stopping) => return None,
                notice = self.notices.recv() => notice,
            };
            match notice {
                Ok(notice) if self.wants(&notice) => return Some(event(&notice)),
                Ok(_) => {}
                // What was missed is in the store; a page that hears of it asks anew.
                Err(RecvError::Lagged(missed)) => {
                    return Some(Event::default().event("lagged").data(json!({ "missed": missed }).to_string()));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }

    fn wants(&self, notice: &Notice) -> bool {
        let (kind, device) = match notice {
            Notice::Polled(device) => ("polled", device.name.as_str()),
            Notice::Event { kind, device, .. } => (*kind, device.as_str()),
        };
        self.kind.as_deref().is_none_or(|wanted| wanted == kind)
            && self.device.as_deref().is_none_or(|wanted| wanted == device)
    }
}

fn event(notice: &Notice) -> Event {
    match notice {
        Notice::Polled(device) => Event::default().event("polled").data(polled_json(device).to_string()),
        Notice::Event { id, time_ms, kind, device, payload } => {
            let payload = serde_json::from_str::<Value>(payload).unwrap_or(Value::Null);
            let data = json!({
                "id": id, "time_ms": time_ms, "time": rfc3339(*time_ms), "kind": kind, "device": device, "payload": payload,
            });
            Event::default().event("event").data(data.to_string())
        }
    }
}

fn polled_json(device: &DeviceEntry) -> Value {
    let status = device.lock();
    json!({
        "device": device.name,
        "state": status.state,
        "state_since_ms": status.state_since_ms,
        "last_poll_ms": status.last_poll_ms,
        "last_stored_ms": status.last_stored_ms,
        "poll_duration_ms": status.poll_duration_ms,
        "rtt_us": status.rtt_us,
    })
}
