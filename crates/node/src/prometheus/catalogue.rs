//! Every metric that Hamsa tells of itself, each defined once: its name, type, labels, what it means, and where
//! its value comes from. `/metrics` and `docs/metrics.md` are both written from here.
//!
//! Names follow Prometheus's practice: a prefix, base units, `_total` for counters.

use std::sync::atomic::{AtomicU64, Ordering};

use hamsa_snmp::engine::Statistic;
use hamsa_store::Stats as StoreStats;

use super::exposition::{Exposition, Family, MetricKind};
use super::process::ProcessFigures;
use super::snapshot::{DeviceSnapshot, Snapshot};
use crate::fleet::DeviceState;
use crate::http::{Endpoint, STATUS_CLASSES};

use MetricKind::{Counter, Gauge, Histogram};

/// A metric.
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) kind: MetricKind,
    pub(crate) labels: &'static [&'static str],
    pub(crate) help: &'static str,
    /// Writes its samples.
    write: fn(&Snapshot, &mut Family<'_>),
}

/// Metrics that belong together.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) metrics: &'static [Metric],
}

/// All metrics as text.
pub(crate) fn expose(snapshot: &Snapshot) -> String {
    let mut exposition = Exposition::default();
    for metric in GROUPS.iter().flat_map(|group| group.metrics) {
        (metric.write)(snapshot, &mut exposition.family(metric.name, metric.kind, metric.help));
    }
    exposition.into_text()
}

pub(super) const fn metric(
    name: &'static str,
    kind: MetricKind,
    labels: &'static [&'static str],
    help: &'static str,
    write: fn(&Snapshot, &mut Family<'_>),
) -> Metric {
    Metric { name, kind, labels, help, write }
}

