//! `/`: all devices, those in trouble first, and what has happened last.

use axum::extract::State;
use axum::response::Response;
use hamsa_store::{Event, EventQuery};
use maud::{Markup, html};
use serde_json::Value;

use super::layout::{Frame, Tab};
use super::parts::{Show, device_event, device_link, empty, pages, query as link, rows_table, state, time};
use super::{page, parts};
use crate::fleet::DeviceState;
use crate::http::AppRef;
use crate::http::query::Parameters;
use crate::http::refusal::Refusal;
use crate::http::view::text::{grouped, short_time};
use crate::http::view::{DeviceFilter, DeviceOrder, DeviceRow, STATES, StateCounts, sort};
use crate::limits::CONSOLE_PAGE_DEVICES;

/// Events shown beside the devices.
const LAST_EVENTS: usize = 12;

const COLUMNS: [(&str, bool); 8] = [
    ("State", false),
    ("Device", false),
    ("Address", false),
    ("Last poll", true),
    ("Round trip", true),
    ("Poll took", true),
    ("Series", true),
    ("Note", false),
];

struct Overview {
    counts: StateCounts,
    /// The devices of this page.
    rows: Vec<DeviceRow>,
    /// All that fit the filter.
    found: usize,
    /// From 1.
    page: usize,
    text: String,
    state: Option<DeviceState>,
    order: DeviceOrder,
    events: Vec<Event>,
}

pub(super) async fn overview(State(app): State<AppRef>, mut query: Parameters) -> Result<Response, Refusal> {
    let text = query.take("q")?.unwrap_or_default();
    let state = crate::http::api::device_state(query.take("state")?)?;
    let order = query.take("order")?;
    let order = DeviceOrder::ALL.into_iter().find(|known| order.as_deref() == Some(known.name())).unwrap_or_default();
    let number = query.number("page", 1_000_000, 1)?;
    query.finish()?;
    let view = app.read(move |node| {
        let mut rows = DeviceFilter::new(state, &text).apply(&node.fleet);
        sort(&mut rows, order);
        let found = rows.len();
        let last_page = found.div_ceil(CONSOLE_PAGE_DEVICES).max(1);
        let page = number.min(last_page);
        let rows = rows.into_iter().skip((page - 1) * CONSOLE_PAGE_DEVICES).take(CONSOLE_PAGE_DEVICES).collect();
        let events = EventQuery { limit: LAST_EVENTS, ..EventQuery::default() };
        let events = node.store.events(&events).map_err(|error| Refusal::store(&error))?.events;
        Ok(Overview { counts: StateCounts::of(&node.fleet), rows, found, page, text, state, order, events })
    });
    let view = view.await?;
    let (node, tab) = (Some(app.node.name.as_str()), Some(Tab::Devices));
    let frame = Frame { title: "Devices", node, tab, live: Some(""), charts: false };
    Ok(page(frame, &body(&view)))
}

fn body(view: &Overview) -> Markup {
    html! {
        h1.visually-hidden { "Devices" }
        div.split {
            section aria-label="Devices" {
                (tiles(view))
                (filter(view))
                div #devices data-live="" data-throttle-ms="2000" {
                    @if view.rows.is_empty() { (nothing(view)) } @else { (table(view)) }
                }
                div #device-pages data-live="" { (page_links(view)) }
            }
            aside { section aria-labelledby="last" {
                h2 #last { "Last events" }
                div #last-events data-live="" {
                    @if view.events.is_empty() {
                        p.quiet {
                            "Nothing has happened yet. Devices that go down or come up are noted here, and traps."
                        }
                    } @else {
                        ol.events {
                            @for event in &view.events { (event_item(event)) }
                        }
                        p { a href="/events" { "All events" } }
                    }
                }
            } }
        }
    }
}

/// Counts by state, each a filter.
fn tiles(view: &Overview) -> Markup {
    let tile = |name: &str, shown: &str, count: usize, is_current: bool| {
        let href = link("/", &[("q", &view.text), ("state", name), ("order", order_parameter(view.order))]);
        html! {
            a.tile href=(href) data-state=(name) aria-current=[is_current.then_some("true")] {
                span.tile-count { (grouped(count as u64)) }
                span.tile-name { (shown) }
            }
        }
    };
    html! {
        nav #tiles .tiles aria-label="Devices by state" data-live="" {
            (tile("", "all", view.counts.total(), view.state.is_none()))
            @for state in STATES {
                (tile(state.name(), state.name(), view.counts.in_state(state), view.state == Some(state)))
            }
        }
    }
}

