//! Changes to an input that keep enough of its structure to get past the first check: TLVs changed with
//! the lengths around them corrected, lines of text moved, numbers replaced by those at which things break.
//! Everything follows from the random generator, so a seed is an input.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use crate::tlv::{self, Body, Length, Node};

/// What a target's inputs look like, so that changes to them make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Octets without a structure that could be told: the script of a state machine.
    Octets,
    /// So many octets of script, then BER.
    Ber {
        /// Octets before the first TLV.
        skip: usize,
    },
    /// Lines of text.
    Text,
    /// A script of steps, each of so many octets.
    Steps {
        /// Octets of one step.
        size: usize,
    },
}

/// The longest input, in octets.
pub const MAX_INPUT_OCTETS: usize = 8192;

/// Tags that mean something in SNMP, and some that do not.
const TAGS: [u8; 26] = [
    0x02, 0x04, 0x05, 0x06, 0x30, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x80, 0x81, 0x82, 0xa0, 0xa1, 0xa2,
    0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0x1f,
];

/// Contents at which decoders of numbers, names and strings change their mind.
const CONTENTS: [&[u8]; 24] = [
    &[],
    &[0],
    &[1],
    &[0x7f],
    &[0x80],
    &[0xff],
    &[0, 0x80],
    &[0, 0xff],
    &[0xff, 0x7f],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0],
    &[0xff, 0xff, 0xff, 0xff],
    &[0, 0xff, 0xff, 0xff, 0xff],
    &[1, 0, 0, 0, 0],
    &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x2b],
    &[0x2b, 6, 1, 2, 1, 1, 3, 0],
    &[0x2b, 6, 1, 6, 3, 15, 1, 1, 4, 0],
    &[0x2b, 0x8f, 0xff, 0xff, 0xff, 0x7f],
    &[0x2b, 0x90, 0x80, 0x80, 0x80, 0],
    &[0x2b, 0x80, 1],
    &[0x9f, 0x78, 4, 0x7f, 0xc0, 0, 0],
];

/// Numbers in text at which readers change their mind.
const WORDS: [&str; 20] = [
    "0",
    "-1",
    "127",
    "128",
    "255",
    "256",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "1.3.6.1",
    ".",
    "\"",
    "|",
    "::=",
    "\u{0}",
    "é\u{2028}",
];

/// An input made from `base`, perhaps with parts of `other`.
pub fn mutate(rng: &mut StdRng, format: Format, base: &[u8], other: &[u8]) -> Vec<u8> {
    let mut input = base.to_vec();
    let mut changes = 1;
    while changes < 6 && rng.random_ratio(1, 2) {
        changes += 1;
    }
    for _ in 0..changes {
        match format {
            Format::Ber { skip } if rng.random_ratio(3, 4) => change_tree(rng, skip, &mut input, other),
            Format::Text if rng.random_ratio(3, 4) => change_text(rng, &mut input, other),
            Format::Steps { size } if rng.random_ratio(7, 8) => change_steps(rng, size.max(1), &mut input, other),
            _ => change_octets(rng, &mut input, other),
        }
    }
    input.truncate(MAX_INPUT_OCTETS);
    input
}

/// A random place in, or at the end of, so many things.
fn place(rng: &mut StdRng, length: usize) -> usize {
    rng.random_range(0..=length)
}

