//! DISPLAY-HINT, from values to text and back (RFC 2579 §3.1).
//!
//! Everything here answers `None` where a hint is malformed or doesn't fit; the callers then show the bare
//! value. Two things the RFC leaves open: `x` fills up with zeros to two digits an octet, except beside a
//! colon, where addresses are customarily written without (`0:1b:2c`); and the text of `a` and `t` must be
//! valid UTF-8 without control characters but tab and line ends, since it goes to terminals and pages.

use crate::limits::MAX_HINT_SPECS;

/// How the number or the octets of one step are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Hex,
    Decimal,
    Octal,
    Ascii,
    Utf8,
}

/// One octet-format specification.
#[derive(Debug, Clone, Copy)]
struct Spec {
    /// The first octet says how often the rest is applied.
    repeat: bool,
    octets: usize,
    format: Format,
    separator: Option<char>,
    terminator: Option<char>,
}

/// Octets as the hint has them.
pub(super) fn format_octets(hint: &str, octets: &[u8]) -> Option<String> {
    let specs = parse_specs(hint)?;
    let mut text = String::new();
    let mut rest = octets;
    let mut at = 0;
    while !rest.is_empty() {
        let spec = specs[at.min(specs.len() - 1)];
        let before = rest.len();
        let count = match spec.repeat {
            true => take(&mut rest, 1).first().copied().map(usize::from)?,
            false => 1,
        };
        for _ in 0..count {
            if rest.is_empty() && spec.octets > 0 {
                break;
            }
            let chunk = take(&mut rest, spec.octets);
            push_chunk(spec, at + 1 >= specs.len(), chunk, &mut text)?;
            // A separator or terminator is not shown at the end.
            if let Some(separator) = spec.separator.filter(|_| !rest.is_empty()) {
                text.push(separator);
            }
        }
        if let Some(terminator) = spec.terminator.filter(|_| !rest.is_empty()) {
            // It takes the place of the last separator.
            if count > 0 && spec.separator.is_some() {
                text.pop();
            }
            text.push(terminator);
        }
        at += 1;
        if at >= specs.len() && rest.len() == before {
            return None;
        }
    }
    Some(text)
}

/// The octets that the hint shows as this text.
pub(super) fn parse_octets(hint: &str, text: &str) -> Option<Vec<u8>> {
    let specs = parse_specs(hint)?;
    let mut octets = Vec::new();
    let mut rest = text;
    let mut at = 0;
    while !rest.is_empty() {
        let spec = specs[at.min(specs.len() - 1)];
        let before = rest.len();
        if spec.repeat {
            let counted = octets.len();
            octets.push(0);
            let mut count = 0_u8;
            while !rest.is_empty() && count < u8::MAX {
                parse_chunk(spec, &mut rest, &mut octets)?;
                count += 1;
                if skip(spec.terminator, &mut rest) || !skip(spec.separator, &mut rest) {
                    break;
                }
            }
            octets[counted] = count;
        } else {
            parse_chunk(spec, &mut rest, &mut octets)?;
            if spec.separator.is_some() && !rest.is_empty() && !skip(spec.separator, &mut rest) {
                return None;
            }
        }
        at += 1;
        if at >= specs.len() && rest.len() == before {
            return None;
        }
    }
    Some(octets)
}

/// A number as the hint has it: `d-2` shows 1234 as 12.34.
pub(super) fn format_integer(hint: &str, number: i128) -> Option<String> {
    let (sign, magnitude) = if number < 0 { ("-", number.unsigned_abs()) } else { ("", number.unsigned_abs()) };
    match hint.as_bytes() {
        [b'x'] => Some(format!("{sign}{magnitude:x}")),
        [b'o'] => Some(format!("{sign}{magnitude:o}")),
        [b'b'] => Some(format!("{sign}{magnitude:b}")),
        _ => match decimals(hint)? {
            0 => Some(format!("{sign}{magnitude}")),
            decimals => {
                let digits = format!("{magnitude:0>width$}", width = decimals + 1);
                let (whole, fraction) = digits.split_at(digits.len() - decimals);
                Some(format!("{sign}{whole}.{fraction}"))
            }
        },
    }
}

