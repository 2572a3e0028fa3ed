//! Times and durations as they stand in requests and answers: RFC 3339, Unix seconds, or relative to now (`-1h`).

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Units of a duration in seconds, as Prometheus has them.
const UNITS: [(&str, f64); 6] =
    [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0), ("w", 604_800.0)];

/// Seconds of Unix time beyond which nothing is meant as a time: the year 5000.
const MAX_UNIX_S: f64 = 95_617_584_000.0;

/// The clock, in milliseconds of Unix time.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64
}

/// Reads a time, in milliseconds of Unix time; the error says what would be one.
pub(crate) fn parse_time_ms(text: &str, now_ms: i64) -> Result<i64, String> {
    let fail = || {
        format!(
            "{text:?} is no time: use RFC 3339 (2026-01-31T12:00:00Z), Unix seconds, now, or how long ago (-1h, -15m)"
        )
    };
    if text == "now" {
        return Ok(now_ms);
    }
    if let Ok(seconds) = text.parse::<f64>()
        && seconds >= 0.0
    {
        return if seconds <= MAX_UNIX_S { Ok((seconds * 1_000.0).round() as i64) } else { Err(fail()) };
    }
    if let Some(ago) = text.strip_prefix('-') {
        let ago_ms = parse_duration_ms(ago).map_err(|_| fail())?;
        return Ok(now_ms.saturating_sub(ago_ms).max(0));
    }
    // The + of an offset is a blank in a query where it was not encoded.
    let text = text.replace(' ', "+");
    match text.parse::<Timestamp>() {
        Ok(time) if time.as_millisecond() >= 0 => Ok(time.as_millisecond()),
        _ => Err(fail()),
    }
}

/// Reads a duration of one number and one unit (`90s`, `1.5h`), or of seconds; in milliseconds, at least one. The
/// error says what would be one.
pub(crate) fn parse_duration_ms(text: &str) -> Result<i64, String> {
    let fail = || format!("{text:?} is no duration: use a number and ms, s, m, h, d or w, such as 30s or 5m");
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit {
        "" => 1.0,
        _ => UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor).ok_or_else(fail)?,
    };
    let seconds = number.parse::<f64>().map_err(|_| fail())? * factor;
    if !(0.001..=MAX_UNIX_S).contains(&seconds) {
        return Err(fail());
    }
    Ok((seconds * 1_000.0).round() as i64)
}

/// A time as RFC 3339 has it, in UTC to the millisecond.
pub(crate) fn rfc3339(time_ms: i64) -> String {
    match Timestamp::from_millisecond(time_ms) {
        Ok(time) => format!("{time:.3}"),
        Err(_) => time_ms.to_string(),
    }
}

/// A time for people who see no script's work: UTC to the second.
pub(crate) fn utc(time_ms: i64) -> String {
    match Timestamp::from_millisecond(time_ms) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => time_ms.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-31T12:00:00Z.
    const NOON_MS: i64 = 1_769_860_800_000;

    #[test]
    fn times_are_read_in_three_ways() {
        for (text, time_ms) in [
            ("now", NOON_MS),
            ("-1h", NOON_MS - 3_600_000),
            ("-90s", NOON_MS - 90_000),
            ("-1.5m", NOON_MS - 90_000),
            ("-7d", NOON_MS - 604_800_000),
            ("-30", NOON_MS - 30_000),
            ("0", 0),
            ("1769860800", NOON_MS),
            ("1769860800.25", NOON_MS + 250),
            ("2026-01-31T12:00:00Z", NOON_MS),
            ("2026-01-31T13:00:00+01:00", NOON_MS),
            ("2026-01-31T13:00:00 01:00", NOON_MS),
            ("2026-01-31T12:00:00.25Z", NOON_MS + 250),
            ("-9999w", 0),
        ] {
            assert_eq!(parse_time_ms(text, NOON_MS), Ok(time_ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_the_ways_to_write_one() {
        for text in ["", "yesterday", "1h", "-1y", "--1h", "1e99", "2026-01-31", "2026-13-01T00:00:00Z", "NaN", "-1h5"]
        {
            let error = parse_time_ms(text, NOON_MS).unwrap_err();
            assert!(error.contains("RFC 3339") && error.contains("-1h"), "{text}: {error}");
        }
    }

    #[test]
    fn durations_have_a_unit_or_are_seconds() {
        for (text, ms) in [("500ms", 500), ("60", 60_000), ("60s", 60_000), ("5m", 300_000), ("0.5", 500)] {
            assert_eq!(parse_duration_ms(text), Ok(ms), "{text}");
        }
        for text in ["", "s", "0", "-5s", "1y", "5 m", "1h30m", "99999999999w", "."] {
            assert!(parse_duration_ms(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_written_for_programs_and_for_people() {
        assert_eq!(rfc3339(NOON_MS + 5), "2026-01-31T12:00:00.005Z");
        assert_eq!(utc(NOON_MS + 999), "2026-01-31 12:00:00 UTC");
        assert_eq!(rfc3339(i64::MAX), i64::MAX.to_string());
    }
}
