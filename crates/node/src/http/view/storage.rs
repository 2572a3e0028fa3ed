//! Memory and disks of a host (RFC 2790, hrStorageTable).

use std::collections::BTreeMap;

use super::Present;

/// A storage area now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StorageArea {
    /// hrStorageDescr, or its index.
    pub(crate) name: String,
    /// Octets.
    pub(crate) size: f64,
    /// Octets.
    pub(crate) used: f64,
    /// Whether it can run out: a disk or the memory, not a cache.
    pub(crate) can_be_full: bool,
    /// Octets of its allocation units, in which the series counts.
    pub(crate) unit: f64,
    /// The series of its use.
    pub(crate) series: String,
}

impl StorageArea {
    /// The part that is used, 0 to 1; `None` of nothing.
    pub(crate) fn used_part(&self) -> Option<f64> {
        (self.size > 0.0).then(|| (self.used / self.size).clamp(0.0, 1.0))
    }
}

/// Objects that belong to storage.
pub(crate) fn is_of_storage(object: &str) -> bool {
    object.starts_with("hrStorage")
}

/// The storage areas, in the order of their names.
pub(crate) fn storage_areas(series: &[Present]) -> Vec<StorageArea> {
    let mut rows: BTreeMap<&str, BTreeMap<&str, &Present>> = BTreeMap::new();
    for series in series.iter().filter(|series| is_of_storage(series.object())) {
        rows.entry(&series.series.name.instance).or_default().insert(series.object(), series);
    }
    let area = |(instance, row): (&str, BTreeMap<&str, &Present>)| {
        let used = row.get("hrStorageUsed")?;
        let value = |object: &str| row.get(object).map(|series| series.value());
        let unit = value("hrStorageAllocationUnits").filter(|unit| *unit > 0.0).unwrap_or(1.0);
        Some(StorageArea {
            name: used.label("hrStorageDescr").unwrap_or(instance).to_owned(),
            size: value("hrStorageSize")? * unit,
            used: used.value() * unit,
            can_be_full: !used.label("hrStorageType").is_some_and(|text| text.ends_with("hrStorageOther")),
            unit,
            series: format!("hrStorageUsed.{instance}"),
        })
    };
    let mut areas: Vec<StorageArea> = rows.into_iter().filter_map(area).collect();
    areas.sort_by(|a, b| a.name.cmp(&b.name));
    areas
}

#[cfg(test)]
mod tests {
    use hamsa_store::SeriesKind;

    use super::*;
    use crate::http::view::sample_series;

    #[test]
    fn an_area_is_in_octets() {
        let gauge = |object: &str, value| sample_series(object, "31", SeriesKind::Gauge, (0, value));
        let mut used = gauge("hrStorageUsed", 250);
        used.series.meta.labels.insert("hrStorageDescr".to_owned(), "/".to_owned());
        let areas = storage_areas(&[gauge("hrStorageAllocationUnits", 4_096), gauge("hrStorageSize", 1_000), used]);
        assert_eq!((areas[0].name.as_str(), areas[0].size, areas[0].used), ("/", 4_096_000.0, 1_024_000.0));
        assert_eq!(areas[0].used_part(), Some(0.25));
        let empty = storage_areas(&[gauge("hrStorageSize", 0), gauge("hrStorageUsed", 0)]);
        assert_eq!((empty[0].used_part(), empty[0].name.as_str()), (None, "31"));
    }
}