/// The number that the hint shows as this text.
pub(super) fn parse_integer(hint: &str, text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let radix = match hint.as_bytes() {
        [b'x'] => 16,
        [b'o'] => 8,
        [b'b'] => 2,
        _ => {
            let decimals = decimals(hint)?;
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
            if fraction.len() > decimals || whole.is_empty() {
                return None;
            }
            return Some(sign * format!("{whole}{fraction:0<decimals$}").parse::<i128>().ok()?);
        }
    };
    Some(sign * i128::from_str_radix(digits, radix).ok()?)
}

/// Whether a hint shows octets as the text that they are.
pub(super) fn is_text(hint: &str) -> bool {
    parse_specs(hint).is_some_and(|specs| specs.iter().all(|spec| matches!(spec.format, Format::Ascii | Format::Utf8)))
}

/// Octets that are text which may be shown as it is. Trailing zeros, as some agents send, are not shown.
pub(super) fn printable(octets: &[u8]) -> Option<&str> {
    let end = octets.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
    if end == 0 && !octets.is_empty() {
        return None;
    }
    let text = std::str::from_utf8(&octets[..end]).ok()?;
    text.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r')).then_some(text)
}

/// Octets as two hexadecimal digits each, with something between them.
pub(super) fn hex(octets: &[u8], between: &str) -> String {
    let mut text = String::with_capacity(octets.len() * (2 + between.len()));
    for (i, octet) in octets.iter().enumerate() {
        if i > 0 {
            text.push_str(between);
        }
        for digit in [octet >> 4, octet & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('?').to_ascii_uppercase());
        }
    }
    text
}

/// The places after the decimal point of `d` or `d-N`.
fn decimals(hint: &str) -> Option<usize> {
    let rest = hint.strip_prefix('d')?;
    match rest.strip_prefix('-') {
        // No number has more digits than that.
        Some(places) => places.parse().ok().filter(|&places: &usize| places <= 20),
        None => rest.is_empty().then_some(0),
    }
}

fn parse_specs(hint: &str) -> Option<Vec<Spec>> {
    let mut specs = Vec::new();
    let mut rest = hint.chars().peekable();
    while rest.peek().is_some() {
        let repeat = rest.next_if_eq(&'*').is_some();
        let mut octets: Option<usize> = None;
        while let Some(digit) = rest.peek().and_then(|c| c.to_digit(10)) {
            octets = Some(octets.unwrap_or(0).checked_mul(10)?.checked_add(digit as usize)?);
            rest.next();
        }
        let octets = octets.filter(|&octets| octets <= usize::from(u16::MAX))?;
        let format = match rest.next()? {
            'x' => Format::Hex,
            'd' => Format::Decimal,
            'o' => Format::Octal,
            'a' => Format::Ascii,
            't' => Format::Utf8,
            _ => return None,
        };
        let separator = rest.next_if(|&c| c != '*' && !c.is_ascii_digit());
        let terminator = match separator.filter(|_| repeat) {
            Some(_) => rest.next_if(|&c| c != '*' && !c.is_ascii_digit()),
            None => None,
        };
        if specs.len() == MAX_HINT_SPECS {
            return None;
        }
        specs.push(Spec { repeat, octets, format, separator, terminator });
    }
    if specs.is_empty() { None } else { Some(specs) }
}

