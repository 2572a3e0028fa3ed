//! How the node itself does: what it counts, and what that came to of late.

use std::time::Duration;

use crate::histogram::HistogramCounts;
use crate::http::App;
use crate::io_loop::LoopStats;

/// What "of late" is.
const OF_LATE: Duration = Duration::from_secs(60);

/// The node now. What is of late is `None` until two notes have been taken.
#[derive(Debug, Clone)]
pub(crate) struct NodeView {
    pub(crate) snmp: LoopStats,
    /// Polls that ended, of late.
    pub(crate) polls_per_second: Option<f64>,
    /// Samples stored, of late.
    pub(crate) samples_per_second: Option<f64>,
    /// The part of all requests that got no answer, of late.
    pub(crate) timed_out_part: Option<f64>,
    /// By how much 99 % of the polls of late started late at most; a bound of the histogram, infinite past the last.
    pub(crate) lateness_p99_s: Option<f64>,
    /// How long 99 % of them took at most, likewise.
    pub(crate) duration_p99_s: Option<f64>,
    /// Polls a second, over the last minutes, oldest first.
    pub(crate) poll_rates: Vec<f64>,
}

impl NodeView {
    /// The node now.
    pub(crate) fn of(app: &App) -> Self {
        let notes = app.recent.notes(OF_LATE);
        let ends = notes.first().zip(notes.last()).filter(|(first, last)| last.at > first.at);
        let per_second = |first: u64, last: u64, over: Duration| last.saturating_sub(first) as f64 / over.as_secs_f64();
        let p99 = |counts: &HistogramCounts| counts.quantile_bound_s(0.99);
        let all = app.recent.notes(Duration::MAX);
        let rates = all.windows(2).map(|pair| per_second(pair[0].polls, pair[1].polls, pair[1].at - pair[0].at));
        NodeView {
            snmp: app.node.snmp.stats(),
            polls_per_second: ends.map(|(first, last)| per_second(first.polls, last.polls, last.at - first.at)),
            samples_per_second: ends.map(|(first, last)| per_second(first.samples, last.samples, last.at - first.at)),
            timed_out_part: ends.and_then(|(first, last)| {
                let requests = last.requests.saturating_sub(first.requests);
                (requests > 0).then(|| last.timed_out.saturating_sub(first.timed_out) as f64 / requests as f64)
            }),
            lateness_p99_s: ends.and_then(|(first, last)| p99(&last.lateness.since(&first.lateness))),
            duration_p99_s: ends.and_then(|(first, last)| p99(&last.duration.since(&first.duration))),
            poll_rates: rates.collect(),
        }
    }
}
