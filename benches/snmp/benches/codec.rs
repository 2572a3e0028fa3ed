//! Processor time to write and to read one SNMPv2c response of 25 variable bindings.

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Duration;

use hamsa_bench_rounds::{Repeat, Target, claim, take_turns};
use hamsa_bench_snmp::community::{AsyncSnmp, Codec, Ours, RasnSnmp};
use hamsa_bench_snmp::workload::{Binding, counters, mixed};

const ROUNDS: usize = 51;

/// What one contender takes of a round.
const FIGURE: Duration = Duration::from_millis(5);

const TARGET: Target = Target::AtLeast(3.0);

fn main() {
    for (values, bindings) in [("Counter64", counters()), ("mixed", mixed())] {
        compare(&format!("v2c decode, 25 {values}"), &bindings, |codec| {
            black_box(codec.decode());
        });
        compare(&format!("v2c encode, 25 {values}"), &bindings, |codec| {
            black_box(codec.encode());
        });
    }
}

fn compare(what: &str, bindings: &[Binding], work: impl Fn(&mut dyn Codec)) {
    let (mut ours, mut first, mut second) = (Ours::new(bindings), AsyncSnmp::new(bindings), RasnSnmp::new(bindings));
    let mut ours = Repeat::new(FIGURE, || work(&mut ours));
    let mut first = Repeat::new(FIGURE, || work(&mut first));
    let mut second = Repeat::new(FIGURE, || work(&mut second));
    let Ok(figures) = take_turns::<Infallible>(
        ROUNDS,
        &mut [&mut || Ok(ours.figure_ns()), &mut || Ok(first.figure_ns()), &mut || Ok(second.figure_ns())],
    );
    claim(what, "async-snmp", &figures[0].against(&figures[1]), TARGET);
    claim(what, "rasn-snmp", &figures[0].against(&figures[2]), TARGET);
}
