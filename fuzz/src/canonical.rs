//! Whether octets are BER in its only shortest form, judged without any of the product's code: what such a
//! message says must be written back octet for octet.

/// Whether these octets are one TLV, with nothing after it, in shortest form throughout.
pub fn is_canonical(octets: &[u8]) -> bool {
    one(octets).is_some_and(|rest| rest.is_empty())
}

/// Reads one canonical TLV and returns what follows it.
fn one(octets: &[u8]) -> Option<&[u8]> {
    let (&[tag, first], rest) = octets.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x80 => return None,
        0x81..=0x84 => {
            let (field, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = field.iter().fold(0, |n, &octet| n << 8 | usize::from(octet));
            (field[0] != 0 && length >= 0x80).then_some((length, rest))?
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    let is_good = match tag {
        0x02 => is_shortest_number(content),
        // Unsigned: a first octet of 0x80 or more would be a negative number.
        0x41..=0x43 | 0x46 => is_shortest_number(content) && content[0] < 0x80,
        0x06 => !content.is_empty(),
        // Security parameters travel in an OCTET STRING.
        0x04 if content.first() == Some(&0x30) && one(content) == Some(&[]) => true,
        0x04 if content.first() == Some(&0x30) => return None,
        _ if tag & 0x20 != 0 => all(content),
        _ => true,
    };
    is_good.then_some(rest)
}

fn all(mut octets: &[u8]) -> bool {
    while !octets.is_empty() {
        match one(octets) {
            Some(rest) => octets = rest,
            None => return false,
        }
    }
    true
}

fn is_shortest_number(content: &[u8]) -> bool {
    match content {
        [] => false,
        [first, second, ..] => !(*first == 0 && *second < 0x80 || *first == 0xff && *second >= 0x80),
        [_] => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_form_is_told_from_others() {
        for (octets, expected) in [
            (&[0x30, 3, 2, 1, 7][..], true),
            (&[0x30, 0x81, 3, 2, 1, 7], false),
            (&[0x30, 3, 2, 1, 7, 0], false),
            (&[2, 2, 0, 7], false),
            (&[2, 2, 0, 0x80], true),
            (&[2, 2, 0xff, 0x80], false),
            (&[2, 0], false),
            (&[0x43, 1, 0x80], false),
            (&[6, 0], false),
            (&[4, 5, 0x30, 3, 2, 1, 7], true),
            (&[4, 6, 0x30, 4, 2, 2, 0, 7], false),
            (&[0xa0, 2, 2, 1], false),
        ] {
            assert_eq!(is_canonical(octets), expected, "{octets:x?}");
        }
    }
}
