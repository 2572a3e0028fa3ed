//! Records from a running node's HTTP API (docs/api.md).

use std::io::ErrorKind;
use std::net::IpAddr;

use anyhow::Context;
use hamsa_node::config::Secret;
use serde_json::Value as Json;
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use zeroize::Zeroizing;

use super::{DeviceRow, EventRow, EventsQuery, HistoryQuery, PointRow, SeriesRow, SourceOptions, Values, rfc3339};
use crate::failure::{advised, usage};
use crate::limits::{HTTP_TIMEOUT, MAX_ANSWER_OCTETS, MAX_DEVICES, MAX_PAGE};
use crate::options::secret;
use crate::terminal::tell;

/// A node's API.
pub struct Api {
    agent: Agent,
    base: String,
    token: Option<Secret>,
}

impl Api {
    /// Makes ready to ask.
    ///
    /// # Errors
    /// The URL, the token or the certificates are wrong.
    pub fn new(options: &SourceOptions) -> anyhow::Result<Self> {
        let url: Uri = options.url.parse().map_err(|error| usage(format!("--url {}: {error}", options.url)))?;
        let scheme = url.scheme_str().unwrap_or_default();
        let host = url.host().ok_or_else(|| usage(format!("--url {}: no host; say http://HOST:PORT", options.url)))?;
        if !["http", "https"].contains(&scheme) {
            return Err(usage(format!("--url {}: say http:// or https://", options.url)));
        }
        let token = secret(options.token.as_ref(), options.token_file.as_deref(), "HAMSA_TOKEN")?;
        if token.is_some() && scheme == "http" && !is_loopback(host) {
            tell(&format!("hamsa: the token travels to {host} in clear, since the URL is not https"));
        }
        let mut tls = TlsConfig::builder();
        if let Some(path) = &options.ca_file {
            let pem = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
            let certificates = certificates(&pem).with_context(|| format!("{}", path.display()))?;
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates));
        }
        let config = Agent::config_builder()
            .timeout_global(Some(HTTP_TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            // The node is asked itself, whatever proxy the environment names.
            .proxy(None)
            .tls_config(tls.build());
        Ok(Api { agent: config.build().new_agent(), base: options.url.trim_end_matches('/').to_owned(), token })
    }

    /// All devices.
    ///
    /// # Errors
    /// No usable answer.
    pub fn devices(&self) -> anyhow::Result<Vec<DeviceRow>> {
        let row = |row: &Json| {
            let status = &row["status"];
            DeviceRow {
                name: text(&row["name"]).unwrap_or_default(),
                state: text(&status["state"]),
                address: text(&row["address"]),
                credentials: text(&row["credentials"]),
                last_poll: status["last_poll_ms"].as_i64().map(rfc3339),
                round_trip_ms: status["rtt_us"].as_f64().map(|micros| micros / 1000.0),
                series: status["series"].as_u64(),
                errors: status["errors"].as_array().into_iter().flatten().filter_map(text).collect(),
            }
        };
        Ok(self.pages("devices", &[], MAX_DEVICES)?.iter().map(row).collect())
    }

    /// All series of a device.
    ///
    /// # Errors
    /// No usable answer.
    pub fn series(&self, device: &str) -> anyhow::Result<Vec<SeriesRow>> {
        let answer = self.get("series", &[("device", device)])?;
        let rows = rows(&answer, "series")?;
        let row = |row: &Json| SeriesRow {
            object: text(&row["object"]).unwrap_or_default(),
            instance: text(&row["instance"]).unwrap_or_default(),
            kind: text(&row["kind"]).unwrap_or_default(),
            unit: text(&row["unit"]).unwrap_or_default(),
            labels: row["labels"].clone(),
        };
        Ok(rows.iter().map(row).collect())
    }

    /// History.
    ///
    /// # Errors
    /// No usable answer.
    pub fn history(&self, query: &HistoryQuery) -> anyhow::Result<Vec<PointRow>> {
        let HistoryQuery { device, object, instance, span, step_ms, values } = query;
        let series = instance.as_ref().map_or_else(|| object.clone(), |instance| format!("{object}.{instance}"));
        let (from, to) = (rfc3339(span.from_ms), rfc3339(span.to_ms));
        let mut parameters =
            vec![("device", &**device), ("series", &series), ("from", &from), ("to", &to), ("format", "json")];
        let step = step_ms.map(|step_ms| format!("{step_ms}ms"));
        parameters.extend(step.as_deref().map(|step| ("step", step)));
        match values {
            Values::Automatic => {}
            Values::Rates => parameters.push(("as", "rate")),
            Values::Raw => parameters.push(("as", "raw")),
        }
        let answer = self.get("history", &parameters)?;
        let mut points = Vec::new();
        for group in rows(&answer, "series")? {
            for point in rows(group, "points")? {
                points.push(PointRow {
                    time: point[0].as_i64().map(rfc3339).context("a point of the node's answer has no time")?,
                    object: text(&group["object"]).unwrap_or_default(),
                    instance: text(&group["instance"]).unwrap_or_default(),
                    value: point[1].as_number().cloned(),
                    reason: point[2].as_str().map(|gap| reason(gap).to_owned()),
                });
            }
        }
        Ok(points)
    }

    /// Events, newest first.
    ///
    /// # Errors
    /// No usable answer.
    pub fn events(&self, query: &EventsQuery) -> anyhow::Result<Vec<EventRow>> {
        let EventsQuery { kind, device, span, limit } = query;
        let (from, to) = (rfc3339(span.from_ms), rfc3339(span.to_ms));
        let mut parameters = vec![("from", &*from), ("to", &to)];
        parameters.extend(kind.as_deref().map(|kind| ("kind", kind)));
        parameters.extend(device.as_deref().map(|device| ("device", device)));
        let row = |row: &Json| EventRow {
            id: row["id"].as_u64().unwrap_or_default(),
            time: row["time_ms"].as_i64().map(rfc3339).unwrap_or_default(),
            kind: text(&row["kind"]).unwrap_or_default(),
            device: text(&row["device"]).unwrap_or_default(),
            payload: row["payload"].clone(),
        };
        Ok(self.pages("events", &parameters, *limit)?.iter().map(row).collect())
    }

    /// The first so many of a list that the API gives in pages.
    fn pages(&self, what: &str, parameters: &[(&str, &str)], limit: usize) -> anyhow::Result<Vec<Json>> {
        let mut all = Vec::new();
        let mut after = None;
        while all.len() < limit {
            let size = (limit - all.len()).min(MAX_PAGE).to_string();
            let mut parameters = parameters.to_vec();
            parameters.push(("limit", &size));
            parameters.extend(after.as_deref().map(|after| ("after", after)));
            let answer = self.get(what, &parameters)?;
            all.extend(rows(&answer, what)?.iter().cloned());
            let next = text(&answer["next"]);
            if next.is_none() || next == after {
                break;
            }
            after = next;
        }
        Ok(all)
    }

    fn get(&self, what: &str, parameters: &[(&str, &str)]) -> anyhow::Result<Json> {
        let url = format!("{}/api/v1/{what}", self.base);
        let mut request = self.agent.get(&url).query_pairs(parameters.iter().copied());
        if let Some(token) = &self.token {
            let mut value = Zeroizing::new(b"Bearer ".to_vec());
            value.extend_from_slice(token.expose());
            request = request.header("Authorization", value.as_slice());
        }
        let mut response = request.call().map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(MAX_ANSWER_OCTETS).read_to_vec();
        let body = body.with_context(|| format!("{url}: the answer can't be read"))?;
        let answer = serde_json::from_slice::<Json>(&body);
        if status.is_success() {
            return answer.with_context(|| format!("{url}: the answer is no JSON; is this a Hamsa node?"));
        }
        let answer = answer.unwrap_or_default();
        let said = text(&answer["error"]).unwrap_or_else(|| format!("HTTP status {status}"));
        let hint = match status.as_u16() {
            401 if self.token.is_some() => "The token is wrong: check --token-file or HAMSA_TOKEN.".to_owned(),
            401 => "The node asks for a token: give --token-file or HAMSA_TOKEN.".to_owned(),
            _ => text(&answer["hint"]).unwrap_or_default(),
        };
        Err(advised(format!("{}: {said}", self.base), hint))
    }

    fn unreachable(&self, error: &ureq::Error) -> anyhow::Error {
        let advice = match error {
            ureq::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => {
                "Does the node run? --url says where its API is; --data DIR reads its records while it does not run."
            }
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) => {
                "--ca-file names the certificates to trust where the node's is none that everybody trusts."
            }
            _ => "--url says where the node's API is.",
        };
        advised(format!("{}: {error}", self.base), advice)
    }
}

