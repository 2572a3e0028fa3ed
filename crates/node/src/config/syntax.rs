//! TOML's own mistakes: where each stands, and in which key.
//!
//! The parser goes on after a mistake, so that all of a file's are told, and what it could read is checked too.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::limits::MAX_MISTAKES;
use super::report::Log;
use super::source::Place;

/// What could be read of a file.
pub(super) struct Parsed<'t> {
    pub(super) root: DeTable<'t>,
    /// Whether a header such as `[poll` is broken. The keys after it seem to stand at the top of the file then.
    pub(super) has_broken_header: bool,
}

/// Reads TOML. What is returned stays when there are mistakes.
///
/// The parser reads nothing behind a key that has no value. Those are blanked in a copy of the text, which goes
/// to `spare`, and the rest is read from there.
pub(super) fn parse<'t>(file: &'t Place, spare: &'t mut Zeroizing<String>, log: &mut Log) -> Parsed<'t> {
    let text = file.source.text();
    let (mut root, mut errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Parsed { root: root.into_inner(), has_broken_header: false };
    }
    let without_value = errors.iter().filter(|error| error.message().starts_with("key with no value"));
    let lines: Vec<Range<usize>> = without_value.map(|error| file.source.line_range(offset_of(error))).collect();
    if !lines.is_empty() {
        *spare = blanked(text, &lines);
        let (rest, more) = DeTable::parse_recoverable(spare);
        root = rest;
        errors.extend(more);
    }
    errors.sort_by_key(offset_of);
    // A file with that many is not a configuration: what could be read of it tells nothing.
    let mut root = root.into_inner();
    if errors.len() > MAX_MISTAKES {
        log.leave_out(errors.len() - MAX_MISTAKES);
        errors.truncate(MAX_MISTAKES);
        root = DeTable::new();
    }
    let mut keys = Vec::new();
    collect_keys(&root, file, &mut keys);
    keys.sort_by_key(|key| key.place.offset);
    let mut has_broken_header = false;
    for error in &errors {
        let place = place_of(error, &keys, file);
        has_broken_header |= is_header(&place);
        log.syntax_error(&place, error.message());
    }
    Parsed { root, has_broken_header }
}

fn is_header(place: &Place) -> bool {
    place.source.text()[place.source.line_range(place.offset)].trim_start().starts_with('[')
}

fn offset_of(error: &toml::de::Error) -> usize {
    error.span().map_or(0, |span| span.start)
}

/// The text with blanks in place of these lines, so that all offsets stay.
fn blanked(text: &str, lines: &[Range<usize>]) -> Zeroizing<String> {
    let mut blanked = Zeroizing::new(String::with_capacity(text.len()));
    let mut copied = 0;
    for line in lines {
        blanked.push_str(&text[copied..line.start.max(copied)]);
        blanked.extend(
            text[line.start.max(copied)..line.end.max(copied)]
                .bytes()
                .map(|octet| if octet == b'\n' { '\n' } else { ' ' }),
        );
        copied = line.end.max(copied);
    }
    blanked.push_str(&text[copied..]);
    blanked
}

/// A key of a broken file.
struct FoundKey {
    place: Place,
    /// The end of its value; `None` for a table with a header, which goes on to the next.
    end: Option<usize>,
    /// Octets of the key of its table.
    parent: usize,
}

fn collect_keys(table: &DeTable<'_>, at: &Place, found: &mut Vec<FoundKey>) {
    for (key, value) in table {
        let place = at.child(key.get_ref(), key.span().start);
        collect_value(value, &place, at.key.len(), found);
    }
}

fn collect_value(value: &Spanned<DeValue<'_>>, place: &Place, parent: usize, found: &mut Vec<FoundKey>) {
    // A value stands behind its key, a header around it.
    let has_header = value.span().start <= place.offset;
    match value.get_ref() {
        DeValue::Array(array) if has_header => {
            for (index, element) in array.iter().enumerate() {
                collect_value(element, &place.element(index, element.span().start), place.key.len(), found);
            }
            return;
        }
        DeValue::Table(table) => collect_keys(table, place, found),
        _ => {}
    }
    let end = (!has_header).then_some(value.span().end);
    found.push(FoundKey { place: place.clone(), end, parent });
}

/// Where a mistake is, and in which key: the last one that starts before, if its value may be what is broken;
/// else that key's table.
fn place_of(error: &toml::de::Error, keys: &[FoundKey], file: &Place) -> Place {
    let offset = offset_of(error);
    let here = Place { offset, ..file.clone() };
    let before = keys.partition_point(|key| key.place.offset <= offset);
    let Some(last) = before.checked_sub(1).map(|index| &keys[index]) else { return here };
    let is_on_line = |offset: usize| file.source.line(offset) == here.line();
    if is_header(&here) && !is_on_line(last.place.offset) {
        return here;
    }
    let mut key = last.place.key.clone();
    if last.end.is_some_and(|end| offset > end && !is_on_line(end)) {
        key.truncate(last.parent);
    }
    let table = Place { key, ..here };
    match error.span().and_then(|span| file.source.text().get(span)) {
        // The second of two keys is not among those that were read.
        Some(second) if error.message() == "duplicate key" && last.place.offset < offset => table.child(second, offset),
        _ => table,
    }
}
