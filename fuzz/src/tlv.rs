//! BER as a mutator sees it: a tree of TLVs read leniently, changed anywhere, and written again with the
//! lengths around the change corrected, so that a change deep inside a message is not stopped by the first
//! length check. What is wrong on purpose is kept in the tree ([`Length`]).

/// How deep a tree is read: SNMP nests seven levels.
const MAX_DEPTH: usize = 12;

/// One TLV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The tag octet.
    pub tag: u8,
    /// How the length is written.
    pub length: Length,
    /// What is inside.
    pub body: Body,
}

/// How a length is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// The right one, in the shortest form.
    Right,
    /// The right one, in so many octets after the first.
    Long(u8),
    /// The right one and this much more or less.
    Off(i32),
    /// The indefinite form.
    Indefinite,
}

/// The contents of a [`Node`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Octets.
    Octets(Vec<u8>),
    /// TLVs, perhaps with octets after them that are none.
    Nodes(Vec<Node>, Vec<u8>),
}

/// Reads as many TLVs as there are; returns them and what is left over.
pub fn read(octets: &[u8]) -> (Vec<Node>, Vec<u8>) {
    read_level(octets, 0)
}

/// Writes TLVs and what is left over.
pub fn write(nodes: &[Node], rest: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    nodes.iter().for_each(|node| node.write(&mut octets));
    octets.extend_from_slice(rest);
    octets
}

/// How many nodes a tree has.
pub fn count(nodes: &[Node]) -> usize {
    nodes.iter().map(|node| 1 + if let Body::Nodes(inner, _) = &node.body { count(inner) } else { 0 }).sum()
}

/// The list that holds the `index`th node, depth first, and its place in that list.
pub fn find(nodes: &mut Vec<Node>, mut index: usize) -> Option<(&mut Vec<Node>, usize)> {
    let mut at = 0;
    while at < nodes.len() {
        if index == 0 {
            return Some((nodes, at));
        }
        index -= 1;
        let inside = if let Body::Nodes(inner, _) = &nodes[at].body { count(inner) } else { 0 };
        if index < inside {
            let Body::Nodes(inner, _) = &mut nodes[at].body else { return None };
            return find(inner, index);
        }
        index -= inside;
        at += 1;
    }
    None
}

fn read_level(mut octets: &[u8], depth: usize) -> (Vec<Node>, Vec<u8>) {
    let mut nodes = Vec::new();
    while let Some((tag, length, content, rest)) = split(octets) {
        octets = rest;
        nodes.push(Node { tag, length, body: read_body(tag, content, depth) });
    }
    (nodes, octets.to_vec())
}

fn read_body(tag: u8, content: &[u8], depth: usize) -> Body {
    // Constructed ones, and the OCTET STRING that security parameters travel in.
    let nests = tag & 0x20 != 0 || (tag == 0x04 && content.first() == Some(&0x30));
    if depth < MAX_DEPTH && nests {
        let (nodes, rest) = read_level(content, depth + 1);
        if !nodes.is_empty() {
            return Body::Nodes(nodes, rest);
        }
    }
    Body::Octets(content.to_vec())
}

/// The first TLV: tag, form of the length, contents, what follows.
fn split(octets: &[u8]) -> Option<(u8, Length, &[u8], &[u8])> {
    let (&[tag, first], rest) = octets.split_first_chunk()?;
    let (length, form, rest) = if first < 0x80 {
        (usize::from(first), Length::Right, rest)
    } else {
        let count = first & 0x7f;
        let (field, rest) = rest.split_at_checked(usize::from(count)).filter(|_| (1..=4).contains(&count))?;
        let length = field.iter().fold(0, |n, &octet| n << 8 | usize::from(octet));
        let is_shortest = length >= 0x80 && field[0] != 0;
        (length, if is_shortest { Length::Right } else { Length::Long(count) }, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, form, content, rest))
}

impl Node {
    fn write(&self, to: &mut Vec<u8>) {
        let content = match &self.body {
            Body::Octets(octets) => octets.clone(),
            Body::Nodes(nodes, rest) => write(nodes, rest),
        };
        to.push(self.tag);
        match self.length {
            Length::Right => write_length(content.len(), 0, to),
            Length::Long(octets) => write_length(content.len(), usize::from(octets), to),
            Length::Off(by) => write_length(content.len().saturating_add_signed(by as isize), 0, to),
            Length::Indefinite => to.push(0x80),
        }
        to.extend_from_slice(&content);
        if self.length == Length::Indefinite {
            to.extend_from_slice(&[0, 0]);
        }
    }
}

/// Writes a length in the long form with so many octets, or the shortest form where that is 0.
fn write_length(length: usize, octets: usize, to: &mut Vec<u8>) {
    let bytes = (length as u32).to_be_bytes();
    let needed = 4 - bytes.iter().take_while(|&&octet| octet == 0).count();
    match octets {
        0 if length < 0x80 => to.push(length as u8),
        _ => {
            let octets = octets.max(needed);
            to.push(0x80 | octets as u8);
            to.extend(std::iter::repeat_n(0, octets.saturating_sub(4)));
            to.extend_from_slice(&bytes[4 - octets.min(4)..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_alike() {
        for octets in [
            &[0x30, 5, 2, 1, 7, 5, 0][..],
            &[0x30, 0x81, 5, 2, 1, 7, 5, 0, 9],
            &[4, 4, 0x30, 2, 5, 0],
            &[4, 0x82, 0, 1, 0xff],
            &[1, 2, 3],
            &[],
        ] {
            let (nodes, rest) = read(octets);
            assert_eq!(write(&nodes, &rest), octets, "{octets:x?}");
        }
    }

    #[test]
    fn lengths_around_a_change_are_corrected() {
        let (mut nodes, rest) = read(&[0x30, 5, 2, 1, 7, 5, 0]);
        assert_eq!(count(&nodes), 3);
        let (list, at) = find(&mut nodes, 1).unwrap();
        list[at].body = Body::Octets(vec![1; 200]);
        let octets = write(&nodes, &rest);
        assert_eq!(octets[..7], [0x30, 0x81, 205, 2, 0x81, 200, 1]);
        assert!(find(&mut nodes, 3).is_none());
    }

    #[test]
    fn wrong_lengths_are_written_as_told() {
        let node = |length| Node { tag: 4, length, body: Body::Octets(vec![9, 9]) };
        assert_eq!(write(&[node(Length::Off(3))], &[]), [4, 5, 9, 9]);
        assert_eq!(write(&[node(Length::Off(-9))], &[]), [4, 0, 9, 9]);
        assert_eq!(write(&[node(Length::Long(5))], &[]), [4, 0x85, 0, 0, 0, 0, 2, 9, 9]);
        assert_eq!(write(&[node(Length::Indefinite)], &[]), [4, 0x80, 9, 9, 0, 0]);
    }
}
