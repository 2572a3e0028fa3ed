//! The files that a configuration is made of: reading them within bounds, and places in them.

use std::fmt::{self, Write as _};
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::limits::{MAX_FILE_OCTETS, MAX_QUOTED_OCTETS};

/// A file's text. It may hold secrets, so it is overwritten when dropped. The parser's own copies are not: of
/// strings with escapes, and of a file that is not TOML.
pub(super) struct Source {
    /// As the user or a pattern named it.
    pub(super) path: Arc<Path>,
    /// Where its relative paths start.
    pub(super) directory: PathBuf,
    /// Whether everyone on this machine may read it.
    pub(super) is_public: bool,
    text: Zeroizing<String>,
    line_starts: Vec<usize>,
}

impl Source {
    /// Reads a file; where it is not UTF-8, the error has the offset of what is wrong.
    pub(super) fn read(path: &Path) -> Result<Self, SourceError> {
        let (octets, metadata) = read_bounded(path, MAX_FILE_OCTETS)?;
        match std::str::from_utf8(&octets) {
            Ok(text) => Ok(Self::new(path, Zeroizing::new(text.to_owned()), is_public(&metadata))),
            Err(error) => {
                let valid = String::from_utf8_lossy(&octets[..error.valid_up_to()]).into_owned();
                let before = Self::new(path, Zeroizing::new(valid), false);
                let offset = before.text.len();
                Err(SourceError::NotUtf8(Place { source: Arc::new(before), offset, key: String::new() }))
            }
        }
    }

    /// A text, as if it stood in a file.
    pub(super) fn new(path: &Path, text: Zeroizing<String>, is_public: bool) -> Self {
        let line_starts = [0].into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        Source { path: path.into(), directory, is_public, text, line_starts }
    }

    /// The whole text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The line of an offset, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= offset)
    }

    /// The line that an offset is in, its end included.
    pub(super) fn line_range(&self, offset: usize) -> Range<usize> {
        let line = self.line(offset);
        self.line_starts[line - 1]..self.line_starts.get(line).copied().unwrap_or(self.text.len())
    }

    /// The column of an offset in its line, in characters from 1.
    fn column(&self, offset: usize) -> usize {
        let start = self.line_starts[self.line(offset) - 1];
        let before = &self.text.as_bytes()[start..offset.min(self.text.len())];
        // Continuation octets of UTF-8 start no character.
        1 + before.iter().filter(|&&octet| octet & 0xc0 != 0x80).count()
    }
}

impl fmt::Debug for Source {
    /// Never shows the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.path.display())
    }
}

/// Why a configuration file could not be read.
pub(super) enum SourceError {
    /// Not at all.
    Unreadable(ReadError),
    /// Up to here.
    NotUtf8(Place),
}

impl From<ReadError> for SourceError {
    fn from(error: ReadError) -> Self {
        SourceError::Unreadable(error)
    }
}

/// Where something stands.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) source: Arc<Source>,
    pub(super) offset: usize,
    /// The full path of the key, such as `device[0].labels.site`; empty for the file.
    pub(super) key: String,
}

impl Place {
    /// The start of a file.
    pub(super) fn start(source: &Arc<Source>) -> Self {
        Place { source: Arc::clone(source), offset: 0, key: String::new() }
    }

    /// A key of the table that stands here.
    pub(super) fn child(&self, key: &str, offset: usize) -> Self {
        let dot = if self.key.is_empty() { "" } else { "." };
        let is_bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let key = if is_bare && key.len() <= MAX_QUOTED_OCTETS { key } else { &quoted_key(key) };
        Place { source: Arc::clone(&self.source), offset, key: format!("{}{dot}{key}", self.key) }
    }

    /// An element of the array that stands here.
    pub(super) fn element(&self, index: usize, offset: usize) -> Self {
        let mut key = self.key.clone();
        write!(key, "[{index}]").expect("writing to a String");
        Place { source: Arc::clone(&self.source), offset, key }
    }

    /// The line, from 1.
    pub(super) fn line(&self) -> usize {
        self.source.line(self.offset)
    }

    /// The column, in characters from 1.
    pub(super) fn column(&self) -> usize {
        self.source.column(self.offset)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source.path.display(), self.line())
    }
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("can't be read: {0}")]
    Io(#[from] io::Error),
    #[error("is not a regular file")]
    NotRegular,
    #[error("has more than {max} octets")]
    TooLong { max: u64 },
}

/// Reads a regular file of at most `max` octets. What is not regular could block for ever.
pub(super) fn read_bounded(path: &Path, max: u64) -> Result<(Zeroizing<Vec<u8>>, Metadata), ReadError> {
    if !fs::metadata(path)?.is_file() {
        return Err(ReadError::NotRegular);
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    // Room for all at once: a vector that grows would leave copies of secrets behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(metadata.len().min(max) as usize + 1));
    file.take(max + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > max {
        return Err(ReadError::TooLong { max });
    }
    Ok((octets, metadata))
}

/// Whether everyone on this machine may read the file.
pub(super) fn is_public(metadata: &Metadata) -> bool {
    metadata.permissions().mode() & 0o004 != 0
}

/// A text between quotes, without control characters, and cut where it is long or a line ends.
pub(super) fn quoted(text: &str) -> String {
    quoted_until(text, &['\n', '\r'])
}

/// A key between quotes, cut where a misplaced quote has made a value part of it.
fn quoted_key(key: &str) -> String {
    quoted_until(key, &['\n', '\r', '=', '"', '\''])
}

fn quoted_until(text: &str, ends: &[char]) -> String {
    let end = text.char_indices().find(|(at, c)| ends.contains(c) || at + c.len_utf8() > MAX_QUOTED_OCTETS);
    match end {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}
