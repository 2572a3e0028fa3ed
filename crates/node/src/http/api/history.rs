//! `/api/v1/history`: what is stored of one device's series over a span of time, as JSON or CSV (RFC 4180).
//!
//! All points are gathered before the answer begins, so that one that can't be given whole is refused with a
//! reason; then it is written piece by piece.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hamsa_store::{Series, SeriesName};
use serde_json::{Value, json};

use super::devices::no_device;
use super::points::{Point, PointMaker, PointRules};
use crate::http::AppRef;
use crate::http::moment::{now_ms, parse_duration_ms, parse_time_ms, rfc3339};
use crate::http::query::Parameters;
use crate::http::refusal::Refusal;
use crate::http::view::{interval_ms, rules};
use crate::limits::{
    HISTORY_CHUNK_OCTETS, HISTORY_GAP_INTERVALS, MAX_HISTORY_POINTS, MAX_HISTORY_SAMPLES, MAX_HISTORY_SERIES,
};
use crate::state::NodeState;

/// What is asked for if no time is given.
const DEFAULT_SPAN: &str = "-1h";

pub(super) async fn history(
    State(app): State<AppRef>,
    headers: HeaderMap,
    mut query: Parameters,
) -> Result<Response, Refusal> {
    let now = now_ms();
    let device = query.require("device", "core1")?;
    let selectors = query.take_all("series");
    if selectors.is_empty() {
        return Err(Refusal::bad_request(
            "series is missing",
            "add series=ifHCInOctets.1, or series=ifHCInOctets for all",
        ));
    }
    let time = |name: &str, text: &str| {
        parse_time_ms(text, now)
            .map_err(|error| Refusal::bad_request(format!("{name}: {error}"), "times are UTC without an offset"))
    };
    let from_ms = time("from", query.take("from")?.as_deref().unwrap_or(DEFAULT_SPAN))?;
    let to_ms = time("to", query.take("to")?.as_deref().unwrap_or("now"))?;
    if from_ms >= to_ms {
        return Err(Refusal::bad_request("from is not before to", "exchange them"));
    }
    let step = query.take("step")?.map(|text| parse_duration_ms(&text)).transpose();
    let step_ms =
        step.map_err(|error| Refusal::bad_request(format!("step: {error}"), "leave it out for every sample"))?;
    let view = View::parse(query.take("as")?)?;
    let format = Format::choose(query.take("format")?, &headers)?;
    query.finish()?;
    let request = Request { device, selectors, from_ms, to_ms, step_ms, view };
    let abandoned = Abandoned::default();
    let flag = abandoned.0.clone();
    let history = app.read(move |node| read(node, request, &flag)).await?;
    Ok(format.answer(history))
}

/// Values as they are, or rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Raw,
    Rate,
    /// Rates of counters, values of all else.
    ByKind,
}

#[derive(Debug)]
struct Request {
    device: String,
    selectors: Vec<String>,
    from_ms: i64,
    to_ms: i64,
    step_ms: Option<i64>,
    view: View,
}

/// The points of a series.
struct SeriesPoints {
    series: Series,
    is_rate: bool,
    points: Vec<Point>,
}

struct History {
    request: Request,
    series: Vec<SeriesPoints>,
}

/// Tells a reader that nobody waits any more.
#[derive(Default)]
struct Abandoned(Arc<AtomicBool>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl View {
    fn parse(text: Option<String>) -> Result<Self, Refusal> {
        match text.as_deref() {
            None => Ok(View::ByKind),
            Some("raw") => Ok(View::Raw),
            Some("rate") => Ok(View::Rate),
            Some(other) => Err(Refusal::bad_request(
                format!("as={other} is not allowed"),
                "use as=raw or as=rate, or leave it out",
            )),
        }
    }
}

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
}

impl Format {
    /// As the query says, or else the `Accept` field.
    fn choose(asked: Option<String>, headers: &HeaderMap) -> Result<Self, Refusal> {
        match asked.as_deref() {
            Some("json") => Ok(Format::Json),
            Some("csv") => Ok(Format::Csv),
            Some(other) => {
                Err(Refusal::bad_request(format!("format={other} is not allowed"), "use format=json or format=csv"))
            }
            None => {
                let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
                Ok(if prefers_csv(accept) { Format::Csv } else { Format::Json })
            }
        }
    }

