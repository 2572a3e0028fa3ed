//! OBJECT IDENTIFIERs kept as their BER content octets: decoding is a check, encoding a copy.
//!
//! [`OidRef`] borrows, [`Oid`] owns (inline up to 24 octets). Both hold only octets that X.690 §8.19
//! allows, so nobody checks again. Order is the lexicographic order of sub-identifiers that
//! RFC 3416 §4.2.2 walks by.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use smallvec::SmallVec;

use crate::limits::{MAX_OID_ARCS, MAX_OID_OCTETS};

/// Why octets or text are not an OBJECT IDENTIFIER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OidError {
    /// No sub-identifier at all.
    #[error("empty object identifier")]
    Empty,
    /// The text has something else than decimal numbers and single dots.
    #[error("not a dotted number: expected sub-identifiers like 1.3.6.1")]
    NotNumeric,
    /// A sub-identifier over 2^32-1 (RFC 2578 §3.5).
    #[error("sub-identifier above 4294967295")]
    ArcTooLarge,
    /// The first sub-identifier is not 0, 1 or 2, or the second is over 39 below 0 or 1 (X.660).
    #[error("first two sub-identifiers out of range: 0.0-0.39, 1.0-1.39 or 2.x")]
    BadRoot,
    /// More than 128 sub-identifiers.
    #[error("more than 128 sub-identifiers")]
    TooManyArcs,
    /// The last octet says that another follows.
    #[error("object identifier ends inside a sub-identifier")]
    Unfinished,
    /// A sub-identifier starts with a padding octet 0x80 (X.690 §8.19.2).
    #[error("sub-identifier with leading padding")]
    Padded,
}

/// A borrowed, valid OBJECT IDENTIFIER.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OidRef<'a>(&'a [u8]);

/// An owned, valid OBJECT IDENTIFIER.
#[derive(PartialEq, Eq, Hash)]
pub struct Oid(SmallVec<[u8; 24]>);

impl Clone for Oid {
    /// Octets at once: `SmallVec` clones one by one.
    #[inline]
    fn clone(&self) -> Self {
        Oid(SmallVec::from_slice(&self.0))
    }
}

const ZERO_DOT_ZERO: &[u8] = &[0];

impl<'a> OidRef<'a> {
    /// The OID `0.0` (`zeroDotZero`, RFC 2578).
    pub const ZERO: OidRef<'static> = OidRef(ZERO_DOT_ZERO);

    /// Takes BER content octets. Zero octets, which some agents send for `0.0`, are read as that.
    #[inline]
    pub fn from_ber(content: &'a [u8]) -> Result<Self, OidError> {
        if content.is_empty() {
            return Ok(OidRef(ZERO_DOT_ZERO));
        }
        check_ber(content)?;
        Ok(OidRef(content))
    }

    /// Takes what [`OidRef::as_ber`] gave earlier, without checking it again. Made of other octets an OID
    /// compares and prints without sense.
    pub const fn from_checked(content: &'a [u8]) -> Self {
        OidRef(content)
    }

    /// The BER content octets.
    pub const fn as_ber(self) -> &'a [u8] {
        self.0
    }

    /// The sub-identifiers from the root.
    pub fn arcs(self) -> Arcs<'a> {
        Arcs { rest: self.0, second: None, first: true }
    }

    /// How many sub-identifiers.
    pub fn arc_count(self) -> usize {
        1 + self.0.iter().filter(|&&b| b < 0x80).count()
    }

    /// Whether `prefix` is this OID or an ancestor of it.
    #[inline]
    pub fn starts_with(self, prefix: OidRef<'_>) -> bool {
        has_prefix(self.0, prefix.0)
    }

    /// What follows `prefix`: the instance part below an object's OID, `None` outside it.
    #[inline]
    pub fn strip_prefix(self, prefix: OidRef<'_>) -> Option<OidSuffix<'a>> {
        self.starts_with(prefix).then(|| OidSuffix(&self.0[prefix.0.len()..]))
    }

    /// An owned copy.
    pub fn to_owned(self) -> Oid {
        Oid(SmallVec::from_slice(self.0))
    }
}

/// The sub-identifiers below some OID: an instance identifier (RFC 2578 §7.7). May be empty.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OidSuffix<'a>(&'a [u8]);

impl<'a> OidSuffix<'a> {
    /// Takes what [`OidSuffix::as_ber`] gave earlier.
    pub fn from_ber(content: &'a [u8]) -> Result<Self, OidError> {
        if check_arcs(content, u64::from(u32::MAX))? > MAX_OID_ARCS {
            return Err(OidError::TooManyArcs);
        }
        Ok(OidSuffix(content))
    }

    /// Takes what [`OidSuffix::as_ber`] gave earlier, without checking it again.
    pub(crate) const fn from_checked(content: &'a [u8]) -> Self {
        OidSuffix(content)
    }

