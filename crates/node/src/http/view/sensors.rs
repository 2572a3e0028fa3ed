//! The sensors of a device (RFC 3433).

use super::Present;

/// A sensor now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sensor {
    /// What it is called, or its index.
    pub(crate) name: String,
    /// entPhysicalDescr, where it says more.
    pub(crate) description: String,
    /// The value, in `unit`.
    pub(crate) value: f64,
    /// The unit's symbol.
    pub(crate) unit: &'static str,
    /// entPhySensorOperStatus: 1 ok, 2 unavailable, 3 nonoperational.
    pub(crate) oper_status: Option<i64>,
    /// The series of its values.
    pub(crate) series: String,
}

/// `EntitySensorDataType` (RFC 3433) and the unit's symbol.
const UNITS: [(&str, &str); 11] = [
    ("voltsAC", "V AC"),
    ("voltsDC", "V DC"),
    ("amperes", "A"),
    ("watts", "W"),
    ("hertz", "Hz"),
    ("celsius", "°C"),
    ("percentRH", "% RH"),
    ("rpm", "rpm"),
    ("cmm", "m³/min"),
    ("truthvalue", "(1 true, 2 false)"),
    ("dBm", "dBm"),
];

/// Objects that belong to sensors.
pub(crate) fn is_of_sensors(object: &str) -> bool {
    object.starts_with("entPhySensor")
}

/// The sensors, in the order of their names.
pub(crate) fn sensors(series: &[Present]) -> Vec<Sensor> {
    let status_of = |instance: &str| {
        let status = series
            .iter()
            .find(|series| series.object() == "entPhySensorOperStatus" && series.series.name.instance == instance);
        status.map(|status| status.value() as i64)
    };
    let values = series.iter().filter(|series| series.object() == "entPhySensorValue");
    let mut sensors: Vec<Sensor> = values
        .map(|series| {
            let instance = &series.series.name.instance;
            let name = series.label("entPhysicalName").or_else(|| series.label("entPhysicalDescr"));
            let name = name.map_or_else(|| format!("sensor {instance}"), str::to_owned);
            let data_type = series.label("entPhySensorType").unwrap_or_default();
            Sensor {
                description: series
                    .label("entPhysicalDescr")
                    .filter(|descr| *descr != name)
                    .unwrap_or_default()
                    .to_owned(),
                name,
                value: series.value(),
                unit: UNITS.iter().find(|(known, _)| *known == data_type).map_or("", |(_, symbol)| symbol),
                oper_status: status_of(instance),
                series: format!("{}.{instance}", series.object()),
            }
        })
        .collect();
    sensors.sort_by(|a, b| a.name.cmp(&b.name));
    sensors
}

#[cfg(test)]
mod tests {
    use hamsa_store::SeriesKind;

    use super::*;
    use crate::http::view::sample_series;

    #[test]
    fn a_sensor_has_a_name_a_value_in_its_unit_and_a_state() {
        let mut value = sample_series("entPhySensorValue", "7", SeriesKind::Gauge, (0, 215));
        value.series.meta.scale = -1;
        value.series.meta.labels.insert("entPhysicalName".to_owned(), "Inlet".to_owned());
        value.series.meta.labels.insert("entPhySensorType".to_owned(), "celsius".to_owned());
        let status = sample_series("entPhySensorOperStatus", "7", SeriesKind::Gauge, (1, 1));
        let bare = sample_series("entPhySensorValue", "8", SeriesKind::Gauge, (0, 3));
        let sensors = sensors(&[bare, status, value]);
        assert_eq!((sensors[0].name.as_str(), sensors[0].value, sensors[0].unit), ("Inlet", 21.5, "°C"));
        assert_eq!((sensors[0].oper_status, sensors[0].series.as_str()), (Some(1), "entPhySensorValue.7"));
        assert_eq!((sensors[1].name.as_str(), sensors[1].unit, sensors[1].oper_status), ("sensor 8", "", None));
    }
}