    fn answer(self, history: History) -> Response {
        let (media_type, pieces): (_, Box<dyn Iterator<Item = String> + Send>) = match self {
            Format::Json => ("application/json", Box::new(json_pieces(history))),
            Format::Csv => ("text/csv; charset=utf-8; header=present", Box::new(csv_pieces(history))),
        };
        let body = Body::from_stream(futures_util::stream::iter(pieces.map(Ok::<_, Infallible>)));
        ([(header::CONTENT_TYPE, media_type)], body).into_response()
    }
}

/// Whether an `Accept` field (RFC 9110 §12.5.1) names CSV and nothing that suits JSON better.
fn prefers_csv(accept: &str) -> bool {
    let quality = |media_type: &str| {
        let of_range = |range: &str| {
            let mut parts = range.split(';').map(str::trim);
            let matches = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(media_type));
            let quality = parts.find_map(|parameter| parameter.strip_prefix("q=")?.parse::<f32>().ok());
            matches.then(|| quality.unwrap_or(1.0))
        };
        accept.split(',').filter_map(of_range).fold(0.0, f32::max)
    };
    quality("text/csv") > quality("application/json")
}

/// Reads all series of a request.
fn read(node: &NodeState, request: Request, abandoned: &AtomicBool) -> Result<History, Refusal> {
    let selected = select(node, &request)?;
    let interval_ms = match node.fleet.get(&request.device) {
        Some(device) => interval_ms(&device),
        // Of a device that is not polled any more.
        None => i64::try_from(node.settings().poll.interval.as_millis()).unwrap_or(i64::MAX),
    };
    let (mut samples, mut points) = (0, 0);
    let mut series = Vec::with_capacity(selected.len());
    for one in selected {
        let rate = match request.view {
            View::Raw => None,
            View::Rate | View::ByKind => rules(&one.meta, interval_ms),
        };
        if request.view == View::Rate && rate.is_none() {
            let error = format!("{}.{} is no counter", one.name.object, one.name.instance);
            return Err(Refusal::bad_request(error, "only counters have rates: use as=raw, or leave as out"));
        }
        let lead_ms = if rate.is_some() { interval_ms.saturating_mul(HISTORY_GAP_INTERVALS) } else { 0 };
        let (kind, scale) = (one.meta.kind, one.meta.scale);
        let mut maker = PointMaker::new(PointRules { kind, scale, rate, interval_ms, step_ms: request.step_ms });
        let range = node.store.range(one.id, request.from_ms.saturating_sub(lead_ms), request.to_ms);
        for sample in range.map_err(|error| Refusal::store(&error))? {
            maker.add(sample.map_err(|error| Refusal::store(&error))?, request.from_ms);
            samples += 1;
            if samples > MAX_HISTORY_SAMPLES || points + maker.len() > MAX_HISTORY_POINTS {
                return Err(too_much(samples));
            }
            if abandoned.load(Ordering::Relaxed) {
                return Err(Refusal::busy("nobody waits for this answer any more"));
            }
        }
        let made = maker.finish();
        points += made.len();
        series.push(SeriesPoints { series: one, is_rate: rate.is_some(), points: made });
    }
    Ok(History { request, series })
}

fn too_much(samples: usize) -> Refusal {
    let error = if samples > MAX_HISTORY_SAMPLES {
        format!("more than {MAX_HISTORY_SAMPLES} samples would have to be read")
    } else {
        format!("the answer would have more than {MAX_HISTORY_POINTS} points")
    };
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error, "ask for a shorter time, fewer series, or a longer step")
}

/// The series that a request names.
fn select(node: &NodeState, request: &Request) -> Result<Vec<Series>, Refusal> {
    let storage = |error| Refusal::store(&error);
    let mut selected: Vec<Series> = Vec::new();
    let mut all: Option<Vec<Series>> = None;
    for selector in &request.selectors {
        let found = match selector.split_once('.') {
            Some((object, instance)) => {
                let name = SeriesName {
                    device: request.device.clone(),
                    object: object.to_owned(),
                    instance: instance.to_owned(),
                };
                node.store.lookup(&name).map_err(storage)?.into_iter().collect()
            }
            None => {
                let all = match &mut all {
                    Some(all) => all,
                    None => all.insert(node.store.series_of(&request.device).map_err(storage)?),
                };
                all.iter().filter(|series| series.name.object == *selector).cloned().collect::<Vec<_>>()
            }
        };
        if found.is_empty() {
            return Err(no_series(node, &request.device, selector));
        }
        selected.extend(found);
        if selected.len() > MAX_HISTORY_SERIES {
            let error = format!("more than {MAX_HISTORY_SERIES} series");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error, "name instances: series=OBJECT.INSTANCE"));
        }
    }
    selected.sort_by_key(|series| series.id);
    selected.dedup_by_key(|series| series.id);
    Ok(selected)
}

