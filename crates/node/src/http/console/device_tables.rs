//! The tables of a device's page: interfaces, sensors, storage, and whatever else is recorded. Each row that has a
//! series can be drawn: its button says what.

use std::time::Duration;

use hamsa_snmp::mib::Mib;
use hamsa_store::SeriesKind;
use maud::{Markup, html};
use serde_json::json;

use super::parts::bar;
use crate::http::moment::now_ms;
use crate::http::view::text::{bytes, long_time, plain, si};
use crate::http::view::{
    InOut, Interface, Present, Sensor, StorageArea, interfaces, is_shown_by_itself, sensors, storage_areas,
};
use crate::limits::CONSOLE_TABLE_ROWS;
use crate::state::NodeState;

/// All tables of a device that have rows.
pub(super) fn tables(node: &NodeState, series: &[Present]) -> Markup {
    let now = now_ms();
    let current: Vec<Present> = series.iter().filter(|series| series.is_current(now)).cloned().collect();
    let interfaces = interfaces(&current);
    let sensors = sensors(&current);
    let storage = storage_areas(&current);
    let rest: Vec<&Present> = current.iter().filter(|series| !is_shown_by_itself(series.object())).collect();
    html! {
        @if current.is_empty() {
            div.empty {
                p { strong { "Nothing was read of late." } }
                p {
                    "Interfaces, sensors and other values stand here as soon as a poll brings them. What was recorded \
                     before is kept: the API's " code { "/api/v1/history" } " has it."
                }
            }
        }
        @if !interfaces.is_empty() { (interface_table(&node.mib, &interfaces)) }
        @if !sensors.is_empty() { (sensor_table(&node.mib, &sensors)) }
        @if !storage.is_empty() { (storage_table(&storage)) }
        @if !rest.is_empty() { (rest_table(&rest)) }
    }
}

/// A table with its title.
struct Table<'t> {
    /// Begins the identifiers of its parts.
    id: &'t str,
    title: &'t str,
    /// Titles of its columns, and whether they hold numbers. One more holds the buttons.
    columns: &'t [(&'t str, bool)],
    /// Whether rows can be filtered in the page.
    has_filter: bool,
    rows: usize,
}

impl Table<'_> {
    fn render(&self, rows: &Markup) -> Markup {
        let Table { id, title, columns, has_filter, rows: count } = self;
        html! {
            section aria-labelledby={ (id) "-title" } {
                div.section-head {
                    h2 id={ (id) "-title" } { (title) }
                    @if *has_filter {
                        input.scripted id={ (id) "-filter" } type="search" data-filters={ (id) "-rows" } autocomplete="off"
                            placeholder="Filter" aria-label={ "Filter " (title) };
                    }
                }
                div.scroll tabindex="0" role="region" aria-labelledby={ (id) "-title" } {
                    table.rows {
                        thead {
                            tr {
                                @for (name, is_number) in columns.iter() {
                                    th scope="col" .number[*is_number] { (name) }
                                }
                                th scope="col" { span.visually-hidden { "Graph" } }
                            }
                        }
                        tbody id={ (id) "-rows" } data-rows="" { (rows) }
                    }
                }
                @if *count > CONSOLE_TABLE_ROWS {
                    p.quiet { (count - CONSOLE_TABLE_ROWS) " more rows: the API has them all." }
                }
            }
        }
    }
}

fn interface_table(mib: &Mib, all: &[Interface]) -> Markup {
    let traffic = |interface: &Interface| interface.traffic.total().unwrap_or(-1.0);
    let drawable = all.iter().filter(|interface| interface.octet_series.0.is_some() && !interface.is_loopback());
    let busiest = drawable.max_by(|a, b| traffic(a).total_cmp(&traffic(b))).map(|interface| &interface.instance);
    let table = Table {
        id: "interface",
        title: "Interfaces",
        columns: &[
            ("State", false),
            ("Interface", false),
            ("Speed", true),
            ("In", true),
            ("Out", true),
            ("Load in", false),
            ("Load out", false),
            ("Errors", true),
            ("Discards", true),
        ],
        has_filter: true,
        rows: all.len(),
    };
    table.render(&html! {
        @for interface in all.iter().take(CONSOLE_TABLE_ROWS) {
            (interface_row(mib, interface, busiest == Some(&interface.instance)))
        }
    })
}