    /// The BER octets of these sub-identifiers.
    pub const fn as_ber(self) -> &'a [u8] {
        self.0
    }

    /// The sub-identifiers.
    pub fn arcs(self) -> Arcs<'a> {
        Arcs { rest: self.0, second: None, first: false }
    }

    /// Whether nothing is below.
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

impl Ord for OidSuffix<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        cmp_ber(self.0, other.0)
    }
}

impl PartialOrd for OidSuffix<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for OidSuffix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_arcs(f, self.arcs())
    }
}

impl fmt::Debug for OidSuffix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Oid {
    /// From sub-identifiers, the root first; at least two.
    pub fn from_arcs(arcs: &[u32]) -> Result<Self, OidError> {
        let (&[x, y], rest) = arcs.split_first_chunk().ok_or(OidError::Empty)?;
        if x > 2 || (x < 2 && y > 39) {
            return Err(OidError::BadRoot);
        }
        if arcs.len() > MAX_OID_ARCS {
            return Err(OidError::TooManyArcs);
        }
        let mut content = SmallVec::new();
        push_arc(&mut content, u64::from(x) * 40 + u64::from(y));
        for &arc in rest {
            push_arc(&mut content, u64::from(arc));
        }
        Ok(Oid(content))
    }

    /// A borrowed view.
    pub fn as_oid(&self) -> OidRef<'_> {
        OidRef(&self.0)
    }

    /// This OID with one more sub-identifier.
    pub fn child(&self, arc: u32) -> Result<Oid, OidError> {
        let mut longer = self.clone();
        longer.push(arc)?;
        Ok(longer)
    }

    /// Appends one sub-identifier.
    pub fn push(&mut self, arc: u32) -> Result<(), OidError> {
        if self.as_oid().arc_count() >= MAX_OID_ARCS {
            return Err(OidError::TooManyArcs);
        }
        push_arc(&mut self.0, u64::from(arc));
        Ok(())
    }

    /// Appends an instance identifier.
    pub fn extend(&mut self, suffix: OidSuffix<'_>) -> Result<(), OidError> {
        if self.as_oid().arc_count() + suffix.arcs().count() > MAX_OID_ARCS {
            return Err(OidError::TooManyArcs);
        }
        self.0.extend_from_slice(suffix.0);
        Ok(())
    }

    /// The OID one level up; `None` where only the two root sub-identifiers are left.
    pub fn parent(&self) -> Option<Oid> {
        let last = self.0.len() - 1;
        let start = self.0[..last].iter().rposition(|&b| b < 0x80)? + 1;
        Some(Oid(SmallVec::from_slice(&self.0[..start])))
    }
}

impl From<OidRef<'_>> for Oid {
    fn from(oid: OidRef<'_>) -> Self {
        oid.to_owned()
    }
}

impl FromStr for Oid {
    type Err = OidError;

    /// Reads `1.3.6.1` or `.1.3.6.1`. Names are the business of [`crate::mib`].
    fn from_str(text: &str) -> Result<Self, OidError> {
        let text = text.strip_prefix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(OidError::Empty);
        }
        let mut arcs: SmallVec<[u32; 32]> = SmallVec::new();
        for part in text.split('.') {
            if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
                return Err(OidError::NotNumeric);
            }
            if arcs.len() == MAX_OID_ARCS {
                return Err(OidError::TooManyArcs);
            }
            arcs.push(part.parse().map_err(|_| OidError::ArcTooLarge)?);
        }
        Oid::from_arcs(&arcs)
    }
}

impl Ord for OidRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        cmp_ber(self.0, other.0)
    }
}

impl PartialOrd for OidRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Oid {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_oid().cmp(&other.as_oid())
    }
}

impl PartialOrd for Oid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for OidRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_arcs(f, self.arcs())
    }
}

impl fmt::Debug for OidRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_oid(), f)
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Iterator over sub-identifiers.
#[derive(Debug, Clone)]
pub struct Arcs<'a> {
    rest: &'a [u8],
    second: Option<u32>,
    first: bool,
}

impl Iterator for Arcs<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        if self.first || self.second.is_some() {
            return self.next_of_root();
        }
        let (&octet, tail) = self.rest.split_first()?;
        // Nearly every sub-identifier in the field is one octet.
        if octet < 0x80 {
            self.rest = tail;
            return Some(u32::from(octet));
        }
        let (arc, used) = read_arc(self.rest);
        self.rest = &self.rest[used..];
        Some(arc as u32)
    }
}

impl Arcs<'_> {
    /// The two root sub-identifiers, which share the first number (X.690 §8.19.4).
    fn next_of_root(&mut self) -> Option<u32> {
        if let Some(second) = self.second.take() {
            return Some(second);
        }
        let (number, used) = read_arc(self.rest);
        self.rest = &self.rest[used..];
        self.first = false;
        let root = (number / 40).min(2);
        self.second = Some((number - root * 40) as u32);
        Some(root as u32)
    }
}