fn no_series(node: &NodeState, device: &str, selector: &str) -> Refusal {
    let all = node.store.series_of(device).unwrap_or_default();
    if all.is_empty() && node.fleet.get(device).is_none() {
        return no_device(node, device);
    }
    let mut objects: Vec<&str> = all.iter().map(|series| series.name.object.as_str()).collect();
    objects.dedup();
    let hint = match objects.as_slice() {
        [] => "nothing is recorded of it yet: has it answered a poll?".to_owned(),
        objects => format!("recorded of it are {}", objects.join(", ")),
    };
    Refusal::not_found(format!("{device:?} has no series {selector}"), hint)
}

/// The answer in JSON, piece by piece.
fn json_pieces(history: History) -> impl Iterator<Item = String> + Send {
    let History { request, series } = history;
    let Request { device, from_ms, to_ms, step_ms, .. } = request;
    // The list is left open: its elements follow.
    let mut head = json!({ "device": device, "from_ms": from_ms, "to_ms": to_ms, "step_ms": step_ms }).to_string();
    head.pop();
    head.push_str(",\"series\":[");
    let series = series.into_iter().enumerate().flat_map(|(i, series)| {
        let mut open = String::from(if i == 0 { "" } else { "," });
        let mut description = series_json(&series).to_string();
        description.pop();
        open.push_str(&description);
        open.push_str(",\"points\":[");
        let mut is_first = true;
        let points = chunks(series.points, move |point, text| {
            if !std::mem::take(&mut is_first) {
                text.push(',');
            }
            let written = match point.value {
                Ok(number) => write!(text, "[{},{number}]", point.time_ms),
                Err(gap) => write!(text, "[{},null,\"{}\"]", point.time_ms, gap.word()),
            };
            written.expect("writing to a String");
        });
        std::iter::once(open).chain(points).chain(["]}".to_owned()])
    });
    std::iter::once(head).chain(series).chain(["]}\n".to_owned()])
}

fn series_json(series: &SeriesPoints) -> Value {
    let SeriesPoints { series: Series { name, meta, .. }, is_rate, .. } = series;
    let unit = match (is_rate, meta.unit.as_str()) {
        (false, unit) => unit.to_owned(),
        (true, "") => "1/s".to_owned(),
        (true, unit) => format!("{unit}/s"),
    };
    json!({
        "object": name.object,
        "instance": name.instance,
        "kind": meta.kind,
        "as": if *is_rate { "rate" } else { "raw" },
        "unit": unit,
        "labels": meta.labels,
    })
}

/// The answer in CSV, piece by piece.
fn csv_pieces(history: History) -> impl Iterator<Item = String> + Send {
    let device = csv_field(&history.request.device);
    let series = history.series.into_iter().flat_map(move |SeriesPoints { series, points, .. }| {
        let name = format!("{device},{},{}", csv_field(&series.name.object), csv_field(&series.name.instance));
        chunks(points, move |point, text| {
            let time = rfc3339(point.time_ms);
            let written = match point.value {
                Ok(number) => write!(text, "{time},{name},{number},\r\n"),
                Err(gap) => write!(text, "{time},{name},,{}\r\n", gap.word()),
            };
            written.expect("writing to a String");
        })
    });
    std::iter::once("time,device,object,instance,value,gap\r\n".to_owned()).chain(series)
}

/// Writes points into texts of a few kilobytes.
fn chunks(
    points: Vec<Point>,
    mut write: impl FnMut(&Point, &mut String) + Send,
) -> impl Iterator<Item = String> + Send {
    let mut points = points.into_iter();
    std::iter::from_fn(move || {
        let mut text = String::new();
        while text.len() < HISTORY_CHUNK_OCTETS
            && let Some(point) = points.next()
        {
            write(&point, &mut text);
        }
        (!text.is_empty()).then_some(text)
    })
}

