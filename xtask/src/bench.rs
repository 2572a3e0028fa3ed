//! `cargo xtask bench`: runs the registered benches one after the other and joins what they claim into one table.
//!
//! A bench is a program. On its standard output each claim is one line of six fields with tabs between them:
//!
//! ```text
//! BENCH<tab>claim<tab>ours<tab>peer<tab>ratio<tab>target
//! ```
//!
//! `claim`, `ours` and `peer` are text, figures with their units (`peer` says who it is: `4.5 µs async-snmp`).
//! `ratio` is a number, or `-` where it could not be measured here and `peer` says why. `target` is what the number
//! should be: `>=3`, `<=0.5`, or `-` where the claim only informs.
//! Everything else a bench prints is for people. A missed target is shown, not an error: figures depend on the
//! machine, and a bench is no test. A bench that fails, or claims nothing, is one.

use std::time::Duration;

use anyhow::{bail, ensure};

use crate::run::{cargo, run_with_lines, shown};

/// For one bench with its release build.
const BENCH_LIMIT: Duration = Duration::from_secs(45 * 60);

/// Lines that start with this are claims.
const MARKER: &str = "BENCH\t";

/// One bench.
struct Bench {
    /// What `cargo xtask bench NAME` calls it.
    name: &'static str,
    /// The arguments to cargo that run it.
    cargo: &'static [&'static str],
}

/// All benches, in the order of the table.
const BENCHES: &[Bench] = &[
    Bench { name: "codec", cargo: &["bench", "--package", "hamsa-bench-snmp", "--bench", "codec"] },
    Bench { name: "usm", cargo: &["bench", "--package", "hamsa-bench-snmp", "--bench", "usm"] },
    Bench { name: "allocations", cargo: &["bench", "--package", "hamsa-bench-snmp", "--bench", "allocations"] },
    Bench { name: "gate", cargo: &["bench", "--package", "hamsa-bench-swap", "--bench", "gate"] },
    Bench { name: "blackout", cargo: &["bench", "--package", "hamsa-bench-swap", "--bench", "blackout"] },
    Bench { name: "otp", cargo: &["bench", "--package", "hamsa-bench-swap", "--bench", "otp"] },
    Bench { name: "reload", cargo: &["bench", "--package", "hamsa-bench-swap", "--bench", "reload"] },
    Bench { name: "agent", cargo: &["run", "--release", "--package", "hamsa-bench-agent"] },
    Bench { name: "poller", cargo: &["run", "--release", "--package", "hamsa-bench-poller"] },
    Bench { name: "scale", cargo: &["run", "--release", "--package", "hamsa-bench-scale"] },
    Bench { name: "corosync", cargo: &["run", "--release", "--package", "hamsa-bench-group", "--", "corosync"] },
    Bench {
        name: "detection",
        cargo: &["run", "--release", "--package", "hamsa-bench-group", "--features", "zenoh", "--", "detection"],
    },
    Bench {
        name: "pairs",
        cargo: &["run", "--release", "--package", "hamsa-bench-group", "--features", "zenoh", "--", "pairs"],
    },
    Bench {
        name: "wire",
        cargo: &["run", "--release", "--package", "hamsa-bench-group", "--features", "zenoh", "--", "wire"],
    },
    Bench { name: "store", cargo: &["bench", "--package", "hamsa-bench-store", "--bench", "engines"] },
];

/// Runs the benches named, or all.
///
/// # Errors
/// An unknown name, an interruption, or a bench that failed.
pub(crate) fn run(names: &[String]) -> anyhow::Result<()> {
    for name in names {
        let known: Vec<&str> = BENCHES.iter().map(|bench| bench.name).collect();
        ensure!(known.contains(&name.as_str()), "no bench is called `{name}`; there are: {}", known.join(", "));
    }
    let mut claims = Vec::new();
    let mut failures = Vec::new();
    for bench in BENCHES.iter().filter(|bench| names.is_empty() || names.iter().any(|name| name == bench.name)) {
        let command = cargo(bench.cargo);
        println!("\n== {}: {}", bench.name, shown(&command));
        let before = claims.len();
        let end = run_with_lines(command, BENCH_LIMIT, |line| match Claim::parse(line) {
            None => {}
            Some(Ok(claim)) => claims.push(claim),
            Some(Err(error)) => failures.push(format!("{}: {error} in `{line}`", bench.name)),
        })?;
        if !end.success() {
            failures.push(format!("{}: {end}", bench.name));
        } else if claims.len() == before {
            failures.push(format!("{}: it claims nothing", bench.name));
        }
    }
    print!("\n{}", table(&claims));
    if !failures.is_empty() {
        bail!("{}", failures.join("\n"));
    }
    Ok(())
}

