//! The interfaces of a device (RFC 2863), from the series of ifTable and ifXTable.

use std::collections::BTreeMap;

use super::Present;

/// An interface now. Rates are `None` until there are two readings, and while they are not known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Interface {
    /// ifIndex, the instance of its series.
    pub(crate) instance: String,
    /// ifName, or else ifDescr, or else the index.
    pub(crate) name: String,
    /// What the operator has called it, or else ifDescr where that says more than the name.
    pub(crate) description: String,
    /// ifAdminStatus.
    pub(crate) admin_status: Option<i64>,
    /// ifOperStatus.
    pub(crate) oper_status: Option<i64>,
    /// In bits a second; `None` if the device does not say.
    pub(crate) speed: Option<f64>,
    /// Received and sent, in bits a second.
    pub(crate) traffic: InOut,
    /// Why the traffic is not known.
    pub(crate) traffic_unknown: Option<String>,
    /// Packets with errors a second.
    pub(crate) errors: InOut,
    /// Packets discarded a second.
    pub(crate) discards: InOut,
    /// The series with the traffic, received and sent.
    pub(crate) octet_series: (Option<String>, Option<String>),
}

/// Of what is received and of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct InOut {
    pub(crate) received: Option<f64>,
    pub(crate) sent: Option<f64>,
}

impl InOut {
    /// The sum of what is known.
    pub(crate) fn total(self) -> Option<f64> {
        match (self.received, self.sent) {
            (None, None) => None,
            (received, sent) => Some(received.unwrap_or_default() + sent.unwrap_or_default()),
        }
    }
}

impl Interface {
    /// The part of its speed that is used by what it receives and by what it sends, 0 to 1.
    pub(crate) fn utilisation(&self) -> InOut {
        let part = |rate: Option<f64>| Some((rate? / self.speed?).clamp(0.0, 1.0));
        InOut { received: part(self.traffic.received), sent: part(self.traffic.sent) }
    }

    /// Whether it looks like a host's or router's loopback, which nobody wants to see first.
    pub(crate) fn is_loopback(&self) -> bool {
        let rest = ["loopback", "lo"].into_iter().find_map(|word| {
            let head = self.name.get(..word.len())?;
            head.eq_ignore_ascii_case(word).then(|| &self.name[word.len()..])
        });
        rest.is_some_and(|rest| rest.bytes().all(|octet| octet.is_ascii_digit()))
    }

    /// Whether it should be up and is not.
    pub(crate) fn is_in_trouble(&self) -> bool {
        self.admin_status == Some(1) && self.oper_status.is_some_and(|status| status != 1)
    }
}

/// Objects that this page tells of interfaces; what it does not show by itself still belongs to them.
pub(crate) fn is_of_interfaces(object: &str) -> bool {
    object.starts_with("if") && object != "ifNumber"
}

/// The interfaces, in the order of their indexes.
pub(crate) fn interfaces(series: &[Present]) -> Vec<Interface> {
    let mut rows: BTreeMap<(u64, &str), BTreeMap<&str, &Present>> = BTreeMap::new();
    for series in series.iter().filter(|series| is_of_interfaces(series.object())) {
        let instance = series.series.name.instance.as_str();
        let order = instance.parse().unwrap_or(u64::MAX);
        rows.entry((order, instance)).or_default().insert(series.object(), series);
    }
    rows.into_iter().map(|((_, instance), row)| interface(instance, &row)).collect()
}

fn interface(instance: &str, row: &BTreeMap<&str, &Present>) -> Interface {
    let first = |objects: [&str; 2]| objects.iter().find_map(|object| row.get(object).copied());
    let gauge = |object: &str| row.get(object).map(|series| series.value() as i64);
    let rate = |series: Option<&Present>| series.and_then(Present::rate);
    let known = |objects: [&str; 2]| rate(first(objects)).and_then(Result::ok);
    let octets = (first(["ifHCInOctets", "ifInOctets"]), first(["ifHCOutOctets", "ifOutOctets"]));
    let unknown = [octets.0, octets.1].into_iter().find_map(|series| rate(series)?.err());
    let bits = |series: Option<&Present>| rate(series).and_then(Result::ok).map(|octets| octets * 8.0);
    let label = |name: &str| row.values().find_map(|series| series.label(name));
    let name = label("ifName").or_else(|| label("ifDescr")).unwrap_or(instance);
    let description = label("ifAlias").or_else(|| label("ifDescr").filter(|descr| *descr != name)).unwrap_or_default();
    let series_name = |series: Option<&Present>| series.map(|series| format!("{}.{instance}", series.object()));
    Interface {
        instance: instance.to_owned(),
        name: name.to_owned(),
        description: description.to_owned(),
        admin_status: gauge("ifAdminStatus"),
        oper_status: gauge("ifOperStatus"),
        speed: speed(row),
        traffic: InOut { received: bits(octets.0), sent: bits(octets.1) },
        traffic_unknown: unknown.map(|reason| reason.to_string()),
        errors: InOut { received: known(["ifInErrors", ""]), sent: known(["ifOutErrors", ""]) },
        discards: InOut { received: known(["ifInDiscards", ""]), sent: known(["ifOutDiscards", ""]) },
        octet_series: (series_name(octets.0), series_name(octets.1)),
    }
}