/// A field in quotes where it needs them (RFC 4180 §2).
fn csv_field(text: &str) -> String {
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use hamsa_store::{SeriesId, SeriesKind, SeriesMeta};

    use super::*;
    use crate::http::api::points::{Gap, Number};

    fn history(points: Vec<Point>) -> History {
        let name = SeriesName { device: "a,\"b\"".into(), object: "ifHCInOctets".into(), instance: "1".into() };
        let labels = [("ifName".to_owned(), "eth0".to_owned())].into();
        let meta =
            SeriesMeta { kind: SeriesKind::Counter64, unit: String::new(), scale: 0, max_per_second: None, labels };
        let series = Series { id: SeriesId::from_number(0), name, meta };
        let request = Request {
            device: series.name.device.clone(),
            selectors: Vec::new(),
            from_ms: 0,
            to_ms: 180_000,
            step_ms: None,
            view: View::ByKind,
        };
        History { request, series: vec![SeriesPoints { series, is_rate: true, points }] }
    }

    fn three_points() -> Vec<Point> {
        let values = [Ok(Number::Float(1.5)), Err(Gap::NoSamples), Ok(Number::Whole(u64::MAX.into()))];
        let point = |(i, value): (i64, _)| Point { time_ms: 60_000 * i, value };
        (0..).zip(values).map(point).collect()
    }

    #[test]
    fn json_has_points_and_gaps_with_their_reasons() {
        let text: String = json_pieces(history(three_points())).collect();
        let answer: Value = serde_json::from_str(&text).unwrap();
        let series = &answer["series"][0];
        assert_eq!(series["points"], json!([[0, 1.5], [60_000, null, "no_samples"], [120_000, u64::MAX]]));
        assert_eq!(
            (&series["as"], &series["unit"], &series["kind"]),
            (&json!("rate"), &json!("1/s"), &json!("counter64"))
        );
        assert_eq!((&answer["device"], &answer["step_ms"]), (&json!("a,\"b\""), &Value::Null));
        assert_eq!(series["labels"]["ifName"], "eth0");
    }

    #[test]
    fn csv_has_a_header_and_quotes_what_needs_it() {
        let text: String = csv_pieces(history(three_points())).collect();
        let name = "\"a,\"\"b\"\"\",ifHCInOctets,1";
        let expected = format!(
            "time,device,object,instance,value,gap\r\n1970-01-01T00:00:00.000Z,{name},1.5,\r\n\
             1970-01-01T00:01:00.000Z,{name},,no_samples\r\n1970-01-01T00:02:00.000Z,{name},18446744073709551615,\r\n"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn long_answers_come_in_pieces_and_empty_ones_are_whole() {
        let points = vec![Point { time_ms: 1_769_860_800_000, value: Ok(Number::Whole(1)) }; 10_000];
        let pieces: Vec<String> = json_pieces(history(points)).collect();
        assert!(pieces.len() > 5 && pieces.iter().all(|piece| piece.len() < 2 * HISTORY_CHUNK_OCTETS));
        let answer: Value = serde_json::from_str(&pieces.concat()).unwrap();
        assert_eq!(answer["series"][0]["points"].as_array().map(Vec::len), Some(10_000));
        let empty: String = json_pieces(history(Vec::new())).collect();
        assert_eq!(serde_json::from_str::<Value>(&empty).unwrap()["series"][0]["points"], json!([]));
    }

    #[test]
    fn the_format_is_asked_for_or_accepted() {
        let choose = |asked: Option<&str>, accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            Format::choose(asked.map(str::to_owned), &headers).map_err(|refusal| refusal.status.as_u16())
        };
        assert_eq!(choose(None, "*/*"), Ok(Format::Json));
        assert_eq!(choose(None, "text/csv"), Ok(Format::Csv));
        assert_eq!(choose(None, "application/json, Text/CSV;q=0.9"), Ok(Format::Json));
        assert_eq!(choose(None, "application/json;q=0.5, text/csv; header=present; q=0.9"), Ok(Format::Csv));
        assert_eq!(choose(None, "text/csv;q=x"), Ok(Format::Csv));
        assert_eq!(choose(Some("json"), "text/csv"), Ok(Format::Json));
        assert_eq!(choose(Some("xml"), ""), Err(400));
    }
}
