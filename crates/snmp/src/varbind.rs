//! Variable bindings (RFC 3416 §3): [`VarBindList`] borrows those of a message, [`VarBindBuf`] builds them.
//!
//! Both are the BER contents of `VarBindList`, checked once. A poller builds its request's bindings once
//! and copies them into every request; an agent appends bindings until a response is full.

use smallvec::SmallVec;

use crate::ber::{DecodeError, DecodeErrorKind, Reader};
use crate::limits::MAX_VARBINDS;
use crate::oid::OidRef;
use crate::value::{Value, tag};

/// One variable: its instance name and value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VarBind<'a> {
    /// The instance.
    pub name: OidRef<'a>,
    /// Its value, or an exception.
    pub value: Value<'a>,
}

/// The bindings of a message, all of them well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VarBindList<'a> {
    content: &'a [u8],
    count: usize,
}

impl<'a> VarBindList<'a> {
    /// Checks the contents of a `VarBindList`.
    pub(crate) fn parse(mut list: Reader<'a>) -> Result<Self, DecodeError> {
        let content = list.rest();
        let mut count = 0;
        while !list.is_empty() {
            if count == MAX_VARBINDS {
                return Err(list.error(DecodeErrorKind::TooManyVarBinds { limit: MAX_VARBINDS }));
            }
            let mut binding = list.expect(tag::SEQUENCE)?;
            binding.oid()?;
            binding.tlv()?;
            binding.finish("variable binding")?;
            count += 1;
        }
        Ok(VarBindList { content, count })
    }

    /// How many bindings.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The bindings in order.
    pub fn iter(&self) -> VarBinds<'a> {
        VarBinds { list: Reader::new(self.content), left: self.count }
    }

    /// The first binding.
    pub fn first(&self) -> Option<VarBind<'a>> {
        self.iter().next()
    }

    /// The BER octets.
    pub const fn as_ber(&self) -> &'a [u8] {
        self.content
    }

    /// An owned copy.
    pub fn to_buf(&self) -> VarBindBuf {
        VarBindBuf { content: self.content.to_vec(), count: self.count }
    }
}

impl<'a> IntoIterator for VarBindList<'a> {
    type Item = VarBind<'a>;
    type IntoIter = VarBinds<'a>;

    fn into_iter(self) -> VarBinds<'a> {
        self.iter()
    }
}

/// Iterator over a [`VarBindList`].
#[derive(Debug, Clone)]
pub struct VarBinds<'a> {
    list: Reader<'a>,
    left: usize,
}

impl<'a> Iterator for VarBinds<'a> {
    type Item = VarBind<'a>;

    #[inline]
    fn next(&mut self) -> Option<VarBind<'a>> {
        // The list was checked when it was made, so no `?` below is ever taken but at its end.
        let mut binding = self.list.tlv().ok()?.1;
        self.left -= 1;
        let name = OidRef::from_checked(binding.tlv().ok()?.1.rest());
        let name = if name.as_ber().is_empty() { OidRef::ZERO } else { name };
        let (tag, content) = binding.tlv().ok()?;
        Some(VarBind { name, value: Value::from_ber(tag, content.rest()) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for VarBinds<'_> {}

impl VarBinds<'_> {
    /// The octets of the bindings that are still to come.
    fn octets_left(&self) -> usize {
        self.list.clone().rest().len()
    }
}

/// Bindings under construction, or kept to be sent again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VarBindBuf {
    content: Vec<u8>,
    count: usize,
}

impl VarBindBuf {
    /// No bindings.
    pub const fn new() -> Self {
        VarBindBuf { content: Vec::new(), count: 0 }
    }

    /// One binding with `NULL` for each name: what a GET, GETNEXT or GETBULK asks.
    pub fn of_names<'n>(names: impl IntoIterator<Item = OidRef<'n>>) -> Self {
        let mut list = VarBindBuf::new();
        for name in names {
            list.push(name, Value::Null);
        }
        list
    }

    /// Appends a binding.
    #[inline]
    pub fn push(&mut self, name: OidRef<'_>, value: Value<'_>) {
        let mut number = [0; 9];
        let (tag, content) = value.to_ber(&mut number);
        let name = name.as_ber();
        let inside = tlv_len(name.len()) + tlv_len(content.len());
        self.content.reserve(tlv_len(inside));
        push_header(&mut self.content, tag::SEQUENCE, inside);
        push_header(&mut self.content, tag::OBJECT_IDENTIFIER, name.len());
        self.content.extend_from_slice(name);
        push_header(&mut self.content, tag, content.len());
        self.content.extend_from_slice(content);
        self.count += 1;
    }

    /// Removes all, keeping the memory.
    pub fn clear(&mut self) {
        self.content.clear();
        self.count = 0;
    }

    /// Removes what was pushed after the list had `octets` octets and `count` bindings.
    pub fn truncate(&mut self, octets: usize, count: usize) {
        self.content.truncate(octets);
        self.count = count.min(self.count);
    }

