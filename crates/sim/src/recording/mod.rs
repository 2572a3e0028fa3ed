//! Recordings of agents: read from text, kept compactly, looked up by name, shared by any number of devices.
//!
//! A recording holds its variables one after the other as octets: a length and the name's BER, a tag, a
//! length and the value's BER. Beside that there are four octets for each variable, its offset, in the order
//! of names; lookups are binary searches over them. [`Library`] names recordings; an agent that plays one back
//! has the variations' state of its own.
//!
//! Left out of snmpsim: the formats `.dump`, `.mvc` and `.sapwalk`, the variations that reach outside (`sql`,
//! `redis`, `subprocess`), and sending notifications on SETs. Such lines are reported.

mod diagnostic;
mod library;
mod lines;
mod numeric;
mod options;
mod player;
mod snmprec;
mod snmpwalk;
mod text;
mod variation;

use std::cmp::Ordering;
use std::io::BufRead;

use hamsa_snmp::{Oid, OidRef, Value};

pub use diagnostic::{Diagnostic, Diagnostics, Problem};
pub use library::{Library, MissingSnapshots, RecordingFile};
pub use lines::ReadRecordingError;
pub(crate) use player::RecordedAgent;

use crate::limits::{MAX_SUBTREES, MAX_VARIATIONS};
use variation::{SubtreeRule, Variation};

/// How a recording is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// snmpsim's own: `OID|TAG|VALUE`.
    Snmprec,
    /// What net-snmp's `snmpwalk -On` prints; `-ObentU` besides, for names and numbers that lose nothing.
    Snmpwalk,
}

/// The variables of an agent, and how they vary.
#[derive(Debug, Default)]
pub struct Recording {
    octets: Box<[u8]>,
    /// Offsets in `octets`, sorted by the names there.
    starts: Box<[u32]>,
    variations: Box<[Variation]>,
    subtrees: Box<[(Oid, SubtreeRule)]>,
}

/// The tag of a variable whose content is an index of `Recording::variations`: no BER tag of SNMP.
const VARIATION_TAG: u8 = 0xff;

/// What is recorded for one variable.
#[derive(Debug, Clone, Copy)]
enum Recorded<'r> {
    Value(Value<'r>),
    Variation(&'r Variation),
}

impl Recording {
    /// Reads a recording. Lines that can't be read are left out and reported.
    pub fn read(input: impl BufRead, format: Format) -> Result<(Self, Diagnostics), ReadRecordingError> {
        let mut builder = Builder::default();
        match format {
            Format::Snmprec => snmprec::read(input, &mut builder)?,
            Format::Snmpwalk => snmpwalk::read(input, &mut builder)?,
        }
        Ok(builder.finish())
    }

    /// How many variables.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The names in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = OidRef<'_>> {
        (0..self.len()).map(|index| self.name(index))
    }

    /// How much memory it takes, in octets, variations' own strings left aside.
    pub fn memory_octets(&self) -> usize {
        self.octets.len()
            + size_of_val(&*self.starts)
            + size_of_val(&*self.variations)
            + size_of_val(&*self.subtrees)
            + size_of::<Self>()
    }

    /// The index of a name.
    fn find(&self, name: OidRef<'_>) -> Option<usize> {
        self.starts.binary_search_by(|&start| name_at(&self.octets, start).0.cmp(&name)).ok()
    }

    /// The index of the first name after this one; `len()` if there is none.
    fn after(&self, name: OidRef<'_>) -> usize {
        self.starts.partition_point(|&start| name_at(&self.octets, start).0 <= name)
    }

    /// The index of the first name that is this one or after it.
    fn first_from(&self, name: OidRef<'_>) -> usize {
        self.starts.partition_point(|&start| name_at(&self.octets, start).0 < name)
    }

    /// The index of the first name after a subtree that the name at `index` is in.
    fn end_of(&self, root: OidRef<'_>, index: usize) -> usize {
        index + self.starts[index..].partition_point(|&start| name_at(&self.octets, start).0.starts_with(root))
    }

    fn name(&self, index: usize) -> OidRef<'_> {
        name_at(&self.octets, self.starts[index]).0
    }

    fn recorded(&self, index: usize) -> Recorded<'_> {
        let (_, end) = name_at(&self.octets, self.starts[index]);
        let tag = self.octets[end];
        let (length, start) = read_length(&self.octets, end + 1);
        let content = &self.octets[start..start + length];
        if tag == VARIATION_TAG {
            let index = content.iter().fold(0, |n, &octet| n << 8 | usize::from(octet));
            return Recorded::Variation(&self.variations[index]);
        }
        Recorded::Value(Value::from_ber(tag, content))
    }
}

