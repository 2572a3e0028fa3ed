//! The subset of BER that SNMP uses (RFC 3417 §8): definite lengths, single-octet tags.
//!
//! [`Reader`] walks a message front to back and knows its offset in it, so that every error names the
//! place. [`Writer`] fills a buffer from its end, so that a length is known when its header is written
//! and nothing is moved. What real agents get wrong without harm is accepted: long-form lengths where the
//! short form would do, integers with redundant leading octets, unsigned ones without the leading zero. What
//! else is taken that is not strictly BER, and what is refused that others take, is listed with examples in
//! `tests/differential_mutated.rs`.

use crate::oid::{OidError, OidRef};
use crate::value::tag;

/// What is wrong with a message, and at which of its octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("octet {offset}: {kind}")]
pub struct DecodeError {
    /// Offset from the start of the message, or, in decrypted data, of the whole message around it.
    pub offset: usize,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

/// What can be wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum DecodeErrorKind {
    #[error("message ends early: {missing} more octets expected")]
    Truncated { missing: usize },
    #[error("expected tag {expected:#04x}, found {found:#04x}")]
    UnexpectedTag { expected: u8, found: u8 },
    #[error("indefinite or over-long length")]
    BadLength,
    #[error("multi-octet tag, which SNMP does not use")]
    LongTag,
    #[error("integer out of range or empty")]
    BadInteger,
    #[error(transparent)]
    BadOid(#[from] OidError),
    #[error("SNMP version {0} is not one of 0 (v1), 1 (v2c), 3 (v3)")]
    UnknownVersion(i32),
    #[error("PDU tag {0:#04x} is not one of this version's")]
    UnknownPdu(u8),
    #[error("more than {limit} variable bindings")]
    TooManyVarBinds { limit: usize },
    #[error("{0} is longer or shorter than its type allows")]
    BadFieldLength(&'static str),
    #[error("msgFlags {0:#04x}: privacy without authentication (RFC 3412 §7.2)")]
    BadFlags(u8),
    #[error("{0} octets after the end of the {1}")]
    Trailing(usize, &'static str),
}

/// Reads TLVs from a part of a message.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    message: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    /// Reads a whole message.
    pub const fn new(message: &'a [u8]) -> Self {
        Reader { message, at: 0, end: message.len() }
    }

    /// Reads `message[at..end]`, keeping offsets of the whole.
    pub(crate) fn within(message: &'a [u8], at: usize, end: usize) -> Self {
        debug_assert!(at <= end && end <= message.len());
        Reader { message, at, end }
    }

    /// Offset of the next octet.
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// Offset after the last octet of this part.
    pub const fn end(&self) -> usize {
        self.end
    }

    /// Whether all is read.
    pub const fn is_empty(&self) -> bool {
        self.at >= self.end
    }

    /// The octets not yet read.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        &self.message[self.at..self.end]
    }

    /// An error at the next octet.
    pub fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { offset: self.at, kind }
    }

    /// The next tag, without reading it.
    pub fn peek_tag(&self) -> Result<u8, DecodeError> {
        if self.at < self.end {
            Ok(self.message[self.at])
        } else {
            Err(self.error(DecodeErrorKind::Truncated { missing: 1 }))
        }
    }

    /// Reads one TLV: its tag and a reader of its contents.
    #[inline]
    pub fn tlv(&mut self) -> Result<(u8, Reader<'a>), DecodeError> {
        let rest = self.rest();
        // One octet of tag and one of length: nearly always.
        let (tag, start, length) = match *rest {
            [tag, length, ..] if length < 0x80 && tag & 0x1f != 0x1f => (tag, self.at + 2, usize::from(length)),
            _ => self.long_header()?,
        };
        if length > self.end - start {
            return Err(self.error(DecodeErrorKind::Truncated { missing: length - (self.end - start) }));
        }
        self.at = start + length;
        Ok((tag, Reader { message: self.message, at: start, end: start + length }))
    }

