//! Integers of as many octets as they need: seven bits an octet, the low ones first, the top bit says more follow.
//! Signed ones are folded first (0, -1, 1, -2 … become 0, 1, 2, 3 …), so that small distances stay small.

use super::Malformed;

/// Appends `value` in 1 to 10 octets.
pub(super) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends `value`, folded.
pub(super) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, fold(value));
}

/// The unsigned number that stands for a signed one.
pub(super) const fn fold(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The signed number that [`fold`] folded.
pub(super) const fn unfold(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// Takes integers and octets off the front of a slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn octet(&mut self) -> Result<u8, Malformed> {
        let (&first, rest) = self.rest.split_first().ok_or(Malformed("ends within an entry"))?;
        self.rest = rest;
        Ok(first)
    }

    pub(super) fn octets(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed("ends within an entry"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn integer(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.octet()?;
            let bits = u64::from(octet & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if octet & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed("an integer is longer than 64 bits"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, Malformed> {
        self.integer().map(unfold)
    }

    /// A count of things that take at least one octet each of what follows.
    pub(super) fn count(&mut self) -> Result<usize, Malformed> {
        let count = self.integer()?;
        if count > self.rest.len() as u64 {
            return Err(Malformed("a count is greater than what follows"));
        }
        Ok(count as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_reads_back() {
        for bits in 0..64 {
            for value in [(1u64 << bits) - 1, 1 << bits, (1 << bits) + 1, u64::MAX] {
                let mut out = Vec::new();
                put(&mut out, value);
                put_signed(&mut out, value.cast_signed());
                let mut reader = Reader::new(&out);
                assert_eq!(reader.integer(), Ok(value));
                assert_eq!(reader.signed(), Ok(value.cast_signed()));
                assert!(reader.rest().is_empty());
            }
        }
    }

    #[test]
    fn overlong_and_cut_integers_are_refused() {
        assert!(Reader::new(&[0xff; 10]).integer().is_err());
        assert!(Reader::new(&[0x80]).integer().is_err());
        let eleven_octets = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00];
        assert!(Reader::new(&eleven_octets).integer().is_err());
    }
}
