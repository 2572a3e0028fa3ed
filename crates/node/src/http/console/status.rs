//! `/status`: whether the node itself does well.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::response::Response;
use hamsa_store::Stats as StoreStats;
use maud::{Markup, html};

use super::layout::{Frame, Tab};
use super::page;
use super::parts::{Show, time};
use super::together::Together;
use crate::http::query::Parameters;
use crate::http::refusal::Refusal;
use crate::http::stats::HttpStats;
use crate::http::view::text::{bytes, grouped, long_time, percent, plain};
use crate::http::view::{NodeView, StateCounts};
use crate::http::{App, AppRef};
use crate::prometheus::ProcessFigures;
use crate::state::NodeState;

pub(super) async fn status(State(app): State<AppRef>, query: Parameters) -> Result<Response, Refusal> {
    query.finish()?;
    let view = NodeView::of(&app);
    let shared = app.clone();
    let body = app.read(move |node| {
        let store = node.store.stats().map_err(|error| Refusal::store(&error))?;
        Ok(body(&shared, &view, &store, ProcessFigures::read()))
    });
    let body = body.await?;
    let frame = Frame {
        title: "Status",
        node: Some(&app.node.name),
        tab: Some(Tab::Status),
        live: Some("kind=none"),
        charts: false,
    };
    Ok(page(frame, &body))
}

fn body(app: &App, view: &NodeView, store: &StoreStats, process: Option<ProcessFigures>) -> Markup {
    let node = &app.node;
    let together = Together::of(node);
    html! {
        h1 { "This node" }
        div #status data-live="" data-every-ms="5000" {
            (verdict(node, view, &together))
            div.cards {
                (card("Polling", &polling(node, view)))
                (card("SNMP", &snmp(view)))
                (card("Notifications", &notifications(node, view)))
                (card("Store", &stored(node, view, store)))
                (card("Process", &running(node, process)))
                (card("HTTP", &http(app, &app.stats)))
                (together.cards())
            }
            (left_out(node))
        }
    }
}

/// What an operator should know first.
fn verdict(node: &NodeState, view: &NodeView, together: &Together) -> Markup {
    let mut troubles = Vec::new();
    if node.writer_stats.is_failing.load(Ordering::Relaxed) {
        troubles.push("Samples can't be stored: look at the disk and at the log.".to_owned());
    }
    if count(&node.writer_stats.lost) > 0 {
        troubles.push(format!("{} samples or events were lost.", grouped(count(&node.writer_stats.lost))));
    }
    if let Some(late) = view.lateness_p99_s.filter(|late| *late > 1.0) {
        troubles.push(format!(
            "Polls start late, one in a hundred by more than {}: the node has too much to do.",
            at_most_s(late)
        ));
    }
    if count(&node.writer_stats.dropped_writes) > 0 {
        troubles.push("The store was so slow that polls were dropped.".to_owned());
    }
    troubles.extend(together.troubles());
    html! {
        @if troubles.is_empty() {
            p.verdict data-state="up" { "Polls start in time, and what they bring is on disk." }
        } @else {
            div.trouble role="alert" data-state="down" { ul { @for trouble in &troubles { li { (trouble) } } } }
        }
    }
}

fn polling(node: &NodeState, view: &NodeView) -> Markup {
    let counts = StateCounts::of(&node.fleet);
    let polls = &node.collector_stats;
    html! {
        (row("Devices", &html! {
            (grouped(counts.total() as u64)) @if counts.down > 0 { ", " (counts.down) " down" }
        }))
        (row("Polls", &rate(view.polls_per_second)))
        @if view.poll_rates.len() > 2 { (row("Last minutes", &sparkline(&view.poll_rates))) }
        (row("Started late", &html! { @match view.lateness_p99_s {
            Some(late) => { "99 % by at most " (at_most_s(late)) }
            None => { (unknown()) }
        } }))
        (row("Took", &html! { @match view.duration_p99_s {
            Some(took) => { "99 % at most " (at_most_s(took)) }
            None => { (unknown()) }
        } }))
        (row("Running", &html! { (view.snmp.running_polls) }))
        (row("Complete", &html! { (grouped(count(&polls.complete))) }))
        (row("Partial", &html! { (grouped(count(&polls.partial))) }))
        (row("Failed", &html! { (grouped(count(&polls.failed))) }))
        (row("Missed", &html! { (grouped(view.snmp.poller.missed)) }))
    }
}

fn snmp(view: &NodeView) -> Markup {
    let manager = &view.snmp.manager;
    html! {
        (row("Answered", &html! { (grouped(manager.completed)) }))
        (row("Timed out", &html! {
            (grouped(manager.timed_out)) @if let Some(part) = view.timed_out_part { ", of late " (percent(part)) }
        }))
        (row("Sent again", &html! { (grouped(manager.retransmitted)) }))
        (row("Waiting", &html! { (view.snmp.pending_requests) }))
        (row("Late or strange", &html! { (grouped(manager.unmatched + manager.wrong_source + manager.rejected)) }))
        (row("Datagrams a call", &html! { @if view.snmp.poll_sockets.receive_calls > 0 {
            (plain(view.snmp.poll_sockets.received as f64 / view.snmp.poll_sockets.receive_calls as f64))
        } @else { (unknown()) } }))
    }
}

