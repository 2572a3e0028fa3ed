//! `/devices/{name}`: one device, what is known of it and what it does now.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use hamsa_store::{Event, EventQuery};
use maud::{Markup, html};
use serde_json::Value;

use super::device_tables::tables;
use super::layout::{Frame, Tab};
use super::page;
use super::parts::{Show, counted, device_event, empty, query as link, short_name, state, time};
use crate::fleet::{DeviceEntry, DeviceState, DeviceStatus};
use crate::http::api::known_device;
use crate::http::query::Parameters;
use crate::http::refusal::Refusal;
use crate::http::view::text::{grouped, long_time, short_time};
use crate::http::view::{Present, present};
use crate::http::{AppRef, millis};
use crate::state::NodeState;

/// Events of the device that its page shows.
const LAST_EVENTS: usize = 10;

/// Spans of time that a graph can show, in hours.
const SPANS: [(u32, &str); 5] = [(1, "1 h"), (6, "6 h"), (24, "24 h"), (7 * 24, "7 d"), (30 * 24, "30 d")];

/// Facts in the order in which they are shown, and what they are called.
const FACTS: [(&str, &str); 6] = [
    ("sysName", "Name"),
    ("sysDescr", "Description"),
    ("sysLocation", "Location"),
    ("sysContact", "Contact"),
    ("sysObjectID", "Object ID"),
    ("sysServices", "Services"),
];

pub(super) async fn device(
    State(app): State<AppRef>,
    Path(name): Path<String>,
    query: Parameters,
) -> Result<Response, Refusal> {
    query.finish()?;
    let entry = known_device(&app.node, &name)?;
    let stream = link("", &[("device", &name)]);
    let body = app.read(move |node| body(node, &entry)).await?;
    let frame = Frame {
        title: &name,
        node: Some(&app.node.name),
        tab: Some(Tab::Devices),
        live: Some(stream.trim_start_matches('?')),
        charts: true,
    };
    Ok(page(frame, &body))
}

fn body(node: &NodeState, entry: &DeviceEntry) -> Result<Markup, Refusal> {
    let storage = |error| Refusal::store(&error);
    let status = entry.status();
    let series = present(&node.store, entry).map_err(storage)?;
    let events = EventQuery { device: Some(&entry.name), limit: LAST_EVENTS, ..EventQuery::default() };
    let events = node.store.events(&events).map_err(storage)?.events;
    Ok(html! {
        p.path { a href="/" { "Devices" } " /" }
        div #head .device-head data-live="" {
            h1 { (entry.name) }
            (state(status.state))
            @if status.state != DeviceState::Pending {
                span.quiet { "since " (time(status.state_since_ms, Show::Ago)) }
            }
            @for (name, value) in &entry.labels { span.chip title=(name) { (name) " " (value) } }
        }
        div #trouble data-live="" { (trouble(entry, &status)) }
        div.split {
            div {
                (graph(entry))
                div #tables data-live="" data-throttle-ms="1000" { (tables(node, &series)) }
            }
            aside {
                section aria-labelledby="facts-title" {
                    h2 #facts-title { "Device" }
                    dl #facts .facts data-live="" { (facts(entry, &status, &series)) }
                }
                section aria-labelledby="poll-title" {
                    h2 #poll-title { "Polling" }
                    dl #polling .facts data-live="" { (polling(entry, &status)) }
                }
                section aria-labelledby="events-title" {
                    h2 #events-title { "Last events" }
                    div #device-events data-live="" { (event_list(entry, &events)) }
                }
            }
        }
    })
}

/// What is wrong, and what to look at.
fn trouble(entry: &DeviceEntry, status: &DeviceStatus) -> Markup {
    if status.state == DeviceState::Pending {
        let waiting = html! { p { "Its first poll is under way; this page shows what it brings." } };
        return empty("This device has not been polled yet.", &waiting);
    }
    if status.errors.is_empty() {
        return html! {};
    }
    let is_down = status.state == DeviceState::Down;
    let title = if is_down { "The last poll brought nothing" } else { "The last poll lacks something" };
    html! {
        div.trouble role="alert" data-state=(status.state.name()) {
            p { strong { (title) } }
            ul { @for error in &status.errors { li { (error) } } }
            @if is_down {
                p.quiet {
                    "Check that " span.mono { (entry.address) } " can be reached from this host, that the agent lets \
                     this host in, and that the credentials " strong { (entry.credentials) } " are the agent's."
                    @if let Some(ms) = status.last_success_ms { " It last answered " (time(ms, Show::Ago)) "." }
                }
            }
        }
    }
}

