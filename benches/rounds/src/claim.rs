//! Claims, one line each, in the format that `cargo xtask bench` joins into its table.
#![allow(clippy::print_stdout, reason = "what a bench says, it says on its standard output")]

use crate::Comparison;

/// What a claim's number should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// At least so many times better than the peer.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// Whatever it is.
    Informs,
}

impl Target {
    fn text(self) -> String {
        match self {
            Target::AtLeast(bound) => format!(">={bound}"),
            Target::AtMost(bound) => format!("<={bound}"),
            Target::Informs => "-".to_owned(),
        }
    }
}

/// Prints a comparison whose figures are nanoseconds.
pub fn claim(what: &str, peer: &str, comparison: &Comparison, target: Target) {
    println!("{}", comparison_line(what, peer, comparison, target));
}

/// Prints a number that is no comparison: `ours` with its unit, and what the peer has.
pub fn informs(what: &str, ours: &str, peer: &str, number: f64, target: Target) {
    println!("{}", line(what, ours, peer, &format!("{number:.2}"), target));
}

/// Says that a comparison could not be made on this machine, and why.
pub fn skipped(what: &str, peer: &str, why: &str, target: Target) {
    println!("{}", line(what, "-", &format!("{peer}: skipped, {why}"), "-", target));
}

fn comparison_line(what: &str, peer: &str, comparison: &Comparison, target: Target) -> String {
    let Comparison { ours, peer: theirs, ratio, lowest, highest } = *comparison;
    let peer = format!("{} {peer} ({lowest:.2} to {highest:.2})", time(theirs));
    line(what, &time(ours), &peer, &format!("{ratio:.3}"), target)
}

fn line(what: &str, ours: &str, peer: &str, number: &str, target: Target) -> String {
    // A tab or line end in a field would break the line.
    let field = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("BENCH\t{}\t{}\t{}\t{number}\t{}", field(what), field(ours), field(peer), target.text())
}

fn time(nanoseconds: f64) -> String {
    if nanoseconds < 10_000.0 { format!("{nanoseconds:.0} ns") } else { format!("{:.1} µs", nanoseconds / 1000.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_is_one_line_of_six_fields() {
        let comparison = Comparison { ours: 1250.0, peer: 12_500.0, ratio: 10.0, lowest: 9.5, highest: 10.25 };
        assert_eq!(
            comparison_line("decode", "async-snmp", &comparison, Target::AtLeast(3.0)),
            "BENCH\tdecode\t1250 ns\t12.5 µs async-snmp (9.50 to 10.25)\t10.000\t>=3"
        );
    }

    #[test]
    fn no_text_can_break_a_line() {
        assert_eq!(line("a\tb", "c\nd", " e ", "0", Target::AtMost(0.0)), "BENCH\ta b\tc d\te\t0\t<=0");
    }
}