    /// How many bindings.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The binding that starts at an offset: what was pushed when the list had so many octets.
    pub(crate) fn last_from(&self, octets: usize) -> VarBind<'_> {
        let list = VarBindList { content: &self.content[octets..], count: 1 };
        list.first().unwrap_or(VarBind { name: OidRef::ZERO, value: Value::EndOfMibView })
    }

    /// The bindings that were pushed after the list had `octets` octets and `count` bindings.
    pub(crate) fn since(&self, octets: usize, count: usize) -> VarBindList<'_> {
        VarBindList { content: &self.content[octets..], count: self.count - count }
    }

    /// Of the bindings that were pushed after the list had `octets` octets and `count` bindings: keeps the first ones, at
    /// most `keep`, and no more than make `room` octets of the whole list. How many that are.
    pub(crate) fn cut(&mut self, (octets, count): (usize, usize), keep: usize, room: usize) -> usize {
        let pushed = self.since(octets, count);
        if pushed.len() <= keep && self.octets() <= room {
            return pushed.len();
        }
        let (mut end, mut kept) = (octets, 0);
        let mut bindings = pushed.iter();
        while kept < keep && bindings.next().is_some() {
            let so_far = self.octets() - bindings.octets_left();
            if so_far > room {
                break;
            }
            (end, kept) = (so_far, kept + 1);
        }
        self.truncate(end, count + kept);
        kept
    }

    /// How many octets the bindings take in a message.
    pub fn octets(&self) -> usize {
        self.content.len()
    }

    /// A borrowed view.
    pub fn as_list(&self) -> VarBindList<'_> {
        VarBindList { content: &self.content, count: self.count }
    }

    /// The bindings in order.
    pub fn iter(&self) -> VarBinds<'_> {
        self.as_list().iter()
    }
}

impl<'a> FromIterator<VarBind<'a>> for VarBindBuf {
    fn from_iter<I: IntoIterator<Item = VarBind<'a>>>(bindings: I) -> Self {
        let mut list = VarBindBuf::new();
        for VarBind { name, value } in bindings {
            list.push(name, value);
        }
        list
    }
}

/// Octets of a TLV with contents of this length.
#[inline]
fn tlv_len(content: usize) -> usize {
    let header = if content < 0x80 { 2 } else { 6 - (content as u32).leading_zeros() as usize / 8 };
    header + content
}

#[inline]
fn push_header(to: &mut Vec<u8>, tag: u8, length: usize) {
    if length < 0x80 {
        to.extend_from_slice(&[tag, length as u8]);
    } else {
        let bytes = (length as u32).to_be_bytes();
        let skip = (length as u32).leading_zeros() as usize / 8;
        let mut header: SmallVec<[u8; 6]> = SmallVec::from_slice(&[tag, 0x80 | (4 - skip) as u8]);
        header.extend_from_slice(&bytes[skip..]);
        to.extend_from_slice(&header);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oid::Oid;

    #[test]
    fn every_value_round_trips() {
        let name: Oid = "1.3.6.1.2.1.1.3.0".parse().unwrap();
        let long = vec![0x55; 300];
        let values = [
            Value::Integer(-5),
            Value::OctetString(b"eth0"),
            Value::OctetString(&long),
            Value::Null,
            Value::ObjectIdentifier(name.as_oid()),
            Value::IpAddress([192, 0, 2, 1].into()),
            Value::Counter32(u32::MAX),
            Value::Gauge32(0),
            Value::TimeTicks(1 << 31),
            Value::Opaque(&[0x9f, 0x78, 4, 0x3f, 0x80, 0, 0]),
            Value::Counter64(u64::MAX),
            Value::NoSuchObject,
            Value::NoSuchInstance,
            Value::EndOfMibView,
            Value::Invalid { tag: 0x45, content: &[1, 2] },
        ];
        let list: VarBindBuf = values.iter().map(|&value| VarBind { name: name.as_oid(), value }).collect();
        let parsed = VarBindList::parse(Reader::new(list.as_list().as_ber())).unwrap();
        assert_eq!(parsed.len(), values.len());
        assert!(parsed.iter().map(|b| b.value).eq(values));
        assert_eq!(values[9].opaque_float(), Some(1.0));
    }

    #[test]
    fn contents_that_break_their_type_cost_one_value_only() {
        let name: Oid = "1.3.6.1".parse().unwrap();
        let odd = Value::Invalid { tag: tag::IP_ADDRESS, content: &[1, 2, 3] };
        let too_long = Value::Invalid { tag: tag::COUNTER32, content: &[1, 0, 0, 0, 0] };
        let list: VarBindBuf = [odd, too_long, Value::Integer(1)]
            .map(|value| VarBind { name: name.as_oid(), value })
            .into_iter()
            .collect();
        let parsed = VarBindList::parse(Reader::new(list.as_list().as_ber())).unwrap();
        assert!(parsed.iter().map(|b| b.value).eq([odd, too_long, Value::Integer(1)]));
    }

    #[test]
    fn broken_bindings_are_refused() {
        for octets in [
            &[0x30, 3, 6, 1, 0x2b][..],
            &[0x30, 5, 6, 1, 0x80, 5, 0],
            &[0x30, 7, 6, 1, 0x2b, 5, 0, 5, 0],
            &[0x31, 5, 6, 1, 0x2b, 5, 0],
            &[0x30, 5, 4, 1, 0x2b, 5, 0],
        ] {
            assert!(VarBindList::parse(Reader::new(octets)).is_err(), "{octets:x?}");
        }
    }
}
