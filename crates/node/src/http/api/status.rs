//! `/api/v1/status`: how the node itself is.

use std::sync::atomic::Ordering;
use std::time::UNIX_EPOCH;

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::json_answer;
use crate::http::AppRef;
use crate::http::query::Parameters;
use crate::http::refusal::Refusal;
use crate::http::view::{NodeView, StateCounts};

pub(super) async fn status(State(app): State<AppRef>, query: Parameters) -> Result<Response, Refusal> {
    query.finish()?;
    let view = NodeView::of(&app);
    let answer = app.read(move |node| {
        let counts = StateCounts::of(&node.fleet);
        let store = node.store.stats().map_err(|error| Refusal::store(&error))?;
        let count = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        let (polls, writer, notifications) = (&node.collector_stats, &node.writer_stats, &node.notification_stats);
        let started_ms = node.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
        Ok(json!({
            "node": {
                "name": node.name,
                "version": env!("CARGO_PKG_VERSION"),
                "started_ms": started_ms,
                "trap_addresses": node.trap_addresses,
                "left_out": node.left_out,
            },
            "devices": { "up": counts.up, "degraded": counts.degraded, "down": counts.down, "pending": counts.pending },
            "polls": {
                "complete": count(&polls.complete),
                "partial": count(&polls.partial),
                "failed": count(&polls.failed),
                "missed": view.snmp.poller.missed,
                "running": view.snmp.running_polls,
                "per_second": view.polls_per_second,
                "lateness_p99_s": view.lateness_p99_s,
                "duration_p99_s": view.duration_p99_s,
            },
            "snmp": {
                "answered": view.snmp.manager.completed,
                "timed_out": view.snmp.manager.timed_out,
                "retransmitted": view.snmp.manager.retransmitted,
                "pending": view.snmp.pending_requests,
            },
            "notifications": {
                "traps": count(&notifications.traps),
                "informs": count(&notifications.informs),
                "rejected": count(&notifications.rejected),
            },
            "store": {
                "series": store.series,
                "samples": store.sealed_samples + store.head_samples,
                "disk_bytes": store.disk_octets,
                "oldest_ms": store.oldest_ms,
                "queued": writer.queued.load(Ordering::Relaxed),
                "failing": writer.is_failing.load(Ordering::Relaxed),
                "lost": count(&writer.lost),
                "samples_per_second": view.samples_per_second,
            },
        }))
    });
    Ok(json_answer(&answer.await?))
}
