//! `/traps` and `/events`: what has happened, newest first, new ones as they come.

use axum::extract::State;
use axum::response::Response;
use hamsa_store::{Event, EventPage, EventQuery};
use maud::{Markup, html};
use serde_json::Value;

use super::layout::{Frame, Tab};
use super::page;
use super::parts::{Show, device_event, device_link, empty, query as link, rows_table, short_name, time};
use crate::http::AppRef;
use crate::http::api::{parse_place, place};
use crate::http::query::Parameters;
use crate::http::refusal::Refusal;
use crate::limits::CONSOLE_PAGE_EVENTS;
use crate::state::NodeState;

/// Variables of a notification that are shown at once; the rest unfolds.
const SHOWN_VARIABLES: usize = 6;

const TRAP_COLUMNS: [(&str, bool); 5] =
    [("Time", false), ("From", false), ("Notification", false), ("Variables", false), ("Let in by", false)];

const EVENT_COLUMNS: [(&str, bool); 4] = [("Time", false), ("Kind", false), ("Device", false), ("What", false)];

/// A page's part of the events.
struct List {
    events: EventPage,
    device: String,
    kind: String,
    /// Whether it begins with the newest.
    is_first: bool,
}

pub(super) async fn traps(State(app): State<AppRef>, query: Parameters) -> Result<Response, Refusal> {
    let list = read(&app, query, Some("trap")).await?;
    let body = html! {
        h1 { "Traps" }
        (filter("/traps", &list, false))
        div #list data-live="" data-throttle-ms="500" {
            @if list.events.events.is_empty() {
                (no_traps(&app.node, &list))
            } @else {
                @let rows = html! { @for event in &list.events.events { (trap_row(event)) } };
                (rows_table("Table of notifications", &TRAP_COLUMNS, "trap-rows", &rows))
            }
        }
        div #list-pages data-live="" { (page_links("/traps", &list)) }
    };
    Ok(answer(&app, "Traps", Tab::Traps, &list, &body))
}

pub(super) async fn events(State(app): State<AppRef>, query: Parameters) -> Result<Response, Refusal> {
    let list = read(&app, query, None).await?;
    let body = html! {
        h1 { "Events" }
        (filter("/events", &list, true))
        div #list data-live="" data-throttle-ms="500" {
            @if list.events.events.is_empty() {
                (no_events(&list))
            } @else {
                @let rows = html! { @for event in &list.events.events { (event_row(event)) } };
                (rows_table("Table of events", &EVENT_COLUMNS, "event-rows", &rows))
            }
        }
        div #list-pages data-live="" { (page_links("/events", &list)) }
    };
    Ok(answer(&app, "Events", Tab::Events, &list, &body))
}

async fn read(app: &AppRef, mut query: Parameters, only: Option<&str>) -> Result<List, Refusal> {
    let device = query.take("device")?.map(|device| device.trim().to_owned()).unwrap_or_default();
    let kind = match only {
        Some(kind) => kind.to_owned(),
        None => query.take("kind")?.unwrap_or_default(),
    };
    let after = query.take("after")?.map(|text| parse_place(&text)).transpose()?;
    query.finish()?;
    let read = app.read(move |node| {
        let query = EventQuery {
            kind: Some(kind.as_str()).filter(|kind| !kind.is_empty()),
            device: Some(device.as_str()).filter(|device| !device.is_empty()),
            limit: CONSOLE_PAGE_EVENTS,
            after,
            ..EventQuery::default()
        };
        let events = node.store.events(&query).map_err(|error| Refusal::store(&error))?;
        Ok(List { events, device, kind, is_first: after.is_none() })
    });
    read.await
}

fn answer(app: &AppRef, title: &str, tab: Tab, list: &List, body: &Markup) -> Response {
    let mut stream = String::new();
    if tab == Tab::Traps {
        stream.push_str("kind=trap");
    }
    if !list.device.is_empty() {
        let device = link("", &[("device", &list.device)]);
        stream.push_str(if stream.is_empty() { "" } else { "&" });
        stream.push_str(device.trim_start_matches('?'));
    }
    // Older pages stay as they are.
    let live = list.is_first.then_some(stream.as_str());
    page(Frame { title, node: Some(&app.node.name), tab: Some(tab), live, charts: false }, body)
}

fn filter(path: &str, list: &List, with_kind: bool) -> Markup {
    html! {
        form.filter method="get" action=(path) role="search" data-instant="" {
            label.visually-hidden for="device" { "Device" }
            input #device type="search" name="device" value=(list.device) autocomplete="off" spellcheck="false"
                placeholder="Device, by its whole name";
            @if with_kind {
                label.visually-hidden for="kind" { "Kind" }
                select #kind name="kind" {
                    @for (kind, shown) in [("", "All kinds"), ("device", "Devices"), ("trap", "Traps")] {
                        option value=(kind) selected[list.kind == kind] { (shown) }
                    }
                }
            }
            button type="submit" { "Filter" }
        }
    }
}