fn interface_row(mib: &Mib, interface: &Interface, is_busiest: bool) -> Markup {
    let rate = |rate: Option<f64>| match rate {
        Some(rate) => html! { (si(rate, "bit/s")) },
        None => html! { span.quiet title=[interface.traffic_unknown.as_deref()] { "–" } },
    };
    let load = |part: Option<f64>, what: &str| html! { @if let Some(part) = part { (bar(part, what, true)) } };
    let (word, state) = interface_state(mib, interface);
    let utilisation = interface.utilisation();
    html! {
        tr data-key=(interface.instance) {
            td { span.state data-state=(state) { (word) } }
            th scope="row" {
                (interface.name)
                @if !interface.description.is_empty() { span.under { (interface.description) } }
            }
            td.number {
                @if let Some(speed) = interface.speed { (si(speed, "bit/s")) } @else { span.quiet { "–" } }
            }
            td.number { (rate(interface.traffic.received)) }
            td.number { (rate(interface.traffic.sent)) }
            td { (load(utilisation.received, "Used by what is received")) }
            td { (load(utilisation.sent, "Used by what is sent")) }
            (trouble_cell(interface.errors))
            (trouble_cell(interface.discards))
            td {
                @if let (Some(received), Some(sent)) = &interface.octet_series {
                    @let title = format!("{}: traffic", interface.name);
                    @let series = [("In", received.as_str(), 8.0), ("Out", sent.as_str(), 8.0)];
                    (graph_button(&Graph { title: &title, unit: "bit/s", series: &series }, is_busiest))
                }
            }
        }
    }
}

/// What to say of an interface's state, and how to mark it.
fn interface_state(mib: &Mib, interface: &Interface) -> (String, &'static str) {
    match (interface.admin_status, interface.oper_status) {
        (Some(2), _) => ("disabled".to_owned(), "off"),
        (_, Some(1)) => ("up".to_owned(), "up"),
        // One that is down without being meant to be up is no alarm.
        (_, Some(status)) => {
            let mark = if interface.is_in_trouble() { "down" } else { "off" };
            (enumeration(mib, "ifOperStatus", status), mark)
        }
        (_, None) => ("unknown".to_owned(), "pending"),
    }
}

/// Packets a second that should not be.
fn trouble_cell(packets: InOut) -> Markup {
    let total = packets.total();
    html! {
        td.number data-alarm[total.is_some_and(|total| total > 0.0)] {
            @if let Some(total) = total { (si(total, "/s")) } @else { span.quiet { "–" } }
        }
    }
}

fn sensor_table(mib: &Mib, all: &[Sensor]) -> Markup {
    let columns = &[("State", false), ("Sensor", false), ("Value", true)];
    let table = Table { id: "sensor", title: "Sensors", columns, has_filter: false, rows: all.len() };
    let state = |sensor: &Sensor| match sensor.oper_status {
        Some(1) => ("ok".to_owned(), "up"),
        Some(status) => (enumeration(mib, "entPhySensorOperStatus", status), "down"),
        None => ("unknown".to_owned(), "pending"),
    };
    table.render(&html! {
        @for sensor in all.iter().take(CONSOLE_TABLE_ROWS) {
            @let (word, mark) = state(sensor);
            @let series = [(sensor.name.as_str(), sensor.series.as_str(), 1.0)];
            tr data-key=(sensor.series) {
                td { span.state data-state=(mark) { (word) } }
                th scope="row" {
                    (sensor.name)
                    @if !sensor.description.is_empty() { span.under { (sensor.description) } }
                }
                td.number { (plain(sensor.value)) " " (sensor.unit) }
                td { (graph_button(&Graph { title: &sensor.name, unit: sensor.unit, series: &series }, false)) }
            }
        }
    })
}

