//! A secret that never shows: communities, passwords, tokens.
//!
//! Where it comes from (the file itself, another file, the environment) is [`super::section`]'s business.

use std::fmt;

use zeroize::Zeroizing;

/// Octets that must not be seen. They are overwritten when dropped, `Debug` shows none of them, there is no
/// `Display`, and no serialisation. A move may leave a copy on the stack, as with any value in Rust.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the octets over.
    pub fn new(octets: Vec<u8>) -> Self {
        Secret(Zeroizing::new(octets))
    }

    /// The octets. Don't print or keep them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let shown =
            format!("{:?} {:#?}", Secret::new(b"maplesyrup".to_vec()), Some(Secret::new(b"maplesyrup".to_vec())));
        assert!(!shown.contains("maple") && !shown.contains("109"), "{shown}");
    }
}