/// Where a series is drawn; scripts fill it.
fn graph(entry: &DeviceEntry) -> Markup {
    html! {
        section #graph .graph data-device=(entry.name) data-interval-ms=(millis(entry.interval)) hidden
            aria-labelledby="graph-title"
        {
            div.graph-head {
                h2 #graph-title { "Traffic" }
                div.ranges role="group" aria-label="Span of time" {
                    @for (hours, name) in SPANS {
                        button type="button" data-span-s=(hours * 3_600) aria-pressed=(hours == 1) { (name) }
                    }
                }
            }
            div #chart .chart {}
            p #graph-note .quiet role="status" {}
        }
    }
}

fn facts(entry: &DeviceEntry, status: &DeviceStatus, series: &[Present]) -> Markup {
    let uptime =
        series.iter().find(|series| series.object() == "sysUpTime").filter(|_| status.state != DeviceState::Down);
    let is_listed = |fact: &str| FACTS.iter().any(|(known, _)| *known == fact);
    html! {
        dt { "Address" } dd.mono { (entry.address) }
        @if let Some(uptime) = uptime {
            dt { "Up for" } dd { (long_time(Duration::from_millis(uptime.reading.latest.value.saturating_mul(10)))) }
        }
        @for (fact, name) in FACTS {
            @if let Some(text) = status.facts.get(fact).filter(|text| !text.is_empty()) {
                dt { (name) } dd { (text) }
            }
        }
        @for (fact, text) in status.facts.iter().filter(|(fact, text)| !text.is_empty() && !is_listed(fact)) {
            dt { (fact) } dd { (text) }
        }
    }
}

fn polling(entry: &DeviceEntry, status: &DeviceStatus) -> Markup {
    html! {
        dt { "Every" } dd { (long_time(entry.interval)) }
        dt { "With" } dd { (entry.version.name()) ", credentials " (entry.credentials) }
        dt { "Profiles" }
        dd { @if status.profiles.is_empty() { span.quiet { "none yet" } } @else { (status.profiles.join(", ")) } }
        @if let Some(ms) = status.last_poll_ms {
            dt { "Last poll" } dd { (time(ms, Show::Ago)) }
            dt { "It took" }
            dd { (short_time(status.poll_duration_ms * 1_000)) ", " (counted(status.requests.into(), "request")) }
            dt { "It brought" } dd { (counted(status.variables.into(), "variable")) }
            @if status.retransmissions > 0 { dt { "Sent again" } dd { (status.retransmissions) } }
        }
        @if let Some(us) = status.rtt_us { dt { "Round trip" } dd { (short_time(us)) } }
        @if let Some(ms) = status.last_stored_ms { dt { "On disk" } dd { (time(ms, Show::Ago)) } }
        dt { "Series" }
        dd { a href=(link("/api/v1/series", &[("device", &entry.name)])) { (grouped(status.series as u64)) } }
        @if status.restarts > 0 { dt { "Restarts seen" } dd { (status.restarts) } }
    }
}

fn event_list(entry: &DeviceEntry, events: &[Event]) -> Markup {
    html! {
        @if events.is_empty() {
            p.quiet { "None is stored." }
        } @else {
            ol.events {
                @for event in events {
                    @let payload = serde_json::from_slice::<Value>(&event.payload).unwrap_or_default();
                    li {
                        (time(event.time_ms, Show::Ago))
                        div {
                            @if event.kind == "trap" {
                                span.word { (short_name(payload["trap"].as_str().unwrap_or("trap"))) }
                            } @else { (device_event(&payload)) }
                        }
                    }
                }
            }
            p { a href=(link("/events", &[("device", &entry.name)])) { "All its events" } }
        }
    }
}
