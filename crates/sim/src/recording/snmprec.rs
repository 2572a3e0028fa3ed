//! Reading `.snmprec`: lines of `OID|TAG|VALUE` (snmpsim's documentation, "File format"). The tag field is a
//! number, a modifier and a variation: `4`, `4x`, `65:numeric`, or `:delay` for a whole subtree.

use std::io::BufRead;

use super::diagnostic::{Problem, excerpt};
use super::lines::{Line, Lines, ReadRecordingError};
use super::variation::{SubtreeRule, Variation};
use super::{Builder, text};

pub(super) fn read(input: impl BufRead, builder: &mut Builder) -> Result<(), ReadRecordingError> {
    let mut lines = Lines::new(input);
    while let Some((number, line)) = lines.next()? {
        builder.line = number;
        let read = match line {
            Line::Text(text) => read_line(text.trim_ascii_start(), builder),
            Line::TooLong => Err(Problem::LineTooLong),
        };
        if let Err(problem) = read {
            builder.report(problem);
        }
    }
    Ok(())
}

fn read_line(line: &[u8], builder: &mut Builder) -> Result<(), Problem> {
    if line.is_empty() || line.starts_with(b"#") {
        return Ok(());
    }
    let mut fields = line.splitn(3, |&octet| octet == b'|');
    let (Some(name), Some(tag_field), Some(value)) = (fields.next(), fields.next(), fields.next()) else {
        return Err(Problem::NotThreeFields);
    };
    let name = name.trim_ascii();
    let name = text::oid(name).map_err(|error| Problem::BadName { text: excerpt(name), error })?;
    let tag_field = tag_field.trim_ascii();
    let mut parts = tag_field.splitn(2, |&octet| octet == b':');
    let (type_field, module) = (parts.next().unwrap_or_default(), parts.next());
    match module {
        Some(module) => {
            let note = if type_field.is_empty() {
                let (rule, note) = SubtreeRule::parse(module, value)?;
                builder.subtree(name, rule)?;
                note
            } else {
                let (tag, _) = read_tag(type_field)?;
                let (variation, note) = Variation::parse(module, tag, value)?;
                builder.variation(&name, variation)?;
                note
            };
            note.map_or(Ok(()), Err)
        }
        None => {
            let (tag, modifier) = read_tag(type_field)?;
            builder.value(&name, &text::value(tag, modifier, value)?.as_value());
            Ok(())
        }
    }
}

/// Reads `4` or `4x`.
fn read_tag(field: &[u8]) -> Result<(u8, Option<char>), Problem> {
    let unknown = || Problem::UnknownTag(excerpt(field));
    let (digits, modifier) = match field.split_last().ok_or_else(unknown)? {
        (b'x', digits) => (digits, Some('x')),
        (b'e', digits) => (digits, Some('e')),
        _ => (field, None),
    };
    let tag = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    tag.filter(|&tag| text::is_known(tag)).map(|tag| (tag, modifier)).ok_or_else(unknown)
}
