//! `/api/v1/events` and `/api/v1/traps`: what has happened, newest first.

use axum::extract::State;
use axum::response::Response;
use hamsa_store::{EventId, EventPlace, EventQuery};
use serde_json::{Value, json};

use super::{event_json, json_answer};
use crate::http::AppRef;
use crate::http::moment::{now_ms, parse_time_ms};
use crate::http::query::Parameters;
use crate::http::refusal::Refusal;
use crate::limits::MAX_API_PAGE;

/// Events in an answer, unless `limit` says it.
const DEFAULT_LIMIT: usize = 100;

pub(super) async fn events(State(app): State<AppRef>, mut query: Parameters) -> Result<Response, Refusal> {
    let kind = query.take("kind")?;
    answer(app, kind, query).await
}

pub(super) async fn traps(State(app): State<AppRef>, query: Parameters) -> Result<Response, Refusal> {
    answer(app, Some("trap".to_owned()), query).await
}

/// A place in the order of events, as `after` takes it.
pub(in crate::http) fn place(place: EventPlace) -> String {
    format!("{}-{}", place.time_ms, place.id.0)
}

/// Reads what [`place`] has written.
pub(in crate::http) fn parse_place(text: &str) -> Result<EventPlace, Refusal> {
    let parts = text.split_once('-').and_then(|(time_ms, id)| Some((time_ms.parse().ok()?, id.parse().ok()?)));
    let (time_ms, id) = parts.ok_or_else(|| {
        Refusal::bad_request(format!("after={text} is no place"), "take it from \"next\" of the answer before")
    })?;
    Ok(EventPlace { time_ms, id: EventId(id) })
}

async fn answer(app: AppRef, kind: Option<String>, mut query: Parameters) -> Result<Response, Refusal> {
    let now = now_ms();
    let bad_time = |error| Refusal::bad_request(error, "from and to are times");
    let mut time = |name| query.take(name)?.map(|text| parse_time_ms(&text, now).map_err(bad_time)).transpose();
    let (from_ms, to_ms) = (time("from")?.unwrap_or(i64::MIN), time("to")?.unwrap_or(i64::MAX));
    let device = query.take("device")?;
    let limit = query.number("limit", MAX_API_PAGE, DEFAULT_LIMIT)?;
    let after = query.take("after")?.map(|text| parse_place(&text)).transpose()?;
    query.finish()?;
    let answer = app.read(move |node| {
        let query = EventQuery { from_ms, to_ms, kind: kind.as_deref(), device: device.as_deref(), limit, after };
        let page = node.store.events(&query).map_err(|error| Refusal::store(&error))?;
        let events: Vec<Value> = page.events.iter().map(event_json).collect();
        Ok(json!({ "events": events, "next": page.next.map(place) }))
    });
    Ok(json_answer(&answer.await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let there = EventPlace { time_ms: 1_769_860_800_123, id: EventId(77) };
        assert_eq!(parse_place(&place(there)), Ok(there));
        for text in ["", "1", "a-b", "1-", "-1", "1-2-3"] {
            assert!(parse_place(text).is_err(), "{text}");
        }
    }
}
