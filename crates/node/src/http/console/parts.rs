//! What several pages show: times, states, bars, links to devices, ways through a list.

use maud::{Markup, html};
use serde_json::Value;

use crate::fleet::DeviceState;
use crate::http::moment::{rfc3339, utc};
use crate::http::view::text::{grouped, percent};

/// A time. Scripts turn it into the reader's own zone, or, for `ago`, into how long ago it was.
pub(super) fn time(time_ms: i64, show: Show) -> Markup {
    html! {
        time datetime=(rfc3339(time_ms)) data-ms=(time_ms) data-show=(show.name()) { (utc(time_ms)) }
    }
}

/// How a time is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    /// How long ago it was.
    Ago,
    /// Date and time of day.
    Full,
}

impl Show {
    const fn name(self) -> &'static str {
        match self {
            Show::Ago => "ago",
            Show::Full => "full",
        }
    }
}

/// A table that scrolls by itself. Columns have a name, and whether they hold numbers; scripts find `rows` by their id.
pub(super) fn rows_table(label: &str, columns: &[(&str, bool)], rows_id: &str, rows: &Markup) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(label) {
            table.rows {
                thead {
                    tr {
                        @for (name, is_number) in columns { th scope="col" .number[*is_number] { (name) } }
                    }
                }
                tbody id=(rows_id) data-rows="" { (rows) }
            }
        }
    }
}

/// A state, by a word and a mark: never by colour alone.
pub(super) fn state(state: DeviceState) -> Markup {
    html! { span.state data-state=(state.name()) { (state.name()) } }
}

/// A link to a device's page.
pub(super) fn device_link(name: &str) -> Markup {
    html! { a href=(device_path(name)) { (name) } }
}

/// The path of a device's page.
pub(super) fn device_path(name: &str) -> String {
    format!("/devices/{}", encoded(name))
}

/// A part of a whole as a bar with its number. If `full_is_bad`, much of it stands out.
pub(super) fn bar(part: f64, label: &str, full_is_bad: bool) -> Markup {
    let width = format!("{:.1}", part * 100.0);
    let level = match part {
        part if full_is_bad && part >= 0.9 => "high",
        part if full_is_bad && part >= 0.75 => "raised",
        _ => "normal",
    };
    html! {
        span.meter title=(label) {
            svg.meter-bar viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" data-level=(level) {
                rect.meter-back width="100" height="6" {}
                rect.meter-fill width=(width) height="6" {}
            }
            span { (percent(part)) }
        }
    }
}

/// Nothing there: why, and what to do.
pub(super) fn empty(title: &str, what_to_do: &Markup) -> Markup {
    html! {
        div.empty {
            p { strong { (title) } }
            (what_to_do)
        }
    }
}

/// Links to the pages of a list before and after this one.
pub(super) fn pages(previous: Option<String>, next: Option<String>, where_we_are: &str) -> Markup {
    html! {
        nav.pages aria-label="Pages of this list" {
            @if let Some(previous) = previous { a rel="prev" href=(previous) { "← Back" } }
            span { (where_we_are) }
            @if let Some(next) = next { a rel="next" href=(next) { "Further →" } }
        }
    }
}

/// A query of these parameters, without those that are empty.
pub(super) fn query(path: &str, parameters: &[(&str, &str)]) -> String {
    let given: Vec<String> = parameters
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    if given.is_empty() { path.to_owned() } else { format!("{path}?{}", given.join("&")) }
}

/// Percent-encoded (RFC 3986 §2.1), for a path's segment or a query's value.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-_.~".contains(&octet) {
            encoded.push(char::from(octet));
        } else {
            encoded.push_str(&format!("%{octet:02X}"));
        }
    }
    encoded
}

/// A count and what is counted, whose plural takes an s.
pub(super) fn counted(count: u64, one: &str) -> String {
    format!("{} {one}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// A MIB name without its module.
pub(super) fn short_name(name: &str) -> &str {
    name.split_once("::").map_or(name, |(_, name)| name)
}

/// An event of the device's own in a few words.
pub(super) fn device_event(payload: &Value) -> Markup {
    let errors = payload["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let errors: Vec<&str> = errors.collect();
    html! {
        @match payload["event"].as_str().unwrap_or_default() {
            "up" => { span.word data-state="up" { "came up" } }
            "down" => {
                span.word data-state="down" { "went down" }
                @if let Some(first) = errors.first() { ": " (first) }
                @if errors.len() > 1 { " (and " (errors.len() - 1) " more)" }
            }
            "restarted" => { span.word data-state="degraded" { "restarted" } }
            other => { (other) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_survive_any_name() {
        assert_eq!(device_path("core 1/2?#ü"), "/devices/core%201%2F2%3F%23%C3%BC");
        let link = query("/traps", &[("device", "a&b"), ("after", ""), ("limit", "5")]);
        assert_eq!(link, "/traps?device=a%26b&limit=5");
        assert_eq!(query("/traps", &[("device", "")]), "/traps");
    }

    #[test]
    fn names_are_escaped() {
        let text = device_link("<b>\"x\"&").into_string();
        assert_eq!(text, "<a href=\"/devices/%3Cb%3E%22x%22%26\">&lt;b&gt;&quot;x&quot;&amp;</a>");
    }
}
