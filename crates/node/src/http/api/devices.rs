//! `/api/v1/devices`, `/api/v1/devices/{name}` and `/api/v1/series`: the inventory, and what is recorded of it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use hamsa_store::Series;
use serde_json::{Value, json};

use super::json_answer;
use super::points::Gap;
use crate::fleet::{DeviceEntry, DeviceState};
use crate::http::AppRef;
use crate::http::millis;
use crate::http::query::Parameters;
use crate::http::refusal::Refusal;
use crate::http::view::{DeviceFilter, Present, STATES};
use crate::limits::MAX_API_PAGE;
use crate::state::NodeState;

/// Devices in a list, unless `limit` says it.
const DEFAULT_LIMIT: usize = 1_000;

pub(super) async fn devices(State(app): State<AppRef>, mut query: Parameters) -> Result<Response, Refusal> {
    let state = device_state(query.take("state")?)?;
    let text = query.take("q")?.unwrap_or_default();
    let limit = query.number("limit", MAX_API_PAGE, DEFAULT_LIMIT)?;
    let after = query.take("after")?;
    query.finish()?;
    let answer = app.read(move |node| {
        let mut rows = DeviceFilter::new(state, &text).apply(&node.fleet);
        if let Some(after) = &after {
            rows.retain(|row| row.entry.name > *after);
        }
        let next = rows.get(limit).map(|_| rows[limit - 1].entry.name.clone());
        let devices: Vec<Value> = rows.iter().take(limit).map(|row| device_json(&row.entry)).collect();
        Ok(json!({ "devices": devices, "next": next }))
    });
    Ok(json_answer(&answer.await?))
}

pub(super) async fn device(
    State(app): State<AppRef>,
    Path(name): Path<String>,
    query: Parameters,
) -> Result<Response, Refusal> {
    query.finish()?;
    let entry = known_device(&app.node, &name)?;
    Ok(json_answer(&device_json(&entry)))
}

pub(super) async fn series(State(app): State<AppRef>, mut query: Parameters) -> Result<Response, Refusal> {
    let name = query.require("device", "core1")?;
    let object = query.take("object")?;
    query.finish()?;
    let answer = app.read(move |node| {
        let all = node.store.series_of(&name).map_err(|error| Refusal::store(&error))?;
        let device = node.fleet.get(&name);
        if device.is_none() && all.is_empty() {
            return Err(no_device(node, &name));
        }
        let wanted =
            all.into_iter().filter(|series| object.as_ref().is_none_or(|object| *object == series.name.object));
        let series: Vec<Value> = wanted.map(|series| series_json(series, device.as_deref())).collect();
        Ok(json!({ "device": name, "series": series }))
    });
    Ok(json_answer(&answer.await?))
}

/// A state by its name.
pub(in crate::http) fn device_state(text: Option<String>) -> Result<Option<DeviceState>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let state = STATES.into_iter().find(|state| state.name() == text);
    let unknown = || {
        let names = STATES.map(DeviceState::name).join(", ");
        Refusal::bad_request(format!("there is no state {text:?}"), format!("states are {names}"))
    };
    state.map(Some).ok_or_else(unknown)
}

/// The device of that name, or 404.
pub(in crate::http) fn known_device(node: &NodeState, name: &str) -> Result<Arc<DeviceEntry>, Refusal> {
    node.fleet.get(name).ok_or_else(|| no_device(node, name))
}

/// 404, with a device that may have been meant.
pub(super) fn no_device(node: &NodeState, name: &str) -> Refusal {
    let error = format!("there is no device {name:?}");
    let names: Vec<String> = node.fleet.all().iter().map(|device| device.name.clone()).collect();
    let similar = names
        .iter()
        .map(|other| (strsim::damerau_levenshtein(&other.to_lowercase(), &name.to_lowercase()), other))
        .filter(|(distance, _)| *distance <= 2)
        .min();
    let hint = match (similar, names.len()) {
        (Some((_, other)), _) => format!("did you mean {other:?}?"),
        (None, 0) => "the inventory is empty: add a [[device]] to the configuration".to_owned(),
        (None, count) => format!("/api/v1/devices lists the {count} that there are"),
    };
    Refusal::not_found(error, hint)
}

fn device_json(device: &DeviceEntry) -> Value {
    json!({
        "name": device.name,
        "address": device.address.to_string(),
        "credentials": device.credentials,
        "version": device.version.name(),
        "interval_ms": millis(device.interval),
        "labels": device.labels,
        "status": device.status(),
    })
}

fn series_json(series: Series, device: Option<&DeviceEntry>) -> Value {
    let mut json = json!(series);
    let latest = device.and_then(|device| Present::of(series, device));
    json["latest"] = latest.as_ref().map_or(Value::Null, latest_json);
    json
}

fn latest_json(present: &Present) -> Value {
    let (rate, gap) = match present.rate() {
        None => (None, None),
        Some(Ok(rate)) => (Some(rate), None),
        Some(Err(reason)) => (None, Some(Gap::NoRate(reason).word())),
    };
    json!({ "time_ms": present.reading.latest.time_ms, "value": present.number(), "rate": rate, "gap": gap })
}