fn storage_table(all: &[StorageArea]) -> Markup {
    let columns = &[("Area", false), ("In use", false), ("Used", true), ("Size", true)];
    let table = Table { id: "storage", title: "Storage", columns, has_filter: false, rows: all.len() };
    table.render(&html! {
        @for area in all.iter().take(CONSOLE_TABLE_ROWS) {
            @let title = format!("{}: used", area.name);
            @let series = [("Used", area.series.as_str(), area.unit)];
            tr data-key=(area.series) {
                th scope="row" { (area.name) }
                td { @if let Some(part) = area.used_part() { (bar(part, "Used", area.can_be_full)) } }
                td.number { (bytes(area.used)) }
                td.number { (bytes(area.size)) }
                td { (graph_button(&Graph { title: &title, unit: "B", series: &series }, false)) }
            }
        }
    })
}

/// Whatever no table of its own shows: scalars, and tables of users' profiles.
fn rest_table(all: &[&Present]) -> Markup {
    let columns = &[("Object", false), ("Of", false), ("Value", true), ("Rate", true)];
    let table = Table { id: "rest", title: "Further values", columns, has_filter: true, rows: all.len() };
    table.render(&html! { @for series in all.iter().take(CONSOLE_TABLE_ROWS) { (rest_row(series)) } })
}

fn rest_row(present: &Present) -> Markup {
    let series = &present.series;
    let labels: Vec<&str> = series.meta.labels.values().map(String::as_str).filter(|text| !text.is_empty()).collect();
    let instance = match (labels.as_slice(), series.name.instance.as_str()) {
        ([], "0") => String::new(),
        ([], instance) => instance.to_owned(),
        (labels, _) => labels.join(" · "),
    };
    let name = format!("{}.{}", series.name.object, series.name.instance);
    let rate = present.rate();
    let unit = if rate.is_some() { "/s" } else { series.meta.unit.as_str() };
    let graph = Graph { title: &name, unit, series: &[(&series.name.object, &name, 1.0)] };
    html! {
        tr data-key=(name) {
            th scope="row" { (series.name.object) }
            td { (instance) }
            td.number { (value_text(present)) }
            td.number {
                @match &rate {
                    Some(Ok(rate)) => { (si(*rate, "/s")) }
                    Some(Err(reason)) => { span.quiet title=(reason) { "–" } }
                    None => {}
                }
            }
            td { (graph_button(&graph, false)) }
        }
    }
}

/// A value with its unit; spans of time as such.
fn value_text(present: &Present) -> String {
    match present.series.meta.kind {
        SeriesKind::TimeTicks => long_time(Duration::from_millis(present.reading.latest.value.saturating_mul(10))),
        _ => format!("{} {}", plain(present.value()), present.series.meta.unit).trim_end().to_owned(),
    }
}

/// What a button draws: series with their names and the factor that brings them to the unit.
struct Graph<'g> {
    title: &'g str,
    unit: &'g str,
    series: &'g [(&'g str, &'g str, f64)],
}

fn graph_button(graph: &Graph<'_>, is_default: bool) -> Markup {
    let series = graph.series.iter();
    let series: Vec<_> =
        series.map(|(name, select, times)| json!({ "name": name, "select": select, "times": times })).collect();
    let what = json!({ "title": graph.title, "unit": graph.unit, "series": series }).to_string();
    html! {
        button.graph-button.scripted type="button" data-graph=(what) data-default[is_default]
            aria-label={ "Graph of " (graph.title) } title="Graph" aria-controls="graph"
        {
            svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" {
                path d="M1.5 1.5v13h13M4 11l3-4 2.5 2.5L14 4" fill="none" stroke="currentColor" stroke-width="1.5" {}
            }
        }
    }
}

/// The name of a number of an enumeration.
fn enumeration(mib: &Mib, object: &str, number: i64) -> String {
    let syntax = mib.nodes_named(object).find_map(|node| node.object()?.syntax());
    let label = syntax.and_then(|syntax| syntax.label_of(number));
    label.map_or_else(|| number.to_string(), str::to_owned)
}
