//! `-O`, how names and values are written, with net-snmp's letters; and `--output`, how variables are laid out.

use clap::{Args, ValueEnum};
use hamsa_snmp::mib::OidFormat;

use crate::failure::usage;

/// How variables are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Layout {
    /// A line a variable, as net-snmp's tools print it
    #[default]
    Plain,
    /// Conceptual tables as tables, one row a line; other variables by name
    Table,
    /// One JSON object a line
    Json,
    /// Comma-separated values with a header
    Csv,
}

/// Options that say how names and values are written.
#[derive(Debug, Clone, Args, Default)]
#[command(next_help_heading = "Output")]
pub struct ValueOptions {
    /// How names and values look, as net-snmp's -O. Names: S with module (the default), s without, f full, n numbers, b
    /// index as numbers. Values: q without type and =, Q without type, v value only, e enumerations as numbers, t
    /// time ticks as numbers, U without units, x strings in hexadecimal, a strings as ASCII
    #[arg(short = 'O', long = "format", value_name = "LETTERS")]
    pub formats: Vec<String>,
}

/// Options that say how variables are printed.
#[derive(Debug, Clone, Args, Default)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    #[command(flatten)]
    pub values: ValueOptions,
    /// How variables are laid out
    #[arg(short = 'o', long = "output", value_name = "LAYOUT", default_value = "plain", hide_possible_values = false)]
    pub layout: Layout,
    /// With json or csv: one object or line a row of a conceptual table, not a variable
    #[arg(long)]
    pub rows: bool,
}

/// How an OID is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameStyle {
    /// With which names.
    pub format: OidFormat,
    /// Whether an index stays numbers.
    pub numeric_index: bool,
}

/// How a string is written that has no DISPLAY-HINT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StringStyle {
    /// As text where it is text.
    #[default]
    Automatic,
    /// In hexadecimal.
    Hex,
    /// As ASCII, other octets as dots.
    Ascii,
}

/// What stands between a name and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Separator {
    /// ` = ` and the type.
    #[default]
    TypedEquals,
    /// ` = `.
    Equals,
    /// A blank.
    Blank,
    /// There is no name.
    ValueOnly,
}

/// How a variable is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineFormat {
    /// Its name, and OIDs in its value.
    pub names: NameStyle,
    /// What stands before the value.
    pub separator: Separator,
    /// Whether types are left out, also where there is no name.
    pub quick: bool,
    /// Enumerations as numbers.
    pub numeric_enumerations: bool,
    /// Time ticks as numbers.
    pub raw_ticks: bool,
    /// Values without units.
    pub no_units: bool,
    /// Strings.
    pub strings: StringStyle,
}

impl Default for LineFormat {
    fn default() -> Self {
        LineFormat {
            names: NameStyle { format: OidFormat::Module, numeric_index: false },
            separator: Separator::TypedEquals,
            quick: false,
            numeric_enumerations: false,
            raw_ticks: false,
            no_units: false,
            strings: StringStyle::Automatic,
        }
    }
}

impl ValueOptions {
    /// What the letters mean.
    ///
    /// # Errors
    /// A letter is unknown.
    pub fn line_format(&self) -> anyhow::Result<LineFormat> {
        let mut format = LineFormat::default();
        let mut values_only = false;
        for letter in self.formats.iter().flat_map(|letters| letters.chars()) {
            match letter {
                'S' => format.names.format = OidFormat::Module,
                's' => format.names.format = OidFormat::Short,
                'f' => format.names.format = OidFormat::Full,
                'n' => format.names.format = OidFormat::Numeric,
                'b' => format.names.numeric_index = true,
                'q' => (format.separator, format.quick) = (Separator::Blank, true),
                'Q' => (format.separator, format.quick) = (Separator::Equals, true),
                'v' => values_only = true,
                'e' => format.numeric_enumerations = true,
                't' => format.raw_ticks = true,
                'U' => format.no_units = true,
                'x' => format.strings = StringStyle::Hex,
                'a' => format.strings = StringStyle::Ascii,
                'E' | 'T' | 'u' | 'X' | 'p' | '0' => {
                    return Err(usage(format!(
                        "-O{letter} of net-snmp is not known here: use letters of SsfnbqQvetUxa"
                    )));
                }
                other => return Err(usage(format!("-O{other}: use letters of SsfnbqQvetUxa"))),
            }
        }
        if values_only {
            format.separator = Separator::ValueOnly;
        }
        Ok(format)
    }

    /// Whether any letter is given.
    pub fn is_given(&self) -> bool {
        !self.formats.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(letters: &[&str]) -> anyhow::Result<LineFormat> {
        ValueOptions { formats: letters.iter().map(|&text| text.to_owned()).collect() }.line_format()
    }

    #[test]
    fn letters_add_up_in_any_order() {
        let expected = format(&["qvn"]).unwrap();
        assert_eq!(expected.separator, Separator::ValueOnly);
        assert!(expected.quick && expected.names.format == OidFormat::Numeric);
        for letters in [&["vqn"][..], &["n", "q", "v"], &["vn", "q"]] {
            assert_eq!(format(letters).unwrap(), expected, "{letters:?}");
        }
        let typed = format(&["v"]).unwrap();
        assert_eq!((typed.separator, typed.quick), (Separator::ValueOnly, false));
        assert_eq!(format(&[]).unwrap(), LineFormat::default());
    }

    #[test]
    fn letters_that_are_not_known_are_refused() {
        for letter in ["X", "u", "z", "ü"] {
            format(&[letter]).expect_err(letter);
        }
    }
}
