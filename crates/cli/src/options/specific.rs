//! `-C`, net-snmp's letters for what one command alone can do: `-Cn1 -Cr25`, `-Cn1r25`, `-Cc`.

use crate::failure::usage;

/// The two numbers of a GETBULK (RFC 3416 §4.2.3), as far as they were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BulkNumbers {
    /// `non-repeaters`.
    pub non_repeaters: Option<u32>,
    /// `max-repetitions`.
    pub max_repetitions: Option<u32>,
}

/// What `-C` says of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WalkLetters {
    /// `c`: names need not increase.
    pub any_order: bool,
    /// `i`: the OID itself comes first.
    pub include_root: bool,
    /// `I`: the OID itself is not asked where nothing is below it.
    pub never_root: bool,
    /// `p`: the number of variables is told.
    pub count: bool,
    /// `r`.
    pub max_repetitions: Option<u32>,
}

/// Reads the letters of `hamsa bulk`.
///
/// # Errors
/// A letter or number is wrong.
pub fn parse_bulk_letters(options: &[String]) -> anyhow::Result<BulkNumbers> {
    let mut numbers = BulkNumbers::default();
    read(options, |letter, number| {
        match letter {
            'n' => numbers.non_repeaters = Some(number()?),
            'r' => numbers.max_repetitions = Some(number()?),
            _ => return Err(unknown(letter, "-Cn NUMBER (non-repeaters) and -Cr NUMBER (max-repetitions)")),
        }
        Ok(())
    })?;
    Ok(numbers)
}

/// Reads the letters of `hamsa walk`.
///
/// # Errors
/// A letter or number is wrong.
pub fn parse_walk_letters(options: &[String]) -> anyhow::Result<WalkLetters> {
    let mut letters = WalkLetters::default();
    read(options, |letter, number| {
        match letter {
            'c' => letters.any_order = true,
            'i' => letters.include_root = true,
            'I' => letters.never_root = true,
            'p' => letters.count = true,
            'r' => letters.max_repetitions = Some(number()?),
            _ => return Err(unknown(letter, "-Cc, -Ci, -CI, -Cp and -Cr NUMBER")),
        }
        Ok(())
    })?;
    Ok(letters)
}

/// Takes each option apart; `number` reads the digits that follow the letter.
fn read(
    options: &[String],
    mut take: impl FnMut(char, &mut dyn FnMut() -> anyhow::Result<u32>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for option in options {
        let mut rest = option.as_str();
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            let mut number = || {
                let (digits, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
                rest = after;
                digits
                    .parse()
                    .map_err(|_| usage(format!("-C{letter} needs a number up to {}, as in -C{letter}10", u32::MAX)))
            };
            take(letter, &mut number)?;
        }
    }
    Ok(())
}

fn unknown(letter: char, known: &str) -> anyhow::Error {
    usage(format!("-C{letter}: this command takes {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn bulk_letters() {
        let expected = BulkNumbers { non_repeaters: Some(1), max_repetitions: Some(25) };
        assert_eq!(parse_bulk_letters(&options(&["n1", "r25"])).unwrap(), expected);
        assert_eq!(parse_bulk_letters(&options(&["n1r25"])).unwrap(), expected);
        assert_eq!(parse_bulk_letters(&[]).unwrap(), BulkNumbers::default());
        for wrong in ["n", "r-1", "x1", "n1x", "r99999999999"] {
            parse_bulk_letters(&options(&[wrong])).expect_err(wrong);
        }
    }

    #[test]
    fn walk_letters() {
        let letters = parse_walk_letters(&options(&["cp", "r10", "I"])).unwrap();
        assert!(letters.any_order && letters.count && letters.never_root && !letters.include_root);
        assert_eq!(letters.max_repetitions, Some(10));
        parse_walk_letters(&options(&["t"])).expect_err("no timing of walks");
    }
}