fn of(count: &AtomicU64) -> f64 {
    count.load(Ordering::Relaxed) as f64
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

fn of_store(snapshot: &Snapshot, out: &mut Family<'_>, value: fn(&StoreStats) -> u64) {
    if let Some(store) = &snapshot.store {
        out.sample(&[], value(store) as f64);
    }
}

fn of_process(snapshot: &Snapshot, out: &mut Family<'_>, value: fn(&ProcessFigures) -> f64) {
    if let Some(process) = &snapshot.process {
        out.sample(&[], value(process));
    }
}

fn each_device(snapshot: &Snapshot, out: &mut Family<'_>, value: fn(&DeviceSnapshot) -> Option<f64>) {
    for device in &snapshot.devices {
        if let Some(value) = value(device) {
            out.sample(&[("device", &device.labels[0].1)], value);
        }
    }
}

/// All metrics, in the order in which they are told.
pub(crate) const GROUPS: &[Group] = &[
    Group {
        title: "The node",
        metrics: &[
            metric("hamsa_build_info", Gauge, &["version", "node"], "1; its labels tell what runs.", |s, out| {
                out.sample(&[("version", env!("CARGO_PKG_VERSION")), ("node", &s.node.name)], 1.0);
            }),
            metric("hamsa_devices", Gauge, &["state"], "Devices of the inventory, by state.", |s, out| {
                for state in [DeviceState::Up, DeviceState::Degraded, DeviceState::Down, DeviceState::Pending] {
                    out.sample(&[("state", state.name())], s.devices_in(state) as f64);
                }
            }),
            metric(
                "hamsa_left_out",
                Gauge,
                &[],
                "MIB files and profiles that could not be used; the log and the status page name them.",
                |s, out| out.sample(&[], s.node.left_out.len() as f64),
            ),
        ],
    },
    Group {
        title: "Polls",
        metrics: &[
            metric("hamsa_polls_total", Counter, &["result"], "Polls of devices that ended, by result.", |s, out| {
                let stats = &s.node.collector_stats;
                out.sample(&[("result", "complete")], of(&stats.complete));
                out.sample(&[("result", "partial")], of(&stats.partial));
                out.sample(&[("result", "failed")], of(&stats.failed));
            }),
            metric(
                "hamsa_polls_started_total",
                Counter,
                &[],
                "Polls that started, scrapes through /snmp included.",
                |s, out| out.sample(&[], s.snmp.poller.started as f64),
            ),
            metric(
                "hamsa_polls_missed_total",
                Counter,
                &[],
                "Polls that were due while the one before still ran, and were left out.",
                |s, out| out.sample(&[], s.snmp.poller.missed as f64),
            ),
            metric("hamsa_polls_running", Gauge, &[], "Polls and scrapes under way.", |s, out| {
                out.sample(&[], s.snmp.running_polls as f64);
            }),
            metric("hamsa_poll_duration_seconds", Histogram, &[], "How long polls took.", |s, out| {
                out.histogram(&[], &s.node.collector_stats.duration.counts());
            }),
            metric(
                "hamsa_poll_lateness_seconds",
                Histogram,
                &[],
                "By how much polls started later than they were due.",
                |s, out| out.histogram(&[], &s.node.collector_stats.lateness.counts()),
            ),
        ],
    },
    Group {
        title: "SNMP",
        metrics: &[
            metric("hamsa_snmp_requests_total", Counter, &["result"], "Requests that ended, by result.", |s, out| {
                out.sample(&[("result", "answered")], s.snmp.manager.completed as f64);
                out.sample(&[("result", "timed_out")], s.snmp.manager.timed_out as f64);
                out.sample(&[("result", "failed")], s.snmp.manager.failed as f64);
            }),
            metric("hamsa_snmp_requests_pending", Gauge, &[], "Requests without an answer yet.", |s, out| {
                out.sample(&[], s.snmp.pending_requests as f64);
            }),
            metric(
                "hamsa_snmp_messages_sent_total",
                Counter,
                &[],
                "Messages sent, retransmissions and engine discovery included.",
                |s, out| out.sample(&[], s.snmp.manager.sent as f64),
            ),
            metric(
                "hamsa_snmp_retransmissions_total",
                Counter,
                &[],
                "Messages sent again because no answer had come.",
                |s, out| out.sample(&[], s.snmp.manager.retransmitted as f64),
            ),
            metric(
                "hamsa_snmp_datagrams_ignored_total",
                Counter,
                &["reason"],
                "Datagrams that answered no request: late or made up (unmatched), from another address than was \
                 asked (wrong_source), or not fit for the request or its security (rejected).",
                |s, out| {
                    out.sample(&[("reason", "unmatched")], s.snmp.manager.unmatched as f64);
                    out.sample(&[("reason", "wrong_source")], s.snmp.manager.wrong_source as f64);
                    out.sample(&[("reason", "rejected")], s.snmp.manager.rejected as f64);
                },
            ),
            metric("hamsa_snmp_reports_total", Counter, &[], "SNMPv3 Reports received.", |s, out| {
                out.sample(&[], s.snmp.manager.reports as f64);
            }),
            metric("hamsa_snmp_discoveries_total", Counter, &[], "SNMPv3 engines discovered.", |s, out| {
                out.sample(&[], s.snmp.manager.discoveries as f64);
            }),
            metric(
                "hamsa_snmp_engine_total",
                Counter,
                &["object"],
                "The engine's own counters, by the names of their MIB objects (RFC 3412, RFC 3414, RFC 3418).",
                |s, out| {
                    for statistic in Statistic::ALL {
                        let value = s.node.engine_stats.get(statistic);
                        out.sample(&[("object", statistic.object_name())], f64::from(value));
                    }
                },
            ),
        ],
    },
    Group {
        title: "Notifications",
        metrics: &[
            metric(
                "hamsa_notifications_total",
                Counter,
                &["result"],
                "Notifications received: let in (trap, inform), an inform that had come before (repeated), or \
                 turned away by the engine or the configuration (rejected).",
                |s, out| {
                    let stats = &s.node.notification_stats;
                    out.sample(&[("result", "trap")], of(&stats.traps));
                    out.sample(&[("result", "inform")], of(&stats.informs));
                    out.sample(&[("result", "repeated")], of(&stats.repeated));
                    out.sample(&[("result", "rejected")], of(&stats.rejected));
                },
            ),
            metric(
                "hamsa_informs_acknowledged_total",
                Counter,
                &[],
                "Informs acknowledged, after they were stored.",
                |s, out| out.sample(&[], of(&s.node.notification_stats.acknowledged)),
            ),
        ],
    },
    Group {
        title: "UDP sockets",
        metrics: &[
            metric("hamsa_udp_received_total", Counter, &["socket"], "Datagrams received.", |s, out| {
                out.sample(&[("socket", "poll")], s.snmp.poll_sockets.received as f64);
                out.sample(&[("socket", "trap")], s.snmp.trap_sockets.received as f64);
            }),
            metric("hamsa_udp_receive_calls_total", Counter, &["socket"], "System calls for them.", |s, out| {
                out.sample(&[("socket", "poll")], s.snmp.poll_sockets.receive_calls as f64);
                out.sample(&[("socket", "trap")], s.snmp.trap_sockets.receive_calls as f64);
            }),
            metric("hamsa_udp_sent_total", Counter, &["socket"], "Datagrams sent.", |s, out| {
                out.sample(&[("socket", "poll")], s.snmp.poll_sockets.sent as f64);
                out.sample(&[("socket", "trap")], s.snmp.trap_sockets.sent as f64);
            }),
            metric("hamsa_udp_send_calls_total", Counter, &["socket"], "System calls for them.", |s, out| {
                out.sample(&[("socket", "poll")], s.snmp.poll_sockets.send_calls as f64);
                out.sample(&[("socket", "trap")], s.snmp.trap_sockets.send_calls as f64);
            }),
            metric(
                "hamsa_udp_send_errors_total",
                Counter,
                &["socket"],
                "Datagrams that the kernel would not send.",
                |s, out| {
                    out.sample(&[("socket", "poll")], s.snmp.poll_sockets.send_errors as f64);
                    out.sample(&[("socket", "trap")], s.snmp.trap_sockets.send_errors as f64);
                },
            ),
            metric(
                "hamsa_udp_drops_total",
                Counter,
                &["socket"],
                "Datagrams that the kernel dropped before they were read: raise poll.receive_buffer.",
                |s, out| {
                    out.sample(&[("socket", "poll")], s.udp_drops.0 as f64);
                    out.sample(&[("socket", "trap")], s.udp_drops.1 as f64);
                },
            ),
            metric("hamsa_loop_turns_total", Counter, &[], "Turns of the loop that talks SNMP.", |s, out| {
                out.sample(&[], s.snmp.turns as f64);
            }),
        ],
    },
    Group { title: "Groups", metrics: super::group_metrics::METRICS },
    Group {
        title: "The store",
        metrics: &[
            metric("hamsa_store_samples_total", Counter, &[], "Samples stored since the start.", |s, out| {
                out.sample(&[], of(&s.node.writer_stats.stored_samples));
            }),
            metric("hamsa_store_events_total", Counter, &[], "Events stored since the start.", |s, out| {
                out.sample(&[], of(&s.node.writer_stats.stored_events));
            }),
            metric("hamsa_store_commits_total", Counter, &[], "Commits to disk.", |s, out| {
                out.sample(&[], of(&s.node.writer_stats.commits));
            }),
            metric("hamsa_store_failures_total", Counter, &[], "Attempts to store that failed.", |s, out| {
                out.sample(&[], of(&s.node.writer_stats.failures));
            }),
            metric("hamsa_store_failing", Gauge, &[], "1 while the last attempt to store has failed.", |s, out| {
                out.sample(&[], f64::from(u8::from(s.node.writer_stats.is_failing.load(Ordering::Relaxed))));
            }),
            metric(
                "hamsa_store_lost_total",
                Counter,
                &[],
                "Samples and events that could not be stored and never will be.",
                |s, out| out.sample(&[], of(&s.node.writer_stats.lost)),
            ),
            metric(
                "hamsa_store_refused_samples_total",
                Counter,
                &[],
                "Samples with a time that the store does not take: look at the clock.",
                |s, out| out.sample(&[], of(&s.node.writer_stats.refused_samples)),
            ),
            metric(
                "hamsa_store_dropped_writes_total",
                Counter,
                &[],
                "Polls and events that found the queue full.",
                |s, out| out.sample(&[], of(&s.node.writer_stats.dropped_writes)),
            ),
            metric("hamsa_store_queue_length", Gauge, &[], "Polls and events waiting to be stored.", |s, out| {
                out.sample(&[], s.node.writer_stats.queued.load(Ordering::Relaxed) as f64);
            }),
            metric("hamsa_store_series", Gauge, &[], "Series that the store knows.", |s, out| {
                of_store(s, out, |store| store.series);
            }),
            metric(
                "hamsa_store_samples",
                Gauge,
                &["part"],
                "Samples that the store holds: in blocks (sealed), or as they came (head).",
                |s, out| {
                    if let Some(store) = s.store {
                        out.sample(&[("part", "sealed")], store.sealed_samples as f64);
                        out.sample(&[("part", "head")], store.head_samples as f64);
                    }
                },
            ),
            metric(
                "hamsa_store_sealed_bytes",
                Gauge,
                &[],
                "Octets of the blocks that samples are sealed in.",
                |s, out| {
                    of_store(s, out, |store| store.sealed_octets);
                },
            ),
            metric("hamsa_store_disk_bytes", Gauge, &[], "Octets of all files of the store.", |s, out| {
                of_store(s, out, |store| store.disk_octets);
            }),
            metric(
                "hamsa_store_oldest_timestamp_seconds",
                Gauge,
                &[],
                "Start of the oldest day of which there are sealed samples.",
                |s, out| {
                    if let Some(oldest_ms) = s.store.and_then(|store| store.oldest_ms) {
                        out.sample(&[], seconds(oldest_ms));
                    }
                },
            ),
        ],
    },
    Group {
        title: "HTTP",
        metrics: &[
            metric(
                "hamsa_http_requests_total",
                Counter,
                &["endpoint", "code"],
                "Requests answered, by endpoint and class of status.",
                |s, out| {
                    for endpoint in Endpoint::ALL {
                        for (class, count) in STATUS_CLASSES.iter().zip(s.http.requests(endpoint)) {
                            out.sample(&[("endpoint", endpoint.name()), ("code", class)], count as f64);
                        }
                    }
                },
            ),
            metric("hamsa_http_connections", Gauge, &[], "Open connections.", |s, out| {
                out.sample(&[], s.http.connections.load(Ordering::Relaxed) as f64);
            }),
            metric("hamsa_http_stream_clients", Gauge, &[], "Clients of /api/v1/stream.", |s, out| {
                out.sample(&[], s.http.stream_clients.load(Ordering::Relaxed) as f64);
            }),
            metric("hamsa_scrapes_total", Counter, &["result"], "Scrapes through /snmp, by result.", |s, out| {
                out.sample(&[("result", "complete")], of(&s.http.scrapes_complete));
                out.sample(&[("result", "partial")], of(&s.http.scrapes_partial));
                out.sample(&[("result", "failed")], of(&s.http.scrapes_failed));
            }),
            metric("hamsa_scrapes_running", Gauge, &[], "Scrapes through /snmp under way.", |s, out| {
                out.sample(&[], s.http.scrapes_running.load(Ordering::Relaxed) as f64);
            }),
            metric("hamsa_scrape_duration_seconds", Histogram, &[], "How long scrapes took.", |s, out| {
                out.histogram(&[], &s.http.scrape_duration.counts());
            }),
        ],
    },
    Group {
        title: "Each device",
        metrics: &[
            metric(
                "hamsa_device_up",
                Gauge,
                &["device", "address", "the operator's labels"],
                "1 if the device's last poll brought anything; nothing before the first.",
                |s, out| {
                    for device in s.devices.iter().filter(|device| device.state != DeviceState::Pending) {
                        let labels: Vec<_> = device.labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                        out.sample(&labels, f64::from(u8::from(device.state != DeviceState::Down)));
                    }
                },
            ),
            metric(
                "hamsa_device_complete",
                Gauge,
                &["device"],
                "1 if the device's last poll brought everything.",
                |s, out| {
                    each_device(s, out, |device| match device.state {
                        DeviceState::Pending => None,
                        state => Some(f64::from(u8::from(state == DeviceState::Up))),
                    });
                },
            ),
            metric(
                "hamsa_device_poll_duration_seconds",
                Gauge,
                &["device"],
                "How long the device's last poll took.",
                |s, out| {
                    each_device(s, out, |device| device.last_poll_ms.map(|_| device.poll_duration_ms as f64 / 1_000.0))
                },
            ),
            metric(
                "hamsa_device_poll_retransmissions",
                Gauge,
                &["device"],
                "Messages that the device's last poll had to send again.",
                |s, out| each_device(s, out, |device| device.last_poll_ms.map(|_| f64::from(device.retransmissions))),
            ),
            metric(
                "hamsa_device_last_poll_timestamp_seconds",
                Gauge,
                &["device"],
                "When the device's last poll ended.",
                |s, out| each_device(s, out, |device| device.last_poll_ms.map(seconds)),
            ),
            metric(
                "hamsa_device_last_stored_timestamp_seconds",
                Gauge,
                &["device"],
                "End of the last poll of the device whose samples are on disk.",
                |s, out| each_device(s, out, |device| device.last_stored_ms.map(seconds)),
            ),
            metric(
                "hamsa_device_round_trip_seconds",
                Gauge,
                &["device"],
                "The smoothed time from a request to its answer.",
                |s, out| each_device(s, out, |device| device.rtt_us.map(|us| us as f64 / 1e6)),
            ),
            metric("hamsa_device_series", Gauge, &["device"], "Series of the device.", |s, out| {
                each_device(s, out, |device| Some(device.series as f64));
            }),
            metric(
                "hamsa_device_restarts_total",
                Counter,
                &["device"],
                "How often the device's agent was seen to have started anew.",
                |s, out| each_device(s, out, |device| Some(f64::from(device.restarts))),
            ),
        ],
    },
    Group {
        title: "The process",
        metrics: &[
            metric("process_cpu_seconds_total", Counter, &[], "Time on a processor, user and system.", |s, out| {
                of_process(s, out, |process| process.cpu_s);
            }),
            metric("process_resident_memory_bytes", Gauge, &[], "Resident memory.", |s, out| {
                of_process(s, out, |process| process.resident_bytes);
            }),
            metric("process_virtual_memory_bytes", Gauge, &[], "Virtual memory.", |s, out| {
                of_process(s, out, |process| process.virtual_bytes);
            }),
            metric("process_threads", Gauge, &[], "Threads.", |s, out| {
                of_process(s, out, |process| process.threads);
            }),
            metric("process_open_fds", Gauge, &[], "Open files.", |s, out| {
                of_process(s, out, |process| process.open_fds);
            }),
            metric("process_max_fds", Gauge, &[], "Files that may be open at most.", |s, out| {
                of_process(s, out, |process| process.max_fds);
            }),
            metric("process_start_time_seconds", Gauge, &[], "When the process started.", |s, out| {
                of_process(s, out, |process| process.start_time_s);
            }),
        ],
    },
];
