//! The response that all contenders carry, independent of anybody's types, and what a receiver does with it.

/// `mib-2`, below which every name lies.
pub const MIB_2: &[u32] = &[1, 3, 6, 1, 2, 1];

/// The community of the messages.
pub const COMMUNITY: &[u8] = b"public";

/// `request-id` of the response.
pub const REQUEST_ID: i32 = 0x1234_5678;

/// Variable bindings in a response.
pub const BINDINGS: u32 = 25;

/// One variable binding.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The instance's sub-identifiers.
    pub name: Vec<u32>,
    /// Its value.
    pub value: Datum,
}

/// A value.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub enum Datum {
    Counter64(u64),
    Gauge32(u32),
    TimeTicks(u32),
    String(&'static [u8]),
    Oid(Vec<u32>),
}

/// What a GETBULK of `ifHCInOctets` gives: counters of 64 bits that have been counting for a while.
pub fn counters() -> Vec<Binding> {
    let counter = |row: u32| Datum::Counter64(7_000_000_000_000 * u64::from(row) + 123_456_789);
    (1..=BINDINGS).map(|row| Binding { name: below_mib_2(&[31, 1, 1, 1, 6, row]), value: counter(row) }).collect()
}

/// What a GETBULK of five columns gives: `ifName`, `ifAlias`, `ifHighSpeed`, `ifLastChange` and `ifSpecific`.
pub fn mixed() -> Vec<Binding> {
    let columns: [(&[u32], Datum); 5] = [
        (&[31, 1, 1, 1, 1], Datum::String(b"GigabitEthernet1/0/17")),
        (&[31, 1, 1, 1, 18], Datum::String(b"uplink to the distribution switch in room 4.11")),
        (&[31, 1, 1, 1, 15], Datum::Gauge32(10_000)),
        (&[2, 2, 1, 9], Datum::TimeTicks(1_234_567_890)),
        (&[2, 2, 1, 22], Datum::Oid(vec![1, 3, 6, 1, 2, 1, 10, 7, 2])),
    ];
    let rows = (10_101..).take(BINDINGS as usize / columns.len());
    let row = |index: u32| {
        columns.iter().map(move |(column, value)| {
            let name = [*column, &[index]].concat();
            Binding { name: below_mib_2(&name), value: value.clone() }
        })
    };
    rows.flat_map(row).collect()
}

fn below_mib_2(rest: &[u32]) -> Vec<u32> {
    [MIB_2, rest].concat()
}

/// What a receiver does with the bindings of a response: it finds column and row of each name, and looks at each
/// value. The sum is the same for all contenders, and nothing of it can be left out.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally(pub u64);

impl Tally {
    /// Takes the sub-identifiers of a name below [`MIB_2`], or those of a value.
    #[inline]
    pub fn arcs(&mut self, arcs: impl IntoIterator<Item = u32>) {
        self.0 = arcs.into_iter().fold(self.0, |sum, arc| sum.wrapping_mul(31).wrapping_add(u64::from(arc)));
    }

    /// Takes a number.
    #[inline]
    pub fn number(&mut self, number: u64) {
        self.0 = self.0.wrapping_mul(31).wrapping_add(number);
    }

    /// Takes a string: its length and ends.
    #[inline]
    pub fn octets(&mut self, octets: &[u8]) {
        let end = |octet: Option<&u8>| octet.map_or(0, |&octet| u64::from(octet));
        self.number(octets.len() as u64 + end(octets.first()) * 256 + end(octets.last()) * 65_536);
    }
}
