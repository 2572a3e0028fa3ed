//! Lines of a recording's text, each within bounds however long it is in the file.

use std::io::{self, BufRead, Read};

use crate::limits::{MAX_LINE_OCTETS, MAX_RECORDING_LINES, MAX_RECORDING_OCTETS};

/// A recording can't be read. What is wrong with single lines never ends up here.
#[derive(Debug, thiserror::Error)]
pub enum ReadRecordingError {
    /// The file can't be read any further.
    #[error("after line {line}: {source}")]
    Io {
        /// The last line that was read.
        line: u32,
        /// Why not.
        source: io::Error,
    },
    /// More than the bounds on a recording.
    #[error("more than {MAX_RECORDING_OCTETS} octets or {MAX_RECORDING_LINES} lines: split the recording by subtrees")]
    TooLarge,
}

/// Reads line by line.
pub(super) struct Lines<R> {
    input: R,
    line: Vec<u8>,
    number: u32,
    octets_left: u64,
}

/// A line, without what ends it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'l> {
    Text(&'l [u8]),
    /// The line was skipped.
    TooLong,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Lines::bounded(input, MAX_RECORDING_OCTETS)
    }

    fn bounded(input: R, max_octets: u64) -> Self {
        Lines { input, line: Vec::new(), number: 0, octets_left: max_octets }
    }

    /// The next line and its number; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Line<'_>)>, ReadRecordingError> {
        if self.read_part()? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.number > MAX_RECORDING_LINES {
            return Err(ReadRecordingError::TooLarge);
        }
        if self.line.len() <= MAX_LINE_OCTETS {
            return Ok(Some((self.number, Line::Text(self.line.trim_ascii_end()))));
        }
        while self.line.last() != Some(&b'\n') && self.read_part()? > 0 {}
        Ok(Some((self.number, Line::TooLong)))
    }

    /// Reads to the end of the line, or just past the bound.
    fn read_part(&mut self) -> Result<usize, ReadRecordingError> {
        self.line.clear();
        let mut bounded = self.input.by_ref().take(MAX_LINE_OCTETS as u64 + 1);
        let read = bounded.read_until(b'\n', &mut self.line);
        let read = read.map_err(|source| ReadRecordingError::Io { line: self.number, source })?;
        self.octets_left = self.octets_left.checked_sub(read as u64).ok_or(ReadRecordingError::TooLarge)?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_skipped_and_counted() {
        let mut text = b"first\r\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', 3 * MAX_LINE_OCTETS));
        text.extend(b"\n\nlast");
        let mut lines = Lines::new(&text[..]);
        assert_eq!(lines.next().unwrap(), Some((1, Line::Text(b"first"))));
        assert_eq!(lines.next().unwrap(), Some((2, Line::TooLong)));
        assert_eq!(lines.next().unwrap(), Some((3, Line::Text(b""))));
        assert_eq!(lines.next().unwrap(), Some((4, Line::Text(b"last"))));
        assert_eq!(lines.next().unwrap(), None);
    }

    #[test]
    fn endless_input_is_given_up() {
        let mut lines = Lines::bounded(io::BufReader::new(io::repeat(b'x')), 1 << 20);
        assert!(matches!(lines.next(), Err(ReadRecordingError::TooLarge)));
        let mut lines = Lines::new(&b"one\ntwo\n"[..]);
        lines.number = MAX_RECORDING_LINES - 1;
        assert!(lines.next().is_ok());
        assert!(matches!(lines.next(), Err(ReadRecordingError::TooLarge)));
    }
}