fn filter(view: &Overview) -> Markup {
    html! {
        form.filter method="get" action="/" role="search" data-instant="" {
            label.visually-hidden for="q" { "Filter devices" }
            input #q type="search" name="q" value=(view.text) autocomplete="off" spellcheck="false"
                placeholder="Name, address, label, description …";
            @if let Some(state) = view.state { input type="hidden" name="state" value=(state.name()); }
            label.visually-hidden for="order" { "Order" }
            select #order name="order" {
                @for order in DeviceOrder::ALL {
                    option value=(order.name()) selected[view.order == order] { (order_text(order)) }
                }
            }
            button type="submit" { "Filter" }
        }
    }
}

fn table(view: &Overview) -> Markup {
    let rows = html! { @for row in &view.rows { (device_row(row)) } };
    rows_table("Table of devices", &COLUMNS, "device-rows", &rows)
}

fn device_row(row: &DeviceRow) -> Markup {
    let entry = &row.entry;
    html! {
        tr data-key=(entry.name) data-device=(entry.name) {
            td { (state(row.state)) }
            th scope="row" {
                (device_link(&entry.name))
                @for (name, value) in &entry.labels { " " span.chip title=(format!("{name}: {value}")) { (value) } }
                @if !row.sys_name.is_empty() && row.sys_name != entry.name { span.under { (row.sys_name) } }
            }
            td.mono { (entry.address) }
            @match row.last_poll_ms {
                Some(ms) => {
                    td.number { (time(ms, Show::Ago)) }
                    td.number { @if let Some(us) = row.rtt_us { (short_time(us)) } @else { span.quiet { "–" } } }
                    td.number { (short_time(row.poll_duration_ms * 1_000)) }
                }
                None => {
                    td.number { span.quiet { "not yet" } }
                    td.number { span.quiet { "–" } }
                    td.number { span.quiet { "–" } }
                }
            }
            td.number { (grouped(row.series as u64)) }
            td.note {
                @if let Some(error) = &row.error {
                    (error)
                    @if row.more_errors > 0 { span.quiet { " and " (row.more_errors) " more" } }
                }
                @if row.state == DeviceState::Down { span.under { "since " (time(row.state_since_ms, Show::Ago)) } }
            }
        }
    }
}

fn page_links(view: &Overview) -> Markup {
    let last = view.found.div_ceil(CONSOLE_PAGE_DEVICES).max(1);
    if last == 1 {
        return html! {};
    }
    let href = |page: usize| {
        let state = view.state.map(DeviceState::name).unwrap_or_default();
        let page = page.to_string();
        link("/", &[("q", &view.text), ("state", state), ("order", order_parameter(view.order)), ("page", &page)])
    };
    let first = (view.page - 1) * CONSOLE_PAGE_DEVICES + 1;
    let shown = format!("{first} to {} of {}", first + view.rows.len() - 1, grouped(view.found as u64));
    pages((view.page > 1).then(|| href(view.page - 1)), (view.page < last).then(|| href(view.page + 1)), &shown)
}

fn nothing(view: &Overview) -> Markup {
    if view.counts.total() == 0 {
        let what_to_do = html! {
            p { "Add devices to the configuration and restart the node:" }
            pre { "[[device]]\nname = \"core1\"\naddress = \"192.0.2.1\"\ncredentials = \"campus\"" }
            p { "or let " code { "hamsa discover 192.0.2.0/24" } " find them and write these lines." }
        };
        return empty("This node polls no devices yet.", &what_to_do);
    }
    let what_to_do = html! {
        p { "Try fewer words, or " a href="/" { "show all " (view.counts.total()) } "." }
    };
    empty("No device fits this filter.", &what_to_do)
}

fn event_item(event: &Event) -> Markup {
    let payload = serde_json::from_slice::<Value>(&event.payload).unwrap_or_default();
    html! {
        li {
            (time(event.time_ms, Show::Ago))
            div {
                @if event.device.is_empty() {
                    span.mono { (payload["source"].as_str().unwrap_or("unknown")) }
                } @else {
                    (device_link(&event.device))
                }
                " "
                @if event.kind == "trap" {
                    span.word { (parts::short_name(payload["trap"].as_str().unwrap_or("trap"))) }
                } @else {
                    (device_event(&payload))
                }
            }
        }
    }
}

fn order_text(order: DeviceOrder) -> &'static str {
    match order {
        DeviceOrder::Trouble => "Trouble first",
        DeviceOrder::Name => "By name",
        DeviceOrder::RoundTrip => "Slowest first",
        DeviceOrder::Duration => "Longest poll first",
    }
}

fn order_parameter(order: DeviceOrder) -> &'static str {
    if order == DeviceOrder::default() { "" } else { order.name() }
}