fn change_octets(rng: &mut StdRng, input: &mut Vec<u8>, other: &[u8]) {
    let at = place(rng, input.len());
    let end = input.len().min(at + rng.random_range(1..=16));
    match rng.random_range(0..8) {
        0 if at < input.len() => input[at] ^= 1 << rng.random_range(0..8),
        1 if at < input.len() => input[at] = *[0, 1, 0x7f, 0x80, 0xff, 0x30].choose(rng).unwrap_or(&0),
        2 => drop(input.splice(at..at, content(rng))),
        3 => drop(input.drain(at..end)),
        4 => input.truncate(at),
        5 => {
            let again = input[at..end].to_vec();
            drop(input.splice(at..at, again));
        }
        6 => {
            let from = place(rng, other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => {
            let mut octets = vec![0; end - at];
            rng.fill_bytes(&mut octets);
            input[at..end].copy_from_slice(&octets);
        }
    }
}

fn change_tree(rng: &mut StdRng, skip: usize, input: &mut Vec<u8>, other: &[u8]) {
    let skip = skip.min(input.len());
    let (mut nodes, mut rest) = tlv::read(&input[skip..]);
    let total = tlv::count(&nodes);
    if total == 0 {
        return change_octets(rng, input, other);
    }
    let index = rng.random_range(0..total);
    let spare = spare_node(rng, other);
    let Some((list, at)) = tlv::find(&mut nodes, index) else { return };
    match rng.random_range(0..13) {
        0 => list[at].tag = *TAGS.choose(rng).unwrap_or(&0),
        1 => list[at].length = wrong_length(rng),
        2 | 3 => list[at].body = Body::Octets(content(rng)),
        4 => {
            let mut octets = vec![0; usize::from(rng.random::<u8>())];
            rng.fill_bytes(&mut octets);
            list[at].body = Body::Octets(octets);
        }
        5 => drop(list.remove(at)),
        6 => list.insert(at, list[at].clone()),
        7 => {
            let with = rng.random_range(0..list.len());
            list.swap(at, with);
        }
        8 => {
            let tag = *[0x30, 0xa0, 0xa2, 0x04, list[at].tag].choose(rng).unwrap_or(&0x30);
            let inner =
                std::mem::replace(&mut list[at], Node { tag, length: Length::Right, body: Body::Octets(vec![]) });
            list[at].body = Body::Nodes(vec![inner], Vec::new());
        }
        9 => {
            if let Body::Nodes(inner, _) = &list[at].body {
                let inner = inner.clone();
                list.splice(at..=at, inner);
            }
        }
        10 => list[at] = spare,
        11 => list.insert(at, spare),
        _ => match &mut list[at].body {
            Body::Octets(octets) => change_octets(rng, octets, other),
            Body::Nodes(_, rest) => rest.push(rng.random()),
        },
    }
    if rng.random_ratio(1, 32) {
        rest.extend_from_slice(&[0; 4]);
    }
    let changed = tlv::write(&nodes, &rest);
    input.truncate(skip);
    input.extend_from_slice(&changed);
}

/// A node of another input, or a new one.
fn spare_node(rng: &mut StdRng, other: &[u8]) -> Node {
    let (mut nodes, _) = tlv::read(other);
    let total = tlv::count(&nodes);
    if total > 0
        && let Some((list, at)) = tlv::find(&mut nodes, rng.random_range(0..total))
    {
        return list.swap_remove(at);
    }
    Node { tag: *TAGS.choose(rng).unwrap_or(&0x05), length: Length::Right, body: Body::Octets(content(rng)) }
}

/// Contents that matter.
fn content(rng: &mut StdRng) -> Vec<u8> {
    CONTENTS.choose(rng).unwrap_or(&CONTENTS[0]).to_vec()
}

fn wrong_length(rng: &mut StdRng) -> Length {
    match rng.random_range(0..5) {
        0 => Length::Long(rng.random_range(1..=4)),
        1 => Length::Long(rng.random_range(5..=8)),
        2 => Length::Indefinite,
        3 => Length::Off(rng.random_range(-4..=4)),
        _ => Length::Off(*[i32::MAX, 0x7f, 0xff, 0xffff].choose(rng).unwrap_or(&1)),
    }
}

fn change_steps(rng: &mut StdRng, size: usize, input: &mut Vec<u8>, other: &[u8]) {
    let mut steps: Vec<Vec<u8>> = input.chunks(size).map(<[u8]>::to_vec).collect();
    let others: Vec<&[u8]> = other.chunks(size).collect();
    let at = place(rng, steps.len().saturating_sub(1));
    let end = steps.len().min(at + rng.random_range(1..=8));
    match rng.random_range(0..8) {
        _ if steps.is_empty() => steps.extend(others.iter().map(|step| step.to_vec())),
        0 => drop(steps.drain(at..end)),
        1 => {
            let again = steps[at..end].to_vec();
            drop(steps.splice(at..at, again));
        }
        2 => {
            let with = rng.random_range(0..steps.len());
            steps.swap(at, with);
        }
        3 => {
            let from = place(rng, others.len());
            let to = others.len().min(from + rng.random_range(1..=8));
            drop(steps.splice(at..at, others[from..to].iter().map(|step| step.to_vec())));
        }
        4 => {
            let mut step = vec![0; size];
            rng.fill_bytes(&mut step);
            steps.insert(at, step);
        }
        _ => {
            let octet = rng.random_range(0..steps[at].len());
            steps[at][octet] = rng.random();
        }
    }
    *input = steps.concat();
}

fn change_text(rng: &mut StdRng, input: &mut Vec<u8>, other: &[u8]) {
    let mut pieces: Vec<Vec<u8>> = if rng.random_ratio(1, 2) { lines(input) } else { words(input) };
    let spare = [lines(other), words(other)].concat();
    let at = place(rng, pieces.len().saturating_sub(1));
    match rng.random_range(0..6) {
        _ if pieces.is_empty() => pieces.extend(spare.choose(rng).cloned()),
        0 => drop(pieces.remove(at)),
        1 => pieces.insert(at, pieces[at].clone()),
        2 => {
            let with = rng.random_range(0..pieces.len());
            pieces.swap(at, with);
        }
        3 => pieces.insert(at, spare.choose(rng).cloned().unwrap_or_default()),
        4 => pieces[at] = WORDS.choose(rng).unwrap_or(&"").as_bytes().to_vec(),
        _ => change_octets(rng, &mut pieces[at], other),
    }
    *input = pieces.concat();
}

/// The lines of a text, each with its end.
fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    text.split_inclusive(|&octet| octet == b'\n').map(<[u8]>::to_vec).collect()
}

/// The words of a text and what is between them.
fn words(text: &[u8]) -> Vec<Vec<u8>> {
    text.chunk_by(|a, b| a.is_ascii_alphanumeric() == b.is_ascii_alphanumeric()).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_seed_is_an_input_and_inputs_differ_and_are_bounded() {
        let base = [0x30, 8, 2, 1, 7, 4, 3, b'a', b'b', b'\n'];
        let formats = [Format::Octets, Format::Ber { skip: 0 }, Format::Ber { skip: 2 }, Format::Text];
        for format in formats.into_iter().chain([Format::Steps { size: 3 }]) {
            let input = |seed| mutate(&mut StdRng::seed_from_u64(seed), format, &base, &[5; MAX_INPUT_OCTETS]);
            let mut different = std::collections::HashSet::new();
            for seed in 0..300 {
                assert_eq!(input(seed), input(seed));
                assert!(input(seed).len() <= MAX_INPUT_OCTETS);
                different.insert(input(seed));
            }
            assert!(different.len() > 150, "{format:?}: {}", different.len());
        }
    }

    #[test]
    fn nothing_at_all_can_be_changed_too() {
        for format in [Format::Octets, Format::Ber { skip: 9 }, Format::Text, Format::Steps { size: 4 }] {
            for seed in 0..300 {
                mutate(&mut StdRng::seed_from_u64(seed), format, &[], &[]);
            }
        }
    }
}