/// The certificates of a PEM file.
fn certificates(pem: &[u8]) -> anyhow::Result<Vec<Certificate<'static>>> {
    let mut found = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item? {
            found.push(certificate);
        }
    }
    if found.is_empty() { Err(usage("no certificate in PEM")) } else { Ok(found) }
}

/// The list of this name in an answer.
fn rows<'a>(answer: &'a Json, name: &str) -> anyhow::Result<&'a Vec<Json>> {
    let list = answer[name].as_array();
    list.with_context(|| format!("the node's answer has no list of {name}: is it of another version?"))
}

/// What a gap of the API is for people, as it is told where records are read from a directory.
fn reason(gap: &str) -> &str {
    match gap {
        "discontinuity" => "the counter began anew",
        "reset" => "the counter went back",
        "too_fast" => "the counter grew faster than it can",
        "too_long" => "too long since the last reading",
        "not_later" => "the reading is not later than the one before",
        "no_samples" => "polls were missed",
        other => other,
    }
}

fn text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_found() {
        assert_eq!(rows(&json!({"devices": [1], "next": null}), "devices").unwrap().len(), 1);
        rows(&json!({"error": "x"}), "devices").unwrap_err();
    }

    #[test]
    fn the_token_is_kept_to_this_host_or_told() {
        assert!(["127.0.0.1", "127.9.9.9", "[::1]", "localhost"].into_iter().all(is_loopback));
        assert!(!["192.0.2.1", "hamsa.example.net", "[2001:db8::1]"].into_iter().any(is_loopback));
    }
}