/// The name that starts at an offset, and where it ends.
fn name_at(octets: &[u8], start: u32) -> (OidRef<'_>, usize) {
    let (length, start) = read_length(octets, start as usize);
    (OidRef::from_checked(&octets[start..start + length]), start + length)
}

/// A length in groups of seven bits, the highest first; and where it ends.
fn read_length(octets: &[u8], mut at: usize) -> (usize, usize) {
    let mut length = 0;
    loop {
        let octet = octets[at];
        at += 1;
        length = length << 7 | usize::from(octet & 0x7f);
        if octet < 0x80 {
            return (length, at);
        }
    }
}

fn push_length(octets: &mut Vec<u8>, length: usize) {
    for shift in [14, 7] {
        if length >> shift != 0 {
            octets.push((length >> shift & 0x7f) as u8 | 0x80);
        }
    }
    octets.push((length & 0x7f) as u8);
}

/// A variable while its recording is read.
struct Start {
    offset: u32,
    line: u32,
}

/// Collects what the readers of the formats find.
#[derive(Default)]
struct Builder {
    /// The line that is being read.
    line: u32,
    octets: Vec<u8>,
    starts: Vec<Start>,
    is_sorted: Sorted,
    variations: Vec<Variation>,
    subtrees: Vec<(Oid, SubtreeRule)>,
    diagnostics: Diagnostics,
}

/// How names have come so far.
#[derive(Default, PartialEq, Eq)]
enum Sorted {
    #[default]
    Strictly,
    /// Some came twice in a row.
    WithDuplicates,
    No,
}

impl Builder {
    fn value(&mut self, name: &Oid, value: &Value<'_>) {
        let mut number = [0; 9];
        let (tag, content) = value.to_ber(&mut number);
        self.push(name, tag, content);
    }

    fn variation(&mut self, name: &Oid, variation: Variation) -> Result<(), Problem> {
        if self.variations.len() == MAX_VARIATIONS {
            return Err(Problem::TooManyVariations);
        }
        let index = self.variations.len() as u32;
        self.variations.push(variation);
        self.push(name, VARIATION_TAG, &index.to_be_bytes());
        Ok(())
    }

    fn subtree(&mut self, root: Oid, rule: SubtreeRule) -> Result<(), Problem> {
        if self.subtrees.len() == MAX_SUBTREES {
            return Err(Problem::TooManySubtrees);
        }
        self.subtrees.push((root, rule));
        Ok(())
    }

    fn report(&mut self, problem: Problem) {
        self.diagnostics.report(self.line, problem);
    }

    fn push(&mut self, name: &Oid, tag: u8, content: &[u8]) {
        let last = self.starts.last().map(|start| name_at(&self.octets, start.offset).0);
        match last.map(|last| name.as_oid().cmp(&last)) {
            Some(Ordering::Less) if self.is_sorted != Sorted::No => {
                self.is_sorted = Sorted::No;
                self.report(Problem::NotSorted);
            }
            Some(Ordering::Equal) if self.is_sorted == Sorted::Strictly => self.is_sorted = Sorted::WithDuplicates,
            _ => {}
        }
        // The text is bounded far below 4 GiB, and no line takes more octets here than there.
        let offset = u32::try_from(self.octets.len()).expect("bounded by the text's size");
        self.starts.push(Start { offset, line: self.line });
        push_length(&mut self.octets, name.as_oid().as_ber().len());
        self.octets.extend_from_slice(name.as_oid().as_ber());
        self.octets.push(tag);
        push_length(&mut self.octets, content.len());
        self.octets.extend_from_slice(content);
    }