fn write_arcs(f: &mut fmt::Formatter<'_>, arcs: Arcs<'_>) -> fmt::Result {
    for (i, arc) in arcs.enumerate() {
        if i > 0 {
            f.write_str(".")?;
        }
        write!(f, "{arc}")?;
    }
    Ok(())
}

/// Reads one base-128 number from checked octets; returns it and its length.
fn read_arc(octets: &[u8]) -> (u64, usize) {
    let mut value = 0;
    for (i, &octet) in octets.iter().enumerate() {
        value = value << 7 | u64::from(octet & 0x7f);
        if octet < 0x80 {
            return (value, i + 1);
        }
    }
    (value, octets.len())
}

/// Appends one base-128 number.
pub(crate) fn push_arc(content: &mut SmallVec<[u8; 24]>, arc: u64) {
    let octets = (64 - (arc | 1).leading_zeros()).div_ceil(7);
    for i in (0..octets).rev() {
        let more = if i == 0 { 0 } else { 0x80 };
        content.push((arc >> (7 * i) & 0x7f) as u8 | more);
    }
}

/// Of eight octets, the bits that say that a sub-identifier goes on.
const CONTINUED: u64 = 0x8080_8080_8080_8080;

#[inline]
fn check_ber(content: &[u8]) -> Result<(), OidError> {
    // Two root sub-identifiers share the first number (X.690 §8.19.4), which may so exceed 2^32-1 by 80.
    let arcs = 1 + check_arcs(content, u64::from(u32::MAX) + 80)?;
    if arcs > MAX_OID_ARCS { Err(OidError::TooManyArcs) } else { Ok(()) }
}

/// Checks base-128 numbers, of which the first may be as large as `first_limit`; returns how many there are.
#[inline]
fn check_arcs(content: &[u8], first_limit: u64) -> Result<usize, OidError> {
    if content.len() > MAX_OID_OCTETS {
        return Err(OidError::TooManyArcs);
    }
    let (mut arcs, mut limit, mut rest) = (0, first_limit, content);
    // Nearly every sub-identifier in the field is below 128, an octet: then eight are seen at once.
    while let Some((eight, tail)) = rest.split_first_chunk::<8>()
        && u64::from_ne_bytes(*eight) & CONTINUED == 0
    {
        (arcs, limit, rest) = (arcs + 8, u64::from(u32::MAX), tail);
    }
    while let Some((&octet, tail)) = rest.split_first() {
        rest = match octet {
            0..0x80 => tail,
            0x80 => return Err(OidError::Padded),
            _ => {
                let length = rest.iter().position(|&b| b < 0x80).ok_or(OidError::Unfinished)? + 1;
                if length > 5 || read_arc(rest).0 > limit {
                    return Err(OidError::ArcTooLarge);
                }
                &rest[length..]
            }
        };
        limit = u64::from(u32::MAX);
        arcs += 1;
    }
    Ok(arcs)
}

/// Lexicographic by sub-identifier. Octet order agrees with it except where the sub-identifiers at the
/// first difference have different lengths, so the comparison backs up to where that one starts.
fn cmp_ber(a: &[u8], b: &[u8]) -> Ordering {
    let same = common_length(a, b);
    if same == a.len() || same == b.len() {
        return a.len().cmp(&b.len());
    }
    let start = a[..same].iter().rposition(|&octet| octet < 0x80).map_or(0, |i| i + 1);
    read_arc(&a[start..]).0.cmp(&read_arc(&b[start..]).0)
}

/// Whether a string starts with another one. Tables and their columns have 8 to 16 octets: those are compared as two
/// numbers of eight octets, which may overlap, without a call.
#[inline]
fn has_prefix(octets: &[u8], prefix: &[u8]) -> bool {
    match (prefix.first_chunk::<8>(), prefix.last_chunk::<8>()) {
        (Some(first), Some(last)) if prefix.len() <= 16 => octets
            .get(..prefix.len())
            .is_some_and(|start| start.first_chunk() == Some(first) && start.last_chunk() == Some(last)),
        _ => octets.starts_with(prefix),
    }
}

/// How many octets two strings have in common at their starts. Names of one table share a dozen, so eight are
/// compared at once.
#[inline]
fn common_length(a: &[u8], b: &[u8]) -> usize {
    let mut same = 0;
    while let (Some((x, _)), Some((y, _))) = (a[same..].split_first_chunk::<8>(), b[same..].split_first_chunk::<8>()) {
        let differing = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differing != 0 {
            return same + differing.trailing_zeros() as usize / 8;
        }
        same += 8;
    }
    same + a[same..].iter().zip(&b[same..]).take_while(|(x, y)| x == y).count()
}