    #[cold]
    fn long_header(&self) -> Result<(u8, usize, usize), DecodeError> {
        let truncated = |missing| self.error(DecodeErrorKind::Truncated { missing });
        let (tag, form) = match *self.rest() {
            [] => return Err(truncated(2)),
            [tag, ..] if tag & 0x1f == 0x1f => return Err(self.error(DecodeErrorKind::LongTag)),
            [_] => return Err(truncated(1)),
            [tag, form, ..] => (tag, form),
        };
        let octets = usize::from(form & 0x7f);
        // Four octets of length are more than any message has; 0x80 is the indefinite form.
        if octets == 0 || octets > 4 {
            return Err(self.error(DecodeErrorKind::BadLength));
        }
        let field = self.rest().get(2..2 + octets).ok_or_else(|| truncated(2 + octets - self.rest().len()))?;
        let length = field.iter().fold(0usize, |n, &b| n << 8 | usize::from(b));
        Ok((tag, self.at + 2 + octets, length))
    }

    /// Reads one TLV that must have this tag.
    #[inline]
    pub fn expect(&mut self, expected: u8) -> Result<Reader<'a>, DecodeError> {
        let before = self.at;
        let (found, contents) = self.tlv()?;
        if found != expected {
            return Err(DecodeError { offset: before, kind: DecodeErrorKind::UnexpectedTag { expected, found } });
        }
        Ok(contents)
    }

    /// Reads an `INTEGER` of 32 bits.
    #[inline]
    pub fn integer(&mut self) -> Result<i32, DecodeError> {
        let contents = self.expect(tag::INTEGER)?;
        signed32(contents.rest()).ok_or_else(|| contents.error(DecodeErrorKind::BadInteger))
    }

    /// Reads an `INTEGER (0..2147483647)`.
    pub fn unsigned31(&mut self) -> Result<u32, DecodeError> {
        let before = self.at;
        let number = self.integer()?;
        number.try_into().map_err(|_| DecodeError { offset: before, kind: DecodeErrorKind::BadInteger })
    }

    /// Reads an `OCTET STRING`.
    #[inline]
    pub fn octet_string(&mut self) -> Result<&'a [u8], DecodeError> {
        Ok(self.expect(tag::OCTET_STRING)?.rest())
    }

    /// Reads an `OBJECT IDENTIFIER`.
    #[inline]
    pub fn oid(&mut self) -> Result<OidRef<'a>, DecodeError> {
        let contents = self.expect(tag::OBJECT_IDENTIFIER)?;
        OidRef::from_ber(contents.rest()).map_err(|e| contents.error(e.into()))
    }

    /// Fails where something is left over.
    pub fn finish(&self, what: &'static str) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(self.error(DecodeErrorKind::Trailing(self.end - self.at, what))) }
    }
}

/// Two's complement of any length whose value fits 32 bits.
#[inline]
pub(crate) fn signed32(content: &[u8]) -> Option<i32> {
    let (&first, _) = content.split_first()?;
    if content.len() > 8 {
        return None;
    }
    let sign = if first & 0x80 == 0 { 0 } else { -1i64 };
    let number = content.iter().fold(sign, |n, &b| n << 8 | i64::from(b));
    number.try_into().ok()
}

/// An unsigned number of at most 32 bits. With the top bit set it is read as the unsigned number that the
/// sender meant: some agents leave out the leading zero.
#[inline]
pub(crate) fn unsigned32(content: &[u8]) -> Option<u32> {
    match content {
        [] => None,
        [0, rest @ ..] if rest.len() <= 4 => Some(big_endian(rest) as u32),
        _ if content.len() <= 4 => Some(big_endian(content) as u32),
        _ => unsigned64(content)?.try_into().ok(),
    }
}

/// An unsigned number of at most 64 bits, with the same licence.
#[inline]
pub(crate) fn unsigned64(content: &[u8]) -> Option<u64> {
    match content {
        [] => None,
        [0, rest @ ..] if rest.len() <= 8 => Some(big_endian(rest)),
        _ if content.len() <= 8 => Some(big_endian(content)),
        _ => None,
    }
}

#[inline]
fn big_endian(octets: &[u8]) -> u64 {
    octets.iter().fold(0, |n, &b| n << 8 | u64::from(b))
}

/// The message does not fit the buffer, or the peer's `msgMaxSize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("message does not fit in {limit} octets")]
pub struct TooBig {
    /// The size that was available.
    pub limit: usize,
}

