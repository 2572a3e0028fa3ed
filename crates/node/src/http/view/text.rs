//! Numbers as people read them: three digits and a prefix of the SI, sizes of memory in powers of 1024.

use std::time::Duration;

const SI_PREFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
const BINARY_UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// `1.23 Mbit/s`. What is smaller than a thousandth of the unit is 0.
pub(crate) fn si(value: f64, unit: &str) -> String {
    let (number, prefix) = reduced(value, 1_000.0, SI_PREFIXES.len());
    format!("{} {}{unit}", three_digits(number), SI_PREFIXES[prefix]).trim_end().to_owned()
}

/// `1.23 GiB`.
pub(crate) fn bytes(value: f64) -> String {
    let (number, unit) = reduced(value, 1_024.0, BINARY_UNITS.len());
    format!("{} {}", three_digits(number), BINARY_UNITS[unit])
}

/// `23 %`, `0.4 %`.
pub(crate) fn percent(part: f64) -> String {
    let percent = part * 100.0;
    if percent == 0.0 || percent >= 9.95 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}

/// A whole number with thin blanks between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 * 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// `1.2 ms`, `340 µs`, `2 s`.
pub(crate) fn short_time(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{} ms", three_digits(us as f64 / 1e3)),
        _ => format!("{} s", three_digits(us as f64 / 1e6)),
    }
}

/// The two largest units of a duration: `3 d 4 h`, `5 min 12 s`.
pub(crate) fn long_time(duration: Duration) -> String {
    let s = duration.as_secs();
    let (large, small) = match s {
        0..60 => return format!("{s} s"),
        60..3_600 => ((s / 60, "min"), (s % 60, "s")),
        3_600..86_400 => ((s / 3_600, "h"), (s % 3_600 / 60, "min")),
        _ => ((s / 86_400, "d"), (s % 86_400 / 3_600, "h")),
    };
    if small.0 == 0 {
        format!("{} {}", large.0, large.1)
    } else {
        format!("{} {} {} {}", large.0, large.1, small.0, small.1)
    }
}

/// A number as a person would write it: whole if it is, else with three digits.
pub(crate) fn plain(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 { format!("{value}") } else { three_digits(value) }
}

/// Divides by the base until the number has at most three digits before the point.
fn reduced(value: f64, base: f64, steps: usize) -> (f64, usize) {
    let mut number = value;
    let mut step = 0;
    // 999.6 would be written 1000.
    while number.abs() >= 999.5 && step + 1 < steps {
        number /= base;
        step += 1;
    }
    (number, step)
}

fn three_digits(number: f64) -> String {
    let magnitude = number.abs();
    if magnitude >= 99.95 || magnitude == 0.0 {
        format!("{number:.0}")
    } else if magnitude >= 9.995 {
        format!("{number:.1}")
    } else if magnitude >= 0.0005 {
        format!("{number:.2}")
    } else {
        "0".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_three_digits_and_a_prefix() {
        for (value, text) in [
            (0.0, "0 bit/s"),
            (0.0001, "0 bit/s"),
            (0.25, "0.25 bit/s"),
            (9.99, "9.99 bit/s"),
            (12.34, "12.3 bit/s"),
            (999.4, "999 bit/s"),
            (999.6, "1.00 kbit/s"),
            (1_234_567.0, "1.23 Mbit/s"),
            (100e9, "100 Gbit/s"),
            (-1_500.0, "-1.50 kbit/s"),
            (1e21, "1000 Ebit/s"),
        ] {
            assert_eq!(si(value, "bit/s"), text);
        }
        assert_eq!(si(5.0, ""), "5.00");
    }

    #[test]
    fn sizes_are_binary() {
        assert_eq!(bytes(0.0), "0 B");
        assert_eq!(bytes(1_536.0), "1.50 KiB");
        assert_eq!(bytes(32.0 * (1u64 << 30) as f64), "32.0 GiB");
    }

    #[test]
    fn parts_and_numbers() {
        assert_eq!([0.0, 0.004, 0.0949, 0.5, 1.0].map(percent), ["0 %", "0.4 %", "9.5 %", "50 %", "100 %"]);
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!([0, 12, 999].map(grouped), ["0", "12", "999"]);
        assert_eq!([340, 1_200, 45_600, 2_000_000].map(short_time), ["340 µs", "1.20 ms", "45.6 ms", "2.00 s"]);
        let long = |s| long_time(Duration::from_secs(s));
        assert_eq!([long(5), long(312), long(3_600), long(90_061)], ["5 s", "5 min 12 s", "1 h", "1 d 1 h"]);
        assert_eq!([3.0, 21.5, -0.25].map(plain), ["3", "21.5", "-0.25"]);
    }
}
