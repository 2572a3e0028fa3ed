//! Processor time to secure and to open one SNMPv3 response of 25 variable bindings, with SHA-256 and AES-128.

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Duration;

use hamsa_bench_rounds::{Repeat, Target, claim, take_turns};
use hamsa_bench_snmp::secured::{AsyncSnmp, Ours, Secured};
use hamsa_bench_snmp::workload::counters;

const ROUNDS: usize = 101;

/// What one contender takes of a round.
const FIGURE: Duration = Duration::from_millis(5);

const TARGET: Target = Target::AtLeast(2.5);

fn main() {
    compare("v3 authPriv outgoing, 25 Counter64", |contender| {
        black_box(contender.outgoing());
    });
    compare("v3 authPriv incoming, 25 Counter64", |contender| {
        black_box(contender.incoming_again());
    });
}

fn compare(what: &str, work: impl Fn(&mut dyn Secured)) {
    let (mut ours, mut peer) = (Ours::new(&counters()), AsyncSnmp::new(&counters()));
    let mut ours = Repeat::new(FIGURE, || work(&mut ours));
    let mut peer = Repeat::new(FIGURE, || work(&mut peer));
    let Ok(figures) =
        take_turns::<Infallible>(ROUNDS, &mut [&mut || Ok(ours.figure_ns()), &mut || Ok(peer.figure_ns())]);
    claim(what, "async-snmp", &figures[0].against(&figures[1]), TARGET);
}