/// Writes a message from its end to its start. Running out of room is remembered and reported by
/// [`Writer::check`] and [`Writer::finish`]; what was written until then is void.
#[derive(Debug)]
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    at: usize,
    full: bool,
}

impl<'b> Writer<'b> {
    /// Fills `buffer` from its end.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        let at = buffer.len();
        Writer { buffer, at, full: false }
    }

    /// How many octets are written; the mark that [`Writer::wrap`] takes.
    pub fn written(&self) -> usize {
        self.buffer.len() - self.at
    }

    /// Puts octets before what is written.
    #[inline]
    pub fn octets(&mut self, octets: &[u8]) {
        match self.at.checked_sub(octets.len()) {
            Some(start) if !self.full => {
                self.buffer[start..self.at].copy_from_slice(octets);
                self.at = start;
            }
            _ => self.full = true,
        }
    }

    /// Puts the header for contents of `length` octets that are written already.
    #[inline]
    pub fn header(&mut self, tag: u8, length: usize) {
        if length < 0x80 {
            self.octets(&[tag, length as u8]);
        } else {
            let bytes = (length as u32).to_be_bytes();
            let skip = (length as u32).leading_zeros() as usize / 8;
            self.octets(&bytes[skip..]);
            self.octets(&[tag, 0x80 | (4 - skip) as u8]);
        }
    }

    /// Puts the header around all that was written since `mark` (a value of [`Writer::written`]).
    #[inline]
    pub fn wrap(&mut self, tag: u8, mark: usize) {
        self.header(tag, self.written() - mark);
    }

    /// An `INTEGER`.
    #[inline]
    pub fn integer(&mut self, number: i32) {
        let mut content = [0; 9];
        let start = signed_content(&mut content, i64::from(number));
        self.octets(&content[start..]);
        self.header(tag::INTEGER, 9 - start);
    }

    /// An `OCTET STRING`.
    #[inline]
    pub fn octet_string(&mut self, octets: &[u8]) {
        self.octets(octets);
        self.header(tag::OCTET_STRING, octets.len());
    }

    /// An `OBJECT IDENTIFIER`.
    #[inline]
    pub fn oid(&mut self, oid: OidRef<'_>) {
        self.octets(oid.as_ber());
        self.header(tag::OBJECT_IDENTIFIER, oid.as_ber().len());
    }

    /// Puts zeros after all that is written.
    pub fn pad_end(&mut self, octets: usize) {
        match self.at.checked_sub(octets) {
            Some(start) if !self.full => {
                let end = self.buffer.len() - octets;
                self.buffer.copy_within(self.at.., start);
                self.buffer[end..].fill(0);
                self.at = start;
            }
            _ => self.full = true,
        }
    }

    /// What is written so far, to encrypt or digest in place.
    pub fn written_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.at..]
    }

    /// Fails if there was not room for all that was put in.
    pub fn check(&self) -> Result<(), TooBig> {
        if self.full { Err(TooBig { limit: self.buffer.len() }) } else { Ok(()) }
    }

    /// Ends the message; it lies at the end of the buffer.
    pub fn finish(self) -> Result<&'b mut [u8], TooBig> {
        self.check()?;
        Ok(&mut self.buffer[self.at..])
    }
}

/// Puts the shortest two's complement at the end of `content`; returns where it starts.
#[inline]
pub(crate) fn signed_content(content: &mut [u8; 9], number: i64) -> usize {
    content[1..].copy_from_slice(&number.to_be_bytes());
    9 - content_length((number ^ (number >> 63)) as u64)
}

/// Puts the shortest two's complement of an unsigned number at the end of `content`; returns where it starts.
#[inline]
pub(crate) fn unsigned_content(content: &mut [u8; 9], number: u64) -> usize {
    content[1..].copy_from_slice(&number.to_be_bytes());
    9 - content_length(number)
}