#[derive(Debug, Clone, PartialEq)]
struct Claim {
    claim: String,
    ours: String,
    peer: String,
    /// `None`: skipped.
    ratio: Option<f64>,
    target: Target,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Target {
    AtLeast(f64),
    AtMost(f64),
    None,
}

impl Claim {
    /// `None` for a line that is no claim.
    fn parse(line: &str) -> Option<Result<Self, String>> {
        let fields: Vec<&str> = line.strip_prefix(MARKER)?.split('\t').map(str::trim).collect();
        let [claim, ours, peer, ratio, target] = fields[..] else {
            return Some(Err(format!("{} fields after the marker, 5 are needed", fields.len())));
        };
        let number = |text: &str| match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(format!("`{text}` is not a number")),
        };
        let target = || match (target.strip_prefix(">="), target.strip_prefix("<=")) {
            (Some(bound), _) => Ok(Target::AtLeast(number(bound)?)),
            (_, Some(bound)) => Ok(Target::AtMost(number(bound)?)),
            _ if target == "-" => Ok(Target::None),
            _ => Err(format!("the target `{target}` is none of `>=N`, `<=N`, `-`")),
        };
        let (claim, ours, peer) = (claim.to_owned(), ours.to_owned(), peer.to_owned());
        let ratio = if ratio == "-" { Ok(None) } else { number(ratio).map(Some) };
        Some(ratio.and_then(|ratio| Ok(Claim { claim, ours, peer, ratio, target: target()? })))
    }

    fn cells(&self) -> [String; 6] {
        let (target, met) = match self.target {
            Target::AtLeast(bound) => (format!(">= {bound}"), self.ratio.map(|ratio| ratio >= bound)),
            Target::AtMost(bound) => (format!("<= {bound}"), self.ratio.map(|ratio| ratio <= bound)),
            Target::None => ("-".to_owned(), None),
        };
        let met = met.map_or("-", |met| if met { "yes" } else { "NO" });
        let (ratio, met) = match self.ratio {
            Some(ratio) => (format!("{ratio:.2}"), met),
            None => ("-".to_owned(), "skipped"),
        };
        [self.claim.clone(), self.ours.clone(), self.peer.clone(), ratio, target, met.to_owned()]
    }
}

/// As a table of GitHub's Markdown, so that it can be pasted, with aligned columns, so that it can be read.
fn table(claims: &[Claim]) -> String {
    let head = ["claim", "ours", "peer", "ratio", "target", "met"].map(str::to_owned);
    let rows: Vec<[String; 6]> = claims.iter().map(Claim::cells).collect();
    let width = |column: usize| {
        let cells = rows.iter().chain(std::iter::once(&head));
        cells.map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!(" {cell:<width$} "));
        format!("|{}|\n", cells.collect::<Vec<_>>().join("|"))
    };
    let rule = widths.map(|width| "-".repeat(width));
    std::iter::once(&head).chain(std::iter::once(&rule)).chain(&rows).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_become_a_table() {
        let lines = [
            "BENCH\tdecode\t1.3 µs\t4.5 µs async-snmp\t3.46\t>=3",
            "BENCH\tmemory a device\t9 KiB\t-\t9\t<= 4",
            "BENCH\tfrom a bare loop\t2 µs\t1 µs\t0.5\t-",
            "BENCH\tpoll\t-\tno cc\t-\t>=2",
        ];
        let claims: Vec<Claim> = lines.iter().map(|line| Claim::parse(line).unwrap().unwrap()).collect();
        let expected = "\
| claim            | ours   | peer              | ratio | target | met     |
| ---------------- | ------ | ----------------- | ----- | ------ | ------- |
| decode           | 1.3 µs | 4.5 µs async-snmp | 3.46  | >= 3   | yes     |
| memory a device  | 9 KiB  | -                 | 9.00  | <= 4   | NO      |
| from a bare loop | 2 µs   | 1 µs              | 0.50  | -      | -       |
| poll             | -      | no cc             | -     | >= 2   | skipped |
";
        assert_eq!(table(&claims), expected);
    }

    #[test]
    fn other_lines_pass_and_broken_claims_are_told() {
        assert_eq!(Claim::parse("decode 1.3 µs"), None);
        for broken in ["BENCH\ta\tb", "BENCH\ta\tb\tc\tfast\t-", "BENCH\ta\tb\tc\tNaN\t-", "BENCH\ta\tb\tc\t1\t3"] {
            assert!(Claim::parse(broken).unwrap().is_err(), "{broken}");
        }
    }
}
