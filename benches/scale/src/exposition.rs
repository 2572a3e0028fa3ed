//! What a node says of itself at `/metrics`: numbers by name and labels, as the text has them.

use std::collections::BTreeMap;

use anyhow::Context;

/// One reading of `/metrics`. Those of single devices are left out.
pub(crate) struct Reading(BTreeMap<String, f64>);

impl Reading {
    /// Asks the node.
    pub(crate) fn take(http: &str) -> anyhow::Result<Self> {
        let response = hamsa_testkit::http::get(&format!("{http}/metrics"))?;
        anyhow::ensure!(response.status == 200, "/metrics: status {}", response.status);
        Self::parse(&response.text())
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("hamsa_device_"));
        let sample = |line: &str| -> anyhow::Result<(String, f64)> {
            let (name, value) = line.rsplit_once(' ').with_context(|| format!("no value: {line}"))?;
            Ok((name.to_owned(), value.parse().with_context(|| format!("no number: {line}"))?))
        };
        lines.map(sample).collect::<anyhow::Result<_>>().map(Reading)
    }

    /// The number of this name and labels.
    pub(crate) fn get(&self, name: &str) -> anyhow::Result<f64> {
        self.0.get(name).copied().with_context(|| format!("/metrics has no {name}"))
    }

    /// What it has grown by since an earlier reading.
    pub(crate) fn grown(&self, since: &Reading, name: &str) -> anyhow::Result<f64> {
        Ok(self.get(name)? - since.get(name)?)
    }

    /// The share of polls that started at most so late, by the upper bound of each bucket.
    pub(crate) fn lateness(&self) -> anyhow::Result<Vec<(f64, f64)>> {
        let bucket = |(name, count): (&String, &f64)| {
            let bound = name.strip_prefix("hamsa_poll_lateness_seconds_bucket{le=\"")?.strip_suffix("\"}")?;
            Some((bound.parse::<f64>().ok()?, *count))
        };
        let mut buckets: Vec<(f64, f64)> = self.0.iter().filter_map(bucket).collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        anyhow::ensure!(!buckets.is_empty(), "/metrics has no histogram of lateness");
        Ok(buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP hamsa_polls_total Polls.\n\
        hamsa_polls_total{result=\"complete\"} 12\n\
        hamsa_poll_lateness_seconds_bucket{le=\"0.5\"} 10\n\
        hamsa_poll_lateness_seconds_bucket{le=\"10\"} 11\n\
        hamsa_poll_lateness_seconds_bucket{le=\"1\"} 11\n\
        hamsa_poll_lateness_seconds_bucket{le=\"+Inf\"} 12\n\
        hamsa_poll_lateness_seconds_count 12\n\
        hamsa_device_up{device=\"a b\"} 1\n";

    #[test]
    fn numbers_are_found_by_name_and_labels() {
        let reading = Reading::parse(TEXT).unwrap();
        assert_eq!(reading.get("hamsa_polls_total{result=\"complete\"}").unwrap(), 12.0);
        assert_eq!(reading.grown(&reading, "hamsa_poll_lateness_seconds_count").unwrap(), 0.0);
        assert!(reading.get("hamsa_device_up{device=\"a b\"}").is_err());
        assert_eq!(reading.lateness().unwrap(), [(0.5, 10.0), (1.0, 11.0), (10.0, 11.0), (f64::INFINITY, 12.0)]);
    }

    #[test]
    fn what_is_no_exposition_is_an_error() {
        assert!(Reading::parse("hello").is_err());
        assert!(Reading::parse("a b").is_err());
        assert!(Reading::parse("").unwrap().lateness().is_err());
    }
}