fn push_chunk(spec: Spec, last: bool, chunk: &[u8], text: &mut String) -> Option<()> {
    match spec.format {
        _ if spec.octets == 0 => {}
        Format::Ascii | Format::Utf8 => text.push_str(printable(chunk)?),
        Format::Hex => {
            let digits = hex(chunk, "").to_ascii_lowercase();
            let ends = spec.separator.is_some() || last;
            match spec.separator == Some(':') || text.ends_with(':') && ends {
                true if digits.bytes().all(|digit| digit == b'0') => text.push('0'),
                true => text.push_str(digits.trim_start_matches('0')),
                false => text.push_str(&digits),
            }
        }
        Format::Decimal => text.push_str(&unsigned(chunk)?.to_string()),
        Format::Octal => text.push_str(&format!("{:o}", unsigned(chunk)?)),
    }
    Some(())
}

fn parse_chunk(spec: Spec, rest: &mut &str, octets: &mut Vec<u8>) -> Option<()> {
    let (radix, digits_max) = match spec.format {
        _ if spec.octets == 0 => return Some(()),
        Format::Ascii | Format::Utf8 => {
            let mut end = rest.len().min(spec.octets);
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            // Not even one character fits.
            if end == 0 {
                return None;
            }
            octets.extend_from_slice(&rest.as_bytes()[..end]);
            *rest = &rest[end..];
            return Some(());
        }
        Format::Hex => (16, spec.octets.saturating_mul(2)),
        Format::Decimal => (10, usize::MAX),
        Format::Octal => (8, usize::MAX),
    };
    let digits = rest.chars().take_while(|c| c.is_digit(radix)).count().min(digits_max);
    let (number, after) = rest.split_at(digits);
    *rest = after;
    if radix == 16 && spec.octets > size_of::<u128>() {
        return parse_long_hex(number, spec.octets, octets);
    }
    let value = u128::from_str_radix(number, radix).ok()?.to_be_bytes();
    let (high, low) = value.split_at(value.len().checked_sub(spec.octets)?);
    if high.iter().any(|&octet| octet != 0) {
        return None;
    }
    octets.extend_from_slice(low);
    Some(())
}

fn parse_long_hex(digits: &str, len: usize, octets: &mut Vec<u8>) -> Option<()> {
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    octets.extend(std::iter::repeat_n(0, len.checked_sub(digits.len() / 2)?));
    for pair in digits.as_bytes().chunks(2) {
        octets.push(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?);
    }
    Some(())
}

fn unsigned(octets: &[u8]) -> Option<u128> {
    let value = octets.iter().fold(0, |value: u128, &octet| value << 8 | u128::from(octet));
    (octets.len() <= size_of::<u128>()).then_some(value)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, after) = rest.split_at(count.min(rest.len()));
    *rest = after;
    taken
}