fn trap_row(event: &Event) -> Markup {
    let payload = serde_json::from_slice::<Value>(&event.payload).unwrap_or_default();
    let text = |name: &str| payload[name].as_str().unwrap_or_default();
    let variables: Vec<&Value> = payload["variables"].as_array().into_iter().flatten().collect();
    let (shown, more) = variables.split_at(variables.len().min(SHOWN_VARIABLES));
    html! {
        tr data-key=(event.id.0) {
            td.nowrap { (time(event.time_ms, Show::Full)) }
            td {
                @if event.device.is_empty() { span.mono { (text("source")) } } @else {
                    (device_link(&event.device))
                    span.under.mono { (text("source")) }
                }
            }
            th scope="row" {
                span title=(text("trap_oid")) { (short_name(text("trap"))) }
                span.under { (text("trap").split_once("::").map_or("", |(module, _)| module)) }
            }
            td.variables {
                @if variables.is_empty() { span.quiet { "none" } }
                (variable_list(shown))
                @if !more.is_empty() {
                    details { summary { (more.len()) " more" } (variable_list(more)) }
                }
            }
            td {
                (text("credentials"))
                span.under { (text("version")) " " (text("kind")) " " (text("security_level")) }
            }
        }
    }
}

fn variable_list(variables: &[&Value]) -> Markup {
    html! {
        @if !variables.is_empty() {
            ul {
                @for variable in variables {
                    @let name = variable["name"].as_str().unwrap_or_default();
                    li title=(variable["oid"].as_str().unwrap_or_default()) {
                        span.quiet { (short_name(name)) " = " } (variable["value"].as_str().unwrap_or_default())
                    }
                }
            }
        }
    }
}

fn event_row(event: &Event) -> Markup {
    let payload = serde_json::from_slice::<Value>(&event.payload).unwrap_or_default();
    html! {
        tr data-key=(event.id.0) {
            td.nowrap { (time(event.time_ms, Show::Full)) }
            td { (event.kind) }
            th scope="row" {
                @if event.device.is_empty() {
                    span.mono { (payload["source"].as_str().unwrap_or_default()) }
                } @else { (device_link(&event.device)) }
            }
            td.note {
                @if event.kind == "trap" {
                    (short_name(payload["trap"].as_str().unwrap_or_default()))
                } @else { (device_event(&payload)) }
            }
        }
    }
}

fn page_links(path: &str, list: &List) -> Markup {
    let next = list.events.next.map(|next| {
        let kind = if path == "/traps" { "" } else { list.kind.as_str() };
        link(path, &[("device", &list.device), ("kind", kind), ("after", &place(next))])
    });
    let newest = (!list.is_first).then(|| link(path, &[("device", &list.device)]));
    html! {
        @if next.is_some() || newest.is_some() {
            nav.pages aria-label="Pages of this list" {
                @if let Some(newest) = newest { a href=(newest) { "← Newest" } }
                @if let Some(next) = next { a rel="next" href=(next) { "Older →" } }
            }
        }
    }
}

fn no_traps(node: &NodeState, list: &List) -> Markup {
    if !list.device.is_empty() {
        let what_to_do = html! { p { a href="/traps" { "Show those of all devices" } } };
        return empty(&format!("No notification of {} is stored.", list.device), &what_to_do);
    }
    let Some(address) = node.trap_addresses.first() else {
        let what_to_do = html! {
            p { "Give " code { "[traps] listen" } " in the configuration an address, and restart the node." }
        };
        return empty("This node does not receive notifications.", &what_to_do);
    };
    let what_to_do = html! {
        p {
            "Point your devices' traps or informs at "
            @for (i, address) in node.trap_addresses.iter().enumerate() { @if i > 0 { ", " } code { (address) } }
            ", with credentials that " code { "[traps] accept" } " allows. To try it:"
        }
        pre { "snmptrap -v2c -c COMMUNITY " (address) " '' 1.3.6.1.6.3.1.1.5.1" }
        p { "What was turned away is counted on the " a href="/status" { "status page" } "." }
    };
    empty("No notification has come yet.", &what_to_do)
}

fn no_events(list: &List) -> Markup {
    if list.device.is_empty() && list.kind.is_empty() {
        let what_to_do = html! {
            p { "Devices that go down, come up or restart are noted here, and notifications." }
        };
        return empty("Nothing has happened yet.", &what_to_do);
    }
    empty("No event fits this filter.", &html! { p { a href="/events" { "Show all" } } })
}
