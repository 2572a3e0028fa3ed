//! Writes Prometheus's text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
//!
//! A library would not do: names of MIB objects are known only when a device has answered, and counters among
//! them don't end in `_total` as OpenMetrics wants it.

use std::borrow::Cow;
use std::fmt::Write;

use crate::histogram::HistogramCounts;

/// The media type of the format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What kind of values a metric has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

impl MetricKind {
    /// The word of the format.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        }
    }
}

/// Labels of one sample, in the order in which they are written.
pub(crate) type LabelPairs<'a> = &'a [(&'a str, &'a str)];

/// Text in the making.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    text: String,
}

impl Exposition {
    /// Starts a metric; all its samples follow. `name` is valid, see [`metric_name`].
    pub(crate) fn family<'e>(&'e mut self, name: &'e str, kind: MetricKind, help: &str) -> Family<'e> {
        let text = &mut self.text;
        text.extend(["# HELP ", name, " "]);
        escape(help, false, text);
        text.extend(["\n# TYPE ", name, " ", kind.name(), "\n"]);
        Family { name, text }
    }

    /// The text.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// A metric whose samples are being written.
pub(crate) struct Family<'e> {
    name: &'e str,
    text: &'e mut String,
}

impl Family<'_> {
    /// One sample.
    pub(crate) fn sample(&mut self, labels: LabelPairs<'_>, value: f64) {
        self.line("", labels, None, value);
    }

    /// A whole histogram.
    pub(crate) fn histogram(&mut self, labels: LabelPairs<'_>, counts: &HistogramCounts) {
        for &(bound, count) in &counts.buckets {
            self.line("_bucket", labels, Some(bound), count as f64);
        }
        self.line("_bucket", labels, Some(f64::INFINITY), counts.count as f64);
        self.line("_sum", labels, None, counts.sum_s);
        self.line("_count", labels, None, counts.count as f64);
    }

    /// A sample whose labels are written already.
    pub(crate) fn sample_with(&mut self, labels: &WrittenLabels, value: f64) {
        self.text.push_str(self.name);
        self.text.push_str(&labels.0);
        self.value(value);
    }

    fn line(&mut self, suffix: &str, labels: LabelPairs<'_>, bound: Option<f64>, value: f64) {
        self.text.extend([self.name, suffix]);
        let bound = bound.map(number);
        let bound = bound.as_deref().map(|bound| ("le", bound));
        write_labels(labels.iter().copied().chain(bound), self.text);
        self.value(value);
    }

    fn value(&mut self, value: f64) {
        self.text.extend([" ", &number(value), "\n"]);
    }
}

/// Labels as they stand behind a name, braces included; equal if and only if the labels are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct WrittenLabels(String);

impl WrittenLabels {
    /// Writes labels; their names are valid, see [`metric_name`].
    pub(crate) fn new<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut text = String::new();
        write_labels(labels, &mut text);
        WrittenLabels(text)
    }
}

/// A name with an underscore in the place of each character that the format does not allow in names of metrics
/// and labels, as snmp_exporter's generator writes them.
pub(crate) fn metric_name(name: &str) -> Cow<'_, str> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts_fine = name.starts_with(|c: char| !c.is_ascii_digit());
    if starts_fine && name.chars().all(is_fine) {
        return Cow::Borrowed(name);
    }
    let first = if starts_fine { "" } else { "_" };
    Cow::Owned(first.chars().chain(name.chars().map(|c| if is_fine(c) { c } else { '_' })).collect())
}

fn write_labels<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>, text: &mut String) {
    let mut before = "{";
    for (name, value) in labels {
        text.extend([before, name, "=\""]);
        escape(value, true, text);
        text.push('"');
        before = ",";
    }
    if before == "," {
        text.push('}');
    }
}

/// Quotes are escaped in labels' values, but stand as they are in help texts.
fn escape(from: &str, quotes: bool, text: &mut String) {
    for c in from.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '"' if quotes => text.push_str("\\\""),
            c => text.push(c),
        }
    }
}

fn number(value: f64) -> String {
    let mut text = String::new();
    let written = if value == f64::INFINITY {
        text.write_str("+Inf")
    } else if value == f64::NEG_INFINITY {
        text.write_str("-Inf")
    } else {
        write!(text, "{value}")
    };
    written.expect("writing to a String");
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::histogram::Histogram;

    #[test]
    fn a_family_is_written_as_the_format_says() {
        let mut exposition = Exposition::default();
        let mut family = exposition.family("a_total", MetricKind::Counter, "What \"it\" counts,\nwith a \\");
        family.sample(&[], 3.0);
        family.sample(&[("device", "a\"b\\c\nd"), ("empty", "")], 9_007_199_254_740_991.0);
        exposition.family("b", MetricKind::Gauge, "Nothing").sample(&[("le", "x")], f64::NAN);
        assert_eq!(
            exposition.into_text(),
            "# HELP a_total What \"it\" counts,\\nwith a \\\\\n# TYPE a_total counter\na_total 3\n\
             a_total{device=\"a\\\"b\\\\c\\nd\",empty=\"\"} 9007199254740991\n\
             # HELP b Nothing\n# TYPE b gauge\nb{le=\"x\"} NaN\n"
        );
    }

    #[test]
    fn a_histogram_has_cumulative_buckets_a_sum_and_a_count() {
        let histogram = Histogram::new(&[0.5, 1.0]);
        [250, 750, 2_000].into_iter().for_each(|ms| histogram.observe(Duration::from_millis(ms)));
        let mut exposition = Exposition::default();
        exposition.family("h", MetricKind::Histogram, "H").histogram(&[("x", "y")], &histogram.counts());
        let lines: Vec<_> = exposition.text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "h_bucket{x=\"y\",le=\"0.5\"} 1",
                "h_bucket{x=\"y\",le=\"1\"} 2",
                "h_bucket{x=\"y\",le=\"+Inf\"} 3",
                "h_sum{x=\"y\"} 3",
                "h_count{x=\"y\"} 3",
            ]
        );
    }

    #[test]
    fn names_become_valid() {
        for (name, valid) in
            [("ifHCInOctets", "ifHCInOctets"), ("if-index.2", "if_index_2"), ("1st", "_1st"), ("", "_"), ("ä", "_")]
        {
            assert_eq!(metric_name(name), valid);
        }
    }

    #[test]
    fn numbers_are_as_prometheus_reads_them() {
        for (value, text) in [(0.0, "0"), (-1.5, "-1.5"), (f64::INFINITY, "+Inf"), (f64::NEG_INFINITY, "-Inf")] {
            assert_eq!(number(value), text);
        }
        assert!(number(1e300).parse::<f64>().is_ok_and(|parsed| parsed == 1e300));
    }
}
