//! How many memory allocations one more variable binding costs, in messages of one and of all bindings.

use hamsa_bench_rounds::{Target, informs};
use hamsa_bench_snmp::community::{AsyncSnmp, Codec, Ours, RasnSnmp};
use hamsa_bench_snmp::workload::{BINDINGS, Binding, counters, mixed};

type Make = fn(&[Binding]) -> Box<dyn Codec>;

fn main() {
    for (values, bindings) in [("Counter64", counters()), ("mixed", mixed())] {
        let decode = |make: Make| {
            per_binding(make, &bindings, |codec| {
                codec.decode();
            })
        };
        let encode = |make: Make| {
            per_binding(make, &bindings, |codec| {
                codec.encode();
            })
        };
        report(&format!("v2c decode, {BINDINGS} {values}: allocations a binding"), decode);
        report(&format!("v2c encode, {BINDINGS} {values}: allocations a binding"), encode);
    }
}

fn report(what: &str, count: impl Fn(Make) -> f64) {
    let ours = count(|bindings| Box::new(Ours::new(bindings)));
    let first = count(|bindings| Box::new(AsyncSnmp::new(bindings)));
    let second = count(|bindings| Box::new(RasnSnmp::new(bindings)));
    let peers = format!("{first:.2} async-snmp, {second:.2} rasn-snmp");
    informs(what, &format!("{ours:.2}"), &peers, ours, Target::AtMost(0.0));
}

/// The allocations of a whole message over those of one with a single binding, for each binding more.
fn per_binding(make: Make, bindings: &[Binding], work: impl Fn(&mut dyn Codec)) -> f64 {
    let count = |bindings: &[Binding]| {
        let mut codec = make(bindings);
        // Buffers that are used again are made by the first run.
        work(&mut *codec);
        allocation_counter::measure(|| work(&mut *codec)).count_total
    };
    let more = count(bindings).saturating_sub(count(&bindings[..1]));
    more as f64 / (bindings.len() - 1) as f64
}
