//! Durations and sizes as people write them: `"90s"`, `"1d12h"`, `"4MiB"`.
//!
//! Durations follow Prometheus (units `ms` to `y`, the larger before the smaller, each once), since those
//! who read this file write its rules too. Sizes take binary units only, so that none is ambiguous.

use std::time::Duration;

use super::source::quoted;

/// Units of a duration and their milliseconds, the largest first.
const DURATION_UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Units of a size and their octets, the largest first.
const SIZE_UNITS: [(&str, u64); 5] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads a duration; the error says what is wrong.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let mut rest = text;
    let mut units = &DURATION_UNITS[..];
    let mut total_ms = 0u64;
    loop {
        let (number, unit, after) = split_quantity(rest, "60s")?;
        let Some(at) = units.iter().position(|(name, _)| *name == unit) else {
            return Err(if DURATION_UNITS.iter().any(|(name, _)| *name == unit) {
                format!("{} comes after a unit that is not larger", quoted(unit))
            } else {
                format!("{} is not a unit; use {}", quoted(unit), names(&DURATION_UNITS))
            });
        };
        let part_ms = number.checked_mul(units[at].1);
        total_ms = part_ms.and_then(|part| total_ms.checked_add(part)).ok_or("it is too long")?;
        (units, rest) = (&units[at + 1..], after);
        if rest.is_empty() {
            return Ok(Duration::from_millis(total_ms));
        }
    }
}

/// Writes a duration of whole milliseconds in the largest unit that divides it.
pub(super) fn format_duration(duration: Duration) -> String {
    let total_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    format_quantity(total_ms, &DURATION_UNITS, "s")
}

/// Reads a size, in octets; the error says what is wrong.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit, after) = split_quantity(text, "4MiB")?;
    if !after.is_empty() {
        return Err(format!("{} follows the unit", quoted(after)));
    }
    let factor = SIZE_UNITS.iter().find(|(name, _)| *name == unit);
    let (_, factor) = factor.ok_or_else(|| format!("{} is not a unit; use {}", quoted(unit), names(&SIZE_UNITS)))?;
    number.checked_mul(*factor).ok_or_else(|| "it is too large".to_owned())
}

/// Writes a size in the largest unit that divides it.
pub(super) fn format_size(octets: u64) -> String {
    format_quantity(octets, &SIZE_UNITS, "B")
}

/// A number, the letters that follow it, and the rest.
fn split_quantity<'t>(text: &'t str, example: &str) -> Result<(u64, &'t str, &'t str), String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    if rest.starts_with(['.', ',']) {
        return Err("fractions are not taken; use a smaller unit".to_owned());
    }
    let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, after) = rest.split_at(letters);
    match number {
        "" => Err(format!("a number is missing, as in {example:?}")),
        _ if unit.is_empty() => Err(format!("a unit is missing, as in {example:?}")),
        _ => Ok((number.parse().map_err(|_| "the number is too large")?, unit, after)),
    }
}

fn format_quantity(value: u64, units: &[(&str, u64)], unit_of_zero: &str) -> String {
    match units.iter().find(|(_, factor)| value != 0 && value.is_multiple_of(*factor)) {
        Some((unit, factor)) => format!("{}{unit}", value / factor),
        None => format!("0{unit_of_zero}"),
    }
}

fn names(units: &[(&str, u64)]) -> String {
    units.iter().rev().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_prometheus_writes_them() {
        for (text, ms) in [
            ("60s", 60_000),
            ("500ms", 500),
            ("5m", 300_000),
            ("30d", 30 * 86_400_000),
            ("1d12h", 36 * 3_600_000),
            ("1h30m5s7ms", 5_405_007),
            ("1y", 365 * 86_400_000),
            ("2w", 14 * 86_400_000),
            ("0s", 0),
            ("0h0s", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "a number is missing"),
            ("60", "a unit is missing"),
            ("s", "a number is missing"),
            ("60sec", "\"sec\" is not a unit"),
            ("60 s", "\" s\" is not a unit"),
            ("1.5s", "fractions are not taken"),
            ("-1s", "a number is missing"),
            ("1m1h", "\"h\" comes after"),
            ("1s1s", "\"s\" comes after"),
            ("1h ", "\"h \" is not a unit"),
            ("99999999999999999999s", "the number is too large"),
            ("999999999999y", "it is too long"),
            ("1S", "\"S\" is not a unit"),
        ] {
            let error = parse_duration(text).unwrap_err();
            assert!(error.starts_with(why), "{text}: {error}");
        }
    }

    #[test]
    fn sizes_take_binary_units() {
        assert_eq!(parse_size("4MiB"), Ok(4 << 20));
        assert_eq!(parse_size("1500B"), Ok(1500));
        for (text, why) in [
            ("4MB", "\"MB\" is not a unit; use B, KiB, MiB, GiB, TiB"),
            ("4", "a unit is missing"),
            ("4MiB1", "\"1\" follows the unit"),
            ("99999999TiB", "it is too large"),
        ] {
            let error = parse_size(text).unwrap_err();
            assert!(error.starts_with(why), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for ms in [0, 1, 999, 1000, 1001, 60_000, 90_000, 86_400_000, 7 * 86_400_000, 3650 * 86_400_000] {
            let duration = Duration::from_millis(ms);
            assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
        assert_eq!(format_duration(Duration::from_secs(60)), "1m");
        assert_eq!(format_duration(Duration::from_secs(90)), "90s");
        for octets in [0, 1, 1023, 1024, 1400, 4 << 20, u64::MAX] {
            assert_eq!(parse_size(&format_size(octets)), Ok(octets));
        }
    }
}