fn skip(expected: Option<char>, rest: &mut &str) -> bool {
    match expected.and_then(|expected| rest.strip_prefix(expected)) {
        Some(after) => {
            *rest = after;
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE_AND_TIME: &str = "2d-1d-1d,1d:1d:1d.1d,1a1d:1d";
    const UUID: &str = "4x-2x-2x-1x1x-6x";

    #[test]
    fn octets_become_text_and_text_octets() {
        for (hint, octets, text) in [
            ("255a", &b"eth0"[..], "eth0"),
            ("255t", "Zürich".as_bytes(), "Zürich"),
            ("1x:", &[0, 0x1b, 0x2c, 0xff], "0:1b:2c:ff"),
            ("1x-", &[0, 0x1b, 0x2c, 0xff], "00-1b-2c-ff"),
            ("1x", &[0xa, 0xbc], "0abc"),
            ("1d.", &[192, 0, 2, 1], "192.0.2.1"),
            ("1d.1d.1d.1d/2d", &[192, 0, 2, 1, 0, 161], "192.0.2.1/161"),
            ("2x:2x:2x:2x:2x:2x:2x:2x", &[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "fe80:0:0:0:0:0:0:1"),
            (
                "0a[2x:2x:2x:2x:2x:2x:2x:2x]0a:2d",
                &[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 161],
                "[fe80:0:0:0:0:0:0:1]:161",
            ),
            (DATE_AND_TIME, &[7, 200, 5, 26, 13, 30, 15, 0, b'-', 4, 0], "1992-5-26,13:30:15.0,-4:0"),
            (DATE_AND_TIME, &[7, 200, 5, 26, 13, 30, 15, 0], "1992-5-26,13:30:15.0"),
            (UUID, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16], "01020304-0506-0708-090a-0b0c0d0e0f10"),
            ("1o.", &[8, 255], "10.377"),
            // The last specification is used again for what is left.
            ("1a2d,", &[b'x', 1, 0, 0, 5], "x256,5"),
            // The first octet counts, and the terminator takes the separator's place.
            ("*1x:/1x:", &[2, 0xaa, 0xbb, 3, 0xcc], "aa:bb/3:cc"),
            ("*1d./1d", &[3, 1, 2, 3], "1.2.3"),
        ] {
            assert_eq!(format_octets(hint, octets).as_deref(), Some(text), "{hint} of {octets:?}");
            assert_eq!(parse_octets(hint, text).as_deref(), Some(octets), "{hint} of {text}");
        }
    }

    #[test]
    fn a_repeat_count_of_zero_shows_the_terminator() {
        assert_eq!(format_octets("*1x:/1d", &[0, 7]).as_deref(), Some("/7"));
        assert_eq!(format_octets("*1x:/", &[0]).as_deref(), Some(""));
        // Fewer octets than the count says.
        assert_eq!(format_octets("*1x:/", &[9, 1, 2]).as_deref(), Some("1:2"));
    }

    #[test]
    fn a_specification_of_no_octets_shows_its_separator() {
        assert_eq!(format_octets("1d0a-1d", &[1, 2]).as_deref(), Some("1-2"));
    }

    #[test]
    fn what_does_not_fit_is_left_to_the_caller() {
        for hint in ["", "d", "1", "1q", "x", "*", "99999999999999999999x", "70000a", "1x:é", "0a"] {
            assert_eq!(format_octets(hint, &[1, 2, 3]), None, "{hint}");
        }
        assert_eq!(format_octets("255a", b"\x1b[2Jcls"), None, "an escape sequence");
        assert_eq!(format_octets("255t", b"caf\xe9"), None, "no UTF-8");
        assert_eq!(format_octets("17d", &[1; 17]), None, "a number over 128 bits");
        assert_eq!(format_octets("255a", b"eth0\0\0").as_deref(), Some("eth0"));
        for (hint, text) in
            [("1x:", "0:1g"), ("1x:", "123:4"), ("1d.", "256"), ("2d", "65536"), (DATE_AND_TIME, "1992/5")]
        {
            assert_eq!(parse_octets(hint, text), None, "{hint} of {text}");
        }
    }

    #[test]
    fn numbers_become_text_and_text_numbers() {
        for (hint, number, text) in [
            ("d", 1234, "1234"),
            ("d", -5, "-5"),
            ("d-2", 1234, "12.34"),
            ("d-2", 5, "0.05"),
            ("d-2", -5, "-0.05"),
            ("d-0", 7, "7"),
            ("x", 255, "ff"),
            ("o", 8, "10"),
            ("b", 5, "101"),
            ("d", i128::from(u64::MAX), "18446744073709551615"),
        ] {
            assert_eq!(format_integer(hint, number).as_deref(), Some(text), "{hint} of {number}");
            assert_eq!(parse_integer(hint, text), Some(number), "{hint} of {text}");
        }
        assert_eq!(parse_integer("d-2", "12"), Some(1200));
        for (hint, text) in
            [("d-2", "1.234"), ("d-2", ".5"), ("d", "1.0"), ("d", "--1"), ("d", "+-1"), ("x", ""), ("q", "1")]
        {
            assert_eq!(parse_integer(hint, text), None, "{hint} of {text}");
        }
        for hint in ["", "d-", "d-x", "d-99999999999999999999", "1d", "dd"] {
            assert_eq!(format_integer(hint, 1), None, "{hint}");
        }
    }
}