/// ifHighSpeed is in millions of bits, and 0 where it would be rounded to that (RFC 2863).
fn speed(row: &BTreeMap<&str, &Present>) -> Option<f64> {
    let value = |object: &str| row.get(object).map(|series| series.value());
    let high = value("ifHighSpeed").map(|mega| mega * 1e6);
    high.filter(|speed| *speed > 0.0).or_else(|| value("ifSpeed")).filter(|speed| *speed > 0.0)
}

#[cfg(test)]
mod tests {
    use hamsa_store::SeriesKind;

    use super::*;
    use crate::http::view::sample_series;

    fn row(instance: &str, wide: bool) -> Vec<Present> {
        let counter = if wide { SeriesKind::Counter64 } else { SeriesKind::Counter32 };
        let names = if wide { ["ifHCInOctets", "ifHCOutOctets"] } else { ["ifInOctets", "ifOutOctets"] };
        let mut row = vec![
            sample_series(names[0], instance, counter, (1_000, 751_000)),
            sample_series(names[1], instance, counter, (9_000, 1_000)),
            sample_series("ifInErrors", instance, SeriesKind::Counter32, (0, 60)),
            sample_series("ifHighSpeed", instance, SeriesKind::Gauge, (10, 10)),
            sample_series("ifAdminStatus", instance, SeriesKind::Gauge, (1, 1)),
            sample_series("ifOperStatus", instance, SeriesKind::Gauge, (1, 2)),
        ];
        for series in &mut row {
            series.series.meta.labels.insert("ifName".to_owned(), format!("ge-0/0/{instance}"));
            series.series.meta.labels.insert("ifAlias".to_owned(), String::new());
            series.series.meta.labels.insert("ifDescr".to_owned(), "uplink".to_owned());
        }
        row
    }

    #[test]
    fn counters_of_either_width_become_traffic_in_bits() {
        for wide in [true, false] {
            let interface = &interfaces(&row("3", wide))[0];
            assert_eq!(interface.traffic, InOut { received: Some(100_000.0), sent: None });
            assert_eq!(interface.traffic_unknown.as_deref(), Some("the counter went back"));
            assert_eq!(interface.speed, Some(10e6));
            assert_eq!(interface.utilisation().received, Some(0.01));
            assert_eq!((interface.errors.total(), interface.discards.total()), (Some(1.0), None));
            assert!(interface.is_in_trouble());
            assert_eq!((interface.name.as_str(), interface.description.as_str()), ("ge-0/0/3", "uplink"));
            let expected = if wide { "ifHCInOctets.3" } else { "ifInOctets.3" };
            assert_eq!(interface.octet_series.0.as_deref(), Some(expected));
        }
    }

    #[test]
    fn interfaces_are_in_the_order_of_their_numbers() {
        let series: Vec<Present> = ["10", "9", "1"].iter().flat_map(|instance| row(instance, true)).collect();
        let order: Vec<String> = interfaces(&series).into_iter().map(|interface| interface.instance).collect();
        assert_eq!(order, ["1", "9", "10"]);
    }

    #[test]
    fn loopbacks_are_known_by_their_names() {
        let mut interface = interfaces(&row("1", true)).remove(0);
        for (name, expected) in
            [("lo", true), ("lo0", true), ("Loopback12", true), ("local1", false), ("eth0", false), ("l", false)]
        {
            interface.name = name.to_owned();
            assert_eq!(interface.is_loopback(), expected, "{name}");
        }
    }

    #[test]
    fn a_device_without_interfaces_has_none() {
        assert_eq!(interfaces(&[sample_series("sysUpTime", "0", SeriesKind::TimeTicks, (1, 2))]), []);
    }
}
