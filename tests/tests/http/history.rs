//! `/api/v1/history` over samples that were put into the store, so that every case is there.

use hamsa_store::{Sample, SampleFlags, SeriesKind, SeriesMeta, SeriesName};
use serde_json::{Value, json};

use crate::support::{Node, NodeConfig};

/// 2026-01-31T12:00:00Z would be too old for the store one day; minutes before now are not.
struct Archive {
    node: Node,
    /// A whole minute some hours ago.
    start_ms: i64,
}

impl Archive {
    /// A node with a device `archive` that was polled once a minute.
    fn new() -> Self {
        let node = NodeConfig::new().start();
        let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
        let start_ms = (now_ms - 4 * 3_600_000) / 3_600_000 * 3_600_000;
        let archive = Archive { node, start_ms };
        archive.record(
            "ifHCInOctets",
            "1",
            SeriesKind::Counter64,
            0,
            &[(0, 0), (1, 6_000), (2, 666), (3, 60_666), (9, 420_666)],
        );
        archive.record("ifHCInOctets", "2", SeriesKind::Counter64, 0, &[(0, u64::MAX - 5_999), (1, 0)]);
        archive.record(
            "entPhySensorValue",
            "7",
            SeriesKind::Gauge,
            -1,
            &[(0, 215), (1, 225), (2, (-5_i64).cast_unsigned())],
        );
        archive
    }

    /// Values by minute; 666 comes after a restart.
    fn record(&self, object: &str, instance: &str, kind: SeriesKind, scale: i8, values: &[(i64, u64)]) {
        let store = &self.node.state().store;
        let name = SeriesName { device: "archive".into(), object: object.into(), instance: instance.into() };
        let labels = [("ifName".to_owned(), format!("eth{instance}"))].into();
        let meta = SeriesMeta { kind, unit: String::new(), scale, max_per_second: None, labels };
        let id = store.register(&[(name, meta)]).unwrap()[0];
        let sample = |&(minute, value): &(i64, u64)| {
            let flags = if value == 666 { SampleFlags::DISCONTINUITY } else { SampleFlags::NONE };
            Sample::counter(id, self.start_ms + minute * 60_000, value).with_flags(flags)
        };
        let samples: Vec<Sample> = values.iter().map(sample).collect();
        let ack = store.append(&samples, self.start_ms + 4 * 3_600_000).unwrap();
        assert_eq!(ack.accepted, samples.len());
    }

    fn path(&self, query: &str) -> String {
        let (from, to) = (self.start_ms / 1_000, self.start_ms / 1_000 + 3_600);
        format!("/api/v1/history?device=archive&from={from}&to={to}&{query}")
    }

    /// The points of the first series, by minute.
    fn points(&self, query: &str) -> Value {
        let answer = self.node.json(&self.path(query), 200);
        let minute = |point: &Value| {
            let mut point = point.clone();
            point[0] = json!((point[0].as_i64().unwrap() - self.start_ms) / 60_000);
            point
        };
        answer["series"][0]["points"].as_array().unwrap().iter().map(minute).collect()
    }
}

#[test]
fn counters_become_rates_and_gaps_have_reasons() {
    let archive = Archive::new();
    let rates = json!([[1, 100], [2, null, "discontinuity"], [3, 1_000], [4, null, "no_samples"], [9, 1_000]]);
    assert_eq!(archive.points("series=ifHCInOctets.1"), rates);
    assert_eq!(archive.points("series=ifHCInOctets.1&as=rate"), rates);
    let raw = json!([[0, 0], [1, 6_000], [2, 666], [3, 60_666], [4, null, "no_samples"], [9, 420_666]]);
    assert_eq!(archive.points("series=ifHCInOctets.1&as=raw"), raw);
    // A wrap is growth, and a value is exact up to the last bit.
    assert_eq!(archive.points("series=ifHCInOctets.2"), json!([[1, 100]]));
    assert_eq!(archive.points("series=ifHCInOctets.2&as=raw"), json!([[0, u64::MAX - 5_999], [1, 0]]));
    assert_eq!(archive.points("series=entPhySensorValue.7"), json!([[0, 21.5], [1, 22.5], [2, -0.5]]));
    assert_eq!(archive.points("series=entPhySensorValue.7&step=2m"), json!([[0, 22], [2, -0.5]]));
}

