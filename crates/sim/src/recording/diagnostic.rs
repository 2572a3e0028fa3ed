//! What is wrong with a recording, line by line. Nothing here stops the reading of a file.

use std::collections::BTreeMap;
use std::fmt;

use hamsa_snmp::oid::OidError;

use crate::limits::{MAX_DIAGNOSTICS, MAX_LINE_OCTETS, MAX_SUBTREES, MAX_VALUE_OCTETS, MAX_VARIATIONS};

/// Something to tell about one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The line; the first is 1.
    pub line: u32,
    /// What is wrong with it.
    pub problem: Problem,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

/// What can be wrong with a line. Text from the file is shortened and escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum Problem {
    #[error("more than {MAX_LINE_OCTETS} octets")]
    LineTooLong,
    #[error("not OID|TAG|VALUE")]
    NotThreeFields,
    #[error("not OID = TYPE: VALUE")]
    NotAnAssignment,
    #[error("continues no value")]
    StrayContinuation,
    #[error("{text:?} is no object identifier: {error}")]
    BadName { text: Box<str>, error: OidError },
    #[error("tag {0:?} is not one of 2, 4, 5, 6, 64 to 68, 70, 128 to 130")]
    UnknownTag(Box<str>),
    #[error("type {0:?} is not one that snmpwalk prints")]
    UnknownType(Box<str>),
    #[error("tag {tag} takes no {modifier:?} modifier")]
    WrongModifier { tag: u8, modifier: char },
    #[error("{text:?} is no number that {kind} can hold")]
    BadNumber { kind: &'static str, text: Box<str> },
    #[error("{0:?} is not pairs of hexadecimal digits")]
    BadHex(Box<str>),
    #[error(
        "{0:?} is no string literal: \\x needs two digits, other escapes are \\\\ \\' \\\" \\a \\b \\f \\n \\r \\t \\v"
    )]
    BadEscape(Box<str>),
    #[error("{0:?} is no IPv4 address")]
    BadAddress(Box<str>),
    #[error("{text:?} is no object identifier: {error}")]
    BadObjectIdentifier { text: Box<str>, error: OidError },
    #[error("value of {octets} octets; {MAX_VALUE_OCTETS} are the most that a message could carry")]
    ValueTooLong { octets: usize },
    #[error("variation {0:?} is not supported; numeric, delay, error, writecache, multiplex and notification are")]
    UnsupportedVariation(Box<str>),
    #[error("variation {variation} can't be used for {place}")]
    MisplacedVariation { variation: &'static str, place: &'static str },
    #[error("variation {variation}: {reason} in {option:?}")]
    BadOption { variation: &'static str, option: Box<str>, reason: &'static str },
    #[error("variation {variation} has no option {option:?}; it is ignored")]
    UnknownOption { variation: &'static str, option: Box<str> },
    #[error("more than {MAX_VARIATIONS} lines with variations")]
    TooManyVariations,
    #[error("more than {MAX_SUBTREES} lines for whole subtrees")]
    TooManySubtrees,
    #[error("the notification is not sent; its value is served")]
    NotificationNotSent,
    #[error("not sorted by object identifier here; sorted in memory")]
    NotSorted,
    #[error("the same name comes again later; the last one counts")]
    Duplicate,
}

impl Problem {
    /// A name of its kind, to count by.
    pub const fn kind(&self) -> &'static str {
        match self {
            Problem::LineTooLong => "line-too-long",
            Problem::NotThreeFields => "not-three-fields",
            Problem::NotAnAssignment => "not-an-assignment",
            Problem::StrayContinuation => "stray-continuation",
            Problem::BadName { .. } => "bad-name",
            Problem::UnknownTag(_) => "unknown-tag",
            Problem::UnknownType(_) => "unknown-type",
            Problem::WrongModifier { .. } => "wrong-modifier",
            Problem::BadNumber { .. } => "bad-number",
            Problem::BadHex(_) => "bad-hex",
            Problem::BadEscape(_) => "bad-escape",
            Problem::BadAddress(_) => "bad-address",
            Problem::BadObjectIdentifier { .. } => "bad-object-identifier",
            Problem::ValueTooLong { .. } => "value-too-long",
            Problem::UnsupportedVariation(_) => "unsupported-variation",
            Problem::MisplacedVariation { .. } => "misplaced-variation",
            Problem::BadOption { .. } => "bad-option",
            Problem::UnknownOption { .. } => "unknown-option",
            Problem::TooManyVariations => "too-many-variations",
            Problem::TooManySubtrees => "too-many-subtrees",
            Problem::NotificationNotSent => "notification-not-sent",
            Problem::NotSorted => "not-sorted",
            Problem::Duplicate => "duplicate",
        }
    }

    /// Whether the line's object is missing from the recording.
    pub const fn loses_line(&self) -> bool {
        !matches!(self, Problem::NotSorted | Problem::NotificationNotSent | Problem::UnknownOption { .. })
    }
}

/// All that was found in one recording: the first [`MAX_DIAGNOSTICS`], and how many of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    first: Vec<Diagnostic>,
    counts: BTreeMap<&'static str, u64>,
    lines_lost: u64,
}

impl Diagnostics {
    /// The first ones, in the order in which they were found.
    pub fn first(&self) -> &[Diagnostic] {
        &self.first
    }

    /// How many of each kind ([`Problem::kind`]).
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.counts.iter().map(|(&kind, &count)| (kind, count))
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Lines whose object is missing from the recording.
    pub fn lines_lost(&self) -> u64 {
        self.lines_lost
    }

    pub(super) fn report(&mut self, line: u32, problem: Problem) {
        *self.counts.entry(problem.kind()).or_default() += 1;
        self.lines_lost += u64::from(problem.loses_line());
        if self.first.len() < MAX_DIAGNOSTICS {
            self.first.push(Diagnostic { line, problem });
        }
    }
}

/// Text from a file, fit to be shown.
pub(super) fn excerpt(text: &[u8]) -> Box<str> {
    const MAX: usize = 60;
    let shown = text[..text.len().min(MAX)].escape_ascii().to_string();
    if text.len() > MAX { format!("{shown}…").into() } else { shown.into() }
}
