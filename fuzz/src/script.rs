//! Octets as decisions: what a script of a state machine is read from. A script that has ended decides for
//! nothing, so every prefix of a script is one too.

/// Octets of a step.
pub const STEP_OCTETS: usize = 12;

/// Reads decisions.
#[derive(Debug, Clone)]
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// A script from its start.
    pub fn new(octets: &'a [u8]) -> Self {
        Script(octets)
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next octet; 0 at the end.
    pub fn octet(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    /// A number below `limit`, which is not 0 and at most 256.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::from(self.octet()) % limit
    }

    /// One of some things.
    pub fn one_of<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.below(things.len())]
    }

    /// So many octets, or as many as there are.
    pub fn octets(&mut self, count: usize) -> &'a [u8] {
        let (octets, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        octets
    }

    /// The next step, a script of its own: what a step does not use up is not read by the next one, so a
    /// change to a step changes no other.
    pub fn step(&mut self) -> Script<'a> {
        Script(self.octets(STEP_OCTETS))
    }
}