#[test]
fn an_object_names_all_its_instances() {
    let archive = Archive::new();
    let answer = archive.node.json(&archive.path("series=ifHCInOctets&series=ifHCInOctets.1"), 200);
    let instances: Vec<&Value> =
        answer["series"].as_array().unwrap().iter().map(|series| &series["instance"]).collect();
    assert_eq!(instances, ["1", "2"]);
    let first = &answer["series"][0];
    assert_eq!(
        (&first["as"], &first["unit"], &first["labels"]["ifName"]),
        (&json!("rate"), &json!("1/s"), &json!("eth1"))
    );
    assert_eq!((&answer["from_ms"], &answer["step_ms"]), (&json!(archive.start_ms), &Value::Null));
}

#[test]
fn csv_is_asked_for_by_parameter_or_field() {
    let archive = Archive::new();
    let by_parameter = archive.node.get(&archive.path("series=ifHCInOctets.1&format=csv"));
    let by_field = archive.node.get_with(&archive.path("series=ifHCInOctets.1"), &[("accept", "text/csv")]);
    assert_eq!(by_parameter.text(), by_field.text());
    assert_eq!(by_parameter.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    let text = by_parameter.text();
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(lines[0], "time,device,object,instance,value,gap");
    assert!(lines[1].ends_with("Z,archive,ifHCInOctets,1,100,"), "{}", lines[1]);
    assert!(lines[2].ends_with("Z,archive,ifHCInOctets,1,,discontinuity"), "{}", lines[2]);
    assert_eq!((lines.len(), lines[6]), (7, ""));
}

#[test]
fn what_can_not_be_given_is_refused_with_a_way_out() {
    let archive = Archive::new();
    // One sample in each of 130,000 milliseconds.
    let many: Vec<(i64, u64)> = Vec::new();
    archive.record("busy", "0", SeriesKind::Gauge, 0, &many);
    let store = &archive.node.state().store;
    let name = SeriesName { device: "archive".into(), object: "busy".into(), instance: "0".into() };
    let id = store.lookup(&name).unwrap().unwrap().id;
    let samples: Vec<Sample> = (0..130_000).map(|ms| Sample::gauge(id, archive.start_ms + ms, ms)).collect();
    store.append(&samples, archive.start_ms + 4 * 3_600_000).unwrap();

    let refused = archive.node.json(&archive.path("series=busy.0"), 413);
    assert_eq!(refused["error"], "the answer would have more than 120000 points");
    assert_eq!(refused["hint"], "ask for a shorter time, fewer series, or a longer step");
    let stepped = archive.node.json(&archive.path("series=busy.0&step=10s"), 200);
    assert_eq!(stepped["series"][0]["points"].as_array().map(Vec::len), Some(13));
    assert_eq!(stepped["series"][0]["points"][0][1], 4_999.5);

    for (query, status, error) in [
        ("series=ifHCInOctets.9", 404, "\"archive\" has no series ifHCInOctets.9"),
        ("series=sysName", 404, "\"archive\" has no series sysName"),
        ("series=entPhySensorValue.7&as=rate", 400, "entPhySensorValue.7 is no counter"),
        ("series=busy&as=mean", 400, "as=mean is not allowed"),
        ("series=busy&format=xml", 400, "format=xml is not allowed"),
        (
            "series=busy&step=often",
            400,
            "step: \"often\" is no duration: use a number and ms, s, m, h, d or w, such as 30s or 5m",
        ),
        ("", 400, "series is missing"),
    ] {
        let answer = archive.node.json(&archive.path(query), status);
        assert_eq!(answer["error"], error, "{answer}");
        assert!(!answer["hint"].as_str().unwrap().is_empty());
    }
    let hint = archive.node.json(&archive.path("series=nothing"), 404)["hint"].clone();
    assert_eq!(hint, "recorded of it are busy, entPhySensorValue, ifHCInOctets");
    let node = &archive.node;
    assert_eq!(
        node.json("/api/v1/history?device=archive&series=busy&from=now&to=-1h", 400)["error"],
        "from is not before to"
    );
    assert!(
        node.json("/api/v1/history?device=archive&series=busy&from=soon", 400)["error"]
            .as_str()
            .unwrap()
            .starts_with("from: \"soon\"")
    );
    assert_eq!(node.json("/api/v1/history?device=nobody&series=busy", 404)["error"], "there is no device \"nobody\"");
}