fn notifications(node: &NodeState, view: &NodeView) -> Markup {
    let stats = &node.notification_stats;
    html! {
        (row("Listening at", &html! { @if node.trap_addresses.is_empty() { "nothing" } @else {
            @for (i, address) in node.trap_addresses.iter().enumerate() { @if i > 0 { ", " } span.mono { (address) } }
        } }))
        (row("Traps", &html! { (grouped(count(&stats.traps))) }))
        (row("Informs", &html! { (grouped(count(&stats.informs))) }))
        (row("Repeated", &html! { (grouped(count(&stats.repeated))) }))
        (row("Turned away", &html! { (grouped(count(&stats.rejected))) }))
        (row("Datagrams", &html! { (grouped(view.snmp.trap_sockets.received)) }))
    }
}

fn stored(node: &NodeState, view: &NodeView, store: &StoreStats) -> Markup {
    let writer = &node.writer_stats;
    let samples = store.sealed_samples + store.head_samples;
    html! {
        (row("Samples", &html! { (grouped(samples)) ", " (rate(view.samples_per_second)) }))
        (row("Series", &html! { (grouped(store.series)) }))
        (row("On disk", &html! { (bytes(store.disk_octets as f64)) }))
        @if store.sealed_samples > 0 {
            (row("A sample takes", &html! { (plain(store.sealed_octets as f64 / store.sealed_samples as f64)) " B" }))
        }
        @if let Some(ms) = store.oldest_ms { (row("Since", &time(ms, Show::Full))) }
        (row("Waiting", &html! { (writer.queued.load(Ordering::Relaxed)) }))
        (row("Failures", &html! { (grouped(count(&writer.failures))) }))
        (row("Lost", &html! { (grouped(count(&writer.lost))) }))
    }
}

fn running(node: &NodeState, process: Option<ProcessFigures>) -> Markup {
    let up = SystemTime::now().duration_since(node.started).unwrap_or_default();
    let started_ms = node.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
    html! {
        (row("Version", &html! { (env!("CARGO_PKG_VERSION")) }))
        (row("Started", &html! { (time(started_ms, Show::Full)) }))
        (row("Running for", &html! { (long_time(up)) }))
        @if let Some(process) = process {
            (row("Memory", &html! { (bytes(process.resident_bytes)) }))
            (row("Processor", &html! { (percent(process.cpu_s / up.as_secs_f64().max(1.0))) " of one, on average" }))
            (row("Threads", &html! { (process.threads) }))
            (row("Open files", &html! { (process.open_fds) " of " (plain(process.max_fds)) }))
        }
    }
}

fn http(app: &App, stats: &HttpStats) -> Markup {
    let scrapes = count(&stats.scrapes_complete) + count(&stats.scrapes_partial);
    html! {
        (row("Listening at", &html! { span.mono { (app.local) } }))
        (row("Connections", &html! { (stats.connections.load(Ordering::Relaxed)) }))
        (row("Live pages", &html! { (stats.stream_clients.load(Ordering::Relaxed)) }))
        (row("Scrapes", &html! { (grouped(scrapes)) ", failed " (grouped(count(&stats.scrapes_failed))) }))
        (row("Metrics", &html! { a href="/metrics" { "/metrics" } }))
    }
}

fn left_out(node: &NodeState) -> Markup {
    html! {
        @if !node.left_out.is_empty() {
            section aria-labelledby="left-out" {
                h2 #left-out { "Left out" }
                p { "These MIB files and profiles could not be used. Mend them, and restart the node." }
                ul.left-out { @for problem in &node.left_out { li { (problem) } } }
            }
        }
    }
}

pub(super) fn card(title: &str, rows: &Markup) -> Markup {
    html! { section.card { h2 { (title) } dl.facts { (rows) } } }
}

pub(super) fn row(name: &str, value: &Markup) -> Markup {
    html! { dt { (name) } dd { (value) } }
}

fn rate(per_second: Option<f64>) -> Markup {
    html! { @match per_second { Some(rate) => { (plain(rate)) " a second" } None => { (unknown()) } } }
}

pub(super) fn unknown() -> Markup {
    html! { span.quiet { "not known yet" } }
}

/// A bound of a histogram; past the last one only that is known.
fn at_most_s(seconds: f64) -> String {
    match seconds {
        s if s.is_infinite() => "more than 30 s".to_owned(),
        s if s < 1.0 => format!("{} ms", plain(s * 1_000.0)),
        s => format!("{} s", plain(s)),
    }
}

/// A line without axes.
fn sparkline(values: &[f64]) -> Markup {
    let max = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let step = 100.0 / (values.len() - 1).max(1) as f64;
    let points: Vec<String> = values
        .iter()
        .enumerate()
        .map(|(i, value)| format!("{:.1},{:.1}", i as f64 * step, 23.0 - value / max * 22.0))
        .collect();
    let label = format!("Polls a second, at most {}", plain(max));
    html! {
        svg.sparkline viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label=(label) {
            polyline points=(points.join(" ")) fill="none" stroke="currentColor" vector-effect="non-scaling-stroke" {}
        }
    }
}

fn count(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}