/// Octets of two's complement for a magnitude, the sign bit included.
#[inline]
fn content_length(magnitude: u64) -> usize {
    (64 - (magnitude | 1).leading_zeros() as usize) / 8 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_round_trip_in_their_shortest_form() {
        for (number, content) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0, 0x80]),
            (-1, &[0xff]),
            (-128, &[0x80]),
            (-129, &[0xff, 0x7f]),
            (i32::MAX, &[0x7f, 0xff, 0xff, 0xff]),
            (i32::MIN, &[0x80, 0, 0, 0]),
        ] {
            let mut buffer = [0; 16];
            let mut writer = Writer::new(&mut buffer);
            writer.integer(number);
            let message = writer.finish().unwrap();
            assert_eq!(&message[2..], content);
            assert_eq!(Reader::new(message).integer(), Ok(number));
        }
        let mut content = [0; 9];
        assert_eq!(unsigned_content(&mut content, u64::MAX), 0);
        assert_eq!(content, [0, 255, 255, 255, 255, 255, 255, 255, 255]);
        content = [0; 9];
        assert_eq!(unsigned_content(&mut content, u64::from(u32::MAX)), 4);
    }

    #[test]
    fn what_agents_send_in_the_field_is_read() {
        assert_eq!(signed32(&[0, 0, 0, 0, 5]), Some(5));
        assert_eq!(signed32(&[0xff, 0xff, 0xff, 0xff, 0xfe]), Some(-2));
        assert_eq!(signed32(&[0, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(signed32(&[]), None);
        assert_eq!(unsigned32(&[0xff, 0xff, 0xff, 0xff]), Some(u32::MAX));
        assert_eq!((unsigned32(&[0x80]), unsigned32(&[0xff, 0xff])), (Some(0x80), Some(0xffff)));
        assert_eq!((unsigned64(&[0x80]), unsigned64(&[0x80; 8])), (Some(0x80), Some(0x8080_8080_8080_8080)));
        assert_eq!(unsigned32(&[0, 0xff, 0xff, 0xff, 0xff]), Some(u32::MAX));
        assert_eq!(unsigned32(&[1, 0, 0, 0, 0]), None);
        assert_eq!(unsigned64(&[0, 255, 255, 255, 255, 255, 255, 255, 255]), Some(u64::MAX));
        assert_eq!(unsigned64(&[1, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        let long_form = [0x04, 0x82, 0x00, 0x02, b'o', b'k'];
        assert_eq!(Reader::new(&long_form).octet_string(), Ok(&b"ok"[..]));
    }

    #[test]
    fn errors_name_the_octet() {
        let message = [0x30, 5, 2, 1, 7, 4, 9];
        let mut inside = Reader::new(&message).expect(tag::SEQUENCE).unwrap();
        assert_eq!(inside.integer(), Ok(7));
        let error = inside.octet_string().unwrap_err();
        assert_eq!(error, DecodeError { offset: 5, kind: DecodeErrorKind::Truncated { missing: 9 } });
        assert_eq!(error.to_string(), "octet 5: message ends early: 9 more octets expected");
        for (octets, kind) in [
            (&[][..], DecodeErrorKind::Truncated { missing: 2 }),
            (&[4], DecodeErrorKind::Truncated { missing: 1 }),
            (&[4, 0x80, 0, 0], DecodeErrorKind::BadLength),
            (&[4, 0x85, 0, 0, 0, 0, 0], DecodeErrorKind::BadLength),
            (&[4, 0x84, 0xff, 0xff, 0xff, 0xff], DecodeErrorKind::Truncated { missing: 0xffff_ffff }),
            (&[4, 0x82, 1], DecodeErrorKind::Truncated { missing: 1 }),
            (&[0x1f, 1, 1], DecodeErrorKind::LongTag),
        ] {
            assert_eq!(Reader::new(octets).tlv().unwrap_err().kind, kind, "{octets:x?}");
        }
    }

    #[test]
    fn long_lengths_round_trip_and_a_small_buffer_is_reported() {
        for length in [0, 127, 128, 255, 256, 65_000] {
            let content = vec![7; length];
            let mut buffer = vec![0; length + 8];
            let mut writer = Writer::new(&mut buffer);
            writer.octet_string(&content);
            let message = writer.finish().unwrap();
            assert_eq!(Reader::new(message).octet_string(), Ok(&content[..]));
        }
        let mut buffer = [0; 4];
        let mut writer = Writer::new(&mut buffer);
        writer.octet_string(b"four");
        writer.integer(1);
        assert_eq!(writer.finish().unwrap_err(), TooBig { limit: 4 });
    }
}