    fn finish(mut self) -> (Recording, Diagnostics) {
        let octets = self.octets.into_boxed_slice();
        if self.is_sorted != Sorted::Strictly {
            let name = |start: &Start| name_at(&octets, start.offset).0;
            self.starts.sort_by(|a, b| name(a).cmp(&name(b)).then(a.line.cmp(&b.line)));
            let mut kept = Vec::with_capacity(self.starts.len());
            let mut starts = self.starts.into_iter().peekable();
            while let Some(start) = starts.next() {
                match starts.peek() {
                    Some(next) if name(next) == name(&start) => {
                        self.diagnostics.report(start.line, Problem::Duplicate);
                    }
                    _ => kept.push(start),
                }
            }
            self.starts = kept;
        }
        self.subtrees.sort_by(|(a, _), (b, _)| a.cmp(b));
        let recording = Recording {
            octets,
            starts: self.starts.iter().map(|start| start.offset).collect(),
            variations: self.variations.into(),
            subtrees: self.subtrees.into(),
        };
        (recording, self.diagnostics)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use hamsa_snmp::VarBindBuf;
    use hamsa_snmp::agent::{Instrumentation, Requester};
    use hamsa_snmp::engine::Name;
    use hamsa_snmp::message::SecurityLevel;

    use super::*;
    use crate::clock::Epoch;
    use crate::noise::Noise;

    fn read(text: &str, format: Format) -> (Vec<String>, Vec<(u32, &'static str)>) {
        let (recording, diagnostics) = Recording::read(text.as_bytes(), format).unwrap();
        let found = diagnostics.first().iter().map(|d| (d.line, d.problem.kind())).collect();
        (recording.names().map(|name| name.to_string()).collect(), found)
    }

    #[test]
    fn broken_lines_are_left_out_and_named() {
        let text = "# a comment\n\n1.3.1|2|1\n1.3.2|2|x\nwhat\n1.3.3|99|1\n1.3..4|2|1\n1.3.5|4x|0\n1.3.6|2:sql|t\n\
                    1.3.7|:redis|t\n1.3.8|4:notification|host=127.0.0.1,value=v\n  1.3.9 | 4 |tail  \n|2|1\n1.3.10||1\n";
        let (names, diagnostics) = read(text, Format::Snmprec);
        assert_eq!(names, ["1.3.1", "1.3.8", "1.3.9"]);
        let expected = [
            (4, "bad-number"),
            (5, "not-three-fields"),
            (6, "unknown-tag"),
            (7, "bad-name"),
            (8, "bad-hex"),
            (9, "unsupported-variation"),
            (10, "unsupported-variation"),
            (11, "notification-not-sent"),
            (13, "bad-name"),
            (14, "unknown-tag"),
        ];
        assert_eq!(diagnostics, expected);
    }

    #[test]
    fn lines_in_any_order_are_sorted_and_the_last_of_a_name_counts() {
        let text = "1.3.2|2|2\n1.3.2|2|22\n1.3.128|2|3\n1.3.1|2|1\n1.3.3|2|3\n1.3.0|2|0\n1.3.2|2|222\n";
        let (names, diagnostics) = read(text, Format::Snmprec);
        assert_eq!(names, ["1.3.0", "1.3.1", "1.3.2", "1.3.3", "1.3.128"]);
        assert_eq!(diagnostics, [(4, "not-sorted"), (1, "duplicate"), (2, "duplicate")]);
        let (recording, diagnostics) = Recording::read(text.as_bytes(), Format::Snmprec).unwrap();
        let index = recording.find("1.3.2".parse::<Oid>().unwrap().as_oid()).unwrap();
        assert!(matches!(recording.recorded(index), Recorded::Value(Value::Integer(222))));
        assert_eq!((diagnostics.lines_lost(), diagnostics.total()), (2, 3));
        let (names, diagnostics) = read("1.3.2|2|2\n1.3.2|2|22\n1.3.3|2|1\n", Format::Snmprec);
        assert_eq!((names.len(), diagnostics), (2, vec![(1, "duplicate")]));
    }

    #[test]
    fn walks_are_read_over_several_lines() {
        let text = "iso.3.6.1.2.1.1.1.0 = STRING: \"first\nsecond = third\"\n\
                    .1.3.6.1.2.1.1.2.0 = OID: .1.3.6.1.4.1.9\n.1.3.6.1.2.1.1.3.0 = Hex-STRING: 00 01 \n02 03 \n\
                    .1.3.6.1.2.1.1.4.0 = Widget: 4\nIF-MIB::ifIndex.1 = INTEGER: 1\n\
                    .1.3.6.1.2.1.1.5.0 = No more variables left in this MIB View\n";
        let (names, diagnostics) = read(text, Format::Snmpwalk);
        assert_eq!(names, ["1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.3.0"]);
        assert_eq!(diagnostics, [(6, "unknown-type"), (7, "bad-name")]);
        let (recording, _) = Recording::read(text.as_bytes(), Format::Snmpwalk).unwrap();
        assert!(matches!(recording.recorded(0), Recorded::Value(Value::OctetString(b"first\nsecond = third"))));
        assert!(matches!(recording.recorded(2), Recorded::Value(Value::OctetString(&[0, 1, 2, 3]))));
        let (_, diagnostics) = read("Timeout: No Response\nx = 3\n", Format::Snmpwalk);
        assert_eq!(diagnostics, [(1, "stray-continuation"), (2, "not-an-assignment")]);
    }

    #[test]
    fn a_recording_takes_less_than_its_text() {
        let lines = (1..=20_000).map(|i| format!("1.3.6.1.2.1.2.2.1.10.{i}|65|{}\n", i * 7919));
        let text: String = lines.collect();
        let (recording, _) = Recording::read(text.as_bytes(), Format::Snmprec).unwrap();
        assert_eq!(recording.len(), 20_000);
        assert!(recording.memory_octets() < text.len(), "{} of {}", recording.memory_octets(), text.len());
    }

    #[test]
    fn the_number_of_diagnostics_kept_is_bounded() {
        let text = "nothing\n".repeat(crate::limits::MAX_DIAGNOSTICS * 2);
        let (_, diagnostics) = Recording::read(text.as_bytes(), Format::Snmprec).unwrap();
        assert_eq!(diagnostics.first().len(), crate::limits::MAX_DIAGNOSTICS);
        assert_eq!(diagnostics.lines_lost(), 2 * crate::limits::MAX_DIAGNOSTICS as u64);
        assert_eq!(diagnostics.first()[0].to_string(), "line 1: not OID|TAG|VALUE");
    }

    /// Lines made of what the formats are made of, in any order: whatever comes of it can be played.
    #[test]
    fn no_text_makes_reading_or_playing_panic() {
        const PIECES: [&[u8]; 40] = [
            b"1.3.6.1.2",
            b".1",
            b"|",
            b"|",
            b"|",
            b"\n",
            b"\n",
            b"4",
            b"4x",
            b"4e",
            b"65",
            b"67",
            b"70",
            b"128",
            b"2",
            b":numeric|rate=1e300,max=0,wrap=1",
            b":delay|wait=1e12,deviation=1e308",
            b":error|op=get,status=genErr",
            b":writecache|value=",
            b":multiplex|dir=x,period=1e-9",
            b"0a0b",
            b"\\x0",
            b"\xff\xfe",
            b"=",
            b",",
            b":",
            b" = ",
            b"STRING: \"",
            b"Hex-STRING: ",
            b"BITS: 00 20 10",
            b"INTEGER: up(",
            b"Opaque: Float: ",
            b"-5",
            b"99999999999999999999",
            b"\"",
            b"[",
            b")",
            b"cumulative=1",
            b"function=pow%<time>%2",
            b"::",
        ];
        let mut noise = Noise::new(7);
        for format in [Format::Snmprec, Format::Snmpwalk] {
            for _ in 0..3_000 {
                let count = noise.below(60);
                let text: Vec<u8> = (0..count)
                    .flat_map(|_| PIECES[noise.below(PIECES.len() as u64) as usize].iter().copied())
                    .collect();
                let (recording, _) = Recording::read(&text[..], format).unwrap();
                let names: Vec<Oid> = recording.names().map(|name| name.to_owned()).collect();
                assert!(names.is_sorted_by(|a, b| a < b), "{}", text.escape_ascii());
                let now = Instant::now();
                let epoch = Epoch { instant: now - Duration::from_secs(1), unix: Duration::from_secs(1) };
                let agent = RecordedAgent::new(Arc::new(recording), &Library::new(), epoch, 1, Arc::default());
                for name in &names {
                    // What the object answers is its own affair.
                    let mut varbinds = VarBindBuf::new();
                    let _ = agent.get(now, name.as_oid(), &mut varbinds);
                    let _ = agent.get_next(now, name.as_oid(), &mut varbinds);
                    let set = VarBindBuf::from_iter(varbinds.iter().take(1));
                    let security_name = Name::default();
                    let level = SecurityLevel::NoAuthNoPriv;
                    let requester = Requester { security_model: 2, security_name: &security_name, level };
                    let _ = agent.set(now, requester, set.as_list());
                }
            }
        }
    }
}
