//! Times as people give them: RFC 3339, a local date, Unix seconds, or relative to now (`-1h30m`).

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};

/// Units of a duration and their milliseconds, the largest first.
const UNITS: [(&str, i64); 6] =
    [("w", 7 * 86_400_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// From a time to before another, in milliseconds of Unix time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from_ms: i64,
    pub to_ms: i64,
}

/// Milliseconds of Unix time of a text; the error says what would be right.
pub fn parse_time(text: &str) -> Result<i64, String> {
    parse_time_at(text, now_ms(), &TimeZone::system())
}

fn parse_time_at(text: &str, now_ms: i64, zone: &TimeZone) -> Result<i64, String> {
    let wrong = || {
        format!(
            "{text:?} is no time: use 2026-01-31, 2026-01-31T12:00, 2026-01-31T12:00:00Z, Unix seconds, -1h30m or now"
        )
    };
    if text == "now" {
        return Ok(now_ms);
    }
    if let Some(ago) = text.strip_prefix('-') {
        return Ok(now_ms.saturating_sub(parse_duration(ago)?));
    }
    if text.bytes().all(|c| c.is_ascii_digit() || c == b'.') {
        let seconds: f64 = text.parse().map_err(|_| wrong())?;
        // From here to the year 9999, so that nothing below overflows.
        return if (0.0..253_402_300_800.0).contains(&seconds) {
            Ok((seconds * 1000.0).round() as i64)
        } else {
            Err(wrong())
        };
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.as_millisecond());
    }
    let civil = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(DateTime::from)).map_err(|_| wrong())?;
    let zoned = civil.to_zoned(zone.clone()).map_err(|_| wrong())?;
    Ok(zoned.timestamp().as_millisecond())
}

/// Milliseconds of `90s`, `5m`, `1h30m`, `500ms`, `7d`.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is no duration: use numbers with ms, s, m, h, d or w, such as 90s or 1h30m");
    let mut rest = text;
    let mut total_ms = 0i64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let part = number.parse::<i64>().ok().and_then(|number| number.checked_mul(*factor));
        total_ms = part.and_then(|part| total_ms.checked_add(part)).ok_or_else(wrong)?;
        rest = after;
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total_ms) }
}

/// In UTC, to the millisecond.
pub fn rfc3339(time_ms: i64) -> String {
    match Timestamp::from_millisecond(time_ms) {
        Ok(time) => format!("{time:.3}"),
        Err(_) => format!("{time_ms} ms"),
    }
}

/// A time in RFC 3339 as people here read it: local, to the second. What is no time stays as it is.
pub fn local(time: &str) -> String {
    local_in(time, TimeZone::system())
}

fn local_in(time: &str, zone: TimeZone) -> String {
    let Ok(parsed) = time.parse::<Timestamp>() else { return time.to_owned() };
    let parsed = parsed.round(Unit::Second).unwrap_or(parsed);
    parsed.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S%:z").to_string()
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_123;

    #[test]
    fn times_are_absolute_or_relative() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        for (text, expected) in [
            ("now", NOW),
            ("-1h", NOW - 3_600_000),
            ("-1h30m", NOW - 5_400_000),
            ("-0s", NOW),
            ("1700000000", 1_700_000_000_000),
            ("1700000000.5", 1_700_000_000_500),
            ("2023-11-14T22:13:20Z", 1_700_000_000_000),
            ("2023-11-15T00:13:20+02:00", 1_700_000_000_000),
            ("2023-11-15T00:13:20", 1_700_000_000_000),
            ("2023-11-15 00:13:20", 1_700_000_000_000),
            ("2023-11-15T00:00", 1_699_999_200_000),
            ("2023-11-15", 1_699_999_200_000),
        ] {
            assert_eq!(parse_time_at(text, NOW, &zone), Ok(expected), "{text}");
        }
        for wrong in ["", "yesterday", "-1", "-", "1h", "2023-13-01", "999999999999", "1.2.3", "--1h"] {
            parse_time_at(wrong, NOW, &zone).expect_err(wrong);
        }
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("1w2d3h4m5s6ms"), Ok(788_645_006));
        for wrong in ["", "5", "5x", "h", "99999999999999999999s", "9999999999999w"] {
            parse_duration(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn times_are_shown_for_programs_and_for_people() {
        assert_eq!(rfc3339(1_700_000_000_005), "2023-11-14T22:13:20.005Z");
        assert_eq!(rfc3339(i64::MAX), "9223372036854775807 ms");
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(local_in("2023-11-14T22:13:20.005Z", zone.clone()), "2023-11-15 00:13:20+02:00");
        assert_eq!(local_in("-", zone), "-");
    }
}
